//! What a pump is told when it is built: number, model, limits and time-outs.

use protocol::header::ModelId;
use protocol::ids::PumpNumber;
use protocol::isotp;
use units::{DeciCelsius, Duration, Millivolts, Permille};

/// The session falls back to default after this long without a request (S3 of ISO 14229-2).
///
/// Own number: longer than the 5 s of the standard, because a client that has lost the last answer after "response
/// pending" waits for P2* (5 s) and the delay of the link before it asks again, and must find its session open.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// A bootloader with a valid application starts it after this long without a request (own number).
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long security access is refused after [`KEY_FAILURES_MOST`] wrong keys (own number).
pub const LOCK_OUT: Duration = Duration::from_secs(10);
/// Wrong keys in a row that lead to the lock-out.
pub const KEY_FAILURES_MOST: u8 = 3;
/// A status that has not left the controller after this long is aborted and sent anew (own number).
pub const STATUS_TIMEOUT: Duration = Duration::from_secs(1);
/// From this temperature of the electronics on the status reports over-temperature (own number).
pub const OVER_TEMPERATURE_FROM: DeciCelsius = DeciCelsius::new(1_000);

/// One pump's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Its number on the bus.
    pub number: PumpNumber,
    /// Its model; images for another are refused.
    pub model: ModelId,
    /// ISO-TP profile.
    pub isotp: isotp::Config,
    /// Speed while no command is heard (PFU-012).
    pub fail_safe_speed: Permille,
    /// Below this supply nothing is erased and the status reports low supply.
    pub update_supply_min: Millivolts,
    /// P2 of the UDS server: the longest time to an answer.
    pub p2: Duration,
    /// P2* of the UDS server: the longest time to an answer after response pending.
    pub p2_star: Duration,
}

impl Config {
    /// The default profile: fail-safe at 80 %, updates from 20 V on, P2 50 ms, P2* 5 s.
    #[must_use]
    pub const fn new(number: PumpNumber, model: ModelId) -> Self {
        Self {
            number,
            model,
            isotp: isotp::Config::DEFAULT,
            fail_safe_speed: Permille::new(800),
            update_supply_min: Millivolts::new(20_000),
            p2: Duration::from_millis(50),
            p2_star: Duration::from_secs(5),
        }
    }
}
