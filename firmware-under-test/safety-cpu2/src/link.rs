//! Supervision of the peer by its packets: silence, losses, clock and mode.
//!
//! SSR-013, SSR-020, SSR-021, SSR-065.
//!
//! Diverse bookkeeping: what a peer's mode means for this CPU stands in a table, one line for each own mode; clocks are
//! watched by points of windows (`drift`).

use safety_common::fault::Fault;
use safety_common::io::{C2cReceived, Mode};
use safety_common::{C2C_ERROR_DRAIN_TICKS, C2C_ERRORS_MOST, C2C_SILENCE};
use units::Instant;

use crate::drift::Drift;
use crate::packet::Packet;
use crate::trip::{Outcome, Trip};

/// Good packets of one tick are two at most by the clocks; more than this many are not looked at.
const PACKETS_A_TICK: usize = 8;
/// A counter further ahead than this is not ahead.
const COUNTER_AHEAD_MOST: u32 = 1_000;

/// The last good packet.
#[derive(Clone, Copy, Debug)]
struct Last {
    counter: u32,
    at: Instant,
}

/// What is known of the link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    last: Option<Last>,
    silent: bool,
    /// In normal mode an old counter is bad; before, a peer may have restarted and begins anew.
    strict: bool,
    errors: u32,
    drain: u32,
    drift: Drift,
}

/// The good packets of a tick.
pub(crate) type Good = heapless::Vec<Packet, PACKETS_A_TICK>;

impl Link {
    /// Takes what came since the last step; gives the good packets, oldest first.
    pub(crate) fn take(&mut self, received: &[C2cReceived]) -> Good {
        let mut good = Good::new();
        for frame in received.iter().take(PACKETS_A_TICK) {
            if let Some(packet) = Packet::decode(&frame.bytes).filter(|packet| self.fits(packet.counter)) {
                self.accept(packet.counter, frame.at);
                // Cannot be full: no more frames are taken than fit.
                let _ = good.push(packet);
            }
        }
        good
    }

    /// One tick has passed: forgives one error in a long time.
    pub(crate) fn tick(&mut self) {
        self.drain = self.drain.saturating_add(1);
        if self.drain >= C2C_ERROR_DRAIN_TICKS {
            self.drain = 0;
            self.errors = self.errors.saturating_sub(1);
        }
    }

    /// Forgets gaps, losses and drift of start-up, in which nothing depends on packets but the answer "ready"; from now on
    /// [`Self::supervise`] is asked each tick.
    pub(crate) fn begin_supervision(&mut self) {
        self.silent = false;
        (self.errors, self.drain) = (0, 0);
        self.drift = Drift::default();
        self.strict = true;
    }

    /// Silence, losses and drift, in normal mode.
    pub(crate) fn supervise(&self, now: Instant) -> Outcome {
        let silent = self.last.is_none_or(|last| now.since(last.at) >= C2C_SILENCE);
        let checks = [
            (Fault::C2cSilent, self.silent || silent),
            (Fault::C2cErrorRate, self.errors > C2C_ERRORS_MOST),
            (Fault::ClockDrift, self.drift.is_excessive()),
        ];
        match checks.into_iter().find(|(_, failed)| *failed) {
            Some((fault, _)) => Err(Trip::new(fault, 0)),
            None => Ok(()),
        }
    }

    fn fits(&self, counter: u32) -> bool {
        let ahead = |last: Last| (1..=COUNTER_AHEAD_MOST).contains(&counter.wrapping_sub(last.counter));
        !self.strict || self.last.is_none_or(ahead)
    }

    fn accept(&mut self, counter: u32, at: Instant) {
        if let Some(last) = self.last {
            let advance = counter.wrapping_sub(last.counter);
            self.silent |= at.since(last.at) >= C2C_SILENCE;
            if (1..=COUNTER_AHEAD_MOST).contains(&advance) {
                self.errors = self.errors.saturating_add(advance.saturating_sub(1));
            }
        }
        self.drift.follow(counter, at);
        self.last = Some(Last { counter, at });
    }
}

/// What a peer's mode means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing yet.
    Wait,
    /// As it should be, if the identity is the same.
    Fits,
    /// Fits for the first 20 ms only.
    FitsAtFirst,
    /// The peer is not where this CPU is.
    Contradicts,
}

/// Rows: own mode ready, normal. Columns: peer starting, ready, normal, configuration.
static MEANINGS: [[Meaning; 4]; 2] = [
    [Meaning::Wait, Meaning::Fits, Meaning::Fits, Meaning::Wait],
    [Meaning::Contradicts, Meaning::FitsAtFirst, Meaning::Fits, Meaning::Contradicts],
];

/// What `peer` means for a CPU that is ready (`normal` false) or in normal mode.
pub(crate) fn meaning(normal: bool, peer: Mode) -> Meaning {
    let column = (peer as usize).saturating_sub(Mode::Starting as usize);
    let [ready_row, normal_row] = &MEANINGS;
    let row = if normal { normal_row } else { ready_row };
    row.get(column).copied().unwrap_or(Meaning::Contradicts)
}

#[cfg(test)]
mod tests;
