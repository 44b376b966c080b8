//! The consent dialog in all its variants (PFU-019).

use protocol::cyclic::Mode;

use super::world::{Customer, World, ms};
use crate::{Activity, Event, Notice, UserAction};

fn world_with(customer: Customer) -> World {
    let mut world = World::new(2, 320);
    world.customer = customer;
    world
}

fn run_until_asked(world: &mut World) {
    let asked = world.asked;
    while world.asked == asked {
        world.step();
    }
}

fn assert_untouched(world: &World) {
    assert_eq!(world.flash_requests, []);
    for pump in &world.pumps {
        assert_eq!((pump.erases, pump.valid, pump.bootloader), (0, true, false));
        assert!(pump.commands.iter().all(|order| order.0 == Mode::Automatic as u8), "pumps keep running");
    }
}

#[test]
fn nothing_is_written_without_an_answer_and_the_request_lapses_after_10_minutes() {
    let mut world = world_with(Customer::Absent);
    run_until_asked(&mut world);
    let asked_at = world.t;
    world.run(ms(599_000));
    assert_eq!(world.cioc.status().activity, Activity::Asking);
    world.run_to_rest();
    assert!((ms(600_000)..ms(601_000)).contains(&(world.t - asked_at)));
    assert_eq!(world.events(Event::ConsentLapsed).len(), 1);
    assert_untouched(&world);
}

#[test]
fn a_late_yes_is_logged_and_starts_nothing() {
    let mut world = world_with(Customer::Absent);
    run_until_asked(&mut world);
    world.run(ms(601_000));
    world.act(UserAction::Consent(true));
    world.run(ms(10_000));
    assert_eq!(world.events(Event::ConsentLate).len(), 1);
    assert!(world.notices.contains(&Notice::ConsentLate(true)));
    assert!(world.is_at_rest());
    assert_untouched(&world);
}

#[test]
fn a_yes_in_the_very_step_in_which_the_request_lapses_is_late() {
    let mut world = world_with(Customer::Absent);
    run_until_asked(&mut world);
    world.run(ms(599_900));
    let lapses_next = |world: &World| {
        let mut next = world.clone();
        next.step();
        next.notices.contains(&Notice::ConsentLapsed)
    };
    while !lapses_next(&world) {
        world.step();
    }
    world.act_with_what_comes_next(UserAction::Consent(true));
    world.step();
    assert!(world.notices.contains(&Notice::ConsentLapsed) && world.notices.contains(&Notice::ConsentLate(true)));
    world.run(ms(10_000));
    assert_eq!(world.events(Event::ConsentLate).len(), 1);
    assert!(world.is_at_rest());
    assert_untouched(&world);
}

#[test]
fn after_a_refusal_nobody_is_asked_again_until_a_boot_or_a_search_by_hand() {
    let mut world = world_with(Customer::Refuses);
    world.run_to_rest();
    world.run(ms(3_600_000));
    assert_eq!(world.asked, 1);
    assert_eq!(world.events(Event::ConsentRefused).len(), 1);
    assert_untouched(&world);
    world.reboot();
    world.run_to_rest();
    assert_eq!(world.asked, 2);
    world.customer = Customer::Agrees;
    world.act(UserAction::Search);
    world.run(ms(100));
    world.run_to_rest();
    assert_eq!(world.asked, 3);
    assert!(world.is_updated(1) && world.is_updated(2));
}

#[test]
fn a_reboot_while_asking_asks_again() {
    let mut world = world_with(Customer::Absent);
    run_until_asked(&mut world);
    world.run(ms(5_000));
    world.reboot();
    world.act(UserAction::Consent(true));
    run_until_asked(&mut world);
    assert_eq!(world.events(Event::ConsentLate).len(), 1, "a yes to the lost dialog starts nothing");
    assert_untouched(&world);
    world.act(UserAction::Consent(true));
    world.run_to_rest();
    assert!(world.is_updated(1) && world.is_updated(2));
}

#[test]
fn a_yes_before_anything_was_asked_starts_nothing() {
    let mut world = world_with(Customer::Absent);
    world.act(UserAction::Consent(true));
    run_until_asked(&mut world);
    world.run(ms(20_000));
    assert_eq!(world.events(Event::ConsentLate).len(), 1);
    assert_untouched(&world);
}

#[test]
fn a_search_by_hand_takes_the_place_of_an_open_dialog() {
    let mut world = world_with(Customer::Absent);
    run_until_asked(&mut world);
    world.act(UserAction::Search);
    run_until_asked(&mut world);
    assert_eq!(world.asked, 2);
    assert_untouched(&world);
}

#[test]
fn a_search_by_hand_waits_for_the_end_of_a_running_campaign() {
    let mut world = world_with(Customer::Agrees);
    while world.pumps[0].blocks < 3 {
        world.step();
    }
    world.act(UserAction::Search);
    world.run(ms(100));
    world.run_to_rest();
    assert_eq!(world.events(Event::ManualSearch).len(), 1);
    assert_eq!(world.events(Event::CampaignFinished).len(), 1);
    assert!(world.is_updated(1) && world.is_updated(2));
}
