//! What a scenario means: defaults, overrides of single pumps and profiles worked out; and its canonical text.

use super::model::{FlashProfile, ImageDefect, RawScenario, Selection, Traffic};
use super::reader::{Node, Reader};
use super::schema::Value;
use super::traffic_log::LOG_NODE;
use super::units::SafetyUnit;
use super::words::{NodeName, Version};
use crate::kernel::Span;
use crate::node::NodeId;

/// One pump with what its override says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PumpSetup {
    /// Its number, 1 to 16.
    pub pump: u8,
    /// The model it reports.
    pub model: String,
    /// Its installed version.
    pub version: Version,
    /// Whether it answers at all.
    pub answers: bool,
    /// From reset to its first step.
    pub boot: Span,
    /// How much later its CPU starts counting time.
    pub clock_offset: Span,
    /// How fast its clock runs, in ppm.
    pub clock_drift_ppm: i32,
}

/// Times of the pumps' flash, the slow factor in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashTimes {
    /// Time of one sector erase.
    pub sector_erase: Span,
    /// Time of one program.
    pub word_program: Span,
}

impl Default for RawScenario {
    /// What an empty file says.
    fn default() -> Self {
        let node = Node { bare: true, ..Node::whole("()", 0) };
        match Self::read(&node, &mut Reader::default()) {
            Some(scenario) => scenario,
            None => unreachable!("a test reads every default"),
        }
    }
}

impl RawScenario {
    /// All values, defaults included, in the one canonical way to write them; a scenario file in itself.
    #[must_use]
    pub fn resolved_text(&self) -> String {
        Value::doc(self).file()
    }

    /// SHA-256 of the canonical text, 64 hexadecimal digits: what names a scenario in evidence.
    #[must_use]
    pub fn sha256(&self) -> String {
        reports::sha256(self.resolved_text().as_bytes())
    }

    /// Whether nothing is drawn from the seed, so that every seed gives the same run. Faults, defects of the image and
    /// traffic with jitter or without payload may draw; what is random in them is not looked at more closely.
    #[must_use]
    pub fn draws_nothing(&self) -> bool {
        let is_plain = |message: &Traffic| message.jitter == Span::ZERO && message.payload.is_some();
        self.faults.is_empty() && self.package.image.defect.is_none() && self.traffic.messages().iter().all(is_plain)
    }

    /// The pumps, in order, each with what its override says.
    pub fn pump_setups(&self) -> impl Iterator<Item = PumpSetup> + '_ {
        (1..=self.pumps.count).map(|pump| self.pump_setup(pump))
    }

    /// Every model name of the scenario, in the order of first use; its place, counted from 1, is the model id.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        let mut names = vec![self.pumps.model.clone(), self.package.image.model.clone()];
        names.extend(self.pump_setups().map(|setup| setup.model));
        if let Some(ImageDefect::ForModel(model)) = &self.package.image.defect {
            names.push(model.clone());
        }
        let mut unique: Vec<String> = Vec::new();
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        unique
    }

    fn pump_setup(&self, pump: u8) -> PumpSetup {
        let own = self.pumps.overrides.iter().find(|own| own.pump == pump);
        PumpSetup {
            pump,
            model: own.and_then(|own| own.model.clone()).unwrap_or_else(|| self.pumps.model.clone()),
            version: own.and_then(|own| own.version).unwrap_or(self.pumps.version),
            answers: own.is_none_or(|own| own.answers),
            boot: own.and_then(|own| own.boot).unwrap_or(self.timing.pump_boot),
            clock_offset: own.map_or(Span::ZERO, |own| own.clock_offset),
            clock_drift_ppm: own.map_or(0, |own| own.clock_drift.ppm()),
        }
    }

    /// Names of the further nodes: those of the list, the one that plays the log, where traffic is one, and the safety
    /// units.
    pub fn further_names(&self) -> impl Iterator<Item = &str> {
        let player = self.traffic.log().map(|_| LOG_NODE);
        let units = self.safety_units.iter().map(|unit| unit.node.as_str());
        self.further_nodes.iter().map(String::as_str).chain(player).chain(units)
    }

    /// The safety unit of this name.
    #[must_use]
    pub fn safety_unit(&self, name: &NodeName) -> Option<&SafetyUnit> {
        let NodeName::Further(name) = name else { return None };
        self.safety_units.iter().find(|unit| unit.node == *name)
    }

    /// The switchable feed of a pump: that of the relay that feeds it, in the order in which the units name them.
    #[must_use]
    pub fn feed_of(&self, pump: u8) -> u8 {
        let mut feeds = self.safety_units.iter().flat_map(|unit| &unit.feeds);
        let feed = feeds.position(|feed| self.selected(&feed.pumps).contains(&pump));
        feed.and_then(|feed| u8::try_from(feed).ok()).unwrap_or(0)
    }

    /// All nodes in the order in which they hang on the bus: CIOC, pumps, further nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeName> {
        let pumps = (1..=self.pumps.count).map(NodeName::Pump);
        let further = self.further_names().map(str::to_owned).map(NodeName::Further);
        std::iter::once(NodeName::Cioc).chain(pumps).chain(further).collect()
    }

    /// The node of that name, if the scenario has it.
    #[must_use]
    pub fn node_id(&self, name: &NodeName) -> Option<NodeId> {
        match name {
            NodeName::Cioc => Some(NodeId::CIOC),
            NodeName::Pump(pump) => (1..=self.pumps.count).contains(pump).then(|| NodeId::new(*pump)),
            NodeName::Further(name) => {
                let index = self.further_names().position(|known| known == name)?;
                let number = NodeId::FIRST_FURTHER.index() + index;
                u8::try_from(number).ok().filter(|n| usize::from(*n) < NodeId::MOST).map(NodeId::new)
            }
        }
    }

    /// Numbers of the pumps that a selection means.
    #[must_use]
    pub fn selected(&self, selection: &Selection) -> Vec<u8> {
        let is_in = |pump: &u8| match selection {
            Selection::All => true,
            Selection::Only(pumps) => pumps.contains(pump),
            Selection::Except(pumps) => !pumps.contains(pump),
        };
        (1..=self.pumps.count).filter(is_in).collect()
    }

    /// The pumps' flash: its profile, with what is written in its place, times the slow factor.
    #[must_use]
    pub fn flash_times(&self) -> FlashTimes {
        let (erase, program) = self.flash.profile.data_sheet();
        let slowed = |span: Span| {
            let ns = u128::from(span.as_nanos()) * u128::from(self.flash.slow_factor.thousandths()) / 1_000;
            Span::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
        };
        FlashTimes {
            sector_erase: slowed(self.flash.sector_erase.unwrap_or(erase)),
            word_program: slowed(self.flash.word_program.unwrap_or(program)),
        }
    }
}

impl FlashProfile {
    /// Time of a sector erase and of a word program (data sheets as quoted in the README's assumptions).
    const fn data_sheet(&self) -> (Span, Span) {
        match self {
            Self::Stm32f4Typical => (Span::from_secs(1), Span::from_micros(16)),
            Self::Stm32f4Maximum => (Span::from_secs(2), Span::from_micros(100)),
        }
    }
}

impl Traffic {
    /// How many data bytes its frames have.
    #[must_use]
    pub fn data_len(&self) -> usize {
        let payload = self.payload.as_ref().map(|payload| payload.bytes().len());
        payload.unwrap_or_else(|| self.dlc.map_or(8, usize::from))
    }
}
