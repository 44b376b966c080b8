//! The kernel's job: tickers that each change their state and come back later.
//!
//! A *ticker* mixes the present instant into its state at every tick and draws the delay to its next tick from it, so
//! that a result is right only if every event came at its time. [`TICKERS`] of them make [`EVENTS`] events in all,
//! with as many waiting at once as there are tickers, as in a twin with some dozens of nodes.

use cooltwin::kernel::Fingerprint;

mod heap;
mod kernel;
#[cfg(feature = "peer")]
mod nexosim;

pub use heap::Heap;
pub use kernel::Kernel;
#[cfg(feature = "peer")]
pub use nexosim::Nexosim;

/// How many tickers there are.
pub const TICKERS: usize = 64;
/// How many times each ticks.
pub const TICKS_EACH: u32 = 15_625;
/// How many events the job has.
pub const EVENTS: u64 = TICKERS as u64 * TICKS_EACH as u64;

/// The job made ready to run, so that building it is not part of what is measured.
pub trait Job {
    /// Ready to run.
    fn build() -> Self;

    /// Does all of the work.
    fn run(&mut self) -> Outcome;
}

/// What a job came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Each ticker's state at the end, by number.
    pub tickers: Vec<Ticker>,
    /// The fingerprint of a record at each event, where the job has records.
    pub fingerprint: Option<Fingerprint>,
}

impl Outcome {
    /// Of a job without records.
    fn without_records(tickers: Vec<Ticker>) -> Self {
        Self { tickers, fingerprint: None }
    }
}

/// What a ticker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "peer", derive(serde::Serialize, serde::Deserialize))]
pub struct Ticker {
    /// Everything that happened to it so far, mixed.
    pub state: u64,
    /// How many ticks are left.
    pub left: u32,
}

impl Ticker {
    /// The ticker numbered `number` at the start.
    #[must_use]
    pub fn new(number: usize) -> Self {
        Self { state: number as u64, left: TICKS_EACH }
    }

    /// When its first tick is, in nanoseconds; no two tickers begin together.
    #[must_use]
    pub fn first_ns(number: usize) -> u64 {
        1 + number as u64 * 16
    }

    /// Ticks at `now_ns` and gives the delay to the next tick in nanoseconds, 1 to 1024, if there is one.
    pub fn tick(&mut self, now_ns: u64) -> Option<u64> {
        // Knuth's MMIX generator; its high bits are the good ones.
        self.state =
            (self.state ^ now_ns).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.left -= 1;
        (self.left > 0).then_some(1 + (self.state >> 54))
    }
}

/// The outcome without any queue, since the tickers do not meet.
#[must_use]
pub fn expected() -> Outcome {
    let alone = |number| {
        let (mut ticker, mut now) = (Ticker::new(number), Ticker::first_ns(number));
        while let Some(delay) = ticker.tick(now) {
            now += delay;
        }
        ticker
    };
    Outcome::without_records((0..TICKERS).map(alone).collect())
}

/// The outcome with a record at each event: the states as without a queue, the fingerprint from the bare heap.
///
/// # Panics
/// If the bare heap's states are not the expected ones.
#[must_use]
pub fn expected_with_records() -> Outcome {
    let outcome = Heap::<true>::build().run();
    assert_eq!(outcome.tickers, expected().tickers);
    outcome
}
