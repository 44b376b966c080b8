//! The campaign: good ways, failed tries, causes, supply, progress.

use std::vec::Vec;

use protocol::cyclic::{Mode, PumpFaults, PumpState};
use protocol::header::Version;
use protocol::ids;
use protocol::uds::ResetCause;

use super::world::{Loss, NEW, OLD, World, assert_log_is_whole, assert_tries_are_counted_first, ms, pump, secs};
use crate::config::WORD_MOST;
use crate::{Activity, Alarm, Cause, Config, Event, Notice, Outcome, Phase, UserAction};

pub(super) fn phases(world: &World, number: u8) -> Vec<(u8, Phase)> {
    let of = |notice: &Notice| match notice {
        Notice::Phase { pump: which, attempt, phase } if *which == pump(number) => Some((*attempt, *phase)),
        _ => None,
    };
    world.notices.iter().filter_map(of).collect()
}

fn percents(world: &World) -> Vec<u8> {
    let of = |notice: &Notice| match notice {
        Notice::Progress { percent, .. } => Some(*percent),
        _ => None,
    };
    world.notices.iter().filter_map(of).collect()
}

#[test]
fn three_pumps_are_updated_one_after_another_and_return_to_automatic() {
    let mut world = World::new(3, 320);
    world.run_to_rest();
    for number in 1..=3 {
        assert!(world.is_updated(number));
        assert_eq!(world.mode(number), Some(Mode::Automatic));
        let pump = &world.pumps[usize::from(number) - 1];
        assert_eq!((pump.erases, pump.blocks, pump.repeats), (1, 10, 0));
        assert_eq!(pump.speed_at_entry, [0], "the motor stands before the bootloader is entered (PFU-017)");
    }
    assert_eq!(world.cioc.status().activity, Activity::Finished);
    assert_eq!(world.cioc.status().percent, 100);
    let events: Vec<Event> = world.log().iter().map(|entry| entry.event).collect();
    let one = [Event::UpdateStarted, Event::UpdateFinished];
    let head = [Event::Boot, Event::Search, Event::ConsentAsked, Event::ConsentGiven, Event::CampaignStarted];
    assert_eq!(events, [&head[..], &one, &one, &one, &[Event::CampaignFinished]].concat());
    assert_log_is_whole(&world.log());
}

#[test]
fn phases_come_in_their_order_and_once_each() {
    let mut world = World::new(1, 320);
    world.run_to_rest();
    let order = [
        Phase::Standby,
        Phase::EnterBootloader,
        Phase::Session,
        Phase::Security,
        Phase::Erase,
        Phase::Download,
        Phase::Transfer,
        Phase::Exit,
        Phase::Check,
        Phase::Reset,
        Phase::StatusCheck,
    ];
    assert_eq!(phases(&world, 1), order.map(|phase| (1, phase)));
    let blocks = world.notices.iter().filter(|notice| matches!(notice, Notice::Block { of: 10, .. })).count();
    assert_eq!(blocks, 10);
}

#[test]
fn a_try_is_in_memory_before_the_pump_is_asked_for_its_bootloader() {
    let mut world = World::new(2, 128);
    world.pumps[0].troubles.check_fails = 2;
    world.run_to_rest();
    // Two good tries ask application and bootloader; the two failed ones come first, the second from the bootloader.
    let counts: Vec<(u8, u8)> = world.entry_requests.iter().map(|(pump, _, counted)| (pump.get(), *counted)).collect();
    assert_eq!(counts, [(1, 1), (1, 1), (1, 2), (1, 3), (2, 1), (2, 1)]);
    assert_tries_are_counted_first(&world);
}

#[test]
fn block_counters_wrap_after_255() {
    let mut world = World::new(1, 64 + 32 * 300);
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.pumps[0].blocks, 302);
}

#[test]
fn all_others_run_at_80_percent_for_the_whole_campaign() {
    let mut world = World::new(3, 320);
    world.pumps[1].troubles.check_fails = 1;
    while !world.notices.iter().any(|notice| matches!(notice, Notice::CampaignStarted { .. })) {
        world.step();
    }
    world.run(ms(150));
    for pump in &mut world.pumps {
        pump.commands.clear();
    }
    while !world.is_at_rest() {
        let in_hand = world.cioc.status().pumps.iter().filter(|pump| pump.mode == Mode::Standby).count();
        assert!(in_hand <= 1);
        world.step();
    }
    for pump in &world.pumps {
        let orders: Vec<(u8, u16)> = pump.commands.iter().copied().collect();
        assert_eq!(orders, [(Mode::Standby as u8, 0), (Mode::Fixed as u8, 800)]);
    }
}

#[test]
fn the_pause_is_logged_before_any_pump_leaves_normal_operation() {
    let mut world = World::new(2, 320);
    while !world.notices.contains(&Notice::Pause) {
        assert!(world.pumps.iter().all(|pump| pump.commands.iter().all(|order| order.0 == Mode::Automatic as u8)));
        world.step();
    }
    assert_eq!(world.events(Event::CampaignStarted).len(), 1);
}

#[test]
fn matchgrade_flashes_up_and_down_and_leaves_equal_alone() {
    let mut world = World::new(3, 320);
    world.pumps[0].version = Version { major: 9, minor: 0, patch: 0 };
    world.pumps[1].version = NEW;
    world.run_to_rest();
    assert_eq!(world.pumps.iter().map(|pump| pump.erases).collect::<Vec<_>>(), [1, 0, 1]);
    assert_eq!(world.cioc.status().pumps[1].outcome, Outcome::UpToDate);
}

#[test]
fn a_failed_check_is_tried_again_from_the_bootloader() {
    let mut world = World::new(2, 320);
    world.pumps[0].troubles.check_fails = 2;
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!(world.causes(1), [Cause::CheckFailed, Cause::CheckFailed]);
    assert_eq!(world.pumps[0].speed_at_entry.len(), 1, "the application is asked once only");
    assert_eq!(world.cioc.status().percent, 100);
    assert_log_is_whole(&world.log());
}

#[test]
fn after_three_failed_tries_a_pump_is_dead_and_the_others_finish() {
    let mut world = World::new(3, 320);
    world.pumps[1].troubles.check_fails = u8::MAX;
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(3));
    assert_eq!(world.pumps[1].erases, 3);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(2))]);
    assert_eq!(world.events(Event::PumpDead).len(), 1);
    assert_eq!([1, 2, 3].map(|number| world.mode(number).unwrap()), [Mode::Automatic, Mode::Standby, Mode::Automatic]);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
    assert!(world.cioc.status().percent < 100);
    assert_log_is_whole(&world.log());
}

#[test]
fn a_dead_pump_stays_off_over_boots_until_a_search_by_hand() {
    let mut world = World::new(2, 320);
    world.pumps[1].troubles.check_fails = 3;
    world.run_to_rest();
    for _ in 0..3 {
        world.reboot();
        world.run_to_rest();
        assert_eq!(world.mode(2), Some(Mode::Standby));
        assert_eq!(world.alarms(), [Alarm::PumpDead(pump(2))]);
    }
    assert_eq!(world.pumps[1].erases, 3);
    assert_eq!(world.asked, 1);
    world.act(UserAction::Search);
    world.run(ms(100));
    world.run_to_rest();
    assert!(world.is_updated(2));
    assert_eq!(world.asked, 2);
    assert_eq!(world.alarms(), []);
}

#[test]
fn every_cause_is_told_apart() {
    type Setup = fn(&mut World);
    let cases: [(Setup, Cause); 8] = [
        (
            |world| (world.pumps[0].troubles.refuse_erase, world.pumps[0].troubles.refuse_code) = (1, 0x72),
            Cause::FlashFailure,
        ),
        (
            |world| (world.pumps[0].troubles.refuse_erase, world.pumps[0].troubles.refuse_code) = (1, 0x93),
            Cause::LowSupply,
        ),
        (
            |world| (world.pumps[0].troubles.refuse_erase, world.pumps[0].troubles.refuse_code) = (1, 0x22),
            Cause::Refused,
        ),
        (|world| world.pumps[0].troubles.check_fails = 1, Cause::CheckFailed),
        (|world| world.pumps[0].troubles.wrong_version = 1, Cause::WrongVersion),
        (|world| world.pumps[0].troubles.stays_down = 1, Cause::NoGoodStatus),
        (|world| world.pumps[0].troubles.faults_after = 1, Cause::NoGoodStatus),
        (|world| world.pumps[0].troubles.never_enters = 3, Cause::Timeout),
    ];
    for (setup, cause) in cases {
        let mut world = World::new(1, 320);
        setup(&mut world);
        world.run_to_rest();
        assert_eq!(world.causes(1), [cause]);
        if cause != Cause::WrongVersion {
            assert!(world.is_updated(1), "{cause}");
        }
        assert_log_is_whole(&world.log());
    }
}

#[test]
fn a_lost_consecutive_frame_costs_one_block() {
    let mut world = World::new(1, 320);
    while !phases(&world, 1).contains(&(1, Phase::Transfer)) {
        world.step();
    }
    world.losses.push(Loss { id: ids::uds_request(pump(1)), nth: 9 });
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.causes(1), []);
    assert_eq!(world.pumps[0].repeats, 0, "the block was never complete");
}

#[test]
fn a_lost_answer_repeats_the_block_with_the_same_counter() {
    let mut world = World::new(1, 320);
    while world.pumps[0].blocks < 4 {
        world.step();
    }
    world.losses.push(Loss { id: ids::uds_response(pump(1)), nth: 1 });
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.causes(1), []);
    assert_eq!((world.pumps[0].blocks, world.pumps[0].repeats), (10, 1));
}

#[test]
fn a_bus_that_is_stuck_for_three_seconds_costs_no_try() {
    let mut world = World::new(1, 320);
    while world.pumps[0].blocks < 4 {
        world.step();
    }
    world.stuck_bus = true;
    world.run(ms(3_000));
    world.stuck_bus = false;
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.causes(1), []);
}

#[test]
fn a_bus_that_is_stuck_for_long_fails_tries_for_time_out_and_the_rest_goes_on() {
    let mut world = World::new(2, 320);
    while world.pumps[0].blocks < 4 {
        world.step();
    }
    world.stuck_bus = true;
    world.run(ms(9_000));
    world.stuck_bus = false;
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Timeout]);
    assert!(world.is_updated(1) && world.is_updated(2));
}

#[test]
fn block_lengths_are_whole_words_and_no_longer_than_the_pump_takes() {
    for (ours, blocks) in [(0, 80), (7, 80), (30, 12), (1_024, 1), (u16::MAX, 1)] {
        let mut world = World::new(1, 320);
        world.config.block_len = ours;
        world.reboot();
        world.run_to_rest();
        assert!(world.is_updated(1));
        assert_eq!(world.pumps[0].blocks, blocks, "{ours}");
    }
}

#[test]
fn any_single_lost_frame_leaves_the_first_try_good() {
    let mut reference = World::new(1, 128);
    reference.run_to_rest();
    for id in [ids::uds_request(pump(1)), ids::uds_response(pump(1))] {
        for nth in 1..=45 {
            let mut world = World::new(1, 128);
            world.losses.push(Loss { id, nth });
            world.run_to_rest();
            assert!(world.is_updated(1), "{id:?} {nth}");
            assert_eq!(world.causes(1), [], "{id:?} {nth}");
        }
    }
}

#[test]
fn a_pump_that_falls_silent_in_the_transfer_is_set_aside_and_not_dead() {
    let mut world = World::new(2, 320);
    while world.pumps[0].blocks < 4 {
        world.step();
    }
    world.pumps[0].troubles.silent = true;
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Timeout]);
    assert!(world.is_updated(2));
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(1))]);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
    assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::Missing);
    assert_log_is_whole(&world.log());
}

#[test]
fn a_pump_that_does_not_stop_is_never_asked_to_enter_its_bootloader() {
    let mut world = World::new(1, 320);
    world.pumps[0].troubles.refuses_standby = true;
    world.run_to_rest();
    assert_eq!(world.events(Event::UpdateStarted), [], "no try is counted");
    assert_eq!(world.pumps[0].speed_at_entry, []);
    assert_eq!(world.flash_requests, []);
    assert_eq!(world.events(Event::PumpMissing)[0].cause, Some(Cause::Refused));
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(1))]);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
    assert!(world.cioc.status().percent < 100);
}

#[test]
fn the_campaign_waits_for_the_supply_and_no_try_is_counted() {
    let mut world = World::new(2, 320);
    while !world.notices.iter().any(|notice| matches!(notice, Notice::CampaignStarted { .. })) {
        world.step();
        world.feed = if world.asked > 0 { 19_999 } else { 24_000 };
    }
    world.run(ms(60_000));
    assert_eq!(world.alarms(), [Alarm::LowSupply]);
    assert_eq!(world.events(Event::UpdateStarted), []);
    assert_eq!([world.mode(1), world.mode(2)], [Some(Mode::Fixed); 2]);
    world.feed = 20_499;
    world.run(ms(5_000));
    assert_eq!(world.events(Event::UpdateStarted), [], "half a volt of hysteresis");
    world.feed = 20_500;
    let good = world.t;
    while world.events(Event::UpdateStarted).is_empty() {
        world.step();
    }
    assert!(world.t >= good + ms(1_000), "the supply must be steady for 1 s");
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!(world.alarms(), []);
}

#[test]
fn no_pump_dies_for_lack_of_supply_alone() {
    let mut world = World::new(1, 320);
    for _ in 0..6 {
        let blocks = world.pumps[0].blocks;
        while world.pumps[0].blocks < blocks + 3 {
            world.step();
        }
        world.feed = 0;
        world.pumps[0].troubles.silent = true;
        let errors = world.events(Event::UpdateError).len();
        while world.events(Event::UpdateError).len() == errors {
            world.step();
        }
        world.run(ms(70_000));
        assert_eq!(world.alarms(), [Alarm::LowSupply]);
        world.feed = 24_000;
        world.pumps[0].troubles.silent = false;
        let t = world.t;
        world.pumps[0].power_cycle(t);
    }
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::LowSupply; 6]);
    assert!(world.is_updated(1));
    let status = world.cioc.status();
    assert_eq!((status.pumps[0].tries, status.pumps[0].counted), (7, 1));
    assert_log_is_whole(&world.log());
}

#[test]
fn tries_without_supply_do_not_stretch_the_three_others() {
    let mut world = World::new(1, 320);
    world.pumps[0].troubles.check_fails = u8::MAX;
    (world.pumps[0].troubles.refuse_erase, world.pumps[0].troubles.refuse_code) = (2, 0x93);
    world.run_to_rest();
    let causes = [[Cause::LowSupply; 2].as_slice(), &[Cause::CheckFailed; 3]].concat();
    assert_eq!(world.causes(1), causes);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
}

#[test]
fn a_pump_that_reports_low_supply_is_waited_for() {
    let mut world = World::new(1, 320);
    world.pumps[0].faults = PumpFaults::LOW_SUPPLY;
    world.run(ms(30_000));
    assert_eq!(world.events(Event::UpdateStarted), []);
    assert_eq!(world.alarms(), [Alarm::LowSupply]);
    world.pumps[0].faults = PumpFaults::default();
    world.run_to_rest();
    assert!(world.is_updated(1));
}

#[test]
fn a_pump_with_a_bad_supply_of_its_own_does_not_keep_the_others_waiting() {
    let mut world = World::new(3, 320);
    world.pumps[0].faults = PumpFaults::LOW_SUPPLY;
    world.run(ms(60_000));
    assert!(world.is_updated(2) && world.is_updated(3));
    assert_eq!(world.alarms(), [Alarm::LowSupply]);
    assert_eq!(world.cioc.status().activity, Activity::WaitingForSupply { pump: pump(1) });
    world.pumps[0].faults = PumpFaults::default();
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.cioc.status().percent, 100);
}

#[test]
fn percent_never_falls_and_is_100_only_at_a_good_end() {
    let mut world = World::new(3, 3_200);
    world.pumps[1].troubles.check_fails = 2;
    world.run_to_rest();
    let percents = percents(&world);
    assert!(percents.is_sorted());
    assert!(percents.len() > 60, "percent moves in small steps: {}", percents.len());
    assert_eq!(percents.iter().filter(|percent| **percent == 100).count(), 1);
}

#[test]
fn time_left_is_right_and_does_not_rise_in_a_run_without_faults() {
    let mut world = World::new(4, 32_000);
    let mut shown = Vec::new();
    while !world.is_at_rest() || world.asked == 0 {
        let known = world.notices.len();
        world.step();
        for notice in &world.notices[known..] {
            if let Notice::Progress { remaining: Some(left), cause, .. } = notice {
                assert_eq!(*cause, None);
                let measured = !world.events(Event::UpdateFinished).is_empty();
                shown.push((world.t, left.as_micros(), measured));
            }
        }
    }
    assert!(shown.len() > 50, "{}", shown.len());
    assert!(shown.is_sorted_by_key(|(_, left, _)| std::cmp::Reverse(*left)));
    for (at, left, measured) in shown {
        let truth = world.t - at;
        let off = truth.abs_diff(left);
        assert!(off <= truth / 10 || off <= secs(10).as_micros(), "at {at}: {left} shown, {truth} true");
        // The bound of PFU-031 is loose for so short a campaign: once a pump is measured, hold it to 1 s.
        assert!(!measured || off <= 1_000_000, "at {at}: {left} shown, {truth} true");
    }
}

#[test]
fn time_left_rises_at_a_failed_try_with_its_cause() {
    let mut world = World::new(2, 3_200);
    world.pumps[0].troubles.check_fails = 1;
    world.run_to_rest();
    let mut last = None;
    let mut rises = Vec::new();
    for notice in &world.notices {
        if let Notice::Progress { remaining: Some(left), cause, .. } = notice {
            if last.is_some_and(|last| *left > last) {
                rises.push(*cause);
            }
            last = Some(*left);
        }
    }
    assert!(!rises.is_empty());
    assert!(rises.iter().all(|cause| *cause == Some(Cause::CheckFailed)), "{rises:?}");
}

#[test]
fn a_pump_found_in_its_bootloader_without_application_is_updated() {
    let mut world = World::new(1, 320);
    (world.pumps[0].bootloader, world.pumps[0].valid) = (true, false);
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.pumps[0].speed_at_entry, []);
    assert!(!phases(&world, 1).contains(&(1, Phase::EnterBootloader)));
}

#[test]
fn an_image_that_changes_after_consent_ends_the_campaign() {
    let mut world = World::new(2, 320);
    while world.events(Event::UpdateFinished).is_empty() {
        world.step();
    }
    let Version { major, .. } = OLD;
    let other = super::world::image(super::world::MODEL, Version { major, minor: 7, patch: 7 }, 320);
    world.package = super::world::Store::Image(other);
    world.run_to_rest();
    assert_eq!(world.pumps[1].erases, 0);
    assert_eq!(world.events(Event::CampaignAbandoned)[0].cause, Some(Cause::ImageRejected));
    assert_eq!(world.mode(2), Some(Mode::Automatic));
}

#[test]
fn a_pump_that_restarts_in_its_transfer_fails_the_try_for_time_out_though_it_refuses_the_repeated_block() {
    let mut world = World::new(1, 320);
    while world.pumps[0].blocks < 4 {
        world.step();
    }
    world.pumps[0].troubles.restarts = Some((1, 0, ResetCause::Watchdog));
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.causes(1), [Cause::Timeout]);
    assert_log_is_whole(&world.log());
}

/// PFU-026, PFU-051: 50 ms without supply in each of five transfers, which nobody but the pump has seen.
#[test]
fn a_pump_that_loses_its_own_supply_in_every_transfer_is_updated_in_the_end() {
    for off in [0, 50_000, 2_000_000] {
        for cause in [ResetCause::PowerOn, ResetCause::BrownOut] {
            let mut world = World::new(2, 320);
            world.pumps[0].troubles.restarts = Some((5, off, cause));
            world.run_to_rest();
            assert_eq!(world.causes(1), [Cause::LowSupply; 5], "off for {off} us, {cause:?}");
            assert!(world.is_updated(1) && world.is_updated(2));
            assert_eq!(world.alarms(), []);
            assert_log_is_whole(&world.log());
        }
    }
}

#[test]
fn a_pump_whose_supply_is_cut_in_every_try_is_set_aside_with_an_alarm() {
    let mut world = World::new(1, 320);
    world.pumps[0].troubles.restarts = Some((u8::MAX, 50_000, ResetCause::PowerOn));
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::LowSupply; 10]);
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(1))]);
}

/// The same restarts, asked for by the firmware or by the watchdog, are the pump's own fault.
#[test]
fn a_pump_that_restarts_with_supply_in_every_transfer_is_dead() {
    for cause in [ResetCause::Software, ResetCause::Watchdog] {
        let mut world = World::new(1, 320);
        world.pumps[0].troubles.restarts = Some((u8::MAX, 50_000, cause));
        world.run_to_rest();
        assert_eq!(world.causes(1), [Cause::Timeout; 3], "{cause:?}");
        assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
    }
}

/// A pump that lost its supply before the try, and one that does not tell of its start, are not excused.
#[test]
fn a_start_before_the_try_excuses_nothing() {
    for no_start in [false, true] {
        let mut world = World::new(1, 320);
        world.pumps[0].troubles.no_start = no_start;
        world.pumps[0].troubles.refuse_erase = u8::MAX;
        world.pumps[0].troubles.refuse_code = 0x22;
        // It is in its bootloader since its supply came up, and no try restarts it.
        world.pumps[0].valid = false;
        world.pumps[0].power_cycle(0);
        world.run_to_rest();
        assert_eq!(world.causes(1), [Cause::Refused; 3]);
        assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
    }
}

/// Pump 1 of 1 is mute from its fourth block on; and when the try fails for that, before the wait for the pump's word.
fn mute_in_the_transfer() -> (World, u64) {
    let mut world = World::new(1, 320);
    while world.pumps[0].blocks < 4 {
        world.step();
    }
    world.pumps[0].troubles.mute = true;
    let mut ahead = world.clone();
    while ahead.events(Event::UpdateError).is_empty() {
        ahead.step();
    }
    let failed = ahead.t - WORD_MOST.as_micros();
    assert!(failed > world.t + ms(450), "{failed} us");
    (world, failed)
}

/// Only a loss of supply that the try may have failed for excuses it: in the try, or in a silence that began there.
#[test]
fn a_loss_of_supply_after_the_failure_excuses_nothing() {
    let (begin, failed) = mute_in_the_transfer();
    let last = failed + ms(4_000);
    for (at, off, cause) in [
        (failed - ms(400), 50, Cause::LowSupply),
        (failed - ms(300), 50, Cause::LowSupply),
        (failed - ms(300), 2_000, Cause::LowSupply),
        (failed + ms(300), 50, Cause::Timeout),
        (failed + ms(300), 2_000, Cause::Timeout),
        (failed + ms(2_100), 100, Cause::Timeout),
    ] {
        let mut world = begin.clone();
        world.run(at - world.t);
        world.pumps[0].restart(at + ms(off), true, ResetCause::PowerOn);
        world.run(last - world.t);
        world.pumps[0].troubles.mute = false;
        world.run_to_rest();
        assert_eq!(world.causes(1), [cause], "{at} us, off for {off} ms, failed at {failed} us");
        assert!(world.is_updated(1));
    }
}

#[test]
fn a_dip_after_the_failure_excuses_nothing() {
    let (begin, failed) = mute_in_the_transfer();
    for (at, cause) in [(failed - ms(300), Cause::LowSupply), (failed + ms(500), Cause::Timeout)] {
        let mut world = begin.clone();
        world.run(at - world.t);
        world.feed = 12_000;
        world.run(ms(100));
        world.feed = 24_000;
        while world.events(Event::UpdateError).is_empty() {
            world.step();
        }
        world.pumps[0].troubles.mute = false;
        world.run_to_rest();
        assert_eq!(world.causes(1), [cause]);
    }
}

/// Nobody has explained the tries as they end, and what the looks learn is of losses since.
#[test]
fn a_pump_that_fails_by_itself_and_loses_its_supply_between_its_tries_is_dead() {
    let mut world = World::new(2, 320);
    for number in 1..=3 {
        let before = world.pumps[0].blocks;
        while world.pumps[0].blocks < before + 4 {
            world.step();
        }
        world.pumps[0].troubles.mute = true;
        while world.events(Event::UpdateError).len() < number {
            world.step();
        }
        world.run(ms(500));
        world.pumps[0].troubles.mute = false;
        let t = world.t;
        world.pumps[0].power_cycle(t);
    }
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Timeout; 3]);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
}

/// Its contact bounces: each loss in a try is followed by another one before the pump can be asked of the first.
#[test]
fn a_pump_whose_supply_comes_back_for_a_moment_is_never_dead() {
    for (off, on) in [(9_000, 1_000), (9_000, 800), (9_500, 500), (3_000, 300)] {
        let mut world = World::new(2, 12_800);
        for _ in 0..3 {
            let before = world.pumps[0].blocks;
            while world.pumps[0].blocks < before + 4 && !world.is_at_rest() {
                world.step();
            }
            for _ in 0..2 {
                world.pumps[0].troubles.silent = true;
                world.run(ms(off));
                back(&mut world, 1);
                world.run(ms(on));
            }
        }
        world.run_to_rest();
        assert_eq!(world.events(Event::PumpDead), [], "off for {off} ms, on for {on} ms");
        assert!(world.is_updated(2));
    }
}

/// Without supply for longer than it is waited for: its word comes too late for the log, and counts all the same.
#[test]
fn a_pump_without_supply_for_long_in_each_try_is_never_dead() {
    let mut world = World::new(2, 320);
    world.pumps[0].troubles.restarts = Some((3, 10_000_000, ResetCause::PowerOn));
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Timeout; 3]);
    assert_eq!(world.events(Event::PumpDead), []);
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(1))]);
    // The same silence of a pump that has its supply.
    let mut world = World::new(2, 320);
    world.pumps[0].troubles.restarts = Some((3, 10_000_000, ResetCause::Watchdog));
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Timeout; 3]);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
}

#[test]
fn a_refusal_that_follows_no_loss_stays_a_refusal() {
    for code in [0x24, 0x33, 0x7E, 0x7F] {
        let mut world = World::new(1, 320);
        (world.pumps[0].troubles.refuse_erase, world.pumps[0].troubles.refuse_code) = (1, code);
        world.run_to_rest();
        assert_eq!(world.causes(1), [Cause::Refused], "{code:#04x}");
    }
}

#[test]
fn after_a_loss_only_refusals_of_a_lost_state_count_as_time_out() {
    for (code, cause) in [(0x33, Cause::Timeout), (0x31, Cause::Refused), (0x72, Cause::FlashFailure)] {
        let mut world = World::new(1, 320);
        (world.pumps[0].troubles.refuse_erase, world.pumps[0].troubles.refuse_code) = (1, code);
        while !phases(&world, 1).contains(&(1, Phase::Session)) {
            world.step();
        }
        // The answer to the session request is lost; its repetition is answered and the try goes on to the erase.
        world.losses.push(Loss { id: ids::uds_response(pump(1)), nth: 1 });
        world.run_to_rest();
        assert_eq!(world.causes(1), [cause], "{code:#04x}");
    }
}

#[test]
fn a_lost_response_pending_of_a_deaf_pump_costs_no_try() {
    for nth in 1..=4 {
        let mut world = World::new(1, 128);
        world.pumps[0].troubles.slow_sector = ms(1_000);
        while world.pumps[0].erases == 0 {
            world.step();
        }
        world.losses.push(Loss { id: ids::uds_response(pump(1)), nth });
        world.run_to_rest();
        assert!(world.is_updated(1), "{nth}");
        assert_eq!(world.causes(1), [], "{nth}");
        assert_eq!(world.pumps[0].erases, 1, "{nth}");
    }
}

#[test]
fn a_lock_out_is_waited_for_within_the_try() {
    let mut world = World::new(1, 128);
    while world.pumps[0].speed_at_entry.is_empty() {
        world.step();
    }
    world.pumps[0].troubles.locked_out_until = world.t + ms(10_000);
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.causes(1), []);
    assert!(phases(&world, 1).is_sorted());
}

#[test]
fn a_lock_out_that_does_not_end_is_a_refusal() {
    let mut world = World::new(1, 128);
    world.pumps[0].troubles.locked_out_until = u64::MAX;
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Refused; 3]);
}

#[test]
fn late_answers_to_seed_and_key_cost_no_try() {
    // Longer than P2 and the link delay (150 ms), so that the request is repeated before its first answer comes.
    for (at, late) in [(Phase::Session, 155), (Phase::Session, 300), (Phase::Security, 155), (Phase::Security, 300)] {
        let mut world = World::new(1, 128);
        while !phases(&world, 1).contains(&(1, at)) {
            world.step();
        }
        if at == Phase::Security {
            world.run(500);
        }
        world.pumps[0].troubles.late_security = ms(late);
        world.run_to_rest();
        assert_eq!(world.pumps[0].troubles.late_security, 0, "{at:?} {late}");
        assert!(world.is_updated(1), "{at:?} {late}");
        assert_eq!(world.causes(1), [], "{at:?} {late}");
    }
}

/// Runs until the campaign has started.
pub(super) fn begun(world: &mut World) {
    while !world.notices.iter().any(|notice| matches!(notice, Notice::CampaignStarted { .. })) {
        world.step();
    }
}

#[test]
fn a_bus_on_which_nobody_is_heard_is_waited_for_and_no_pump_dies() {
    let mut world = World::new(3, 320);
    begun(&mut world);
    world.stuck_bus = true;
    world.run(ms(120_000));
    assert_eq!(world.events(Event::PumpDead), []);
    assert_eq!(world.alarms(), [Alarm::NoPumpHeard]);
    assert_eq!(world.cioc.status().activity, Activity::WaitingForPumps { pump: pump(1) });
    let modes = world.cioc.status().pumps.iter().map(|pump| pump.mode).collect::<Vec<_>>();
    assert_eq!(modes, [Mode::Automatic; 3], "no pump is kept in standby");
    world.stuck_bus = false;
    world.run_to_rest();
    assert!((1..=3).all(|number| world.is_updated(number)));
    assert_eq!(world.alarms(), []);
    assert_eq!(world.cioc.status().percent, 100);
}

#[test]
fn one_silent_pump_is_set_aside_and_the_others_are_updated() {
    let mut world = World::new(3, 320);
    begun(&mut world);
    world.pumps[1].troubles.silent = true;
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(3));
    assert_eq!(world.events(Event::PumpDead), []);
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(2))]);
    assert_eq!(world.cioc.status().pumps[1].outcome, Outcome::Missing);
    assert_eq!(world.cioc.status().pumps[1].tries, 0);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
}

#[test]
fn a_pump_whose_supply_goes_bad_after_a_try_does_not_block_the_others_nor_a_search_by_hand() {
    let mut world = World::new(3, 320);
    world.pumps[0].troubles.check_fails = 1;
    while world.events(Event::UpdateError).is_empty() {
        world.step();
    }
    world.pumps[0].faults = PumpFaults::LOW_SUPPLY;
    world.run(ms(60_000));
    assert!(world.is_updated(2) && world.is_updated(3));
    assert_eq!([2, 3].map(|number| world.mode(number)), [Some(Mode::Automatic); 2]);
    assert_eq!(world.cioc.status().activity, Activity::WaitingForSupply { pump: pump(1) });
    world.act(UserAction::Search);
    world.run(ms(30_000));
    assert_eq!(world.events(Event::ManualSearch).len(), 1);
    assert_eq!(world.events(Event::CampaignResumed).len(), 1);
    world.pumps[0].faults = PumpFaults::default();
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.asked, 1);
    assert_eq!(world.alarms(), []);
    assert_eq!(world.cioc.status().percent, 100);
}

#[test]
fn a_dip_does_not_excuse_a_failed_check() {
    let mut world = World::new(1, 320);
    world.pumps[0].troubles.check_fails = u8::MAX;
    while !world.is_at_rest() || world.asked == 0 {
        let transfers = world.notices.last().is_some_and(|notice| matches!(notice, Notice::Block { done: 5, .. }));
        world.feed = if transfers { 19_000 } else { 24_000 };
        world.step();
    }
    assert_eq!(world.causes(1), [Cause::CheckFailed; 3]);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
}

#[test]
fn a_pump_that_never_has_the_supply_is_set_aside_after_ten_excused_tries() {
    let mut world = World::new(2, 320);
    (world.pumps[0].troubles.refuse_erase, world.pumps[0].troubles.refuse_code) = (u8::MAX, 0x93);
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::LowSupply; 10]);
    assert!(world.is_updated(2));
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(1))]);
    assert_eq!(world.events(Event::PumpDead), []);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
    assert_log_is_whole(&world.log());
}

#[test]
fn a_pump_exchanged_for_another_model_during_the_campaign_is_rejected_untouched() {
    let mut world = World::new(2, 320);
    begun(&mut world);
    world.pumps[1].model = protocol::header::ModelId(8);
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!((world.pumps[1].erases, world.pumps[1].speed_at_entry.len()), (0, 0));
    assert_eq!(world.alarms(), [Alarm::PumpRejected(pump(2))]);
    let status = world.cioc.status();
    assert_eq!((status.pumps[1].outcome, status.pumps[1].counted), (Outcome::Rejected, 0));
    assert_eq!(world.events(Event::PumpRejected)[0].cause, Some(Cause::ImageRejected));
    assert_eq!(world.mode(2), Some(Mode::Automatic));
    assert_log_is_whole(&world.log());
}

#[test]
fn a_pump_exchanged_for_one_of_the_images_version_is_not_written() {
    let mut world = World::new(2, 320);
    begun(&mut world);
    world.pumps[1].version = NEW;
    world.run_to_rest();
    assert_eq!([world.pumps[0].erases, world.pumps[1].erases], [1, 0]);
    assert_eq!(world.alarms(), []);
    let status = world.cioc.status();
    assert_eq!((status.percent, status.activity), (100, Activity::Finished));
    assert_eq!([0, 1].map(|pump| status.pumps[pump].outcome), [Outcome::Updated, Outcome::UpToDate]);
    assert_eq!((status.pumps[1].tries, status.pumps[1].counted), (0, 0), "the look before a try is none");
    assert!(world.events(Event::UpdateStarted).iter().all(|entry| entry.pump == Some(pump(1))));
    assert_log_is_whole(&world.log());
}

#[test]
fn a_pump_that_needs_nothing_does_not_spoil_the_time_left() {
    let mut world = World::new(4, 32_000);
    begun(&mut world);
    world.pumps[1].version = NEW;
    world.pumps[2].version = NEW;
    while world.cioc.status().pumps[2].outcome != Outcome::UpToDate {
        world.step();
    }
    let (at, known) = (world.t, world.notices.len());
    world.run_to_rest();
    let left = world.notices[known..].iter().find_map(|notice| match notice {
        Notice::Progress { remaining: Some(left), .. } => Some(left.as_micros()),
        _ => None,
    });
    let ended = world.notices[known..].contains(&Notice::CampaignFinished { errors: false });
    let finished = world.events(Event::CampaignFinished)[0].at_ms;
    let truth = ms(u64::from(finished)) - at;
    assert!(ended && left.unwrap().abs_diff(truth) < ms(1_500), "{left:?} shown, {truth} true");
}

#[test]
fn pumps_exchanged_for_equal_ones_and_found_by_hand_are_up_to_date_not_updated() {
    let mut world = World::new(4, 320);
    world.pumps[2].troubles.check_fails = 1;
    while world.events(Event::UpdateError).is_empty() {
        // Pump 1 is done, pump 2 is silent and set aside, pump 3 has a failed try.
        world.pumps[1].troubles.silent = !world.events(Event::UpdateStarted).is_empty();
        world.step();
    }
    world.pumps[2].faults = PumpFaults::LOW_SUPPLY;
    world.pumps[3].faults = PumpFaults::LOW_SUPPLY;
    world.run(ms(30_000));
    assert_eq!(world.cioc.status().activity, Activity::WaitingForSupply { pump: pump(3) });
    for pump in &mut world.pumps[1..3] {
        (pump.version, pump.valid, pump.troubles.silent) = (NEW, true, false);
        pump.faults = PumpFaults::default();
        pump.power_cycle(world.t);
    }
    world.act(UserAction::Search);
    world.run(ms(30_000));
    world.pumps[3].faults = PumpFaults::default();
    world.run_to_rest();
    let status = world.cioc.status();
    let outcomes = status.pumps.iter().map(|pump| pump.outcome).collect::<Vec<_>>();
    assert_eq!(outcomes, [Outcome::Updated, Outcome::UpToDate, Outcome::UpToDate, Outcome::Updated]);
    assert_eq!((status.percent, status.activity), (100, Activity::Finished));
    assert_eq!([1, 2].map(|index| world.pumps[index].erases), [0, 1]);
    assert_eq!(world.alarms(), []);
    assert_log_is_whole(&world.log());
}

#[test]
fn a_pump_that_answers_no_look_is_set_aside_without_a_try() {
    let mut world = World::new(2, 320);
    begun(&mut world);
    // Every frame of the pump but its status is lost.
    world.losses = (1..100).map(|nth| Loss { id: ids::uds_response(pump(1)), nth }).collect();
    world.run_to_rest();
    assert_eq!(world.events(Event::UpdateStarted).len(), 1, "pump 2 alone");
    assert_eq!(world.events(Event::PumpMissing)[0].cause, Some(Cause::Timeout));
    assert_eq!((world.pumps[0].erases, world.is_updated(2)), (0, true));
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(1))]);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
}

/// PFU-002: it was heard all the time, and answers again before the campaign ends.
#[test]
fn a_pump_that_answered_no_look_is_asked_once_more_before_the_end() {
    let mut world = World::new(2, 320);
    begun(&mut world);
    world.pumps[0].troubles.mute = true;
    while world.events(Event::PumpMissing).is_empty() {
        world.step();
    }
    world.pumps[0].troubles.mute = false;
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!((world.alarms().len(), world.cioc.status().activity), (0, Activity::Finished));
}

#[test]
fn the_only_pump_s_silence_is_told_of_after_five_seconds_and_listened_to() {
    let mut world = World::new(1, 320);
    begun(&mut world);
    world.pumps[0].troubles.silent = true;
    let silent = world.t;
    world.run(ms(4_800));
    assert_eq!((world.alarms(), world.events(Event::NoPumpHeard)), (std::vec![], std::vec![]));
    world.run(ms(500));
    assert_eq!(world.alarms(), [Alarm::NoPumpHeard], "{} us", world.t - silent);
    assert_eq!(world.events(Event::NoPumpHeard)[0].cause, Some(Cause::Timeout));
    world.run(ms(3_600_000));
    assert_eq!(world.cioc.status().activity, Activity::WaitingForPumps { pump: pump(1) });
    assert_eq!((world.events(Event::NoPumpHeard).len(), world.events(Event::UpdateStarted).len()), (1, 0));
    world.pumps[0].troubles.silent = false;
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.alarms(), []);
    assert_log_is_whole(&world.log());
}

#[test]
fn each_silence_is_told_of_and_one_for_lack_of_supply_is_not() {
    let mut world = World::new(2, 320);
    world.pumps[0].faults = PumpFaults::LOW_SUPPLY;
    world.pumps[1].faults = PumpFaults::LOW_SUPPLY;
    begun(&mut world);
    for _ in 0..2 {
        world.run(ms(1_000));
        world.stuck_bus = true;
        world.run(ms(10_000));
        assert!(world.alarms().contains(&Alarm::NoPumpHeard));
        world.stuck_bus = false;
        world.run(ms(1_000));
        assert_eq!(world.alarms(), [Alarm::LowSupply]);
    }
    assert_eq!(world.events(Event::NoPumpHeard).len(), 2);
    world.feed = 0;
    world.pumps.iter_mut().for_each(|pump| pump.troubles.silent = true);
    world.run(ms(60_000));
    world.feed = 24_000;
    world.run(ms(4_000));
    world.pumps.iter_mut().for_each(|pump| pump.troubles.silent = false);
    world.run(ms(10_000));
    assert_eq!(world.events(Event::NoPumpHeard).len(), 2);
}

#[test]
fn the_start_of_a_campaign_clears_the_image_alarm_and_leaves_those_of_pumps() {
    let package = super::world::Store::Image(super::world::image(super::world::MODEL, NEW, 320));
    let image = crate::package::read_image(&package).unwrap().unwrap();
    let mut nvm = super::world::Fram::new();
    let mut unit = crate::unit::Unit::new(Config { pumps: 3, ..Config::DEFAULT }, crate::nvm::Store::load(&nvm));
    let mut ports = crate::unit::Ports { now: units::Instant::ZERO, package: &package, nvm: &mut nvm };
    unit.commit(&mut ports, &[], |record| record.pump_mut(pump(2)).mark = crate::nvm::Mark::Dead);
    let alarms = [Alarm::Image(Cause::FileNotFound), Alarm::PumpDead(pump(2)), Alarm::Image(Cause::ImageRejected)];
    alarms.into_iter().chain([Alarm::PumpMissing(pump(3))]).for_each(|alarm| unit.raise(alarm));
    let _ = crate::campaign::Campaign::start(image, &mut unit, &mut ports);
    assert_eq!(*unit.alarms(), [Alarm::PumpDead(pump(2)), Alarm::PumpMissing(pump(3))]);
    assert_eq!(unit.pump_record(pump(2)).mark, crate::nvm::Mark::Dead);
}

#[test]
fn a_new_campaign_is_rid_of_the_abandoned_one_s_alarm_and_keeps_the_dead_pump_s() {
    let mut world = World::new(3, 320);
    world.pumps[0].troubles.check_fails = 3;
    while world.pumps[1].blocks < 2 {
        world.step();
    }
    // A byte of the header, which pump 2 has by now: its own update is good, and pump 3 is not begun.
    let super::world::Store::Image(bytes) = &mut world.package else { panic!("there is an image") };
    bytes[40] ^= 1;
    world.run_to_rest();
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1)), Alarm::Image(Cause::ImageRejected)]);
    let super::world::Store::Image(bytes) = &mut world.package else { panic!("there is an image") };
    bytes[40] ^= 1;
    world.reboot();
    world.notices.clear();
    begun(&mut world);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
    world.run_to_rest();
    assert!(world.is_updated(2) && world.is_updated(3));
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
    assert_eq!(world.pumps[0].erases, 3, "dead until a search by hand");
}

#[test]
fn the_next_pump_waits_for_a_pump_that_entered_its_session_unheard() {
    let mut world = World::new(2, 3_200);
    world.pumps[0].troubles.check_fails = 2;
    while world.events(Event::UpdateError).len() < 2 {
        world.step();
    }
    // It starts anew in its bootloader, so that its status tells of no update until the third try.
    let now = world.t;
    world.pumps[0].power_cycle(now);
    while !phases(&world, 1).contains(&(3, Phase::Security)) {
        world.step();
    }
    world.pumps[0].troubles.silent = true;
    assert_eq!(world.cioc.status().pumps[0].reported.unwrap().state, PumpState::Bootloader);
    while world.events(Event::PumpDead).is_empty() {
        world.step();
    }
    let dead = world.t;
    while world.pumps[1].speed_at_entry.is_empty() {
        world.step();
    }
    assert!(world.t >= dead + ms(27_000), "{}", world.t - dead);
    world.run_to_rest();
    assert!(world.is_updated(2));
}

#[test]
fn a_pump_whose_third_try_the_reset_of_the_cioc_cut_off_is_waited_for_though_nothing_is_heard_of_it() {
    let mut world = World::new(2, 3_200);
    world.pumps[0].troubles.check_fails = 2;
    while world.events(Event::UpdateStarted).len() < 3 || world.pumps[0].blocks < 202 {
        world.step();
    }
    world.pumps[0].troubles.silent = true;
    world.reboot();
    while world.events(Event::PumpDead).is_empty() {
        world.step();
    }
    let dead = world.t;
    while world.pumps[1].speed_at_entry.is_empty() {
        world.step();
    }
    assert!(world.t >= dead + ms(27_000), "{}", world.t - dead);
}

#[test]
fn the_others_keep_80_percent_while_a_dead_pump_may_be_in_its_session_on_a_silent_bus() {
    let mut world = World::new(2, 3_200);
    world.pumps[0].troubles.check_fails = 2;
    while world.events(Event::UpdateStarted).len() < 3 || world.pumps[0].blocks < 202 {
        world.step();
    }
    world.stuck_bus = true;
    while world.events(Event::PumpDead).is_empty() {
        world.step();
    }
    for (after, mode) in [(1_500, Mode::Fixed), (25_400, Mode::Fixed), (300, Mode::Automatic)] {
        world.run(ms(after));
        assert_eq!(world.cioc.status().pumps[1].mode, mode, "{after}");
    }
}

#[test]
fn a_pump_that_says_that_its_update_is_over_is_not_waited_for() {
    let mut world = World::new(2, 320);
    world.pumps[0].troubles.check_fails = 3;
    while world.events(Event::PumpDead).is_empty() {
        world.step();
    }
    let dead = world.t;
    world.pumps[0].power_cycle(dead);
    while world.pumps[1].speed_at_entry.is_empty() {
        world.step();
    }
    assert!(world.t < dead + ms(3_000), "{}", world.t - dead);
}

#[test]
fn an_image_that_goes_bad_in_the_store_ends_the_campaign_and_kills_no_pump() {
    let mut world = World::new(2, 320);
    while world.pumps[0].blocks < 2 {
        world.step();
    }
    let super::world::Store::Image(bytes) = &mut world.package else { panic!("there is an image") };
    bytes[200] ^= 1;
    world.pumps[0].troubles.check_fails = 1;
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::CheckFailed]);
    assert_eq!([world.pumps[0].erases, world.pumps[1].erases], [1, 0]);
    assert_eq!(world.events(Event::CampaignAbandoned)[0].cause, Some(Cause::ImageRejected));
    assert_eq!(world.events(Event::PumpDead), []);
    assert_eq!(world.alarms(), [Alarm::Image(Cause::ImageRejected)]);
    assert!(world.cioc.status().pumps.iter().all(|pump| pump.outcome == Outcome::Unknown));
    assert_log_is_whole(&world.log());
}

#[test]
fn the_next_pump_waits_until_a_pump_dead_by_time_out_has_left_its_session() {
    let mut world = World::new(2, 32_000);
    world.pumps[0].troubles.endless_session = true;
    for try_number in 1..=3 {
        while world.events(Event::UpdateStarted).len() < try_number || world.pumps[0].erases < try_number as u32 {
            world.step();
        }
        world.run(ms(500));
        world.stuck_bus = true;
        let stuck = world.t;
        while world.events(Event::UpdateError).len() < try_number {
            world.step();
            assert!(world.t < stuck + ms(60_000));
        }
        world.stuck_bus = false;
    }
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
    let dead = world.t;
    // Longer than any session that ends of itself: the pump says that it updates, and is waited for.
    world.run(ms(30_000));
    assert_eq!(world.pumps[1].speed_at_entry, []);
    world.pumps[0].troubles.endless_session = false;
    while world.pumps[1].speed_at_entry.is_empty() {
        world.step();
        assert!(world.t < dead + ms(32_000), "{}", world.t - dead);
    }
    assert!(!world.pumps[0].is_updating());
    world.run_to_rest();
    assert!(world.is_updated(2));
}

/// Steps to the end of the campaign and holds that no pump is ever told to regulate while another is in its session.
fn assert_nobody_regulates_beside_an_update(world: &mut World) {
    while !world.is_at_rest() {
        world.step();
        let modes = world.cioc.status().pumps.iter().map(|pump| pump.mode).collect::<Vec<_>>();
        assert!(
            !modes.contains(&Mode::Automatic) || !world.pumps.iter().any(super::world::FakePump::is_updating),
            "{modes:?} at {} us",
            world.t
        );
    }
}

#[test]
fn the_campaign_does_not_end_before_the_last_pump_s_failed_update_is_over() {
    let mut world = World::new(3, 320);
    world.pumps[2].troubles.check_fails = u8::MAX;
    begun(&mut world);
    while world.events(Event::PumpDead).is_empty() {
        world.step();
    }
    let (dead, notices) = (world.t, world.notices.len());
    assert_nobody_regulates_beside_an_update(&mut world);
    assert!((ms(9_000)..ms(11_500)).contains(&(world.t - dead)), "the session lasts for 10 s: {}", world.t - dead);
    assert!(world.notices.len() - notices < 100, "the end is waited for without haste");
    world.run_to_rest();
    assert_eq!([1, 2, 3].map(|number| world.mode(number).unwrap()), [Mode::Automatic, Mode::Automatic, Mode::Standby]);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
    assert_log_is_whole(&world.log());
}

#[test]
fn a_last_pump_that_says_for_ever_that_it_updates_is_waited_for_71_seconds() {
    let mut world = World::new(2, 320);
    world.pumps[1].troubles.check_fails = u8::MAX;
    world.pumps[1].troubles.endless_session = true;
    begun(&mut world);
    while world.events(Event::PumpDead).is_empty() {
        world.step();
    }
    let dead = world.t;
    while !world.is_at_rest() {
        world.step();
    }
    assert!((ms(70_500)..ms(71_500)).contains(&(world.t - dead)), "{}", world.t - dead);
}

#[test]
fn a_silence_of_the_bus_in_a_transfer_lets_nobody_regulate_beside_the_pump_in_its_session() {
    let mut world = World::new(3, 320);
    while world.pumps[1].blocks < 4 {
        world.step();
    }
    world.stuck_bus = true;
    world.run(ms(9_000));
    assert_eq!(world.causes(2), [Cause::Timeout]);
    world.stuck_bus = false;
    assert_nobody_regulates_beside_an_update(&mut world);
    assert!((1..=3).all(|number| world.is_updated(number)));
}

/// Pump 2 of 2 is in its first try and has taken some blocks.
fn in_the_second_pump_s_transfer() -> World {
    let mut world = World::new(3, 320);
    while world.pumps[1].blocks < 4 {
        world.step();
    }
    world
}

#[test]
fn an_image_that_goes_in_a_transfer_ends_the_campaign_only_when_the_pump_s_session_is_over() {
    let mut world = in_the_second_pump_s_transfer();
    world.package = super::world::Store::Missing;
    let gone = world.t;
    world.run(ms(1_000));
    assert!(world.pumps[1].is_updating() && world.events(Event::CampaignAbandoned).is_empty());
    assert_eq!(world.alarms(), [Alarm::Image(Cause::ImageRejected)], "told at once");
    assert_nobody_regulates_beside_an_update(&mut world);
    assert!((ms(9_500)..ms(11_500)).contains(&(world.t - gone)), "the session lasts for 10 s: {}", world.t - gone);
    assert_eq!(world.events(Event::CampaignAbandoned).len(), 1);
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
    assert_eq!([1, 2, 3].map(|number| world.pumps[number - 1].erases), [1, 1, 0]);
    world.run(ms(250));
    assert_eq!([1, 3].map(|number| world.mode(number).unwrap()), [Mode::Automatic; 2]);
    assert_log_is_whole(&world.log());
}

#[test]
fn an_image_that_goes_between_two_tries_ends_the_campaign_only_when_the_pump_s_session_is_over() {
    for store in [super::world::Store::Missing, super::world::Store::None] {
        let mut world = in_the_second_pump_s_transfer();
        world.pumps[1].troubles.check_fails = 1;
        while world.events(Event::UpdateError).is_empty() {
            world.step();
        }
        world.package = store;
        world.run(ms(4_000));
        assert!(world.pumps[1].is_updating() && world.events(Event::CampaignAbandoned).is_empty());
        assert_nobody_regulates_beside_an_update(&mut world);
        assert_eq!(world.events(Event::CampaignAbandoned)[0].cause, Some(Cause::FileNotFound));
        assert_eq!(world.pumps[1].erases, 1);
    }
}

#[test]
fn a_boot_that_finds_another_image_gives_the_campaign_up_only_when_the_pump_s_session_is_over() {
    let mut world = in_the_second_pump_s_transfer();
    let super::world::Store::Image(bytes) = &world.package else { panic!("there is an image") };
    let mut other = bytes.clone();
    other[40] ^= 1;
    let gone = [super::world::Store::Missing, super::world::Store::Image(other)];
    for store in gone {
        let mut world = world.clone();
        world.package = store;
        world.reboot();
        let boot = world.t;
        while world.events(Event::CampaignAbandoned).is_empty() {
            let automatic = world.cioc.status().pumps.iter().any(|pump| pump.mode == Mode::Automatic);
            assert!(!automatic || !world.pumps[1].is_updating(), "at {} us after the boot", world.t - boot);
            world.step();
        }
        assert!(world.t - boot > ms(9_000) && !world.pumps[1].is_updating(), "{}", world.t - boot);
        world.run_to_rest();
        assert_eq!(world.mode(1), Some(Mode::Automatic));
    }
    // The same image goes on.
    world.reboot();
    world.run_to_rest();
    assert_eq!(world.events(Event::CampaignAbandoned), []);
}

/// The last pump is in the erase of its third try, and the CIOC hears nothing of anybody from now on.
fn deaf_in_the_last_erase(sector: u64) -> World {
    let mut world = World::new(2, 320);
    world.pumps[1].troubles.check_fails = 2;
    while world.pumps[1].erases < 2 {
        world.step();
    }
    world.pumps[1].troubles.slow_sector = sector;
    while world.pumps[1].erases < 3 {
        world.step();
    }
    world.run(ms(100));
    world.stuck_bus = true;
    world
}

fn run_and_assert_nobody_regulates_beside_an_update(world: &mut World, span: u64) {
    let end = world.t + span;
    while world.t < end {
        world.step();
        let automatic = world.cioc.status().pumps.iter().any(|pump| pump.mode == Mode::Automatic);
        assert!(!automatic || !world.pumps[1].is_updating(), "{}", world.t);
    }
}

#[test]
fn nobody_regulates_beside_any_erase_that_the_data_sheet_allows_heard_or_not() {
    // STM32F4 class: a sector takes 1 s typically, 2 s at most, 4 s with 8-bit access.
    for sector in [1_000, 2_000, 4_000] {
        for silence in [5_900, 12_000, 20_000, 90_000] {
            let mut world = deaf_in_the_last_erase(ms(sector));
            run_and_assert_nobody_regulates_beside_an_update(&mut world, ms(silence));
            world.stuck_bus = false;
            assert_nobody_regulates_beside_an_update(&mut world);
        }
    }
}

#[test]
fn an_erase_beyond_the_data_sheet_is_waited_for_while_the_pump_tells_of_it() {
    // 56 s in all: the longest that one request may be kept pending is 60 s.
    let mut world = deaf_in_the_last_erase(ms(14_000));
    world.run(ms(5_900));
    world.stuck_bus = false;
    assert_nobody_regulates_beside_an_update(&mut world);
}

/// Pump 2 of 2 is in its third try and has taken some blocks.
fn in_the_third_try_of_pump_2() -> World {
    let mut world = World::new(2, 320);
    world.pumps[1].troubles.check_fails = 2;
    while world.events(Event::UpdateStarted).len() < 4 || world.pumps[1].blocks < 24 {
        world.step();
    }
    world
}

#[test]
fn a_pump_whose_third_try_was_cut_off_is_dead_with_an_alarm_as_soon_as_it_was_searched() {
    let mut world = in_the_third_try_of_pump_2();
    // The pump before it needs the image again: its update must not delay the alarm.
    world.pumps[0].version = OLD;
    world.reboot();
    while world.pumps[0].erases < 2 {
        world.step();
    }
    assert_eq!(world.events(Event::PumpDead).len(), 1);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(2))]);
    world.run_to_rest();
    assert_eq!(world.pumps[1].erases, 3);
    assert_eq!(world.events(Event::PumpDead).len(), 1);
}

#[test]
fn a_pump_whose_third_try_was_cut_off_is_dead_though_the_image_is_gone() {
    let mut world = in_the_third_try_of_pump_2();
    let image = core::mem::replace(&mut world.package, super::world::Store::Missing);
    world.reboot();
    world.run_to_rest();
    assert_eq!(world.events(Event::PumpDead).len(), 1);
    assert!(world.alarms().contains(&Alarm::PumpDead(pump(2))));
    world.package = image;
    world.reboot();
    world.run_to_rest();
    assert_eq!((world.pumps[1].erases, world.asked), (3, 1), "no try and no question for a dead pump");
}

#[test]
fn each_boot_tells_of_a_dead_pump_once() {
    let mut world = World::new(2, 320);
    world.pumps[0].troubles.check_fails = u8::MAX;
    world.run_to_rest();
    let raised = |world: &World| {
        world.notices.iter().filter(|notice| **notice == Notice::AlarmRaised(Alarm::PumpDead(pump(1)))).count()
    };
    assert_eq!(raised(&world), 1);
    for boots in 2..=4 {
        world.reboot();
        world.run_to_rest();
        assert_eq!(raised(&world), boots);
        assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
    }
    assert_eq!(world.pumps[0].erases, 3);
}

#[test]
fn a_search_by_hand_asked_for_before_a_pump_dies_does_not_revive_it() {
    let mut world = World::new(2, 320);
    world.pumps[0].troubles.check_fails = u8::MAX;
    while world.events(Event::UpdateStarted).is_empty() {
        world.step();
    }
    world.act(UserAction::Search);
    world.run_to_rest();
    assert_eq!(world.events(Event::ManualSearch).len(), 1, "the search comes nevertheless");
    assert_eq!(world.pumps[0].erases, 3);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
    assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::Dead);
    assert!(world.is_updated(2));
}

#[test]
fn a_search_by_hand_revives_the_pumps_that_were_dead_as_it_was_asked_for() {
    let mut world = World::new(3, 320);
    world.pumps[0].troubles.check_fails = 3;
    world.pumps[1].troubles.check_fails = u8::MAX;
    while world.pumps[1].erases < 1 {
        world.step();
    }
    world.act(UserAction::Search);
    world.run_to_rest();
    assert_eq!([0, 1].map(|index: usize| world.pumps[index].erases), [4, 3]);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(2))]);
    assert!(world.is_updated(1) && world.is_updated(3));
}

/// Pump 1 of 2 has been reset into its new image, and nothing is heard of it any more.
fn gone_after_the_reset() -> World {
    let mut world = World::new(2, 320);
    while world.pumps[0].resets < 1 || world.pumps[0].bootloader {
        world.step();
    }
    world.pumps[0].troubles.silent = true;
    world
}

fn back(world: &mut World, number: usize) {
    world.pumps[number - 1].troubles.silent = false;
    let t = world.t;
    world.pumps[number - 1].power_cycle(t);
}

#[test]
fn a_pump_that_runs_the_image_after_a_try_without_supply_is_not_written_again() {
    let mut world = gone_after_the_reset();
    world.feed = 0;
    while world.events(Event::UpdateError).is_empty() {
        world.step();
    }
    world.feed = 24_000;
    back(&mut world, 1);
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::LowSupply]);
    assert_eq!(world.pumps[0].erases, 1);
    assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::Updated);
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!((world.alarms().len(), world.cioc.status().percent), (0, 100));
    assert_log_is_whole(&world.log());
}

#[test]
fn a_pump_that_runs_the_image_after_a_try_whose_status_never_came_is_not_written_again() {
    let mut world = gone_after_the_reset();
    while world.events(Event::UpdateError).is_empty() {
        world.step();
    }
    back(&mut world, 1);
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::NoGoodStatus]);
    assert_eq!(world.pumps[0].erases, 1);
    assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::Updated);
}

#[test]
fn a_pump_set_aside_for_its_silence_is_tried_again_once_it_is_heard() {
    // The first of three, while the others are updated; the last of two, while the campaign waits for its end.
    for (pumps, hangs) in [(3, 0), (2, 1)] {
        let mut world = World::new(pumps, 320);
        while world.pumps[hangs].blocks < 4 {
            world.step();
        }
        world.pumps[hangs].troubles.silent = true;
        while world.events(Event::PumpMissing).is_empty() {
            world.step();
        }
        back(&mut world, hangs + 1);
        world.run_to_rest();
        assert_eq!(world.causes(hangs as u8 + 1), [Cause::Timeout]);
        assert!((1..=pumps).all(|number| world.is_updated(number)), "{pumps}");
        assert_eq!(world.alarms(), []);
        assert_eq!(world.cioc.status().activity, Activity::Finished);
        assert_eq!(world.cioc.status().percent, 100);
        assert_log_is_whole(&world.log());
    }
}

#[test]
fn a_pump_set_aside_for_its_silence_comes_back_once_only() {
    let mut world = World::new(2, 320);
    begun(&mut world);
    let mut asides = 0;
    for _ in 0..4 {
        world.pumps[0].troubles.silent = true;
        let before = world.events(Event::PumpMissing).len();
        while world.events(Event::PumpMissing).len() == before && !world.is_at_rest() {
            world.step();
        }
        asides += world.events(Event::PumpMissing).len() - before;
        world.pumps[0].troubles.silent = false;
        world.run(ms(200));
    }
    assert_eq!(asides, 2);
    assert!(world.is_updated(2));
    assert_eq!(world.cioc.status().activity, Activity::FinishedWithErrors);
}

#[test]
fn a_time_left_that_grows_with_a_pump_searched_by_hand_has_a_cause() {
    let mut world = World::new(4, 3_200);
    world.pumps[0].troubles.check_fails = 3;
    while world.pumps[2].blocks < 50 {
        world.step();
    }
    world.act(UserAction::Search);
    world.run_to_rest();
    assert!((1..=4).all(|number| world.is_updated(number)));
    let mut last = None;
    let mut rises = 0;
    let resumed =
        world.notices.iter().position(|notice| matches!(notice, Notice::CampaignStarted { resumed: true, .. }));
    for notice in &world.notices[resumed.unwrap() - 200.min(resumed.unwrap())..] {
        let Notice::Progress { remaining: Some(remaining), cause, .. } = notice else { continue };
        if last.is_some_and(|last| *remaining > last) {
            rises += 1;
            assert!(cause.is_some(), "the time left rises from {last:?} to {remaining:?} without a cause");
        }
        last = Some(*remaining);
    }
    assert!(rises > 0, "a pump more to update takes longer");
}

#[test]
fn supply_that_goes_while_a_pump_is_stopped_costs_no_try() {
    let mut world = World::new(2, 320);
    world.pumps[0].troubles.refuses_standby = true;
    while !phases(&world, 1).contains(&(1, Phase::Standby)) {
        world.step();
    }
    world.feed = 19_000;
    world.run(ms(60_000));
    assert_eq!(world.alarms(), [Alarm::LowSupply]);
    assert_eq!(world.events(Event::UpdateStarted), []);
    assert_eq!([world.mode(1), world.mode(2)], [Some(Mode::Fixed); 2], "nobody is in hand: both cool");
    world.pumps[0].troubles.refuses_standby = false;
    world.feed = 24_000;
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!(world.causes(1), []);
    assert_eq!(world.alarms(), []);
}

/// Runs until phase `at` of the first try of pump 1.
pub(super) fn at_phase(world: &mut World, at: Phase) {
    while !phases(world, 1).contains(&(1, at)) {
        world.step();
    }
}

#[test]
fn an_erase_that_ends_badly_is_a_flash_failure() {
    let mut world = World::new(1, 128);
    world.pumps[0].troubles.answers_instead = Some((&[0x31, 0x01, 0xFF, 0x00], &[0x71, 0x01, 0xFF, 0x00, 0x01]));
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::FlashFailure]);
    assert!(world.is_updated(1));
    assert_eq!(world.pumps[0].erases, 2);
}

#[test]
fn a_pump_that_takes_no_whole_word_in_a_block_is_refused() {
    // 5 bytes: service, counter and three of the four bytes of a word.
    let mut world = World::new(1, 128);
    world.pumps[0].troubles.answers_instead = Some((&[0x34], &[0x74, 0x20, 0x00, 0x05]));
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Refused]);
    assert!(world.is_updated(1));
}

#[test]
fn a_repeated_reset_that_the_pump_refuses_costs_no_try_if_the_pump_comes_up() {
    let mut world = World::new(1, 128);
    at_phase(&mut world, Phase::Reset);
    world.losses.push(Loss { id: ids::uds_request(pump(1)), nth: 1 });
    world.pumps[0].troubles.answers_instead = Some((&[0x11], &[0x7F, 0x11, 0x11]));
    world.run_to_rest();
    assert_eq!(world.pumps[0].troubles.answers_instead, None, "the refusal was sent");
    assert_eq!(world.causes(1), []);
    assert!(world.is_updated(1));
}

#[test]
fn a_pump_that_refuses_to_tell_its_version_after_the_reset_is_asked_again() {
    let mut world = World::new(1, 128);
    at_phase(&mut world, Phase::StatusCheck);
    world.pumps[0].troubles.answers_instead = Some((&[0x22], &[0x7F, 0x22, 0x31]));
    world.run_to_rest();
    assert_eq!(world.pumps[0].troubles.answers_instead, None, "the refusal was sent");
    assert_eq!(world.causes(1), []);
    assert!(world.is_updated(1));
}

#[test]
fn a_late_refusal_of_a_key_does_not_spoil_the_seed_that_was_asked_for_since() {
    for code in [&[0x7F, 0x27, 0x35], &[0x7F, 0x27, 0x24]] {
        let mut world = World::new(1, 128);
        at_phase(&mut world, Phase::Security);
        world.run(500);
        world.pumps[0].troubles.late_security = ms(155);
        world.pumps[0].troubles.answers_instead = Some((&[0x27, 0x02], code));
        world.run_to_rest();
        assert_eq!(world.pumps[0].troubles.answers_instead, None, "the refusal was sent");
        assert_eq!(world.causes(1), []);
        assert!(world.is_updated(1));
    }
}

#[test]
fn a_fault_reported_before_the_new_version_is_told_keeps_the_update_open() {
    let mut world = World::new(1, 128);
    at_phase(&mut world, Phase::StatusCheck);
    world.pumps[0].troubles.fault_at_version = true;
    while world.pumps[0].troubles.fault_at_version {
        world.step();
    }
    world.run(ms(500));
    assert_eq!(world.events(Event::UpdateFinished), [], "the version is right, the status is not");
    world.pumps[0].faults = PumpFaults::default();
    world.run_to_rest();
    assert_eq!(world.causes(1), []);
    assert_eq!(world.events(Event::UpdateFinished).len(), 1);
    assert!(world.is_updated(1));
}

#[test]
fn an_answer_to_another_block_is_not_taken_for_this_one() {
    let mut world = World::new(1, 128);
    at_phase(&mut world, Phase::Transfer);
    world.pumps[0].troubles.answers_instead = Some((&[0x36, 0x02], &[0x76, 0x09]));
    world.run_to_rest();
    assert_eq!(world.pumps[0].troubles.answers_instead, None, "the wrong answer was sent");
    assert_eq!(world.causes(1), []);
    assert_eq!((world.pumps[0].blocks, world.pumps[0].repeats), (4, 1), "block 2 was sent again");
    assert!(world.is_updated(1));
}

#[test]
fn a_pump_exchanged_for_another_model_before_a_boot_is_no_part_of_the_resumed_campaign() {
    let mut world = World::new(2, 320);
    while world.pumps[0].blocks < 2 {
        world.step();
    }
    world.pumps[1].model = protocol::header::ModelId(8);
    world.reboot();
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.pumps[1].erases, 0);
    assert_eq!(world.cioc.status().pumps[1].outcome, Outcome::Rejected);
    assert_eq!(world.alarms(), [Alarm::PumpRejected(pump(2))]);
}
