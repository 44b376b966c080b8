//! The flash test: every byte, at start-up and while running.
//!
//! The flash is cut into *spans*: a span either carries a CRC-32 or must be erased. A 32-bit CRC finds every error of one
//! and two bits and every burst up to 32 bits in a span; an erased span is compared byte for byte. SSR-005, SSR-006,
//! SSR-061. One running pass over 512 KiB takes 16.4 s at 32 bytes a tick. A span is judged at its end, so a flip right behind
//! the pointer is found a pass and the length of its span later: 28.7 s at most, for the largest image.

use heapless::Vec;
use safety_common::fault::Fault;
use safety_common::flash_map::{self, image, production};
use safety_common::io::FlashPort;

use crate::bytes::{array, u8_at, u16_at, u32_at};
use crate::sums::{self, FLASH, FLASH_RESIDUE, FlashDigest};
use crate::twice::Twice;

/// Bytes that the running test reads in a tick.
const RUNNING_BYTES: usize = 32;
/// Chunks of start-up in a tick: 16 KiB.
const START_CHUNKS: u32 = 512;
/// The CPU that this firmware is for.
const THIS_CPU: u8 = 1;

/// What the image header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) release_id: u32,
    pub(crate) release_hash: u32,
    length: u32,
    code_crc: u32,
}

/// What production data say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Production {
    pub(crate) serial: u32,
    pub(crate) password: [u8; 16],
}

impl Image {
    /// Reads and checks the header (SSR-061).
    pub(crate) fn read(flash: &impl FlashPort) -> Option<Self> {
        let mut bytes = [0; image::LEN];
        let is_whole = flash.read(flash_map::IMAGE_AT, &mut bytes) && sums::ends_with_flash_crc(&bytes);
        let is_mine = u32_at(&bytes, image::MAGIC) == Some(image::MAGIC_VALUE)
            && u16_at(&bytes, image::FORMAT) == Some(1)
            && u8_at(&bytes, image::CPU) == Some(THIS_CPU);
        let length = u32_at(&bytes, image::LENGTH)?;
        let fits = length > 0 && length <= flash_map::IMAGE_LEN_MOST.saturating_sub(image::LEN as u32);
        (is_whole && is_mine && fits).then_some(Self {
            release_id: u32_at(&bytes, image::RELEASE_ID)?,
            release_hash: u32_at(&bytes, image::RELEASE_HASH)?,
            length,
            code_crc: u32_at(&bytes, image::CODE_CRC)?,
        })
    }
}

impl Production {
    /// Reads and checks the record (SSR-064, SSR-066).
    ///
    /// # Errors
    /// [`Fault::ProductionData`] or [`Fault::SerialNumber`].
    pub(crate) fn read(flash: &impl FlashPort) -> Result<Self, Fault> {
        let mut bytes = [0; production::LEN];
        let is_whole = flash.read(flash_map::PRODUCTION_AT, &mut bytes) && sums::ends_with_flash_crc(&bytes);
        let is_known = u32_at(&bytes, production::MAGIC) == Some(production::MAGIC_VALUE)
            && u16_at(&bytes, production::FORMAT) == Some(1);
        if !(is_whole && is_known) {
            return Err(Fault::ProductionData);
        }
        let serial = u32_at(&bytes, production::SERIAL).ok_or(Fault::ProductionData)?;
        let password = array(&bytes, production::PASSWORD).ok_or(Fault::ProductionData)?;
        if is_valid_serial(serial) { Ok(Self { serial, password }) } else { Err(Fault::SerialNumber) }
    }
}

/// SSR-066.
pub(crate) const fn is_valid_serial(serial: u32) -> bool {
    serial != 0 && serial != u32::MAX
}

/// A part of the flash and how it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u32,
    to: u32,
    /// The CRC over the span; `None`: erased.
    crc: Option<u32>,
    fault: Fault,
}

const fn sum(from: u32, to: u32, crc: u32, fault: Fault) -> Span {
    Span { from, to, crc: Some(crc), fault }
}

const fn erased(from: u32, to: u32) -> Span {
    Span { from, to, crc: None, fault: Fault::FlashNotErased }
}

fn configuration_spans(length: u32) -> [Span; 2] {
    let from = flash_map::CONFIGURATION_AT;
    let end = from.saturating_add(length);
    let whole = sum(from, end, FLASH_RESIDUE, Fault::Configuration);
    [whole, erased(end, from.saturating_add(flash_map::CONFIGURATION_LEN_MOST))]
}

/// The test, with its place.
#[derive(Clone)]
pub(crate) struct FlashTest {
    spans: Vec<Span, 8>,
    span: Twice,
    at: Twice,
    digest: FlashDigest,
}

/// How far the test has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Inside a pass.
    Running,
    /// The last byte of the flash was just read.
    Ended,
}

impl FlashTest {
    /// A test of all spans; the configuration's place is left out without `configuration_len` (start-up checks it apart).
    pub(crate) fn new(image: &Image, configuration_len: Option<u32>) -> Self {
        let code_at = flash_map::IMAGE_AT.saturating_add(image::LEN as u32);
        let code_end = code_at.saturating_add(image.length);
        let gap_at = flash_map::CONFIGURATION_AT.saturating_add(flash_map::CONFIGURATION_LEN_MOST);
        let production_end = flash_map::PRODUCTION_AT.saturating_add(production::LEN as u32);
        let before = [
            sum(flash_map::IMAGE_AT, code_at, FLASH_RESIDUE, Fault::Firmware),
            sum(code_at, code_end, image.code_crc, Fault::Firmware),
            erased(code_end, flash_map::CONFIGURATION_AT),
        ];
        let after = [
            erased(gap_at, flash_map::PRODUCTION_AT),
            sum(flash_map::PRODUCTION_AT, production_end, FLASH_RESIDUE, Fault::ProductionData),
            erased(production_end, flash_map::LEN),
        ];
        let spans = before.into_iter().chain(configuration_len.into_iter().flat_map(configuration_spans)).chain(after);
        let spans = spans.filter(|span| span.from < span.to).collect();
        Self { spans, span: Twice::new(0), at: Twice::new(flash_map::IMAGE_AT), digest: FLASH.digest() }
    }

    /// Only the configuration's place: what start-up reads once the configuration has been found good.
    pub(crate) fn of_configuration(length: u32) -> Self {
        let spans = Vec::from_iter(configuration_spans(length));
        Self { spans, span: Twice::new(0), at: Twice::new(flash_map::CONFIGURATION_AT), digest: FLASH.digest() }
    }

    /// One tick of start-up.
    ///
    /// # Errors
    /// The fault of the span that is not as it must be.
    pub(crate) fn start_slice(&mut self, flash: &impl FlashPort) -> Result<Pass, Fault> {
        for _ in 0..START_CHUNKS {
            if self.slice(flash)? == Pass::Ended {
                return Ok(Pass::Ended);
            }
        }
        Ok(Pass::Running)
    }

    /// One tick while running: up to 32 bytes.
    ///
    /// # Errors
    /// As above; [`Fault::Variable`] if the test's own place is damaged.
    pub(crate) fn slice(&mut self, flash: &impl FlashPort) -> Result<Pass, Fault> {
        let index = self.span.get().map_err(|_| Fault::Variable)?;
        let at = self.at.get().map_err(|_| Fault::Variable)?;
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        let span = *self.spans.get(place).ok_or(Fault::Variable)?;
        let end = at.saturating_add(RUNNING_BYTES as u32).min(span.to);
        let mut buffer = [0; RUNNING_BYTES];
        let length = usize::try_from(end.saturating_sub(at)).unwrap_or(0);
        let chunk = buffer.get_mut(..length).ok_or(Fault::Variable)?;
        if !flash.read(at, chunk) {
            return Err(span.fault);
        }
        self.judge(span, chunk, end)?;
        self.at = Twice::new(end);
        Ok(if end >= span.to { self.next_span(index) } else { Pass::Running })
    }

    fn judge(&mut self, span: Span, chunk: &[u8], end: u32) -> Result<(), Fault> {
        let Some(crc) = span.crc else {
            let is_erased = chunk.iter().all(|byte| *byte == flash_map::ERASED);
            return if is_erased { Ok(()) } else { Err(span.fault) };
        };
        self.digest.update(chunk);
        if end < span.to {
            return Ok(());
        }
        let digest = core::mem::replace(&mut self.digest, FLASH.digest());
        if digest.finalize() == crc { Ok(()) } else { Err(span.fault) }
    }

    fn next_span(&mut self, index: u32) -> Pass {
        let next = index.saturating_add(1);
        let from = self.spans.get(usize::try_from(next).unwrap_or(usize::MAX)).map(|span| span.from);
        self.span = Twice::new(if from.is_some() { next } else { 0 });
        self.at = Twice::new(from.unwrap_or(flash_map::IMAGE_AT));
        if from.is_some() { Pass::Running } else { Pass::Ended }
    }
}
