//! One ISO-TP channel against arbitrary frames, confirmations, delays and commands.
//!
//! Watched from outside: no frame is handed out while another is in the mailbox, every message taken for sending ends
//! in exactly one event, `wake_at` never asks for a time that has been served, and when nothing more happens the channel
//! comes to rest by its own time-outs and works again.

use embedded_can::StandardId;
use protocol::Frame;
use protocol::isotp::{Channel, Config, Event, Failure, SeparationTime};
use units::{Duration, Instant};

const TX: usize = 64;
const RX: usize = 48;

struct Bench {
    channel: Channel<TX, RX>,
    padded: bool,
    now: Instant,
    /// A frame was handed out and neither confirmed nor given up.
    mailbox: bool,
    /// A message was taken and has not ended.
    message: bool,
}

/// Two bytes of configuration, then steps.
pub(crate) fn run(data: &[u8]) {
    let Some((&[blocks, separation], mut steps)) = data.split_first_chunk::<2>() else { return };
    let mut bench = Bench::new(blocks, separation);
    while let Some((&step, rest)) = steps.split_first() {
        steps = bench.step(step, rest);
        bench.serve();
    }
    bench.comes_to_rest();
    bench.works();
}

impl Bench {
    fn new(blocks: u8, separation: u8) -> Self {
        let padded = blocks & 0x80 != 0;
        let config = Config {
            block_size: blocks & 0x0F,
            separation: SeparationTime::from_byte(separation),
            padding: padded.then_some(0xAA),
            wait_frames_most: blocks >> 4 & 0x03,
            ..Config::DEFAULT
        };
        let id = |raw| StandardId::new(raw).expect("an 11-bit id");
        Self {
            channel: Channel::new(config, id(0x701), id(0x781)),
            padded,
            now: Instant::ZERO,
            mailbox: false,
            message: false,
        }
    }

    /// Does one step and gives back the bytes that it did not use.
    fn step<'a>(&mut self, step: u8, rest: &'a [u8]) -> &'a [u8] {
        let argument = usize::from(step >> 3);
        match step & 7 {
            0..=2 => return self.receive(argument.min(8), rest),
            3 => self.now = self.now.after(Duration::from_micros(250 * argument as u64)),
            4 => self.now = self.now.after(Duration::from_millis(50 * argument as u64)),
            5 if self.mailbox => {
                self.mailbox = false;
                let event = self.channel.on_sent(self.now, self.channel.tx_id());
                self.note(event);
            }
            6 => {
                let taken = self.channel.send(&[0x55; TX + 1][..argument * 2 + argument / 16]).is_ok();
                assert_eq!(taken, !self.message && (1..=TX).contains(&(argument * 2 + argument / 16)));
                self.message |= taken;
            }
            7 if argument == 0 => {
                self.channel.reset();
                (self.mailbox, self.message) = (false, false);
            }
            7 => self.channel.set_hold(argument & 1 == 1),
            _ => {}
        }
        rest
    }

    fn receive<'a>(&mut self, len: usize, rest: &'a [u8]) -> &'a [u8] {
        let (data, rest) = rest.split_at(len.min(rest.len()));
        let frame = Frame::data_frame(self.channel.rx_id(), data).expect("at most 8 bytes");
        let event = self.channel.on_frame(self.now, &frame);
        self.note(event);
        rest
    }

    fn note(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Received) => assert!((1..=RX).contains(&self.channel.message().len())),
            Some(Event::Sent) => assert!(std::mem::take(&mut self.message), "only what was taken is sent"),
            Some(Event::SendFailed(Failure::NotTransmitted)) => {
                assert!(std::mem::take(&mut self.mailbox), "only a frame in the mailbox can be stuck there");
                self.message = false;
            }
            Some(Event::SendFailed(_)) => assert!(std::mem::take(&mut self.message), "only what was taken can fail"),
            Some(Event::ReceiveFailed(Failure::NotTransmitted)) => assert!(std::mem::take(&mut self.mailbox)),
            Some(Event::ReceiveFailed(_)) | None => {}
        }
        assert_eq!(self.channel.is_sending(), self.message);
    }

    /// What a host does after every input.
    fn serve(&mut self) {
        for _ in 0..4 {
            let event = self.channel.poll(self.now);
            self.note(event);
        }
        if let Some(frame) = self.channel.next_frame(self.now) {
            assert!(!std::mem::replace(&mut self.mailbox, true), "the mailbox is taken");
            self.check(&frame);
        }
        assert!(self.channel.wake_at().is_none_or(|at| at > self.now), "a time is asked for that was served");
    }

    fn check(&self, frame: &Frame) {
        assert!(frame.has_id(self.channel.tx_id()));
        let data = frame.data();
        let wanted = match data[0] {
            head @ 0x01..=0x07 => usize::from(head) + 1,
            0x10 => 8,
            0x20..=0x2F => 2,
            0x30..=0x32 => 3,
            other => panic!("{other:02X} begins no frame that we send"),
        };
        assert!(data.len() >= wanted);
        assert!(!self.padded || data.len() == 8);
    }

    fn comes_to_rest(&mut self) {
        // 48 bytes are 7 frames, and 3 waits; with a gap each and all time-outs this is ample.
        for _ in 0..64 {
            let Some(at) = self.channel.wake_at() else { break };
            self.now = self.now.max(at);
            self.serve();
        }
        assert_eq!(self.channel.wake_at(), None, "still busy");
        assert!(!self.channel.is_sending() && !self.channel.is_receiving() && !self.mailbox);
    }

    fn works(&mut self) {
        self.channel.send(&[0x3E, 0x00]).expect("an idle channel takes a message");
        let frame = self.channel.next_frame(self.now).expect("a single frame");
        assert_eq!(frame.data()[..3], [0x02, 0x3E, 0x00]);
        assert_eq!(self.channel.on_sent(self.now, self.channel.tx_id()), Some(Event::Sent));
        let answer = Frame::data_frame(self.channel.rx_id(), &[0x02, 0x7E, 0x00]).expect("3 bytes");
        assert_eq!(self.channel.on_frame(self.now, &answer), Some(Event::Received));
        assert_eq!(self.channel.message(), [0x7E, 0x00]);
    }
}
