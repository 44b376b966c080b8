//! The CIOC loses power: at every byte written to memory, at every protocol step, and again while it recovers.
//!
//! After each cut the next boot must complete the campaign on the consent it has, never use more than three counted
//! tries for a pump, never forget that a pump is dead, and keep the log whole (PFU-019, PFU-022, PFU-026, PFU-027).

use protocol::cyclic::Mode;

use super::world::{World, assert_log_is_whole, assert_tries_are_counted_first, ms, pump};
use crate::nvm::{Mark, Store};
use crate::{Alarm, Cause, Event};

/// Three pumps and four blocks; the second pump never passes its check.
fn small_world() -> World {
    let mut world = World::new(3, 128);
    world.pumps[1].troubles.check_fails = u8::MAX;
    world
}

/// What memory said when the power failed.
struct Before {
    consent: bool,
    dead: bool,
    counted: [u8; 3],
    asked: u32,
    log_len: usize,
}

fn before(world: &World) -> Before {
    let store = Store::load(&world.nvm);
    let record = store.record();
    Before {
        consent: record.campaign.is_some(),
        dead: record.pump(pump(2)).mark == Mark::Dead,
        counted: [1, 2, 3].map(|number| record.pump(pump(number)).counted),
        asked: world.asked,
        log_len: world.log().len(),
    }
}

fn assert_recovers(mut world: World, what: &str) {
    world.reboot();
    let before = before(&world);
    world.run_to_rest();
    assert_outcome(&world, &before, what);
}

fn assert_outcome(world: &World, before: &Before, what: &str) {
    let store = Store::load(&world.nvm);
    assert!(world.is_updated(1) && world.is_updated(3), "{what}: good pumps are updated");
    assert_eq!(store.record().campaign, None, "{what}: the campaign is over");
    if before.consent {
        assert_eq!(world.asked, before.asked, "{what}: consent is not asked for again");
    }
    for number in 1..=3 {
        let counted = store.record().pump(pump(number)).counted;
        assert!(counted <= 3, "{what}: at most three tries");
        assert!(counted >= before.counted[usize::from(number) - 1] || !before.consent, "{what}: no try is forgotten");
    }
    assert!(world.pumps.iter().all(|pump| pump.erases <= 3), "{what}: the pump sees at most three tries");
    assert_eq!(store.record().pump(pump(2)).mark, Mark::Dead, "{what}: dead is dead, known before: {}", before.dead);
    assert!(world.alarms().contains(&Alarm::PumpDead(pump(2))), "{what}");
    assert_eq!([1, 2, 3].map(|number| world.mode(number).unwrap()), [Mode::Automatic, Mode::Standby, Mode::Automatic]);
    assert!(world.flash_requests.iter().all(|consent| *consent), "{what}: no write without consent");
    assert_tries_are_counted_first(world);
    let log = world.log();
    assert!(log.len() > before.log_len, "{what}: the log grows only");
    assert_log_is_whole(&log);
    let of_pump_2 = |event| log.iter().filter(|entry| entry.event == event && entry.pump == Some(pump(2))).count();
    assert_eq!(of_pump_2(Event::PumpDead), 1, "{what}: one entry tells of the dead pump");
    assert_eq!(of_pump_2(Event::UpdateStarted), 3, "{what}: three starts");
    assert_eq!(of_pump_2(Event::UpdateError), 3, "{what}: three errors");
}

#[test]
fn a_cut_at_every_byte_written_to_memory_is_survived() {
    let mut world = small_world();
    let mut cuts = 0;
    while !world.is_at_rest() || world.asked == 0 {
        let fork = world.clone();
        let written = world.step();
        for bytes in 0..written {
            let mut torn = fork.clone();
            torn.nvm.budget = Some(bytes);
            torn.step();
            assert_recovers(torn, &std::format!("cut {cuts} after {bytes} bytes"));
            cuts += 1;
        }
    }
    assert!(cuts > 3_000, "{cuts} cuts");
}

#[test]
fn a_cut_at_every_protocol_step_is_survived() {
    let mut world = small_world();
    let mut cuts = 0;
    while !world.is_at_rest() || world.asked == 0 {
        world.step();
        if world.protocol_step {
            assert_recovers(world.clone(), &std::format!("protocol step {cuts}"));
            cuts += 1;
        }
    }
    assert!(cuts > 200, "{cuts} cuts");
}

#[test]
fn repeated_cuts_are_survived() {
    // A linear congruential generator (Knuth's MMIX numbers) picks the moments; a seed is a test case.
    for seed in 0..300_u64 {
        let mut random = seed;
        let mut next = |most: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % most
        };
        let mut world = small_world();
        for _ in 0..2 {
            world.run(ms(next(9_000)));
            let mut torn = world.clone();
            torn.nvm.budget = Some(next(200) as usize);
            while torn.nvm.budget != Some(0) && torn.t < world.t + ms(5_000) {
                torn.step();
            }
            world = torn;
            world.reboot();
        }
        let before = before(&world);
        world.run_to_rest();
        let counted = Store::load(&world.nvm).record().pump(pump(1)).counted;
        assert!(world.is_updated(1), "seed {seed}: two cuts leave pump 1 a third try, {counted} used");
        assert_outcome(&world, &before, &std::format!("seed {seed}"));
    }
}

/// The CIOC loses power in each of pump 1's first `tries` tries.
fn cut_in_tries(tries: u32) -> World {
    let mut world = World::new(2, 128);
    for number in 1..=tries {
        while world.pumps[0].erases < number {
            world.step();
        }
        world.reboot();
    }
    world
}

#[test]
fn three_tries_cut_off_are_all_a_pump_gets_and_do_not_make_it_dead() {
    let mut world = cut_in_tries(3);
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Interrupted; 3]);
    assert_eq!(world.pumps[0].erases, 3, "never a fourth try in a campaign");
    assert_eq!(world.events(Event::PumpDead), []);
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(1))]);
    assert_eq!(world.events(Event::PumpMissing)[0].cause, Some(Cause::Interrupted));
    assert_eq!(world.cioc.status().activity, crate::Activity::FinishedWithErrors);
    assert!(world.is_updated(2));
    assert_eq!(world.asked, 1);
    assert_log_is_whole(&world.log());
    // The next search finds it as it is, and the customer is asked again: it is not out of service.
    world.reboot();
    world.run_to_rest();
    assert_eq!(world.asked, 2);
    assert!(world.is_updated(1));
    assert_eq!(world.alarms(), []);
}

#[test]
fn a_boot_gives_a_pump_with_three_tries_cut_off_no_fourth() {
    let mut world = cut_in_tries(3);
    while world.events(Event::PumpMissing).is_empty() {
        world.step();
    }
    assert!(Store::load(&world.nvm).record().campaign.is_some(), "the campaign still runs");
    world.reboot();
    world.run_to_rest();
    assert_eq!((world.pumps[0].erases, world.asked), (3, 1));
    assert_eq!(world.events(Event::PumpDead), []);
}

#[test]
fn one_failure_of_its_own_among_three_tries_makes_a_pump_dead() {
    let mut world = cut_in_tries(2);
    world.pumps[0].troubles.check_fails = 1;
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Interrupted, Cause::Interrupted, Cause::CheckFailed]);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
    let mut world = World::new(2, 128);
    world.pumps[0].troubles.check_fails = 1;
    for number in 2..=3 {
        while world.pumps[0].erases < number {
            world.step();
        }
        world.reboot();
    }
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::CheckFailed, Cause::Interrupted, Cause::Interrupted]);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
}

#[test]
fn percent_does_not_fall_over_a_reboot() {
    let mut world = World::new(2, 3_200);
    while world.pumps[1].blocks < 50 {
        world.step();
    }
    let percent = world.cioc.status().percent;
    assert!((60..90).contains(&percent), "{percent}");
    world.reboot();
    assert_eq!(world.cioc.status().percent, percent);
    world.run(ms(3_000));
    assert!(world.cioc.status().percent >= percent);
    world.run_to_rest();
    assert_eq!(world.cioc.status().percent, 100);
}

#[test]
fn the_others_stay_at_80_percent_over_a_reboot_in_a_campaign() {
    let mut world = World::new(2, 3_200);
    while world.pumps[0].blocks < 50 {
        world.step();
    }
    world.reboot();
    world.pumps[1].commands.clear();
    while world.events(Event::CampaignResumed).is_empty() {
        world.step();
    }
    assert_eq!(world.pumps[1].commands.iter().copied().collect::<std::vec::Vec<_>>(), [(Mode::Fixed as u8, 800)]);
}

#[test]
fn a_campaign_whose_image_is_gone_after_the_reboot_is_given_up() {
    let mut world = World::new(2, 320);
    while world.pumps[0].blocks < 3 {
        world.step();
    }
    world.package = super::world::Store::Missing;
    world.reboot();
    world.run_to_rest();
    assert_eq!(world.events(Event::CampaignAbandoned)[0].cause, Some(Cause::FileNotFound));
    assert_eq!(world.pumps[1].erases, 0);
    assert_eq!(world.mode(2), Some(Mode::Automatic));
}

#[test]
fn consent_for_one_image_does_not_hold_for_another() {
    let mut world = World::new(2, 320);
    while world.pumps[0].blocks < 3 {
        world.step();
    }
    let other = protocol::header::Version { major: 2, minor: 0, patch: 0 };
    world.package = super::world::Store::Image(super::world::image(super::world::MODEL, other, 320));
    world.reboot();
    world.run_to_rest();
    assert_eq!(world.asked, 2);
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!(world.alarms(), []);
}

#[test]
fn a_pump_that_boots_late_stays_in_a_resumed_campaign() {
    let mut world = World::new(3, 320);
    while world.pumps[0].blocks < 3 {
        world.step();
    }
    world.pumps[1].troubles.silent = true;
    world.reboot();
    while world.events(Event::CampaignResumed).is_empty() {
        world.step();
    }
    world.run(ms(5_000));
    world.pumps[1].troubles.silent = false;
    let t = world.t;
    world.pumps[1].power_cycle(t);
    world.run_to_rest();
    assert!((1..=3).all(|number| world.is_updated(number)));
    assert_eq!(world.alarms(), []);
    assert_eq!(world.cioc.status().percent, 100);
}

#[test]
fn a_pump_set_aside_before_a_reboot_still_counts_as_an_error() {
    let mut world = World::new(2, 3_200);
    while world.events(Event::CampaignStarted).is_empty() {
        world.step();
    }
    world.pumps[0].troubles.silent = true;
    while world.pumps[1].blocks < 3 {
        world.step();
    }
    assert_eq!(Store::load(&world.nvm).record().pump(pump(1)).mark, Mark::Aside);
    world.reboot();
    world.run_to_rest();
    assert!(world.is_updated(2));
    assert_eq!(world.cioc.status().activity, crate::Activity::FinishedWithErrors);
    assert!(world.cioc.status().percent < 100);
}

#[test]
fn a_pump_that_lost_its_application_after_it_was_done_is_updated_again() {
    let mut world = World::new(2, 3_200);
    while world.pumps[1].blocks < 3 {
        world.step();
    }
    world.pumps[0].valid = false;
    let t = world.t;
    world.pumps[0].power_cycle(t);
    world.reboot();
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!((world.asked, world.pumps[0].erases), (1, 2));
    assert_eq!(world.cioc.status().percent, 100);
}
