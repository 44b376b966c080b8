//! Flash test: flips and bursts anywhere, and the time to find them.
//!
//! SSR-005, SSR-006.

use super::*;
use crate::packet::tests::random;
use crate::testing::{ConfigurationSpec, Flash, SectionSpec};

fn flash() -> Flash {
    Flash::new(&ConfigurationSpec::two_nodes(SectionSpec::empty()).bytes())
}

fn start(flash: &Flash) -> Outcome<Found> {
    let mut check = StartCheck::new();
    loop {
        if let Some(found) = check.slice(flash)? {
            return Ok(found);
        }
    }
}

/// SSR-006: every byte is read once in start-up.
#[test]
fn start_up_reads_all_addresses() {
    struct Counted(Flash, core::cell::RefCell<std::vec::Vec<u32>>);
    impl FlashPort for Counted {
        fn read(&self, address: u32, into: &mut [u8]) -> bool {
            let begin = address as usize;
            self.1.borrow_mut()[begin..begin + into.len()].iter_mut().for_each(|count| *count += 1);
            self.0.read(address, into)
        }
    }
    let flash = Counted(flash(), core::cell::RefCell::new(std::vec![0; flash_map::LEN as usize]));
    let mut check = StartCheck::new();
    let ticks = (1..1_000).find(|_| check.slice(&flash).unwrap().is_some());
    assert_eq!(ticks, Some(256));
    assert!(flash.1.borrow().iter().all(|count| *count == 1));
}

/// A flash that cannot be read is no good flash.
#[test]
fn an_unreadable_flash_trips() {
    struct Dead;
    impl FlashPort for Dead {
        fn read(&self, _: u32, _: &mut [u8]) -> bool {
            false
        }
    }
    assert_eq!(StartCheck::new().slice(&Dead).map(|_| ()), Err(Trip::new(Fault::Firmware, 0)));
    let reference = start(&flash()).unwrap().reference;
    let mut running = RunningTest::new(reference, Scope::Whole);
    assert_eq!(running.slice(&Dead), Err(Trip::new(Fault::FlashRunning, 0)));
}

/// Slices until the flip is found; the running test stands at `tick` when it happens.
fn found_after(good: &Flash, reference: &Reference, tick: u32, damage: impl Fn(&mut Flash)) -> u32 {
    let mut running = RunningTest::new(reference.clone(), Scope::Whole);
    (0..tick).for_each(|_| running.slice(good).unwrap());
    let mut bad = good.clone();
    damage(&mut bad);
    (1..40_000).find(|_| running.slice(&bad).is_err()).unwrap_or(u32::MAX)
}

/// SSR-005: single flips, pairs and bursts of up to 32 bits, at random places and times, also right behind the pointer:
/// found within one pass and one sector.
#[test]
fn flips_and_bursts_are_found_within_a_pass_and_a_sector() {
    let good = flash();
    let reference = start(&good).unwrap().reference;
    let most = flash_map::LEN / 32 + SECTOR / 32;
    let mut seed = 5;
    for _ in 0..12 {
        let bit = random(&mut seed) % (8 * u64::from(flash_map::LEN) - 32);
        let tick = (random(&mut seed) % 20_000) as u32;
        let noise = random(&mut seed) as u32 | 1;
        let after = found_after(&good, &reference, tick, |flash| {
            (0..32).filter(|i| noise >> i & 1 == 1).for_each(|i| {
                let bit = bit + i;
                flash.flip((bit / 8) as u32, (bit % 8) as u32);
            });
        });
        assert!(after <= most, "burst {noise:x} at bit {bit}: {after}");
    }
    for tick in [1, 127, 128, 129, 16_383, 16_384] {
        let address = (tick - 1) % (flash_map::LEN / 32) * 32;
        let after = found_after(&good, &reference, tick, |flash| flash.flip(address, 0));
        assert!(after <= most, "right behind the pointer at {tick}: {after}");
    }
}

/// Without the configuration area, which the configuration mode may change; everything else is still watched.
#[test]
fn the_configuration_area_can_be_left_out() {
    let good = flash();
    let reference = start(&good).unwrap().reference;
    let mut running = RunningTest::new(reference, Scope::WithoutConfiguration);
    let mut changed = good.clone();
    changed.flip(flash_map::CONFIGURATION_AT, 0);
    changed.flip(CONFIGURATION_END - 1, 7);
    (0..40_000).for_each(|_| running.slice(&changed).unwrap());
    for address in [flash_map::CONFIGURATION_AT - 1, CONFIGURATION_END] {
        let mut bad = changed.clone();
        bad.flip(address, 1);
        let mut running = running.clone();
        assert!((0..20_000).any(|_| running.slice(&bad).is_err()), "{address:x}");
    }
}
