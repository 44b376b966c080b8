//! What a CPU can detect, and which kind of reaction follows.
//!
//! An *internal* fault is one of the unit itself and leads to the safe state (SSR-035); an *external* one lies in the
//! wiring and turns off what it affects (SSR-036).

use units::Instant;

/// One thing that is wrong. The numbers stand in logs; they are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Fault {
    /// The RAM test of start-up found a bad word (SSR-003).
    RamAtStart = 1,
    /// The running RAM test found a bad word (SSR-001).
    RamRunning = 2,
    /// The firmware image in flash is not whole at start-up (SSR-006, SSR-061).
    Firmware = 3,
    /// The running flash test found a difference (SSR-005).
    FlashRunning = 4,
    /// Flash that must be erased is not (SSR-006).
    FlashNotErased = 5,
    /// Production data have a wrong CRC or format (SSR-064).
    ProductionData = 6,
    /// The serial number is 0 or 0xFFFF_FFFF (SSR-066).
    SerialNumber = 7,
    /// The configuration is not valid; the detail is a [`crate::configuration::Defect`] (SSR-063, SSR-067).
    Configuration = 8,
    /// The peer did not report ready in time (SSR-062).
    PeerMissing = 9,
    /// The peer runs another release (SSR-062).
    ReleaseDiffers = 10,
    /// The peer holds another configuration or serial number (SSR-063).
    PeerDataDiffers = 11,
    /// No good C2C packet for 20 ms (SSR-021).
    C2cSilent = 12,
    /// Too many C2C errors over a long time (SSR-020).
    C2cErrorRate = 13,
    /// The two clocks drift apart faster than is legal (SSR-013).
    ClockDrift = 14,
    /// The peer is in a mode that does not go with this CPU's (SSR-065).
    PeerMode = 15,
    /// Own and received voltage of a pin, of the supply or of `SIO_PWR` differ; the detail is the channel (SSR-033).
    AnalogMismatch = 16,
    /// The logic took longer than 812.5 us (SSR-014).
    LogicTime = 17,
    /// The hardware tick count did not go up by one (SSR-012).
    TickCount = 18,
    /// A stage of the tick was left out, repeated or out of order (SSM-03).
    ProgramFlow = 19,
    /// Supply below its limit for more than 500 ms (SSR-009).
    SupplyLow = 20,
    /// Supply above its limit for more than 500 ms (SSR-011).
    SupplyHigh = 21,
    /// The other CPU's 3.3 V rail is out of its limits (SSR-082, SSR-083).
    Rail = 22,
    /// `SIO_PWR` does not go with the main transistor (SSR-084).
    SioPower = 23,
    /// An output transistor does not do what it is told; the detail is the pin (SSR-035).
    OutputDriver = 24,
    /// The main transistor does not do what it is told (SSR-035).
    MainTransistor = 25,
    /// A relay contact does not do what it is told; the detail is the bit of the feedback (SSR-041).
    Relay = 26,
    /// The logic of the two CPUs disagrees for too long; the detail is the output group, or 32 and the relay.
    Disagreement = 27,
    /// CPU2: an output that must be OFF is still driven; the detail is the pin (SSR-037).
    NotObeyed = 28,
    /// A valid SimpleCAN frame with an entry of this unit came from somewhere else.
    CanMasquerade = 29,
    /// A doubly stored variable differs from its copy (SSM-13).
    Variable = 30,
    /// Level and voltage of a pin contradict each other; the detail is the pin (SSR-035).
    InputStage = 31,
    /// A short of an output to a supply, to 0 V or to another pin; the detail is the pin (SSR-036).
    OutputWiring = 64,
    /// A short between two OSSD outputs; reported once for each; the detail is the pin (SSR-040).
    OssdShort = 65,
    /// The channels of a redundant input differ for longer than allowed; the detail is the input group (SSR-028).
    InputDiscrepancy = 66,
    /// An input shows neither its ON nor its OFF signal; the detail is the input group (SSR-023).
    InputSignal = 67,
}

/// What follows from a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reaction {
    /// The whole unit goes to the safe state.
    SafeState,
    /// Only what is affected goes OFF.
    AffectedOff,
}

impl Fault {
    /// The reaction class: numbers below 64 are internal.
    #[must_use]
    pub const fn reaction(self) -> Reaction {
        if (self as u8) < 64 { Reaction::SafeState } else { Reaction::AffectedOff }
    }
}

/// A fault that was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Detection {
    /// What.
    pub fault: Fault,
    /// Pin, channel, group, word or defect, as the fault says; 0 where it says nothing.
    pub detail: u32,
    /// When the CPU knew it, on its own clock.
    pub at: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Fault::*;

    /// The internal faults with their numbers, which stand in logs.
    const INTERNAL: [(Fault, u8); 31] = [
        (RamAtStart, 1),
        (RamRunning, 2),
        (Firmware, 3),
        (FlashRunning, 4),
        (FlashNotErased, 5),
        (ProductionData, 6),
        (SerialNumber, 7),
        (Configuration, 8),
        (PeerMissing, 9),
        (ReleaseDiffers, 10),
        (PeerDataDiffers, 11),
        (C2cSilent, 12),
        (C2cErrorRate, 13),
        (ClockDrift, 14),
        (PeerMode, 15),
        (AnalogMismatch, 16),
        (LogicTime, 17),
        (TickCount, 18),
        (ProgramFlow, 19),
        (SupplyLow, 20),
        (SupplyHigh, 21),
        (Rail, 22),
        (SioPower, 23),
        (OutputDriver, 24),
        (MainTransistor, 25),
        (Relay, 26),
        (Disagreement, 27),
        (NotObeyed, 28),
        (CanMasquerade, 29),
        (Variable, 30),
        (InputStage, 31),
    ];
    /// The faults of wiring.
    const EXTERNAL: [(Fault, u8); 4] = [(OutputWiring, 64), (OssdShort, 65), (InputDiscrepancy, 66), (InputSignal, 67)];

    /// SSR-035, SSR-036: the safe state for whatever is wrong inside the unit, and only what is affected for the wiring.
    #[test]
    fn internal_faults_stop_the_unit_and_external_ones_what_they_affect() {
        for (fault, number) in INTERNAL {
            assert_eq!((fault as u8, fault.reaction()), (number, Reaction::SafeState), "{fault:?}");
        }
        for (fault, number) in EXTERNAL {
            assert_eq!((fault as u8, fault.reaction()), (number, Reaction::AffectedOff), "{fault:?}");
        }
    }
}
