//! Safety units: two CPUs each, their link, their pins and relays, in the twin beside the pumps.
//!
//! ```text
//!   supply --> unit --relays--> pumps' feed          every tick of a CPU is one event: latch what is played,
//!   plant ---> devices --> pins --> CPU1, CPU2       sample pins and voltages, hand over what arrived, step, and
//!   CAN, radio <---------------------> CPU1          schedule what acts within the tick
//! ```
//! A *core* is one CPU with what hangs at it alone, a *unit* is two of them with what they share. CPUs are numbered 1 and 2 in
//! records, 0 and 1 in code.

pub mod air;
pub mod clock;
pub mod core;
pub mod demands;
mod devices;
pub(crate) mod faults;
pub mod line;
pub mod lives;
pub mod memory;
pub mod networks;
pub mod off;
pub mod passes;
pub mod pins;
mod proof;
mod record;
pub mod supply;
pub mod tool;
pub mod unit;
pub mod watch;
pub mod witness;

use std::sync::Arc;

use bevy_ecs::prelude::{Entity, Mut, Query, Res, Resource, World};
use bevy_ecs::system::SystemState;
use protocol::Frame;
use safety_common::flash_map;
use safety_common::io::{Bytes, CanFrame, CanReceived, CanTransmit, ResetCause};
use safety_common::simplecan::{TOOL_ANSWER_ID, TOOL_REQUEST_ID};
use safety_common::tool::ANSWER;

use self::core::{Arriving, Core, CoreOptions};
use self::devices::Devices;
use self::memory::{Contents, Flash, Ram};
use self::networks::Common;
use self::tool::{Content, Identification, Plan, Tool, Way};
use self::unit::{Outside, Parts, Unit};
use super::{Defect, FirmwareDefect};
use crate::bus::{self, ControllerOptions, Filter, Recovery};
use crate::event::{Context, Event, TwinBuilder};
use crate::kernel::{SimTime, Span};
use crate::node::{NodeId, Nodes};
use crate::power::{self, Branch, NodeOptions, Supply};
use crate::record::Record;
use crate::safety::{Compiled, chaskey};
use crate::scenario::words::NodeName;
use crate::scenario::{SafetyCpu, SafetyUnit, Scenario};

pub use record::SafetyRecord;

/// Code of each image (own number): real code would fill the slot more or less.
const CODE_LEN: usize = 96 * 1024;
/// Devices look at the coolant loop this often.
const PLANT_TICKS: u32 = 10;

/// What happens at a unit; `cpu` is 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub enum SafetyEvent {
    /// The boot time of a CPU has passed.
    Boot {
        /// Which unit.
        unit: u8,
        /// Which CPU.
        cpu: u8,
        /// In which life.
        life: u32,
        /// Why it was reset.
        cause: ResetCause,
    },
    /// A tick of a CPU begins.
    Tick {
        /// Which unit.
        unit: u8,
        /// Which CPU.
        cpu: u8,
        /// In which life.
        life: u32,
    },
    /// The time of a CPU's logic is over.
    Deadline {
        /// Which unit.
        unit: u8,
        /// Which CPU.
        cpu: u8,
        /// In which life.
        life: u32,
    },
    /// A step ends with something that acts at once.
    Effects {
        /// Which unit.
        unit: u8,
        /// Which CPU.
        cpu: u8,
        /// In which life.
        life: u32,
    },
    /// The hold time of the main transistor has passed.
    MainOff {
        /// Which unit.
        unit: u8,
    },
    /// Relay contacts move.
    Contacts {
        /// Which unit.
        unit: u8,
    },
    /// A CAN frame's slot has come.
    Can {
        /// Which unit.
        unit: u8,
    },
    /// The configuration tool goes on.
    Tool {
        /// Which unit.
        unit: u8,
    },
    /// Somebody sends a frame of a unit once more.
    Repeat {
        /// Which unit.
        unit: u8,
    },
    /// An operation of the scenario begins or ends; its number in the unit's list.
    Operation {
        /// Which unit.
        unit: u8,
        /// Which operation.
        number: u16,
        /// Whether it ends.
        ends: bool,
    },
    /// A person asks for the lamp of a unit.
    Identify {
        /// At which unit the tool is.
        unit: u8,
        /// Which of its identifications.
        number: u16,
    },
}

impl SafetyEvent {
    /// The unit at which it happens.
    const fn unit(&self) -> u8 {
        match self {
            Self::Boot { unit, .. }
            | Self::Tick { unit, .. }
            | Self::Deadline { unit, .. }
            | Self::Effects { unit, .. }
            | Self::MainOff { unit }
            | Self::Contacts { unit }
            | Self::Can { unit }
            | Self::Tool { unit }
            | Self::Repeat { unit }
            | Self::Operation { unit, .. }
            | Self::Identify { unit, .. } => *unit,
        }
    }
}

/// The units of a run and what their relays feed.
#[derive(Resource, Clone, Default)]
pub struct Units {
    entities: Vec<Entity>,
    /// Unit, relay and feed.
    feeds: Vec<(u8, u8, u8)>,
    /// By unit: input group, whether it shows ON, and whether it goes back at its end.
    operations: Vec<Vec<(usize, bool)>>,
    /// Nodes of the bus at which a tool is, with the unit that it is for.
    adapters: Vec<(NodeId, u8)>,
    /// Whether their safety frames go from unit to unit beside the bus.
    frames_beside_bus: bool,
}

impl Units {
    /// From now on the safety frames of all units take no time on the bus: each comes to the other units at once, and its sender
    /// is told that it was sent. Answers to a tool stay on the bus.
    pub(crate) const fn keep_frames_off_bus(&mut self) {
        self.frames_beside_bus = true;
    }

    /// Their entities, in the order of the scenario.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    fn of(world: &World, node: NodeId) -> Option<u8> {
        let entity = world.resource::<Nodes>().get(node)?;
        let index = world.resource::<Self>().entities.iter().position(|own| *own == entity)?;
        u8::try_from(index).ok()
    }
}

/// Adds the units of a scenario to the twin, after its nodes, bus and supply.
pub fn install(builder: &mut TwinBuilder, scenario: &Scenario) {
    builder.component::<Unit>();
    let mut units = Units::default();
    for (index, setup) in scenario.safety_units.iter().enumerate() {
        let index = u8::try_from(index).expect("a scenario has fewer units");
        attach(builder, scenario, &mut units, index, setup);
    }
    let any = !units.entities.is_empty();
    builder.observer_resource(units);
    let mut access = Access::new(&mut builder.world);
    builder.on(Event::SAFETY, move |world, context, event| {
        if let Event::Safety(event) = event {
            let reach = handle(&mut access, world, context, event).unwrap_or_else(|defect| {
                world.resource_mut::<FirmwareDefect>().0.get_or_insert((defect.node, defect.what));
                context.halt();
                Reach::Beyond
            });
            if reach == Reach::Beyond {
                follow_up(world, context, event.unit());
            }
        }
    });
    if any {
        builder.observe(|world, _, time, record| {
            if matches!(record, Record::Power(_)) {
                power_changed(world, time);
            }
        });
    }
}

fn attach(builder: &mut TwinBuilder, scenario: &Scenario, units: &mut Units, index: u8, setup: &SafetyUnit) {
    let node = scenario.node_id(&NodeName::Further(setup.node.clone())).expect("every unit is a node");
    let compiled = setup.configuration.compiled.as_ref().expect("the loader compiles it");
    let own = setup.index().expect("the check has found it");
    let entity = builder.world.resource::<Nodes>().entity(node);
    attach_bus(builder, node);
    power::attach(builder, node, Branch::Safety, NodeOptions::safety());
    let section = compiled.network.nodes[own].section.clone();
    let devices = Devices::new(setup, &compiled.names[own].inputs, &section);
    // Two CPUs of different releases never come to talk to anybody.
    let release_hash = release_hash(setup.cpu1.release);
    let cores = [0, 1].map(|cpu| core_of(setup, compiled, own, cpu));
    builder.world.entity_mut(entity).insert(Unit::new(Parts {
        index,
        node,
        cores,
        section,
        devices,
        input_groups: compiled.names[own].inputs.clone().into(),
        relay_move: setup.relay_move,
        common: common_of(compiled, own, release_hash),
        tool: tool_of(scenario, setup, compiled, own, release_hash),
    }));
    if let Some(first) = setup.downloads.first() {
        builder.agenda.at(SimTime::ZERO + first.at, Event::Safety(SafetyEvent::Tool { unit: index }));
    }
    for (number, one) in (0..).zip(&setup.identifications) {
        builder.agenda.at(SimTime::ZERO + one.at, Event::Safety(SafetyEvent::Identify { unit: index, number }));
    }
    for name in can_nodes(setup) {
        let adapter = (scenario.node_id(&NodeName::Further(name.clone())).expect("the loader refuses others"), index);
        if !units.adapters.contains(&adapter) {
            units.adapters.push(adapter);
        }
    }
    let before = u8::try_from(units.feeds.len()).unwrap_or(0);
    for (n, feed) in setup.feeds.iter().enumerate() {
        units.feeds.push((index, feed.relay, before + u8::try_from(n).unwrap_or(0)));
    }
    let group = |name: &String| compiled.names[own].inputs.iter().position(|known| known == name).unwrap_or(0);
    let operation = |one: &crate::scenario::Operation| (group(&one.input), one.to == crate::scenario::InputState::On);
    units.operations.push(setup.operations.iter().map(operation).collect());
    for (number, operation) in setup.operations.iter().enumerate() {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let event = |ends| Event::Safety(SafetyEvent::Operation { unit: index, number, ends });
        let begins = SimTime::ZERO + operation.at;
        builder.agenda.at(begins, event(false));
        if let Some(duration) = operation.duration {
            builder.agenda.at(begins + duration, event(true));
        }
    }
    units.entities.push(entity);
}

/// Nodes of the bus from which the tool of a unit sends.
fn can_nodes(setup: &SafetyUnit) -> impl Iterator<Item = &String> {
    let ways = setup.downloads.iter().map(|one| &one.over).chain(setup.identifications.iter().map(|one| &one.over));
    ways.filter_map(|way| match way {
        crate::scenario::Way::Can(node) => Some(node),
        _ => None,
    })
}

/// What a further node takes from the bus: the answers of units, if a tool is there.
#[must_use]
pub fn tool_filters(scenario: &Scenario, node: &NodeName) -> Vec<Filter> {
    let has_tool = |setup: &SafetyUnit| can_nodes(setup).any(|name| NodeName::Further(name.clone()) == *node);
    let id = embedded_can::StandardId::new(TOOL_ANSWER_ID).unwrap_or(embedded_can::StandardId::MAX);
    let any = scenario.safety_units.iter().any(has_tool);
    any.then(|| Filter { id: id.into(), mask: 0x7FF }).into_iter().collect()
}

/// The configuration tool with what the scenario has it do; a unit's serial number decides which section it runs.
fn tool_of(scenario: &Scenario, setup: &SafetyUnit, compiled: &Compiled, own: usize, release_hash: u32) -> Tool {
    use crate::scenario::Way as Word;
    let way = |word: &Word| match word {
        Word::Usb => Way::Usb,
        Word::Radio => Way::Radio,
        Word::Can(node) => {
            Way::Can(scenario.node_id(&NodeName::Further(node.clone())).expect("the loader refuses others"))
        }
    };
    let serial = setup.serial.unwrap_or(compiled.network.nodes[own].serial);
    let content = |compiled: &Compiled| {
        let own = compiled.network.nodes.iter().position(|node| node.serial == serial);
        let runs = own.map(|own| common_of(compiled, own, release_hash));
        Content { bytes: compiled.bytes.clone(), hash: compiled.hash, runs }
    };
    let plan = |one: &crate::scenario::Download| Plan {
        at: SimTime::ZERO + one.at,
        over: way(&one.over),
        serial: one.serial.unwrap_or(serial),
        password: one.password.clone(),
        content: Arc::new(content(one.configuration.compiled.as_ref().expect("the loader compiles it"))),
        asks_first: one.asks_first,
        enters: one.enters,
    };
    let identification = |one: &crate::scenario::Identification| Identification {
        at: SimTime::ZERO + one.at,
        over: way(&one.over),
        serial: one.serial.unwrap_or(serial),
        asked: false,
    };
    let identifications = setup.identifications.iter().map(identification).collect();
    Tool::new(serial, content(compiled), setup.downloads.iter().map(plan).collect(), identifications)
}

/// The filter lets identifiers below 0x100 pass; time stamps are taken at the end of a frame.
fn attach_bus(builder: &mut TwinBuilder, node: NodeId) {
    let id = embedded_can::StandardId::ZERO;
    let filters = heapless::Vec::from_slice(&[Filter { id: id.into(), mask: 0x700 }]).unwrap_or_default();
    let options = ControllerOptions { recovery: Recovery::Automatic, latency: Span::ZERO, filters, powered: false };
    bus::attach(builder, node, &options);
}

fn core_of(setup: &SafetyUnit, compiled: &Compiled, own: usize, cpu: usize) -> Core {
    let SafetyCpu { clock_offset, clock_drift, logic_time, release } = if cpu == 0 { &setup.cpu1 } else { &setup.cpu2 };
    let options =
        CoreOptions { boot: setup.boot + *clock_offset, ppm: clock_drift.ppm(), logic_ns: logic_time.as_nanos() };
    let flash = Flash::new(&Contents {
        cpu: u8::try_from(cpu + 1).unwrap_or(0),
        code: &codes_of(*release)[cpu],
        release: (*release, release_hash(*release)),
        serial: setup.serial.unwrap_or(compiled.network.nodes[own].serial),
        password: compiled.network.password,
        configuration: &compiled.bytes,
    });
    let words = if cpu == 0 { safety_cpu1::RAM_WORDS } else { safety_cpu2::RAM_WORDS };
    Core::new(cpu, options, Ram::new(words), flash)
}

fn common_of(compiled: &Compiled, own: usize, release_hash: u32) -> Arc<Common> {
    Arc::new(Common { network: compiled.network.clone(), own, hash: compiled.hash, release_hash })
}

/// The code of both CPUs' images.
fn codes_of(release: u32) -> [Vec<u8>; 2] {
    [code(release), code(release + 0x1_0000)]
}

fn release_hash(release: u32) -> u32 {
    let [hash, ..] = chaskey::tag([release, 0, 0, 0], &codes_of(release).concat());
    hash
}

/// Bytes that stand for the code of a CPU's image; the same in every run, as a release is.
fn code(release: u32) -> Vec<u8> {
    let mut state = 0x2545_F491u32.wrapping_mul(release);
    let next = |state: &mut u32| {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        (*state >> 8) as u8
    };
    (0..CODE_LEN).map(|_| next(&mut state)).collect()
}

/// Units and supply at once: a look-up in the world for each would cost more than what the twin does with them in a tick.
type Access = SystemState<(Res<'static, Units>, Res<'static, Supply>, Query<'static, 'static, &'static mut Unit>)>;

/// How far what has happened at a unit may reach.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// It is done with.
    Within,
    /// Others may have to be told.
    Beyond,
}

fn unit_of(world: &mut World, unit: u8) -> Option<Mut<'_, Unit>> {
    let entity = *world.resource::<Units>().entities.get(usize::from(unit))?;
    world.get_mut::<Unit>(entity)
}

fn handle(
    access: &mut Access,
    world: &mut World,
    context: &mut Context<'_>,
    event: SafetyEvent,
) -> Result<Reach, Defect> {
    match event {
        SafetyEvent::Tick { unit, cpu, life } => {
            return tick(access, world, context, unit, usize::from(cpu), life);
        }
        SafetyEvent::Deadline { unit, cpu, life } => {
            let cpu = usize::from(cpu);
            let Some(mut one) = unit_of(world, unit).filter(|one| one.cores[cpu].life == life) else {
                return Ok(Reach::Beyond);
            };
            let node = one.node;
            let outside = Defect::guard(node, || one.deadline(context, cpu))?;
            demands::tell_trip(world, unit);
            let Some(mut one) = unit_of(world, unit) else { return Ok(Reach::Beyond) };
            let given_up = one.effects(context, cpu);
            carry_out(world, context, unit, outside);
            give_up(world, context, unit, given_up);
        }
        SafetyEvent::Effects { unit, cpu, life } => {
            let cpu = usize::from(cpu);
            let Some(mut one) = unit_of(world, unit).filter(|one| one.cores[cpu].life == life) else {
                return Ok(Reach::Beyond);
            };
            let given_up = one.effects(context, cpu);
            give_up(world, context, unit, given_up);
        }
        SafetyEvent::Boot { unit, cpu, life, cause } => {
            let cpu = usize::from(cpu);
            let Some(mut one) = unit_of(world, unit) else { return Ok(Reach::Beyond) };
            if one.powered && one.cores[cpu].life == life {
                let node = one.node;
                Defect::guard(node, || one.boot(context, cpu, cause))?;
                if cpu == 0 {
                    bus::set_powered(world, context, node, true);
                }
            }
        }
        SafetyEvent::MainOff { unit } => {
            if let Some(mut one) = unit_of(world, unit) {
                one.main_off(context);
            }
        }
        SafetyEvent::Tool { unit } => {
            let sent = unit_of(world, unit).and_then(|mut one| one.use_tool(context));
            send_to_all(world, context, unit, sent);
        }
        SafetyEvent::Identify { unit, number } => {
            let sent = unit_of(world, unit).and_then(|mut one| {
                let sent = one.tool.identify(usize::from(number))?;
                if let (Way::Usb, message) = sent {
                    one.hear_tool(context.now, message);
                    return None;
                }
                Some(sent)
            });
            send_to_all(world, context, unit, sent);
        }
        SafetyEvent::Contacts { unit } => move_contacts(world, context, unit),
        SafetyEvent::Can { unit } => send_can(world, context, unit),
        SafetyEvent::Repeat { unit } => repeat_frame(world, context, unit),
        SafetyEvent::Operation { unit, number, ends } => operate(world, context, unit, usize::from(number), ends),
    }
    Ok(Reach::Beyond)
}

/// Whether something came on, a fault was proven, or both CPUs came into or left normal mode, and nobody was told of it.
fn has_news(unit: &Unit) -> bool {
    unit.watch.came_on.is_some() || !unit.proofs.is_empty() || unit.watch.is_normal() != unit.watch.has_talked
}

/// What has just happened may have turned outputs on, and proven faults.
fn follow_up(world: &mut World, context: &mut Context<'_>, unit: u8) {
    let Some(mut one) = unit_of(world, unit) else { return };
    let (has_come_on, proofs) = (one.watch.came_on.is_some(), std::mem::take(&mut one.proofs));
    let talks = one.watch.is_normal();
    let has_talked = std::mem::replace(&mut one.watch.has_talked, talks);
    if talks && !has_talked {
        demands::talks_again(world, context.now, unit);
    }
    if has_come_on {
        demands::came_on(world, context.now, unit);
    }
    for (injection, effect) in proofs {
        crate::faults::proven(world, context, injection, &effect);
    }
}

fn tick(
    access: &mut Access,
    world: &mut World,
    context: &mut Context<'_>,
    unit: u8,
    cpu: usize,
    life: u32,
) -> Result<Reach, Defect> {
    let now = context.now;
    let (units, supply, mut all) = access.get_mut(world).expect("units and supply are installed");
    let Some(&entity) = units.entities.get(usize::from(unit)) else { return Ok(Reach::Beyond) };
    let Ok(mut one) = all.get_mut(entity) else { return Ok(Reach::Beyond) };
    if one.cores[cpu].life != life {
        return Ok(Reach::Beyond);
    }
    let node = one.node;
    let follows = cpu == 0 && one.cores[0].clock.tick() % PLANT_TICKS == 0 && one.devices.follow_plant();
    let supply_mv = supply.node_mv(node, now);
    one.watch.supply.look(now, supply_mv, |at| supply.node_mv(node, at));
    one.watch.supply.sampled(cpu, supply_mv);
    one.watch.judge_supply(now);
    let inputs_off = one.off_for(now, demands::SEEN);
    one.watch.judge_silence(now, inputs_off);
    let outside = Defect::guard(node, || one.tick(context, cpu, supply_mv))?;
    let (is_tripped, has_demands) = (one.watch.tripped_now.is_some(), !one.watch.demands.is_empty());
    let settled = if cpu == 0 { one.watch.settle(now, inputs_off) } else { None };
    if !(follows || is_tripped || has_demands || settled.is_some() || has_news(&one) || outside.is_something()) {
        return Ok(Reach::Within);
    }
    if is_tripped {
        demands::tell_trip(world, unit);
    }
    if has_demands {
        demands::ask_again(world, now, unit);
    }
    if let Some(news) = settled {
        demands::tell_settled(world, unit, &news);
    }
    carry_out(world, context, unit, outside);
    if follows {
        see_plant(world, context, unit);
    }
    Ok(Reach::Beyond)
}

/// A step of the supply: who was within its limits before may be beyond them from this instant on.
fn power_changed(world: &mut World, now: SimTime) {
    for entity in world.resource::<Units>().entities.clone() {
        let Some(node) = world.get::<Unit>(entity).map(|unit| unit.node) else { continue };
        let present = world.resource::<Supply>().node_mv(node, now);
        if let Some(mut unit) = world.get_mut::<Unit>(entity) {
            unit.watch.supply.stepped(now, present);
        }
    }
}

fn see_plant(world: &mut World, context: &mut Context<'_>, unit: u8) {
    let coolant = i64::from(crate::plant::coolant(world).get());
    let flow = crate::plant::flow_decilitres_per_min(world);
    let Some(mut one) = unit_of(world, unit) else { return };
    one.devices.see_plant(coolant, flow);
    show_devices(&mut one, context);
    demands::devices_changed(world, context.now, unit);
}

/// Puts what the devices show on the pins and records what changed.
pub(crate) fn show_devices(unit: &mut Unit, context: &mut Context<'_>) {
    let node = unit.node;
    let is_sound = unit.is_sound();
    let Unit { devices, section, pins, shown, shown_since, was_off_for, watch, .. } = unit;
    let changed = devices.show(context.now, section, pins, shown);
    watch.gone_off |= changed & !*shown;
    watch.gone_on |= changed & *shown;
    for group in (0..16u8).filter(|group| changed >> group & 1 == 1) {
        let on = *shown >> group & 1 == 1;
        let since = std::mem::replace(&mut shown_since[usize::from(group)], context.now);
        if on {
            was_off_for[usize::from(group)] = context.now.since(since);
        }
        if is_sound {
            watch.device(context.now, group, on);
        }
        context.record(SafetyRecord::Input { node, group, on }.into());
    }
}

fn operate(world: &mut World, context: &mut Context<'_>, unit: u8, number: usize, ends: bool) {
    let units = world.resource::<Units>();
    let operation = units.operations.get(usize::from(unit)).and_then(|list| list.get(number)).copied();
    let Some((group, on)) = operation else { return };
    let Some(mut one) = unit_of(world, unit) else { return };
    one.devices.operate(group, on != ends);
    show_devices(&mut one, context);
    demands::devices_changed(world, context.now, unit);
}

fn move_contacts(world: &mut World, context: &mut Context<'_>, unit: u8) {
    let Some(mut one) = unit_of(world, unit) else { return };
    if !one.move_contacts(context) {
        return;
    }
    feed_pumps(world, context, unit);
}

/// The pumps' feeds follow the relays.
fn feed_pumps(world: &mut World, context: &mut Context<'_>, unit: u8) {
    let feeds = world.resource::<Units>().feeds.clone();
    for (_, relay, feed) in feeds.into_iter().filter(|(own, ..)| *own == unit) {
        let Some(conducts) = unit_of(world, unit).map(|one| one.conducts(relay)) else { continue };
        power::switch(world, context, Branch::Pumps(feed), conducts);
    }
}

/// Opens the feeds that a relay will close: at the beginning every contact is open.
pub fn open_feeds(builder: &mut TwinBuilder) {
    let feeds: Vec<u8> = builder.world.resource::<Units>().feeds.iter().map(|(_, _, feed)| *feed).collect();
    for feed in feeds {
        builder.world.resource_mut::<Supply>().start_switched_off(Branch::Pumps(feed));
    }
}

fn carry_out(world: &mut World, context: &mut Context<'_>, unit: u8, outside: Outside) {
    let Outside { radio, can, abort } = outside;
    if let Some(packet) = radio {
        transmit(world, context, unit, &packet);
    }
    if let Some(id) = abort {
        abort_frame(world, context, unit, id);
    }
    if !can.is_empty()
        && let Some(mut one) = unit_of(world, unit)
    {
        for (at, _) in &can {
            context.agenda.at(*at, Event::Safety(SafetyEvent::Can { unit }));
        }
        one.can_waiting.extend(can);
    }
}

/// What arrives of a packet that goes on the air at a unit. Where nobody takes it no fault of the channel meets it.
fn on_air(
    world: &mut World,
    context: &mut Context<'_>,
    from: u8,
    packet: &Bytes,
    takes: impl Fn(&Unit) -> bool,
) -> Vec<Arriving<Bytes>> {
    let mut all = world.resource::<Units>().entities.iter().filter_map(|entity| world.get::<Unit>(*entity));
    let is_taken = all.any(takes);
    let Some(mut sender) = unit_of(world, from) else { return Vec::new() };
    if !is_taken {
        sender.air.fades();
        return vec![Arriving { at: context.now + air::AIR_TIME, what: packet.clone() }];
    }
    let (arriving, acted) = sender.air.pass(context.now, packet);
    let node = sender.node;
    for injection in acted {
        context.record(SafetyRecord::Injected { node, injection }.into());
    }
    arriving
}

/// A radio packet goes to every other unit.
fn transmit(world: &mut World, context: &mut Context<'_>, from: u8, packet: &Bytes) {
    // An answer to the tool is no safety packet: nothing rests on it.
    let is_answer = packet.first() == Some(&ANSWER);
    let asks = |unit: &Unit| is_answer && unit.tool.way() == Some(Way::Radio);
    let Some(runs) = unit_of(world, from).map(|sender| sender.watch.common().clone()) else { return };
    let takes = |unit: &Unit| asks(unit) || (!is_answer && unit.takes_packets_of(&runs));
    let arriving = on_air(world, context, from, packet, takes);
    for entity in world.resource::<Units>().entities.clone() {
        let Some(mut unit) = world.get_mut::<Unit>(entity) else { continue };
        for one in &arriving {
            if asks(&unit) {
                unit.answer_comes(context, one.what.clone(), one.at);
            }
            if unit.index != from {
                let sound = !is_answer && one.what == *packet;
                unit.hear(one.clone(), sound.then_some(&runs));
            }
        }
    }
}

/// A message of a tool goes on the air or to the bus.
fn send_to_all(world: &mut World, context: &mut Context<'_>, tool: u8, sent: Option<(Way, Bytes)>) {
    match sent {
        Some((Way::Radio, message)) => request_by_radio(world, context, tool, &message),
        Some((Way::Can(node), message)) => {
            if let Some(mut unit) = unit_of(world, tool) {
                unit.tool.put_on_bus(&message);
            }
            send_requests(world, context, node);
        }
        Some((Way::Usb, _)) | None => {}
    }
}

/// A tool sends beside its unit, on the same channel: what is wrong with that hits its requests as well. All units hear them.
fn request_by_radio(world: &mut World, context: &mut Context<'_>, tool: u8, message: &Bytes) {
    let arriving = on_air(world, context, tool, message, |unit| unit.cores[0].can_receive());
    for entity in world.resource::<Units>().entities.clone() {
        let Some(mut unit) = world.get_mut::<Unit>(entity) else { continue };
        for one in &arriving {
            unit.hear(one.clone(), None);
        }
    }
}

/// The tools at a node of the bus fill its free mailboxes; one frame at a time, so that none overtakes another.
pub(super) fn send_requests(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    let tools: Vec<u8> = tools_at(world, node);
    let id = embedded_can::StandardId::new(TOOL_REQUEST_ID).unwrap_or(embedded_can::StandardId::MAX);
    for tool in tools {
        if bus::mailboxes_free(world, node) == 0 || bus::waits_to_send(world, node, id.into()) {
            return;
        }
        let Some(frame) = unit_of(world, tool).and_then(|unit| unit.tool.next_frame()) else { continue };
        if bus::request(world, context, node, frame).is_ok()
            && let Some(mut unit) = unit_of(world, tool)
        {
            unit.tool.frame_left();
        }
    }
}

fn tools_at(world: &World, node: NodeId) -> Vec<u8> {
    let adapters = world.resource::<Units>().adapters.iter();
    adapters.filter(|(own, _)| *own == node).map(|(_, unit)| *unit).collect()
}

/// Answers that came to a node of the bus where tools are.
pub(super) fn hear_answers(world: &mut World, context: &mut Context<'_>, node: NodeId) {
    let tools = tools_at(world, node);
    if tools.is_empty() {
        return;
    }
    while let Some(frame) = bus::take_received(world, node) {
        for tool in &tools {
            let Some(mut unit) = unit_of(world, *tool) else { continue };
            if unit.tool.hear_frame(context.now, frame.data()) {
                context.agenda.at(context.now, Event::Safety(SafetyEvent::Tool { unit: *tool }));
            }
        }
    }
}

fn send_can(world: &mut World, context: &mut Context<'_>, unit: u8) {
    let now = context.now;
    let Some(mut one) = unit_of(world, unit) else { return };
    let node = one.node;
    let (due, later): (Vec<_>, Vec<_>) = one.can_waiting.iter().copied().partition(|(at, _)| *at <= now);
    one.can_waiting = later;
    let beside = world.resource::<Units>().frames_beside_bus;
    for (_, CanTransmit { frame, .. }) in due {
        if beside && frame.id != TOOL_ANSWER_ID {
            pass_beside_bus(world, now, unit, frame);
            continue;
        }
        let id = embedded_can::StandardId::new(frame.id).unwrap_or(embedded_can::StandardId::MAX);
        let data = frame.data.get(..usize::from(frame.len)).unwrap_or_default();
        if let Some(frame) = Frame::data_frame(id, data) {
            // Without a free mailbox it is lost, as the driver of a real controller would have it.
            let _ = bus::request(world, context, node, frame);
            plan_repeat(world, context, unit, frame);
        }
    }
}

/// What a bus would do without taking any time.
fn pass_beside_bus(world: &mut World, now: SimTime, from: u8, frame: CanFrame) {
    for unit in (0..).take(world.resource::<Units>().entities.len()) {
        let (sent, received) = if unit == from { (vec![frame.id], Vec::new()) } else { (Vec::new(), vec![frame]) };
        hear_bus(world, now, unit, sent, received);
    }
}

/// Some may send this frame once more.
fn plan_repeat(world: &mut World, context: &mut Context<'_>, unit: u8, frame: Frame) {
    let Some(mut one) = unit_of(world, unit) else { return };
    let Unit { repeaters, repeats, .. } = &mut *one;
    for repeater in repeaters.iter_mut().filter(|repeater| repeater.left > 0) {
        repeater.left -= u32::from(repeater.left != u32::MAX);
        let at = context.now + repeater.after;
        let place = repeats.partition_point(|(other, ..)| *other <= at);
        repeats.insert(place, (at, repeater.by, repeater.owner, frame));
        context.agenda.at(at, Event::Safety(SafetyEvent::Repeat { unit }));
    }
}

/// Proven once the controller of that node has taken the frame.
fn repeat_frame(world: &mut World, context: &mut Context<'_>, unit: u8) {
    let Some(mut one) = unit_of(world, unit) else { return };
    let node = one.node;
    let Some((_, by, injection, frame)) = one.repeats.pop_front_if(|(at, ..)| *at <= context.now) else { return };
    if bus::request(world, context, by, frame).is_ok() {
        context.record(SafetyRecord::Injected { node, injection }.into());
    }
}

fn abort_frame(world: &mut World, context: &mut Context<'_>, unit: u8, id: u16) {
    let Some(node) = unit_of(world, unit).map(|one| one.node) else { return };
    if let Some(id) = embedded_can::StandardId::new(id) {
        let _ = bus::abort(world, context, node, id.into());
    }
}

/// Frames with safety data that have not left are given up.
fn give_up(world: &mut World, context: &mut Context<'_>, unit: u8, all: bool) {
    if !all {
        return;
    }
    let Some(mut one) = unit_of(world, unit) else { return };
    one.can_waiting.retain(|(_, frame)| frame.frame.id == TOOL_ANSWER_ID);
    for id in (0x010..0x020).chain(0x040..0x050) {
        abort_frame(world, context, unit, id);
    }
}

/// The CAN controller of a unit has news; whether there is a unit at this node.
pub(super) fn attend(world: &mut World, context: &mut Context<'_>, node: NodeId) -> bool {
    let Some(index) = Units::of(world, node) else { return false };
    let mut received = Vec::new();
    let mut sent = Vec::new();
    while let Some(id) = bus::take_sent(world, node) {
        sent.extend(raw(id));
    }
    while let Some(frame) = bus::take_received(world, node) {
        received.extend(can_frame(&frame));
    }
    hear_bus(world, context.now, index, sent, received);
    true
}

/// CPU1 of a unit is told which frames were sent and which came.
fn hear_bus(world: &mut World, now: SimTime, unit: u8, sent: Vec<u16>, received: Vec<CanFrame>) {
    let Some(mut unit) = unit_of(world, unit) else { return };
    for frame in &received {
        let entry = frame.id.checked_sub(safety_common::simplecan::ENTRY_ID).map(usize::from);
        if let Some(heard) = entry.and_then(|entry| unit.watch.can_heard.get_mut(entry)) {
            *heard = now;
        }
    }
    let core = &mut unit.cores[0];
    if core.firmware.is_none() {
        return;
    }
    let at = core.clock.shows(now);
    core.can_sent.extend(sent);
    core.can.extend(received.into_iter().map(|frame| CanReceived { at, frame }));
}

/// A frame as CPU1 takes it from its controller.
fn can_frame(frame: &Frame) -> Option<CanFrame> {
    let mut data = [0; 8];
    data.iter_mut().zip(frame.data()).for_each(|(to, from)| *to = *from);
    Some(CanFrame { id: raw(frame.id())?, len: u8::try_from(frame.data().len()).unwrap_or(0), data })
}

fn raw(id: embedded_can::Id) -> Option<u16> {
    match id {
        embedded_can::Id::Standard(id) => Some(id.as_raw()),
        embedded_can::Id::Extended(_) => None,
    }
}

/// The supply of a node came or went; whether there is a unit.
pub(super) fn power(world: &mut World, context: &mut Context<'_>, node: NodeId, good: bool) -> bool {
    let Some(index) = Units::of(world, node) else { return false };
    if !good {
        bus::set_powered(world, context, node, false);
    }
    if let Some(mut unit) = unit_of(world, index) {
        if good { unit.power_good(context) } else { unit.power_lost(context) }
    }
    true
}

/// Where the fixed figures of the units come from: (what, value, source).
pub const ASSUMPTIONS: &[(&str, &str, &str)] = &[
    ("C2C packet on the line", "0.36 ms: 72 bytes at 2 Mbit/s", "own number"),
    ("main transistor lets go after its last toggle", "1 ms", "own number, at most 2 ms"),
    ("feed of the transistors decays", "4 ms", "own number"),
    ("watchdog of a safety CPU", "10 ms, time base of its own", "own number: the source gives none"),
    (
        "configuration tool",
        "10 us a byte over USB, 2 ms a message over radio; waits 4 s for an answer, three tries",
        "own number",
    ),
    ("radio packet on the air", "2 ms", "own number"),
    ("execution time of the safety CPUs", "a cost model, not measured", "host simulation"),
    (
        "times to off",
        "to transistor and coil; a contact follows by `relay_move`, and one that opens later counts by its own time less that",
        "own model",
    ),
];

const _: () = assert!(CODE_LEN + flash_map::image::LEN <= flash_map::IMAGE_LEN_MOST as usize);
