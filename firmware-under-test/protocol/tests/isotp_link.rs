//! Two ISO-TP channels over one bus: what one sends the other gets, and no lost frame goes unnoticed.
//!
//! The bus is told when frames start; it delivers each after its transit time, loses the ones it is told to lose, and
//! confirms to the sender with a delay of its own, so that answers can be read before confirmations.

use std::collections::BTreeMap;

use embedded_can::StandardId;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use protocol::Frame;
use protocol::isotp::{Channel, Config, Event, Failure, MESSAGE_MOST, SeparationTime};
use units::{Duration, Instant};

type End = Channel<MESSAGE_MOST, MESSAGE_MOST>;

const TRANSIT: Duration = Duration::from_micros(500);

enum Arrival {
    Frame { to: usize, frame: Frame },
    Confirmation { to: usize },
}

struct Link {
    ends: [End; 2],
    now: Instant,
    /// What will happen when; equal times in the order they were put in.
    pending: BTreeMap<(Instant, u32), Arrival>,
    frames: u32,
    /// Number of the frame that is lost, counted from 0.
    lost: Option<u32>,
    confirmation_delay: Duration,
    events: [Vec<Event>; 2],
    received: [Vec<Vec<u8>>; 2],
    /// When each end's consecutive frames started and left.
    consecutive: [Vec<(Instant, Instant)>; 2],
}

impl Link {
    fn new(configs: [Config; 2], confirmation_delay: Duration, lost: Option<u32>) -> Self {
        let [a, b] = [0x701, 0x781].map(|raw| StandardId::new(raw).unwrap());
        Self {
            ends: [Channel::new(configs[0], a, b), Channel::new(configs[1], b, a)],
            now: Instant::ZERO,
            pending: BTreeMap::new(),
            frames: 0,
            lost,
            confirmation_delay,
            events: [vec![], vec![]],
            received: [vec![], vec![]],
            consecutive: [vec![], vec![]],
        }
    }

    fn run(&mut self) {
        for _ in 0..20_000 {
            for end in 0..2 {
                self.serve(end);
            }
            let arrival = self.pending.keys().next().map(|(at, _)| *at);
            let wakes = self.ends.iter().filter_map(Channel::wake_at);
            let Some(next) = wakes.chain(arrival).min() else { return };
            assert!(next > self.now, "time stands still at {}", self.now);
            self.now = next;
            while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let arrival = entry.remove();
                self.deliver(arrival);
            }
        }
        panic!("the link never comes to rest");
    }

    fn serve(&mut self, end: usize) {
        while let Some(event) = self.ends[end].poll(self.now) {
            self.events[end].push(event);
        }
        let Some(frame) = self.ends[end].next_frame(self.now) else { return };
        let left = self.now.after(TRANSIT);
        if frame.data()[0] >> 4 == 2 {
            self.consecutive[end].push((self.now, left));
        }
        let number = self.frames;
        self.frames += 1;
        if self.lost != Some(number) {
            self.pending.insert((left, 2 * number), Arrival::Frame { to: 1 - end, frame });
        }
        let confirmed = left.after(self.confirmation_delay);
        self.pending.insert((confirmed, 2 * number + 1), Arrival::Confirmation { to: end });
    }

    fn deliver(&mut self, arrival: Arrival) {
        let (to, event) = match arrival {
            Arrival::Frame { to, frame } => (to, self.ends[to].on_frame(self.now, &frame)),
            Arrival::Confirmation { to } => {
                let id = self.ends[to].tx_id();
                (to, self.ends[to].on_sent(self.now, id))
            }
        };
        if event == Some(Event::Received) {
            self.received[to].push(self.ends[to].message().to_vec());
        }
        self.events[to].extend(event);
    }
}

fn configs() -> impl Strategy<Value = Config> {
    // A gap of 127 ms or a reserved value is allowed; the simulated clock does not mind.
    (any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(block_size, separation, padded)| Config {
        block_size,
        separation: SeparationTime::from_byte(separation),
        padding: padded.then_some(0xAA),
        ..Config::DEFAULT
    })
}

fn messages() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![1_usize..40, 1_usize..=MESSAGE_MOST, Just(7), Just(8), Just(MESSAGE_MOST)];
    length.prop_flat_map(|length| prop::collection::vec(any::<u8>(), length))
}

fn delays() -> impl Strategy<Value = Duration> {
    (0_u64..2_000).prop_map(Duration::from_micros)
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn messages_of_any_length_arrive_in_both_directions_at_once(
        a in configs(), b in configs(), there in messages(), back in messages(), delay in delays(),
    ) {
        let mut link = Link::new([a, b], delay, None);
        link.ends[0].send(&there).unwrap();
        link.ends[1].send(&back).unwrap();
        link.run();
        prop_assert_eq!(&link.received, &[vec![back], vec![there]]);
        for end in 0..2 {
            let mut events = link.events[end].clone();
            events.sort_by_key(|event| *event == Event::Sent);
            prop_assert_eq!(&events, &[Event::Received, Event::Sent]);
        }
    }

    #[test]
    fn the_gap_between_consecutive_frames_is_never_shorter_than_asked_for(
        a in configs(), b in configs(), message in messages(), delay in delays(),
    ) {
        let mut link = Link::new([a, b], delay, None);
        link.ends[0].send(&message).unwrap();
        link.run();
        // A flow control opens the next block at once, so that the gap holds within a block.
        let block = if b.block_size == 0 { usize::MAX } else { usize::from(b.block_size) };
        for pair in link.consecutive[0].chunks(block).flat_map(|block| block.windows(2)) {
            prop_assert!(pair[1].0.since(pair[0].1) >= b.separation.gap());
        }
        // One first frame of 6 bytes, then 7 bytes each.
        prop_assert_eq!(link.consecutive[0].len(), if message.len() > 7 { (message.len() - 6).div_ceil(7) } else { 0 });
    }

    #[test]
    fn any_single_lost_frame_is_noticed_and_the_next_message_arrives(
        a in configs(), b in configs(), message in prop::collection::vec(any::<u8>(), 8..=400), lost: prop::sample::Index,
        delay in delays(),
    ) {
        let mut whole = Link::new([a, b], delay, None);
        whole.ends[0].send(&message).unwrap();
        whole.run();
        let lost = lost.index(whole.frames as usize) as u32;
        let mut link = Link::new([a, b], delay, Some(lost));
        link.ends[0].send(&message).unwrap();
        link.run();
        let failed = |events: &[Event]| {
            events.iter().any(|event| matches!(event, Event::SendFailed(_) | Event::ReceiveFailed(_)))
        };
        prop_assert!(failed(&link.events[0]) || failed(&link.events[1]));
        prop_assert!(link.received[1].is_empty());
        link.ends[0].send(&message).unwrap();
        link.run();
        prop_assert_eq!(&link.received[1], &[message]);
    }

    #[test]
    fn frames_of_a_stranger_in_the_middle_never_change_what_arrives(
        config in configs(), message in prop::collection::vec(any::<u8>(), 8..=200),
        noise in prop::collection::vec(any::<u8>(), 0..=8), at in 0_u64..60_000,
    ) {
        let mut link = Link::new([config, config], Duration::ZERO, None);
        link.ends[0].send(&message).unwrap();
        let frame = Frame::data_frame(link.ends[1].rx_id(), &noise).unwrap();
        link.pending.insert((Instant::from_micros(at), u32::MAX), Arrival::Frame { to: 1, frame });
        link.run();
        // ISO-TP has no checksum: a forged frame may replace the message or, with the number that is due, get into it.
        // It must not make a message of another length than an announced one, and the channel must come to rest.
        for received in &link.received[1] {
            prop_assert!(received.len() == message.len() || noise.first().is_some_and(|head| head >> 4 <= 1));
        }
        prop_assert!(!link.ends[1].is_receiving() && !link.ends[0].is_sending());
    }
}

#[test]
fn a_lost_frame_is_named_by_the_end_that_misses_it() {
    let config = Config { block_size: 2, separation: SeparationTime::from_byte(0), ..Config::DEFAULT };
    // 27 bytes: first frame, flow control, two consecutive frames, flow control, one consecutive frame.
    let table = [
        (0, vec![Event::SendFailed(Failure::NoFlowControl)], vec![]),
        (1, vec![Event::SendFailed(Failure::NoFlowControl)], vec![Event::ReceiveFailed(Failure::NoConsecutiveFrame)]),
        (2, vec![Event::SendFailed(Failure::NoFlowControl)], vec![Event::ReceiveFailed(Failure::WrongSequenceNumber)]),
        (3, vec![Event::SendFailed(Failure::NoFlowControl)], vec![Event::ReceiveFailed(Failure::NoConsecutiveFrame)]),
        (4, vec![Event::SendFailed(Failure::NoFlowControl)], vec![Event::ReceiveFailed(Failure::NoConsecutiveFrame)]),
        (5, vec![Event::Sent], vec![Event::ReceiveFailed(Failure::NoConsecutiveFrame)]),
    ];
    for (lost, sender, receiver) in table {
        let mut link = Link::new([config, config], Duration::ZERO, Some(lost));
        link.ends[0].send(&[0x42; 27]).unwrap();
        link.run();
        assert_eq!(link.events, [sender, receiver], "frame {lost}");
    }
}

#[test]
fn a_block_of_1026_bytes_takes_the_time_worked_out_by_hand() {
    // 1026 bytes: first frame, then ceil(1020 / 7) = 146 consecutive frames in 19 blocks of 8 (18 full, 2 left).
    // 1 + 146 + 19 frames of 500 us; gaps of 500 us between consecutive frames of a block: 18 * 7 + 1 = 127.
    let mut link = Link::new([Config::DEFAULT, Config::DEFAULT], Duration::ZERO, None);
    link.ends[0].send(&[0x36; 1_026]).unwrap();
    link.run();
    assert_eq!(link.frames, 166);
    assert_eq!(link.now, Instant::from_micros(166 * 500 + 127 * 500));
}
