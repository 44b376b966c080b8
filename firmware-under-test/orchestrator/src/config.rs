//! What an installation and a product line settle: numbers of pumps, time limits, thresholds.
//!
//! Every number that the requirements leave open is an own number and says so here; none is hidden in the code.

use protocol::{isotp, uds};
use units::{DeciCelsius, Duration, Millivolts, Permille};

/// The CAN address at which a pump expects its application (UDS 0x34).
pub const APPLICATION_START: u32 = 0x0802_0000;

/// Tries of one pump that may fail before it is dead (PFU-022).
pub const TRIES_MOST: u8 = 3;

/// The longest erase that the data sheet of a pump's controller allows: four sectors of 128 KB, 4 s each with 8-bit
/// access (STM32F4 class; with 32-bit access it is 2 s). Its core stalls for each sector and says nothing meanwhile.
pub const ERASE_MOST: Duration = Duration::from_secs(16);
/// The longest time that a pump left alone stays in its programming session: its S3 of 10 s and a second more.
pub const SESSION_MOST: Duration = Duration::from_secs(11);
/// The longest time that a pump left alone is in its update: an erase that has just begun, then its session. A pump whose
/// CPU stands still for longer than that cannot be waited for: it may never be heard again.
pub const SETTLE: Duration = ERASE_MOST.plus(SESSION_MOST);
/// The longest time that one request may be kept pending (own number): far longer than any erase of the data sheet.
pub const REQUEST_MOST: Duration = Duration::from_secs(60);
/// The longest time that a pump left alone is waited for though it goes on to say that it is in an update: whatever it
/// does has begun before it was left and takes no longer than [`REQUEST_MOST`], then its session ends. What says so for
/// longer is a defect of the pump, for which neither the others' update nor their regulation waits.
pub const SETTLE_MOST: Duration = REQUEST_MOST.plus(SESSION_MOST);
/// The longest time that a pump is waited for, and asked, after a try that it has not explained (own number: a pump boots
/// in less).
pub const WORD_MOST: Duration = Duration::from_secs(5);
/// The longest time without a status of any pump before it is told of (own number; a status comes every 100 ms, and a
/// pump boots in less).
pub const SILENCE_MOST: Duration = Duration::from_secs(5);

/// Coolant regulation: a PI controller in integers, see [`crate::regulation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Regulation {
    /// Wanted coolant temperature.
    pub target: DeciCelsius,
    /// Proportional gain in millipermille of speed per tenth of a degree.
    pub proportional: i32,
    /// Integral gain in millipermille of speed per tenth of a degree and period of 100 ms.
    pub integral: i32,
    /// Lowest set-point: the flow that the cooled cabinet always needs.
    pub low: Permille,
    /// Highest set-point.
    pub high: Permille,
}

/// Everything the firmware of the CIOC is told at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Configured pumps, numbered from 1; clamped to 1..=16.
    pub pumps: u8,
    /// ISO-TP towards the pumps.
    pub isotp: isotp::Config,
    /// Data bytes of one transfer block, clamped to 4..=1024 and rounded down to words; a pump may ask for less.
    pub block_len: u16,
    /// No try is started while the CIOC's supply or the pumps' feed is below this.
    pub update_supply_min: Millivolts,
    /// The supply must have been good for this long before a try.
    pub supply_steady: Duration,
    /// Fixed set-point of all other pumps while one is updated (PFU-047).
    pub update_speed: Permille,
    /// A consent dialog lapses after this (PFU-019).
    pub consent_timeout: Duration,
    /// Longest time a pump takes to answer (ISO 14229-2 P2 server).
    pub p2: Duration,
    /// Longest time to an answer after response pending (P2* server).
    pub p2_star: Duration,
    /// What the bus may add to P2 and P2* (ISO 14229-2 delta P2).
    pub link_delay: Duration,
    /// Longest time that one request may be kept pending.
    pub request_limit: Duration,
    /// How long a search waits for the first status of every pump.
    pub boot_timeout: Duration,
    /// How long a search repeats a read of a pump that it has heard: one that erases is deaf for up to 8 s.
    pub read_timeout: Duration,
    /// How long a pump may take to stop its motor.
    pub standby_timeout: Duration,
    /// How long a pump may take from the request to the first status of its bootloader.
    pub bootloader_timeout: Duration,
    /// How long a pump may take from the reset to a good status (PFU-024).
    pub status_timeout: Duration,
    /// Pause between two tries of a pump.
    pub retry_pause: Duration,
    /// Coolant regulation.
    pub regulation: Regulation,
}

impl Config {
    /// 14 pumps, the default profile of the bus, own numbers elsewhere.
    pub const DEFAULT: Self = Self {
        pumps: 14,
        isotp: isotp::Config::DEFAULT,
        block_len: uds::BLOCK_LEN as u16,
        update_supply_min: Millivolts::new(20_000),
        supply_steady: Duration::from_secs(1),
        update_speed: Permille::new(800),
        consent_timeout: Duration::from_secs(600),
        p2: Duration::from_millis(50),
        p2_star: Duration::from_secs(5),
        link_delay: Duration::from_millis(100),
        request_limit: REQUEST_MOST,
        boot_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(10),
        standby_timeout: Duration::from_secs(10),
        bootloader_timeout: Duration::from_secs(3),
        status_timeout: Duration::from_secs(10),
        retry_pause: Duration::from_secs(2),
        regulation: Regulation {
            target: DeciCelsius::new(400),
            proportional: 4_000,
            integral: 20,
            low: Permille::new(300),
            high: Permille::FULL,
        },
    };
}
