//! The C2C packet: packed by a field list, unpacked to a value or to nothing.
//!
//! SSR-017, SSR-018.
//!
//! A packet is judged whole: length, CRC, format, sender, mode and zero bytes. What is not good leaves no trace but its
//! absence. Voltages travel in millivolts, so that the two CPUs with their different dividers can compare them.
//!
//! Diverse: fields are written and read by their offsets, one line each, into a whole buffer.

use safety_common::c2c::{CRC_AT, FORMAT, LEN, at};
use safety_common::io::Mode;

use crate::bytes::{put, u8_at, u16_at, u32_at};
use crate::crc;
use crate::flash_test::Release;

/// Voltages that both CPUs measure: the pins, then supply, then `SIO_PWR`.
pub(crate) const CHANNELS: usize = safety_common::PINS + 2;
/// Channel of the supply.
pub(crate) const SUPPLY: usize = safety_common::PINS;
/// Channel of `SIO_PWR`.
pub(crate) const SIO_POWER: usize = SUPPLY + 1;

const CPU1: u8 = 1;
const CPU2: u8 = 2;

/// What both CPUs of a unit must have in common (SSR-062, SSR-063).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) release: Release,
    pub(crate) configuration_hash: u32,
    pub(crate) serial: u32,
}

/// What a CPU says of itself once a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) mode: Mode,
    /// CPU2 only: the main transistor will be on.
    pub(crate) main_on: bool,
    pub(crate) counter: u32,
    pub(crate) identity: Identity,
    /// In millivolts.
    pub(crate) volts: [u16; CHANNELS],
    pub(crate) inputs_on: u16,
    pub(crate) outputs_on: u16,
    pub(crate) outputs_failed: u16,
    pub(crate) relays_on: u8,
    pub(crate) relay_feedback: u8,
}

impl Packet {
    /// A packet of this CPU.
    pub(crate) fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let flags = u8::from(self.main_on);
        put(&mut bytes, at::FORMAT, &[FORMAT, CPU2, self.mode as u8, flags]);
        put(&mut bytes, at::COUNTER, &self.counter.to_le_bytes());
        put(&mut bytes, at::RELEASE_ID, &self.identity.release.id.to_le_bytes());
        put(&mut bytes, at::RELEASE_HASH, &self.identity.release.hash.to_le_bytes());
        put(&mut bytes, at::CONFIGURATION_HASH, &self.identity.configuration_hash.to_le_bytes());
        put(&mut bytes, at::SERIAL, &self.identity.serial.to_le_bytes());
        for (volts, place) in self.volts.iter().zip((at::PINS..).step_by(2)) {
            put(&mut bytes, place, &volts.to_le_bytes());
        }
        put(&mut bytes, at::INPUTS_ON, &self.inputs_on.to_le_bytes());
        put(&mut bytes, at::OUTPUTS_ON, &self.outputs_on.to_le_bytes());
        put(&mut bytes, at::OUTPUTS_FAILED, &self.outputs_failed.to_le_bytes());
        put(&mut bytes, at::RELAYS_ON, &[self.relays_on, self.relay_feedback]);
        let crc = crc::c2c(bytes.get(..CRC_AT).unwrap_or(&[]));
        put(&mut bytes, CRC_AT, &crc.to_le_bytes());
        bytes
    }

    /// A good packet of CPU1, whatever its counter.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != LEN || crc::c2c(bytes.get(..CRC_AT)?) != u32_at(bytes, CRC_AT)? {
            return None;
        }
        let fixed = u8_at(bytes, at::FORMAT)? == FORMAT
            && u8_at(bytes, at::SENDER)? == CPU1
            && u8_at(bytes, at::FLAGS)? == 0
            && u32_at(bytes, at::RESERVED)? == 0;
        if !fixed {
            return None;
        }
        let release = Release { id: u32_at(bytes, at::RELEASE_ID)?, hash: u32_at(bytes, at::RELEASE_HASH)? };
        let configuration_hash = u32_at(bytes, at::CONFIGURATION_HASH)?;
        let mut volts = [0; CHANNELS];
        for (place, from) in volts.iter_mut().zip((at::PINS..).step_by(2)) {
            *place = u16_at(bytes, from)?;
        }
        Some(Self {
            mode: mode(u8_at(bytes, at::MODE)?)?,
            main_on: false,
            counter: u32_at(bytes, at::COUNTER)?,
            identity: Identity { release, configuration_hash, serial: u32_at(bytes, at::SERIAL)? },
            volts,
            inputs_on: u16_at(bytes, at::INPUTS_ON)?,
            outputs_on: u16_at(bytes, at::OUTPUTS_ON)?,
            outputs_failed: u16_at(bytes, at::OUTPUTS_FAILED)?,
            relays_on: u8_at(bytes, at::RELAYS_ON)?,
            relay_feedback: u8_at(bytes, at::RELAY_FEEDBACK)?,
        })
    }
}

/// The modes that may stand in a packet; a CPU in safe state is silent.
fn mode(number: u8) -> Option<Mode> {
    [Mode::Starting, Mode::Ready, Mode::Normal, Mode::Configuration].into_iter().find(|mode| *mode as u8 == number)
}

const _: () = assert!(at::SUPPLY == at::PINS + 2 * SUPPLY && at::SIO_POWER == at::PINS + 2 * SIO_POWER);

#[cfg(test)]
pub(crate) mod tests;
