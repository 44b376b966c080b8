//! Reads candump text, ours or a real interface's: for replay and for the timing of recorded updates.
//!
//! Lines as `candump -l` and `-L` write them: `(1700000000.306714) can0 202#000000A95D004B00`, perhaps with ` R` or ` T`
//! at the end. Empty lines are passed over, anything else is an error with its line.

use std::fmt;
use std::io::{self, BufRead};

/// A frame of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFrame {
    /// Its time stamp in nanoseconds.
    pub time: u64,
    /// 11 or 29 bits.
    pub id: u32,
    /// Whether the id has 29 bits.
    pub extended: bool,
    /// 0 to 8 bytes.
    pub data: Vec<u8>,
    /// Whether it is an error frame; `id` then holds the classes.
    pub error: bool,
}

/// Why a log cannot be used.
#[derive(Debug)]
pub enum LogError {
    /// It cannot be read.
    Io(io::Error),
    /// The line of this number, from 1, is no text in UTF-8.
    NoText(u64),
    /// The line of this number, from 1, is not as candump writes them.
    BadLine(u64, &'static str),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NoText(line) => write!(f, "line {line} is no text in UTF-8"),
            Self::BadLine(line, why) => write!(f, "line {line} is no line of `candump -L`: {why}"),
        }
    }
}

impl std::error::Error for LogError {}

/// The frames of a log in order.
pub fn frames(from: impl BufRead) -> impl Iterator<Item = Result<LogFrame, LogError>> {
    let numbered = (1..).zip(from.lines());
    numbered.filter_map(|(number, line)| match line {
        Ok(line) if line.trim().is_empty() => None,
        Ok(line) => Some(frame(&line).map_err(|why| LogError::BadLine(number, why))),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(Err(LogError::NoText(number))),
        Err(error) => Some(Err(LogError::Io(error))),
    })
}

fn frame(line: &str) -> Result<LogFrame, &'static str> {
    let mut words = line.split_ascii_whitespace();
    let (time, _channel) = (words.next().unwrap_or_default(), words.next());
    let (id, data) = words.next().unwrap_or_default().split_once('#').ok_or("no `id#data`")?;
    let time = time.strip_prefix('(').and_then(|time| time.strip_suffix(')')).and_then(nanos).ok_or("no time stamp")?;
    if data.starts_with(['#', 'R']) {
        return Err("CAN FD and remote frames are not used here");
    }
    let raw = u32::from_str_radix(id, 16).map_err(|_| "no identifier")?;
    let extended = id.len() > 3;
    let error = extended && raw & 0x2000_0000 != 0;
    let most = if extended { 0x1FFF_FFFF } else { 0x7FF };
    if !error && raw > most {
        return Err("no such identifier");
    }
    let data = bytes(data).filter(|data| data.len() <= 8).ok_or("no data bytes, or more than 8")?;
    Ok(LogFrame { time, id: raw & 0x1FFF_FFFF, extended, data, error })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        hex.bytes().map(|c| char::from(c).to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Seconds with up to nine decimals.
fn nanos(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !all_digits || whole.is_empty() || fraction.len() > 9 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<9}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<LogFrame>, String> {
        frames(text.as_bytes()).collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    #[test]
    fn frames_are_read_with_either_length_of_id() {
        let log =
            "(1700000000.306714) can0 202#00A95D\n\n(1.5) vcan1 00000202# R\n(2) can0 20000088#0000810000000000\n";
        let read = read(log).expect("a log");
        let (time, data) = (1_700_000_000_306_714_000, vec![0, 0xA9, 0x5D]);
        assert_eq!(read[0], LogFrame { time, id: 0x202, extended: false, data, error: false });
        assert_eq!(read[1], LogFrame { time: 1_500_000_000, id: 0x202, extended: true, data: vec![], error: false });
        assert_eq!((read[2].error, read[2].id, read[2].time), (true, 0x88, 2_000_000_000));
    }

    #[test]
    fn what_is_no_such_line_is_refused_with_its_place() {
        for (line, why) in [
            ("can0 202#00", "no `id#data`"),
            ("1.5 can0 202#00", "no time stamp"),
            ("(1.x) can0 202#00", "no time stamp"),
            ("(1.5) can0 2G2#00", "no identifier"),
            ("(1.5) can0 802#00", "no such identifier"),
            ("(1.5) can0 202#0", "no data bytes"),
            ("(1.5) can0 202#001122334455667788", "no data bytes"),
            ("(1.5) can0 202##100", "CAN FD"),
            ("(1.5) can0 202#R", "remote"),
        ] {
            let error = read(&format!("(1) can0 1#00\n{line}\n")).expect_err(line);
            assert!(error.starts_with("line 2 ") && error.contains(why), "{line}: {error}");
        }
    }
}
