//! The job done with as little as it takes: the firmware, mailboxes, a line without errors, flash as bytes.
//!
//! Times are ns since the run began. Every node has one instant at which it is due; the loop takes the earliest of
//! these and of the end of the frame on the line. There is no agenda, because scanning some fifteen numbers is less.

use cooltwin::bus::wire::{INTERMISSION, arbitration_key, frame_bits};
use cooltwin::hosts::image::{Image, made_up};
use cooltwin::scenario::{Consent, Scenario};
use cooltwin::twin::{cioc_config, pump_config};
use embedded_can::{Id, StandardId};
use heapless::Deque;
use orchestrator::{NonVolatile, Notice, Orchestrator, Package, PackageState, UserAction};
use protocol::Frame;
use protocol::frame::raw_id;
use protocol::header::{ModelId, Version};
use protocol::ids::PumpNumber;
use pump::flash_map::{MARKER, MARKER_ADDRESS, SECTOR_LEN, SECTORS};
use pump::{FlashCommand, FlashMemory, FlashResult, Pump, ResetCause, Retained};
use safety_common::SLOTS;
use units::{DeciCelsius, Instant, Milliamps, Millivolts, Permille};
use xxhash_rust::xxh3::Xxh3;

use super::Outcome;
use crate::safety::{self, Unit};

const NEVER: u64 = u64::MAX;
const MODEL: ModelId = ModelId(1);
const SUPPLY: Millivolts = Millivolts::new(24_000);
const COOLANT: DeciCelsius = DeciCelsius::new(350);
/// From standstill to full speed.
const SLEW: u64 = 2_000_000_000;
const READ_COST: u64 = 60;
/// How long the scenario goes on after the campaign.
const AFTER_CAMPAIGN: u64 = 60_000_000_000;
/// Both CPUs of every safety unit step so often.
const UNIT_TICK: u64 = 1_000_000;

/// Times of the scenario.
#[derive(Clone, Copy)]
struct Times {
    bit: u64,
    latency: u64,
    tick: u64,
    pump_boot: u64,
    sector_erase: u64,
    word_program: u64,
    consent: u64,
}

#[derive(Clone, Copy)]
struct Offer {
    key: u32,
    order: u64,
    queued: u64,
    frame: Frame,
}

/// A node as the line sees it, and its timer.
#[derive(Clone)]
struct Node {
    mailboxes: [Option<Offer>; 3],
    received: Deque<Frame, 3>,
    sent: Deque<StandardId, 8>,
    attends: u64,
    wakes: u64,
    busy: u64,
    /// When the CPU was reset.
    zero: u64,
}

impl Node {
    fn new(zero: u64) -> Self {
        Self {
            mailboxes: [None; 3],
            received: Deque::new(),
            sent: Deque::new(),
            attends: NEVER,
            wakes: NEVER,
            busy: 0,
            zero,
        }
    }

    fn best(&self) -> Option<(usize, &Offer)> {
        let waiting = self.mailboxes.iter().enumerate().filter_map(|(slot, offer)| Some((slot, offer.as_ref()?)));
        waiting.min_by_key(|(_, offer)| (offer.key, offer.order))
    }

    fn free(&self) -> u8 {
        self.mailboxes.iter().filter(|mailbox| mailbox.is_none()).count() as u8
    }

    fn due(&self) -> u64 {
        self.attends.min(self.wakes).max(self.busy)
    }

    fn clock(&self, now: u64) -> Instant {
        Instant::from_micros((now - self.zero) / 1_000)
    }

    /// What has come due is being attended to; the firmware's next wish replaces the old one.
    fn attend(&mut self, now: u64) {
        if self.attends <= now {
            self.attends = NEVER;
        }
    }

    fn sleep(&mut self, now: u64, wake_at: Option<Instant>, tick: u64) {
        self.wakes = wake_at.map_or(NEVER, |at| {
            let local = at.as_micros().saturating_mul(1_000).checked_next_multiple_of(tick).unwrap_or(NEVER);
            self.zero.saturating_add(local).max(now)
        });
    }
}

#[derive(Clone, Copy)]
struct Attempt {
    start: u64,
    end: u64,
    node: usize,
    slot: usize,
}

struct Fram(Vec<u8>);

impl NonVolatile for Fram {
    fn read(&self, offset: u16, into: &mut [u8]) {
        let start = usize::from(offset);
        into.copy_from_slice(&self.0[start..start + into.len()]);
    }

    fn write(&mut self, offset: u16, bytes: &[u8]) {
        let start = usize::from(offset);
        self.0[start..start + bytes.len()].copy_from_slice(bytes);
    }
}

/// Memory that counts the bytes read.
struct Reader<'a> {
    bytes: &'a [u8],
    read: std::cell::Cell<u64>,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, read: std::cell::Cell::new(0) }
    }

    fn copy(&self, offset: u32, into: &mut [u8]) -> bool {
        let start = offset as usize;
        let Some(bytes) = self.bytes.get(start..start + into.len()) else { return false };
        into.copy_from_slice(bytes);
        self.read.set(self.read.get() + into.len() as u64);
        true
    }
}

impl Package for Reader<'_> {
    fn state(&self) -> PackageState {
        PackageState::Present { length: self.bytes.len() as u32 }
    }

    fn read(&self, offset: u32, into: &mut [u8]) -> bool {
        self.copy(offset, into)
    }
}

impl FlashMemory for Reader<'_> {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        self.copy(address, into)
    }
}

struct Cioc {
    firmware: Orchestrator,
    fram: Fram,
    image: Image,
    answers_at: u64,
}

struct Board {
    config: pump::Config,
    firmware: Option<Pump>,
    boots_at: u64,
    cause: ResetCause,
    retained: Retained,
    flash: Vec<u8>,
    operation: Option<(u64, FlashCommand)>,
    motor: u64,
    /// How far it is on its way to full speed, in ns of [`SLEW`], and when that was so.
    turning: u64,
    turned_at: u64,
}

impl Board {
    fn speed(&mut self, now: u64) -> Permille {
        let target = self.motor * SLEW / 1_000;
        let passed = now - self.turned_at;
        self.turned_at = now;
        self.turning = if self.turning < target {
            (self.turning + passed).min(target)
        } else {
            self.turning.saturating_sub(passed).max(target)
        };
        Permille::new((self.turning * 1_000 / SLEW) as u16)
    }

    fn finish(&mut self, command: FlashCommand) {
        match command {
            FlashCommand::Erase { sector } => {
                let start = usize::from(sector) * SECTOR_LEN as usize;
                self.flash[start..start + SECTOR_LEN as usize].fill(0xFF);
            }
            FlashCommand::Program { address, word } => {
                let start = address as usize;
                self.flash[start..start + 4].copy_from_slice(&word.to_le_bytes());
            }
        }
    }
}

/// The floor, ready to run.
pub struct Floor {
    times: Times,
    cioc: Cioc,
    boards: Vec<Board>,
    /// Safety units; their nodes come after those of the pumps.
    units: Vec<Unit>,
    /// Ticks of the units so far.
    ticks: u32,
    /// Frames of the units that wait for their slots: when, node.
    slots: Vec<(u64, usize, Frame)>,
    /// CIOC, pumps, units.
    nodes: Vec<Node>,
    due: Vec<u64>,
    attempt: Option<Attempt>,
    free_at: u64,
    orders: u64,
    ends_at: u64,
    all: Xxh3,
    domains: [Xxh3; 2],
    frames: u64,
    flash_operations: u64,
}

impl Floor {
    /// The floor of a scenario without faults, with one kind of pump and a made-up image.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let flash_times = scenario.flash_times();
        let times = Times {
            bit: 1_000_000_000 / u64::from(scenario.bus.bitrate.bits_per_second()),
            latency: scenario.timing.reaction_latency.as_nanos(),
            tick: scenario.timing.timer_resolution.as_nanos().max(1),
            pump_boot: scenario.timing.pump_boot.as_nanos(),
            sector_erase: flash_times.sector_erase.as_nanos(),
            word_program: flash_times.word_program.as_nanos(),
            consent: match &scenario.user.consent {
                Consent::Agree(answer) => answer.after.as_nanos(),
                _ => NEVER,
            },
        };
        let spec = &scenario.package.image;
        let length = spec.length.bytes() as usize;
        let image = made_up(spec.seed, MODEL, spec.version.to_header(), length);
        let old = made_up(!spec.seed, MODEL, Version { major: 1, minor: 0, patch: 0 }, length);
        let boot = scenario.timing.cioc_boot.as_nanos();
        let fram = Fram(vec![0; orchestrator::nvm::NVM_LEN]);
        let firmware = Orchestrator::boot(cioc_config(scenario), &fram);
        let mut nodes = vec![Node::new(0)];
        nodes[0].wakes = boot;
        let mut floor = Self {
            times,
            cioc: Cioc { firmware, fram, image, answers_at: NEVER },
            boards: Vec::new(),
            units: scenario.safety_units.iter().map(Unit::new).collect(),
            ticks: 0,
            slots: Vec::new(),
            nodes,
            due: vec![boot],
            attempt: None,
            free_at: 0,
            orders: 0,
            ends_at: NEVER,
            all: Xxh3::new(),
            domains: [Xxh3::new(), Xxh3::new()],
            frames: 0,
            flash_operations: 0,
        };
        let boots_at = if floor.units.is_empty() { times.pump_boot } else { NEVER };
        for number in (1..=scenario.pumps.count).filter_map(PumpNumber::new) {
            floor.boards.push(board(pump_config(scenario, number, MODEL), boots_at, &old));
            floor.nodes.push(Node::new(0));
            floor.due.push(boots_at);
        }
        floor.nodes.extend(floor.units.iter().map(|_| Node::new(0)));
        floor
    }

    /// Does all of the work.
    #[must_use]
    pub fn run(&mut self) -> Outcome {
        self.run_until(NEVER);
        let image = &self.cioc.image;
        Outcome {
            frames: self.frames,
            flash_operations: self.flash_operations,
            updated: self.boards.iter().filter(|board| board.flash.starts_with(image)).count() as u8,
            simulated: self.ends_at,
            fingerprint: self.all.digest128(),
        }
    }

    /// Goes on up to an instant in ns, or to the end if that comes before.
    pub fn run_until(&mut self, until: u64) {
        loop {
            let line = self.attempt.map_or(NEVER, |attempt| attempt.end);
            let (node, due) = self.earliest();
            let tick = if self.units.is_empty() { NEVER } else { u64::from(self.ticks + 1) * UNIT_TICK };
            let slot = self.slots.iter().map(|(at, ..)| *at).min().unwrap_or(NEVER);
            let next = line.min(due).min(tick).min(slot);
            if next >= self.ends_at || next > until {
                break;
            }
            if next == line {
                self.frame_ends(next);
            } else if next == tick {
                self.tick_units(next);
            } else if next == slot {
                self.send_slots(next);
            } else if node == 0 {
                self.run_cioc(next);
            } else {
                self.run_pump(next, node);
            }
        }
    }

    /// The safety units.
    #[must_use]
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    fn earliest(&self) -> (usize, u64) {
        let mut earliest = (0, NEVER);
        for (node, due) in self.due.iter().enumerate() {
            if *due < earliest.1 {
                earliest = (node, *due);
            }
        }
        earliest
    }

    fn record(&mut self, domain: usize, now: u64, words: &[u64]) {
        let mut bytes = [0; 64];
        let head = [now, (words.len() as u64) << 32 | domain as u64];
        for (to, word) in bytes.chunks_exact_mut(8).zip(head.iter().chain(words)) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        let bytes = &bytes[..(words.len() + 2) * 8];
        self.all.update(bytes);
        self.domains[domain].update(bytes);
    }

    fn frame_ends(&mut self, now: u64) {
        let Some(attempt) = self.attempt.take() else { return };
        let Some(offer) = self.nodes[attempt.node].mailboxes[attempt.slot].take() else { return };
        let frame = offer.frame;
        self.frames += 1;
        self.free_at = now + u64::from(INTERMISSION) * self.times.bit;
        let bits = (attempt.end - attempt.start) / self.times.bit;
        let mut data = [0; 8];
        data[..frame.data().len()].copy_from_slice(frame.data());
        let id = u64::from(raw_id(frame.id()));
        let shape = (frame.data().len() as u64) << 32 | bits << 16 | attempt.node as u64;
        self.record(0, now, &[0, attempt.start, id, u64::from_le_bytes(data), shape, offer.queued]);
        if let Some(node) = receiver(frame.id(), attempt.node).filter(|node| *node <= self.boards.len()) {
            let _ = self.nodes[node].received.push_back(frame);
            self.call(node, now + self.times.latency);
        }
        match (frame.id(), self.unit_at(attempt.node)) {
            (Id::Standard(id), None) => {
                let _ = self.nodes[attempt.node].sent.push_back(id);
                self.call(attempt.node, now);
            }
            (Id::Standard(_), Some(sender)) => safety::frame_ends(&mut self.units, sender, now, &frame),
            (Id::Extended(_), _) => {}
        }
        self.contest(now);
    }

    /// Which unit has this node.
    fn unit_at(&self, node: usize) -> Option<usize> {
        node.checked_sub(1 + self.boards.len())
    }

    /// A tick of every unit; its frames go to the controller in slots of the next.
    fn tick_units(&mut self, now: u64) {
        self.ticks += 1;
        safety::step(&mut self.units, self.ticks);
        for unit in 0..self.units.len() {
            let node = 1 + self.boards.len() + unit;
            if let Some(id) = self.units[unit].abort() {
                self.abort(now, node, id);
            }
            let at = |slot: u64| now + UNIT_TICK + slot * UNIT_TICK / u64::from(SLOTS);
            self.slots.extend(self.units[unit].frames().map(|(slot, frame)| (at(slot), node, frame)));
        }
        if self.boards[0].boots_at == NEVER && self.units[0].relays() == [0b11; 2] {
            self.feed_pumps(now);
        }
    }

    /// The relays of the first unit feed the pumps.
    fn feed_pumps(&mut self, now: u64) {
        for node in 1..=self.boards.len() {
            self.boards[node - 1].boots_at = now + self.times.pump_boot;
            self.nodes[node] = Node::new(now);
            self.plan(node);
        }
    }

    fn send_slots(&mut self, now: u64) {
        while let Some(first) = self.slots.iter().position(|(at, ..)| *at == now) {
            let (_, node, frame) = self.slots.remove(first);
            // Without a free mailbox it is lost, as in the twin.
            if self.nodes[node].free() > 0 {
                self.request(now, node, frame);
            }
        }
    }

    fn call(&mut self, node: usize, at: u64) {
        self.nodes[node].attends = self.nodes[node].attends.min(at);
        self.plan(node);
    }

    /// When the node is due next.
    fn plan(&mut self, node: usize) {
        let due = self.nodes[node].due();
        self.due[node] = match node.checked_sub(1).map(|index| &self.boards[index]) {
            None => due.min(self.cioc.answers_at.max(self.nodes[0].busy)),
            Some(Board { operation: Some((end, _)), .. }) => *end,
            Some(Board { firmware: None, boots_at, .. }) => *boots_at,
            Some(_) => due,
        };
    }

    /// Who sends next, unless a frame has begun.
    fn contest(&mut self, now: u64) {
        if self.attempt.is_some_and(|attempt| attempt.start < now) {
            return;
        }
        let offers = self.nodes.iter().enumerate().filter_map(|(node, own)| Some((node, own.best()?)));
        let best = offers.min_by_key(|(_, (_, offer))| offer.key);
        let start = self.free_at.max(now);
        self.attempt = best.map(|(node, (slot, offer))| {
            let end = start + u64::from(frame_bits(&offer.frame)) * self.times.bit;
            Attempt { start, end, node, slot }
        });
    }

    fn request(&mut self, now: u64, node: usize, frame: Frame) {
        self.orders += 1;
        let offer = Offer { key: arbitration_key(frame.id()), order: self.orders, queued: now, frame };
        let free = self.nodes[node].mailboxes.iter_mut().find(|mailbox| mailbox.is_none());
        *free.expect("the firmware counts free mailboxes") = Some(offer);
        self.contest(now);
    }

    /// A command that has not left when the next is due is stale: its mailbox is emptied, unless its frame is on the line.
    fn abort(&mut self, now: u64, node: usize, id: StandardId) {
        let on_line =
            self.attempt.filter(|attempt| attempt.node == node && attempt.start < now).map(|attempt| attempt.slot);
        for (slot, mailbox) in self.nodes[node].mailboxes.iter_mut().enumerate() {
            if on_line != Some(slot) && mailbox.is_some_and(|offer| offer.frame.id() == Id::Standard(id)) {
                *mailbox = None;
            }
        }
        self.contest(now);
    }

    fn run_cioc(&mut self, now: u64) {
        let mut user = None;
        if self.cioc.answers_at <= now {
            self.cioc.answers_at = NEVER;
            user = Some(UserAction::Consent(true));
        }
        let mut first = true;
        loop {
            let node = &mut self.nodes[0];
            node.attend(now);
            let (received, sent) = (node.received.pop_front(), node.sent.pop_front());
            if !first && received.is_none() && sent.is_none() {
                break;
            }
            first = false;
            let inputs = orchestrator::Inputs {
                received,
                sent,
                mailboxes_free: node.free(),
                supply: SUPPLY,
                feed: SUPPLY,
                coolant: COOLANT,
                user: user.take(),
            };
            let Cioc { firmware, fram, image, .. } = &mut self.cioc;
            let reader = Reader::new(image);
            let outputs = firmware.step(node.clock(now), &inputs, &reader, fram);
            node.busy = now + reader.read.get() * READ_COST;
            node.sleep(now, outputs.wake_at, self.times.tick);
            let busy = node.busy > now;
            if let Some(id) = outputs.abort {
                self.abort(now, 0, id);
            }
            for frame in &outputs.frames {
                self.request(now, 0, *frame);
            }
            for notice in &outputs.notices {
                self.notice(now, notice);
            }
            if busy {
                break;
            }
        }
        self.plan(0);
    }

    fn notice(&mut self, now: u64, notice: &Notice) {
        match notice {
            Notice::ConsentAsked(_) => self.cioc.answers_at = now.saturating_add(self.times.consent),
            Notice::CampaignFinished { .. } => self.ends_at = now + AFTER_CAMPAIGN,
            _ => {}
        }
    }

    fn run_pump(&mut self, now: u64, node: usize) {
        let board = &mut self.boards[node - 1];
        let mut result = board.operation.take().map(|(_, command)| {
            board.finish(command);
            FlashResult::Done
        });
        if board.firmware.is_none() {
            board.firmware = Some(Pump::boot(board.config, board.cause, board.retained));
        }
        let mut first = true;
        loop {
            let own = &mut self.nodes[node];
            own.attend(now);
            let (received, sent) = (own.received.pop_front(), own.sent.pop_front());
            if !first && received.is_none() && sent.is_none() {
                break;
            }
            first = false;
            let board = &mut self.boards[node - 1];
            let inputs = pump::Inputs {
                received,
                sent,
                mailboxes_free: own.free(),
                flash: result.take(),
                supply: SUPPLY,
                speed: board.speed(now),
                current: Milliamps::new(0),
                temperature: COOLANT,
            };
            let reader = Reader::new(&board.flash);
            let Some(firmware) = &mut board.firmware else { break };
            let outputs = firmware.step(own.clock(now), &inputs, &reader);
            own.busy = now + reader.read.get() * READ_COST;
            own.sleep(now, outputs.wake_at, self.times.tick);
            board.motor = u64::from(outputs.motor.get());
            let busy = own.busy > now;
            if let Some(id) = outputs.abort {
                self.abort(now, node, id);
            }
            for frame in &outputs.frames {
                self.request(now, node, *frame);
            }
            if outputs.reset {
                self.reset(now, node);
                break;
            }
            if let Some(command) = outputs.flash {
                self.begin_flash(now, node, command);
                break;
            }
            if busy {
                break;
            }
        }
        self.plan(node);
    }

    fn begin_flash(&mut self, now: u64, node: usize, command: FlashCommand) {
        self.flash_operations += 1;
        let (duration, words) = match command {
            FlashCommand::Erase { sector } => (self.times.sector_erase, [5, node as u64, u64::from(sector), 0]),
            FlashCommand::Program { address, word } => {
                (self.times.word_program, [6, node as u64, u64::from(address), u64::from(word)])
            }
        };
        self.boards[node - 1].operation = Some((now + duration, command));
        self.record(1, now, &words);
    }

    fn reset(&mut self, now: u64, node: usize) {
        let board = &mut self.boards[node - 1];
        board.retained = board.firmware.take().map_or_else(Retained::default, |firmware| firmware.retained());
        board.cause = ResetCause::Software;
        board.boots_at = now + self.times.pump_boot;
        board.motor = 0;
        self.nodes[node] = Node::new(now);
        self.contest(now);
    }
}

fn board(config: pump::Config, boots_at: u64, old: &[u8]) -> Board {
    let mut flash = vec![0xFF; usize::from(SECTORS) * SECTOR_LEN as usize];
    flash[..old.len()].copy_from_slice(old);
    flash[MARKER_ADDRESS as usize..][..4].copy_from_slice(&MARKER.to_le_bytes());
    Board {
        config,
        firmware: None,
        boots_at,
        cause: ResetCause::PowerOn,
        retained: Retained::default(),
        flash,
        operation: None,
        motor: 0,
        turning: 0,
        turned_at: 0,
    }
}

/// Who takes a frame: a pump its commands and requests, the CIOC what the pumps send. What the units send has other takers.
fn receiver(id: Id, sender: usize) -> Option<usize> {
    match raw_id(id) {
        0..=0xFF => None,
        _ if sender != 0 => Some(0),
        raw @ (0x101..=0x110 | 0x701..=0x710) => Some(raw as usize & 0xFF),
        _ => None,
    }
}
