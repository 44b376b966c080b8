//! What a search finds: packages, models, missing pumps, pumps in their bootloader.

use protocol::cyclic::Mode;
use protocol::header::ModelId;

use super::world::{Customer, MODEL, NEW, Store, World, image, ms, pump};
use crate::{Activity, Alarm, Cause, Event, NonVolatile, Notice, Outcome, UserAction};

fn assert_nothing_written(world: &World) {
    assert_eq!(world.flash_requests, []);
    assert_eq!(world.asked, 0);
    assert!(world.pumps.iter().all(|pump| pump.erases == 0));
}

#[test]
fn a_package_without_pump_firmware_is_normal() {
    let mut world = World::new(2, 320);
    world.package = Store::None;
    world.run_to_rest();
    assert_nothing_written(&world);
    assert_eq!(world.alarms(), []);
    assert_eq!(world.events(Event::ImageRejected), []);
}

#[test]
fn a_named_but_absent_image_is_fw001() {
    let mut world = World::new(2, 320);
    world.package = Store::Missing;
    world.run_to_rest();
    assert_nothing_written(&world);
    assert_eq!(world.alarms(), [Alarm::Image(Cause::FileNotFound)]);
    assert_eq!(world.events(Event::ImageRejected)[0].cause, Some(Cause::FileNotFound));
}

#[test]
fn an_image_with_any_byte_flipped_is_rejected() {
    let good = image(MODEL, NEW, 320);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let mut world = World::new(1, 320);
        world.package = Store::Image(bad);
        world.run_to_rest();
        assert_nothing_written(&world);
        assert_eq!(world.alarms(), [Alarm::Image(Cause::ImageRejected)], "byte {at}");
    }
}

#[test]
fn a_shorter_or_longer_image_is_rejected() {
    let good = image(MODEL, NEW, 9_000);
    for length in [0, 10, 63, 64, 65, 4_160, 8_999] {
        let mut world = World::new(1, 320);
        world.package = Store::Image(good[..length].to_vec());
        world.run_to_rest();
        assert_nothing_written(&world);
        assert_eq!(world.alarms(), [Alarm::Image(Cause::ImageRejected)], "{length} bytes");
    }
    let mut world = World::new(1, 320);
    world.package = Store::Image([good, [0].to_vec()].concat());
    world.run_to_rest();
    assert_nothing_written(&world);
}

#[test]
fn damage_in_the_last_byte_of_a_long_image_is_found() {
    let mut bad = image(MODEL, NEW, 20_001);
    *bad.last_mut().unwrap() ^= 1;
    let mut world = World::new(1, 320);
    world.package = Store::Image(bad);
    world.run_to_rest();
    assert_nothing_written(&world);
}

#[test]
fn a_pump_of_another_model_is_rejected_and_the_others_are_updated() {
    let mut world = World::new(3, 320);
    world.pumps[1].model = ModelId(8);
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(3));
    assert_eq!(world.pumps[1].erases, 0);
    assert_eq!(world.alarms(), [Alarm::PumpRejected(pump(2))]);
    assert_eq!(world.cioc.status().pumps[1].outcome, Outcome::Rejected);
    assert_eq!(world.cioc.status().activity, Activity::Finished, "it runs what it has");
    assert_eq!(world.events(Event::PumpRejected)[0].cause, Some(Cause::ImageRejected));
    assert_eq!(world.mode(2), Some(Mode::Automatic));
}

#[test]
fn a_pump_without_application_and_without_an_image_for_it_is_of_no_use_and_named() {
    for (package, image) in [
        (Store::None, None),
        (Store::Missing, Some(Alarm::Image(Cause::FileNotFound))),
        (Store::Image(std::vec![0; 320]), Some(Alarm::Image(Cause::ImageRejected))),
    ] {
        let mut world = World::new(2, 320);
        world.package = package;
        (world.pumps[1].bootloader, world.pumps[1].valid) = (true, false);
        world.run_to_rest();
        assert_nothing_written(&world);
        let outcomes = world.cioc.status().pumps.iter().map(|pump| pump.outcome).collect::<std::vec::Vec<_>>();
        assert_eq!(outcomes, [Outcome::UpToDate, Outcome::Missing]);
        let alarms = image.into_iter().chain([Alarm::PumpMissing(pump(2))]).collect::<std::vec::Vec<_>>();
        assert_eq!(world.alarms(), alarms);
        let entry = &world.events(Event::PumpMissing)[..];
        assert_eq!((entry.len(), entry[0].pump, entry[0].cause), (1, Some(pump(2)), Some(Cause::CheckFailed)));
    }
}

#[test]
fn a_campaign_that_leaves_a_pump_without_application_has_no_good_end() {
    let mut world = World::new(2, 320);
    world.pumps[1].model = ModelId(8);
    (world.pumps[1].bootloader, world.pumps[1].valid) = (true, false);
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.alarms(), [Alarm::PumpRejected(pump(2))]);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
    assert!(world.cioc.status().percent < 100);
    assert_eq!(world.events(Event::CampaignFinished), []);
}

#[test]
fn a_missing_pump_raises_an_alarm_and_the_others_are_updated() {
    let mut world = World::new(3, 320);
    world.pumps[0].troubles.silent = true;
    world.run_to_rest();
    assert!(world.is_updated(2) && world.is_updated(3));
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(1))]);
    assert_eq!(world.events(Event::PumpMissing).len(), 1);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors, "no good end without a configured pump");
    world.pumps[0].troubles.silent = false;
    world.act(UserAction::Search);
    world.run(ms(100));
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.alarms(), []);
}

#[test]
fn a_pump_that_was_heard_and_then_erases_is_not_missing() {
    let mut world = World::new(2, 320);
    while world.cioc.status().pumps[0].reported.is_none() {
        world.step();
    }
    world.pumps[0].troubles.silent = true;
    world.run(ms(8_000));
    assert_eq!(world.alarms(), []);
    world.pumps[0].troubles.silent = false;
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(2));
}

#[test]
fn a_pump_that_was_heard_and_stays_silent_is_missing() {
    let mut world = World::new(2, 320);
    while world.cioc.status().pumps[0].reported.is_none() {
        world.step();
    }
    world.pumps[0].troubles.silent = true;
    world.run_to_rest();
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(1))]);
    assert!(world.is_updated(2));
}

#[test]
fn a_search_waits_for_the_feed_instead_of_missing_every_pump() {
    let mut world = World::new(2, 320);
    world.feed = 0;
    world.run(ms(60_000));
    assert_eq!(world.cioc.status().activity, Activity::Searching);
    assert_eq!(world.alarms(), [Alarm::LowSupply]);
    world.feed = 24_000;
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!(world.alarms(), []);
}

#[test]
fn a_pump_left_in_its_bootloader_with_a_valid_application_is_restarted() {
    let mut world = World::new(1, 320);
    world.pumps[0].bootloader = true;
    world.pumps[0].version = NEW;
    world.run_to_rest();
    assert!(!world.pumps[0].bootloader);
    assert_eq!(world.pumps[0].erases, 0);
    assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::UpToDate);
}

#[test]
fn every_boot_searches() {
    let mut world = World::new(1, 320);
    world.run_to_rest();
    for boot in 2..5 {
        world.reboot();
        world.run_to_rest();
        assert_eq!(world.events(Event::Boot).len(), boot);
        assert_eq!(world.events(Event::Search).len(), boot);
    }
    assert_eq!(world.pumps[0].erases, 1);
}

#[test]
fn the_log_keeps_the_newest_256_entries_and_skips_a_torn_one() {
    let mut world = World::new(1, 320);
    world.package = Store::None;
    for _ in 0..200 {
        world.reboot();
        world.run_to_rest();
    }
    let log = world.log();
    assert_eq!(log.len(), 256);
    assert!(log.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence));
    assert_eq!(log.last().unwrap().event, Event::Search);
    let torn = u16::try_from(log[100].sequence % 256).unwrap();
    world.nvm.write(0x1000 + torn * 16 + 3, &[0x55]);
    let left = world.log();
    assert_eq!(left.len(), 255);
    assert!(!left.contains(&log[100]));
}

#[test]
fn an_image_longer_than_a_pump_can_take_is_rejected_before_anything_is_erased() {
    let most = protocol::header::IMAGE_LEN_MOST as usize;
    for (length, good) in [(most, true), (most + 4, false)] {
        let mut world = World::new(1, length);
        world.customer = Customer::Absent;
        world.run(ms(10_000));
        assert_eq!(world.asked, u32::from(good), "{length}");
        let alarms = if good { [].as_slice() } else { &[Alarm::Image(Cause::ImageRejected)] };
        assert_eq!(world.alarms(), alarms, "{length}");
    }
}

#[test]
fn a_search_waits_for_a_bus_on_which_nobody_is_heard() {
    for begins in [0, 11] {
        let mut world = World::new(3, 320);
        world.run(ms(begins));
        world.stuck_bus = true;
        world.run(ms(60_000));
        assert_eq!(world.cioc.status().activity, Activity::Searching);
        assert_eq!(world.alarms(), [Alarm::NoPumpHeard]);
        assert_eq!(world.events(Event::NoPumpHeard).len(), 1);
        world.stuck_bus = false;
        world.run_to_rest();
        assert!((1..=3).all(|number| world.is_updated(number)), "silent from {begins} ms");
        assert_eq!((world.alarms().len(), world.events(Event::PumpMissing).len()), (0, 0));
    }
}

#[test]
fn a_pump_that_was_silent_is_read_again_in_the_same_search_once_it_is_heard() {
    let mut world = World::new(3, 320);
    world.run(ms(11));
    assert_eq!(world.notices.iter().filter(|notice| matches!(notice, Notice::Outcome { .. })).count(), 0);
    // The bus fails as the first pump is read, and works again before the last one is.
    world.stuck_bus = true;
    world.run(ms(15_000));
    world.stuck_bus = false;
    world.run_to_rest();
    assert!((1..=3).all(|number| world.is_updated(number)));
    assert_eq!((world.alarms().len(), world.asked), (0, 1));
}

#[test]
fn a_missing_pump_that_is_heard_after_the_search_is_searched_once_more() {
    let mut world = World::new(3, 320);
    world.pumps[2].troubles.silent = true;
    world.run_to_rest();
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(3))]);
    world.run(ms(20_000));
    world.pumps[2].troubles.silent = false;
    world.run(ms(2_000));
    world.run_to_rest();
    assert!(world.is_updated(3));
    assert_eq!((world.alarms().len(), world.asked), (0, 2), "the customer is asked for the pump that came late");
    assert_eq!([0, 1].map(|index: usize| world.pumps[index].erases), [1, 1]);
    let searches = world.events(Event::Search).len();
    world.run(ms(60_000));
    assert_eq!(world.events(Event::Search).len(), searches);
}

#[test]
fn a_missing_pump_that_comes_and_goes_is_not_searched_for_ever() {
    let mut world = World::new(2, 320);
    world.customer = Customer::Refuses;
    world.pumps[1].troubles.silent = true;
    world.run_to_rest();
    for _ in 0..5 {
        world.pumps[1].troubles.silent = false;
        world.run(ms(1_000));
        world.pumps[1].troubles.silent = true;
        world.run(ms(30_000));
    }
    assert_eq!(world.events(Event::Search).len(), 2);
    assert!(world.asked <= 2);
}

#[test]
fn a_search_whose_feed_goes_while_it_gathers_waits_for_the_feed_and_misses_nobody() {
    let mut world = World::new(2, 320);
    world.pumps[1].troubles.silent = true;
    while world.cioc.status().pumps[0].reported.is_none() {
        world.step();
    }
    world.run(ms(1_000));
    world.feed = 0;
    world.run(ms(60_000));
    assert_eq!(world.cioc.status().activity, Activity::Searching);
    assert_eq!(world.alarms(), [Alarm::LowSupply]);
    assert_eq!(world.events(Event::PumpMissing), []);
    world.feed = 24_000;
    world.pumps[1].troubles.silent = false;
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!(world.alarms(), []);
}

#[test]
fn a_pump_whose_valid_application_does_not_start_is_restarted_once_and_then_updated() {
    let mut world = World::new(1, 320);
    world.pumps[0].bootloader = true;
    world.pumps[0].troubles.never_starts = true;
    while world.asked == 0 {
        world.step();
    }
    assert_eq!((world.pumps[0].resets, world.pumps[0].erases), (1, 0));
    world.pumps[0].troubles.never_starts = false;
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.pumps[0].erases, 1);
}

#[test]
fn an_image_that_cannot_be_read_to_its_end_is_rejected() {
    let good = image(MODEL, NEW, 9_000);
    for end in [10, 64, 65, 4_160, 8_999] {
        let mut world = World::new(1, 320);
        world.package = Store::Torn(good.clone(), end);
        world.run_to_rest();
        assert_nothing_written(&world);
        assert_eq!(world.alarms(), [Alarm::Image(Cause::ImageRejected)], "{end} bytes");
    }
}
