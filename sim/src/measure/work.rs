//! When the CIOC's firmware was *at work*: with supply, booted, neither hung nor being replaced.
//!
//! What the CIOC did not find while it was away says nothing of a pump; what it did not find at work does. Each time at work
//! without a break is a *stretch*.

use crate::kernel::{SimTime, Span};

/// The stretches of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    stretches: Vec<(SimTime, SimTime)>,
    /// Since when it is at work, if it is.
    since: Option<SimTime>,
}

impl Work {
    /// It is at work now, or is not; if it has stood still, until `hung_until`, which may be a little while ago.
    pub(super) fn see(&mut self, now: SimTime, works: bool, hung_until: SimTime) {
        match (self.since, works) {
            (None, true) => {
                let broke = self.stretches.last().map_or(SimTime::ZERO, |stretch| stretch.1);
                self.since = Some(if hung_until > broke { hung_until.min(now) } else { now });
            }
            (Some(since), false) => {
                self.stretches.push((since, now));
                self.since = None;
            }
            _ => {}
        }
    }

    fn all(&self) -> impl Iterator<Item = (SimTime, SimTime)> + '_ {
        self.stretches.iter().copied().chain(self.since.map(|since| (since, SimTime::NEVER)))
    }

    /// How long it was at work between two instants.
    pub(crate) fn within(&self, from: SimTime, to: SimTime) -> Span {
        let parts = self.all().map(|(since, until)| until.min(to).since(since.max(from)));
        parts.fold(Span::ZERO, |sum, part| sum + part)
    }

    /// How long it was not.
    pub(crate) fn away(&self, from: SimTime, to: SimTime) -> Span {
        to.since(from) - self.within(from, to)
    }

    /// Until when it went on to be at work from an instant on: this one, if it was not at work.
    pub(super) fn until_break(&self, from: SimTime) -> SimTime {
        let stretch = self.all().find(|(since, until)| *since <= from && from < *until);
        stretch.map_or(from, |(_, until)| until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + Span::from_secs(seconds)
    }

    /// At work from 2 s on; hung from 10 s to 13 s, seen at 14 s; off from 20 s to 30 s.
    fn work() -> Work {
        let mut work = Work::default();
        let mut see = |seconds, works, hung| work.see(at(seconds), works, at(hung));
        see(1, false, 0);
        see(2, true, 0);
        see(5, true, 0);
        see(10, false, 13);
        see(12, false, 13);
        see(14, true, 13);
        see(20, false, 13);
        see(30, true, 0);
        work
    }

    #[test]
    fn stretches_end_with_a_break_and_begin_when_it_is_over() {
        let work = work();
        let until = |seconds| work.until_break(at(seconds));
        assert_eq!([1, 2, 9, 11, 13, 19, 20].map(until), [1, 10, 10, 11, 20, 20, 20].map(at));
        assert_eq!(until(40), SimTime::NEVER);
    }

    #[test]
    fn time_at_work_and_away_make_up_the_whole() {
        let work = work();
        let spans = |from, to| (work.within(at(from), at(to)), work.away(at(from), at(to)));
        assert_eq!(spans(0, 40), (Span::from_secs(25), Span::from_secs(15)));
        assert_eq!(spans(9, 15), (Span::from_secs(3), Span::from_secs(3)));
        assert_eq!(spans(21, 29), (Span::ZERO, Span::from_secs(8)));
        assert_eq!(spans(8, 7), (Span::ZERO, Span::ZERO), "the other way round");
    }
}
