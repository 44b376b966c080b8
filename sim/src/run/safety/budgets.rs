//! Budgets of safety units. The worst time of a reaction comes with its steps, as far as they were measured:
//!
//! | Step | When |
//! |---|---|
//! | `occurred` | the injection that the detection belongs to occurred, or, where that was before the unit was off last or started anew, acted first after that; for a supply, when it left its limits |
//! | `last good packet` | the last one before the silence that is measured had come |
//! | `detected` | the step of the firmware that detected it began |
//! | `commanded` | that step, or a later one of the same CPU, ended with its outputs told to be off; `off` where none did |
//! | `off` | everything of the unit is off ([`super`] has the definition); `outputs of NAME off` where another unit's were the last |
//!
//! A limit may hold for a part of the steps only, as [`reports::Budget::measured_steps`] tells.

use reports::{Budget, Fixed, Millis, Relation, SAMPLES_MAX, Sample, Standing, Step};
use safety_common::fault::Fault;

use super::super::Run;
use super::reaction::cause;
use super::{fault_words, requirements_of, units};
use crate::hosts::safety::demands::{Demand, FAULT_MORE, TICKS, Why};
use crate::hosts::safety::off::{GroupOff, Off};
use crate::hosts::safety::passes::{PASS_MOST, Worst};
use crate::hosts::safety::supply::Missed;
use crate::hosts::safety::unit::Unit;
use crate::hosts::safety::watch::{CpuWatch, Watch};
use crate::kernel::{SimTime, Span};
use crate::scenario::{Expectation, Scenario};

/// Ids of the budgets with their requirements.
pub const BUDGETS: &[(&str, &[&str])] = &[
    ("safety-supply-reaction", &["SSR-009", "SSR-011"]),
    ("safety-fault-reaction", &["SSR-035", "SSR-044"]),
    ("safety-outside-reaction", &["SSR-036", "SSR-040"]),
    ("safety-response", &["SSR-016"]),
    ("safety-c2c-silence", &["SSR-021", "SSR-022"]),
    ("safety-logic-time", &["SSR-014"]),
    ("safety-logic-interval", &["SSR-013"]),
    ("safety-ram-pass", &["SSR-002"]),
    ("safety-flash-pass", &["SSR-005"]),
    ("safety-combined-io", &["SSR-039"]),
    ("safety-combined-step", &["SSR-039"]),
    ("safety-radio-timeout", &["SSR-076"]),
];

/// Budgets that name a requirement only where something that was measured in the run stands for it, and the requirement that every
/// measurement of such a row stands for.
const BY_CAUSE: [(&str, &str); 3] =
    [("safety-supply-reaction", ""), ("safety-fault-reaction", "SSR-044"), ("safety-outside-reaction", "")];

fn ms(ns: u64) -> Fixed {
    Fixed::from(Millis::from_nanos(ns))
}

/// The budgets of the units.
pub(in super::super) fn budgets(scenario: &Scenario, run: &Run) -> Vec<Budget> {
    let units = units(scenario, run);
    if units.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![
        row("safety-supply-reaction", Relation::Within, SUPPLY.0.as_nanos(), Some(SUPPLY.1.as_nanos())),
        reaction_row(scenario, "safety-fault-reaction", FAULT_MORE),
        reaction_row(scenario, "safety-outside-reaction", FAULT_MORE),
        reaction_row(scenario, "safety-response", Span::ZERO),
        row("safety-c2c-silence", Relation::Within, 22_100_000, Some(20_000_000)),
        row("safety-logic-time", Relation::AtMost, 812_500, None),
        row("safety-logic-interval", Relation::Within, 1_001_000, Some(999_000)),
        row("safety-ram-pass", Relation::Below, 60_000_000_000, None),
        row("safety-flash-pass", Relation::Below, 60_000_000_000, None),
        row("safety-combined-io", Relation::AtMost, 4_000_000, None),
        row("safety-combined-step", Relation::AtMost, 5_000_000, None),
        radio_row(scenario),
    ];
    for row in &mut rows {
        let mut shown = Vec::new();
        units.iter().for_each(|(name, unit)| shown.extend(measure(row, name, unit, run)));
        shown.extend(measure_demands(row, &units, run));
        if let Some((_, always)) = BY_CAUSE.iter().find(|(id, _)| *id == row.id) {
            row.requirements.retain(|id| id == always || shown.contains(&id.as_str()));
        }
        name_open_passes(row, &units, run.end);
    }
    for row in &mut rows {
        row.limit_from = limit_words(row);
        row.judge(standing(scenario, row));
    }
    rows
}

fn row(id: &str, relation: Relation, limit_ns: u64, low_ns: Option<u64>) -> Budget {
    let mut row = Budget::new(id, relation, ms(limit_ns), low_ns.map(ms), "ms");
    let own = BUDGETS.iter().find(|(known, _)| *known == id).map_or(&[][..], |(_, own)| *own);
    row.requirements = own.iter().map(|id| (*id).to_owned()).collect();
    row
}

/// Every configuration that a unit may run; the strictest of them gives the limits that a row shows without a measurement.
fn configurations(scenario: &Scenario) -> impl Iterator<Item = &std::sync::Arc<crate::safety::Compiled>> {
    scenario.safety_units.iter().flat_map(|unit| {
        let downloaded = unit.downloads.iter().map(|one| &one.configuration);
        downloaded.chain([&unit.configuration]).filter_map(|one| one.compiled.as_ref())
    })
}

/// A row whose limit is the response time and a little: of each measurement that of what the unit ran then, and while there is none the
/// shortest.
fn reaction_row(scenario: &Scenario, id: &str, more: Span) -> Budget {
    let compiled = configurations(scenario);
    let response = compiled.map(|compiled| u64::from(compiled.network.response_ms)).min().unwrap_or(0);
    row(id, Relation::AtMost, (Span::from_millis(response) + more).as_nanos(), None)
}

/// Time-out, and a tick each to notice it, to evaluate the logic and to switch; of each measurement that of the unit that hears.
fn radio_row(scenario: &Scenario) -> Budget {
    let compiled = configurations(scenario);
    let timeout = compiled.map(|compiled| u64::from(compiled.network.radio_timeout_ms)).min().unwrap_or(0);
    row("safety-radio-timeout", Relation::AtMost, (Span::from_millis(timeout) + TICKS).as_nanos(), None)
}

/// The limit of a reaction to a fault that was detected then.
fn fault_limits(watch: &Watch, detected: SimTime) -> Limits {
    let limit = Span::from_millis(watch.response_ms(detected)) + FAULT_MORE;
    (ms(limit.as_nanos()), None)
}

/// What the limit of a row is made from.
fn limit_words(row: &Budget) -> String {
    let less = |span: Span| Fixed::from_millionths(row.limit.as_millionths() - ms(span.as_nanos()).as_millionths());
    match row.id.as_str() {
        "safety-response" => format!("response time of the configuration, {} ms", row.limit),
        "safety-fault-reaction" | "safety-outside-reaction" => {
            format!("response time of the configuration, {} ms + {} ms", less(FAULT_MORE), ms(FAULT_MORE.as_nanos()))
        }
        "safety-radio-timeout" => {
            format!("radio time-out of the configuration, {} ms + 3 ticks of 1 ms", less(TICKS))
        }
        _ => row.limit_from.clone(),
    }
}

fn standing(scenario: &Scenario, row: &Budget) -> Standing {
    let expected = |one: &Expectation| matches!(one, Expectation::BudgetFails(id) if *id == row.id);
    if scenario.expectations.iter().any(expected) {
        Standing::ExpectedToFail
    } else if row.n == 0 {
        Standing::NotApplicable
    } else {
        Standing::Required
    }
}

/// Steps in the order of their times; those of the same time stay as they are given.
fn steps(times: &[(&str, Option<SimTime>)]) -> Vec<Step> {
    let mut known: Vec<(&str, SimTime)> = times.iter().filter_map(|(name, time)| Some((*name, (*time)?))).collect();
    known.sort_by_key(|(_, time)| *time);
    let step =
        |(name, time): (&str, SimTime)| Step { step: name.to_owned(), at_ms: Millis::from_nanos(time.as_nanos()) };
    known.into_iter().map(step).collect()
}

/// When the injection occurred that a detection belongs to, or, where that was before the last time off, acted first after that; if it
/// has acted since both CPUs have started anew, the first of those times.
fn occurred(run: &Run, unit: &Unit, (detected, fault): (SimTime, Fault)) -> Option<SimTime> {
    let cause = cause(run, unit, (detected, fault))?;
    let off = unit.watch.offs.iter().map(|off| off.off).filter(|off| *off < detected).max();
    let began = unit.watch.lives.of(detected);
    let times = cause.occurred.into_iter().chain(cause.later());
    let times: Vec<SimTime> = times.filter(|at| *at <= detected).collect();
    let since = |before: Option<SimTime>| times.iter().copied().filter(|at| before.is_none_or(|own| *at > own)).min();
    since(off.max(began)).or_else(|| since(off))
}

/// The steps of a trip up to what it told; `off` comes behind them.
fn trip_steps<'a>(run: &Run, unit: &Unit, off: &Off) -> Vec<(&'a str, Option<SimTime>)> {
    let of_supply = off.crossing.filter(|_| matches!(off.fault, Fault::SupplyLow | Fault::SupplyHigh));
    let occurred = of_supply.or_else(|| occurred(run, unit, (off.detected, off.fault)));
    let commanded = off.commanded.filter(|at| *at <= off.off).unwrap_or(off.off);
    vec![("occurred", occurred), ("detected", Some(off.detected)), ("commanded", Some(commanded))]
}

fn group_steps(run: &Run, unit: &Unit, group: &GroupOff, last: (&str, SimTime)) -> Vec<Step> {
    let commanded = group.commanded.filter(|at| *at <= last.1).unwrap_or(last.1);
    let occurred = occurred(run, unit, (group.detected, group.fault));
    let times = [("occurred", occurred), ("detected", Some(group.detected)), ("commanded", Some(commanded))];
    steps(&[&times[..], &[(last.0, Some(last.1))]].concat())
}

/// The upper limit of a measurement, and the lower one.
type Limits = (Fixed, Option<Fixed>);

/// [`Budget::measure_at`] against limits of its own: the row shows those of the worst.
fn measure_within(row: &mut Budget, (limit, limit_low): Limits, place: &str, value: Fixed) -> bool {
    let mut one = Budget::new(&row.id, row.relation, limit, limit_low, &row.unit);
    one.measure(value);
    let worse = row.margin.is_none_or(|worst| one.margin < Some(worst));
    if worse {
        (row.measured, row.margin, row.r#where) = (one.measured, one.margin, Some(place.to_owned()));
        (row.limit, row.limit_low) = (limit, limit_low);
    }
    row.n += 1;
    if row.samples.len() < SAMPLES_MAX {
        row.samples.push(Sample { place: place.to_owned(), value });
    }
    worse
}

/// What comes of a supply beyond its limits: off by then, and no trip before that.
const SUPPLY: (Span, Span) = (Span::from_millis(503), Span::from_millis(499));

/// The limits of a trip for the supply: a converter may rightly have counted from before the limit was crossed, and one that is wrong
/// may count what it likes.
fn supply_limits(off: &Off, counted: SimTime) -> Limits {
    let (most, least) = SUPPLY;
    let low = off.earliest.map_or(0, |from| least.as_nanos().saturating_sub(counted.since(from).as_nanos()));
    (ms(most.as_nanos()), Some(ms(low)))
}

/// Excursions of the supply that should have led to a trip, and did not.
fn not_tripped(watch: &Watch, end: SimTime) -> impl Iterator<Item = &Missed> {
    let tripped = move |one: &&Missed| {
        let fault = if one.is_low { Fault::SupplyLow } else { Fault::SupplyHigh };
        let is_it = |off: &Off| off.fault == fault && off.crossing == Some(one.crossing) && off.detected >= one.since;
        watch.trips(end).iter().any(|(off, _)| is_it(off))
    };
    watch.supply.missed.iter().filter(move |one| !tripped(one))
}

/// What is last where nothing is off at the end of the run.
const NEVER_OFF: &str = "not off at the end of the run";

/// The trips of a unit as they are measured. One that was never off is so to the end of the run: it breaks every limit that it should.
fn measured_trips(unit: &Unit, end: SimTime) -> Vec<(&'static str, Off)> {
    let trips = unit.watch.trips(end).into_iter();
    let measured = |(trip, off): (&Off, Option<SimTime>)| {
        (off.map_or(NEVER_OFF, |_| "off"), Off { off: off.unwrap_or(end), ..trip.clone() })
    };
    trips.map(measured).collect()
}

/// The time with the contacts of relays, where any took part.
fn contact_words(unit: &Unit, since: SimTime, off: SimTime, relays: u8) -> String {
    let opened = unit.watch.contacts.opened(since, off, relays);
    opened.map_or(String::new(), |at| format!(", contacts open after {} ms", at.since(since)))
}

/// Measures a row at a unit; gives the requirements that what was measured stands for, where they depend on its cause.
fn measure(row: &mut Budget, name: &str, unit: &Unit, run: &Run) -> Vec<&'static str> {
    let (id, watch, end) = (row.id.clone(), &unit.watch, run.end);
    let offs = measured_trips(unit, end);
    let mut shown = Vec::new();
    let last = |off: Option<SimTime>| off.map_or((NEVER_OFF, end), |off| ("off", off));
    let trip = |word: &'static str, off: &Off, more: &[(&'static str, Option<SimTime>)]| {
        steps(&[more, &trip_steps(run, unit, off), &[(word, Some(off.off))]].concat())
    };
    let usual = (row.limit, row.limit_low);
    let mut add_within = |limits: Limits, place: String, span: Span, steps: Vec<Step>| {
        if measure_within(row, limits, &place, ms(span.as_nanos())) {
            row.decomposition = steps;
        }
    };
    let mut add = |place, span, steps| add_within(usual, place, span, steps);
    match id.as_str() {
        "safety-supply-reaction" => {
            for (word, off) in offs.iter().filter(|(_, off)| matches!(off.fault, Fault::SupplyLow | Fault::SupplyHigh))
            {
                if let Some(counted) = off.counted {
                    shown.extend(requirements_of(off.fault, off.cpu));
                    let place = format!("{name}, {} by CPU{}", fault_words(off.fault), off.cpu);
                    add_within(supply_limits(off, counted), place, off.off.since(counted), trip(word, off, &[]));
                }
            }
            for missed in not_tripped(watch, end) {
                shown.extend(requirements_of(if missed.is_low { Fault::SupplyLow } else { Fault::SupplyHigh }, 0));
                let (word, off) = last(missed.off);
                let side = if missed.is_low { "below" } else { "above" };
                let place = format!("{name}, supply {side} its limit since {} ms without a trip in time", missed.since);
                let steps = steps(&[("occurred", Some(missed.crossing)), (word, Some(off))]);
                add_within(usual, place, off.since(missed.since), steps);
            }
        }
        "safety-fault-reaction" => {
            for (word, off) in &offs {
                shown.extend(requirements_of(off.fault, off.cpu));
                let contacts = contact_words(unit, off.detected, off.off, u8::MAX);
                let place = format!("{name}, {} by CPU{}{contacts}", fault_words(off.fault), off.cpu);
                let limits = fault_limits(watch, off.detected);
                add_within(limits, place, off.off.since(off.detected), trip(word, off, &[]));
            }
        }
        "safety-outside-reaction" => {
            for group in &watch.outside {
                let last = last(group.off);
                shown.extend(requirements_of(group.fault, 1));
                let place = format!("{name}, {}", fault_words(group.fault));
                let limits = fault_limits(watch, group.detected);
                add_within(limits, place, last.1.since(group.detected), group_steps(run, unit, group, last));
            }
        }
        "safety-c2c-silence" => {
            for (word, off) in offs.iter().filter(|(_, off)| off.fault == Fault::C2cSilent) {
                let steps = trip(word, off, &[("last good packet", Some(off.last_good))]);
                add(format!("{name}, CPU{}", off.cpu), off.off.since(off.last_good), steps);
            }
        }
        _ => measure_cpus(row, name, unit, end),
    }
    shown
}

/// Of each unit what had to go off, and when it was: stops, silent senders, and units on which it rests that tripped. What was still
/// within its limit when the run ended shows nothing.
fn measure_demands(row: &mut Budget, units: &[(&str, &Unit)], run: &Run) -> Vec<&'static str> {
    let (mut shown, id) = (Vec::new(), row.id.clone());
    for (name, unit) in units {
        for demand in unit.watch.demands.iter().filter(|demand| id == row_of(&demand.why) && demand.ended.is_none()) {
            let contacts = &unit.watch.contacts;
            let off = demand.off.and_then(|off| contacts.off(demand.at, off, demand.what.1, run.end));
            let is_over = off.is_some() || run.end > demand.at + demand.within;
            let lasts = off.unwrap_or(run.end).since(demand.at);
            // Off before the time-out: for something else.
            let is_early = matches!(demand.why, Why::Silence { .. }) && lasts + TICKS < demand.within;
            if !is_over || is_early {
                continue;
            }
            let (mut place, steps) = demand_words(units, name, unit, demand, (off, run));
            place += &contact_words(unit, demand.at, off.unwrap_or(run.end), demand.what.1);
            if measure_within(row, (ms(demand.within.as_nanos()), None), &place, ms(lasts.as_nanos())) {
                row.decomposition = steps;
            }
            if let Why::Trip { fault, cpu, .. } = demand.why {
                shown.extend(requirements_of(fault, cpu));
            }
        }
    }
    shown
}

/// The row to which a demand belongs.
const fn row_of(why: &Why) -> &'static str {
    match why {
        Why::Stop { .. } => "safety-response",
        Why::Trip { .. } => "safety-fault-reaction",
        Why::Silence { .. } => "safety-radio-timeout",
    }
}

/// Where a demand was measured, and its steps.
fn demand_words(
    units: &[(&str, &Unit)],
    name: &str,
    unit: &Unit,
    demand: &Demand,
    (gone, run): (Option<SimTime>, &Run),
) -> (String, Vec<Step>) {
    let (word, off) = gone.map_or((NEVER_OFF, run.end), |off| ("off", off));
    let (at, off) = (demand.at, (word, Some(off)));
    let other = |index: u8| units.get(usize::from(index)).map_or("", |(name, _)| *name);
    match demand.why {
        Why::Stop { unit: own, .. } if own == unit.index => {
            (format!("{name}, stop at {at} ms"), steps(&[("demanded", Some(at)), off]))
        }
        Why::Stop { unit: from, .. } => {
            let place = format!("{}, stop at {at} ms, outputs of {name}", other(from));
            (place, steps(&[("demanded", Some(at)), off]))
        }
        Why::Silence { node } => {
            let sends = |own: &Unit| usize::from(node) == own.watch.common().own && own.index != unit.index;
            let sender = units.iter().find(|(_, own)| sends(own)).map_or("", |(name, _)| *name);
            let place = format!("{name}, {sender} silent since {at} ms");
            (place, steps(&[("last good packet", Some(at)), off]))
        }
        Why::Trip { unit: from, fault, cpu, .. } => {
            let place = format!("{}, {} by CPU{cpu}, outputs of {name}", other(from), fault_words(fault));
            let remote = if gone.is_some() { format!("outputs of {name} off") } else { NEVER_OFF.to_owned() };
            let mut times = Vec::new();
            if let Some((_, from)) = units.get(usize::from(from)) {
                let trip = from.watch.offs.iter().find(|off| (off.detected, off.cpu) == (at, cpu));
                let occurred = || vec![("occurred", occurred(run, from, (at, fault))), ("detected", Some(at))];
                times = trip.map_or_else(occurred, |trip| trip_steps(run, from, trip));
                times.extend(trip.map(|trip| ("off", Some(trip.off))));
            }
            times.push((remote.as_str(), off.1));
            (place, steps(&times))
        }
    }
}

fn measure_cpus(row: &mut Budget, name: &str, unit: &Unit, end: SimTime) {
    let id = row.id.clone();
    for (cpu, watch) in unit.watch.cpus.iter().enumerate() {
        let place = |what: &str, worst: Worst| format!("{name}, CPU{}{what} at {} ms", cpu + 1, worst.at);
        let mut both = |what: &str, worst: Worst, least: bool| {
            if worst.n == 0 {
                return;
            }
            row.measure_at(&place(what, worst), ms(worst.most));
            if least {
                row.measure_at(&place(what, worst), ms(worst.least));
            }
            // The row counts what it measured, not its extremes.
            row.n = row.n - 1 - u64::from(least) + worst.n;
        };
        match id.as_str() {
            "safety-logic-time" => both("", watch.logic, false),
            "safety-logic-interval" => both("", watch.interval, true),
            // A gap is claimed where a pass was complete, or should have been.
            "safety-ram-pass" => {
                both(", pass with all backgrounds", passed(watch.ram_pass, watch, end), false);
                if watch.ram_pass.n > 0 || is_overdue(watch.ram_gap(end)) {
                    both(", gap between two tests of a block", at_least_one(watch.ram_gap(end)), false);
                }
            }
            "safety-flash-pass" if watch.flash_gap(end).n > 0 || is_overdue(watch.flash_gap(end)) => {
                both(", gap between two reads of a row", at_least_one(watch.flash_gap(end)), false);
            }
            "safety-combined-io" => both("", watch.combined, false),
            "safety-combined-step" => {
                both("", watch.combined_steps, false);
                if let Some(open) = watch.unseen(end) {
                    row.measure_at(&format!("{name}, CPU{}, not seen at the end", cpu + 1), ms(open.as_nanos()));
                }
            }
            _ => {}
        }
    }
}

/// A gap that is not closed in time breaks the limit, though nothing was measured between two tests.
fn is_overdue(gap: Worst) -> bool {
    gap.most >= PASS_MOST.as_nanos()
}

fn at_least_one(worst: Worst) -> Worst {
    Worst { n: worst.n.max(1), ..worst }
}

/// The passes of a CPU, or, where none was complete though there was the time for it, that time.
fn passed(passes: Worst, watch: &CpuWatch, end: SimTime) -> Worst {
    let lasts = watch.tested_for(end);
    if passes.n == 0 && lasts >= PASS_MOST {
        return Worst { n: 1, least: lasts.as_nanos(), most: lasts.as_nanos(), at: end };
    }
    passes
}

/// A row that one CPU's passes fill tells of which CPU no pass was complete.
fn name_open_passes(row: &mut Budget, units: &[(&str, &Unit)], end: SimTime) {
    let is_open = |watch: &CpuWatch| match row.id.as_str() {
        "safety-ram-pass" => passed(watch.ram_pass, watch, end).n == 0,
        "safety-flash-pass" => watch.flash_gap(end).n == 0 && !is_overdue(watch.flash_gap(end)),
        _ => false,
    };
    let cpus = units.iter().flat_map(|(name, unit)| unit.watch.cpus.iter().zip([1, 2]).map(move |cpu| (name, cpu)));
    let open = cpus.filter(|(_, (watch, _))| watch.ticks > 0 && is_open(watch));
    let open: Vec<String> = open.map(|(name, (_, number))| format!("{name}, CPU{number}")).collect();
    if let Some(place) = row.r#where.as_mut().filter(|_| !open.is_empty()) {
        *place += &format!("; no pass was complete yet of {}", open.join(" and "));
    }
}
