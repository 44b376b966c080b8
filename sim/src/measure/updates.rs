//! Updates by the flashes and the records of the pumps, beside what the log tells.
//!
//! The CIOC may be away, or hear nothing, when a try has done its work: its log then tells no good end of it. Such an
//! update is *unlogged*. Each is noted when it happens and stays, whatever becomes of the pump later: a next try, another
//! unit in its place or a flipped bit takes nothing back.

use orchestrator::{Cause, Outcome};

use super::timeline::{PumpHistory, TryEnd};
use super::work::Work;
use crate::kernel::{SimTime, Span};

/// An image that runs sends its first status within this (own number: five periods); one that comes later was kept back.
pub(crate) const TOLD_WITHIN: Span = Span::from_millis(500);

/// What a try has written to a pump's flash.
#[derive(Clone, Debug)]
struct Written {
    /// Index of the try in the pump's history.
    of_try: usize,
    /// When the last sector was erased for it: what ran before is not it.
    begun: SimTime,
    /// When the whole image of the package first ran.
    ran: Option<SimTime>,
    /// When the CIOC first told, while it stood there, that the pump is updated or up to date.
    told: Option<SimTime>,
    /// Whether the CIOC called the pump dead before that.
    dead: bool,
    /// When another unit took the place of the one that it was written to.
    gone: Option<SimTime>,
    /// When it was erased by a later try.
    erased: Option<SimTime>,
}

/// An update that did its work and whose good end the log does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlogged {
    /// Number of its try.
    pub number: u8,
    /// From the begin of its try to its image running; none if it did not run before it was told of.
    pub took: Option<Span>,
    /// The same by the frames on the bus: from the request for the bootloader to the first status of the image; none
    /// where one of them was not seen.
    pub on_bus: Option<Span>,
    /// From the begin of its try to the first status that its image can have sent, where one was seen.
    pub status: Option<Span>,
    /// From the begin of its try to the first word of the CIOC that the pump is updated or up to date.
    pub told: Option<Span>,
    /// Whether the CIOC was at work all the time that a good status takes and found none, rather than that it was away: it
    /// gave the try up, or was at work for longer than that in the try, or in any of its lives before such a status came and
    /// after it without a break. A CIOC that stands still is away.
    pub given_up: bool,
    /// Whether the CIOC itself read the unit to be bad, called it dead for that, and tells it to be good only now: service
    /// has mended it meanwhile, and nobody can say how long the update took.
    pub repaired: bool,
    /// Whether a later try erased the image before anybody told that the pump is good: then it was a failed try.
    pub tried_again: bool,
    /// The begin of its try, and when the image was gone: erased, or away with its unit.
    pub stood: (SimTime, Option<SimTime>),
}

/// What this run has written to one pump, unit after unit.
#[derive(Clone, Debug, Default)]
pub struct Updates {
    written: Vec<Written>,
    /// How many of them were in units that another one has replaced, and when the last was.
    exchanged: (usize, SimTime),
    /// Whether the CIOC has told nothing of the pump since another unit took its place.
    unknown: bool,
}

impl Updates {
    fn current(&mut self) -> Option<&mut Written> {
        self.written.get_mut(self.exchanged.0..)?.last_mut()
    }

    /// The flash is erased in a try: what stood there is gone.
    pub(super) fn erased(&mut self, now: SimTime, of_try: usize) {
        let anew = Written { of_try, begun: now, ran: None, told: None, dead: false, gone: None, erased: None };
        match self.current() {
            // One sector after the other.
            Some(same) if same.of_try == of_try => *same = anew,
            before => {
                before.into_iter().for_each(|before| before.erased = Some(now));
                self.written.push(anew);
            }
        }
    }

    /// The application starts, from a flash that holds the whole image.
    pub(super) fn starts_whole(&mut self, now: SimTime) {
        if let Some(current) = self.current() {
            current.ran.get_or_insert(now);
        }
    }

    /// The CIOC tells what has become of the pump; `whole` if its flash holds the whole image that this run wrote.
    pub(super) fn told(&mut self, now: SimTime, outcome: Outcome, whole: bool) {
        self.unknown = false;
        match outcome {
            Outcome::Updated | Outcome::UpToDate => {
                if let Some(current) = self.current().filter(|current| whole || current.ran.is_some()) {
                    current.told.get_or_insert(now);
                }
            }
            // It was not updated by any try that nobody has told of since.
            Outcome::Dead => {
                let own = self.written.iter_mut().skip(self.exchanged.0);
                own.filter(|each| each.told.is_none()).for_each(|each| each.dead = true);
            }
            _ => {}
        }
    }

    /// Another unit takes the pump's place: nothing was written to it yet.
    pub(super) fn exchanged(&mut self, now: SimTime) {
        self.written.iter_mut().skip(self.exchanged.0).for_each(|each| each.gone = Some(now));
        self.exchanged = (self.written.len(), now);
        self.unknown = true;
    }

    /// Whether what the CIOC last told of the pump was told of another unit than the one in place.
    pub(crate) fn is_unknown(&self) -> bool {
        self.unknown
    }

    /// For a must-fail control: falsifies when the image first ran.
    pub(crate) fn falsify(&mut self, change: fn(SimTime) -> SimTime) {
        self.written.iter_mut().for_each(|each| each.ran = each.ran.map(change));
    }

    /// When this unit came into the pump's place.
    pub(super) fn since(&self) -> SimTime {
        self.exchanged.1
    }

    /// Whether the unit in place has run the whole image that this run wrote, and was not erased since.
    pub(super) fn ran_whole(&self) -> bool {
        let own = self.written.get(self.exchanged.0..).and_then(<[Written]>::last);
        own.is_some_and(|current| current.ran.is_some())
    }

    /// The unlogged ones among them, in order; `on_bus` finds the span on the bus of the try at that index, given when the
    /// flash was erased and what it took by the pump's records.
    pub(super) fn unlogged(
        &self,
        history: &PumpHistory,
        work: &Work,
        on_bus: impl Fn(usize, SimTime, Span) -> Option<(Span, SimTime)>,
    ) -> Vec<Unlogged> {
        let each = self.written.iter().filter_map(|written| {
            let of_try = history.tries.get(written.of_try)?;
            let took = written.ran.map(|ran| ran.since(of_try.start));
            let seen = took.and_then(|took| on_bus(written.of_try, written.begun, took));
            // One that came before the image ran was not its own: it holds against the records, and ends nothing.
            let own = seen.filter(|(span, _)| took.is_some_and(|took| *span + TOLD_WITHIN >= took));
            let status = own.map(|(_, at)| at);
            let has_failed = matches!(of_try.outcome, TryEnd::Failed(cause) if cause != Cause::Interrupted);
            did_its_work(written, of_try.outcome, of_try.end).then(|| Unlogged {
                number: of_try.number,
                took,
                on_bus: seen.map(|(span, _)| span),
                status: status.map(|at| at.since(of_try.start)),
                given_up: has_failed || written.worked_in_vain(work, status, of_try.end) > TOLD_WITHIN,
                repaired: written.dead && written.told.is_some() && is_read_as_bad(written, of_try.outcome, of_try.end),
                tried_again: written.told.is_none() && written.erased.is_some(),
                told: written.told.map(|told| told.since(of_try.start)),
                stood: (of_try.start, written.gone.into_iter().chain(written.erased).min()),
            })
        });
        each.collect()
    }
}

impl Written {
    /// How long the CIOC was at work and told nothing though the image ran: until the `end` of its try, and in any of its
    /// lives until the first break after the first `status`. One that tells of it, and a unit that goes, end that time.
    fn worked_in_vain(&self, work: &Work, status: Option<SimTime>, end: SimTime) -> Span {
        let Some(ran) = self.ran else { return Span::ZERO };
        let until = status.map_or(end, |status| work.until_break(status.max(ran)).max(end));
        work.within(ran, self.told.into_iter().chain(self.gone).fold(until, SimTime::min))
    }
}

/// Whether it is an update though its try did not end well by the log: the CIOC tells so after all, or its image ran and
/// the CIOC was away or heard nothing. What the CIOC itself read of that unit goes before the latter; and where it called the
/// pump dead for it, a later word is no end of the try: see [`Unlogged::repaired`].
fn did_its_work(written: &Written, outcome: TryEnd, end: SimTime) -> bool {
    let alone = written.ran.is_some() && !written.dead && !is_read_as_bad(written, outcome, end);
    outcome != TryEnd::Updated && (written.told.is_some() || alone)
}

/// Whether the try failed for what the CIOC read of that very unit.
fn is_read_as_bad(written: &Written, outcome: TryEnd, end: SimTime) -> bool {
    let bad = matches!(outcome, TryEnd::Failed(Cause::FlashFailure | Cause::CheckFailed | Cause::WrongVersion));
    bad && written.gone.is_none_or(|gone| end <= gone)
}

#[cfg(test)]
mod tests {
    use super::super::timeline::Try;
    use super::*;

    #[test]
    fn a_dead_pump_takes_nothing_back_of_the_unit_before_it() {
        let at = |seconds: u64| SimTime::ZERO + Span::from_secs(seconds);
        let mut updates = Updates::default();
        updates.erased(at(20), 0);
        updates.starts_whole(at(30));
        updates.exchanged(at(31));
        updates.erased(at(40), 1);
        updates.told(at(50), Outcome::Dead, false);
        assert_eq!(updates.written.iter().map(|each| each.dead).collect::<Vec<_>>(), [false, true]);
    }

    /// FW103 is what the unit told that is there now.
    #[test]
    fn what_is_read_of_another_unit_takes_nothing_back() {
        let at = |seconds: u64| SimTime::ZERO + Span::from_secs(seconds);
        let wrong = TryEnd::Failed(Cause::WrongVersion);
        let ran =
            Written { of_try: 0, begun: at(20), ran: Some(at(30)), told: None, dead: false, gone: None, erased: None };
        assert!(!did_its_work(&ran, wrong, at(40)), "it told so itself");
        assert!(did_its_work(&Written { gone: Some(at(35)), ..ran.clone() }, wrong, at(40)));
        assert!(!did_its_work(&Written { gone: Some(at(41)), ..ran }, wrong, at(40)), "exchanged after the reading");
    }

    /// Read as bad and called dead: a later word ends no try. One that was called dead for another reason is good when it is
    /// told so.
    #[test]
    fn only_what_was_read_of_a_dead_pump_has_no_time() {
        let at = |seconds: u64| SimTime::ZERO + Span::from_secs(seconds);
        let repaired = |cause| {
            let mut updates = Updates::default();
            updates.erased(at(20), 0);
            updates.starts_whole(at(30));
            updates.told(at(50), Outcome::Dead, false);
            updates.told(at(90), Outcome::UpToDate, true);
            let of_try =
                Try { number: 3, start: at(10), end: at(40), outcome: TryEnd::Failed(cause), phases: Vec::new() };
            let history = PumpHistory { tries: vec![of_try], ..PumpHistory::default() };
            let unlogged = updates.unlogged(&history, &Work::default(), |_, _, _| None);
            unlogged.iter().map(|one| (one.repaired, one.told)).collect::<Vec<_>>()
        };
        let told = Some(Span::from_secs(80));
        assert_eq!(repaired(Cause::WrongVersion), [(true, told)]);
        assert_eq!(repaired(Cause::NoGoodStatus), [(false, told)]);
    }
}
