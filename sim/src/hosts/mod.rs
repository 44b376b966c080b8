//! Boards: a CPU, its firmware under test, and the ports through which the firmware meets the twin.
//!
//! ```text
//!   CAN controller (bus/) --frames, confirmations--> +----------+ --frames--> CAN controller
//!   supply, speed, coolant (ADC, 1 ms) ------------> | firmware | --speed---> motor (plant/)
//!   flash, FRAM, package ports (hosts/) <----------> |  step()  | --wake_at-> timer (cpu.rs)
//!                                                    +----------+
//! ```
//! The firmware is the same source that runs on the target; nothing in it knows that it is simulated. A firmware
//! panic, or a breach of the interface, ends the run with an error that names the node.

use std::any::Any;

use ::pump::ResetCause;
use bevy_ecs::prelude::{Resource, World};
use orchestrator::UserAction;

use crate::event::{Context, Event, TwinBuilder};
use crate::node::{NodeId, Nodes};

pub mod cioc;
pub mod cpu;
pub mod flash;
pub mod image;
pub mod pump;
mod record;
pub mod traffic;
pub mod user;

pub use record::{OrchestratorRecord, PumpRecord};

use cpu::{Availability, Cpu};

/// What makes a CPU run its firmware.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CpuEvent {
    /// The CAN controller of this node has received or sent something; the CPU attends to it now (its reaction latency
    /// has passed).
    Attend(NodeId),
    /// The supply of this node rose above its switch-on level: the CPU boots.
    PowerGood(NodeId),
    /// The supply of this node fell below its brown-out level: the CPU loses its state at once.
    PowerLost(NodeId),
    /// The boot time has passed.
    Boot {
        /// Which node.
        node: NodeId,
        /// In which life of its CPU.
        life: u32,
        /// Why it was reset.
        cause: ResetCause,
    },
    /// The firmware's timer fires.
    Wake {
        /// Which node.
        node: NodeId,
        /// In which life of its CPU.
        life: u32,
    },
    /// The flash operation of this node ends.
    FlashDone {
        /// Which node.
        node: NodeId,
        /// In which life of its CPU.
        life: u32,
    },
    /// The person at the CIOC does something.
    User(UserAction),
    /// The plug of this node is off the bus from the beginning.
    Mute(NodeId),
    /// The CIOC is restarted by hand.
    CiocReset,
    /// A periodic message of the scenario is requested; the index is that of the traffic list.
    Traffic(u16),
    /// The CIOC's own firmware is being updated: it is silent from now on.
    CiocUpdateBegins,
    /// The CIOC's own update is over: it boots.
    CiocUpdateEnds,
}

/// The first defect that the firmware of a node showed: a panic or a breach of its interface.
#[derive(Resource, Clone, Default)]
pub struct FirmwareDefect(pub Option<(NodeId, String)>);

/// Registers the handler of CPU events and the state of boards.
pub fn install(builder: &mut TwinBuilder) {
    builder.component::<Cpu>();
    builder.component::<flash::Flash>();
    builder.component::<pump::PumpHost>();
    builder.component::<cioc::CiocHost>();
    builder.resource(FirmwareDefect::default());
    builder.on(Event::CPU, |world, context, event| {
        if let Event::Cpu(event) = event {
            handle(world, context, event);
        }
    });
}

fn handle(world: &mut World, context: &mut Context<'_>, event: CpuEvent) {
    match event {
        CpuEvent::Attend(node) => attend(world, context, node, event),
        CpuEvent::PowerGood(node) => power_good(world, context, node),
        CpuEvent::PowerLost(node) => power_lost(world, context, node),
        CpuEvent::Boot { node, life, cause } => boot(world, context, node, life, cause),
        CpuEvent::Wake { node, life } => wake(world, context, node, life),
        CpuEvent::FlashDone { node, life } => flash_done(world, context, node, life),
        CpuEvent::User(action) => cioc::user(world, context, action),
        CpuEvent::Mute(node) => crate::bus::change_medium(world, context, |medium| medium.unplugged |= node.bit()),
        CpuEvent::CiocReset => reset(world, context, NodeId::CIOC),
        CpuEvent::Traffic(index) => traffic::request(world, context, usize::from(index)),
        CpuEvent::CiocUpdateBegins => cioc::update_begins(world, context),
        CpuEvent::CiocUpdateEnds => cioc::update_ends(world, context),
    }
}

fn cpu(world: &mut World, node: NodeId) -> Option<bevy_ecs::prelude::Mut<'_, Cpu>> {
    let entity = world.resource::<Nodes>().get(node)?;
    world.get_mut::<Cpu>(entity)
}

/// Runs the firmware if its CPU is free, or sees to it that it runs as soon as it is.
fn attend(world: &mut World, context: &mut Context<'_>, node: NodeId, event: CpuEvent) {
    let Some(cpu) = cpu(world, node) else { return traffic::attend(world, context, node) };
    match cpu.availability(context.now) {
        Availability::Now => run(world, context, node),
        Availability::From(free) => context.agenda.at(free, Event::Cpu(event)),
        Availability::No => pump::buffer(world, node),
    }
}

fn run(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    if node == NodeId::CIOC {
        cioc::run(world, context, None);
    } else {
        pump::run(world, context, node, None);
    }
}

/// Restarts the CPU of a node, as its watchdog does.
pub fn reset(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    let running = cpu(world, node).is_some_and(|cpu| cpu.powered);
    if running && node == NodeId::CIOC {
        cioc::reset(world, context);
    } else if running {
        pump::reset(world, context, node, ResetCause::Watchdog);
    }
}

fn power_good(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    let now = context.now;
    let Some(mut cpu) = cpu(world, node) else {
        return crate::bus::set_powered(world, context, node, true);
    };
    cpu.powered = true;
    cpu.reset(now);
    let (at, life) = (now + cpu.options.boot_time, cpu.life);
    context.agenda.at(at, Event::Cpu(CpuEvent::Boot { node, life, cause: ResetCause::PowerOn }));
}

fn power_lost(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    crate::bus::set_powered(world, context, node, false);
    let now = context.now;
    let Some(mut cpu) = cpu(world, node) else { return };
    cpu.powered = false;
    cpu.reset(now);
    if node == NodeId::CIOC {
        cioc::power_lost(world, context);
    } else {
        pump::power_lost(world, context, node);
    }
}

fn boot(world: &mut World, context: &mut Context<'_>, node: NodeId, life: u32, cause: ResetCause) {
    let Some(cpu) = cpu(world, node) else { return };
    if cpu.life != life || !cpu.powered {
        return;
    }
    if node == NodeId::CIOC && cioc::is_updating(world) {
        return;
    }
    let Some(mut cpu) = self::cpu(world, node) else { return };
    cpu.running = true;
    // A controller takes part once firmware has set it up, not while its CPU boots.
    crate::bus::set_powered(world, context, node, true);
    if node == NodeId::CIOC {
        cioc::start(world, context);
    } else {
        pump::start(world, context, node, cause);
    }
}

fn wake(world: &mut World, context: &mut Context<'_>, node: NodeId, life: u32) {
    let now = context.now;
    let Some(mut cpu) = cpu(world, node) else { return };
    if cpu.life != life {
        return;
    }
    if let Availability::From(free) = cpu.availability(now) {
        context.agenda.at(free, Event::Cpu(CpuEvent::Wake { node, life }));
        return;
    }
    let (due, next) = cpu.on_wake(now);
    let ready = cpu.availability(now) == Availability::Now;
    if let Some(at) = next {
        context.agenda.at(at, Event::Cpu(CpuEvent::Wake { node, life }));
    }
    if due && ready {
        run(world, context, node);
    }
}

fn flash_done(world: &mut World, context: &mut Context<'_>, node: NodeId, life: u32) {
    let Some(cpu) = cpu(world, node).filter(|cpu| cpu.life == life) else { return };
    if cpu.hung_until > context.now {
        context.agenda.at(cpu.hung_until, Event::Cpu(CpuEvent::FlashDone { node, life }));
        return;
    }
    pump::flash_done(world, context, node);
}

/// The message of a caught panic.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
