//! Transcripts of a download in configuration mode (SSR-048 to SSR-058).

use std::vec::Vec;

use safety_common::configuration::Defect;
use safety_common::fault::Fault;
use safety_common::io::Mode;
use units::Instant;

use super::*;
use crate::testing::*;

fn configuring() -> Bench {
    let mut bench = Bench::boot(Flash::new(&[0xFF; 64]), ASKED);
    bench.until(Mode::Configuration, 1_000);
    bench
}

fn new_configuration() -> Vec<u8> {
    let mut spec = ConfigurationSpec::two_nodes(SectionSpec::empty());
    spec.network_id = 0x77;
    spec.bytes()
}

/// An answer taken apart by the offsets of the format.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    command: u8,
    sequence: u8,
    status: u8,
    payload: Vec<u8>,
}

fn answers(bench: &Bench) -> Vec<Answer> {
    let tool = bench.outputs.forward.iter().filter(|message| message.channel == Channel::ToolUsb);
    tool.map(|message| {
        let bytes = &message.bytes;
        let end = bytes.len() - 4;
        assert_eq!(crc_flash(&bytes[..end]).to_le_bytes(), bytes[end..]);
        assert_eq!((bytes[0], &bytes[4..8]), (safety_common::tool::ANSWER, &SERIAL.to_le_bytes()[..]));
        Answer { command: bytes[1], sequence: bytes[2], status: bytes[3], payload: bytes[8..end].to_vec() }
    })
    .collect()
}

/// Asks, and steps until the answer comes.
fn ask(bench: &mut Bench, command: Command, payload: &[u8]) -> (u8, Vec<u8>) {
    bench.forward = std::vec![forward(Channel::ToolUsb, &request(command, 9, SERIAL, payload))];
    for _ in 0..100 {
        bench.step();
        assert!(bench.outputs.all_off && bench.outputs.main == 0 && bench.outputs.relays == 0);
        if let Some(answer) = answers(bench).pop() {
            assert_eq!((answer.command, answer.sequence), (command as u8, 9));
            return (answer.status, answer.payload);
        }
    }
    panic!("no answer to {command:?}");
}

fn begin_with(bench: &mut Bench, length: u32) -> u8 {
    ask(bench, Command::Begin, &length.to_le_bytes()).0
}

fn rows(configuration: &[u8]) -> Vec<Vec<u8>> {
    configuration
        .chunks(ROW)
        .enumerate()
        .map(|(place, chunk)| {
            let mut payload = ((place * ROW) as u32).to_le_bytes().to_vec();
            payload.extend(chunk);
            payload.resize(ROW + 4, 0xFF);
            payload
        })
        .collect()
}

fn download(bench: &mut Bench, configuration: &[u8]) -> (u8, Vec<u8>) {
    assert_eq!(begin_with(bench, configuration.len() as u32), Status::Done as u8);
    for row in rows(configuration) {
        assert_eq!(ask(bench, Command::Data, &row).0, Status::Done as u8);
    }
    ask(bench, Command::Finish, &[])
}

/// SSR-055, SSR-058: a whole download; success is told with the hash of what is stored, and the unit runs it.
#[test]
fn a_download_ends_in_what_was_sent() {
    let configuration = new_configuration();
    let mut bench = configuring();
    assert_eq!(
        download(&mut bench, &configuration),
        (Status::Done as u8, hash_of(&configuration).to_le_bytes().to_vec())
    );
    assert_eq!(bench.flash.configuration()[..configuration.len()], configuration);
    for row in rows(&configuration) {
        let (status, payload) = ask(&mut bench, Command::Read, &row[..4]);
        assert_eq!((status, payload), (Status::Done as u8, row));
    }
    assert_eq!(ask(&mut bench, Command::Restart, &[]).0, Status::Done as u8);
    let mut waited = 0;
    while bench.outputs.reset.is_none() {
        bench.step();
        waited += 1;
        assert!(waited < 100);
    }
    assert_eq!(bench.outputs.reset, Some(Retained::default()), "into normal operation");
    let mut after = Bench::boot(bench.flash.clone(), POWER_ON);
    after.reach_normal();
}

/// SSR-055: answers go where the request came from.
#[test]
fn every_interface_is_answered_on_its_own() {
    for channel in [Channel::ToolUsb, Channel::ToolRadio, Channel::ToolCan] {
        let mut bench = configuring();
        bench.forward = std::vec![forward(channel, &request(Command::Read, 1, SERIAL, &[0; 4]))];
        bench.step();
        assert_eq!(bench.outputs.forward.len(), 1);
        assert_eq!(bench.outputs.forward[0].channel, channel);
    }
}

/// SSR-056: another unit's messages have no answer and no effect.
#[test]
fn messages_for_another_unit_have_no_effect() {
    let mut bench = configuring();
    for (serial, kind) in [(OTHER_SERIAL, 0x54), (0, 0x54), (SERIAL, 0x74)] {
        let mut bytes = request(Command::Begin, 1, serial, &1_000u32.to_le_bytes());
        bytes[0] = kind;
        let end = bytes.len() - 4;
        let crc = crc_flash(&bytes[..end]);
        put(&mut bytes, end, &crc.to_le_bytes());
        bench.forward = std::vec![forward(Channel::ToolUsb, &bytes)];
        bench.step();
        assert!(bench.outputs.forward.is_empty() && bench.outputs.flash.is_none());
    }
    let mut corrupt = request(Command::Begin, 1, SERIAL, &1_000u32.to_le_bytes());
    corrupt[9] ^= 1;
    bench.forward = std::vec![forward(Channel::ToolUsb, &corrupt)];
    bench.step();
    assert!(bench.outputs.forward.is_empty() && bench.outputs.flash.is_none());
}

/// Requests that do not fit the state or their form.
#[test]
fn requests_out_of_order_or_form_are_told() {
    let mut bench = configuring();
    let row = rows(&new_configuration());
    assert_eq!(ask(&mut bench, Command::Data, &row[0]).0, Status::OutOfOrder as u8);
    assert_eq!(ask(&mut bench, Command::Finish, &[]).0, Status::OutOfOrder as u8);
    for length in [0u32, 64, 67, 69, 32_769, 32_772, u32::MAX] {
        assert_eq!(begin_with(&mut bench, length), Status::BadRequest as u8, "{length}");
    }
    assert_eq!(ask(&mut bench, Command::Begin, &[0; 5]).0, Status::BadRequest as u8);
    let length = new_configuration().len() as u32;
    assert_eq!(begin_with(&mut bench, length), Status::Done as u8);
    assert_eq!(ask(&mut bench, Command::Data, &row[1]).0, Status::OutOfOrder as u8);
    assert_eq!(ask(&mut bench, Command::Data, &row[0]).0, Status::Done as u8);
    assert_eq!(ask(&mut bench, Command::Data, &row[0]).0, Status::Done as u8, "the last row may be repeated");
    assert_eq!(ask(&mut bench, Command::Data, &row[2]).0, Status::OutOfOrder as u8);
    assert_eq!(ask(&mut bench, Command::Data, &row[1][..35]).0, Status::BadRequest as u8);
    let long = [&row[1][..], &[0]].concat();
    assert_eq!(ask(&mut bench, Command::Data, &long).0, Status::BadRequest as u8);
    let mut outside = row[1].clone();
    put(&mut outside, 0, &32_768u32.to_le_bytes());
    assert_eq!(ask(&mut bench, Command::Data, &outside).0, Status::BadRequest as u8);
    assert_eq!(ask(&mut bench, Command::Read, &[0; 5]).0, Status::BadRequest as u8);
    let mut skewed = row[1].clone();
    skewed[0] += 1;
    assert_eq!(ask(&mut bench, Command::Data, &skewed).0, Status::BadRequest as u8);
    let mut behind = row[1].clone();
    put(&mut behind, 0, &length.next_multiple_of(32).to_le_bytes());
    assert_eq!(ask(&mut bench, Command::Data, &behind).0, Status::BadRequest as u8);
    assert_eq!(ask(&mut bench, Command::Finish, &[]).0, Status::OutOfOrder as u8, "rows are missing");
    assert_eq!(ask(&mut bench, Command::Finish, &[1]).0, Status::BadRequest as u8);
    assert_eq!(ask(&mut bench, Command::Restart, &[1]).0, Status::BadRequest as u8);
    for offset in [1u32, 32_768, u32::MAX - 31] {
        assert_eq!(ask(&mut bench, Command::Read, &offset.to_le_bytes()).0, Status::BadRequest as u8);
    }
}

/// SSR-058: an invalid configuration is told with its defect; a partial one never as success.
#[test]
fn an_invalid_configuration_is_told() {
    let mut configuration = new_configuration();
    configuration[70] ^= 1;
    let mut bench = configuring();
    assert_eq!(download(&mut bench, &configuration), (Status::Invalid as u8, std::vec![Defect::Crc as u8]));
    let other = {
        let mut spec = ConfigurationSpec::two_nodes(SectionSpec::empty());
        spec.nodes[0].serial = 9;
        spec.bytes()
    };
    assert_eq!(download(&mut bench, &other), (Status::Invalid as u8, std::vec![Defect::NotForThisUnit as u8]));
    assert_eq!(download(&mut bench, &new_configuration()).0, Status::Done as u8, "a second try is possible");
}

/// SSR-058: a flash that fails or does not keep a bit.
#[test]
fn a_failing_flash_is_told() {
    let mut bench = configuring();
    bench.forward = std::vec![forward(Channel::ToolUsb, &request(Command::Begin, 9, SERIAL, &100u32.to_le_bytes()))];
    bench.step();
    bench.flash_result = Some(FlashResult::Failed);
    bench.step();
    assert_eq!(answers(&bench)[0].status, Status::FlashFailed as u8);
    assert_eq!(ask(&mut bench, Command::Data, &[0; 36]).0, Status::OutOfOrder as u8, "nothing was begun");
    let configuration = new_configuration();
    assert_eq!(begin_with(&mut bench, configuration.len() as u32), Status::Done as u8);
    let row = rows(&configuration).remove(0);
    bench.forward = std::vec![forward(Channel::ToolUsb, &request(Command::Data, 9, SERIAL, &row))];
    bench.step();
    bench.flash.flip(CONFIGURATION_AT + 3, 1);
    bench.step();
    assert_eq!(answers(&bench)[0].status, Status::FlashFailed as u8);
}

/// A byte behind the configuration that is not erased any more: the flash did not keep what it was told.
#[test]
fn a_flash_that_does_not_keep_the_rest_erased_is_told() {
    let mut bench = configuring();
    let configuration = new_configuration();
    assert_eq!(begin_with(&mut bench, configuration.len() as u32), Status::Done as u8);
    for row in rows(&configuration) {
        assert_eq!(ask(&mut bench, Command::Data, &row).0, Status::Done as u8);
    }
    bench.flash.flip(CONFIGURATION_AT + CONFIGURATION_LEN_MOST - 1, 0);
    assert_eq!(ask(&mut bench, Command::Finish, &[]).0, Status::FlashFailed as u8);
}

/// A row whose result takes some ticks is answered when it comes.
#[test]
fn a_row_is_answered_when_it_is_programmed() {
    let mut bench = configuring();
    let configuration = new_configuration();
    assert_eq!(begin_with(&mut bench, configuration.len() as u32), Status::Done as u8);
    let row = rows(&configuration).remove(0);
    bench.forward = std::vec![forward(Channel::ToolUsb, &request(Command::Data, 9, SERIAL, &row))];
    for _ in 0..5 {
        bench.step();
        assert!(answers(&bench).is_empty());
        bench.flash_result = None;
    }
    bench.flash_result = Some(FlashResult::Done);
    bench.step();
    assert_eq!(answers(&bench)[0].status, Status::Done as u8);
}

/// CPU1 answers these alone.
#[test]
fn requests_that_the_other_cpu_answers_are_left_to_it() {
    let mut bench = configuring();
    for command in [Command::Who, Command::Identify, Command::Enter] {
        bench.forward = std::vec![forward(Channel::ToolUsb, &request(command, 9, SERIAL, &[]))];
        for _ in 0..5 {
            bench.step();
            assert!(bench.outputs.forward.is_empty() && bench.outputs.flash.is_none(), "{command:?}");
        }
    }
}

/// While an operation runs, others are told so, and its answer still comes.
#[test]
fn a_running_operation_is_busy() {
    let mut bench = configuring();
    bench.forward = std::vec![forward(Channel::ToolUsb, &request(Command::Begin, 1, SERIAL, &100u32.to_le_bytes()))];
    bench.step();
    bench.flash_result = None;
    bench.forward = std::vec![forward(Channel::ToolUsb, &request(Command::Read, 2, SERIAL, &[0; 4]))];
    bench.step();
    assert_eq!((answers(&bench)[0].sequence, answers(&bench)[0].status), (2, Status::Busy as u8));
    bench.flash_result = Some(FlashResult::Done);
    bench.step();
    assert_eq!((answers(&bench)[0].sequence, answers(&bench)[0].status), (1, Status::Done as u8));
}

/// SSR-049: a driven output, a closed contact or a live feed of the outputs is an internal fault in this mode.
#[test]
fn driven_outputs_in_configuration_mode_trip() {
    let mut driver = configuring();
    driver.drivers[7] = 0x8000;
    driver.steps(2);
    driver.trips(Fault::OutputDriver, 1..2);
    let mut contact = configuring();
    contact.relay_feedback = Some(0b0100);
    contact.steps(2);
    contact.trips(Fault::Relay, 1..2);
    let mut slow = configuring();
    let out = slow.cpu.deadline(Instant::from_micros(slow.now_us));
    assert!(out.detections.iter().any(|found| found.fault == Fault::LogicTime));
    assert_eq!(slow.cpu.mode(), Mode::Safe);
    let again = slow.cpu.deadline(Instant::from_micros(slow.now_us));
    assert_eq!((again.all_off, slow.cpu.mode()), (true, Mode::Safe), "a safe state stays one");
    let mut feed = configuring();
    feed.sio_mv = Some(2_100);
    feed.steps(10);
    feed.trips(Fault::MainTransistor, 1..2);
}

/// SSR-048: an hour in configuration mode with all messages of a download; it stays.
#[test]
fn configuration_mode_is_for_good() {
    let mut bench = configuring();
    assert_eq!(download(&mut bench, &new_configuration()).0, Status::Done as u8);
    bench.peer.mode = Mode::Normal;
    for _ in 0..3_600_000 / 100 {
        bench.step();
        assert_eq!(bench.outputs.mode, Mode::Configuration);
        assert!(bench.outputs.all_off && bench.outputs.c2c.is_some());
    }
}

/// SSR-053, SSR-054: in normal mode no message of the tool but a right `Enter` has an effect; traces are equal tick by tick.
#[test]
fn the_tool_has_no_effect_in_normal_mode() {
    let mut with = Bench::normal(SectionSpec::empty());
    let mut without = with.clone();
    let commands = [
        Command::Who,
        Command::Identify,
        Command::Begin,
        Command::Data,
        Command::Finish,
        Command::Read,
        Command::Restart,
    ];
    for tick in 0..2_000usize {
        let channel = [Channel::ToolUsb, Channel::ToolRadio, Channel::ToolCan][tick % 3];
        let payload: &[u8] = if tick % 2 == 0 { &[68, 0, 0, 0] } else { b"wrong password" };
        let mut messages = std::vec![forward(channel, &request(commands[tick % 7], tick as u8, SERIAL, payload)); 40];
        messages.push(forward(channel, &request(Command::Enter, 1, SERIAL, b"wrong")));
        messages.push(forward(channel, &request(Command::Enter, 1, OTHER_SERIAL, PASSWORD)));
        with.forward = messages;
        with.step();
        without.step();
        assert_eq!(with.outputs, without.outputs, "tick {tick}");
    }
    with.forward = std::vec![forward(Channel::ToolRadio, &request(Command::Enter, 1, SERIAL, PASSWORD))];
    with.step();
    assert_eq!(with.outputs.reset, Some(ASKED.retained));
    assert!(with.outputs.all_off && with.outputs.main == 0 && with.outputs.relays == 0);
}

/// SSR-052: every wrong password is ignored: off by one bit, shortened, lengthened, empty, over-long.
#[test]
fn wrong_passwords_are_ignored() {
    let access = crate::access::Access {
        serial: SERIAL,
        password: crate::chaskey::tag(safety_common::tool::PASSWORD_KEY, PASSWORD),
    };
    let enters = |password: &[u8]| {
        let bytes = request(Command::Enter, 1, SERIAL, password);
        access.enters(&Request::parse(&bytes).unwrap()).is_some()
    };
    assert!(enters(PASSWORD));
    for bit in 0..8 * PASSWORD.len() {
        let mut wrong = PASSWORD.to_vec();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(!enters(&wrong), "bit {bit}");
    }
    for length in 0..PASSWORD.len() {
        assert!(!enters(&PASSWORD[..length]));
    }
    for extra in 0..=255u8 {
        assert!(!enters(&[PASSWORD, &[extra]].concat()));
    }
    assert!(!enters(&[0; 33]) && !enters(&[b'a'; 52]));
    let mut seed = 8;
    for _ in 0..100_000 {
        let word = crate::packet::tests::random(&mut seed).to_le_bytes();
        assert!(!enters(&word[..1 + usize::from(word[7]) % 7]) || word[..6] == *PASSWORD);
    }
}
