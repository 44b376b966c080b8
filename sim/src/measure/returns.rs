//! Returns of good pumps to automatic mode after campaigns that are followed by another one.
//!
//! A pump's clock goes on when the next campaign starts: it ends when the pump is in automatic mode, or when that
//! campaign *takes* it, that is runs it at a fixed speed, lets it stand by or updates it. Then nobody knows when it would
//! have been back, and the time so far is a *lower bound*.

use protocol::cyclic::PumpState;

use crate::kernel::{SimTime, Span};

/// A pump that boots stands by until its first command; without one it goes to fail-safe mode before this is over.
const STANDS_BY_ALONE: Span = Span::from_secs(1);

/// A pump's state, none while it is off, and since when.
type Standing = (Option<PumpState>, SimTime);

/// The good pumps of a campaign that is over, as they were last looked at.
#[derive(Clone, Debug)]
pub(super) struct Returning {
    /// When its last try ended.
    pub(super) last: SimTime,
    /// Which of its good pumps were not in automatic mode, as indices.
    pub(super) away: Vec<usize>,
}

/// Pumps that were not back when the next campaign started.
#[derive(Clone, Debug)]
struct Late {
    last: SimTime,
    /// When the next campaign started.
    cut: SimTime,
    away: Vec<usize>,
    /// When the last of the others was back or taken.
    until: SimTime,
    taken: bool,
}

/// What was measured of the ends of earlier campaigns, each from the last try on.
#[derive(Clone, Debug, Default)]
pub struct Returns {
    /// To the last good pump in automatic mode.
    pub measured: Vec<Span>,
    /// As long as it was seen not to be over.
    pub lower_bounds: Vec<Span>,
    late: Vec<Late>,
}

impl Returns {
    /// The next campaign starts; `back` when all were in automatic mode before it.
    pub(super) fn next_campaign(&mut self, now: SimTime, of: Returning, back: Option<SimTime>) {
        match back {
            Some(back) => self.measured.push(back.since(of.last)),
            None => self.late.push(Late { last: of.last, cut: now, away: of.away, until: now, taken: false }),
        }
    }

    /// Looks at the pumps that are on their way.
    pub(super) fn look(&mut self, now: SimTime, states: &[Standing]) {
        for late in &mut self.late {
            late.look(now, states);
        }
        let (measured, lower_bounds) = (&mut self.measured, &mut self.lower_bounds);
        self.late.retain(|late| {
            let list = if late.taken { &mut *lower_bounds } else { &mut *measured };
            if late.away.is_empty() {
                list.push(late.until.since(late.last));
            }
            !late.away.is_empty()
        });
    }

    /// The run is over: who is not back now was not seen to come.
    pub(super) fn finish(&mut self, end: SimTime) {
        self.lower_bounds.extend(self.late.drain(..).map(|late| end.since(late.last)));
    }
}

impl Late {
    fn look(&mut self, now: SimTime, states: &[Standing]) {
        let Self { cut, away, until, taken, .. } = self;
        away.retain(|pump| {
            let Some((state, since)) = states.get(*pump) else { return false };
            let is_taken = match state {
                Some(PumpState::Automatic) => false,
                Some(PumpState::Fixed | PumpState::Updating) => true,
                Some(PumpState::Standby) if now.since(*since) >= STANDS_BY_ALONE => true,
                _ => return true,
            };
            *taken |= is_taken;
            *until = (*until).max(*since).max(*cut);
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + Span::from_secs(seconds)
    }

    /// The last try ends at 10 s, the next campaign starts at 30 s; pump 2 is away until it is looked at.
    fn cut_short() -> Returns {
        let mut returns = Returns::default();
        returns.next_campaign(at(30), Returning { last: at(10), away: vec![1] }, None);
        returns
    }

    fn seen(state: PumpState, since: u64, now: u64) -> (Vec<Span>, Vec<Span>) {
        let mut returns = cut_short();
        let others = (Some(PumpState::Fixed), at(30));
        returns.look(at(31), &[others, (Some(PumpState::FailSafe), at(5))]);
        returns.look(at(now), &[others, (Some(state), at(since))]);
        (returns.measured, returns.lower_bounds)
    }

    #[test]
    fn the_clock_of_a_pump_goes_on_over_the_start_of_the_next_campaign() {
        assert_eq!(seen(PumpState::Automatic, 90, 91), (vec![Span::from_secs(80)], vec![]));
    }

    #[test]
    fn a_pump_that_the_next_campaign_takes_was_away_for_at_least_so_long() {
        for state in [PumpState::Fixed, PumpState::Updating, PumpState::Standby] {
            assert_eq!(seen(state, 90, 92), (vec![], vec![Span::from_secs(80)]), "{state:?}");
        }
        let before = seen(PumpState::Standby, 20, 40);
        assert_eq!(before, (vec![], vec![Span::from_secs(20)]), "it stood by as the campaign took it");
        let boots = (vec![], vec![]);
        assert_eq!(seen(PumpState::Standby, 90, 90), boots, "it has just booted, and nobody has commanded it");
    }

    #[test]
    fn a_pump_that_never_comes_back_was_away_until_the_end() {
        let mut returns = cut_short();
        returns.look(at(200), &[(None, at(0)), (None, at(0))]);
        returns.finish(at(210));
        assert_eq!((returns.measured, returns.lower_bounds), (vec![], vec![Span::from_secs(200)]));
    }
}
