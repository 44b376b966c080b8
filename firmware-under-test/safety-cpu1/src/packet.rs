//! The C2C packet as CPU1 packs, checks and unpacks it.

use heapless::Vec;
use safety_common::PINS;
use safety_common::c2c::{self, at};
use safety_common::io::Mode;

use crate::bytes::{put, u8_at, u16_at, u32_at};
use crate::sums;

/// What a packet says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) mode: Mode,
    pub(crate) is_main_on: bool,
    pub(crate) counter: u32,
    pub(crate) identity: Identity,
    pub(crate) voltages: Voltages,
    pub(crate) inputs_on: u16,
    pub(crate) outputs_on: u16,
    pub(crate) outputs_failed: u16,
    pub(crate) relays_on: u8,
    pub(crate) relay_feedback: u8,
}

/// What both CPUs of a unit must have in common (SSR-062, SSR-063).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) release_id: u32,
    pub(crate) release_hash: u32,
    pub(crate) configuration_hash: u32,
    pub(crate) serial: u32,
}

/// The measured channels in millivolts: the pins, supply, `SIO_PWR`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Voltages {
    pub(crate) pins: [u16; PINS],
    pub(crate) supply: u16,
    pub(crate) sio_power: u16,
}

/// This CPU and its peer, as senders.
const CPU1: u8 = 1;
const CPU2: u8 = 2;

impl Packet {
    /// The packet as CPU1 sends it.
    pub(crate) fn encode(&self) -> [u8; c2c::LEN] {
        let mut bytes = [0; c2c::LEN];
        put(&mut bytes, at::FORMAT, &[c2c::FORMAT, CPU1, self.mode as u8, 0]);
        put(&mut bytes, at::COUNTER, &self.counter.to_le_bytes());
        put(&mut bytes, at::RELEASE_ID, &self.identity.release_id.to_le_bytes());
        put(&mut bytes, at::RELEASE_HASH, &self.identity.release_hash.to_le_bytes());
        put(&mut bytes, at::CONFIGURATION_HASH, &self.identity.configuration_hash.to_le_bytes());
        put(&mut bytes, at::SERIAL, &self.identity.serial.to_le_bytes());
        for (voltage, place) in self.voltages.pins.iter().zip((at::PINS..).step_by(2)) {
            put(&mut bytes, place, &voltage.to_le_bytes());
        }
        put(&mut bytes, at::SUPPLY, &self.voltages.supply.to_le_bytes());
        put(&mut bytes, at::SIO_POWER, &self.voltages.sio_power.to_le_bytes());
        put(&mut bytes, at::INPUTS_ON, &self.inputs_on.to_le_bytes());
        put(&mut bytes, at::OUTPUTS_ON, &self.outputs_on.to_le_bytes());
        put(&mut bytes, at::OUTPUTS_FAILED, &self.outputs_failed.to_le_bytes());
        put(&mut bytes, at::RELAYS_ON, &[self.relays_on, self.relay_feedback]);
        let crc = sums::C2C.checksum(bytes.get(..c2c::CRC_AT).unwrap_or_default());
        put(&mut bytes, c2c::CRC_AT, &crc.to_le_bytes());
        bytes
    }

    /// What CPU2 says, if the bytes are a whole packet of it (SSR-018).
    pub(crate) fn decode(bytes: &Vec<u8, { c2c::RECEIVE_LEN_MOST }>) -> Option<Self> {
        let is_length = bytes.len() == c2c::LEN;
        let is_whole = u32_at(bytes, c2c::CRC_AT)? == sums::C2C.checksum(bytes.get(..c2c::CRC_AT)?);
        let is_peer = u8_at(bytes, at::FORMAT)? == c2c::FORMAT && u8_at(bytes, at::SENDER)? == CPU2;
        let flags = u8_at(bytes, at::FLAGS)?;
        let has_zeros = flags & !1 == 0 && u32_at(bytes, at::RESERVED)? == 0;
        if !(is_length && is_whole && is_peer && has_zeros) {
            return None;
        }
        Some(Self {
            mode: mode_of(u8_at(bytes, at::MODE)?)?,
            is_main_on: flags & 1 == 1,
            counter: u32_at(bytes, at::COUNTER)?,
            identity: Identity {
                release_id: u32_at(bytes, at::RELEASE_ID)?,
                release_hash: u32_at(bytes, at::RELEASE_HASH)?,
                configuration_hash: u32_at(bytes, at::CONFIGURATION_HASH)?,
                serial: u32_at(bytes, at::SERIAL)?,
            },
            voltages: voltages_of(bytes)?,
            inputs_on: u16_at(bytes, at::INPUTS_ON)?,
            outputs_on: u16_at(bytes, at::OUTPUTS_ON)?,
            outputs_failed: u16_at(bytes, at::OUTPUTS_FAILED)?,
            relays_on: u8_at(bytes, at::RELAYS_ON)?,
            relay_feedback: u8_at(bytes, at::RELAY_FEEDBACK)?,
        })
    }
}

fn voltages_of(bytes: &[u8]) -> Option<Voltages> {
    let mut pins = [0; PINS];
    for (voltage, place) in pins.iter_mut().zip((at::PINS..).step_by(2)) {
        *voltage = u16_at(bytes, place)?;
    }
    Some(Voltages { pins, supply: u16_at(bytes, at::SUPPLY)?, sio_power: u16_at(bytes, at::SIO_POWER)? })
}

/// A packet in safe state does not exist: a CPU in safe state is silent.
const fn mode_of(byte: u8) -> Option<Mode> {
    match byte {
        1 => Some(Mode::Starting),
        2 => Some(Mode::Ready),
        3 => Some(Mode::Normal),
        4 => Some(Mode::Configuration),
        _ => None,
    }
}
