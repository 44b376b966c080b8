//! From a scenario to a twin that can run: the one place that puts the domains together.

use std::collections::BTreeMap;

use bevy_ecs::prelude::World;
use protocol::header::{HEADER_LEN, ImageHeader, ModelId, Version};
use protocol::ids::{self, PumpNumber};
use protocol::isotp;
use units::{DeciCelsius, Duration, Millivolts};

use crate::bus::{self, ControllerOptions, Filter, Recovery};
use crate::checks::{self, Truth};
use crate::event::{Event, Twin, TwinBuilder};
use crate::faults::{self, Setting};
use crate::hosts::cioc::{CiocHost, Store};
use crate::hosts::cpu::{Cpu, CpuOptions};
use crate::hosts::flash::{Flash, FlashTimes};
use crate::hosts::image::{self, Image};
use crate::hosts::pump::PumpHost;
use crate::hosts::{self, CpuEvent, traffic, user};
use crate::kernel::{SimTime, Span, stream};
use crate::measure;
use crate::node::{NodeId, Nodes};
use crate::plant;
use crate::power::{self, Branch, NodeOptions};
use crate::record::Record;
use crate::scenario::{End, FaultKind, ImageDefect, ImageSource, Protocol, PumpSetup, Scenario};

/// Software CRC-32 of one byte on a Cortex-M4 at 168 MHz, about ten cycles (own number).
const READ_COST: Span = Span::from_nanos(60);

/// Builds the twin of a scenario; `image_file` is the image in the file that it names, if it names one.
#[must_use]
pub fn build(scenario: &Scenario, image_file: Option<&[u8]>) -> Twin {
    build_recorded(scenario, image_file, None)
}

/// Is shown every record and the world after the event that it comes from; cannot act back on the twin.
pub type Recorder = Box<dyn FnMut(&World, SimTime, &Record) + Send>;

/// [`build`], with a recorder that is shown every record.
#[must_use]
pub fn build_recorded(scenario: &Scenario, image_file: Option<&[u8]>, recorder: Option<Recorder>) -> Twin {
    let images = Images::of(scenario, image_file);
    let mut builder = TwinBuilder::default();
    add_nodes(&mut builder, scenario);
    install_domains(&mut builder, scenario);
    attach_cioc(&mut builder, scenario, &images);
    for setup in scenario.pump_setups() {
        attach_pump(&mut builder, scenario, &setup, &images);
    }
    attach_further(&mut builder, scenario);
    hosts::safety::install(&mut builder, scenario);
    hosts::safety::open_feeds(&mut builder);
    install_watchers(&mut builder, scenario, &images);
    if let Some(mut recorder) = recorder {
        builder.observe(move |world, _, time, record| recorder(world, time, record));
    }
    builder.build()
}

/// The images of a run.
struct Images {
    /// By pump number, as delivered.
    installed: BTreeMap<u8, Image>,
    /// What the pumps hold that a fault puts in, by the fault's number.
    exchanged: BTreeMap<usize, Image>,
    store: Store,
    models: Vec<String>,
}

impl Images {
    fn of(scenario: &Scenario, image_file: Option<&[u8]>) -> Self {
        let models = scenario.models();
        let mut made: BTreeMap<(u16, [u8; 6]), Image> = BTreeMap::new();
        let target = held_image(scenario, image_file, &models);
        let header = target.first_chunk::<HEADER_LEN>().and_then(|bytes| ImageHeader::decode(bytes).ok());
        let mut delivered = |model: ModelId, version: Version| {
            let same = header.is_some_and(|header| header.version == version && header.model == model);
            let made = made.entry((model.0, version.to_bytes())).or_insert_with(|| {
                // The same version of the same model is the same image; another one differs in its bytes, too.
                let length = scenario.package.image.length.bytes() as usize;
                if same { target.clone() } else { image::made_up(own_seed(model, version), model, version, length) }
            });
            made.clone()
        };
        let mut installed = BTreeMap::new();
        for setup in scenario.pump_setups() {
            installed.insert(setup.pump, delivered(model_id(&models, &setup.model), setup.version.to_header()));
        }
        let mut exchanged = BTreeMap::new();
        for (number, fault) in scenario.faults.iter().enumerate() {
            if let FaultKind::Exchanged(other) = &fault.kind {
                let model = model_id(&models, &scenario.pumps.model);
                exchanged.insert(number, delivered(model, other.version.to_header()));
            }
        }
        let store = store(scenario, target);
        Self { installed, exchanged, store, models }
    }
}

/// Seed of an installed image's bytes: every version of every model has its own.
fn own_seed(model: ModelId, version: Version) -> u64 {
    let [a, b, c, d, e, f] = version.to_bytes();
    let [g, h] = model.0.to_le_bytes();
    !u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn model_id(models: &[String], name: &str) -> ModelId {
    let index = models.iter().position(|known| known == name).unwrap_or(usize::MAX - 1);
    ModelId(u16::try_from(index + 1).unwrap_or(u16::MAX))
}

/// The image that the package names, before any defect.
fn held_image(scenario: &Scenario, file: Option<&[u8]>, models: &[String]) -> Image {
    let spec = &scenario.package.image;
    if let (ImageSource::File(_), Some(bytes)) = (&spec.source, file) {
        return bytes.into();
    }
    let model = match &spec.defect {
        Some(ImageDefect::ForModel(model)) => model_id(models, model),
        _ => model_id(models, &spec.model),
    };
    image::made_up(spec.seed, model, spec.version.to_header(), spec.length.bytes() as usize)
}

/// What the CIOC's file store holds: the image with its defect.
fn store(scenario: &Scenario, image: Image) -> Store {
    use rand::RngExt as _;
    if !scenario.package.pump_firmware {
        return Store::NoPumpFirmware;
    }
    let mut bytes = image.to_vec();
    match &scenario.package.image.defect {
        None | Some(ImageDefect::ForModel(_)) => return Store::Present(image),
        Some(ImageDefect::Missing) => return Store::Missing,
        Some(ImageDefect::Corrupt(bits)) => {
            let mut random = stream(scenario.seed, "image defect");
            for _ in 0..*bits {
                let bit = random.random_range(0..bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        Some(ImageDefect::Truncated(size)) => bytes.truncate(bytes.len().saturating_sub(size.bytes() as usize)),
        Some(ImageDefect::Extended(size)) => bytes.resize(bytes.len() + size.bytes() as usize, 0xFF),
    }
    Store::Present(bytes.into())
}

fn add_nodes(builder: &mut TwinBuilder, scenario: &Scenario) {
    let mut nodes = Nodes::default();
    for name in scenario.nodes() {
        if let Some(node) = scenario.node_id(&name) {
            nodes.add(node, builder.world.spawn_empty().id());
        }
    }
    builder.state_resource(nodes);
}

fn install_domains(builder: &mut TwinBuilder, scenario: &Scenario) {
    bus::install(builder, scenario.bus.bitrate.bits_per_second());
    if !scenario.bus.enabled {
        builder.agenda.at(SimTime::ZERO, Event::Bus(bus::BusEvent::Off));
    }
    power::install(
        builder,
        power::Options {
            source_mv: scenario.supply.nominal.millivolts(),
            resistance_mohm: scenario.supply.resistance.milliohms(),
            pump_feeds: pump_feeds(scenario),
            ..power::Options::default()
        },
    );
    plant::install(builder, plant_options(scenario));
    hosts::install(builder);
    traffic::install(builder, scenario);
    user::install(builder, &scenario.user);
    if let Some(outage) = &scenario.cioc_update {
        let begin = SimTime::ZERO + outage.at;
        builder.agenda.at(begin, Event::Cpu(CpuEvent::CiocUpdateBegins));
        builder.agenda.at(begin + outage.duration, Event::Cpu(CpuEvent::CiocUpdateEnds));
    }
}

fn plant_options(scenario: &Scenario) -> plant::Options {
    let plant = &scenario.plant;
    let tenths = |temperature: crate::scenario::quantity::Temperature| {
        DeciCelsius::new(i16::try_from(temperature.millicelsius() / 100).unwrap_or(0))
    };
    plant::Options {
        volume_ml: plant.volume.millilitres(),
        pump_loss_mpa: pump_loss_mpa(plant.pump_flow.millilitres_per_minute()),
        heat_w: plant.heat_load.watts(),
        secondary: tenths(plant.ambient),
        coolant: tenths(plant.coolant_start),
        ..plant::Options::default()
    }
}

/// The pump curve's loss in mPa per (L/min)^2 that brings its head to nothing at this flow: k = H0 / q^2.
fn pump_loss_mpa(flow_ml_per_min: u32) -> u32 {
    let square = u128::from(flow_ml_per_min).pow(2);
    let shut_off_mpa = u128::from(plant::Options::default().shut_off_pa) * 1_000;
    let loss = (shut_off_mpa * 1_000_000 + square / 2) / square.max(1);
    u32::try_from(loss).unwrap_or(u32::MAX)
}

/// One for each relay that feeds pumps; one for all pumps without such relays.
fn pump_feeds(scenario: &Scenario) -> u8 {
    let relays = scenario.safety_units.iter().map(|unit| unit.feeds.len()).sum::<usize>();
    u8::try_from(relays).unwrap_or(Branch::PUMP_FEEDS_MOST).clamp(1, Branch::PUMP_FEEDS_MOST)
}

fn isotp_config(protocol: &Protocol) -> isotp::Config {
    isotp::Config {
        block_size: protocol.block_size,
        separation: isotp::SeparationTime::at_least(micros(protocol.st_min)),
        padding: Some(protocol.padding),
        n_as: micros(protocol.n_as),
        n_bs: micros(protocol.n_bs),
        n_cr: micros(protocol.n_cr),
        ..isotp::Config::DEFAULT
    }
}

fn millivolts(voltage: crate::scenario::quantity::Voltage) -> Millivolts {
    Millivolts::new(u16::try_from(voltage.millivolts()).unwrap_or(u16::MAX))
}

fn node_options(scenario: &Scenario, own: NodeOptions) -> NodeOptions {
    NodeOptions {
        off_mv: scenario.supply.brown_out.millivolts(),
        on_mv: scenario.supply.power_good.millivolts(),
        hold_up: scenario.supply.hold_up,
        ..own
    }
}

fn controller(scenario: &Scenario, filters: &[Filter]) -> ControllerOptions {
    ControllerOptions {
        recovery: if scenario.bus.automatic_recovery { Recovery::Automatic } else { Recovery::OnRequest },
        latency: scenario.timing.reaction_latency,
        filters: heapless::Vec::from_slice(filters).unwrap_or_default(),
        powered: false,
    }
}

fn insert<B: bevy_ecs::prelude::Bundle>(builder: &mut TwinBuilder, node: NodeId, bundle: B) {
    let entity = builder.world.resource::<Nodes>().entity(node);
    builder.world.entity_mut(entity).insert(bundle);
}

fn attach_cioc(builder: &mut TwinBuilder, scenario: &Scenario, images: &Images) {
    // Two filter banks: everything from 0x200 to 0x21F, and from 0x780 to 0x79F.
    let banks = [0x200, 0x780].map(|base| {
        let id = embedded_can::StandardId::new(base).unwrap_or(embedded_can::StandardId::ZERO);
        Filter { id: id.into(), mask: 0x7E0 }
    });
    bus::attach(builder, NodeId::CIOC, &controller(scenario, &banks));
    power::attach(builder, NodeId::CIOC, Branch::Cioc, node_options(scenario, NodeOptions::cioc()));
    let store = if scenario.campaign { images.store.clone() } else { Store::NoPumpFirmware };
    let cpu = Cpu::new(CpuOptions {
        boot_time: scenario.timing.cioc_boot,
        timer_resolution: scenario.timing.timer_resolution,
        clock_ppm: scenario.timing.cioc_clock_drift.ppm(),
        read_cost: READ_COST,
    });
    insert(builder, NodeId::CIOC, (cpu, CiocHost::new(cioc_config(scenario), store)));
}

fn micros(span: Span) -> Duration {
    Duration::from_micros(span.as_nanos() / 1_000)
}

/// What the factory configured in the CIOC of a scenario.
#[must_use]
pub fn cioc_config(scenario: &Scenario) -> orchestrator::Config {
    let tenths = i16::try_from(scenario.plant.set_point.millicelsius() / 100).unwrap_or(400);
    let default = orchestrator::Config::DEFAULT;
    orchestrator::Config {
        pumps: scenario.pumps.count,
        isotp: isotp_config(&scenario.protocol),
        block_len: u16::try_from(scenario.protocol.block_len.bytes()).unwrap_or(u16::MAX),
        update_supply_min: millivolts(scenario.supply.minimum_for_update),
        p2: micros(scenario.protocol.p2),
        p2_star: micros(scenario.protocol.p2_star),
        regulation: orchestrator::config::Regulation { target: DeciCelsius::new(tenths), ..default.regulation },
        ..default
    }
}

/// What the factory configured in a pump of a scenario.
#[must_use]
pub fn pump_config(scenario: &Scenario, number: PumpNumber, model: ModelId) -> pump::Config {
    pump::Config {
        isotp: isotp_config(&scenario.protocol),
        update_supply_min: millivolts(scenario.supply.minimum_for_update),
        p2: micros(scenario.protocol.p2),
        p2_star: micros(scenario.protocol.p2_star),
        ..pump::Config::new(number, model)
    }
}

fn attach_pump(builder: &mut TwinBuilder, scenario: &Scenario, setup: &PumpSetup, images: &Images) {
    let node = NodeId::new(setup.pump);
    let Some(number) = PumpNumber::new(setup.pump) else { return };
    let filters = [Filter::exactly(ids::command(number)), Filter::exactly(ids::uds_request(number))];
    bus::attach(builder, node, &controller(scenario, &filters));
    power::attach(
        builder,
        node,
        Branch::Pumps(scenario.feed_of(setup.pump)),
        node_options(scenario, NodeOptions::pump()),
    );
    plant::attach(builder, node);
    let config = pump_config(scenario, number, model_id(&images.models, &setup.model));
    let times = scenario.flash_times();
    let times = FlashTimes {
        sector_erase: times.sector_erase,
        word_program: times.word_program,
        stalls_core: scenario.flash.stalls_core,
    };
    let random = stream(scenario.seed, &format!("flash {node}"));
    let flash = Flash::with_image(times, random, &images.installed[&setup.pump]);
    let cpu = Cpu::new(CpuOptions {
        boot_time: setup.boot + setup.clock_offset,
        timer_resolution: scenario.timing.timer_resolution,
        clock_ppm: setup.clock_drift_ppm,
        read_cost: READ_COST,
    });
    insert(builder, node, (cpu, flash, PumpHost::new(config)));
    if !setup.answers {
        builder.agenda.at(SimTime::ZERO, Event::Cpu(CpuEvent::Mute(node)));
    }
}

/// Nodes that only send traffic: always powered, without firmware.
fn attach_further(builder: &mut TwinBuilder, scenario: &Scenario) {
    for name in scenario.further_names() {
        let name = crate::scenario::words::NodeName::Further(name.to_owned());
        if scenario.safety_unit(&name).is_some() {
            continue;
        }
        if let Some(node) = scenario.node_id(&name) {
            let filters = hosts::safety::tool_filters(scenario, &name);
            let options = controller(scenario, &filters);
            bus::attach(builder, node, &options);
            power::attach(builder, node, Branch::Safety, node_options(scenario, NodeOptions::safety()));
        }
    }
}

fn install_watchers(builder: &mut TwinBuilder, scenario: &Scenario, images: &Images) {
    let held = match &images.store {
        Store::Present(image) => Some(image.clone()),
        Store::NoPumpFirmware | Store::Missing => None,
    };
    let whole = |image: &Image| image::leading(image).filter(|header| u64::from(header.length) == image.len() as u64);
    let header = held.as_ref().and_then(whole);
    let setups: Vec<PumpSetup> = scenario.pump_setups().collect();
    let truth = Truth {
        installed: images.installed.values().cloned().collect(),
        sound: header.is_some(),
        image_model: header.map_or(0, |header| header.model.0),
        held,
        models: setups.iter().map(|setup| model_id(&images.models, &setup.model).0).collect(),
        campaign: scenario.campaign,
        pumps: scenario.pumps.count,
    };
    let times = scenario.flash_times();
    let setting = Setting {
        seed: scenario.seed,
        nominal_mv: scenario.supply.nominal.millivolts(),
        latency: scenario.timing.reaction_latency,
        sector_erase: times.sector_erase,
        image_len: images.installed.values().map(|image| image.len() as u64).min().unwrap_or_default(),
        further_nodes: scenario.further_names().map(str::to_owned).collect(),
        senders: scenario
            .traffic
            .messages()
            .iter()
            .filter_map(|message| Some((message.id.id(), scenario.node_id(&message.node)?)))
            .collect(),
        random: stream(scenario.seed, "faults"),
        exchanged: images.exchanged.clone(),
    };
    faults::install(builder, scenario, setting);
    checks::install(builder, scenario, truth);
    measure::install(builder, scenario);
    if let End::At(at) = scenario.end {
        builder.agenda.at(SimTime::ZERO + at, Event::Check(checks::CheckEvent::End));
    }
}
