//! What happened: typed records, fingerprinted as a whole and per domain.
//!
//! Two runs are the same when their fingerprints are; a domain's own fingerprint shows where they differ.

use xxhash_rust::xxh3::Xxh3;

use super::time::SimTime;

/// Takes the numbers that make up a record.
pub struct Words {
    bytes: [u8; (Self::HEAD + Self::MOST) * 8],
    len: usize,
}

impl Words {
    /// The most numbers a record may have.
    pub const MOST: usize = 12;
    /// The numbers before the record's own: its time, and its domain with its length.
    const HEAD: usize = 2;

    /// Adds a number.
    ///
    /// # Panics
    /// If a record has more than [`Self::MOST`] numbers: a defect of the record's definition.
    pub fn put(&mut self, word: u64) {
        self.bytes[self.len..self.len + 8].copy_from_slice(&word.to_le_bytes());
        self.len += 8;
    }

    /// The bytes to hash. The length is among them, so that no two sequences of records give the same bytes.
    fn of<R: Record>(time: SimTime, domain: usize, record: &R) -> Self {
        let mut words = Self { bytes: [0; (Self::HEAD + Self::MOST) * 8], len: Self::HEAD * 8 };
        record.words(&mut words);
        let head = (words.len as u64) << 32 | domain as u64;
        words.bytes[..8].copy_from_slice(&time.as_nanos().to_le_bytes());
        words.bytes[8..16].copy_from_slice(&head.to_le_bytes());
        words
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Something that happened.
pub trait Record: Clone + Send + Sync + 'static {
    /// The domains' names; each has a fingerprint of its own.
    const DOMAINS: &'static [&'static str];

    /// Index of the domain in [`Self::DOMAINS`].
    fn domain(&self) -> usize;

    /// Gives every field as numbers, the kind of record first.
    fn words(&self, to: &mut Words);

    /// Whether it says that an injection met its target, and nothing of what that did.
    fn is_of_injection(&self) -> bool {
        false
    }
}

/// A 128-bit non-cryptographic hash (XXH3) of a sequence of records with their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The fingerprints so far and the records that observers have not seen yet.
#[derive(Clone)]
pub struct Trace<R> {
    all: Xxh3,
    domains: Vec<Xxh3>,
    /// By domain, from its first record of an injection on: the hash without such records.
    uninjected: Vec<Option<Xxh3>>,
    count: u64,
    pub(super) fresh: Vec<(SimTime, R)>,
}

impl<R: Record> Default for Trace<R> {
    fn default() -> Self {
        let domains = vec![Xxh3::new(); R::DOMAINS.len()];
        Self { all: Xxh3::new(), uninjected: vec![None; domains.len()], domains, count: 0, fresh: Vec::new() }
    }
}

impl<R: Record> Trace<R> {
    /// Writes down what happened at `time`.
    pub fn write(&mut self, time: SimTime, record: R) {
        let domain = record.domain();
        let words = Words::of(time, domain, &record);
        self.all.update(words.as_bytes());
        let uninjected = &mut self.uninjected[domain];
        if record.is_of_injection() {
            uninjected.get_or_insert_with(|| self.domains[domain].clone());
        } else if let Some(hash) = uninjected {
            hash.update(words.as_bytes());
        }
        self.domains[domain].update(words.as_bytes());
        self.count += 1;
        self.fresh.push((time, record));
    }

    /// Shows observers a record that follows from the others and is therefore in no fingerprint and not counted.
    pub fn note(&mut self, time: SimTime, record: R) {
        self.fresh.push((time, record));
    }

    /// How many records there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The fingerprint of everything so far.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.all.digest128())
    }

    /// The same as [`Self::domain_fingerprints`] without the records of injections: what a fault that changes nothing leaves as it is.
    #[must_use]
    pub fn uninjected_fingerprints(&self) -> Vec<(&'static str, Fingerprint)> {
        let hashes = self.uninjected.iter().zip(&self.domains).map(|(own, all)| own.as_ref().unwrap_or(all));
        R::DOMAINS.iter().copied().zip(hashes.map(|hash| Fingerprint(hash.digest128()))).collect()
    }

    /// The fingerprint per domain, in the order of [`Record::DOMAINS`].
    #[must_use]
    pub fn domain_fingerprints(&self) -> Vec<(&'static str, Fingerprint)> {
        let digests = self.domains.iter().map(|hash| Fingerprint(hash.digest128()));
        R::DOMAINS.iter().copied().zip(digests).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_128;

    /// A record of a domain with any numbers.
    #[derive(Clone)]
    struct Numbers(usize, Vec<u64>);

    impl Record for Numbers {
        const DOMAINS: &'static [&'static str] = &["left", "right"];
        fn domain(&self) -> usize {
            self.0
        }
        fn words(&self, to: &mut Words) {
            self.1.iter().for_each(|word| to.put(*word));
        }
    }

    fn trace(records: &[(u64, usize, &[u64])]) -> Trace<Numbers> {
        let mut trace = Trace::default();
        for (ns, domain, words) in records {
            trace.write(SimTime::from_nanos(*ns), Numbers(*domain, words.to_vec()));
        }
        trace
    }

    /// Lays the words out by hand and hashes them in one go.
    fn by_hand(words: &[u64]) -> Fingerprint {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Fingerprint(xxh3_128(&bytes))
    }

    #[test]
    fn the_fingerprint_is_xxh3_over_time_length_domain_and_words() {
        let trace = trace(&[(7, 0, &[1, 2]), (9, 1, &[3])]);
        let (left, right) = ([7, 32 << 32, 1, 2], [9, 24 << 32 | 1, 3]);
        assert_eq!(trace.count(), 2);
        assert_eq!(trace.fingerprint(), by_hand(&[&left[..], &right[..]].concat()));
        assert_eq!(trace.domain_fingerprints(), [("left", by_hand(&left)), ("right", by_hand(&right))]);
    }

    #[test]
    fn long_traces_hash_as_in_one_go() {
        let words: Vec<[u64; 4]> = (0..1000).map(|n| [n, 32 << 32, n * n, 5]).collect();
        let records: Vec<(u64, usize, &[u64])> = words.iter().map(|word| (word[0], 0, &word[2..])).collect();
        assert_eq!(trace(&records).fingerprint(), by_hand(&words.concat()));
    }

    #[test]
    fn a_record_cannot_pass_for_two() {
        let two = trace(&[(7, 0, &[1]), (9, 0, &[3])]);
        for disguise in [0, 24, 24 << 32] {
            let one = trace(&[(7, 0, &[1, 9, disguise, 3])]);
            assert_ne!(one.fingerprint(), two.fingerprint());
        }
    }

    #[test]
    fn a_record_has_at_most_the_promised_number_of_words() {
        assert_eq!(trace(&[(1, 0, &[0; Words::MOST])]).count(), 1);
        assert!(std::panic::catch_unwind(|| trace(&[(1, 0, &[0; Words::MOST + 1])])).is_err());
    }
}
