//! The UDS client: one request at a time to one pump, with P2, P2* and response pending.
//!
//! A request that gets no answer ends as [`Reply::Silent`], whether a frame, the flow control or the answer was lost:
//! the layer above repeats it. An answer that comes before the whole request was handed to the controller, or that
//! belongs to another service, is stale and ignored. One that is read before the confirmation of its own request counts:
//! it proves that the request left. Until that confirmation is read, too, the next request waits, so that it is not
//! taken for that one's.

use embedded_can::StandardId;
use protocol::Frame;
use protocol::ids::{self, PumpNumber};
use protocol::isotp::{Channel, Event, Failure};
use protocol::uds::{MESSAGE_LEN, Request, Response};
use units::{Duration, Instant};

use crate::config::Config;

/// Longer than any response of a pump (9 bytes).
const RESPONSE_MOST: usize = 64;
/// Added to a service id in a positive response (ISO 14229-1).
const POSITIVE: u8 = 0x40;
/// Opens a negative response.
const NEGATIVE: u8 = 0x7F;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Answer(Response),
    /// A negative response with this code.
    Refused(u8),
    /// No answer in time, or the request could not be sent.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Idle,
    Sending,
    Waiting { since: Instant, until: Instant },
}

/// The client and its one ISO-TP channel.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Client {
    channel: Channel<MESSAGE_LEN, RESPONSE_MOST>,
    isotp: protocol::isotp::Config,
    p2: Duration,
    p2_star: Duration,
    request_limit: Duration,
    state: State,
    /// How long the running request waits for its first answer.
    patience: Duration,
    /// The wait that the last answer ended.
    waited: Option<(Instant, Instant)>,
    service: u8,
    abort: Option<StandardId>,
}

impl Client {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            channel: Channel::new(config.isotp, StandardId::ZERO, StandardId::ZERO),
            isotp: config.isotp,
            p2: config.p2.plus(config.link_delay),
            p2_star: config.p2_star.plus(config.link_delay),
            request_limit: config.request_limit,
            state: State::Idle,
            patience: config.p2.plus(config.link_delay),
            waited: None,
            service: 0,
            abort: None,
        }
    }

    /// Turns to `pump`; whatever went on with another ends.
    pub(crate) fn turn_to(&mut self, pump: PumpNumber) {
        self.stop();
        if self.channel.tx_id() != ids::uds_request(pump) {
            self.channel = Channel::new(self.isotp, ids::uds_request(pump), ids::uds_response(pump));
        }
    }

    /// Ends the running request, if any.
    pub(crate) fn stop(&mut self) {
        // A frame of an answered request has left: only its confirmation is still to come, and the channel awaits it.
        if self.state != State::Idle || self.channel.is_sending() || self.channel.is_receiving() {
            self.drop_frames();
        }
        self.state = State::Idle;
        self.waited = None;
    }

    /// Nothing of what was sent or received counts any more; a frame that is still in a mailbox must not leave later.
    fn drop_frames(&mut self) {
        if self.channel.is_sending() || self.channel.is_receiving() || self.channel.awaits_confirmation() {
            self.abort = Some(self.channel.tx_id());
        }
        self.channel.reset();
    }

    /// Sends a request; a running one ends.
    pub(crate) fn ask(&mut self, request: &Request<'_>) {
        if let Some(message) = request.encode() {
            self.send(request.service(), &message);
        }
    }

    /// Repeats a request to a pump that may work on the first one, deaf and without P2: its next "response pending" or
    /// its answer comes within P2*.
    pub(crate) fn ask_patiently(&mut self, request: &Request<'_>) {
        self.ask(request);
        self.patience = self.p2_star;
    }

    /// The last answer was none to the running request: waits on for as long as it would have.
    pub(crate) fn wait_on(&mut self) {
        if self.state == State::Idle
            && let Some((since, until)) = self.waited.take()
        {
            self.state = State::Waiting { since, until };
        }
    }

    /// Sends a message of the given service.
    pub(crate) fn send(&mut self, service: u8, message: &[u8]) {
        self.stop();
        self.service = service;
        self.patience = self.p2;
        // The channel is idle and no message is longer than its buffer; were it refused, the caller's time-out acts.
        if self.channel.send(message).is_ok() {
            self.state = State::Sending;
        }
    }

    /// The id whose frames are for this client.
    pub(crate) const fn listens_to(&self) -> StandardId {
        self.channel.rx_id()
    }

    /// The id whose waiting and mailed frames are to be dropped, once.
    pub(crate) fn take_abort(&mut self) -> Option<StandardId> {
        self.abort.take()
    }

    pub(crate) fn on_sent(&mut self, now: Instant, id: StandardId) {
        if self.channel.on_sent(now, id) == Some(Event::Sent) && self.state == State::Sending {
            self.state = State::Waiting { since: now, until: now.after(self.patience) };
        }
    }

    pub(crate) fn on_frame(&mut self, now: Instant, frame: &Frame) -> Option<Reply> {
        match self.channel.on_frame(now, frame)? {
            Event::Received => self.on_message(now),
            event => self.on_failure(event),
        }
    }

    /// A request that cannot be sent ends. An answer that broke off is waited for no longer than without it, unless our
    /// flow control hangs in a mailbox: the pump has given its answer up long before.
    fn on_failure(&mut self, event: Event) -> Option<Reply> {
        match event {
            Event::SendFailed(_) | Event::ReceiveFailed(Failure::NotTransmitted) => self.give_up(),
            Event::Received | Event::Sent | Event::ReceiveFailed(_) => None,
        }
    }

    /// Since when and until when the running request is waited for, if it has left; the answer that has come may be the
    /// first to tell so.
    fn has_left(&mut self, now: Instant) -> Option<(Instant, Instant)> {
        match self.state {
            State::Waiting { since, until } => Some((since, until)),
            State::Sending if self.channel.settle() => Some((now, now.after(self.patience))),
            State::Idle | State::Sending => None,
        }
    }

    /// Whether `message` answers the running request, be it with "response pending".
    fn is_answered_by(&self, message: &[u8]) -> bool {
        match message {
            [NEGATIVE, service, ..] => *service == self.service,
            [first, ..] => *first == self.service | POSITIVE,
            [] => false,
        }
    }

    fn on_message(&mut self, now: Instant) -> Option<Reply> {
        let response = Response::decode(self.channel.message())?;
        if !self.is_answered_by(self.channel.message()) {
            return None;
        }
        let (since, until) = self.has_left(now)?;
        if response.is_pending(self.service) {
            let until = now.after(self.p2_star).min(since.after(self.request_limit));
            self.state = State::Waiting { since, until };
            return None;
        }
        let reply = match response {
            Response::Negative { code, .. } => Reply::Refused(code),
            _ => Reply::Answer(response),
        };
        self.state = State::Idle;
        self.waited = Some((since, until));
        Some(reply)
    }

    fn give_up(&mut self) -> Option<Reply> {
        if self.state == State::Idle {
            return None;
        }
        self.stop();
        Some(Reply::Silent)
    }

    /// Checks the time limits.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Reply> {
        if let Some(event) = self.channel.poll(now) {
            // Only a frame that did not leave is still in a mailbox; aborting an empty one does no harm.
            if let Event::SendFailed(_) | Event::ReceiveFailed(Failure::NotTransmitted) = event {
                self.abort = Some(self.channel.tx_id());
            }
            if let Some(reply) = self.on_failure(event) {
                return Some(reply);
            }
        }
        match self.state {
            State::Waiting { until, .. } if now >= until && !self.channel.is_receiving() => self.give_up(),
            _ => None,
        }
    }

    pub(crate) fn next_frame(&mut self, now: Instant) -> Option<Frame> {
        self.channel.next_frame(now)
    }

    /// When [`Self::poll`] or [`Self::next_frame`] is due.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let channel = self.channel.wake_at();
        match self.state {
            State::Waiting { until, .. } if !self.channel.is_receiving() => {
                Some(channel.map_or(until, |channel| channel.min(until)))
            }
            _ => channel,
        }
    }
}

#[cfg(test)]
mod tests {
    //! Transcripts of pump 1: `ask` is a request, `out` the frame handed out with its first bytes, `quiet` that there is
    //! none, `sent` its confirmation, `in` an answer's frame; `abort` or `keep` tells whether mailboxes are to be emptied.
    use super::*;
    use protocol::uds::Identifier;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    fn client() -> Client {
        let mut client = Client::new(&Config::DEFAULT);
        client.turn_to(pump());
        client
    }

    fn pump() -> PumpNumber {
        PumpNumber::new(1).unwrap()
    }

    fn bytes(words: &[&str]) -> Vec<u8> {
        words.iter().map(|word| u8::from_str_radix(word, 16).unwrap()).collect()
    }

    fn play(client: &mut Client, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (step, expected) = line.split_once("=>").unwrap_or((line, ""));
            let words: Vec<&str> = step.split_whitespace().collect();
            let now = Instant::from_micros(words[0].parse::<u64>().unwrap() * 1_000);
            let reply = do_step(client, now, words[1], &words[2..], line);
            let reply = reply.map(|reply| format!("{reply:?}")).unwrap_or_default();
            assert_eq!(reply, expected.trim(), "in: {line}");
        }
    }

    fn do_step(client: &mut Client, now: Instant, verb: &str, rest: &[&str], line: &str) -> Option<Reply> {
        match verb {
            "ask" => match rest {
                ["model"] => client.ask(&Request::Read(Identifier::Model)),
                ["version"] => client.ask(&Request::Read(Identifier::Version)),
                ["reset"] => client.ask(&Request::Reset),
                ["block"] => client.send(0x36, &[0x36, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
                _ => panic!("{line}"),
            },
            "out" => {
                let frame = client.next_frame(now).unwrap_or_else(|| panic!("nothing handed out: {line}"));
                assert!(frame.data().starts_with(&bytes(rest)), "{line}: {:02X?}", frame.data());
            }
            "quiet" => assert_eq!(client.next_frame(now), None, "{line}"),
            "sent" => client.on_sent(now, ids::uds_request(pump())),
            "in" => return client.on_frame(now, &Frame::data_frame(client.listens_to(), &bytes(rest)).unwrap()),
            "poll" => return client.poll(now),
            "abort" => assert_eq!(client.take_abort(), Some(ids::uds_request(pump())), "{line}"),
            "keep" => assert_eq!(client.take_abort(), None, "{line}"),
            other => panic!("unknown step {other}: {}", String::from(line)),
        }
        None
    }

    const MODEL: &str = "Answer(Model(ModelId(7)))";

    #[test]
    fn an_answer_that_is_read_before_the_confirmation_of_its_request_counts() {
        play(
            &mut client(),
            &format!(
                "0 ask model
                 0 out 03 22 F1 91
                 9 in  05 62 F1 91 00 07 => {MODEL}
                 9 ask reset
                 9 keep
                 9 quiet
                 10 sent
                 10 out 02 11 01
                 11 sent
                 12 in 02 51 01 => Answer(Reset)"
            ),
        );
    }

    #[test]
    fn response_pending_that_is_read_before_the_confirmation_gives_p2_star() {
        play(
            &mut client(),
            &format!(
                "0    ask model
                 0    out 03 22 F1 91
                 9    in  03 7F 22 78
                 10   sent
                 4000 poll
                 5000 in  05 62 F1 91 00 07 => {MODEL}"
            ),
        );
    }

    #[test]
    fn an_answer_before_the_request_is_out_is_stale() {
        play(
            &mut client(),
            "0 ask model
             0 in  05 62 F1 91 00 07
             0 out 03 22 F1 91
             1 ask block
             1 abort
             1 out 10 0A 36 01
             2 in  02 76 01
             2 in  30 00 00
             3 sent
             3 out 21
             4 in  02 76 01 => Answer(Transfer { counter: 1 })",
        );
    }

    #[test]
    fn the_answer_to_another_service_proves_nothing() {
        play(
            &mut client(),
            "0   ask model
             0   out 03 22 F1 91
             9   in  02 51 01
             9   in  03 7F 11 22
             10  sent
             159 poll
             160 poll => Silent
             160 keep",
        );
    }

    #[test]
    fn a_flow_control_that_does_not_leave_ends_the_request_and_empties_its_mailbox() {
        play(
            &mut client(),
            "0    ask version
             0    out 03 22 F1 95
             1    sent
             2    in  10 09 62 F1 95 00 01 00
             2    out 30
             999  poll
             999  keep
             1002 poll => Silent
             1002 abort",
        );
    }

    #[test]
    fn a_flow_control_that_does_not_leave_ends_a_request_that_has_more_time_at_once() {
        play(
            &mut client(),
            "0    ask version
             0    out 03 22 F1 95
             1    sent
             2    in  03 7F 22 78
             3    in  10 09 62 F1 95 00 01 00
             3    out 30
             1002 poll
             1003 poll => Silent
             1003 abort",
        );
    }

    #[test]
    fn an_answer_that_breaks_off_ends_the_request_by_its_time_limit_and_aborts_nothing() {
        play(
            &mut client(),
            "0    ask version
             0    out 03 22 F1 95
             1    sent
             2    in  10 09 62 F1 95 00 01 00
             2    out 30
             3    sent
             1003 poll => Silent
             1003 keep",
        );
    }

    #[test]
    fn a_request_that_the_pump_has_no_room_for_ends_and_leaves_nothing_in_a_mailbox() {
        play(
            &mut client(),
            "0 ask block
             0 out 10 0A 36 01
             1 in  32 00 00 => Silent
             1 abort
             1 ask model
             1 out 03 22 F1 91",
        );
    }

    #[test]
    fn a_request_that_does_not_leave_ends_and_is_aborted() {
        play(
            &mut client(),
            "0    ask model
             0    out 03 22 F1 91
             999  poll
             1000 poll => Silent
             1000 abort",
        );
    }
}
