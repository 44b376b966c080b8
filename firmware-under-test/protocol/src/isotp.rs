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
//! Time-outs: N_As (our frame does not leave), N_Bs (no flow control comes), N_Cr (no consecutive frame comes).

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
    /// Longest wait for one of our frames to leave.
    pub n_as: Duration,
    /// Longest wait for a flow control.
    pub n_bs: Duration,
    /// Longest wait for a consecutive frame.
    pub n_cr: Duration,
    /// How many wait frames in a row a sender accepts (N_WFTmax), and a receiver sends at most.
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
    /// N_As: our frame did not leave in time.
    NotTransmitted,
    /// N_Bs: no flow control came in time.
    NoFlowControl,
    /// N_Cr: no consecutive frame came in time.
    NoConsecutiveFrame,
    /// A consecutive frame had the wrong sequence number.
    WrongSequenceNumber,
    /// The receiver has no room for the message.
    Overflow,
    /// The receiver asked to wait too often.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlowStatus {
    Continue,
    Wait,
    Overflow,
}

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
    SingleFrame,
    FirstFrame,
    Consecutive { left: Option<u8> },
    FlowControl,
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
    peer_block_size: u8,
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
            peer_block_size: 0,
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

    /// The last message received.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.incoming
    }

    /// Whether a message of ours is on its way.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.sending != Sending::Idle || matches!(self.in_flight, Some((kind, _)) if kind != InFlight::FlowControl)
    }

    /// Whether a message is coming in.
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        self.receiving != Receiving::Idle
    }

    /// While held, the receiver answers a first frame or a full block with wait frames instead of continue.
    pub fn set_hold(&mut self, hold: bool) {
        self.hold = hold;
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

    /// A frame came in; frames with other ids are ignored.
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
        let (&low, payload) = rest.split_first()?;
        let length = usize::from(high) << 8 | usize::from(low);
        if payload.len() != 6 || length <= 7 {
            return None;
        }
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
        // A consecutive frame while our flow control is still due was not asked for.
        if self.flow_control.is_some() {
            return None;
        }
        if sequence != next {
            self.receiving = Receiving::Idle;
            return Some(Event::ReceiveFailed(Failure::WrongSequenceNumber));
        }
        let missing = length.saturating_sub(self.incoming.len());
        let payload = rest.get(..missing.min(7))?;
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
        let failure = match status {
            0 => {
                self.peer_block_size = block_size;
                self.peer_gap = SeparationTime::from_byte(separation).gap();
                self.sending = Sending::Gap { due: now, left: self.fresh_block(block_size) };
                return None;
            }
            1 if waits < self.config.wait_frames_most => {
                self.sending = Sending::AwaitFlowControl { since: now, waits: waits.saturating_add(1) };
                return None;
            }
            1 => Failure::TooManyWaits,
            2 => Failure::Overflow,
            _ => Failure::InvalidFlowStatus,
        };
        self.sending = Sending::Idle;
        Some(Event::SendFailed(failure))
    }

    fn fresh_block(&self, block_size: u8) -> Option<u8> {
        (block_size != 0).then_some(block_size)
    }

    /// A frame of ours with this id has left the controller.
    pub fn on_sent(&mut self, now: Instant, id: StandardId) -> Option<Event> {
        if id != self.tx_id {
            return None;
        }
        match self.in_flight.take()?.0 {
            InFlight::SingleFrame => return Some(Event::Sent),
            InFlight::FirstFrame => self.sending = Sending::AwaitFlowControl { since: now, waits: 0 },
            InFlight::Consecutive { left } => return self.after_consecutive(now, left),
            InFlight::FlowControl => self.restart_n_cr(now),
        }
        None
    }

    fn after_consecutive(&mut self, now: Instant, left: Option<u8>) -> Option<Event> {
        if self.taken >= self.outgoing.len() {
            self.sending = Sending::Idle;
            return Some(Event::Sent);
        }
        self.sending = match left {
            Some(0) => Sending::AwaitFlowControl { since: now, waits: 0 },
            left => Sending::Gap { due: now.after(self.peer_gap), left },
        };
        None
    }

    fn restart_n_cr(&mut self, now: Instant) {
        if let Receiving::Active { since, .. } = &mut self.receiving {
            *since = now;
        }
    }

    /// Checks the time-outs; call it whenever [`Self::wake_at`] has come.
    pub fn poll(&mut self, now: Instant) -> Option<Event> {
        if let Some((kind, since)) = self.in_flight
            && now >= since.after(self.config.n_as)
        {
            return self.give_up_transmission(kind);
        }
        if let Sending::AwaitFlowControl { since, .. } = self.sending
            && now >= since.after(self.config.n_bs)
        {
            self.sending = Sending::Idle;
            return Some(Event::SendFailed(Failure::NoFlowControl));
        }
        if let Receiving::Active { since, .. } = self.receiving
            && self.flow_control.is_none()
            && now >= since.after(self.config.n_cr)
        {
            self.receiving = Receiving::Idle;
            return Some(Event::ReceiveFailed(Failure::NoConsecutiveFrame));
        }
        None
    }

    fn give_up_transmission(&mut self, kind: InFlight) -> Option<Event> {
        self.in_flight = None;
        if kind == InFlight::FlowControl {
            self.receiving = Receiving::Idle;
            self.flow_control = None;
            return Some(Event::ReceiveFailed(Failure::NotTransmitted));
        }
        self.sending = Sending::Idle;
        Some(Event::SendFailed(Failure::NotTransmitted))
    }

    /// The frame that should now go into a mailbox, if any; the channel waits for [`Self::on_sent`] after it.
    pub fn next_frame(&mut self, now: Instant) -> Option<Frame> {
        if self.in_flight.is_some() {
            return None;
        }
        let (frame, kind) = match self.flow_control_frame(now) {
            Some(frame) => (frame, InFlight::FlowControl),
            None => self.data_frame(now)?,
        };
        self.in_flight = Some((kind, now));
        Some(frame)
    }

    fn flow_control_frame(&mut self, now: Instant) -> Option<Frame> {
        let (status, due) = self.flow_control?;
        if now < due {
            return None;
        }
        self.flow_control = None;
        let code = match status {
            FlowStatus::Overflow => 2,
            FlowStatus::Continue | FlowStatus::Wait if self.must_wait(now) => 1,
            FlowStatus::Continue | FlowStatus::Wait => 0,
        };
        self.frame(&[0x30 | code, self.config.block_size, self.config.separation.to_byte()])
    }

    /// Whether the receiver asks the sender to wait; if so the next flow control is due after half of N_Bs.
    fn must_wait(&mut self, now: Instant) -> bool {
        let Receiving::Active { left, waits, .. } = &mut self.receiving else { return false };
        if self.hold && *waits < self.config.wait_frames_most {
            *waits = waits.saturating_add(1);
            let pause = Duration::from_micros(self.config.n_bs.as_micros() / 2);
            self.flow_control = Some((FlowStatus::Wait, now.after(pause)));
            return true;
        }
        *waits = 0;
        *left = (self.config.block_size != 0).then_some(self.config.block_size);
        false
    }

    fn data_frame(&mut self, now: Instant) -> Option<(Frame, InFlight)> {
        match self.sending {
            Sending::Start => self.opening_frame(),
            Sending::Gap { due, left } if now >= due => self.consecutive_frame(left),
            _ => None,
        }
    }

    fn opening_frame(&mut self) -> Option<(Frame, InFlight)> {
        let length = self.outgoing.len();
        self.sending = Sending::Idle;
        if length <= 7 {
            let mut bytes = Vec::<u8, 8>::new();
            bytes.push(u8::try_from(length).ok()?).ok()?;
            bytes.extend_from_slice(&self.outgoing).ok()?;
            return Some((self.frame(&bytes)?, InFlight::SingleFrame));
        }
        let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
        let mut bytes = Vec::<u8, 8>::new();
        bytes.extend_from_slice(&[0x10 | high, low]).ok()?;
        bytes.extend_from_slice(self.outgoing.get(..6)?).ok()?;
        self.taken = 6;
        self.next_sequence = 1;
        Some((self.frame(&bytes)?, InFlight::FirstFrame))
    }

    fn consecutive_frame(&mut self, left: Option<u8>) -> Option<(Frame, InFlight)> {
        let end = self.taken.saturating_add(7).min(self.outgoing.len());
        let mut bytes = Vec::<u8, 8>::new();
        bytes.push(0x20 | self.next_sequence).ok()?;
        bytes.extend_from_slice(self.outgoing.get(self.taken..end)?).ok()?;
        self.taken = end;
        self.next_sequence = self.next_sequence.wrapping_add(1) & 0x0F;
        self.sending = Sending::Idle;
        let left = left.map(|left| left.saturating_sub(1));
        Some((self.frame(&bytes)?, InFlight::Consecutive { left }))
    }

    fn frame(&self, bytes: &[u8]) -> Option<Frame> {
        let Some(padding) = self.config.padding else { return Frame::data_frame(self.tx_id, bytes) };
        let mut padded = [padding; 8];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Frame::data_frame(self.tx_id, &padded)
    }

    /// When [`Self::poll`] or [`Self::next_frame`] should be called next, if nothing else happens.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        if let Some((_, since)) = self.in_flight {
            return Some(since.after(self.config.n_as));
        }
        let sending = match self.sending {
            Sending::Idle => None,
            Sending::Start => Some(Instant::ZERO),
            Sending::AwaitFlowControl { since, .. } => Some(since.after(self.config.n_bs)),
            Sending::Gap { due, .. } => Some(due),
        };
        let receiving = match (self.flow_control, self.receiving) {
            (Some((_, due)), _) => Some(due),
            (None, Receiving::Active { since, .. }) => Some(since.after(self.config.n_cr)),
            (None, Receiving::Idle) => None,
        };
        [sending, receiving].into_iter().flatten().min()
    }
}
