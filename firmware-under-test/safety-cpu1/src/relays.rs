//! Relays: this CPU's contact of each, and the read-back of all four.
//!
//! SSR-041.

use safety_common::RELAYS;
use safety_common::fault::Fault;

use crate::Trip;

/// How much longer the peer's contact may take: what it commands is known only from its packets (own number).
const PEER_ALLOWANCE_TICKS: u16 = 20;
/// Contacts: bit `2 * relay` of the feedback is this CPU's, the next the peer's.
const CONTACTS: usize = 2 * RELAYS;

/// Ticks in a row in which each contact was not as commanded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relays {
    ticks: [u16; CONTACTS],
}

impl Relays {
    /// Judges the mirror contacts against the command; both CPUs command the same relays.
    ///
    /// # Errors
    /// [`Fault::Relay`] with the bit of the feedback.
    pub(crate) fn judge(&mut self, command: u8, feedback: u8, move_ticks: u16) -> Result<(), Trip> {
        for (ticks, bit) in self.ticks.iter_mut().zip(0u32..) {
            let is_commanded = command >> (bit / 2) & 1 == 1;
            let is_closed = feedback >> bit & 1 == 1;
            *ticks = if is_commanded == is_closed { 0 } else { ticks.saturating_add(1) };
            let allowance = if bit.is_multiple_of(2) { 0 } else { PEER_ALLOWANCE_TICKS };
            if *ticks > move_ticks.saturating_add(allowance) {
                return Err(Trip::new(Fault::Relay, bit));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks_to_trip(command: u8, feedback: u8) -> Option<(usize, u32)> {
        let mut relays = Relays::default();
        (1..200).find_map(|tick| relays.judge(command, feedback, 30).err().map(|trip| (tick, trip.detail)))
    }

    /// SSR-041: welded and open contacts of either CPU, each relay.
    #[test]
    fn a_contact_that_does_not_follow_is_found_after_its_move_time() {
        for relay in 0..2u32 {
            assert_eq!(ticks_to_trip(0, 1 << (2 * relay)), Some((31, 2 * relay)), "own contact welded");
            assert_eq!(ticks_to_trip(0, 2 << (2 * relay)), Some((51, 2 * relay + 1)), "peer's contact welded");
            let command = 1 << relay;
            assert_eq!(ticks_to_trip(command, 2 << (2 * relay)), Some((31, 2 * relay)), "own contact open");
            assert_eq!(ticks_to_trip(command, 1 << (2 * relay)), Some((51, 2 * relay + 1)), "peer's contact open");
            assert_eq!(ticks_to_trip(command, 3 << (2 * relay)), None);
        }
        assert_eq!(ticks_to_trip(0, 0), None);
    }

    #[test]
    fn a_contact_that_moves_in_time_is_no_fault() {
        let mut relays = Relays::default();
        for tick in 0..1_000u32 {
            let command = u8::from(tick % 100 < 50);
            let feedback = if tick % 100 >= 30 && tick % 100 < 80 { 0b11 } else { 0 };
            assert_eq!(relays.judge(command, feedback, 30), Ok(()));
        }
    }
}
