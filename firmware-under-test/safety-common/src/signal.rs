//! Signal types of pins: how ON and OFF look on a wire.
//!
//! The tables are this project's own (the product's parameters are not supplied). A pulsed signal repeats every
//! [`FRAME_TICKS`] ticks and has two short pulses in that time; the gaps between them tell the types apart, also between
//! units whose clocks drift. Every type keeps the slots around the ADC scan quiet.

/// A pulsed signal repeats after this many ticks.
pub const FRAME_TICKS: u32 = 8;
/// First slot of a pulse that a unit sends.
pub const PULSE_SLOT: u32 = 4;
/// Length of a pulse that a unit sends, in slots: 125 us.
pub const PULSE_SLOTS: u32 = 2;
/// A received pulse is this many slots long at most (300 us of external delay may stretch it on one side).
pub const PULSE_SLOTS_MOST: u32 = 6;
/// A received gap (start to start) may be off by this many slots.
pub const GAP_TOLERANCE_SLOTS: u32 = 3;
/// Ticks between the two pulses of types A, B, C and D; the rest of the frame is the other gap.
pub const GAP_TICKS: [u32; 4] = [1, 2, 3, 4];

/// An OSSD output is tested once in this many ticks.
pub const OSSD_PERIOD_TICKS: u32 = 64;
/// The `r`-th OSSD output of a unit (by pin number) dips in tick `OSSD_STAGGER_TICKS * r` of the period.
pub const OSSD_STAGGER_TICKS: u32 = 4;
/// First slot of an OSSD dip.
pub const OSSD_SLOT: u32 = 8;
/// Length of an OSSD dip: 125 us, below 150 us.
pub const OSSD_SLOTS: u32 = 2;
/// An OSSD input tolerates dips of up to this many slots.
pub const OSSD_SLOTS_MOST: u32 = 3;
/// An OSSD input tolerates one dip in this many slots, 10 ms: more than the longest gap of types A to D.
pub const OSSD_SPACING_SLOTS: u32 = 160;
/// `High` and `Low` are recognised after this many whole ticks without a change: more than the longest gap of the pulsed
/// types, so that none of them passes for a static level. They are lost at once.
pub const STATIC_TICKS: u32 = 9;

/// A combined pin is released and read once in this many ticks (at least every 4 ms with a tick in hand, SSR-039).
pub const COMBINED_PERIOD_TICKS: u32 = 3;
/// A combined pin that is driven is released from this slot on.
pub const COMBINED_SLOT: u32 = 8;
/// Length of the release: 250 us.
pub const COMBINED_SLOTS: u32 = 4;
/// The level counts in the last so many slots of the release.
pub const COMBINED_READ_SLOTS: u32 = 2;

/// A signal type. The numbers stand in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Signal {
    /// 0 V all the time.
    Low = 0,
    /// Supply voltage all the time.
    High = 1,
    /// Supply voltage with short dips for test. As an output: tested and staggered by the unit.
    Ossd = 2,
    /// Supply voltage with pulses to 0 V, gaps 1 and 7 ticks.
    A = 4,
    /// As A with gaps of 2 and 6 ticks.
    B = 5,
    /// As A with gaps of 3 and 5 ticks.
    C = 6,
    /// As A with gaps of 4 and 4 ticks.
    D = 7,
    /// 0 V with pulses to supply voltage, gaps as A.
    InverseA = 8,
    /// Gaps as B.
    InverseB = 9,
    /// Gaps as C.
    InverseC = 10,
    /// Gaps as D.
    InverseD = 11,
}
