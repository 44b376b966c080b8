//! Text of `candump -L`: one frame a line, read by can-utils, python-can, SavvyCAN.
//!
//! `(1700000000.306714) can0 202#000000A95D004B00`. Microseconds; an id of 29 bits has eight digits, and so has the one
//! of an error frame, which carries the flags of `linux/can/error.h`.

use std::io::{self, Write};

use super::{EPOCH_SECONDS, Seen, Sink, What, seconds};
use crate::kernel::SimTime;

/// Writes candump text.
pub(super) struct Candump<W> {
    to: W,
}

impl<W: Write + Send> Candump<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to }
    }

    fn frame(&mut self, seen: &Seen<'_>, id: &str, data: &[u8]) -> io::Result<()> {
        let time = seconds(EPOCH_SECONDS * 1_000_000_000 + seen.time, 6);
        write!(self.to, "({time}) can{} {id}#", seen.channel)?;
        data.iter().try_for_each(|byte| write!(self.to, "{byte:02X}"))?;
        self.to.write_all(b"\n")
    }
}

impl<W: Write + Send> Sink for Candump<W> {
    fn take(&mut self, seen: &Seen<'_>) -> io::Result<()> {
        match &seen.what {
            What::Frame(frame) if frame.extended => self.frame(seen, &format!("{:08X}", frame.id), &frame.data),
            What::Frame(frame) => self.frame(seen, &format!("{:03X}", frame.id), &frame.data),
            What::Error(error) => self.frame(seen, &format!("{:08X}", error.socketcan_id()), &error.socketcan_data()),
            What::Levels { .. } | What::Other => Ok(()),
        }
    }

    fn finish(&mut self, _end: SimTime) -> io::Result<()> {
        self.to.flush()
    }
}
