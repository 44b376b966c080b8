//! Start-up: the way into every mode, with outputs off.
//!
//! SSR-003, SSR-006, SSR-061 to SSR-067.
//!
//! Self-tests in slices: RAM, flash, then the configuration mode if a right request was kept, else the configuration,
//! then a proof that the outputs are really off. A CPU that has passed all is *ready* and waits for a peer that is, too.
//!
//! Diverse: each phase holds what the phases before it have found; none can begin without it.

use safety_common::PEER_START_TICKS;
use safety_common::fault::Fault;
use safety_common::io::{BootInputs, FlashPort, Mode, RamPort, TickInputs, TickOutputs};
use units::Instant;

use crate::access::{Access, configuration_asked};
use crate::analog::{FeedLimits, Run, sio_power};
use crate::base::{Base, outputs_off};
use crate::configuration::{Check, Refusal, driven_pins};
use crate::flash_test::{Found, StartCheck};
use crate::flow::{Flow, STARTING, Stage};
use crate::link::{Good, Meaning, meaning};
use crate::outputs::pins_where;
use crate::packet::Packet;
use crate::ram_test::{RAM_WORDS, StartTest};
use crate::settings::Settings;
use crate::trip::{Outcome, Trip, trip_for_lowest};

/// Outputs must be seen off for this many ticks in a row (own number).
const PROOF_TICKS: u32 = 10;
/// A transistor that conducts, or a contact that is closed, for this many ticks in a row is no glitch (own number).
const DRIVEN_TICKS: u32 = 3;
/// Contacts have let go of what was before the reset after this many ticks.
const LET_GO_TICKS: u32 = 100;

/// The steps of start-up, each with what those before it have found.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no allocation to put the large ones into")]
enum Phase {
    Ram(StartTest),
    Flash(StartCheck),
    Configuration(Found, Check),
    /// Outputs must be off before they may ever be on.
    Proof(Found, Settings, Proof),
    Ready(Found, Settings),
}

/// How long the feed of the outputs has been seen off or on.
#[derive(Clone, Copy, Debug, Default)]
struct Proof {
    off: Run,
    main: Run,
}

/// Where start-up leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Stay,
    Normal,
    Configuration,
}

/// What a CPU takes along into normal or configuration mode.
pub(crate) type Heritage = (Base, Found, Option<Settings>);

/// A CPU in start-up.
#[derive(Clone, Debug)]
pub(crate) struct Starting {
    base: Base,
    all_off: AllOff,
    phase: Phase,
}

impl Starting {
    pub(crate) fn new(boot: BootInputs) -> Self {
        Self { base: Base::new(boot), all_off: AllOff::default(), phase: Phase::Ram(StartTest::new(RAM_WORDS)) }
    }

    pub(crate) const fn mode(&self) -> Mode {
        match self.phase {
            Phase::Ready(..) => Mode::Ready,
            _ => Mode::Starting,
        }
    }

    /// Serial number and password as far as they are known.
    pub(crate) fn access(&self) -> Option<Access> {
        match &self.phase {
            Phase::Ram(_) => None,
            Phase::Flash(check) => check.production().map(|p| Access { serial: p.serial, password: p.password }),
            Phase::Configuration(found, _) => {
                Some(Access { serial: found.production.serial, password: found.production.password })
            }
            Phase::Proof(found, settings, _) | Phase::Ready(found, settings) => {
                Some(Access { serial: found.production.serial, password: settings.password })
            }
        }
    }

    /// What the next mode starts from; nothing if start-up is not over.
    pub(crate) fn heritage(self) -> Option<Heritage> {
        match self.phase {
            Phase::Ready(found, settings) => Some((self.base, found, Some(settings))),
            Phase::Configuration(found, _) => Some((self.base, found, None)),
            _ => None,
        }
    }

    pub(crate) fn step<R: RamPort + ?Sized, F: FlashPort + ?Sized>(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut R,
        flash: &F,
    ) -> Outcome<(TickOutputs, Next)> {
        let mut flow = Flow::begin(inputs.tick);
        self.base.count(now, inputs, &mut flow)?;
        let good = self.base.receive(inputs, &mut flow);
        self.base.measure(inputs, &mut flow);
        self.all_off.judge(self.base.steps, inputs, self.may_be_driven())?;
        flow.pass(Stage::Outputs);
        let next = self.meet(&good)?;
        let asked = self.self_test(ram, flash, &mut flow)?;
        let mut outputs = outputs_off(self.mode());
        outputs.c2c = Some(self.packet(inputs, &mut flow).encode());
        flow.check(STARTING)?;
        outputs.watchdog = true;
        if next == Next::Stay && self.base.steps > PEER_START_TICKS {
            return Err(Trip::new(Fault::PeerMissing, 0));
        }
        Ok((outputs, if asked { Next::Configuration } else { next }))
    }

    /// Pins that may conduct: none, until a ready CPU waits for a peer that may be in normal mode already and plays the
    /// OFF signals of its outputs.
    fn may_be_driven(&self) -> u16 {
        match &self.phase {
            Phase::Ready(_, settings) => driven_pins(&settings.pins),
            _ => 0,
        }
    }

    /// A ready CPU looks for a ready peer of the same release, configuration and serial number (SSR-062, SSR-063).
    fn meet(&mut self, good: &Good) -> Outcome<Next> {
        if self.mode() != Mode::Ready {
            return Ok(Next::Stay);
        }
        let mut next = Next::Stay;
        for packet in good {
            if meaning(false, packet.mode) == Meaning::Fits {
                compare(&self.base.identity, packet)?;
                next = Next::Normal;
            }
        }
        Ok(next)
    }

    /// One slice; `true` if the configuration mode is next.
    fn self_test<R: RamPort + ?Sized, F: FlashPort + ?Sized>(
        &mut self,
        ram: &mut R,
        flash: &F,
        flow: &mut Flow,
    ) -> Outcome<bool> {
        flow.pass(Stage::SelfTest);
        let then = match &mut self.phase {
            Phase::Ram(test) => test.slice(ram)?.then(|| Phase::Flash(StartCheck::new())),
            Phase::Flash(check) => check.slice(flash)?.map(|found| {
                let check = Check::new(found.production.serial);
                Phase::Configuration(found, check)
            }),
            Phase::Configuration(..) if configuration_asked(&self.base.boot) => return Ok(true),
            Phase::Configuration(found, check) => match check.slice(flash) {
                None => None,
                Some(Ok(settings)) => Some(Phase::Proof(found.clone(), settings, Proof::default())),
                Some(Err(Refusal::Defect(defect))) => return Err(Trip::new(Fault::Configuration, defect as u32)),
                Some(Err(Refusal::Rest(trip))) => return Err(trip),
            },
            Phase::Proof(found, settings, proof) => {
                let off = proof.judge(sio_power(&self.base.volts), &settings.feeds)?;
                off.then(|| Phase::Ready(found.clone(), settings.clone()))
            }
            Phase::Ready(..) => None,
        };
        if let Some(phase) = then {
            self.phase = phase;
            self.know();
        }
        Ok(false)
    }

    /// What this CPU has learnt of itself goes into its packets.
    fn know(&mut self) {
        let identity = &mut self.base.identity;
        match &self.phase {
            Phase::Configuration(found, _) => {
                identity.release = found.release;
                identity.serial = found.production.serial;
            }
            Phase::Proof(_, settings, _) => identity.configuration_hash = settings.hash,
            _ => {}
        }
    }

    fn packet(&self, inputs: &TickInputs<'_>, flow: &mut Flow) -> Packet {
        flow.pass(Stage::Packet);
        self.base.packet(self.mode(), inputs.relay_feedback)
    }
}

impl Proof {
    /// `true` once the main transistor was seen off long enough; a trip if it is stuck on.
    fn judge(&mut self, sio_power: u16, feeds: &FeedLimits) -> Outcome<bool> {
        let on = sio_power > feeds.sio_off;
        if self.main.sample(on) > u32::from(feeds.debounce) {
            return Err(Trip::new(Fault::MainTransistor, 0));
        }
        Ok(self.off.sample(!on) >= PROOF_TICKS)
    }
}

/// Outputs of a mode that has none: no transistor conducts, no contact is closed (SSR-035, SSR-049).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AllOff {
    drivers: Run,
    relays: Run,
}

impl AllOff {
    /// One tick; `step` counts from reset, `may_be_driven` are pins.
    pub(crate) fn judge(&mut self, step: u32, inputs: &TickInputs<'_>, may_be_driven: u16) -> Outcome {
        let settled = step > LET_GO_TICKS;
        let conducting = pins_where(inputs, |slots| slots != 0) & !u32::from(may_be_driven);
        let closed = u32::from(inputs.relay_feedback);
        if self.drivers.sample(settled && conducting != 0) >= DRIVEN_TICKS {
            trip_for_lowest(Fault::OutputDriver, conducting)?;
        }
        if self.relays.sample(settled && closed != 0) >= DRIVEN_TICKS {
            trip_for_lowest(Fault::Relay, closed)?;
        }
        Ok(())
    }
}

/// A peer of another release, configuration or serial number is an internal fault.
pub(crate) fn compare(own: &crate::packet::Identity, packet: &Packet) -> Outcome {
    let peer = &packet.identity;
    if peer.release != own.release {
        return Err(Trip::new(Fault::ReleaseDiffers, peer.release.id));
    }
    if peer.configuration_hash != own.configuration_hash || peer.serial != own.serial {
        return Err(Trip::new(Fault::PeerDataDiffers, peer.serial));
    }
    Ok(())
}
