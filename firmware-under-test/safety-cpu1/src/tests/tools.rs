//! The configuration tool: what it may do in which mode.
//!
//! Over each interface. SSR-038, SSR-048 to SSR-059.

use std::vec::Vec;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use safety_common::configuration::{BlockKind, Defect};
use safety_common::fault::Fault;
use safety_common::flash_map;
use safety_common::io::{Bytes, CanFrame, CanReceived, Channel, Led, Mode, ResetCause, Retained};
use safety_common::signal::Signal;
use safety_common::tool::{Command, Status};

use crate::testing::bench::{Bench, Wiring};
use crate::testing::flash::{FACTORY_PASSWORD, FakeFlash, RELEASE_ID, SERIAL};
use crate::testing::plan::{PASSWORD, Plan, SectionPlan, block, input_pin, output_pin};
use crate::testing::with_flash_crc;

fn message(command: u8, sequence: u8, serial: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [0x54, command, sequence, 0].to_vec();
    bytes.extend(serial.to_le_bytes());
    bytes.extend(payload);
    with_flash_crc(bytes)
}

fn request(command: Command, payload: &[u8]) -> Vec<u8> {
    message(command as u8, 1, SERIAL, payload)
}

const CHANNELS: [Channel; 3] = [Channel::ToolUsb, Channel::ToolRadio, Channel::ToolCan];

/// Sends a message over an interface.
fn say(bench: &mut Bench, channel: Channel, bytes: &[u8]) {
    let whole = || Bytes::from_slice(bytes).unwrap();
    match channel {
        Channel::ToolUsb => bench.usb.push(whole()),
        Channel::ToolRadio => bench.radio.push(whole()),
        _ => {
            let pieces = bytes.chunks(7).count();
            for (index, piece) in bytes.chunks(7).enumerate() {
                let mut data = [0; 8];
                data[0] = index as u8 | if index + 1 == pieces { 0x80 } else { 0 };
                data[1..=piece.len()].copy_from_slice(piece);
                let frame = CanFrame { id: 0x0F0, len: 1 + piece.len() as u8, data };
                bench.can.push(CanReceived { at: bench.now(), frame });
            }
        }
    }
}

/// What the unit has said over an interface in this step; a CAN answer is put together over the steps that follow.
fn heard(bench: &mut Bench, channel: Channel) -> Option<Vec<u8>> {
    match channel {
        Channel::ToolUsb => bench.out.usb.as_deref().map(<[u8]>::to_vec),
        Channel::ToolRadio => bench.out.radio.as_deref().map(<[u8]>::to_vec),
        _ => {
            let mut bytes = Vec::new();
            for index in 0.. {
                let frame = bench.out.can.iter().find(|frame| frame.frame.id == 0x0F8)?.frame;
                assert_eq!(frame.data[0] & 0x7F, index);
                bytes.extend(&frame.data[1..usize::from(frame.len)]);
                if frame.data[0] & 0x80 != 0 {
                    break;
                }
                bench.step();
            }
            Some(bytes)
        }
    }
}

fn status(answer: &[u8]) -> u8 {
    assert_eq!(crate::testing::flash_crc(&answer[..answer.len() - 4]).to_le_bytes(), answer[answer.len() - 4..]);
    answer[3]
}

/// A unit whose input drives an output, with a configuration to protect.
fn normal() -> Bench {
    let mut plan = Plan::alone(SectionPlan::empty());
    let section = plan.own();
    section.pins[0] = input_pin(Signal::High, Signal::Low);
    section.pins[1] = output_pin(Signal::Ossd, Signal::Low);
    section.inputs = [(1, 0, 0, 1, 0)].to_vec();
    section.outputs = [(2, 1)].to_vec();
    section.blocks = [block(BlockKind::Input, 0, 0, &[], 0), block(BlockKind::Output, 0, 0, &[0], 0)].to_vec();
    Bench::running(&plan.bytes())
}

fn safe() -> Bench {
    let mut bench = normal();
    bench.peer.silent = true;
    bench.steps_to_safe(30);
    bench
}

const REQUESTED: Retained = Retained { request: Retained::CONFIGURE, request_complement: !Retained::CONFIGURE };

/// In configuration mode; the peer of the bench answers as CPU1 does.
fn configuring() -> Bench {
    let mut bench = Bench::boot(FakeFlash::blank(), ResetCause::Software, REQUESTED);
    bench.start();
    assert_eq!(bench.cpu.mode(), Mode::Configuration);
    bench
}

/// Sends a request and runs until it is answered. `peer` makes CPU2's answer from what CPU1 would say.
fn ask(bench: &mut Bench, channel: Channel, bytes: &[u8], peer: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    say(bench, channel, bytes);
    for _ in 0..4_000 {
        bench.step();
        if let Some(answer) = heard(bench, channel) {
            return answer;
        }
        if let Some(answer) = bench.cpu.own_answer()
            && let Some(answer) = peer(&answer)
        {
            bench.forward(channel, &answer);
        }
    }
    panic!("no answer");
}

fn same(answer: &[u8]) -> Option<Vec<u8>> {
    Some(answer.to_vec())
}

/// Downloads a configuration; the statuses of all answers.
fn download(bench: &mut Bench, channel: Channel, configuration: &[u8]) -> Vec<u8> {
    let mut statuses = Vec::new();
    let length = (configuration.len() as u32).to_le_bytes();
    statuses.push(status(&ask(bench, channel, &request(Command::Begin, &length), same)));
    for (row, bytes) in configuration.chunks(32).enumerate() {
        let mut payload = (row as u32 * 32).to_le_bytes().to_vec();
        payload.extend(bytes);
        payload.resize(36, 0xFF);
        statuses.push(status(&ask(bench, channel, &request(Command::Data, &payload), same)));
    }
    statuses.push(status(&ask(bench, channel, &request(Command::Finish, &[]), same)));
    statuses
}

/// SSR-055, SSR-058: a configuration over each interface, stored as sent, read back equal, used after the restart.
#[test]
fn a_configuration_goes_in_over_every_interface() {
    let configuration = Plan::pair(SectionPlan::empty()).bytes();
    for channel in CHANNELS {
        let mut bench = configuring();
        let statuses = download(&mut bench, channel, &configuration);
        assert!(statuses.iter().all(|status| *status == Status::Done as u8), "{channel:?}: {statuses:?}");
        let stored = &bench.flash.bytes[flash_map::CONFIGURATION_AT as usize..];
        assert_eq!(&stored[..configuration.len()], &configuration[..]);
        assert!(stored[configuration.len()..0x8000].iter().all(|byte| *byte == 0xFF));
        for (row, expected) in configuration.chunks(32).enumerate() {
            let answer = ask(&mut bench, channel, &request(Command::Read, &(row as u32 * 32).to_le_bytes()), same);
            assert_eq!(answer[12..12 + expected.len()], *expected);
        }
        // The answer has left, over CAN in two frames, before the restart comes.
        let answer = ask(&mut bench, channel, &request(Command::Restart, &[]), same);
        assert_eq!((status(&answer), bench.out.reset), (Status::Done as u8, None), "{channel:?}");
        let waited = (1..30).find(|_| {
            bench.step();
            bench.out.reset.is_some()
        });
        assert!(waited.is_some_and(|ticks| ticks <= 10), "{channel:?}: {waited:?}");
        assert_eq!(bench.out.reset, Some(Retained::default()));
        let mut again = Bench::boot(bench.flash.clone(), ResetCause::Software, bench.out.reset.unwrap());
        again.start();
        assert_eq!(again.cpu.mode(), Mode::Normal);
    }
}

/// SSR-058: no success with a bad configuration, a flash that fails, a CPU2 that is silent or says otherwise.
#[test]
fn failure_is_told_for_whatever_goes_wrong() {
    let mut configuration = Plan::alone(SectionPlan::empty()).bytes();
    configuration[70] ^= 1;
    let mut bench = configuring();
    let statuses = download(&mut bench, Channel::ToolUsb, &configuration);
    assert_eq!(statuses.last(), Some(&(Status::Invalid as u8)));

    let mut bench = configuring();
    bench.flash.fails = true;
    let begin = request(Command::Begin, &256u32.to_le_bytes());
    assert_eq!(status(&ask(&mut bench, Channel::ToolUsb, &begin, same)), Status::FlashFailed as u8);

    let mut bench = configuring();
    let silent = |_: &[u8]| None;
    assert_eq!(status(&ask(&mut bench, Channel::ToolUsb, &begin, silent)), Status::NoPeerAnswer as u8);
    let otherwise = |answer: &[u8]| {
        let mut answer = answer[..answer.len() - 4].to_vec();
        answer[3] = Status::FlashFailed as u8;
        Some(with_flash_crc(answer))
    };
    assert_eq!(status(&ask(&mut bench, Channel::ToolUsb, &begin, otherwise)), Status::NoPeerAnswer as u8);
}

/// SSR-058: power cut after every row leaves no valid configuration.
#[test]
fn a_cut_download_is_never_a_valid_configuration() {
    let configuration = Plan::alone(SectionPlan::empty()).bytes();
    let rows = configuration.len().div_ceil(32);
    for cut in 0..rows {
        let mut flash = FakeFlash::blank();
        flash.put(flash_map::CONFIGURATION_AT, &configuration[..cut * 32]);
        let mut bench = Bench::new(flash);
        bench.start();
        assert_eq!(bench.cause(), Some(Fault::Configuration), "cut after {cut} rows");
    }
}

/// Requests out of order, of the wrong length or out of range change nothing.
#[test]
fn bad_requests_change_nothing() {
    let mut bench = configuring();
    let before = bench.flash.bytes.clone();
    let row = |offset: u32| [&offset.to_le_bytes()[..], &[7; 32]].concat();
    for (command, payload, expected) in [
        (Command::Data, row(0), Status::OutOfOrder),
        (Command::Finish, Vec::new(), Status::OutOfOrder),
        (Command::Begin, Vec::new(), Status::BadRequest),
        (Command::Begin, 0u32.to_le_bytes().to_vec(), Status::BadRequest),
        (Command::Begin, 0x8004u32.to_le_bytes().to_vec(), Status::BadRequest),
        (Command::Begin, 130u32.to_le_bytes().to_vec(), Status::BadRequest),
        (Command::Begin, [128, 0, 0, 0, 0].to_vec(), Status::BadRequest),
        (Command::Read, 0x8000u32.to_le_bytes().to_vec(), Status::BadRequest),
        (Command::Read, 1u32.to_le_bytes().to_vec(), Status::BadRequest),
        (Command::Enter, PASSWORD.to_vec(), Status::BadRequest),
    ] {
        let answer = ask(&mut bench, Channel::ToolUsb, &request(command, &payload), same);
        assert_eq!(status(&answer), expected as u8, "{command:?} {payload:?}");
    }
    assert_eq!(bench.flash.bytes, before);
    ask(&mut bench, Channel::ToolUsb, &request(Command::Begin, &128u32.to_le_bytes()), same);
    for (payload, expected) in [
        (row(128), Status::BadRequest),
        (row(16), Status::BadRequest),
        (row(u32::MAX - 31), Status::BadRequest),
        (row(0)[..35].to_vec(), Status::BadRequest),
        ([row(0), [0].to_vec()].concat(), Status::BadRequest),
        (row(96), Status::Done),
        (row(96), Status::Done),
    ] {
        let answer = ask(&mut bench, Channel::ToolUsb, &request(Command::Data, &payload), same);
        assert_eq!(status(&answer), expected as u8, "{payload:?}");
    }
    let answer = ask(&mut bench, Channel::ToolUsb, &request(Command::Finish, &[0]), same);
    assert_eq!(status(&answer), Status::BadRequest as u8, "the end has no payload");
    let other = [&96u32.to_le_bytes()[..], &[8; 32]].concat();
    let answer = ask(&mut bench, Channel::ToolUsb, &request(Command::Data, &other), same);
    assert_eq!(status(&answer), Status::FlashFailed as u8, "a written row is not written again");
    let unknown = ask(&mut bench, Channel::ToolUsb, &message(0x77, 1, SERIAL, &[]), same);
    assert_eq!(status(&unknown), Status::BadRequest as u8);
}

/// SSR-050, SSR-052: the right password restarts into the configuration mode, over each interface, from normal mode and safe
/// state; without a configuration the one from production holds. The message is passed on to CPU2.
#[test]
fn the_right_password_restarts_into_the_configuration_mode() {
    for channel in CHANNELS {
        for make in [normal, safe] {
            let mut bench = make();
            let enter = request(Command::Enter, PASSWORD);
            say(&mut bench, channel, &enter);
            bench.step();
            assert_eq!(bench.out.reset, Some(REQUESTED), "{channel:?}");
            assert_eq!((bench.out.forward[0].channel, &bench.out.forward[0].bytes[..]), (channel, &enter[..]));
        }
    }
    let mut bench = Bench::new(FakeFlash::blank());
    bench.start();
    assert_eq!(bench.cause(), Some(Fault::Configuration));
    for (password, expected) in [(PASSWORD, None), (FACTORY_PASSWORD, Some(REQUESTED))] {
        say(&mut bench, Channel::ToolUsb, &request(Command::Enter, password));
        bench.step();
        assert_eq!(bench.out.reset, expected);
    }
}

/// SSR-052, SSM-16: wrong passwords of every kind get neither answer nor effect.
#[test]
fn wrong_passwords_have_no_effect() {
    let mut wrong: Vec<Vec<u8>> = (0..PASSWORD.len() * 8)
        .map(|bit| {
            let mut password = PASSWORD.to_vec();
            password[bit / 8] ^= 1 << (bit % 8);
            password
        })
        .collect();
    wrong.extend((0..PASSWORD.len()).map(|length| PASSWORD[..length].to_vec()));
    wrong.extend([
        [PASSWORD, &[0]].concat(),
        [PASSWORD, PASSWORD].concat(),
        std::vec![0; 52],
        FACTORY_PASSWORD.to_vec(),
    ]);
    wrong.extend((0..100_000u32).map(|n| n.to_le_bytes().to_vec()));
    let mut bench = normal();
    for (n, password) in wrong.iter().enumerate() {
        say(&mut bench, Channel::ToolUsb, &request(Command::Enter, password));
        if n % 4 == 3 {
            bench.step();
            assert!(bench.out.reset.is_none() && bench.out.usb.is_none() && bench.out.forward.is_empty());
        }
    }
    assert_eq!(bench.cpu.mode(), Mode::Normal);
}

/// SSR-053, SSR-054: configuration commands outside the configuration mode: refused over USB, unanswered over radio and CAN,
/// nothing stored, nothing passed on.
#[test]
fn configuration_commands_are_refused_outside_the_configuration_mode() {
    for make in [normal, safe] {
        let mut bench = make();
        let before = bench.flash.bytes.clone();
        for channel in CHANNELS {
            for command in [Command::Begin, Command::Data, Command::Finish, Command::Read, Command::Restart] {
                for payload in [&[][..], &256u32.to_le_bytes(), &[0; 36]] {
                    say(&mut bench, channel, &request(command, payload));
                    bench.step();
                    let answer = heard(&mut bench, channel);
                    let refused = answer.as_deref().map(status) == Some(Status::Refused as u8);
                    assert!(if channel == Channel::ToolUsb { refused } else { answer.is_none() });
                    assert!(bench.out.flash.is_none() && bench.out.reset.is_none() && bench.out.forward.is_empty());
                }
            }
        }
        assert_eq!(bench.flash.bytes, before);
    }
}

/// SSR-056: a message for another serial number is not for this unit, in every mode.
#[test]
fn messages_for_another_unit_are_ignored() {
    for make in [normal, safe, configuring] {
        let mut bench = make();
        for serial in [SERIAL + 1, SERIAL ^ 0x8000_0000, 0] {
            for command in [0x02, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15] {
                let payload = if command == 0x10 { PASSWORD } else { &[] };
                say(&mut bench, Channel::ToolUsb, &message(command, 1, serial, payload));
                bench.step();
                assert!(bench.out.usb.is_none() && bench.out.reset.is_none() && bench.out.flash.is_none());
            }
        }
        let damaged = |at: usize| {
            let mut bytes = request(Command::Identify, &[]);
            bytes[at] ^= 0x10;
            bytes
        };
        for at in 0..12 {
            say(&mut bench, Channel::ToolUsb, &damaged(at));
            bench.step();
            assert!(bench.out.usb.is_none() && bench.out.led != Led::Identify, "byte {at}");
        }
    }
}

/// SSR-057: the lamp shows for five seconds, over each interface and in each mode; the safety function does not notice.
#[test]
fn identify_lights_the_lamp_of_this_unit() {
    for make in [normal, safe, configuring] {
        for channel in CHANNELS {
            let mut bench = make();
            bench.step();
            let led = bench.out.led;
            say(&mut bench, channel, &request(Command::Identify, &[]));
            bench.step();
            assert_eq!(bench.out.led, Led::Identify, "{channel:?}");
            let back = (1..6_000).find(|_| {
                bench.peer.silent = bench.cpu.mode() == Mode::Safe;
                bench.step();
                bench.out.led != Led::Identify
            });
            assert_eq!((back, bench.out.led), (Some(5_000), led));
        }
    }
}

/// SSR-050, SSR-057: start-up hears no tool, from its first tick to the mode that follows; neither does a safe state that was
/// entered before the unit knew its serial number.
#[test]
fn start_up_hears_no_tool() {
    let configuration = Plan::alone(SectionPlan::empty()).bytes();
    let unnamed = || {
        let mut flash = FakeFlash::with_configuration(&configuration);
        flash.bytes[flash_map::PRODUCTION_AT as usize] ^= 1;
        Bench::new(flash)
    };
    let named = || Bench::new(FakeFlash::with_configuration(&configuration));
    for (make, safe_too) in [(&named as &dyn Fn() -> Bench, false), (&unnamed, true)] {
        for channel in CHANNELS {
            let (mut bench, mut heard) = (make(), 0);
            bench.peer.silent = true;
            while bench.tick < 2_900 {
                let command = [Command::Who, Command::Identify, Command::Enter][bench.tick as usize % 3];
                let payload = if command == Command::Enter { PASSWORD } else { &[] };
                say(&mut bench, channel, &request(command, payload));
                bench.step();
                assert!(
                    bench.out.usb.is_none() && bench.out.radio.is_none() && bench.out.can.is_empty(),
                    "{channel:?}"
                );
                assert!(bench.out.led != Led::Identify && bench.out.reset.is_none(), "{channel:?}");
                heard += u32::from(bench.cpu.mode() == if safe_too { Mode::Safe } else { Mode::Ready });
            }
            assert!(heard > 2_000, "{channel:?}: the mode that was meant was there for {heard} ticks");
        }
    }
}

/// Who: serial, mode, release and configuration.
#[test]
fn who_tells_what_the_unit_is() {
    for (make, mode, has_configuration) in [
        (normal as fn() -> Bench, Mode::Normal, true),
        (safe, Mode::Safe, true),
        (configuring, Mode::Configuration, false),
    ] {
        let mut bench = make();
        for serial in [SERIAL, 0] {
            say(&mut bench, Channel::ToolUsb, &message(0x01, 42, serial, &[]));
            bench.step();
            let answer = heard(&mut bench, Channel::ToolUsb).unwrap();
            assert_eq!((status(&answer), answer[0], answer[1], answer[2]), (0, 0x74, 0x01, 42));
            assert_eq!(answer[4..8], SERIAL.to_le_bytes());
            assert_eq!((answer[8], &answer[9..13]), (mode as u8, &RELEASE_ID.to_le_bytes()[..]));
            assert_eq!(answer[13..17] != [0; 4], has_configuration);
        }
    }
}

/// A row that cannot be read is told as such, not as bytes.
#[test]
fn an_unreadable_row_is_told() {
    let mut bench = configuring();
    bench.flash.dead = flash_map::CONFIGURATION_AT..flash_map::LEN;
    let answer = ask(&mut bench, Channel::ToolUsb, &request(Command::Read, &0u32.to_le_bytes()), same);
    assert_eq!(status(&answer), Status::FlashFailed as u8);
}

/// SSR-014, SSM-10: a step that takes too long locks the configuration mode, and changes nothing in a safe state.
#[test]
fn a_tick_that_takes_too_long_locks_the_configuration_mode() {
    let mut bench = configuring();
    assert_eq!(bench.cpu.safe_cause(), None);
    let out = bench.cpu.deadline(bench.now());
    assert!(out.all_off);
    assert_eq!(bench.cause(), Some(Fault::LogicTime));
    let mut safe = Bench::boot(FakeFlash::blank(), ResetCause::PowerOn, Retained::default());
    assert!(safe.steps_to_safe(4_000).is_some());
    let cause = safe.cause();
    assert_eq!(cause, Some(Fault::Configuration));
    let out = safe.cpu.deadline(safe.now());
    assert!(out.all_off && out.c2c.is_none());
    assert_eq!((safe.cpu.mode(), safe.cause()), (Mode::Safe, cause), "the first cause stays");
}

/// SSR-049: a driven output or a closed contact in configuration mode locks it; a locked mode does nothing more and never ends.
#[test]
fn an_output_that_is_on_locks_the_configuration_mode() {
    for contact in [false, true] {
        let mut bench = configuring();
        if contact {
            bench.relay_feedback = Some(1);
        } else {
            bench.wiring[3] = Wiring::StuckOn;
        }
        assert!(bench.steps_to_safe(200).is_some());
        bench.relay_feedback = None;
        bench.wiring[3] = Wiring::Good;
        let begin = request(Command::Begin, &256u32.to_le_bytes());
        for _ in 0..200 {
            say(&mut bench, Channel::ToolUsb, &begin);
            bench.step();
            assert!(bench.out.all_off && bench.out.flash.is_none() && bench.out.c2c.is_none());
            assert_eq!(bench.cpu.mode(), Mode::Safe);
        }
    }
}

/// A second request while one is worked on is told to wait.
#[test]
fn a_busy_unit_says_so() {
    let mut bench = configuring();
    say(&mut bench, Channel::ToolUsb, &request(Command::Begin, &256u32.to_le_bytes()));
    bench.step();
    assert!(bench.out.usb.is_none());
    say(&mut bench, Channel::ToolUsb, &request(Command::Finish, &[]));
    bench.step();
    assert_eq!(heard(&mut bench, Channel::ToolUsb).as_deref().map(status), Some(Status::Busy as u8));
}

/// A defect's number reaches the tool.
#[test]
fn the_defect_is_told() {
    let mut plan = Plan::alone(SectionPlan::empty());
    plan.own().limits[0] = 6_999;
    let mut bench = configuring();
    let configuration = plan.bytes();
    download(&mut bench, Channel::ToolUsb, &configuration);
    let answer = ask(&mut bench, Channel::ToolUsb, &request(Command::Finish, &[]), same);
    assert_eq!((answer[3], answer[8]), (Status::Invalid as u8, Defect::Supply as u8));
}

/// SSR-055: a message over CAN fits into 10 frames and 64 bytes; a longer one is dropped, and the next is heard.
#[test]
fn a_message_over_can_that_is_too_long_is_dropped() {
    let mut bench = configuring();
    let who = |payload: usize| message(Command::Who as u8, 1, SERIAL, &std::vec![0; payload]);
    // 12 bytes are header and CRC.
    for (payload, is_answered) in
        [(52, true), (53, false), (58, false), (0, true), (59, false), (200, false), (52, true)]
    {
        say(&mut bench, Channel::ToolCan, &who(payload));
        let answer = (0..50).find_map(|_| {
            bench.step();
            heard(&mut bench, Channel::ToolCan)
        });
        assert_eq!(answer.map(|answer| status(&answer)), is_answered.then_some(Status::Done as u8), "{payload} bytes");
    }
}

/// A message is a request by its first byte: an answer of another unit that comes in on an interface is none.
#[test]
fn an_answer_is_no_request() {
    for first in [0x74, 0x55, 0x00, 0xFF] {
        for channel in CHANNELS {
            let mut bench = configuring();
            let mut bytes = request(Command::Who, &[]);
            bytes.truncate(bytes.len() - 4);
            bytes[0] = first;
            say(&mut bench, channel, &with_flash_crc(bytes));
            for _ in 0..20 {
                bench.step();
                assert_eq!(heard(&mut bench, channel), None, "{first:#x} over {channel:?}");
            }
        }
    }
}

/// Any message at all, with a good CRC or not.
fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let raw = proptest::collection::vec(any::<u8>(), 0..64);
    let known = prop_oneof![
        Just(0x01u8),
        Just(0x02),
        Just(0x10),
        Just(0x11),
        Just(0x12),
        Just(0x13),
        Just(0x14),
        Just(0x15),
        any::<u8>()
    ];
    let framed = (
        known,
        any::<u8>(),
        prop_oneof![Just(SERIAL), Just(0), any::<u32>()],
        proptest::collection::vec(any::<u8>(), 0..52),
    );
    prop_oneof![
        1 => raw,
        3 => framed.prop_map(|(command, sequence, serial, payload)| message(command, sequence, serial, &payload)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    /// SSR-038, SSR-053, SSM-06: a flood on every interface changes no output and no timing; outputs, packets and trace are equal
    /// tick by tick to those of a unit that hears nothing.
    #[test]
    fn a_flood_of_messages_changes_no_output(
        messages in proptest::collection::vec((0..3usize, any_message()), 50..200), inputs in proptest::collection::vec(any::<bool>(), 60),
    ) {
        let (mut flooded, mut quiet) = (normal(), normal());
        let mut messages = messages.into_iter().cycle();
        for is_on in inputs.iter().flat_map(|is_on| [*is_on; 5]) {
            for _ in 0..12 {
                let (channel, bytes) = messages.next().unwrap();
                say(&mut flooded, CHANNELS[channel], &bytes);
            }
            step_alike(&mut flooded, &mut quiet, is_on);
        }
    }
}

/// Steps both with the same input; all that leaves them is equal.
fn step_alike(flooded: &mut Bench, quiet: &mut Bench, is_on: bool) {
    for bench in [&mut *flooded, &mut *quiet] {
        bench.driven[0] = if is_on { u16::MAX } else { 0 };
        bench.step();
    }
    assert_eq!(flooded.out.pins, quiet.out.pins);
    assert_eq!(flooded.out.relays, quiet.out.relays);
    assert_eq!(flooded.out.c2c, quiet.out.c2c);
    assert_eq!(flooded.out.trace, quiet.out.trace);
    assert!(flooded.out.reset.is_none() && flooded.out.flash.is_none());
}

/// SSR-038: 10^6 messages, no more in a tick than this CPU looks at: 4 over USB, 8 over radio, 2 of up to 8 frames over CAN.
#[test]
#[ignore = "long: 10^6 messages"]
fn a_million_messages_change_no_output() {
    const A_TICK: [(Channel, usize); 3] = [(Channel::ToolUsb, 4), (Channel::ToolRadio, 8), (Channel::ToolCan, 2)];
    let mut runner = TestRunner::deterministic();
    let any = any_message();
    let (mut flooded, mut quiet) = (normal(), normal());
    let mut said = 0;
    for tick in 0.. {
        for (channel, count) in A_TICK {
            for _ in 0..count {
                let mut bytes = any.new_tree(&mut runner).unwrap().current();
                if channel == Channel::ToolCan {
                    bytes.truncate(56);
                }
                say(&mut flooded, channel, &bytes);
                said += 1;
            }
        }
        step_alike(&mut flooded, &mut quiet, tick / 5 % 3 == 0);
        if said >= 1_000_000 {
            break;
        }
    }
}
