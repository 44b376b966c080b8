//! What a report says is true: budgets where they are measured, faults that overlap, outcomes, and classes of injections.
//!
//! Each test goes red if its part of the judgement is taken out: it shows a run that would read as good without it.

mod common;

use std::fs;
use std::path::Path;

use cooltwin::bus::{self, LinkState};
use cooltwin::checks::Checks;
use cooltwin::event::Twin;
use cooltwin::hosts::cpu::Cpu;
use cooltwin::hosts::flash::Flash;
use cooltwin::hosts::pump::PumpHost;
use cooltwin::hosts::{FirmwareDefect, OrchestratorRecord};
use cooltwin::kernel::{Scoped, SimTime, Span};
use cooltwin::node::{NodeId, Nodes};
use cooltwin::power::{self, Branch};
use cooltwin::run::{self, Identity, Run};
use cooltwin::scenario::{FileSource, Loaded, load};
use cooltwin::twin::build;
use orchestrator::{Event, LogEntry, Notice, Outcome};
use protocol::ids::PumpNumber;
use reports::{Report, RowVerdict, Verdict};

fn identity() -> Identity {
    let unknown = || "unknown".to_owned();
    Identity { version: unknown(), commit: unknown(), rustc: unknown() }
}

struct Text(String);

impl FileSource for Text {
    fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }
}

/// Two pumps, an image of 8 KiB unless another is written, and what is written besides.
fn loaded(more: &str) -> Loaded {
    loaded_of(2, more)
}

fn loaded_of(pumps: u8, more: &str) -> Loaded {
    let package = if more.contains("package:") { "" } else { "package: (image: (length: \"8KiB\"))," };
    let count = if more.contains("pumps: (count") { String::new() } else { format!("pumps: (count: {pumps}),") };
    let text = format!("({count} {package} {more})");
    load(&Text(text), Path::new("judged.ron"), &[]).unwrap_or_else(|error| panic!("{more}: {error:?}"))
}

fn report_after(more: &str, change: impl FnOnce(&mut Run)) -> Report {
    let loaded = loaded(more);
    let mut run = run::run(&loaded.scenario, None, |_| {});
    change(&mut run);
    let report = run::report(&loaded, &run, &identity());
    common::assert_valid(&reports::to_json_line(&report));
    report
}

fn report(more: &str) -> Report {
    report_after(more, |_| {})
}

/// The twin at some time, without any campaign.
fn idle_at(faults: &str, ms: u64) -> Twin {
    let loaded = loaded(&format!("campaign: false, budgets: [], end: At(\"20s\"), faults: [{faults}]"));
    let mut twin = build(&loaded.scenario, None);
    twin.run_until(SimTime::ZERO + Span::from_millis(ms));
    twin
}

// Budgets.

#[test]
fn a_supply_budget_is_measured_at_every_node_and_names_the_worst() {
    let report = report(
        "campaign: false, end: At(\"5s\"),
        budgets: [(id: \"supply\", measure: Supply, relation: AtLeast, limit: \"20V\")],
        faults: [(kind: Sag(to: \"15V\"), place: Pump(2), trigger: At(\"2s\"), duration: \"100ms\")]",
    );
    let row = report.budget("supply").expect("the budget");
    assert_eq!((row.verdict, row.r#where.as_deref()), (RowVerdict::Fail, Some("P02, lowest")));
    assert!(report.power.supply_mv_min > 20_000, "the source itself stood");
}

/// A message that loses every arbitration: its requests replace each other, and the last waits at the end.
const STARVED: &str = "campaign: false, further_nodes: [\"low\", \"loud\"], end: At(\"5s\"),
    traffic: [(name: \"last\", node: \"low\", id: 0x7F0, dlc: 1, period: \"10ms\"),
        (name: \"first\", node: \"low\", id: 0x010, dlc: 1, period: \"10ms\")],
    budgets: [(id: \"last\", measure: Response(\"last\"), relation: Below, limit: \"1s\"),
        (id: \"first\", measure: Response(\"first\"), relation: Below, limit: \"1s\")],
    faults: [(kind: Babbling(id: 0x100), place: Node(\"loud\"), trigger: At(\"1s\"))]";

#[test]
fn requests_that_never_got_out_break_a_response_budget() {
    let report = report(STARVED);
    let row = report.budget("last").expect("the budget");
    assert_eq!(row.verdict, RowVerdict::Fail);
    assert!(row.r#where.as_deref().is_some_and(|place| place.ends_with("requests never sent")), "{:?}", row.r#where);
    assert_eq!(report.budget("first").expect("the other").verdict, RowVerdict::Pass);
}

#[test]
fn a_request_that_waits_at_the_end_counts_as_long_as_it_has_waited() {
    // The one request after 1 s waits until the end; nothing replaces it.
    let report = report(
        "campaign: false, further_nodes: [\"low\", \"loud\"], end: At(\"5s\"),
        traffic: [(name: \"last\", node: \"low\", id: 0x7F0, dlc: 1, period: \"1h\", offset: \"2s\")],
        budgets: [(id: \"last\", measure: Response(\"last\"), relation: Below, limit: \"1s\")],
        faults: [(kind: Babbling(id: 0x100), place: Node(\"loud\"), trigger: At(\"1s\"))]",
    );
    let row = report.budget("last").expect("the budget");
    assert_eq!((row.verdict, row.r#where.as_deref()), (RowVerdict::Fail, Some("last, still waiting at the end")));
    assert_eq!(row.measured.map(|value| value.to_string()).as_deref(), Some("3000"));
}

/// A message of `lo` that another one of a lower id and a period shorter than its frame keeps off the bus.
fn crowded_out(lo: &str) -> Report {
    report(&format!(
        "campaign: false, pumps: (count: 1), further_nodes: [\"engine\", \"b\"], end: At(\"3s\"), traffic: [
        (name: \"hi\", node: \"engine\", id: 0x300, payload: \"0000000000000000\", period: \"300us\"),
        (name: \"lo\", node: \"b\", {lo}, payload: \"0000000000000000\", period: \"10ms\")]"
    ))
}

#[test]
fn traffic_that_never_got_onto_the_bus_leaves_its_run_open_and_lost_requests_are_told() {
    let row = |report: &Report, id: &str| {
        let row = report.bus.messages.iter().find(|message| message.id == id).cloned();
        row.unwrap_or_else(|| panic!("no row for {id}"))
    };
    let starved = crowded_out("id: 0x7F0");
    let check = check(&starved, "traffic_was_sent");
    assert_eq!((starved.verdict, check.verdict, check.n), (Verdict::Inconclusive, RowVerdict::Inconclusive, 2));
    let lo = row(&starved, "0x7F0");
    assert_eq!((lo.frames, lo.response_ms_max), (0, None));
    assert!(lo.unsent.abs_diff(300) <= 1, "all that were asked for in 3 s: {}", lo.unsent);
    assert_eq!(check.detail, format!("lo: none of its {} requests was sent", lo.unsent));
    // Each request of the other is a frame, or is told as one that was not sent.
    let hi = row(&starved, "0x300");
    assert!(hi.unsent > 1_000 && (hi.frames + hi.unsent).abs_diff(10_000) <= 1, "{} {}", hi.frames, hi.unsent);
    assert_eq!(starved.bus.unsent(), hi.unsent + lo.unsent);
    // Of a message that got out, lost requests are told and judge nothing.
    let heard = crowded_out("id: 0x010");
    assert_eq!(heard.verdict, Verdict::Pass);
    assert_eq!((row(&heard, "0x010").unsent, row(&heard, "0x010").frames > 290), (0, true));
    assert!(row(&heard, "0x300").unsent > 1_000);
    // Frames of another node with the same id are not its own.
    let same = crowded_out("id: 0x300");
    let both = row(&same, "0x300");
    assert!((both.frames + both.unsent).abs_diff(10_300) <= 2, "{both:?}");
}

#[test]
fn the_frames_of_a_babbling_fault_are_none_of_its_nodes_messages() {
    // Both have one id; when the message is due, another babble of a lower id has the bus.
    let report = report(
        "campaign: false, further_nodes: [\"loud\", \"b\"], end: At(\"3s\"),
        traffic: [(name: \"own\", node: \"b\", id: 0x100, dlc: 1, period: \"1h\", offset: \"2s\")],
        faults: [(kind: Babbling(id: 0x0F0), place: Node(\"loud\"), trigger: At(\"1s\")),
            (kind: Babbling(id: 0x100), place: Node(\"b\"), trigger: At(\"500ms\"), duration: \"400ms\")]",
    );
    assert!(report.bus.messages.iter().any(|message| message.id == "0x100" && message.frames > 100));
    assert_eq!(check(&report, "traffic_was_sent").detail, "own: its one request was not sent");
}

#[test]
fn the_systems_own_messages_have_response_times() {
    let report = report(
        "campaign: false, end: At(\"5s\"), budgets: [
        (id: \"status\", measure: Response(\"status-P02\"), relation: Below, limit: \"10ms\"),
        (id: \"command\", measure: Response(\"command-P01\"), relation: Below, limit: \"10ms\")]",
    );
    for id in ["status", "command"] {
        let row = report.budget(id).expect("the budget");
        assert!(row.verdict == RowVerdict::Pass && row.n > 0, "{id}: {row:?}");
    }
}

// Faults that overlap.

fn component<T: bevy_ecs::component::Component>(twin: &Twin, pump: u8) -> &T {
    let entity = twin.world.resource::<Nodes>().entity(NodeId::new(pump));
    twin.world.get::<T>(entity).expect("the board has it")
}

/// Kind and place of a fault of pump 2 or of all, and whether it acts now.
type Overlap = (&'static str, &'static str, fn(&Twin) -> bool);

const P2: NodeId = NodeId::new(2);

const OVERLAPS: &[Overlap] = &[
    ("PowerCut", "Pump(2)", |twin| !power::is_powered(&twin.world, P2)),
    ("PowerCut", "Supply", |twin| !power::feed_on(&twin.world, Branch::Pumps(0), twin.agenda.now())),
    ("FeedOff", "PumpFeed", |twin| !power::feed_on(&twin.world, Branch::Pumps(0), twin.agenda.now())),
    ("Sag(to: \"15V\")", "Pump(2)", |twin| power::supply_mv(&twin.world, P2, twin.agenda.now()) <= 15_000),
    ("Unplugged", "Pump(2)", |twin| twin.world.resource::<bus::Bus>().medium().unplugged & P2.bit() != 0),
    ("OpenBus", "Between(a: \"P01\", b: \"P02\")", |twin| twin.world.resource::<bus::Bus>().medium().open_after != 0),
    ("StuckDominant", "Bus", |twin| twin.world.resource::<bus::Bus>().medium().stuck_dominant != 0),
    ("StuckRecessive", "Bus", |twin| twin.world.resource::<bus::Bus>().medium().stuck_recessive != 0),
    ("ControllerStopped", "Pump(2)", |twin| twin.world.resource::<bus::Bus>().state(P2) == LinkState::Stopped),
    ("SlowErase(factor: \"3x\")", "Pump(2)", |twin| {
        component::<Flash>(twin, 2).times.sector_erase == Span::from_secs(3)
    }),
    ("SlowBoot(by: \"1s\")", "Pump(2)", |twin| component::<Cpu>(twin, 2).options.boot_time >= Span::from_millis(1_300)),
    ("WrongVersion(version: \"7.0.0\")", "Pump(2)", |twin| component::<PumpHost>(twin, 2).false_version.is_some()),
    ("ClockDrift(by: \"900ppm\")", "Pump(2)", |twin| component::<Cpu>(twin, 2).options.clock_ppm == 900),
    ("FlashProgramFailure(operations: 0)", "Pump(2)", |twin| {
        !component::<PumpHost>(twin, 2).failing_programs.is_empty()
    }),
    ("Hang", "Pump(2)", |twin| component::<Cpu>(twin, 2).hung_until > twin.agenda.now()),
];

#[test]
fn the_end_of_one_fault_leaves_what_another_one_holds() {
    for (kind, place, acts) in OVERLAPS {
        // One from 3 s to 5 s and one from 4 s to 7 s; and the same with the short one inside the long one.
        for second in ["trigger: At(\"4s\"), duration: \"3s\"", "trigger: At(\"2s\"), duration: \"5s\""] {
            let first = "trigger: At(\"3s\"), duration: \"2s\"";
            let fault = |when: &str| format!("(kind: {kind}, place: {place}, {when})");
            let faults = format!("{}, {}", fault(first), fault(second));
            assert!(!acts(&idle_at(&faults, 1_900)), "{kind} has not begun");
            assert!(acts(&idle_at(&faults, 4_500)), "{kind} acts while both do");
            assert!(acts(&idle_at(&faults, 6_000)), "{kind} acts while one holds it: {second}");
            assert!(!acts(&idle_at(&faults, 8_500)), "{kind} is over");
        }
    }
}

#[test]
fn a_babbling_node_and_a_slow_controller_come_back_to_what_still_holds() {
    let faults = |kind: &str, other: &str| {
        format!(
            "(kind: {kind}, place: Pump(2), trigger: At(\"3s\"), duration: \"4s\"),
             (kind: {other}, place: Pump(2), trigger: At(\"4s\"), duration: \"1s\")"
        )
    };
    let frames = |ms| {
        let twin = idle_at(&faults("Babbling(id: 0x050, gap: \"5ms\")", "Babbling(id: 0x051, gap: \"5ms\")"), ms);
        let stats = &twin.world.resource::<cooltwin::measure::Measures>().bus;
        let count = |id: u16| {
            let id = embedded_can::StandardId::new(id).expect("an id of 11 bits");
            stats.responses_of(id.into()).map_or(0, |responses| responses.frames)
        };
        (count(0x050), count(0x051))
    };
    let (at_5, at_6) = (frames(5_100), frames(6_000));
    assert!(at_6.0 > at_5.0 + 100 && at_6.1 == at_5.1, "{at_5:?} {at_6:?}");
    assert_eq!(frames(7_100), frames(8_000), "nobody babbles any more");
}

#[test]
fn a_fault_whose_condition_comes_again_goes_on_until_its_last_end() {
    // Pump 1 sends its status every 100 ms: the fault begins 3 s after its first time again.
    let fault = "(kind: ControllerStopped, place: Pump(2), trigger: Frame(id: 0x201, nth: 30), duration: \"4s\",
        repeat: (count: 2))";
    let stopped = |ms| idle_at(fault, ms).world.resource::<bus::Bus>().state(P2) == LinkState::Stopped;
    let times: Vec<u64> = (0..120).map(|step| step * 100).filter(|ms| stopped(*ms)).collect();
    let (first, last) = (times.first().expect("it acts"), times.last().expect("it acts"));
    assert!((6_800..=7_200).contains(&(last - first)), "3 s between the two, and 4 s: {times:?}");
    assert_eq!(times.len() as u64, (last - first) / 100 + 1, "without a gap: {times:?}");
}

#[test]
fn a_power_cut_of_a_pump_that_is_cut_already_has_acted() {
    let report = report(
        "campaign: false, budgets: [], end: At(\"9s\"), faults: [
        (kind: PowerCut, place: Pump(2), trigger: At(\"3s\"), duration: \"2s\"),
        (kind: PowerCut, place: Pump(2), trigger: At(\"4s\"), duration: \"3s\")]",
    );
    assert!(report.injections.iter().all(|one| one.activations > 0), "{:?}", report.injections);
}

// Outcomes and versions.

#[test]
fn a_pump_that_was_being_written_to_was_reached() {
    let expected = "end: At(\"10s\"), expectations: [Outcome(pumps: Only([1]), is: NotReached),
        Outcome(pumps: Only([2]), is: NotReached)]";
    let report = report(expected);
    let rows: Vec<_> = report.expectations.iter().map(|row| (row.verdict, row.text.as_str())).collect();
    assert_eq!(rows, [(RowVerdict::Fail, "P01 ends as not-reached"), (RowVerdict::Pass, "P02 ends as not-reached")]);
    let details: Vec<&str> = report.expectations.iter().map(|row| row.detail.as_str()).collect();
    assert!(details[0].starts_with("P01 began ") && details[0].ends_with(" flash operations"), "{details:?}");
    assert_eq!(details[1], "");
}

/// Pump 2 loses its supply in each of its three tries, for longer than a try waits.
const CUT_OFF: &str = "end: At(\"6min\"), faults: [(kind: PowerCut, place: Pump(2), duration: \"14s\",
    trigger: When(pump: 2, phase: Transfer, progress: \"50%\"), repeat: (count: 3))],";

#[test]
fn a_pump_that_is_given_up_after_a_write_and_not_dead_is_set_aside() {
    let stated = |outcome: &str| {
        let expected = format!("Outcome(pumps: Only([2]), is: {outcome}), Attempts(pumps: Only([2]), at_least: 3)");
        let report = report(&format!("{CUT_OFF} expectations: [{expected}]"));
        assert_eq!((report.pumps[1].outcome, report.pumps[1].attempts), (reports::Outcome::SetAside, 3));
        let row = &report.expectations[0];
        (row.verdict, row.detail.clone(), check(&report, "every_pump_ends_as_stated").verdict, report.verdict)
    };
    let held = (RowVerdict::Pass, String::new(), RowVerdict::Pass, Verdict::Pass);
    assert_eq!(stated("SetAside"), held);
    let ended = || "P02 ended as set-aside".to_owned();
    assert_eq!(stated("Dead"), (RowVerdict::Fail, ended(), RowVerdict::Pass, Verdict::Fail));
    assert_eq!(stated("NotReached").0, RowVerdict::Fail, "a write began");
    let unstated = report(&format!("{CUT_OFF} expectations: []"));
    assert_eq!(check(&unstated, "every_pump_ends_as_stated").verdict, RowVerdict::Fail);
    let silent = report(
        "faults: [(kind: Unplugged, place: Pump(2), trigger: At(\"1s\"))],
         expectations: [Outcome(pumps: Only([2]), is: SetAside)]",
    );
    assert_eq!(silent.pumps[1].outcome, reports::Outcome::NotReached, "no write began");
    assert_eq!(silent.expectations[0].verdict, RowVerdict::Fail);
}

#[test]
fn the_version_before_is_what_the_flash_held_at_the_start() {
    // The pump is exchanged while the run goes on, and its flash is not what the scenario installs any more.
    let report = report(
        "end: At(\"60s\"), faults: [
        (kind: Exchanged(version: \"3.0.0\"), place: Pump(2), trigger: At(\"50s\"), duration: \"1s\")]",
    );
    let versions = |index: usize| {
        let pump = &report.pumps[index];
        (pump.version_before.as_deref(), pump.version_after.as_deref())
    };
    assert_eq!((versions(0), versions(1)), ((Some("1.0.0"), Some("2.0.0")), (Some("1.0.0"), Some("3.0.0"))));
}

// Classes of injections.

/// Class of the only injection.
fn class(more: &str) -> String {
    class_after(more, |_| {})
}

fn class_after(more: &str, change: impl FnOnce(&mut Run)) -> String {
    let report = report_after(more, change);
    assert_eq!(report.injections.len(), 1, "{:?}", report.injections);
    report.injections[0].class.clone()
}

const CUT_ONCE: &str = "faults: [(kind: PowerCut, place: Pump(2),
    trigger: When(pump: 2, attempt: 1, phase: Transfer), duration: \"2s\")]";
/// Lack of its own supply kills no pump: it is reset by its watchdog instead.
const RESET_ALWAYS: &str = "faults: [(kind: Reset, place: Pump(2),
    trigger: When(pump: 2, phase: Transfer), repeat: (count: 3))]";
const SHORT_SAG: &str = "faults: [(kind: Sag(to: \"5V\"), place: Pump(2), trigger: At(\"4s\"), duration: \"2ms\")]";

#[test]
fn injections_are_classed_by_what_followed_them() {
    assert_eq!(class(CUT_ONCE), "tolerated");
    assert_eq!(class(RESET_ALWAYS), "detected-safe");
    assert_eq!(class(SHORT_SAG), "no-reaction");
    let never = "faults: [(kind: Hang, place: Pump(1), trigger: Frame(id: 0x7FF), duration: \"1s\")]";
    assert_eq!(class(never), "invalid");
    let hit = "faults: [(kind: FrameHit(id: 0x201, bit: 20), place: Bus, trigger: At(\"4s\"))]";
    assert_eq!(class(hit), "tolerated");
    let budget =
        |limit: &str| format!("budgets: [(id: \"u\", measure: PumpUpdate, relation: Below, limit: \"{limit}\")]");
    assert_eq!(class(&format!("{}, {SHORT_SAG}", budget("1s"))), "budget-broken");
    assert_eq!(
        class(&format!("{}, {RESET_ALWAYS}", budget("1s"))),
        "detected-safe",
        "only pump 1 was too slow, and pump 2 never done"
    );
    assert_eq!(class(&format!("{}, {CUT_ONCE}", budget("1s"))), "detected-late");
    assert_eq!(class("package: (image: (length: \"8KiB\", defect: Corrupt(1)))"), "detected-safe");
    assert_eq!(class("user: (consent: Refuse())"), "tolerated");
    assert_eq!(class("cioc_update: (at: \"3s\", duration: \"20s\")"), "tolerated");
}

#[test]
fn what_a_safety_unit_has_detected_did_not_break_a_budget_unseen() {
    let class = |overrides: &[&str]| {
        let loaded = common::loaded(&common::shipped("safety-cpu2-halts.ron"), overrides);
        let run = run::run(&loaded.scenario, None, |_| {});
        let report = run::report(&loaded, &run, &identity());
        assert!(report.injections[0].detected_ms.is_some(), "{:?}", report.injections);
        report.injections[0].class.clone()
    };
    assert_eq!(class(&[]), "detected-safe");
    let broken = "budgets=[(id: \"cold\", measure: Coolant, relation: Below, limit: \"1degC\")]";
    assert_eq!(class(&[broken]), "detected-late");
}

/// The unit found its own CPU halted, and nothing of the pump's clock, which drifts all the while.
#[test]
fn what_a_safety_unit_detects_is_not_credited_to_a_fault_of_a_pump() {
    let halt = fs::read_to_string(common::shipped("safety-cpu2-halts.ron")).expect("a shipped scenario");
    let (_, halt) = halt.split_once("faults: [").expect("its fault");
    let (halt, _) = halt.split_once("\n    ],").expect("the end of its faults");
    let drift = "(kind: ClockDrift(by: \"300ppm\"), place: Pump(1), trigger: At(\"1s\"))";
    let loaded = common::loaded(&common::shipped("safety-cpu2-halts.ron"), &[&format!("faults=[{halt} {drift}]")]);
    let run = run::run(&loaded.scenario, None, |_| {});
    let report = run::report(&loaded, &run, &identity());
    let class = |number: usize| (report.injections[number].kind.as_str(), report.injections[number].class.as_str());
    assert_eq!(class(0).1, "detected-safe", "{:?}", report.injections);
    assert_eq!(class(1).0, "clock-drift", "{:?}", report.injections);
    assert_ne!(class(1).1, "detected-safe", "{:?}", report.injections);
}

#[test]
fn a_check_that_breaks_after_it_makes_an_injection_dangerous() {
    let breaks_at = |seconds: u64| {
        class_after(SHORT_SAG, |run| {
            let at = SimTime::ZERO + Span::from_secs(seconds);
            run.twin.world.resource_mut::<Scoped<Checks>>().status_is_live.broken = Some((at, "it is not".to_owned()));
        })
    };
    assert_eq!(breaks_at(5), "undetected-dangerous");
    assert_eq!(breaks_at(3), "no-reaction", "what broke before it has another cause");
}

#[test]
fn a_run_that_does_not_end_classes_nothing_as_good() {
    assert_eq!(class(&format!("time_limit: \"20s\", {SHORT_SAG}")), "sim-timeout");
    let loaded = loaded(SHORT_SAG);
    let mut twin = build(&loaded.scenario, None);
    twin.world.resource_mut::<FirmwareDefect>().0 = Some((NodeId::CIOC, "panicked: x".to_owned()));
    let run = run::finish(twin, &loaded.scenario, |_| {});
    assert_eq!(run::report(&loaded, &run, &identity()).injections[0].class, "panic");
}

#[test]
fn a_yes_after_ten_minutes_is_an_injection() {
    let report = report("end: At(\"12min\"), user: (consent: Agree(after: \"11min\"))");
    let row = &report.injections[0];
    assert_eq!((row.kind.as_str(), row.activations, row.class.as_str()), ("consent", 1, "tolerated"));
    assert!(report_after("end: At(\"20s\")", |_| {}).injections.is_empty());
}

// Proofs.

#[test]
fn a_slow_controller_is_proven_by_when_its_cpu_attends() {
    let fault =
        "faults: [(kind: ControllerSlow(by: \"300us\"), place: Pump(1), trigger: At(\"3s\"), duration: \"1s\")]";
    let report = report(&format!("campaign: false, budgets: [], end: At(\"5s\"), {fault}"));
    let row = &report.injections[0];
    assert!(row.activations > 0 && row.effect.contains("P01 attends 0.400000 ms after"), "{row:?}");
    // A node that takes no frames has nothing to attend to late.
    let deaf = fault.replace("Pump(1)", "Node(\"talker\")");
    let report = report_after(
        &format!("campaign: false, budgets: [], end: At(\"5s\"), further_nodes: [\"talker\"], {deaf}"),
        |_| {},
    );
    assert_eq!((report.injections[0].activations, report.verdict), (0, Verdict::Inconclusive));
}

#[test]
fn nothing_happens_after_a_torn_write() {
    // The record that counts the try is torn: the pump is not asked, and no try is seen before the next boot.
    for bytes in [0, 1, 77, 151] {
        let report = report(&format!(
            "faults: [(kind: FramTear(bytes: {bytes}), place: Cioc, trigger: Campaign(Agreed), duration: \"2s\")]"
        ));
        assert_eq!(report.verdict, Verdict::Pass, "{bytes}: {:?}", report.checks);
        assert_eq!(report.pumps[0].attempts, 1, "{bytes}");
        let wanted = format!("ended after {bytes} byte{}", if bytes == 1 { "" } else { "s" });
        assert!(report.injections[0].effect.ends_with(&wanted), "{}", report.injections[0].effect);
    }
}

// Nothing that a scenario says takes a requirement out of the judgement.

const RETURN: &str = "(id: \"back-to-automatic\", measure: BackToAutomatic, relation: Below, limit: \"60s\")";

#[test]
fn a_tighter_budget_that_is_expected_to_fail_does_not_stand_for_the_required_one() {
    let judged = |limit: &str, expectations: &str| {
        let tighter = format!("(id: \"tighter\", measure: PumpUpdate, relation: Below, limit: \"{limit}\")");
        let report = report(&format!("budgets: [{tighter}, {RETURN}], expectations: [{expectations}]"));
        let row = report.checks.iter().find(|row| row.id == "required_budgets_are_judged");
        row.expect("the check").verdict
    };
    assert_eq!(judged("1ms", "BudgetFails(\"tighter\")"), RowVerdict::Fail);
    assert_eq!(judged("69s", ""), RowVerdict::Pass);
}

/// The row names what is missing and why, and the requirement of it alone.
#[test]
fn the_row_of_required_budgets_says_which_one_is_missing_and_why() {
    let said = |budgets: &str, expectations: &str| {
        let report = report(&format!("budgets: [{budgets}], expectations: [{expectations}]"));
        let row = report.checks.into_iter().find(|row| row.id == "required_budgets_are_judged").expect("the check");
        (row.requirements.join(" "), row.detail)
    };
    let update =
        |id: &str, limit: &str| format!("(id: \"{id}\", measure: PumpUpdate, relation: Below, limit: \"{limit}\"),");
    let missing = "no budget judges a pump's update below 70 s";
    let told = |ids: &str, detail: &str| (ids.to_owned(), detail.to_owned());
    let strict = format!("{missing}; `a` is tighter, but expected to break, so it judges no pass");
    assert_eq!(said(&(update("a", "1ms") + RETURN), "BudgetFails(\"a\")"), told("PFU-041", &strict));
    assert_eq!(said(&(update("a", "71s") + RETURN), ""), told("PFU-041", missing));
    let both = format!("{missing}; no budget judges the return to automatic below 60 s");
    assert_eq!(said("", ""), told("PFU-041 PFU-042", &both));
    let two = update("a", "1ms") + &update("b", "60s") + RETURN;
    assert_eq!(said(&two, "BudgetFails(\"a\")"), told("PFU-041 PFU-042", ""), "the second one judges");
}

fn summary_text(report: &Report) -> String {
    let options = reports::Options { width: 200, ..reports::Options::default() };
    reports::terminal(report, &options)
}

/// A row that was to break and held fails the run, and its own line says so; one that broke does not.
#[test]
fn a_row_that_held_and_was_expected_to_break_says_so() {
    let findings = |expectations: &str| {
        let report = report(&format!("expectations: [{expectations}]"));
        assert_eq!(report.verdict, Verdict::Fail);
        summary_text(&report)
    };
    let text = findings("BudgetFails(\"pump-update\"), CheckFails(\"run_ends_regularly\")");
    assert!(text.contains("budget pump-update: held, and was expected to break; "), "{text}");
    assert!(text.contains("check run_ends_regularly: held, and was expected to break "), "{text}");
    let tight = "(id: \"tight\", measure: PumpUpdate, relation: Below, limit: \"1ms\")";
    let report = report(&format!("budgets: [{tight}]"));
    assert!(!summary_text(&report).contains("held, and"), "a budget that broke");
}

/// What the summary says of the supply is what its curve shows, from the instant before any load on.
#[test]
fn the_curve_of_the_supply_holds_its_extremes() {
    let report = report("campaign: false, end: At(\"5s\"), budgets: []");
    let curve = report.series.iter().find(|series| series.name == "supply").expect("the curve");
    let ends = curve.extremes.expect("its extremes");
    assert_eq!(curve.max.iter().max(), Some(&ends.max));
    assert_eq!(ends.max, reports::Fixed::scaled(24_000, 0));
}

#[test]
fn each_good_try_and_each_campaign_s_return_is_a_sample() {
    let report = report(
        "user: (consent: Agree(after: \"5s\"), manual_searches: [\"5min\"]), end: At(\"8min\"),
        faults: [(kind: Exchanged(version: \"1.2.0\"), place: Pump(2), trigger: At(\"4min\"), duration: \"20s\")]",
    );
    let n = |id: &str| report.budget(id).expect("the budget").n;
    assert_eq!((n("pump-update"), n("back-to-automatic")), (3, 2));
}

#[test]
fn a_cause_of_one_pump_is_no_cause_of_another() {
    let held = |pump: u8| {
        let report = report(&format!(
            "faults: [(kind: OpenBus, place: Between(a: \"CIOC\", b: \"P01\"),
                trigger: When(pump: 1, attempt: 1, phase: Transfer), duration: \"60s\")],
            expectations: [Cause(pumps: Only([{pump}]), code: \"FW004\")]"
        ));
        report.expectations[0].verdict
    };
    assert_eq!((held(1), held(2)), (RowVerdict::Pass, RowVerdict::Fail));
}

#[test]
fn an_expectation_of_no_node_is_refused() {
    for empty in ["BusOff([])", "ErrorPassive([])"] {
        let text = format!("(pumps: (count: 2), expectations: [{empty}])");
        assert!(load(&Text(text), Path::new("empty.ron"), &[]).is_err(), "{empty}");
    }
}

#[test]
fn a_node_without_power_does_not_babble_with_its_own_status() {
    let report = report(
        "faults: [
            (kind: PowerCut, place: Pump(2), trigger: At(\"500ms\"), duration: \"4s\"),
            (kind: Babbling(id: 0x202, dlc: 8), place: Pump(2), trigger: At(\"2s\"), duration: \"1s\")]",
    );
    assert_eq!(report.injections[1].activations, 0);
    assert_eq!(report.verdict, Verdict::Inconclusive);
}

// Excuses.

#[test]
fn a_dead_pump_that_runs_while_the_cioc_is_silent_is_named_and_told_as_an_assumption() {
    const ID: &str = "dead_pumps_stay_dead_and_are_named";
    let after_death = |death: &str| {
        let outage = "(kind: PowerCut, place: Cioc, trigger: Campaign(Finished), duration: \"20s\")";
        let report = report(&format!(
            "faults: [({death}), {outage}], expectations: [Outcome(pumps: Only([2]), is: Dead), FailSafe(Only([1])),
                Alarm(about: DeadPump(2), count: 2)]"
        ));
        assert_eq!(report.verdict, Verdict::Pass, "{death}: {:?}", report.checks);
        let row = report.checks.iter().find(|row| row.id == ID).expect("the check");
        assert!(row.n > 0, "it was looked at");
        let assumed = report.assumptions.iter().any(|one| one.text.starts_with("a dead pump with a whole application"));
        (row.detail.clone(), assumed)
    };
    // Its application is whole: it was updated, and tells another version.
    let whole = after_death("kind: WrongVersion(version: \"1.0.0\"), place: Pump(2), trigger: At(\"0s\")");
    let named = "P02 left out: dead, its application is whole, and it hears nothing: in fail-safe mode";
    assert_eq!(whole, (named.to_owned(), true));
    // Nothing whole is in its flash: it never starts, and stands still in its bootloader.
    let empty = after_death("kind: FlashProgramFailure(operations: 0), place: Pump(2), trigger: At(\"1s\")");
    assert_eq!(empty, (String::new(), false));
}

// A fault at a node without power acts on nothing.

/// Each fault at pump 2, whether it acts there in its 2 s if the pump has power.
const AT_PUMP_2: &[&str] = &[
    "PowerCut",
    "Sag(to: \"15V\")",
    "OverVoltage(to: \"30V\")",
    "Ramp(to: \"15V\", over: \"1s\")",
    "Bounce(off: \"20ms\", on: \"20ms\", count: 3)",
    "Unplugged",
    "ControllerStopped",
    "ControllerSlow(by: \"1ms\")",
    "ClockDrift(by: \"900ppm\")",
    "Hang",
    "Reset",
    "FrameLoss(rate: \"100%\")",
    "ReceiveOverrun(frames: 1)",
    "Babbling(id: 0x050, gap: \"5ms\")",
];

fn acted(faults: &str) -> Report {
    report(&format!("campaign: false, budgets: [], end: At(\"9s\"), faults: [{faults}]"))
}

#[test]
fn a_fault_at_a_pump_without_power_has_not_acted_and_the_run_is_inconclusive() {
    for kind in AT_PUMP_2 {
        let instant = ["Reset", "Bounce", "ReceiveOverrun"].iter().any(|word| kind.starts_with(word));
        let duration = if instant { "" } else { ", duration: \"2s\"" };
        let fault = format!("(kind: {kind}, place: Pump(2), trigger: At(\"4s\"){duration})");
        let powered = acted(&fault);
        assert!(powered.injections[0].activations > 0, "{kind} acts: {:?}", powered.injections);
        assert_ne!(powered.verdict, Verdict::Inconclusive, "{kind}");
        let dark = acted(&format!("(kind: PowerCut, place: Pump(2), trigger: At(\"2s\")), {fault}"));
        assert_eq!(dark.injections[0].activations, 1, "{kind}: the cut acts");
        assert_eq!((dark.injections[1].activations, dark.verdict), (0, Verdict::Inconclusive), "{kind}");
    }
}

#[test]
fn a_fault_of_everything_without_power_has_not_acted() {
    let off = "(kind: PowerCut, place: Supply, trigger: At(\"2s\"))";
    for (kind, place) in [
        ("PowerCut", "Supply"),
        ("FeedOff", "PumpFeed"),
        ("PowerCut", "AllPumps"),
        ("Sag(to: \"15V\")", "Supply"),
        ("OpenBus", "Between(a: \"P01\", b: \"P02\")"),
        ("StuckDominant", "Bus"),
        ("StuckRecessive", "Bus"),
        ("Unplugged", "Cioc"),
        ("BitErrors(rate: \"10%\")", "Bus"),
    ] {
        let fault = format!("(kind: {kind}, place: {place}, trigger: At(\"4s\"), duration: \"2s\")");
        assert!(acted(&fault).injections[0].activations > 0, "{kind} acts");
        let dark = acted(&format!("{off}, {fault}"));
        assert_eq!((dark.injections[1].activations, dark.verdict), (0, Verdict::Inconclusive), "{kind}");
    }
}

#[test]
fn a_cut_within_another_one_has_not_acted_and_one_that_outlives_it_has() {
    for (kind, place) in [("PowerCut", "Pump(2)"), ("PowerCut", "Supply"), ("FeedOff", "PumpFeed")] {
        let second = |from: u32, span: u32| {
            let report = acted(&format!(
                "(kind: {kind}, place: {place}, trigger: At(\"3s\"), duration: \"3s\"),
                 (kind: {kind}, place: {place}, trigger: At(\"{from}s\"), duration: \"{span}s\")"
            ));
            (report.injections[1].activations > 0, report.injections[1].effect.clone())
        };
        assert!(!second(4, 1).0, "{kind}: nothing is other because of it");
        let (outlives, effect) = second(4, 4);
        assert!(outlives && effect.contains("stay"), "{kind}: {effect}");
    }
}

#[test]
fn a_supply_fault_is_proven_by_what_a_node_measures() {
    let effect = |kind: &str| {
        let report = acted(&format!("(kind: {kind}, place: Pump(2), trigger: At(\"4s\"), duration: \"2s\")"));
        let row = &report.injections[0];
        (row.activations, row.effect.clone(), row.at_ms.map(|at| at.to_string()))
    };
    let (count, words, at) = effect("Sag(to: \"15V\")");
    assert!(count == 1 && words.starts_with("P02 measures 15000 mV, 23") && at.as_deref() == Some("4000"), "{words}");
    // Half of the way from 24 V to 14 V is passed after half of the second.
    let (count, words, at) = effect("Ramp(to: \"14V\", over: \"1s\")");
    let at: f64 = at.expect("it acts").parse().expect("a number");
    assert!(count == 1 && (4_480.0..4_600.0).contains(&at), "{words} at {at}");
    // The load's drop leaves less than that already.
    assert_eq!(effect("Sag(to: \"23.99V\")").0, 0);
    // The hold-up carries the pump over a short cut, which it measures all the same.
    let short = acted("(kind: PowerCut, place: Pump(2), trigger: At(\"4s\"), duration: \"2ms\")");
    assert_eq!(short.injections[0].effect, "P02 lived on its hold-up for 2.000000 ms");
}

#[test]
fn a_run_that_is_inconclusive_for_a_fault_that_never_acted_is_not_so_as_stated() {
    let stated = |fault: &str| {
        let report = report(&format!(
            "user: (consent: Refuse(after: \"1s\")), faults: [{fault}], expectations: [Verdict(Inconclusive)]"
        ));
        assert_eq!(report.expectations[0].text, "the run without expectations is: inconclusive");
        (report.verdict, report.expectations[0].detail.clone())
    };
    assert_eq!(stated(""), (Verdict::Inconclusive, String::new()));
    let never = "(kind: Hang, place: Pump(1), trigger: Frame(id: 0x7FF), duration: \"1s\")";
    assert_eq!(stated(never), (Verdict::Fail, "fault Hang-1 never acted".to_owned()));
}

#[test]
fn the_fail_safe_mode_before_the_first_command_fulfils_no_expectation() {
    let held = |fault: &str| {
        let text = format!("campaign: false, end: At(\"9s\"), faults: [{fault}], expectations: [FailSafe(All)]");
        report(&text).expectations[0].verdict
    };
    assert_eq!(held(""), RowVerdict::Fail, "every pump boots sooner than the CIOC");
    let cut = "(kind: PowerCut, place: Cioc, trigger: At(\"4s\"), duration: \"3s\")";
    assert_eq!(held(cut), RowVerdict::Pass);
    let one = "(kind: Unplugged, place: Pump(1), trigger: At(\"4s\"), duration: \"3s\")";
    assert_eq!(held(one), RowVerdict::Fail, "the other one hears the CIOC");
}

// Bits that flip.

/// A pump's flash flips three bits at `trigger`; the verdicts of the checks about images, and that of the run.
fn flipped(trigger: &str, more: &str) -> (RowVerdict, RowVerdict, Verdict) {
    let report = report(&format!(
        "end: At(\"60s\"), faults: [(kind: BitFlipAtRest(bits: 3), place: Pump(1), trigger: {trigger}){more}]"
    ));
    assert!(report.injections[0].activations > 0, "{:?}", report.injections);
    let of = |id: &str| report.checks.iter().find(|row| row.id == id).expect("the check").verdict;
    (of("only_whole_images_are_started"), of("told_versions_are_true"), report.verdict)
}

#[test]
fn bits_that_flip_in_a_running_application_start_nothing() {
    let good = (RowVerdict::Pass, RowVerdict::Pass, Verdict::Pass);
    // The old application runs on, and is updated later.
    assert_eq!(flipped("At(\"4s\")", ""), good);
    // The new one runs on until the end.
    assert_eq!(flipped("Campaign(Finished)", ""), good);
}

#[test]
fn a_pump_that_does_not_start_again_is_updated_no_more() {
    let ended = |reset: &str, more: &str| {
        let report = report(&format!(
            "end: At(\"60s\"), {more} faults: [
            (kind: BitFlipAtRest(bits: 3), place: Pump(1), trigger: Campaign(Finished)){reset}]"
        ));
        let outcome = report.pumps[0].outcome.word();
        (outcome, check(&report, "told_versions_are_true").verdict, report.verdict)
    };
    let updated = "expectations: [Outcome(is: Updated)],";
    assert_eq!(ended("", updated), ("updated", RowVerdict::Pass, Verdict::Pass));
    // Its bootloader finds no whole application, and the CIOC goes on to tell that it is updated.
    let reset = ", (kind: Reset, place: Pump(1), trigger: At(\"40s\"))";
    let (outcome, told, verdict) = ended(reset, updated);
    assert_ne!(outcome, "updated");
    assert_eq!((told, verdict), (RowVerdict::Fail, Verdict::Fail));
    // One that nobody has started since has nothing to run either.
    let cut = ", (kind: PowerCut, place: Pump(1), trigger: At(\"40s\"))";
    let (outcome, told, verdict) = ended(cut, updated);
    assert_ne!(outcome, "updated");
    assert_eq!((told, verdict), (RowVerdict::Pass, Verdict::Fail));
}

#[test]
fn an_image_that_is_not_whole_when_it_starts_or_is_told_of_breaks_its_check() {
    // The twin's own port changes the flash here, so that no fault is to blame and no firmware can see it.
    let broken = |flip_at: u64| {
        let loaded = loaded("end: At(\"60s\")");
        let mut twin = build(&loaded.scenario, None);
        twin.run_until(SimTime::ZERO + Span::from_millis(flip_at));
        let entity = twin.world.resource::<Nodes>().entity(NodeId::new(1));
        let other = vec![0x5A; 64];
        twin.world.get_mut::<Flash>(entity).expect("its flash").exchange(&other);
        let run = run::finish(twin, &loaded.scenario, |_| {});
        let report = run::report(&loaded, &run, &identity());
        report.checks.iter().find(|row| row.id == "told_versions_are_true").expect("the check").verdict
    };
    assert_eq!(broken(55_000), RowVerdict::Fail, "no fault inverted a bit of it");
}

#[test]
fn a_word_that_was_erased_but_for_a_flipped_bit_is_no_fault_of_the_firmware() {
    let report = report(
        "faults: [(kind: BitFlipAtRest(bits: 400), place: Pump(1),
            trigger: When(pump: 1, attempt: 1, phase: Download))]",
    );
    let row = report.checks.iter().find(|row| row.id == "no_write_to_unerased_flash").expect("the check");
    assert_eq!(row.verdict, RowVerdict::Pass, "{}", row.detail);
    assert!(report.pumps[0].attempts > 1, "the firmware finds them: {:?}", report.pumps[0]);
}

// Reach.

#[test]
fn a_fault_that_takes_the_bus_from_all_hits_all() {
    let babbling = |duration: &str| {
        class(&format!(
            "campaign: false, end: At(\"30s\"), further_nodes: [\"gateway\"], budgets: [], faults: [
            (kind: Babbling(id: 0x000, dlc: 8), place: Node(\"gateway\"), trigger: At(\"8s\"), duration: \"{duration}\")]"
        ))
    };
    assert_eq!(babbling("5s"), "tolerated", "the pumps go into fail-safe mode");
    assert_eq!(babbling("50ms"), "no-reaction", "nobody misses a command");
    let in_transfer = "further_nodes: [\"gateway\"], faults: [(kind: Babbling(id: 0x000, dlc: 8),
        place: Node(\"gateway\"), trigger: When(pump: 2, attempt: 1, phase: Transfer), duration: \"5s\")]";
    assert_eq!(class(in_transfer), "tolerated", "the try of pump 2 failed, its next one did not");
    let open = "campaign: false, budgets: [], end: At(\"20s\"), faults: [(kind: OpenBus,
        place: Between(a: \"CIOC\", b: \"P01\"), trigger: At(\"6s\"), duration: \"4s\")]";
    assert_eq!(class(open), "tolerated");
    // A node that nobody needs is off the bus: no pump is hit.
    let off = "campaign: false, budgets: [], end: At(\"20s\"), further_nodes: [\"gateway\"],
        faults: [(kind: Unplugged, place: Node(\"gateway\"), trigger: At(\"6s\"), duration: \"4s\")]";
    assert_eq!(class(off), "no-reaction");
}

// How many values a response budget judges.

#[test]
fn a_response_budget_counts_the_frames_and_no_request_that_may_still_be_in_time() {
    let report = report(
        "campaign: false, further_nodes: [\"one\"], end: At(\"5s\"),
        traffic: [(name: \"torque\", node: \"one\", id: 0x010, dlc: 8, period: \"10ms\", offset: \"2s\")],
        budgets: [(id: \"torque\", measure: Response(\"torque\"), relation: Below, limit: \"5ms\")]",
    );
    let row = report.budget("torque").expect("the budget");
    let frames = report.bus.messages.iter().find(|message| message.id == "0x010").expect("its message").frames;
    assert!((299..=301).contains(&frames), "one each 10 ms, from 2 s on: {frames}");
    assert_eq!((row.verdict, row.n, row.samples.len()), (RowVerdict::Pass, frames, 0));
    // Each request that was replaced counts. As many came as of the other message, which got out every time; of the two
    // that wait at the end, in mailbox and queue, the elder counts.
    let starved = report_after(STARVED, |_| {});
    let n = |id: &str| starved.budget(id).expect("the budget").n;
    assert!(n("first") > 450 && n("first").abs_diff(n("last")) <= 1, "{} {}", n("first"), n("last"));
}

#[test]
fn a_request_that_never_got_out_breaks_a_limit_longer_than_the_run() {
    let report = report(&STARVED.replace("limit: \"1s\"", "limit: \"10s\""));
    assert_eq!(report.budget("last").expect("the budget").verdict, RowVerdict::Fail);
    assert_eq!(report.budget("first").expect("the other").verdict, RowVerdict::Pass);
}

// Causes.

#[test]
fn pumps_that_were_not_tried_for_their_image_have_its_cause() {
    let causes = |defect: &str| {
        let report = report(&format!("package: (image: (length: \"8KiB\", defect: {defect}))"));
        let of = |pump: &reports::Pump| (pump.attempts, pump.causes.clone());
        report.pumps.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(causes("Corrupt(1)"), [(0, vec!["FW002".to_owned()]), (0, vec!["FW002".to_owned()])]);
    assert_eq!(causes("Missing"), [(0, vec!["FW001".to_owned()]), (0, vec!["FW001".to_owned()])]);
}

// All pumps dead.

const ALL_FAIL: &str = "faults: [(kind: FlashProgramFailure(operations: 0), place: AllPumps, trigger: At(\"1s\"))]";

#[test]
fn a_run_in_which_all_pumps_die_is_a_pass_only_if_that_is_stated_of_each() {
    let judged = |expectations: &str| {
        let report = report(&format!("{ALL_FAIL}, expectations: [{expectations}]"));
        let of = |id: &str| report.budget(id).expect("the budget").verdict;
        (report.verdict, of("pump-update"), of("back-to-automatic"))
    };
    let none = RowVerdict::NotApplicable;
    assert_eq!(judged("Outcome(is: Dead)"), (Verdict::Pass, none, none));
    let open = RowVerdict::Inconclusive;
    assert_eq!(judged(""), (Verdict::Fail, open, open));
    assert_eq!(judged("Outcome(pumps: Only([1]), is: Dead)"), (Verdict::Fail, open, open));
}

#[test]
fn a_statement_that_all_die_silences_no_budget_that_has_a_value() {
    let one_fails = ALL_FAIL.replace("AllPumps", "Pump(2)");
    let report = report(&format!(
        "{one_fails}, budgets: [(id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"1ms\"), {RETURN}],
        expectations: [Outcome(is: Dead)]"
    ));
    assert_eq!((report.verdict, report.budget("pump-update").expect("it").verdict), (Verdict::Fail, RowVerdict::Fail));
    assert_eq!(report.budget("back-to-automatic").expect("it").verdict, RowVerdict::Pass);
    assert_eq!(report.expectations[0].detail, "P01 ended as updated");
}

// Who broke it.

#[test]
fn a_failed_expectation_names_who_broke_it() {
    let detail = |expectation: &str| {
        let report = report(&format!("{CUT_ONCE}, expectations: [{expectation}]"));
        let row = &report.expectations[0];
        assert_eq!(row.verdict == RowVerdict::Pass, row.detail.is_empty(), "{row:?}");
        row.detail.clone()
    };
    assert_eq!(detail("Attempts(at_least: 0, at_most: 1)"), "P02 took 2");
    assert_eq!(detail("Attempts(at_least: 1, at_most: 2)"), "");
    assert_eq!(detail("Outcome(is: Rejected)"), "P01 ended as updated, P02 ended as updated");
    assert_eq!(detail("VersionAfter(version: \"3.0.0\")"), "P01 holds 2.0.0, P02 holds 2.0.0");
    assert_eq!(detail("Cause(code: \"FW002\")"), "P01 does not have it, P02 does not have it");
    assert_eq!(detail("Consent(Refused)"), "it was given");
    assert_eq!(detail("Alarm(about: Any, count: 2)"), "it was never raised");
    assert_eq!(detail("BusOff([\"P01\"])"), "P01 did not");
    assert_eq!(detail("Campaign(Unfinished)"), "it finished");
    assert_eq!(detail("Verdict(Fail)"), "it is pass");
}

// Memory.

/// The nominal run of 14 pumps in a process of its own that may not have more address space than this, in KiB.
#[cfg(target_os = "linux")]
fn nominal_within(kibibytes: u32) -> bool {
    let folder = std::env::temp_dir().join(format!("cooltwin-memory-{}-{kibibytes}", std::process::id()));
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/nominal-14.ron");
    let ended = std::process::Command::new("sh")
        .args(["-c", "ulimit -v \"$1\" && exec \"$2\" run \"$3\" --out \"$4\" --quiet", "sh", &kibibytes.to_string()])
        .arg(env!("CARGO_BIN_EXE_cooltwin"))
        .arg(scenario)
        .arg(&folder)
        .output()
        .expect("a shell");
    let _ = fs::remove_dir_all(folder);
    ended.status.success()
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_of_14_pumps_takes_less_than_200_mb() {
    // Address space is more than the memory in use: whoever keeps the one keeps the other.
    assert!(nominal_within(200_000_000 / 1_024));
    assert!(!nominal_within(8 * 1_024), "the limit is one");
}

#[test]
fn a_reset_is_proven_by_itself_and_not_by_a_later_one() {
    let cut = "(kind: PowerCut, place: Pump(2), trigger: At(\"2s\"), duration: \"3s\")";
    let reset = "(kind: Reset, place: Pump(2), trigger: At(\"3s\"))";
    let dark = report(&format!("faults: [{cut}, {reset}]"));
    let first = |row: &reports::Injection| row.at_ms.map(|at| at.to_string());
    assert_eq!((first(&dark.injections[1]), dark.verdict), (None, Verdict::Inconclusive), "the pump had no supply");
    let alone = report(&format!("faults: [{reset}]"));
    assert_eq!(first(&alone.injections[0]).as_deref(), Some("3000"));
}

#[test]
fn two_faults_need_two_failing_operations() {
    let fails = |operations: u32| {
        format!(
            "(kind: FlashProgramFailure(operations: {operations}), place: Pump(2),
              trigger: When(pump: 2, attempt: 1, phase: Download))"
        )
    };
    let both = report(&format!("faults: [{}, {}]", fails(1), fails(1)));
    let effects: Vec<&str> = both.injections.iter().map(|row| row.effect.as_str()).collect();
    assert_eq!(both.injections.iter().map(|row| row.activations).collect::<Vec<_>>(), [1, 1], "{effects:?}");
    assert_ne!(effects[0], effects[1]);
}

#[test]
fn a_ramp_is_not_proven_by_the_sag_of_another_fault() {
    let report = report(
        "faults: [(kind: Ramp(to: \"10V\", over: \"1h\"), place: Supply, trigger: At(\"10s\"), duration: \"10s\"),
          (kind: Sag(to: \"8V\"), place: Pump(2), trigger: At(\"12s\"), duration: \"100ms\")]",
    );
    assert_eq!((report.injections[0].activations, report.verdict), (0, Verdict::Inconclusive));
}

#[test]
fn repetitions_that_never_come_leave_the_run_inconclusive() {
    let repeated = |count: u32, period: &str| {
        let report = report(&format!(
            "faults: [(kind: Reset, place: Pump(2), trigger: At(\"3s\"), repeat: (count: {count}, period: \"{period}\"))]"
        ));
        (report.injections[0].missing, report.verdict)
    };
    assert_eq!(repeated(2, "2s"), (0, Verdict::Pass));
    assert_eq!(repeated(5, "1h"), (4, Verdict::Inconclusive));
}

#[test]
fn the_last_campaign_too_must_return_to_automatic() {
    let report_of = |unplugged: &str, end: &str| {
        report(&format!(
            "user: (consent: Agree(after: \"5s\"), manual_searches: [\"100s\"]), end: At(\"{end}\"),
             faults: [(kind: Exchanged(version: \"1.2.0\"), place: Pump(2), trigger: At(\"80s\"), duration: \"5s\")
             {unplugged}]"
        ))
    };
    assert_eq!(back(&report_of("", "4min")).verdict, RowVerdict::Pass);
    let unplugged = ", (kind: Unplugged, place: Pump(1), trigger: At(\"109s\"))";
    let open = report_of(unplugged, "150s");
    assert!(open.campaign.as_ref().is_some_and(|campaign| campaign.back_to_automatic_ms.is_none()));
    let why = "an earlier campaign's return says nothing for the last one";
    assert_eq!(back(&open).verdict, RowVerdict::Inconclusive, "{why}");
    // It was away for longer than the limit when the run ended: that it never came back makes it no better.
    let late = report_of(unplugged, "4min");
    assert_eq!(back(&late).verdict, RowVerdict::Fail, "{:?}", back(&late));
    assert!(back(&late).r#where.as_deref().is_some_and(|place| place.contains("at least")), "{:?}", back(&late));
}

#[test]
fn a_single_hit_frame_excuses_no_silence_of_its_own_pump() {
    // Frames of the highest priority for three seconds, as a customer's log may hold them.
    let frames: String = (0..10_000)
        .map(|n| format!("({}.{:06}) can0 001#0000000000000000\n", 3 + n * 300 / 1_000_000, n * 300 % 1_000_000))
        .collect();
    let place = common::folder("judged-log");
    fs::write(place.join("burst.log"), frames).expect("a log");
    let text = |faults: &str| {
        let text = format!(
            "(pumps: (count: 2), package: (image: (length: \"8KiB\")), traffic: Log(\"burst.log\"), faults: [{faults}])"
        );
        let path = place.join("judged.ron");
        fs::write(&path, text).expect("a scenario");
        let loaded = common::loaded(&path, &[]);
        let run = run::run(&loaded.scenario, None, |_| {});
        let report = run::report(&loaded, &run, &identity());
        report.checks.iter().find(|row| row.id == "status_is_live").expect("the check").verdict
    };
    assert_eq!(text(""), RowVerdict::Fail, "no status gets through for three seconds");
    let hit = "(kind: FrameHit(id: 0x101, bit: 30, seen_by: Receivers), place: Bus, trigger: At(\"1s\"))";
    assert_eq!(text(hit), RowVerdict::Fail, "one bit of one frame is no excuse for it");
    let slow = "(kind: ControllerSlow(by: \"100us\"), place: Cioc, trigger: At(\"1s\"), duration: \"8s\")";
    assert_eq!(text(slow), RowVerdict::Fail, "a tenth of a millisecond is none either");
    let lost = "(kind: FrameLoss(id: 0x001), place: Cioc, trigger: At(\"1s\"), duration: \"8s\")";
    assert_eq!(text(lost), RowVerdict::Fail, "nor are frames of others that are lost");
}

fn check<'a>(report: &'a Report, id: &str) -> &'a reports::Check {
    report.checks.iter().find(|row| row.id == id).expect("the check")
}

/// A run of three pumps in which the motor of one is driven at another speed, from some time after the begin of a try on.
fn driven_elsewhere(tried: usize, driven: u8, after: u64, span: u64) -> RowVerdict {
    let loaded = loaded_of(3, "end: AfterCampaign(\"10s\")");
    let nominal = run::run(&loaded.scenario, None, |_| {});
    let begins = nominal.twin.world.resource::<cooltwin::measure::Measures>().timeline.pumps[tried].tries[0].start;
    let mut twin = build(&loaded.scenario, None);
    let drive = |twin: &mut Twin, at: SimTime, permille: u16| {
        twin.run_until(at);
        cooltwin::plant::set_speed_command(&mut twin.world, NodeId::new(driven), units::Permille::new(permille));
    };
    drive(&mut twin, begins + Span::from_millis(after), 400);
    drive(&mut twin, begins + Span::from_millis(after + span), 800);
    let run = run::finish(twin, &loaded.scenario, |_| {});
    let report = run::report(&loaded, &run, &identity());
    check(&report, "others_run_at_80_percent").verdict
}

#[test]
fn the_others_are_judged_from_the_begin_of_a_pump_s_first_try_on() {
    assert_eq!(driven_elsewhere(1, 3, 200, 1_500), RowVerdict::Fail, "pump 3 has run at 80 % for long");
    assert_eq!(driven_elsewhere(1, 3, 200, 0), RowVerdict::Pass, "nobody drives it elsewhere");
}

#[test]
fn a_pump_that_hangs_in_its_update_for_ever_is_no_reason_to_blame_the_next_one() {
    let loaded = loaded_of(
        3,
        "faults: [(kind: Hang, place: Pump(1), trigger: When(pump: 1, attempt: 1, phase: Transfer))],
         expectations: [Outcome(pumps: Only([1]), is: NotReached)]",
    );
    let run = run::run(&loaded.scenario, None, |_| {});
    let report = run::report(&loaded, &run, &identity());
    assert!(report.pumps[1].attempts > 0, "the campaign goes on: {:?}", report.pumps);
    let row = check(&report, "others_run_at_80_percent");
    assert_eq!(row.verdict, RowVerdict::Pass, "{}", row.detail);
}

#[test]
fn a_status_of_its_own_proves_no_babbling() {
    // Windows of 100 us, ten times shorter than a frame, over all the time in which the pump sends its status.
    let activations = |offset: u32, duration: &str| {
        let report = acted(&format!(
            "(kind: Babbling(id: 0x202, dlc: 8), place: Pump(2), trigger: At(\"{}us\"), duration: \"{duration}\",
              repeat: (count: 110, period: \"1ms\"))",
            4_000_000 + offset
        ));
        report.injections[0].activations
    };
    let short: Vec<u64> = (0..10).map(|step| activations(step * 100, "100us")).collect();
    assert_eq!(short, [0; 10], "no frame of the fault gets out in this time");
    assert!(activations(0, "900us") > 50, "and of longer ones some do");
}

#[test]
fn a_hang_that_begins_while_the_cpu_boots_acts_from_its_start_on() {
    let report = acted("(kind: Hang, place: Pump(2), trigger: At(\"20ms\"), duration: \"4s\")");
    let row = &report.injections[0];
    let at: f64 = row.at_ms.expect("it acts").to_string().parse().expect("a number");
    assert!(row.activations == 1 && at > 20.0, "{row:?}");
    assert_eq!(row.effect, "the CPU of P02 stands still");
}

#[test]
fn a_campaign_whose_last_write_tears_is_over_by_its_log() {
    let mut lost = 0;
    for bytes in (270..390).step_by(10) {
        let report = report(&format!(
            "faults: [(kind: FramTear(bytes: {bytes}), place: Cioc,
                trigger: When(pump: 2, attempt: 1, phase: Status), duration: \"2s\")]"
        ));
        let row = report.budget("back-to-automatic").expect("the budget");
        assert_eq!(row.verdict, RowVerdict::Pass, "{bytes}: {:?} {:?}", row, report.injections);
        let failed: Vec<_> = report.checks.iter().filter(|row| row.verdict == RowVerdict::Fail).collect();
        assert!(failed.is_empty(), "{bytes}: {failed:?}");
        lost += 1;
    }
    assert_eq!(lost, 12);
}

#[test]
fn a_fault_that_never_acted_has_a_hint() {
    let hint = |faults: &str| {
        let report = acted(faults);
        let last = report.injections.last().expect("a fault").clone();
        assert_eq!(last.activations, 0, "{last:?}");
        let terminal = reports::to_json_line(&report);
        assert!(terminal.contains(&last.hint), "the result has it");
        last.hint
    };
    assert_eq!(
        hint("(kind: Hang, place: Pump(1), trigger: Frame(id: 0x7FF), duration: \"1s\")"),
        "its trigger was never reached"
    );
    let cut = "(kind: PowerCut, place: Pump(2), trigger: At(\"2s\"))";
    assert_eq!(
        hint(&format!("{cut}, (kind: Hang, place: Pump(2), trigger: At(\"4s\"), duration: \"1s\")")),
        "P02 had no supply when it began at 4000.000000 ms"
    );
    assert_eq!(
        hint("(kind: FlashProgramFailure(operations: 1), place: Pump(2), trigger: At(\"4s\"))"),
        "it began at 4000.000000 ms, and no flash operation came that it could change"
    );
    assert_eq!(acted(cut).injections[0].hint, "");
}

#[test]
fn an_image_file_that_no_pump_takes_is_told_with_its_reason() {
    let place = common::folder("judged-raw");
    fs::write(place.join("raw.bin"), vec![0x5A; 9_000]).expect("a file");
    let path = place.join("judged.ron");
    fs::write(&path, "(pumps: (count: 2), package: (image: (source: File(\"raw.bin\"))))").expect("a scenario");
    let loaded = common::loaded(&path, &[]);
    let run = run::run(&loaded.scenario, loaded.image.as_deref(), |_| {});
    let report = run::report(&loaded, &run, &identity());
    assert!(report.pumps.iter().all(|pump| pump.causes == ["FW002"]), "{:?}", report.pumps);
    let row = report.budget("pump-update").expect("the budget");
    let why = "no pump takes the image: it does not begin with a CPFW header";
    assert_eq!((row.verdict, row.r#where.as_deref()), (RowVerdict::Inconclusive, Some(why)));
}

#[test]
fn a_request_that_a_stuck_bus_kept_waiting_counts_from_its_begin_on() {
    let loaded = loaded_of(
        3,
        "end: At(\"150s\"), faults: [(kind: StuckDominant, place: Bus,
            trigger: When(pump: 2, attempt: 1, phase: EnterBootloader), duration: \"5s\")]",
    );
    let run = run::run(&loaded.scenario, None, |_| {});
    let report = run::report(&loaded, &run, &identity());
    let row = check(&report, "bus_confirms_update_times");
    assert_eq!((row.verdict, report.injections[0].activations > 0), (RowVerdict::Pass, true), "{}", row.detail);
}

#[test]
fn a_pump_that_is_taken_back_raises_the_time_left_with_a_cause() {
    let loaded = loaded_of(
        3,
        "end: At(\"150s\"), faults: [(kind: Hang, place: Pump(1),
            trigger: When(pump: 1, attempt: 1, phase: Transfer), duration: \"20s\")]",
    );
    let run = run::run(&loaded.scenario, None, |_| {});
    let report = run::report(&loaded, &run, &identity());
    assert!(report.pumps[0].attempts > 1, "it is tried again: {:?}", report.pumps[0]);
    let row = check(&report, "progress_is_true");
    assert_eq!(row.verdict, RowVerdict::Pass, "{}", row.detail);
}

// Faults that are hidden by others of their kind.

/// How often each of two faults acted.
fn both_acted(one: &str, other: &str) -> [u64; 2] {
    let report = report(&format!("faults: [{one}, {other}]"));
    [report.injections[0].activations, report.injections[1].activations]
}

#[test]
fn a_fault_that_another_one_hides_has_not_acted() {
    let at = |kind: &str, from: &str, to: &str| {
        let place = if kind.starts_with("Stuck") { "Bus" } else { "Pump(2)" };
        format!("(kind: {kind}, place: {place}, trigger: At(\"{from}\"), duration: \"{to}\")")
    };
    let hidden = |kinds: [&str; 2], times: [(&str, &str); 2]| {
        let [one, other] = [0, 1].map(|n| at(kinds[n], times[n].0, times[n].1));
        both_acted(&one, &other).map(|times| times > 0)
    };
    let inside = [("3s", "3s"), ("4s", "1s")];
    assert_eq!(hidden(["Hang", "Hang"], inside), [true, false]);
    assert_eq!(hidden(["StuckRecessive", "StuckRecessive"], inside), [true, false]);
    assert_eq!(hidden(["StuckDominant", "StuckDominant"], inside), [true, false]);
    assert_eq!(hidden(["StuckDominant", "StuckRecessive"], inside), [true, false], "the dominant one wins");
    assert_eq!(hidden(["FrameLoss()", "FrameLoss()"], inside), [true, false]);
    assert_eq!(hidden(["FrameLoss()", "FrameLoss(id: 0x102)"], inside), [true, false]);
    assert_eq!(hidden(["FrameLoss(direction: Sent)", "FrameLoss(direction: Both)"], inside), [true, true]);
    assert_eq!(hidden(["ControllerSlow(by: \"3ms\")", "ControllerSlow(by: \"1ms\")"], inside), [true, false]);
    assert_eq!(hidden(["PowerCut", "PowerCut"], [("3s", "3s"), ("3001ms", "1s")]), [true, false]);
    assert_eq!(hidden(["Unplugged", "Unplugged"], inside), [true, false]);
    let long = [("1s", "200s"), ("1100ms", "200s")];
    assert_eq!(hidden(["SlowErase(factor: \"2x\")", "SlowErase(factor: \"1.5x\")"], long), [true, false]);
    let under = ["WrongVersion(version: \"1.9.0\")", "WrongVersion(version: \"1.8.0\")"];
    assert_eq!(hidden(under, [("1s", "20s"), ("1100ms", "30s")]), [false, true]);
    let drifts = ["ClockDrift(by: \"50ppm\")", "ClockDrift(by: \"9000ppm\")"];
    assert_eq!(hidden(drifts, [("3s", "20s"), ("3001ms", "30s")]), [false, true]);
    // Each of these outlives the other, and acts alone then.
    assert_eq!(hidden(["Hang", "Hang"], [("3s", "2s"), ("4s", "3s")]), [true, true]);
    assert_eq!(hidden(drifts, [("3s", "20s"), ("3001ms", "1s")]), [true, true]);
}

// Updates whose end the log does not tell.

fn pump_update(report: &Report) -> &reports::Budget {
    report.budgets.iter().find(|row| row.id == "pump-update").expect("it")
}

#[test]
fn an_update_whose_good_end_is_not_logged_is_measured_all_the_same() {
    let with = |reset: &str| {
        report(&format!(
            "budgets: [(id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"13s\")],
             faults: [(kind: SlowErase(factor: \"5x\"), place: Pump(2), trigger: At(\"1s\")) {reset}]"
        ))
    };
    let alone = with("");
    assert_eq!((pump_update(&alone).verdict, pump_update(&alone).n), (RowVerdict::Fail, 2));
    let hidden = with(", (kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Status))");
    let row = pump_update(&hidden);
    assert_eq!((row.verdict, row.n), (RowVerdict::Fail, 2), "{row:?}");
    assert_eq!(hidden.pumps[1].outcome, reports::Outcome::Updated);
}

/// A slow update of pump 2 whose good end the CIOC's restart takes from the log, and what becomes of the pump later.
fn slow_and_unlogged(later: &str, more: &str) -> Report {
    report(&format!(
        "user: (consent: Agree(after: \"5s\"), manual_searches: [\"90s\"]), end: At(\"6min\"),
         budgets: [(id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"13s\")],
         faults: [(kind: SlowErase(factor: \"5x\"), place: Pump(2), trigger: At(\"1s\"), duration: \"34s\"),
          (kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Status)) {later}] {more}"
    ))
}

#[test]
fn nothing_that_comes_later_takes_back_an_update_that_the_log_does_not_tell() {
    let exchanged = "(kind: Exchanged(version: \"1.0.0\"), place: Pump(2), trigger: At(\"80s\"), duration: \"2s\")";
    let flipped = "(kind: BitFlipAtRest(bits: 1), place: Pump(2), trigger: At(\"80s\"))";
    let restarted = "(kind: Reset, place: Pump(2), trigger: At(\"81s\"))";
    for (later, tries) in [(exchanged.to_owned(), 2), (flipped.to_owned(), 1), (format!("{flipped}, {restarted}"), 2)] {
        let report = slow_and_unlogged(&format!(", {later}"), "");
        let row = pump_update(&report);
        assert_eq!(report.pumps[1].tries.len(), tries, "{later}");
        assert_eq!((row.verdict, row.n), (RowVerdict::Fail, tries as u64 + 1), "{later}: {row:?}");
        let place = row.r#where.as_deref();
        assert_eq!(place, Some("P02, try 1, until a status of its image came"), "{later}");
        assert_eq!(check(&report, "bus_confirms_update_times").verdict, RowVerdict::Pass, "{later}");
    }
}

/// The CIOC loses all statuses of pump 2 from its status check on: for 9 s within the try, or for longer than it waits.
#[test]
fn a_longer_loss_of_the_status_makes_no_update_shorter() {
    // The image runs 5.5 s after the try began; all frames are lost from there on, or its answers. The CIOC gives the try
    // up after 10 s, waits for 1 s, and looks at the pump.
    let cases = [
        ("", "9s", 14_400, "P02, try 1"),
        ("", "10500ms", 17_500, "P02, try 1, until the CIOC told of it"),
        ("id: 0x782,", "9s", 14_400, "P02, try 1"),
        ("id: 0x782,", "10500ms", 17_500, "P02, try 1, until the CIOC told of it"),
    ];
    for (frames, lost, least, place) in cases {
        let report = report(&format!(
            "faults: [(kind: FrameLoss({frames} rate: \"100%\", direction: Sent), place: Pump(2),
              trigger: When(pump: 2, phase: Status), duration: \"{lost}\")]"
        ));
        let row = pump_update(&report);
        assert_eq!(row.r#where.as_deref(), Some(place), "{row:?}");
        let measured = row.measured.expect("a value").to_string().parse::<f64>().expect("a number");
        assert!(measured > f64::from(least) && measured < f64::from(least + 2_000), "{lost}: {measured} ms");
    }
}

/// From the status check of pump 2 on the CIOC gets no status of it, or none at all, while other nodes do.
#[test]
fn a_status_that_only_others_get_ends_no_update() {
    let with = |fault: &str| {
        let report = report(&format!(
            "faults: [(kind: {fault}, trigger: When(pump: 2, phase: Status), duration: \"20s\")],
             budgets: [(id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"20s\")], end: At(\"4min\")"
        ));
        assert_eq!(pump_update(&report).verdict, RowVerdict::Fail, "{fault}: {:?}", pump_update(&report));
    };
    with("FrameLoss(id: 0x202, direction: Received), place: Cioc");
    with("Unplugged, place: Cioc");
    with("OpenBus, place: Between(a: \"CIOC\", b: \"P01\")");
}

/// The statuses of pump 2 never come to the CIOC again; its answers do, and a search by hand reads them.
#[test]
fn an_update_whose_end_nobody_sees_is_no_pass_and_breaks_a_limit_that_it_is_beyond() {
    let with = |end: &str, searches: &str| {
        let lost =
            "(kind: FrameLoss(id: 0x202, direction: Received), place: Cioc, trigger: When(pump: 2, phase: Status))";
        let report = report(&format!(
            "user: (consent: Agree(after: \"5s\"), manual_searches: [{searches}]), faults: [{lost}], end: At(\"{end}\"),
             budgets: [(id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"70s\")]"
        ));
        pump_update(&report).clone()
    };
    let open = with("60s", "");
    assert_eq!((open.verdict, open.n), (RowVerdict::Inconclusive, 1), "{open:?}");
    let place = |row: &reports::Budget| row.r#where.clone().unwrap_or_default();
    let late = with("3min", "");
    assert_eq!((late.verdict, late.n), (RowVerdict::Fail, 2), "{late:?}");
    assert_eq!(place(&late), "P02, try 1, at least: nobody saw a good status");
    let told = with("4min", "\"2min\"");
    assert_eq!((told.verdict, place(&told).as_str()), (RowVerdict::Fail, "P02, try 1, until the CIOC told of it"));
}

/// From the begin of the try of pump 2 to its image running, in ms, and when that was; undisturbed.
fn undisturbed() -> (f64, f64) {
    let ms = |value: reports::Millis| value.to_string().parse::<f64>().expect("a number");
    let report = report("");
    let status = report.pumps[1].tries[0].phases.iter().find(|phase| phase.name == "status").expect("it");
    (ms(status.start_ms) - ms(report.pumps[1].tries[0].start_ms), ms(status.start_ms))
}

/// The CIOC loses what pump 2 answers from its status check on, and its own supply 7 s later: it was at work all that time and
/// found no good status.
#[test]
fn a_cioc_that_goes_off_before_it_gives_a_try_up_makes_no_update_shorter() {
    let (begun, at) = undisturbed();
    let report = report(&format!(
        "end: At(\"4min\"), faults: [
          (kind: FrameLoss(id: 0x782, rate: \"100%\", direction: Sent), place: Pump(2),
           trigger: When(pump: 2, phase: Status), duration: \"20s\"),
          (kind: PowerCut, place: Cioc, trigger: At(\"{}ms\"), duration: \"5s\")]",
        at + 7_000.0
    ));
    let row = pump_update(&report);
    assert_eq!(row.r#where.as_deref(), Some("P02, try 1, until the CIOC told of it"), "{row:?}");
    let measured = row.measured.expect("a value").to_string().parse::<f64>().expect("a number");
    assert!(measured > begun + 12_000.0, "{measured} ms");
}

/// Nobody ever finds pump 2 good: it answers nothing, and another unit takes its place before it does.
#[test]
fn a_try_that_was_given_up_and_never_told_good_is_no_update() {
    let with = |limit: &str| {
        let report = report(&format!(
            "end: At(\"4min\"), budgets: [(id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"{limit}\")],
             faults: [
              (kind: FrameLoss(id: 0x782, rate: \"100%\", direction: Sent), place: Pump(2),
               trigger: When(pump: 2, phase: Status), duration: \"60s\"),
              (kind: Exchanged(version: \"1.0.0\"), place: Pump(2), trigger: At(\"55s\"), duration: \"2s\")]"
        ));
        let row = pump_update(&report);
        (row.verdict, row.n, row.r#where.clone().unwrap_or_default())
    };
    let (verdict, _, place) = with("20s");
    assert_eq!((verdict, place.as_str()), (RowVerdict::Fail, "P02, try 1, at least: nobody saw a good status"));
    assert_eq!(with("70s").0, RowVerdict::Inconclusive, "{:?}", with("70s"));
}

/// The CIOC loses the first statuses of the image, and its own supply before the first that it would have got.
#[test]
fn an_update_ends_with_its_status_however_early_its_image_ran() {
    let (begun, at) = undisturbed();
    let report = report(&format!(
        "end: At(\"4min\"), budgets: [(id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"6s\")], faults: [
          (kind: FrameLoss(rate: \"100%\", direction: Sent), place: Pump(2),
           trigger: When(pump: 2, phase: Status), duration: \"600ms\"),
          (kind: PowerCut, place: Cioc, trigger: At(\"{}ms\"), duration: \"3s\")]",
        at + 600.0
    ));
    let samples = &pump_update(&report).samples;
    let late = samples.iter().find(|one| one.place == "P02, try 1, until a status of its image came");
    let value = late.expect("its sample").value.to_string().parse::<f64>().expect("a number");
    assert!(value > begun + 600.0 && value < begun + 800.0, "{value} ms, its status check began after {begun} ms");
}

/// Where the budget of an update has its worst value, and that value in ms.
fn worst_update(report: &Report) -> (RowVerdict, String, f64) {
    let row = pump_update(report);
    let value = row.measured.map_or(0.0, |value| value.to_string().parse().expect("a number"));
    (row.verdict, row.r#where.clone().unwrap_or_default(), value)
}

/// Pump 2 boots late. The CIOC is reset as it does, and is at work again before the first status of the image comes; what the
/// pump answers is lost, and a search by hand finds it.
#[test]
fn a_cioc_that_is_at_work_in_its_next_life_and_is_told_nothing_ends_no_update() {
    let lost = ", (kind: FrameLoss(id: 0x782, rate: \"100%\", direction: Sent), place: Pump(2),
        trigger: When(pump: 2, phase: Status), duration: \"85s\")";
    let reset = ", (kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Status))";
    let with = |lost: &str, reset: &str| {
        worst_update(&report(&format!(
            "end: At(\"4min\"), user: (consent: Agree(after: \"5s\"), manual_searches: [\"2min\"]), faults: [
              (kind: SlowBoot(by: \"5s\"), place: Pump(2), trigger: When(pump: 2, phase: Transfer)) {lost} {reset}]"
        )))
    };
    for reset in ["", reset] {
        let (verdict, place, took) = with(lost, reset);
        assert_eq!((verdict, place.as_str()), (RowVerdict::Fail, "P02, try 1, until the CIOC told of it"), "{reset}");
        assert!(took > 100_000.0, "{reset}: {took} ms");
    }
    let (verdict, place, took) = with("", reset);
    assert!(verdict == RowVerdict::Pass && place.starts_with("P02, try 1"), "it hears the answers: {place}");
    assert!(took < 15_000.0, "{took} ms");
}

/// The CIOC hangs from the status check of pump 2 on, and is reset before it goes on: like one without supply it was away.
#[test]
fn a_cioc_that_hangs_is_not_at_work() {
    let (begun, at) = undisturbed();
    let with = |first: &str, reset: f64| {
        let report = report(&format!(
            "end: At(\"4min\"), budgets: [(id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"6s\")],
             faults: [{first}, (kind: Reset, place: Cioc, trigger: At(\"{}ms\"))]",
            at + reset
        ));
        let late = pump_update(&report).samples.iter().find(|one| one.place.starts_with("P02, try 1, ")).cloned();
        let late = late.expect("its sample");
        (late.place, late.value.to_string().parse::<f64>().expect("a number"))
    };
    let hang =
        |span: &str| format!("(kind: Hang, place: Cioc, trigger: When(pump: 2, phase: Status), duration: \"{span}\")");
    let (place, took) = with(&hang("6s"), 5_900.0);
    assert_eq!(place, "P02, try 1, until a status of its image came");
    assert!(took < begun + 1_000.0, "{took} ms, its status check began after {begun} ms");
    // One that goes on in time, and is told nothing until its reset, was at work.
    let lost = "(kind: FrameLoss(id: 0x782, rate: \"100%\", direction: Sent), place: Pump(2),
        trigger: When(pump: 2, phase: Status), duration: \"12s\")";
    let (place, took) = with(&format!("{}, {lost}", hang("2s")), 7_000.0);
    assert_eq!(place, "P02, try 1, until the CIOC told of it");
    assert!(took > begun + 9_000.0, "{took} ms");
}

/// The old application of pump 2 runs once more in the try, and its statuses are lost at the CIOC. No status of the image ever
/// comes: the pump is unplugged for good.
#[test]
fn a_status_of_the_old_application_is_none_of_the_image() {
    let with = |end: &str| {
        report(&format!(
            "end: At(\"{end}\"), expectations: [Outcome(pumps: Only([2]), is: SetAside)], faults: [
              (kind: FrameLoss(id: 0x202, rate: \"100%\", direction: Received), place: Cioc,
               trigger: When(pump: 2, phase: EnterBootloader), duration: \"1200ms\"),
              (kind: Reset, place: Pump(2), trigger: At(\"16300ms\")),
              (kind: Unplugged, place: Pump(2), trigger: When(pump: 2, phase: Status)),
              (kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Status))]"
        ))
    };
    let (open, late) = (with("60s"), with("3min"));
    let (verdict, place, _) = worst_update(&open);
    assert_eq!((verdict, place.as_str()), (RowVerdict::Inconclusive, "P02: updated, and no end of it was seen"));
    let (verdict, place, _) = worst_update(&late);
    assert_eq!((verdict, place.as_str()), (RowVerdict::Fail, "P02, try 1, at least: nobody saw a good status"));
    for report in [open, late] {
        assert!(report.injections.iter().all(|one| one.activations > 0), "{:?}", report.injections);
        assert_eq!(check(&report, "bus_confirms_update_times").verdict, RowVerdict::Inconclusive);
    }
}

/// The CIOC or pump 2 stands still, or the bus is stuck, as the version is read back: between its two frames and after them.
#[test]
fn what_stands_still_as_the_version_is_read_back_makes_no_time_false() {
    let stood = |fault: &str, trigger: &str, span: &str| {
        let report = report(&format!("faults: [(kind: {fault}, trigger: {trigger}, duration: \"{span}\")]"));
        let row = check(&report, "bus_confirms_update_times");
        assert_eq!((row.verdict, row.n), (RowVerdict::Pass, 2), "{fault}, {trigger}: {}", row.detail);
        assert_eq!(report.injections[0].activations, 1, "{fault}, {trigger}");
    };
    // The 182nd frame of an answer is the first one with the version, the 183rd the last.
    for nth in 182..=183 {
        stood("Hang, place: Cioc", &format!("Frame(id: 0x782, nth: {nth})"), "700ms");
    }
    let between = "At(\"21640ms\")";
    stood("Hang, place: Cioc", between, "2s");
    stood("Hang, place: Pump(2)", between, "700ms");
    stood("StuckDominant, place: Bus", between, "600ms");
    stood("OpenBus, place: Between(a: \"P01\", b: \"P02\")", between, "600ms");
}

/// The pump tells another version in all its tries and is called dead for it; that ends, and a search by hand finds it good.
#[test]
fn a_pump_that_was_read_as_bad_and_mended_later_has_no_update_time() {
    let report = report(
        "pumps: (count: 1), user: (consent: Agree(after: \"5s\"), manual_searches: [\"124s\"]), end: At(\"6min\"),
         faults: [(kind: WrongVersion(version: \"1.5.0\"), place: Pump(1), trigger: When(pump: 1, phase: Session),
          duration: \"82737ms\")]",
    );
    assert_eq!((report.pumps[0].attempts, report.pumps[0].outcome), (3, reports::Outcome::Updated));
    assert!(check(&report, "dead_pumps_stay_dead_and_are_named").n > 0, "it died");
    assert_eq!((pump_update(&report).verdict, pump_update(&report).n), (RowVerdict::Inconclusive, 0));
}

/// The power of the CIOC goes as it stores the second consent: its next life goes on with a campaign of which nobody was told.
#[test]
fn a_new_campaign_whose_start_power_has_hidden_is_a_new_one() {
    for bytes in [152, 160, 200] {
        let report = report(&format!(
            "end: At(\"5min\"), user: (consent: Agree(after: \"5s\"), manual_searches: [\"90s\"]), faults: [
              (kind: Exchanged(version: \"1.0.0\"), place: Pump(2), trigger: At(\"80s\"), duration: \"2s\"),
              (kind: FramTear(bytes: {bytes}), place: Cioc, trigger: At(\"95010ms\"), duration: \"3s\")]"
        ));
        assert_eq!(broken_checks(&report), [""; 0], "{bytes}");
        assert_eq!((pump_update(&report).n, back(&report).n, report.verdict), (3, 2, Verdict::Pass), "{bytes}");
        // From its own last pump, not from that of the first campaign.
        assert!(report.campaign.as_ref().is_some_and(|campaign| campaign.back_to_automatic_ms.is_some()));
        let longest = back(&report).measured.expect("a value").to_string().parse::<f64>().expect("a number");
        assert!(longest < 30_000.0, "{bytes}: {longest} ms");
    }
}

/// The same, and the unit is exchanged once more: the campaign has nothing to do and is over before anybody looks.
#[test]
fn a_campaign_that_is_over_between_two_looks_ends_the_one_before() {
    let with = |fault: &str| {
        let report = report(&format!(
            "end: At(\"5min\"), user: (consent: Agree(after: \"5s\"), manual_searches: [\"90s\"]), faults: [
              (kind: Exchanged(version: \"1.0.0\"), place: Pump(2), trigger: At(\"80s\"), duration: \"2s\"),
              (kind: Exchanged(version: \"2.0.0\"), place: Pump(2), trigger: At(\"95500ms\"), duration: \"2s\"),
              (kind: {fault}, place: Cioc, duration: \"3s\")]"
        ));
        (back(&report).n, back(&report).verdict)
    };
    assert_eq!(with("PowerCut, trigger: At(\"95020ms\")"), (2, RowVerdict::Pass));
    assert_eq!(with("FramTear(bytes: 160), trigger: At(\"95010ms\")"), (2, RowVerdict::Pass));
}

/// Three tries of pump 2 are cut off by restarts in a campaign that ends, and a later one tries it once more.
#[test]
fn three_more_tries_need_a_new_yes_however_the_start_is_told() {
    let of_pump_2 = |event, cause| {
        let pump = PumpNumber::new(2);
        Notice::Log(LogEntry { sequence: 1, at_ms: 0, event, pump, attempt: 1, cause })
    };
    let started = || of_pump_2(Event::UpdateStarted, None);
    let cut_off = || of_pump_2(Event::UpdateError, Some(orchestrator::Cause::Interrupted));
    let before = notices([
        Notice::CampaignStarted { pumps: 1, resumed: false },
        started(),
        cut_off(),
        started(),
        cut_off(),
        started(),
        cut_off(),
        Notice::CampaignFinished { errors: true },
    ]);
    let asked = notices([Notice::ConsentAsked(orchestrator::ImageHash::default())]);
    let yes = [OrchestratorRecord::User(orchestrator::UserAction::Consent(true))];
    let tried = |resumed| notices([Notice::CampaignStarted { pumps: 1, resumed }, started()]);
    let broken = |lies: &[&[OrchestratorRecord]]| {
        after_lies("end: At(\"3min\"), faults: []", 30_000, &lies.concat(), "at_most_three_tries")
    };
    for resumed in [false, true] {
        assert_eq!(broken(&[&before, &asked, &yes, &tried(resumed)]), None, "{resumed}");
        let why = Some("P02 is tried again after 3 failed tries".to_owned());
        assert_eq!(broken(&[&before, &tried(resumed)]), why, "{resumed}: nobody agreed");
        assert_eq!(broken(&[&before, &yes, &tried(resumed)]), why, "{resumed}: to no question");
    }
}

#[test]
fn a_unit_that_came_with_the_image_was_not_written_to_by_this_run() {
    let report = report(
        "faults: [(kind: Exchanged(version: \"2.0.0\"), place: Pump(2), duration: \"6s\",
          trigger: ProtocolStep(pump: 2, attempt: 1, service: Check, side: Request))]",
    );
    assert!(report.pumps[1].tries.iter().all(|one| one.outcome != reports::TryOutcome::Updated), "it was cut off");
    assert_eq!(pump_update(&report).n, 1, "only pump 1 was updated: {:?}", pump_update(&report));
    assert_eq!(check(&report, "pump_restarts_before_success").n, 1);
    assert_eq!((report.pumps[1].outcome, report.verdict), (reports::Outcome::UpToDate, Verdict::Pass));
}

/// The CIOC is reset as the unit is exchanged, and its next life tells that the pump is updated.
#[test]
fn a_unit_that_nobody_has_updated_is_not_updated_whatever_was_told() {
    let with = |outcome: &str| {
        report(&format!(
            "faults: [(kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Transfer)),
              (kind: Exchanged(version: \"2.0.0\"), place: Pump(2), trigger: When(pump: 2, phase: Transfer),
               duration: \"1s\")],
             expectations: [Outcome(pumps: Only([2]), is: {outcome}), VersionAfter(version: \"2.0.0\")]"
        ))
    };
    let right = with("UpToDate");
    assert_eq!((right.pumps[1].outcome, right.verdict), (reports::Outcome::UpToDate, Verdict::Pass));
    assert_eq!(pump_update(&right).n, 1, "only pump 1 was updated");
    assert_eq!(with("Updated").verdict, Verdict::Fail);
}

fn back(report: &Report) -> &reports::Budget {
    report.budgets.iter().find(|row| row.id == "back-to-automatic").expect("it")
}

/// Pump 1 is off the bus from the end of a campaign on; a second one updates the exchanged pump 2 meanwhile.
fn away(duration: &str) -> Report {
    report(&format!(
        "user: (consent: Agree(after: \"5s\"), manual_searches: [\"45s\"]), end: At(\"6min\"), faults: [
          (kind: Unplugged, place: Pump(1), trigger: Campaign(Finished), duration: \"{duration}\"),
          (kind: Exchanged(version: \"1.0.0\"), place: Pump(2), trigger: At(\"35s\"), duration: \"2s\")]"
    ))
}

#[test]
fn a_return_that_the_next_campaign_cuts_short_is_measured_on_or_left_open() {
    let late = away("70s");
    let value = back(&late).measured.map(|value| value.to_string()).unwrap_or_default();
    assert_eq!(back(&late).verdict, RowVerdict::Fail, "{:?}", back(&late));
    assert!(value.starts_with("70"), "{value} ms");
    // It comes back within the limit and is run at a fixed speed by the second campaign: nobody knows.
    let taken = away("40s");
    assert_eq!(back(&taken).verdict, RowVerdict::Inconclusive, "{:?}", back(&taken));
    assert!(back(&taken).r#where.as_deref().is_some_and(|place| place.contains("an earlier campaign")));
    let soon = away("5s");
    assert_eq!((back(&soon).verdict, back(&soon).n), (RowVerdict::Pass, 2), "{:?}", back(&soon));
}

#[test]
fn a_bit_that_flips_later_takes_no_pump_out_of_the_return_to_automatic() {
    let with = |more: &str| {
        report(&format!(
            "end: At(\"6min\"), faults: [
              (kind: Unplugged, place: Pump(2), trigger: When(pump: 2, phase: Status), duration: \"150s\") {more}]"
        ))
    };
    let whole = with("");
    assert_eq!(back(&whole).verdict, RowVerdict::Fail, "{:?}", back(&whole));
    let flipped = with(", (kind: BitFlipAtRest(bits: 1), place: Pump(2), trigger: At(\"80s\"))");
    assert_eq!(back(&flipped).verdict, RowVerdict::Fail, "{:?}", back(&flipped));
}

/// Pump 2 is exchanged, and again, before the second campaign looks at it, for one that needs nothing.
#[test]
fn a_campaign_without_a_try_is_not_measured_from_the_one_before() {
    let report = report(
        "user: (consent: Agree(after: \"5s\"), manual_searches: [\"110s\"]), end: At(\"3min\"), faults: [
          (kind: Exchanged(version: \"1.0.0\"), place: Pump(2), trigger: At(\"100s\"), duration: \"2s\"),
          (kind: Exchanged(version: \"2.0.0\"), place: Pump(2), trigger: At(\"114s\"), duration: \"1s\")]",
    );
    assert_eq!(report.pumps[1].attempts, 1, "the second campaign leaves it alone");
    assert_eq!((back(&report).verdict, back(&report).n), (RowVerdict::Pass, 2), "{:?}", back(&report));
}

/// The CIOC is away from the end of pump 2's update on; as it is back, its search misses pump 1.
#[test]
fn a_search_that_misses_a_pump_makes_no_campaign_end_later() {
    let with = |away: &str| {
        report(&format!(
            "end: At(\"5min\"), faults: [
              (kind: PowerCut, place: Cioc, trigger: When(pump: 2, phase: Status), duration: \"65s\") {away}]"
        ))
    };
    assert_eq!(back(&with("")).verdict, RowVerdict::Fail, "nobody commands the pumps for 65 s");
    let away = with(", (kind: Unplugged, place: Pump(1), trigger: When(pump: 2, phase: Status), duration: \"85s\")");
    assert_eq!(back(&away).verdict, RowVerdict::Fail, "{:?}", back(&away));
    let value = back(&away).measured.map(|value| value.to_string().parse::<f64>().expect("a number"));
    assert!(value.is_some_and(|value| value > 65_000.0), "{:?}", back(&away));
}

/// All die, and a search by hand revives them: they were no good pumps of the campaign in which they died.
#[test]
fn a_pump_that_is_revived_owes_nothing_to_the_campaign_that_it_died_in() {
    let with = |fails: &str| {
        report(&format!(
            "user: (consent: Agree(after: \"5s\"), manual_searches: [\"150s\"]), end: At(\"5min\"),
             faults: [(kind: FlashProgramFailure(operations: 0), place: AllPumps, trigger: At(\"1s\") {fails})]"
        ))
    };
    let dead = with("");
    assert_eq!((back(&dead).verdict, back(&dead).n), (RowVerdict::Inconclusive, 0), "{:?}", back(&dead));
    let revived = with(", duration: \"140s\"");
    assert!(revived.pumps.iter().all(|pump| pump.outcome == reports::Outcome::Updated && pump.attempts == 4));
    assert_eq!((back(&revived).verdict, back(&revived).n), (RowVerdict::Pass, 1), "{:?}", back(&revived));
}

/// Pump 3 needs nothing, and is gone when the campaign ends; a search by hand misses it.
#[test]
fn a_search_by_hand_that_misses_a_pump_takes_it_out_of_no_return() {
    let report = report(
        "pumps: (count: 3, overrides: [(pump: 3, version: Some(\"2.0.0\"))]), end: At(\"4min\"),
         user: (consent: Agree(after: \"5s\"), manual_searches: [\"60s\"]),
         faults: [(kind: Unplugged, place: Pump(3), trigger: When(pump: 2, phase: Status))]",
    );
    assert_eq!(back(&report).verdict, RowVerdict::Fail, "{:?}", back(&report));
}

/// The last pump is off the bus from its reset to the end of the campaign, and comes back whole.
#[test]
fn a_pump_that_comes_back_whole_and_is_never_read_is_updated_and_no_pass() {
    let with = |duration: &str| {
        report(&format!(
            "end: At(\"6min\"),
             faults: [(kind: Unplugged, place: Pump(2), trigger: When(pump: 2, phase: Status), duration: \"{duration}\")]"
        ))
    };
    let back = with("85s");
    assert_eq!(back.pumps[1].outcome, reports::Outcome::Updated);
    assert_eq!(check(&back, "every_boot_searches").verdict, RowVerdict::Inconclusive);
    assert_ne!(back.verdict, Verdict::Pass);
    let gone = with("1h");
    assert_eq!(gone.pumps[1].outcome, reports::Outcome::SetAside, "nobody has heard of it since");
    assert_eq!(check(&gone, "every_boot_searches").verdict, RowVerdict::Pass);
}

/// The CIOC hangs as the last pump is about to be good, and hears of it only after its try: the log tells a failed one.
#[test]
fn an_update_whose_good_end_is_not_logged_is_looked_at_from_the_pump_s_own_records() {
    let report = report(
        "end: At(\"6min\"),
         faults: [(kind: Hang, place: Cioc, trigger: When(pump: 2, phase: Status), duration: \"100s\")]",
    );
    assert_eq!(report.pumps[1].tries.iter().filter(|one| one.outcome == reports::TryOutcome::Updated).count(), 0);
    assert_eq!(report.pumps[1].outcome, reports::Outcome::Updated);
    for id in ["bus_confirms_update_times", "pump_restarts_before_success"] {
        let row = check(&report, id);
        assert!(row.verdict == RowVerdict::Pass && row.n >= 2, "{row:?}");
    }
}

#[test]
fn a_pump_that_was_written_whole_and_is_called_missing_must_return_to_automatic() {
    let report = report(
        "end: At(\"6min\"), faults: [
          (kind: SlowBoot(by: \"90s\"), place: Pump(2), trigger: When(pump: 2, phase: Transfer)),
          (kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Status))]",
    );
    let row = report.budgets.iter().find(|row| row.id == "back-to-automatic").expect("it");
    assert_ne!(row.verdict, RowVerdict::Pass, "{row:?}");
    assert_eq!(report.pumps[1].outcome, reports::Outcome::Updated, "it was written to in this run");
}

// Searches by hand.

#[test]
fn a_search_by_hand_that_reached_nobody_is_missing() {
    let missing = |searches: &str, faults: &str| {
        let report = report(&format!(
            "user: (consent: Agree(after: \"5s\"), manual_searches: [{searches}]), end: At(\"2min\"), faults: [{faults}]"
        ));
        let row = report.injections.iter().find(|row| row.kind == "manual-search").expect("it").missing;
        (row, report.verdict)
    };
    assert_eq!(missing("\"60s\", \"90s\"", ""), (0, Verdict::Pass));
    assert_eq!(missing("\"1s\", \"60s\"", ""), (1, Verdict::Inconclusive), "the CIOC was booting");
    let reset = "(kind: Reset, place: Cioc, trigger: At(\"20500ms\"))";
    assert_eq!(missing("\"20s\", \"60s\"", reset).0, 1, "the restart forgot what waited for the campaign");
    let hang = "(kind: Hang, place: Cioc, trigger: At(\"69s\"), duration: \"8s\")";
    assert_eq!(missing("\"60s\", \"70s\"", hang).0, 0, "it waits until the CPU goes on");
}

/// Three resets in the transfer: the pump dies. A search by hand while the campaign still runs, before or after its death.
const DIES: &str = "(kind: Reset, place: Pump(1), trigger: When(pump: 1, phase: Transfer, progress: \"50%\"),
    repeat: (count: 3))";

#[test]
fn a_search_by_hand_revives_the_dead_as_it_begins_and_a_restart_forgets_it() {
    for faults in [DIES.to_owned(), format!("{DIES}, (kind: Reset, place: Cioc, trigger: At(\"60100ms\"))")] {
        for pressed in ["40s", "50s", "60s", "65s"] {
            let report = report(&format!(
                "user: (consent: Agree(after: \"5s\"), manual_searches: [\"{pressed}\"]), end: At(\"4min\"),
                 faults: [{faults}]"
            ));
            let failed: Vec<_> = report.checks.iter().filter(|row| row.verdict == RowVerdict::Fail).collect();
            let failed: Vec<_> = failed.iter().filter(|row| row.id != "every_pump_ends_as_stated").collect();
            assert!(failed.is_empty(), "{pressed}: {failed:?}");
            assert_eq!(check(&report, "dead_pumps_stay_dead_and_are_named").verdict, RowVerdict::Pass, "it died");
        }
    }
}

// What excuses a status that does not come.

#[test]
fn a_bit_that_flips_in_a_pump_that_runs_its_new_image_is_no_lie_of_the_progress() {
    let report =
        report("faults: [(kind: BitFlipAtRest(bits: 1), place: Pump(1), trigger: When(pump: 2, phase: Transfer))]");
    assert_eq!(check(&report, "progress_is_true").verdict, RowVerdict::Pass);
}

#[test]
fn a_pump_that_boots_for_long_after_its_failed_try_owes_no_speed() {
    let report = report(
        "pumps: (count: 2, overrides: [(pump: 1, boot: Some(\"15s\"))]),
         budgets: [(id: \"pump-update\", measure: PumpUpdate, relation: Below, limit: \"60s\")], faults: []",
    );
    assert_ne!(check(&report, "others_run_at_80_percent").verdict, RowVerdict::Fail);
}

#[test]
fn a_yes_counts_by_the_clock_of_the_cioc() {
    let consent = |after: &str, drift: &str| {
        let report = report(&format!(
            "user: (consent: Agree(after: \"{after}\")), timing: (cioc_clock_drift: \"{drift}\"), faults: []"
        ));
        check(&report, "no_write_without_consent").verdict
    };
    assert_eq!(consent("600030ms", "-100ppm"), RowVerdict::Pass);
    assert_ne!(consent("600030ms", "0ppm"), RowVerdict::Fail);
}

/// The question stands for less than ten minutes by the clock of the CIOC: later, nothing is owed and nothing left open.
#[test]
fn a_yes_at_exactly_ten_minutes_is_late_and_judged() {
    let drifts = "faults: [(kind: ClockDrift(by: \"100ppm\"), place: Cioc, trigger: At(\"0s\"))]";
    for (after, more) in [("600s", ""), ("599970ms", "timing: (cioc_clock_drift: \"100ppm\")"), ("599970ms", drifts)] {
        let report =
            report(&format!("user: (consent: Agree(after: \"{after}\")), expectations: [Consent(Late)], {more}"));
        let open: Vec<_> = report.checks.iter().filter(|row| row.verdict == RowVerdict::Inconclusive).collect();
        assert!(open.is_empty(), "{after}: {open:?}");
        assert_eq!(
            check(&report, "no_write_without_consent").verdict,
            RowVerdict::Pass,
            "it was asked and not agreed to"
        );
    }
}

#[test]
fn the_time_left_may_rise_while_what_cost_time_is_waited_for() {
    let text = "(pumps: (count: 3), package: (image: (length: \"48KiB\")),
        faults: [(kind: Unplugged, place: Pump(2), trigger: When(pump: 1, phase: Status), duration: \"9s\")])";
    let loaded = load(&Text(text.to_owned()), Path::new("judged.ron"), &[]).unwrap_or_else(|_| panic!("it loads"));
    let run = run::run(&loaded.scenario, None, |_| {});
    let row = check(&run::report(&loaded, &run, &identity()), "progress_is_true").clone();
    assert_eq!((row.verdict, row.detail.as_str()), (RowVerdict::Pass, ""));
}

// Units that are exchanged after their good update.

/// Pump 1 is exchanged, by default while pump 2 is in its transfer: it was updated before that.
fn exchanged(trigger: &str, more: &str) -> String {
    let fault = format!("(kind: Exchanged(version: \"1.0.0\"), place: Pump(1), trigger: {trigger}, duration: \"1s\")");
    format!("end: At(\"3min\"), faults: [{fault}, {more}]")
}

const LATER: &str = "When(pump: 2, phase: Transfer)";

fn broken_checks(report: &Report) -> Vec<&str> {
    let broken = report.checks.iter().filter(|row| row.verdict == RowVerdict::Fail);
    broken.map(|row| row.id.as_str()).collect()
}

#[test]
fn a_unit_exchanged_after_its_good_update_owes_nothing_until_a_search_reads_it() {
    // Nobody has told of the unit that is there: that has to be stated.
    let stated = "expectations: [Outcome(pumps: Only([1]), is: NotReached)],";
    let never_read = report(&format!("{stated} {}", exchanged(LATER, "")));
    assert_eq!((broken_checks(&never_read), never_read.verdict), (vec![], Verdict::Pass));
    assert_eq!(never_read.pumps[0].outcome, reports::Outcome::NotReached);
    assert_eq!(broken_checks(&report(&exchanged(LATER, ""))), ["every_pump_ends_as_stated"]);
    let told = check(&never_read, "told_versions_are_true");
    let left_out = "P01 left out: exchanged after it was truly told good, and not read since";
    assert_eq!([&told.detail, &check(&never_read, "progress_is_true").detail], [left_out; 2]);
    assert_eq!(told.n, 3, "both as they were told, and pump 2 at the end");

    let by_hand = "user: (consent: Agree(after: \"5s\"), manual_searches: [\"60s\"]),";
    let read = report(&format!("{by_hand} {}", exchanged(LATER, "")));
    assert_eq!((broken_checks(&read), read.verdict), (vec![], Verdict::Pass));
    assert_eq!(check(&read, "told_versions_are_true").detail, "", "it was updated, too");
    let reset = "(kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Status))";
    let resumed = report(&exchanged(LATER, reset));
    assert_eq!((broken_checks(&resumed), resumed.verdict), (vec![], Verdict::Pass));
    assert_eq!(check(&resumed, "told_versions_are_true").detail, "", "the search after the restart came upon it");
}

/// The CIOC is reset at 21.3 s, searches from 23.3 s on, and tells what it has read at 23.439 s; it stops shortly before.
#[test]
fn a_new_unit_that_was_read_and_could_not_be_told_of_leaves_what_was_told_open() {
    let stopped = |at: &str, end: &str| {
        let more = format!(
            "(kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Status)),
             (kind: Hang, place: Cioc, trigger: At(\"{at}\"), duration: \"60s\")"
        );
        let report = report(&exchanged(LATER, &more).replace("3min", end));
        let told = check(&report, "told_versions_are_true");
        (told.verdict, told.detail.contains("P01 left out: exchanged"))
    };
    assert_eq!(stopped("23200ms", "60s"), (RowVerdict::Pass, true), "not read");
    for end in ["23438ms", "30s", "70s"] {
        let verdict = stopped("23437ms", end);
        assert_eq!(verdict, (RowVerdict::Inconclusive, true), "{end}: read, and nothing could be told");
    }
    assert_eq!(stopped("23437ms", "3min"), (RowVerdict::Pass, false), "it goes on");
}

/// What the checks say of a run after which the CIOC tells more, at some time in ms: how a check was broken.
fn after_lies(scenario: &str, ms: u64, lies: &[OrchestratorRecord], id: &str) -> Option<String> {
    let mut twin = build(&loaded(scenario).scenario, None);
    let now = SimTime::ZERO + Span::from_millis(ms);
    twin.run_until(now);
    let mut checks = twin.world.remove_resource::<Scoped<Checks>>().expect("the checks");
    assert!(checks.rows().all(|row| row.broken.is_none()), "nothing is wrong before the lie");
    for lie in lies {
        checks.see(&mut twin.world, now, &lie.clone().into());
    }
    checks.finish(&mut twin.world, now);
    let row = checks.rows().find(|row| row.id == id).expect("the check");
    row.broken.clone().map(|(_, why)| why)
}

fn notices<const N: usize>(notices: [Notice; N]) -> [OrchestratorRecord; N] {
    notices.map(OrchestratorRecord::Notice)
}

fn entry(event: Event, pump: Option<u8>) -> Notice {
    let pump = pump.and_then(PumpNumber::new);
    Notice::Log(LogEntry { sequence: 1, at_ms: 0, event, pump, attempt: 1, cause: None })
}

/// The campaign ends, and tells of 100 %.
fn all_good() -> [OrchestratorRecord; 3] {
    notices([
        entry(Event::CampaignFinished, None),
        Notice::Progress { percent: 100, remaining: None, cause: None },
        Notice::CampaignFinished { errors: false },
    ])
}

/// Pump 2 is in its transfer at 20.1 s, when pump 1 is exchanged, and is done at 21.6 s.
#[test]
fn an_exchange_excuses_only_the_pump_that_was_good_before_it() {
    const ID: &str = "progress_is_true";
    let of_pump_1 = Some("the campaign ended at 100 %, and P01 was tried and does not hold the image".to_owned());
    // In its try, from 8.0 s to 14.0 s.
    let within = exchanged("When(pump: 1, phase: Transfer)", "");
    assert_eq!(after_lies(&within, 13_500, &all_good(), ID), of_pump_1);
    // The image runs from 13.926 s on, and nobody has told of it.
    assert_eq!(after_lies(&exchanged("At(\"13950ms\")", ""), 13_980, &all_good(), ID), of_pump_1);
    // The other one is not done.
    let other = after_lies(&exchanged(LATER, ""), 20_200, &all_good(), ID);
    assert_eq!(other, of_pump_1.as_ref().map(|text| text.replace("P01", "P02")));
    // A restart owes a search before the campaign goes on, whether it reads the unit or not.
    let restarted =
        [OrchestratorRecord::Started, notices([Notice::CampaignStarted { pumps: 1, resumed: true }])[0].clone()];
    let unread = [&restarted[..], &all_good()].concat();
    let hung = exchanged(LATER, "(kind: Hang, place: Cioc, trigger: At(\"21700ms\"))");
    assert_eq!(after_lies(&hung, 22_000, &unread, ID), of_pump_1);
    assert_eq!(after_lies(&hung, 22_000, &all_good(), ID), None, "without a restart nothing had to be read");
    // Read: the campaign that the restart cut off goes on at 23.4 s.
    let reset = exchanged(LATER, "(kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Status))");
    assert_eq!(after_lies(&reset, 24_000, &all_good(), ID), of_pump_1);
}

#[test]
fn what_is_told_after_an_exchange_is_told_of_the_new_unit() {
    const ID: &str = "told_versions_are_true";
    let pump = PumpNumber::new(1).expect("a pump number");
    let outcome = |outcome| notices([Notice::Outcome { pump, outcome }]);
    let lie = |told: &str| {
        Some(format!("the CIOC tells that P01 is {told}, its flash holds 1.0.0 and not the image of the package"))
    };
    let later = exchanged(LATER, "");
    assert_eq!(after_lies(&later, 30_000, &[], ID), None, "nothing was told since");
    assert_eq!(after_lies(&later, 30_000, &outcome(Outcome::Updated), ID), lie("updated"));
    assert_eq!(after_lies(&later, 30_000, &outcome(Outcome::UpToDate), ID), lie("up to date"));
    let finished = notices([entry(Event::UpdateFinished, Some(1))]);
    assert_eq!(after_lies(&later, 30_000, &finished, ID), lie("updated"));
    // A search by hand reads all pumps: what stands after it goes for the unit that is there.
    let searched = notices([Notice::Searching { manual: true }]);
    assert_eq!(after_lies(&later, 30_000, &searched, ID), lie("updated"));
    // Read after the restart, at 23.4 s, and told of once more as if nothing had been read.
    let reset = exchanged(LATER, "(kind: Reset, place: Cioc, trigger: When(pump: 2, phase: Status))");
    assert_eq!(after_lies(&reset, 24_000, &outcome(Outcome::Updated), ID), lie("updated"));
    // Exchanged before its try, which is told to be good without a write.
    let before = exchanged("At(\"5s\")", "");
    assert_eq!(after_lies(&before, 7_500, &finished, ID), lie("updated"));
    // Exchanged within its try.
    let within = exchanged("When(pump: 1, phase: Transfer)", "");
    assert_eq!(after_lies(&within, 13_500, &finished, ID), lie("updated"));
}
