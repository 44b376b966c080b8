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
use std::panic::{AssertUnwindSafe, catch_unwind};

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
pub mod safety;
pub mod traffic;
pub mod user;

pub use record::{OrchestratorRecord, PumpRecord};

use cpu::{Availability, Cpu};

/// What makes a CPU run its firmware.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
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
    /// The next frame of the log that is played is due.
    Replay,
    /// The CIOC's own firmware is being updated: it is silent from now on.
    CiocUpdateBegins,
    /// The CIOC's own update is over: it boots.
    CiocUpdateEnds,
}

/// The first defect that the firmware of a node showed: a panic or a breach of its interface.
#[derive(Resource, Clone, Default, Hash)]
pub struct FirmwareDefect(pub Option<(NodeId, String)>);

/// Registers the handler of CPU events and the state of boards.
pub fn install(builder: &mut TwinBuilder) {
    builder.state::<Cpu>();
    builder.state::<flash::Flash>();
    builder.state::<pump::PumpHost>();
    builder.state::<cioc::CiocHost>();
    builder.state_resource(FirmwareDefect::default());
    let mut boards = Boards::new(&mut builder.world);
    builder.on(Event::CPU, move |world, context, event| {
        if let Event::Cpu(event) = event
            && let Err(defect) = handle(&mut boards, world, context, event)
        {
            world.resource_mut::<FirmwareDefect>().0.get_or_insert((defect.node, defect.what));
            context.halt();
        }
    });
}

/// A firmware panicked or broke its interface.
struct Defect {
    node: NodeId,
    what: String,
}

impl Defect {
    fn new(node: NodeId, what: &str) -> Self {
        Self { node, what: what.to_owned() }
    }

    /// Lets the firmware of `node` boot or do a step; its panic becomes a defect of that node.
    fn guard<T>(node: NodeId, step: impl FnOnce() -> T) -> Result<T, Self> {
        // What the firmware left half done is never looked at again: the run ends.
        catch_unwind(AssertUnwindSafe(step))
            .map_err(|panic| Self { node, what: format!("panicked: {}", panic_text(&*panic)) })
    }
}

/// The ways to the boards of a world; kept from event to event, because finding them anew costs more than an event.
struct Boards {
    cioc: cioc::Access,
    pumps: pump::Access,
}

impl Boards {
    fn new(world: &mut World) -> Self {
        Self { cioc: cioc::Access::new(world), pumps: pump::Access::new(world) }
    }
}

fn handle(boards: &mut Boards, world: &mut World, context: &mut Context<'_>, event: CpuEvent) -> Result<(), Defect> {
    let done = match event {
        CpuEvent::Attend(NodeId::CIOC) => cioc::with_board(&mut boards.cioc, world, |board| board.attend(context)),
        CpuEvent::Attend(node) => {
            let done = pump::with_board(&mut boards.pumps, world, node, |board| board.attend(context));
            if done.is_none() && !safety::attend(world, context, node) {
                safety::hear_answers(world, context, node);
                traffic::attend(world, context, node);
                safety::send_requests(world, context, node);
            }
            done
        }
        CpuEvent::PowerGood(node) => {
            power_good(world, context, node);
            None
        }
        CpuEvent::PowerLost(node) => {
            power_lost(boards, world, context, node);
            None
        }
        CpuEvent::Boot { node, life, cause } => boot(boards, world, context, node, life, cause),
        CpuEvent::Wake { node: NodeId::CIOC, life } => {
            cioc::with_board(&mut boards.cioc, world, |board| board.wake(context, life))
        }
        CpuEvent::Wake { node, life } => {
            pump::with_board(&mut boards.pumps, world, node, |board| board.wake(context, life))
        }
        CpuEvent::FlashDone { node, life } => {
            pump::with_board(&mut boards.pumps, world, node, |board| board.flash_done(context, life))
        }
        CpuEvent::User(action) => cioc::with_board(&mut boards.cioc, world, |board| board.user(context, action)),
        CpuEvent::Mute(node) => {
            crate::bus::change_medium(world, context, |medium| medium.unplugged |= node.bit());
            None
        }
        CpuEvent::CiocReset => {
            reset(world, context, NodeId::CIOC);
            None
        }
        CpuEvent::Traffic(index) => {
            traffic::request(world, context, usize::from(index));
            None
        }
        CpuEvent::Replay => {
            traffic::replay(world, context);
            None
        }
        CpuEvent::CiocUpdateBegins => {
            cioc::with_board(&mut boards.cioc, world, |board| board.update_begins(context)).map(Ok)
        }
        CpuEvent::CiocUpdateEnds => {
            cioc::with_board(&mut boards.cioc, world, |board| board.update_ends(context)).map(Ok)
        }
    };
    done.unwrap_or(Ok(()))
}

fn cpu(world: &mut World, node: NodeId) -> Option<bevy_ecs::prelude::Mut<'_, Cpu>> {
    let entity = world.resource::<Nodes>().get(node)?;
    world.get_mut::<Cpu>(entity)
}

/// Restarts the CPU of a node, as its watchdog does.
pub fn reset(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    if !cpu(world, node).is_some_and(|cpu| cpu.powered) {
        return;
    }
    let mut boards = Boards::new(world);
    if node == NodeId::CIOC {
        cioc::with_board(&mut boards.cioc, world, |board| board.reset(context));
    } else {
        pump::with_board(&mut boards.pumps, world, node, |board| board.reset(context, ResetCause::Watchdog));
    }
}

fn power_good(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    if safety::power(world, context, node, true) {
        return;
    }
    let now = context.now;
    let Some(mut cpu) = cpu(world, node) else {
        return crate::bus::set_powered(world, context, node, true);
    };
    cpu.powered = true;
    cpu.reset(now);
    let (at, life) = (now + cpu.options.boot_time, cpu.life);
    context.agenda.at(at, Event::Cpu(CpuEvent::Boot { node, life, cause: ResetCause::PowerOn }));
}

fn power_lost(boards: &mut Boards, world: &mut World, context: &mut Context<'_>, node: NodeId) {
    if safety::power(world, context, node, false) {
        return;
    }
    crate::bus::set_powered(world, context, node, false);
    let now = context.now;
    let Some(mut cpu) = cpu(world, node) else { return };
    cpu.powered = false;
    cpu.reset(now);
    if node == NodeId::CIOC {
        cioc::with_board(&mut boards.cioc, world, |board| board.power_lost(context));
    } else {
        pump::with_board(&mut boards.pumps, world, node, |board| board.power_lost(context));
    }
}

fn boot(
    boards: &mut Boards,
    world: &mut World,
    context: &mut Context<'_>,
    node: NodeId,
    life: u32,
    cause: ResetCause,
) -> Option<Result<(), Defect>> {
    let cpu = cpu(world, node)?;
    if cpu.life != life || !cpu.powered {
        return None;
    }
    if node == NodeId::CIOC && cioc::is_updating(world) {
        return None;
    }
    let mut cpu = self::cpu(world, node)?;
    cpu.running = true;
    // A controller takes part once firmware has set it up, not while its CPU boots.
    crate::bus::set_powered(world, context, node, true);
    if node == NodeId::CIOC {
        cioc::with_board(&mut boards.cioc, world, |board| board.start(context))
    } else {
        pump::with_board(&mut boards.pumps, world, node, |board| board.start(context, cause))
    }
}

/// A timer event has come: whether the firmware runs now; if it only has to wait, schedules the next event.
fn wake_is_due(cpu: &mut Cpu, context: &mut Context<'_>, node: NodeId, life: u32) -> bool {
    let now = context.now;
    if cpu.life != life {
        return false;
    }
    let availability = cpu.availability(now);
    if let Availability::From(free) = availability {
        context.agenda.at(free, Event::Cpu(CpuEvent::Wake { node, life }));
        return false;
    }
    let (due, next) = cpu.on_wake(now);
    if let Some(at) = next {
        context.agenda.at(at, Event::Cpu(CpuEvent::Wake { node, life }));
    }
    due && availability == Availability::Now
}

/// The message of a caught panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(step: fn() -> u32) -> Result<u32, (NodeId, String)> {
        Defect::guard(NodeId::new(5), step).map_err(|defect| (defect.node, defect.what))
    }

    #[test]
    fn a_panic_of_the_firmware_names_its_node_and_its_message() {
        let said = |what: &str| Err((NodeId::new(5), what.to_owned()));
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(guarded(|| panic!("plain")), said("panicked: plain"));
        assert_eq!(guarded(|| panic!("with {}", 1)), said("panicked: with 1"));
        assert_eq!(guarded(|| std::panic::panic_any(1)), said("panicked: without a message"));
    }
}
