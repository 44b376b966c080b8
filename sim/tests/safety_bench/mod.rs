//! A safety unit on the bench: both real CPUs, ideal wiring, memories; and a network of such units.
//!
//! All CPUs step together, tick by tick; what one sends the other hears in its next step. Time is each CPU's own count of
//! ticks since reset. Nothing here is taken from either CPU: images, waveforms and conversions are made from `SAFETY.md` and
//! the constants of `safety-common`. Start-up up to the reading of the configuration depends on nothing that a test changes,
//! so it runs once for each serial number and a unit begins with copies of those CPUs ([`Unit::new`]); [`Unit::cold`] has both
//! begin at reset.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::sync::OnceLock;

use cooltwin::safety::chaskey;
use safety_common::fault::{Detection, Fault};
use safety_common::flash_map::{self, image, production};
use safety_common::io::{
    AnalogCounts, BootInputs, Bytes, C2cReceived, CanFrame, CanReceived, Forward, Levels, Mode, RamPort, ResetCause,
    Retained, TickInputs, TickOutputs,
};
use safety_common::signal::{
    FRAME_TICKS, GAP_TICKS, OSSD_PERIOD_TICKS, OSSD_SLOT, OSSD_SLOTS, PULSE_SLOT, PULSE_SLOTS, Signal,
};
use safety_common::tool::PASSWORD_KEY;
use safety_common::{DIVIDER_PPM, PINS, RAIL_DIVIDER_PPM, c2c};
use safety_cpu1::Cpu1;
use safety_cpu2::Cpu2;
use units::Instant;

/// Serial numbers of the units of the bench.
pub(crate) const SERIALS: [u32; 2] = [0x0001_0001, 0x0002_0002];
pub(crate) const RELEASE_ID: u32 = 0x0102_0003;
pub(crate) const RELEASE_HASH: u32 = 0x1357_9BDF;
pub(crate) const FACTORY_PASSWORD: &[u8] = b"factory";
/// RAM of each CPU, `SAFETY.md`, section 14.
pub(crate) const RAM_WORDS: usize = 16_384;

/// CRC-32/ISO-HDLC.
pub(crate) fn flash_crc(bytes: &[u8]) -> u32 {
    cooltwin::safety::binary::crc32(bytes)
}

fn with_crc(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = flash_crc(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// The image of a release for one CPU.
pub(crate) fn image_bytes(cpu: u8, release_id: u32, release_hash: u32) -> Vec<u8> {
    let code: Vec<u8> = (0..5_000_u32).map(|at| (at * 7 + u32::from(cpu)) as u8).collect();
    let mut head = image::MAGIC_VALUE.to_le_bytes().to_vec();
    head.extend([1, 0, cpu, 0]);
    for field in [release_id, release_hash, code.len() as u32, flash_crc(&code), 0] {
        head.extend(field.to_le_bytes());
    }
    let mut bytes = with_crc(head);
    assert_eq!(bytes.len(), image::LEN);
    bytes.extend(code);
    bytes
}

/// Production data of a unit.
pub(crate) fn production_bytes(serial: u32) -> Vec<u8> {
    let mut bytes = production::MAGIC_VALUE.to_le_bytes().to_vec();
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(serial.to_le_bytes());
    bytes.extend(chaskey::bytes(chaskey::tag(PASSWORD_KEY, FACTORY_PASSWORD)));
    with_crc(bytes)
}

/// A CPU's RAM; a cell may be stuck.
#[derive(Clone)]
pub(crate) struct Ram {
    pub(crate) words: Vec<u32>,
    /// Word, mask of stuck bits, and what they hold.
    pub(crate) stuck: Option<(u32, u32, u32)>,
}

impl Ram {
    fn new() -> Self {
        Self { words: vec![0x5A5A_1234; RAM_WORDS], stuck: None }
    }
}

impl RamPort for Ram {
    fn read(&mut self, word: u32) -> u32 {
        let value = self.words.get(word as usize).copied().unwrap_or(0);
        match self.stuck {
            Some((at, mask, held)) if at == word => value & !mask | held & mask,
            _ => value,
        }
    }

    fn write(&mut self, word: u32, value: u32) {
        if let Some(place) = self.words.get_mut(word as usize) {
            *place = value;
        }
    }
}

/// A CPU's flash.
#[derive(Clone)]
pub(crate) struct Flash(pub(crate) Vec<u8>);

impl Flash {
    /// Image and production data; no configuration.
    pub(crate) fn blank(cpu: u8, serial: u32) -> Self {
        let mut flash = Self(vec![flash_map::ERASED; flash_map::LEN as usize]);
        flash.put(0, &image_bytes(cpu, RELEASE_ID, RELEASE_HASH));
        flash.put(flash_map::PRODUCTION_AT, &production_bytes(serial));
        flash
    }

    pub(crate) fn put(&mut self, at: u32, bytes: &[u8]) {
        self.0[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Replaces the whole configuration area.
    pub(crate) fn configure(&mut self, bytes: &[u8]) {
        let area = flash_map::CONFIGURATION_AT as usize..;
        let area = &mut self.0[area][..flash_map::CONFIGURATION_LEN_MOST as usize];
        area.fill(flash_map::ERASED);
        let len = bytes.len().min(area.len());
        area[..len].copy_from_slice(&bytes[..len]);
    }
}

impl safety_common::io::FlashPort for Flash {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        let from = address as usize;
        let bytes = from.checked_add(into.len()).and_then(|end| self.0.get(from..end));
        bytes.map(|bytes| into.copy_from_slice(bytes)).is_some()
    }
}

/// Counts of a voltage behind a divider, rounded up so that the way back never falls below a limit.
pub(crate) fn counts(millivolts: u32, ppm: u32) -> u16 {
    (u64::from(millivolts) * 4_096 * u64::from(ppm)).div_ceil(3_300 * 1_000_000) as u16
}

/// A signal in the slots of tick `tick`.
pub(crate) fn waveform(signal: Signal, tick: u32) -> u16 {
    let slots = |first: u32, count: u32| (((1_u32 << count) - 1) << first) as u16;
    let pulse = |kind: usize| {
        let phase = tick % FRAME_TICKS;
        if phase == 0 || phase == GAP_TICKS[kind] { slots(PULSE_SLOT, PULSE_SLOTS) } else { 0 }
    };
    match signal {
        Signal::Low => 0,
        Signal::High => u16::MAX,
        Signal::Ossd if tick.is_multiple_of(OSSD_PERIOD_TICKS) => !slots(OSSD_SLOT, OSSD_SLOTS),
        Signal::Ossd => u16::MAX,
        Signal::A => !pulse(0),
        Signal::B => !pulse(1),
        Signal::C => !pulse(2),
        Signal::D => !pulse(3),
        Signal::InverseA => pulse(0),
        Signal::InverseB => pulse(1),
        Signal::InverseC => pulse(2),
        Signal::InverseD => pulse(3),
    }
}

/// What drives a pin from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// A signal whose frame begins so many ticks early.
    Shows(Signal, u32),
    /// Between the levels.
    Floats,
    /// Tied to supply or to 0 V against everything else.
    Tied(bool),
}

/// One of the two CPUs with what a reset clears and what it does not.
#[derive(Clone)]
pub(crate) struct Channel<C> {
    pub(crate) cpu: C,
    pub(crate) ram: Ram,
    pub(crate) flash: Flash,
    /// Own ticks since reset.
    pub(crate) tick: u32,
    /// Own time at the last step, in us: 1000 a tick unless a test says otherwise.
    pub(crate) now_us: u64,
    pub(crate) out: TickOutputs,
    pub(crate) logic_time_ns: u32,
    /// Voltages that this CPU measures too high (or low), in mV, for each pin, supply and `SIO_PWR`.
    pub(crate) offset_mv: [i32; PINS + 2],
    /// The other CPU's rail.
    pub(crate) rail_mv: u32,
    /// The C2C packet on its way to this CPU is lost.
    pub(crate) deaf: bool,
    /// This bit of it is flipped.
    pub(crate) flip: Option<usize>,
    /// How long before the step its last byte comes, in us.
    pub(crate) packet_before_us: u64,
    c2c: Vec<C2cReceived>,
    forward: Vec<Forward>,
    pub(crate) detections: Vec<Detection>,
}

impl<C> Channel<C> {
    fn new(cpu: C, ram: Ram, flash: Flash, tick: u32) -> Self {
        Self {
            cpu,
            ram,
            flash,
            tick,
            now_us: u64::from(tick) * 1_000,
            out: TickOutputs::default(),
            logic_time_ns: 400_000,
            offset_mv: [0; PINS + 2],
            rail_mv: 3_300,
            deaf: false,
            flip: None,
            packet_before_us: 300,
            c2c: Vec::new(),
            forward: Vec::new(),
            detections: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(self.now_us)
    }

    /// The packet of the other CPU, sent in the step before.
    fn hear(&mut self, packet: Option<&[u8; c2c::LEN]>, forward: &[Forward]) {
        self.c2c.clear();
        if let Some(packet) = packet.filter(|_| !self.deaf) {
            let mut bytes: heapless::Vec<u8, { c2c::RECEIVE_LEN_MOST }> = packet.iter().copied().collect();
            if let Some(bit) = self.flip {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            let at = Instant::from_micros((self.now_us + 1_000).saturating_sub(self.packet_before_us));
            self.c2c.push(C2cReceived { at, bytes });
        }
        self.forward = forward.to_vec();
    }
}

/// What both CPUs of a unit see of the tick that has ended.
#[derive(Clone)]
struct Samples {
    levels: [Levels; PINS],
    drivers: [u16; PINS],
    pin_mv: [u32; PINS],
    sio_mv: u32,
    relay_feedback: u8,
}

/// A unit.
#[derive(Clone)]
pub(crate) struct Unit {
    pub(crate) one: Channel<Cpu1>,
    pub(crate) two: Channel<Cpu2>,
    pub(crate) supply_mv: u32,
    /// What drives each pin from outside.
    pub(crate) outside: [Outside; PINS],
    /// A transistor that conducts always, or never.
    pub(crate) stuck_driver: [Option<bool>; PINS],
    /// The main transistor conducts whatever it is told.
    pub(crate) main_stuck_on: bool,
    /// Contacts that stay closed or open; bit as in the feedback.
    pub(crate) welded: u8,
    pub(crate) open: u8,
    /// Steps of the bench.
    pub(crate) steps: u32,
    ticks_most: u32,
    /// Tables that play in this tick, and those of the last step.
    playing: ([u16; PINS], u16),
    next: ([u16; PINS], u16),
    contacts: [u8; 2],
    /// A dip asked for in the last step and in the one before.
    dips: [bool; 2],
    /// What comes from other units in the next step.
    pub(crate) air: Vec<Bytes>,
    pub(crate) bus: Vec<CanReceived>,
    pub(crate) usb: Vec<Bytes>,
    on_bus: VecDeque<Vec<CanFrame>>,
    sent: Vec<u16>,
}

const POWER_ON: BootInputs =
    BootInputs { cause: ResetCause::PowerOn, retained: Retained { request: 0, request_complement: 0 }, restarts: 1 };

/// CPU2's running flash test, 32 bytes a tick, comes to the configuration later than this. A copied CPU2 has sums of flash
/// without a configuration, which the test would then miss.
const SHORT_RUN_TICKS: u32 = 12_000;

/// The CPUs of a unit right before they read the configuration, with their ticks since reset; and both while they have
/// read nothing of the flash yet.
struct Begun {
    one: (Cpu1, Ram, u32),
    two: (Cpu2, Ram, u32),
    early_one: (Cpu1, Ram, u32),
    early_two: (Cpu2, Ram, u32),
}

/// Each CPU tests its RAM for longer than this.
const EARLY_TICKS: [u32; 2] = [55, 350];

/// Inputs of a healthy unit that is off.
fn quiet(cpu: usize, tick: u32) -> TickInputs<'static> {
    TickInputs {
        tick,
        analog: AnalogCounts {
            supply: counts(24_000, DIVIDER_PPM[cpu]),
            rail: counts(3_300, RAIL_DIVIDER_PPM),
            ..AnalogCounts::default()
        },
        levels: [Levels { high: 0, low: u16::MAX }; PINS],
        ..TickInputs::default()
    }
}

/// Whether the packet tells the serial number already: from then on the configuration is read.
fn knows_serial(out: &TickOutputs) -> bool {
    let serial = c2c::at::SERIAL;
    out.c2c.is_some_and(|packet| packet[serial..serial + 4] != [0; 4])
}

fn begun(serial: u32) -> &'static Begun {
    static BEGUN: [OnceLock<Begun>; SERIALS.len()] = [const { OnceLock::new() }; SERIALS.len()];
    let place = SERIALS.iter().position(|known| *known == serial).expect("a serial number of the bench");
    BEGUN[place].get_or_init(|| {
        let (mut one, mut ram, flash) = (Cpu1::boot(&POWER_ON), Ram::new(), Flash::blank(1, serial));
        let step = |tick, one: &mut Cpu1, ram: &mut Ram| {
            one.step(Instant::from_micros(u64::from(tick) * 1_000), &quiet(0, tick), ram, &flash)
        };
        for tick in 1..=EARLY_TICKS[0] {
            step(tick, &mut one, &mut ram);
        }
        let early_one = (one.clone(), ram.clone(), EARLY_TICKS[0]);
        let knows = |tick: &u32| knows_serial(&step(*tick, &mut one, &mut ram));
        let tick = (EARLY_TICKS[0] + 1..3_000).find(knows).expect("CPU1 comes to the configuration");
        let first = (one, ram, tick);
        let (mut two, mut ram, flash) = (Cpu2::boot(POWER_ON), Ram::new(), Flash::blank(2, serial));
        let step = |tick, two: &mut Cpu2, ram: &mut Ram| {
            two.step(Instant::from_micros(u64::from(tick) * 1_000), &quiet(1, tick), ram, &flash)
        };
        for tick in 1..=EARLY_TICKS[1] {
            step(tick, &mut two, &mut ram);
        }
        let early_two = (two.clone(), ram.clone(), EARLY_TICKS[1]);
        let knows = |tick: &u32| knows_serial(&step(*tick, &mut two, &mut ram));
        let tick = (EARLY_TICKS[1] + 1..3_000).find(knows).expect("CPU2 comes to the configuration");
        Begun { one: first, two: (two, ram, tick), early_one, early_two }
    })
}

/// Both CPUs of a unit right before they read the configuration, asked again and again.
pub(crate) struct Judges {
    begun: &'static Begun,
    flash: [Flash; 2],
}

/// What a CPU says of a configuration: nothing, if it gets ready.
pub(crate) type Verdict = Option<(Fault, u32)>;

impl Judges {
    pub(crate) fn new(serial: u32) -> Self {
        Self { begun: begun(serial), flash: [Flash::blank(1, serial), Flash::blank(2, serial)] }
    }

    /// The verdicts of CPU1 and CPU2 on these bytes in the configuration area.
    pub(crate) fn ask(&mut self, configuration: &[u8]) -> [Verdict; 2] {
        self.flash.iter_mut().for_each(|flash| flash.configure(configuration));
        let said = |out: &TickOutputs| match out.mode {
            Mode::Ready => Some(None),
            Mode::Safe => Some(out.detections.first().map(|told| (told.fault, told.detail))),
            _ => None,
        };
        // The RAM is not tested again: a shared one serves.
        let mut ram = Ram { words: Vec::new(), stuck: None };
        let (one, _, from) = &self.begun.one;
        let mut one = one.clone();
        let mut step =
            |tick| one.step(Instant::from_micros(u64::from(tick) * 1_000), &quiet(0, tick), &mut ram, &self.flash[0]);
        let first = (from + 1..from + 100).find_map(|tick| said(&step(tick))).expect("CPU1 comes to a verdict");
        let (two, _, from) = &self.begun.two;
        let mut two = two.clone();
        let mut step =
            |tick| two.step(Instant::from_micros(u64::from(tick) * 1_000), &quiet(1, tick), &mut ram, &self.flash[1]);
        let second = (from + 1..from + 100).find_map(|tick| said(&step(tick))).expect("CPU2 comes to a verdict");
        [first, second]
    }
}

impl Unit {
    /// A unit about to read this configuration, for a run of a few thousand ticks ([`SHORT_RUN_TICKS`]).
    pub(crate) fn new(serial: u32, configuration: &[u8]) -> Self {
        let begun = begun(serial);
        Self { ticks_most: SHORT_RUN_TICKS, ..Self::copied(&begun.one, &begun.two, serial, configuration) }
    }

    /// The same for a run of any length; its start takes more time.
    pub(crate) fn long(serial: u32, configuration: &[u8]) -> Self {
        let begun = begun(serial);
        Self::copied(&begun.early_one, &begun.early_two, serial, configuration)
    }

    fn copied(one: &(Cpu1, Ram, u32), two: &(Cpu2, Ram, u32), serial: u32, configuration: &[u8]) -> Self {
        let ((one, ram1, tick1), (two, ram2, tick2)) = (one, two);
        let first = Channel::new(one.clone(), ram1.clone(), Flash::blank(1, serial), *tick1);
        let second = Channel::new(two.clone(), ram2.clone(), Flash::blank(2, serial), *tick2);
        Self::of(first, second, configuration)
    }

    /// A unit at reset.
    pub(crate) fn cold(serial: u32, configuration: &[u8]) -> Self {
        let first = Channel::new(Cpu1::boot(&POWER_ON), Ram::new(), Flash::blank(1, serial), 0);
        let second = Channel::new(Cpu2::boot(POWER_ON), Ram::new(), Flash::blank(2, serial), 0);
        Self::of(first, second, configuration)
    }

    fn of(mut one: Channel<Cpu1>, mut two: Channel<Cpu2>, configuration: &[u8]) -> Self {
        one.flash.configure(configuration);
        two.flash.configure(configuration);
        Self {
            one,
            two,
            supply_mv: 24_000,
            outside: [Outside::Shows(Signal::Low, 0); PINS],
            stuck_driver: [None; PINS],
            main_stuck_on: false,
            welded: 0,
            open: 0,
            steps: 0,
            ticks_most: u32::MAX,
            playing: ([0; PINS], 0),
            next: ([0; PINS], 0),
            contacts: [0; 2],
            dips: [false; 2],
            air: Vec::new(),
            bus: Vec::new(),
            usb: Vec::new(),
            on_bus: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    /// Steps until both CPUs are in normal mode.
    pub(crate) fn reach_normal(&mut self) {
        for _ in 0..1_000 {
            self.step();
            if self.modes() == [Mode::Normal; 2] {
                return;
            }
            assert!(!self.modes().contains(&Mode::Safe), "{:?} {:?}", self.one.detections, self.two.detections);
        }
        panic!("no normal mode: {:?}", self.modes());
    }

    /// In normal mode with settled voltages.
    pub(crate) fn running(serial: u32, configuration: &[u8]) -> Self {
        let mut unit = Self::new(serial, configuration);
        unit.reach_normal();
        unit.steps(30);
        assert_eq!(unit.modes(), [Mode::Normal; 2], "{:?} {:?}", unit.one.detections, unit.two.detections);
        unit
    }

    pub(crate) fn modes(&self) -> [Mode; 2] {
        [self.one.cpu.mode(), self.two.cpu.mode()]
    }

    pub(crate) fn steps(&mut self, count: u32) {
        (0..count).for_each(|_| self.step());
    }

    /// One tick of both CPUs.
    pub(crate) fn step(&mut self) {
        assert!(self.steps < self.ticks_most, "a long run begins with `Unit::long`");
        self.step_one();
        self.step_two();
        self.end_tick();
    }

    /// Everything that both CPUs see of the tick that has ended.
    fn samples(&self) -> Samples {
        let mut drivers = self.playing.0;
        for (driver, stuck) in drivers.iter_mut().zip(self.stuck_driver) {
            *driver = stuck.map_or(*driver, |conducts| if conducts { u16::MAX } else { 0 });
        }
        let main = if self.main_stuck_on { u16::MAX } else { self.playing.1 };
        let levels: [Levels; PINS] = std::array::from_fn(|pin| {
            let driven = drivers[pin] & main;
            match self.outside[pin] {
                Outside::Shows(signal, early) => {
                    let high = waveform(signal, self.steps + early) | driven;
                    Levels { high, low: !high }
                }
                Outside::Floats => Levels { high: driven, low: 0 },
                Outside::Tied(true) => Levels { high: u16::MAX, low: 0 },
                Outside::Tied(false) => Levels { high: 0, low: u16::MAX },
            }
        });
        let pin_mv = levels.map(|levels| match (levels.high >> 15 & 1, levels.low >> 15 & 1) {
            (1, _) => self.supply_mv,
            (_, 1) => 0,
            _ => self.supply_mv / 2,
        });
        let sio_mv = if main >> 15 & 1 == 1 { self.supply_mv.saturating_sub(200) } else { 0 };
        let mut feedback = 0;
        for relay in 0..2 {
            for (cpu, contacts) in self.contacts.iter().enumerate() {
                feedback |= (contacts >> relay & 1) << (2 * relay + cpu);
            }
        }
        Samples { levels, drivers, pin_mv, sio_mv, relay_feedback: (feedback | self.welded) & !self.open }
    }

    fn analog<C>(&self, cpu: usize, channel: &Channel<C>, samples: &Samples) -> AnalogCounts {
        let seen = |mv: u32, place: usize| {
            let mv = i64::from(mv) + i64::from(channel.offset_mv[place]);
            counts(u32::try_from(mv.max(0)).unwrap_or(0), DIVIDER_PPM[cpu])
        };
        AnalogCounts {
            pins: std::array::from_fn(|pin| seen(samples.pin_mv[pin], pin)),
            supply: seen(self.supply_mv, PINS),
            sio_power: seen(samples.sio_mv, PINS + 1),
            rail: counts(channel.rail_mv, RAIL_DIVIDER_PPM),
        }
    }

    fn step_one(&mut self) {
        let samples = self.samples();
        let analog = self.analog(0, &self.one, &samples);
        let channel = &mut self.one;
        channel.tick += 1;
        channel.now_us += 1_000;
        let inputs = TickInputs {
            tick: channel.tick,
            logic_time_ns: channel.logic_time_ns,
            analog,
            levels: samples.levels,
            drivers: samples.drivers,
            relay_feedback: samples.relay_feedback,
            c2c: &channel.c2c,
            forward: &channel.forward,
            radio: &self.air,
            can: &self.bus,
            can_sent: &self.sent,
            usb: &self.usb,
            ..TickInputs::default()
        };
        channel.out = channel.cpu.step(channel.now(), &inputs, &mut channel.ram, &channel.flash);
        channel.detections.extend(channel.out.detections.iter().copied());
    }

    fn step_two(&mut self) {
        let samples = self.samples();
        let analog = self.analog(1, &self.two, &samples);
        let in_dip = if self.main_stuck_on { self.supply_mv - 200 } else { 0 };
        let channel = &mut self.two;
        channel.tick += 1;
        channel.now_us += 1_000;
        let inputs = TickInputs {
            tick: channel.tick,
            logic_time_ns: channel.logic_time_ns,
            analog,
            levels: samples.levels,
            drivers: samples.drivers,
            relay_feedback: samples.relay_feedback,
            sio_power_in_dip: if self.dips[1] { counts(in_dip, DIVIDER_PPM[1]) } else { 0 },
            c2c: &channel.c2c,
            forward: &channel.forward,
            ..TickInputs::default()
        };
        channel.out = channel.cpu.step(channel.now(), &inputs, &mut channel.ram, &channel.flash);
        channel.detections.extend(channel.out.detections.iter().copied());
    }

    /// Carries out what both want and lets the packets cross.
    fn end_tick(&mut self) {
        self.steps += 1;
        let (one, two) = (&self.one.out, &self.two.out);
        let pins = |table: [u16; PINS]| if one.all_off { [0; PINS] } else { table };
        let main = |table: u16| if two.all_off { 0 } else { table };
        self.playing = (pins(self.next.0), main(self.next.1));
        self.next = (pins(one.pins), main(two.main));
        self.contacts = [one, two].map(|out| if out.all_off { 0 } else { out.relays });
        self.dips = [two.main_dip.is_some(), self.dips[0]];
        self.air.clear();
        self.bus.clear();
        self.usb.clear();
        let to_two = (self.one.out.c2c, self.one.out.forward.to_vec());
        let to_one = (self.two.out.c2c, self.two.out.forward.to_vec());
        self.one.hear(to_one.0.as_ref(), &to_one.1);
        self.two.hear(to_two.0.as_ref(), &to_two.1);
        self.on_bus.push_back(self.one.out.can.iter().map(|sent| sent.frame).collect());
    }

    /// The frames that left this unit's controller in the last tick; its CPU1 is told in the next step.
    fn frames_sent(&mut self) -> Vec<CanFrame> {
        let frames = if self.on_bus.len() > 1 { self.on_bus.pop_front().unwrap_or_default() } else { Vec::new() };
        self.sent = frames.iter().map(|frame| frame.id).collect();
        frames
    }

    /// Whether anything of this unit is on: a pin that is driven and fed, or a closed relay.
    pub(crate) fn anything_on(&self) -> bool {
        let fed = self.playing.1 != 0 || self.main_stuck_on;
        let driven = self.samples().drivers.iter().any(|slots| *slots != 0);
        (fed && driven) || self.contacts[0] & self.contacts[1] != 0
    }

    /// Steps until this unit has nothing on and both CPUs are in safe state; how many steps it took.
    pub(crate) fn steps_to_safe(&mut self, most: u32) -> Option<u32> {
        (1..=most).find(|_| {
            self.step();
            self.modes() == [Mode::Safe; 2] && !self.anything_on()
        })
    }

    /// The first fault that each CPU told.
    pub(crate) fn causes(&self) -> [Option<Fault>; 2] {
        [&self.one.detections, &self.two.detections].map(|told| told.first().map(|told| told.fault))
    }
}

/// Units that hear each other over radio and CAN.
#[derive(Clone)]
pub(crate) struct Net(pub(crate) Vec<Unit>);

impl Net {
    /// One tick of every unit.
    pub(crate) fn step(&mut self) {
        self.0.iter_mut().for_each(Unit::step);
        let packets: Vec<Option<Bytes>> = self.0.iter().map(|unit| unit.one.out.radio.clone()).collect();
        let frames: Vec<Vec<CanFrame>> = self.0.iter_mut().map(Unit::frames_sent).collect();
        for (own, unit) in self.0.iter_mut().enumerate() {
            let others = || (0..packets.len()).filter(|other| *other != own);
            unit.air = others().filter_map(|other| packets[other].clone()).collect();
            let at = Instant::from_micros(unit.one.now_us + 500);
            unit.bus =
                others().flat_map(|other| &frames[other]).map(|frame| CanReceived { at, frame: *frame }).collect();
        }
    }
}
