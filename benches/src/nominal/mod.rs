//! The nominal run's job: update every pump, once with the twin and once with next to nothing.
//!
//! The *floor* runs the same firmware on plain structs: one loop, no kernel, no world, no faults, no checks, no
//! measures. What the twin costs above it is what the simulation costs. The *lengths* are the least of it: how long is
//! each frame on the wire.
//!
//! What the floor computes, and what it does not:
//!
//! | Work | Floor |
//! |---|---|
//! | steps of the firmware of CIOC and pumps | the same code, called at each interrupt and wake-up that the boards would have |
//! | safety units of the scenario, if any | both CPUs once a millisecond, frames on the same line, feed of the pumps ([`crate::safety`]) |
//! | length of a frame on the wire | the same function for each frame: stuff bits counted with its checksum |
//! | flash operations | the same, with their durations; the count is held to be equal |
//! | fingerprint | the same hash over frames and flash operations, and over each of both domains |
//!
//! Its fingerprint cannot equal the twin's: the twin hashes the records of supply, coolant, motors, states and error
//! counters between them, which the floor has not; and its pumps read a supply of 24 V and a coolant of 35 degC that
//! never change, so that the bytes of status frames, and with them stuff bits and instants, are others than the twin's.
//! An equal one would need the plant and the supply, whose cost it is there to leave out. What can be compared is compared
//! by [`Outcome::same_job`].

mod floor;
mod twin;

use std::fs;
use std::path::Path;

use cooltwin::bus::wire;
use cooltwin::scenario::{FileSource, Loaded, Scenario, load};
use protocol::Frame;

pub use floor::Floor;
pub use twin::{frames, run};

/// What a run came to, as far as twin and floor have it in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Frames on the bus.
    pub frames: u64,
    /// Flash operations begun.
    pub flash_operations: u64,
    /// Pumps whose flash holds the package's image at the end.
    pub updated: u8,
    /// Simulated time in ns.
    pub simulated: u64,
    /// The fingerprint; twin and floor record other things, so that theirs differ.
    pub fingerprint: u128,
}

impl Outcome {
    /// Whether both runs did the same job: the same pumps updated with the same flash operations, frames and simulated
    /// time within 1 %. The floor has no coolant and no supply, so that single frames differ.
    #[must_use]
    pub fn same_job(&self, other: &Self) -> bool {
        let near = |a: u64, b: u64| a.abs_diff(b) * 100 <= a;
        (self.updated, self.flash_operations) == (other.updated, other.flash_operations)
            && near(self.frames, other.frames)
            && near(self.simulated, other.simulated)
    }
}

struct Disk;

impl FileSource for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| error.to_string())
    }
}

/// The nominal scenario with 14 pumps and an image of `length`, for instance `385KiB`.
///
/// # Panics
/// If the shipped scenario does not load.
#[must_use]
pub fn scenario(length: &str) -> Scenario {
    shipped("nominal-14", length)
}

/// The same with two safety units.
///
/// # Panics
/// If the shipped scenario does not load.
#[must_use]
pub fn with_units(length: &str) -> Scenario {
    shipped("safety-nominal-14", length)
}

fn shipped(name: &str, length: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../scenarios/{name}.ron"));
    let length = format!("package.image.length={length}");
    let Loaded { scenario, .. } = load(&Disk, &path, &[length]).expect("a shipped scenario is valid");
    scenario
}

/// The length of every frame on the wire, summed up in bits.
#[must_use]
pub fn lengths(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| u64::from(wire::frame_bits(frame))).sum()
}
