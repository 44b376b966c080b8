//! Start-up: self-tests, data, release, the way into configuration mode.

use safety_common::configuration::Defect;
use safety_common::fault::Fault;
use safety_common::flash_map;
use safety_common::io::{Mode, ResetCause, Retained};

use crate::RAM_WORDS;
use crate::testing::bench::Bench;
use crate::testing::faulty_ram::{Cell, RamFaultModel};
use crate::testing::flash::{FakeFlash, RELEASE_HASH, RELEASE_ID, SERIAL, image, production};
use crate::testing::plan::{Plan, SectionPlan};
use crate::testing::with_flash_crc;

fn good() -> FakeFlash {
    FakeFlash::with_configuration(&Plan::alone(SectionPlan::empty()).bytes())
}

/// Starts and tells the cause of the safe state, with outputs off and nothing sent all the time.
fn cause_of(mut bench: Bench) -> Option<Fault> {
    for _ in 0..4_000 {
        bench.step();
        assert!(!bench.anything_on() && bench.out.all_off, "outputs stay off in start-up");
        assert!(bench.out.radio.is_none() && bench.out.can.is_empty());
        if bench.cpu.mode() == Mode::Normal {
            return None;
        }
        if bench.cpu.mode() == Mode::Safe {
            assert!(bench.out.c2c.is_none(), "a CPU in safe state is silent");
            return bench.cause();
        }
    }
    panic!("start-up does not end");
}

/// SSR-003, SSR-006, SSR-062, SSR-063: a good unit starts, and has read all of its flash and RAM before.
#[test]
fn a_good_unit_starts_after_all_memory_was_read() {
    let mut bench = Bench::new(good());
    bench.start();
    assert_eq!(bench.cpu.mode(), Mode::Normal);
    assert!(bench.flash.read.borrow().iter().all(|read| *read), "100 % of the flash is read");
    assert!(bench.ram.touched.iter().all(|touched| *touched), "100 % of the RAM is read");
    // 148 ticks of RAM test, 2 of header and production data, 30 to 31 of flash, 3 of configuration.
    assert!((180..220).contains(&bench.tick), "{}", bench.tick);
}

/// SSR-003: one fault in any block of the RAM.
#[test]
fn a_ram_fault_in_any_block_keeps_outputs_off() {
    for block in (0..RAM_WORDS / 16).step_by(31) {
        let mut bench = Bench::new(good());
        let cell = Cell { word: block * 16 + block % 16, bit: block % 32 };
        bench.ram.fault = Some(RamFaultModel::StuckAt(cell, block % 2 == 0));
        assert_eq!(cause_of(bench), Some(Fault::RamAtStart), "block {block}");
    }
}

/// SSR-006, SSR-061, SSR-064: a flipped bit in every sector, and in every byte of header and production data.
#[test]
fn any_flipped_bit_of_the_flash_keeps_outputs_off() {
    let sectors = (0..flash_map::LEN).step_by(4_096).map(|at| at + at / 4_096 % 4_096);
    let records = (0..40).chain(flash_map::PRODUCTION_AT..flash_map::PRODUCTION_AT + 33);
    for at in sectors.chain(records) {
        let mut flash = good();
        flash.flip(at, at % 8);
        let cause = cause_of(Bench::new(flash));
        let expected: &[Fault] = match at {
            ..5_032 => &[Fault::Firmware],
            0x6_0000..0x6_0100 => &[Fault::Configuration],
            0x7_8000..0x7_8020 => &[Fault::ProductionData],
            _ => &[Fault::FlashNotErased],
        };
        assert!(cause.is_some_and(|cause| expected.contains(&cause)), "{at:#x}: {cause:?}");
    }
}

/// A name and what is done to the flash.
type Breakage = (&'static str, fn(&mut FakeFlash));

/// SSR-061: truncated, erased, wrong CPU, wrong length.
#[test]
fn an_image_that_is_not_whole_does_not_start() {
    let broken: [Breakage; 5] = [
        ("erased", |flash| flash.bytes[..0x6_0000].fill(0xFF)),
        ("header only", |flash| flash.bytes[32..0x6_0000].fill(0xFF)),
        ("truncated", |flash| flash.bytes[4_000..0x6_0000].fill(0xFF)),
        ("for the other CPU", |flash| flash.put(0, &image(2, RELEASE_ID, RELEASE_HASH, 5_000))),
        ("empty", |flash| flash.put(0, &image(1, RELEASE_ID, RELEASE_HASH, 0))),
    ];
    for (what, break_it) in broken {
        let mut flash = good();
        break_it(&mut flash);
        assert_eq!(cause_of(Bench::new(flash)), Some(Fault::Firmware), "{what}");
    }
}

/// SSR-005, SSR-006: a flash that cannot be read is no good flash.
#[test]
fn an_unreadable_flash_means_safe_state() {
    let mut dead = good();
    dead.dead = 0..flash_map::LEN;
    assert_eq!(cause_of(Bench::new(dead)), Some(Fault::Firmware));
    let mut bench = Bench::running(&Plan::alone(SectionPlan::empty()).bytes());
    bench.flash.dead = 0..flash_map::LEN;
    bench.step();
    assert_eq!((bench.cpu.mode(), bench.cause()), (Mode::Safe, Some(Fault::FlashRunning)));
    assert!(bench.out.all_off);
}

/// SSR-063: a configuration that cannot be read is no configuration, wherever in it the flash is dead.
#[test]
fn an_unreadable_configuration_means_safe_state() {
    let area = flash_map::CONFIGURATION_AT..flash_map::CONFIGURATION_AT + flash_map::CONFIGURATION_LEN_MOST;
    let header = area.start..area.start + 1;
    for dead in [area.clone(), header] {
        let mut flash = good();
        flash.dead = dead.clone();
        let mut bench = Bench::new(flash);
        bench.start();
        let cause = bench.cpu.safe_cause().map(|cause| (cause.fault, cause.detail));
        assert_eq!(cause, Some((Fault::Configuration, Defect::Unreadable as u32)), "{dead:x?}");
        assert!(bench.out.all_off && bench.out.c2c.is_none());
    }
}

/// SSR-061, SSR-064: a record of another kind or format is none, however good its CRC is.
#[test]
fn records_of_another_kind_or_format_do_not_start() {
    let header = image(1, RELEASE_ID, RELEASE_HASH, 5_000)[..28].to_vec();
    let record = production(SERIAL)[..28].to_vec();
    for (at, record, fault) in [(0, header, Fault::Firmware), (flash_map::PRODUCTION_AT, record, Fault::ProductionData)]
    {
        for byte in [0, 3, 4, 5] {
            let mut changed = record.clone();
            changed[byte] ^= 2;
            let mut flash = good();
            flash.put(at, &with_flash_crc(changed));
            assert_eq!(cause_of(Bench::new(flash)), Some(fault), "byte {byte} of the record at {at:#x}");
        }
    }
}

/// SSR-066.
#[test]
fn serial_numbers_0_and_all_ones_do_not_start() {
    for (serial, expected) in [
        (0, Some(Fault::SerialNumber)),
        (u32::MAX, Some(Fault::SerialNumber)),
        // Valid numbers, but not the one of the configuration (SSR-067).
        (1, Some(Fault::Configuration)),
        (0xFFFF_FFFE, Some(Fault::Configuration)),
        (SERIAL, None),
    ] {
        let mut flash = good();
        flash.put(flash_map::PRODUCTION_AT, &production(serial));
        assert_eq!(cause_of(Bench::new(flash)), expected, "{serial:#x}");
    }
}

/// SSR-062, SSR-063: a peer of another release or with other data, and none at all.
#[test]
fn a_different_or_missing_peer_keeps_outputs_off() {
    for (field, fault) in [
        (0, Fault::ReleaseDiffers),
        (1, Fault::ReleaseDiffers),
        (2, Fault::PeerDataDiffers),
        (3, Fault::PeerDataDiffers),
    ] {
        let mut probe = Bench::new(good());
        probe.start();
        let mut bench = Bench::new(good());
        bench.peer = probe.peer.clone();
        (bench.peer.agrees, bench.peer.counter, bench.peer.mode) = (false, 0, Mode::Ready as u8);
        bench.peer.identity[field] ^= 1;
        assert_eq!(cause_of(bench), Some(fault), "field {field}");
    }
    let mut bench = Bench::new(good());
    bench.peer.silent = true;
    assert_eq!(cause_of(bench), Some(Fault::PeerMissing));
}

/// SSR-062: a peer whose ready comes late or garbled is waited for, not longer than three seconds.
#[test]
fn a_peer_that_stays_in_start_up_is_waited_for_three_seconds() {
    let mut bench = Bench::new(good());
    bench.peer.agrees = false;
    bench.start();
    assert_eq!((bench.cause(), bench.tick), (Some(Fault::PeerMissing), 3_001));
}

/// SSR-050: only a software reset with a valid request leads to the configuration mode.
#[test]
fn only_a_software_reset_with_a_request_leads_to_configuration() {
    let valid = Retained { request: Retained::CONFIGURE, request_complement: !Retained::CONFIGURE };
    let causes =
        [ResetCause::PowerOn, ResetCause::BrownOut, ResetCause::Pin, ResetCause::Watchdog, ResetCause::Software];
    let requests = [
        valid,
        Retained::default(),
        Retained { request_complement: 0, ..valid },
        Retained { request: valid.request ^ 1, ..valid },
        Retained { request: 0, request_complement: u32::MAX },
    ];
    for cause in causes {
        for request in requests {
            let mut bench = Bench::boot(good(), cause, request);
            bench.start();
            let expected =
                if cause == ResetCause::Software && request == valid { Mode::Configuration } else { Mode::Normal };
            assert_eq!(bench.cpu.mode(), expected, "{cause:?} {request:?}");
        }
    }
}

/// SSR-065: an output that conducts or a contact that is closed before anything was switched on.
#[test]
fn an_output_that_is_on_in_start_up_is_a_fault() {
    let mut bench = Bench::new(good());
    bench.wiring[5] = crate::testing::bench::Wiring::StuckOn;
    assert_eq!(cause_of(bench), Some(Fault::OutputDriver));
    let mut bench = Bench::new(good());
    bench.relay_feedback = Some(0b10);
    bench.peer.agrees = false;
    assert_eq!(cause_of(bench), Some(Fault::Relay));
}
