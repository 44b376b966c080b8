//! The UDS client: one request at a time to one pump, with P2, P2* and response pending.
//!
//! A request that gets no answer ends as [`Reply::Silent`], whether a frame, the flow control or the answer was lost:
//! the layer above repeats it. An answer that comes before the request has left completely, or that belongs to another
//! service, is stale and ignored.

use embedded_can::StandardId;
use protocol::Frame;
use protocol::ids::{self, PumpNumber};
use protocol::isotp::{Channel, Event};
use protocol::uds::{MESSAGE_LEN, Request, Response};
use units::{Duration, Instant};

use crate::config::Config;

/// Longer than any response of a pump (9 bytes).
const RESPONSE_MOST: usize = 64;
/// Added to a service id in a positive response (ISO 14229-1).
const POSITIVE: u8 = 0x40;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Answer(Response),
    /// A negative response with this code.
    Refused(u8),
    /// No answer in time, or the request could not be sent.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Sending,
    Waiting { since: Instant, until: Instant },
}

/// The client and its one ISO-TP channel.
#[derive(Clone, Debug)]
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
        if self.channel.is_sending() || self.channel.is_receiving() {
            self.abort = Some(self.channel.tx_id());
        }
        self.channel.reset();
        self.state = State::Idle;
        self.waited = None;
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
            Event::SendFailed(_) => self.give_up(),
            Event::Sent | Event::ReceiveFailed(_) => None,
        }
    }

    fn on_message(&mut self, now: Instant) -> Option<Reply> {
        let State::Waiting { since, until } = self.state else { return None };
        let message = self.channel.message();
        let response = Response::decode(message)?;
        if response.is_pending(self.service) {
            let until = now.after(self.p2_star).min(since.after(self.request_limit));
            self.state = State::Waiting { since, until };
            return None;
        }
        let reply = match response {
            Response::Negative { service, code } if service == self.service => Reply::Refused(code),
            Response::Negative { .. } => return None,
            _ if message.first() == Some(&(self.service | POSITIVE)) => Reply::Answer(response),
            _ => return None,
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
        if let Some(Event::SendFailed(_)) = self.channel.poll(now) {
            // Only a frame that did not leave is still in a mailbox; aborting an empty one does no harm.
            self.abort = Some(self.channel.tx_id());
            return self.give_up();
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
