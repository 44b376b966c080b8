//! The sweep of power cuts: complete, sound where it merges, independent of threads, and able to find what is wrong.

mod common;

use std::num::NonZero;
use std::sync::OnceLock;

use cooltwin::event::Twin;
use cooltwin::hosts::flash::{Flash, Planted};
use cooltwin::hosts::image::{self, Image};
use cooltwin::node::{NodeId, Nodes};
use cooltwin::run::Identity;
use cooltwin::scenario::{Fault, Loaded, Moment, Trigger};
use cooltwin::sweep::engine::{Options, Space, Swept, sweep};
use cooltwin::sweep::judge::{Class, judge};
use cooltwin::sweep::power_cut::{Outage, PowerCuts, TwoCuts};
use cooltwin::sweep::report::{Head, report};
use cooltwin::sweep::survey::Survey;
use cooltwin::sweep::{Slot, Trunk};
use protocol::header::ModelId;
use pump::FlashCommand;
use pump::flash_map::{MARKER, MARKER_ADDRESS, SECTORS};
use reports::RowVerdict;
use reports::sweep::{SweepReport, SweepVerdict, sweep_html, sweep_text};

const PUMP: u8 = 1;

/// An update of pump 1 with 1 KiB: two blocks of 512 bytes, so that there are several.
fn base() -> Loaded {
    let short = ["package.image.length=1KiB", "protocol.block_len=512B", "end=AfterCampaign(\"1s\")"];
    common::loaded(&common::shipped("sweeps/small.ron"), &short)
}

fn survey(base: &Loaded) -> Survey {
    let trunk = Trunk::new(base, &[Slot::Time]).expect("a trunk");
    let (survey, run) = Survey::of(&trunk, PUMP);
    assert!(survey.is_whole(&run));
    survey
}

fn space(base: &Loaded) -> PowerCuts {
    PowerCuts::new(base, PUMP, survey(base), Outage::default()).expect("a space")
}

fn options(jobs: usize) -> Options {
    let jobs = NonZero::new(jobs).expect("not zero");
    Options { sample: None, seed: 1, jobs, control_permille: 10, merge: true }
}

fn run(space: &dyn Space, options: &Options) -> Swept {
    sweep(space, options, &|_, _, _| {})
}

fn good(swept: &Swept) -> bool {
    swept.standings.iter().all(|standing| standing.class.is_good())
}

#[test]
fn every_cut_of_a_small_update_leaves_a_pump_that_is_updated_within_three_tries() {
    let base = base();
    let (survey, space) = (survey(&base), space(&base));
    assert_eq!(survey.operations.len(), SECTORS as usize + 1024 / 4 + 1, "sectors, words, marker");
    assert!(survey.steps.len() > 40, "{} steps", survey.steps.len());
    assert_eq!(space.len(), 3 * survey.operations.len() + 3 * survey.steps.len());
    let swept = run(&space, &options(2));
    assert_eq!(swept.standings.len(), space.len(), "no strike is dropped");
    assert!(good(&swept), "{:?}", swept.outcomes.iter().find(|(_, outcome)| !outcome.class.is_good()));
    assert!(swept.standings.iter().all(|standing| swept.outcomes.contains_key(&standing.leader)));
    // Words of one block go on alike after a cut; the two blocks' cuts do not.
    assert!(swept.merged() > 2 * survey.operations.len(), "{} merged", swept.merged());
    assert!(swept.controls * 100 >= swept.merged() && swept.mismatches.is_empty(), "{:?}", swept.mismatches);
    let programs = swept.count(4, Class::NextTry);
    assert_eq!(programs, 1024 / 4, "each torn word costs its try, and the next one ends well");
}

/// What merging claims, in full: each merged strike comes out as its leader, to the last bit of the state at the end.
#[test]
fn every_merged_strike_ends_in_the_state_of_its_class_when_it_is_run_out() {
    let base = base();
    let space = space(&base);
    let merged = run(&space, &options(2));
    let alone = run(&space, &Options { merge: false, ..options(2) });
    assert_eq!((alone.merged(), alone.outcomes.len()), (0, space.len()));
    for standing in &merged.standings {
        let (own, class) = (&alone.outcomes[&standing.strike], &merged.outcomes[&standing.leader]);
        assert!(own.digest.is_some() && own == class, "{}: {own:?}, {class:?}", space.strike(standing.strike).name);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let base = base();
    let space = space(&base);
    let options_of = |jobs| Options { sample: Some(200), ..options(jobs) };
    let [one, three] = [1, 3].map(|jobs| run(&space, &options_of(jobs)));
    assert_eq!(one.standings, three.standings);
    assert_eq!((one.outcomes, one.controls), (three.outcomes, three.controls));
    assert_eq!(one.standings.len(), 200);
}

#[test]
fn a_sample_has_strikes_of_every_stratum_and_follows_its_seed() {
    let base = base();
    let space = space(&base);
    let numbers = |seed| {
        let swept = run(&space, &Options { sample: Some(60), seed, merge: false, ..options(2) });
        let strata: std::collections::BTreeSet<usize> = swept.standings.iter().map(|one| one.stratum).collect();
        assert_eq!((swept.standings.len(), strata.len()), (60, space.strata().len()));
        swept.standings.iter().map(|one| one.strike).collect::<Vec<_>>()
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
}

#[test]
fn after_two_cuts_in_a_row_the_third_try_ends_well() {
    let base = base();
    let space = TwoCuts::new(&base, PUMP, survey(&base), Outage::default(), 40, 7).expect("a space");
    assert_eq!(space.size(), (3 * 261 - 1) * (3 * 261), "after the marker no try follows");
    let swept = run(&space, &options(2));
    assert_eq!(swept.standings.len(), 40);
    assert!(good(&swept), "{:?}", swept.outcomes.iter().find(|(_, outcome)| !outcome.class.is_good()));
    let later = swept.standings.iter().filter(|one| one.class == Class::LaterTry).count();
    assert!(later > 30, "{later} needed the third try");
}

/// Held against the flash operations of each pair's own run: the second cut is at the operation that its name says.
#[test]
fn a_second_cut_is_at_the_named_operation_of_the_next_try() {
    let (base, outage) = (base(), Outage::default().least);
    let seen = survey(&base).operations;
    let space = TwoCuts::new(&base, PUMP, survey(&base), Outage::default(), 80, 3).expect("a space");
    let nth = |fault: &Fault| match &fault.trigger {
        Trigger::FlashOperation(operation) => (operation.nth as usize, operation.moment.clone()),
        other => panic!("{other:?}"),
    };
    let mut joined = 0;
    for number in 0..space.len() {
        let strike = space.strike(number);
        let [(first, moment), (second, _)] = [nth(&strike.faults[0]), nth(&strike.faults[1])];
        let words: Vec<&str> = strike.name.split(' ').collect();
        let named: usize = words[words.len() - 5].parse().expect("a number before `of the next try`");
        joined += usize::from(moment == Moment::After && second - named == first + 1);
        let forked = space.trunk().forked("pair", &strike.faults).expect("a scenario");
        let (run, _) = Survey::of(&Trunk::new(&forked, &[]).expect("a trunk"), PUMP);
        let begin = &run.operations[second - named];
        assert_eq!(begin.command, seen[0].command, "{}", strike.name);
        assert!(begin.begun >= run.operations[first - 1].begun + outage, "{}", strike.name);
        assert_eq!(run.operations[second - 1].command, seen[named - 1].command, "{}", strike.name);
    }
    assert!(joined > 5, "{joined} cuts after an operation find the next one begun");
}

/// The run ends when the pump is updated and not yet back in automatic mode: the time of the try is known, and another budget
/// is open.
#[test]
fn a_row_left_open_is_not_taken_for_a_try_that_could_not_be_timed() {
    let ends = |end: &str| {
        let small = ["package.image.length=1KiB", "expectations=[Outcome(pumps: Only([1]), is: Updated)]"];
        let end = format!("end=At(\"{end}\")");
        let overrides = [&small[..], &[end.as_str()]].concat();
        let loaded = common::loaded(&common::shipped("sweeps/small.ron"), &overrides);
        let mut run = cooltwin::run::run(&loaded.scenario, None, |_| {});
        let report = cooltwin::run::report(&loaded, &run, &Identity::default());
        (report, judge(&loaded, &mut run, PUMP))
    };
    let (report, whole) = ends("30s");
    assert_eq!(whole.class, Class::SameTry, "{whole:?}");
    let updated = &report.pumps[0].tries[0];
    let after_ms = (updated.start_ms.as_nanos() + updated.duration().as_nanos()) / 1_000_000 + 20;
    let (report, cut_short) = ends(&format!("{after_ms}ms"));
    assert_eq!(report.budget("pump-update").expect("it").verdict, RowVerdict::Pass);
    assert_eq!(report.budget("back-to-automatic").expect("it").verdict, RowVerdict::Inconclusive);
    assert_eq!(cut_short.class, Class::Invalid, "{cut_short:?}");
    assert!(cut_short.complaints.contains(&"budget back-to-automatic was not measured".to_owned()), "{cut_short:?}");
}

#[test]
fn a_strike_that_says_nothing_is_not_called_bad() {
    let base = base();
    let space = space(&base);
    let mut swept = run(&space, &Options { sample: Some(20), merge: false, ..options(2) });
    let first = swept.standings[0].strike;
    swept.standings[0].class = Class::Invalid;
    swept.outcomes.get_mut(&first).expect("an outcome").class = Class::Invalid;
    let head = Head {
        sweep: "power-cut",
        options: String::new(),
        command: String::new(),
        pump: Some(PUMP),
        seed: 1,
        trunk: String::new(),
    };
    let report = report(&base, head, &Identity::default(), &[("one cut", &space, &swept)]);
    let text = sweep_text(&report);
    assert_eq!(report.verdict, SweepVerdict::Inconclusive);
    assert!(text.contains(&format!("  SAYS NOTHING  strike {first}, ")) && !text.contains("BAD"), "{text}");
    assert!(text.ends_with("INCONCLUSIVE  1 of 20 strikes says nothing\n"), "{text}");
    let page = sweep_html(&report);
    assert!(
        page.contains("<title>INCONCLUSIVE: power-cut of ") && page.contains("1 of 20 strikes says nothing."),
        "{page}"
    );
    assert_eq!(page.matches("1 not</span>").count(), 1, "{page}");
    assert_eq!(SweepReport::from_json(&report.json()).as_ref(), Ok(&report));
}

// Planted defects: the product's sources hold none of them.

static IMAGE: OnceLock<Image> = OnceLock::new();

/// What the CIOC holds.
fn new_image() -> Image {
    let base = base();
    let spec = &base.scenario.package.image;
    image::made_up(spec.seed, ModelId(1), spec.version.to_header(), spec.length.bytes() as usize)
}

/// Sees the whole new image and its marker wherever the real bootloader looks, once the erase is over: as one that
/// writes its marker first and checks no sum.
fn trusts_its_marker(flash: &Flash, address: u32, into: &mut [u8]) -> bool {
    if flash.operations <= u64::from(SECTORS) {
        return false;
    }
    let image = IMAGE.get_or_init(new_image);
    let marker = MARKER.to_le_bytes();
    for (at, byte) in (address..).zip(into.iter_mut()) {
        let of_marker = at.checked_sub(MARKER_ADDRESS).and_then(|offset| marker.get(offset as usize));
        *byte = of_marker.or(image.get(at as usize)).copied().unwrap_or(0xFF);
    }
    true
}

/// The same, but only after a cut in the middle of operation 100: one strike among hundreds.
fn trusts_its_marker_once(flash: &Flash, address: u32, into: &mut [u8]) -> bool {
    flash.torn == 1 && flash.operations == 100 && trusts_its_marker(flash, address, into)
}

fn reads_truly(_: &Flash, _: u32, _: &mut [u8]) -> bool {
    false
}

fn commands_truly(_: &Flash, command: FlashCommand) -> FlashCommand {
    command
}

/// After the first try it takes the first sector for erased and erases the second again.
fn saves_an_erase(flash: &Flash, command: FlashCommand) -> FlashCommand {
    match command {
        FlashCommand::Erase { sector: 0 } if flash.operations > 0 => FlashCommand::Erase { sector: 1 },
        other => other,
    }
}

static MARKER_FIRST: Planted = Planted { read: trusts_its_marker, command: commands_truly };
static MARKER_FIRST_ONCE: Planted = Planted { read: trusts_its_marker_once, command: commands_truly };
static ERASE_SAVED: Planted = Planted { read: reads_truly, command: saves_an_erase };

fn plant(twin: &mut Twin, defect: &'static Planted) {
    let entity = twin.world.resource::<Nodes>().entity(NodeId::new(PUMP));
    twin.world.get_mut::<Flash>(entity).expect("a flash").planted = Some(defect);
}

#[test]
fn a_bootloader_that_trusts_its_marker_is_found_to_start_partial_images() {
    let base = base();
    let space = space(&base).planted(|twin| plant(twin, &MARKER_FIRST));
    let swept = run(&space, &options(2));
    let dangerous = swept.standings.iter().filter(|one| one.class == Class::Dangerous).count();
    assert!(dangerous > 3 * 200, "{dangerous} strikes start a partial image");
    let outcome = swept.outcomes.values().find(|outcome| outcome.class == Class::Dangerous).expect("one");
    assert!(outcome.complaints.iter().any(|words| words.contains("only_whole_images_are_started")), "{outcome:?}");
}

#[test]
fn one_bad_strike_among_all_is_found() {
    let base = base();
    let space = space(&base).planted(|twin| plant(twin, &MARKER_FIRST_ONCE));
    let swept = run(&space, &options(2));
    let bad: Vec<_> = swept.standings.iter().filter(|one| !one.class.is_good()).collect();
    let [one] = bad[..] else { panic!("{} bad strikes", bad.len()) };
    assert_eq!(space.strike(one.strike).name, "Middle flash operation 100");
    assert_eq!(one.class, Class::Dangerous);
}

#[test]
fn a_bootloader_that_saves_an_erase_is_found_to_lose_its_pump() {
    let base = base();
    let space = space(&base).planted(|twin| plant(twin, &ERASE_SAVED));
    let swept = run(&space, &Options { sample: Some(120), ..options(2) });
    let lost = swept.standings.iter().filter(|one| one.class == Class::NotUpdated).count();
    assert!(lost > 30, "{lost} strikes lose the pump");
    let words: Vec<&String> = swept.outcomes.values().flat_map(|outcome| &outcome.complaints).collect();
    assert!(words.iter().any(|words| words.contains("no_write_to_unerased_flash")), "{words:?}");
}
