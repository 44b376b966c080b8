//! Numbers about the bus: response times per id, load, error counters per node.

use std::collections::BTreeMap;

use embedded_can::Id;
use protocol::frame::raw_id;

use crate::kernel::{SimTime, Span};
use crate::node::NodeId;

/// Response times of one id: from queued to end of frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    /// How many frames.
    pub frames: u64,
    /// The least.
    pub min: Span,
    /// The greatest.
    pub max: Span,
    sum_ns: u128,
}

impl Responses {
    /// Adds a frame.
    pub fn add(&mut self, response: Span) {
        self.min = if self.frames == 0 { response } else { self.min.min(response) };
        self.max = self.max.max(response);
        self.sum_ns += u128::from(response.as_nanos());
        self.frames += 1;
    }

    /// The mean, rounded down to a nanosecond; zero without frames.
    #[must_use]
    pub fn mean(&self) -> Span {
        let mean = self.sum_ns.checked_div(u128::from(self.frames)).unwrap_or(0);
        Span::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }
}

/// An id as tables of messages sort it: the raw id, and whether it is extended.
pub(crate) fn id_key(id: Id) -> (u32, bool) {
    (raw_id(id), matches!(id, Id::Extended(_)))
}

/// Width of the windows in which the load is taken.
pub const LOAD_WINDOW: Span = Span::from_millis(100);

/// Numbers about the bus of one run.
#[derive(Clone, Debug, Default)]
pub struct BusStats {
    responses: BTreeMap<(u32, bool), Responses>,
    /// Frames by id and sender, without those of a babbling fault.
    sent: BTreeMap<(u32, bool, NodeId), u64>,
    /// Frames that reached their end.
    pub frames: u64,
    /// Error frames.
    pub error_frames: u64,
    busy: Span,
    window: u64,
    window_busy: Span,
    /// Greatest load of a full window, in parts per million.
    pub peak_ppm: u64,
    /// Windows that have ended and their load, for the curve.
    pub ended: Vec<(SimTime, u64)>,
}

impl BusStats {
    /// A frame was sent well: queued, begun, ended; the bus was busy from begin to end.
    pub fn frame(&mut self, id: Id, queued: SimTime, begun: SimTime, ended: SimTime) {
        self.responses.entry(id_key(id)).or_default().add(ended.since(queued));
        self.frames += 1;
        self.occupied(begun, ended);
    }

    /// `sender` was asked for a frame and has sent it: one of a babbling fault is none.
    pub fn sent(&mut self, id: Id, sender: NodeId) {
        let (raw, extended) = id_key(id);
        *self.sent.entry((raw, extended, sender)).or_default() += 1;
    }

    /// How many frames of one id `sender` has sent, without those of a babbling fault.
    #[must_use]
    pub fn sent_by(&self, sender: NodeId, id: Id) -> u64 {
        let (raw, extended) = id_key(id);
        self.sent.get(&(raw, extended, sender)).copied().unwrap_or_default()
    }

    /// The bus was busy from `begun` to `ended`.
    pub fn occupied(&mut self, begun: SimTime, ended: SimTime) {
        self.busy = self.busy + ended.since(begun);
        let mut at = begun;
        while at < ended {
            let window = at.as_nanos() / LOAD_WINDOW.as_nanos();
            self.turn_to(window);
            let window_end = SimTime::from_nanos((window + 1) * LOAD_WINDOW.as_nanos());
            let until = ended.min(window_end);
            self.window_busy = self.window_busy + until.since(at);
            at = until;
        }
    }

    fn turn_to(&mut self, window: u64) {
        while self.window < window {
            let ppm = self.window_busy.as_nanos() * 1_000_000 / LOAD_WINDOW.as_nanos();
            self.peak_ppm = self.peak_ppm.max(ppm);
            self.ended.push((SimTime::from_nanos(self.window * LOAD_WINDOW.as_nanos()), ppm));
            self.window_busy = Span::ZERO;
            self.window += 1;
        }
    }

    /// Ends the windows up to `end`; the last, incomplete one counts for the curve only.
    pub fn finish(&mut self, end: SimTime) {
        self.turn_to(end.as_nanos() / LOAD_WINDOW.as_nanos());
    }

    /// Mean load up to `end`, in parts per million.
    #[must_use]
    pub fn mean_ppm(&self, end: SimTime) -> u64 {
        let busy = u128::from(self.busy.as_nanos()) * 1_000_000;
        busy.checked_div(u128::from(end.as_nanos())).and_then(|ppm| u64::try_from(ppm).ok()).unwrap_or(0)
    }

    /// Response times by id: the raw id, whether it is extended, and the times.
    pub fn responses(&self) -> impl Iterator<Item = (u32, bool, &Responses)> {
        self.responses.iter().map(|((id, extended), responses)| (*id, *extended, responses))
    }

    /// Response times of one id.
    #[must_use]
    pub fn responses_of(&self, id: Id) -> Option<&Responses> {
        self.responses.get(&id_key(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_can::StandardId;

    fn us(us: u64) -> SimTime {
        SimTime::ZERO + Span::from_micros(us)
    }

    #[test]
    fn responses_have_least_mean_and_greatest() {
        let mut stats = BusStats::default();
        let id = Id::Standard(StandardId::new(0x101).unwrap());
        for (queued, begun, ended) in [(0, 0, 500), (1_000, 1_500, 2_000), (3_000, 3_000, 3_300)] {
            stats.frame(id, us(queued), us(begun), us(ended));
        }
        let times = stats.responses_of(id).unwrap();
        assert_eq!(
            (times.min, times.mean(), times.max),
            (us(300).since(us(0)), us(600).since(us(0)), us(1_000).since(us(0)))
        );
    }

    #[test]
    fn a_frame_across_a_window_counts_in_both() {
        let mut stats = BusStats::default();
        // 25 ms in the first window, 75 ms in the second: 25 % and 75 %.
        stats.occupied(us(75_000), us(175_000));
        stats.finish(us(200_000));
        assert_eq!(stats.ended, [(us(0), 250_000), (us(100_000), 750_000)]);
        assert_eq!((stats.peak_ppm, stats.mean_ppm(us(200_000))), (750_000, 500_000));
    }
}
