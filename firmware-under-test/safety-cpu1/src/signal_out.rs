//! How an output pin's signal is made: the slots of a tick.
//!
//! SSR-024.

use safety_common::signal::{
    COMBINED_PERIOD_TICKS, COMBINED_SLOT, COMBINED_SLOTS, FRAME_TICKS, GAP_TICKS, OSSD_PERIOD_TICKS, OSSD_SLOT,
    OSSD_SLOTS, OSSD_STAGGER_TICKS, PULSE_SLOT, PULSE_SLOTS, Signal,
};

const fn run(first: u32, slots: u32) -> u16 {
    ((1 << slots) - 1) << first
}

const PULSE: u16 = run(PULSE_SLOT, PULSE_SLOTS);
/// The slots of an OSSD dip.
pub(crate) const OSSD_DIP: u16 = run(OSSD_SLOT, OSSD_SLOTS);
/// The slots in which a combined pin is released.
pub(crate) const RELEASE: u16 = run(COMBINED_SLOT, COMBINED_SLOTS);

/// The table of `signal` for the tick with number `tick`; `rank` is the pin's place among the unit's OSSD outputs.
pub(crate) const fn table(signal: Signal, tick: u32, rank: u32) -> u16 {
    match signal {
        Signal::Low => 0,
        Signal::High => u16::MAX,
        Signal::Ossd => {
            if is_dip_tick(tick, rank) {
                !OSSD_DIP
            } else {
                u16::MAX
            }
        }
        Signal::A => !pulse(tick, GAP_TICKS[0]),
        Signal::B => !pulse(tick, GAP_TICKS[1]),
        Signal::C => !pulse(tick, GAP_TICKS[2]),
        Signal::D => !pulse(tick, GAP_TICKS[3]),
        Signal::InverseA => pulse(tick, GAP_TICKS[0]),
        Signal::InverseB => pulse(tick, GAP_TICKS[1]),
        Signal::InverseC => pulse(tick, GAP_TICKS[2]),
        Signal::InverseD => pulse(tick, GAP_TICKS[3]),
    }
}

/// Whether the OSSD output of `rank` dips in this tick; no two ranks dip in one.
pub(crate) const fn is_dip_tick(tick: u32, rank: u32) -> bool {
    tick % OSSD_PERIOD_TICKS == OSSD_STAGGER_TICKS.wrapping_mul(rank)
}

/// Whether combined pins are read in this tick (SSR-039).
pub(crate) const fn is_read_tick(tick: u32) -> bool {
    tick.is_multiple_of(COMBINED_PERIOD_TICKS)
}

const fn pulse(tick: u32, gap: u32) -> u16 {
    let phase = tick % FRAME_TICKS;
    if phase == 0 || phase == gap { PULSE } else { 0 }
}
