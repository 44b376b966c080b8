//! Transcripts of normal mode: logic, radio and CAN through CPU1, floods.
//!
//! SSR-012, SSR-015, SSR-038, SSR-045, SSR-046, SSR-073 to SSR-080.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use safety_common::configuration::{BlockKind, Role};
use safety_common::fault::Fault;
use safety_common::io::{Bytes, Channel, Mode};
use safety_common::signal::Signal;
use safety_common::tool::Command;

use crate::testing::*;

/// Input on pin 0 goes to memory 17 and CAN bit 3; memory 5 of the other node drives relay 0, its CAN bit 9 relay 1.
fn section() -> SectionSpec {
    let mut section = SectionSpec::empty();
    section.pin(0, Role::Input, Signal::High, Signal::Low);
    section.inputs.push(single(0));
    section.blocks = vec![
        block_spec(BlockKind::Input, 0, 0, &[], 0),
        block_spec(BlockKind::MemorySend, 0, 17, &[0], 0),
        block_spec(BlockKind::CanSend, 0, 3, &[0], 0),
        block_spec(BlockKind::MemoryReceive, 1, 5, &[], 0),
        block_spec(BlockKind::Relay, 0, 0, &[3], 0),
        block_spec(BlockKind::CanReceive, 1, 9, &[], 0),
        block_spec(BlockKind::Relay, 1, 0, &[5], 0),
    ];
    section
}

/// The other node of the network: drives memory 5 and CAN bit 9 by its own pin 0.
fn other_section() -> SectionSpec {
    let mut section = SectionSpec::empty();
    section.pin(0, Role::Input, Signal::High, Signal::Low);
    section.inputs.push(single(0));
    section.blocks = vec![
        block_spec(BlockKind::Input, 0, 0, &[], 0),
        block_spec(BlockKind::MemorySend, 0, 5, &[0], 0),
        block_spec(BlockKind::CanSend, 1, 9, &[0], 0),
    ];
    section
}

fn network() -> ConfigurationSpec {
    let mut spec = ConfigurationSpec::two_nodes(section());
    spec.nodes[1].section = other_section();
    spec
}

/// The second unit, its own serial number in production data.
fn other_unit() -> Bench {
    let mut flash = Flash::new(&network().bytes());
    flash.write(safety_common::flash_map::PRODUCTION_AT, &production_bytes(OTHER_SERIAL));
    let mut bench = Bench::boot(flash, POWER_ON);
    bench.peer.serial = OTHER_SERIAL;
    bench.reach_normal();
    bench
}

/// What the CPU1 of a unit makes of a forwarded radio packet: the CRC behind it.
fn on_air(bytes: &Bytes) -> Vec<u8> {
    let crc = crc_forward(24, 0x5D_6DCB, 0xFE_DCBA, bytes);
    [bytes.as_slice(), &crc.to_be_bytes()[1..]].concat()
}

/// Carries what one unit sent in its last step to the other's next.
fn carry(from: &Bench, to: &mut Bench, radio: bool, can: bool) {
    for message in &from.outputs.forward {
        match message.channel {
            Channel::Radio if radio => to.forward.push(forward(Channel::Radio, &on_air(&message.bytes))),
            Channel::Can if can => to.forward.push(forward(Channel::Can, &message.bytes)),
            _ => {}
        }
    }
}

fn run(a: &mut Bench, b: &mut Bench, ticks: u32, radio: bool, can: bool) {
    for _ in 0..ticks {
        carry(b, a, radio, can);
        carry(a, b, radio, can);
        a.step();
        b.step();
        assert_eq!((a.outputs.mode, b.outputs.mode), (Mode::Normal, Mode::Normal), "{:?}", a.outputs.detections);
    }
}

/// SSR-075, SSR-076, SSR-080: memories and CAN bits from unit to unit, and their end when packets stop.
#[test]
fn two_units_exchange_memories_and_can_bits() {
    let mut a = Bench::normal_with(&network());
    let mut b = other_unit();
    run(&mut a, &mut b, 60, true, true);
    assert_eq!(a.outputs.trace.relays_on, 0);
    b.set(0, true);
    run(&mut a, &mut b, 40, true, true);
    assert_eq!(a.outputs.trace.relays_on, 0b11);
    // Without radio the memory goes at the time-out of 100 ms, the CAN bit stays.
    let mut silent = a.clone();
    let mut sender = b.clone();
    run(&mut silent, &mut sender, 88, false, true);
    assert_eq!(silent.outputs.trace.relays_on, 0b11);
    run(&mut silent, &mut sender, 13, false, true);
    assert_eq!(silent.outputs.trace.relays_on, 0b10);
    // Without CAN the bit goes past the age of 35 ms, the memory stays. The last frame that counted is up to 7 ticks old: its
    // sequence goes up once in 8.
    run(&mut a, &mut b, 27, true, false);
    assert_eq!(a.outputs.trace.relays_on, 0b11);
    run(&mut a, &mut b, 10, true, false);
    assert_eq!(a.outputs.trace.relays_on, 0b01);
    // The stop of the other unit comes with its next packet.
    b.set(0, false);
    run(&mut a, &mut b, 12, true, true);
    assert_eq!(a.outputs.trace.relays_on, 0);
}

/// SSR-073: in safe state no packet leaves and the other unit goes by its time-out.
#[test]
fn a_unit_in_safe_state_is_silent_and_times_out() {
    let mut a = Bench::normal_with(&network());
    let mut b = other_unit();
    b.set(0, true);
    run(&mut a, &mut b, 100, true, true);
    assert_eq!(a.outputs.trace.relays_on, 0b11);
    b.logic_time_ns = 1_000_000;
    for tick in 1..=130 {
        carry(&b, &mut a, true, true);
        b.step();
        a.step();
        assert!(b.outputs.forward.is_empty() && b.outputs.c2c.is_none(), "tick {tick}");
    }
    assert_eq!((b.outputs.mode, a.outputs.mode), (Mode::Safe, Mode::Normal));
    assert_eq!(a.outputs.trace.relays_on, 0);
}

/// SSR-078, SSR-079: a unit with another release does not hear this one.
#[test]
fn a_unit_with_another_release_is_not_heard() {
    let mut a = Bench::normal_with(&network());
    let mut flash = Flash::new(&network().bytes());
    flash.write(safety_common::flash_map::PRODUCTION_AT, &production_bytes(OTHER_SERIAL));
    let mut image = image_bytes(2, RELEASE_ID);
    image[safety_common::flash_map::image::RELEASE_HASH] ^= 1;
    let end = safety_common::flash_map::image::HEADER_CRC;
    let crc = crc_flash(&image[..end]);
    put(&mut image, end, &crc.to_le_bytes());
    flash.write(0, &image);
    let mut b = Bench::boot(flash, POWER_ON);
    (b.peer.serial, b.peer.release_hash) = (OTHER_SERIAL, RELEASE_HASH ^ 1);
    b.reach_normal();
    b.set(0, true);
    run(&mut a, &mut b, 200, true, true);
    assert_eq!(a.outputs.trace.relays_on, 0);
}

/// SSR-080: an own CAN frame that comes from outside trips at once, within the declared two ticks.
#[test]
fn an_own_can_frame_from_outside_trips() {
    let mut a = Bench::normal_with(&network());
    a.stays_normal(5);
    let own = a.outputs.forward.iter().find(|message| message.channel == Channel::Can).cloned().unwrap();
    a.forward = vec![own];
    a.trips(Fault::CanMasquerade, 1..2);
}

/// SSR-012, SSR-017, SSR-022: one evaluation, one packet and one served watchdog in every tick, under any load.
#[test]
fn one_evaluation_and_one_packet_a_tick() {
    let mut a = Bench::normal_with(&network());
    let mut last = u32::from_le_bytes(a.outputs.c2c.unwrap()[4..8].try_into().unwrap());
    for tick in 0..20_000u32 {
        a.forward = vec![forward(Channel::Radio, &[tick as u8; 50]); (tick % 50) as usize];
        a.stays_normal(1);
        let counter = u32::from_le_bytes(a.outputs.c2c.unwrap()[4..8].try_into().unwrap());
        assert_eq!(counter, last + 1);
        assert!(a.outputs.trace.evaluated && a.outputs.watchdog);
        last = counter;
    }
}

/// SSM-06, SSR-038: floods on every channel change no output; good packets among the first few are still taken.
#[test]
fn floods_change_no_output() {
    let mut calm = Bench::normal_with(&network());
    let mut flooded = calm.clone();
    let mut seed = 1;
    for tick in 0..3_000 {
        for channel in [Channel::Radio, Channel::Can, Channel::ToolUsb, Channel::ToolRadio, Channel::ToolCan] {
            for _ in 0..40 {
                let noise = crate::packet::tests::random(&mut seed).to_le_bytes();
                let bytes = match channel {
                    Channel::Can => [&[0x41, 0], &noise[..]].concat(),
                    Channel::Radio => [&noise[..], &noise[..4]].concat(),
                    _ => request(Command::Begin, noise[0], SERIAL, &noise[..4]),
                };
                flooded.forward.push(forward(channel, &bytes));
            }
        }
        step_alike(&mut calm, &mut flooded, tick);
    }
}

/// Steps both with the same input; all that leaves them is equal.
fn step_alike(calm: &mut Bench, flooded: &mut Bench, tick: u32) {
    for bench in [&mut *calm, &mut *flooded] {
        if tick.is_multiple_of(7) {
            bench.set(0, tick.is_multiple_of(2));
        }
        bench.step();
    }
    assert_eq!(calm.outputs, flooded.outputs, "tick {tick}");
}

/// SSR-038: 10^6 messages, no more in a tick than this CPU looks at: 8 of the radio, 16 of CAN, 4 of tools, by all commands.
#[test]
fn a_million_messages_change_no_output() {
    const A_TICK: [(Channel, usize); 5] = [
        (Channel::Radio, 8),
        (Channel::Can, 16),
        (Channel::ToolUsb, 2),
        (Channel::ToolRadio, 1),
        (Channel::ToolCan, 1),
    ];
    const COMMANDS: [Command; 8] = {
        use Command::{Begin, Data, Enter, Finish, Identify, Read, Restart, Who};
        [Who, Identify, Enter, Begin, Data, Finish, Read, Restart]
    };
    let mut calm = Bench::normal_with(&network());
    let mut flooded = calm.clone();
    let (mut seed, mut said) = (38, 0);
    for tick in 0.. {
        for channel in A_TICK.into_iter().flat_map(|(channel, count)| std::iter::repeat_n(channel, count)) {
            let noise = crate::packet::tests::random(&mut seed).to_le_bytes();
            let bytes = match channel {
                // Ids of no slot: one of a slot is a masquerade, which stops the unit as it must.
                Channel::Can => [&[0x41, 0], &noise[..]].concat(),
                Channel::Radio => [&noise[..], &noise[..4]].concat(),
                _ => {
                    let command = COMMANDS[usize::from(noise[1]) % COMMANDS.len()];
                    request(command, noise[0], SERIAL, &noise[..usize::from(noise[2] % 8)])
                }
            };
            flooded.forward.push(forward(channel, &bytes));
            said += 1;
        }
        step_alike(&mut calm, &mut flooded, tick);
        if said >= 1_000_000 {
            break;
        }
    }
}

/// SSR-074: memories of nodes that are not heard are zero, whoever is configured.
#[test]
fn unheard_memories_are_zero() {
    let mut a = Bench::normal_with(&network());
    for _ in 0..500 {
        a.stays_normal(1);
        assert_eq!(a.outputs.trace.relays_on, 0);
    }
}

/// SSR-045: the modes from start-up to the safe state, in this order and no other; the configuration mode has tests of its own.
#[test]
fn all_modes_are_reached() {
    let mut bench = Bench::boot(Flash::new(&network().bytes()), POWER_ON);
    let mut seen = vec![bench.cpu.mode()];
    let mut note = |mode: Mode| {
        if seen.last() != Some(&mode) {
            seen.push(mode);
        }
    };
    for tick in 0..900 {
        bench.peer.mode = if bench.cpu.mode() == Mode::Normal { Mode::Normal } else { Mode::Ready };
        if tick == 850 {
            bench.peer.mode = Mode::Starting;
        }
        bench.step();
        note(bench.outputs.mode);
    }
    assert_eq!(seen, [Mode::Starting, Mode::Ready, Mode::Normal, Mode::Safe]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// SSR-023, SSR-038: whatever comes over the interfaces, the outputs of this CPU depend on inputs and peer alone.
    #[test]
    fn messages_never_reach_an_output(messages in proptest::collection::vec((0u8..5, proptest::collection::vec(any::<u8>(), 0..64)), 0..200)) {
        let channels = [Channel::Radio, Channel::Can, Channel::ToolUsb, Channel::ToolRadio, Channel::ToolCan];
        let mut calm = Bench::normal_with(&network());
        let mut disturbed = calm.clone();
        for chunk in messages.chunks(5) {
            disturbed.forward = chunk.iter().map(|(channel, bytes)| forward(channels[usize::from(*channel)], bytes)).collect();
            calm.step();
            disturbed.step();
            prop_assert_eq!(&calm.outputs, &disturbed.outputs);
        }
    }
}
