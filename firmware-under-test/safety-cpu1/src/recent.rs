//! Which bits this CPU has wanted ON a short while ago.
//!
//! CPU2 makes what leaves the unit from its own logic, which may run a tick or two apart. CPU1 lets a bit pass only if its own
//! logic wanted it within the last 20 to 40 ticks.

/// Ticks that one of the two halves covers (own number).
const HALF_TICKS: u8 = 20;

/// Bits of `N` words that were wanted lately.
#[derive(Clone, Debug)]
pub(crate) struct Recent<const N: usize> {
    current: [u16; N],
    previous: [u16; N],
    ticks: u8,
}

impl<const N: usize> Recent<N> {
    pub(crate) const fn new() -> Self {
        Self { current: [0; N], previous: [0; N], ticks: 0 }
    }

    /// What is wanted in this tick.
    pub(crate) fn add(&mut self, wanted: &[u16; N]) {
        if self.ticks >= HALF_TICKS {
            (self.previous, self.current, self.ticks) = (self.current, [0; N], 0);
        }
        self.current.iter_mut().zip(wanted).for_each(|(all, word)| *all |= word);
        self.ticks = self.ticks.saturating_add(1);
    }

    /// Whether every bit of `words` was wanted lately.
    pub(crate) fn covers(&self, words: &[u16; N]) -> bool {
        let lately = self.current.iter().zip(&self.previous);
        words.iter().zip(lately).all(|(word, (current, previous))| word & !(current | previous) == 0)
    }
}

impl<const N: usize> Recent<N> {
    /// The bits of one word that were wanted lately.
    pub(crate) fn word(&self, at: usize) -> u16 {
        self.current.get(at).copied().unwrap_or(0) | self.previous.get(at).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_is_recent_for_20_to_40_ticks_after_it_was_wanted() {
        for phase in 0..HALF_TICKS {
            let mut recent = Recent::<1>::new();
            (0..phase).for_each(|_| recent.add(&[0]));
            recent.add(&[0b100]);
            let left = (1..100).find(|_| {
                recent.add(&[0]);
                !recent.covers(&[0b100])
            });
            assert!(left.is_some_and(|ticks| (20..=40).contains(&ticks)), "{left:?}");
            assert!(recent.covers(&[0]) && !recent.covers(&[1]) && recent.word(0) == 0);
        }
    }
}
