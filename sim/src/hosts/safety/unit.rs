//! A safety unit: two CPUs, the link between them, transistors and relays.
//!
//! ```text
//!   devices --> pins --comparators, ADC--> CPU1 --table--> 14 transistors --+-- pins
//!                 \----comparators, ADC--> CPU2 --toggle--> main transistor-/
//!   CPU1 <== C2C packets, forwarded messages ==> CPU2;   contact 1 (CPU1) and 2 (CPU2) of each relay in series
//! ```
//! What is played when stands in the firmware's `SAFETY.md`, section 3: tables in the tick after the step that asked for
//! them, coils and `all_off` at the end of the step itself.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::prelude::Component;
use protocol::Frame;
use safety_common::io::{Bytes, CanTransmit, Forward, Led, LogicTrace, Mode, ResetCause, TickOutputs};
use safety_common::simplecan::TOOL_ANSWER_ID;
use safety_common::{PINS, RELAYS, SLOTS};

use super::air::Air;
use super::core::{AdcChannel, Around, Arriving, Core, Effects};
use super::demands::are_peers;
use super::line::{Line, Passed, WIRE_TIME};
use super::networks::{Common, places};
use super::off::{Contacts, Relays};
use super::pins::{Feed, Pins, Play, Plays, Seen, Window};
use super::proof::{Held, PastStop};
use super::record::SafetyRecord;
use super::tool::{BYTE_TIME, Tool, Way};
use super::watch::{Stepped, Watch};
use super::{SafetyEvent, devices::Devices};
use crate::event::{Context, Event};
use crate::kernel::{SimTime, Span};
use crate::node::NodeId;
use crate::safety::binary::Section;

/// A forwarded message follows the packet (own number).
const FORWARD_TIME: Span = Span::from_micros(200);
/// The main transistor lets go so long after the last toggle of its enable line; at most 2 ms by `SAFETY.md`.
const HOLD: Span = Span::from_millis(1);
/// The window watchdog has a time base of its own (own number; the source gives no period).
const WATCHDOG: Span = Span::from_millis(10);
/// Slots of a tick in which CPU1 reads combined pins (`SAFETY.md`, section 6).
const READ_SLOTS: u16 = 1 << 10 | 1 << 11;
/// Nominal rail.
pub(crate) const RAIL_MV: u32 = 3_300;

/// Somebody on the bus who sends the unit's frames once more.
#[derive(Clone, Copy, Debug)]
pub struct Repeater {
    /// The injection that does it.
    pub owner: u16,
    /// Who sends them.
    pub by: NodeId,
    /// How long after the unit has requested them.
    pub after: Span,
    /// How many are still repeated; `u32::MAX` is all.
    pub left: u32,
}

/// A relay contact.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contact {
    /// Whether its coil is fed.
    pub coil: bool,
    /// Whether it is closed.
    pub closed: bool,
    /// When it moves to where its coil wants it.
    pub moves: SimTime,
    /// It stays closed, or open, whatever its coil does.
    pub stuck: Option<bool>,
}

/// What a step leaves to be done outside the unit.
#[derive(Default)]
pub struct Outside {
    /// A radio packet to send.
    pub radio: Option<Bytes>,
    /// Frames to hand to the CAN controller, with when.
    pub can: Vec<(SimTime, CanTransmit)>,
    /// A frame to give up.
    pub abort: Option<u16>,
}

impl Outside {
    /// Whether anything is to be done.
    #[must_use]
    pub const fn is_something(&self) -> bool {
        self.radio.is_some() || !self.can.is_empty() || self.abort.is_some()
    }
}

/// A unit.
#[derive(Component, Clone)]
pub struct Unit {
    /// Its place among the units, from 0.
    pub index: u8,
    /// Its node on bus and supply.
    pub node: NodeId,
    /// CPU1 and CPU2.
    pub cores: [Core; 2],
    /// Links to CPU1 and to CPU2.
    pub lines: [Line; 2],
    /// What becomes of its radio packets.
    pub air: Air,
    /// What it runs, to look at.
    pub section: Section,
    /// The network that it was made for.
    pub common: Arc<Common>,
    /// Names of its input groups.
    pub input_groups: Arc<[String]>,
    /// The pins.
    pub pins: Pins,
    /// Devices at the input groups.
    pub devices: Devices,
    /// Feed of the transistors.
    pub feed: Feed,
    /// The main transistor conducts, or does not, whatever it is told.
    pub main_stuck: Option<bool>,
    /// Whether the main transistor is told to conduct.
    main_told: bool,
    main_held: SimTime,
    main_table: u16,
    plays: Plays,
    table: [u16; PINS],
    /// Bit `2 * relay + cpu - 1`.
    pub contacts: [Contact; 2 * RELAYS],
    relay_move: Span,
    /// The rails of CPU1 and CPU2 in mV.
    pub rails: [u32; 2],
    /// Whether it has supply.
    pub powered: bool,
    /// CAN frames that wait for their slot.
    pub can_waiting: Vec<(SimTime, CanTransmit)>,
    /// Who repeats its frames.
    pub repeaters: Vec<Repeater>,
    /// Frames that will be repeated: when, by whom and for which injection.
    pub repeats: VecDeque<(SimTime, NodeId, u16, Frame)>,
    /// Pins that are live, and coils that are fed, as last recorded.
    pub live: (u16, u8),
    /// Input groups that show ON, as last put on the pins.
    pub shown: u16,
    /// Since when the device at each group has shown what it shows.
    pub shown_since: [SimTime; 16],
    /// How long the device at each group showed OFF before it showed ON last.
    pub was_off_for: [Span; 16],
    /// The configuration tool at its USB interface.
    pub tool: Tool,
    /// What is measured.
    pub watch: Watch,
    /// Faults that are there and need a proof.
    pub(super) held: Vec<Held>,
    /// Stops that are over, and that the next step of a CPU may show yet.
    pub(super) past: Vec<PastStop>,
    /// Faults that were proven and not told yet.
    pub(super) proofs: Vec<(u16, String)>,
}

/// What a unit is made of.
pub struct Parts {
    /// Its place among the units, from 0.
    pub index: u8,
    /// Its node on bus and supply.
    pub node: NodeId,
    /// CPU1 and CPU2.
    pub cores: [Core; 2],
    /// What it runs.
    pub section: Section,
    /// Devices at the input groups.
    pub devices: Devices,
    /// Names of its input groups.
    pub input_groups: Arc<[String]>,
    /// Time from the command of a relay to the move of its contact.
    pub relay_move: Span,
    /// The network that it is part of.
    pub common: Arc<Common>,
    /// The configuration tool.
    pub tool: Tool,
}

impl Unit {
    /// A unit without supply.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { index, node, cores, section, devices, input_groups, relay_move, common, tool } = parts;
        let pins = Pins {
            sources: devices.unforced().clone(),
            wiring: [super::pins::Wiring::Sound; PINS],
            stuck_on: 0,
            stuck_off: 0,
        };
        Self {
            index,
            node,
            cores,
            lines: [Line::default(), Line::default()],
            air: Air::default(),
            watch: Watch::new(&section, &common).with(Contacts::new(relay_move)),
            common,
            section,
            shown: devices.all(),
            shown_since: [SimTime::ZERO; 16],
            was_off_for: [Span::ZERO; 16],
            input_groups,
            pins,
            devices,
            feed: Feed { on: false, since: SimTime::ZERO },
            main_stuck: None,
            main_told: false,
            main_held: SimTime::ZERO,
            main_table: 0,
            plays: [Play::NONE; 4],
            table: [0; PINS],
            contacts: [Contact { moves: SimTime::NEVER, ..Contact::default() }; 2 * RELAYS],
            relay_move,
            rails: [RAIL_MV; 2],
            powered: false,
            can_waiting: Vec::new(),
            repeaters: Vec::new(),
            repeats: VecDeque::new(),
            live: (0, 0),
            tool,
            held: Vec::new(),
            past: Vec::new(),
            proofs: Vec::new(),
        }
    }

    /// Input groups whose devices show OFF.
    pub fn groups_off(&self) -> impl Iterator<Item = u8> {
        (0..self.input_groups.len().min(16) as u8).filter(|group| self.shown >> group & 1 == 0)
    }

    /// Input groups whose devices have shown OFF for so long.
    #[must_use]
    pub fn off_for(&self, now: SimTime, long: Span) -> u16 {
        let for_long = places(!self.shown).filter(|group| self.shown_since[*group] + long <= now);
        for_long.fold(0, |bits, group| bits | 1 << group)
    }

    /// The configuration tool goes on: its time has come, or an answer. Gives what is to be sent to all units, and how.
    pub fn use_tool(&mut self, context: &mut Context<'_>) -> Option<(Way, Bytes)> {
        let node = self.node;
        let action = self.tool.wake(context.now, &self.cores);
        if let Some((number, step)) = action.step {
            context.record(SafetyRecord::Download { node, number, step }.into());
        }
        if let Some((number, told, detail)) = action.told {
            context.record(SafetyRecord::Told { node, number, told, detail }.into());
        }
        if let Some(at) = action.wake {
            context.agenda.at(at, Event::Safety(SafetyEvent::Tool { unit: self.index }));
        }
        match action.send? {
            (Way::Usb, message) => {
                self.hear_tool(context.now, message);
                None
            }
            on_air_or_bus => Some(on_air_or_bus),
        }
    }

    /// A message of the tool comes over USB; bytes that come while CPU1 does not run are lost.
    pub fn hear_tool(&mut self, now: SimTime, message: Bytes) {
        if self.cores[0].firmware.is_some() {
            self.cores[0].usb.push_back(Arriving { at: now + on_line(&message), what: message });
        }
    }

    /// CPU1 answers the tool over USB at the end of a step.
    fn answer_tool(&mut self, context: &mut Context<'_>, answer: Bytes, ends: SimTime) {
        self.answer_comes(context, answer.clone(), ends + on_line(&answer));
    }

    /// An answer will be whole at the tool.
    pub fn answer_comes(&mut self, context: &mut Context<'_>, answer: Bytes, at: SimTime) {
        self.tool.answered(at, answer);
        context.agenda.at(at, Event::Safety(SafetyEvent::Tool { unit: self.index }));
    }

    /// What the flash holds is what the CPUs will run, if it is anything known.
    fn adopt(&mut self) {
        if self.tool.downloads.is_empty() {
            return;
        }
        let held = self.tool.held_by(&self.cores[0]);
        if let Some(runs) = held.and_then(|held| held.runs.clone()) {
            self.watch.adopt(runs.section(), &runs);
        }
    }

    /// Supply is there: both CPUs will boot.
    pub fn power_good(&mut self, context: &mut Context<'_>) {
        self.powered = true;
        self.set_main(context);
        for cpu in 0..2 {
            self.schedule_boot(context, cpu, ResetCause::PowerOn);
        }
    }

    /// Supply is gone.
    pub fn power_lost(&mut self, context: &mut Context<'_>) {
        self.powered = false;
        for cpu in 0..2 {
            self.stop(context, cpu, None);
        }
    }

    fn schedule_boot(&self, context: &mut Context<'_>, cpu: usize, cause: ResetCause) {
        let core = &self.cores[cpu];
        let event = SafetyEvent::Boot { unit: self.index, cpu: cpu as u8, life: core.life, cause };
        context.agenda.after(core.options.boot, Event::Safety(event));
    }

    /// A CPU is reset: its outputs fall, and it boots again.
    pub fn reset(
        &mut self,
        context: &mut Context<'_>,
        cpu: usize,
        cause: ResetCause,
        kept: Option<safety_common::io::Retained>,
    ) {
        if !self.powered {
            return;
        }
        self.stop(context, cpu, kept);
        self.schedule_boot(context, cpu, cause);
    }

    fn stop(&mut self, context: &mut Context<'_>, cpu: usize, kept: Option<safety_common::io::Retained>) {
        let was = self.cores[cpu].firmware.is_some();
        self.cores[cpu].stop(kept);
        if cpu == 0 {
            self.can_waiting.clear();
        }
        self.watch.falls(cpu, context.now);
        self.all_off(context, cpu);
        self.set_coils(context, cpu, 0);
        if was {
            if cpu == 0 {
                self.show_lamp(context, false);
            }
            self.watch.stopped(cpu, context.now);
            context.record(SafetyRecord::Stopped { node: self.node, cpu: cpu as u8 + 1 }.into());
        }
    }

    /// The boot time has passed.
    pub fn boot(&mut self, context: &mut Context<'_>, cpu: usize, cause: ResetCause) {
        let core = &mut self.cores[cpu];
        core.boot(context.now, cause);
        self.adopt();
        self.watch.booted(cpu, context.now, cause);
        context.record(SafetyRecord::Started { node: self.node, cpu: cpu as u8 + 1, cause }.into());
        self.schedule_tick(context, cpu);
    }

    fn schedule_tick(&self, context: &mut Context<'_>, cpu: usize) {
        let core = &self.cores[cpu];
        let event = SafetyEvent::Tick { unit: self.index, cpu: cpu as u8, life: core.life };
        context.agenda.at(core.clock.next(), Event::Safety(event));
    }

    /// The hardware's part of a tick: the tables of the last step begin to play.
    fn latch(&mut self, context: &mut Context<'_>, cpu: usize) -> Window {
        let window = {
            let core = &mut self.cores[cpu];
            let (from, length) = (core.clock.started(), core.clock.next().since(core.clock.started()).as_nanos());
            core.clock.advance();
            Window { from, length }
        };
        if cpu == 0 {
            self.latch_table(context);
        } else {
            self.latch_main(context);
        }
        window
    }

    /// A halted CPU1 leaves its table standing.
    fn latch_table(&mut self, context: &mut Context<'_>) {
        let length = self.cores[0].clock.tick_length().as_nanos();
        self.plays.rotate_right(1);
        self.plays[0] = Play { start: context.now, length, cut: SimTime::NEVER, pins: self.table };
        self.refresh(context);
    }

    /// A halted CPU2 toggles no longer.
    fn latch_main(&mut self, context: &mut Context<'_>) {
        let core = &self.cores[1];
        let table = if core.is_halted() { 0 } else { self.main_table };
        if table == 0 {
            if self.main_told {
                let at = self.main_held.max(context.now);
                context.agenda.at(at, Event::Safety(SafetyEvent::MainOff { unit: self.index }));
            }
            return;
        }
        let last = 16 - table.leading_zeros() as u8;
        self.main_held = core.clock.slot(last) + HOLD;
        if !self.main_told {
            self.main_told = true;
            self.set_main(context);
        }
    }

    /// The main transistor's hold time may have run out.
    pub fn main_off(&mut self, context: &mut Context<'_>) {
        if self.main_told && self.main_held <= context.now {
            self.main_told = false;
            self.set_main(context);
        }
    }

    /// The main transistor does what it is told, or what a fault makes it.
    pub fn set_main(&mut self, context: &mut Context<'_>) {
        let on = self.main_stuck.unwrap_or(self.main_told) && self.powered;
        if self.powered && self.main_stuck.is_some() {
            self.prove_main(self.main_told);
        }
        if on != self.feed.on {
            self.feed = Feed { on, since: context.now };
            context.record(SafetyRecord::Main { node: self.node, on }.into());
            self.refresh(context);
        }
    }

    /// All outputs of a CPU off at once.
    fn all_off(&mut self, context: &mut Context<'_>, cpu: usize) {
        if cpu == 0 {
            self.table = [0; PINS];
            self.plays[0].cut = self.plays[0].cut.min(context.now);
            self.refresh(context);
        } else {
            self.main_table = 0;
            self.main_told = false;
            self.set_main(context);
        }
    }

    fn set_coils(&mut self, context: &mut Context<'_>, cpu: usize, relays: u8) {
        for relay in 0..RELAYS {
            let contact = &mut self.contacts[2 * relay + cpu];
            let on = relays >> relay & 1 == 1;
            if contact.coil != on {
                contact.coil = on;
                contact.moves = context.now + self.relay_move;
                context.agenda.at(contact.moves, Event::Safety(SafetyEvent::Contacts { unit: self.index }));
            }
        }
        self.refresh(context);
        self.watch.relays(context.now, self.relays());
    }

    /// What each relay does at this instant.
    fn relays(&self) -> Relays {
        let mut relays = Relays::default();
        for (relay, [one, two]) in self.contacts.as_chunks().0.iter().enumerate() {
            let bit = |is: bool| u8::from(is) << relay;
            relays.held |= bit(one.coil && two.coil);
            relays.conduct |= bit(one.closed && two.closed);
            relays.move_now |= bit([one, two].into_iter().any(|contact| contact.moves != SimTime::NEVER));
        }
        relays
    }

    /// Contacts move to where their coils want them; whether any did.
    pub fn move_contacts(&mut self, context: &mut Context<'_>) -> bool {
        let before = self.closed();
        let mut held = Vec::new();
        for (place, contact) in self.contacts.iter_mut().enumerate() {
            if contact.moves <= context.now {
                contact.moves = SimTime::NEVER;
                contact.closed = contact.stuck.unwrap_or(contact.coil);
                held.extend(contact.stuck.map(|_| (place, contact.coil)));
            }
        }
        for (place, coil) in held {
            self.prove_contact(place, coil);
        }
        self.watch.relays(context.now, self.relays());
        let closed = self.closed();
        if closed != before {
            context.record(SafetyRecord::Contacts { node: self.node, closed }.into());
        }
        closed != before
    }

    /// Contacts that are closed.
    #[must_use]
    pub fn closed(&self) -> u8 {
        self.contacts.iter().enumerate().fold(0, |bits, (n, contact)| bits | u8::from(contact.closed) << n)
    }

    /// Whether a relay conducts: both of its contacts are closed.
    #[must_use]
    pub fn conducts(&self, relay: u8) -> bool {
        self.closed() >> (2 * relay) & 0b11 == 0b11
    }

    fn coils(&self) -> u8 {
        self.contacts.iter().enumerate().fold(0, |bits, (n, contact)| bits | u8::from(contact.coil) << n)
    }

    /// Pins whose transistor conducts in some slot of the present tick while the feed is on.
    fn live_pins(&self) -> u16 {
        if !self.feed.on {
            return 0;
        }
        let play = &self.plays[0];
        let table = if play.cut == SimTime::NEVER { play.pins } else { [0; PINS] };
        let told = table.iter().enumerate().fold(0, |bits, (pin, slots)| bits | u16::from(*slots != 0) << pin);
        (told | self.pins.stuck_on) & !self.pins.stuck_off
    }

    /// Records what changed at the outputs.
    pub fn refresh(&mut self, context: &mut Context<'_>) {
        let (pins, coils) = (self.live_pins(), self.coils());
        if pins != self.live.0 {
            self.live.0 = pins;
            context.record(SafetyRecord::Outputs { node: self.node, pins }.into());
            self.watch.outputs(context.now, pins, coils, self.idle());
        }
        if coils != self.live.1 {
            self.live.1 = coils;
            context.record(SafetyRecord::Coils { node: self.node, coils }.into());
            self.watch.outputs(context.now, pins, coils, self.idle());
        }
    }

    /// Of each CPU whether it drives its side of the outputs, or a fault keeps it from turning it off.
    fn idle(&self) -> [bool; 2] {
        let coils = self.coils();
        let fed = |cpu: usize| (0..RELAYS).any(|relay| coils >> (2 * relay + cpu) & 1 == 1);
        let plays = self.plays[0].cut == SimTime::NEVER && self.plays[0].pins != [0; PINS];
        [self.cores[0].is_halted() || fed(0) || plays, self.cores[1].is_halted() || fed(1) || self.main_told]
    }

    /// Whether nothing is driven: no live pin, and no relay that both coils hold.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.live.0 == 0 && (0..RELAYS).all(|relay| self.live.1 >> (2 * relay) & 0b11 != 0b11)
    }

    /// A tick of a CPU starts.
    pub fn tick(&mut self, context: &mut Context<'_>, cpu: usize, supply_mv: u32) -> Outside {
        let now = context.now;
        let window = self.latch(context, cpu);
        self.schedule_tick(context, cpu);
        if self.cores[cpu].is_halted() {
            self.prove_halt(cpu);
            if now.since(self.cores[cpu].served) >= WATCHDOG && !self.cores[cpu].dead {
                self.reset(context, cpu, ResetCause::Watchdog, None);
            }
            return Outside::default();
        }
        if cpu == 1 {
            self.test_dip(supply_mv);
        }
        if self.cores[cpu].adc.iter().any(|(_, channel, _)| *channel == AdcChannel::Supply) {
            self.watch.supply.misreads(cpu, now);
        }
        self.prove_time(cpu, &window);
        let logic = self.cores[cpu].logic_ns();
        if logic > u64::from(safety_common::LOGIC_TIME_NS_MOST) && !self.cores[cpu].no_deadline {
            let core = &self.cores[cpu];
            let at = now + core.clock.true_span(u64::from(safety_common::LOGIC_TIME_NS_MOST));
            let event = SafetyEvent::Deadline { unit: self.index, cpu: cpu as u8, life: core.life };
            context.agenda.at(at, Event::Safety(event));
            return Outside::default();
        }
        let around = self.around(cpu, supply_mv, &window);
        self.prove_step(cpu, supply_mv, &window, &around);
        if self.cores[cpu].firmware.is_none() {
            return Outside::default();
        }
        let out = self.cores[cpu].step(now, &around);
        for injection in self.cores[cpu].ram.take_acted() {
            context.record(SafetyRecord::Injected { node: self.node, injection }.into());
        }
        let ends = now + self.cores[cpu].clock.true_span(logic);
        let step = Stepped {
            logic,
            touched: self.cores[cpu].touched,
            packets: &self.cores[cpu].packets_read,
            came: self.cores[cpu].came(),
            disturbed: self.lines[cpu].count > 0,
            free: self.free_pins(&window),
        };
        self.watch.stepped(cpu, now, &step, &out);
        self.follow(context, cpu, &out, ends)
    }

    /// Pins that were not driven in the slots in which CPU1 reads combined ones, in the tick that this window samples.
    fn free_pins(&self, window: &Window) -> u16 {
        let Some(play) = self.plays.iter().find(|play| play.start <= window.from) else { return u16::MAX };
        (0..PINS).fold(0, |bits, pin| bits | u16::from(play.pins[pin] & READ_SLOTS == 0) << pin)
    }

    fn around(&self, cpu: usize, supply_mv: u32, window: &Window) -> Around {
        Around {
            seen: self.see(&self.pins, supply_mv, window),
            supply_mv,
            feed_mv: self.feed.millivolts(supply_mv, window.scan()),
            rail_mv: self.rails[1 - cpu],
            contacts: self.closed(),
        }
    }

    /// What is seen of the pins in a window, if they were as told here.
    pub(super) fn see(&self, pins: &Pins, supply_mv: u32, window: &Window) -> Seen {
        pins.see(&self.plays, &self.feed, supply_mv, window)
    }

    /// The converter's reading in a dip that was asked for in the last step: it is made in the tick that begins now, and
    /// a transistor that obeys shows nothing.
    fn test_dip(&mut self, supply_mv: u32) {
        if let Some(mv) = &mut self.cores[1].dips[0] {
            let is_stuck = self.main_stuck == Some(true);
            *mv = if is_stuck { supply_mv } else { 0 };
            if is_stuck {
                self.prove_main(false);
            }
        }
    }

    /// The hardware timer's interrupt.
    pub fn deadline(&mut self, context: &mut Context<'_>, cpu: usize) -> Outside {
        let Some(out) = self.cores[cpu].deadline(context.now) else { return Outside::default() };
        self.watch.overrun(cpu);
        self.follow(context, cpu, &out, context.now)
    }

    /// Carries out what a step asked for; it ends at `ends`.
    fn follow(&mut self, context: &mut Context<'_>, cpu: usize, out: &TickOutputs, ends: SimTime) -> Outside {
        self.record(context, cpu, out);
        self.watch.tells(cpu, ends, out);
        if cpu == 0 {
            self.table = out.pins;
        } else {
            self.main_table = out.main;
            self.cores[1].dips[0] = out.main_dip.map(|_| 0);
        }
        let effects = Effects { all_off: out.all_off, relays: if out.all_off { 0 } else { out.relays } };
        self.cores[cpu].effects = effects;
        if self.is_effective(cpu, effects) {
            let life = self.cores[cpu].life;
            let event = SafetyEvent::Effects { unit: self.index, cpu: cpu as u8, life };
            context.agenda.at(ends, Event::Safety(event));
        }
        self.send(context, cpu, out, ends);
        if let Some(answer) = &out.usb {
            self.answer_tool(context, answer.clone(), ends);
        }
        if let Some(kept) = out.reset {
            self.reset(context, cpu, ResetCause::Software, Some(kept));
            return Outside::default();
        }
        let slot = |slot: u8| {
            self.cores[cpu].clock.next()
                + Span::from_nanos(self.cores[cpu].clock.tick_length().as_nanos() * u64::from(slot) / u64::from(SLOTS))
        };
        Outside {
            radio: out.radio.clone(),
            can: out.can.iter().map(|frame| (slot(frame.slot), *frame)).collect(),
            abort: out.can_abort,
        }
    }

    /// Whether carrying them out would change anything.
    fn is_effective(&self, cpu: usize, effects: Effects) -> bool {
        let coils = self.coils();
        let own = (0..RELAYS).fold(0, |bits, relay| bits | (coils >> (2 * relay + cpu) & 1) << relay);
        let on = if cpu == 0 {
            self.plays[0].cut == SimTime::NEVER && self.plays[0].pins != [0; PINS]
        } else {
            self.main_told
        };
        let gives_up = self.can_waiting.iter().any(|(_, frame)| frame.frame.id != TOOL_ANSWER_ID);
        own != effects.relays || (effects.all_off && (on || gives_up))
    }

    /// The end of a step: what acts within the tick. Gives whether CAN frames are given up.
    pub fn effects(&mut self, context: &mut Context<'_>, cpu: usize) -> bool {
        let Effects { all_off, relays } = self.cores[cpu].effects;
        if all_off {
            self.all_off(context, cpu);
        }
        self.set_coils(context, cpu, relays);
        all_off && cpu == 0
    }

    fn record(&mut self, context: &mut Context<'_>, cpu: usize, out: &TickOutputs) {
        let (node, number) = (self.node, cpu as u8 + 1);
        for one in &out.detections {
            let (fault, detail) = (one.fault, one.detail);
            context.record(SafetyRecord::Detected { node, cpu: number, fault, detail }.into());
            self.watch.detected(context.now, cpu, one);
        }
        let core = &mut self.cores[cpu];
        if out.mode != core.mode {
            core.mode = out.mode;
            context.record(SafetyRecord::Mode { node, cpu: number, mode: out.mode }.into());
            self.watch.mode(context.now, cpu, out.mode);
        }
        let shown = |trace: &LogicTrace| (trace.inputs_on, trace.outputs_on, trace.relays_on);
        if shown(&out.trace) != shown(&core.logic) {
            let (inputs, outputs, relays) = shown(&out.trace);
            context.record(SafetyRecord::Logic { node, cpu: number, inputs, outputs, relays }.into());
        }
        core.logic = out.trace;
        if cpu == 0 {
            self.show_lamp(context, out.led == Led::Identify);
        }
    }

    fn show_lamp(&mut self, context: &mut Context<'_>, identifies: bool) {
        if self.watch.lamp(context.now, identifies) {
            context.record(SafetyRecord::Lamp { node: self.node, identifies }.into());
        }
    }

    /// Puts packet and messages on the line to the other CPU. Nothing becomes of them, and no fault of the line meets them, where that
    /// one cannot receive.
    fn send(&mut self, context: &mut Context<'_>, cpu: usize, out: &TickOutputs, ends: SimTime) {
        let other = 1 - cpu;
        let at = ends + WIRE_TIME;
        if out.c2c.is_some() {
            self.watch.sent(cpu);
        }
        if !self.cores[other].can_receive() {
            return;
        }
        let (is_lost, acted) = if let Some(packet) = &out.c2c {
            let mut bytes = heapless::Vec::new();
            let _ = bytes.extend_from_slice(packet);
            let Passed { comes, is_good, acted } = self.lines[other].passes(&mut bytes);
            if let Some(later) = comes.first() {
                self.watch.arrives(other, at + *later, is_good);
            }
            let is_lost = comes.is_empty();
            let comes = comes.into_iter().map(|later| Arriving { at: at + later, what: bytes.clone() });
            comes.for_each(|packet| self.cores[other].will_hear(packet));
            (is_lost, acted)
        } else {
            let acted = self.lines[other].loses().filter(|_| !out.forward.is_empty());
            (acted.is_some(), acted.into_iter().collect())
        };
        for injection in acted {
            context.record(SafetyRecord::Injected { node: self.node, injection }.into());
        }
        if is_lost {
            return;
        }
        for message in &out.forward {
            let arriving: Arriving<Forward> = Arriving { at: at + FORWARD_TIME, what: message.clone() };
            self.cores[other].forwards.push_back(arriving);
        }
    }

    /// Whether it takes radio packets of a unit that runs this: it is another node of that network, and in normal mode or about to be.
    pub(super) fn takes_packets_of(&self, of: &Common) -> bool {
        let core = &self.cores[0];
        let listens = matches!(core.mode, Mode::Ready | Mode::Normal);
        core.can_receive() && listens && are_peers(of, self.watch.common())
    }

    /// A radio packet comes to it; if it is as a unit sent it, `of` is what that unit runs. Late ones stand behind those that come before
    /// them.
    pub fn hear(&mut self, packet: Arriving<Bytes>, of: Option<&Common>) {
        if !self.cores[0].can_receive() {
            return;
        }
        if let Some(of) = of {
            self.watch.will_hear(packet.at, &packet.what, of);
        }
        let queue = &mut self.cores[0].radio;
        let place = queue.partition_point(|one| one.at <= packet.at);
        queue.insert(place, packet);
    }
}

/// A message on the tool's line, byte by byte.
fn on_line(message: &[u8]) -> Span {
    Span::from_nanos(BYTE_TIME.as_nanos() * message.len() as u64)
}
