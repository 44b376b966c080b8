//! A CAN controller as its CPU sees it: mailboxes, filter, FIFO, confirmations.
//!
//! What the line sees of a controller (counters, error state, arbitration) is in the line's own state; here is what
//! lies between the line and the firmware. A frame that is lost here (overrun) was received without any error on the
//! bus. Words: a *mailbox* holds one frame to send; a *confirmation* tells the CPU the id of a frame that was sent.
//! Modelled after bxCAN: three transmit mailboxes by priority of the id, a receive FIFO three deep.

use std::hash::{Hash, Hasher};

use bevy_ecs::prelude::Component;
use embedded_can::Id;
use heapless::{Deque, Vec};
use protocol::frame::{Frame, raw_id};

use super::wire::arbitration_key;
use crate::kernel::{SimTime, Span};

/// Mailboxes that the firmware can use.
pub const MAILBOXES: usize = 3;
/// Frames that the receive FIFO holds.
pub const FIFO_FRAMES: usize = 3;
/// Entries of an acceptance filter.
pub const FILTERS: usize = 14;
/// Confirmations kept for the CPU; the oldest gives way.
pub const CONFIRMATIONS: usize = 8;
/// The further mailbox that a babbling fault keeps full.
const BABBLE: usize = MAILBOXES;

/// An entry of the acceptance filter: accepts ids equal to `id` in the bits of `mask`, of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    /// The id wanted.
    pub id: Id,
    /// The bits that matter.
    pub mask: u32,
}

impl Filter {
    /// Accepts exactly `id`.
    #[must_use]
    pub fn exactly(id: impl Into<Id>) -> Self {
        Self { id: id.into(), mask: u32::MAX }
    }

    /// Whether a frame with `id` passes.
    #[must_use]
    pub fn accepts(&self, id: Id) -> bool {
        let same_length = matches!(self.id, Id::Standard(_)) == matches!(id, Id::Standard(_));
        same_length && (raw_id(id) ^ raw_id(self.id)) & self.mask == 0
    }
}

/// How a controller leaves bus-off; real ones differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// After 128 times 11 recessive bits.
    #[default]
    Automatic,
    /// The same, counted from the request of the software.
    OnRequest,
}

/// What a controller is attached with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerOptions {
    /// How it leaves bus-off.
    pub recovery: Recovery,
    /// From the end of a frame to the CPU's attention.
    pub latency: Span,
    /// The frames it takes; none when empty.
    pub filters: Vec<Filter, FILTERS>,
    /// Whether it takes part from the beginning.
    pub powered: bool,
}

impl Default for ControllerOptions {
    /// Automatic recovery, 100 us, nothing accepted, powered.
    fn default() -> Self {
        Self { recovery: Recovery::default(), latency: Span::from_micros(100), filters: Vec::new(), powered: true }
    }
}

/// A frame to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Offer {
    pub(super) key: u32,
    pub(super) order: u64,
    pub(super) slot: u8,
    pub(super) queued: SimTime,
    pub(super) frame: Frame,
}

/// All three mailboxes are full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all transmit mailboxes are full")]
pub struct MailboxesFull;

/// The controller of a node.
#[derive(Component, Clone, Debug)]
pub struct Controller {
    pub(super) latency: Span,
    pub(super) filters: Vec<Filter, FILTERS>,
    pub(super) listening: bool,
    /// When the CPU will attend; in the past when it need not.
    pub(super) attends_at: SimTime,
    mailboxes: [Option<Offer>; MAILBOXES + 1],
    /// Mailboxes to give up if the attempt on the line fails.
    giving_up: u8,
    received: Deque<Frame, FIFO_FRAMES>,
    sent: Deque<Id, CONFIRMATIONS>,
    overruns: u32,
    requests: u64,
    /// What a babbling fault sends, and the gap between two.
    babble: Option<(Frame, Span)>,
    /// When a frame of a babbling fault was last sent.
    babbled: Option<SimTime>,
}

impl Hash for Controller {
    /// How many frames it ever lost, and when it last babbled, is no state.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { latency, filters, listening, attends_at, mailboxes, giving_up, received, sent, .. } = self;
        let Self { overruns: _, babbled: _, requests, babble, .. } = self;
        (latency, filters, listening, attends_at, mailboxes, giving_up, requests, babble).hash(to);
        (received.len(), sent.len()).hash(to);
        received.iter().for_each(|frame| frame.hash(to));
        sent.iter().for_each(|id| id.hash(to));
    }
}

impl Controller {
    pub(super) fn new(options: &ControllerOptions) -> Self {
        Self {
            latency: options.latency,
            filters: options.filters.clone(),
            listening: true,
            attends_at: SimTime::ZERO,
            mailboxes: [None; MAILBOXES + 1],
            giving_up: 0,
            received: Deque::new(),
            sent: Deque::new(),
            overruns: 0,
            requests: 0,
            babble: None,
            babbled: None,
        }
    }

    /// How many frames were lost because the FIFO was full, since power-on.
    #[must_use]
    pub fn overruns(&self) -> u32 {
        self.overruns
    }

    /// How many mailboxes are free.
    #[must_use]
    pub fn mailboxes_free(&self) -> u8 {
        self.mailboxes[..MAILBOXES].iter().filter(|mailbox| mailbox.is_none()).count() as u8
    }

    /// Whether a mailbox holds a frame with `id`.
    #[must_use]
    pub fn waits_to_send(&self, id: Id) -> bool {
        self.mailboxes[..MAILBOXES].iter().flatten().any(|offer| offer.frame.id() == id)
    }

    /// Whether the frame that it has sent at `now` is one of a babbling fault, and not its own.
    #[must_use]
    pub fn babbled_at(&self, now: SimTime) -> bool {
        self.babbled == Some(now)
    }

    /// How long after `now` the CPU attends to what came, if it has not done so yet.
    #[must_use]
    pub fn attends_after(&self, now: SimTime) -> Option<Span> {
        (self.attends_at > now).then(|| self.attends_at.since(now))
    }

    /// Since when a frame with `id` waits in a mailbox, the oldest of them.
    #[must_use]
    pub fn waits_since(&self, id: Id) -> Option<SimTime> {
        let waiting = self.mailboxes[..MAILBOXES].iter().flatten().filter(|offer| offer.frame.id() == id);
        waiting.map(|offer| offer.queued).min()
    }

    /// Whether the CPU has something to take.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.received.is_empty() || !self.sent.is_empty()
    }

    /// What it offers to the line next: the lowest id, of equal ones the one requested first.
    pub(super) fn best(&self) -> Option<Offer> {
        self.mailboxes.iter().flatten().min_by_key(|offer| (offer.key, offer.order)).copied()
    }

    pub(super) fn put(&mut self, frame: Frame, now: SimTime) -> Result<(), MailboxesFull> {
        let slot = self.mailboxes[..MAILBOXES].iter().position(Option::is_none).ok_or(MailboxesFull)?;
        self.fill(slot, frame, now);
        Ok(())
    }

    fn fill(&mut self, slot: usize, frame: Frame, now: SimTime) {
        self.requests += 1;
        let key = arbitration_key(frame.id());
        self.mailboxes[slot] = Some(Offer { key, order: self.requests, slot: slot as u8, queued: now, frame });
    }

    pub(super) fn set_babble(&mut self, babble: Option<(Frame, Span)>, now: SimTime) {
        self.mailboxes[BABBLE] = None;
        self.babble = babble;
        self.babble_again(now);
    }

    /// Requests the next frame of a babbling fault, if it goes on and none waits.
    pub(super) fn babble_again(&mut self, now: SimTime) {
        if let (Some((frame, _)), None) = (self.babble, self.mailboxes[BABBLE]) {
            self.fill(BABBLE, frame, now);
        }
    }

    /// Removes pending frames with `id`, except the one in `on_line`, which is given up if it fails.
    pub(super) fn abort(&mut self, id: Id, on_line: Option<u8>) -> Aborted {
        let mut outcome = Aborted::NotPending;
        for (slot, mailbox) in self.mailboxes[..MAILBOXES].iter_mut().enumerate() {
            if mailbox.is_none_or(|offer| offer.frame.id() != id) {
                continue;
            }
            if on_line == Some(slot as u8) {
                self.giving_up |= 1 << slot;
                outcome = Aborted::InTransmission;
            } else {
                *mailbox = None;
                outcome = outcome.max(Aborted::Removed);
            }
        }
        outcome
    }

    /// The line reports that mailbox `slot` was sent; gives the gap after which a babbling fault goes on, if there is one.
    pub(super) fn confirm(&mut self, slot: u8, now: SimTime) -> Option<Span> {
        let index = usize::from(slot);
        self.giving_up &= !(1 << slot);
        if index == BABBLE {
            // Its mailbox is empty already if the fault has ended while the frame was on the line.
            self.mailboxes[BABBLE] = None;
            self.babbled = Some(now);
            let gap = self.babble.map(|(_, gap)| gap).filter(|gap| *gap > Span::ZERO);
            if gap.is_none() {
                self.babble_again(now);
            }
            return gap;
        }
        let offer = self.mailboxes[index].take()?;
        if self.sent.is_full() {
            self.sent.pop_front();
        }
        let _ = self.sent.push_back(offer.frame.id());
        None
    }

    /// The line reports that the attempt with mailbox `slot` is over without success.
    pub(super) fn failed(&mut self, slot: u8) {
        if self.giving_up & 1 << slot != 0 {
            self.giving_up &= !(1 << slot);
            self.mailboxes[usize::from(slot)] = None;
        }
    }

    /// Takes a frame off the line; false: the FIFO is full and the frame is lost.
    pub(super) fn receive(&mut self, frame: Frame) -> bool {
        let kept = self.received.push_back(frame).is_ok();
        self.overruns += u32::from(!kept);
        kept
    }

    /// Takes the oldest frame out of the receive FIFO.
    pub(crate) fn take_received(&mut self) -> Option<Frame> {
        if self.listening { self.received.pop_front() } else { None }
    }

    /// Takes the oldest confirmation: the id of a frame that was sent.
    pub(crate) fn take_sent(&mut self) -> Option<Id> {
        if self.listening { self.sent.pop_front() } else { None }
    }

    /// What a reset or the loss of power leaves: options and filter, nothing else.
    pub(super) fn forget(&mut self) {
        self.mailboxes = [None; MAILBOXES + 1];
        self.babble = None;
        self.giving_up = 0;
        self.received.clear();
        self.sent.clear();
        self.overruns = 0;
        self.listening = true;
    }
}

/// What became of an abort request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aborted {
    /// No mailbox holds that id.
    NotPending,
    /// The mailbox is empty now.
    Removed,
    /// The frame is on the line: it is confirmed if it gets through, else given up without a further attempt.
    InTransmission,
}
