//! Piecewise linear voltages and the exact instants at which they cross a level.
//!
//! Everything the supply does is known ahead as straight pieces, so nothing has to be polled: the first nanosecond at
//! which a piece is below (or again at) a level follows from one exact integer division. Words: a *piece* is one
//! straight line of voltage over time; a *profile* is the pieces still to come and what follows them; a *disturbance*
//! is what an engineer asks for (sag, ramp, bounce), turned into pieces when it begins.
//!
//! ```text
//!   present --fall--> level --hold--> level --rise--> home      Sag, Dropout (0 V), OverVoltage (the level is above)
//!   present --over--> level, which stays                        Ramp; Step is a ramp of no length
//!   [present | level, level ... | home until the period ends]   Bounce, n times
//! ```

use std::collections::VecDeque;

use crate::kernel::{SimTime, Span};

/// A voltage in microvolts: millivolts alone would round the drop over milliohms.
pub(super) type Microvolts = i64;

/// Microvolts in a millivolt.
pub(super) const UV_PER_MV: i64 = 1_000;

/// What happens to the voltage of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// The level changes at once and stays.
    Step {
        /// The new level in mV.
        to_mv: u32,
    },
    /// The level changes along a straight line and stays.
    Ramp {
        /// The new level in mV.
        to_mv: u32,
        /// How long the change takes.
        over: Span,
    },
    /// The level goes down for a while and comes back.
    Sag {
        /// The level in mV.
        to_mv: u32,
        /// From the present voltage to the level.
        fall: Span,
        /// At the level.
        hold: Span,
        /// From the level back home.
        rise: Span,
    },
    /// No voltage for a while: a sag to 0 V with vertical edges.
    Dropout {
        /// How long there is no voltage.
        hold: Span,
    },
    /// The level goes up for a while and comes back.
    OverVoltage {
        /// The level in mV.
        to_mv: u32,
        /// From the present voltage to the level.
        rise: Span,
        /// At the level.
        hold: Span,
        /// From the level back home.
        fall: Span,
    },
    /// Several dips with vertical edges, as of a bouncing contact.
    Bounce {
        /// The level of the dips in mV.
        to_mv: u32,
        /// How many dips, at most 1000; more are cut off.
        dips: u16,
        /// The length of a dip, at most the period.
        low: Span,
        /// From the start of a dip to the start of the next.
        period: Span,
    },
    /// Ends the disturbance of the place: a branch or node follows what feeds it, the source returns to its level.
    Clear,
}

/// More dips than this in one bounce are cut off.
pub(super) const DIPS_MAX: u16 = 1_000;

/// One straight line; the end itself belongs to the next piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub(super) start: SimTime,
    pub(super) end: SimTime,
    pub(super) from: Microvolts,
    pub(super) to: Microvolts,
}

impl Piece {
    /// The voltage at `time`, rounded down to a whole microvolt.
    pub(super) fn at(&self, time: SimTime) -> Microvolts {
        let length = i128::from(self.end.since(self.start).as_nanos());
        let passed = i128::from(time.since(self.start).as_nanos());
        if length == 0 {
            return self.to;
        }
        let change = (i128::from(self.to) - i128::from(self.from)) * passed;
        narrow(i128::from(self.from) + change.div_euclid(length))
    }

    /// The one instant inside the piece, after its start, at which "is below `level`" changes; none if it does not.
    ///
    /// With y = from + floor(d x / n): falling, y < level from x = floor((from - level) n / -d) + 1 on; rising,
    /// y >= level from x = ceil((level - from) n / d) on.
    pub(super) fn crossing(&self, level: Microvolts) -> Option<SimTime> {
        let length = i128::from(self.end.since(self.start).as_nanos());
        let change = i128::from(self.to) - i128::from(self.from);
        let distance = i128::from(level) - i128::from(self.from);
        let passed = if change < 0 && distance <= 0 {
            (-distance * length).div_euclid(-change) + 1
        } else if change > 0 && distance > 0 {
            -(-distance * length).div_euclid(change)
        } else {
            return None;
        };
        let inside = u64::try_from(passed).ok().filter(|&passed| i128::from(passed) < length)?;
        Some(self.start + Span::from_nanos(inside))
    }
}

fn narrow(wide: i128) -> i64 {
    i64::try_from(wide).expect("a voltage between two 64-bit voltages fits 64 bits")
}

/// The pieces to come at one place and what follows them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Profile {
    pieces: VecDeque<Piece>,
    /// The level after the last piece; none ends the disturbance.
    rest: Option<Microvolts>,
}

impl Profile {
    /// The same level for ever.
    pub(super) fn steady(level: Microvolts) -> Self {
        Self { pieces: VecDeque::new(), rest: Some(level) }
    }

    /// The piece that holds `time`.
    pub(super) fn piece(&self, time: SimTime) -> Option<&Piece> {
        self.pieces.iter().find(|piece| time < piece.end)
    }

    /// The voltage at `time`, which must not lie before the present piece; none once the disturbance is over.
    pub(super) fn at(&self, time: SimTime) -> Option<Microvolts> {
        self.piece(time).map_or(self.rest, |piece| Some(piece.at(time)))
    }

    /// When the present line ends.
    pub(super) fn next_break(&self, now: SimTime) -> SimTime {
        self.piece(now).map_or(SimTime::NEVER, |piece| piece.end)
    }

    /// Forgets what is over and tells whether a piece was.
    pub(super) fn advance(&mut self, now: SimTime) -> bool {
        let before = self.pieces.len();
        while self.pieces.front().is_some_and(|piece| piece.end <= now) {
            self.pieces.pop_front();
        }
        self.pieces.len() != before
    }

    /// Whether nothing is left of it.
    pub(super) fn is_over(&self) -> bool {
        self.pieces.is_empty() && self.rest.is_none()
    }
}

/// Builds a profile piece by piece.
struct Drawing {
    pieces: VecDeque<Piece>,
    time: SimTime,
    level: Microvolts,
}

impl Drawing {
    /// A line to `level`; of no length it is a step.
    fn line(&mut self, to: Microvolts, over: Span) {
        let end = self.time + over;
        if end > self.time {
            self.pieces.push_back(Piece { start: self.time, end, from: self.level, to });
        }
        self.time = end;
        self.level = to;
    }

    fn excursion(&mut self, level: Microvolts, out: Span, hold: Span, back: Span, home: Microvolts) {
        self.line(level, out);
        self.line(level, hold);
        self.line(home, back);
    }

    fn dips(&mut self, level: Microvolts, dips: u16, low: Span, period: Span, home: Microvolts) {
        for _ in 0..dips.min(DIPS_MAX) {
            self.line(level, Span::ZERO);
            self.line(level, low);
            self.line(home, Span::ZERO);
            self.line(home, period - low);
        }
    }
}

/// Where a disturbance begins and where it returns to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground {
    pub(super) now: SimTime,
    pub(super) present: Microvolts,
    pub(super) home: Microvolts,
}

impl Disturbance {
    /// The level it goes to, none for [`Disturbance::Clear`].
    pub(super) fn level(&self) -> Option<Microvolts> {
        let to_mv = match *self {
            Self::Step { to_mv } | Self::Ramp { to_mv, .. } | Self::Sag { to_mv, .. } => to_mv,
            Self::OverVoltage { to_mv, .. } | Self::Bounce { to_mv, .. } => to_mv,
            Self::Dropout { .. } => 0,
            Self::Clear => return None,
        };
        Some(i64::from(to_mv) * UV_PER_MV)
    }

    /// Whether the level stays until something else is asked for.
    pub(super) fn stays(&self) -> bool {
        matches!(self, Self::Step { .. } | Self::Ramp { .. })
    }

    /// The pieces of it; `after` is what follows a disturbance that does not stay.
    pub(super) fn draw(&self, ground: Ground, after: Option<Microvolts>) -> Profile {
        let Ground { now, present, home } = ground;
        let level = self.level().unwrap_or(home);
        let mut drawing = Drawing { pieces: VecDeque::new(), time: now, level: present };
        match *self {
            Self::Step { .. } | Self::Clear => {}
            Self::Ramp { over, .. } => drawing.line(level, over),
            Self::Sag { fall, hold, rise, .. } => drawing.excursion(level, fall, hold, rise, home),
            Self::OverVoltage { rise, hold, fall, .. } => drawing.excursion(level, rise, hold, fall, home),
            Self::Dropout { hold } => drawing.excursion(level, Span::ZERO, hold, Span::ZERO, home),
            Self::Bounce { dips, low, period, .. } => drawing.dips(level, dips, low, period, home),
        }
        Profile { pieces: drawing.pieces, rest: if self.stays() { Some(level) } else { after } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece(start: u64, end: u64, from: i64, to: i64) -> Piece {
        Piece { start: SimTime::from_nanos(start), end: SimTime::from_nanos(end), from, to }
    }

    #[test]
    fn a_fall_from_24_v_to_4_v_in_10_ms_is_below_8_v_one_nanosecond_after_8_ms() {
        // 20 V in 10 ms is 2 uV a nanosecond; 16 V take exactly 8 ms, there the voltage is 8 V and not below.
        let fall = piece(0, 10_000_000, 24_000_000, 4_000_000);
        assert_eq!(fall.at(SimTime::from_nanos(8_000_000)), 8_000_000);
        assert_eq!(fall.crossing(8_000_000), Some(SimTime::from_nanos(8_000_001)));
    }

    #[test]
    fn a_rise_reaches_its_level_at_the_exact_nanosecond() {
        // 3 uV in 7 ns: level 1 is reached at 7/3 ns, so in whole nanoseconds at 3.
        let rise = piece(100, 107, 0, 3);
        assert_eq!(rise.crossing(1), Some(SimTime::from_nanos(103)));
        assert_eq!(rise.at(SimTime::from_nanos(102)), 0);
        assert_eq!(rise.at(SimTime::from_nanos(103)), 1);
    }

    #[test]
    fn a_level_reached_only_at_the_end_belongs_to_the_next_piece() {
        assert_eq!(piece(0, 10, 0, 10).crossing(10), None);
        assert_eq!(piece(0, 10, 10, 0).crossing(0), None);
        assert_eq!(piece(0, 10, 5, 5).crossing(5), None);
    }

    #[test]
    fn a_bounce_is_as_many_dips_as_asked_at_the_period_asked() {
        let ms = Span::from_millis;
        let bounce = Disturbance::Bounce { to_mv: 3_000, dips: 3, low: ms(2), period: ms(10) };
        let ground = Ground { now: SimTime::ZERO + ms(5), present: 24_000_000, home: 24_000_000 };
        let profile = bounce.draw(ground, Some(24_000_000));
        let at = |time_ms: u64| profile.at(SimTime::ZERO + ms(time_ms)).unwrap();
        let dips = [5, 6, 15, 16, 25, 26].map(at);
        let between = [7, 14, 17, 24, 27, 34, 35, 100].map(at);
        assert_eq!(dips, [3_000_000; 6]);
        assert_eq!(between, [24_000_000; 8]);
    }

    proptest! {
        #[test]
        fn crossings_equal_a_search_over_every_nanosecond(
            from in 0_i64..400, to in 0_i64..400, level in 0_i64..400, length in 1_u64..300,
        ) {
            let line = piece(1_000, 1_000 + length, from, to);
            let below = |ns: u64| line.at(SimTime::from_nanos(ns)) < level;
            let expected = (1_001..1_000 + length).find(|&ns| below(ns) != below(ns - 1));
            prop_assert_eq!(line.crossing(level).map(SimTime::as_nanos), expected);
        }

        #[test]
        fn a_line_stays_between_its_ends(from in 0_i64..40_000_000, to in 0_i64..40_000_000, length in 1_u64..u64::MAX, at: u64) {
            let at = at % length;
            let value = piece(0, length, from, to).at(SimTime::from_nanos(at));
            prop_assert!(value >= from.min(to) && value <= from.max(to));
        }
    }
}
