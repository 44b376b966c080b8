//! Start-up: complete self-tests, then the exchange with the peer.
//!
//! Outputs are off all the time (SSR-065).
//!
//! The order is that of section 2 of the architecture. Each step does a slice; nothing that comes later begins before all that
//! comes earlier is good.

use safety_common::PEER_START_TICKS;
use safety_common::fault::Fault;
use safety_common::io::{BootInputs, FlashPort, Led, Mode, RamPort, ResetCause, Retained, TickInputs, TickOutputs};
use units::Instant;

use crate::Trip;
use crate::configuration::{Check, Configuration};
use crate::configuring::Configuring;
use crate::flash_test::{FlashTest, Image, Pass, Production};
use crate::heart::Heart;
use crate::normal::Normal;
use crate::packet::{Identity, Packet};
use crate::peer::{self, Peer};
use crate::power;
use crate::ram_test::{FullTest, Progress, RAM_WORDS, START_WORDS_PER_TICK};
use crate::safe::{SafeState, driving};
use crate::tool::{About, Desk};

/// A relay contact of before the reset has opened after so many ticks (own number).
const CONTACT_TICKS: u32 = 100;

/// How far start-up has come.
#[derive(Clone)]
enum Stage {
    Ram(FullTest),
    Image,
    Flash(FlashTest),
    Production,
    Configuration(Check),
    /// The configuration is good; what lies behind it is read.
    Rest(FlashTest, Configuration),
    Ready(Configuration),
}

/// Start-up. Built by a reset only.
#[derive(Clone)]
pub struct Starting {
    heart: Heart,
    stage: Stage,
    wants_configuration: bool,
    image: Option<Image>,
    production: Option<Production>,
    identity: Identity,
    peer: Peer,
}

/// Where start-up leads.
#[expect(clippy::large_enum_variant, reason = "handed on once, and there is no allocator")]
pub(crate) enum Exit {
    Normal(Normal),
    Configuring(Configuring),
    Safe(SafeState),
}

impl Starting {
    pub(crate) fn new(boot: &BootInputs) -> Self {
        let is_request =
            boot.retained.request == Retained::CONFIGURE && boot.retained.request_complement == !Retained::CONFIGURE;
        Self {
            heart: Heart::default(),
            stage: Stage::Ram(FullTest::new(RAM_WORDS)),
            wants_configuration: is_request && boot.cause == ResetCause::Software,
            image: None,
            production: None,
            identity: Identity::default(),
            peer: Peer::new(),
        }
    }

    pub(crate) fn step(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut impl RamPort,
        flash: &impl FlashPort,
    ) -> (TickOutputs, Option<Exit>) {
        match self.work(now, inputs, ram, flash) {
            Ok(Some(exit)) => (self.outputs(inputs, exit.mode()), Some(exit)),
            Ok(None) => (self.outputs(inputs, self.mode()), None),
            Err(trip) => {
                let safe = self.safe_state(trip, now);
                (safe.entry_outputs(), Some(Exit::Safe(safe)))
            }
        }
    }

    pub(crate) const fn mode(&self) -> Mode {
        if matches!(self.stage, Stage::Ready(_)) { Mode::Ready } else { Mode::Starting }
    }

    pub(crate) fn safe_state(&self, trip: Trip, now: Instant) -> SafeState {
        let desk = self.production.map(|production| Desk::new(production.serial, self.password(&production)));
        SafeState::enter(trip, now, desk, self.about())
    }

    fn about(&self) -> About {
        About {
            mode: Mode::Starting,
            release_id: self.identity.release_id,
            configuration_hash: self.identity.configuration_hash,
        }
    }

    /// The configured password once there is a good configuration, else the one from production.
    fn password(&self, production: &Production) -> [u8; 16] {
        match &self.stage {
            Stage::Ready(configuration) => configuration.password,
            _ => production.password,
        }
    }

    fn work(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut impl RamPort,
        flash: &impl FlashPort,
    ) -> Result<Option<Exit>, Trip> {
        self.heart.beat(now, inputs)?;
        self.peer.listen(inputs.c2c);
        self.check_outputs(inputs)?;
        if let Some(exit) = self.advance(ram, flash)? {
            return Ok(Some(exit));
        }
        self.meet_peer()
    }

    /// Nothing may be on before it has been switched on (SSR-065).
    fn check_outputs(&self, inputs: &TickInputs<'_>) -> Result<(), Trip> {
        let drivers = driving(inputs);
        // The samples of the first ticks may be of before the reset.
        if self.heart.counter > 2 && drivers != 0 {
            return Err(Trip::new(Fault::OutputDriver, drivers.trailing_zeros()));
        }
        if self.heart.counter > CONTACT_TICKS && inputs.relay_feedback != 0 {
            return Err(Trip::new(Fault::Relay, inputs.relay_feedback.trailing_zeros()));
        }
        Ok(())
    }

    fn advance(&mut self, ram: &mut impl RamPort, flash: &impl FlashPort) -> Result<Option<Exit>, Trip> {
        match &mut self.stage {
            Stage::Ram(test) => match test.advance(ram, START_WORDS_PER_TICK) {
                Progress::Running => {}
                Progress::Passed => self.stage = Stage::Image,
                Progress::Failed(word) => return Err(Trip::new(Fault::RamAtStart, word)),
            },
            Stage::Image => self.read_image(flash)?,
            Stage::Flash(test) => {
                if test.start_slice(flash).map_err(|fault| Trip::new(fault, 0))? == Pass::Ended {
                    self.stage = Stage::Production;
                }
            }
            Stage::Production => return self.read_production(flash),
            Stage::Configuration(check) => {
                let found = check.slice(flash);
                if let Some(configuration) = found.map_err(|defect| Trip::new(Fault::Configuration, defect as u32))? {
                    self.identity.configuration_hash = configuration.hash;
                    self.stage = Stage::Rest(FlashTest::of_configuration(configuration.length), configuration);
                }
            }
            Stage::Rest(test, configuration) => {
                if test.start_slice(flash).map_err(|fault| Trip::new(fault, 0))? == Pass::Ended {
                    self.stage = Stage::Ready(configuration.clone());
                }
            }
            Stage::Ready(_) => {}
        }
        Ok(None)
    }

    fn read_image(&mut self, flash: &impl FlashPort) -> Result<(), Trip> {
        let image = Image::read(flash).ok_or(Trip::new(Fault::Firmware, 0))?;
        self.identity.release_id = image.release_id;
        self.identity.release_hash = image.release_hash;
        self.image = Some(image);
        self.stage = Stage::Flash(FlashTest::new(&image, None));
        Ok(())
    }

    /// Production data, then the way into the configuration mode, which only a software reset with a request opens (SSR-050).
    fn read_production(&mut self, flash: &impl FlashPort) -> Result<Option<Exit>, Trip> {
        let production = Production::read(flash).map_err(|fault| Trip::new(fault, 0))?;
        self.identity.serial = production.serial;
        self.production = Some(production);
        self.stage = Stage::Configuration(Check::new(production.serial));
        Ok(match (self.wants_configuration, self.image) {
            (true, Some(image)) => {
                let desk = Desk::new(production.serial, production.password);
                Some(Exit::Configuring(Configuring::begin(self.heart, &image, self.identity, desk, self.peer.clone())))
            }
            _ => None,
        })
    }

    /// Ready: waits for a peer that is what this CPU is (SSR-062).
    fn meet_peer(&mut self) -> Result<Option<Exit>, Trip> {
        let Stage::Ready(configuration) = &self.stage else { return self.wait() };
        let peer = self.peer.packet();
        if !self.peer.has_news() || !matches!(peer.mode, Mode::Ready | Mode::Normal) {
            return self.wait();
        }
        peer::compare(&self.identity, &peer.identity)?;
        let image = self.image.ok_or(Trip::new(Fault::Firmware, 1))?;
        let desk = Desk::new(self.identity.serial, configuration.password);
        let normal = Normal::begin(self.heart, &image, self.identity, configuration.clone(), desk, self.peer.clone());
        Ok(Some(Exit::Normal(normal)))
    }

    fn wait(&self) -> Result<Option<Exit>, Trip> {
        let is_over = self.heart.counter > PEER_START_TICKS;
        if is_over { Err(Trip::new(Fault::PeerMissing, 0)) } else { Ok(None) }
    }

    fn outputs(&self, inputs: &TickInputs<'_>, mode: Mode) -> TickOutputs {
        let packet = Packet {
            mode,
            counter: self.heart.counter,
            identity: self.identity,
            voltages: power::voltages(&inputs.analog),
            relay_feedback: inputs.relay_feedback,
            ..Packet::default()
        };
        TickOutputs {
            all_off: true,
            c2c: Some(packet.encode()),
            led: Led::Starting,
            watchdog: true,
            mode,
            ..TickOutputs::default()
        }
    }
}

impl Exit {
    const fn mode(&self) -> Mode {
        match self {
            Self::Normal(_) => Mode::Normal,
            Self::Configuring(_) => Mode::Configuration,
            Self::Safe(_) => Mode::Safe,
        }
    }
}
