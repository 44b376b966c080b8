//! Updates as the bus shows them: phases by UDS messages, from any log.
//!
//! A real machine has no notices of an orchestrator, so each phase is told from frames alone, and the same way for a
//! log of the twin. A phase begins at the end of the first frame of the request that opens it:
//!
//! | phase    | opened by                                           |
//! |----------|-----------------------------------------------------|
//! | session  | programming session (0x10 02), first of the try      |
//! | erase    | routine 0xFF00 (0x31 01)                            |
//! | transfer | request download (0x34)                             |
//! | check    | routine 0xFF01 (0x31 01)                            |
//! | reboot   | reset (0x11), up to the version read back (0x62 F195) |
//!
//! A *try* that does not come that far is *stopped*; its last phase ends with the last message to or from the pump. Reads of
//! an identifier (0x22) before the reset are none of the try's: with them the CIOC looks, after the wait that follows a failed
//! try, whether the pump is back.

use std::collections::BTreeMap;

use reports::Millis;
use serde::Serialize;

use super::uds::{Message, Way};

/// A part of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// From the request for the bootloader to the erase request.
    Session,
    /// Erasing.
    Erase,
    /// Download announced, blocks, transfer exit.
    Transfer,
    /// The pump checks its image.
    Check,
    /// Reset, and the new version read back.
    Reboot,
}

impl Phase {
    /// All in order.
    pub const ALL: [Self; 5] = [Self::Session, Self::Erase, Self::Transfer, Self::Check, Self::Reboot];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Erase => "erase",
            Self::Transfer => "transfer",
            Self::Check => "check",
            Self::Reboot => "reboot",
        }
    }

    /// The phase that a request opens.
    fn opened_by(request: &[u8]) -> Option<Self> {
        match request {
            [0x10, 0x02, ..] => Some(Self::Session),
            [0x31, 0x01, 0xFF, 0x00, ..] => Some(Self::Erase),
            [0x34, ..] => Some(Self::Transfer),
            [0x31, 0x01, 0xFF, 0x01, ..] => Some(Self::Check),
            [0x11, ..] => Some(Self::Reboot),
            _ => None,
        }
    }
}

/// One phase of a try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    pub name: Phase,
    /// From the start of the log's time.
    pub start_ms: Millis,
    /// How long.
    pub duration_ms: Millis,
}

/// One try of one pump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Update {
    /// `P05`.
    pub pump: String,
    /// From 1, as this log has them.
    pub r#try: u32,
    /// Whether the version was read back after a reset.
    pub complete: bool,
    /// In order.
    pub phases: Vec<Step>,
    /// From the beginning of the first phase to the end of the last.
    pub total_ms: Millis,
    /// Transfer requests, repeated ones included.
    pub blocks: u64,
    /// Code of the last negative response but "response pending", in hexadecimal.
    pub refused: Option<String>,
}

impl Update {
    /// How long a phase of it took.
    #[must_use]
    pub fn duration(&self, phase: Phase) -> Option<Millis> {
        self.phases.iter().find(|step| step.name == phase).map(|step| step.duration_ms)
    }
}

#[derive(Clone, Debug)]
struct Open {
    begun: Vec<(Phase, u64)>,
    last: u64,
    blocks: u64,
    refused: Option<u8>,
}

impl Open {
    fn is_rebooting(&self) -> bool {
        self.begun.last().is_some_and(|(phase, _)| *phase == Phase::Reboot)
    }

    /// The try lasts at least to the end of this message, if it is one of the try's.
    fn goes_on(&mut self, message: &Message) {
        if message.service() != Some(READ) || self.is_rebooting() {
            self.last = message.end;
        }
    }
}

/// Reads an identifier.
const READ: u8 = 0x22;

/// Counts of one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServiceCount {
    /// Requests.
    pub requests: u64,
    /// Positive responses.
    pub positive: u64,
    /// Negative responses, "response pending" included.
    pub negative: u64,
}

/// Collects the updates of a log.
#[derive(Clone, Debug, Default)]
pub struct Updates {
    open: BTreeMap<u8, Open>,
    tries: BTreeMap<u8, u32>,
    done: Vec<(u64, Update)>,
    /// By service id.
    pub services: BTreeMap<u8, ServiceCount>,
}

impl Updates {
    /// Takes the next message.
    pub fn hear(&mut self, message: &Message) {
        self.count(message);
        match message.way {
            Way::Request => self.request(message),
            Way::Response => self.response(message),
        }
    }

    fn count(&mut self, message: &Message) {
        let Some(service) = message.service() else { return };
        let count = self.services.entry(service).or_default();
        match (message.way, message.refusal()) {
            (Way::Request, _) => count.requests += 1,
            (Way::Response, None) => count.positive += 1,
            (Way::Response, Some(_)) => count.negative += 1,
        }
    }

    fn request(&mut self, message: &Message) {
        let opens = Phase::opened_by(&message.data);
        if opens == Some(Phase::Session) {
            // Asked for again after more than the session was done: another try.
            let goes_on = |open: &Open| open.begun.last().is_some_and(|(phase, _)| *phase == Phase::Session);
            if !self.open.get(&message.pump).is_some_and(goes_on) {
                self.close(message.pump, false);
                let open = Open { begun: Vec::new(), last: message.begin, blocks: 0, refused: None };
                self.open.insert(message.pump, open);
            }
        }
        let Some(open) = self.open.get_mut(&message.pump) else { return };
        open.goes_on(message);
        open.blocks += u64::from(message.data.first() == Some(&0x36));
        if let Some(phase) = opens.filter(|phase| open.begun.last().is_none_or(|(last, _)| last < phase)) {
            open.begun.push((phase, message.begin));
        }
    }

    fn response(&mut self, message: &Message) {
        let Some(open) = self.open.get_mut(&message.pump) else { return };
        open.goes_on(message);
        open.refused = message.refusal().filter(|code| *code != 0x78).or(open.refused);
        if open.is_rebooting() && message.data.starts_with(&[0x62, 0xF1, 0x95]) {
            self.close(message.pump, true);
        }
    }

    fn close(&mut self, pump: u8, complete: bool) {
        let Some(open) = self.open.remove(&pump) else { return };
        let Some((_, start)) = open.begun.first().copied() else { return };
        let number = self.tries.entry(pump).or_default();
        *number += 1;
        let ends = open.begun.iter().skip(1).map(|(_, begin)| *begin).chain([open.last]);
        let phases = open.begun.iter().zip(ends).map(|((phase, begin), end)| Step {
            name: *phase,
            start_ms: Millis::from_nanos(*begin),
            duration_ms: Millis::from_nanos(end - begin),
        });
        let update = Update {
            pump: format!("P{pump:02}"),
            r#try: *number,
            complete,
            phases: phases.collect(),
            total_ms: Millis::from_nanos(open.last - start),
            blocks: open.blocks,
            refused: open.refused.map(|code| format!("0x{code:02X}")),
        };
        self.done.push((start, update));
    }

    /// The log is over: all tries in the order of their beginnings, and the services.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Update>, BTreeMap<u8, ServiceCount>) {
        let open: Vec<u8> = self.open.keys().copied().collect();
        for pump in open {
            self.close(pump, false);
        }
        self.done.sort_by_key(|(start, _)| *start);
        (self.done.into_iter().map(|(_, update)| update).collect(), self.services)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(ms: u64, way: Way, data: &[u8]) -> Message {
        Message { pump: 3, way, data: data.to_vec(), begin: ms * 1_000_000, end: ms * 1_000_000 }
    }

    /// Requests of a whole try, each `shift` later than in the first.
    fn whole(shift: u64) -> Vec<Message> {
        let requests: [(u64, &[u8]); 7] = [
            (10, &[0x10, 0x02]),
            (400, &[0x10, 0x02]),
            (410, &[0x31, 0x01, 0xFF, 0x00]),
            (4_410, &[0x34, 0x00]),
            (5_000, &[0x36, 0x01]),
            (9_000, &[0x31, 0x01, 0xFF, 0x01]),
            (9_004, &[0x11, 0x01]),
        ];
        let mut all: Vec<Message> = requests.iter().map(|(ms, data)| message(ms + shift, Way::Request, data)).collect();
        all.push(message(9_400 + shift, Way::Response, &[0x62, 0xF1, 0x95, 0, 2]));
        all
    }

    fn updates(messages: &[Message]) -> Vec<Update> {
        let mut updates = Updates::default();
        messages.iter().for_each(|message| updates.hear(message));
        updates.finish().0
    }

    fn millis(update: &Update) -> Vec<u64> {
        update.phases.iter().map(|step| step.duration_ms.as_nanos() as u64 / 1_000_000).collect()
    }

    #[test]
    fn phases_run_from_request_to_request() {
        let updates = updates(&whole(0));
        assert_eq!(updates.len(), 1);
        assert_eq!(millis(&updates[0]), [400, 4_000, 4_590, 4, 396]);
        assert_eq!((updates[0].pump.as_str(), updates[0].r#try, updates[0].complete), ("P03", 1, true));
        assert_eq!((updates[0].total_ms, updates[0].blocks), (Millis::from_nanos(9_390_000_000), 1));
    }

    #[test]
    fn a_try_that_stops_ends_with_its_last_message() {
        let mut messages = whole(0)[..5].to_vec();
        messages.push(message(5_100, Way::Response, &[0x7F, 0x36, 0x72]));
        messages.push(message(5_050, Way::Response, &[0x7F, 0x36, 0x78]));
        messages.last_mut().expect("just put there").end = 5_200_000_000;
        messages.extend(whole(20_000));
        let updates = updates(&messages);
        assert_eq!(updates.iter().map(|update| update.complete).collect::<Vec<_>>(), [false, true]);
        assert_eq!(millis(&updates[0]), [400, 4_000, 790]);
        assert_eq!(updates[0].refused.as_deref(), Some("0x72"));
        assert_eq!((updates[1].r#try, millis(&updates[1])), (2, vec![400, 4_000, 4_590, 4, 396]));
    }

    #[test]
    fn the_wait_after_a_failed_try_is_no_part_of_it() {
        let mut messages = whole(0)[..5].to_vec();
        messages.push(message(5_100, Way::Response, &[0x7F, 0x36, 0x72]));
        // Two seconds later the CIOC looks whether the pump is back; a refused read is one as well.
        messages.push(message(7_100, Way::Request, &[0x22, 0xF1, 0x91]));
        messages.push(message(7_200, Way::Response, &[0x62, 0xF1, 0x91, 0, 1]));
        messages.push(message(7_300, Way::Response, &[0x7F, 0x22, 0x31]));
        let stopped = &updates(&messages)[0];
        assert_eq!((millis(stopped), stopped.total_ms), (vec![400, 4_000, 690], Millis::from_nanos(5_090_000_000)));
        // Behind the reset a read is what the try waits for.
        let mut messages = whole(0)[..7].to_vec();
        messages.push(message(9_300, Way::Request, &[0x22, 0xF1, 0x95]));
        assert_eq!(millis(&updates(&messages)[0]), [400, 4_000, 4_590, 4, 296]);
    }

    #[test]
    fn a_version_read_without_a_reset_ends_nothing() {
        let mut messages = vec![message(1, Way::Response, &[0x62, 0xF1, 0x95, 0, 1])];
        messages.extend(whole(0)[..2].to_vec());
        messages.push(message(401, Way::Response, &[0x62, 0xF1, 0x95, 0, 1]));
        let updates = updates(&messages);
        assert_eq!((updates.len(), updates[0].complete, millis(&updates[0])), (1, false, vec![390]));
    }

    #[test]
    fn services_are_counted_by_the_id_of_their_request() {
        let mut updates = Updates::default();
        let pending = message(2, Way::Response, &[0x7F, 0x31, 0x78]);
        let done = message(3, Way::Response, &[0x71, 0x01, 0xFF, 0x00]);
        [message(1, Way::Request, &[0x31, 0x01, 0xFF, 0x00]), pending, done].iter().for_each(|m| updates.hear(m));
        let count = ServiceCount { requests: 1, positive: 1, negative: 1 };
        assert_eq!(updates.finish().1, BTreeMap::from([(0x31, count)]));
    }
}
