//! Which scenarios make sense: everything that one value alone cannot show.
//!
//! A *problem* names the path of the value it is about; the loader turns it into a diagnostic with the place where that
//! value was written. All problems are found in one go. A [`Scenario`] is the proof that there was none.

use std::collections::BTreeSet;
use std::ops::Deref;

use reports::counted;

use super::acts_on::ActsOn;
use super::diagnostic::{Code, nearest};
use super::model::{
    Alarm, Between, Budget, End, Expectation, Fault, FaultKind, ImageDefect, ImageSource, Limit, Measure, Phase, Place,
    RawScenario, Relation, Selection, Trigger, When,
};
use super::quantity::Share;
use super::safety_faults::{
    AdcError, AdcHit, AdcInput, CellDefect, RamCell, SafetyFault, SafetyTrip, WireDefect, WireHit,
};
use super::units::{SafetyDownload, SafetyUnit, Way};
use super::words::NodeName;
use crate::bus::bit_time;
use crate::checks;
use crate::kernel::Span;
use crate::node::NodeId;

/// A scenario that makes sense: its pumps exist, its faults can act, its expectations do not contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario(RawScenario);

impl Deref for Scenario {
    type Target = RawScenario;

    fn deref(&self) -> &RawScenario {
        &self.0
    }
}

/// Something that does not make sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// Path of the value it is about.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// A few words at that place.
    pub label: String,
    /// What may be written instead.
    pub help: Option<String>,
    /// Text that would be right at that place.
    pub replacement: Option<String>,
    /// Sections and values elsewhere that it depends on.
    pub roots: Vec<&'static str>,
    /// Paths of further values of the same list that it depends on.
    pub beside: Vec<String>,
}

impl Problem {
    /// A problem that rests on its own place alone, without help.
    pub(crate) fn new(code: Code, path: impl Into<String>, message: impl Into<String>, label: &str) -> Self {
        Self {
            code,
            path: path.into(),
            message: message.into(),
            label: label.to_owned(),
            help: None,
            replacement: None,
            roots: Vec::new(),
            beside: Vec::new(),
        }
    }
}

impl RawScenario {
    /// The scenario, if it makes sense.
    ///
    /// # Errors
    /// Everything that does not.
    pub fn check(self) -> Result<Scenario, Vec<Problem>> {
        let mut check = Check { scenario: &self, problems: Vec::new() };
        check.all();
        let problems = check.problems;
        if problems.is_empty() { Ok(Scenario(self)) } else { Err(problems) }
    }
}

/// Looks at one scenario.
struct Check<'a> {
    scenario: &'a RawScenario,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn all(&mut self) {
        self.names();
        self.pumps();
        self.package();
        self.further_nodes();
        self.bus();
        self.supply();
        self.problems.extend(super::transport::problems(&self.scenario.protocol));
        self.traffic();
        for (index, unit) in self.scenario.safety_units.iter().enumerate() {
            self.safety_unit(&format!("safety_units[{index}]"), unit);
        }
        for (index, fault) in self.scenario.faults.iter().enumerate() {
            self.fault(&format!("faults[{index}]"), fault);
        }
        self.unique("faults", "id", self.scenario.faults.iter().map(|fault| fault.id.as_str()).collect());
        for (index, budget) in self.scenario.budgets.iter().enumerate() {
            self.budget(&format!("budgets[{index}]"), budget);
        }
        self.unique("budgets", "id", self.scenario.budgets.iter().map(|budget| budget.id.as_str()).collect());
        for (index, expectation) in self.scenario.expectations.iter().enumerate() {
            self.expectation(&format!("expectations[{index}]"), expectation);
        }
        self.outcomes_agree();
        self.trips_differ();
        self.end();
    }

    fn problem(
        &mut self,
        code: Code,
        path: impl Into<String>,
        message: impl Into<String>,
        label: &str,
    ) -> &mut Problem {
        self.problems.push(Problem::new(code, path, message, label));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn names(&mut self) {
        let name = &self.scenario.name;
        if !is_file_name(name) {
            let label = "letters, digits, `-`, `_` and `.` only: it names a folder";
            self.problem(Code::BadWord, "name", format!("`{name}` cannot name a scenario"), label);
        }
        let models = std::iter::once(("pumps.model".to_owned(), self.scenario.pumps.model.clone()))
            .chain(std::iter::once(("package.image.model".to_owned(), self.scenario.package.image.model.clone())));
        for (path, model) in models.collect::<Vec<_>>() {
            self.model(&path, &model);
        }
    }

    fn model(&mut self, path: &str, model: &str) {
        let is_model = (1..=16).contains(&model.len()) && model.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !is_model {
            self.problem(Code::BadWord, path, format!("`{model}` is no pump model"), "1 to 16 letters, digits or `-`");
        }
    }

    /// Reports a pump that the scenario does not have.
    fn pump_exists(&mut self, path: &str, pump: u8) {
        let count = self.scenario.pumps.count;
        if pump == 0 || pump > count {
            let message = format!("there is no pump {pump}");
            let pumps =
                if count == 1 { "the only pump is 1".to_owned() } else { format!("the pumps are 1 to {count}") };
            let problem = self.problem(Code::NoSuchThing, path, message, &pumps);
            problem.help = Some("`pumps.count` says how many there are".to_owned());
            problem.roots = vec!["pumps.count"];
        }
    }

    fn node_exists(&mut self, path: &str, name: &NodeName) {
        if self.scenario.node_id(name).is_some() {
            return;
        }
        let nodes: Vec<String> = self.scenario.nodes().iter().map(ToString::to_string).collect();
        // Any other pump is as near to a pump that is not there.
        let is_pump = matches!(name, NodeName::Pump(_));
        let near = nearest(&name.to_string(), nodes.iter().map(String::as_str)).filter(|_| !is_pump);
        let near = near.map(|near| format!("\"{near}\""));
        let label = near.as_ref().map_or("no such node".to_owned(), |near| format!("did you mean `{near}`?"));
        let problem = self.problem(Code::NoSuchThing, path, format!("there is no node `{name}`"), &label);
        problem.help = Some(format!("nodes: {}; further ones are named in `further_nodes`", nodes.join(", ")));
        problem.replacement = near;
        problem.roots = vec!["pumps.count", "further_nodes"];
    }

    /// Reports names that stand twice; empty ones are made up later.
    fn unique(&mut self, list: &str, field: &str, names: Vec<&str>) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.into_iter().enumerate() {
            if !name.is_empty() && !seen.insert(name) {
                let path = format!("{list}[{index}].{field}");
                let message = format!("`{name}` names two of `{list}`");
                self.problem(Code::Duplicate, path, message, "the second one");
            }
        }
    }

    fn pumps(&mut self) {
        let mut seen = BTreeSet::new();
        for (index, own) in self.scenario.pumps.overrides.iter().enumerate() {
            let path = format!("pumps.overrides[{index}]");
            self.pump_exists(&format!("{path}.pump"), own.pump);
            if !seen.insert(own.pump) {
                let message = format!("pump {} has two overrides", own.pump);
                self.problem(Code::Duplicate, format!("{path}.pump"), message, "the second one");
            }
            if let Some(model) = &own.model {
                self.model(&format!("{path}.model"), model);
            }
        }
    }

    fn package(&mut self) {
        let package = &self.scenario.package;
        let Some(defect) = &package.image.defect else { return };
        let path = "package.image.defect";
        let is_made_up = package.image.source == ImageSource::Seeded;
        if !package.pump_firmware {
            let message = "the image has a defect, but the package holds no pump firmware";
            self.problem(Code::Contradiction, path, message, "never looked at").help =
                Some("set `package.pump_firmware` to true, or remove the defect".to_owned());
        }
        match defect {
            ImageDefect::Corrupt(0) => {
                self.problem(Code::OutOfRange, path, "a corrupt image has at least one flipped bit", "at least 1");
            }
            ImageDefect::Truncated(by) if by.bytes() == 0 || (is_made_up && *by >= package.image.length) => {
                let label = "more than nothing, less than `package.image.length`";
                self.problem(Code::OutOfRange, path, "the image cannot be truncated by that", label);
            }
            ImageDefect::Extended(by) if !(1..=131_072).contains(&by.bytes()) => {
                self.problem(Code::OutOfRange, path, "the image cannot be extended by that", "from 1B to 128KiB");
            }
            ImageDefect::ForModel(_) if !is_made_up => {
                let message = "the header of an image file names its own model";
                self.problem(Code::Contradiction, path, message, "for made-up images only").help =
                    Some("put a file for that model, or leave `package.image.source` at `Seeded`".to_owned());
            }
            ImageDefect::ForModel(model) if self.scenario.pump_setups().all(|pump| pump.model == *model) => {
                let message = format!("every pump is of model `{model}`, so this image is right for them");
                self.problem(Code::Contradiction, path, message, "no defect").roots = vec!["pumps"];
            }
            ImageDefect::ForModel(model) => self.model(path, model),
            _ => {}
        }
    }

    fn further_nodes(&mut self) {
        let most = NodeId::MOST - NodeId::FIRST_FURTHER.index();
        let names: Vec<String> = self.scenario.further_names().map(str::to_owned).collect();
        if names.len() > most {
            self.problem(Code::OutOfRange, "further_nodes", "too many further nodes", &format!("at most {most}"));
        }
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            let path = format!("further_nodes[{index}]");
            if !is_file_name(name) || NodeName::parse(name) != NodeName::Further(name.clone()) {
                let label = "letters, digits, `-`, `_`; not `CIOC`, not `P01` to `P16`";
                self.problem(Code::BadWord, &path, format!("`{name}` cannot name a further node"), label);
            }
            if !seen.insert(name.as_str()) {
                self.problem(Code::Duplicate, &path, format!("`{name}` names two nodes"), "the second one");
            }
        }
    }

    fn bus(&mut self) {
        let bitrate = self.scenario.bus.bitrate;
        if bit_time(bitrate.bits_per_second()).is_none() {
            let message = format!("at {bitrate} a bit lasts no whole number of nanoseconds");
            let help = "bit rates divide 1 GHz: 125, 250, 500 kbit/s and 1 Mbit/s, for instance";
            self.problem(Code::Contradiction, "bus.bitrate", message, "no such bit rate").help = Some(help.to_owned());
        }
    }

    fn supply(&mut self) {
        let supply = &self.scenario.supply;
        if supply.brown_out >= supply.power_good {
            let message = format!("a node that fell below {} would start again at once", supply.brown_out);
            let label = format!("must be above `brown_out`, {}", supply.brown_out);
            self.problem(Code::Contradiction, "supply.power_good", message, &label);
        }
    }

    fn traffic(&mut self) {
        for (index, message) in self.scenario.traffic.messages().iter().enumerate() {
            let path = format!("traffic[{index}]");
            self.node_exists(&format!("{path}.node"), &message.node);
            if message.jitter >= message.period {
                let text = format!("`{}` has more jitter than its period", message.name);
                self.problem(Code::Contradiction, format!("{path}.jitter"), text, "must be less than `period`")
                    .beside = vec![format!("{path}.period")];
            }
            if message.dlc.is_some_and(|dlc| usize::from(dlc) != message.data_len()) {
                let text = format!(
                    "`{}` has {} of payload",
                    message.name,
                    counted(message.data_len() as u64, "byte", "bytes")
                );
                self.problem(
                    Code::Contradiction,
                    format!("{path}.dlc"),
                    text,
                    "leave `dlc` out, or make it the same",
                )
                .beside = vec![format!("{path}.payload")];
            }
            if message.name.is_empty() {
                self.problem(Code::BadWord, format!("{path}.name"), "a message needs a name", "empty");
            }
        }
        self.unique(
            "traffic",
            "name",
            self.scenario.traffic.messages().iter().map(|message| message.name.as_str()).collect(),
        );
    }

    fn safety_unit(&mut self, path: &str, unit: &SafetyUnit) {
        // A configuration that cannot be used has been reported with its file.
        let Some(compiled) = &unit.configuration.compiled else { return };
        let Some(node) = unit.index().and_then(|index| compiled.diagram.nodes.get(index)) else {
            let names: Vec<&str> = compiled.diagram.nodes.iter().map(|node| node.name.as_str()).collect();
            let message = format!("the configuration has no node `{}`", unit.node);
            self.problem(Code::NoSuchThing, format!("{path}.node"), message, "no such node").help =
                Some(format!("nodes: {}", names.join(", ")));
            return;
        };
        let inputs: Vec<&str> = node.inputs.iter().map(|group| group.name.as_str()).collect();
        let devices = unit.inputs.iter().enumerate().map(|(n, device)| (format!("inputs[{n}]"), &device.input));
        let operations = unit.operations.iter().enumerate().map(|(n, one)| (format!("operations[{n}]"), &one.input));
        for (place, input) in devices.chain(operations).collect::<Vec<_>>() {
            if !inputs.contains(&input.as_str()) {
                let message = format!("`{}` has no input group `{input}`", unit.node);
                self.problem(Code::NoSuchThing, format!("{path}.{place}.input"), message, "no such input").help =
                    Some(format!("inputs: {}", inputs.join(", ")));
            }
        }
        for (n, feed) in unit.feeds.iter().enumerate() {
            self.selection(&format!("{path}.feeds[{n}].pumps"), &feed.pumps);
        }
        let end = self.latest_end();
        for (n, operation) in unit.operations.iter().enumerate() {
            if end.is_some_and(|end| operation.at >= end) {
                let message = "this would be done after the end of the run";
                self.problem(Code::Contradiction, format!("{path}.operations[{n}].at"), message, "too late").roots =
                    vec!["end", "time_limit"];
            }
        }
        let downloads =
            unit.downloads.iter().enumerate().map(|(n, one)| (format!("downloads[{n}]"), one.at, &one.over));
        let asked = unit.identifications.iter().enumerate();
        let asked = asked.map(|(n, one)| (format!("identifications[{n}]"), one.at, &one.over));
        for (place, at, over) in downloads.chain(asked).collect::<Vec<_>>() {
            if end.is_some_and(|end| at >= end) {
                let message = "this would be done after the end of the run";
                self.problem(Code::Contradiction, format!("{path}.{place}.at"), message, "too late").roots =
                    vec!["end", "time_limit"];
            }
            self.way(&format!("{path}.{place}.over"), over);
        }
        self.feeds(path);
    }

    /// Somebody is there from whom a tool's frames could come, and who does nothing else with the bus' answers.
    fn way(&mut self, path: &str, over: &Way) {
        let Way::Can(name) = over else { return };
        if !self.scenario.further_nodes.contains(name) {
            let message = format!("the tool cannot send its frames from `{name}`");
            let label = "one of `further_nodes`";
            self.problem(Code::NoSuchThing, path, message, label).roots = vec!["further_nodes"];
        }
    }

    /// A pump has one feed, and there are four at most.
    fn feeds(&mut self, path: &str) {
        let feeds: Vec<Vec<u8>> = self
            .scenario
            .safety_units
            .iter()
            .flat_map(|unit| &unit.feeds)
            .map(|feed| self.scenario.selected(&feed.pumps))
            .collect();
        let mut fed: Vec<u8> = feeds.iter().flatten().copied().collect();
        fed.sort_unstable();
        let count = fed.len();
        fed.dedup();
        let wrong = if feeds.len() > usize::from(crate::power::Branch::PUMP_FEEDS_MOST) {
            (Code::OutOfRange, "too many feeds", "at most 4 in all units")
        } else if fed.len() != count {
            (Code::Contradiction, "a pump hangs at two relays", "name each pump once")
        } else if !feeds.is_empty() && fed.len() != usize::from(self.scenario.pumps.count) {
            (Code::Contradiction, "some pumps hang at relays and others do not", "name every pump")
        } else {
            return;
        };
        let (code, message, label) = wrong;
        self.problem(code, format!("{path}.feeds"), message, label).roots = vec!["safety_units", "pumps.count"];
    }

    fn fault(&mut self, path: &str, fault: &Fault) {
        let switches_feed = match (&fault.kind, &fault.place) {
            (FaultKind::FeedOff, _) => true,
            (FaultKind::PowerCut, place) => matches!(place, Place::PumpFeed | Place::Supply),
            _ => false,
        };
        if switches_feed && self.scenario.safety_units.iter().any(|unit| !unit.feeds.is_empty()) {
            let message = "relays of a safety unit switch the pumps' feed here";
            let label = "cut the pumps or the unit, or act on its inputs or relays";
            let problem = self.problem(Code::ImpossibleFault, format!("{path}.kind"), message, label);
            problem.roots = vec!["safety_units"];
            problem.beside = vec![format!("{path}.place")];
        }
        self.place(&format!("{path}.place"), &fault.place);
        self.kind_fits_place(path, fault);
        self.safety_fault(path, fault);
        self.level_makes_sense(path, fault);
        self.measure_makes_sense(path, fault);
        self.unit_changes(path, fault);
        self.trigger(&format!("{path}.trigger"), fault);
        self.repetition(path, fault);
        if fault.duration.is_some() && fault.kind.is_momentary() {
            let message = "this kind of fault happens in an instant";
            let problem = self.problem(Code::Contradiction, format!("{path}.duration"), message, "remove the duration");
            problem.beside = vec![format!("{path}.kind")];
            if let FaultKind::Bounce(bounce) = &fault.kind {
                let lasts = u64::from(bounce.count).saturating_mul(bounce.off.as_nanos() + bounce.on.as_nanos());
                let lasts = super::quantity::text(Span::from_nanos(lasts));
                problem.message = "a bounce lasts as long as its interruptions and the times between them".to_owned();
                problem.help = Some(format!("count x (off + on) is {lasts} here; set `count`, `off` and `on` instead"));
            }
        }
    }

    fn place(&mut self, path: &str, place: &Place) {
        match place {
            Place::Pump(pump) => self.pump_exists(path, *pump),
            Place::Node(name) => self.node_exists(path, name),
            Place::Between(Between { a, b }) => {
                self.node_exists(&format!("{path}.a"), a);
                self.node_exists(&format!("{path}.b"), b);
                self.neighbours(path, a, b);
            }
            Place::Cioc | Place::AllPumps | Place::AllNodes | Place::Bus | Place::Supply | Place::PumpFeed => {}
        }
    }

    fn neighbours(&mut self, path: &str, a: &NodeName, b: &NodeName) {
        let nodes = self.scenario.nodes();
        let at = |name: &NodeName| nodes.iter().position(|node| node == name);
        let (Some(first), Some(second)) = (at(a), at(b)) else { return };
        if second != first + 1 {
            let label =
                nodes.get(first + 1).map_or("is the last node".to_owned(), |next| format!("after {a} comes {next}"));
            let message = format!("{a} and {b} are no neighbours on the bus");
            self.problem(Code::NoSuchThing, path, message, &label).roots = vec!["pumps.count", "further_nodes"];
        }
    }

    fn kind_fits_place(&mut self, path: &str, fault: &Fault) {
        let acts_on = fault.kind.acts_on();
        let fits = match acts_on {
            ActsOn::Nodes => fault.place.is_nodes(),
            ActsOn::Supply => fault.place.is_nodes() || fault.place == Place::Supply,
            ActsOn::Feed => fault.place == Place::PumpFeed,
            ActsOn::Pumps => fault.place.is_pumps(),
            ActsOn::Cioc => fault.place.is_cioc(),
            ActsOn::Bus => fault.place == Place::Bus,
            ActsOn::Unit => self.unit_at(&fault.place).is_some(),
            ActsOn::Gap => matches!(fault.place, Place::Between(_)),
        };
        if !fits {
            let message = format!("`{}` cannot act there: it acts on {}", fault.kind.name(), acts_on.words());
            let problem = self.problem(Code::ImpossibleFault, format!("{path}.place"), message, "wrong place");
            problem.help = Some("`cooltwin scenario explain faults.place` lists the places".to_owned());
            problem.roots = vec!["safety_units"];
            problem.beside = vec![format!("{path}.kind")];
        }
    }

    /// The safety unit at a place.
    fn unit_at(&self, place: &Place) -> Option<&SafetyUnit> {
        let Place::Node(name) = place else { return None };
        self.scenario.safety_unit(name)
    }

    /// What a fault of a safety unit names is there.
    fn safety_fault(&mut self, path: &str, fault: &Fault) {
        let FaultKind::Safety(kind) = &fault.kind else { return };
        let Some(unit) = self.unit_at(&fault.place) else { return };
        let (node, inputs) = (unit.node.clone(), unit.input_names());
        let number = match kind {
            SafetyFault::Wire(WireHit { is: WireDefect::ToPin(pin), .. }) => Some(*pin),
            SafetyFault::Adc(AdcHit { channel: AdcInput::Pin(pin), .. }) => Some(*pin),
            _ => None,
        };
        if number.is_some_and(|pin| usize::from(pin) >= safety_common::PINS) {
            self.problem(Code::NoSuchThing, format!("{path}.kind"), "there is no such pin", "the pins are 0 to 13")
                .beside = vec![format!("{path}.place")];
        }
        if let SafetyFault::CanRepeated(repeat) = kind
            && (repeat.by == node || !self.scenario.further_names().any(|known| known == repeat.by))
        {
            let message = format!("`{}` cannot repeat the frames of `{node}`", repeat.by);
            let label = "another one of `further_nodes` or `safety_units`";
            let problem = self.problem(Code::NoSuchThing, format!("{path}.kind.by"), message, label);
            problem.roots = vec!["further_nodes"];
            problem.beside = vec![format!("{path}.place")];
        }
        if let SafetyFault::InputOff(input) = kind
            && let Some(names) = inputs
            && !names.contains(input)
        {
            let message = format!("`{node}` has no input group `{input}`");
            let problem = self.problem(Code::NoSuchThing, format!("{path}.kind"), message, "no such input");
            problem.help = Some(format!("inputs: {}", names.join(", ")));
            problem.beside = vec![format!("{path}.place")];
        }
    }

    fn unit_exists(&mut self, path: &str, name: &str) {
        if self.scenario.safety_units.iter().all(|unit| unit.node != name) {
            let units: Vec<String> = self.scenario.safety_units.iter().map(|unit| unit.node.clone()).collect();
            let near = nearest(name, units.iter().map(String::as_str)).map(|near| format!("\"{near}\""));
            let label = near.as_ref().map_or("no such unit".to_owned(), |near| format!("did you mean `{near}`?"));
            let problem = self.problem(Code::NoSuchThing, path, format!("there is no safety unit `{name}`"), &label);
            problem.help = (!units.is_empty()).then(|| format!("safety units: {}", units.join(", ")));
            problem.replacement = near;
            problem.roots = vec!["safety_units"];
        }
    }

    fn download_exists(&mut self, path: &str, wanted: &SafetyDownload) {
        self.unit_exists(&format!("{path}.unit"), &wanted.unit);
        let units = &self.scenario.safety_units;
        let count = units.iter().find(|unit| unit.node == wanted.unit).map(|unit| unit.downloads.len());
        if count.is_some_and(|count| usize::from(wanted.number) >= count) {
            let message = format!("`{}` has no download {}", wanted.unit, wanted.number);
            self.problem(Code::NoSuchThing, format!("{path}.number"), message, "no such download").roots =
                vec!["safety_units"];
        }
    }

    fn level_makes_sense(&mut self, path: &str, fault: &Fault) {
        let nominal = self.scenario.supply.nominal;
        let wrong = match &fault.kind {
            FaultKind::Sag(level) if level.to >= nominal => Some("a sag ends below the nominal supply"),
            FaultKind::OverVoltage(level) if level.to <= nominal => Some("an over-voltage is above the nominal supply"),
            _ => None,
        };
        if let Some(message) = wrong {
            let label = format!("`supply.nominal` is {nominal}");
            self.problem(Code::ImpossibleFault, format!("{path}.kind.to"), message, &label).roots = vec!["supply"];
        }
    }

    /// A fault whose measure is nothing changes nothing, however often it comes.
    fn measure_makes_sense(&mut self, path: &str, fault: &Fault) {
        let wrong = match &fault.kind {
            FaultKind::ClockDrift(drifting) if drifting.by.ppm() == 0 => ("by", "a clock drift of 0 ppm is none"),
            FaultKind::SlowErase(slower) if slower.factor.thousandths() == 1_000 => ("factor", "1x is the usual time"),
            FaultKind::BitErrors(errors) if errors.rate.ppb() == 0 => ("rate", "at this rate no bit is ever wrong"),
            FaultKind::FrameLoss(loss) if loss.rate.ppb() == 0 => ("rate", "at this rate no frame is ever lost"),
            _ => return,
        };
        let (field, message) = wrong;
        self.problem(Code::ImpossibleFault, format!("{path}.kind.{field}"), message, "changes nothing");
    }

    /// A fault of a safety unit whose value is what is there already changes nothing.
    fn unit_changes(&mut self, path: &str, fault: &Fault) {
        let FaultKind::Safety(kind) = &fault.kind else { return };
        let Some(unit) = self.unit_at(&fault.place) else { return };
        let own = |cpu: u8| if cpu == 1 { &unit.cpu1 } else { &unit.cpu2 };
        let wrong = match kind {
            SafetyFault::Clock(clock) if clock.by.ppm() == own(clock.cpu).clock_drift.ppm() => {
                (".by", "the clock runs like that already")
            }
            SafetyFault::LogicTime(time) if time.takes == own(time.cpu).logic_time => {
                (".takes", "the logic takes that time already")
            }
            SafetyFault::Adc(hit) if is_nothing(&hit.error) => (".error", "this error of a converter is none"),
            SafetyFault::Rail(rail) if rail.to.millivolts() == crate::hosts::safety::unit::RAIL_MV => {
                (".to", "the rail has that voltage already")
            }
            SafetyFault::Wire(WireHit { pin, is: WireDefect::ToPin(other) }) if pin == other => {
                (".is", "a short of a pin to itself is none")
            }
            SafetyFault::RamCell(RamCell { word, defect: CellDefect::Reaches(other), .. }) if word == other => {
                (".defect", "accesses to a word that reach that word are right")
            }
            SafetyFault::RadioDelayed(by) if by.as_nanos() == 0 => ("", "a delay of nothing is none"),
            _ => return,
        };
        let (field, message) = wrong;
        let problem = self.problem(Code::ImpossibleFault, format!("{path}.kind{field}"), message, "changes nothing");
        problem.beside = vec![format!("{path}.place")];
    }

    fn trigger(&mut self, path: &str, fault: &Fault) {
        let pump = match &fault.trigger {
            Trigger::When(when) => Some(when.pump),
            Trigger::FlashOperation(operation) => Some(operation.pump),
            Trigger::ProtocolStep(step) => Some(step.pump),
            Trigger::At(_) | Trigger::Frame(_) | Trigger::Campaign(_) => None,
        };
        if let Some(pump) = pump {
            self.pump_exists(&format!("{path}.pump"), pump);
        }
        if let Trigger::When(when) = &fault.trigger {
            self.progress_comes(path, when);
        }
        let needs_campaign = pump.is_some() || matches!(fault.trigger, Trigger::Campaign(_));
        if needs_campaign && !self.scenario.campaign {
            let message = "this fault waits for a campaign, and the scenario runs none";
            self.problem(Code::ImpossibleFault, path, message, "never comes").roots = vec!["campaign"];
        }
        if let (Trigger::At(at), Some(end)) = (&fault.trigger, self.latest_end())
            && *at >= end
        {
            let message = "this fault would begin after the end of the run";
            let label = format!("the run ends at {}", super::quantity::text(end));
            self.problem(Code::ImpossibleFault, path, message, &label).roots = vec!["end", "time_limit"];
        }
    }

    /// A phase comes as far as the fault waits for: blocks of a transfer are counted to the end, sectors of an erase when each
    /// begins, and any other phase only begins.
    fn progress_comes(&mut self, path: &str, when: &When) {
        let sectors = u32::from(pump::flash_map::SECTORS);
        let most = match when.phase {
            Phase::Transfer => 1_000,
            Phase::Erase => (sectors - 1) * 1_000 / sectors,
            _ => 0,
        };
        if when.progress.permille() <= most {
            return;
        }
        let phase = when.phase.name();
        let (message, label) = match most {
            0 => (
                format!("`{phase}` never comes to {}: only its begin is a point", when.progress),
                "leave it out".to_owned(),
            ),
            _ => (
                format!("`{phase}` never comes to {}: its last sector begins before", when.progress),
                format!("at most {}", Share::new(most)),
            ),
        };
        let problem = self.problem(Code::ImpossibleFault, format!("{path}.progress"), message, &label);
        problem.help =
            Some("`Transfer` has progress by bytes, `Erase` by sectors, the other phases have none".to_owned());
        problem.replacement = Some(format!("\"{}\"", Share::new(most)));
        problem.beside = vec![format!("{path}.phase")];
    }

    /// The time at which the run is over for certain.
    fn latest_end(&self) -> Option<Span> {
        match self.scenario.end {
            End::At(at) => Some(at),
            End::AfterCampaign(_) => Some(self.scenario.time_limit),
        }
    }

    fn repetition(&mut self, path: &str, fault: &Fault) {
        let Some(repeat) = &fault.repeat else { return };
        let beside = vec![format!("{path}.trigger"), format!("{path}.duration")];
        let path = format!("{path}.repeat");
        let wrong = match (&fault.trigger, repeat.period) {
            (Trigger::At(_), None) => (path, "a fault at a time needs a period to be repeated", "add `period`"),
            (Trigger::At(_), Some(period)) if fault.duration.is_some_and(|duration| duration >= period) => (
                format!("{path}.period"),
                "the fault begins again before it has ended",
                "must be longer than `duration`",
            ),
            (Trigger::At(_), Some(_)) | (_, None) => return,
            (_, Some(_)) => {
                let message = "a fault with a condition is repeated whenever the condition comes true again";
                (format!("{path}.period"), message, "remove the period")
            }
        };
        let (path, message, label) = wrong;
        self.problem(Code::Contradiction, path, message, label).beside = beside;
    }

    fn budget(&mut self, path: &str, budget: &Budget) {
        let measured = budget.measure.what();
        for (field, limit) in [("limit", Some(budget.limit)), ("limit_low", budget.limit_low)] {
            if let Some(limit) = limit.filter(|limit| limit.what() != measured) {
                let message = format!("`{}` measures a {measured}, its limit is a {}", budget.id, limit.what());
                self.problem(
                    Code::Contradiction,
                    format!("{path}.{field}"),
                    message,
                    &format!("expected a {measured}"),
                )
                .beside = vec![format!("{path}.measure")];
            }
        }
        let wants_low = budget.relation == Relation::Between;
        if wants_low != budget.limit_low.is_some() {
            let label = if wants_low { "add `limit_low`" } else { "remove `limit_low`, or write `Between`" };
            let message = "`limit_low` and the relation `Between` belong together";
            self.problem(Code::Contradiction, format!("{path}.relation"), message, label).beside =
                vec![format!("{path}.limit_low")];
        }
        if budget.id.is_empty() {
            self.problem(Code::BadWord, format!("{path}.id"), "a budget needs a name", "empty");
        }
        if let Measure::Response(name) = &budget.measure {
            self.message_exists(&format!("{path}.measure"), name);
        }
    }

    /// A message of the traffic list, or `status-P05` or `command-P05` of the system's own.
    fn message_exists(&mut self, path: &str, name: &str) {
        let own = self.scenario.nodes().into_iter().filter(|node| matches!(node, NodeName::Pump(_)));
        let own = own.flat_map(|pump| [format!("status-{pump}"), format!("command-{pump}")]);
        let names: Vec<String> =
            self.scenario.traffic.messages().iter().map(|message| message.name.clone()).chain(own).collect();
        if names.iter().any(|known| known == name) {
            return;
        }
        let label = nearest(name, names.iter().map(String::as_str))
            .map_or("no such message".to_owned(), |near| format!("did you mean `{near}`?"));
        let problem = self.problem(Code::NoSuchThing, path, format!("there is no message `{name}`"), &label);
        problem.help = Some("messages: those of `traffic`, and `status-P01`, `command-P01` and on".to_owned());
        problem.roots = vec!["traffic", "pumps.count"];
    }

    fn expectation(&mut self, path: &str, expectation: &Expectation) {
        match expectation {
            Expectation::Outcome(outcome) => self.selection(&format!("{path}.pumps"), &outcome.pumps),
            Expectation::Attempts(attempts) => {
                self.selection(&format!("{path}.pumps"), &attempts.pumps);
                if attempts.at_least > attempts.at_most {
                    let message = "no number of tries is at least this and at most that";
                    self.problem(Code::Contradiction, format!("{path}.at_least"), message, "more than `at_most`")
                        .beside = vec![format!("{path}.at_most")];
                }
            }
            Expectation::Cause(cause) => self.selection(&format!("{path}.pumps"), &cause.pumps),
            Expectation::VersionAfter(after) => self.selection(&format!("{path}.pumps"), &after.pumps),
            Expectation::NoFlashWrite(pumps) | Expectation::FailSafe(pumps) => self.selection(path, pumps),
            Expectation::Alarm(alarm) => {
                if let Alarm::DeadPump(pump) = alarm.about {
                    self.pump_exists(&format!("{path}.about"), pump);
                }
            }
            Expectation::BudgetFails(id) => self.budget_exists(path, id),
            Expectation::CheckFails(id) => self.check_exists(path, id),
            Expectation::BusOff(nodes) | Expectation::ErrorPassive(nodes) => {
                if nodes.is_empty() {
                    let message = "an expectation of no node holds whatever happens";
                    self.problem(Code::Contradiction, path, message, "name at least one node");
                }
                for (index, node) in nodes.iter().enumerate() {
                    self.node_exists(&format!("{path}[{index}]"), node);
                }
            }
            Expectation::SafetyTrip(trip) => self.unit_exists(&format!("{path}.unit"), &trip.unit),
            Expectation::SafetyStaysNormal(name)
            | Expectation::SafetyRestarts(name)
            | Expectation::SafetyIdentified(name) => self.unit_exists(path, name),
            Expectation::SafetyRelays(relays) => self.unit_exists(&format!("{path}.unit"), &relays.unit),
            Expectation::SafetyDownload(wanted) => self.download_exists(path, wanted),
            Expectation::Consent(_) | Expectation::Campaign(_) | Expectation::Verdict(_) => {}
        }
        let needs_campaign =
            matches!(expectation, Expectation::Outcome(_) | Expectation::Attempts(_) | Expectation::Campaign(_));
        if needs_campaign && !self.scenario.campaign {
            let message = "this is expected of a campaign, and the scenario runs none";
            self.problem(Code::Contradiction, path, message, "`campaign` is false").roots = vec!["campaign"];
        }
    }

    fn selection(&mut self, path: &str, selection: &Selection) {
        if let Selection::Only(pumps) | Selection::Except(pumps) = selection {
            for (index, pump) in pumps.iter().enumerate() {
                self.pump_exists(&format!("{path}[{index}]"), *pump);
            }
            let all_exist = pumps.iter().all(|pump| (1..=self.scenario.pumps.count).contains(pump));
            if all_exist && self.scenario.selected(selection).is_empty() {
                let problem = self.problem(Code::Contradiction, path, "this selects no pump", "nothing to judge");
                problem.roots = vec!["pumps.count"];
            }
        }
    }

    fn budget_exists(&mut self, path: &str, id: &str) {
        let of_units = crate::run::safety::BUDGETS.iter().any(|(known, _)| *known == id);
        if of_units && !self.scenario.safety_units.is_empty() {
            return;
        }
        let budgets = &self.scenario.budgets;
        match budgets.iter().find(|budget| budget.id == id) {
            Some(budget) if budget.information => {
                let message = format!("budget `{id}` is information only");
                self.problem(Code::Contradiction, path, message, "it never fails").roots = vec!["budgets"];
            }
            Some(_) => {}
            None => {
                let ids: Vec<&str> = budgets.iter().map(|budget| budget.id.as_str()).collect();
                let near = nearest(id, ids.iter().copied());
                let label = near.map_or("no such budget".to_owned(), |near| format!("did you mean `{near}`?"));
                let help = format!("budgets: {}", ids.join(", "));
                let problem = self.problem(Code::NoSuchThing, path, format!("there is no budget `{id}`"), &label);
                problem.help = Some(help);
                problem.roots = vec!["budgets"];
            }
        }
    }

    fn check_exists(&mut self, path: &str, id: &str) {
        let of_units = if self.scenario.safety_units.is_empty() { &[][..] } else { crate::run::safety::CHECKS };
        let ids: Vec<&str> = checks::IDS.iter().chain(checks::END_IDS).chain(of_units).map(|(id, _)| *id).collect();
        if ids.contains(&id) {
            return;
        }
        let near = nearest(id, ids.iter().copied()).map(|near| format!("\"{near}\""));
        let label = near.as_ref().map_or("no such check".to_owned(), |near| format!("did you mean `{near}`?"));
        let problem = self.problem(Code::NoSuchThing, path, format!("there is no check `{id}`"), &label);
        problem.help = Some(format!("checks: {}", ids.join(", ")));
        problem.replacement = near;
    }

    /// No pump is expected to have two outcomes.
    fn outcomes_agree(&mut self) {
        let mut expected = Vec::new();
        for (index, expectation) in self.scenario.expectations.iter().enumerate() {
            let Expectation::Outcome(outcome) = expectation else { continue };
            for pump in self.scenario.selected(&outcome.pumps) {
                expected.push((pump, index, outcome.is.clone()));
            }
        }
        let mut reported = BTreeSet::new();
        for (at, (pump, index, outcome)) in expected.iter().enumerate() {
            let other = expected.iter().take(at).find(|(other, _, was)| other == pump && was != outcome);
            if let Some((_, other, _)) = other
                && reported.insert(*index)
            {
                let message = format!("two outcomes are expected of pump {pump}");
                let label = "this is the second";
                let problem = self.problem(Code::Contradiction, format!("expectations[{index}]"), message, label);
                problem.help = Some("select the others with `Except([..])`".to_owned());
                problem.roots = vec!["pumps.count"];
                problem.beside = vec![format!("expectations[{other}]")];
            }
        }
    }

    /// One trip cannot show two: both expectations would be met by the same detection. One without `restarts` is about the first of the
    /// run, in whatever life of the unit that is.
    fn trips_differ(&mut self) {
        let mut seen: Vec<(usize, &SafetyTrip)> = Vec::new();
        for (index, expectation) in self.scenario.expectations.iter().enumerate() {
            let Expectation::SafetyTrip(trip) = expectation else { continue };
            if let Some((other, _)) = seen.iter().find(|(_, own)| may_be_one(own, trip)) {
                let message = format!("this trip of {} is expected twice, and one would show both", trip.unit);
                let label = "this is the second";
                let problem = self.problem(Code::Contradiction, format!("expectations[{index}]"), message, label);
                let help = "remove one, or say of both with `restarts` in which life of the unit they are";
                problem.help = Some(help.to_owned());
                problem.beside = vec![format!("expectations[{other}]")];
            } else {
                seen.push((index, trip));
            }
        }
    }

    fn end(&mut self) {
        let scenario = self.scenario;
        match scenario.end {
            End::AfterCampaign(_) if !scenario.campaign => {
                let message = "the run ends after a campaign, and the scenario runs none";
                let problem = self.problem(Code::Contradiction, "end", message, "write `At(..)` here");
                problem.help = Some("for instance `end: At(\"10s\")`".to_owned());
                problem.roots = vec!["campaign"];
            }
            End::At(at) if at > scenario.time_limit => {
                let message = "the run ends after its time limit";
                self.problem(Code::Contradiction, "end", message, "later than `time_limit`").roots = vec!["time_limit"];
            }
            End::AfterCampaign(_) | End::At(_) => {}
        }
        let end = self.latest_end();
        for (index, at) in scenario.user.manual_searches.iter().enumerate() {
            if end.is_some_and(|end| *at >= end) {
                let path = format!("user.manual_searches[{index}]");
                self.problem(
                    Code::Contradiction,
                    path,
                    "this search would come after the end of the run",
                    "too late",
                )
                .roots = vec!["end", "time_limit"];
            }
        }
        if let (Some(outage), Some(end)) = (&scenario.cioc_update, end)
            && outage.at + outage.duration >= end
        {
            let message = "the CIOC would come back after the end of the run";
            self.problem(Code::Contradiction, "cioc_update", message, "too late or too long").roots =
                vec!["end", "time_limit"];
        }
    }
}

/// Whether the same detection may meet both.
fn may_be_one(one: &SafetyTrip, other: &SafetyTrip) -> bool {
    let is_open = one.restarts.is_none() || other.restarts.is_none();
    let by_others = one.cpu.is_some() && other.cpu.is_some() && one.cpu != other.cpu;
    let is_then = one.restarts == other.restarts || (is_open && !by_others);
    (&one.unit, &one.by) == (&other.unit, &other.by) && is_then
}

/// Whether a converter with this error shows what it should.
fn is_nothing(error: &AdcError) -> bool {
    match error {
        AdcError::Gain(by) => by.ppm() == 0,
        AdcError::Above(by) | AdcError::Below(by) | AdcError::Noise(by) => by.millivolts() == 0,
        AdcError::Stuck(_) => false,
    }
}

impl Limit {
    const fn what(&self) -> &'static str {
        match self {
            Self::Duration(_) => "duration",
            Self::Voltage(_) => "voltage",
            Self::Share(_) => "share",
            Self::Flow(_) => "flow",
            Self::Temperature(_) => "temperature",
        }
    }
}

impl Measure {
    const fn what(&self) -> &'static str {
        match self {
            Self::PumpUpdate | Self::BackToAutomatic | Self::Campaign | Self::Response(_) => "duration",
            Self::BusLoad => "share",
            Self::Supply => "voltage",
            Self::Flow => "flow",
            Self::Coolant => "temperature",
        }
    }
}

fn is_file_name(name: &str) -> bool {
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    is_plain && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 80
}
