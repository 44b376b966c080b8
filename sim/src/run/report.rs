//! From a run that has ended to its [`Report`].

use reports::{
    Assumption, Budget, Build, Bus, BusNode, Campaign, Check, Consent, Extremes, Fingerprint, Fixed, Injection, Level,
    Millis, Outcome, Phase, Plant, Power, Pump, Relation, Report, RowVerdict, Schema, Series, Side, Standing, Step,
    Try, TryOutcome, Verdict,
};

use super::{Ending, Run, classes, expectations, idle, safety, safety_units, traffic};
use crate::bus;
use crate::checks::{Checks, END_IDS, Truth, Wanted, promises_no_write};
use crate::faults::Faults;
use crate::hosts::flash::Flash;
use crate::hosts::safety::Units;
use crate::kernel::{Scoped, SimTime, Span};
use crate::measure::series::Curve;
use crate::measure::timeline::{PumpHistory, Question, TryEnd};
use crate::measure::updates::Unlogged;
use crate::measure::{Measures, START_UP};
use crate::node::{NodeId, Nodes};
use crate::scenario::{self, Loaded, Scenario};
use crate::{plant, power};

/// Which program makes a report; never part of a fingerprint.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Version of cooltwin.
    pub version: String,
    /// Commit of its sources, or `unknown`.
    pub commit: String,
    /// Version of the compiler.
    pub rustc: String,
}

impl Identity {
    /// As reports name it.
    #[must_use]
    pub(crate) fn build(&self) -> Build {
        Build { version: self.version.clone(), commit: self.commit.clone(), rustc: self.rustc.clone() }
    }
}

pub(super) fn millis(span: Span) -> Millis {
    Millis::from_nanos(span.as_nanos())
}

pub(super) fn at(time: SimTime) -> Millis {
    Millis::from_nanos(time.as_nanos())
}

/// The report of a run.
#[must_use]
pub fn report(loaded: &Loaded, run: &Run, identity: &Identity) -> Report {
    let scenario = &loaded.scenario;
    let measures = run.twin.world.resource::<Measures>();
    let mut budgets = budgets(scenario, run, measures);
    budgets.extend(safety::budgets(scenario, run));
    let checks = checks(scenario, run, measures);
    let judge = classes::Judge { run, measures, budgets: &budgets, checks: &checks };
    let mut report = Report {
        schema: Schema::Result1,
        scenario: reports::Scenario {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            sha256: scenario.sha256(),
            resolved: scenario.resolved_text(),
            overrides: loaded.overrides.clone(),
        },
        inputs: loaded.inputs.iter().map(scenario::Input::told).collect(),
        seed: scenario.seed,
        seed_unused: scenario.draws_nothing(),
        simulated_ms: at(run.end),
        verdict: Verdict::Error,
        budgets: budgets.clone(),
        checks: checks.clone(),
        expectations: Vec::new(),
        pumps: pumps(scenario, run, measures),
        campaign: scenario.campaign.then(|| campaign(measures)),
        safety_frames: None,
        safety_units: safety_units::told(scenario, run),
        bus: bus_report(scenario, run, measures),
        power: power_report(run),
        plant: plant_report(run),
        injections: injections(scenario, &judge),
        series: series(scenario, run, measures),
        assumptions: assumptions(scenario, run),
        events: None,
        fingerprint: fingerprint(run),
        build: identity.build(),
    };
    expectations::judge(scenario, run, &mut report);
    report
}

/// Measured values of a budget: each with the place where it was measured and its steps.
pub(super) struct Sample {
    value: Fixed,
    place: String,
    steps: Vec<Step>,
    /// How many values it is the worst of.
    of: u64,
}

impl Sample {
    pub(super) fn plain(value: Fixed, place: &str) -> Self {
        Self { value, place: place.to_owned(), steps: Vec::new(), of: 1 }
    }

    pub(super) fn worst_of(self, of: u64) -> Self {
        Self { of, ..self }
    }
}

fn budgets(scenario: &Scenario, run: &Run, measures: &Measures) -> Vec<Budget> {
    scenario.budgets.iter().map(|budget| budget_row(scenario, run, measures, budget)).collect()
}

fn budget_row(scenario: &Scenario, run: &Run, measures: &Measures, spec: &scenario::Budget) -> Budget {
    let relation = relation(&spec.relation);
    let (limit, unit) = limit_value(&spec.limit);
    let low = spec.limit_low.as_ref().map(|low| limit_value(low).0);
    let mut row = Budget::new(&spec.id, relation, limit, low, unit);
    row.requirements = spec.requirements.clone();
    let mut one_by_one = true;
    for sample in samples(run, measures, spec, &row) {
        one_by_one &= sample.of == 1;
        if row.measure_at(&sample.place, sample.value) {
            row.decomposition = sample.steps;
        }
        row.n += sample.of - 1;
    }
    if !one_by_one {
        row.samples.clear();
    }
    row.judge(standing(scenario, spec, measures, row.n));
    if row.n == 0 && row.verdict == RowVerdict::Inconclusive {
        row.r#where = image_refused(run);
    }
    let unseen = |update: &Unlogged| !matches!(unlogged_end(update, run.end), Some(End::Seen(..) | End::Failed(_)));
    let unmeasured = |index: &usize| measures.unlogged(*index).iter().any(unseen);
    if spec.measure == scenario::Measure::PumpUpdate
        && row.verdict == RowVerdict::Pass
        && let Some(index) = (0..measures.timeline.pumps.len()).find(unmeasured)
    {
        row.verdict = RowVerdict::Inconclusive;
        row.r#where = Some(format!("{}: updated, and no end of it was seen", pump_name(index)));
    }
    // What an earlier campaign did says nothing for the last one.
    if spec.measure == scenario::Measure::BackToAutomatic && row.verdict == RowVerdict::Pass && is_not_back(measures) {
        row.verdict = RowVerdict::Inconclusive;
        let what = if measures.timeline.finished.is_none() {
            "it was not over when the run ended"
        } else {
            "not every good pump was back in automatic mode at the end"
        };
        row.r#where = Some(format!("the last campaign: {what}"));
    }
    // Whether a return that nobody saw to its end would have kept the limit is not known.
    if spec.measure == scenario::Measure::BackToAutomatic
        && row.verdict == RowVerdict::Pass
        && let Some(longest) = measures.earlier_returns.lower_bounds.iter().max()
    {
        row.verdict = RowVerdict::Inconclusive;
        let shown = span_words(*longest);
        row.r#where =
            Some(format!("an earlier campaign: a good pump was not back after {shown}, when the next took it"));
    }
    row
}

/// Why no pump can take the image that the CIOC holds, if that is so.
fn image_refused(run: &Run) -> Option<String> {
    let truth = run.twin.world.resource::<Truth>();
    let why = scenario::image_file::header(truth.held.as_ref().filter(|_| truth.campaign && !truth.sound)?).err()?;
    Some(format!("no pump takes the image: {why}"))
}

/// There was a campaign, and the last one was not over when the run ended, or its pumps were not back in automatic mode.
fn is_not_back(measures: &Measures) -> bool {
    measures.timeline.started.is_some() && back_to_automatic(measures).is_none()
}

/// How a budget of a scenario is told in a result.
pub(crate) fn relation(relation: &scenario::Relation) -> Relation {
    match relation {
        scenario::Relation::Below => Relation::Below,
        scenario::Relation::AtMost => Relation::AtMost,
        scenario::Relation::AtLeast => Relation::AtLeast,
        scenario::Relation::Above => Relation::Above,
        scenario::Relation::Between => Relation::Within,
    }
}

pub(crate) fn limit_value(limit: &scenario::words::Limit) -> (Fixed, &'static str) {
    use scenario::words::Limit;
    match limit {
        Limit::Duration(span) => (Fixed::from(millis(*span)), "ms"),
        Limit::Voltage(voltage) => (Fixed::scaled(i64::from(voltage.millivolts()), 0), "mV"),
        Limit::Share(share) => (Fixed::scaled(i64::from(share.permille()), 1), "%"),
        Limit::Flow(flow) => (Fixed::scaled(i64::from(flow.millilitres_per_minute()), 3), "L/min"),
        Limit::Temperature(temperature) => (Fixed::scaled(i64::from(temperature.millicelsius()), 3), "degC"),
    }
}

/// A broken budget that the scenario expects to be broken does not fail the run; one without an occasion in a run
/// without updates is not applicable, nor is one without a value in a run whose every pump is to die. A budget of which
/// anything was measured is judged, whatever is stated.
fn standing(scenario: &Scenario, spec: &scenario::Budget, measures: &Measures, n: u64) -> Standing {
    use scenario::{Expectation, Measure};
    let expected = |expectation: &Expectation| matches!(expectation, Expectation::BudgetFails(id) if *id == spec.id);
    let about_updates = matches!(spec.measure, Measure::PumpUpdate | Measure::BackToAutomatic | Measure::Campaign);
    let no_update = measures.timeline.pumps.iter().all(|pump| pump.tries.is_empty());
    // A campaign has its duration also when all pumps die in it.
    let needs_a_good_pump = matches!(spec.measure, Measure::PumpUpdate | Measure::BackToAutomatic);
    let as_stated = n == 0 && needs_a_good_pump && every_pump_dies_as_stated(scenario, measures);
    if scenario.expectations.iter().any(expected) {
        Standing::ExpectedToFail
    } else if about_updates && (!scenario.campaign || (no_update && promises_no_write(scenario))) || as_stated {
        Standing::NotApplicable
    } else if spec.information {
        Standing::Information
    } else {
        Standing::Required
    }
}

/// Whether the scenario says of every pump that it dies, and every one did: then no pump was ever updated that could be
/// measured, and none is left to go back to automatic mode.
fn every_pump_dies_as_stated(scenario: &Scenario, measures: &Measures) -> bool {
    let stated = |pump: u8| {
        scenario.expectations.iter().any(|expectation| match expectation {
            scenario::Expectation::Outcome(wanted) => {
                wanted.is == scenario::Outcome::Dead && scenario.selected(&wanted.pumps).contains(&pump)
            }
            _ => false,
        })
    };
    let died = measures.timeline.pumps.iter().all(|pump| pump.outcome == orchestrator::Outcome::Dead);
    died && (1..=scenario.pumps.count).all(stated)
}

fn samples(run: &Run, measures: &Measures, spec: &scenario::Budget, row: &Budget) -> Vec<Sample> {
    use scenario::Measure;
    let timeline = &measures.timeline;
    match &spec.measure {
        Measure::PumpUpdate => {
            let logged = timeline.pumps.iter().enumerate().flat_map(update_samples);
            let unlogged = (0..timeline.pumps.len()).flat_map(|pump| unlogged_samples(measures, run.end, row, pump));
            logged.chain(unlogged).collect()
        }
        Measure::BackToAutomatic => {
            let returns = &measures.earlier_returns;
            let earlier = returns.measured.iter().map(|span| (*span, "last pump of an earlier campaign"));
            // A lower bound keeps no limit, and breaks one that it is beyond.
            let late = returns.lower_bounds.iter().filter(|span| is_beyond(row, **span));
            let late = late.map(|span| (*span, "last pump of an earlier campaign, at least"));
            let last = back_to_automatic(measures).map(|span| (span, "last pump"));
            let cut_off = measures.still_away(run.end).filter(|span| is_beyond(row, *span));
            let cut_off = cut_off.map(|span| (span, "last pump, at least: it was not back at the end"));
            let all = earlier.chain(late).chain(last).chain(cut_off);
            all.map(|(span, place)| Sample::plain(millis(span).into(), place)).collect()
        }
        Measure::Campaign => {
            campaign_duration(measures).map(|span| campaign_sample(measures, span)).into_iter().collect()
        }
        Measure::Response(name) => traffic::response_samples(run, measures, name, row),
        Measure::BusLoad => vec![Sample::plain(percent(measures.bus.peak_ppm), "worst 100 ms")],
        Measure::Supply => {
            let nodes = run.twin.world.resource::<Nodes>();
            nodes.iter().flat_map(|(node, _)| supply_samples(run, measures, node)).collect()
        }
        Measure::Flow => {
            let extremes = plant::extremes(&run.twin.world);
            [(extremes.flow_min, "lowest"), (extremes.flow_max, "highest")]
                .map(|(flow, place)| Sample::plain(Fixed::scaled(i64::from(flow), 1), place))
                .into()
        }
        Measure::Coolant => {
            let extremes = plant::extremes(&run.twin.world);
            [(extremes.coolant_min, "coldest"), (extremes.coolant_max, "hottest")]
                .map(|(coolant, place)| Sample::plain(Fixed::scaled(i64::from(coolant.get()), 1), place))
                .into()
        }
    }
}

/// The lowest and the highest voltage at the node's terminals.
fn supply_samples(run: &Run, measures: &Measures, node: NodeId) -> [Sample; 2] {
    let extremes = power::node_extremes(&run.twin.world, node);
    let name = measures.journal.names().node(node);
    [(extremes.min_mv, "lowest"), (extremes.max_mv, "highest")]
        .map(|(mv, which)| Sample::plain(Fixed::scaled(i64::from(mv), 0), &format!("{name}, {which}")))
}

fn percent(ppm: u64) -> Fixed {
    Fixed::scaled(i64::try_from(ppm).unwrap_or(i64::MAX), 4)
}

fn pump_name(index: usize) -> String {
    format!("P{:02}", index + 1)
}

/// One for each good try: a pump that was exchanged and updated once more has two.
fn update_samples((index, pump): (usize, &PumpHistory)) -> impl Iterator<Item = Sample> + '_ {
    let good = pump.tries.iter().filter(|each| each.outcome == TryEnd::Updated);
    good.map(move |good| {
        let phases = good.phases.iter();
        let mut steps: Vec<Step> =
            phases.map(|(phase, begun)| Step { step: phase_name(*phase).to_owned(), at_ms: at(*begun) }).collect();
        steps.push(Step { step: "good status".to_owned(), at_ms: at(good.end) });
        let place = format!("{}, try {}", pump_name(index), good.number);
        Sample { value: millis(good.duration()).into(), place, steps, of: 1 }
    })
}

/// How an update ended whose good end the log does not tell.
enum End {
    /// After this time, and what was seen then.
    Seen(Span, &'static str),
    /// Nobody saw it; its image stood for so long.
    Unseen(Span),
    /// The CIOC found no good status in time and tried again: no update, but it took at least so long.
    Failed(Span),
}

/// PFU-041 runs to the good status: to the first that could come to the CIOC while that was away. A CIOC that was at work,
/// in the try or in a later life, and logged no good end found no good status, however many came: it was good when it told
/// so, as in a try that it waited for, and nobody knows of one that it never told of. Where no status came, it may have read
/// the pump all the same. What service has mended of a pump that was called dead is no time of its update: it is left open.
fn unlogged_end(update: &Unlogged, end: SimTime) -> Option<End> {
    let ran = update.took.filter(|_| !update.repaired)?;
    let seen = update.status.map_or(ran, |status| status.max(ran));
    let is_open = update.given_up || update.status.is_none();
    Some(match update.told {
        Some(told) if is_open => End::Seen(told.max(seen), "until the CIOC told of it"),
        _ if !is_open => End::Seen(seen, "until a status of its image came"),
        _ if update.given_up && update.tried_again => End::Failed(seen),
        _ => {
            let (begun, gone) = update.stood;
            End::Unseen(gone.unwrap_or(end).since(begun))
        }
    })
}

/// The samples of updates whose good end the log does not tell: of one whose end nobody saw, that it took longer than a
/// limit that it is beyond.
fn unlogged_samples(measures: &Measures, end: SimTime, row: &Budget, index: usize) -> Vec<Sample> {
    let unlogged = measures.unlogged(index).into_iter();
    let sample = |update: Unlogged| {
        let (took, until) = match unlogged_end(&update, end)? {
            End::Seen(took, until) => (took, until),
            End::Unseen(least) if is_beyond(row, least) => (least, "at least: nobody saw a good status"),
            End::Failed(least) if is_beyond(row, least) => (least, "at least: it was tried again"),
            End::Unseen(_) | End::Failed(_) => return None,
        };
        let place = format!("{}, try {}, {until}", pump_name(index), update.number);
        Some(Sample::plain(millis(took).into(), &place))
    };
    unlogged.filter_map(sample).collect()
}

/// Whether a time that is a lower bound breaks the limit of a budget: only an upper one.
fn is_beyond(row: &Budget, span: Span) -> bool {
    let span = Fixed::from(millis(span));
    match row.relation {
        Relation::Below | Relation::AtMost => !reports::holds(span, row.relation, row.limit, None),
        Relation::Within => span > row.limit,
        _ => false,
    }
}

fn phase_name(phase: orchestrator::Phase) -> &'static str {
    use orchestrator::Phase;
    match phase {
        Phase::Standby => "standby",
        Phase::EnterBootloader => "enter-bootloader",
        Phase::Session => "session",
        Phase::Security => "security",
        Phase::Erase => "erase",
        Phase::Download => "download",
        Phase::Transfer => "transfer",
        Phase::Exit => "exit",
        Phase::Check => "check",
        Phase::Reset => "reset",
        Phase::StatusCheck => "status",
    }
}

/// From the last pump done to the last good pump in automatic mode.
fn back_to_automatic(measures: &Measures) -> Option<Span> {
    let last = measures.timeline.last_pump_done()?;
    measures.back_to_automatic.map(|automatic| automatic.since(last))
}

/// From consent to the last pump done.
fn campaign_duration(measures: &Measures) -> Option<Span> {
    let timeline = &measures.timeline;
    Some(timeline.last_pump_done()?.since(timeline.consented?))
}

fn campaign_sample(measures: &Measures, span: Span) -> Sample {
    let step = |name: &str, time: Option<SimTime>| time.map(|time| Step { step: name.to_owned(), at_ms: at(time) });
    let timeline = &measures.timeline;
    let first = timeline.pumps.iter().flat_map(|pump| &pump.tries).map(|each| each.start).min();
    let steps = [
        step("consent", timeline.consented),
        step("campaign started", timeline.started),
        step("first try", first),
        step("last try ended", timeline.last_pump_done()),
    ];
    let steps = steps.into_iter().flatten().collect();
    Sample { value: millis(span).into(), place: "campaign".to_owned(), steps, of: 1 }
}

fn checks(scenario: &Scenario, run: &Run, measures: &Measures) -> Vec<Check> {
    let rows = run.twin.world.resource::<Scoped<Checks>>().rows();
    let mut rows: Vec<Check> = rows.map(|row| check_row(measures, row)).collect();
    rows.push(stated_row(scenario, run, measures));
    rows.push(budgets_row(scenario, run, measures));
    rows.extend(safety::checks(scenario, run));
    rows.extend(traffic::check(scenario, run, measures));
    rows.push(ending_row(scenario, run));
    rows
}

fn check_row(measures: &Measures, row: &crate::checks::Row) -> Check {
    let names = measures.journal.names();
    Check {
        id: row.id.to_owned(),
        requirements: row.requirements.iter().map(|id| (*id).to_owned()).collect(),
        n: row.n,
        verdict: row.verdict(),
        detail: row
            .broken
            .as_ref()
            .map_or_else(|| names.put_into(&row.note), |(time, why)| format!("at {time} ms: {}", names.put_into(why))),
    }
}

/// A row that is judged once, at the end: `wanted` as in [`crate::checks::Row`].
fn final_row(id: &str, n: usize, wanted: bool, broken: &[String]) -> Check {
    let requirements =
        END_IDS.iter().find(|(known, _)| *known == id).map_or(&[][..], |(_, requirements)| *requirements);
    judged_row(id, requirements, n as u64, wanted, broken)
}

/// A row of which `n` samples were looked at and what is `broken` was found: `wanted` as in [`crate::checks::Row`].
pub(super) fn judged_row(id: &str, requirements: &[&str], n: u64, wanted: bool, broken: &[String]) -> Check {
    let verdict = match (broken.is_empty(), wanted, n) {
        (false, ..) => RowVerdict::Fail,
        (true, false, 0) => RowVerdict::NotApplicable,
        (true, true, 0) => RowVerdict::Inconclusive,
        (true, ..) => RowVerdict::Pass,
    };
    Check {
        id: id.to_owned(),
        requirements: requirements.iter().map(|id| (*id).to_owned()).collect(),
        n,
        verdict,
        detail: broken.join("; "),
    }
}

/// In a run that wrote to any pump, a pump that ends neither updated nor up to date must be one that the scenario says
/// so of: a pump that is lost without a word is no pass.
fn stated_row(scenario: &Scenario, run: &Run, measures: &Measures) -> Check {
    let wrote = measures.flash_operations.iter().any(|operations| *operations > 0);
    let stated = |pump: u8| {
        let under_way = measures.flash_operations.get(usize::from(pump) - 1).is_some_and(|count| *count > 0);
        scenario.expectations.iter().any(|expectation| match expectation {
            scenario::Expectation::Outcome(wanted) => scenario.selected(&wanted.pumps).contains(&pump),
            // No outcome fits a pump that is being written to when the run ends.
            scenario::Expectation::Campaign(scenario::CampaignEnd::Unfinished) => under_way,
            _ => false,
        })
    };
    let lost = |index: &usize| !matches!(outcome(run, measures, *index), Outcome::Updated | Outcome::UpToDate);
    let broken: Vec<String> = (0..measures.timeline.pumps.len())
        .filter(lost)
        .filter(|index| !stated(u8::try_from(index + 1).unwrap_or(0)))
        .map(|index| format!("{} ends otherwise than updated, and no expectation says so", pump_name(index)))
        .collect();
    let (broken, n) = if wrote { (broken, measures.timeline.pumps.len()) } else { (Vec::new(), 0) };
    final_row("every_pump_ends_as_stated", n, run.twin.world.resource::<Wanted>().writes, &broken)
}

/// A run that wrote to any pump is judged by the required budgets, or by tighter ones; a scenario that breaks one says
/// `BudgetFails`. The row stands for the requirements that nothing judges, or for both.
fn budgets_row(scenario: &Scenario, run: &Run, measures: &Measures) -> Check {
    use scenario::Measure;
    let wrote = measures.flash_operations.iter().any(|operations| *operations > 0);
    let needed = [
        ("PFU-041", unjudged(scenario, &Measure::PumpUpdate, 70, "a pump's update")),
        ("PFU-042", unjudged(scenario, &Measure::BackToAutomatic, 60, "the return to automatic")),
    ];
    let found = needed.into_iter().filter(|_| wrote).filter_map(|(id, words)| Some((id.to_owned(), words?)));
    let (ids, broken): (Vec<String>, Vec<String>) = found.unzip();
    let wanted = run.twin.world.resource::<Wanted>().writes;
    let row = final_row("required_budgets_are_judged", if wrote { 2 } else { 0 }, wanted, &broken);
    if ids.is_empty() { row } else { Check { requirements: ids, ..row } }
}

/// What is said where no budget judges that `measure` is below so many seconds. A tighter budget that is expected to
/// break judges nothing: what it lets through may break the required one.
fn unjudged(scenario: &Scenario, measure: &scenario::Measure, seconds: u64, what: &str) -> Option<String> {
    use scenario::{Budget as Spec, Expectation, Relation as Needed, words::Limit};
    let most = Span::from_secs(seconds);
    let is_needed = |budget: &&Spec| {
        let tight = matches!(&budget.limit, Limit::Duration(limit) if *limit <= most);
        budget.measure == *measure && tight && !budget.information && matches!(budget.relation, Needed::Below)
    };
    let excused = |budget: &Spec| {
        let tighter = budget.limit != Limit::Duration(most);
        tighter && scenario.expectations.contains(&Expectation::BudgetFails(budget.id.clone()))
    };
    let candidates: Vec<&Spec> = scenario.budgets.iter().filter(is_needed).collect();
    if !candidates.iter().all(|budget| excused(budget)) {
        return None;
    }
    let names: Vec<String> = candidates.iter().map(|budget| format!("`{}`", budget.id)).collect();
    let why = match &names[..] {
        [] => String::new(),
        names => format!("; {} is tighter, but expected to break, so it judges no pass", names.join(", ")),
    };
    Some(format!("no budget judges {what} below {seconds} s{why}"))
}

fn ending_row(scenario: &Scenario, run: &Run) -> Check {
    let cause = never_powered(scenario, run).or_else(|| never_enough(scenario, run));
    let (verdict, detail) = match &run.ending {
        Ending::Regular => (RowVerdict::Pass, cause.unwrap_or_default()),
        Ending::TimeLimit => {
            let what = "the time limit came before the end";
            (RowVerdict::Error, cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}")))
        }
        Ending::Livelock => (RowVerdict::Error, "a million events at one instant".to_owned()),
        Ending::Defect(what) => (RowVerdict::Error, what.clone()),
    };
    Check { id: "run_ends_regularly".to_owned(), requirements: Vec::new(), n: 1, verdict, detail }
}

/// Which boards never had the supply that they start at, and what they had; nothing, if all had it.
fn never_powered(scenario: &Scenario, run: &Run) -> Option<String> {
    let start = scenario.supply.power_good.millivolts();
    let highest = |node: NodeId| power::node_extremes(&run.twin.world, node).max_mv;
    let boards = std::iter::once(NodeId::CIOC).chain((1..=scenario.pumps.count).map(NodeId::new));
    let dark: Vec<(NodeId, u32)> = boards.map(|node| (node, highest(node))).filter(|(_, mv)| *mv < start).collect();
    let most = dark.iter().map(|(_, mv)| *mv).max()?;
    let who = match &dark[..] {
        all if all.len() > usize::from(scenario.pumps.count) => "no board".to_owned(),
        [(NodeId::CIOC, _), ..] => "the CIOC never".to_owned(),
        some => some.iter().map(|(node, _)| node.to_string()).collect::<Vec<_>>().join(", ") + " never",
    };
    let ever = if who == "no board" { " ever" } else { "" };
    Some(format!("{who}{ever} had power: at most {} came, and a board starts at {}", volts(most), volts(start)))
}

/// What the supply came to in a campaign that never had enough to begin an update.
fn never_enough(scenario: &Scenario, run: &Run) -> Option<String> {
    let (most, needed) =
        (power::source_extremes(&run.twin.world).max_mv, scenario.supply.minimum_for_update.millivolts());
    let is_short = scenario.campaign && most < needed;
    is_short
        .then(|| format!("the supply came to {} at most, and no update is begun below {}", volts(most), volts(needed)))
}

fn volts(mv: u32) -> String {
    format!("{}.{:02} V", mv / 1000, mv % 1000 / 10)
}

fn pumps(scenario: &Scenario, run: &Run, measures: &Measures) -> Vec<Pump> {
    (0..usize::from(scenario.pumps.count)).map(|index| pump(run, measures, index)).collect()
}

fn pump(run: &Run, measures: &Measures, index: usize) -> Pump {
    let history = &measures.timeline.pumps[index];
    let good = history.tries.iter().rfind(|each| each.outcome == TryEnd::Updated);
    let total = history.tries.first().zip(history.tries.last()).map(|(first, last)| last.end.since(first.start));
    let mut causes = history.causes.clone();
    causes.extend(causes_of_the_image(run, measures, index).filter(|cause| !history.causes.contains(cause)));
    Pump {
        id: pump_name(index),
        outcome: outcome(run, measures, index),
        attempts: u32::try_from(history.tries.len()).unwrap_or(u32::MAX),
        update_ms: good.map(|good| millis(good.duration())),
        total_ms: millis(total.unwrap_or(Span::ZERO)),
        version_before: measures.versions_before[index].map(|version| version.to_string()),
        version_after: version_in_flash(run, index),
        causes: causes.iter().map(orchestrator::Cause::to_string).collect(),
        tries: history.tries.iter().map(try_of).collect(),
    }
}

/// What was logged of the image as a whole, for a pump that was not tried because of it.
fn causes_of_the_image(run: &Run, measures: &Measures, index: usize) -> impl Iterator<Item = orchestrator::Cause> {
    use orchestrator::Cause;
    let untried = measures.timeline.pumps[index].tries.is_empty() && !run.twin.world.resource::<Truth>().sound;
    let of_the_image = |cause: &Cause| matches!(cause, Cause::FileNotFound | Cause::ImageRejected);
    measures.timeline.causes.iter().copied().filter(move |cause| untried && of_the_image(cause))
}

/// What became of a pump: of the unit that is in its place at the end. One that was never written to because the image is
/// bad counts as rejected, and without an image there was nothing to reach it with. A unit that came later, to which nothing
/// was written, had the right version already if it holds it, and was not reached if the CIOC has told nothing of it.
fn outcome(run: &Run, measures: &Measures, index: usize) -> Outcome {
    use orchestrator::Outcome as Seen;
    let truth = run.twin.world.resource::<Truth>();
    if measures.timeline.pumps[index].tries.is_empty() && !(truth.sound && truth.campaign) {
        let refused = measures.timeline.causes.contains(&orchestrator::Cause::ImageRejected);
        return if truth.held.is_some() && refused { Outcome::Rejected } else { Outcome::NotReached };
    }
    if crate::measure::ends_updated(&run.twin.world, measures, index) {
        return Outcome::Updated;
    }
    let world = &run.twin.world;
    match measures.timeline.pumps[index].outcome {
        Seen::Updated if !crate::measure::was_written(world, index) && crate::measure::is_whole(world, index) => {
            Outcome::UpToDate
        }
        Seen::Updated | Seen::UpToDate
            if measures.updates[index].is_unknown() && !crate::measure::is_whole(world, index) =>
        {
            Outcome::NotReached
        }
        Seen::UpToDate => Outcome::UpToDate,
        Seen::Dead => Outcome::Dead,
        Seen::Rejected => Outcome::Rejected,
        // One that is told to be updated and does not start any more is no better off than one that was given up.
        Seen::Updated => Outcome::SetAside,
        Seen::Missing if measures.flash_operations[index] > 0 => Outcome::SetAside,
        Seen::Unknown | Seen::Pending | Seen::Updating | Seen::Missing => Outcome::NotReached,
    }
}

/// The version of a valid application in the pump's flash, read out as a programmer would; none if there is none.
fn version_in_flash(run: &Run, index: usize) -> Option<String> {
    let node = NodeId::new(u8::try_from(index + 1).ok()?);
    let entity = run.twin.world.resource::<Nodes>().entity(node);
    let flash = run.twin.world.get::<Flash>(entity)?;
    flash.valid_header().map(|header| header.version.to_string())
}

fn try_of(each: &crate::measure::timeline::Try) -> Try {
    let ends = each.phases.iter().skip(1).map(|(_, begun)| *begun).chain([each.end]);
    let phases = each.phases.iter().zip(ends).map(|((phase, begun), end)| Phase {
        name: phase_name(*phase).to_owned(),
        start_ms: at(*begun),
        duration_ms: millis(end.since(*begun)),
    });
    let (outcome, cause) = match each.outcome {
        TryEnd::Updated => (TryOutcome::Updated, None),
        TryEnd::Failed(orchestrator::Cause::Interrupted) => {
            (TryOutcome::Interrupted, Some(cause_text(orchestrator::Cause::Interrupted)))
        }
        TryEnd::Failed(cause) => (TryOutcome::Failed, Some(cause_text(cause))),
        TryEnd::Open | TryEnd::Interrupted => (TryOutcome::Interrupted, None),
    };
    Try { n: u32::from(each.number), start_ms: at(each.start), outcome, cause, phases: phases.collect() }
}

/// A cause code with its words.
fn cause_text(cause: orchestrator::Cause) -> String {
    let code = cause.to_string();
    match reports::cause_words(&code) {
        Some(words) => format!("{code} {words}"),
        None => code,
    }
}

fn campaign(measures: &Measures) -> Campaign {
    Campaign {
        consent: match measures.timeline.question {
            Question::NotAsked => Consent::NotAsked,
            Question::Given => Consent::Given,
            Question::Refused => Consent::Refused,
            Question::Open | Question::Lapsed => Consent::Unanswered,
            Question::Late => Consent::Late,
        },
        duration_ms: campaign_duration(measures).map(millis),
        back_to_automatic_ms: back_to_automatic(measures).map(millis),
    }
}

fn bus_report(scenario: &Scenario, run: &Run, measures: &Measures) -> Bus {
    let nodes = run.twin.world.resource::<Nodes>();
    let link = |node: NodeId| {
        let link = &measures.links[node.index()];
        let counters = run.twin.world.resource::<bus::Bus>().counters(node);
        BusNode {
            id: measures.journal.names().node(node),
            tec_max: u32::from(link.tec_max.max(counters.tec)),
            rec_max: u32::from(link.rec_max.max(counters.rec)),
            error_passive: link.passive,
            bus_off: link.bus_off,
        }
    };
    Bus {
        bitrate: scenario.bus.bitrate.bits_per_second(),
        load_mean: percent(measures.bus.mean_ppm(run.end)),
        load_peak: percent(measures.bus.peak_ppm),
        frames: measures.bus.frames,
        error_frames: measures.bus.error_frames,
        nodes: nodes.iter().map(|(node, _)| link(node)).collect(),
        messages: traffic::messages(scenario, run, measures),
    }
}

fn power_report(run: &Run) -> Power {
    let extremes = power::source_extremes(&run.twin.world);
    let nodes = run.twin.world.resource::<Nodes>();
    Power {
        supply_mv_min: i64::from(extremes.min_mv),
        supply_mv_max: i64::from(extremes.max_mv),
        brownouts: nodes.iter().map(|(node, _)| u64::from(power::losses(&run.twin.world, node))).sum(),
    }
}

fn plant_report(run: &Run) -> Plant {
    let [flow, temperature] = plant_extremes(run);
    Plant { flow_lpm_min: flow.min, coolant_c_max: temperature.max }
}

fn injections(scenario: &Scenario, judge: &classes::Judge<'_>) -> Vec<Injection> {
    let faults = judge.run.twin.world.resource::<Scoped<Faults>>();
    let names = judge.measures.journal.names();
    let mut list: Vec<Injection> = faults
        .list
        .iter()
        .enumerate()
        .zip(safety::reactions(scenario, judge.run))
        .map(|((number, injection), reaction)| Injection {
            detected_ms: reaction.detected.as_ref().map(|(time, _)| at(*time)),
            local_off_ms: reaction.local_off.map(at),
            all_off_ms: reaction.all_off.map(at),
            occurred_ms: injection.occurred.map(at),
            id: fault_id(number, &injection.fault),
            kind: kind_name(&injection.fault.kind),
            target: target_name(&injection.fault.place),
            at_ms: injection.first.map(at),
            duration_ms: injection.fault.duration.map(|lasts| Millis::from_nanos(lasts.as_nanos())),
            again_ms: injection.later().into_iter().map(at).collect(),
            activations: injection.activations,
            effect: names.put_into(&injection.effect),
            missing: missing(injection),
            hint: names.put_into(&idle::hint(judge.run, judge.measures, injection)),
            class: judge.class(injection.first, &classes::Hit::of(scenario, injection), &reaction).to_owned(),
            detected_as: reaction.detected.map(|(_, what)| what).unwrap_or_default(),
        })
        .collect();
    list.extend(expectations::injections_outside_the_list(scenario, judge));
    list
}

/// How many of the times that its repetition counts did not come, or did nothing when they came.
fn missing(injection: &crate::faults::Injection) -> u64 {
    let asked = injection.fault.repeat.as_ref().map_or(1, |repeat| u64::from(repeat.count.max(1)));
    if asked == 1 { 0 } else { asked.saturating_sub(injection.activations.min(u64::from(injection.begun))) }
}

fn fault_id(number: usize, fault: &scenario::Fault) -> String {
    if fault.id.is_empty() { format!("{}-{}", kind_name(&fault.kind), number + 1) } else { fault.id.clone() }
}

pub(crate) fn kind_name(kind: &scenario::FaultKind) -> String {
    if let scenario::FaultKind::Safety(own) = kind {
        return super::events::kebab(own.name());
    }
    super::events::kebab(kind.name())
}

fn target_name(place: &scenario::Place) -> String {
    use scenario::Place;
    match place {
        Place::Pump(pump) => format!("P{pump:02}"),
        Place::Cioc => "CIOC".to_owned(),
        Place::AllPumps => "all pumps".to_owned(),
        Place::AllNodes => "all nodes".to_owned(),
        Place::Node(name) => name.to_string(),
        Place::Bus => "bus".to_owned(),
        Place::Between(between) => format!("bus between {} and {}", between.a, between.b),
        Place::Supply => "supply".to_owned(),
        Place::PumpFeed => "pumps' feed".to_owned(),
    }
}

/// The thresholds of the supply that the figures show.
fn supply_levels(scenario: &Scenario) -> Vec<Level> {
    let supply = &scenario.supply;
    let floor = |name: &str, millivolts: u32| Level {
        name: name.to_owned(),
        side: Side::Floor,
        value: Fixed::scaled(i64::from(millivolts), 0),
    };
    vec![
        floor("nodes switch off below", supply.brown_out.millivolts()),
        floor("no update is begun below", supply.minimum_for_update.millivolts()),
    ]
}

fn series(scenario: &Scenario, run: &Run, measures: &Measures) -> Vec<Series> {
    let curve = |name: &str, unit: &str, curve: &Curve, places: u32| {
        let points = curve.points(run.end);
        Series {
            name: name.to_owned(),
            unit: unit.to_owned(),
            t_ms: points.iter().map(|point| at(point.0)).collect(),
            min: points.iter().map(|point| Fixed::scaled(point.1, places)).collect(),
            max: points.iter().map(|point| Fixed::scaled(point.2, places)).collect(),
            levels: Vec::new(),
            extremes: None,
        }
    };
    let [flow, temperature] = plant_extremes(run);
    vec![
        Series {
            levels: supply_levels(scenario),
            extremes: Some(supply_extremes(run)),
            ..curve("supply", "mV", &measures.supply, 0)
        },
        Series { extremes: Some(flow), ..curve("flow", "L/min", &measures.flow, 1) },
        Series { extremes: Some(temperature), ..curve("temperature", "degC", &measures.coolant, 1) },
        curve("bus-load", "%", &measures.load, 4),
    ]
}

/// From when on flow and temperature count: from the start-up on, where the run has lasted that long.
fn judged_from(run: &Run) -> Millis {
    if run.end < START_UP { Millis::ZERO } else { at(START_UP) }
}

fn supply_extremes(run: &Run) -> Extremes {
    let extremes = power::source_extremes(&run.twin.world);
    let millivolts = |mv: u32| Fixed::scaled(i64::from(mv), 0);
    Extremes { from_ms: Millis::ZERO, min: millivolts(extremes.min_mv), max: millivolts(extremes.max_mv) }
}

/// Of flow and temperature.
fn plant_extremes(run: &Run) -> [Extremes; 2] {
    let extremes = plant::extremes(&run.twin.world);
    let tenths = |min: i64, max: i64| Extremes {
        from_ms: judged_from(run),
        min: Fixed::scaled(min, 1),
        max: Fixed::scaled(max, 1),
    };
    [
        tenths(extremes.flow_min.into(), extremes.flow_max.into()),
        tenths(extremes.coolant_min.get().into(), extremes.coolant_max.get().into()),
    ]
}

fn span_words(span: Span) -> String {
    reports::exact_amount(millis(span).into(), "ms")
}

/// Thousandths of `unit` in that unit.
fn thousandths(value: impl Into<i64>, unit: &str) -> String {
    reports::exact_amount(Fixed::scaled(value.into(), 3), unit)
}

fn assumptions(scenario: &Scenario, run: &Run) -> Vec<Assumption> {
    let row = |text: &str, value: String, source: &str| Assumption {
        text: text.to_owned(),
        value,
        source: source.to_owned(),
    };
    let mut list = vec![
        row(
            "bit rate of the bus",
            reports::bit_rate(scenario.bus.bitrate.bits_per_second()),
            "the source names none: own number",
        ),
        row("reaction latency of every node", span_words(scenario.timing.reaction_latency), "own number, settable"),
        row("timer resolution of every node", span_words(scenario.timing.timer_resolution), "own number, settable"),
        row("boot time of a pump", span_words(scenario.timing.pump_boot), "own number, settable"),
        row("boot time of the CIOC", span_words(scenario.timing.cioc_boot), "own number, settable"),
        row(
            "erase of a 128 KiB sector",
            span_words(scenario.flash_times().sector_erase),
            "STM32F4 data sheet class figure, settable",
        ),
        row(
            "program of a 32-bit word",
            span_words(scenario.flash_times().word_program),
            "STM32F4 data sheet class figure, settable",
        ),
        row("CPU time to check a byte of flash or file", "60 ns".to_owned(), "own number: ten cycles at 168 MHz"),
        row("supply, open circuit", thousandths(scenario.supply.nominal.millivolts(), "V"), "own number, settable"),
        row("source and cables", format!("{} mOhm", scenario.supply.resistance.milliohms()), "own number, settable"),
        row(
            "brown-out of every node: off below, on from",
            format!(
                "{}, {}",
                thousandths(scenario.supply.brown_out.millivolts(), "V"),
                thousandths(scenario.supply.power_good.millivolts(), "V")
            ),
            "own number, settable",
        ),
        row("hold-up of every node", span_words(scenario.supply.hold_up), "own number, settable"),
        row(
            "no update is begun below",
            thousandths(scenario.supply.minimum_for_update.millivolts(), "V"),
            "own number (PFU-051), settable",
        ),
        row("heat load", thousandths(scenario.plant.heat_load.watts(), "kW"), "own number, settable"),
        row("coolant volume", thousandths(scenario.plant.volume.millilitres(), "L"), "own number, settable"),
        row("air at the exchanger", thousandths(scenario.plant.ambient.millicelsius(), "degC"), "own number, settable"),
        row(
            "coolant at the start",
            thousandths(scenario.plant.coolant_start.millicelsius(), "degC"),
            "own number, settable",
        ),
        row(
            "flow of one pump at full speed against no head",
            thousandths(scenario.plant.pump_flow.millilitres_per_minute(), "L/min"),
            "own number, settable; affinity laws",
        ),
        row("STmin runs from", "end of frame to request of the next".to_owned(), "ISO 15765-2"),
        row(
            "tries that fail for lack of supply (FW003)",
            "not counted towards the three; a pump tells by its reset cause whether it lost its supply in the try, and one \
             that is silent after all its tries is set aside, not dead"
                .to_owned(),
            "own decision: no pump becomes dead for lack of supply alone",
        ),
        row(
            "tries that a restart of the CIOC cuts off (FW106)",
            "count towards the three, and do not make a pump dead if all three were cut off: it is set aside"
                .to_owned(),
            "own decision: PFU-022 counts them, and no pump becomes dead for lack of supply alone",
        ),
        row(
            "tries of a pump that was set aside, after a new consent",
            "counted anew: at most three for each consent of the customer; the same consent never counts twice".to_owned(),
            "own decision: PFU-026 asks for a manual action, and the customer's consent is one that no boot replaces; a dead pump needs a search by hand",
        ),
        row("fail-safe mode of a pump", "after 1 s of silence, at 80 %".to_owned(), "own number (PFU-012)"),
    ];
    let units = if scenario.safety_units.is_empty() { &[][..] } else { crate::hosts::safety::ASSUMPTIONS };
    for (text, value, source) in power::ASSUMPTIONS.iter().chain(plant::ASSUMPTIONS).chain(units) {
        list.push(row(text, (*value).to_owned(), source));
    }
    if run.twin.world.resource::<Scoped<Checks>>().excused_a_dead_pump() {
        list.push(row(
            "a dead pump with a whole application, while it hears nothing of the CIOC",
            "is not off: it runs in fail-safe mode at 80 %".to_owned(),
            "own decision: PFU-012 goes before PFU-026 there, because only the CIOC knows that a pump is dead, and a pump that cools is the safe side; a dead pump without a whole application stands still in any case",
        ));
    }
    list
}

fn fingerprint(run: &Run) -> Fingerprint {
    let domains = run.twin.trace.domain_fingerprints();
    let of = |name: &str| {
        domains.iter().find(|(domain, _)| *domain == name).map(|(_, value)| value.to_string()).unwrap_or_default()
    };
    Fingerprint {
        all: run.twin.trace.fingerprint().to_string(),
        bus: of("bus"),
        orchestrator: of("orchestrator"),
        pumps: of("pumps"),
        power: of("power"),
        plant: of("plant"),
        faults: of("faults"),
        safety: if run.twin.world.resource::<Units>().entities().is_empty() { String::new() } else { of("safety") },
    }
}
