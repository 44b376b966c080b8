//! What happened: timeline, updates, budgets one by one, voltages, bus, faults and events.

use maud::{Markup, html};

use super::Column::{Number, Text, Wide};
use super::log::Row;
use super::rows::{margin, margin_cell, requirements, statement};
use super::{Log, Page, Section, head, shape, table};
use crate::figures::{curve, marks, outcome, timeline};
use crate::number::{Fixed, Millis};
use crate::reaction::{self, ALL_OFF, LOCAL_OFF, NOT_DETECTED, OCCURRED, REACTION, is_at_a_unit};
use crate::report::{BUDGET_PUMP_UPDATE, Budget, Bus, Extremes, Injection, Message, Pump, Series, Try, TryOutcome};
use crate::terminal::held_unexpectedly;
use crate::words::{self, capital};

impl Page<'_> {
    pub(super) fn timeline(&self) -> Option<Section> {
        self.figures.iter().find(|figure| figure.name == "timeline")?;
        let marks = marks::marks(self.report);
        let content = html! {
            caption { "Marks of the timeline" }
            (head(&[Number("No."), Number("Time, ms"), Text("What"), Text("Where"), Wide("Details")]))
            tbody {
                @for mark in &marks {
                    tr {
                        th.number scope="row" { (mark.number) }
                        td.number { (words::rounded(mark.at.into(), 3)) }
                        td { (mark.kind.word()) }
                        td { (mark.place) }
                        td { (mark.text) }
                    }
                }
            }
        };
        let body = html! {
            (self.figure("timeline"))
            @if marks.is_empty() { p { "No fault acted and no try failed." } } @else { (table("Marks", &content)) }
            (self.curves())
        };
        Some(Section::new("timeline", "Timeline", body))
    }

    /// The curves of the timeline in numbers.
    fn curves(&self) -> Markup {
        let content = html! {
            caption { "The curves in numbers" }
            (head(&[Text("Curve"), Number("Lowest"), Number("Highest"), Text("These count"), Text("Thresholds")]))
            tbody { @for series in &self.report.series { (curve_row(series)) } }
        };
        if self.report.series.is_empty() {
            html! {}
        } else {
            table("Curves in numbers", &content)
        }
    }

    pub(super) fn updates(&self) -> Option<Section> {
        let pumps = self.report.updated_pumps();
        if pumps.is_empty() {
            return None;
        }
        let budget = self.report.budget(BUDGET_PUMP_UPDATE);
        let limit = budget.map_or_else(String::new, |budget| format!(", limit {}", words::limit(budget)));
        let content = html! {
            caption { "Time of each pump's successful try" (limit) }
            (head(&[Text("Pump"), Text("Outcome"), Number("Time"), Number("Margin"), Number("Tries"), Number("First begin to last end"), Text("Version"), Text("Causes")]))
            tbody { @for pump in pumps { (pump_row(pump, budget)) } }
        };
        let body = html! {
            (self.figure("update-time"))
            (table("Pumps", &content))
            (tries(pumps))
        };
        Some(Section::new("updates", "Updates of the pumps", body))
    }

    /// What the safety frames cost: times of the update with them and without.
    pub(super) fn safety_frames(&self) -> Option<Section> {
        let frames = self.report.safety_frames.as_ref()?;
        let content = html! {
            caption { "Times of the update with the safety frames on the bus and without them" }
            (head(&[Text("Time"), Number("With"), Number("Without"), Number("Difference")]))
            tbody {
                @for time in &frames.times {
                    tr {
                        th scope="row" { (statement(&time.id)) }
                        td.number { (words::duration(time.with_ms)) }
                        td.number { (words::duration(time.without_ms)) }
                        td.number { (words::margin_seconds(time.difference_ms, true)) }
                    }
                }
            }
        };
        let body = html! {
            @if frames.times.is_empty() { p { (capital(&words::not_compared(frames))) "." } }
            @else {
                (table("Safety frames", &content))
                p {
                    "With: this run. Without: the same scenario once more, the SimpleCAN frames of the safety units coming to the other "
                    "units beside the bus instead of on it, and all else as here. For " (statement(BUDGET_PUMP_UPDATE))
                    " the longest of all pumps counts. Nothing is judged by the time without; budgets judge this run."
                }
            }
        };
        Some(Section::new("safety-frames", "Safety frames", body))
    }

    pub(super) fn budgets(&self) -> Option<Section> {
        let body = html! {
            @for (budget, anchor) in self.report.budgets.iter().zip(self.budget_anchors()) {
                article id=(anchor) {
                    h3 { (statement(&budget.id)) }
                    p { (shape::row(budget.verdict)) " " (budget_words(budget)) }
                    @if budget.id == BUDGET_PUMP_UPDATE && !self.report.updated_pumps().is_empty() {
                        p { a href="#updates" { "Every pump in figure and table" } }
                    }
                    (self.figure(&format!("samples-{anchor}")))
                    (decomposition(budget))
                }
            }
        };
        (!self.report.budgets.is_empty()).then(|| Section::new("budgets", "Budgets, one by one", body))
    }

    /// The timing of the safety functions: the budgets that stand for its requirements.
    pub(super) fn safety(&self) -> Option<Section> {
        let all = self.report.budgets.iter().zip(self.budget_anchors());
        let rows: Vec<(&Budget, String)> = all.filter(|(budget, _)| budget.is_of_safety()).collect();
        let content = html! {
            caption { "Timing of the safety functions" }
            (head(&[Text("Requirement"), Text("Function"), Number("Measured"), Number("Worst"), Number("Limit"), Number("Margin"), Text("Verdict"), Text("Limit from")]))
            tbody {
                @for (budget, anchor) in &rows {
                    tr {
                        td { (requirements(&budget.requirements)) }
                        th scope="row" { a href={ "#" (anchor) } { (statement(&budget.id)) } }
                        td.number { (words::times(budget.n)) }
                        td.number { (budget.measured.map_or_else(|| "-".to_owned(), |value| words::value(budget, value))) }
                        td.number { (words::limit(budget)) }
                        td.number { (margin_cell(budget)) }
                        td { (shape::row(budget.verdict)) }
                        td { (budget.limit_from) }
                    }
                }
            }
        };
        (!rows.is_empty()).then(|| Section::new("safety", "Safety timing", table("Safety timing", &content)))
    }

    pub(super) fn voltages(&self) -> Option<Section> {
        let voltages: Vec<&Series> = self.report.series.iter().filter(|series| series.unit == "mV").collect();
        let body = html! {
            @for series in &voltages {
                (self.figure(&format!("voltage-{}", words::slug(&series.name))))
                (self.dips(series))
            }
            p { (words::count(self.report.power.brownouts, "power loss", "power losses")) " of nodes, each time counted." }
        };
        (!voltages.is_empty()).then(|| Section::new("voltages", "Voltages", body))
    }

    fn dips(&self, series: &Series) -> Markup {
        let dips = curve::dips(series, self.report.simulated_ms);
        let content = html! {
            caption { "Stretches of " (curve::title(series)) " below a threshold; begin and end are those of the intervals kept" }
            (head(&[Number("No."), Number("From"), Number("To"), Number("At most"), Number("Least"), Text("Threshold crossed")]))
            tbody {
                @for (number, dip) in (1..).zip(&dips) {
                    tr {
                        th.number scope="row" { (number) }
                        td.number { (words::duration(dip.from)) }
                        td.number { (words::duration(dip.to)) }
                        td.number { (words::duration(between(dip.from, dip.to))) }
                        td.number { (curve::shown(series, dip.least)) }
                        td { (dip.below) }
                    }
                }
            }
        };
        if dips.is_empty() {
            html! { p { (curve::title(series)) ": never below a threshold." } }
        } else {
            table(&format!("Dips of {}", series.name), &content)
        }
    }

    pub(super) fn bus(&self) -> Option<Section> {
        let bus = &self.report.bus;
        let body = html! {
            (bus_facts(bus))
            @if !bus.nodes.is_empty() { (nodes(bus)) }
            @if !bus.messages.is_empty() {
                details { summary { "Response times of " (words::count(bus.messages.len() as u64, "message", "messages")) }
                    (messages(&bus.messages))
                }
            }
        };
        Some(Section::new("bus", "Bus", body))
    }

    pub(super) fn injections(&self) -> Option<Section> {
        let injections = &self.report.injections;
        let body = html! {
            p { "Every fault that was asked for, and what was read back as proof that it acted. " (OCCURRED) "." }
            @if injections.iter().any(|one| self.is_timed(one)) { p.note { (REACTION) "." } }
            @for injection in injections { (self.fault(injection)) }
        };
        (!injections.is_empty()).then(|| Section::new("faults", "Injected faults", body))
    }

    /// Whether anything is to be told of how safety units answered.
    fn is_timed(&self, injection: &Injection) -> bool {
        injection.reaction().iter().any(Option::is_some) || is_at_a_unit(self.report, injection)
    }

    /// A fault as pairs of name and value, which fit any width.
    fn fault(&self, injection: &Injection) -> Markup {
        let [detected, local, all] = injection.reaction();
        let time = |time: Option<Millis>| time.map_or_else(|| "-".to_owned(), words::milliseconds);
        let since = |at: Option<Millis>| since(injection, at);
        html! {
            article.fault {
                h3 { (injection.id) ": " (injection.kind) " on " (injection.target) }
                dl.pairs {
                    div { dt { "Occurred" } dd { (time(injection.occurred_ms)) } }
                    div { dt { "First acted" } dd { (time(injection.at_ms)) } }
                    div { dt { "Duration" } dd { (injection.duration_ms.map_or_else(|| "-".to_owned(), words::duration)) } }
                    div { dt { "Acted" } dd { (acted(injection)) } }
                    @if self.is_timed(injection) {
                        div { dt { "Detected" } dd { @if detected.is_none() { (NOT_DETECTED) } @else { (since(detected)) br; "as " (injection.detected_as) } } }
                        div { dt { (capital(LOCAL_OFF)) } dd { (since(local)) } }
                        div { dt { (capital(ALL_OFF)) } dd { (since(all)) } }
                    }
                    div { dt { "Class" } dd { (injection.class) } }
                    div.whole { dt { "Read back" } dd { (if injection.effect.is_empty() { &injection.hint } else { &injection.effect }) } }
                }
            }
        }
    }

    /// How each safety unit ends, what it detected in itself first, and what was done there.
    pub(super) fn safety_units(&self) -> Option<Section> {
        let units = &self.report.safety_units;
        let content = html! {
            caption { "The safety units at the end of the run, and what they detected in themselves first" }
            (head(&[Text("Unit"), Text("Mode"), Text("First internal fault detected"), Text("Relays"), Text("Supply"), Text("Configuration tool")]))
            tbody {
                @for unit in units {
                    tr {
                        th scope="row" { (unit.id) }
                        td { (unit.mode_words()) }
                        td { (unit.detected_words().unwrap_or_else(|| "none".to_owned())) }
                        td { (unit.relay_words()) }
                        td { (unit.supply_words()) }
                        td { @for (at, told) in unit.tool_words().iter().enumerate() { @if at > 0 { br; } (told) } }
                    }
                }
            }
        };
        (!units.is_empty()).then(|| Section::new("safety-units", "Safety units", table("Safety units", &content)))
    }

    pub(super) fn has_events(&self) -> bool {
        !matches!(self.log, Log::None)
    }

    pub(super) fn events(&self) -> Option<Section> {
        let told = self.report.events.as_ref()?;
        let intro = html! {
            p { "The whole log is " code { (told.file) } " beside this page: " (words::count(told.lines, "line", "lines"))
                ", SHA-256 " code { (told.sha256) } "." }
        };
        let body = match &self.log {
            Log::None => return None,
            Log::Missing => {
                html! { (intro) p { strong { "The log was not at hand when this page was made, so none of it is shown." } } }
            }
            Log::Shown(rows) => html! { (intro) (event_table(rows)) },
        };
        Some(Section::new("events", "Events", body))
    }
}

fn between(from: Millis, to: Millis) -> Millis {
    Millis::from_signed_nanos(to.as_nanos().saturating_sub(from.as_nanos()))
}

fn curve_row(series: &Series) -> Markup {
    let ends = series.extremes();
    let shown = |value: fn(&Extremes) -> Fixed| {
        ends.as_ref().map_or_else(|| "none".to_owned(), |ends| curve::shown(series, value(ends)))
    };
    let (low, high) = (shown(|ends| ends.min), shown(|ends| ends.max));
    let levels = series.levels.iter().map(|level| format!("{} {}", level.name, curve::shown(series, level.value)));
    html! {
        tr {
            th scope="row" { (curve::title(series)) }
            td.number { (low) }
            td.number { (high) }
            td { (ends.map_or_else(String::new, |ends| ends.covers())) }
            td { (levels.collect::<Vec<_>>().join("; ")) }
        }
    }
}

fn pump_row(pump: &Pump, budget: Option<&Budget>) -> Markup {
    let margin = timeline::margin(pump, budget);
    let over = timeline::is_over(pump, budget);
    let (word, bad) = outcome(pump);
    let seconds =
        |time: Option<Millis>| time.map_or_else(|| "-".to_owned(), |time| format!("{} s", words::seconds(time)));
    let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
    html! {
        tr id={ "pump-" (words::slug(&pump.id)) } {
            th scope="row" { (pump.id) }
            td { (shape::word(bad, word)) }
            td.number { (seconds(pump.update_ms)) }
            td.number { (margin_of(margin, over)) }
            td.number { (pump.attempts) }
            td.number { (seconds(Some(pump.total_ms))) }
            td { (version(&pump.version_before)) " to " (version(&pump.version_after)) }
            td { (causes(pump)) }
        }
    }
}

/// The margin of a pump's time; beyond the limit it has the shape of a failure.
fn margin_of(margin: Option<Millis>, over: bool) -> Markup {
    let Some(margin) = margin else { return html! { "-" } };
    let text = words::margin_seconds(margin, !over);
    if over {
        shape::word(true, &text)
    } else {
        html! { (text) }
    }
}

fn causes(pump: &Pump) -> String {
    let words = |code: &String| words::cause_words(code).map_or(code.clone(), |words| format!("{code} {words}"));
    pump.causes.iter().map(words).collect::<Vec<_>>().join(", ")
}

/// Every try with its phases, folded.
fn tries(pumps: &[Pump]) -> Markup {
    let row = |pump: &Pump, one: &Try| {
        let how = match one.outcome {
            TryOutcome::Updated => "updated",
            TryOutcome::Failed => "failed",
            TryOutcome::Interrupted => "interrupted",
        };
        let cause = one.cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"));
        let phase = |phase: &crate::report::Phase| format!("{} {}", phase.name, words::duration(phase.duration_ms));
        let phases: Vec<String> = one.phases.iter().map(phase).collect();
        html! {
            tr {
                th scope="row" { (pump.id) }
                td.number { (one.n) }
                td.number { (words::duration(one.start_ms)) }
                td.number { (words::duration(one.duration())) }
                td { (how) (cause) }
                td.wide { (phases.join(", ")) }
            }
        }
    };
    let content = html! {
        caption { "Every try with its phases" }
        (head(&[Text("Pump"), Number("Try"), Number("Begins"), Number("Takes"), Text("Ends"), Text("Phases")]))
        tbody { @for pump in pumps { @for one in &pump.tries { (row(pump, one)) } } }
    };
    let count = pumps.iter().map(|pump| pump.tries.len() as u64).sum();
    html! {
        @if count > 0 { details { summary { "Phases of " (words::count(count, "try", "tries")) } (table("Tries", &content)) } }
    }
}

fn budget_words(budget: &Budget) -> String {
    let limit = words::limit_with_origin(budget);
    let Some(measured) = budget.measured else { return format!("Nothing was measured. Limit {limit}.") };
    let place = budget.r#where.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
    let worst = words::value(budget, measured);
    let n = words::count(budget.n, "value", "values");
    let held = if held_unexpectedly(budget) { " It held, and was expected to break." } else { "" };
    format!("Worst of {n}: {worst}{place}. Limit {limit}, margin {}.{held}", margin(budget))
}

fn decomposition(budget: &Budget) -> Markup {
    // As in the log of events, so that steps near to each other differ.
    let ms = |time: Millis| words::rounded(time.into(), 3);
    let rows: Vec<(String, String, &str)> = budget
        .decomposition
        .iter()
        .zip(budget.step_durations())
        .map(|(step, lasts)| {
            let lasts = lasts.map_or_else(String::new, reaction::reaction_digits);
            (ms(step.at_ms), lasts, step.step.as_str())
        })
        .collect();
    let measured = budget.measured_steps();
    let content = html! {
        caption { "Steps of the worst case" @if let Some((from, to)) = measured { "; measured is from " (from) " to " (to) } }
        (head(&[Number("No."), Text("Step"), Number("Begins at, ms"), Number("Until the next step, ms")]))
        tbody {
            @for ((at, lasts, step), number) in rows.iter().zip(1..) {
                tr { td.number { (number) } th scope="row" { (step) } td.number { (at) } td.number { (lasts) } }
            }
        }
    };
    if rows.is_empty() {
        html! {}
    } else {
        table(&format!("Steps of the worst case of {}", budget.id), &content)
    }
}

fn bus_facts(bus: &Bus) -> Markup {
    let percent = |load: Fixed| format!("{} %", words::rounded(load, 1));
    html! {
        dl.facts {
            dt { "Bit rate" } dd { (words::bit_rate(bus.bitrate)) }
            dt { "Load, mean" } dd { (percent(bus.load_mean)) }
            dt { "Load, greatest in 100 ms" } dd { (percent(bus.load_peak)) }
            dt { "Frames" } dd { (words::grouped(bus.frames)) }
            dt { "Error frames" } dd { (words::grouped(bus.error_frames)) }
            @if bus.unsent() > 0 { dt { "Requests never sent" } dd { (words::grouped(bus.unsent())) } }
        }
    }
}

fn nodes(bus: &Bus) -> Markup {
    let content = html! {
        caption { "Error counters of the nodes: the greatest of transmit (TEC) and receive (REC)" }
        (head(&[Text("Node"), Number("TEC"), Number("REC"), Number("Error passive"), Number("Bus-off")]))
        tbody {
            @for node in &bus.nodes {
                tr {
                    th scope="row" { (node.id) }
                    td.number { (node.tec_max) }
                    td.number { (node.rec_max) }
                    td.number { (words::times(node.error_passive)) }
                    td.number { (words::times(node.bus_off)) }
                }
            }
        }
    };
    let quiet = bus.nodes.iter().all(|node| node.tec_max == 0 && node.rec_max == 0);
    html! {
        @if quiet { p { "The error counters of all " (words::count(bus.nodes.len() as u64, "node", "nodes")) " stayed at 0." } }
        @else { (table("Bus nodes", &content)) }
    }
}

fn messages(messages: &[Message]) -> Markup {
    let ms = |time: Option<Millis>| time.map_or_else(|| "-".to_owned(), |time| words::rounded(time.into(), 3));
    let some_unsent = messages.iter().any(|message| message.unsent > 0);
    let mut columns =
        vec![Text("Id"), Number("Frames"), Number("Least, ms"), Number("Mean, ms"), Number("Greatest, ms")];
    columns.extend(some_unsent.then_some(Number("Never sent")));
    let some_named = messages.iter().any(|message| !message.name.is_empty());
    columns.extend(some_named.then_some(Text("What it is")));
    let content = html! {
        caption { "From queued to the end of the frame, without the intermission" }
        (head(&columns))
        tbody {
            @for message in messages {
                tr {
                    th scope="row" { code { (message.id) } }
                    td.number { (words::grouped(message.frames)) }
                    td.number { (ms(message.response_ms_min)) }
                    td.number { (ms(message.response_ms_mean)) }
                    td.number { (ms(message.response_ms_max)) }
                    @if some_unsent { td.number { (words::grouped(message.unsent)) } }
                    @if some_named { td { (message.name) } }
                }
            }
        }
    };
    table("Response times", &content)
}

/// How long after the fault a time of its reaction was, and that time.
fn since(injection: &Injection, time: Option<Millis>) -> Markup {
    let Some(time) = time else { return html! { "-" } };
    html! { "after " (reaction::after(injection, time).unwrap_or_default()) br; span.dim { "at " (words::milliseconds(time)) } }
}

/// How often a fault acted.
fn acted(injection: &Injection) -> Markup {
    match (injection.activations, injection.proven()) {
        (0, _) => shape::word(true, "NEVER"),
        (_, 0) => shape::word(true, "LESS OFTEN"),
        (times, _) => html! { (words::times(times)) },
    }
}

fn event_table(rows: &[Row]) -> Markup {
    let hidden: usize = rows.iter().map(|row| if let Row::Gap(events) = row { *events } else { 0 }).sum();
    let times: Vec<usize> =
        rows.iter().filter_map(|row| if let Row::Event { times, .. } = row { Some(*times) } else { None }).collect();
    let shown = times.iter().sum::<usize>() as u64;
    let content = html! {
        caption { (words::grouped(shown)) " of " (words::count(shown + hidden as u64, "event", "events"))
            @if times.iter().any(|times| *times > 1) { " in " (words::count(times.len() as u64, "row", "rows")) ". Repeated counters, frames, motor speeds and progress of a node stand in one row, at the first of them" }
            @if hidden > 0 { ". Faults, alarms, outcomes, consent, power and causes come before others; gaps are marked" } }
        (head(&[Number("Time, ms"), Text("Node"), Text("Event"), Wide("Details")]))
        tbody {
            @for row in rows {
                @match row {
                    Row::Event { t_ms, last_ms, times, node, kind, data } => {
                        tr {
                            td.number { (words::rounded((*t_ms).into(), 3)) }
                            td { (node) }
                            td { (kind) @if *times > 1 { ", " (words::times(*times as u64)) } }
                            td { (data) @if *times > 1 { span.dim { " until " (words::rounded((*last_ms).into(), 3)) " ms" } } }
                        }
                    }
                    Row::Gap(events) => { tr { td.number { "..." } td.dim colspan="3" { (words::count(*events as u64, "event", "events")) " not shown here" } } }
                }
            }
        }
    };
    table("Events", &content)
}
