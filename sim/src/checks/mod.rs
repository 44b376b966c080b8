//! Checks: statements that must hold in every run, judged from outside the firmware.
//!
//! A check looks at the twin's truth (flash contents, motor speeds, supply, what the person did) and holds what the
//! firmware does and says against it. It counts how often it looked; a check that never looked is inconclusive where the
//! scenario is about it and not applicable elsewhere, never a pass. Each names the requirements it stands for; `requirements.rs` lists them all, and a test keeps both together.

mod requirements;
mod rows;
mod wanted;

use bevy_ecs::prelude::{Resource, World};

use crate::event::{Context, Event, TwinBuilder};
use crate::hosts::image::Image;
use crate::kernel::{Scoped, SimTime, Span};
use crate::scenario::Scenario;

pub use requirements::{REQUIREMENTS, Requirement, Verification};
pub(crate) use rows::cioc_works;
pub use rows::{Checks, IDS, Row};
/// Ids and requirements of the checks that are judged once, from the report of a run.
pub const END_IDS: &[(&str, &[&str])] = &[
    ("every_pump_ends_as_stated", &["PFU-030"]),
    ("required_budgets_are_judged", &["PFU-041", "PFU-042"]),
    ("run_ends_regularly", &[]),
];

pub use wanted::{CONSENT_WITHIN, Wanted, is_in_time, promises_no_write};

/// Checks look at the world this often.
pub const LOOK_PERIOD: Span = Span::from_millis(100);

/// Scheduled events of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub enum CheckEvent {
    /// Look at the world.
    Look,
    /// The run is over.
    End,
}

/// What the checks know beside the world: images as files, not as some firmware reports them.
#[derive(Resource, Clone)]
pub struct Truth {
    /// The image in each pump before the run; index 0 is pump 1.
    pub installed: Vec<Image>,
    /// The image that the CIOC holds, if any, as it is there.
    pub held: Option<Image>,
    /// Whether that image is sound: header, length and checksums, by a reader of the checks' own.
    pub sound: bool,
    /// Model number in the header of the held image.
    pub image_model: u16,
    /// Model number of each pump.
    pub models: Vec<u16>,
    /// Whether the scenario has a campaign at all.
    pub campaign: bool,
    /// Configured number of pumps.
    pub pumps: u8,
}

/// Registers the checks and their looks at the world.
pub fn install(builder: &mut TwinBuilder, scenario: &Scenario, truth: Truth) {
    builder.observer_resource(Scoped::new(Checks::new(truth.pumps)));
    builder.observer_resource(Wanted::of(scenario, &truth));
    builder.observer_resource(truth);
    builder.agenda.at(SimTime::ZERO + LOOK_PERIOD, Event::Check(CheckEvent::Look));
    builder.on(Event::CHECK, |world, context, event| match event {
        Event::Check(CheckEvent::Look) => look(world, context),
        Event::Check(CheckEvent::End) => context.halt(),
        _ => {}
    });
    builder.observe(|world, _, time, record| {
        if !world.resource_mut::<Scoped<Checks>>().see_often(time, record) {
            Scoped::scope(world, |world, checks: &mut Checks| checks.see(world, time, record));
        }
    });
}

fn look(world: &mut World, context: &mut Context<'_>) {
    let now = context.now;
    Scoped::scope(world, |world, checks: &mut Checks| checks.look(world, now));
    crate::measure::look(world, context);
    context.agenda.after(LOOK_PERIOD, Event::Check(CheckEvent::Look));
}
