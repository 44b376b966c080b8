//! The coolant loop: pumps, flow, heat and temperature.
//!
//! ```text
//!   commands --slew--> speeds --affinity laws, check valves--> flow --exchanger--> coolant temperature
//!                         |                                      |                        |
//!                   motor currents --> power                     +------ sensors (integers) ------> firmware
//! ```
//! The loop moves in fixed steps; between two steps it stands still. Inside it counts in f64 with the four operations,
//! square root and libm only, so that every host gets the same bits; what leaves it are integers, as from a sensor.
//! Words: a *command* is what a motor controller asks of its motor; the *speed* is what the motor does; a motor without
//! power *coasts* down.

mod hydraulics;
#[cfg(test)]
mod tests;
mod thermal;

use std::hash::{Hash, Hasher};

use bevy_ecs::prelude::{Resource, World};
use units::{DeciCelsius, Milliamps, Permille};

use crate::event::{Context, Event, TwinBuilder};
use crate::kernel::{SimTime, Span, Words};
use crate::node::NodeId;
use crate::power::{self, OutOfRange, Supply, want};
use crate::record::Record;
use hydraulics::Curves;
use thermal::{Coolant, Exchanger};

/// Where the figures of the plant come from: (what, value, source).
pub const ASSUMPTIONS: &[(&str, &str, &str)] = &[
    ("system curve", "0.765 Pa per (L/min)^2", "own number: meets 280 L/min"),
    ("check valves", "ideal: no flow backwards, no loss", "own model"),
    ("pump speed", "0 to 100 % in 2 s, straight; coasts 100 to 0 % in 1 s without power", "own number"),
    ("motor current", "3 A at full speed, with the cube of the speed, at any voltage", "own number; affinity laws"),
    ("coolant", "1040 g/L, 3600 J/(kg K): water with glycol, one well-mixed volume", "own number"),
    ("exchanger", "17.2 kW/K (coolant side, with flow^0.8, at 280 L/min) and 9 kW/K in series", "own number"),
    ("heat of the pumps, heat lost by the pipes", "neglected", "own model: at most 1 kW of 60 kW"),
    ("coolant", "neither freezes nor boils", "own model"),
];

/// The loop's figures; the defaults hold 35 °C at 60 kW with all 14 pumps at 60 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// Length of a step, 1 ms to 1 s; default 100 ms.
    pub step: Span,
    /// From standstill to full speed, 1 ms to 1 h; default 2 s. Slowing down takes as long.
    pub slew: Span,
    /// From full speed to standstill without power, 1 ms to 1 h; default 1 s.
    pub coast: Span,
    /// Head of a pump at full speed without flow in Pa, 1 to 10,000,000; default 100,000.
    pub shut_off_pa: u32,
    /// Loss inside a pump in mPa per (L/min)^2, 1 to 10^9; default 100,000.
    pub pump_loss_mpa: u32,
    /// Resistance of the pipes in mPa per (L/min)^2, 1 to 10^9; default 765.
    pub system_loss_mpa: u32,
    /// Motor current at full speed in mA, 0 to 65,535; default 3,000.
    pub rated_ma: u16,
    /// Coolant in the loop in mL, 1,000 to 10^9; default 200,000.
    pub volume_ml: u32,
    /// Density in g/L, 1 to 10,000; default 1,040.
    pub density_g_per_l: u32,
    /// Specific heat in J/(kg K), 1 to 100,000; default 3,600.
    pub heat_j_per_kg_k: u32,
    /// Heat load at the start in W, 0 to 100,000,000; default 60,000.
    pub heat_w: u32,
    /// Conductance of the exchanger's coolant side at the reference flow in W/K, 1 to 100,000,000; default 17,200.
    pub coolant_side_w_per_k: u32,
    /// The flow at which that is so in L/min, 1 to 1,000,000; default 280.
    pub reference_flow_l_per_min: u32,
    /// Conductance of the exchanger's wall and other side in W/K, 1 to 100,000,000; default 9,000.
    pub other_side_w_per_k: u32,
    /// Temperature of the other side, -50 to 150 °C; default 20.0 °C.
    pub secondary: DeciCelsius,
    /// Coolant temperature at the start, -50 to 150 °C; default 35.0 °C.
    pub coolant: DeciCelsius,
    /// Speed of every pump at the start, 0 to 1000 permille; default 0.
    pub speed: Permille,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            step: Span::from_millis(100),
            slew: Span::from_secs(2),
            coast: Span::from_secs(1),
            shut_off_pa: 100_000,
            pump_loss_mpa: 100_000,
            system_loss_mpa: 765,
            rated_ma: 3_000,
            volume_ml: 200_000,
            density_g_per_l: 1_040,
            heat_j_per_kg_k: 3_600,
            heat_w: 60_000,
            coolant_side_w_per_k: 17_200,
            reference_flow_l_per_min: 280,
            other_side_w_per_k: 9_000,
            secondary: DeciCelsius::new(200),
            coolant: DeciCelsius::new(350),
            speed: Permille::new(0),
        }
    }
}

impl Options {
    /// Whether every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let span = |span: Span, most: Span| (Span::from_millis(1)..=most).contains(&span);
        let celsius = |value: DeciCelsius| (-500..=1_500).contains(&value.get());
        let hour = Span::from_secs(3_600);
        want(span(self.step, Span::from_secs(1)), "step", "1 ms to 1 s")?;
        want(span(self.slew, hour), "slew", "1 ms to 1 h")?;
        want(span(self.coast, hour), "coast", "1 ms to 1 h")?;
        want((1..=10_000_000).contains(&self.shut_off_pa), "shut_off_pa", "1 to 10,000,000 Pa")?;
        want((1..=1_000_000_000).contains(&self.pump_loss_mpa), "pump_loss_mpa", "1 to 10^9 mPa per (L/min)^2")?;
        want((1..=1_000_000_000).contains(&self.system_loss_mpa), "system_loss_mpa", "1 to 10^9 mPa per (L/min)^2")?;
        want((1_000..=1_000_000_000).contains(&self.volume_ml), "volume_ml", "1,000 to 10^9 mL")?;
        want((1..=10_000).contains(&self.density_g_per_l), "density_g_per_l", "1 to 10,000 g/L")?;
        want((1..=100_000).contains(&self.heat_j_per_kg_k), "heat_j_per_kg_k", "1 to 100,000 J/(kg K)")?;
        want(self.heat_w <= HEAT_W_MAX, "heat_w", "0 to 100,000,000 W")?;
        let conductance = |value: u32| (1..=100_000_000).contains(&value);
        want(conductance(self.coolant_side_w_per_k), "coolant_side_w_per_k", "1 to 100,000,000 W/K")?;
        want((1..=1_000_000).contains(&self.reference_flow_l_per_min), "reference_flow_l_per_min", "1 to 1,000,000")?;
        want(conductance(self.other_side_w_per_k), "other_side_w_per_k", "1 to 100,000,000 W/K")?;
        want(celsius(self.secondary), "secondary", "-50 to 150 °C")?;
        want(celsius(self.coolant), "coolant", "-50 to 150 °C")?;
        want(self.speed <= Permille::FULL, "speed", "0 to 1000 permille")
    }

    fn curves(&self) -> Curves {
        Curves {
            shut_off: f64::from(self.shut_off_pa),
            pump: f64::from(self.pump_loss_mpa) / 1_000.0,
            system: f64::from(self.system_loss_mpa) / 1_000.0,
        }
    }

    fn capacity_per_litre(&self) -> f64 {
        f64::from(self.density_g_per_l) / 1_000.0 * f64::from(self.heat_j_per_kg_k)
    }

    fn exchanger(&self) -> Exchanger {
        Exchanger {
            capacity_per_litre: self.capacity_per_litre(),
            coolant_side: f64::from(self.coolant_side_w_per_k),
            reference_flow: f64::from(self.reference_flow_l_per_min),
            other_side: f64::from(self.other_side_w_per_k),
            secondary: celsius(self.secondary),
        }
    }

    /// Of the whole volume, in J/K.
    fn capacity(&self) -> f64 {
        f64::from(self.volume_ml) / 1_000.0 * self.capacity_per_litre()
    }
}

/// The largest heat load, in W.
const HEAT_W_MAX: u32 = 100_000_000;

fn celsius(value: DeciCelsius) -> f64 {
    f64::from(value.get()) / 10.0
}

/// Scheduled events of this domain.
#[derive(Clone, Copy, Debug, Hash)]
pub enum PlantEvent {
    /// The loop moves on by one step.
    Step,
}

/// Records of this domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlantRecord {
    /// Flow or temperature reads otherwise than in the last record: by 1 L/min or more, or 0.1 °C or more.
    State {
        /// Total flow in 0.1 L/min.
        flow_decilitres_per_min: u32,
        /// Coolant temperature.
        coolant: DeciCelsius,
    },
    /// The heat load begins to change.
    Heat {
        /// The load to come in W.
        to_w: u32,
        /// How long the change takes.
        over: Span,
    },
    /// A motor was blocked or freed.
    Blocked {
        /// Whose.
        node: NodeId,
        /// Whether it is blocked now.
        blocked: bool,
    },
}

impl PlantRecord {
    /// Gives every field as numbers, the kind of record first.
    pub fn words(&self, to: &mut Words) {
        let words = match *self {
            Self::State { flow_decilitres_per_min, coolant } => {
                [0, u64::from(flow_decilitres_per_min), i64::from(coolant.get()) as u64]
            }
            Self::Heat { to_w, over } => [1, u64::from(to_w), over.as_nanos()],
            Self::Blocked { node, blocked } => [2, node.index() as u64, u64::from(blocked)],
        };
        words.into_iter().for_each(|word| to.put(word));
    }
}

/// Full speed in the unit in which speeds are kept: millionths, so that slow slews move in short steps too.
const FULL: u64 = 1_000_000;

/// One motor; speeds in millionths of full speed.
#[derive(Clone, Copy, Debug, Hash)]
struct Motor {
    node: NodeId,
    command: u64,
    /// How often the node had lost its power when the command was given.
    losses_then: u32,
    speed: u64,
    /// How often it had at the last step.
    losses_seen: u32,
    blocked: bool,
}

/// What a motor needs to know of its node's power.
#[derive(Clone, Copy, Debug)]
struct Feed {
    powered: bool,
    losses: u32,
}

impl Feed {
    fn of(supply: &Supply, node: NodeId) -> Self {
        Self { powered: supply.is_powered(node), losses: supply.losses(node) }
    }
}

impl Motor {
    /// Follows the command, or coasts without power; true if it draws another current than the supply was told.
    fn follow(&mut self, feed: Feed, slew: u64, coast: u64) -> bool {
        if !feed.powered || self.losses_then != feed.losses {
            // The output stage forgets its command with the power.
            self.command = 0;
        }
        let before = (self.speed, self.losses_seen);
        self.losses_seen = feed.losses;
        self.speed = match (self.blocked, feed.powered) {
            (true, _) => 0,
            (false, false) => self.speed.saturating_sub(coast),
            (false, true) if self.speed < self.command => (self.speed + slew).min(self.command),
            (false, true) => self.speed.saturating_sub(slew).max(self.command),
        };
        before != (self.speed, self.losses_seen)
    }

    fn permille(&self) -> Permille {
        Permille::new(u16::try_from((self.speed + FULL / 2_000) / (FULL / 1_000)).unwrap_or(u16::MAX))
    }

    /// The rated current times the cube of the speed, rounded, in mA.
    fn current_ma(&self, rated_ma: u16) -> u32 {
        let cube = u128::from(self.speed).pow(3) * u128::from(rated_ma);
        let full = u128::from(FULL).pow(3);
        u32::try_from((cube + full / 2) / full).unwrap_or(u32::MAX)
    }
}

/// A heat load on its way to another; in W.
#[derive(Clone, Copy, Debug)]
struct Heat {
    from: f64,
    to: f64,
    start: SimTime,
    over: Span,
}

impl Heat {
    fn at(&self, now: SimTime) -> f64 {
        let passed = now.since(self.start);
        if passed >= self.over {
            return self.to;
        }
        self.from + (self.to - self.from) * (passed.as_nanos() as f64 / self.over.as_nanos() as f64)
    }
}

/// The extremes that the sensors showed since the start or the last [`restart_extremes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extremes {
    /// Least total flow in 0.1 L/min.
    pub flow_min: u32,
    /// Greatest total flow in 0.1 L/min.
    pub flow_max: u32,
    /// Coldest coolant.
    pub coolant_min: DeciCelsius,
    /// Hottest coolant.
    pub coolant_max: DeciCelsius,
}

impl Extremes {
    fn of(flow: u32, coolant: DeciCelsius) -> Self {
        Self { flow_min: flow, flow_max: flow, coolant_min: coolant, coolant_max: coolant }
    }

    fn widen(&mut self, flow: u32, coolant: DeciCelsius) {
        self.flow_min = self.flow_min.min(flow);
        self.flow_max = self.flow_max.max(flow);
        self.coolant_min = self.coolant_min.min(coolant);
        self.coolant_max = self.coolant_max.max(coolant);
    }
}

/// The whole loop.
#[derive(Resource, Clone, Debug)]
pub(crate) struct Plant {
    options: Options,
    motors: Vec<Motor>,
    heat: Heat,
    coolant: Coolant,
    /// Total flow in L/min, and what it carries off, in W/K: both change with the speeds only.
    flow: f64,
    rejection: f64,
    seen: Extremes,
    told: Option<(u32, DeciCelsius)>,
}

impl Hash for Plant {
    /// What the sensors showed, and what was told of them, is no state.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { options, motors, heat, coolant, flow, rejection, seen: _, told: _ } = self;
        let Heat { from, to: goal, start, over } = heat;
        let Coolant { temperature, heat_in, heat_out } = coolant;
        (options, motors, start, over).hash(to);
        let reals = [from, goal, temperature, heat_in, heat_out, flow, rejection];
        reals.into_iter().for_each(|real| real.to_bits().hash(to));
    }
}

impl Plant {
    fn new(options: Options) -> Self {
        let heat = f64::from(options.heat_w);
        Self {
            options,
            motors: Vec::new(),
            heat: Heat { from: heat, to: heat, start: SimTime::ZERO, over: Span::ZERO },
            coolant: Coolant { temperature: celsius(options.coolant), heat_in: 0.0, heat_out: 0.0 },
            flow: 0.0,
            rejection: 0.0,
            seen: Extremes::of(0, options.coolant),
            told: None,
        }
    }

    fn motor(&self, node: NodeId) -> &Motor {
        self.motors.iter().find(|motor| motor.node == node).unwrap_or_else(|| panic!("{node} drives no pump"))
    }

    fn motor_mut(&mut self, node: NodeId) -> &mut Motor {
        self.motors.iter_mut().find(|motor| motor.node == node).unwrap_or_else(|| panic!("{node} drives no pump"))
    }

    /// [`set_speed_command`] with the plant at hand.
    pub(crate) fn command(&mut self, supply: &Supply, node: NodeId, speed: Permille) {
        let command = u64::from(speed.min(Permille::FULL).get()) * (FULL / 1_000);
        let feed = Feed::of(supply, node);
        let motor = self.motor_mut(node);
        motor.command = if feed.powered { command } else { 0 };
        motor.losses_then = feed.losses;
    }

    /// [`speed`] with the plant at hand.
    pub(crate) fn speed(&self, node: NodeId) -> Permille {
        self.motor(node).permille()
    }

    /// [`motor_current`] with the plant at hand.
    pub(crate) fn motor_current(&self, supply: &Supply, node: NodeId) -> Milliamps {
        if !supply.is_powered(node) {
            return Milliamps::new(0);
        }
        let current = self.motor(node).current_ma(self.options.rated_ma);
        Milliamps::new(u16::try_from(current).unwrap_or(u16::MAX))
    }

    /// What the flow sensor shows, in 0.1 L/min.
    fn flow_reading(&self) -> u32 {
        libm::round(self.flow * 10.0) as u32
    }

    /// [`coolant`] with the plant at hand.
    pub(crate) fn coolant_reading(&self) -> DeciCelsius {
        DeciCelsius::new(libm::round(self.coolant.temperature * 10.0) as i16)
    }

    /// Moves the coolant on; the flow was the present one during the whole step that ends now.
    fn warm(&mut self, now: SimTime) {
        let step = self.options.step;
        let seconds = step.as_nanos() as f64 / 1e9;
        // The mean of a ramp over the step is its value in the middle.
        let middle = SimTime::from_nanos(now.as_nanos().saturating_sub(step.as_nanos() / 2));
        let exchanger = self.options.exchanger();
        let capacity = self.options.capacity();
        self.coolant.step(seconds, self.heat.at(middle), self.rejection, exchanger.secondary, capacity);
    }

    /// Moves the motors on; true if the supply must be told.
    fn turn(&mut self, feed: impl Fn(NodeId) -> Feed) -> bool {
        let per_step = |full: Span| FULL * self.options.step.as_nanos() / full.as_nanos();
        let (slew, coast) = (per_step(self.options.slew).max(1), per_step(self.options.coast).max(1));
        let mut changed = false;
        for motor in &mut self.motors {
            changed |= motor.follow(feed(motor.node), slew, coast);
        }
        changed
    }

    /// Finds the flow for the present speeds.
    fn balance(&mut self) {
        let speeds: Vec<f64> = self.motors.iter().map(|motor| motor.speed as f64 / FULL as f64).collect();
        self.flow = self.options.curves().total_flow(&speeds);
        self.rejection = self.options.exchanger().rejection(self.flow);
    }

    fn currents(&self) -> Vec<(NodeId, u32)> {
        self.motors.iter().map(|motor| (motor.node, motor.current_ma(self.options.rated_ma))).collect()
    }

    /// Takes the readings; gives a record if they differ from the last one's by a unit.
    fn read(&mut self) -> Option<PlantRecord> {
        let (flow, coolant) = (self.flow_reading(), self.coolant_reading());
        self.seen.widen(flow, coolant);
        let same = |told: &(u32, DeciCelsius)| told.0.abs_diff(flow) < 10 && told.1 == coolant;
        if self.told.as_ref().is_some_and(same) {
            return None;
        }
        self.told = Some((flow, coolant));
        Some(PlantRecord::State { flow_decilitres_per_min: flow, coolant })
    }
}

/// Puts the coolant loop into the twin, after [`power::install`]; pumps follow with [`attach`].
///
/// # Panics
/// If an option is out of its range: the scenario loader refuses it first, with [`Options::check`].
pub fn install(builder: &mut TwinBuilder, options: Options) {
    options.check().unwrap_or_else(|error| panic!("{error}"));
    builder.state_resource(Plant::new(options));
    builder.agenda.at(SimTime::ZERO, Event::Plant(PlantEvent::Step));
    builder.on(Event::PLANT, |world, context, event| {
        if let Event::Plant(PlantEvent::Step) = event {
            step(world, context);
        }
    });
}

/// Gives a node a pump while the twin is built, after [`install`] and [`power::attach`] of that node.
///
/// # Panics
/// If the node has a pump already.
pub fn attach(builder: &mut TwinBuilder, node: NodeId) {
    let mut plant = builder.world.resource_mut::<Plant>();
    assert!(plant.motors.iter().all(|motor| motor.node != node), "{node} drives two pumps");
    let speed = u64::from(plant.options.speed.get()) * (FULL / 1_000);
    plant.motors.push(Motor { node, command: speed, losses_then: 0, speed, losses_seen: 0, blocked: false });
    plant.balance();
    plant.seen = Extremes::of(plant.flow_reading(), plant.coolant_reading());
}

/// One step of the loop. The first, at time 0, only tells the supply what the motors draw and takes the readings.
fn step(world: &mut World, ctx: &mut Context) {
    let first = ctx.now == SimTime::ZERO;
    let changed = world.resource_scope(|world, mut plant: bevy_ecs::prelude::Mut<Plant>| {
        if first {
            return true;
        }
        plant.warm(ctx.now);
        let supply = world.resource::<Supply>();
        let changed = plant.turn(|node| Feed::of(supply, node));
        if changed {
            plant.balance();
        }
        changed
    });
    let mut plant = world.resource_mut::<Plant>();
    let next = plant.options.step;
    let record = plant.read();
    if changed {
        let currents = plant.currents();
        power::set_loads(world, ctx, &currents);
    }
    record.into_iter().for_each(|record| ctx.record(Record::Plant(record)));
    ctx.agenda.after(next, Event::Plant(PlantEvent::Step));
}

/// What the motor controller of a node asks of its motor, at most full speed. The motor follows from the next step on;
/// a loss of power takes the command back to 0, and without power a command has no effect.
///
/// # Panics
/// If the node drives no pump.
pub fn set_speed_command(world: &mut World, node: NodeId, speed: Permille) {
    world.resource_scope(|world, mut plant: bevy_ecs::prelude::Mut<Plant>| {
        plant.command(world.resource::<Supply>(), node, speed);
    });
}

/// What the motor does, rounded.
///
/// # Panics
/// If the node drives no pump.
#[must_use]
pub fn speed(world: &World, node: NodeId) -> Permille {
    world.resource::<Plant>().speed(node)
}

/// What the motor draws: none without power.
///
/// # Panics
/// If the node drives no pump or hangs on no branch.
#[must_use]
pub fn motor_current(world: &World, node: NodeId) -> Milliamps {
    world.resource::<Plant>().motor_current(world.resource::<Supply>(), node)
}

/// The coolant's temperature as its sensor shows it.
#[must_use]
pub fn coolant(world: &World) -> DeciCelsius {
    world.resource::<Plant>().coolant_reading()
}

/// The total flow as its sensor shows it, in 0.1 L/min.
#[must_use]
pub fn flow_decilitres_per_min(world: &World) -> u32 {
    world.resource::<Plant>().flow_reading()
}

/// The heat load at `now` in W, rounded.
#[must_use]
pub fn heat_w(world: &World, now: SimTime) -> u32 {
    libm::round(world.resource::<Plant>().heat.at(now)) as u32
}

/// Changes the heat load along a straight line, at once with [`Span::ZERO`]; at most 100 MW.
pub fn set_heat(world: &mut World, ctx: &mut Context, to_w: u32, over: Span) {
    let to_w = to_w.min(HEAT_W_MAX);
    let mut plant = world.resource_mut::<Plant>();
    let from = plant.heat.at(ctx.now);
    plant.heat = Heat { from, to: f64::from(to_w), start: ctx.now, over };
    ctx.record(Record::Plant(PlantRecord::Heat { to_w, over }));
}

/// Blocks or frees a motor: a blocked one stands still from the next step on and draws nothing.
///
/// # Panics
/// If the node drives no pump.
pub fn set_blocked(world: &mut World, ctx: &mut Context, node: NodeId, blocked: bool) {
    world.resource_mut::<Plant>().motor_mut(node).blocked = blocked;
    ctx.record(Record::Plant(PlantRecord::Blocked { node, blocked }));
}

/// The extremes of the readings so far.
#[must_use]
pub fn extremes(world: &World) -> Extremes {
    world.resource::<Plant>().seen
}

/// Begins the extremes anew with the present readings, for instance once the pumps run.
pub fn restart_extremes(world: &mut World) {
    let mut plant = world.resource_mut::<Plant>();
    plant.seen = Extremes::of(plant.flow_reading(), plant.coolant_reading());
}
