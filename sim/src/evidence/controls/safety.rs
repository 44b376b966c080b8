//! Controls of the checks and budgets of safety units: faults that no unit could stand, and what was measured falsified.
//!
//! Each control needs two runs: one in which its row passes, and the same one broken, in which it must fail. So a row that is
//! without an occasion, or red for another reason, is no control.

use super::{loaded, report_of, row_verdict, tried_one};
use crate::hosts::safety::Units;
use crate::hosts::safety::core::Muffle;
use crate::hosts::safety::unit::Unit;
use crate::kernel::{SimTime, Span};
use crate::run::{self, Identity, Run};
use crate::twin;
use bevy_ecs::prelude::World;
use reports::RowVerdict;
use safety_common::fault::Fault;

/// What breaks the row.
enum Broken {
    /// More faults.
    Faults(&'static str),
    /// Other values among those that were measured outside the firmware.
    Measured(fn(&mut Unit)),
    /// Units that are made otherwise before the run begins.
    Built(fn(&mut Unit)),
    /// A diagnostic whose detection leads to nothing, in both CPUs of all units.
    Muffled(Fault),
}

/// A control: its row and what is shown to it.
struct Control {
    row: &'static str,
    shown: &'static str,
    run: Healthy,
    broken: Broken,
}

/// A run in which the row passes.
#[derive(Clone, Copy)]
struct Healthy {
    /// Another unit is heard over radio.
    two: bool,
    end: &'static str,
    faults: &'static str,
    expectations: &'static str,
    /// What the configuration tool does at the unit.
    downloads: &'static str,
    /// When the lamp of a unit is asked for there.
    identifications: &'static str,
}

/// One unit that drives an output and a relay from 1.3 s on.
const PLAIN: Healthy =
    Healthy { two: false, end: "3s", faults: "", expectations: "", downloads: "", identifications: "" };
/// The configuration tool brings the unit what it has.
const DOWNLOAD: Healthy = Healthy {
    end: "5s",
    downloads: "(at: \"1500ms\", configuration: \"pump-feed.ron\", password: \"coolant-7\")",
    ..PLAIN
};
/// CPU2 hears CPU1 no longer.
const CUT: Healthy =
    Healthy { faults: "(kind: Safety(C2cLost(from: 1)), place: Node(\"hall\"), trigger: At(\"2s\"))", ..PLAIN };
/// A transistor and the main transistor conduct whatever they are told: two faults at once, and nothing turns off.
const STUCK: &str = "(kind: Safety(Transistor(pin: 8, conducts: true)), place: Node(\"hall\"), trigger: At(\"2s\")),
    (kind: Safety(MainTransistor(conducts: true)), place: Node(\"hall\"), trigger: At(\"2s\"))";

const CONTROLS: &[Control] = &[
    Control {
        row: "safety-supply-reaction",
        shown: "outputs off a second later than they were",
        run: Healthy {
            faults: "(kind: Sag(to: \"17V\"), place: Node(\"hall\"), trigger: At(\"2s\"), duration: \"600ms\")",
            ..PLAIN
        },
        broken: Broken::Measured(|unit| unit.watch.offs.iter_mut().for_each(|off| off.off += Span::from_secs(1))),
    },
    Control {
        row: "safety-fault-reaction",
        shown: "a silent link while two transistors conduct whatever they are told",
        run: CUT,
        broken: Broken::Faults(STUCK),
    },
    Control {
        row: "safety-outside-reaction",
        shown: "a short to 0 V while two transistors conduct whatever they are told",
        run: Healthy {
            faults: "(kind: Safety(Wire(pin: 8, is: ToGround)), place: Node(\"hall\"), trigger: At(\"2s\"))",
            ..PLAIN
        },
        broken: Broken::Faults(STUCK),
    },
    Control {
        row: "safety-response",
        shown: "a stop while two transistors conduct whatever they are told",
        run: Healthy {
            faults: "(kind: Safety(InputOff(\"stop\")), place: Node(\"hall\"), trigger: At(\"2s\"))",
            ..PLAIN
        },
        broken: Broken::Faults(STUCK),
    },
    Control {
        row: "safety-c2c-silence",
        shown: "a silent link while two transistors conduct whatever they are told",
        run: CUT,
        broken: Broken::Faults(STUCK),
    },
    Control {
        row: "safety-logic-time",
        shown: "a logic that takes 900 us while the timer that guards it is dead",
        run: PLAIN,
        broken: Broken::Faults(
            "(kind: Safety(NoDeadline(cpu: 1)), place: Node(\"hall\"), trigger: At(\"2s\")),
            (kind: Safety(LogicTime(cpu: 1, takes: \"900us\")), place: Node(\"hall\"), trigger: At(\"2s\"))",
        ),
    },
    Control {
        row: "safety-logic-interval",
        shown: "a clock that runs 2 % fast",
        run: PLAIN,
        broken: Broken::Faults(
            "(kind: Safety(Clock(cpu: 1, by: \"20000ppm\")), place: Node(\"hall\"), trigger: At(\"2s\"))",
        ),
    },
    Control {
        row: "safety-ram-pass",
        shown: "a CPU whose test never comes to the first words, while the other one tests all",
        run: Healthy { end: "63s", ..PLAIN },
        broken: Broken::Built(|unit| unit.cores[1].ram.skip(0, 16)),
    },
    Control {
        row: "safety-flash-pass",
        shown: "a CPU that reads nothing of its flash, while the other one reads all",
        run: Healthy { end: "63s", ..PLAIN },
        broken: Broken::Built(|unit| unit.cores[0].flash.skip(0, safety_common::flash_map::LEN)),
    },
    Control {
        row: "safety-combined-io",
        shown: "a CPU at seven tenths of its speed, which reads the pin more seldom",
        run: PLAIN,
        broken: Broken::Faults(
            "(kind: Safety(Clock(cpu: 1, by: \"-300000ppm\")), place: Node(\"hall\"), trigger: At(\"2s\"))",
        ),
    },
    Control {
        row: "safety-combined-step",
        shown: "a step at a combined pin that is seen a tick too late",
        run: Healthy {
            faults: "(kind: Safety(InputOff(\"lock_seen\")), place: Node(\"hall\"), trigger: At(\"2s\"), duration: \"100ms\")",
            ..PLAIN
        },
        broken: Broken::Measured(|unit| unit.watch.cpus[0].combined_steps.most = 5_000_001),
    },
    Control {
        row: "safety-radio-timeout",
        shown: "a silent radio while two transistors conduct whatever they are told",
        run: Healthy {
            two: true,
            faults: "(kind: Safety(RadioLost()), place: Node(\"roof\"), trigger: At(\"2s\"))",
            ..PLAIN
        },
        broken: Broken::Faults(STUCK),
    },
    Control {
        row: "safety_units_become_normal",
        shown: "a CPU that stops in its start",
        run: PLAIN,
        broken: Broken::Faults("(kind: Safety(CpuHalted(cpu: 1)), place: Node(\"hall\"), trigger: At(\"12ms\"))"),
    },
    Control {
        row: "nothing_is_driven_outside_normal_mode",
        shown: "two transistors that conduct at start-up",
        run: PLAIN,
        broken: Broken::Faults(
            "(kind: Safety(Transistor(pin: 8, conducts: true)), place: Node(\"hall\"), trigger: At(\"0ms\")),
            (kind: Safety(MainTransistor(conducts: true)), place: Node(\"hall\"), trigger: At(\"0ms\"))",
        ),
    },
    Control {
        row: "safe_state_is_silent_and_off",
        shown: "two transistors that conduct in the safe state whatever they are told",
        run: CUT,
        broken: Broken::Faults(STUCK),
    },
    Control {
        row: "safe_state_is_never_left",
        shown: "a CPU that leaves the safe state without a reset",
        run: CUT,
        broken: Broken::Measured(|unit| unit.watch.cpus[1].left_safe = Some(SimTime::ZERO)),
    },
    Control {
        row: "devices_that_are_off_keep_outputs_off",
        shown: "a fence that stays open behind a wire that shows it closed",
        run: PLAIN,
        broken: Broken::Faults(
            "(kind: Safety(Wire(pin: 5, is: ToSupply)), place: Node(\"hall\"), trigger: At(\"1500ms\")),
            (kind: Safety(InputOff(\"fence\")), place: Node(\"hall\"), trigger: At(\"2s\"))",
        ),
    },
    Control {
        row: "either_cpu_alone_turns_all_off",
        shown: "a silent link while two transistors conduct whatever they are told",
        run: CUT,
        broken: Broken::Faults(STUCK),
    },
    Control {
        row: "one_packet_each_tick_and_direction",
        shown: "a tick without a packet",
        run: PLAIN,
        broken: Broken::Measured(|unit| unit.watch.cpus[0].packets -= 1),
    },
    Control {
        row: "logic_runs_once_each_tick",
        shown: "a tick without its logic",
        run: PLAIN,
        broken: Broken::Measured(|unit| unit.watch.cpus[1].evaluated -= 1),
    },
    Control {
        row: "diagnostics_find_what_is_injected",
        shown: "a silent link that is detected without effect",
        run: Healthy { expectations: "SafetyTrip(unit: \"hall\", by: C2cSilent, cpu: 2, within: \"22ms\")", ..CUT },
        broken: Broken::Muffled(Fault::C2cSilent),
    },
    Control {
        row: "healthy_units_do_not_trip",
        shown: "a unit that goes to the safe state though no scenario says so",
        run: PLAIN,
        broken: Broken::Faults(CUT.faults),
    },
    Control {
        row: "downloads_tell_what_is_stored",
        shown: "a success that is told of a configuration that one CPU does not hold",
        run: DOWNLOAD,
        broken: Broken::Measured(|unit| unit.tool.downloads[0].stored = false),
    },
    Control {
        row: "configuration_is_changed_in_its_mode_only",
        shown: "a change of the flash outside the configuration mode",
        run: DOWNLOAD,
        broken: Broken::Measured(|unit| unit.watch.cpus[0].flash_changed_wrongly = Some(SimTime::ZERO)),
    },
    Control {
        row: "configuration_mode_is_entered_and_left_by_restarts",
        shown: "a CPU that leaves the configuration mode without a restart",
        run: DOWNLOAD,
        broken: Broken::Measured(|unit| unit.watch.cpus[1].configuring_wrongly = Some(SimTime::ZERO)),
    },
    Control {
        row: "only_the_unit_that_is_meant_shows_itself",
        shown: "a lamp that is lit before anybody asks for it",
        run: Healthy { identifications: "(at: \"1500ms\")", ..PLAIN },
        broken: Broken::Measured(|unit| unit.watch.lamps[0].0 = SimTime::ZERO),
    },
];

impl Healthy {
    /// The scenario with more faults than its own.
    fn text(self, more: &str) -> String {
        let button = "inputs: [(input: \"button\", device: Off)],
            operations: [(at: \"1s\", input: \"button\", to: On, duration: \"300ms\")]";
        let hall = |configuration: &str| {
            let Self { downloads, identifications, .. } = self;
            format!(
                "(configuration: \"{configuration}\", node: \"hall\", cpu2: (clock_offset: \"137us\"), {button},
                downloads: [{downloads}], identifications: [{identifications}])"
            )
        };
        let units = if self.two {
            hall("cooling-watch.ron") + ", (configuration: \"cooling-watch.ron\", node: \"roof\")"
        } else {
            hall("pump-feed.ron")
        };
        let faults: Vec<&str> = [self.faults, more].into_iter().filter(|text| !text.is_empty()).collect();
        let Self { end, expectations, .. } = self;
        format!(
            "(campaign: false, pumps: (count: 1), budgets: [], end: At(\"{end}\"), safety_units: [{units}],
            faults: [{}], expectations: [{expectations}])",
            faults.join(", ")
        )
    }
}

/// A run of one unit without a fault, in which every row of units stands.
#[cfg(test)]
pub(super) fn healthy() -> String {
    PLAIN.text("")
}

fn each_unit(world: &mut World, mut change: impl FnMut(&mut Unit)) {
    for entity in world.resource::<Units>().entities().to_vec() {
        if let Some(mut unit) = world.get_mut::<Unit>(entity) {
            change(&mut unit);
        }
    }
}

impl Control {
    fn goes_red(&self) -> bool {
        let healthy = row_verdict(&report_of(&self.run.text("")), self.row);
        assert_eq!(healthy, Some(RowVerdict::Pass), "the row before it is broken");
        row_verdict(&self.broken_report(), self.row) == Some(RowVerdict::Fail)
    }

    fn broken_report(&self) -> reports::Report {
        let text = match self.broken {
            Broken::Faults(more) => return report_of(&self.run.text(more)),
            Broken::Measured(_) | Broken::Built(_) | Broken::Muffled(_) => self.run.text(""),
        };
        let loaded = loaded(&text);
        let mut twin = twin::build(&loaded.scenario, None);
        if let Broken::Muffled(fault) = self.broken {
            each_unit(&mut twin.world, |unit| {
                unit.cores.iter_mut().for_each(|core| core.muffle = Some(Muffle::new(fault)));
            });
        }
        if let Broken::Built(change) = self.broken {
            each_unit(&mut twin.world, change);
        }
        let mut run: Run = run::finish(twin, &loaded.scenario, |_| {});
        if let Broken::Measured(change) = self.broken {
            each_unit(&mut run.twin.world, change);
        }
        run::report(&loaded, &run, &Identity::default())
    }
}

/// Tries the controls of safety units.
pub(super) fn tried() -> impl Iterator<Item = reports::Control> {
    CONTROLS.iter().map(|control| tried_one(control.row, control.shown, || control.goes_red()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::safety::{BUDGETS, CHECKS};

    #[test]
    fn every_check_and_budget_of_units_has_a_control() {
        let mut named: Vec<&str> = CONTROLS.iter().map(|control| control.row).collect();
        let mut known: Vec<&str> = BUDGETS.iter().chain(CHECKS).map(|(id, _)| *id).collect();
        named.sort_unstable();
        known.sort_unstable();
        assert_eq!(named, known);
    }

    /// A row that cannot pass in the healthy run makes no control of what turns it red.
    #[test]
    fn a_row_without_an_occasion_is_no_control() {
        let idle = Control {
            row: "safety-supply-reaction",
            shown: "",
            run: PLAIN,
            broken: Broken::Measured(|unit| unit.watch.offs.clear()),
        };
        let told = tried_one(idle.row, idle.shown, || idle.goes_red());
        assert!(!told.red && told.why.starts_with("it could not be tried"), "{}", told.why);
    }
}
