//! The messages of the bus in a report: those of the system, and what the scenario's traffic asked for.
//!
//! A request is sent when a frame of its id by its node is on the bus. One that is not was replaced by a newer one, was
//! lost with its node, or waits at the end: it is told. One that came so late that its frame could not have ended before
//! the run on any bus is left out. A message of which no request at all was sent was not part of the
//! run, and leaves its run inconclusive.

use std::collections::BTreeMap;

use embedded_can::Id;
use reports::{Budget, Check, Fixed, Message, Relation, RowVerdict};

use super::Run;
use super::report::{Sample, at, millis};
use super::safety_units;
use crate::bus;
use crate::hosts::traffic::TrafficList;
use crate::kernel::{SimTime, Span};
use crate::measure::Measures;
use crate::measure::stats::id_key;
use crate::node::NodeId;
use crate::scenario::{self, Scenario};

/// What the traffic asked one node for: the requests of one id.
#[derive(Default)]
struct Asked {
    /// The messages of the list that have this id; none of a log.
    names: Vec<String>,
    requested: u64,
    replaced: u64,
    /// Requests that wait and came too late for this run.
    late: u64,
    sent: u64,
}

impl Asked {
    /// The requests whose frames could be on the bus before the end.
    fn due(&self) -> u64 {
        self.requested.saturating_sub(self.late)
    }

    fn unsent(&self) -> u64 {
        // Whatever else its node sends with that id, a replaced request was never sent.
        self.due().saturating_sub(self.sent).max(self.replaced)
    }
}

/// Bits of a frame with 29 bits of id and 8 bytes of data at most, stuff bits and intermission included.
const LONGEST_FRAME_BITS: u64 = 160;

/// What the traffic asked for, by id and node.
fn asked(scenario: &Scenario, run: &Run, measures: &Measures) -> BTreeMap<((u32, bool), NodeId), Asked> {
    let world = &run.twin.world;
    let traffic = world.resource::<TrafficList>();
    let bit_ns = 1_000_000_000 / u64::from(scenario.bus.bitrate.bits_per_second());
    let is_too_late = |since: &SimTime| run.end.since(*since) < Span::from_nanos(bit_ns * LONGEST_FRAME_BITS);
    let mut all: BTreeMap<_, Asked> = BTreeMap::new();
    for (name, id) in traffic.messages() {
        let Some(requests) = traffic.requests_of(name) else { continue };
        let asked = all.entry((id_key(id), requests.node)).or_default();
        if asked.names.is_empty() {
            let mailbox = bus::controller(world, requests.node).waits_since(id);
            asked.late = mailbox.iter().chain(&requests.waits_since).filter(|since| is_too_late(since)).count() as u64;
        }
        asked.names.push(name.to_owned());
        asked.requested += requests.requested;
        asked.replaced += requests.replaced;
        asked.sent = measures.bus.sent_by(requests.node, id);
    }
    if let Some((node, ids)) = traffic.log_requests() {
        for (id, _) in ids.filter(|(_, at)| !is_too_late(at)) {
            let asked = all.entry((id_key(id), node)).or_default();
            asked.requested += 1;
            asked.sent = measures.bus.sent_by(node, id);
        }
    }
    all
}

/// The table of messages: what was on the bus, and what was to be.
pub(super) fn messages(scenario: &Scenario, run: &Run, measures: &Measures) -> Vec<Message> {
    let seen = measures.bus.responses().map(|(id, extended, responses)| {
        let message = Message {
            id: reports::message_id(id, extended),
            name: safety_units::message_name(scenario, id, extended),
            frames: responses.frames,
            unsent: 0,
            response_ms_min: Some(millis(responses.min)),
            response_ms_mean: Some(millis(responses.mean())),
            response_ms_max: Some(millis(responses.max)),
        };
        ((id, extended), message)
    });
    let mut rows: BTreeMap<(u32, bool), Message> = seen.collect();
    for (((id, extended), _), asked) in asked(scenario, run, measures) {
        let silent = || Message {
            id: reports::message_id(id, extended),
            name: safety_units::message_name(scenario, id, extended),
            ..Message::default()
        };
        rows.entry((id, extended)).or_insert_with(silent).unsent += asked.unsent();
    }
    rows.into_values().collect()
}

/// Whether each message of the traffic whose time came was on the bus at all, and of a log any frame; none in a run
/// without traffic. It breaks nothing: what was never on the bus was never measured.
pub(super) fn check(scenario: &Scenario, run: &Run, measures: &Measures) -> Option<Check> {
    let all = asked(scenario, run, measures);
    let (logged, listed): (Vec<&Asked>, Vec<&Asked>) = all.values().partition(|asked| asked.names.is_empty());
    if all.is_empty() {
        return None;
    }
    let due: Vec<&&Asked> = listed.iter().filter(|asked| asked.due() > 0).collect();
    let never = due.iter().filter(|asked| asked.sent == 0);
    let mut open: Vec<String> = never.map(|asked| never_sent(&asked.names.join(", "), asked.due())).collect();
    if !logged.is_empty() && logged.iter().all(|asked| asked.sent == 0) {
        open.push(never_sent("the log", logged.iter().map(|asked| asked.due()).sum()));
    }
    let n = due.len() as u64 + u64::from(!logged.is_empty());
    let verdict = match (n, open.is_empty()) {
        (0, _) => RowVerdict::NotApplicable,
        (_, true) => RowVerdict::Pass,
        (_, false) => RowVerdict::Inconclusive,
    };
    Some(Check { id: "traffic_was_sent".to_owned(), requirements: Vec::new(), n, verdict, detail: open.join("; ") })
}

fn never_sent(what: &str, requested: u64) -> String {
    match requested {
        1 => format!("{what}: its one request was not sent"),
        _ => format!("{what}: none of its {requested} requests was sent"),
    }
}

/// The worst response time of all frames of the message of this name. Beside it the requests that were replaced and
/// never got out, which no limit holds; and one that waits at the end of the run, if it has waited beyond the limit
/// already: before that nobody knows whether it would have kept it.
pub(super) fn response_samples(run: &Run, measures: &Measures, name: &str, row: &Budget) -> Vec<Sample> {
    let world = &run.twin.world;
    let traffic = world.resource::<TrafficList>();
    let requests = traffic.requests_of(name);
    let own = requests.as_ref().and_then(|requests| Some((traffic.id_of(name)?, requests.node)));
    let Some((id, node)) = own.or_else(|| system_message(name)) else { return Vec::new() };
    let responses = measures.bus.responses_of(id);
    let mailbox = bus::controller(world, node).waits_since(id);
    let queue = requests.and_then(|requests| requests.waits_since);
    let mut samples = Vec::new();
    if let Some(responses) = responses {
        samples.push(Sample::plain(millis(responses.max).into(), name).worst_of(responses.frames));
    }
    if let Some(since) = mailbox.into_iter().chain(queue).min() {
        let waited = millis(run.end.since(since)).into();
        // A lower limit is no matter of what has not come yet.
        let relation = if row.relation == Relation::Within { Relation::AtMost } else { row.relation };
        let upper = matches!(relation, Relation::Below | Relation::AtMost);
        if upper && !reports::holds(waited, relation, row.limit, None) {
            samples.push(Sample::plain(waited, &format!("{name}, still waiting at the end")));
        }
    }
    if let Some(requests) = requests {
        let accounted = measures.bus.sent_by(node, id) + u64::from(mailbox.is_some()) + u64::from(queue.is_some());
        let never = requests.requested.saturating_sub(accounted).max(requests.replaced);
        if never > 0 {
            // As long as the run was, and beyond the limit of a run that was shorter.
            let beyond = Fixed::from_millionths(row.limit.as_millionths().saturating_add(1));
            let endless = beyond.max(at(run.end).into());
            samples.push(Sample::plain(endless, &format!("{name}, {never} requests never sent")).worst_of(never));
        }
    }
    samples
}

/// Id and sender of a cyclic message of the system: `status-P05` or `command-P05`.
fn system_message(name: &str) -> Option<(Id, NodeId)> {
    use protocol::ids;
    let (kind, pump) = name.split_once('-')?;
    let scenario::words::NodeName::Pump(pump) = scenario::words::NodeName::parse(pump) else { return None };
    let number = ids::PumpNumber::new(pump)?;
    match kind {
        "status" => Some((ids::status(number).into(), NodeId::new(pump))),
        "command" => Some((ids::command(number).into(), NodeId::CIOC)),
        _ => None,
    }
}
