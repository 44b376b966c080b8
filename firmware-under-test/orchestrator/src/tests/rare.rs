//! Rare turns: first requests that are refused, limits on repetitions, pumps that change between two looks.

use protocol::cyclic::{Mode, PumpFaults};
use protocol::header::ModelId;
use protocol::ids;
use protocol::uds::ResetCause;

use super::campaign::{at_phase, begun, phases};
use super::world::{Customer, Loss, NEW, Store, World, assert_log_is_whole, ms, pump};
use crate::{Activity, Alarm, Cause, Event, Outcome, Phase, UserAction};

/// Loses the frames with these numbers that the CIOC sends to pump 1 from now on.
fn lose_requests(world: &mut World, numbers: &[u32]) {
    world.losses.extend(numbers.iter().map(|nth| Loss { id: ids::uds_request(pump(1)), nth: *nth }));
}

#[test]
fn a_first_request_that_is_refused_ends_the_try_as_refused() {
    const CASES: [(&[u8], &[u8], u32); 6] = [
        (&[0x37], &[0x7F, 0x37, 0x24], 2),
        (&[0x27, 0x02], &[0x7F, 0x27, 0x35], 1),
        (&[0x27, 0x02], &[0x7F, 0x27, 0x24], 1),
        (&[0x27, 0x01], &[0x7F, 0x27, 0x35], 1),
        (&[0x27, 0x01], &[0x7F, 0x27, 0x24], 1),
        (&[0x10, 0x02], &[0x7F, 0x10, 0x22], 1),
    ];
    for (request, answer, erases) in CASES {
        let mut world = World::new(1, 128);
        world.pumps[0].troubles.answers_instead = Some((request, answer));
        world.run_to_rest();
        assert_eq!(world.pumps[0].troubles.answers_instead, None, "{answer:x?} was sent");
        assert_eq!(world.causes(1), [Cause::Refused], "{answer:x?}");
        assert!(world.is_updated(1));
        assert_eq!((world.pumps[0].erases, world.cioc.status().pumps[0].counted), (erases, 2), "{answer:x?}");
        assert_log_is_whole(&world.log());
    }
}

#[test]
fn a_first_reset_that_is_refused_ends_the_try_and_a_pump_that_runs_the_image_all_the_same_is_left_alone() {
    let mut world = World::new(1, 128);
    world.pumps[0].troubles.answers_instead = Some((&[0x11], &[0x7F, 0x11, 0x22]));
    world.run_to_rest();
    assert_eq!(world.pumps[0].troubles.answers_instead, None, "the refusal was sent");
    assert_eq!(world.causes(1), [Cause::Refused]);
    assert_eq!((world.pumps[0].erases, world.pumps[0].resets), (1, 1));
    let status = world.cioc.status();
    assert_eq!((status.pumps[0].outcome, status.percent), (Outcome::Updated, 100));
    assert_log_is_whole(&world.log());
}

/// A request but a block is repeated twice; after the third reset without an answer the status decides, for 10 s.
#[test]
fn a_reset_is_asked_for_three_times_and_then_the_status_decides() {
    for (lost, causes) in [(&[1, 2][..], &[][..]), (&[1, 2, 3], &[Cause::NoGoodStatus])] {
        let mut world = World::new(1, 128);
        at_phase(&mut world, Phase::Reset);
        let asked = world.t;
        lose_requests(&mut world, lost);
        world.run_to_rest();
        assert!(world.losses.iter().all(|loss| loss.nth == 0));
        assert_eq!(world.causes(1), causes, "{lost:?}");
        assert_eq!(world.pumps[0].resets, 1);
        assert!(world.is_updated(1));
        for error in world.events(Event::UpdateError) {
            // Two waits of 150 ms for an answer come before the last request.
            assert!((10_300..10_900).contains(&(u64::from(error.at_ms) - asked / 1_000)), "{}", error.at_ms);
        }
    }
}

/// Seed and key are repeated four times together: the fifth key without an answer ends the try.
#[test]
fn a_key_without_an_answer_is_given_up_after_four_repetitions() {
    for (lost, causes) in [(&[2, 4, 6, 8][..], &[][..]), (&[2, 4, 6, 8, 10], &[Cause::Timeout])] {
        let mut world = World::new(1, 128);
        at_phase(&mut world, Phase::Security);
        lose_requests(&mut world, lost);
        world.run_to_rest();
        assert!(world.losses.iter().all(|loss| loss.nth == 0));
        assert_eq!(world.causes(1), causes, "{lost:?}");
        assert!(world.is_updated(1));
        assert_eq!(world.pumps[0].erases, 1, "nothing is erased without a key");
    }
}

#[test]
fn a_pump_that_refused_its_version_is_asked_again_only_after_its_own_next_status() {
    let mut world = World::new(2, 128);
    at_phase(&mut world, Phase::StatusCheck);
    world.pumps[0].troubles.answers_instead = Some((&[0x22], &[0x7F, 0x22, 0x31]));
    while world.pumps[0].troubles.answers_instead.is_some() {
        world.step();
    }
    world.run(ms(5));
    world.pumps[0].troubles.silent = true;
    let until = world.t + ms(2_000);
    while world.t < until {
        world.step();
        assert!(!world.protocol_step, "statuses of the other pump ask for nothing");
    }
    world.pumps[0].troubles.silent = false;
    world.run_to_rest();
    assert_eq!(world.causes(1), []);
    assert!(world.is_updated(1) && world.is_updated(2));
}

/// The status must be good and the version read within 10 s from the reset (PFU-024): a version that comes later counts for
/// nothing, though the status before it came in time.
#[test]
fn a_version_that_comes_after_the_time_for_a_good_status_counts_for_nothing() {
    for (before_the_end_us, causes) in [(10_000, &[][..]), (1_000, &[Cause::NoGoodStatus])] {
        let mut world = World::new(1, 128);
        at_phase(&mut world, Phase::Reset);
        let end = world.t + ms(10_000);
        while world.pumps[0].resets == 0 || world.pumps[0].bootloader {
            world.step();
        }
        // It hangs, and its watchdog starts it anew so that its first status comes this long before the end.
        world.pumps[0].restart(end - before_the_end_us - 25_000, false, ResetCause::Watchdog);
        world.run_to_rest();
        assert_eq!(world.causes(1), causes, "{before_the_end_us} us");
        let errors = world.events(Event::UpdateError);
        assert!(errors.iter().all(|error| u64::from(error.at_ms) * 1_000 >= end));
        assert_eq!((world.pumps[0].erases, world.is_updated(1)), (1, true));
        assert_log_is_whole(&world.log());
    }
}

/// The look before a try asks a pump whose last try nothing has explained why it last started. One that does not know the
/// identifier is looked at as any other.
#[test]
fn a_pump_that_cannot_tell_of_its_last_start_is_looked_at_all_the_same() {
    for (after_the_reset, cause, erases) in [(false, Cause::Timeout, 2), (true, Cause::NoGoodStatus, 1)] {
        let mut world = World::new(1, 320);
        while world.pumps[0].blocks < 4
            || (after_the_reset && (world.pumps[0].resets == 0 || world.pumps[0].bootloader))
        {
            world.step();
        }
        world.pumps[0].troubles.silent = true;
        while world.events(Event::UpdateError).is_empty() {
            world.step();
        }
        (world.pumps[0].troubles.silent, world.pumps[0].troubles.no_start) = (false, true);
        let now = world.t;
        world.pumps[0].restart(now, !after_the_reset, ResetCause::Watchdog);
        world.run_to_rest();
        assert_eq!(world.causes(1), [cause]);
        assert_eq!(
            (world.pumps[0].erases, world.is_updated(1)),
            (erases, true),
            "one that runs the image is left alone"
        );
        assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::Updated);
        assert_log_is_whole(&world.log());
    }
}

#[test]
fn a_pump_of_the_images_version_that_falls_into_its_bootloader_as_it_is_looked_at_is_updated() {
    let mut world = World::new(1, 128);
    begun(&mut world);
    world.pumps[0].version = NEW;
    world.pumps[0].troubles.bootloader_at_version = true;
    world.run_to_rest();
    assert!(!world.pumps[0].troubles.bootloader_at_version);
    assert_eq!((world.events(Event::UpdateStarted).len(), world.causes(1)), (1, [].to_vec()));
    assert_eq!((world.pumps[0].erases, world.pumps[0].speed_at_entry.len()), (1, 0));
    assert!(world.is_updated(1));
    assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::Updated);
}

#[test]
fn a_pump_that_reports_low_supply_while_it_stops_is_let_go_and_costs_no_try() {
    let mut world = World::new(2, 320);
    world.pumps[0].troubles.refuses_standby = true;
    at_phase(&mut world, Phase::Standby);
    world.pumps[0].faults = PumpFaults::LOW_SUPPLY;
    // Its next status comes within 100 ms; the wait for its stop would take 10 s.
    world.run(ms(300));
    assert_eq!(world.mode(1), Some(Mode::Fixed), "nothing was asked of it yet: it cools on");
    world.run(ms(3_000));
    assert_eq!(phases(&world, 2)[0], (1, Phase::Standby), "the other one comes first");
    world.run(ms(57_000));
    assert!(world.is_updated(2));
    assert_eq!(world.alarms(), [Alarm::LowSupply]);
    assert_eq!(world.cioc.status().activity, Activity::WaitingForSupply { pump: pump(1) });
    assert_eq!(world.mode(1), Some(Mode::Automatic), "it cools on as well as it can");
    assert_eq!(phases(&world, 1), [(1, Phase::Standby)]);
    world.pumps[0].troubles.refuses_standby = false;
    world.pumps[0].faults = PumpFaults::default();
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!((world.causes(1).len(), world.cioc.status().pumps[0].tries), (0, 1));
    assert_eq!((world.alarms(), world.events(Event::PumpMissing)), (std::vec![], std::vec![]));
}

/// Three waits for one pump set it aside (`WAITS_MOST`); those on a bus on which nobody is heard are not counted.
#[test]
fn waits_for_a_stop_on_a_silent_bus_set_no_pump_aside() {
    let mut world = World::new(2, 320);
    begun(&mut world);
    for wait in 1..=5 {
        while phases(&world, 1).len() < wait {
            world.step();
        }
        world.stuck_bus = true;
        // The wait for a stop takes 10 s.
        world.run(ms(10_500));
        assert_eq!(world.alarms(), [Alarm::NoPumpHeard]);
        assert!(world.cioc.status().pumps.iter().all(|pump| pump.mode != Mode::Standby), "nobody is in hand");
        world.stuck_bus = false;
    }
    assert_eq!(phases(&world, 1), [(1, Phase::Standby); 5]);
    world.run_to_rest();
    assert_eq!((world.alarms(), world.events(Event::PumpMissing)), (std::vec![], std::vec![]));
    assert!(world.is_updated(1) && world.is_updated(2));
    assert_eq!(world.events(Event::UpdateStarted).len(), 2);
}

#[test]
fn an_updated_pump_that_a_boot_finds_exchanged_or_gone_is_not_shown_as_updated() {
    for (gone, outcome, alarm, end) in [
        (false, Outcome::Rejected, Alarm::PumpRejected(pump(1)), Activity::Finished),
        (true, Outcome::Missing, Alarm::PumpMissing(pump(1)), Activity::FinishedWithErrors),
    ] {
        let mut world = World::new(2, 320);
        while world.pumps[1].blocks < 2 {
            world.step();
        }
        assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::Updated);
        if gone {
            world.pumps[0].troubles.silent = true;
        } else {
            world.pumps[0].model = ModelId(8);
        }
        world.reboot();
        world.run_to_rest();
        let status = world.cioc.status();
        assert_eq!((status.pumps[0].outcome, status.activity), (outcome, end));
        assert_eq!(world.alarms(), [alarm]);
        assert_eq!((world.pumps[0].erases, world.is_updated(2)), (1, true));
        assert_log_is_whole(&world.log());
    }
}

#[test]
fn a_third_try_that_had_done_its_work_when_it_was_cut_off_leaves_no_dead_pump_though_the_image_is_gone() {
    let mut world = World::new(2, 320);
    world.pumps[1].troubles.check_fails = 2;
    while !phases(&world, 2).contains(&(3, Phase::StatusCheck)) {
        world.step();
    }
    assert_eq!(world.cioc.status().pumps[1].counted, 3);
    let image = core::mem::replace(&mut world.package, Store::Missing);
    world.reboot();
    world.run_to_rest();
    assert_eq!(world.events(Event::UpdateFinished).len(), 1, "that of pump 1");
    assert_eq!(
        (world.events(Event::PumpDead), world.alarms()),
        ([].to_vec(), [Alarm::Image(Cause::FileNotFound)].to_vec())
    );
    assert_eq!(world.cioc.status().pumps[1].outcome, Outcome::UpToDate, "it runs what it has");
    assert_eq!(world.mode(2), Some(Mode::Automatic));
    assert_log_is_whole(&world.log());
    world.package = image;
    world.reboot();
    world.run_to_rest();
    assert!(world.is_updated(2));
    assert_eq!(
        (world.pumps[1].erases, world.asked, world.alarms()),
        (3, 1, [].to_vec()),
        "there is nothing left to do"
    );
}

#[test]
fn a_pump_exchanged_for_an_empty_one_of_another_model_leaves_the_campaign_no_good_end() {
    let mut world = World::new(2, 320);
    begun(&mut world);
    // The search knows of a running application; only the new pump's status says that there is none.
    world.pumps[1].model = ModelId(8);
    (world.pumps[1].bootloader, world.pumps[1].valid) = (true, false);
    world.pumps[1].faults = PumpFaults::NO_APPLICATION;
    world.run_to_rest();
    assert!(world.is_updated(1));
    let status = world.cioc.status();
    assert_eq!((status.pumps[1].outcome, status.activity), (Outcome::Rejected, Activity::FinishedWithErrors));
    assert_eq!((world.alarms(), world.pumps[1].erases), ([Alarm::PumpRejected(pump(2))].to_vec(), 0));
    assert_eq!(world.events(Event::CampaignFinished), []);
}

#[test]
fn a_pump_that_is_gone_again_in_the_search_made_for_it_is_not_searched_a_third_time() {
    let mut world = World::new(2, 320);
    world.customer = Customer::Refuses;
    world.pumps[1].troubles.silent = true;
    world.run_to_rest();
    world.pumps[1].troubles.silent = false;
    while world.events(Event::Search).len() < 2 {
        world.step();
    }
    world.pumps[1].troubles.silent = true;
    world.run_to_rest();
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(2))]);
    world.pumps[1].troubles.silent = false;
    world.run(ms(60_000));
    assert!(world.cioc.status().pumps[1].fresh, "it is heard");
    assert_eq!((world.events(Event::Search).len(), world.alarms()), (2, [Alarm::PumpMissing(pump(2))].to_vec()));
    world.customer = Customer::Agrees;
    world.act(UserAction::Search);
    world.run(ms(100));
    world.run_to_rest();
    assert!(world.is_updated(2), "a search by hand finds it");
}

/// PFU-026: a pump that was silent in the search may die in the campaign that the search resumed. It is heard as the campaign
/// ends, and that is no reason to search it again, to call it pending or to ask for it: only a search by hand revives it.
#[test]
fn a_pump_that_was_silent_in_the_search_and_died_since_is_not_searched_again() {
    let mut world = World::new(2, 320);
    while world.pumps[0].blocks < 4 {
        world.step();
    }
    world.pumps[0].troubles.silent = true;
    world.reboot();
    while world.events(Event::Search).len() < 2 || !world.pumps[1].is_updating() {
        world.step();
    }
    assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::Missing);
    world.pumps[0].troubles.silent = false;
    world.pumps[0].troubles.check_fails = 3;
    world.run_to_rest();
    assert_eq!(world.causes(1), [Cause::Interrupted, Cause::CheckFailed, Cause::CheckFailed]);
    world.notices.clear();
    world.run(ms(60_000));
    assert!(world.cioc.status().pumps[0].fresh, "it is heard");
    assert_eq!((world.asked, world.events(Event::Search).len()), (1, 2));
    assert_eq!(world.cioc.status().pumps[0].outcome, Outcome::Dead);
    assert_eq!(world.alarms(), [Alarm::PumpDead(pump(1))]);
    assert!(!world.notices.iter().any(|notice| matches!(notice, crate::Notice::Outcome { .. })), "{:?}", world.notices);
    world.act(UserAction::Search);
    world.run(ms(100));
    world.run_to_rest();
    assert!(world.is_updated(1), "a search by hand revives it");
}

#[test]
fn a_pump_that_is_heard_and_answers_nothing_is_missing_and_no_reason_for_another_search() {
    let mut world = World::new(2, 320);
    world.losses = (1..1_000).map(|nth| Loss { id: ids::uds_response(pump(2)), nth }).collect();
    world.run_to_rest();
    assert!(world.is_updated(1));
    assert_eq!(world.alarms(), [Alarm::PumpMissing(pump(2))]);
    assert_eq!(world.events(Event::PumpMissing)[0].cause, Some(Cause::Timeout));
    world.run(ms(60_000));
    assert!(world.cioc.status().pumps[1].fresh, "its status was heard all the time");
    assert_eq!(world.events(Event::Search).len(), 1);
    world.losses.clear();
    world.act(UserAction::Search);
    world.run(ms(100));
    world.run_to_rest();
    assert!(world.is_updated(2));
    assert_eq!(world.alarms(), []);
}
