//! The configuration as CPU1 reads it: checked whole, then taken apart.
//!
//! SSR-063, SSR-067.
//!
//! [`Check`] works in slices of a tick: header, CRC and hash over all bytes, then the network part, then this unit's own
//! section. Nothing of a configuration is used before all of it has been found good.

mod network;
mod section;

use safety_common::configuration::{self as format, Defect, header};
use safety_common::flash_map;
use safety_common::io::FlashPort;
use safety_common::signal::Signal;

use crate::bytes::{array, u8_at, u16_at, u32_at};
use crate::chaskey::Chaskey;
use crate::program::Program;
use crate::sums::{FLASH, FLASH_RESIDUE, FlashDigest};

pub(crate) use network::Network;
#[cfg(test)]
pub(crate) use network::Node;
pub(crate) use safety_common::configuration::Role;
pub(crate) use section::{Groups, InputGroup, OutputGroup, PinPlan, Pins, Settings};

/// Bytes that the check reads at a time, and how often in a tick.
const CHUNK: usize = 256;
const CHUNKS_PER_TICK: u32 = 8;
/// Bytes of the CRC at the end.
const CRC_LEN: usize = 4;

/// A configuration that was found good for this unit.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) hash: u32,
    pub(crate) length: u32,
    pub(crate) password: [u8; 16],
    pub(crate) network: Network,
    pub(crate) settings: Settings,
    pub(crate) pins: Pins,
    pub(crate) groups: Groups,
    pub(crate) program: Program,
}

/// Reads at offsets of the stored configuration.
struct Store<'a, F>(&'a F);

impl<F: FlashPort> Store<'_, F> {
    fn fill(&self, at: u32, into: &mut [u8]) -> Result<(), Defect> {
        let address = flash_map::CONFIGURATION_AT.checked_add(at).ok_or(Defect::Unreadable)?;
        if self.0.read(address, into) { Ok(()) } else { Err(Defect::Unreadable) }
    }

    fn record<const N: usize>(&self, at: u32) -> Result<[u8; N], Defect> {
        let mut bytes = [0; N];
        self.fill(at, &mut bytes)?;
        Ok(bytes)
    }
}

/// The header's fields that the check needs.
#[derive(Clone, Copy, Debug)]
struct Header {
    length: u32,
    hash: u32,
    bytes: [u8; header::LEN],
}

impl Header {
    fn read(store: &Store<'_, impl FlashPort>) -> Result<Self, Defect> {
        let bytes: [u8; header::LEN] = store.record(0)?;
        if u32_at(&bytes, header::MAGIC) != Some(header::MAGIC_VALUE) {
            return Err(Defect::Missing);
        }
        if u16_at(&bytes, header::FORMAT) != Some(format::FORMAT) {
            return Err(Defect::Format);
        }
        let length = u32_at(&bytes, header::LENGTH).ok_or(Defect::Length)?;
        let least = (header::LEN + CRC_LEN) as u32;
        if length < least || length > flash_map::CONFIGURATION_LEN_MOST || !length.is_multiple_of(4) {
            return Err(Defect::Length);
        }
        let hash = u32_at(&bytes, header::HASH).ok_or(Defect::Length)?;
        Ok(Self { length, hash, bytes })
    }

    fn has_zeros(&self) -> bool {
        let reserved = self.bytes.get(header::RESERVED..).unwrap_or_default();
        u8_at(&self.bytes, header::NODES + 1) == Some(0) && reserved.iter().all(|byte| *byte == 0)
    }

    fn password(&self) -> Result<[u8; 16], Defect> {
        array(&self.bytes, header::PASSWORD).ok_or(Defect::Length)
    }
}

/// CRC and hash over the stored bytes.
#[derive(Clone)]
struct Sums {
    header: Header,
    at: u32,
    crc: FlashDigest,
    hash: Chaskey,
}

impl Sums {
    fn new(header: Header) -> Self {
        Self { header, at: 0, crc: FLASH.digest(), hash: Chaskey::new(format::HASH_KEY) }
    }

    /// Takes a chunk; `true` at the end.
    fn chunk(&mut self, store: &Store<'_, impl FlashPort>) -> Result<bool, Defect> {
        let mut buffer = [0; CHUNK];
        let left = usize::try_from(self.header.length.saturating_sub(self.at)).unwrap_or(0);
        let chunk = buffer.get_mut(..left.min(CHUNK)).unwrap_or_default();
        store.fill(self.at, chunk)?;
        self.crc.update(chunk);
        let crc_at = self.header.length.saturating_sub(4);
        let position = self.at..;
        for (at, byte) in position.zip(chunk.iter()) {
            if at >= header::HASHED_FROM as u32 && at < crc_at {
                self.hash.update(core::slice::from_ref(byte));
            }
        }
        self.at = self.at.saturating_add(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        Ok(self.at >= self.header.length)
    }

    fn verdict(&self) -> Result<Header, Defect> {
        if self.crc.clone().finalize() != FLASH_RESIDUE {
            return Err(Defect::Crc);
        }
        if self.hash.word() != self.header.hash { Err(Defect::Hash) } else { Ok(self.header) }
    }
}

/// A running check.
#[derive(Clone)]
pub(crate) struct Check {
    serial: u32,
    stage: Stage,
}

#[derive(Clone)]
enum Stage {
    Header,
    Sums(Sums),
    Content(Header),
}

impl Check {
    /// A check for the unit with this serial number.
    pub(crate) const fn new(serial: u32) -> Self {
        Self { serial, stage: Stage::Header }
    }

    /// One tick's work; `None` while there is more.
    ///
    /// # Errors
    /// The first [`Defect`] in the order of the documentation.
    pub(crate) fn slice(&mut self, flash: &impl FlashPort) -> Result<Option<Configuration>, Defect> {
        let store = &Store(flash);
        match &mut self.stage {
            Stage::Header => self.stage = Stage::Sums(Sums::new(Header::read(store)?)),
            Stage::Sums(sums) => {
                for _ in 0..CHUNKS_PER_TICK {
                    if sums.chunk(store)? {
                        self.stage = Stage::Content(sums.verdict()?);
                        break;
                    }
                }
            }
            Stage::Content(header) => return take_apart(store, header, self.serial).map(Some),
        }
        Ok(None)
    }
}

fn take_apart(store: &Store<'_, impl FlashPort>, header: &Header, serial: u32) -> Result<Configuration, Defect> {
    if !header.has_zeros() {
        return Err(Defect::Reserved);
    }
    let (network, place) = network::read(store, header, serial)?;
    let section = section::read(store, &network, place)?;
    section.check_response(store, &network, u32_at(&header.bytes, header::RESPONSE))?;
    Ok(Configuration {
        hash: header.hash,
        length: header.length,
        password: header.password()?,
        network,
        settings: section.settings,
        pins: section.pins,
        groups: section.groups,
        program: section.program,
    })
}

/// The signal type with this number.
const fn signal_of(byte: u8) -> Option<Signal> {
    match byte {
        0 => Some(Signal::Low),
        1 => Some(Signal::High),
        2 => Some(Signal::Ossd),
        4 => Some(Signal::A),
        5 => Some(Signal::B),
        6 => Some(Signal::C),
        7 => Some(Signal::D),
        8 => Some(Signal::InverseA),
        9 => Some(Signal::InverseB),
        10 => Some(Signal::InverseC),
        11 => Some(Signal::InverseD),
        _ => None,
    }
}
