//! What each kind of fault does, how it is taken back, and what proves that it acted.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use bevy_ecs::prelude::{Mut, Resource, World};
use protocol::Frame;
use pump::ResetCause;
use reports::counted;

use super::{Injection, Others};
use crate::bus::{self, ALL_NODES, BusRecord, PlannedHit, PlannedLoss, RandomHits};
use crate::checks::{Checks, Truth};
use crate::event::Context;
use crate::hosts::cioc::CiocHost;
use crate::hosts::cpu::Cpu;
use crate::hosts::flash::Flash;
use crate::hosts::image::Image;
use crate::hosts::pump::PumpHost;
use crate::hosts::safety::SafetyRecord;
use crate::hosts::{self, OrchestratorRecord, PumpRecord};
use crate::kernel::{Scoped, SimTime, Span, Stream, hash_stream, stream};
use crate::measure::Measures;
use crate::node::{NodeId, Nodes};
use crate::power::{self, Branch, Disturbance, PowerRecord, SupplyPlace};
use crate::record::Record;
use crate::scenario::words::NodeName;
use crate::scenario::{Babbling, Direction, FaultKind, Place, SafetyFault, Scenario, SeenBy, Trigger};

/// What faults need to know of the scenario around them.
#[derive(Resource, Clone)]
pub struct Setting {
    /// Seed of the run.
    pub seed: u64,
    /// Supply without load, in mV.
    pub nominal_mv: u32,
    /// Reaction latency of every node.
    pub latency: Span,
    /// Nominal time of a sector erase.
    pub sector_erase: Span,
    /// Bytes of a pump's image, for bits that flip in it.
    pub image_len: u64,
    /// Names of further nodes, from N17 on.
    pub further_nodes: Vec<String>,
    /// Who sends the messages of the scenario's traffic.
    pub senders: Vec<(embedded_can::Id, NodeId)>,
    /// What the pumps hold that exchanges put in, by the fault's number.
    pub exchanged: BTreeMap<usize, Image>,
    /// Source of random choices of faults.
    pub random: Stream,
}

impl Hash for Setting {
    /// What the scenario says does not change.
    fn hash<H: Hasher>(&self, to: &mut H) {
        hash_stream(&self.random, to);
    }
}

/// The nodes that a place names; empty for the bus and the supply.
pub(super) fn nodes_of(scenario: &Scenario, place: &Place) -> Vec<NodeId> {
    match place {
        Place::Pump(pump) => vec![NodeId::new(*pump)],
        Place::Cioc => vec![NodeId::CIOC],
        Place::AllPumps => (1..=scenario.pumps.count).map(NodeId::new).collect(),
        Place::AllNodes => scenario.nodes().iter().filter_map(|name| scenario.node_id(name)).collect(),
        Place::Node(name) => scenario.node_id(name).into_iter().collect(),
        Place::Between(between) => [&between.a, &between.b].into_iter().filter_map(|n| scenario.node_id(n)).collect(),
        Place::Bus | Place::Supply | Place::PumpFeed => Vec::new(),
    }
}

/// Where a supply fault acts.
fn supply_places(injection: &Injection) -> Vec<SupplyPlace> {
    match injection.fault.place {
        Place::Supply | Place::AllNodes => vec![SupplyPlace::Source],
        Place::PumpFeed | Place::AllPumps => vec![SupplyPlace::Branch(Branch::Pumps(0))],
        _ => injection.nodes.iter().map(|node| SupplyPlace::Node(*node)).collect(),
    }
}

fn component<T: bevy_ecs::component::Component<Mutability = bevy_ecs::component::Mutable>>(
    world: &mut World,
    node: NodeId,
) -> Option<Mut<'_, T>> {
    let entity = world.resource::<Nodes>().get(node)?;
    world.get_mut::<T>(entity)
}

/// The number under which bus and supply know the injection.
fn token(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Begins the fault; gives what was read back if it acts at once.
pub(super) fn begin(
    world: &mut World,
    context: &mut Context<'_>,
    number: usize,
    injection: &Injection,
    others: &Others<'_>,
) -> Option<String> {
    match &injection.fault.kind {
        kind if is_of_the_supply(kind) => {
            begin_supply(world, context, number, injection);
            None
        }
        FaultKind::BitErrors(_)
        | FaultKind::Burst(_)
        | FaultKind::FrameHit(_)
        | FaultKind::FrameLoss(_)
        | FaultKind::ReceiveOverrun(_)
        | FaultKind::Unplugged
        | FaultKind::OpenBus
        | FaultKind::StuckDominant
        | FaultKind::StuckRecessive
        | FaultKind::Babbling(_)
        | FaultKind::ControllerSlow(_)
        | FaultKind::ControllerStopped => {
            begin_bus(world, context, number, injection, others);
            None
        }
        FaultKind::Exchanged(_) => exchange(world, context, number, injection),
        FaultKind::Safety(kind) => {
            let own = u16::try_from(number).unwrap_or(u16::MAX);
            let setting = world.resource::<Setting>();
            let how = hosts::safety::faults::How {
                for_good: injection.fault.duration.is_none(),
                seed: setting.seed,
                by: hosts::safety::faults::named(kind)
                    .and_then(|name| setting.node(&NodeName::Further(name.to_owned()))),
            };
            hosts::safety::faults::begin(world, context, own, *injection.nodes.first()?, kind, &how)
        }
        FaultKind::FramTear(tear) => {
            let mut host = component::<CiocHost>(world, NodeId::CIOC)?;
            (host.fram.tear_after, host.fram.torn) = (Some(u64::from(tear.bytes)), None);
            None
        }
        _ => begin_board(world, context, number, injection, others),
    }
}

/// The old pump is cut off as it is, the new one holds other firmware; it gets power when the fault ends.
fn exchange(world: &mut World, context: &mut Context<'_>, number: usize, injection: &Injection) -> Option<String> {
    let image = world.resource::<Setting>().exchanged.get(&number)?.clone();
    let mut effect = None;
    for node in injection.nodes.iter() {
        power::cut_at_once(world, context, *node);
        let pump = usize::from(node.pump()?) - 1;
        Scoped::scope(world, |world, checks: &mut Checks| checks.exchanged(world, pump));
        let mut flash = component::<Flash>(world, *node)?;
        flash.exchange(&image);
        let version = flash.valid_header()?.version;
        // The checks know images as files: this pump came with another one.
        if let Some(installed) = world.resource_mut::<Truth>().installed.get_mut(pump) {
            *installed = image.clone();
        }
        world.resource_mut::<Measures>().exchanged(context.now, pump);
        effect = effect.or(Some(format!("the flash of {node} holds version {version}")));
    }
    effect
}

/// Whether it acts by the voltage of its place.
pub(super) fn is_of_the_supply(kind: &FaultKind) -> bool {
    use FaultKind as Kind;
    matches!(
        kind,
        Kind::PowerCut | Kind::Sag(_) | Kind::Ramp(_) | Kind::OverVoltage(_) | Kind::Bounce(_) | Kind::FeedOff
    )
}

fn begin_supply(world: &mut World, context: &mut Context<'_>, number: usize, injection: &Injection) {
    let Some(what) = disturbance(&injection.fault.kind, injection.fault.duration) else {
        return cut(world, context, injection);
    };
    for place in supply_places(injection) {
        power::disturb(world, context, place, what, token(number));
    }
}

/// At a flash operation power is gone at that very instant; otherwise the hold-up of the node runs out first.
fn cut(world: &mut World, context: &mut Context<'_>, injection: &Injection) {
    let at_once = matches!(injection.fault.trigger, Trigger::FlashOperation(_));
    for branch in switched(injection) {
        power::switch(world, context, *branch, false);
    }
    for node in injection.nodes.iter() {
        if at_once {
            power::cut_at_once(world, context, *node);
        } else {
            power::cut(world, context, *node);
        }
    }
}

fn disturbance(kind: &FaultKind, hold: Option<Span>) -> Option<Disturbance> {
    let none = Span::ZERO;
    Some(match (kind, hold) {
        (FaultKind::Sag(level), Some(hold)) => {
            Disturbance::Sag { to_mv: level.to.millivolts(), fall: none, hold, rise: none }
        }
        (FaultKind::OverVoltage(level), Some(hold)) => {
            Disturbance::OverVoltage { to_mv: level.to.millivolts(), rise: none, hold, fall: none }
        }
        (FaultKind::Sag(level) | FaultKind::OverVoltage(level), None) => {
            Disturbance::Step { to_mv: level.to.millivolts() }
        }
        (FaultKind::Ramp(ramp), _) => Disturbance::Ramp { to_mv: ramp.to.millivolts(), over: ramp.over },
        (FaultKind::Bounce(bounce), _) => Disturbance::Bounce {
            to_mv: 0,
            dips: u16::try_from(bounce.count).unwrap_or(u16::MAX),
            low: bounce.off,
            period: bounce.off + bounce.on,
        },
        _ => return None,
    })
}

fn begin_bus(world: &mut World, context: &mut Context<'_>, number: usize, injection: &Injection, others: &Others<'_>) {
    let injected = token(number);
    match &injection.fault.kind {
        FaultKind::BitErrors(errors) => {
            let to = injection.fault.duration.map_or(SimTime::NEVER, |duration| context.now + duration);
            let rate = errors.rate.ppb();
            add_noise(world, context, injected, injection.begun, to, rate);
        }
        FaultKind::Burst(burst) => {
            let bit = world.resource::<bus::Bus>().bit_time();
            let to = context.now + bit.times(u64::from(burst.bits));
            add_noise(world, context, injected, injection.begun, to, 1_000_000_000);
        }
        FaultKind::FrameHit(hit) => {
            let victims = victims(world, &hit.seen_by, hit.id.id());
            let key = Some(bus::wire::arbitration_key(hit.id.id()));
            let planned = PlannedHit { injection: injected, key, nth: hit.nth, times: 1, bit: hit.bit, victims };
            bus::add_planned_hit(world, context, planned);
        }
        FaultKind::FrameLoss(_) | FaultKind::ReceiveOverrun(_) => begin_loss(world, number, injection),
        FaultKind::Babbling(babble) => {
            let frame = babbled(babble);
            injection.nodes.iter().for_each(|node| bus::set_babbling(world, context, *node, frame));
        }
        FaultKind::ControllerSlow(later) => set_latencies(world, injection, later.by, others),
        FaultKind::ControllerStopped => {
            injection.nodes.iter().for_each(|node| bus::set_stopped(world, context, *node, true));
        }
        kind => set_wiring(world, context, kind, wired(injection), true),
    }
}

fn babbled(babble: &Babbling) -> Option<(Frame, Span)> {
    let frame = Frame::data_frame(babble.id.id(), &[0; 8][..usize::from(babble.dlc.min(8))]);
    frame.map(|frame| (frame, babble.gap))
}

/// Sets the latency of the nodes to the greatest that is asked for, `own` or that of another injection.
fn set_latencies(world: &mut World, injection: &Injection, own: Span, others: &Others<'_>) {
    let nominal = world.resource::<Setting>().latency;
    for node in injection.nodes.iter() {
        let later = others.at(*node).filter_map(|other| match &other.fault.kind {
            FaultKind::ControllerSlow(later) => Some(later.by),
            _ => None,
        });
        let latency = nominal + later.chain([own]).max().unwrap_or(Span::ZERO);
        bus::set_latency(world, *node, latency);
    }
}

fn add_noise(world: &mut World, context: &mut Context<'_>, injection: u32, begun: u32, to: SimTime, rate: u32) {
    let seed = world.resource::<Setting>().seed;
    let stream = stream(seed, &format!("bit errors {injection}.{begun}"));
    let hits = RandomHits { injection, from: context.now, to, rate, victims: ALL_NODES, stream };
    bus::add_random_hits(world, context, &hits);
}

fn victims(world: &World, seen_by: &SeenBy, id: embedded_can::Id) -> u32 {
    match seen_by {
        SeenBy::All => ALL_NODES,
        SeenBy::Receivers => !sender_of(world, id).map_or(0, NodeId::bit),
        SeenBy::Only(names) => {
            let setting = world.resource::<Setting>();
            names.iter().filter_map(|name| setting.node(name)).fold(0, |mask, node| mask | node.bit())
        }
    }
}

/// The node that sends frames with this id, by the id plan or the scenario's traffic.
fn sender_of(world: &World, id: embedded_can::Id) -> Option<NodeId> {
    use protocol::ids;
    let setting = world.resource::<Setting>();
    if let Some((_, node)) = setting.senders.iter().find(|(own, _)| *own == id) {
        return Some(*node);
    }
    let embedded_can::Id::Standard(id) = id else { return None };
    let pump = ids::status_sender(id).or_else(|| ids::uds_responder(id));
    pump.map_or(Some(NodeId::CIOC), |pump| Some(NodeId::new(pump.get())))
}

impl Setting {
    /// The node of this name.
    fn node(&self, name: &NodeName) -> Option<NodeId> {
        match name {
            NodeName::Cioc => Some(NodeId::CIOC),
            NodeName::Pump(pump) => Some(NodeId::new(*pump)),
            NodeName::Further(name) => {
                let index = self.further_nodes.iter().position(|known| known == name)?;
                Some(NodeId::new(u8::try_from(NodeId::FIRST_FURTHER.index() + index).ok()?))
            }
        }
    }
}

fn begin_loss(world: &mut World, number: usize, injection: &Injection) {
    let seed = world.resource::<Setting>().seed;
    let injected = token(number);
    for node in injection.nodes.iter() {
        let loss = PlannedLoss { injection: injected, ..PlannedLoss::of(*node) };
        match &injection.fault.kind {
            FaultKind::ReceiveOverrun(overrun) => {
                bus::add_planned_loss(world, PlannedLoss { times: overrun.frames, ..loss });
            }
            FaultKind::FrameLoss(frames) => {
                let stream = stream(seed, &format!("frame loss {injected}.{node}"));
                let rate = (frames.rate.ppb() < 1_000_000_000).then_some((u64::from(frames.rate.ppb()), stream));
                let (nth, times) = frames.nth.map_or((1, u32::MAX), |nth| (nth, 1));
                let loss = PlannedLoss { id: frames.id.map(|id| id.id()), nth, times, rate, ..loss };
                if matches!(frames.direction, Direction::Received | Direction::Both) {
                    bus::add_planned_loss(world, loss.clone());
                }
                if matches!(frames.direction, Direction::Sent | Direction::Both) {
                    bus::add_planned_loss(world, PlannedLoss { sent: true, ..loss });
                }
            }
            _ => {}
        }
    }
}

fn set_wiring(world: &mut World, context: &mut Context<'_>, kind: &FaultKind, bits: u32, on: bool) {
    let set = |mask: &mut u32| if on { *mask |= bits } else { *mask &= !bits };
    bus::change_medium(world, context, |medium| match kind {
        FaultKind::Unplugged => set(&mut medium.unplugged),
        FaultKind::OpenBus => set(&mut medium.open_after),
        FaultKind::StuckDominant => set(&mut medium.stuck_dominant),
        FaultKind::StuckRecessive => set(&mut medium.stuck_recessive),
        _ => {}
    });
}

/// The bits that a fault of the wiring sets in its mask of the medium.
pub(super) fn wired(injection: &Injection) -> u32 {
    let nodes = mask(injection);
    match injection.fault.kind {
        FaultKind::OpenBus => injection.nodes.first().map_or(0, |node| node.bit()),
        FaultKind::StuckDominant | FaultKind::StuckRecessive if nodes == 0 => NodeId::CIOC.bit(),
        _ => nodes,
    }
}

fn mask(injection: &Injection) -> u32 {
    injection.nodes.iter().fold(0, |mask, node| mask | node.bit())
}

fn begin_board(
    world: &mut World,
    context: &mut Context<'_>,
    number: usize,
    injection: &Injection,
    others: &Others<'_>,
) -> Option<String> {
    let nodes = injection.nodes.clone();
    let mut effects = nodes.iter().filter_map(|node| begin_at_board(world, context, number, injection, others, *node));
    let first = effects.next();
    let more = effects.count();
    first.map(|effect| if more == 0 { effect } else { format!("{effect}, and {more} more") })
}

fn begin_at_board(
    world: &mut World,
    context: &mut Context<'_>,
    number: usize,
    injection: &Injection,
    others: &Others<'_>,
    node: NodeId,
) -> Option<String> {
    let now = context.now;
    match &injection.fault.kind {
        FaultKind::FlashProgramFailure(failing) => {
            let count = if failing.operations == 0 { u32::MAX } else { failing.operations };
            component::<PumpHost>(world, node)?.failing_programs.push((number, count));
            None
        }
        FaultKind::SlowErase(slower) => {
            set_erase(world, node, slower.factor.thousandths(), others);
            None
        }
        FaultKind::BitFlipAtRest(flips) => flip_bits(world, node, flips.bits),
        FaultKind::Hang => {
            let until = injection.fault.duration.map_or(SimTime::NEVER, |duration| now + duration);
            let mut cpu = component::<Cpu>(world, node)?;
            let stood_still = cpu.hung_until > now;
            cpu.hung_until = cpu.hung_until.max(until);
            (cpu.running && !stood_still).then(|| format!("the CPU of {node} stands still"))
        }
        FaultKind::Reset => {
            hosts::reset(world, context, node);
            None
        }
        FaultKind::SlowBoot(later) => {
            let mut cpu = component::<Cpu>(world, node)?;
            cpu.options.boot_time = cpu.options.boot_time + later.by;
            None
        }
        FaultKind::WrongVersion(reported) => {
            component::<PumpHost>(world, node)?.false_version = Some(reported.version.to_header());
            None
        }
        FaultKind::ClockDrift(drifting) => {
            let mut cpu = component::<Cpu>(world, node)?;
            cpu.set_drift(now, drifting.by.ppm());
            None
        }
        _ => None,
    }
}

/// Sets the erase time to its nominal one times the greatest factor that is asked for, in thousandths.
fn set_erase(world: &mut World, node: NodeId, own: u32, others: &Others<'_>) {
    let nominal = world.resource::<Setting>().sector_erase;
    let factors = others.at(node).filter_map(|other| match &other.fault.kind {
        FaultKind::SlowErase(slower) => Some(slower.factor.thousandths()),
        _ => None,
    });
    let factor = factors.chain([own]).max().unwrap_or(1_000);
    if let Some(mut flash) = component::<Flash>(world, node) {
        flash.times.sector_erase = scaled(nominal, factor);
    }
}

fn scaled(span: Span, thousandths: u32) -> Span {
    Span::from_nanos(span.as_nanos().saturating_mul(u64::from(thousandths)) / 1_000)
}

fn flip_bits(world: &mut World, node: NodeId, count: u32) -> Option<String> {
    use rand::RngExt as _;
    let bits = world.resource::<Setting>().image_len * 8;
    let mut flipped = None;
    for _ in 0..count {
        let bit = world.resource_mut::<Setting>().random.random_range(0..bits);
        let mut flash = component::<Flash>(world, node)?;
        let at = usize::try_from(bit / 8).ok()?;
        let before = flash.dump(at, 1)[0];
        if flash.flip_bit(bit) {
            let after = flash.dump(at, 1)[0];
            flipped = flipped.or(Some(format!("flash of {node} at {at:#07x}: {before:#04x} became {after:#04x}")));
        }
    }
    let more = match count {
        0 | 1 => String::new(),
        2 => ", and 1 bit more".to_owned(),
        _ => format!(", and {} bits more", count - 1),
    };
    flipped.map(|first| first + &more)
}

impl<'a> Others<'a> {
    fn all(&self) -> impl DoubleEndedIterator<Item = &'a Injection> {
        self.0.iter().map(|(_, other)| *other)
    }

    /// Those that act at `node`.
    fn at(&self, node: NodeId) -> impl DoubleEndedIterator<Item = &'a Injection> {
        self.all().filter(move |other| other.nodes.contains(&node))
    }

    /// The last that began with something of the kind wanted at `node`.
    fn last<T>(&self, node: NodeId, wanted: fn(&'a FaultKind) -> Option<T>) -> Option<T> {
        self.at(node).rev().find_map(|other| wanted(&other.fault.kind))
    }

    fn any(&self, node: NodeId, is: fn(&FaultKind) -> bool) -> bool {
        self.at(node).any(|other| is(&other.fault.kind))
    }

    /// Whether another one holds this branch switched off.
    fn hold_branch(&self, branch: Branch) -> bool {
        self.all().any(|other| switched(other).contains(&branch))
    }
}

/// The branches that an injection switches off.
pub(super) fn switched(injection: &Injection) -> &'static [Branch] {
    const FEED: Branch = Branch::Pumps(0);
    match (&injection.fault.kind, &injection.fault.place) {
        (FaultKind::FeedOff, _) | (FaultKind::PowerCut, Place::PumpFeed) => &[FEED],
        (FaultKind::PowerCut, Place::Supply) => &[Branch::Cioc, FEED],
        _ => &[],
    }
}

/// Takes the fault back, but nothing that one of the `others` holds.
pub(super) fn end(
    world: &mut World,
    context: &mut Context<'_>,
    number: usize,
    injection: &Injection,
    others: &Others<'_>,
) {
    let nodes = injection.nodes.iter();
    match &injection.fault.kind {
        FaultKind::PowerCut | FaultKind::Exchanged(_) | FaultKind::FeedOff => {
            restore(world, context, injection, others)
        }
        FaultKind::Safety(kind) => nodes.for_each(|node| {
            let own = u16::try_from(number).unwrap_or(u16::MAX);
            hosts::safety::faults::end(world, context, own, *node, kind);
        }),
        FaultKind::FramTear(_) => {
            if let Some(mut host) = component::<CiocHost>(world, NodeId::CIOC) {
                (host.fram.tear_after, host.fram.torn) = (None, None);
            }
            restore(world, context, injection, others);
        }
        FaultKind::Sag(_) | FaultKind::OverVoltage(_) | FaultKind::Ramp(_) => {
            end_level(world, context, number, injection, others);
        }
        FaultKind::BitErrors(_)
        | FaultKind::Burst(_)
        | FaultKind::FrameHit(_)
        | FaultKind::FrameLoss(_)
        | FaultKind::ReceiveOverrun(_) => bus::end_injection(world, context, token(number)),
        kind @ (FaultKind::Unplugged | FaultKind::OpenBus | FaultKind::StuckDominant | FaultKind::StuckRecessive) => {
            let same = others.all().filter(|other| other.fault.kind == *kind);
            let held = same.fold(0, |mask, other| mask | wired(other));
            set_wiring(world, context, kind, wired(injection) & !held, false);
        }
        FaultKind::Babbling(_) => nodes.for_each(|node| {
            let other = others.last(*node, |kind| match kind {
                FaultKind::Babbling(babble) => babbled(babble),
                _ => None,
            });
            bus::set_babbling(world, context, *node, other);
        }),
        FaultKind::ControllerSlow(_) => set_latencies(world, injection, Span::ZERO, others),
        FaultKind::ControllerStopped => nodes.for_each(|node| {
            let held = others.any(*node, |kind| matches!(kind, FaultKind::ControllerStopped));
            bus::set_stopped(world, context, *node, held);
        }),
        _ => nodes.for_each(|node| end_at_board(world, context.now, number, injection, others, *node)),
    }
}

fn restore(world: &mut World, context: &mut Context<'_>, injection: &Injection, others: &Others<'_>) {
    for branch in switched(injection) {
        if !others.hold_branch(*branch) {
            power::switch(world, context, *branch, true);
        }
    }
    for node in injection.nodes.iter() {
        let cut =
            |kind: &FaultKind| matches!(kind, FaultKind::PowerCut | FaultKind::Exchanged(_) | FaultKind::FramTear(_));
        if !others.any(*node, cut) {
            power::restore(world, context, *node);
        }
    }
}

/// A level ends by itself, a ramp goes back at once; but the last other one at the place takes it over.
fn end_level(world: &mut World, context: &mut Context<'_>, number: usize, injection: &Injection, others: &Others<'_>) {
    for place in supply_places(injection) {
        let is_same = |other: &Injection| supply_places(other).contains(&place) && is_level(other);
        let same = others.0.iter().rev().find(|(_, other)| is_same(other));
        if let Some((other, held)) = same {
            let left = Some(held.until).filter(|until| *until != SimTime::NEVER).map(|until| until.since(context.now));
            if let Some(what) = disturbance(&held.fault.kind, left) {
                power::disturb(world, context, place, what, token(*other));
            }
        } else if matches!(injection.fault.kind, FaultKind::Ramp(_)) {
            let to_mv = world.resource::<Setting>().nominal_mv;
            power::disturb(world, context, place, Disturbance::Step { to_mv }, token(number));
        }
    }
}

fn is_level(injection: &Injection) -> bool {
    matches!(injection.fault.kind, FaultKind::Sag(_) | FaultKind::OverVoltage(_) | FaultKind::Ramp(_))
}

fn end_at_board(
    world: &mut World,
    now: SimTime,
    number: usize,
    injection: &Injection,
    others: &Others<'_>,
    node: NodeId,
) {
    match &injection.fault.kind {
        FaultKind::FlashProgramFailure(_) => {
            if let Some(mut host) = component::<PumpHost>(world, node) {
                host.failing_programs.retain(|(by, _)| *by != number);
            }
        }
        FaultKind::SlowErase(_) => set_erase(world, node, 1_000, others),
        FaultKind::SlowBoot(later) => {
            if let Some(mut cpu) = component::<Cpu>(world, node) {
                cpu.options.boot_time = cpu.options.boot_time - later.by;
            }
        }
        FaultKind::WrongVersion(_) => {
            let other = others.last(node, |kind| match kind {
                FaultKind::WrongVersion(reported) => Some(reported.version.to_header()),
                _ => None,
            });
            if let Some(mut host) = component::<PumpHost>(world, node) {
                host.false_version = other;
            }
        }
        FaultKind::ClockDrift(_) => {
            let other = others.last(node, |kind| match kind {
                FaultKind::ClockDrift(drifting) => Some(drifting.by.ppm()),
                _ => None,
            });
            if let Some(mut cpu) = component::<Cpu>(world, node) {
                let own = cpu.own_ppm;
                cpu.set_drift(now, other.unwrap_or(own));
            }
        }
        _ => {}
    }
}

/// Power fails in the middle of a write to the FRAM: what was to be written is not whole, and the CIOC is off.
pub(super) fn torn_write(
    world: &mut World,
    context: &mut Context<'_>,
    injection: &Injection,
    record: &Record,
) -> Option<String> {
    let FaultKind::FramTear(_) = injection.fault.kind else { return None };
    let &Record::Orchestrator(OrchestratorRecord::WriteTorn { offset, kept, length }) = record else { return None };
    component::<CiocHost>(world, NodeId::CIOC)?.fram.torn = None;
    power::cut_at_once(world, context, NodeId::CIOC);
    Some(format!(
        "a write of {} at {offset:#06x} of the FRAM ended after {}",
        counted(length as u64, "byte", "bytes"),
        counted(kept as u64, "byte", "bytes")
    ))
}

/// What in this record shows that the injection acted.
pub(super) fn proof(
    world: &World,
    now: SimTime,
    number: usize,
    injection: &Injection,
    record: &Record,
) -> Option<String> {
    let ours = |token: u32| usize::try_from(token).is_ok_and(|token| token == number);
    let at = |node: &NodeId| injection.nodes.contains(node);
    match (&injection.fault.kind, record) {
        (_, Record::Bus(BusRecord::Hit { injection, bit, victims, .. })) if ours(*injection) => {
            Some(format!("bit {bit} of a frame read inverted by {}", names_of(world, *victims)))
        }
        (_, Record::Bus(BusRecord::Lost { injection, node, id })) if ours(*injection) => {
            Some(format!("{node} lost a frame {:#05x} above the link layer", protocol::frame::raw_id(*id)))
        }
        (FaultKind::Safety(kind), Record::Safety(SafetyRecord::Injected { injection, .. }))
            if ours(u32::from(*injection)) =>
        {
            Some(match kind {
                SafetyFault::C2cLost(hit) => format!("a packet or message of CPU{} was lost", hit.from),
                SafetyFault::C2cCorrupted(hit) => format!("a bit of a packet of CPU{} was inverted", hit.from),
                SafetyFault::C2cForged(forge) => {
                    format!("a packet of CPU{} said another {}", forge.from, forge.field.name().to_lowercase())
                }
                SafetyFault::C2cDelayed(delay) => format!("a packet of CPU{} came {} ms later", delay.from, delay.by),
                SafetyFault::C2cRepeated(repeat) => {
                    format!("a packet of CPU{} came once more after {} ms", repeat.from, repeat.after)
                }
                SafetyFault::CanRepeated(repeat) => format!("a frame was sent once more by {}", repeat.by),
                SafetyFault::RamCell(cell) => format!(
                    "word {} of CPU{} was not what was written: bit {} {}",
                    cell.word,
                    cell.cpu,
                    cell.bit,
                    cell.defect.name()
                ),
                SafetyFault::RadioLost(_) => "a radio packet was lost".to_owned(),
                SafetyFault::RadioCorrupted(_) => "a bit of a radio packet was inverted".to_owned(),
                SafetyFault::RadioForged(_) => "a radio packet named another sender".to_owned(),
                SafetyFault::RadioDelayed(by) => format!("a radio packet came {by} ms later"),
                SafetyFault::RadioRepeated(after) => format!("a radio packet came once more after {after} ms"),
                SafetyFault::RadioSwapped => "two radio packets changed their places".to_owned(),
                _ => return None,
            })
        }
        (FaultKind::ControllerSlow(later), Record::Bus(BusRecord::Frame { .. })) if injection.active > 0 => {
            slow_attention(world, now, injection, later.by)
        }
        (FaultKind::Babbling(babble), Record::Bus(BusRecord::Frame { frame, sender, .. }))
            if injection.active > 0
                && at(sender)
                && frame.id() == babble.id.id()
                && bus::controller(world, *sender).babbled_at(now) =>
        {
            Some(format!("{sender} sends {:#05x} back to back", protocol::frame::raw_id(frame.id())))
        }
        (_, Record::Pump(record)) if injection.active > 0 && at(&record.node()) => {
            pump_proof(world, now, number, injection, record)
        }
        (FaultKind::SlowBoot(_), Record::Orchestrator(OrchestratorRecord::Reset))
            if injection.active > 0 && at(&NodeId::CIOC) =>
        {
            boot_read_back(world, NodeId::CIOC)
        }
        (FaultKind::SlowBoot(_), Record::Power(PowerRecord::Good { node, .. })) if injection.active > 0 && at(node) => {
            boot_read_back(world, *node)
        }
        (FaultKind::Reset, Record::Orchestrator(OrchestratorRecord::Reset))
            if at(&NodeId::CIOC) && is_due(now, injection) =>
        {
            Some("the CIOC was reset".to_owned())
        }
        _ => super::prove::proof(world, now, injection, record),
    }
}

/// A controller of the place took this frame, and its CPU attends to it later than it would by the fault's measure.
fn slow_attention(world: &World, now: SimTime, injection: &Injection, by: Span) -> Option<String> {
    let bus = world.resource::<bus::Bus>();
    let least = world.resource::<Setting>().latency + by;
    let took = injection.nodes.iter().filter(|node| bus.receivers() & node.bit() != 0);
    took.filter_map(|node| bus::controller(world, *node).attends_after(now).map(|after| (node, after)))
        .find(|(_, after)| *after >= least)
        .map(|(node, after)| format!("the CPU of {node} attends {after} ms after the end of a frame"))
}

/// A reset is proven once for each time that the fault began, at that very instant; other resets have other causes.
fn is_due(now: SimTime, injection: &Injection) -> bool {
    injection.began == now && injection.activations < u64::from(injection.begun)
}

/// Those of the nodes in `mask` that exist.
fn names_of(world: &World, mask: u32) -> String {
    let nodes = world.resource::<Nodes>();
    let hit: Vec<String> =
        nodes.iter().filter(|(node, _)| mask & node.bit() != 0).map(|(node, _)| node.to_string()).collect();
    if hit.len() == nodes.iter().count() { "all nodes".to_owned() } else { hit.join(", ") }
}

/// The boot that begins now takes as long as the CPU is set to.
fn boot_read_back(world: &World, node: NodeId) -> Option<String> {
    let entity = world.resource::<Nodes>().get(node)?;
    world.get::<Cpu>(entity).map(|cpu| format!("the boot of {node} takes {} ms", cpu.options.boot_time))
}

/// The injection that the latest flash failure of a pump is due to.
fn failed_by(world: &World, node: NodeId) -> Option<usize> {
    world.get::<PumpHost>(world.resource::<Nodes>().get(node)?)?.failed_by
}

fn pump_proof(
    world: &World,
    now: SimTime,
    number: usize,
    injection: &Injection,
    record: &PumpRecord,
) -> Option<String> {
    let node = record.node();
    match (&injection.fault.kind, record) {
        (FaultKind::FlashProgramFailure(_), PumpRecord::FlashBegun { operation, .. })
            if operation.fails && failed_by(world, node) == Some(number) =>
        {
            Some(format!("flash operation {} of {node} failed", operation.number))
        }
        (FaultKind::SlowErase(_), PumpRecord::FlashBegun { operation, .. }) => {
            let took = operation.ends.since(operation.begun);
            (took > world.resource::<Setting>().sector_erase).then(|| format!("an erase of {node} takes {took} ms"))
        }
        (FaultKind::SlowBoot(_), PumpRecord::Reset { .. }) => boot_read_back(world, node),
        (FaultKind::Reset, PumpRecord::Reset { cause: ResetCause::Watchdog, .. }) if is_due(now, injection) => {
            Some(format!("{node} was reset"))
        }
        (FaultKind::WrongVersion(_), PumpRecord::Disguised { version, .. }) => {
            Some(format!("{node} reports version {version}"))
        }
        _ => None,
    }
}
