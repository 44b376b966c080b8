//! The CIOC's side of the bus: late confirmations, a blocked bus.

use protocol::cyclic::Mode;

use super::world::{Customer, World, assert_log_is_whole, ms};

#[test]
fn answers_that_are_read_before_the_confirmations_of_their_requests_cost_nothing() {
    // The pump answers 1 ms after a request and a block after 2 ms; the last delay is longer than P2 with its margin.
    for late in [1_500, 3_000, 20_000, 99_000, 160_000] {
        let mut world = World::new(2, 320);
        world.confirm_late = late;
        world.run_to_rest();
        for number in 1..=2 {
            assert!(world.is_updated(number), "{late}");
            assert_eq!(world.causes(number), [], "{late}");
            let pump = &world.pumps[usize::from(number) - 1];
            assert_eq!((pump.erases, pump.blocks, pump.repeats), (1, 10, 0), "{late}");
        }
        assert_eq!(world.entry_requests.len(), 4, "no request is repeated: {late}");
        assert_log_is_whole(&world.log());
    }
}

#[test]
fn late_confirmations_keep_no_command_back() {
    let mut world = World::new(16, 320);
    world.customer = Customer::Absent;
    world.confirm_late = ms(250);
    world.run(ms(5_000));
    for _ in 0..20 {
        let before: std::vec::Vec<_> = world.pumps.iter().map(|pump| pump.command.unwrap().counter).collect();
        world.run(ms(200));
        for (pump, before) in world.pumps.iter().zip(before) {
            assert_ne!(pump.command.unwrap().counter, before, "{:?} hears a new command", pump.number);
        }
    }
}

#[test]
fn a_bus_that_was_blocked_delivers_one_command_to_each_pump_and_the_newest() {
    let mut world = World::new(5, 320);
    world.customer = Customer::Absent;
    world.run(ms(5_000));
    world.stuck_bus = true;
    // 5 K too warm: the set-point rises by 1 permille a period.
    world.coolant = 450;
    world.run(ms(3_050));
    let newest = world.cioc.status().pumps[0].set_point.get();
    let mailed = world.mailed_set_points();
    assert_eq!(mailed.len(), 3, "{mailed:?}");
    assert!(newest > 525, "{newest}");
    assert!(mailed.iter().all(|(_, set_point)| newest - set_point <= 1), "{mailed:?}, {newest}");
    for pump in &mut world.pumps {
        pump.commands.clear();
    }
    world.stuck_bus = false;
    // The statuses that waited take 40 ms.
    world.run(ms(80));
    for pump in &world.pumps {
        let heard: std::vec::Vec<_> = pump.commands.iter().collect();
        assert!(
            !heard.is_empty()
                && heard
                    .iter()
                    .all(|(mode, set_point)| { *mode == Mode::Automatic as u8 && newest.abs_diff(*set_point) <= 2 }),
            "{heard:?}, {newest}"
        );
    }
}

/// The bench itself asserts that no two commands to one pump are in mailboxes.
#[test]
fn a_stale_command_waits_its_turn_when_a_request_is_aborted_in_the_same_step() {
    let mut world = World::new(2, 320);
    // The search reads at 5.006 s from a pump that it never heard, beside one that it hears: the request is given up as a command is due.
    world.config.isotp.n_as = units::Duration::from_millis(994);
    world.reboot();
    world.pumps[0].troubles.silent = true;
    world.run(ms(4_995));
    world.stuck_bus = true;
    world.run(ms(500));
    assert_eq!((world.mailed(), world.mailed_set_points().len()), (2, 1), "a request and a command wait");
    world.run(ms(510));
    assert_eq!(world.mailed(), world.mailed_set_points().len(), "the request is gone");
}
