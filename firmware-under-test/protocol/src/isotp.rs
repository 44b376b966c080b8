//! ISO-TP (ISO 15765-2, classic CAN, normal addressing): messages of up to 4095 bytes over 8-byte frames.
//!
//! ```text
//!   sender                                   receiver
//!     first frame (6 bytes)  ------------->
//!           <-------------  flow control: continue, block size BS, gap STmin
//!     BS consecutive frames (7 bytes), STmin apart, then flow control again
//! ```
//! A [`Channel`] is both ends of one pair of ids. It is told of received frames, of frames that left, and of time; it
//! hands out one frame at a time. ISO-TP repeats nothing: a lost frame ends the message by a time-out, and the layer
//! above repeats it.
//!
//! Time-outs: N_As for data and N_Ar for flow control (our frame does not leave), N_Bs (no flow control comes), N_Cr (no
//! consecutive frame comes). The two directions are independent of each other (full duplex).
//!
//! A CPU may learn that its frame left after it has read the answer to that frame: confirmations and received frames
//! wait in different queues. So an answer to a frame that is still unconfirmed is taken, see [`Channel::on_frame`].

use embedded_can::StandardId;
use heapless::Vec;
use units::{Duration, Instant};

use crate::Frame;

/// The longest message that a first frame can announce.
pub const MESSAGE_MOST: usize = 4_095;

/// The gap between consecutive frames that a receiver asks for, as the standard encodes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeparationTime(u8);

impl SeparationTime {
    /// The shortest encodable gap that is not shorter than `gap`; at most 127 ms.
    #[must_use]
    pub fn at_least(gap: Duration) -> Self {
        let us = gap.as_micros();
        match us {
            0 => Self(0),
            1..=900 => Self(0xF0 | u8::try_from(us.div_ceil(100)).unwrap_or(9)),
            _ => Self(u8::try_from(us.div_ceil(1_000)).unwrap_or(0x7F).min(0x7F)),
        }
    }

    /// From the byte of a flow control; reserved values mean the longest gap (ISO 15765-2, 9.6.5.4).
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0..=0x7F | 0xF1..=0xF9 => Self(byte),
            _ => Self(0x7F),
        }
    }

    /// The byte of a flow control.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self.0
    }

    /// The gap.
    #[must_use]
    pub const fn gap(self) -> Duration {
        match self.0 {
            0xF1..=0xF9 => Duration::from_micros((self.0 & 0x0F) as u64 * 100),
            ms => Duration::from_millis(ms as u64),
        }
    }
}

/// How a channel behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Consecutive frames between flow controls that we ask for; 0 is no limit.
    pub block_size: u8,
    /// Gap between consecutive frames that we ask for.
    pub separation: SeparationTime,
    /// Fills frames up to 8 bytes; `None` sends them short.
    pub padding: Option<u8>,
    /// Longest wait for one of our frames to leave, data (N_As) or flow control (N_Ar).
    pub n_as: Duration,
    /// Longest wait for a flow control.
    pub n_bs: Duration,
    /// Longest wait for a consecutive frame.
    pub n_cr: Duration,
    /// How many wait frames in a row a sender accepts, and a receiver sends at most before it gives up (N_WFTmax).
    pub wait_frames_most: u8,
}

impl Config {
    /// The default profile: BS 8, STmin 0.5 ms, padding 0xAA, time-outs 1 s, 8 wait frames.
    pub const DEFAULT: Self = Self {
        block_size: 8,
        separation: SeparationTime(0xF5),
        padding: Some(0xAA),
        n_as: Duration::from_millis(1_000),
        n_bs: Duration::from_millis(1_000),
        n_cr: Duration::from_millis(1_000),
        wait_frames_most: 8,
    };
}

/// What a channel reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message is complete; [`Channel::message`] holds it.
    Received,
    /// Our message has left completely.
    Sent,
    /// Our message was given up.
    SendFailed(Failure),
    /// A message that was coming in was given up.
    ReceiveFailed(Failure),
}

/// Why a message was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// N_As or N_Ar: our frame did not leave in time and should be aborted.
    NotTransmitted,
    /// N_Bs: no flow control came in time.
    NoFlowControl,
    /// N_Cr: no consecutive frame came in time.
    NoConsecutiveFrame,
    /// A consecutive frame had the wrong sequence number.
    WrongSequenceNumber,
    /// The receiver has no room for the message.
    Overflow,
    /// The receiver asked, or would have to ask, to wait too often.
    TooManyWaits,
    /// A flow control had an unknown status.
    InvalidFlowStatus,
    /// A new message began before this one was complete.
    Interrupted,
}

/// Why a message was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Another message is on its way.
    Busy,
    /// Empty, or longer than the buffer or than [`MESSAGE_MOST`].
    Length,
}

/// What our next flow control says, unless the receiver is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlowStatus {
    Continue,
    Overflow,
}

/// What comes after the frame in the mailbox, if one is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Idle,
    /// The single or first frame is to be handed out.
    Start,
    /// The first frame or the last consecutive frame of a block left at `since`.
    AwaitFlowControl {
        since: Instant,
        waits: u8,
    },
    /// The next consecutive frame may be handed out at `due`; `left` more fit in this block.
    Gap {
        due: Instant,
        left: Option<u8>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    Idle,
    /// `length` bytes are expected, the last progress was at `since`, `left` frames fit in this block.
    Active {
        length: usize,
        next: u8,
        since: Instant,
        left: Option<u8>,
        waits: u8,
    },
}

/// What of ours is in a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InFlight {
    /// Single, first or consecutive frame.
    Data,
    FlowControl,
    /// Data of a message that has failed since.
    Abandoned,
}

/// Both directions of one pair of ids, with buffers for `TX` and `RX` bytes.
#[derive(Clone, Debug)]
pub struct Channel<const TX: usize, const RX: usize> {
    config: Config,
    tx_id: StandardId,
    rx_id: StandardId,
    sending: Sending,
    outgoing: Vec<u8, TX>,
    taken: usize,
    next_sequence: u8,
    peer_gap: Duration,
    in_flight: Option<(InFlight, Instant)>,
    receiving: Receiving,
    incoming: Vec<u8, RX>,
    flow_control: Option<(FlowStatus, Instant)>,
    hold: bool,
}

impl<const TX: usize, const RX: usize> Channel<TX, RX> {
    /// A channel that sends with `tx_id` and listens to `rx_id`.
    #[must_use]
    pub const fn new(config: Config, tx_id: StandardId, rx_id: StandardId) -> Self {
        Self {
            config,
            tx_id,
            rx_id,
            sending: Sending::Idle,
            outgoing: Vec::new(),
            taken: 0,
            next_sequence: 0,
            peer_gap: Duration::ZERO,
            in_flight: None,
            receiving: Receiving::Idle,
            incoming: Vec::new(),
            flow_control: None,
            hold: false,
        }
    }

    /// The id this channel sends with.
    #[must_use]
    pub const fn tx_id(&self) -> StandardId {
        self.tx_id
    }

    /// The id this channel listens to.
    #[must_use]
    pub const fn rx_id(&self) -> StandardId {
        self.rx_id
    }

    /// The last message received, from [`Event::Received`] until the next frame is handed in.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.incoming
    }

    /// Whether a message of ours is on its way.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.sending != Sending::Idle || self.has_in_flight(InFlight::Data)
    }

    /// Whether a message is coming in.
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        self.receiving != Receiving::Idle
    }

    fn has_in_flight(&self, kind: InFlight) -> bool {
        self.in_flight.is_some_and(|(in_flight, _)| in_flight == kind)
    }

    /// While held, the receiver answers a first frame or a full block with wait frames instead of continue. After as
    /// many as the configuration allows it gives the message up ([`Failure::TooManyWaits`]).
    pub fn set_hold(&mut self, hold: bool) {
        self.hold = hold;
        if let (false, Some((_, due))) = (hold, &mut self.flow_control) {
            *due = Instant::ZERO;
        }
    }

    /// Takes a message for sending; its first frame is handed out by [`Self::next_frame`].
    ///
    /// # Errors
    /// [`SendError`] if another message is on its way or the length does not fit.
    pub fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        if self.is_sending() {
            return Err(SendError::Busy);
        }
        if message.is_empty() || message.len() > MESSAGE_MOST {
            return Err(SendError::Length);
        }
        self.outgoing.clear();
        self.outgoing.extend_from_slice(message).map_err(|_| SendError::Length)?;
        self.taken = 0;
        self.sending = Sending::Start;
        Ok(())
    }

    /// Gives up whatever is being sent or received. A frame in a mailbox should be aborted by the caller.
    pub fn reset(&mut self) {
        self.sending = Sending::Idle;
        self.receiving = Receiving::Idle;
        self.in_flight = None;
        self.flow_control = None;
    }

    /// A frame came in; frames with other ids, malformed and unexpected ones are ignored (ISO 15765-2, 9.8.3).
    ///
    /// A single frame ends a message that was coming in; only [`Event::Received`] is reported then. A flow control counts
    /// from the moment the frame it answers was handed out, as the confirmation may be read later than the answer.
    pub fn on_frame(&mut self, now: Instant, frame: &Frame) -> Option<Event> {
        if !frame.has_id(self.rx_id) {
            return None;
        }
        let (&head, rest) = frame.data().split_first()?;
        match head >> 4 {
            0 => self.on_single_frame(head & 0x0F, rest),
            1 => self.on_first_frame(now, head & 0x0F, rest),
            2 => self.on_consecutive_frame(now, head & 0x0F, rest),
            3 => self.on_flow_control(now, head & 0x0F, rest),
            _ => None,
        }
    }

    fn on_single_frame(&mut self, length: u8, rest: &[u8]) -> Option<Event> {
        let payload = rest.get(..usize::from(length)).filter(|payload| !payload.is_empty())?;
        self.receiving = Receiving::Idle;
        self.flow_control = None;
        self.incoming.clear();
        // A buffer shorter than a single frame would be a defect of the configuration; nothing is received then.
        self.incoming.extend_from_slice(payload).ok()?;
        Some(Event::Received)
    }

    fn on_first_frame(&mut self, now: Instant, high: u8, rest: &[u8]) -> Option<Event> {
        let &[low, ref payload @ ..] = rest else { return None };
        let &[a, b, c, d, _, _] = payload else { return None };
        let length = match usize::from(high) << 8 | usize::from(low) {
            // The escape for lengths above 4095: never accepted, but the sender shall learn it at once.
            0 if u32::from_be_bytes([a, b, c, d]) > 4_095 => usize::MAX,
            0..=7 => return None,
            length => length,
        };
        let interrupted = self.is_receiving().then_some(Event::ReceiveFailed(Failure::Interrupted));
        if length > RX {
            self.receiving = Receiving::Idle;
            self.flow_control = Some((FlowStatus::Overflow, now));
            return interrupted;
        }
        self.incoming.clear();
        self.incoming.extend_from_slice(payload).ok()?;
        self.receiving = Receiving::Active { length, next: 1, since: now, left: None, waits: 0 };
        self.flow_control = Some((FlowStatus::Continue, now));
        interrupted
    }

    fn on_consecutive_frame(&mut self, now: Instant, sequence: u8, rest: &[u8]) -> Option<Event> {
        let Receiving::Active { length, next, left, .. } = self.receiving else { return None };
        // A consecutive frame while our flow control is still due was not asked for. One that comes while it is in a
        // mailbox was: only the confirmation is late.
        if self.flow_control.is_some() {
            return None;
        }
        let missing = length.saturating_sub(self.incoming.len());
        let payload = rest.get(..missing.min(7))?;
        if sequence != next {
            self.receiving = Receiving::Idle;
            return Some(Event::ReceiveFailed(Failure::WrongSequenceNumber));
        }
        self.incoming.extend_from_slice(payload).ok()?;
        if self.incoming.len() >= length {
            self.receiving = Receiving::Idle;
            return Some(Event::Received);
        }
        let left = left.map(|left| left.saturating_sub(1));
        if left == Some(0) {
            self.flow_control = Some((FlowStatus::Continue, now));
        }
        self.receiving = Receiving::Active { length, next: next.wrapping_add(1) & 0x0F, since: now, left, waits: 0 };
        None
    }

    fn on_flow_control(&mut self, now: Instant, status: u8, rest: &[u8]) -> Option<Event> {
        let Sending::AwaitFlowControl { waits, .. } = self.sending else { return None };
        let &[block_size, separation, ..] = rest else { return None };
        match status {
            0 => {
                self.peer_gap = SeparationTime::from_byte(separation).gap();
                self.sending = Sending::Gap { due: now, left: (block_size != 0).then_some(block_size) };
                None
            }
            1 if waits < self.config.wait_frames_most => {
                self.sending = Sending::AwaitFlowControl { since: now, waits: waits.saturating_add(1) };
                None
            }
            1 => self.fail_sending(Failure::TooManyWaits),
            2 => self.fail_sending(Failure::Overflow),
            _ => self.fail_sending(Failure::InvalidFlowStatus),
        }
    }

    fn fail_sending(&mut self, failure: Failure) -> Option<Event> {
        self.sending = Sending::Idle;
        if let Some((kind @ InFlight::Data, _)) = &mut self.in_flight {
            *kind = InFlight::Abandoned;
        }
        Some(Event::SendFailed(failure))
    }

    fn fail_receiving(&mut self, failure: Failure) -> Option<Event> {
        self.receiving = Receiving::Idle;
        self.flow_control = None;
        Some(Event::ReceiveFailed(failure))
    }

    /// A frame of ours with this id has left the controller.
    pub fn on_sent(&mut self, now: Instant, id: StandardId) -> Option<Event> {
        if id != self.tx_id {
            return None;
        }
        match self.in_flight.take()?.0 {
            InFlight::Data => self.after_data(now),
            InFlight::FlowControl => {
                self.restart_n_cr(now);
                None
            }
            InFlight::Abandoned => None,
        }
    }

    fn after_data(&mut self, now: Instant) -> Option<Event> {
        match &mut self.sending {
            Sending::Idle => return Some(Event::Sent),
            Sending::Start => {}
            Sending::AwaitFlowControl { since, .. } => *since = now,
            Sending::Gap { due, .. } => *due = now.after(self.peer_gap),
        }
        None
    }

    fn restart_n_cr(&mut self, now: Instant) {
        if let Receiving::Active { since, .. } = &mut self.receiving {
            *since = now;
        }
    }

    /// Checks the time-outs; call it whenever [`Self::wake_at`] has come. Of several that have run out at once each call
    /// reports one.
    pub fn poll(&mut self, now: Instant) -> Option<Event> {
        let past = |due: Option<Instant>| due.is_some_and(|due| now >= due);
        if past(self.transmission_ends()) {
            return self.give_up_transmission();
        }
        if past(self.flow_control_ends()) {
            return self.fail_sending(Failure::NoFlowControl);
        }
        if past(self.waits_end()) {
            return self.fail_receiving(Failure::TooManyWaits);
        }
        if past(self.consecutive_frame_ends()) {
            return self.fail_receiving(Failure::NoConsecutiveFrame);
        }
        None
    }

    /// N_As or N_Ar of the frame in the mailbox.
    fn transmission_ends(&self) -> Option<Instant> {
        self.in_flight.map(|(_, since)| since.after(self.config.n_as))
    }

    /// N_Bs; it starts when the frame has left.
    fn flow_control_ends(&self) -> Option<Instant> {
        match self.sending {
            Sending::AwaitFlowControl { since, .. } if !self.has_in_flight(InFlight::Data) => {
                Some(since.after(self.config.n_bs))
            }
            _ => None,
        }
    }

    /// When one more wait frame would be due, but none is allowed.
    fn waits_end(&self) -> Option<Instant> {
        let (Some((FlowStatus::Continue, due)), Receiving::Active { waits, .. }) = (self.flow_control, self.receiving)
        else {
            return None;
        };
        (self.hold && waits >= self.config.wait_frames_most).then_some(due)
    }

    /// N_Cr; it starts when our flow control has left.
    fn consecutive_frame_ends(&self) -> Option<Instant> {
        match self.receiving {
            Receiving::Active { since, .. }
                if self.flow_control.is_none() && !self.has_in_flight(InFlight::FlowControl) =>
            {
                Some(since.after(self.config.n_cr))
            }
            _ => None,
        }
    }

    fn give_up_transmission(&mut self) -> Option<Event> {
        match self.in_flight.take()?.0 {
            InFlight::FlowControl => self.fail_receiving(Failure::NotTransmitted),
            InFlight::Data | InFlight::Abandoned => self.fail_sending(Failure::NotTransmitted),
        }
    }

    /// The frame that should now go into a mailbox, if any; the channel waits for [`Self::on_sent`] after it.
    pub fn next_frame(&mut self, now: Instant) -> Option<Frame> {
        if self.in_flight.is_some() {
            return None;
        }
        let (frame, kind) = match self.flow_control_frame(now) {
            Some(frame) => (frame, InFlight::FlowControl),
            None => (self.data_frame(now)?, InFlight::Data),
        };
        self.in_flight = Some((kind, now));
        Some(frame)
    }

    fn flow_control_frame(&mut self, now: Instant) -> Option<Frame> {
        let (status, due) = self.flow_control?;
        if now < due || self.waits_end().is_some() {
            return None;
        }
        self.flow_control = None;
        let code = match status {
            FlowStatus::Overflow => 2,
            FlowStatus::Continue if self.hold => self.ask_to_wait(now),
            FlowStatus::Continue => self.open_block(),
        };
        self.frame(&[0x30 | code, self.config.block_size, self.config.separation.to_byte()])
    }

    /// Sends a wait frame; the next flow control is due after half of N_Bs, so that the sender's N_Bs never runs out.
    fn ask_to_wait(&mut self, now: Instant) -> u8 {
        if let Receiving::Active { waits, .. } = &mut self.receiving {
            *waits = waits.saturating_add(1);
        }
        let pause = Duration::from_micros(self.config.n_bs.as_micros() / 2);
        self.flow_control = Some((FlowStatus::Continue, now.after(pause)));
        1
    }

    fn open_block(&mut self) -> u8 {
        if let Receiving::Active { left, waits, .. } = &mut self.receiving {
            *left = (self.config.block_size != 0).then_some(self.config.block_size);
            *waits = 0;
        }
        0
    }

    fn data_frame(&mut self, now: Instant) -> Option<Frame> {
        match self.sending {
            Sending::Start => self.opening_frame(now),
            Sending::Gap { due, left } if now >= due => self.consecutive_frame(now, left),
            _ => None,
        }
    }

    fn opening_frame(&mut self, now: Instant) -> Option<Frame> {
        let length = self.outgoing.len();
        let mut bytes = Vec::<u8, 8>::new();
        self.sending = Sending::Idle;
        if length <= 7 {
            bytes.push(u8::try_from(length).ok()?).ok()?;
            bytes.extend_from_slice(&self.outgoing).ok()?;
            return self.frame(&bytes);
        }
        let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
        bytes.extend_from_slice(&[0x10 | high, low]).ok()?;
        bytes.extend_from_slice(self.outgoing.get(..6)?).ok()?;
        self.taken = 6;
        self.next_sequence = 1;
        self.sending = Sending::AwaitFlowControl { since: now, waits: 0 };
        self.frame(&bytes)
    }

    fn consecutive_frame(&mut self, now: Instant, left: Option<u8>) -> Option<Frame> {
        let end = self.taken.saturating_add(7).min(self.outgoing.len());
        let mut bytes = Vec::<u8, 8>::new();
        self.sending = Sending::Idle;
        bytes.push(0x20 | self.next_sequence).ok()?;
        bytes.extend_from_slice(self.outgoing.get(self.taken..end)?).ok()?;
        self.taken = end;
        self.next_sequence = self.next_sequence.wrapping_add(1) & 0x0F;
        if end < self.outgoing.len() {
            self.sending = match left.map(|left| left.saturating_sub(1)) {
                Some(0) => Sending::AwaitFlowControl { since: now, waits: 0 },
                left => Sending::Gap { due: now, left },
            };
        }
        self.frame(&bytes)
    }

    fn frame(&self, bytes: &[u8]) -> Option<Frame> {
        let Some(padding) = self.config.padding else { return Frame::data_frame(self.tx_id, bytes) };
        let mut padded = [padding; 8];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Frame::data_frame(self.tx_id, &padded)
    }

    /// When [`Self::poll`] and [`Self::next_frame`] should be called next, if nothing else happens; an instant that has
    /// passed means at once.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        let ends = [
            self.transmission_ends(),
            self.flow_control_ends(),
            self.waits_end(),
            self.consecutive_frame_ends(),
            self.frame_due(),
        ];
        ends.into_iter().flatten().min()
    }

    /// When the next frame can be handed out; not while one is in a mailbox.
    fn frame_due(&self) -> Option<Instant> {
        if self.in_flight.is_some() {
            return None;
        }
        let data = match self.sending {
            Sending::Start => Some(Instant::ZERO),
            Sending::Gap { due, .. } => Some(due),
            Sending::Idle | Sending::AwaitFlowControl { .. } => None,
        };
        [data, self.flow_control.map(|(_, due)| due)].into_iter().flatten().min()
    }
}
