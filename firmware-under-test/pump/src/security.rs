//! Security access (UDS 0x27): seeds, keys, and the lock-out after wrong keys.
//!
//! Keeps mistakes out, not attackers (PFU-034). Failures, the rest of a lock-out and the place in the sequence of seeds
//! are kept over a reset, so that resetting the pump does not shorten a lock-out; a loss of power forgets them.

use protocol::ids::PumpNumber;
use protocol::uds::{Refusal, key_for};
use units::{Duration, Instant};

use crate::Retained;
use crate::config::{KEY_FAILURES_MOST, LOCK_OUT};

/// State of security access.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Security {
    number: PumpNumber,
    failures: u8,
    locked_until: Option<Instant>,
    seed_state: u32,
    seed: Option<u32>,
    unlocked: bool,
}

impl Security {
    /// Locked, with what the last reset left.
    pub(crate) fn new(number: PumpNumber, retained: &Retained) -> Self {
        let rest = retained.lock_out_rest;
        // A lock-out that ended as the pump was reset leaves three new tries, like one that ends later.
        let over = rest == Duration::ZERO && retained.key_failures >= KEY_FAILURES_MOST;
        Self {
            number,
            failures: if over { 0 } else { retained.key_failures },
            locked_until: (rest > Duration::ZERO).then(|| Instant::ZERO.after(rest)),
            seed_state: retained.seed_state,
            seed: None,
            unlocked: false,
        }
    }

    /// What a reset keeps.
    pub(crate) fn retained(&self, now: Instant, boot_request: bool) -> Retained {
        Retained {
            boot_request,
            key_failures: self.failures,
            lock_out_rest: self.locked_until.map_or(Duration::ZERO, |until| until.since(now)),
            seed_state: self.seed_state,
        }
    }

    /// Whether a right key was given in this session.
    pub(crate) const fn is_unlocked(&self) -> bool {
        self.unlocked
    }

    /// A new session begins.
    pub(crate) fn lock(&mut self) {
        self.unlocked = false;
        self.seed = None;
    }

    /// A seed, 0 if already unlocked.
    pub(crate) fn request_seed(&mut self, now: Instant) -> Result<u32, Refusal> {
        if self.unlocked {
            return Ok(0);
        }
        self.refuse_while_locked_out(now)?;
        let seed = self.next_seed();
        self.seed = Some(seed);
        Ok(seed)
    }

    /// Tries a key against the last seed; each seed is good for one try.
    pub(crate) fn send_key(&mut self, now: Instant, key: u32) -> Result<(), Refusal> {
        self.refuse_while_locked_out(now)?;
        let seed = self.seed.take().ok_or(Refusal::RequestSequenceError)?;
        if key == key_for(seed) {
            self.failures = 0;
            self.unlocked = true;
            return Ok(());
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < KEY_FAILURES_MOST {
            return Err(Refusal::InvalidKey);
        }
        self.locked_until = Some(now.after(LOCK_OUT));
        Err(Refusal::ExceedNumberOfAttempts)
    }

    /// Ends a lock-out whose time has come: three new tries.
    fn refuse_while_locked_out(&mut self, now: Instant) -> Result<(), Refusal> {
        match self.locked_until {
            Some(until) if now < until => Err(Refusal::RequiredTimeDelayNotExpired),
            Some(_) => {
                self.locked_until = None;
                self.failures = 0;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A Weyl sequence through a one-to-one mixer: no seed comes twice within 2^32, and 0 is left out because it means
    /// "unlocked".
    fn next_seed(&mut self) -> u32 {
        let seed = self.draw();
        if seed == 0 { self.draw() } else { seed }
    }

    fn draw(&mut self) -> u32 {
        self.seed_state = self.seed_state.wrapping_add(0x9E37_79B9);
        let mut x = self.seed_state ^ u32::from(self.number.get()) << 24;
        x = (x ^ x >> 16).wrapping_mul(0x85EB_CA6B);
        x = (x ^ x >> 13).wrapping_mul(0xC2B2_AE35);
        x ^ x >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_at_the_end_of_a_lock_out_leaves_three_tries() {
        let retained = Retained { boot_request: true, key_failures: 3, lock_out_rest: Duration::ZERO, seed_state: 1 };
        let mut security = Security::new(PumpNumber::new(1).unwrap(), &retained);
        for expected in [Refusal::InvalidKey, Refusal::InvalidKey, Refusal::ExceedNumberOfAttempts] {
            let seed = security.request_seed(Instant::ZERO).unwrap();
            assert_eq!(security.send_key(Instant::ZERO, key_for(seed) ^ 1), Err(expected));
        }
    }
}
