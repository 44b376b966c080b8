//! The plan of 11-bit identifiers: who sends what, and who wins the bus.
//!
//! | from  | to    | what                                       | sender |
//! |-------|-------|--------------------------------------------|--------|
//! | 0x000 | 0x0FF | safety traffic (reserved for SimpleCAN)    | safety units |
//! | 0x101 | 0x110 | command to pump 1 to 16                    | CIOC   |
//! | 0x201 | 0x210 | status of pump 1 to 16                     | pump   |
//! | 0x701 | 0x710 | UDS request to pump 1 to 16                | CIOC   |
//! | 0x781 | 0x790 | UDS response of pump 1 to 16               | pump   |
//!
//! Lower wins: safety traffic is never delayed by an update by more than one frame, and an update yields to the
//! cyclic messages.

use embedded_can::StandardId;

/// The number of a pump on the bus, 1 to 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PumpNumber(u8);

impl PumpNumber {
    /// The highest number.
    pub const MOST: u8 = 16;

    /// The pump numbered `number`, if that is 1 to 16.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= Self::MOST { Some(Self(number)) } else { None }
    }

    /// The number, 1 to 16.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The index in a table of pumps, 0 to 15.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0.saturating_sub(1) as usize
    }

    /// All numbers from 1 to `count`, at most 16.
    pub fn first(count: u8) -> impl Iterator<Item = Self> {
        (1..=count.min(Self::MOST)).map(Self)
    }
}

/// Every id up to here belongs to safety traffic.
pub const SAFETY_LAST: u16 = 0x0FF;
const COMMAND: u16 = 0x100;
const STATUS: u16 = 0x200;
const UDS_REQUEST: u16 = 0x700;
const UDS_RESPONSE: u16 = 0x780;

/// `base` and the number fit in 11 bits for every base above; `ZERO` is never reached.
const fn id(base: u16, pump: PumpNumber) -> StandardId {
    match StandardId::new(base | pump.0 as u16) {
        Some(id) => id,
        None => StandardId::ZERO,
    }
}

/// The CIOC's command to a pump.
#[must_use]
pub const fn command(pump: PumpNumber) -> StandardId {
    id(COMMAND, pump)
}

/// A pump's status.
#[must_use]
pub const fn status(pump: PumpNumber) -> StandardId {
    id(STATUS, pump)
}

/// ISO-TP frames from the CIOC to a pump.
#[must_use]
pub const fn uds_request(pump: PumpNumber) -> StandardId {
    id(UDS_REQUEST, pump)
}

/// ISO-TP frames from a pump to the CIOC.
#[must_use]
pub const fn uds_response(pump: PumpNumber) -> StandardId {
    id(UDS_RESPONSE, pump)
}

/// Which pump this command's id is for.
#[must_use]
pub fn command_receiver(id: StandardId) -> Option<PumpNumber> {
    number_in(id, COMMAND)
}

/// Which pump's status carries this id.
#[must_use]
pub fn status_sender(id: StandardId) -> Option<PumpNumber> {
    number_in(id, STATUS)
}

/// Which pump's UDS response carries this id.
#[must_use]
pub fn uds_responder(id: StandardId) -> Option<PumpNumber> {
    number_in(id, UDS_RESPONSE)
}

fn number_in(id: StandardId, base: u16) -> Option<PumpNumber> {
    let number = id.as_raw().checked_sub(base)?;
    PumpNumber::new(u8::try_from(number).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    #[test]
    fn every_message_has_an_id_of_its_own_below_the_safety_block() {
        let ids: Vec<u16> = PumpNumber::first(16)
            .flat_map(|pump| [command(pump), status(pump), uds_request(pump), uds_response(pump)])
            .map(|id| id.as_raw())
            .collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 64);
        assert!(ids.iter().all(|id| *id > SAFETY_LAST));
    }

    #[test]
    fn senders_are_found_from_ids() {
        for pump in PumpNumber::first(16) {
            assert_eq!(status_sender(status(pump)), Some(pump));
            assert_eq!(uds_responder(uds_response(pump)), Some(pump));
            assert_eq!(status_sender(command(pump)), None);
            assert_eq!(command_receiver(command(pump)), Some(pump));
            assert_eq!(command_receiver(status(pump)), None);
        }
        assert_eq!(uds_responder(id(UDS_RESPONSE, PumpNumber(0))), None);
    }

    #[test]
    fn numbers_are_1_to_16() {
        assert_eq!(PumpNumber::new(0), None);
        assert_eq!(PumpNumber::new(17), None);
        assert_eq!(PumpNumber::first(99).count(), 16);
    }
}
