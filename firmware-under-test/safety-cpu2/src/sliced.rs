//! Many run-length counters at once, sliced by bits.
//!
//! A counter for each of 32 lanes (pins, groups, contacts), stored the other way round: plane `p` holds bit `p` of every
//! lane's count. One tick adds one to all lanes that are bad and clears all others with a dozen word operations; there is
//! no loop over pins to leave one out.
//!
//! Diverse: arithmetic across lanes; there is no counter variable of a single pin.

/// Runs of bad ticks, one for each of 32 lanes, up to `2^PLANES - 1`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlicedRuns<const PLANES: usize> {
    planes: [u32; PLANES],
}

impl<const PLANES: usize> Default for SlicedRuns<PLANES> {
    fn default() -> Self {
        Self { planes: [0; PLANES] }
    }
}

impl<const PLANES: usize> SlicedRuns<PLANES> {
    /// One tick: `bad` lanes go on, the others begin anew. Gives the lanes whose run is at least `limit` long.
    pub(crate) fn sample(&mut self, bad: u32, limit: u32) -> u32 {
        let full = self.planes.iter().fold(u32::MAX, |full, plane| full & plane);
        let mut carry = bad & !full;
        for plane in &mut self.planes {
            let sum = *plane ^ carry;
            carry &= *plane;
            *plane = sum & bad;
        }
        self.at_least(limit) & bad
    }

    /// Compares all lanes with `limit`, from the highest plane down.
    fn at_least(&self, limit: u32) -> u32 {
        let (mut greater, mut equal) = (0, u32::MAX);
        for (place, plane) in self.planes.iter().enumerate().rev() {
            if limit >> place & 1 == 1 {
                equal &= plane;
            } else {
                greater |= equal & plane;
                equal &= !plane;
            }
        }
        greater | equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against one plain counter a lane.
        #[test]
        fn lanes_count_as_single_counters(ticks in proptest::collection::vec(any::<u32>(), 0..80), limit in 1u32..31) {
            let mut sliced = SlicedRuns::<5>::default();
            let mut plain = [0u32; 32];
            for bad in ticks {
                // Long runs are rare in random words: let most lanes go on.
                let bad = bad | bad.rotate_left(7) | bad.rotate_left(13) | 1;
                let found = sliced.sample(bad, limit);
                for (lane, run) in plain.iter_mut().enumerate() {
                    *run = if bad >> lane & 1 == 1 { (*run + 1).min(31) } else { 0 };
                    prop_assert_eq!(found >> lane & 1 == 1, *run >= limit, "lane {}", lane);
                }
            }
        }
    }
}
