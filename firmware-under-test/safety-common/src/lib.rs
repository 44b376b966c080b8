//! Wire formats and host interface of the safety unit: plain data, no algorithm.
//!
//! The two CPUs of a unit are of different design. What they must agree on byte for byte stands here as constants and
//! plain structs; how bytes are packed, checked and judged each CPU does by itself. `SAFETY.md` beside this crate holds the
//! meaning, the reasons and the requirement of each part.
//!
//! Words: a *tick* is 1 ms of a CPU's own clock, a *slot* one sixteenth of it, *C2C* the link between the two CPUs of a unit.
#![no_std]
#![forbid(unsafe_code)]

pub mod c2c;
pub mod configuration;
pub mod fault;
pub mod flash_map;
pub mod io;
pub mod radio;
pub mod signal;
pub mod simplecan;
pub mod tool;

use units::Duration;

/// IO pins of a unit; each is an input, an output or both.
pub const PINS: usize = 14;
/// Relay functions of a unit; each is two contacts in series, one driven by each CPU.
pub const RELAYS: usize = 2;
/// Slots of a tick, 62.5 us each.
pub const SLOTS: u32 = 16;
/// One logic evaluation, one C2C packet each (SSR-012, SSR-017).
pub const TICK: Duration = Duration::from_millis(1);
/// Length of a slot in nanoseconds.
pub const SLOT_NS: u32 = 62_500;
/// The logic may take this long in the CPU's own time, 13 slots; this value itself passes (SSR-014).
pub const LOGIC_TIME_NS_MOST: u32 = 812_500;
/// Nodes of a network.
pub const NODES_MOST: usize = 16;
/// The most global memories of a node, in bits (SSR-074).
pub const MEMORIES_MOST: usize = 256;
/// The number of global memories is a multiple of this (SSR-074).
pub const MEMORIES_STEP: u16 = 16;

/// This many bad supply samples in a row, one a tick, are more than 500 ms (SSR-009, SSR-011).
pub const SUPPLY_BAD_SAMPLES: u32 = 501;
/// No good C2C packet for this long: safe state (SSR-021).
pub const C2C_SILENCE: Duration = Duration::from_millis(20);
/// C2C packets lost or bad that are tolerated beside those that drain; one more: safe state (own number, SSR-020).
pub const C2C_ERRORS_MOST: u32 = 64;
/// One tolerated C2C error is forgotten after so many ticks: four an hour keep 2^-32 each below 1e-9 an hour (own number).
pub const C2C_ERROR_DRAIN_TICKS: u32 = 900_000;
/// Relative drift of the two clocks that is legal, in nanoseconds a tick: 0.2 % (SSR-013) and a little, since clocks at +0.1 %
/// and -0.1 % differ by 0.2002 % and must never trip.
pub const DRIFT_LEGAL_NS: u32 = 2_100;
/// Drift beyond the legal rate that has piled up to more than this many nanoseconds, two ticks: safe state (own number).
pub const DRIFT_EXCESS_NS_MOST: u32 = 2_000_000;
/// A CPU waits this long in start-up for its peer's good answer, then enters the safe state (own number, SSR-062).
pub const PEER_START_TICKS: u32 = 3_000;
/// The output demands of the two CPUs may differ for this many ticks; longer: safe state (own number).
pub const DISAGREEMENT_TICKS_MOST: u32 = 1_000;
/// CPU2 cuts the main transistor when an output that its logic wants OFF is still driven after so many ticks (own number).
pub const OBEY_TICKS_MOST: u32 = 10;
/// ADC resolution: counts run from 0 to this value.
pub const ADC_COUNTS_MOST: u16 = 4_095;
/// ADC reference: the voltage of `ADC_COUNTS_MOST + 1` counts.
pub const ADC_REFERENCE_MV: u32 = 3_300;
/// Dividers of pin, supply and `SIO_PWR` measurement, in millionths: CPU1 and CPU2. Different, so that a short shows.
pub const DIVIDER_PPM: [u32; 2] = [47_500, 31_000];
/// Divider of the other CPU's 3.3 V rail, in millionths, on both CPUs.
pub const RAIL_DIVIDER_PPM: u32 = 500_000;
