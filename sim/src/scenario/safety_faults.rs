//! Faults of safety units and what a scenario expects of the units.
//!
//! CPUs are numbered 1 and 2, pins 0 to 13, relays 0 and 1, as in the configuration.

use super::quantity::{Drift, Voltage};
use super::schema::{choice, section};
use crate::kernel::Span;

choice! {
    /// What can be wrong in a safety unit.
    SafetyFault {
        /// Packets from one CPU to the other are lost, with the messages beside them.
        C2cLost { C2cHit },
        /// Bits of packets from one CPU to the other are inverted.
        C2cCorrupted { C2cHit },
        /// Packets from one CPU to the other say something else in one field, with a right CRC.
        C2cForged { C2cForge },
        /// Packets from one CPU to the other come so much later; one that is overtaken is old when it comes.
        C2cDelayed { C2cDelay },
        /// Packets from one CPU to the other come once more.
        C2cRepeated { C2cRepeat },
        /// A CPU stands still until its watchdog resets it after 10 ms; without a duration the watchdog is dead, too.
        CpuHalted { OfCpu },
        /// A CPU is reset by its reset pin.
        CpuReset { OfCpu },
        /// A CPU's clock runs fast or slow from the next tick on.
        Clock { CpuClock },
        /// The logic of a CPU takes this long, in its own time.
        LogicTime { CpuTime },
        /// The timer that interrupts a CPU whose logic takes too long is dead.
        NoDeadline { OfCpu },
        /// A CPU's count of ticks jumps ahead once.
        TickSlip { TickSlip },
        /// A cell of a CPU's RAM is defect.
        RamCell { RamCell },
        /// Bits of a byte of a CPU's flash are inverted.
        FlashBits { FlashBits },
        /// A channel of a CPU's converter is wrong.
        Adc { AdcHit },
        /// The wire of a pin is wrong.
        Wire { WireHit },
        /// What one CPU sees of the level of a pin does not move.
        View { ViewHit },
        /// The device at this input group shows its OFF signal: somebody demands the safety function.
        InputOff(String),
        /// A contact of a relay stays as it is told here.
        Contact { ContactHit },
        /// An output transistor stays as it is told here.
        Transistor { TransistorHit },
        /// The main transistor stays on, or off.
        MainTransistor { MainHit },
        /// The 3.3 V rail of a CPU has this voltage.
        Rail { RailHit },
        /// Radio packets that the unit and a configuration tool beside it send are lost.
        RadioLost { AirHit },
        /// Bits of radio packets that the unit and a configuration tool beside it send are inverted.
        RadioCorrupted { AirHit },
        /// Radio packets that the unit and a configuration tool beside it send name another sender, with a right CRC.
        RadioForged { AirHit },
        /// Radio packets that the unit and a configuration tool beside it send come so much later.
        RadioDelayed(Span),
        /// Radio packets that the unit and a configuration tool beside it send come once more after this.
        RadioRepeated(Span),
        /// Two radio packets each of the unit, or of a configuration tool beside it, change their places.
        RadioSwapped,
        /// Frames that the unit sends on CAN are sent once more by another node.
        CanRepeated { CanRepeat },
    }
}

impl SafetyFault {
    /// Whether it has no duration.
    #[must_use]
    pub const fn is_momentary(&self) -> bool {
        match self {
            Self::CpuReset(_) | Self::FlashBits(_) | Self::TickSlip(_) => true,
            Self::RamCell(cell) => matches!(cell.defect, CellDefect::Flips),
            Self::C2cLost(hit) | Self::C2cCorrupted(hit) => hit.packets.is_some(),
            Self::C2cForged(forge) => forge.packets.is_some(),
            Self::C2cDelayed(delay) => delay.packets.is_some(),
            Self::C2cRepeated(repeat) => repeat.packets.is_some(),
            Self::CanRepeated(repeat) => repeat.frames.is_some(),
            Self::RadioLost(hit) | Self::RadioCorrupted(hit) | Self::RadioForged(hit) => hit.packets.is_some(),
            _ => false,
        }
    }

    /// The CPU whose packets a fault of the link between the CPUs hits, 1 or 2; none of any other fault.
    #[must_use]
    pub const fn link_sender(&self) -> Option<u8> {
        match self {
            Self::C2cLost(hit) | Self::C2cCorrupted(hit) => Some(hit.from),
            Self::C2cForged(forge) => Some(forge.from),
            Self::C2cDelayed(delay) => Some(delay.from),
            Self::C2cRepeated(repeat) => Some(repeat.from),
            _ => None,
        }
    }
}

section! {
    /// Packets of the link between the CPUs.
    C2cHit {
        /// The CPU that sends them.
        from: u8 where "1".."2",
        /// How many in a row; all until the fault ends where none is written.
        packets: Option<u32> = "None" where "1".."1000000",
    }
}

section! {
    /// Packets of the link that say something else.
    C2cForge {
        /// The CPU that sends them.
        from: u8 where "1".."2",
        /// What they say wrongly.
        field: C2cField,
        /// How many in a row; all until the fault ends where none is written.
        packets: Option<u32> = "None" where "1".."1000000",
    }
}

section! {
    /// Packets of the link that come late.
    C2cDelay {
        /// The CPU that sends them.
        from: u8 where "1".."2",
        /// How much later each of them comes.
        by: Span where "1us".."1s",
        /// How many in a row; all until the fault ends where none is written.
        packets: Option<u32> = "None" where "1".."1000000",
    }
}

section! {
    /// Packets of the link that come twice.
    C2cRepeat {
        /// The CPU that sends them.
        from: u8 where "1".."2",
        /// How long after it has come a packet comes once more.
        after: Span = "1ms" where "0us".."1s",
        /// How many in a row; all until the fault ends where none is written.
        packets: Option<u32> = "None" where "1".."1000000",
    }
}

choice! {
    /// A field of a packet between the CPUs.
    C2cField {
        /// The mode of its CPU: configuration.
        Mode,
        /// The release id: its lowest bit is inverted.
        Release,
        /// The hash of the configuration: its lowest bit is inverted.
        Configuration,
        /// The serial number: its lowest bit is inverted.
        Serial,
        /// The outputs that its logic wants ON: the first group is inverted.
        Demand,
    }
}

section! {
    /// Frames of a unit that somebody repeats.
    CanRepeat {
        /// The node that sends them once more: one of `further_nodes`.
        by: String,
        /// How long after the unit has handed them to its controller.
        after: Span = "2ms" where "0ms".."1h",
        /// How many in a row; all until the fault ends where none is written.
        frames: Option<u32> = "None" where "1".."1000000",
    }
}

section! {
    /// A count of ticks that jumps.
    TickSlip {
        /// Which CPU.
        cpu: u8 where "1".."2",
        /// By how many ticks more than one.
        by: u32 = "1" where "1".."1000000",
    }
}

section! {
    /// A CPU of the unit.
    OfCpu {
        /// Which.
        cpu: u8 where "1".."2",
    }
}

section! {
    /// A clock that is off.
    CpuClock {
        /// Which CPU.
        cpu: u8 where "1".."2",
        /// How fast it runs against true time.
        by: Drift where "-500000ppm".."500000ppm",
    }
}

section! {
    /// An execution time.
    CpuTime {
        /// Which CPU.
        cpu: u8 where "1".."2",
        /// How long.
        takes: Span where "0us".."1s",
    }
}

section! {
    /// A cell of a RAM.
    RamCell {
        /// Which CPU.
        cpu: u8 where "1".."2",
        /// Its word.
        word: u32 where "0".."16383",
        /// Its bit.
        bit: u8 = "0" where "0".."31",
        /// What is wrong with it.
        defect: CellDefect,
    }
}

choice! {
    /// What is wrong with a cell.
    CellDefect {
        /// It always reads 0.
        StuckAt0,
        /// It always reads 1.
        StuckAt1,
        /// It cannot go from 0 to 1.
        NoRise,
        /// It cannot go from 1 to 0.
        NoFall,
        /// When it goes from 0 to 1, the same bit of this word inverts.
        Inverts(u32),
        /// Accesses to its word reach this word.
        Reaches(u32),
        /// It inverts once.
        Flips,
    }
}

section! {
    /// Bits of a byte of a flash.
    FlashBits {
        /// Which CPU.
        cpu: u8 where "1".."2",
        /// Address of the byte.
        address: u32 where "0".."0x7FFFF",
        /// The bits.
        bits: u8 = "1" where "1".."255",
    }
}

section! {
    /// A channel of a converter.
    AdcHit {
        /// Which CPU.
        cpu: u8 where "1".."2",
        /// Which channel.
        channel: AdcInput,
        /// What is wrong.
        error: AdcError,
    }
}

choice! {
    /// Channel of a converter.
    AdcInput {
        /// The voltage of this pin.
        Pin(u8),
        /// The supply of the unit.
        Supply,
        /// The feed of the output transistors.
        SioPower,
        /// The other CPU's 3.3 V rail.
        Rail,
    }
}

choice! {
    /// What is wrong with a channel.
    AdcError {
        /// It shows so many ppm too much.
        Gain(Drift),
        /// It shows so much too much.
        Above(Voltage),
        /// It shows so much too little.
        Below(Voltage),
        /// It always shows this.
        Stuck(Voltage),
        /// It shows up to so much too much or too little, drawn evenly and anew in each scan from the run's seed.
        Noise(Voltage),
    }
}

section! {
    /// A wire at a pin.
    WireHit {
        /// Which pin.
        pin: u8 where "0".."13",
        /// What is wrong with it.
        is: WireDefect,
    }
}

choice! {
    /// What is wrong with a wire.
    WireDefect {
        /// It is open.
        Open,
        /// It has a short to the supply.
        ToSupply,
        /// It has a short to 0 V.
        ToGround,
        /// It has a short to this pin.
        ToPin(u8),
    }
}

section! {
    /// The level of a pin as one CPU sees it.
    ViewHit {
        /// Which CPU.
        cpu: u8 where "1".."2",
        /// Which pin.
        pin: u8 where "0".."13",
        /// Whether it sees it high for ever; otherwise low.
        high: bool,
    }
}

section! {
    /// A relay contact.
    ContactHit {
        /// Which relay.
        relay: u8 where "0".."1",
        /// The contact of which CPU.
        cpu: u8 where "1".."2",
        /// Whether it stays closed: welded; otherwise it does not close.
        closed: bool,
    }
}

section! {
    /// An output transistor.
    TransistorHit {
        /// Of which pin.
        pin: u8 where "0".."13",
        /// Whether it always conducts; otherwise it never does.
        conducts: bool,
    }
}

section! {
    /// The main transistor.
    MainHit {
        /// Whether it always conducts; otherwise it never does.
        conducts: bool,
    }
}

section! {
    /// A 3.3 V rail.
    RailHit {
        /// Of which CPU; the other one measures it.
        cpu: u8 where "1".."2",
        /// Its voltage.
        to: Voltage where "0V".."6V",
    }
}

section! {
    /// Radio packets of a unit.
    AirHit {
        /// How many in a row; all until the fault ends where none is written.
        packets: Option<u32> = "None" where "1".."1000000",
    }
}

section! {
    /// A unit and what it is expected to detect first; what is wrong in its wiring may follow what stands before it in the list.
    SafetyTrip {
        /// Name of the unit.
        unit: String,
        /// What leads it to the safe state, or turns off what is affected.
        by: Detected,
        /// The CPU that detects it first; either where none is written.
        cpu: Option<u8> = "None" where "1".."2",
        /// After so many restarts of both CPUs, and not in the whole run: a fault that lasts over a restart is found again, as this or that.
        restarts: Option<u8> = "None",
        /// Not before this long after the injection occurred that can have led to it, or after that restart if it occurred before; where
        /// several can have, after the latest. One of the supply counts from when it acted.
        after: Option<Span> = "None" where "0ms".."24h",
        /// At the latest this long after it; where several can have led to it, after the earliest.
        within: Option<Span> = "None" where "0ms".."24h",
    }
}

section! {
    /// Relays of a unit.
    SafetyRelays {
        /// Name of the unit.
        unit: String,
        /// The relays that conduct.
        closed: Vec<u8> = "[]",
    }
}

choice! {
    /// What a safety unit can detect; the words are those of its firmware.
    Detected {
        /// The RAM test of start-up found a bad word (SSR-003).
        RamAtStart,
        /// The running RAM test found a bad word (SSR-001).
        RamRunning,
        /// The firmware image in flash is not whole at start-up (SSR-006, SSR-061).
        Firmware,
        /// The running flash test found a difference (SSR-005).
        FlashRunning,
        /// Flash that must be erased is not (SSR-006).
        FlashNotErased,
        /// Production data have a wrong CRC or format (SSR-064).
        ProductionData,
        /// The serial number is 0 or 0xFFFF_FFFF (SSR-066).
        SerialNumber,
        /// The configuration is not valid; the detail is a defect of the configuration (SSR-063, SSR-067).
        Configuration,
        /// The peer did not report ready in time (SSR-062).
        PeerMissing,
        /// The peer runs another release (SSR-062).
        ReleaseDiffers,
        /// The peer holds another configuration or serial number (SSR-063).
        PeerDataDiffers,
        /// No good C2C packet for 20 ms (SSR-021).
        C2cSilent,
        /// Too many C2C errors over a long time (SSR-020).
        C2cErrorRate,
        /// The two clocks drift apart faster than is legal (SSR-013).
        ClockDrift,
        /// The peer is in a mode that does not go with this CPU's (SSR-065).
        PeerMode,
        /// Own and received voltage of a pin, of the supply or of `SIO_PWR` differ; the detail is the channel (SSR-033).
        AnalogMismatch,
        /// The logic took longer than 812.5 us (SSR-014).
        LogicTime,
        /// The hardware tick count did not go up by one (SSR-012).
        TickCount,
        /// A stage of the tick was left out, repeated or out of order (SSM-03).
        ProgramFlow,
        /// Supply below its limit for more than 500 ms (SSR-009).
        SupplyLow,
        /// Supply above its limit for more than 500 ms (SSR-011).
        SupplyHigh,
        /// The other CPU's 3.3 V rail is out of its limits (SSR-082, SSR-083).
        Rail,
        /// `SIO_PWR` does not go with the main transistor (SSR-084).
        SioPower,
        /// An output transistor does not do what it is told; the detail is the pin (SSR-035).
        OutputDriver,
        /// The main transistor does not do what it is told (SSR-035).
        MainTransistor,
        /// A relay contact does not do what it is told; the detail is the bit of the feedback (SSR-041).
        Relay,
        /// The logic of the two CPUs disagrees for too long; the detail is the output group, or 32 and the relay.
        Disagreement,
        /// CPU2: an output that must be OFF is still driven; the detail is the pin (SSR-037).
        NotObeyed,
        /// A valid SimpleCAN frame with an entry of this unit came from somewhere else.
        CanMasquerade,
        /// A doubly stored variable differs from its copy (SSM-13).
        Variable,
        /// Level and voltage of a pin contradict each other; the detail is the pin (SSR-035).
        InputStage,
        /// A short of an output to a supply, to 0 V or to another pin; the detail is the pin (SSR-036).
        OutputWiring,
        /// A short between two OSSD outputs; reported once for each; the detail is the pin (SSR-040).
        OssdShort,
        /// The channels of a redundant input differ for longer than allowed; the detail is the input group (SSR-028).
        InputDiscrepancy,
        /// An input shows neither its ON nor its OFF signal; the detail is the input group (SSR-023).
        InputSignal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words here are the names in the firmware's contract, whatever order either has them in.
    #[test]
    fn every_detection_of_the_firmware_has_its_word() {
        let firmware = include_str!("../../../firmware-under-test/safety-common/src/fault.rs");
        let names: Vec<&str> = firmware
            .lines()
            .filter_map(|line| line.trim().split_once(" = "))
            .filter(|(_, number)| number.trim_end_matches(',').parse::<u8>().is_ok())
            .map(|(name, _)| name)
            .collect();
        let words: Vec<&str> = Detected::VARIANTS.iter().map(|variant| variant.name).collect();
        assert!(names.len() > 30);
        assert_eq!(words, names);
    }
}
