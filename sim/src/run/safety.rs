//! Rows of the result about safety units: budgets, checks, expectations, and what became of their faults.
//!
//! The rows exist where the scenario has units. A budget without an occasion in the run is not applicable: nothing is claimed.
//! All times are measured outside the firmware; *off* is when no output transistor of the unit conducts with its feed on, and no relay has
//! both coils fed; a relay whose contact opens later than its coil makes it, or never, is off that much later, or never. The worst time of a reaction comes with its steps, as far as they were measured:
//!
//! | Step | When |
//! |---|---|
//! | `occurred` | the first fault at the unit since it was off last, or since both CPUs started anew, acted; for a supply, when it left its limits |
//! | `last good packet` | the last one before the silence that is measured had come |
//! | `detected` | the step of the firmware that detected it began |
//! | `commanded` | that step, or a later one of the same CPU, ended with its outputs told to be off; `off` where none did |
//! | `off` | see above; `outputs of NAME off` where another unit's were the last |
//!
//! A limit may hold for a part of the steps only, as [`reports::Budget::measured_steps`] tells.

use reports::{Budget, Check, Fixed, Millis, Relation, RowVerdict, SAMPLES_MAX, Sample, Standing, Step, counted};
use safety_common::fault::{Fault, Reaction};
use safety_common::io::Mode;

use super::Run;
use crate::faults::Faults;
use crate::hosts::safety::Units;
use crate::hosts::safety::demands::{Demand, FAULT_MORE, TICKS, Why};
use crate::hosts::safety::supply::Missed;
use crate::hosts::safety::tool::{Download, Told};
use crate::hosts::safety::unit::Unit;
use crate::hosts::safety::watch::{CpuWatch, GroupOff, Off, PASS_MOST, Watch, Worst};
use crate::kernel::{Scoped, SimTime, Span};
use crate::scenario::{self, Expectation, SafetyDownload, SafetyTrip, Scenario};

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

/// Ids of the checks with their requirements.
pub const CHECKS: &[(&str, &[&str])] = &[
    ("safety_units_become_normal", &["SSR-046"]),
    ("nothing_is_driven_outside_normal_mode", &["SSR-003", "SSR-042", "SSR-049", "SSR-061", "SSR-065"]),
    ("safe_state_is_silent_and_off", &["SSR-042", "SSR-047", "SSR-073"]),
    ("safe_state_is_never_left", &["SSR-043"]),
    ("devices_that_are_off_keep_outputs_off", &["SSR-016"]),
    ("either_cpu_alone_turns_all_off", &["SSR-037"]),
    ("one_packet_each_tick_and_direction", &["SSR-017", "SSR-022"]),
    ("logic_runs_once_each_tick", &["SSR-012"]),
    ("diagnostics_find_what_is_injected", &[]),
    ("healthy_units_do_not_trip", &["SSR-020", "SSR-033", "SSR-046"]),
    ("downloads_tell_what_is_stored", &["SSR-052", "SSR-056", "SSR-058"]),
    ("configuration_is_changed_in_its_mode_only", &["SSR-051", "SSR-054"]),
    ("configuration_mode_is_entered_and_left_by_restarts", &["SSR-048", "SSR-050"]),
    ("only_the_unit_that_is_meant_shows_itself", &["SSR-057"]),
];

/// A lamp that is asked for is lit, and one that has been lit for 5 s goes out, within this time: message, bus and a tick.
const LAMP_TIME: Span = Span::from_millis(100);
/// How long it is lit.
const LAMP_LIT: Span = Span::from_millis(safety_common::tool::IDENTIFY_TICKS as u64);

/// The units of a run with their names, in the order of the scenario.
fn units<'a>(scenario: &'a Scenario, run: &'a Run) -> Vec<(&'a str, &'a Unit)> {
    let entities = run.twin.world.resource::<Units>().entities();
    let named = scenario.safety_units.iter().zip(entities);
    named.filter_map(|(setup, entity)| Some((setup.node.as_str(), run.twin.world.get::<Unit>(*entity)?))).collect()
}

fn unit<'a>(scenario: &'a Scenario, run: &'a Run, name: &str) -> Option<&'a Unit> {
    units(scenario, run).into_iter().find(|(own, _)| *own == name).map(|(_, unit)| unit)
}

fn ms(ns: u64) -> Fixed {
    Fixed::from(Millis::from_nanos(ns))
}

/// The budgets of the units.
pub(super) fn budgets(scenario: &Scenario, run: &Run) -> Vec<Budget> {
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

/// When the first fault at a unit acted that is after its last time off before `detected`, and no later than that; if one has acted
/// since both CPUs have started anew, the first of those.
fn occurred(run: &Run, unit: &Unit, detected: SimTime) -> Option<SimTime> {
    let off = unit.watch.offs.iter().map(|off| off.off).filter(|off| *off < detected).max();
    let booted = unit.watch.cpus.iter().map(|cpu| cpu.boots.iter().copied().filter(|at| *at <= detected).max()).min();
    let list = run.twin.world.resource::<Scoped<Faults>>().list.iter();
    let acted = list.filter(|one| one.is_at(unit.node)).flat_map(|one| one.first.into_iter().chain(one.later()));
    let acted: Vec<SimTime> = acted.filter(|at| *at <= detected).collect();
    let since = |before: Option<SimTime>| acted.iter().copied().filter(|at| before.is_none_or(|own| *at > own)).min();
    since(off.max(booted.flatten())).or_else(|| since(off))
}

/// The steps of a trip up to what it told; `off` comes behind them.
fn trip_steps<'a>(run: &Run, unit: &Unit, off: &Off) -> Vec<(&'a str, Option<SimTime>)> {
    let of_supply = off.crossing.filter(|_| matches!(off.fault, Fault::SupplyLow | Fault::SupplyHigh));
    let occurred = of_supply.or_else(|| occurred(run, unit, off.detected));
    let commanded = off.commanded.filter(|at| *at <= off.off).unwrap_or(off.off);
    vec![("occurred", occurred), ("detected", Some(off.detected)), ("commanded", Some(commanded))]
}

fn group_steps(run: &Run, unit: &Unit, group: &GroupOff, last: (&str, SimTime)) -> Vec<Step> {
    let commanded = group.commanded.filter(|at| *at <= last.1).unwrap_or(last.1);
    let occurred = occurred(run, unit, group.detected);
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
                let occurred = || vec![("occurred", occurred(run, from, at)), ("detected", Some(at))];
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

/// The checks of the units.
pub(super) fn checks(scenario: &Scenario, run: &Run) -> Vec<Check> {
    let units = units(scenario, run);
    if units.is_empty() {
        return Vec::new();
    }
    let mut rows: Vec<Check> =
        CHECKS.iter().map(|(id, requirements)| check(scenario, &units, run, id, requirements)).collect();
    if let Some(row) = rows.iter_mut().find(|row| row.id == "diagnostics_find_what_is_injected") {
        judge_diagnostics(scenario, run, row);
    }
    rows
}

/// What the scenario expects its units to find stands for the requirements of these diagnostics, in this run.
fn judge_diagnostics(scenario: &Scenario, run: &Run, row: &mut Check) {
    let mut broken = Vec::new();
    for expectation in &scenario.expectations {
        let Expectation::SafetyTrip(trip) = expectation else { continue };
        // What nothing was injected for shows no diagnostic, even if the unit does as expected.
        if !is_occasion(scenario, run, trip) {
            continue;
        }
        row.n += 1;
        let fault = fault_of(&trip.by);
        let found = unit(scenario, run, &trip.unit).map(detections).unwrap_or_default();
        let found = found.into_iter().find(|(_, _, own)| *own == fault).map(|(_, cpu, _)| cpu);
        let own = requirements_of(fault, found.or(trip.cpu).unwrap_or(0)).iter().map(|id| (*id).to_owned());
        row.requirements.extend(own.filter(|id| !row.requirements.contains(id)).collect::<Vec<_>>());
        if !trips(scenario, run, trip) {
            broken.extend(text(expectation));
        }
    }
    row.requirements.sort();
    row.verdict = match (row.n, broken.is_empty()) {
        (0, _) => RowVerdict::NotApplicable,
        (_, true) => RowVerdict::Pass,
        (_, false) => RowVerdict::Fail,
    };
    row.detail = broken.join("; ");
}

/// Whether something was wrong with a unit that it could find: an injection there acted, or the scenario built it so.
fn is_occasion(scenario: &Scenario, run: &Run, trip: &SafetyTrip) -> bool {
    let setup = scenario.safety_units.iter().find(|unit| unit.node == trip.unit);
    let is_built_wrong = setup.is_some_and(|unit| {
        unit.serial.is_some() || unit.cpu1.release != unit.cpu2.release || !unit.downloads.is_empty()
    });
    is_built_wrong
        || unit(scenario, run, &trip.unit).is_some_and(|unit| first_acted(run, unit, Some(&trip.by)).is_some())
}

/// The requirements that a diagnostic stands for when this CPU finds something with it; 0 is either.
#[must_use]
pub const fn requirements_of(fault: Fault, cpu: u8) -> &'static [&'static str] {
    use Fault as By;
    match fault {
        By::RamAtStart => &["SSR-003"],
        By::RamRunning => &["SSR-001", "SSM-11"],
        By::Firmware => &["SSR-006", "SSR-061"],
        By::FlashRunning => &["SSR-005", "SSM-11"],
        By::FlashNotErased => &["SSR-006"],
        By::ProductionData => &["SSR-064"],
        By::SerialNumber => &["SSR-066"],
        By::Configuration => &["SSR-063", "SSR-067"],
        By::PeerMissing | By::ReleaseDiffers => &["SSR-062"],
        By::PeerDataDiffers => &["SSR-063"],
        By::C2cSilent => &["SSR-021"],
        By::C2cErrorRate => &["SSR-020"],
        By::ClockDrift => &["SSR-013"],
        By::PeerMode => &["SSR-065"],
        By::AnalogMismatch => &["SSR-033"],
        By::LogicTime => &["SSR-014", "SSM-10"],
        By::TickCount => &["SSR-012"],
        By::ProgramFlow => &["SSM-03"],
        By::SupplyLow => &["SSR-009"],
        By::SupplyHigh => &["SSR-011"],
        By::Rail => match cpu {
            1 => &["SSR-083"],
            2 => &["SSR-082"],
            _ => &["SSR-082", "SSR-083"],
        },
        By::SioPower => &["SSR-084"],
        By::OutputDriver | By::MainTransistor | By::InputStage => &["SSR-035"],
        By::Relay => &["SSR-041"],
        By::Disagreement => &["SSR-032"],
        By::NotObeyed => &["SSR-037"],
        By::CanMasquerade => &["SSR-080"],
        By::Variable => &["SSM-13"],
        By::OutputWiring => &["SSR-036"],
        By::OssdShort => &["SSR-040"],
        By::InputDiscrepancy => &["SSR-028"],
        By::InputSignal => &["SSR-023", "SSR-026"],
    }
}

/// What the firmware calls that which a scenario expects.
const fn fault_of(by: &scenario::Detected) -> Fault {
    macro_rules! of_the_same_name {
        ($($name:ident)*) => {
            match by {
                $(scenario::Detected::$name => Fault::$name,)*
            }
        };
    }
    of_the_same_name!(
        RamAtStart RamRunning Firmware FlashRunning FlashNotErased ProductionData SerialNumber Configuration PeerMissing
        ReleaseDiffers PeerDataDiffers C2cSilent C2cErrorRate ClockDrift PeerMode AnalogMismatch LogicTime TickCount ProgramFlow
        SupplyLow SupplyHigh Rail SioPower OutputDriver MainTransistor Relay Disagreement NotObeyed CanMasquerade Variable
        InputStage OutputWiring OssdShort InputDiscrepancy InputSignal
    )
}

/// Whether the scenario expects an internal fault of this unit.
fn is_to_trip(scenario: &Scenario, name: &str) -> bool {
    use scenario::Detected::{InputDiscrepancy, InputSignal, OssdShort, OutputWiring};
    scenario.expectations.iter().any(|one| match one {
        Expectation::SafetyTrip(trip) => {
            trip.unit == name && !matches!(trip.by, OutputWiring | OssdShort | InputDiscrepancy | InputSignal)
        }
        _ => false,
    })
}

/// Internal faults that a unit found though the scenario names them not. What is named excuses what follows from it, until both CPUs
/// have started anew; each name excuses once. A fault that lasts over that start is found again, as this or that: it needs another name.
fn unasked_trips(scenario: &Scenario, name: &str, unit: &Unit) -> Vec<(SimTime, u8, Fault)> {
    let cpus = unit.watch.cpus.iter().zip([1, 2]);
    let causes = cpus.flat_map(|(watch, cpu)| watch.causes.iter().map(move |(at, fault)| (*at, cpu, *fault)));
    let mut causes: Vec<(SimTime, u8, Fault)> = causes.collect();
    causes.sort_by_key(|(at, cpu, _)| (*at, *cpu));
    let named = scenario.expectations.iter().filter_map(|one| match one {
        Expectation::SafetyTrip(trip) if trip.unit == name => Some(trip),
        _ => None,
    });
    let mut named: Vec<&SafetyTrip> = named.collect();
    // What is said more exactly comes first: it fits no other trip.
    named.sort_by_key(|trip| (trip.restarts.is_none(), trip.cpu.is_none()));
    let mut excused: Option<SimTime> = None;
    causes.retain(|(at, cpu, fault)| {
        let restarts = restarts_by(unit, *at);
        excused = excused.filter(|since| restarts_by(unit, *since) == restarts).or_else(|| {
            let is_then = |trip: &&SafetyTrip| trip.restarts.is_none_or(|own| usize::from(own) == restarts);
            let is_it = |trip: &&SafetyTrip| fault_of(&trip.by) == *fault && trip.cpu.is_none_or(|own| own == *cpu);
            let place = named.iter().position(|trip| is_then(trip) && is_it(trip))?;
            named.remove(place);
            Some(*at)
        });
        excused.is_none()
    });
    causes
}

/// Why a unit that came to normal mode did not stay there, unless the scenario says that it restarts. One that has no supply
/// at the end is off and cannot; one stays in configuration mode after a download that the scenario says fails.
fn not_for_good(scenario: &Scenario, name: &str, unit: &Unit) -> Option<String> {
    let is_to_restart = |one: &Expectation| matches!(one, Expectation::SafetyRestarts(own) if own == name);
    let held = if scenario.expectations.iter().any(is_to_restart) { is_normal(unit) } else { stays_normal(unit) };
    let is_refused = |one: &Expectation| matches!(one, Expectation::SafetyDownload(wanted) if wanted.unit == name && wanted.is.name() != "Stored");
    let is_configured = unit.cores.iter().all(|core| core.mode == Mode::Configuration);
    if is_configured && scenario.expectations.iter().any(is_refused) {
        return None;
    }
    // What was detected is judged by its own row.
    let detected = unit.watch.cpus.iter().any(|cpu| cpu.cause.is_some());
    (!held && unit.powered && !detected).then(|| format!("{name}: {}", not_normal(unit)))
}

fn check(scenario: &Scenario, units: &[(&str, &Unit)], run: &Run, id: &str, requirements: &[&str]) -> Check {
    let end = run.end;
    let mut n = 0;
    let mut broken = Vec::new();
    let mut wanted = false;
    // What a row does not claim, and whether it claims nothing of a CPU at all.
    let (mut unjudged, mut unseen) = (Vec::new(), false);
    for (name, unit) in units {
        let watch = &unit.watch;
        let cpus = watch.cpus.iter().enumerate();
        match id {
            "safety_units_become_normal" => {
                let expects_other = is_to_trip(scenario, name);
                let normal = watch.cpus.iter().filter(|cpu| cpu.ticks > 0).count() as u64;
                n += normal;
                wanted |= !expects_other;
                if normal < 2 && !expects_other {
                    broken.push(format!("{name} never came to normal mode"));
                } else if !expects_other {
                    broken.extend(not_for_good(scenario, name, unit));
                }
            }
            "nothing_is_driven_outside_normal_mode" => {
                n += watch.switched_on;
                broken.extend(watch.driven_outside.map(|at| format!("{name} at {at} ms")));
                let stayed = watch.stayed_outside(end);
                broken.extend(stayed.map(|at| format!("{name}: at {at} ms something is still on")));
            }
            "safe_state_is_silent_and_off" => {
                cpus.for_each(|(cpu, one)| {
                    n += one.safe_steps;
                    if one.spoke_in_safe > 0 {
                        let what = format!("{} sent or drove something", counted(one.spoke_in_safe, "step", "steps"));
                        broken.push(format!("{name}, CPU{}: {what}", cpu + 1));
                    }
                });
                let stayed = watch.stayed_in_safe(end);
                broken.extend(stayed.map(|at| format!("{name}: at {at} ms something is still on")));
            }
            "safe_state_is_never_left" => cpus.for_each(|(cpu, one)| {
                n += one.safe_steps;
                broken.extend(one.left_safe.map(|at| format!("{name}, CPU{} at {at} ms", cpu + 1)));
            }),
            "devices_that_are_off_keep_outputs_off" => {
                n += watch.settled.judged;
                broken.extend(watch.settled.wrong.iter().map(|(at, what)| format!("{name} at {at} ms: {what}")));
            }
            "either_cpu_alone_turns_all_off" => {
                for (trip, off) in watch.trips(end) {
                    let wrong = match off {
                        None => "something stays on",
                        _ if trip.is_late() => "what was told turns not all off",
                        _ => "",
                    };
                    // A trip of both shows nothing of either, and neither does one whose relays the other had to open.
                    n += u64::from(!wrong.is_empty() || trip.alone && off == Some(trip.off));
                    if !wrong.is_empty() {
                        broken.push(format!("{name}: {} by CPU{}, and {wrong}", fault_words(trip.fault), trip.cpu));
                    }
                }
            }
            "one_packet_each_tick_and_direction" => cpus.for_each(|(cpu, one)| {
                n += one.packets;
                if one.packets != one.talking {
                    let what = format!("{} packets in {} ticks", one.packets, one.talking);
                    broken.push(format!("{name}, CPU{}: {what}", cpu + 1));
                }
            }),
            "logic_runs_once_each_tick" => cpus.for_each(|(cpu, one)| {
                let testimony = one.testimony();
                n += testimony.judged;
                wanted |= one.ticks > 0;
                // The step that enters the safe state ends before its logic.
                if one.ticks - one.evaluated > one.trips {
                    let what = format!("{} evaluations in {} ticks", one.evaluated, one.ticks);
                    broken.push(format!("{name}, CPU{}: {what}", cpu + 1));
                }
                if let Some((at, what)) = testimony.wrong {
                    broken.push(format!("{name}, CPU{}: at {at} ms its logic {what}", cpu + 1));
                }
                if testimony.judged < one.evaluated {
                    let why = testimony.doubt.map_or(String::new(), |(at, why)| format!(", since {at} ms: {why}"));
                    let what = format!("{} of {} evaluations judged", testimony.judged, one.evaluated);
                    unjudged.push(format!("{name}, CPU{}: {what}{why}", cpu + 1));
                    unseen |= testimony.judged == 0;
                }
            }),
            "downloads_tell_what_is_stored" => {
                wanted |= !unit.tool.downloads.is_empty();
                for (number, one) in unit.tool.downloads.iter().enumerate() {
                    n += u64::from(one.told.is_some());
                    if !one.is_true() {
                        broken.push(format!("{name}, download {number}: {}", told(one)));
                    }
                }
            }
            // Every request that could change something is an occasion, whatever mode it meets.
            "configuration_is_changed_in_its_mode_only" => {
                n += unit.tool.changes_asked;
                cpus.for_each(|(cpu, one)| {
                    n += one.flash_changes;
                    let at = one.flash_changed_wrongly;
                    broken.extend(at.map(|at| format!("{name}, CPU{} at {at} ms", cpu + 1)));
                });
            }
            "configuration_mode_is_entered_and_left_by_restarts" => cpus.for_each(|(cpu, one)| {
                n += one.configuring;
                broken.extend(one.configuring_wrongly.map(|at| format!("{name}, CPU{} at {at} ms", cpu + 1)));
            }),
            "only_the_unit_that_is_meant_shows_itself" => {
                let of_tool = unit.tool.identifications.iter();
                n += of_tool.filter(|one| one.asked).count() as u64;
                wanted |= !unit.tool.identifications.is_empty();
                let asked = asked_for(units.iter().map(|(_, unit)| *unit), unit.tool.serial);
                let uncalled = watch.lamps.iter().filter(|lamp| !is_called_for(**lamp, &asked));
                broken.extend(uncalled.map(|(at, _)| format!("{name}: its lamp, lit at {at} ms")));
            }
            "healthy_units_do_not_trip" => {
                let unasked = unasked_trips(scenario, name, unit);
                if !is_to_trip(scenario, name) {
                    wanted = true;
                    n += watch.cpus.iter().map(|cpu| cpu.ticks).sum::<u64>();
                } else {
                    n += unasked.len() as u64;
                }
                let words = |(at, cpu, fault)| format!("{name}, CPU{cpu} at {at} ms: {}", fault_words(fault));
                broken.extend(unasked.into_iter().map(words));
            }
            _ => {}
        }
    }
    let mut row = super::report::judged_row(id, requirements, if unseen { 0 } else { n }, wanted, &broken);
    if broken.is_empty() {
        row.detail = unjudged.join("; ");
    }
    row
}

/// When the lamp of the unit with this serial number was asked for, by a tool wherever it is.
fn asked_for<'a>(units: impl Iterator<Item = &'a Unit>, serial: u32) -> Vec<SimTime> {
    let all = units.flat_map(|unit| &unit.tool.identifications);
    all.filter(|one| one.asked && one.serial == serial).map(|one| one.at).collect()
}

/// Whether a lamp was lit soon after it was asked for, and no longer than 5 s after it was last.
fn is_called_for((begin, end): (SimTime, Option<SimTime>), asked: &[SimTime]) -> bool {
    let begins = asked.iter().any(|at| (*at..=*at + LAMP_TIME).contains(&begin));
    let longest =
        asked.iter().filter(|at| end.is_none_or(|end| **at <= end)).max().map(|at| *at + LAMP_LIT + LAMP_TIME);
    begins && end.is_none_or(|end| longest.is_some_and(|longest| end <= longest))
}

/// Whether each time that the lamp of a unit was asked for it was lit in time, and for 5 s or to the end of the run.
fn is_identified(scenario: &Scenario, run: &Run, name: &str) -> bool {
    let units = units(scenario, run);
    let Some((_, unit)) = units.iter().find(|(own, _)| *own == name) else { return false };
    let asked = asked_for(units.iter().map(|(_, unit)| *unit), unit.tool.serial);
    let lit = |at: SimTime| {
        let until = |end: &Option<SimTime>| end.unwrap_or(run.end + LAMP_LIT) + LAMP_TIME >= at + LAMP_LIT;
        unit.watch.lamps.iter().any(|(begin, end)| *begin <= at + LAMP_TIME && until(end))
    };
    !asked.is_empty() && asked.into_iter().all(lit)
}

/// What became of a download, and what both CPUs held when the tool told it.
fn told(one: &Download) -> String {
    match &one.told {
        None => one.step.map_or("not begun".to_owned(), |step| format!("not over, {}", step.word())),
        Some((_, told, _)) => {
            let held = match (one.stored, one.changed) {
                (true, _) => "both CPUs hold it",
                (false, true) => "something else is stored than before",
                (false, false) => "nothing was changed",
            };
            let took = one.took().map_or(String::new(), |took| format!(" after {took} ms"));
            let why = match told {
                Told::NotEntered => " (no answer to password and serial number: one of them is not the unit's)",
                _ => "",
            };
            format!("the tool tells {}{why}{took}, {held}", super::events::word_of(&told))
        }
    }
}

fn download<'a>(scenario: &'a Scenario, run: &'a Run, wanted: &SafetyDownload) -> Option<&'a Download> {
    unit(scenario, run, &wanted.unit)?.tool.downloads.get(usize::from(wanted.number))
}

/// Why an expectation about a unit does not hold, where more can be said than that.
pub(super) fn why(scenario: &Scenario, run: &Run, expectation: &Expectation) -> String {
    match expectation {
        Expectation::SafetyDownload(wanted) => download(scenario, run, wanted).map_or(String::new(), told),
        _ => String::new(),
    }
}

/// When the first injection at a unit acted that could lead to what it detects: a supply out of its limits is a matter of the
/// supply or of its reading.
fn first_acted(run: &Run, unit: &Unit, by: Option<&scenario::Detected>) -> Option<SimTime> {
    use scenario::{AdcInput, Detected, FaultKind, SafetyFault};
    let of_supply = matches!(by, Some(Detected::SupplyLow | Detected::SupplyHigh));
    let reads = |kind: &FaultKind| matches!(kind, FaultKind::Safety(SafetyFault::Adc(hit)) if matches!(hit.channel, AdcInput::Supply));
    let list = run.twin.world.resource::<Scoped<Faults>>().list.iter();
    let own = list.filter(|one| one.is_at(unit.node));
    let own = own.filter(|one| !of_supply || one.is_of_the_supply() || reads(&one.fault.kind));
    own.filter_map(|injection| injection.first).min()
}

/// Whether an expectation about a unit holds; `None` for any other expectation.
pub(super) fn holds(scenario: &Scenario, run: &Run, expectation: &Expectation) -> Option<bool> {
    match expectation {
        Expectation::SafetyTrip(trip) => Some(trips(scenario, run, trip)),
        Expectation::SafetyStaysNormal(name) => Some(unit(scenario, run, name).is_some_and(stays_normal)),
        Expectation::SafetyRestarts(name) => Some(unit(scenario, run, name).is_some_and(restarts)),
        Expectation::SafetyIdentified(name) => Some(is_identified(scenario, run, name)),
        Expectation::SafetyRelays(wanted) => {
            let unit = unit(scenario, run, &wanted.unit)?;
            let all = 0..u8::try_from(safety_common::RELAYS).unwrap_or(0);
            Some(all.into_iter().all(|relay| unit.conducts(relay) == wanted.closed.contains(&relay)))
        }
        Expectation::SafetyDownload(wanted) => Some(download(scenario, run, wanted).is_some_and(|one| {
            let in_time = wanted.within.is_none_or(|within| one.took().is_some_and(|took| took <= within));
            in_time && one.told.is_some_and(|(_, told, _)| format!("{told:?}") == wanted.is.name())
        })),
        _ => None,
    }
}

/// What a unit detects, in the words of the scenario: `RamAtStart` reads `ram-at-start`.
fn fault_words(fault: Fault) -> String {
    super::events::word_of(&fault)
}

/// What became of a unit instead of what was expected of it.
pub(super) fn instead(scenario: &Scenario, run: &Run, expectation: &Expectation) -> String {
    let of = |name: &str| unit(scenario, run, name);
    let words = match expectation {
        Expectation::SafetyTrip(trip) => of(&trip.unit).map(|unit| first_detected(run, unit, trip.restarts)),
        Expectation::SafetyStaysNormal(name) => of(name).map(not_normal),
        Expectation::SafetyRestarts(name) => of(name).map(|unit| {
            let left = unit.watch.cpus.iter().all(|cpu| cpu.left_normal.is_some());
            if left { not_normal_again(unit) } else { "it did not restart".to_owned() }
        }),
        Expectation::SafetyIdentified(name) => of(name).map(|unit| {
            let lit = unit.watch.lamps.iter().map(|(begin, _)| format!("{begin} ms"));
            let lit: Vec<String> = lit.collect();
            if lit.is_empty() {
                "its lamp was never lit".to_owned()
            } else {
                format!("its lamp was lit at {}", lit.join(", "))
            }
        }),
        Expectation::SafetyRelays(wanted) => of(&wanted.unit).map(|unit| {
            let all = 0..u8::try_from(safety_common::RELAYS).unwrap_or(0);
            let conduct: Vec<String> =
                all.filter(|relay| unit.conducts(*relay)).map(|relay| relay.to_string()).collect();
            relay_words(&conduct)
        }),
        _ => None,
    };
    words.unwrap_or_else(|| "there is no such unit".to_owned())
}

fn relay_words(conduct: &[String]) -> String {
    match conduct {
        [] => "no relay conducts".to_owned(),
        [one] => format!("relay {one} conducts"),
        some => format!("relays {} conduct", some.join(" and ")),
    }
}

/// All that the CPUs of a unit detected, the first at the begin.
fn detections(unit: &Unit) -> Vec<(SimTime, u8, Fault)> {
    let of_cpus = unit.watch.cpus.iter().zip([1u8, 2]);
    let all = of_cpus.flat_map(|(cpu, number)| cpu.detections.iter().map(move |(at, one)| (*at, number, one.fault)));
    let mut all: Vec<(SimTime, u8, Fault)> = all.collect();
    all.sort_by_key(|(at, number, _)| (*at, *number));
    all
}

/// Those after so many restarts of both CPUs, if that is asked.
fn detections_of(unit: &Unit, restarts: Option<u8>) -> impl Iterator<Item = (SimTime, u8, Fault)> {
    detections(unit)
        .into_iter()
        .filter(move |(at, ..)| restarts.is_none_or(|own| restarts_by(unit, *at) == usize::from(own)))
}

/// How often both CPUs of a unit had started anew by then.
fn restarts_by(unit: &Unit, at: SimTime) -> usize {
    unit.watch.lives.iter().filter(|life| **life <= at).count().saturating_sub(1)
}

fn first_detected(run: &Run, unit: &Unit, restarts: Option<u8>) -> String {
    let list: Vec<(SimTime, u8, Fault)> = detections_of(unit, restarts).collect();
    let Some((at, cpu, fault)) = list.first() else { return "it detected nothing".to_owned() };
    let since = first_acted(run, unit, None).filter(|first| first <= at);
    let since =
        since.map_or(String::new(), |first| format!(", {} ms after the first fault there acted", at.since(first)));
    format!("it detected {} first, by CPU{cpu} at {at} ms{since}", fault_words(*fault))
}

fn not_normal(unit: &Unit) -> String {
    let words = not_normal_again(unit);
    if !words.is_empty() {
        return words;
    }
    let cpus = unit.watch.cpus.iter().zip([1u8, 2]);
    let left =
        cpus.filter_map(|(cpu, number)| Some(format!("CPU{number} left normal mode at {} ms", cpu.left_normal?)));
    left.collect::<Vec<_>>().join(", ")
}

fn not_normal_again(unit: &Unit) -> String {
    let cpus = unit.watch.cpus.iter().zip(&unit.cores).zip([1u8, 2]);
    let words = cpus.filter_map(|((watch, core), number)| {
        let what = match watch.cause {
            Some((at, cause)) => format!("detected {} at {at} ms", fault_words(cause.fault)),
            None if watch.ticks == 0 => "never came to normal mode".to_owned(),
            None if core.firmware.is_none() => "runs no firmware at the end".to_owned(),
            None if core.mode != Mode::Normal => {
                format!("is in mode {} at the end", super::events::word_of(&core.mode))
            }
            None => return None,
        };
        Some(format!("CPU{number} {what}"))
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Both CPUs became normal once and for all.
fn stays_normal(unit: &Unit) -> bool {
    is_normal(unit) && unit.watch.cpus.iter().all(|cpu| cpu.left_normal.is_none())
}

/// Both CPUs were normal, stood still without having detected anything, and are normal again.
fn restarts(unit: &Unit) -> bool {
    is_normal(unit) && unit.watch.cpus.iter().all(|cpu| cpu.left_normal.is_some())
}

/// Both CPUs are normal at the end, and neither ever detected anything.
fn is_normal(unit: &Unit) -> bool {
    let modes = unit.cores.iter().all(|core| core.mode == Mode::Normal && core.firmware.is_some());
    modes && unit.watch.cpus.iter().all(|cpu| cpu.cause.is_none() && cpu.ticks > 0)
}

fn trips(scenario: &Scenario, run: &Run, wanted: &SafetyTrip) -> bool {
    let Some(unit) = unit(scenario, run, &wanted.unit) else { return false };
    let internal = |fault: Fault| fault.reaction() == Reaction::SafeState;
    let all: Vec<(SimTime, u8, Fault)> = detections_of(unit, wanted.restarts).collect();
    let of_its_kind = all.iter().find(|(_, _, fault)| format!("{fault:?}") == wanted.by.name());
    let is_internal = of_its_kind.is_none_or(|(_, _, fault)| internal(*fault));
    let Some((at, cpu, fault)) = all.into_iter().find(|(_, _, fault)| internal(*fault) == is_internal) else {
        return false;
    };
    // Nothing was injected there: a unit may be built wrong, but there is no time to measure.
    let first = first_acted(run, unit, Some(&wanted.by));
    let restarted = wanted.restarts.and_then(|restarts| unit.watch.lives.get(usize::from(restarts)).copied());
    let since = first.filter(|first| *first <= at).map(|first| at.since(first.max(restarted.unwrap_or_default())));
    format!("{fault:?}") == wanted.by.name()
        && wanted.cpu.is_none_or(|wanted| wanted == cpu)
        && first.is_none_or(|first| first <= at)
        && wanted.after.is_none_or(|after| since.is_some_and(|since| since >= after))
        && wanted.within.is_none_or(|within| since.is_some_and(|since| since <= within))
}

/// An expectation about a unit as a sentence.
pub(super) fn text(expectation: &Expectation) -> Option<String> {
    let word = |by: &scenario::Detected| super::events::kebab(by.name());
    match expectation {
        Expectation::SafetyTrip(trip) => {
            let cpu = trip.cpu.map_or(String::new(), |cpu| format!(" with CPU{cpu}"));
            let after = trip.after.map_or(String::new(), |after| format!(", not before {after} ms"));
            let within = trip.within.map_or(String::new(), |within| format!(", within {within} ms"));
            let restarts = trip.restarts.map_or(String::new(), |restarts| {
                format!(" after {}", counted(restarts.into(), "restart", "restarts"))
            });
            Some(format!("safety unit {} detects {} first{restarts}{cpu}{after}{within}", trip.unit, word(&trip.by)))
        }
        Expectation::SafetyRelays(wanted) => {
            let relays: Vec<String> = wanted.closed.iter().map(u8::to_string).collect();
            Some(format!("safety unit {}: {} at the end", wanted.unit, relay_words(&relays)))
        }
        Expectation::SafetyDownload(wanted) => {
            let within = wanted.within.map_or(String::new(), |within| format!(" within {within} ms"));
            let (unit, number) = (&wanted.unit, wanted.number);
            let told = super::events::kebab(wanted.is.name());
            Some(format!("safety unit {unit}: the configuration tool tells {told} of download {number}{within}"))
        }
        Expectation::SafetyStaysNormal(name) => Some(format!("safety unit {name} becomes normal and stays so")),
        Expectation::SafetyRestarts(name) => Some(format!("safety unit {name} restarts and is normal again")),
        Expectation::SafetyIdentified(name) => {
            Some(format!("safety unit {name} shows its lamp for 5 s each time that a tool asks for it"))
        }
        _ => None,
    }
}

/// When what an injection did from `first` on was detected by any unit, when the first unit was off for it, and when the last one was. A stop
/// is off where it demands something; what trips or falls silent later has other causes.
pub(super) fn reaction(
    scenario: &Scenario,
    run: &Run,
    kind: &scenario::FaultKind,
    first: SimTime,
) -> [Option<SimTime>; 3] {
    let units = units(scenario, run);
    let detected = units.iter().flat_map(|(_, unit)| unit.watch.cpus.iter());
    let detected = detected.flat_map(|cpu| cpu.detections.iter().map(|(at, _)| *at)).filter(|at| *at >= first).min();
    let is_stop = matches!(kind, scenario::FaultKind::Safety(scenario::SafetyFault::InputOff(_)));
    let offs = units.iter().map(|(_, unit)| {
        let is_own = |one: &&Demand| match one.why {
            Why::Stop { .. } => is_stop && one.at == first,
            _ => !is_stop,
        };
        let rests = unit.watch.demands.iter().filter(is_own).filter_map(|one| one.off).filter(|off| *off >= first);
        if is_stop {
            return rests.max();
        }
        let trips = unit.watch.trips(run.end).into_iter().filter(|(trip, _)| trip.detected >= first);
        let trips = trips.filter_map(|(_, off)| off);
        let outside = unit.watch.outside.iter().filter(|one| one.detected >= first).filter_map(|one| one.off);
        trips.chain(outside).chain(rests).min()
    });
    let offs: Vec<SimTime> = offs.flatten().collect();
    [detected, offs.iter().min().copied(), offs.iter().max().copied()]
}
