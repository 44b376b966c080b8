//! Measured voltages and their plausibility.
//!
//! SSR-008 to SSR-011, SSR-030, SSR-033, SSR-082, SSR-084.
//!
//! This CPU keeps its last four scans as rows and judges all channels of a received row against their envelope at once;
//! scores stand in one word a channel. Counters of supervisions that need "so many in a row" are kept as runs.
//!
//! Diverse: rows of scans and one envelope for all channels at once.

use safety_common::fault::Fault;
use safety_common::io::AnalogCounts;
use safety_common::{ADC_COUNTS_MOST, ADC_REFERENCE_MV, DIVIDER_PPM, RAIL_DIVIDER_PPM, SUPPLY_BAD_SAMPLES};

use crate::packet::{CHANNELS, SIO_POWER, SUPPLY};
use crate::trip::{Outcome, Trip};

const SCANS: usize = 4;
/// Weight of a scan outside on a channel that is still.
const OUTSIDE: u16 = 4;
/// On a pin that is busy with pulses or releases: they lie in up to a third of one CPU's scans and in none of the other's.
const OUTSIDE_BUSY: u16 = 1;
const INSIDE: u16 = 1;

const fn millivolts(counts: u16, divider_ppm: u32) -> u16 {
    let full = (ADC_COUNTS_MOST as u64 + 1) * divider_ppm as u64;
    let value = counts as u64 * ADC_REFERENCE_MV as u64 * 1_000_000 / full;
    if value > u16::MAX as u64 { u16::MAX } else { value as u16 }
}

const fn pin_millivolts(counts: u16) -> u16 {
    let [_, own] = DIVIDER_PPM;
    millivolts(counts, own)
}

/// The other CPU's 3.3 V rail in millivolts.
pub(crate) const fn rail_millivolts(counts: u16) -> u16 {
    millivolts(counts, RAIL_DIVIDER_PPM)
}

/// One scan in millivolts.
pub(crate) fn scan(counts: &AnalogCounts) -> [u16; CHANNELS] {
    let mut volts = [0; CHANNELS];
    let all = counts.pins.iter().chain([&counts.supply, &counts.sio_power]);
    for (place, counts) in volts.iter_mut().zip(all) {
        *place = pin_millivolts(*counts);
    }
    volts
}

/// `SIO_PWR` in the test dip, in millivolts.
pub(crate) const fn dip_millivolts(counts: u16) -> u16 {
    pin_millivolts(counts)
}

/// The supply channel of a scan.
pub(crate) fn supply(volts: &[u16; CHANNELS]) -> u16 {
    volts.get(SUPPLY).copied().unwrap_or(0)
}

/// The `SIO_PWR` channel of a scan.
pub(crate) fn sio_power(volts: &[u16; CHANNELS]) -> u16 {
    volts.get(SIO_POWER).copied().unwrap_or(0)
}

/// Comparison with what the peer measured (SSR-033).
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    scans: [[u16; CHANNELS]; SCANS],
    filled: bool,
    next: usize,
    scores: [u16; CHANNELS],
}

impl Comparison {
    /// Keeps an own scan; the first one stands for all four.
    pub(crate) fn keep(&mut self, volts: [u16; CHANNELS]) {
        if !self.filled {
            self.scans = [volts; SCANS];
            self.filled = true;
        }
        if let Some(row) = self.scans.get_mut(self.next) {
            *row = volts;
        }
        self.next = self.next.saturating_add(1) % SCANS;
    }

    /// Judges a received scan; `debounce` in ms, `busy` as pins. A still channel outside weighs four times as much as one
    /// inside, a busy one as much.
    pub(crate) fn judge(&mut self, received: &[u16; CHANNELS], limit: u16, debounce: u16, busy: u16) -> Outcome {
        let [first, others @ ..] = &self.scans;
        let (mut low, mut high) = (*first, *first);
        for row in others {
            for ((low, high), value) in low.iter_mut().zip(high.iter_mut()).zip(row) {
                *low = (*low).min(*value);
                *high = (*high).max(*value);
            }
        }
        let mut reached = 0;
        for (channel, (score, ((low, high), value))) in
            self.scores.iter_mut().zip(low.iter().zip(&high).zip(received)).enumerate()
        {
            let inside = *value >= low.saturating_sub(limit) && *value <= high.saturating_add(limit);
            let weight = if u32::from(busy) >> channel & 1 == 1 { OUTSIDE_BUSY } else { OUTSIDE };
            *score = if inside { score.saturating_sub(INSIDE) } else { score.saturating_add(weight) };
            reached |= u32::from(*score >= debounce.saturating_mul(weight)) << channel;
        }
        crate::trip::trip_for_lowest(Fault::AnalogMismatch, reached)
    }
}

/// Bad samples in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run(u32);

impl Run {
    /// Counts one sample; gives the length of the run of bad ones.
    pub(crate) fn sample(&mut self, bad: bool) -> u32 {
        self.0 = if bad { self.0.saturating_add(1) } else { 0 };
        self.0
    }
}

/// Limits of the feeds, from the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedLimits {
    /// In millivolts.
    pub(crate) supply_min: u16,
    /// In millivolts.
    pub(crate) supply_max: u16,
    /// In millivolts.
    pub(crate) rail_min: u16,
    /// In millivolts.
    pub(crate) rail_max: u16,
    /// In ms.
    pub(crate) debounce: u16,
    /// In millivolts.
    pub(crate) sio_drop: u16,
    /// In millivolts.
    pub(crate) sio_off: u16,
}

/// What `SIO_PWR` must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    /// The main transistor has changed not long ago.
    Settling,
    On,
}

/// Supervision of supply, 3V3A and `SIO_PWR`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feeds {
    low: Run,
    high: Run,
    rail: Run,
    sio: Run,
}

impl Feeds {
    /// One tick's samples.
    pub(crate) fn judge(&mut self, volts: &[u16; CHANNELS], rail: u16, feed: Feed, limits: &FeedLimits) -> Outcome {
        let (supply, sio) = (supply(volts), sio_power(volts));
        let debounce = u32::from(limits.debounce);
        let bad_sio = match feed {
            Feed::Settling => false,
            Feed::On => sio < supply.saturating_sub(limits.sio_drop),
        };
        let bad_rail = !(limits.rail_min..=limits.rail_max).contains(&rail);
        let checks = [
            (Fault::SupplyLow, self.low.sample(supply < limits.supply_min) >= SUPPLY_BAD_SAMPLES),
            (Fault::SupplyHigh, self.high.sample(supply > limits.supply_max) >= SUPPLY_BAD_SAMPLES),
            (Fault::Rail, self.rail.sample(bad_rail) > debounce),
            (Fault::SioPower, self.sio.sample(bad_sio) > debounce),
        ];
        match checks.into_iter().find(|(_, failed)| *failed) {
            Some((fault, _)) => Err(Trip::new(fault, 0)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
