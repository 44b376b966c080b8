//! Whatever comes over the bus or out of memory: no panic, and no write without consent.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::vec::Vec;

use embedded_can::{ExtendedId, Id, StandardId};
use proptest::prelude::*;
use protocol::Frame;
use units::{DeciCelsius, Duration, Instant, Millivolts};

use super::world::{Fram, MODEL, NEW, Store, World, image};
use crate::nvm::NVM_LEN;
use crate::{Config, Inputs, Orchestrator, UserAction};

/// Frames that reach deep: the ids of pumps, first bytes that ISO-TP and UDS know.
fn frames() -> impl Strategy<Value = Frame> {
    let id = prop_oneof![0x201_u16..=0x203, 0x781_u16..=0x783, 0_u16..=0x7FF];
    let head = prop_oneof![Just(0x02_u8), Just(0x06), Just(0x10), Just(0x21), Just(0x30), any::<u8>()];
    let second =
        prop_oneof![Just(0x50_u8), Just(0x62), Just(0x67), Just(0x71), Just(0x74), Just(0x76), Just(0x7F), any::<u8>()];
    (id, head, second, proptest::collection::vec(any::<u8>(), 0..=6)).prop_filter_map(
        "8 bytes",
        |(id, head, second, rest)| {
            let bytes: Vec<u8> = [head, second].into_iter().chain(rest).collect();
            Frame::data_frame(Id::Standard(StandardId::new(id)?), &bytes)
        },
    )
}

proptest! {
    #[test]
    fn arbitrary_frames_never_panic_and_nothing_is_written_without_consent(
        frames in proptest::collection::vec((frames(), 0_u64..20_000, 0_u8..=3, any::<i16>(), any::<u16>()), 0..400),
        memory in proptest::collection::vec(any::<u8>(), 64),
    ) {
        let config = Config { pumps: 3, boot_timeout: Duration::from_millis(50), ..Config::DEFAULT };
        let mut nvm = Fram::new();
        for (to, from) in nvm.bytes.iter_mut().zip(memory.iter().cycle()) {
            *to = *from;
        }
        prop_assert_eq!(nvm.bytes.len(), NVM_LEN);
        let package = Store::Image(image(MODEL, NEW, 320));
        let mut cioc = Orchestrator::boot(config, &nvm);
        let mut t = 0;
        for (frame, pause, mailboxes_free, coolant, feed) in frames {
            t += pause;
            let inputs = Inputs {
                received: Some(frame),
                sent: StandardId::new(0x701 + u16::from(mailboxes_free)),
                mailboxes_free,
                supply: Millivolts::new(24_000),
                feed: Millivolts::new(feed | 0x4E20),
                coolant: DeciCelsius::new(coolant),
                user: (coolant == 0).then_some(UserAction::Search),
            };
            let outputs = cioc.step(Instant::from_micros(t), &inputs, &package, &mut nvm);
            prop_assert!(outputs.frames.len() <= usize::from(mailboxes_free));
            prop_assert!(outputs.wake_at.is_some_and(|at| at >= Instant::from_micros(t)));
            for frame in &outputs.frames {
                let flash = matches!(frame.data(), [0x04, 0x31, 1, 0xFF, 0, ..] | [0x10..=0x1F, _, 0x34 | 0x36, ..]);
                prop_assert!(!flash, "a write without consent: {:?}", frame);
            }
        }
    }

    #[test]
    fn arbitrary_frames_in_a_campaign_never_panic_and_tries_stay_within_three(
        frames in proptest::collection::vec((frames(), 0_usize..60), 0..60),
    ) {
        let mut world = World::new(2, 128);
        while world.flash_requests.is_empty() {
            world.step();
        }
        for (frame, pause) in frames {
            for _ in 0..pause {
                world.step();
            }
            world.inject(frame);
        }
        world.run_to_rest();
        prop_assert!(world.pumps.iter().all(|pump| pump.erases <= 9));
        prop_assert!(world.cioc.status().pumps.iter().all(|pump| pump.counted <= 3));
        prop_assert!(world.flash_requests.iter().all(|consent| *consent));
    }
}

/// A frame with a 29-bit id is none of this system's, whatever its low bits say.
#[test]
fn frames_with_extended_ids_are_not_heard() {
    let mut world = World::new(1, 128);
    world.pumps[0].troubles.silent = true;
    let status = protocol::cyclic::Status {
        state: protocol::cyclic::PumpState::Automatic,
        counter: 1,
        speed: units::Permille::new(500),
        supply: Millivolts::new(24_000),
        current: units::Milliamps::new(1_000),
        temperature: DeciCelsius::new(300),
        faults: protocol::cyclic::PumpFaults::default(),
    };
    let frame = status.encode(super::world::pump(1));
    let extended = ExtendedId::new(protocol::frame::raw_id(frame.id())).unwrap();
    world.run(10_000);
    world.inject(Frame::data_frame(Id::Extended(extended), frame.data()).unwrap());
    assert_eq!(world.cioc.status().pumps[0].reported, None);
    world.inject(frame);
    assert_eq!(world.cioc.status().pumps[0].reported, Some(status), "the same with its own id is heard");
}

/// A state can be told from another by its hash: also an image check by what it has read so far.
#[test]
fn states_that_differ_hash_differently() {
    let hash = |world: &World| {
        let mut hasher = DefaultHasher::new();
        world.cioc.hash(&mut hasher);
        hasher.finish()
    };
    let searching = |byte: usize| {
        let mut world = World::new(1, 9_000);
        let Store::Image(bytes) = &mut world.package else { panic!("there is an image") };
        bytes[byte] ^= 1;
        world
    };
    let [mut one, mut other] = [100, 101].map(searching);
    let differs = |_: &u32| {
        one.step();
        other.step();
        assert_eq!(hash(&one), hash(&one.clone()));
        one.t == other.t && hash(&one) != hash(&other)
    };
    assert!((0..500).find(differs).is_some());
}
