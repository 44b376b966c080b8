//! A CPU's flash with image, configuration and production data.

use std::vec;
use std::vec::Vec;

use safety_common::flash_map;
use safety_common::io::{FlashCommand, FlashPort, FlashResult};

use super::{flash_crc, with_flash_crc};
use crate::chaskey;

pub(crate) const SERIAL: u32 = 0x0001_0001;
pub(crate) const RELEASE_ID: u32 = 0x0102_0003;
pub(crate) const RELEASE_HASH: u32 = 0x1357_9BDF;
pub(crate) const FACTORY_PASSWORD: &[u8] = b"factory";

/// The flash; knows which addresses were read.
#[derive(Clone)]
pub(crate) struct FakeFlash {
    pub(crate) bytes: Vec<u8>,
    pub(crate) read: std::cell::RefCell<Vec<bool>>,
    /// The next operation fails and leaves the memory as it is.
    pub(crate) fails: bool,
    /// Reads that begin here fail.
    pub(crate) dead: core::ops::Range<u32>,
}

impl FakeFlash {
    /// Image and production data good, no configuration.
    pub(crate) fn blank() -> Self {
        let mut flash = Self {
            bytes: vec![0xFF; flash_map::LEN as usize],
            read: std::cell::RefCell::new(vec![false; flash_map::LEN as usize]),
            fails: false,
            dead: 0..0,
        };
        flash.put(0, &image(1, RELEASE_ID, RELEASE_HASH, 5_000));
        flash.put(flash_map::PRODUCTION_AT, &production(SERIAL));
        flash
    }

    pub(crate) fn with_configuration(configuration: &[u8]) -> Self {
        let mut flash = Self::blank();
        flash.put(flash_map::CONFIGURATION_AT, configuration);
        flash
    }

    pub(crate) fn put(&mut self, at: u32, bytes: &[u8]) {
        self.bytes[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn flip(&mut self, at: u32, bit: u32) {
        self.bytes[at as usize] ^= 1 << bit;
    }

    pub(crate) fn carry_out(&mut self, command: &FlashCommand) -> FlashResult {
        if core::mem::take(&mut self.fails) {
            return FlashResult::Failed;
        }
        let from = flash_map::CONFIGURATION_AT as usize;
        match command {
            FlashCommand::EraseConfiguration => {
                self.bytes[from..][..flash_map::CONFIGURATION_LEN_MOST as usize].fill(0xFF);
            }
            FlashCommand::Program { address, row } => {
                assert!(address.is_multiple_of(32) && *address >= from as u32 && *address < from as u32 + 0x8000);
                for (to, byte) in self.bytes[*address as usize..].iter_mut().zip(row) {
                    assert!(*to & byte == *byte, "only erased bits can be programmed");
                    *to = *byte;
                }
            }
        }
        FlashResult::Done
    }
}

impl FlashPort for FakeFlash {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        let range = address as usize..address as usize + into.len();
        let Some(bytes) = self.bytes.get(range.clone()).filter(|_| !self.dead.contains(&address)) else { return false };
        into.copy_from_slice(bytes);
        self.read.borrow_mut()[range].fill(true);
        true
    }
}

/// An image of a release for one CPU, with `length` bytes of code.
pub(crate) fn image(cpu: u8, release_id: u32, release_hash: u32, length: usize) -> Vec<u8> {
    let code: Vec<u8> = (0..length).map(|at| (at * 7 + 3) as u8).collect();
    let mut bytes = b"CTSF".to_vec();
    bytes.extend([1, 0, cpu, 0]);
    for field in [release_id, release_hash, length as u32, flash_crc(&code), 0] {
        bytes.extend(field.to_le_bytes());
    }
    let mut image = with_flash_crc(bytes);
    image.extend(code);
    image
}

pub(crate) fn production(serial: u32) -> Vec<u8> {
    let mut bytes = b"CTPD".to_vec();
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(serial.to_le_bytes());
    bytes.extend(chaskey::tag(safety_common::tool::PASSWORD_KEY, FACTORY_PASSWORD));
    with_flash_crc(bytes)
}
