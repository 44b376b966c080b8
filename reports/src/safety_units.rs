//! The safety units of a run: how each ends, what it detected in itself first, and what was done there.

use serde::{Deserialize, Serialize};

use crate::number::{Fixed, Millis};
use crate::words;

/// One safety unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyUnit {
    /// Its name in the scenario.
    pub id: String,
    /// The modes of CPU1 and CPU2 at the end, such as `normal`; `no-supply` or `no-firmware` of one that runs nothing, `stands-still` of one that makes no steps.
    pub modes: [String; 2],
    /// The first internal fault that it detected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_detected: Option<FirstDetected>,
    /// Relays that conduct at the end: both of their contacts are closed.
    pub relays: Vec<u8>,
    /// Lowest voltage at its terminals, in mV.
    pub supply_mv_min: i64,
    /// Highest voltage at its terminals, in mV.
    pub supply_mv_max: i64,
    /// What the configuration tool did there, in the order of the scenario.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downloads: Vec<Download>,
    /// When its lamp was lit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lamp_lit_ms: Vec<Millis>,
}

/// The first internal fault that a unit detected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstDetected {
    /// The diagnostic, such as `logic-time`.
    pub fault: String,
    /// 1 or 2.
    pub cpu: u8,
    /// When.
    pub at_ms: Millis,
}

/// A download of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// When it was to begin.
    pub at_ms: Millis,
    /// What the tool tells, such as `stored`; `not-over` where the run ended before.
    pub told: String,
    /// How long the tool took to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<Millis>,
    /// Whether both CPUs held the configuration as the tool told it.
    pub stored: bool,
}

impl SafetyUnit {
    /// Whether both CPUs are in normal mode at the end.
    pub(crate) fn is_normal(&self) -> bool {
        self.modes.iter().all(|mode| mode == "normal")
    }

    /// `normal`, or the mode of each CPU where they differ.
    pub(crate) fn mode_words(&self) -> String {
        let [one, two] = &self.modes;
        if one == two { one.clone() } else { format!("CPU1 {one}, CPU2 {two}") }
    }

    /// What it detected in itself first, if anything.
    pub(crate) fn detected_words(&self) -> Option<String> {
        let FirstDetected { fault, cpu, at_ms } = self.first_detected.as_ref()?;
        Some(format!("{fault} detected by CPU{cpu} at {}", words::milliseconds(*at_ms)))
    }

    /// Which relays conduct.
    pub(crate) fn relay_words(&self) -> String {
        let numbers: Vec<String> = self.relays.iter().map(u8::to_string).collect();
        match &numbers[..] {
            [] => "no relay conducts".to_owned(),
            [one] => format!("relay {one} conducts"),
            some => format!("relays {} conduct", words::list(some)),
        }
    }

    /// The voltages at its terminals.
    pub(crate) fn supply_words(&self) -> String {
        let volts = |millivolts: i64| words::rounded(Fixed::scaled(millivolts, 3), 2);
        format!("{} V to {} V at its terminals", volts(self.supply_mv_min), volts(self.supply_mv_max))
    }

    /// What the tool did there: each download, and when the lamp was lit.
    pub(crate) fn tool_words(&self) -> Vec<String> {
        let downloads = self.downloads.iter().map(|one| {
            let took = one.took_ms.map_or_else(String::new, |took| format!(" after {}", words::duration(took)));
            let held = if one.stored { ", both CPUs hold it" } else { "" };
            format!("download at {}: {}{took}{held}", words::duration(one.at_ms), one.told)
        });
        let lit: Vec<String> = self.lamp_lit_ms.iter().map(|at| words::duration(*at)).collect();
        let lamp = (!lit.is_empty()).then(|| format!("lamp lit at {}", words::list(&lit)));
        downloads.chain(lamp).collect()
    }
}
