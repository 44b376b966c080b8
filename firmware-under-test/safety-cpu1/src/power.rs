//! What the ADC says: supply, rail, `SIO_PWR`, comparison with the peer.
//!
//! SSR-008 to SSR-011, SSR-030, SSR-033, SSR-083, SSR-084.

use safety_common::fault::Fault;
use safety_common::io::AnalogCounts;
use safety_common::signal::Signal;
use safety_common::{ADC_COUNTS_MOST, ADC_REFERENCE_MV, DIVIDER_PPM, PINS, RAIL_DIVIDER_PPM, SUPPLY_BAD_SAMPLES};

use crate::Trip;
use crate::configuration::{PinPlan, Pins, Role, Settings};
use crate::packet::Voltages;
use crate::twice::Twice;

/// `SIO_PWR` settles for this many ticks after the main transistor changed (own number).
const SIO_REST_TICKS: u32 = 10;
/// Scans of its own that a received voltage may belong to.
const HISTORY: usize = 4;
/// What a received voltage outside adds to the score; one inside takes 1 away. So a reading that is stuck while its pin toggles
/// piles up, although every other comparison fits (own number).
const OUTSIDE: u16 = 4;
/// The same on a pin with pulses or releases. No clock binds them to this CPU's scans or to the peer's, so that as many as a
/// quarter (types A to D) or a third (combined) of one CPU's scans meet them for a long time (own number).
const OUTSIDE_BUSY: u16 = 1;
/// Channels that are compared: the pins, supply, `SIO_PWR`.
const CHANNELS: usize = PINS + 2;

/// The voltage that `counts` stand for behind a divider of `PPM` millionths.
const fn millivolts<const PPM: u32>(counts: u16) -> u16 {
    let full_scale = (ADC_COUNTS_MOST as u64 + 1) * PPM as u64;
    let voltage = counts as u64 * ADC_REFERENCE_MV as u64 * 1_000_000 / full_scale;
    if voltage > u16::MAX as u64 { u16::MAX } else { voltage as u16 }
}

const DIVIDER: u32 = DIVIDER_PPM[0];

/// The voltages of a scan (SSR-030).
pub(crate) fn voltages(counts: &AnalogCounts) -> Voltages {
    Voltages {
        pins: counts.pins.map(millivolts::<DIVIDER>),
        supply: millivolts::<DIVIDER>(counts.supply),
        sio_power: millivolts::<DIVIDER>(counts.sio_power),
    }
}

/// Bad samples in a row.
#[derive(Clone, Copy, Debug)]
struct BadSamples(Twice);

impl BadSamples {
    const NONE: Self = Self(Twice::new(0));

    /// Counts; `true` once `most` in a row were bad.
    fn reach(&mut self, is_bad: bool, most: u32) -> Result<bool, Trip> {
        let count = self.0.get().map_err(|_| Trip::new(Fault::Variable, 0))?;
        let count = if is_bad { count.saturating_add(1) } else { 0 };
        self.0 = Twice::new(count);
        Ok(count >= most)
    }
}

/// Supply, rail and `SIO_PWR`.
#[derive(Clone, Debug)]
pub(crate) struct Power {
    low: BadSamples,
    high: BadSamples,
    rail: BadSamples,
    sio: BadSamples,
    is_main_on: bool,
    main_rest: u32,
}

impl Power {
    pub(crate) const fn new() -> Self {
        Self {
            low: BadSamples::NONE,
            high: BadSamples::NONE,
            rail: BadSamples::NONE,
            sio: BadSamples::NONE,
            is_main_on: false,
            main_rest: SIO_REST_TICKS,
        }
    }

    /// Whether the main transistor is on and `SIO_PWR` has settled.
    pub(crate) const fn is_main_settled(&self) -> bool {
        self.is_main_on && self.main_rest == 0
    }

    /// Judges one scan (SSR-009, SSR-011, SSR-083, SSR-084).
    ///
    /// # Errors
    /// The internal fault that was seen.
    pub(crate) fn judge(
        &mut self,
        counts: &AnalogCounts,
        now: &Voltages,
        settings: &Settings,
        is_main_on: bool,
    ) -> Result<(), Trip> {
        let supply = u32::from(now.supply);
        if self.low.reach(now.supply < settings.supply_min, SUPPLY_BAD_SAMPLES)? {
            return Err(Trip::new(Fault::SupplyLow, supply));
        }
        if self.high.reach(now.supply > settings.supply_max, SUPPLY_BAD_SAMPLES)? {
            return Err(Trip::new(Fault::SupplyHigh, supply));
        }
        let debounce = u32::from(settings.rail_debounce);
        let rail = millivolts::<RAIL_DIVIDER_PPM>(counts.rail);
        let is_rail_bad = rail < settings.rail_min || rail > settings.rail_max;
        if self.rail.reach(is_rail_bad, debounce.saturating_add(1))? {
            return Err(Trip::new(Fault::Rail, rail.into()));
        }
        let is_sio_bad = self.follow_main(is_main_on) && is_sio_bad(now, settings, is_main_on);
        if self.sio.reach(is_sio_bad, debounce.saturating_add(1))? {
            return Err(Trip::new(Fault::SioPower, now.sio_power.into()));
        }
        Ok(())
    }

    /// Takes the main transistor's state; `true` once it has settled.
    fn follow_main(&mut self, is_main_on: bool) -> bool {
        if is_main_on != self.is_main_on {
            self.is_main_on = is_main_on;
            self.main_rest = SIO_REST_TICKS;
        } else {
            self.main_rest = self.main_rest.saturating_sub(1);
        }
        self.main_rest == 0
    }
}

fn is_sio_bad(now: &Voltages, settings: &Settings, is_main_on: bool) -> bool {
    match is_main_on {
        true => now.sio_power < now.supply.saturating_sub(settings.sio_drop),
        false => now.sio_power > settings.sio_off,
    }
}

/// Whether the level of a pin leaves its state for a short while again and again.
const fn is_busy(plan: &PinPlan) -> bool {
    matches!(plan.role, Role::Combined) || !is_still(plan.on) || !is_still(plan.off)
}

/// OSSD dips once in 64 ms.
const fn is_still(signal: Signal) -> bool {
    matches!(signal, Signal::Low | Signal::High | Signal::Ossd)
}

/// Own voltages against the peer's (SSR-033).
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    history: Option<[[u16; CHANNELS]; HISTORY]>,
    /// What a voltage outside adds, for each channel.
    weights: [u16; CHANNELS],
    scores: [u16; CHANNELS],
}

fn channels(voltages: &Voltages) -> [u16; CHANNELS] {
    let mut all = [0; CHANNELS];
    let measured = voltages.pins.iter().chain([&voltages.supply, &voltages.sio_power]);
    all.iter_mut().zip(measured).for_each(|(to, from)| *to = *from);
    all
}

impl Comparison {
    pub(crate) fn new(pins: &Pins) -> Self {
        let mut weights = [OUTSIDE; CHANNELS];
        let busy = weights.iter_mut().zip(pins).filter(|(_, plan)| is_busy(plan));
        busy.for_each(|(weight, _)| *weight = OUTSIDE_BUSY);
        Self { history: None, weights, scores: [0; CHANNELS] }
    }

    /// Takes the scan of this tick, and what the peer sent if it did.
    ///
    /// # Errors
    /// [`Fault::AnalogMismatch`] with the channel.
    pub(crate) fn judge(&mut self, own: &Voltages, peer: Option<&Voltages>, settings: &Settings) -> Result<(), Trip> {
        let own = channels(own);
        let [_, b, c, d] = self.history.unwrap_or([own; HISTORY]);
        self.history = Some([b, c, d, own]);
        let Some(peer) = peer.map(channels) else { return Ok(()) };
        let limit = settings.mismatch;
        let mut tripped = None;
        let columns = b.iter().zip(&c).zip(&d).zip(&own).zip(&peer).zip(&self.weights).zip(&mut self.scores);
        for (channel, ((((((b, c), d), own), peer), weight), score)) in (0..).zip(columns) {
            let lowest = (*b).min(*c).min((*d).min(*own)).saturating_sub(limit);
            let highest = (*b).max(*c).max((*d).max(*own)).saturating_add(limit);
            let is_outside = *peer < lowest || *peer > highest;
            *score = if is_outside { score.saturating_add(*weight) } else { score.saturating_sub(1) };
            if *score >= settings.mismatch_debounce.saturating_mul(*weight) {
                tripped = Some(channel);
            }
        }
        tripped.map_or(Ok(()), |channel| Err(Trip::new(Fault::AnalogMismatch, channel)))
    }
}
