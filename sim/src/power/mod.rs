//! The supply: one source, switchable branches, and nodes that lose and regain power.
//!
//! ```text
//!   source (EMF profile) --resistance--+-- switch -- CIOC branch -- CIOC
//!                                      +-- switch -- pumps' feed 0 (.. 3) -- cut -- P01 .. P16
//!                                      +-- switch -- safety branch -- safety units
//! ```
//! Voltages are straight lines between known instants, so the next instant at which anything changes is solved, not
//! polled: one event waits at any time. Words: a *place* is where a disturbance acts; the *level* of the source is its
//! open-circuit voltage, the load's drop comes on top; *hold-up* is how long a node runs on after its voltage fell below
//! its switch-off level; a *brown-out* is a loss of power that no switch and no cut made.
//!
//! At time 0 every node is off; each one with enough voltage gets its `PowerGood` at time 0.

mod profile;
mod supply;
#[cfg(test)]
mod tests;

use bevy_ecs::prelude::World;

use crate::event::{Context, Event, TwinBuilder};
use crate::kernel::{SimTime, Span, Words};
use crate::node::NodeId;

pub use profile::Disturbance;
use profile::UV_PER_MV;
pub(crate) use supply::Supply;

/// Where the fixed figures of the supply come from: (what, value, source). Those that a scenario sets are not among them.
pub const ASSUMPTIONS: &[(&str, &str, &str)] = &[
    ("draw of a pump's electronics, CIOC, safety unit", "50 mA, 300 mA, 200 mA", "own number"),
    ("current of a node", "does not depend on its voltage; none while it has no power", "own model"),
    ("a sag at a branch or node", "limits the voltage there; an over-voltage lifts it", "own model"),
    ("pumps' feed counts as present from", "8.0 V behind the switch", "own number"),
];

/// A switchable branch of the supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Branch {
    /// The CIOC board.
    Cioc,
    /// The safety units.
    Safety,
    /// A feed of the pumps, numbered from 0; at most 4.
    Pumps(u8),
}

impl Branch {
    /// The most feeds of pumps.
    pub const PUMP_FEEDS_MOST: u8 = 4;

    /// Place in the table of branches.
    fn index(self) -> usize {
        match self {
            Self::Cioc => 0,
            Self::Safety => 1,
            Self::Pumps(feed) => 2 + usize::from(feed),
        }
    }

    /// The branch at `index` of the table.
    fn at(index: usize) -> Self {
        match index {
            0 => Self::Cioc,
            1 => Self::Safety,
            _ => Self::Pumps((index - 2) as u8),
        }
    }
}

/// Where a disturbance acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupplyPlace {
    /// The source: everything.
    Source,
    /// All nodes of a branch.
    Branch(Branch),
    /// One node.
    Node(NodeId),
}

impl SupplyPlace {
    /// A number for fingerprints.
    fn word(self) -> u64 {
        match self {
            Self::Source => 0,
            Self::Branch(branch) => 0x100 + branch.index() as u64,
            Self::Node(node) => 0x200 + node.index() as u64,
        }
    }
}

/// A value outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {range}")]
pub struct OutOfRange {
    /// The option.
    pub key: &'static str,
    /// What is allowed.
    pub range: &'static str,
}

/// Fails with `key` and `range` unless `fits`.
pub(crate) fn want(fits: bool, key: &'static str, range: &'static str) -> Result<(), OutOfRange> {
    if fits { Ok(()) } else { Err(OutOfRange { key, range }) }
}

/// The source and its branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// Open-circuit voltage at the start in mV, 0 to 100,000; default 24,000.
    pub source_mv: u32,
    /// Resistance of source and cables in mOhm, 0 to 10,000; default 20.
    pub resistance_mohm: u32,
    /// How many feeds the pumps have, 1 to 4; default 1.
    pub pump_feeds: u8,
    /// The voltage in mV from which a branch counts as fed, 0 to 100,000; default 8,000.
    pub feed_present_mv: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { source_mv: 24_000, resistance_mohm: 20, pump_feeds: 1, feed_present_mv: 8_000 }
    }
}

impl Options {
    /// Whether every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        want(self.source_mv <= 100_000, "source_mv", "0 to 100,000 mV")?;
        want(self.resistance_mohm <= 10_000, "resistance_mohm", "0 to 10,000 mOhm")?;
        want((1..=Branch::PUMP_FEEDS_MOST).contains(&self.pump_feeds), "pump_feeds", "1 to 4")?;
        want(self.feed_present_mv <= 100_000, "feed_present_mv", "0 to 100,000 mV")
    }
}

/// How a node reacts to its supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeOptions {
    /// Below this voltage in mV the node lives on its hold-up; 1 to 100,000.
    pub off_mv: u32,
    /// At or above this voltage in mV a node without power starts; `off_mv` to 100,000.
    pub on_mv: u32,
    /// How long the node runs on below `off_mv`, 0 to 10 s.
    pub hold_up: Span,
    /// What it draws beside its motor in mA, 0 to 65,535.
    pub idle_ma: u32,
}

impl NodeOptions {
    /// A pump: off below 8 V, on from 9 V, 5 ms, 50 mA.
    #[must_use]
    pub const fn pump() -> Self {
        Self { off_mv: 8_000, on_mv: 9_000, hold_up: Span::from_millis(5), idle_ma: 50 }
    }

    /// The CIOC: off below 7 V, on from 8 V, 5 ms, 300 mA.
    #[must_use]
    pub const fn cioc() -> Self {
        Self { off_mv: 7_000, on_mv: 8_000, hold_up: Span::from_millis(5), idle_ma: 300 }
    }

    /// A safety unit: off below 5 V, on from 6 V, 5 ms, 200 mA.
    #[must_use]
    pub const fn safety() -> Self {
        Self { off_mv: 5_000, on_mv: 6_000, hold_up: Span::from_millis(5), idle_ma: 200 }
    }

    /// Whether every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        want((1..=100_000).contains(&self.off_mv), "off_mv", "1 to 100,000 mV")?;
        want((self.off_mv..=100_000).contains(&self.on_mv), "on_mv", "off_mv to 100,000 mV")?;
        want(self.hold_up <= Span::from_secs(10), "hold_up", "0 to 10 s")?;
        want(self.idle_ma <= 65_535, "idle_ma", "0 to 65,535 mA")
    }
}

/// Scheduled events of this domain.
#[derive(Clone, Copy, Debug, Hash)]
pub enum PowerEvent {
    /// Something changes at the supply; a wake with an old number is void.
    Wake(u64),
}

/// Records of this domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerRecord {
    /// A straight piece of voltage begins at a place.
    Level {
        /// Where.
        place: SupplyPlace,
        /// The level at its start in mV; none when the place follows what feeds it again.
        from_mv: Option<u32>,
        /// The level at its end in mV.
        to_mv: Option<u32>,
        /// When it ends, [`SimTime::NEVER`] if it stays.
        until: SimTime,
        /// The injection that asked for it.
        injection: u32,
    },
    /// A node lost its power: its hold-up has run out.
    Lost {
        /// Which.
        node: NodeId,
        /// Its voltage in mV.
        mv: u32,
        /// Whether a switch or a cut did it; otherwise it is a brown-out.
        switched: bool,
    },
    /// A node has power (again).
    Good {
        /// Which.
        node: NodeId,
        /// Its voltage in mV.
        mv: u32,
    },
    /// A node's voltage was below its switch-off level for no longer than its hold-up.
    RodeThrough {
        /// Which.
        node: NodeId,
        /// How long.
        below: Span,
    },
    /// A branch was switched.
    Switched {
        /// Which.
        branch: Branch,
        /// The switch now.
        on: bool,
    },
    /// One node's line was cut or restored.
    Line {
        /// Which.
        node: NodeId,
        /// Whether it is connected now.
        connected: bool,
    },
}

impl PowerRecord {
    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, to: &mut Words) {
        let put = |words: &[u64], to: &mut Words| words.iter().for_each(|&word| to.put(word));
        let level = |mv: Option<u32>| mv.map_or(u64::MAX, u64::from);
        match *self {
            Self::Level { place, from_mv, to_mv, until, injection } => {
                put(&[0, place.word(), level(from_mv), level(to_mv), until.as_nanos(), u64::from(injection)], to);
            }
            Self::Lost { node, mv, switched } => {
                put(&[1, node.index() as u64, u64::from(mv), u64::from(switched)], to);
            }
            Self::Good { node, mv } => put(&[2, node.index() as u64, u64::from(mv)], to),
            Self::RodeThrough { node, below } => put(&[3, node.index() as u64, below.as_nanos()], to),
            Self::Switched { branch, on } => put(&[4, branch.index() as u64, u64::from(on)], to),
            Self::Line { node, connected } => put(&[5, node.index() as u64, u64::from(connected)], to),
        }
    }
}

/// The lowest and highest voltage of a place so far, in mV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extremes {
    /// The lowest.
    pub min_mv: u32,
    /// The highest.
    pub max_mv: u32,
}

/// Puts the supply into the twin; nodes follow with [`attach`].
///
/// # Panics
/// If an option is out of its range: the scenario loader refuses it first, with [`Options::check`].
pub fn install(builder: &mut TwinBuilder, options: Options) {
    options.check().unwrap_or_else(|error| panic!("{error}"));
    builder.state_resource(Supply::new(options));
    builder.agenda.at(SimTime::ZERO, Event::Power(PowerEvent::Wake(0)));
    builder.on(Event::POWER, |world, context, event| {
        if let Event::Power(PowerEvent::Wake(number)) = event {
            world.resource_mut::<Supply>().wake(context, number);
        }
    });
}

/// Hangs a node on a branch while the twin is built, after [`install`].
///
/// # Panics
/// If an option is out of its range, the branch does not exist, or the node hangs on one already.
pub fn attach(builder: &mut TwinBuilder, node: NodeId, branch: Branch, options: NodeOptions) {
    options.check().unwrap_or_else(|error| panic!("{node}: {error}"));
    builder.world.resource_mut::<Supply>().attach(node, branch, options);
}

/// Begins a disturbance at a place; one that still runs there ends.
///
/// At the source a level is the open-circuit voltage, and what does not stay returns to the last level that stayed. At a
/// branch or node, a level below the source's limits the voltage, a level above it (and any over-voltage) lifts it.
///
/// # Panics
/// If the twin has no such branch or node.
pub fn disturb(world: &mut World, ctx: &mut Context, place: SupplyPlace, what: Disturbance, injection_id: u32) {
    world.resource_mut::<Supply>().change(ctx, |supply, ctx| supply.disturb(ctx, place, what, injection_id));
}

/// Switches a branch.
///
/// # Panics
/// If the twin has no such branch.
pub fn switch(world: &mut World, ctx: &mut Context, branch: Branch, on: bool) {
    world.resource_mut::<Supply>().change(ctx, |supply, ctx| supply.switch(ctx, branch, on));
}

/// Cuts the line of one node: no voltage; the power is lost once the hold-up has run out.
///
/// # Panics
/// If the node hangs on no branch.
pub fn cut(world: &mut World, ctx: &mut Context, node: NodeId) {
    world.resource_mut::<Supply>().change(ctx, |supply, ctx| supply.connect(ctx, node, false));
}

/// Cuts the line of one node behind its hold-up: the power is lost at this instant.
///
/// # Panics
/// If the node hangs on no branch.
pub fn cut_at_once(world: &mut World, ctx: &mut Context, node: NodeId) {
    world.resource_mut::<Supply>().change(ctx, |supply, ctx| {
        supply.connect(ctx, node, false);
        supply.discharge(node, ctx.now);
    });
}

/// Connects a node again after [`cut`] or [`cut_at_once`].
///
/// # Panics
/// If the node hangs on no branch.
pub fn restore(world: &mut World, ctx: &mut Context, node: NodeId) {
    world.resource_mut::<Supply>().change(ctx, |supply, ctx| supply.connect(ctx, node, true));
}

/// What a node draws beside its idle current from now on, in mA; forgotten when it loses power.
///
/// # Panics
/// If the node hangs on no branch.
pub fn set_load(world: &mut World, ctx: &mut Context, node: NodeId, milliamps: u32) {
    set_loads(world, ctx, &[(node, milliamps)]);
}

/// [`set_load`] for several nodes at once.
///
/// # Panics
/// If a node hangs on no branch.
pub fn set_loads(world: &mut World, ctx: &mut Context, loads: &[(NodeId, u32)]) {
    world.resource_mut::<Supply>().change(ctx, |supply, _| supply.set_loads(loads));
}

/// The voltage at the node's terminals in mV, rounded down, now or within the present lines of the profile.
///
/// # Panics
/// If the node hangs on no branch.
#[must_use]
pub fn supply_mv(world: &World, node: NodeId, now: SimTime) -> u32 {
    world.resource::<Supply>().node_mv(node, now)
}

/// Since when the voltage of a node had been too low as it last lost its power.
///
/// # Panics
/// If the node hangs on no branch.
#[must_use]
pub(crate) fn low_since(world: &World, node: NodeId) -> SimTime {
    world.resource::<Supply>().low_since(node)
}

/// The voltage at the source's terminals in mV, rounded down: what remains after the load's drop. Cheap.
#[must_use]
pub fn source_mv(world: &World, now: SimTime) -> u32 {
    millivolts(world.resource::<Supply>().source_at(now))
}

/// What all nodes draw from the source, in mA.
#[must_use]
pub fn total_load_ma(world: &World) -> u32 {
    world.resource::<Supply>().total_load_ma()
}

/// Whether a branch is switched on and carries at least [`Options::feed_present_mv`].
///
/// # Panics
/// If the twin has no such branch.
#[must_use]
pub fn feed_on(world: &World, branch: Branch, now: SimTime) -> bool {
    world.resource::<Supply>().feed_on(branch, now)
}

/// The voltage of the first pumps' feed behind its switch in mV, rounded down; what the CIOC measures.
#[must_use]
pub fn feed_mv(world: &World, now: SimTime) -> u32 {
    world.resource::<Supply>().feed_mv(Branch::Pumps(0), now)
}

/// Whether the node has power: its voltage is there, or its hold-up has not run out.
///
/// # Panics
/// If the node hangs on no branch.
#[must_use]
pub fn is_powered(world: &World, node: NodeId) -> bool {
    world.resource::<Supply>().is_powered(node)
}

/// The branch on which a node hangs, if it does.
#[must_use]
pub fn branch_of(world: &World, node: NodeId) -> Option<Branch> {
    world.resource::<Supply>().branch_of(node)
}

/// How often the node lost its power without a switch or cut.
///
/// # Panics
/// If the node hangs on no branch.
#[must_use]
pub fn brownouts(world: &World, node: NodeId) -> u32 {
    world.resource::<Supply>().brownouts(node)
}

/// How often the node lost its power for whatever reason.
///
/// # Panics
/// If the node hangs on no branch.
#[must_use]
pub fn losses(world: &World, node: NodeId) -> u32 {
    world.resource::<Supply>().losses(node)
}

/// [`brownouts`] of all nodes together.
#[must_use]
pub fn brownouts_total(world: &World) -> u32 {
    world.resource::<Supply>().brownouts_total()
}

/// The extremes at the source's terminals so far.
#[must_use]
pub fn source_extremes(world: &World) -> Extremes {
    world.resource::<Supply>().source_extremes()
}

/// The extremes at the node's terminals so far, taken at both ends of every straight line and at every change.
///
/// # Panics
/// If the node hangs on no branch.
#[must_use]
pub fn node_extremes(world: &World, node: NodeId) -> Extremes {
    world.resource::<Supply>().node_extremes(node)
}

fn millivolts(microvolts: i64) -> u32 {
    u32::try_from(microvolts.max(0) / UV_PER_MV).unwrap_or(u32::MAX)
}
