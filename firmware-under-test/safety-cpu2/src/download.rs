//! Download of a configuration into this CPU's own flash (SSR-051 to SSR-058).
//!
//! Only the configuration mode holds a [`Token`], and every function here that leads to a change of the flash wants one.
//! Diverse: the download is a machine of one job at a time. A job is what was asked and how far it is; its answer leaves
//! when it ends, so that CPU1 has it to compare with its own.

use safety_common::configuration::header;
use safety_common::flash_map::{CONFIGURATION_AT, CONFIGURATION_LEN_MOST, ROW};
use safety_common::io::{
    Bytes, Channel, FlashCommand, FlashPort, FlashResult, Forward, Retained, TickInputs, TickOutputs,
};
use safety_common::tool::{Command, Status};

use crate::bytes::{array_at, u32_at};
use crate::configuration::{Check, Refusal};
use crate::settings::Settings;
use crate::tool::{Request, requests};

/// The restart waits so many ticks, so that CPU1 can still tell the tool (own number).
const RESTART_TICKS: u32 = 20;
const CRC_LEN: u32 = 4;

/// The right to change the configuration. Only the configuration mode makes one.
#[derive(Clone, Debug)]
pub(crate) struct Token(());

impl Token {
    /// Called by `ConfigurationMode::enter` alone; a test looks after that.
    pub(crate) const fn for_configuration_mode() -> Self {
        Self(())
    }
}

/// What to repeat in an answer.
#[derive(Clone, Copy, Debug)]
struct Asked {
    channel: Channel,
    command: Command,
    sequence: u8,
}

/// What is being done.
#[derive(Clone, Debug)]
enum Job {
    Idle,
    Erasing(Asked, u32),
    Programming(Asked, u32, [u8; ROW]),
    Checking(Asked, Check),
    Restarting(u32),
}

/// What was received so far.
#[derive(Clone, Copy, Debug)]
struct Progress {
    length: u32,
    /// Offset of the next row.
    next: u32,
}

/// The download of this unit.
#[derive(Clone, Debug)]
pub(crate) struct Download {
    serial: u32,
    job: Job,
    progress: Option<Progress>,
}

/// What a request leads to.
enum Reply {
    Now(Status),
    Row(u32, [u8; ROW]),
    Start(Job, Option<FlashCommand>),
}

impl Download {
    pub(crate) const fn new(serial: u32) -> Self {
        Self { serial, job: Job::Idle, progress: None }
    }

    /// One tick: ends a job that is done, then takes the next requests.
    pub(crate) fn tick<F: FlashPort + ?Sized>(
        &mut self,
        inputs: &TickInputs<'_>,
        flash: &F,
        outputs: &mut TickOutputs,
        token: &Token,
    ) {
        self.go_on(inputs.flash, flash, outputs, token);
        for (channel, request) in requests(inputs.forward) {
            if request.serial == self.serial {
                self.take(channel, &request, flash, outputs, token);
            }
        }
    }

    fn go_on<F: FlashPort + ?Sized>(
        &mut self,
        result: Option<FlashResult>,
        flash: &F,
        outputs: &mut TickOutputs,
        _token: &Token,
    ) {
        match core::mem::replace(&mut self.job, Job::Idle) {
            Job::Idle => {}
            Job::Erasing(asked, length) => match result {
                None => self.job = Job::Erasing(asked, length),
                Some(FlashResult::Done) => {
                    self.progress = Some(Progress { length, next: 0 });
                    self.answer(asked, Status::Done, &[], outputs);
                }
                Some(FlashResult::Failed) => self.answer(asked, Status::FlashFailed, &[], outputs),
            },
            Job::Programming(asked, offset, row) => match result {
                None => self.job = Job::Programming(asked, offset, row),
                Some(FlashResult::Done) if read_row(flash, offset) == Some(row) => {
                    self.advance(offset);
                    self.answer(asked, Status::Done, &[], outputs);
                }
                Some(_) => self.answer(asked, Status::FlashFailed, &[], outputs),
            },
            Job::Checking(asked, mut check) => match check.slice(flash) {
                None => self.job = Job::Checking(asked, check),
                Some(verdict) => self.tell(asked, verdict, outputs),
            },
            Job::Restarting(0) => outputs.reset = Some(Retained::default()),
            Job::Restarting(left) => self.job = Job::Restarting(left.saturating_sub(1)),
        }
    }

    fn take<F: FlashPort + ?Sized>(
        &mut self,
        channel: Channel,
        request: &Request<'_>,
        flash: &F,
        outputs: &mut TickOutputs,
        token: &Token,
    ) {
        let asked = Asked { channel, command: request.command, sequence: request.sequence };
        let reply = match request.command {
            // CPU1 answers these alone; nobody enters twice.
            Command::Who | Command::Identify | Command::Enter => return,
            _ if !matches!(self.job, Job::Idle) => Reply::Now(Status::Busy),
            Command::Begin => begin(asked, request.payload),
            Command::Data => self.data(asked, request.payload),
            Command::Finish => self.finish(asked, request.payload),
            Command::Read => read(request.payload, flash),
            Command::Restart => restart(request.payload),
        };
        match reply {
            Reply::Now(status) => self.answer(asked, status, &[], outputs),
            Reply::Row(offset, row) => self.answer_row(asked, offset, row, outputs),
            Reply::Start(job, command) => self.start(job, command, asked, outputs, token),
        }
    }

    fn start(
        &mut self,
        job: Job,
        command: Option<FlashCommand>,
        asked: Asked,
        outputs: &mut TickOutputs,
        _token: &Token,
    ) {
        if let Job::Erasing(..) = job {
            self.progress = None;
        }
        if let Job::Restarting(_) = job {
            self.answer(asked, Status::Done, &[], outputs);
        }
        self.job = job;
        outputs.flash = command;
    }

    /// Rows come in order; the last one may be repeated.
    fn data(&self, asked: Asked, payload: &[u8]) -> Reply {
        let (Some(offset), Some(row)) = (u32_at(payload, 0), array_at::<ROW>(payload, 4)) else {
            return Reply::Now(Status::BadRequest);
        };
        if payload.len() != ROW.saturating_add(4)
            || !offset.is_multiple_of(ROW as u32)
            || offset >= CONFIGURATION_LEN_MOST
        {
            return Reply::Now(Status::BadRequest);
        }
        let Some(progress) = self.progress else { return Reply::Now(Status::OutOfOrder) };
        if offset >= progress.length {
            return Reply::Now(Status::BadRequest);
        }
        if offset != progress.next && Some(offset) != progress.next.checked_sub(ROW as u32) {
            return Reply::Now(Status::OutOfOrder);
        }
        let command = FlashCommand::Program { address: CONFIGURATION_AT.saturating_add(offset), row };
        Reply::Start(Job::Programming(asked, offset, row), Some(command))
    }

    fn finish(&self, asked: Asked, payload: &[u8]) -> Reply {
        let whole = self.progress.is_some_and(|progress| progress.next >= progress.length);
        match (payload.is_empty(), whole) {
            (false, _) => Reply::Now(Status::BadRequest),
            (true, false) => Reply::Now(Status::OutOfOrder),
            (true, true) => Reply::Start(Job::Checking(asked, Check::new(self.serial)), None),
        }
    }

    fn advance(&mut self, offset: u32) {
        if let Some(progress) = &mut self.progress {
            progress.next = progress.next.max(offset.saturating_add(ROW as u32));
        }
    }

    fn tell(&self, asked: Asked, verdict: Result<Settings, Refusal>, outputs: &mut TickOutputs) {
        match verdict {
            Ok(settings) => self.answer(asked, Status::Done, &settings.hash.to_le_bytes(), outputs),
            Err(Refusal::Defect(defect)) => self.answer(asked, Status::Invalid, &[defect as u8], outputs),
            // Erased by `Begin`, and no row lies behind the length: the flash did not keep what it was told.
            Err(Refusal::Rest(_)) => self.answer(asked, Status::FlashFailed, &[], outputs),
        }
    }

    fn answer_row(&self, asked: Asked, offset: u32, row: [u8; ROW], outputs: &mut TickOutputs) {
        let mut payload = [0; ROW + 4];
        crate::bytes::put(&mut payload, 0, &offset.to_le_bytes());
        crate::bytes::put(&mut payload, 4, &row);
        self.answer(asked, Status::Done, &payload, outputs);
    }

    /// Room is there: no more answers than requests of a tick, and one of a job.
    fn answer(&self, asked: Asked, status: Status, payload: &[u8], outputs: &mut TickOutputs) {
        let request = Request { command: asked.command, sequence: asked.sequence, serial: self.serial, payload: &[] };
        let bytes: Bytes = request.answer(self.serial, status, payload);
        let _ = outputs.forward.push(Forward { channel: asked.channel, bytes });
    }
}

fn begin(asked: Asked, payload: &[u8]) -> Reply {
    let least = (header::LEN as u32).saturating_add(CRC_LEN);
    match u32_at(payload, 0) {
        Some(length)
            if payload.len() == 4 && (least..=CONFIGURATION_LEN_MOST).contains(&length) && length.is_multiple_of(4) =>
        {
            Reply::Start(Job::Erasing(asked, length), Some(FlashCommand::EraseConfiguration))
        }
        _ => Reply::Now(Status::BadRequest),
    }
}

fn restart(payload: &[u8]) -> Reply {
    if payload.is_empty() { Reply::Start(Job::Restarting(RESTART_TICKS), None) } else { Reply::Now(Status::BadRequest) }
}

fn read<F: FlashPort + ?Sized>(payload: &[u8], flash: &F) -> Reply {
    let offset = u32_at(payload, 0).filter(|offset| payload.len() == 4 && offset.is_multiple_of(ROW as u32));
    match offset.and_then(|offset| Some((offset, read_row(flash, offset)?))) {
        Some((offset, row)) => Reply::Row(offset, row),
        None => Reply::Now(Status::BadRequest),
    }
}

/// A row of the configuration area.
fn read_row<F: FlashPort + ?Sized>(flash: &F, offset: u32) -> Option<[u8; ROW]> {
    let mut row = [0; ROW];
    let inside = offset.checked_add(ROW as u32)? <= CONFIGURATION_LEN_MOST;
    (inside && flash.read(CONFIGURATION_AT.saturating_add(offset), &mut row)).then_some(row)
}

#[cfg(test)]
mod tests;
