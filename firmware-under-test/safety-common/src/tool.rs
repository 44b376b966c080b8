//! Messages between the configuration tool and a unit.
//!
//! The same messages run over USB, radio and CAN (SSR-055). Little endian. CRC as in [`crate::flash_map`].

/// First byte of a message to a unit.
pub const REQUEST: u8 = 0x54;
/// First byte of an answer.
pub const ANSWER: u8 = 0x74;
/// Bytes before the payload.
pub const HEADER_LEN: usize = 8;
/// Bytes of the CRC at the end.
pub const CRC_LEN: usize = 4;
/// Longest payload.
pub const PAYLOAD_MOST: usize = 64 - HEADER_LEN - CRC_LEN;
/// Longest password in bytes; the shortest is 1.
pub const PASSWORD_MOST: usize = 32;
/// The lamp shows [`crate::io::Led::Identify`] for this many ticks.
pub const IDENTIFY_TICKS: u32 = 5_000;
/// CPU1 waits this many ticks for CPU2's answer before it tells the tool `NoPeerAnswer`.
pub const PEER_ANSWER_TICKS: u32 = 3_000;
/// Key of the password verifier (Chaskey-12, 128-bit tag over the password).
pub const PASSWORD_KEY: [u32; 4] = [0x7061_7373, 0x776F_7264, 0x636F_6F6C, 0x7477_696E];

/// Offsets in requests and answers.
pub mod at {
    /// u8, [`super::REQUEST`] or [`super::ANSWER`].
    pub const KIND: usize = 0;
    /// u8, [`super::Command`].
    pub const COMMAND: usize = 1;
    /// u8, chosen by the tool, repeated in the answer.
    pub const SEQUENCE: usize = 2;
    /// u8, 0 in a request, [`super::Status`] in an answer.
    pub const STATUS: usize = 3;
    /// u32, serial number of the unit that is meant, or that answers. 0 in `Who` means all.
    pub const SERIAL: usize = 4;
    /// Payload, then the CRC.
    pub const PAYLOAD: usize = 8;
}

/// What the tool can ask. There is no command that sets an output, and none that sets up a unit from scratch (SSR-038, SSR-059).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// Serial, mode, release id, configuration hash: payload of the answer u8 mode, u32 release id, u32 hash. In every mode but
    /// start-up; answered over radio and CAN in configuration mode only.
    Who = 0x01,
    /// Light the lamp of this unit (SSR-057). In every mode but start-up.
    Identify = 0x02,
    /// Restart into the configuration mode; the payload is the password. In normal mode and safe state; a wrong password
    /// gets no answer and no reaction (SSR-052).
    Enter = 0x10,
    /// Erase the configuration; payload u32 length of the new one. In configuration mode, as all that follow.
    Begin = 0x11,
    /// One row: payload u32 offset (multiple of 32), 32 bytes; the last row is filled up with 0xFF.
    Data = 0x12,
    /// Check the whole; the answer's payload is the hash of the stored configuration (u32).
    Finish = 0x13,
    /// Read back: payload u32 offset; the answer's payload is u32 offset, 32 bytes of CPU1's store. Both CPUs must hold the same.
    Read = 0x14,
    /// Software reset, into normal operation if all is good.
    Restart = 0x15,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Done by both CPUs.
    Done = 0,
    /// Not in this mode (USB only; over radio and CAN the unit is silent, SSR-054).
    Refused = 1,
    /// Payload of the wrong length or out of range.
    BadRequest = 2,
    /// `Data` or `Finish` without `Begin`, or out of order.
    OutOfOrder = 3,
    /// The flash could not be written or reads back differently.
    FlashFailed = 4,
    /// The stored configuration is not valid; payload u8 [`crate::configuration::Defect`].
    Invalid = 5,
    /// CPU2 did not answer or answered otherwise.
    NoPeerAnswer = 6,
    /// An operation is still running; ask again.
    Busy = 7,
}
