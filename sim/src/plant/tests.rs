//! The loop as a whole: speeds, power, energy and the figures that the defaults promise.

use super::*;
use crate::event::Twin;
use crate::hosts::CpuEvent;
use crate::power::{Branch, NodeOptions};

const FEED: Branch = Branch::Pumps(0);

/// What the script does at some instant.
#[derive(Clone, Copy, Debug)]
enum Act {
    All(u16),
    One(u8, u16),
    Feed(bool),
    Cut(u8),
    CutAtOnce(u8),
    Restore(u8),
    Block(u8),
    Heat(u32, Span),
}

#[derive(Resource, Clone, Default)]
struct Bench {
    script: Vec<Act>,
    records: Vec<PlantRecord>,
    pumps: u8,
}

fn act(world: &mut World, ctx: &mut Context, act: Act) {
    let command = |world: &mut World, pump: u8, permille: u16| {
        set_speed_command(world, NodeId::new(pump), Permille::new(permille));
    };
    match act {
        Act::All(permille) => (1..=world.resource::<Bench>().pumps).for_each(|pump| command(world, pump, permille)),
        Act::One(pump, permille) => command(world, pump, permille),
        Act::Feed(on) => power::switch(world, ctx, FEED, on),
        Act::Cut(pump) => power::cut(world, ctx, NodeId::new(pump)),
        Act::CutAtOnce(pump) => power::cut_at_once(world, ctx, NodeId::new(pump)),
        Act::Restore(pump) => power::restore(world, ctx, NodeId::new(pump)),
        Act::Block(pump) => set_blocked(world, ctx, NodeId::new(pump), true),
        Act::Heat(to_w, over) => set_heat(world, ctx, to_w, over),
    }
}

/// A twin with `pumps` pumps that runs `script`, an act per (ms, act).
fn bench(options: Options, pumps: u8, script: &[(u64, Act)]) -> Twin {
    let mut builder = TwinBuilder::default();
    power::install(&mut builder, power::Options::default());
    install(&mut builder, options);
    for pump in 1..=pumps {
        power::attach(&mut builder, NodeId::new(pump), FEED, NodeOptions::pump());
        attach(&mut builder, NodeId::new(pump));
    }
    let acts = script.iter().map(|&(_, act)| act).collect();
    builder.resource(Bench { script: acts, records: Vec::new(), pumps });
    // The n-th act of the script is the attention of node n.
    builder.on(Event::CPU, |world, ctx, event| {
        if let Event::Cpu(CpuEvent::Attend(number)) = event {
            let next = world.resource::<Bench>().script[number.index()];
            act(world, ctx, next);
        }
    });
    builder.observe(|world, _, _, record| {
        if let Record::Plant(record) = record {
            world.resource_mut::<Bench>().records.push(record.clone());
        }
    });
    for (number, (ms, _)) in script.iter().enumerate() {
        let attention = CpuEvent::Attend(NodeId::new(u8::try_from(number).unwrap()));
        builder.agenda.at(at_ms(*ms), Event::Cpu(attention));
    }
    builder.build()
}

fn at_ms(ms: u64) -> SimTime {
    SimTime::ZERO + Span::from_millis(ms)
}

/// Runs on to `ms`.
fn run(twin: &mut Twin, ms: u64) -> &mut World {
    twin.run_until(at_ms(ms));
    &mut twin.world
}

fn permille(world: &World, pump: u8) -> u16 {
    speed(world, NodeId::new(pump)).get()
}

#[test]
fn a_motor_follows_its_command_in_two_seconds_and_back() {
    let mut twin = bench(Options::default(), 1, &[(0, Act::All(1_000)), (5_000, Act::All(250))]);
    let speeds =
        [0, 100, 1_000, 1_900, 2_000, 5_000, 5_100, 6_400, 6_500, 9_000].map(|ms| permille(run(&mut twin, ms), 1));
    assert_eq!(speeds, [0, 50, 500, 950, 1_000, 1_000, 950, 300, 250, 250]);
}

#[test]
fn a_command_above_full_speed_is_full_speed() {
    let mut twin = bench(Options::default(), 1, &[(0, Act::All(u16::MAX))]);
    assert_eq!(permille(run(&mut twin, 4_000), 1), 1_000);
}

#[test]
fn fourteen_pumps_at_full_speed_give_280_litres_and_draw_42_amperes() {
    let mut twin = bench(Options::default(), 14, &[(0, Act::All(1_000))]);
    let world = run(&mut twin, 3_000);
    assert_eq!(flow_decilitres_per_min(world), 2_800);
    assert_eq!(motor_current(world, NodeId::new(14)), Milliamps::new(3_000));
    // And 50 mA for each pump's electronics: 42.7 A x 20 mOhm = 0.854 V.
    assert_eq!(power::source_mv(world, at_ms(3_000)), 23_146);
}

#[test]
fn the_current_goes_with_the_cube_of_the_speed() {
    let mut twin = bench(Options::default(), 2, &[(0, Act::One(1, 800)), (0, Act::One(2, 500))]);
    let world = run(&mut twin, 3_000);
    // 3 A x 0.512 and 3 A x 0.125.
    assert_eq!(motor_current(world, NodeId::new(1)), Milliamps::new(1_536));
    assert_eq!(motor_current(world, NodeId::new(2)), Milliamps::new(375));
    assert_eq!(power::total_load_ma(world), 1_536 + 375 + 2 * 50);
}

#[test]
fn normal_regulation_holds_35_degrees_at_60_percent() {
    let mut twin = bench(Options::default(), 14, &[(0, Act::All(600))]);
    let world = run(&mut twin, 1_800_000);
    assert_eq!(flow_decilitres_per_min(world), 1_680);
    assert_eq!(coolant(world), DeciCelsius::new(350));
}

#[test]
fn at_80_percent_with_one_pump_missing_the_coolant_stays_below_45_degrees() {
    let script = [(0, Act::All(800)), (0, Act::One(7, 0))];
    let mut twin = bench(Options { coolant: DeciCelsius::new(449), ..Options::default() }, 14, &script);
    let world = run(&mut twin, 1_800_000);
    // 13 x 0.8 x sqrt(100000 / (100 + 0.765 x 169)) = 217.2 L/min.
    assert_eq!(flow_decilitres_per_min(world), 2_172);
    assert!(extremes(world).coolant_max < DeciCelsius::new(450));
    assert!(coolant(world) < DeciCelsius::new(350), "more flow than at 60 % cools more: {}", coolant(world));
}

#[test]
fn a_stopped_feed_lets_the_pumps_coast_and_the_coolant_heat_up() {
    let script = [(0, Act::All(600)), (100_000, Act::Feed(false)), (160_000, Act::Feed(true))];
    let mut twin = bench(Options::default(), 14, &script);
    assert_eq!(permille(run(&mut twin, 100_000), 1), 600);
    let before = coolant(run(&mut twin, 100_000)).get();
    // The hold-up of 5 ms ends before the step at 100.1 s; 100 % a second from there.
    let coasting = [100_100, 100_300, 100_600, 101_000].map(|ms| permille(run(&mut twin, ms), 1));
    assert_eq!(coasting, [500, 300, 0, 0]);
    assert_eq!(flow_decilitres_per_min(run(&mut twin, 101_000)), 0);
    assert_eq!(motor_current(run(&mut twin, 100_100), NodeId::new(1)), Milliamps::new(0));
    // 60 kW on 748.8 kJ/K for 59 s: 4.73 K.
    let start = coolant(run(&mut twin, 101_000)).get();
    let world = run(&mut twin, 160_000);
    assert!((i32::from(coolant(world).get() - start) - 47).abs() <= 1);
    assert!(start >= before);
    // The power is back but nobody has given a command yet.
    assert_eq!(permille(run(&mut twin, 170_000), 1), 0);
}

#[test]
fn a_loss_of_power_within_a_step_takes_command_and_current_too() {
    let script =
        [(0, Act::All(1_000)), (5_010, Act::CutAtOnce(1)), (5_020, Act::Restore(1)), (5_030, Act::One(2, 500))];
    let mut twin = bench(Options::default(), 2, &script);
    let world = run(&mut twin, 5_100);
    assert_eq!(permille(world, 1), 950, "slows down with power and without a command");
    // The electronics, 3 A x 0.95^3 for both: the supply and the plant agree.
    assert_eq!(power::total_load_ma(world), 2 * 50 + 2 * 2_572);
    assert_eq!(permille(run(&mut twin, 8_000), 1), 0);
}

#[test]
fn a_command_given_after_a_reboot_within_the_same_step_holds() {
    let script =
        [(0, Act::All(1_000)), (5_010, Act::CutAtOnce(1)), (5_020, Act::Restore(1)), (5_030, Act::One(1, 1_000))];
    let mut twin = bench(Options::default(), 1, &script);
    let world = run(&mut twin, 5_100);
    assert_eq!(permille(world, 1), 1_000);
    assert_eq!(power::total_load_ma(world), 3_050, "the supply forgot the load and is told again");
}

#[test]
fn a_dead_pump_takes_its_flow_and_a_blocked_one_its_current() {
    let script = [(0, Act::All(1_000)), (5_000, Act::Cut(3)), (10_000, Act::Block(4))];
    let mut twin = bench(Options::default(), 14, &script);
    // n sqrt(100000 / (100 + 0.765 n^2)): 13 pumps 271.49, 12 pumps 261.76 L/min.
    assert_eq!(flow_decilitres_per_min(run(&mut twin, 7_000)), 2_715);
    let world = run(&mut twin, 12_000);
    assert_eq!(flow_decilitres_per_min(world), 2_618);
    assert_eq!(motor_current(world, NodeId::new(4)), Milliamps::new(0));
    assert_eq!(power::total_load_ma(world), 12 * 3_000 + 13 * 50);
}

#[test]
fn what_comes_in_goes_out_or_stays_as_temperature() {
    let script = [
        (0, Act::All(600)),
        (60_000, Act::Heat(120_000, Span::from_secs(30))),
        (200_000, Act::Feed(false)),
        (250_000, Act::Heat(0, Span::ZERO)),
    ];
    let mut twin = bench(Options::default(), 14, &script);
    let world = run(&mut twin, 300_000);
    let plant = world.resource::<Plant>();
    // 60 kW for 60 s, 90 kW on average for 30 s, 120 kW for 160 s.
    let expected_in = 60e3 * 60.0 + 90e3 * 30.0 + 120e3 * 160.0;
    assert!((plant.coolant.heat_in - expected_in).abs() < 1.0, "{}", plant.coolant.heat_in);
    let stored = 748_800.0 * (plant.coolant.temperature - 35.0);
    assert!((plant.coolant.heat_in - plant.coolant.heat_out - stored).abs() < 1.0);
    assert!(plant.coolant.heat_out > 1e6);
}

#[test]
fn a_heat_step_settles_where_the_exchanger_says() {
    let mut twin = bench(Options::default(), 14, &[(0, Act::All(600)), (10_000, Act::Heat(30_000, Span::ZERO))]);
    let world = run(&mut twin, 1_800_000);
    // Half the heat, half the difference to the other side: 20 + 7.5.
    assert_eq!(coolant(world), DeciCelsius::new(275));
    assert_eq!(heat_w(world, at_ms(1_800_000)), 30_000);
}

#[test]
fn records_come_only_with_a_change_and_hold_every_change() {
    let mut twin = bench(Options { speed: Permille::new(600), ..Options::default() }, 14, &[]);
    let world = run(&mut twin, 600_000);
    let steady = world.resource::<Bench>().records.len();
    assert!(steady <= 3, "steady operation floods the trace: {steady} records");
    let mut ramp = bench(Options { heat_w: 200_000, ..Options::default() }, 1, &[]);
    let world = run(&mut ramp, 60_000);
    let readings: Vec<i16> = world
        .resource::<Bench>()
        .records
        .iter()
        .filter_map(|record| match record {
            PlantRecord::State { coolant, .. } => Some(coolant.get()),
            _ => None,
        })
        .collect();
    // Without flow 200 kW warm by 0.27 K/s: each tenth of a degree is passed once.
    let last = *readings.last().unwrap();
    assert_eq!(readings, (350..=last).collect::<Vec<_>>());
    assert_eq!(last, 510, "35 + 16.03");
}

#[test]
fn a_run_continued_from_a_snapshot_is_the_same_run() {
    let script = [(0, Act::All(900)), (3_050, Act::Cut(2)), (4_000, Act::Heat(90_000, Span::from_secs(5)))];
    let mut whole = bench(Options::default(), 14, &script);
    run(&mut whole, 20_000);
    for ms in [0, 50, 1_000, 3_060, 6_000] {
        let mut first = bench(Options::default(), 14, &script);
        run(&mut first, ms);
        let mut second = bench(Options::default(), 14, &script);
        second.load(&first.save());
        run(&mut second, 20_000);
        assert_eq!(second.trace.fingerprint(), whole.trace.fingerprint());
        assert_eq!(second.trace.count(), whole.trace.count());
    }
}

#[test]
fn options_out_of_range_are_named() {
    assert_eq!(Options::default().check(), Ok(()));
    let error = Options { volume_ml: 0, ..Options::default() }.check().unwrap_err();
    assert_eq!(error.to_string(), "volume_ml must be 1,000 to 10^9 mL");
    assert!(Options { step: Span::ZERO, ..Options::default() }.check().is_err());
}
