//! UDS (ISO 14229-1): the requests and responses that a pump's update needs, as values and as bytes.
//!
//! Numbers are big endian, as the standard has them. Service ids and response codes come from `automotive_diag`.
//!
//! Refusals follow the order of the standard's flow charts: shortest length, then sub-function or range, then exact
//! length. Not supported, and refused as unknown sub-function: "suppress positive response" (bit 7), because each
//! request of an update is answered.

use automotive_diag::uds::{UdsCommand, UdsError};
use heapless::Vec;
use units::Duration;

use crate::header::{ModelId, Version};

/// Data bytes of one transfer block.
pub const BLOCK_LEN: usize = 1_024;
/// The longest message: a block with service id and counter.
pub const MESSAGE_LEN: usize = BLOCK_LEN + 2;
/// Added to a service id in a positive response.
const POSITIVE: u8 = 0x40;
const NEGATIVE: u8 = 0x7F;

/// The session a server is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Session {
    /// After every reset.
    Default = 1,
    /// In the bootloader, for an update.
    Programming = 2,
}

/// Data a server lets read (service 0x22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Identifier {
    /// Version of the valid application, all zero bytes if there is none.
    Version = 0xF195,
    /// Model of the pump.
    Model = 0xF191,
    /// 0 application, 1 bootloader with a valid application, 2 bootloader without.
    State = 0xF1F0,
    /// Why the CPU last started, and how long ago.
    Start = 0xF1F1,
}

/// Why a CPU starts, as its reset-cause register tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ResetCause {
    /// Supply came up.
    PowerOn = 1,
    /// Supply had fallen below the brown-out level; memory cannot be trusted.
    BrownOut = 2,
    /// The firmware asked for it.
    Software = 3,
    /// The watchdog was not served.
    Watchdog = 4,
}

/// A server's last start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    /// Why.
    pub cause: ResetCause,
    /// How long ago by the server's clock, in 100 ms, rounded up; 65535 stands for any longer time, too.
    pub age_100ms: u16,
}

impl Start {
    /// The unit in which the age is told.
    const UNIT: Duration = Duration::from_millis(100);

    /// A start for `cause` that is `age` ago.
    #[must_use]
    pub fn new(cause: ResetCause, age: Duration) -> Self {
        let units = age.as_micros().div_ceil(Self::UNIT.as_micros());
        Self { cause, age_100ms: u16::try_from(units).unwrap_or(u16::MAX) }
    }

    /// How long ago it is by the server's clock: at most this, and less by under one unit.
    #[must_use]
    pub const fn age(self) -> Duration {
        Self::UNIT.times(self.age_100ms as u64)
    }
}

impl ResetCause {
    /// Whether supply had been too low for the CPU to run.
    #[must_use]
    pub const fn is_lack_of_supply(self) -> bool {
        matches!(self, Self::PowerOn | Self::BrownOut)
    }

    const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::PowerOn,
            2 => Self::BrownOut,
            3 => Self::Software,
            4 => Self::Watchdog,
            _ => return None,
        })
    }
}

/// Routines a server starts (service 0x31).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Routine {
    /// Erases the application.
    Erase = 0xFF00,
    /// Checks the application and makes it valid.
    CheckProgrammingDependencies = 0xFF01,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request<'a> {
    /// 0x10.
    Session(Session),
    /// 0x11 01.
    Reset,
    /// 0x22.
    Read(Identifier),
    /// 0x27 01.
    RequestSeed,
    /// 0x27 02.
    SendKey(u32),
    /// 0x31 01.
    Start(Routine),
    /// 0x34, uncompressed, 32-bit address and length.
    RequestDownload {
        /// First byte.
        address: u32,
        /// Bytes.
        length: u32,
    },
    /// 0x36.
    TransferData {
        /// 1 for the first block, then up by one, wrapping from 255 to 0.
        counter: u8,
        /// At most [`BLOCK_LEN`] bytes.
        data: &'a [u8],
    },
    /// 0x37.
    TransferExit,
    /// 0x3E 00.
    TesterPresent,
}

/// Why a request was not understood; the server answers with this code.
pub type Refusal = UdsError;

/// What a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// 0x50 with P2 (1 ms) and P2* (10 ms).
    Session {
        /// The session now.
        session: Session,
        /// Longest time to an answer, in ms.
        p2_ms: u16,
        /// Longest time to an answer after response pending, in 10 ms.
        p2_star_10ms: u16,
    },
    /// 0x51 01.
    Reset,
    /// 0x62 F195.
    Version(Version),
    /// 0x62 F191.
    Model(ModelId),
    /// 0x62 F1F0.
    State(u8),
    /// 0x62 F1F1.
    Start(Start),
    /// 0x67 01; zero means already unlocked.
    Seed(u32),
    /// 0x67 02.
    Unlocked,
    /// 0x71 01 with the routine and its result, 0 is good.
    Routine {
        /// Which.
        routine: Routine,
        /// 0 good, else a failure of the routine.
        result: u8,
    },
    /// 0x74 with the longest transfer message the server takes.
    Download {
        /// Bytes including service id and counter.
        block_message_len: u16,
    },
    /// 0x76 with the counter of the block.
    Transfer {
        /// As in the request.
        counter: u8,
    },
    /// 0x77.
    TransferExit,
    /// 0x7E 00.
    TesterPresent,
    /// 0x7F.
    Negative {
        /// Service id of the request.
        service: u8,
        /// Response code as sent, see ISO 14229-1 annex A.
        code: u8,
    },
}

/// Bytes of a response; none is longer.
pub type ResponseBytes = Vec<u8, 16>;

impl Request<'_> {
    /// The service id.
    #[must_use]
    pub const fn service(&self) -> u8 {
        let command = match self {
            Self::Session(_) => UdsCommand::DiagnosticSessionControl,
            Self::Reset => UdsCommand::ECUReset,
            Self::Read(_) => UdsCommand::ReadDataByIdentifier,
            Self::RequestSeed | Self::SendKey(_) => UdsCommand::SecurityAccess,
            Self::Start(_) => UdsCommand::RoutineControl,
            Self::RequestDownload { .. } => UdsCommand::RequestDownload,
            Self::TransferData { .. } => UdsCommand::TransferData,
            Self::TransferExit => UdsCommand::RequestTransferExit,
            Self::TesterPresent => UdsCommand::TesterPresent,
        };
        command as u8
    }

    /// The bytes, or `None` if a block is longer than [`BLOCK_LEN`].
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8, MESSAGE_LEN>> {
        let mut bytes = Vec::new();
        bytes.push(self.service()).ok()?;
        match *self {
            Self::Session(session) => bytes.push(session as u8).ok()?,
            Self::Reset | Self::RequestSeed => bytes.push(1).ok()?,
            Self::Read(identifier) => extend(&mut bytes, &(identifier as u16).to_be_bytes())?,
            Self::SendKey(key) => {
                bytes.push(2).ok()?;
                extend(&mut bytes, &key.to_be_bytes())?;
            }
            Self::Start(routine) => {
                bytes.push(1).ok()?;
                extend(&mut bytes, &(routine as u16).to_be_bytes())?;
            }
            Self::RequestDownload { address, length } => {
                extend(&mut bytes, &[0x00, 0x44])?;
                extend(&mut bytes, &address.to_be_bytes())?;
                extend(&mut bytes, &length.to_be_bytes())?;
            }
            Self::TransferData { counter, data } => {
                bytes.push(counter).ok()?;
                extend(&mut bytes, data)?;
            }
            Self::TransferExit => {}
            Self::TesterPresent => bytes.push(0).ok()?,
        }
        Some(bytes)
    }
}

impl<'a> Request<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// The service id to put into the negative response and the code, if the request is unknown or malformed.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, (u8, Refusal)> {
        let Some((&service, rest)) = bytes.split_first() else { return Err((0, UdsError::GeneralReject)) };
        Self::decode_service(service, rest).map_err(|refusal| (service, refusal))
    }

    fn decode_service(service: u8, rest: &'a [u8]) -> Result<Self, Refusal> {
        let malformed = UdsError::IncorrectMessageLengthOrInvalidFormat;
        match UdsCommand::from_repr(service).ok_or(UdsError::ServiceNotSupported)? {
            UdsCommand::DiagnosticSessionControl => match rest {
                [1] => Ok(Self::Session(Session::Default)),
                [2] => Ok(Self::Session(Session::Programming)),
                [1 | 2, ..] | [] => Err(malformed),
                _ => Err(UdsError::SubFunctionNotSupported),
            },
            UdsCommand::ECUReset => match rest {
                [1] => Ok(Self::Reset),
                [1, ..] | [] => Err(malformed),
                _ => Err(UdsError::SubFunctionNotSupported),
            },
            UdsCommand::ReadDataByIdentifier => match rest {
                &[high, low] => Identifier::from_number(u16::from_be_bytes([high, low]))
                    .map(Self::Read)
                    .ok_or(UdsError::RequestOutOfRange),
                _ => Err(malformed),
            },
            UdsCommand::SecurityAccess => match rest {
                [1] => Ok(Self::RequestSeed),
                &[2, a, b, c, d] => Ok(Self::SendKey(u32::from_be_bytes([a, b, c, d]))),
                [1 | 2, ..] | [] => Err(malformed),
                _ => Err(UdsError::SubFunctionNotSupported),
            },
            UdsCommand::RoutineControl => {
                let &[control, high, low, ref options @ ..] = rest else { return Err(malformed) };
                let number = u16::from_be_bytes([high, low]);
                let routine = Routine::from_number(number).ok_or(UdsError::RequestOutOfRange)?;
                match (control, options) {
                    (1, []) => Ok(Self::Start(routine)),
                    (1, _) => Err(malformed),
                    _ => Err(UdsError::SubFunctionNotSupported),
                }
            }
            UdsCommand::RequestDownload => match rest {
                &[0x00, 0x44, a, b, c, d, e, f, g, h] => Ok(Self::RequestDownload {
                    address: u32::from_be_bytes([a, b, c, d]),
                    length: u32::from_be_bytes([e, f, g, h]),
                }),
                [0x00, 0x44, ..] => Err(malformed),
                [_, _, _, _, ..] => Err(UdsError::RequestOutOfRange),
                _ => Err(malformed),
            },
            UdsCommand::TransferData => match rest {
                [counter, data @ ..] if !data.is_empty() && data.len() <= BLOCK_LEN => {
                    Ok(Self::TransferData { counter: *counter, data })
                }
                _ => Err(malformed),
            },
            UdsCommand::RequestTransferExit if rest.is_empty() => Ok(Self::TransferExit),
            UdsCommand::RequestTransferExit => Err(malformed),
            UdsCommand::TesterPresent => match rest {
                [0] => Ok(Self::TesterPresent),
                [0, ..] | [] => Err(malformed),
                _ => Err(UdsError::SubFunctionNotSupported),
            },
            _ => Err(UdsError::ServiceNotSupported),
        }
    }
}

impl Identifier {
    const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            0xF195 => Self::Version,
            0xF191 => Self::Model,
            0xF1F0 => Self::State,
            0xF1F1 => Self::Start,
            _ => return None,
        })
    }
}

impl Routine {
    const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            0xFF00 => Self::Erase,
            0xFF01 => Self::CheckProgrammingDependencies,
            _ => return None,
        })
    }
}

impl Response {
    /// A negative response.
    #[must_use]
    pub const fn refuse(service: u8, why: Refusal) -> Self {
        Self::Negative { service, code: why as u8 }
    }

    /// Response pending: the server is still busy with `service`.
    #[must_use]
    pub const fn pending(service: u8) -> Self {
        Self::refuse(service, UdsError::RequestCorrectlyReceivedResponsePending)
    }

    /// Whether this is "response pending" to `service`.
    #[must_use]
    pub fn is_pending(&self, service: u8) -> bool {
        *self == Self::pending(service)
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> ResponseBytes {
        let mut bytes = ResponseBytes::new();
        // 16 bytes hold every response, so that nothing can be lost here; the longest has 8.
        let _ = self.write(&mut bytes);
        bytes
    }

    fn write(&self, bytes: &mut ResponseBytes) -> Option<()> {
        let positive = |command: UdsCommand| command as u8 | POSITIVE;
        match *self {
            Self::Session { session, p2_ms, p2_star_10ms } => {
                extend(bytes, &[positive(UdsCommand::DiagnosticSessionControl), session as u8])?;
                extend(bytes, &p2_ms.to_be_bytes())?;
                extend(bytes, &p2_star_10ms.to_be_bytes())
            }
            Self::Reset => extend(bytes, &[positive(UdsCommand::ECUReset), 1]),
            Self::Version(version) => {
                identifier_head(bytes, Identifier::Version)?;
                for part in [version.major, version.minor, version.patch] {
                    extend(bytes, &part.to_be_bytes())?;
                }
                Some(())
            }
            Self::Model(model) => {
                identifier_head(bytes, Identifier::Model)?;
                extend(bytes, &model.0.to_be_bytes())
            }
            Self::State(state) => {
                identifier_head(bytes, Identifier::State)?;
                extend(bytes, &[state])
            }
            Self::Start(Start { cause, age_100ms }) => {
                identifier_head(bytes, Identifier::Start)?;
                extend(bytes, &[cause as u8])?;
                extend(bytes, &age_100ms.to_be_bytes())
            }
            Self::Seed(seed) => {
                extend(bytes, &[positive(UdsCommand::SecurityAccess), 1])?;
                extend(bytes, &seed.to_be_bytes())
            }
            Self::Unlocked => extend(bytes, &[positive(UdsCommand::SecurityAccess), 2]),
            Self::Routine { routine, result } => {
                extend(bytes, &[positive(UdsCommand::RoutineControl), 1])?;
                extend(bytes, &(routine as u16).to_be_bytes())?;
                extend(bytes, &[result])
            }
            Self::Download { block_message_len } => {
                extend(bytes, &[positive(UdsCommand::RequestDownload), 0x20])?;
                extend(bytes, &block_message_len.to_be_bytes())
            }
            Self::Transfer { counter } => extend(bytes, &[positive(UdsCommand::TransferData), counter]),
            Self::TransferExit => extend(bytes, &[positive(UdsCommand::RequestTransferExit)]),
            Self::TesterPresent => extend(bytes, &[positive(UdsCommand::TesterPresent), 0]),
            Self::Negative { service, code } => extend(bytes, &[NEGATIVE, service, code]),
        }
    }

    /// Reads a response; `None` if it is none of the above.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        if first == NEGATIVE {
            let &[service, code] = rest else { return None };
            return Some(Self::Negative { service, code });
        }
        if first & POSITIVE == 0 {
            return None;
        }
        match (UdsCommand::from_repr(first & !POSITIVE)?, rest) {
            (UdsCommand::DiagnosticSessionControl, &[session, a, b, c, d]) => Some(Self::Session {
                session: match session {
                    1 => Session::Default,
                    2 => Session::Programming,
                    _ => return None,
                },
                p2_ms: u16::from_be_bytes([a, b]),
                p2_star_10ms: u16::from_be_bytes([c, d]),
            }),
            (UdsCommand::ECUReset, [1]) => Some(Self::Reset),
            (UdsCommand::ReadDataByIdentifier, &[0xF1, 0x95, a, b, c, d, e, f]) => Some(Self::Version(Version {
                major: u16::from_be_bytes([a, b]),
                minor: u16::from_be_bytes([c, d]),
                patch: u16::from_be_bytes([e, f]),
            })),
            (UdsCommand::ReadDataByIdentifier, &[0xF1, 0x91, a, b]) => {
                Some(Self::Model(ModelId(u16::from_be_bytes([a, b]))))
            }
            (UdsCommand::ReadDataByIdentifier, &[0xF1, 0xF0, state]) => Some(Self::State(state)),
            (UdsCommand::ReadDataByIdentifier, &[0xF1, 0xF1, cause, high, low]) => Some(Self::Start(Start {
                cause: ResetCause::from_number(cause)?,
                age_100ms: u16::from_be_bytes([high, low]),
            })),
            (UdsCommand::SecurityAccess, &[1, a, b, c, d]) => Some(Self::Seed(u32::from_be_bytes([a, b, c, d]))),
            (UdsCommand::SecurityAccess, [2]) => Some(Self::Unlocked),
            (UdsCommand::RoutineControl, &[1, high, low, result]) => {
                Some(Self::Routine { routine: Routine::from_number(u16::from_be_bytes([high, low]))?, result })
            }
            (UdsCommand::RequestDownload, &[0x20, high, low]) => {
                Some(Self::Download { block_message_len: u16::from_be_bytes([high, low]) })
            }
            (UdsCommand::TransferData, &[counter]) => Some(Self::Transfer { counter }),
            (UdsCommand::RequestTransferExit, []) => Some(Self::TransferExit),
            (UdsCommand::TesterPresent, [0]) => Some(Self::TesterPresent),
            _ => None,
        }
    }
}

fn identifier_head(bytes: &mut ResponseBytes, identifier: Identifier) -> Option<()> {
    bytes.push(UdsCommand::ReadDataByIdentifier as u8 | POSITIVE).ok()?;
    extend(bytes, &(identifier as u16).to_be_bytes())
}

fn extend<const N: usize>(bytes: &mut Vec<u8, N>, more: &[u8]) -> Option<()> {
    bytes.extend_from_slice(more).ok()
}

/// The key that answers a seed. A shared secret of the product line keeps mistakes out, not attackers: no claim of
/// IEC 62443 is made (PFU-034).
#[must_use]
pub const fn key_for(seed: u32) -> u32 {
    let mixed = (seed ^ 0xC001_7A9E).rotate_left(7);
    mixed.wrapping_mul(0x9E37_79B1) ^ mixed >> 15
}

#[cfg(test)]
mod tests {
    use super::*;
    use UdsError::{
        IncorrectMessageLengthOrInvalidFormat as Length, RequestOutOfRange as Range, ServiceNotSupported as Service,
        SubFunctionNotSupported as SubFunction,
    };
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Every request with its bytes, written from ISO 14229-1.
    const REQUESTS: [(Request<'_>, &[u8]); 14] = [
        (Request::Session(Session::Default), &[0x10, 0x01]),
        (Request::Session(Session::Programming), &[0x10, 0x02]),
        (Request::Reset, &[0x11, 0x01]),
        (Request::Read(Identifier::Version), &[0x22, 0xF1, 0x95]),
        (Request::Read(Identifier::Model), &[0x22, 0xF1, 0x91]),
        (Request::Read(Identifier::State), &[0x22, 0xF1, 0xF0]),
        (Request::Read(Identifier::Start), &[0x22, 0xF1, 0xF1]),
        (Request::RequestSeed, &[0x27, 0x01]),
        (Request::SendKey(0x0102_0304), &[0x27, 0x02, 1, 2, 3, 4]),
        (Request::Start(Routine::Erase), &[0x31, 0x01, 0xFF, 0x00]),
        (Request::Start(Routine::CheckProgrammingDependencies), &[0x31, 0x01, 0xFF, 0x01]),
        (
            Request::RequestDownload { address: 0x0802_0000, length: 394_240 },
            &[0x34, 0x00, 0x44, 0x08, 0x02, 0x00, 0x00, 0x00, 0x06, 0x04, 0x00],
        ),
        (Request::TransferExit, &[0x37]),
        (Request::TesterPresent, &[0x3E, 0x00]),
    ];

    #[test]
    fn requests_have_the_bytes_of_the_standard() {
        for (request, bytes) in REQUESTS {
            assert_eq!(request.encode().as_deref(), Some(bytes));
            assert_eq!(Request::decode(bytes), Ok(request));
            assert_eq!(request.service(), bytes[0]);
        }
    }

    #[test]
    fn responses_have_the_bytes_of_the_standard() {
        let version = Version { major: 1, minor: 2, patch: 0x0304 };
        let table: [(Response, &[u8]); 14] = [
            // P2 50 ms = 0x0032, P2* 5 s = 500 * 10 ms = 0x01F4
            (
                Response::Session { session: Session::Programming, p2_ms: 50, p2_star_10ms: 500 },
                &[0x50, 0x02, 0x00, 0x32, 0x01, 0xF4],
            ),
            (Response::Reset, &[0x51, 0x01]),
            (Response::Version(version), &[0x62, 0xF1, 0x95, 0, 1, 0, 2, 3, 4]),
            (Response::Model(ModelId(0x1234)), &[0x62, 0xF1, 0x91, 0x12, 0x34]),
            (Response::State(2), &[0x62, 0xF1, 0xF0, 2]),
            (
                Response::Start(Start { cause: ResetCause::BrownOut, age_100ms: 300 }),
                &[0x62, 0xF1, 0xF1, 2, 0x01, 0x2C],
            ),
            (Response::Seed(0xA1B2_C3D4), &[0x67, 0x01, 0xA1, 0xB2, 0xC3, 0xD4]),
            (Response::Unlocked, &[0x67, 0x02]),
            (Response::Routine { routine: Routine::Erase, result: 0 }, &[0x71, 0x01, 0xFF, 0x00, 0x00]),
            (Response::Download { block_message_len: 1_026 }, &[0x74, 0x20, 0x04, 0x02]),
            (Response::Transfer { counter: 0 }, &[0x76, 0x00]),
            (Response::TransferExit, &[0x77]),
            (Response::TesterPresent, &[0x7E, 0x00]),
            (Response::pending(0x31), &[0x7F, 0x31, 0x78]),
        ];
        for (response, bytes) in table {
            assert_eq!(response.encode(), bytes);
            assert_eq!(Response::decode(bytes), Some(response));
        }
        assert!(Response::pending(0x31).is_pending(0x31));
        assert!(!Response::pending(0x31).is_pending(0x36));
    }

    #[test]
    fn refusals_follow_the_flow_charts_of_the_standard() {
        let table: [(&[u8], UdsError, u8); 31] = [
            (&[0x85, 0x01], Service, 0x11),
            (&[0x50, 0x01], Service, 0x11),
            (&[0x10], Length, 0x13),
            (&[0x10, 0x03], SubFunction, 0x12),
            (&[0x10, 0x82], SubFunction, 0x12),
            (&[0x10, 0x03, 0x00], SubFunction, 0x12),
            (&[0x10, 0x02, 0x00], Length, 0x13),
            (&[0x11], Length, 0x13),
            (&[0x11, 0x03], SubFunction, 0x12),
            (&[0x11, 0x01, 0x00], Length, 0x13),
            (&[0x22, 0xF1], Length, 0x13),
            (&[0x22, 0xF1, 0x95, 0xF1, 0x91], Length, 0x13),
            (&[0x22, 0xF1, 0x90], Range, 0x31),
            (&[0x27], Length, 0x13),
            (&[0x27, 0x01, 0x00], Length, 0x13),
            (&[0x27, 0x02, 1, 2, 3], Length, 0x13),
            (&[0x27, 0x03], SubFunction, 0x12),
            (&[0x31, 0x02], Length, 0x13),
            (&[0x31, 0x01, 0x12, 0x34, 0x00], Range, 0x31),
            (&[0x31, 0x02, 0xFF, 0x00], SubFunction, 0x12),
            (&[0x31, 0x01, 0xFF, 0x00, 0x00], Length, 0x13),
            (&[0x34, 0x10, 0x44], Length, 0x13),
            (&[0x34, 0x10, 0x44, 0, 0, 0, 0, 0, 0, 0, 0], Range, 0x31),
            (&[0x34, 0x00, 0x22, 0, 0, 0, 0], Range, 0x31),
            (&[0x34, 0x00, 0x44, 0, 0, 0, 0, 0, 0, 0], Length, 0x13),
            (&[0x36], Length, 0x13),
            (&[0x36, 0x01], Length, 0x13),
            (&[0x37, 0x00], Length, 0x13),
            (&[0x3E], Length, 0x13),
            (&[0x3E, 0x80], SubFunction, 0x12),
            (&[0x3E, 0x00, 0x00], Length, 0x13),
        ];
        for (bytes, error, code) in table {
            assert_eq!(Request::decode(bytes), Err((bytes[0], error)), "{bytes:02X?}");
            assert_eq!(Response::refuse(bytes[0], error).encode(), [0x7F, bytes[0], code]);
        }
        assert_eq!(Request::decode(&[]), Err((0, UdsError::GeneralReject)));
    }

    #[test]
    fn a_block_has_1_to_1024_bytes() {
        let block = [0x5A; BLOCK_LEN + 1];
        let whole = Request::TransferData { counter: 1, data: &block[..BLOCK_LEN] }.encode().unwrap();
        assert_eq!(whole.len(), MESSAGE_LEN);
        assert_eq!(whole[..3], [0x36, 0x01, 0x5A]);
        assert_eq!(Request::TransferData { counter: 1, data: &block }.encode(), None);
        let mut long = std::vec![0x36, 0x01];
        long.extend_from_slice(&block);
        assert_eq!(Request::decode(&long), Err((0x36, Length)));
    }

    #[test]
    fn responses_that_are_none_are_refused() {
        let table: [&[u8]; 16] = [
            &[],
            &[0x62, 0xF1, 0xF1, 0, 0x00, 0x01],
            &[0x62, 0xF1, 0xF1, 5, 0x00, 0x01],
            &[0x10, 0x01],
            &[0x7F],
            &[0x7F, 0x31],
            &[0x7F, 0x31, 0x78, 0x00],
            &[0x50, 0x03, 0, 50, 1, 244],
            &[0x50, 0x02, 0, 50, 1],
            &[0x62, 0xF1, 0x90, 0],
            &[0x67, 0x03],
            &[0x71, 0x01, 0x12, 0x34, 0],
            &[0x74, 0x10, 0x40],
            &[0x76],
            &[0x77, 0],
            &[0xFF, 0],
        ];
        for bytes in table {
            assert_eq!(Response::decode(bytes), None, "{bytes:02X?}");
        }
    }

    #[test]
    fn a_key_is_no_copy_of_its_seed_and_differs_from_seed_to_seed() {
        // By hand: 0xC0017A9E ^ 0xC0017A9E = 0, and every later step keeps 0.
        assert_eq!(key_for(0xC001_7A9E), 0);
        // 1 rotated left by 7 is 0x80; 0x80 * 0x9E3779B1 = 0x1BBCD880 modulo 2^32; 0x80 >> 15 is 0.
        assert_eq!(key_for(0xC001_7A9F), 0x1BBC_D880);
        let keys: std::collections::BTreeSet<u32> = (1..=1_000).map(key_for).collect();
        assert_eq!(keys.len(), 1_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_encoded_is_decoded(
            a: u32, b: u32, counter: u8, data in proptest::collection::vec(any::<u8>(), 1..=BLOCK_LEN),
        ) {
            for request in [
                Request::SendKey(a),
                Request::RequestDownload { address: a, length: b },
                Request::TransferData { counter, data: &data },
            ] {
                let bytes = request.encode().unwrap();
                prop_assert_eq!(Request::decode(&bytes), Ok(request));
            }
        }

        #[test]
        fn what_a_response_says_survives(a: u16, b: u16, c: u32, d: u8, version: [u8; 6]) {
            for response in [
                Response::Session { session: Session::Default, p2_ms: a, p2_star_10ms: b },
                Response::Version(Version::from_bytes(version)),
                Response::Model(ModelId(a)),
                Response::State(d),
                Response::Seed(c),
                Response::Routine { routine: Routine::CheckProgrammingDependencies, result: d },
                Response::Download { block_message_len: b },
                Response::Transfer { counter: d },
                Response::Negative { service: d, code: d },
            ] {
                prop_assert_eq!(Response::decode(&response.encode()), Some(response));
            }
        }

        #[test]
        fn bytes_that_are_understood_are_the_only_bytes_for_it(
            bytes in proptest::collection::vec(any::<u8>(), 0..16), service in 0x10_u8..0x7F,
        ) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = service;
            }
            if let Ok(request) = Request::decode(&bytes) {
                prop_assert_eq!(&*request.encode().unwrap(), &*bytes);
            }
            if let Some(response) = Response::decode(&bytes) {
                prop_assert_eq!(&*response.encode(), &*bytes);
            }
        }
    }
}
