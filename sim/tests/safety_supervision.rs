//! What a unit of two real CPUs supervises, at the borders: start-up, link, supply, logic time, identity, voltages.
//!
//! Each test asks the whole unit: the outputs of both CPUs behind the real wiring rule that either alone removes all.

#[path = "safety_bench/mod.rs"]
mod safety_bench;
#[path = "safety_bench/texts.rs"]
mod texts;

use safety_bench::{Flash, Outside, RAM_WORDS, RELEASE_HASH, RELEASE_ID, SERIALS, Unit, image_bytes, production_bytes};
use safety_common::fault::Fault;
use safety_common::flash_map::{self, PRODUCTION_AT};
use safety_common::io::Mode;
use safety_common::signal::Signal;
use safety_common::tool::PASSWORD_KEY;
use texts::compiled;

/// One input drives one output and one relay.
fn simple() -> Vec<u8> {
    let text = format!(
        "(network: 1, password: \"p\", response_time: \"20ms\", nodes: [(name: \"n\", serial: {}, \
         supply: (minimum: \"18V\", maximum: \"30V\"), pins: [(pin: 0, name: \"i\", role: Input), (pin: 1, name: \"o\", role: Output)], \
         inputs: [(name: \"i\", pins: Single(\"i\"))], outputs: [(name: \"o\", pins: Single(\"o\"))], \
         blocks: [(name: \"x\", kind: Input(\"i\")), (name: \"y\", kind: Output(group: \"o\", of: \"x\")), \
         (name: \"z\", kind: Relay(relay: 0, of: \"x\"))])])",
        SERIALS[0]
    );
    compiled(&text).bytes
}

/// In normal mode with everything ON.
fn on() -> Unit {
    let mut unit = Unit::running(SERIALS[0], &simple());
    unit.outside[0] = Outside::Shows(Signal::High, 0);
    unit.steps(60);
    assert!(unit.anything_on() && unit.modes() == [Mode::Normal; 2]);
    unit
}

/// Steps so often; the unit stays in normal mode.
fn stays_normal(unit: &mut Unit, ticks: u32) {
    for tick in 0..ticks {
        unit.step();
        assert_eq!(unit.modes(), [Mode::Normal; 2], "tick {tick}: {:?} {:?}", unit.one.detections, unit.two.detections);
    }
}

/// Steps until nothing is on; how many steps it took.
fn steps_to_off(unit: &mut Unit, most: u32) -> Option<u32> {
    (1..=most).find(|_| {
        unit.step();
        !unit.anything_on()
    })
}

/// Steps a unit that is starting; nothing may ever be on. The modes it ends in.
fn never_on(unit: &mut Unit, ticks: u32) -> [Mode; 2] {
    for tick in 0..ticks {
        unit.step();
        assert!(!unit.anything_on() && unit.one.out.pins == [0; 14] && unit.two.out.main == 0, "tick {tick}");
    }
    unit.modes()
}

/// Verifies SSR-062, SSR-065. How long a start takes, and that nothing is on before both CPUs are through.
#[test]
fn a_cold_start_takes_the_time_that_the_page_says() {
    let mut unit = Unit::cold(SERIALS[0], &simple());
    unit.outside[0] = Outside::Shows(Signal::High, 0);
    let (mut ready_one, mut ready_two) = (None, None);
    for tick in 1..=1_000_u32 {
        unit.step();
        let [one, two] = unit.modes();
        ready_one = ready_one.or((one == Mode::Ready).then_some(tick));
        ready_two = ready_two.or((two == Mode::Ready).then_some(tick));
        if [one, two] == [Mode::Normal; 2] {
            break;
        }
        assert!(!unit.anything_on());
    }
    let (one, two) = (ready_one.expect("CPU1 gets ready"), ready_two.expect("CPU2 gets ready"));
    assert!((180..=220).contains(&one) && (600..=680).contains(&two), "CPU1 {one}, CPU2 {two} ticks");
    assert!(4 * (two - one) < safety_common::PEER_START_TICKS, "the wait covers the difference four times");
    assert_eq!(unit.modes(), [Mode::Normal; 2]);
    stays_normal(&mut unit, 100);
    assert!(unit.anything_on());
}

/// Verifies SSR-003. One stuck bit in every block of 16 words, on each CPU: no start.
#[test]
fn a_ram_fault_in_any_block_of_either_cpu_stops_the_start() {
    let configuration = simple();
    for block in 0..RAM_WORDS as u32 / 16 {
        let mut unit = Unit::cold(SERIALS[0], &configuration);
        let (word, bit) = (16 * block + block % 16, block % 32);
        let held = if block.is_multiple_of(2) { u32::MAX } else { 0 };
        unit.one.ram.stuck = Some((word, 1 << bit, held));
        unit.two.ram.stuck = unit.one.ram.stuck;
        assert!(
            (1..60).any(|_| {
                unit.step();
                assert!(!unit.anything_on());
                unit.modes() == [Mode::Safe; 2]
            }),
            "block {block}"
        );
        let told = [&unit.one.detections, &unit.two.detections].map(|told| (told[0].fault, told[0].detail));
        assert_eq!(told, [(Fault::RamAtStart, word); 2], "block {block}");
    }
}

/// Verifies SSR-020. What is lost while a unit starts is not held against the link in normal mode, on either CPU.
#[test]
fn losses_during_the_start_are_forgotten() {
    for ways in WAYS {
        let mut unit = Unit::long(SERIALS[0], &simple());
        for tick in 0..240 {
            deafen(&mut unit, ways, tick % 2 == 0);
            unit.step();
        }
        deafen(&mut unit, ways, false);
        assert!(!unit.modes().contains(&Mode::Normal), "{:?}", unit.modes());
        unit.steps(200);
        assert_eq!(unit.modes(), [Mode::Normal; 2], "{ways:?}: {:?}", unit.causes());
        stays_normal(&mut unit, 100);
    }
}

/// Verifies SSR-003, SSR-062. A fault in one CPU alone keeps the unit off: the other waits for its peer and gives up.
#[test]
fn a_cpu_that_does_not_start_keeps_the_other_from_it() {
    for spoils_one in [true, false] {
        let mut unit = Unit::long(SERIALS[0], &simple());
        let bytes = image_bytes(3, RELEASE_ID, RELEASE_HASH);
        if spoils_one {
            unit.one.flash.put(0, &bytes)
        } else {
            unit.two.flash.put(0, &bytes)
        }
        assert_eq!(never_on(&mut unit, 3_010), [Mode::Safe; 2]);
        let causes = unit.causes();
        let expected = [Some(Fault::Firmware), Some(Fault::PeerMissing)];
        assert_eq!(causes, if spoils_one { expected } else { [expected[1], expected[0]] });
    }
}

/// Verifies SSR-006, SSR-061, SSR-064. A flipped bit in every sector of 4 KiB, on each CPU.
#[test]
fn a_flipped_bit_in_any_sector_of_either_flash_stops_the_start() {
    let configuration = simple();
    for sector in 0..flash_map::LEN / 4_096 {
        let mut unit = Unit::long(SERIALS[0], &configuration);
        let at = (sector * 4_096 + sector * 31 % 4_096) as usize;
        unit.one.flash.0[at] ^= 1 << (sector % 8);
        unit.two.flash.0[at] ^= 1 << (sector % 8);
        assert_eq!(never_on(&mut unit, 310), [Mode::Safe; 2], "{at:#x}: {:?}", unit.causes());
    }
}

/// Verifies SSR-064, SSR-066, SSR-067. Production data of either CPU: serial numbers with a good CRC, flipped bits.
#[test]
fn production_data_of_either_cpu_decide_about_the_start() {
    let configuration = simple();
    let started = |change: &dyn Fn(&mut Flash), of_one: bool| {
        let mut unit = Unit::long(SERIALS[0], &configuration);
        change(if of_one { &mut unit.one.flash } else { &mut unit.two.flash });
        unit.steps(320);
        let causes = unit.causes();
        if of_one { causes[0] } else { causes[1] }
    };
    for of_one in [true, false] {
        let with_serial = |serial: u32| started(&|flash| flash.put(PRODUCTION_AT, &production_bytes(serial)), of_one);
        assert_eq!([0, u32::MAX].map(with_serial), [Some(Fault::SerialNumber); 2]);
        assert_eq!([1, 0xFFFF_FFFE].map(with_serial), [Some(Fault::Configuration); 2], "not the configured one");
        assert_eq!(with_serial(SERIALS[0]), None);
        for bit in (0..32 * 8).step_by(5) {
            let flip = |flash: &mut Flash| flash.0[PRODUCTION_AT as usize + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(started(&flip, of_one), Some(Fault::ProductionData), "bit {bit}");
        }
    }
}

/// Verifies SSR-062, SSR-063. Every combination of two releases, of two hashes of a release and of two configurations.
#[test]
fn cpus_that_differ_in_anything_do_not_start() {
    let (configuration, other) = (simple(), simple_with_another_password());
    for combination in 0..64_u32 {
        let bit = |at: u32| combination >> at & 1;
        let mut unit = Unit::long(SERIALS[0], &configuration);
        unit.one.flash.put(0, &image_bytes(1, RELEASE_ID + bit(0), RELEASE_HASH ^ bit(1)));
        unit.two.flash.put(0, &image_bytes(2, RELEASE_ID + bit(2), RELEASE_HASH ^ bit(3)));
        unit.one.flash.configure(if bit(4) == 1 { &other } else { &configuration });
        unit.two.flash.configure(if bit(5) == 1 { &other } else { &configuration });
        let same_release = bit(0) == bit(2) && bit(1) == bit(3);
        let same_data = bit(4) == bit(5);
        if same_release && same_data {
            unit.steps(340);
            assert_eq!(unit.modes(), [Mode::Normal; 2], "{combination:06b}: {:?}", unit.causes());
        } else {
            assert_eq!(never_on(&mut unit, 340), [Mode::Safe; 2], "{combination:06b}");
            let expected = if same_release { Fault::PeerDataDiffers } else { Fault::ReleaseDiffers };
            assert!(unit.causes().contains(&Some(expected)), "{combination:06b}: {:?}", unit.causes());
        }
    }
}

fn simple_with_another_password() -> Vec<u8> {
    let mut bytes = simple();
    bytes.truncate(bytes.len() - 4);
    let verifier = cooltwin::safety::chaskey::bytes(cooltwin::safety::chaskey::tag(PASSWORD_KEY, b"q"));
    bytes[safety_common::configuration::header::PASSWORD..][..16].copy_from_slice(&verifier);
    cooltwin::safety::binary::sealed(bytes)
}

/// Loses packets on their way to CPU1, to CPU2 or to both.
fn deafen(unit: &mut Unit, ways: [bool; 2], is_deaf: bool) {
    (unit.one.deaf, unit.two.deaf) = (ways[0] && is_deaf, ways[1] && is_deaf);
}

const WAYS: [[bool; 2]; 3] = [[true, false], [false, true], [true, true]];

/// Verifies SSR-020. Up to 18 losses in a row survive in each direction, wherever in the tick packets come, and the first good
/// packet restores the data.
#[test]
fn eighteen_lost_packets_survive() {
    for ways in WAYS {
        for before in [0, 1, 250, 500, 999] {
            let mut unit = on();
            (unit.one.packet_before_us, unit.two.packet_before_us) = (before, before);
            stays_normal(&mut unit, 3);
            for losses in [1, 17, 18] {
                deafen(&mut unit, ways, true);
                stays_normal(&mut unit, losses);
                deafen(&mut unit, ways, false);
                stays_normal(&mut unit, 3);
                assert!(unit.anything_on());
            }
        }
    }
}

/// Verifies SSR-021, SSR-022, SSR-037. 20 losses and more trip; outputs are off 20 to 22.1 ms after the last good packet, and
/// the whole unit follows. 21 steps after the last one that had a packet are at most 21 ms and the packet's age.
#[test]
fn twenty_lost_packets_trip_the_unit() {
    for ways in WAYS {
        for before in [0, 1, 250, 500, 999_u64] {
            for corrupts in [false, true] {
                let mut unit = on();
                (unit.one.packet_before_us, unit.two.packet_before_us) = (before, before);
                stays_normal(&mut unit, 3);
                if corrupts {
                    unit.one.flip = ways[0].then_some(333);
                    unit.two.flip = ways[1].then_some(333);
                } else {
                    deafen(&mut unit, ways, true);
                }
                // What was on its way already arrives in the next step.
                stays_normal(&mut unit, 1);
                let steps = steps_to_off(&mut unit, 30).expect("it trips");
                let us = u64::from(steps) * 1_000 + before;
                assert!((20_000..=22_100).contains(&us), "{ways:?} {before}: off after {us} us");
                assert!(unit.steps_to_safe(25).is_some(), "{ways:?}: both CPUs are in safe state");
                assert!(unit.causes().contains(&Some(Fault::C2cSilent)));
            }
        }
    }
}

/// Verifies SSR-020. Errors in every second packet for ever are not tolerated, in either direction: the 65th trips.
#[test]
fn errors_in_every_second_packet_trip() {
    for ways in [[true, false], [false, true]] {
        let mut unit = on();
        let mut losses = 0;
        while unit.modes() == [Mode::Normal; 2] && losses < 100 {
            losses += 1;
            deafen(&mut unit, ways, true);
            unit.step();
            deafen(&mut unit, ways, false);
            unit.step();
        }
        assert_eq!(losses, 65 + 1, "the loss of a packet is seen by the next one");
        assert!(unit.causes().contains(&Some(Fault::C2cErrorRate)), "{:?}", unit.causes());
    }
}

/// Verifies SSR-009, SSR-011. Dips of 499 ms, with pauses of 2 ms, never trip; 502 ms trip, and the outputs are off 503 ms after
/// the beginning; at the limit, less the step of the converter, nothing happens.
#[test]
fn supply_dips_of_499_ms_survive_and_502_ms_trip() {
    for (bad, at_limit, fault) in [(17_900, 18_000, Fault::SupplyLow), (30_100, 29_970, Fault::SupplyHigh)] {
        let mut unit = on();
        for _ in 0..3 {
            unit.supply_mv = bad;
            stays_normal(&mut unit, 499);
            unit.supply_mv = 24_000;
            stays_normal(&mut unit, 2);
        }
        unit.supply_mv = at_limit;
        stays_normal(&mut unit, 1_000);
        unit.supply_mv = bad;
        let steps = steps_to_off(&mut unit, 600).expect("it trips");
        assert!((501..=503).contains(&steps), "{fault:?}: off after {steps} ms");
        assert!(unit.causes().contains(&Some(fault)), "{:?}", unit.causes());
    }
}

/// Verifies SSR-009, SSR-011. Each CPU watches the supply by itself: the other reads a good one.
#[test]
fn either_cpu_alone_trips_on_supply() {
    for of_one in [true, false] {
        let mut unit = on();
        // Just inside the limit for one, just outside for the other: no mismatch of 1 V.
        unit.supply_mv = 18_300;
        if of_one {
            unit.one.offset_mv[14] = -500
        } else {
            unit.two.offset_mv[14] = -500
        }
        let steps = steps_to_off(&mut unit, 600).expect("it trips");
        assert!((501..=504).contains(&steps), "{steps}");
        let causes = unit.causes();
        assert_eq!(if of_one { causes[0] } else { causes[1] }, Some(Fault::SupplyLow));
    }
}

/// Verifies SSR-014. 812.5 us pass on each CPU, 812.501 us do not.
#[test]
fn logic_of_812_500_ns_passes_and_one_more_trips() {
    for of_one in [true, false] {
        let mut unit = on();
        let set = |unit: &mut Unit, ns| if of_one { unit.one.logic_time_ns = ns } else { unit.two.logic_time_ns = ns };
        for good in [812_400, 812_500] {
            set(&mut unit, good);
            stays_normal(&mut unit, 100);
        }
        set(&mut unit, 812_501);
        assert_eq!(steps_to_off(&mut unit, 5), Some(1));
        assert!(unit.causes().contains(&Some(Fault::LogicTime)));
    }
}

/// Verifies SSR-082, SSR-083. Each rail, both limits: as long as the debounce nothing, then safe state.
#[test]
fn rails_trip_after_their_debounce() {
    for of_one in [true, false] {
        for bad in [3_120, 3_480] {
            let mut unit = on();
            let set = |unit: &mut Unit, mv| if of_one { unit.one.rail_mv = mv } else { unit.two.rail_mv = mv };
            set(&mut unit, bad);
            stays_normal(&mut unit, 10);
            set(&mut unit, 3_300);
            stays_normal(&mut unit, 1);
            set(&mut unit, bad);
            assert_eq!(steps_to_off(&mut unit, 20), Some(11));
            assert!(unit.causes().contains(&Some(Fault::Rail)));
        }
    }
}

/// Verifies SSR-033. Every channel of either CPU beyond the limit trips after the debounce; below it never does.
#[test]
fn a_voltage_that_differs_trips_on_every_channel_of_either_cpu() {
    let good = on();
    for of_one in [true, false] {
        for channel in 0..16 {
            for (offset, trips) in [(-930, false), (930, false), (1_100, true), (-1_100, true)] {
                let mut unit = good.clone();
                // A low pin cannot read lower than 0.
                let offset = if offset < 0 && channel > 1 && channel < 14 { -offset } else { offset };
                if of_one {
                    unit.one.offset_mv[channel] = offset
                } else {
                    unit.two.offset_mv[channel] = offset
                }
                if trips {
                    let steps = steps_to_off(&mut unit, 40).unwrap_or_else(|| panic!("channel {channel} {offset}"));
                    assert!((20..=24).contains(&steps), "channel {channel} {offset}: {steps}");
                    assert!(unit.causes().contains(&Some(Fault::AnalogMismatch)), "{:?}", unit.causes());
                } else {
                    stays_normal(&mut unit, 60);
                }
            }
        }
    }
}

/// Verifies SSR-033. The bound between noise and fault: one comparison in five outside is tolerated for ever, one in four is not.
#[test]
fn one_voltage_in_five_outside_is_noise_and_one_in_four_is_a_fault() {
    // An excursion of one scan is outside for the other CPU once; own scans are kept for four ticks, so only what the other
    // CPU sent is wrong. Both directions at once would only double the counts.
    let mut unit = on();
    let play = |unit: &mut Unit, one_in: u32, ticks: u32| {
        (1..=ticks).find(|tick| {
            unit.two.offset_mv[5] = if tick.is_multiple_of(one_in) { 2_000 } else { 0 };
            unit.step();
            unit.modes() != [Mode::Normal; 2]
        })
    };
    assert_eq!(play(&mut unit, 5, 5_000), None, "{:?}", unit.causes());
    let ticks = play(&mut unit, 4, 2_000).expect("it trips");
    // Each four ticks add 4 - 3 = 1 to a score that must reach 80; the first wrong scan comes with the fourth.
    assert!((300..=330).contains(&ticks), "{ticks}");
    assert_eq!(unit.causes()[0], Some(Fault::AnalogMismatch));
}

/// Verifies SSR-026, SSR-033. The clocks of a device and of the two CPUs run free, so the pulses of types A to D may lie in the ADC
/// scans of one CPU, two in eight, and in none of the other's, for as long as it likes; so may the releases of a combined pin,
/// one in three. No mismatch; a real one is still found in the debounce time.
#[test]
fn pulses_that_one_cpu_alone_scans_are_no_mismatch() {
    let text = format!(
        "(network: 1, password: \"p\", response_time: \"20ms\", nodes: [(name: \"n\", serial: {}, \
         supply: (minimum: \"18V\", maximum: \"30V\"), \
         pins: [(pin: 0, name: \"a\", role: Input, on: A), (pin: 1, name: \"d\", role: Input, on: High, off: D), (pin: 2, name: \"c\", role: Combined)], \
         inputs: [(name: \"a\", pins: Single(\"a\")), (name: \"d\", pins: Single(\"d\")), (name: \"c\", pins: Single(\"c\"))], \
         outputs: [(name: \"c\", pins: Single(\"c\"))], blocks: [(name: \"on\", kind: Output(group: \"c\", of: \"ON\"))])])",
        SERIALS[0]
    );
    let bytes = compiled(&text).bytes;
    for of_one in [true, false] {
        let mut unit = Unit::running(SERIALS[0], &bytes);
        unit.outside[0] = Outside::Shows(Signal::A, 0);
        unit.outside[1] = Outside::Shows(Signal::D, 0);
        let seen = |unit: &mut Unit, pin: usize, mv: i32| {
            if of_one { unit.one.offset_mv[pin] = mv } else { unit.two.offset_mv[pin] = mv }
        };
        for tick in 0..4_000_u32 {
            let low = |is_low: bool| if is_low { -24_000 } else { 0 };
            seen(&mut unit, 0, low([0, 1].contains(&(tick % 8))));
            seen(&mut unit, 1, low([0, 4].contains(&(tick % 8))));
            seen(&mut unit, 2, low(tick.is_multiple_of(3)));
            unit.step();
            assert_eq!(
                unit.modes(),
                [Mode::Normal; 2],
                "tick {tick}: {:?} {:?}",
                unit.one.detections,
                unit.two.detections
            );
        }
        (0..3).for_each(|pin| seen(&mut unit, pin, 0));
        stays_normal(&mut unit, 50);
        seen(&mut unit, 0, -1_100);
        let steps = steps_to_off(&mut unit, 60);
        assert!(steps.is_some_and(|steps| steps <= 24), "{steps:?}");
    }
}

/// Verifies SSR-035. A transistor that is stuck on when its output must go off: all is off within 20 ticks, by the main transistor. That
/// either CPU alone can do so with the other one halted, scenarios show.
#[test]
fn a_stuck_transistor_is_cut_by_the_main_transistor() {
    let mut unit = on();
    unit.stuck_driver[1] = Some(true);
    stays_normal(&mut unit, 50);
    unit.outside[0] = Outside::Shows(Signal::Low, 0);
    let steps = steps_to_off(&mut unit, 30).expect("it trips");
    assert!(steps <= 20, "{steps}");
    assert!(unit.causes()[0] == Some(Fault::OutputDriver) || unit.causes()[1] == Some(Fault::NotObeyed));
}

/// Verifies SSR-041. A welded or an open contact of either CPU: safe state after its move time.
#[test]
fn a_contact_that_does_not_move_is_found() {
    for contact in 0..2 {
        let mut welded = on();
        welded.welded = 1 << contact;
        stays_normal(&mut welded, 20);
        welded.outside[0] = Outside::Shows(Signal::Low, 0);
        assert!(welded.steps_to_safe(90).is_some_and(|steps| steps <= 85));
        assert!(welded.causes().contains(&Some(Fault::Relay)), "{:?}", welded.causes());
        let mut open = on();
        open.open = 1 << contact;
        assert!(open.steps_to_safe(90).is_some_and(|steps| steps <= 85));
        assert!(open.causes().contains(&Some(Fault::Relay)));
    }
}

/// Verifies SSR-035. A main transistor that is stuck on is found by its test dip, while everything works.
#[test]
fn a_main_transistor_that_is_stuck_on_is_found_while_running() {
    let mut unit = on();
    unit.main_stuck_on = true;
    let tripped = (1..=600).find(|_| {
        unit.step();
        unit.modes()[1] == Mode::Safe
    });
    assert!(tripped.is_some_and(|ticks| ticks <= 3 * 128 + 4), "{tripped:?}");
    assert_eq!(unit.causes()[1], Some(Fault::MainTransistor));
}

/// Verifies SSR-042, SSR-043. After a trip nothing comes back: the cause has gone, inputs change, and the unit stays off.
#[test]
fn a_tripped_unit_stays_off() {
    let mut unit = on();
    unit.two.logic_time_ns = 900_000;
    assert!(unit.steps_to_safe(40).is_some());
    (unit.one.logic_time_ns, unit.two.logic_time_ns) = (400_000, 400_000);
    for tick in 0..2_000 {
        unit.outside[0] = Outside::Shows(if tick / 100 % 2 == 0 { Signal::High } else { Signal::Low }, 0);
        unit.step();
        assert!(!unit.anything_on() && unit.modes() == [Mode::Safe; 2]);
        assert!(unit.one.out.c2c.is_none() && unit.two.out.c2c.is_none());
    }
}
