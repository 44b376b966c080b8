//! Bits through a disturbed frame: errors, flags, counters, recovery.
//!
//! A clean frame with one sender needs no bits: its length is known. Anything else (a hit bit, a lone sender, two
//! senders, a sender that lost power, a stuck line) is played here bit by bit with every station of the segment, so
//! that the error counters follow from the rules of the Bosch specification and not from a list of special cases.
//! Words: a *station* is one controller as the line sees it; its *role* is sender or receiver of the present frame; a
//! *flag* is an error flag (six dominant bits, or six recessive ones of an error-passive station); an *exchange* runs
//! from SOF to the instant at which every station is ready for the next SOF.
//! Left out: clock tolerance and propagation delay (all stations sample the same bit), and hits while the line is idle.

use super::wire::{Bits, Decoder, Heard, INTERMISSION};
use crate::node::NodeId;

/// TEC or REC from which a station is error-passive (rule 9).
pub const PASSIVE_FROM: u16 = 128;
/// TEC from which a station is bus-off (rule 10).
pub const BUS_OFF_FROM: u16 = 256;
/// REC stops here: eight bits.
const REC_MOST: u16 = 255;
/// A good reception with REC above 127 sets it to a value from 119 to 127 (rule 8); this is the one of bxCAN.
const REC_AFTER_PASSIVE: u16 = 120;
const FLAG_BITS: u8 = 6;
const DELIMITER_BITS: u8 = 8;

/// The kinds of error of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A station sees another level than it drives.
    Bit,
    /// Six equal bits in the stuffed part.
    Stuff,
    /// The checksum does not match.
    Crc,
    /// A dominant bit where the format wants a recessive one.
    Form,
    /// Nobody acknowledges.
    Ack,
}

/// The error counters of a station.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Transmit error counter, 0 to 256.
    pub tec: u16,
    /// Receive error counter, 0 to 255.
    pub rec: u16,
}

impl Counters {
    /// Whether a station with these counters is error-passive.
    #[must_use]
    pub fn passive(self) -> bool {
        self.tec >= PASSIVE_FROM || self.rec >= PASSIVE_FROM
    }

    /// Whether a station with these counters is bus-off.
    #[must_use]
    pub fn bus_off(self) -> bool {
        self.tec >= BUS_OFF_FROM
    }

    /// Rule 7.
    pub fn sent_well(&mut self) {
        self.tec = self.tec.saturating_sub(1);
    }

    /// Rule 8.
    pub fn received_well(&mut self) {
        self.rec = if self.rec >= PASSIVE_FROM { REC_AFTER_PASSIVE } else { self.rec.saturating_sub(1) };
    }

    fn step(&mut self, role: Role, by: u16) {
        match role {
            Role::Sender => self.tec = (self.tec + by).min(BUS_OFF_FROM),
            Role::Receiver => self.rec = (self.rec + by).min(REC_MOST),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    Sender,
    Receiver,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Sending(Box<Bits>),
    Receiving(Decoder),
    ActiveFlag {
        sent: u8,
    },
    /// Complete after six equal bits; `unanswered`: an ACK error that counts only if a dominant bit shows up.
    PassiveFlag {
        equal: u8,
        last: bool,
        unanswered: bool,
    },
    OverloadFlag {
        sent: u8,
    },
    /// After a flag, until the line is recessive.
    AwaitRecessive {
        dominant: u8,
        after_error: bool,
    },
    Delimiter {
        seen: u8,
    },
    Intermission {
        seen: u8,
    },
    Idle,
    BusOff,
}

/// What one bit brought about, as masks of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Happened {
    /// Stations that sent their frame well.
    pub(super) sent: u32,
    /// Stations that received the frame well.
    pub(super) received: u32,
    /// Stations that detected an error.
    pub(super) errors: u32,
    /// Kind of error of the first of them, a sender before receivers.
    pub(super) kind: Option<ErrorKind>,
    /// Stations whose counters changed.
    pub(super) counted: u32,
}

impl Happened {
    /// Whether anything did.
    #[must_use]
    pub(super) fn anything(&self) -> bool {
        *self != Self::default()
    }
}

/// The level of a line that does not follow its drivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Line {
    /// Dominant if anyone drives it so.
    #[default]
    Wired,
    /// Always dominant.
    StuckDominant,
    /// Always recessive.
    StuckRecessive,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Station {
    node: NodeId,
    role: Role,
    counters: Counters,
    state: State,
}

impl Station {
    fn is_out_of_step(&self) -> bool {
        let held = matches!(self.state, State::PassiveFlag { .. } | State::AwaitRecessive { .. });
        let late = matches!(self.state, State::Delimiter { .. } | State::Intermission { .. });
        (held || late) && self.counters.passive()
    }

    fn drives_recessive(&self, at: u32) -> bool {
        match &self.state {
            State::Sending(bits) => bits.recessive(at),
            State::Receiving(decoder) => !decoder.acknowledges(),
            State::ActiveFlag { .. } | State::OverloadFlag { .. } => false,
            _ => true,
        }
    }

    fn sample(&mut self, at: u32, recessive: bool, happened: &mut Happened) {
        let before = self.counters;
        match &mut self.state {
            State::Sending(_) => self.sample_sending(at, recessive, happened),
            State::Receiving(decoder) => {
                let heard = decoder.hear(recessive);
                self.heard(heard, happened);
            }
            State::ActiveFlag { .. } | State::OverloadFlag { .. } if recessive => {
                // Rules 4 and 5: a bit error inside its own flag begins a new one.
                self.error(ErrorKind::Bit, 8, happened);
            }
            State::ActiveFlag { sent } => {
                *sent += 1;
                if *sent == FLAG_BITS {
                    self.state = State::AwaitRecessive { dominant: 0, after_error: true };
                }
            }
            State::OverloadFlag { sent } => {
                *sent += 1;
                if *sent == FLAG_BITS {
                    self.state = State::AwaitRecessive { dominant: 0, after_error: false };
                }
            }
            State::PassiveFlag { .. } => self.sample_passive_flag(recessive),
            State::AwaitRecessive { .. } => self.sample_after_flag(recessive),
            State::Delimiter { seen } => {
                *seen += 1;
                match (*seen == DELIMITER_BITS, recessive) {
                    (false, true) => {}
                    (true, true) => self.state = State::Intermission { seen: 0 },
                    (true, false) => self.state = State::OverloadFlag { sent: 0 },
                    (false, false) => self.role_error(ErrorKind::Form, happened),
                }
            }
            State::Intermission { seen } => {
                *seen += 1;
                let last = u32::from(*seen) == INTERMISSION;
                match (last, recessive) {
                    (false, true) => {}
                    (true, true) => self.state = State::Idle,
                    (false, false) => self.state = State::OverloadFlag { sent: 0 },
                    (true, false) => self.hear_start(),
                }
            }
            State::Idle if !recessive => self.hear_start(),
            State::Idle | State::BusOff => {}
        }
        if self.counters.bus_off() {
            self.state = State::BusOff;
        }
        if self.counters != before {
            happened.counted |= self.node.bit();
        }
    }

    fn hear_start(&mut self) {
        let mut decoder = Decoder::default();
        decoder.hear(false);
        self.role = Role::Receiver;
        self.state = State::Receiving(decoder);
    }

    fn heard(&mut self, heard: Heard, happened: &mut Happened) {
        match heard {
            Heard::More => {}
            Heard::StuffError => self.error(ErrorKind::Stuff, 1, happened),
            Heard::FormError => self.error(ErrorKind::Form, 1, happened),
            Heard::CrcError => self.error(ErrorKind::Crc, 1, happened),
            Heard::Received { overload } => {
                self.counters.received_well();
                happened.received |= self.node.bit();
                self.state = if overload { State::OverloadFlag { sent: 0 } } else { State::Intermission { seen: 0 } };
            }
        }
    }

    fn sample_sending(&mut self, at: u32, recessive: bool, happened: &mut Happened) {
        let State::Sending(bits) = &self.state else { return };
        let (drives, in_arbitration, stuff) = (bits.recessive(at), bits.in_arbitration(at), bits.is_stuff(at));
        let (delimiter, ack, last) = (bits.crc_delimiter(), bits.ack_slot(), bits.len() - 1);
        if at == ack {
            if recessive {
                self.no_acknowledgement(happened);
            }
        } else if drives == recessive {
            if at == last {
                self.counters.sent_well();
                happened.sent |= self.node.bit();
                self.state = State::Intermission { seen: 0 };
            }
        } else if in_arbitration && drives && stuff {
            // Rule 3, second exception: a recessive stuff bit overruled during arbitration is not the sender's fault.
            self.error(ErrorKind::Stuff, 0, happened);
        } else if in_arbitration && drives {
            self.lose_arbitration(at);
        } else {
            self.error(if at < delimiter { ErrorKind::Bit } else { ErrorKind::Form }, 8, happened);
        }
    }

    /// Goes on as a receiver of what was on the line so far: its own bits, and a dominant one now.
    fn lose_arbitration(&mut self, at: u32) {
        let State::Sending(bits) = &self.state else { return };
        let mut decoder = Decoder::default();
        for bit in 0..at {
            decoder.hear(bits.recessive(bit));
        }
        decoder.hear(false);
        self.role = Role::Receiver;
        self.state = State::Receiving(decoder);
    }

    fn no_acknowledgement(&mut self, happened: &mut Happened) {
        if self.counters.passive() {
            // Rule 3, first exception: nothing is counted unless a dominant bit follows during the flag.
            self.error(ErrorKind::Ack, 0, happened);
            if let State::PassiveFlag { unanswered, .. } = &mut self.state {
                *unanswered = true;
            }
        } else {
            self.error(ErrorKind::Ack, 8, happened);
        }
    }

    /// An error outside the frame proper: rule 3 for the sender, rule 1 for a receiver.
    fn role_error(&mut self, kind: ErrorKind, happened: &mut Happened) {
        self.error(kind, if self.role == Role::Sender { 8 } else { 1 }, happened);
    }

    fn error(&mut self, kind: ErrorKind, by: u16, happened: &mut Happened) {
        // The error that makes a station passive still sends an active flag (rule 9), so the old state decides.
        self.state = if self.counters.passive() {
            State::PassiveFlag { equal: 0, last: true, unanswered: false }
        } else {
            State::ActiveFlag { sent: 0 }
        };
        self.counters.step(self.role, by);
        if happened.kind.is_none() || self.role == Role::Sender {
            happened.kind = Some(kind);
        }
        happened.errors |= self.node.bit();
    }

    fn sample_passive_flag(&mut self, recessive: bool) {
        let State::PassiveFlag { equal, last, unanswered } = &mut self.state else { return };
        *equal = if *equal > 0 && *last == recessive { *equal + 1 } else { 1 };
        *last = recessive;
        let count_now = *unanswered && !recessive;
        *unanswered &= !count_now;
        if *equal == FLAG_BITS {
            self.state = State::AwaitRecessive { dominant: 0, after_error: true };
        }
        if count_now {
            self.counters.step(self.role, 8);
        }
    }

    fn sample_after_flag(&mut self, recessive: bool) {
        let State::AwaitRecessive { dominant, after_error } = &mut self.state else { return };
        if recessive {
            self.state = State::Delimiter { seen: 1 };
            return;
        }
        *dominant += 1;
        // Rule 2 at the first bit, for a receiver after an error flag; rule 6 at every eighth.
        let first = *dominant == 1 && *after_error && self.role == Role::Receiver;
        let eighth = *dominant == 8;
        if first {
            self.counters.step(Role::Receiver, 8);
        }
        if eighth {
            // Eight further bits count again, the first of them no longer as rule 2.
            self.state = State::AwaitRecessive { dominant: 0, after_error: false };
            self.counters.step(self.role, 8);
        }
    }
}

/// One frame attempt played bit by bit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Exchange {
    at: u64,
    line: Line,
    stations: Vec<Station>,
    /// The line so far: bits in a row that were recessive, then dominant, and so on.
    runs: Vec<u32>,
}

impl Exchange {
    /// An exchange whose first bit comes next, with nobody in it.
    #[must_use]
    pub(super) fn new(line: Line) -> Self {
        Self { at: 0, line, stations: Vec::new(), runs: vec![0] }
    }

    /// Adds a station that sends `bits`, or listens.
    pub(super) fn add(&mut self, node: NodeId, counters: Counters, bits: Option<Bits>) {
        let (role, state) = match bits {
            Some(bits) => (Role::Sender, State::Sending(Box::new(bits))),
            None => (Role::Receiver, State::Idle),
        };
        self.stations.push(Station { node, role, counters, state });
    }

    /// The bit that comes next, counted from SOF.
    #[must_use]
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Goes to bit `at` without playing the bits before: for a line that nothing changes any more.
    pub(super) fn skip_to(&mut self, at: u64) {
        if let Some(run) = self.runs.last_mut() {
            *run = run.saturating_add(u32::try_from(at.saturating_sub(self.at)).unwrap_or(u32::MAX));
        }
        self.at = self.at.max(at);
    }

    /// The levels of the line so far, as [`super::BusRecord::Levels`] has them.
    #[must_use]
    pub(super) fn runs(&self) -> &[u32] {
        &self.runs
    }

    fn note_level(&mut self, recessive: bool) {
        // Runs at even places are recessive.
        let goes_on = recessive == (self.runs.len() % 2 == 1);
        match self.runs.last_mut().filter(|_| goes_on) {
            Some(run) => *run += 1,
            None => self.runs.push(1),
        }
    }

    /// From now on the line behaves so.
    pub(super) fn set_line(&mut self, line: Line) {
        self.line = line;
    }

    /// Takes every station out of which `gone` has the bit: without power, unplugged or behind a break.
    pub(super) fn remove(&mut self, gone: u32) {
        self.stations.retain(|station| station.node.bit() & gone == 0);
    }

    /// Plays one bit, which the nodes in `flipped` read inverted.
    pub(super) fn step(&mut self, flipped: u32) -> Happened {
        let at = u32::try_from(self.at).unwrap_or(u32::MAX);
        self.at += 1;
        let recessive = match self.line {
            Line::Wired => self.stations.iter().all(|station| station.drives_recessive(at)),
            Line::StuckDominant => false,
            Line::StuckRecessive => true,
        };
        self.note_level(recessive);
        let mut happened = Happened::default();
        for station in &mut self.stations {
            let flip = station.node.bit() & flipped != 0;
            station.sample(at, recessive != flip, &mut happened);
        }
        happened
    }

    /// Whether every station is ready for the next SOF. An error-passive receiver that fell out of step does not hold
    /// up the others: it falls in again with the next frame.
    #[must_use]
    pub(super) fn finished(&self) -> bool {
        let mut ready = 0;
        let mut waiting = 0;
        for station in &self.stations {
            match &station.state {
                State::Idle => ready += 1,
                State::BusOff => {}
                _ if station.role == Role::Receiver && station.is_out_of_step() => waiting += 1,
                _ => return false,
            }
        }
        ready > 0 || waiting == 0
    }

    /// The counters of every station.
    pub(super) fn counters(&self) -> impl Iterator<Item = (NodeId, Counters)> + '_ {
        self.stations.iter().map(|station| (station.node, station.counters))
    }

    /// Error-passive stations that were senders: they suspend transmission.
    #[must_use]
    pub(super) fn suspended(&self) -> u32 {
        let senders = self.stations.iter().filter(|s| s.role == Role::Sender && s.counters.passive());
        senders.fold(0, |mask, station| mask | station.node.bit())
    }
}
