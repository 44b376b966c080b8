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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendError {
    /// Another message is on its way.
    Busy,
    /// Empty, or longer than the buffer or than [`MESSAGE_MOST`].
    Length,
}

/// What our next flow control says, unless the receiver is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum FlowStatus {
    Continue,
    Overflow,
}

/// What comes after the frame in the mailbox, if one is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum InFlight {
    /// Single, first or consecutive frame.
    Data,
    FlowControl,
    /// Data of a message that has failed or was answered since.
    Settled,
}

/// Both directions of one pair of ids, with buffers for `TX` and `RX` bytes.
#[derive(Clone, Debug, Hash)]
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

    /// Whether a frame of ours is in a mailbox, as far as confirmations tell.
    #[must_use]
    pub const fn awaits_confirmation(&self) -> bool {
        self.in_flight.is_some()
    }

    /// The peer has answered our message before its last frame was confirmed: it has left. The confirmation is still
    /// awaited before another frame is handed out, so that it cannot be taken for that frame's.
    ///
    /// `false` if a part of the message was not handed out yet, or nothing awaits confirmation: then the answer cannot be
    /// to this message.
    pub fn settle(&mut self) -> bool {
        match &mut self.in_flight {
            Some((kind @ InFlight::Data, _)) if self.sending == Sending::Idle => {
                *kind = InFlight::Settled;
                true
            }
            _ => false,
        }
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
            *kind = InFlight::Settled;
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
            InFlight::Settled => None,
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
            InFlight::Data | InFlight::Settled => self.fail_sending(Failure::NotTransmitted),
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

#[cfg(test)]
mod tests {
    //! Transcripts. Each line is a time in us, a step, its bytes, and after `=>` the event it must report (none if
    //! there is no arrow). Bytes of frames are written from ISO 15765-2, not taken from a run.
    //!
    //! | step | meaning |
    //! |------|---------|
    //! | send | a message is taken for sending |
    //! | out  | exactly this frame is handed out |
    //! | quiet| nothing is handed out |
    //! | sent | the frame in the mailbox left |
    //! | in   | a frame arrives |
    //! | poll | time-outs are checked |
    //! | wake | `wake_at` is this many us, or `never` |
    //! | settle | the peer's answer proves that our message left: `taken` or `refused` |
    //! | hold | the receiver is held, `release` ends it |
    use super::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec as StdVec;

    type Small = Channel<64, 64>;

    fn channel<const TX: usize, const RX: usize>(config: Config) -> Channel<TX, RX> {
        Channel::new(config, StandardId::new(0x781).unwrap(), StandardId::new(0x701).unwrap())
    }

    fn bytes(words: &[&str]) -> StdVec<u8> {
        words.iter().map(|word| u8::from_str_radix(word, 16).unwrap()).collect()
    }

    fn play<const TX: usize, const RX: usize>(channel: &mut Channel<TX, RX>, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (step, expected) = line.split_once("=>").unwrap_or((line, ""));
            let words: StdVec<&str> = step.split_whitespace().collect();
            let now = Instant::from_micros(words[0].parse().unwrap());
            let event = do_step(channel, now, words[1], &words[2..], line);
            let event = event.map(|event| format!("{event:?}")).unwrap_or_default();
            assert_eq!(event, expected.trim(), "in: {line}");
        }
    }

    fn do_step<const TX: usize, const RX: usize>(
        channel: &mut Channel<TX, RX>,
        now: Instant,
        verb: &str,
        rest: &[&str],
        line: &str,
    ) -> Option<Event> {
        match verb {
            "send" => channel.send(&bytes(rest)).unwrap(),
            "out" => {
                let frame = channel.next_frame(now).unwrap_or_else(|| panic!("nothing handed out: {line}"));
                assert!(frame.has_id(channel.tx_id()), "{line}");
                assert_eq!(frame.data(), bytes(rest), "{line}");
            }
            "quiet" => assert_eq!(channel.next_frame(now), None, "{line}"),
            "sent" => return channel.on_sent(now, channel.tx_id()),
            "in" => return channel.on_frame(now, &Frame::data_frame(channel.rx_id(), &bytes(rest)).unwrap()),
            "poll" => return channel.poll(now),
            "wake" => {
                let wake = channel.wake_at().map_or(String::from("never"), |at| format!("{}", at.as_micros()));
                assert_eq!(wake, rest[0], "{line}");
            }
            "settle" => assert_eq!(channel.settle(), rest == ["taken"], "{line}"),
            "hold" => channel.set_hold(true),
            "release" => channel.set_hold(false),
            other => panic!("unknown step {other}"),
        }
        None
    }

    const NO_PADDING: Config = Config { padding: None, ..Config::DEFAULT };

    /// A known example: identifier F190 (VIN) with "W0L000043MB541326", 20 bytes.
    const VIN: &[u8] = b"\x62\xF1\x90W0L000043MB541326";

    #[test]
    fn the_vin_response_is_received() {
        let mut channel = channel::<64, 64>(Config::DEFAULT);
        play(
            &mut channel,
            "0    in    10 14 62 F1 90 57 30 4C
             0    wake  0
             0    out   30 08 F5 AA AA AA AA AA
             300  sent
             300  wake  1000300
             900  in    21 30 30 30 30 34 33 4D
             2000 in    22 42 35 34 31 33 32 36 => Received
             2000 wake  never",
        );
        assert_eq!(channel.message(), VIN);
    }

    #[test]
    fn the_vin_response_is_sent_with_the_gap_asked_for() {
        let mut channel = channel::<64, 64>(NO_PADDING);
        play(
            &mut channel,
            "0     send  62 F1 90 57 30 4C 30 30 30 30 34 33 4D 42 35 34 31 33 32 36
             0     wake  0
             0     out   10 14 62 F1 90 57 30 4C
             0     quiet
             250   sent
             250   wake  1000250
             900   in    30 00 14
             900   out   21 30 30 30 30 34 33 4D
             1200  sent
             1200  wake  21200
             21199 quiet
             21200 out   22 42 35 34 31 33 32 36
             21500 sent  => Sent
             21500 wake  never",
        );
    }

    #[test]
    fn single_frames_are_padded_or_short() {
        play(
            &mut channel::<64, 64>(Config::DEFAULT),
            "0 send 3E 00
             0 out  02 3E 00 AA AA AA AA AA
             9 sent => Sent",
        );
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0 send 3E 00
             0 out  02 3E 00
             9 sent => Sent
             9 send 01 02 03 04 05 06 07
             9 out  07 01 02 03 04 05 06 07",
        );
    }

    #[test]
    fn an_answered_message_keeps_the_next_one_back_until_its_confirmation() {
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0   settle refused
             0   send 3E 00
             0   settle refused
             0   out  02 3E 00
             900 in   02 7E 00 => Received
             900 settle taken
             900 send 11 01
             900 quiet
             950 sent
             950 out  02 11 01
             990 sent => Sent
             990 settle refused",
        );
    }

    #[test]
    fn a_message_of_which_frames_are_left_cannot_have_been_answered() {
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0 send 01 02 03 04 05 06 07 08
             0 out  10 08 01 02 03 04 05 06
             1 settle refused
             2 in   30 00 00
             3 sent
             3 settle refused
             3 out  21 07 08
             4 settle taken",
        );
    }

    #[test]
    fn an_answered_message_whose_confirmation_never_comes_ends_by_n_as() {
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0       send 3E 00
             0       out  02 3E 00
             900     settle taken
             900     send 11 01
             900     wake 1000000
             1000000 poll => SendFailed(NotTransmitted)",
        );
    }

    #[test]
    fn the_last_consecutive_frame_is_padded() {
        play(
            &mut channel::<64, 64>(Config::DEFAULT),
            "0 send 01 02 03 04 05 06 07 08
             0 out  10 08 01 02 03 04 05 06
             1 sent
             2 in   30 00 00
             2 out  21 07 08 AA AA AA AA AA
             3 sent => Sent",
        );
    }

    #[test]
    fn a_block_ends_with_a_flow_control_for_sender_and_receiver() {
        let config = Config { block_size: 1, separation: SeparationTime::from_byte(0), ..NO_PADDING };
        play(
            &mut channel::<64, 64>(config),
            "0 in   10 15 00 01 02 03 04 05
             0 out  30 01 00
             1 sent
             2 in   21 06 07 08 09 0A 0B 0C
             2 out  30 01 00
             3 sent
             4 in   22 0D 0E 0F 10 11 12 13
             4 out  30 01 00
             5 sent
             6 in   23 14 => Received
             6 wake never",
        );
        play(
            &mut channel::<64, 64>(config),
            "0 send 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14
             0 out  10 15 00 01 02 03 04 05
             1 sent
             2 in   30 02 00
             2 out  21 06 07 08 09 0A 0B 0C
             3 sent
             3 out  22 0D 0E 0F 10 11 12 13
             4 sent
             4 quiet
             4 wake 1000004
             5 in   30 02 00
             5 out  23 14
             6 sent => Sent",
        );
    }

    #[test]
    fn time_outs_are_named_and_the_channel_stays_usable() {
        let mut channel = channel::<64, 64>(NO_PADDING);
        play(
            &mut channel,
            "0       send 01 02 03 04 05 06 07 08
             0       out  10 08 01 02 03 04 05 06
             999999  poll
             1000000 poll => SendFailed(NotTransmitted)
             1000000 wake never
             1000000 send 01 02 03 04 05 06 07 08
             1000000 out  10 08 01 02 03 04 05 06
             1500000 sent
             2499999 poll
             2500000 poll => SendFailed(NoFlowControl)
             2600000 in   30 00 00
             2600000 quiet
             3000000 in   10 08 01 02 03 04 05 06
             3000000 out  30 08 F5
             3900000 poll
             4000000 poll => ReceiveFailed(NotTransmitted)
             5000000 in   10 08 01 02 03 04 05 06
             5000000 out  30 08 F5
             5100000 sent
             6099999 poll
             6100000 poll => ReceiveFailed(NoConsecutiveFrame)
             6100001 in   21 07 08
             6100002 in   02 3E 00 => Received
             6100002 wake never",
        );
        assert_eq!(channel.message(), [0x3E, 0x00]);
    }

    #[test]
    fn an_answer_read_before_the_confirmation_counts() {
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0   send 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E
             0   out  10 0E 01 02 03 04 05 06
             500 in   30 01 00
             501 quiet
             502 sent
             502 out  21 07 08 09 0A 0B 0C 0D
             600 in   30 00 00
             601 sent
             601 out  22 0E
             700 sent => Sent",
        );
    }

    #[test]
    fn a_refusal_read_before_the_confirmation_ends_the_message_once() {
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0   send 01 02 03 04 05 06 07 08
             0   out  10 08 01 02 03 04 05 06
             500 in   32 00 00 => SendFailed(Overflow)
             500 send 3E 00
             501 quiet
             502 sent
             502 out  02 3E 00
             503 sent => Sent",
        );
    }

    #[test]
    fn consecutive_frames_read_before_the_confirmation_of_our_flow_control_count() {
        let config = Config { block_size: 1, ..NO_PADDING };
        play(
            &mut channel::<64, 64>(config),
            "0 in  10 10 00 01 02 03 04 05
             0 out 30 01 F5
             5 in  21 06 07 08 09 0A 0B 0C
             5 quiet
             6 sent
             6 out 30 01 F5
             7 in  22 0D 0E 0F => Received
             8 sent
             8 wake never",
        );
    }

    #[test]
    fn a_consecutive_frame_before_our_flow_control_was_handed_out_is_ignored() {
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0 in  10 08 00 01 02 03 04 05
             1 in  21 06 07
             2 out 30 08 F5
             3 sent
             4 in  21 06 07 => Received",
        );
    }

    #[test]
    fn wait_frames_are_sent_while_held_and_a_release_continues_at_once() {
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0       hold
             0       in   10 08 00 01 02 03 04 05
             0       out  31 08 F5
             100     sent
             100     wake 500000
             499999  quiet
             500000  out  31 08 F5
             1100000 poll
             1100001 sent
             1200000 out  31 08 F5
             1200001 sent
             1300000 release
             1300000 wake 0
             1300000 out  30 08 F5
             1300001 sent
             1300002 in   21 06 07 => Received",
        );
    }

    #[test]
    fn a_receiver_held_for_too_long_gives_up_and_never_continues() {
        play(
            &mut channel::<64, 64>(Config { wait_frames_most: 1, ..NO_PADDING }),
            "0      hold
             0      in   10 08 00 01 02 03 04 05
             0      out  31 08 F5
             1      sent
             500000 quiet
             500000 wake 500000
             500000 poll => ReceiveFailed(TooManyWaits)
             500000 quiet
             500000 wake never",
        );
    }

    #[test]
    fn a_sender_accepts_only_so_many_wait_frames_in_a_row() {
        play(
            &mut channel::<64, 64>(Config { wait_frames_most: 2, ..NO_PADDING }),
            "0       send 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E
             0       out  10 0F 00 01 02 03 04 05
             1       sent
             900000  in   31 00 00
             900000  wake 1900000
             1800000 in   31 00 00
             1900000 in   30 01 00
             1900000 out  21 06 07 08 09 0A 0B 0C
             1900001 sent
             1900002 in   31 00 00
             1900003 in   31 00 00
             1900004 in   31 00 00 => SendFailed(TooManyWaits)",
        );
    }

    #[test]
    fn a_sender_obeys_overflow_and_refuses_unknown_flow_status() {
        for (status, failure) in [("32", "Overflow"), ("33", "InvalidFlowStatus"), ("3F", "InvalidFlowStatus")] {
            let script = format!(
                "0 send 00 01 02 03 04 05 06 07
                 0 out  10 08 00 01 02 03 04 05
                 1 sent
                 2 in   {status} 00 00 => SendFailed({failure})
                 2 quiet"
            );
            play(&mut channel::<64, 64>(NO_PADDING), &script);
        }
    }

    #[test]
    fn a_receiver_without_room_says_so() {
        // 65 bytes for a buffer of 64, and the 32-bit length of ISO 15765-2:2016.
        for first in ["10 41 00 01 02 03 04 05", "10 00 00 00 10 00 04 05"] {
            let script = format!("0 in {first}\n0 out 32 08 F5\n1 sent\n1 wake never\n2 in 21 06 07 08 09 0A 0B 0C");
            play(&mut channel::<64, 64>(NO_PADDING), &script);
        }
    }

    #[test]
    fn a_new_first_frame_interrupts_and_is_then_received() {
        let mut channel = channel::<64, 64>(NO_PADDING);
        play(
            &mut channel,
            "0 in   10 09 00 01 02 03 04 05
             0 out  30 08 F5
             1 sent
             2 in   10 08 F0 F1 F2 F3 F4 F5 => ReceiveFailed(Interrupted)
             2 out  30 08 F5
             3 sent
             4 in   21 F6 F7 => Received",
        );
        assert_eq!(channel.message(), [0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7]);
    }

    #[test]
    fn a_single_frame_replaces_what_was_coming_in() {
        let mut channel = channel::<64, 64>(NO_PADDING);
        play(
            &mut channel,
            "0 in   10 08 00 01 02 03 04 05
             0 in   02 3E 00 => Received
             0 quiet
             0 wake never",
        );
        assert_eq!(channel.message(), [0x3E, 0x00]);
    }

    #[test]
    fn sequence_numbers_wrap_from_15_to_0_and_gaps_are_refused() {
        let mut channel = channel::<128, 128>(Config { block_size: 0, ..NO_PADDING });
        // 6 + 16 * 7 = 118 bytes, so the sixteenth consecutive frame has number 0.
        play(&mut channel, "0 in 10 76 00 00 00 00 00 00\n0 out 30 00 F5\n1 sent");
        for number in (1..=15).chain([0]) {
            let end = if number == 0 { "=> Received" } else { "" };
            play(&mut channel, &format!("2 in 2{number:X} 01 02 03 04 05 06 07 {end}"));
        }
        assert_eq!(channel.message().len(), 118);
        play(
            &mut channel,
            "3 in  10 76 00 00 00 00 00 00
             3 out 30 00 F5
             4 sent
             5 in  21 01 02 03 04 05 06 07
             6 in  21 01 02 03 04 05 06 07 => ReceiveFailed(WrongSequenceNumber)
             6 wake never",
        );
    }

    #[test]
    fn malformed_and_unexpected_frames_are_ignored() {
        let mut channel: Small = channel(NO_PADDING);
        for frame in [
            "",                        // no byte at all
            "00 01 02 03 04 05 06 07", // single frame of length 0
            "08 01 02 03 04 05 06 07", // single frame longer than 7
            "03 01 02",                // single frame that is cut off
            "10",                      // first frame without a length
            "10 08 01 02 03 04 05",    // first frame of less than 8 bytes
            "10 07 01 02 03 04 05 06", // first frame that had to be a single frame
            "10 00 00 00 0F FF 05 06", // escape for a length that needs none
            "21 01 02 03 04 05 06 07", // consecutive frame out of nowhere
            "30 00 00",                // flow control out of nowhere
            "40 00 00",                // reserved frame types
            "F0 00 00",
        ] {
            play(&mut channel, &format!("0 in {frame}\n0 quiet\n0 wake never"));
        }
    }

    #[test]
    fn a_short_consecutive_frame_is_ignored_and_a_short_flow_control_too() {
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0 in  10 08 00 01 02 03 04 05
             0 out 30 08 F5
             1 sent
             2 in  21 06
             3 in  21 06 07 => Received
             4 send 00 01 02 03 04 05 06 07
             4 out  10 08 00 01 02 03 04 05
             5 sent
             6 in   30 00
             6 quiet",
        );
    }

    #[test]
    fn a_flow_control_is_handed_out_when_the_own_consecutive_frame_has_left() {
        let mut channel = channel::<64, 64>(NO_PADDING);
        play(
            &mut channel,
            "0  send 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E
             0  out  10 0F 00 01 02 03 04 05
             1  sent
             2  in   30 00 00
             2  out  21 06 07 08 09 0A 0B 0C
             3  in   10 08 F0 F1 F2 F3 F4 F5
             3  quiet
             4  sent
             4  out  30 08 F5
             4  quiet
             5  in   21 F6 F7 => Received
             6  sent
             6  out  22 0D 0E
             7  sent => Sent
             7  wake never",
        );
        assert_eq!(channel.message(), [0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7]);
    }

    #[test]
    fn a_flow_control_in_a_mailbox_hides_no_time_out_of_the_other_direction() {
        play(
            &mut channel::<64, 64>(NO_PADDING),
            "0       send 00 01 02 03 04 05 06 07
             0       out  10 08 00 01 02 03 04 05
             1       sent
             900000  in   10 08 F0 F1 F2 F3 F4 F5
             900000  out  30 08 F5
             900000  wake 1000001
             1000001 poll => SendFailed(NoFlowControl)
             1000001 wake 1900000
             1900000 poll => ReceiveFailed(NotTransmitted)",
        );
    }

    #[test]
    fn only_one_message_is_taken_and_only_of_a_length_that_fits() {
        let mut channel: Small = channel(NO_PADDING);
        assert_eq!(channel.send(&[]), Err(SendError::Length));
        assert_eq!(channel.send(&[0; 65]), Err(SendError::Length));
        assert!(!channel.is_sending());
        assert_eq!(channel.send(&[0; 64]), Ok(()));
        assert_eq!(channel.send(&[0]), Err(SendError::Busy));
        let mut large: Channel<5_000, 8> = Channel::new(NO_PADDING, channel.tx_id(), channel.rx_id());
        assert_eq!(large.send(&[0; 4_096]), Err(SendError::Length));
        assert_eq!(large.send(&[0; 4_095]), Ok(()));
    }

    #[test]
    fn a_reset_forgets_both_directions() {
        let mut channel: Small = channel(NO_PADDING);
        play(&mut channel, "0 in 10 08 00 01 02 03 04 05\n0 send 3E 00\n0 out 30 08 F5");
        channel.reset();
        assert!(!channel.is_sending() && !channel.is_receiving());
        play(&mut channel, "1 sent\n1 in 21 06 07\n1 quiet\n1 wake never\n1 send 3E 00\n1 out 02 3E 00");
    }

    #[test]
    fn separation_times_are_read_as_the_standard_says() {
        // ISO 15765-2, table of STmin: 00..7F ms, F1..F9 100 us each, everything else means 127 ms.
        for (byte, us) in [(0x00, 0), (0x01, 1_000), (0x7F, 127_000), (0xF1, 100), (0xF9, 900)] {
            assert_eq!(SeparationTime::from_byte(byte).gap(), Duration::from_micros(us));
            assert_eq!(SeparationTime::from_byte(byte).to_byte(), byte);
        }
        for byte in (0x80..=0xF0).chain(0xFA..=0xFF) {
            assert_eq!(SeparationTime::from_byte(byte).gap(), Duration::from_millis(127), "{byte:02X}");
        }
    }

    #[test]
    fn separation_times_round_up() {
        for (us, byte) in
            [(0, 0x00), (1, 0xF1), (100, 0xF1), (101, 0xF2), (900, 0xF9), (901, 0x01), (1_001, 0x02), (200_000, 0x7F)]
        {
            assert_eq!(SeparationTime::at_least(Duration::from_micros(us)).to_byte(), byte, "{us} us");
        }
    }
}
