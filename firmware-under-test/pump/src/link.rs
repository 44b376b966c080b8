//! The pump's side of the bus: the ISO-TP channel, the cyclic status, and what waits for a mailbox.
//!
//! At most one frame of each id is in the controller at a time, so that frames of one id never overtake each other and a
//! bus that is blocked for a while delivers one status, not three stale ones. A response may carry a *sequel*: what the
//! firmware does once it has left the controller (a reset, an erase that stalls the core).

use embedded_can::StandardId;
use protocol::Frame;
use protocol::cyclic::{self, Status};
use protocol::ids;
use protocol::isotp::{Channel, Event, Failure};
use protocol::txqueue::TxQueue;
use protocol::uds::{MESSAGE_LEN, Response};
use units::{Duration, Instant};

use crate::config::{Config, STATUS_TIMEOUT};
use crate::{Inputs, Outputs};

/// Room for the longest response.
const RESPONSE_LEN: usize = 16;

/// What follows once a response has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sequel {
    /// Nothing.
    None,
    /// The next sector is erased.
    Erase,
    /// The CPU resets.
    Reset,
    /// The CPU resets into the bootloader.
    EnterBootloader,
}

/// A response is no longer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Departure {
    pub(crate) sequel: Sequel,
    /// Whether it has left, rather than been given up.
    pub(crate) left: bool,
}

/// Everything between the firmware and the CAN controller.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Link {
    channel: Channel<RESPONSE_LEN, MESSAGE_LEN>,
    queue: TxQueue<2>,
    response: Option<(Response, Sequel)>,
    sequel: Sequel,
    status: StatusTimer,
    abort: Option<StandardId>,
}

/// When the next status is due, and since when one is in the controller.
#[derive(Clone, Debug, Hash)]
struct StatusTimer {
    id: StandardId,
    due: Instant,
    missed: bool,
    waiting_since: Option<Instant>,
    counter: u8,
}

impl Link {
    pub(crate) fn new(config: &Config) -> Self {
        let number = config.number;
        let channel = Channel::new(config.isotp, ids::uds_response(number), ids::uds_request(number));
        let status = StatusTimer {
            id: ids::status(number),
            due: Instant::ZERO.after(cyclic::stagger(number)),
            missed: false,
            waiting_since: None,
            counter: 0,
        };
        Self { channel, queue: TxQueue::new(), response: None, sequel: Sequel::None, status, abort: None }
    }

    /// The last request.
    pub(crate) fn message(&self) -> &[u8] {
        self.channel.message()
    }

    /// Whether `frame` is part of a request, rather than a flow control for a response.
    pub(crate) fn is_request_part(&self, frame: &Frame) -> bool {
        frame.has_id(self.channel.rx_id()) && frame.data().first().is_some_and(|head| head >> 4 != 3)
    }

    /// Whether a request is coming in.
    pub(crate) fn is_receiving(&self) -> bool {
        self.channel.is_receiving()
    }

    /// Whether a response waits for the one before it.
    pub(crate) const fn has_response(&self) -> bool {
        self.response.is_some()
    }

    /// Sends `response` after the one on its way, in place of one that still waits.
    pub(crate) fn answer(&mut self, response: Response, sequel: Sequel) {
        self.response = Some((response, sequel));
    }

    /// A frame with the request id came in; `true` if it completes a request.
    pub(crate) fn on_frame(&mut self, now: Instant, frame: &Frame) -> (bool, Option<Departure>) {
        match self.channel.on_frame(now, frame) {
            Some(Event::Received) => (true, None),
            event => (false, self.departure(event)),
        }
    }

    /// A frame of ours has left.
    pub(crate) fn on_sent(&mut self, now: Instant, id: StandardId) -> Option<Departure> {
        if id == self.status.id {
            self.status.waiting_since = None;
            return None;
        }
        let event = self.channel.on_sent(now, id);
        self.departure(event)
    }

    /// Checks the time-outs.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Departure> {
        if let Some(since) = self.status.waiting_since
            && now >= since.after(STATUS_TIMEOUT)
        {
            self.status.waiting_since = None;
            self.give_up(self.status.id);
        }
        let event = self.channel.poll(now);
        self.departure(event)
    }

    fn departure(&mut self, event: Option<Event>) -> Option<Departure> {
        let left = match event? {
            Event::Received => return None,
            Event::ReceiveFailed(failure) => {
                self.after_failure(failure);
                return None;
            }
            Event::SendFailed(failure) => {
                self.after_failure(failure);
                false
            }
            Event::Sent => true,
        };
        let sequel = core::mem::replace(&mut self.sequel, Sequel::None);
        Some(Departure { sequel, left })
    }

    fn after_failure(&mut self, failure: Failure) {
        if failure == Failure::NotTransmitted {
            self.give_up(self.channel.tx_id());
        }
    }

    fn give_up(&mut self, id: StandardId) {
        self.queue.cancel(id);
        self.abort = Some(id);
    }

    /// From now on the status is sent, at the pump's own places in the period.
    pub(crate) fn start_status(&mut self, now: Instant) {
        self.pass_periods(now);
    }

    /// Whether a status is due and the last one has left.
    pub(crate) fn wants_status(&mut self, now: Instant) -> bool {
        self.status.missed |= self.pass_periods(now);
        self.status.missed && self.status.waiting_since.is_none()
    }

    /// Moves the due time past `now`; periods that a stalled core has missed are skipped, not made up for.
    fn pass_periods(&mut self, now: Instant) -> bool {
        let status = &mut self.status;
        if now < status.due {
            return false;
        }
        let periods = now.since(status.due).as_micros() / cyclic::PERIOD.as_micros();
        status.due = status.due.after(cyclic::PERIOD.times(periods.saturating_add(1)));
        true
    }

    /// Queues the status; its counter is filled in here.
    pub(crate) fn send_status(&mut self, now: Instant, status: Status, config: &Config) {
        let counter = self.status.counter;
        self.status.counter = counter.wrapping_add(1) & 0x0F;
        self.status.missed = false;
        self.status.waiting_since = Some(now);
        self.queue.replace(Status { counter, ..status }.encode(config.number));
    }

    /// Fills the free mailboxes, the most urgent frame first. A step that aborts hands out nothing, so that no new frame
    /// can be taken for the aborted one.
    pub(crate) fn hand_out(&mut self, now: Instant, inputs: &Inputs, out: &mut Outputs) {
        out.abort = self.abort.take();
        if out.abort.is_some() {
            return;
        }
        self.start_response();
        if let Some(frame) = self.channel.next_frame(now) {
            self.queue.push(frame);
        }
        for _ in 0..inputs.mailboxes_free.min(3) {
            let Some(frame) = self.queue.pop() else { break };
            // Never more than three, so that none is lost here.
            let _ = out.frames.push(frame);
        }
    }

    fn start_response(&mut self) {
        if self.response.is_none() || self.channel.is_sending() {
            return;
        }
        if let Some((response, sequel)) = self.response.take()
            && self.channel.send(&response.encode()).is_ok()
        {
            self.sequel = sequel;
        }
    }

    /// When a time-out or the next status is due.
    pub(crate) fn wake_at(&self) -> Instant {
        let status = match self.status.waiting_since {
            Some(since) => self.status.due.min(since.after(STATUS_TIMEOUT)),
            None => self.status.due,
        };
        self.channel.wake_at().map_or(status, |wake| wake.min(status))
    }
}

/// P2 as the session response carries it, in ms.
pub(crate) fn in_millis(time: Duration) -> u16 {
    u16::try_from(time.as_millis()).unwrap_or(u16::MAX)
}
