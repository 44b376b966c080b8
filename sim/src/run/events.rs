//! Records as events: the node, the kind and the data that events.jsonl and recordings show.

use std::io;

use orchestrator::{Alarm, Notice};
use protocol::frame::raw_id;
use pump::FlashCommand;
use serde_json::{Value, json};

use super::Run;
use crate::bus::BusRecord;
use crate::faults::FaultRecord;
use crate::hosts::safety::SafetyRecord;
use crate::hosts::{OrchestratorRecord, PumpRecord};
use crate::kernel::{SimTime, Span};
use crate::measure::Measures;
use crate::measure::journal::{Entry, Journal};
use crate::plant::PlantRecord;
use crate::power::{Branch, PowerRecord, SupplyPlace};
use crate::record::Record;
use crate::scenario::GivenNames;

/// An entry of the journal as events.jsonl has it: a record that stands for several says how many, and since when.
#[must_use]
pub fn event_of_entry((_, record, repeats): &Entry, names: &GivenNames) -> (String, &'static str, Value) {
    let (node, kind, mut data) = event_of(record, names);
    if let (2.., Some(fields)) = (repeats.count, data.as_object_mut()) {
        fields.insert("count".to_owned(), repeats.count.into());
        fields.insert("first_ms".to_owned(), at_ms(repeats.first));
    }
    (node, kind, data)
}

/// The log of a run: events.jsonl, one state transition a line.
///
/// # Errors
/// When an event cannot be written as JSON.
pub fn event_log(run: &Run) -> io::Result<String> {
    event_log_of(&run.twin.world.resource::<Measures>().journal)
}

/// [`event_log`] of a run of which only the journal was kept.
///
/// # Errors
/// When an event cannot be written as JSON.
pub fn event_log_of(journal: &Journal) -> io::Result<String> {
    let mut writer = reports::EventWriter::new(Vec::new());
    for entry in journal.iter() {
        let (node, kind, data) = event_of_entry(entry, journal.names());
        let t_ms = reports::Millis::from_nanos(entry.0.as_nanos());
        writer.write(&reports::Event { t_ms, node: &node, kind, data })?;
    }
    String::from_utf8(writer.finish()?).map_err(io::Error::other)
}

/// A record for readers outside: whose it is, what it is, and its fields, with the names that the scenario gives.
#[must_use]
pub fn event_of(record: &Record, names: &GivenNames) -> (String, &'static str, Value) {
    let (node, kind, mut data) = by_numbers(record);
    names.put_into_fields(&mut data);
    (names.put_into(&node), kind, data)
}

fn by_numbers(record: &Record) -> (String, &'static str, Value) {
    match record {
        Record::Bus(record) => bus(record),
        Record::Orchestrator(record) => orchestrator(record),
        Record::Pump(record) => pump(record),
        Record::Power(record) => power(record),
        Record::Plant(record) => plant(record),
        Record::Fault(record) => fault(record),
        Record::Safety(record) => safety(record),
    }
}

fn ms(span: Span) -> Value {
    json!(reports::Millis::from_nanos(span.as_nanos()))
}

fn at_ms(time: SimTime) -> Value {
    if time == SimTime::NEVER { Value::Null } else { json!(reports::Millis::from_nanos(time.as_nanos())) }
}

fn id(id: embedded_can::Id) -> String {
    reports::message_id(raw_id(id), matches!(id, embedded_can::Id::Extended(_)))
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn bus(record: &BusRecord) -> (String, &'static str, Value) {
    match record {
        BusRecord::Frame { start, frame, bits, sender, queued } => (
            sender.to_string(),
            "frame",
            json!({
                "start_ms": at_ms(*start), "id": id(frame.id()), "data": hex(frame.data()), "bits": bits,
                "queued_ms": at_ms(*queued),
            }),
        ),
        BusRecord::Error { start, bit, kind, sender, id: on_line, seen } => (
            sender.map_or("bus".to_owned(), |node| node.to_string()),
            "error-frame",
            json!({
                "start_ms": at_ms(*start), "bit": bit, "error": format!("{kind:?}").to_lowercase(),
                "id": on_line.map(id), "seen_by": nodes(*seen),
            }),
        ),
        BusRecord::Hit { injection, start, bit, victims } => (
            "bus".to_owned(),
            "bit-inverted",
            json!({ "injection": injection, "start_ms": at_ms(*start), "bit": bit, "victims": nodes(*victims) }),
        ),
        BusRecord::State { node, state, tec, rec } => {
            (node.to_string(), "error-counters", json!({ "state": word_of(&state), "tec": tec, "rec": rec }))
        }
        BusRecord::Counters { node, tec, rec } => {
            (node.to_string(), "error-counters", json!({ "tec": tec, "rec": rec }))
        }
        BusRecord::Overrun { node, id: lost } => (node.to_string(), "receive-overrun", json!({ "id": id(*lost) })),
        BusRecord::Lost { injection, node, id: lost } => {
            (node.to_string(), "frame-lost", json!({ "injection": injection, "id": id(*lost) }))
        }
        BusRecord::Levels { start, members, runs } => (
            "bus".to_owned(),
            "levels",
            json!({ "start_ms": at_ms(*start), "nodes": nodes(*members), "runs": &**runs }),
        ),
        BusRecord::Wiring { stretches } => (
            "bus".to_owned(),
            "wiring",
            json!({ "stretches": stretches.iter().map(|nodes_of| nodes(*nodes_of)).collect::<Vec<_>>() }),
        ),
    }
}

/// Names of the nodes in a mask.
pub(super) fn nodes(mask: u32) -> Value {
    if mask == u32::MAX {
        return json!("all");
    }
    let named = (0..32).filter(|bit| mask & 1 << bit != 0).map(|bit| crate::node::NodeId::new(bit).to_string());
    json!(named.collect::<Vec<_>>())
}

/// The word of logs and reports for a variant: `PowerLoss` is `power-loss`.
pub(crate) fn word_of(variant: &impl std::fmt::Debug) -> String {
    kebab(&format!("{variant:?}"))
}

/// `PowerCut` becomes `power-cut`.
pub(crate) fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn orchestrator(record: &OrchestratorRecord) -> (String, &'static str, Value) {
    let (kind, data) = match record {
        OrchestratorRecord::Started => ("started", Value::Null),
        OrchestratorRecord::Off => ("off", Value::Null),
        OrchestratorRecord::Reset => ("reset", Value::Null),
        OrchestratorRecord::WriteTorn { offset, kept, length } => {
            ("write-torn", json!({ "offset": offset, "kept": kept, "length": length }))
        }
        OrchestratorRecord::UpdateBegun => ("own-update-begun", Value::Null),
        OrchestratorRecord::UpdateEnded => ("own-update-ended", Value::Null),
        OrchestratorRecord::User(action) => ("user", json!({ "does": action_words(action) })),
        OrchestratorRecord::Notice(notice) => return ("CIOC".to_owned(), notice_kind(notice), notice_data(notice)),
    };
    ("CIOC".to_owned(), kind, data)
}

const fn action_words(action: &orchestrator::UserAction) -> &'static str {
    match action {
        orchestrator::UserAction::Consent(true) => "agrees",
        orchestrator::UserAction::Consent(false) => "refuses",
        orchestrator::UserAction::Search => "asks for a search",
    }
}

const fn notice_kind(notice: &Notice) -> &'static str {
    match notice {
        Notice::Log(_) => "log",
        Notice::AlarmRaised(_) => "alarm-raised",
        Notice::AlarmCleared(_) => "alarm-cleared",
        Notice::Phase { .. } => "phase",
        Notice::Block { .. } => "block",
        Notice::Progress { .. } => "progress",
        Notice::Outcome { .. } => "outcome",
        Notice::Searching { .. } => "search",
        Notice::ConsentAsked(_) => "consent-asked",
        Notice::ConsentAnswered(_) => "consent-answered",
        Notice::ConsentLapsed => "consent-lapsed",
        Notice::ConsentLate(_) => "consent-late",
        Notice::Pause => "pause",
        Notice::CampaignStarted { .. } => "campaign-started",
        Notice::CampaignFinished { .. } => "campaign-finished",
    }
}

fn notice_data(notice: &Notice) -> Value {
    let cause = |cause: &Option<orchestrator::Cause>| cause.map(|cause| cause.to_string());
    let name = |pump: protocol::ids::PumpNumber| format!("P{:02}", pump.get());
    match notice {
        Notice::Log(entry) => json!({
            "sequence": entry.sequence, "event": word_of(&entry.event), "pump": entry.pump.map(name),
            "attempt": entry.attempt, "cause": cause(&entry.cause),
        }),
        Notice::AlarmRaised(alarm) | Notice::AlarmCleared(alarm) => json!({ "alarm": alarm_text(alarm) }),
        Notice::Phase { pump, attempt, phase } => {
            json!({ "pump": name(*pump), "attempt": attempt, "phase": word_of(&phase) })
        }
        Notice::Block { pump, attempt, done, of } => {
            json!({ "pump": name(*pump), "attempt": attempt, "done": done, "of": of })
        }
        Notice::Progress { percent, remaining, cause: why } => json!({
            "percent": percent, "remaining_s": remaining.map(|left| left.as_millis() / 1_000), "cause": cause(why),
        }),
        Notice::Outcome { pump, outcome } => {
            json!({ "pump": name(*pump), "outcome": word_of(&outcome) })
        }
        Notice::Searching { manual } => json!({ "manual": manual }),
        Notice::ConsentAnswered(yes) | Notice::ConsentLate(yes) => json!({ "yes": yes }),
        Notice::CampaignStarted { pumps, resumed } => json!({ "pumps": pumps, "resumed": resumed }),
        Notice::CampaignFinished { errors } => json!({ "errors": errors }),
        Notice::ConsentAsked(_) | Notice::ConsentLapsed | Notice::Pause => Value::Null,
    }
}

pub(super) fn alarm_text(alarm: &Alarm) -> String {
    match alarm {
        Alarm::PumpDead(pump) => format!("P{:02} is dead", pump.get()),
        Alarm::PumpMissing(pump) => format!("P{:02} cannot be used", pump.get()),
        Alarm::PumpRejected(pump) => format!("the image is not for P{:02}", pump.get()),
        Alarm::LowSupply => "supply too low for an update".to_owned(),
        Alarm::NoPumpHeard => "no pump is heard".to_owned(),
        Alarm::Image(cause) => format!("the image cannot be used ({cause})"),
    }
}

fn pump(record: &PumpRecord) -> (String, &'static str, Value) {
    let (kind, data) = match record {
        PumpRecord::Started { cause, .. } => ("started", json!({ "cause": word_of(&cause) })),
        PumpRecord::Reset { cause, .. } => ("reset", json!({ "cause": word_of(&cause) })),
        PumpRecord::Off { .. } => ("off", Value::Null),
        PumpRecord::State { state, .. } => ("state", json!({ "state": word_of(&state) })),
        PumpRecord::Motor { speed, .. } => ("motor", json!({ "permille": speed.get() })),
        PumpRecord::FlashBegun { operation, .. } => {
            let what = match operation.command {
                FlashCommand::Erase { sector } => json!({ "erase": sector }),
                FlashCommand::Program { address, word } => json!({ "program": address, "word": word }),
            };
            ("flash", json!({ "n": operation.number, "operation": what, "ends_ms": at_ms(operation.ends) }))
        }
        PumpRecord::UnerasedWrite { .. } => ("write-to-unerased-flash", Value::Null),
        PumpRecord::Disguised { version, .. } => ("false-version", json!(version.to_string())),
    };
    (record.node().to_string(), kind, data)
}

fn branch(branch: Branch) -> String {
    match branch {
        Branch::Cioc => "CIOC branch".to_owned(),
        Branch::Safety => "safety branch".to_owned(),
        Branch::Pumps(_) => "pumps' feed".to_owned(),
    }
}

fn place(place: SupplyPlace) -> String {
    match place {
        SupplyPlace::Source => "supply".to_owned(),
        SupplyPlace::Branch(of) => branch(of),
        SupplyPlace::Node(node) => node.to_string(),
    }
}

fn power(record: &PowerRecord) -> (String, &'static str, Value) {
    match *record {
        PowerRecord::Level { place: at, from_mv, to_mv, until, injection } => (
            place(at),
            "level",
            json!({ "from_mv": from_mv, "to_mv": to_mv, "until_ms": at_ms(until), "injection": injection }),
        ),
        PowerRecord::Lost { node, mv, switched } => {
            (node.to_string(), "power-lost", json!({ "mv": mv, "switched": switched }))
        }
        PowerRecord::Good { node, mv } => (node.to_string(), "power-good", json!({ "mv": mv })),
        PowerRecord::RodeThrough { node, below } => {
            (node.to_string(), "rode-through", json!({ "below_ms": ms(below) }))
        }
        PowerRecord::Switched { branch: of, on } => (branch(of), "switched", json!({ "on": on })),
        PowerRecord::Line { node, connected } => (node.to_string(), "line", json!({ "connected": connected })),
    }
}

fn plant(record: &PlantRecord) -> (String, &'static str, Value) {
    match *record {
        PlantRecord::State { flow_decilitres_per_min, coolant } => (
            "coolant".to_owned(),
            "state",
            json!({ "flow_dl_per_min": flow_decilitres_per_min, "coolant_dc": coolant.get() }),
        ),
        PlantRecord::Heat { to_w, over } => {
            ("coolant".to_owned(), "heat", json!({ "to_w": to_w, "over_ms": ms(over) }))
        }
        PlantRecord::Blocked { node, blocked } => (node.to_string(), "blocked", json!({ "blocked": blocked })),
    }
}

/// Pins, groups or contacts in a mask.
fn members(mask: u16) -> Value {
    json!((0..16).filter(|bit| mask >> bit & 1 == 1).collect::<Vec<u8>>())
}

fn safety(record: &SafetyRecord) -> (String, &'static str, Value) {
    let (kind, data) = match *record {
        SafetyRecord::Started { cpu, cause, .. } => ("safety-started", json!({ "cpu": cpu, "cause": word_of(&cause) })),
        SafetyRecord::Stopped { cpu, .. } => ("safety-stopped", json!({ "cpu": cpu })),
        SafetyRecord::Mode { cpu, mode, .. } => ("safety-mode", json!({ "cpu": cpu, "mode": word_of(&mode) })),
        SafetyRecord::Detected { cpu, fault, detail, .. } => {
            ("safety-detected", json!({ "cpu": cpu, "fault": word_of(&fault), "detail": detail }))
        }
        SafetyRecord::Logic { cpu, inputs, outputs, relays, .. } => (
            "safety-logic",
            json!({
                "cpu": cpu, "inputs": members(inputs), "outputs": members(outputs), "relays": members(relays.into()),
            }),
        ),
        SafetyRecord::Outputs { pins, .. } => ("safety-outputs", json!({ "live": members(pins) })),
        SafetyRecord::Main { on, .. } => ("safety-main-transistor", json!({ "on": on })),
        SafetyRecord::Coils { coils, .. } => ("safety-coils", json!({ "fed": members(coils.into()) })),
        SafetyRecord::Contacts { closed, .. } => ("safety-contacts", json!({ "closed": members(closed.into()) })),
        SafetyRecord::Input { group, on, .. } => ("safety-input", json!({ "group": group, "on": on })),
        SafetyRecord::Download { number, step, .. } => {
            ("safety-download", json!({ "number": number, "step": step.word() }))
        }
        SafetyRecord::Told { number, told, detail, .. } => {
            ("safety-download-told", json!({ "number": number, "told": word_of(&told), "detail": detail }))
        }
        SafetyRecord::Injected { injection, .. } => ("safety-injected", json!({ "injection": injection })),
        SafetyRecord::Lamp { identifies, .. } => ("safety-lamp", json!({ "identifies": identifies })),
    };
    (record.node().to_string(), kind, data)
}

fn fault(record: &FaultRecord) -> (String, &'static str, Value) {
    let (kind, data) = match record {
        FaultRecord::Begun { injection } => ("injection-begun", json!({ "injection": injection })),
        FaultRecord::Acted { injection, effect } => {
            ("injection-acted", json!({ "injection": injection, "effect": effect.as_ref() }))
        }
        FaultRecord::Ended { injection } => ("injection-ended", json!({ "injection": injection })),
    };
    ("faults".to_owned(), kind, data)
}
