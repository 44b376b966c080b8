//! Vector ASC text: read by CANoe, CANalyzer, python-can, asc2log.
//!
//! Ids and data are hexadecimal (`base hex`), a 29-bit id ends in `x`, times are absolute seconds from the date in the
//! head with six decimals, channels count from 1. `Length` is the frame without intermission in nanoseconds, `BitCount`
//! its bits on the wire.

use std::io::{self, Write};

use super::{Frame, Seen, Sink, What, seconds};
use crate::kernel::SimTime;

/// [`super::EPOCH_SECONDS`] as this format writes dates.
const DATE: &str = "Tue Nov 14 22:13:20 2023";

/// Writes ASC text.
pub(super) struct Asc<W> {
    to: W,
}

impl<W: Write + Send> Asc<W> {
    pub(super) fn new(mut to: W) -> io::Result<Self> {
        write!(to, "date {DATE}\nbase hex  timestamps absolute\ninternal events logged\n")?;
        write!(to, "Begin Triggerblock {DATE}\n   0.000000 Start of measurement\n")?;
        Ok(Self { to })
    }

    fn frame(&mut self, seen: &Seen<'_>, frame: &Frame) -> io::Result<()> {
        let id = format!("{:X}{}", frame.id, if frame.extended { "x" } else { "" });
        let (time, channel) = (seconds(seen.time, 6), seen.channel + 1);
        write!(self.to, "{time:>11} {channel}  {id:<15} Rx   d {}", frame.data.len())?;
        frame.data.iter().try_for_each(|byte| write!(self.to, " {byte:02X}"))?;
        let length = seen.time - frame.start;
        writeln!(self.to, "  Length = {length} BitCount = {} ID = {}", frame.bits, frame.id)
    }
}

impl<W: Write + Send> Sink for Asc<W> {
    fn take(&mut self, seen: &Seen<'_>) -> io::Result<()> {
        match &seen.what {
            What::Frame(frame) => self.frame(seen, frame),
            What::Error(_) => writeln!(self.to, "{:>11} {}  ErrorFrame", seconds(seen.time, 6), seen.channel + 1),
            What::Levels { .. } | What::Other => Ok(()),
        }
    }

    fn finish(&mut self, _end: SimTime) -> io::Result<()> {
        self.to.write_all(b"End TriggerBlock\n")?;
        self.to.flush()
    }
}
