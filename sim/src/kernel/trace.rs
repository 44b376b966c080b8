//! What happened: typed records, fingerprinted as a whole and per domain.

use xxhash_rust::xxh3::Xxh3;

use super::time::SimTime;

/// Takes the numbers that make up a record.
pub struct Words {
    bytes: [u8; Self::MOST * 8],
    len: usize,
}

impl Words {
    /// The most numbers a record may have.
    pub const MOST: usize = 12;

    /// Adds a number.
    ///
    /// # Panics
    /// If a record has more than [`Self::MOST`] numbers: a defect of the record's definition.
    pub fn put(&mut self, word: u64) {
        self.bytes[self.len..self.len + 8].copy_from_slice(&word.to_le_bytes());
        self.len += 8;
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
    count: u64,
    pub(super) fresh: Vec<(SimTime, R)>,
}

impl<R: Record> Default for Trace<R> {
    fn default() -> Self {
        Self { all: Xxh3::new(), domains: vec![Xxh3::new(); R::DOMAINS.len()], count: 0, fresh: Vec::new() }
    }
}

impl<R: Record> Trace<R> {
    /// Writes down what happened at `time`.
    pub fn write(&mut self, time: SimTime, record: R) {
        let mut words = Words { bytes: [0; Words::MOST * 8], len: 0 };
        words.put(time.as_nanos());
        words.put(record.domain() as u64);
        record.words(&mut words);
        let bytes = &words.bytes[..words.len];
        self.all.update(bytes);
        self.domains[record.domain()].update(bytes);
        self.count += 1;
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

    /// The fingerprint per domain, in the order of [`Record::DOMAINS`].
    #[must_use]
    pub fn domain_fingerprints(&self) -> Vec<(&'static str, Fingerprint)> {
        let digests = self.domains.iter().map(|hash| Fingerprint(hash.digest128()));
        R::DOMAINS.iter().copied().zip(digests).collect()
    }
}
