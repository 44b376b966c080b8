//! UDS (ISO 14229-1): the requests and responses that a pump's update needs, as values and as bytes.
//!
//! Numbers are big endian, as the standard has them. Service ids and response codes come from `automotive_diag`.

use automotive_diag::uds::{UdsCommand, UdsError};
use heapless::Vec;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
                [_] => Err(UdsError::SubFunctionNotSupported),
                _ => Err(malformed),
            },
            UdsCommand::ECUReset => match rest {
                [1] => Ok(Self::Reset),
                [_] => Err(UdsError::SubFunctionNotSupported),
                _ => Err(malformed),
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
            UdsCommand::RoutineControl => match rest {
                &[1, high, low] => Routine::from_number(u16::from_be_bytes([high, low]))
                    .map(Self::Start)
                    .ok_or(UdsError::RequestOutOfRange),
                [1, ..] | [] => Err(malformed),
                _ => Err(UdsError::SubFunctionNotSupported),
            },
            UdsCommand::RequestDownload => match rest {
                &[0x00, 0x44, a, b, c, d, e, f, g, h] => Ok(Self::RequestDownload {
                    address: u32::from_be_bytes([a, b, c, d]),
                    length: u32::from_be_bytes([e, f, g, h]),
                }),
                [0x00, 0x44, ..] | [] | [_] => Err(malformed),
                _ => Err(UdsError::RequestOutOfRange),
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
                [_] => Err(UdsError::SubFunctionNotSupported),
                _ => Err(malformed),
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
