//! Flash test of start-up and of running operation.
//!
//! SSR-005, SSR-006, SSR-061, SSR-064, SSR-066.
//!
//! **Start-up** reads every byte once, in order, [`START_BYTES`] a tick: image header and code against their CRCs, every
//! byte that must be erased, the production record. On the way it makes one CRC for each *sector* of 4 KiB.
//!
//! **Running** reads [`RUNNING_BYTES`] a tick and compares each sector with the CRC of start-up. Diverse from one CRC
//! over the whole: a flip behind the pointer is known one pass and one sector later (16.4 s + 0.13 s), not after two
//! passes. CRC-32 finds all 1- and 2-bit flips and bursts up to 32 bits of a sector.

use safety_common::fault::Fault;
use safety_common::flash_map::{self, image, production};
use safety_common::io::FlashPort;

use crate::bytes::{u8_at, u16_at, u32_at};
use crate::crc::{self, Crc32};
use crate::flow::{Flow, Stage};
use crate::trip::{Outcome, Trip};
use crate::twice::Twice;

/// Bytes of a sector.
const SECTOR: u32 = 4_096;
const SECTORS: usize = (flash_map::LEN / SECTOR) as usize;
/// Bytes read at once; every region begins at a multiple of it.
const CHUNK: u32 = 256;
/// Bytes of a tick in start-up (own number): 256 ticks for all.
const START_BYTES: u32 = 2_048;
/// Bytes of a tick while running (own number): 16.4 s for all.
const RUNNING_BYTES: usize = 32;
const IMAGE_END: u32 = flash_map::IMAGE_AT + flash_map::IMAGE_LEN_MOST;
const CONFIGURATION_END: u32 = flash_map::CONFIGURATION_AT + flash_map::CONFIGURATION_LEN_MOST;

/// What the image header says that others need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) id: u32,
    pub(crate) hash: u32,
}

/// What the production record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Production {
    pub(crate) serial: u32,
    /// Verifier of the password that holds while there is no valid configuration.
    pub(crate) password: [u32; 4],
}

/// One CRC for each sector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    sectors: [u32; SECTORS],
}

/// What start-up found in a good flash.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) release: Release,
    pub(crate) production: Production,
    pub(crate) reference: Reference,
}

/// The complete check of start-up, in slices.
#[derive(Clone, Debug)]
pub(crate) struct StartCheck {
    address: u32,
    sector: Crc32,
    reference: Reference,
    code: Crc32,
    header: Option<Header>,
    production: Option<Production>,
}

/// The image header.
#[derive(Clone, Copy, Debug)]
struct Header {
    release: Release,
    code_end: u32,
    code_crc: u32,
}

impl StartCheck {
    pub(crate) const fn new() -> Self {
        Self {
            address: 0,
            sector: Crc32::flash(),
            reference: Reference { sectors: [0; SECTORS] },
            code: Crc32::flash(),
            header: None,
            production: None,
        }
    }

    /// The production data, once known to be good.
    pub(crate) const fn production(&self) -> Option<Production> {
        self.production
    }

    /// One tick's share; what was found once all is read.
    pub(crate) fn slice<F: FlashPort + ?Sized>(&mut self, flash: &F) -> Outcome<Option<Found>> {
        for _ in 0..START_BYTES / CHUNK {
            if self.address < flash_map::LEN {
                self.chunk(flash)?;
            }
        }
        match (self.header, self.production) {
            (Some(header), Some(production)) if self.address >= flash_map::LEN => {
                let reference = self.reference.clone();
                Ok(Some(Found { release: header.release, production, reference }))
            }
            _ => Ok(None),
        }
    }

    fn chunk<F: FlashPort + ?Sized>(&mut self, flash: &F) -> Outcome {
        let mut bytes = [0; CHUNK as usize];
        if !flash.read(self.address, &mut bytes) {
            return Err(Trip::new(Fault::Firmware, self.address));
        }
        self.judge(&bytes)?;
        self.sector.update(&bytes);
        self.address = self.address.saturating_add(CHUNK);
        if self.address.is_multiple_of(SECTOR) {
            let sector = (self.address / SECTOR).saturating_sub(1) as usize;
            if let Some(place) = self.reference.sectors.get_mut(sector) {
                *place = self.sector.value();
            }
            self.sector = Crc32::flash();
        }
        Ok(())
    }

    /// By region; the configuration area is judged later, by the check of the configuration.
    fn judge(&mut self, bytes: &[u8]) -> Outcome {
        match self.address {
            ..IMAGE_END => self.judge_image(bytes),
            flash_map::CONFIGURATION_AT..CONFIGURATION_END => Ok(()),
            flash_map::PRODUCTION_AT => {
                let (record, rest) = bytes.split_at_checked(production::LEN).unwrap_or((bytes, &[]));
                self.production = Some(production_record(record)?);
                erased(self.address.saturating_add(production::LEN as u32), rest)
            }
            _ => erased(self.address, bytes),
        }
    }

    fn judge_image(&mut self, bytes: &[u8]) -> Outcome {
        let header = match self.header {
            Some(header) => header,
            None => image_header(bytes)?,
        };
        let begin = if self.header.is_none() { image::LEN } else { 0 };
        self.header = Some(header);
        let code_bytes = header.code_end.saturating_sub(self.address).min(CHUNK) as usize;
        if let Some(code) = bytes.get(begin..code_bytes) {
            self.code.update(code);
        }
        erased(self.address.saturating_add(code_bytes as u32), bytes.get(code_bytes..).unwrap_or(&[]))?;
        let last = self.address.saturating_add(CHUNK) >= IMAGE_END;
        if last && self.code.value() != header.code_crc {
            return Err(Trip::new(Fault::Firmware, 0));
        }
        Ok(())
    }
}

fn image_header(bytes: &[u8]) -> Outcome<Header> {
    read_image_header(bytes).ok_or(Trip::new(Fault::Firmware, 0))
}

fn read_image_header(bytes: &[u8]) -> Option<Header> {
    let length = u32_at(bytes, image::LENGTH)?;
    let good = u32_at(bytes, image::MAGIC)? == image::MAGIC_VALUE
        && u16_at(bytes, image::FORMAT)? == 1
        && u16_at(bytes, image::CPU)? == 2
        && (1..=flash_map::IMAGE_LEN_MOST - image::LEN as u32).contains(&length)
        && u32_at(bytes, image::RESERVED)? == 0
        && u32_at(bytes, image::HEADER_CRC)? == crc::flash(bytes.get(..image::HEADER_CRC)?);
    good.then_some(Header {
        release: Release { id: u32_at(bytes, image::RELEASE_ID)?, hash: u32_at(bytes, image::RELEASE_HASH)? },
        code_end: length.saturating_add(image::LEN as u32),
        code_crc: u32_at(bytes, image::CODE_CRC)?,
    })
}

fn production_record(bytes: &[u8]) -> Outcome<Production> {
    let production = read_production_record(bytes).ok_or(Trip::new(Fault::ProductionData, 0))?;
    match production.serial {
        0 | u32::MAX => Err(Trip::new(Fault::SerialNumber, production.serial)),
        _ => Ok(production),
    }
}

fn read_production_record(bytes: &[u8]) -> Option<Production> {
    let good = u32_at(bytes, production::MAGIC)? == production::MAGIC_VALUE
        && u16_at(bytes, production::FORMAT)? == 1
        && u8_at(bytes, production::FORMAT + 2)? == 0
        && u8_at(bytes, production::FORMAT + 3)? == 0
        && u32_at(bytes, production::CRC)? == crc::flash(bytes.get(..production::CRC)?);
    let password = password_at(bytes, production::PASSWORD)?;
    good.then_some(Production { serial: u32_at(bytes, production::SERIAL)?, password })
}

/// A password verifier: the four words of a tag.
pub(crate) fn password_at(bytes: &[u8], at: usize) -> Option<[u32; 4]> {
    let (words, _) = bytes.get(at..)?.first_chunk::<16>()?.as_chunks::<4>();
    let mut verifier = [0; 4];
    for (place, word) in verifier.iter_mut().zip(words) {
        *place = u32::from_le_bytes(*word);
    }
    Some(verifier)
}

/// Bytes that nothing was programmed into; the detail is the first address that is not erased.
pub(crate) fn erased(address: u32, bytes: &[u8]) -> Outcome {
    match bytes.iter().position(|byte| *byte != flash_map::ERASED) {
        None => Ok(()),
        Some(place) => Err(Trip::new(Fault::FlashNotErased, address.saturating_add(place as u32))),
    }
}

/// Whether the configuration mode may change the configuration area while the test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Whole,
    WithoutConfiguration,
}

/// The running test.
#[derive(Clone, Debug)]
pub(crate) struct RunningTest {
    /// Kept twice: a pointer that stands still would test nothing.
    address: Twice,
    sector: Crc32,
    reference: Reference,
    scope: Scope,
}

impl RunningTest {
    pub(crate) const fn new(reference: Reference, scope: Scope) -> Self {
        Self { address: Twice::new(0), sector: Crc32::flash(), reference, scope }
    }

    /// One tick's stage.
    pub(crate) fn stage<F: FlashPort + ?Sized>(&mut self, flash: &F, flow: &mut Flow) -> Outcome {
        self.slice(flash)?;
        flow.pass(Stage::Flash);
        Ok(())
    }

    /// One tick's share; at the end of a sector its CRC must be that of start-up.
    fn slice<F: FlashPort + ?Sized>(&mut self, flash: &F) -> Outcome {
        let address = self.address.get()?;
        let mut bytes = [0; RUNNING_BYTES];
        if !flash.read(address, &mut bytes) {
            return Err(Trip::new(Fault::FlashRunning, address));
        }
        self.sector.update(&bytes);
        let next = address.saturating_add(RUNNING_BYTES as u32);
        if next.is_multiple_of(SECTOR) {
            self.compare(address / SECTOR)?;
            self.sector = Crc32::flash();
        }
        let skip = self.scope == Scope::WithoutConfiguration && next == flash_map::CONFIGURATION_AT;
        let next = if skip { CONFIGURATION_END } else { next };
        self.address = Twice::new(if next >= flash_map::LEN { 0 } else { next });
        Ok(())
    }

    fn compare(&self, sector: u32) -> Outcome {
        if self.reference.sectors.get(sector as usize) == Some(&self.sector.value()) {
            Ok(())
        } else {
            Err(Trip::new(Fault::FlashRunning, sector.saturating_mul(SECTOR)))
        }
    }
}

#[cfg(test)]
mod tests;
