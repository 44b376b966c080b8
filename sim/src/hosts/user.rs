//! The person at the CIOC: answers the question for consent, starts searches by hand.

use std::hash::{Hash, Hasher};

use bevy_ecs::prelude::{Resource, World};
use orchestrator::{Notice, UserAction};

use super::{CpuEvent, OrchestratorRecord};
use crate::event::{Context, Event, TwinBuilder};
use crate::kernel::{SimTime, Span};
use crate::record::Record;
use crate::scenario::{Consent, User};

/// What the person does, and how often the question was asked so far.
#[derive(Resource, Clone)]
struct Person {
    consent: Consent,
    asked: u32,
}

impl Hash for Person {
    /// What the scenario says does not change.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { consent: _, asked } = self;
        asked.hash(to);
    }
}

/// Schedules searches by hand and answers the question when it is asked.
pub fn install(builder: &mut TwinBuilder, user: &User) {
    builder.state_resource(Person { consent: user.consent.clone(), asked: 0 });
    for at in &user.manual_searches {
        builder.agenda.at(SimTime::ZERO + *at, Event::Cpu(CpuEvent::User(UserAction::Search)));
    }
    builder.observe(|world, context, _, record| {
        if let Record::Orchestrator(OrchestratorRecord::Notice(Notice::ConsentAsked(_))) = record {
            asked(world, context);
        }
    });
}

fn asked(world: &mut World, context: &mut Context<'_>) {
    let mut person = world.resource_mut::<Person>();
    person.asked += 1;
    let first = person.asked == 1;
    let answer = |yes: bool| CpuEvent::User(UserAction::Consent(yes));
    match &person.consent {
        Consent::Agree(when) => context.agenda.after(when.after, Event::Cpu(answer(true))),
        Consent::Refuse(when) => context.agenda.after(when.after, Event::Cpu(answer(false))),
        Consent::Never => {}
        Consent::RebootWhileAsking(reboot) if first => {
            context.agenda.after(reboot.after, Event::Cpu(CpuEvent::CiocReset));
        }
        Consent::RebootWhileAsking(reboot) if reboot.then_agree => {
            context.agenda.after(ANSWER_TO_SECOND, Event::Cpu(answer(true)));
        }
        Consent::RebootWhileAsking(_) => {}
    }
}

/// How long the person takes to answer the question that is asked again after a reboot (own number).
const ANSWER_TO_SECOND: Span = Span::from_secs(5);
