//! The configuration mode: outputs off, a new configuration is stored.
//!
//! SSR-048 to SSR-058.
//!
//! [`Configuring::step`] takes the mode and gives back nothing but this mode; only a restart leaves it. An internal fault locks it:
//! then it holds a safe state inside and does what that does. All functions that touch the store want a [`Token`], which only
//! this module can make, so no other mode can reach them.

use safety_common::configuration::Defect;
use safety_common::fault::Fault;
use safety_common::flash_map::{CONFIGURATION_AT, CONFIGURATION_LEN_MOST, ERASED, ROW};
use safety_common::io::{
    Bytes, Channel, FlashCommand, FlashPort, FlashResult, Led, Mode, RamPort, Retained, TickInputs, TickOutputs,
};
use safety_common::tool::{self, Command, PEER_ANSWER_TICKS, Status};
use units::Instant;

use crate::bytes::{array, put, u32_at};
use crate::configuration::{Check, Configuration};
use crate::flash_test::{FlashTest, Image};
use crate::heart::Heart;
use crate::packet::{Identity, Packet};
use crate::peer::Peer;
use crate::ram_test::RunningTest;
use crate::safe::{SafeState, driving};
use crate::tool::{About, CanAnswer, Desk, Request};
use crate::{Trip, power};

/// A relay contact has opened after so many ticks in this mode (own number).
const CONTACT_TICKS: u32 = 100;
/// The restart waits so many ticks (own number), so that its answer has left over CAN, a frame a tick; CPU2 waits longer.
const RESTART_TICKS: u32 = 10;

/// The right to change the store. Only the configuration mode has one.
#[derive(Clone, Debug)]
struct Token(());

/// The configuration mode. [`Configuring::step`] has no way out:
///
/// ```compile_fail
/// fn leave<R: safety_common::io::RamPort, F: safety_common::io::FlashPort>(
///     mode: safety_cpu1::Configuring, now: units::Instant, inputs: &safety_common::io::TickInputs<'_>, ram: &mut R, flash: &F,
/// ) -> safety_cpu1::Normal {
///     mode.step(now, inputs, ram, flash).0
/// }
/// ```
/// while the same function with the type it has compiles:
/// ```
/// fn stay<R: safety_common::io::RamPort, F: safety_common::io::FlashPort>(
///     mode: safety_cpu1::Configuring, now: units::Instant, inputs: &safety_common::io::TickInputs<'_>, ram: &mut R, flash: &F,
/// ) -> safety_cpu1::Configuring {
///     mode.step(now, inputs, ram, flash).0
/// }
/// ```
#[derive(Clone)]
pub struct Configuring {
    heart: Heart,
    ticks: u32,
    identity: Identity,
    desk: Desk,
    peer: Peer,
    ram: RunningTest,
    flash: FlashTest,
    store: Store,
    job: Option<Job>,
    can_answer: CanAnswer,
    /// Ticks to the restart that was asked for.
    restart: Option<u32>,
    locked: Option<SafeState>,
}

/// What is known of the stored bytes in this session.
#[derive(Clone, Debug)]
struct Store {
    token: Token,
    /// The length that `Begin` announced.
    length: Option<u32>,
}

/// A request that both CPUs work on.
#[derive(Clone)]
struct Job {
    request: Request,
    work: Work,
    own: Option<Bytes>,
    peer: Option<Bytes>,
    ticks: u32,
}

/// What this CPU has still to do for a request.
#[derive(Clone)]
enum Work {
    Nothing,
    Erasing,
    Programming { address: u32, row: [u8; ROW] },
    Checking(Check),
}

/// How a request begins: finished at once, or with work.
enum Begun {
    Done(Status, [u8; 36], usize),
    Work(Work, Option<FlashCommand>),
}

impl Begun {
    const fn status(status: Status) -> Self {
        Self::Done(status, [0; 36], 0)
    }
}

impl Configuring {
    pub(crate) fn begin(heart: Heart, image: &Image, identity: Identity, desk: Desk, peer: Peer) -> Self {
        Self {
            heart,
            ticks: 0,
            identity,
            desk,
            peer,
            ram: RunningTest::new(),
            flash: FlashTest::new(image, None),
            store: Store { token: Token(()), length: None },
            job: None,
            can_answer: CanAnswer::default(),
            restart: None,
            locked: None,
        }
    }

    /// The mode as others see it.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        if self.locked.is_some() { Mode::Safe } else { Mode::Configuration }
    }

    /// The cause if a fault has locked the mode.
    #[must_use]
    pub const fn locked(&self) -> Option<&SafeState> {
        self.locked.as_ref()
    }

    /// One tick.
    #[must_use]
    pub fn step(
        mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut impl RamPort,
        flash: &impl FlashPort,
    ) -> (Self, TickOutputs) {
        if let Some(safe) = self.locked.take() {
            let (safe, out) = safe.step(now, inputs);
            self.locked = Some(safe);
            return (self, out);
        }
        match self.work(now, inputs, ram, flash) {
            Ok(out) => (self, out),
            Err(trip) => self.lock(trip, now),
        }
    }

    /// Locks the mode: the safe state inside never gives it free.
    pub(crate) fn lock(mut self, trip: Trip, now: Instant) -> (Self, TickOutputs) {
        let safe = SafeState::enter(trip, now, Some(self.desk.clone()), self.about());
        let out = safe.entry_outputs();
        self.locked = Some(safe);
        (self, out)
    }

    fn about(&self) -> About {
        About {
            mode: Mode::Configuration,
            release_id: self.identity.release_id,
            configuration_hash: self.identity.configuration_hash,
        }
    }

    fn work(
        &mut self,
        now: Instant,
        inputs: &TickInputs<'_>,
        ram: &mut impl RamPort,
        flash: &impl FlashPort,
    ) -> Result<TickOutputs, Trip> {
        self.ticks = self.ticks.saturating_add(1);
        self.heart.beat(now, inputs)?;
        self.check_outputs(inputs)?;
        self.ram.slice(ram).map_err(|_| Trip::new(Fault::RamRunning, 0))?;
        self.flash.slice(flash).map_err(|fault| Trip::new(Fault::FlashRunning, fault as u32))?;
        self.peer.listen(inputs.c2c);
        let mut out = self.outputs(inputs);
        self.serve(inputs, flash, &mut out);
        if let Some(frame) = self.can_answer.frame() {
            let _ = out.can.push(frame);
        }
        if self.desk.identifies() {
            out.led = Led::Identify;
        }
        self.count_down(&mut out);
        Ok(out)
    }

    /// The restart that was asked for comes once its answer has left.
    fn count_down(&mut self, out: &mut TickOutputs) {
        match self.restart {
            None => {}
            Some(0) => out.reset = Some(Retained::default()),
            Some(left) => self.restart = Some(left.saturating_sub(1)),
        }
    }

    /// Outputs are watched while they are off (SSR-049).
    fn check_outputs(&self, inputs: &TickInputs<'_>) -> Result<(), Trip> {
        let drivers = driving(inputs);
        if drivers != 0 {
            return Err(Trip::new(Fault::OutputDriver, drivers.trailing_zeros()));
        }
        if self.ticks > CONTACT_TICKS && inputs.relay_feedback != 0 {
            return Err(Trip::new(Fault::Relay, inputs.relay_feedback.trailing_zeros()));
        }
        Ok(())
    }

    fn outputs(&self, inputs: &TickInputs<'_>) -> TickOutputs {
        let packet = Packet {
            mode: Mode::Configuration,
            counter: self.heart.counter,
            identity: self.identity,
            voltages: power::voltages(&inputs.analog),
            relay_feedback: inputs.relay_feedback,
            ..Packet::default()
        };
        TickOutputs {
            all_off: true,
            c2c: Some(packet.encode()),
            led: Led::Configuration,
            watchdog: true,
            mode: Mode::Configuration,
            ..TickOutputs::default()
        }
    }

    /// Hears the tool and CPU2, works on the request, answers once both CPUs have an answer.
    fn serve(&mut self, inputs: &TickInputs<'_>, flash: &impl FlashPort, out: &mut TickOutputs) {
        for request in &self.desk.requests(inputs) {
            if let Some(answer) = self.desk.courtesy(request, &self.about()) {
                self.reply(request.channel, answer, out);
            } else if self.job.is_some() || self.restart.is_some() {
                let busy = request.answer(self.desk.serial, Status::Busy, &[]);
                self.reply(request.channel, busy, out);
            } else {
                self.begin_job(request, flash, out);
            }
        }
        self.hear_peer(inputs);
        self.go_on(inputs.flash, flash);
        self.end_job(out);
    }

    fn begin_job(&mut self, request: &Request, flash: &impl FlashPort, out: &mut TickOutputs) {
        let Some(command) = request.command else {
            let refusal = request.answer(self.desk.serial, Status::BadRequest, &[]);
            return self.reply(request.channel, refusal, out);
        };
        crate::tool::forward(request.channel, &request.bytes, out);
        if command == Command::Restart {
            let done = request.answer(self.desk.serial, Status::Done, &[]);
            self.reply(request.channel, done, out);
            self.restart = Some(RESTART_TICKS);
            return;
        }
        let mut job = Job { request: request.clone(), work: Work::Nothing, own: None, peer: None, ticks: 0 };
        match self.store.begin(command, &request.payload, self.desk.serial, flash) {
            Begun::Done(status, payload, length) => {
                let payload = payload.get(..length).unwrap_or_default();
                job.own = Some(request.answer(self.desk.serial, status, payload));
            }
            Begun::Work(work, flash_command) => {
                job.work = work;
                out.flash = flash_command;
            }
        }
        self.job = Some(job);
    }

    /// CPU2's answer to the request.
    fn hear_peer(&mut self, inputs: &TickInputs<'_>) {
        let Some(job) = &mut self.job else { return };
        let answers = inputs.forward.iter().filter(|message| message.channel == job.request.channel);
        for message in answers.filter(|message| job.request.is_answered_by(&message.bytes)) {
            job.peer = Some(message.bytes.clone());
        }
    }

    fn go_on(&mut self, result: Option<FlashResult>, flash: &impl FlashPort) {
        let serial = self.desk.serial;
        let Some(job) = &mut self.job else { return };
        job.ticks = job.ticks.saturating_add(1);
        let ended = match &mut job.work {
            Work::Nothing => None,
            Work::Erasing => result.map(|result| status_of(result == FlashResult::Done)),
            Work::Programming { address, row } => {
                result.map(|result| status_of(result == FlashResult::Done && holds(flash, *address, row)))
            }
            Work::Checking(check) => check.slice(flash).map_or_else(
                |defect| Some((Status::Invalid, [defect as u8, 0, 0, 0], 1)),
                |found: Option<Configuration>| {
                    found.map(|configuration| (Status::Done, configuration.hash.to_le_bytes(), 4))
                },
            ),
        };
        if let Some((status, payload, length)) = ended {
            job.work = Work::Nothing;
            job.own = Some(job.request.answer(serial, status, payload.get(..length).unwrap_or_default()));
        }
    }

    /// Success is told only when both CPUs say the same (SSR-058).
    fn end_job(&mut self, out: &mut TickOutputs) {
        let Some(job) = &self.job else { return };
        let answer = match (&job.own, &job.peer) {
            (Some(own), Some(peer)) if own == peer => own.clone(),
            (Some(_), Some(_)) => job.request.answer(self.desk.serial, Status::NoPeerAnswer, &[]),
            _ if job.ticks > PEER_ANSWER_TICKS => job.request.answer(self.desk.serial, Status::NoPeerAnswer, &[]),
            _ => return,
        };
        let channel = job.request.channel;
        self.job = None;
        self.reply(channel, answer, out);
    }

    fn reply(&mut self, channel: Channel, answer: Bytes, out: &mut TickOutputs) {
        match channel {
            Channel::ToolUsb => out.usb = Some(answer),
            Channel::ToolRadio => out.radio = Some(answer),
            Channel::ToolCan => self.can_answer = CanAnswer::new(answer),
            Channel::Radio | Channel::Can => {}
        }
    }
}

const fn status_of(is_good: bool) -> (Status, [u8; 4], usize) {
    (if is_good { Status::Done } else { Status::FlashFailed }, [0; 4], 0)
}

fn holds(flash: &impl FlashPort, address: u32, row: &[u8; ROW]) -> bool {
    let mut stored = [0; ROW];
    flash.read(address, &mut stored) && stored == *row
}

impl Store {
    /// Begins what a command asks for.
    fn begin(&mut self, command: Command, payload: &[u8], serial: u32, flash: &impl FlashPort) -> Begun {
        match command {
            Command::Begin => self.begin_download(payload),
            Command::Data => self.begin_row(payload, flash),
            Command::Finish => match self.length {
                Some(_) if payload.is_empty() => Begun::Work(Work::Checking(Check::new(serial)), None),
                Some(_) => Begun::status(Status::BadRequest),
                None => Begun::status(Status::OutOfOrder),
            },
            Command::Read => read_row(payload, flash),
            Command::Who | Command::Identify | Command::Enter | Command::Restart => Begun::status(Status::BadRequest),
        }
    }

    fn begin_download(&mut self, payload: &[u8]) -> Begun {
        let length = u32_at(payload, 0).filter(|length| {
            payload.len() == 4 && *length > 0 && *length <= CONFIGURATION_LEN_MOST && length.is_multiple_of(4)
        });
        let Some(length) = length else { return Begun::status(Status::BadRequest) };
        self.length = Some(length);
        Begun::Work(Work::Erasing, Some(erase(&self.token)))
    }

    fn begin_row(&mut self, payload: &[u8], flash: &impl FlashPort) -> Begun {
        let Some(length) = self.length else { return Begun::status(Status::OutOfOrder) };
        let Some((address, row)) = row_of(payload, length) else { return Begun::status(Status::BadRequest) };
        if holds(flash, address, &row) {
            return Begun::status(Status::Done);
        }
        if !holds(flash, address, &[ERASED; ROW]) {
            return Begun::status(Status::FlashFailed);
        }
        Begun::Work(Work::Programming { address, row }, Some(program(&self.token, address, row)))
    }
}

const fn erase(_: &Token) -> FlashCommand {
    FlashCommand::EraseConfiguration
}

const fn program(_: &Token, address: u32, row: [u8; ROW]) -> FlashCommand {
    FlashCommand::Program { address, row }
}

/// The address and the bytes of a row inside a configuration of `length` bytes.
fn row_of(payload: &[u8], length: u32) -> Option<(u32, [u8; ROW])> {
    let offset = offset_of(payload, length)?;
    let is_whole = payload.len() == 4usize.saturating_add(ROW);
    let address = CONFIGURATION_AT.checked_add(offset)?;
    is_whole.then_some((address, array(payload, 4)?))
}

fn offset_of(payload: &[u8], length: u32) -> Option<u32> {
    u32_at(payload, 0).filter(|offset| offset.is_multiple_of(ROW as u32) && *offset < length)
}

fn read_row(payload: &[u8], flash: &impl FlashPort) -> Begun {
    let offset = offset_of(payload, CONFIGURATION_LEN_MOST).filter(|_| payload.len() == 4);
    let Some(offset) = offset else { return Begun::status(Status::BadRequest) };
    let mut row = [0; ROW];
    if !flash.read(CONFIGURATION_AT.saturating_add(offset), &mut row) {
        return Begun::status(Status::FlashFailed);
    }
    let mut answer = [0; 36];
    put(&mut answer, 0, &offset.to_le_bytes());
    put(&mut answer, 4, &row);
    Begun::Done(Status::Done, answer, 36)
}

const _: () = assert!(tool::PAYLOAD_MOST >= 4 + ROW);
const _: () = assert!(Defect::Reserved as u32 <= 255);

#[cfg(test)]
impl Configuring {
    /// This CPU's own answer to the request it works on, once it has one.
    pub(crate) fn own_answer(&self) -> Option<Bytes> {
        self.job.as_ref().and_then(|job| job.own.clone())
    }
}
