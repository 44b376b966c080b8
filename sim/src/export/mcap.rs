//! MCAP with JSON channels: read by Foxglove, PlotJuggler, the mcap libraries.
//!
//! | topic                 | a message                                                                  |
//! |-----------------------|-----------------------------------------------------------------------------|
//! | `/pump/P01/status`    | each status frame, decoded by the firmware's own codec into physical values  |
//! | `/pump/P01/command`   | each command frame, likewise                                                 |
//! | `/pump/P01/truth`     | state and motor of the pump as the twin knows them, at each change            |
//! | `/node/P01/link`      | controller state and error counters, at each change                          |
//! | `/update`             | pump, try and phase; at each block, how many are done                        |
//! | `/uds`                | each whole UDS message: pump, way, service, length, refusal                  |
//! | `/bus/errors`         | error frames                                                                 |
//! | `/coolant`, `/supply` | flow and temperature, level of the source                                    |
//! | `/log`                | notes on faults and states, as Foxglove's Log panel reads them                |
//! | `/events`             | every other line of the recording as it is                                   |
//!
//! Single frames are not in it: candump, ASC and pcapng are made for them. Every channel has a JSON schema, which
//! PlotJuggler wants. The crate writes chunks with indexes and checksums; nothing is compressed, so no C library is
//! built.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use ::mcap::records::MessageHeader;
use ::mcap::{WriteOptions, Writer};
use protocol::cyclic::{Command, PumpFaults, Status};
use protocol::ids::PumpNumber;
use reports::Fixed;
use serde_json::{Value, json};

use super::uds::{Listener, Message, Way, service_name};
use super::{EPOCH_SECONDS, Frame, Seen, Sink, Target, What};
use crate::kernel::SimTime;
use crate::run::recording::Head;

/// Field names with their JSON types.
type Fields = &'static [(&'static str, &'static str)];

const STATUS: Fields = &[
    ("state", "string"),
    ("state_number", "integer"),
    ("counter", "integer"),
    ("speed_percent", "number"),
    ("supply_v", "number"),
    ("current_a", "number"),
    ("temperature_c", "number"),
    ("low_supply", "boolean"),
    ("no_application", "boolean"),
    ("flash_fault", "boolean"),
    ("over_temperature", "boolean"),
];
const COMMAND: Fields =
    &[("mode", "string"), ("mode_number", "integer"), ("counter", "integer"), ("set_point_percent", "number")];
const TRUTH: Fields = &[("state", "string"), ("motor_percent", "number")];
const LINK: Fields = &[("state", "string"), ("tec", "integer"), ("rec", "integer")];
const UPDATE: Fields = &[
    ("pump", "string"),
    ("try", "integer"),
    ("phase", "string"),
    ("blocks_done", "integer"),
    ("blocks_of", "integer"),
];
const UDS: Fields = &[
    ("pump", "string"),
    ("way", "string"),
    ("service", "integer"),
    ("name", "string"),
    ("length", "integer"),
    ("refusal", "integer"),
    ("begin_ns", "integer"),
];
const ERROR: Fields = &[("channel", "integer"), ("node", "string"), ("error", "string"), ("bit", "integer")];
const COOLANT: Fields = &[("flow_l_per_min", "number"), ("temperature_c", "number")];
const SUPPLY: Fields = &[("level_v", "number")];
const EVENT: Fields = &[("t_ms", "number"), ("node", "string"), ("kind", "string")];
const LOG: Fields = &[
    ("timestamp", "object"),
    ("level", "integer"),
    ("message", "string"),
    ("name", "string"),
    ("file", "string"),
    ("line", "integer"),
];

/// Messages in one chunk come to about so many bytes.
const CHUNK_BYTES: u64 = 1 << 20;

/// Writes MCAP.
pub(super) struct Mcap {
    to: Writer<Box<dyn Target>>,
    channels: BTreeMap<String, (u16, u32)>,
    listener: Listener,
    /// By pump, the state and the motor that the twin knows.
    truth: BTreeMap<String, (Option<String>, Fixed)>,
    /// By node, the state of its controller.
    links: BTreeMap<String, String>,
    update: Value,
}

fn wrong(error: ::mcap::McapError) -> io::Error {
    match error {
        ::mcap::McapError::Io(error) => error,
        other => io::Error::other(other),
    }
}

impl Mcap {
    pub(super) fn new(to: Box<dyn Target>, head: &Head) -> io::Result<Self> {
        let options = WriteOptions::new().compression(None).chunk_size(Some(CHUNK_BYTES)).library("cooltwin");
        let mut to = options.create(to).map_err(wrong)?;
        let about = [("scenario", &head.name), ("sha256", &head.sha256)];
        let metadata = about.map(|(key, value)| (key.to_owned(), value.clone())).into();
        to.write_metadata(&::mcap::records::Metadata { name: "run".to_owned(), metadata }).map_err(wrong)?;
        let channels = BTreeMap::new();
        let update = json!({ "pump": null, "try": 0, "phase": "none", "blocks_done": 0, "blocks_of": 0 });
        let (truth, links) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { to, channels, listener: Listener::default(), truth, links, update })
    }

    fn write(&mut self, time: u64, topic: &str, (schema, fields): (&str, Fields), message: &Value) -> io::Result<()> {
        if !self.channels.contains_key(topic) {
            let id = self.open(topic, schema, fields)?;
            self.channels.insert(topic.to_owned(), (id, 0));
        }
        let Some((channel_id, sequence)) = self.channels.get_mut(topic) else { return Ok(()) };
        let log_time = EPOCH_SECONDS * 1_000_000_000 + time;
        let header = MessageHeader { channel_id: *channel_id, sequence: *sequence, log_time, publish_time: log_time };
        *sequence = sequence.wrapping_add(1);
        self.to.write_to_known_channel(&header, message.to_string().as_bytes()).map_err(wrong)
    }

    fn open(&mut self, topic: &str, schema: &str, fields: Fields) -> io::Result<u16> {
        let properties: serde_json::Map<String, Value> =
            fields.iter().map(|(name, kind)| ((*name).to_owned(), json!({ "type": [kind, "null"] }))).collect();
        let text = json!({ "title": schema, "type": "object", "properties": properties }).to_string();
        let schema = self.to.add_schema(schema, "jsonschema", text.as_bytes()).map_err(wrong)?;
        self.to.add_channel(schema, topic, "json", &BTreeMap::new()).map_err(wrong)
    }

    fn frame(&mut self, seen: &Seen<'_>, frame: &Frame) -> io::Result<()> {
        if frame.extended {
            return Ok(());
        }
        if let Some(message) = self.listener.hear(seen.time, frame.id, &frame.data) {
            return self.write(seen.time, "/uds", ("cooltwin.Uds", UDS), &uds(&message));
        }
        let pump = u8::try_from(frame.id & 0x1F).ok().and_then(PumpNumber::new);
        let (Some(pump), Some(wire)) = (pump, frame.wire()) else { return Ok(()) };
        let name = format!("P{:02}", pump.get());
        if let Some(status) = Status::decode(pump, &wire) {
            return self.write(
                seen.time,
                &format!("/pump/{name}/status"),
                ("cooltwin.Status", STATUS),
                &status_of(status),
            );
        }
        match Command::decode(pump, &wire) {
            Some(command) => {
                let topic = format!("/pump/{name}/command");
                self.write(seen.time, &topic, ("cooltwin.Command", COMMAND), &command_of(command))
            }
            None => Ok(()),
        }
    }

    fn other(&mut self, seen: &Seen<'_>) -> io::Result<()> {
        if let Some(note) = seen.note() {
            self.log(seen, &note)?;
        }
        let (time, line) = (seen.time, seen.line);
        let (node, data) = (line.node.as_str(), &line.data);
        match (line.kind.as_str(), node) {
            ("state", "coolant") => {
                let flow = scaled(&data["flow_dl_per_min"], 1);
                let message = json!({ "flow_l_per_min": flow, "temperature_c": scaled(&data["coolant_dc"], 1) });
                self.write(time, "/coolant", ("cooltwin.Coolant", COOLANT), &message)
            }
            ("state" | "motor", pump) => self.truth(time, pump, data),
            ("error-counters", node) => self.link(time, node, data),
            ("level", "supply") => {
                let message = json!({ "level_v": scaled(&data["from_mv"], 3) });
                self.write(time, "/supply", ("cooltwin.Supply", SUPPLY), &message)
            }
            ("phase" | "block", _) => self.update(time, data),
            ("flash", _) => Ok(()),
            _ => {
                let event = serde_json::to_value(line)?;
                self.write(time, "/events", ("cooltwin.Event", EVENT), &event)
            }
        }
    }

    fn truth(&mut self, time: u64, pump: &str, data: &Value) -> io::Result<()> {
        let (state, motor) = self.truth.entry(pump.to_owned()).or_default();
        match (data["state"].as_str(), data["permille"].as_i64()) {
            (Some(new), _) => *state = Some(new.to_owned()),
            (None, Some(permille)) => *motor = Fixed::scaled(permille, 1),
            (None, None) => {}
        }
        let message = json!({ "state": state, "motor_percent": motor });
        self.write(time, &format!("/pump/{pump}/truth"), ("cooltwin.Truth", TRUTH), &message)
    }

    fn link(&mut self, time: u64, node: &str, data: &Value) -> io::Result<()> {
        if let Some(state) = data["state"].as_str() {
            self.links.insert(node.to_owned(), state.to_owned());
        }
        let message = json!({ "state": self.links.get(node), "tec": data["tec"], "rec": data["rec"] });
        self.write(time, &format!("/node/{node}/link"), ("cooltwin.Link", LINK), &message)
    }

    fn update(&mut self, time: u64, data: &Value) -> io::Result<()> {
        for (field, of) in
            [("pump", "pump"), ("try", "attempt"), ("phase", "phase"), ("blocks_done", "done"), ("blocks_of", "of")]
        {
            if let Some(value) = data.get(of) {
                self.update[field] = value.clone();
            }
        }
        let message = self.update.clone();
        self.write(time, "/update", ("cooltwin.Update", UPDATE), &message)
    }

    fn log(&mut self, seen: &Seen<'_>, note: &str) -> io::Result<()> {
        let line = seen.line;
        let nanos = EPOCH_SECONDS * 1_000_000_000 + seen.time;
        let level = match line.kind.as_str() {
            "power-lost" | "off" | "alarm-raised" | "write-to-unerased-flash" => 4,
            "injection-acted" | "receive-overrun" | "frame-lost" | "bit-inverted" => 3,
            _ => 2,
        };
        let message = json!({
            "timestamp": { "sec": nanos / 1_000_000_000, "nsec": nanos % 1_000_000_000 }, "level": level,
            "message": note, "name": line.node, "file": "", "line": 0,
        });
        self.write(seen.time, "/log", ("foxglove.Log", LOG), &message)
    }
}

/// A whole number with its last `places` digits behind the point, exactly.
fn scaled(value: &Value, places: u32) -> Value {
    value.as_i64().map_or(Value::Null, |number| json!(Fixed::scaled(number, places)))
}

fn uds(message: &Message) -> Value {
    let service = message.service();
    json!({
        "pump": format!("P{:02}", message.pump),
        "way": if message.way == Way::Request { "request" } else { "response" },
        "service": service, "name": service.map(service_name), "length": message.data.len(),
        "refusal": message.refusal(), "begin_ns": EPOCH_SECONDS * 1_000_000_000 + message.begin,
    })
}

fn lower(debug: String) -> String {
    debug.to_lowercase()
}

fn status_of(status: Status) -> Value {
    let has = |fault| status.faults.has(fault);
    json!({
        "state": lower(format!("{:?}", status.state)), "state_number": status.state as u8, "counter": status.counter,
        "speed_percent": Fixed::scaled(i64::from(status.speed.get()), 1),
        "supply_v": Fixed::scaled(i64::from(status.supply.get()), 3),
        "current_a": Fixed::scaled(i64::from(status.current.get()), 3),
        "temperature_c": Fixed::scaled(i64::from(status.temperature.get()), 1),
        "low_supply": has(PumpFaults::LOW_SUPPLY), "no_application": has(PumpFaults::NO_APPLICATION),
        "flash_fault": has(PumpFaults::FLASH), "over_temperature": has(PumpFaults::OVER_TEMPERATURE),
    })
}

fn command_of(command: Command) -> Value {
    json!({
        "mode": lower(format!("{:?}", command.mode)), "mode_number": command.mode as u8, "counter": command.counter,
        "set_point_percent": Fixed::scaled(i64::from(command.set_point.get()), 1),
    })
}

impl Sink for Mcap {
    fn take(&mut self, seen: &Seen<'_>) -> io::Result<()> {
        match &seen.what {
            What::Frame(frame) => self.frame(seen, frame),
            What::Error(error) => {
                let node = &seen.line.node;
                let message = json!({ "channel": seen.channel, "node": node, "error": error.kind, "bit": error.bit });
                self.write(seen.time, "/bus/errors", ("cooltwin.ErrorFrame", ERROR), &message)
            }
            What::Levels { .. } => Ok(()),
            What::Other => self.other(seen),
        }
    }

    fn finish(&mut self, _end: SimTime) -> io::Result<()> {
        self.to.finish().map_err(wrong)?;
        Ok(())
    }
}

/// A layout for Foxglove that shows the pumps' states, speeds and the log of the run of `head`.
#[must_use]
pub fn foxglove_layout(head: &Head) -> String {
    let pumps: Vec<&String> = head.nodes.iter().filter(|node| node.starts_with('P')).collect();
    let paths = |field: &str| -> Vec<Value> {
        let path = |pump: &&String| json!({ "value": format!("/pump/{pump}/status.{field}"), "enabled": true, "timestampMethod": "receiveTime" });
        pumps.iter().map(path).collect()
    };
    let plot = |paths: Vec<Value>, title: &str| json!({ "title": title, "paths": paths, "showLegend": true, "isSynced": true, "xAxisVal": "timestamp" });
    let single = |path: &str, title: &str| {
        plot(vec![json!({ "value": path, "enabled": true, "timestampMethod": "receiveTime" })], title)
    };
    let split = |first: Value, second: Value, direction: &str, percent: u8| json!({ "first": first, "second": second, "direction": direction, "splitPercentage": percent });
    let layout = json!({
        "configById": {
            "StateTransitions!states": { "isSynced": true, "paths": paths("state") },
            "Plot!speed": plot(paths("speed_percent"), "Speed of the pumps in %"),
            "Plot!blocks": single("/update.blocks_done", "Blocks of the running transfer"),
            "Plot!coolant": plot(
                ["flow_l_per_min", "temperature_c"].map(|field| json!({ "value": format!("/coolant.{field}"), "enabled": true, "timestampMethod": "receiveTime" })).to_vec(),
                "Coolant: L/min and degC",
            ),
            "Log!notes": { "topicToRender": "/log", "minLogLevel": 1, "searchTerms": [] },
        },
        "globalVariables": {}, "userNodes": {}, "playbackConfig": { "speed": 10 },
        "layout": split(
            split(Value::from("StateTransitions!states"), Value::from("Plot!speed"), "column", 55),
            split(split(Value::from("Plot!blocks"), Value::from("Plot!coolant"), "column", 50), Value::from("Log!notes"), "column", 55),
            "row", 60,
        ),
    });
    format!("{layout:#}\n")
}

/// A layout for PlotJuggler that plots speeds, states, blocks and coolant of the run of `head`.
#[must_use]
pub fn plotjuggler_layout(head: &Head) -> String {
    let pumps: Vec<&String> = head.nodes.iter().filter(|node| node.starts_with('P')).collect();
    let of_pumps = |field: &str| -> Vec<Cow<'static, str>> {
        pumps.iter().map(|pump| format!("/pump/{pump}/status/{field}").into()).collect()
    };
    let areas = [
        of_pumps("speed_percent"),
        of_pumps("state_number"),
        vec!["/update/blocks_done".into()],
        vec!["/coolant/flow_l_per_min".into(), "/coolant/temperature_c".into()],
    ];
    let area = |curves: &Vec<Cow<'static, str>>| {
        let curves: String = curves
            .iter()
            .zip(COLORS.iter().cycle())
            .map(|(name, color)| format!("     <curve name=\"{name}\" color=\"{color}\"/>\n"))
            .collect();
        format!(
            "    <DockArea name=\"...\">\n     <plot mode=\"TimeSeries\" style=\"Lines\">\n{curves}     </plot>\n    </DockArea>\n"
        )
    };
    let areas: String = areas.iter().map(area).collect();
    format!(
        "<?xml version='1.0' encoding='UTF-8'?>\n<root>\n <tabbed_widget parent=\"main_window\" name=\"Main Window\">\n  \
         <Tab containers=\"1\" tab_name=\"cooltwin\">\n   <Container>\n   <DockSplitter orientation=\"-\" count=\"4\" \
         sizes=\"0.25;0.25;0.25;0.25\">\n{areas}   </DockSplitter>\n   </Container>\n  </Tab>\n  <currentTabIndex index=\"0\"/>\n \
         </tabbed_widget>\n <use_relative_time_offset enabled=\"1\"/>\n</root>\n"
    )
}

/// Colours that tell neighbours apart, also for people who are colour-blind (Okabe and Ito).
const COLORS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000"];
