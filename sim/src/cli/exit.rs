//! Exit codes of the `cooltwin` command; scripts may rely on them.

/// All budgets, checks and expectations held.
pub const PASS: u8 = 0;
/// A scenario failed, or a run went wrong.
pub const FAIL: u8 = 1;
/// Wrong usage, or a file that cannot be read or written.
pub const USAGE: u8 = 2;
/// A scenario or configuration is invalid; nothing was written.
pub const INVALID: u8 = 3;
/// There was nothing to run, to check or to shrink.
pub const NOTHING: u8 = 4;
/// Something was never measured, so there is no verdict.
pub const INCONCLUSIVE: u8 = 5;
/// The fingerprint differs from the expected one.
pub const FINGERPRINT: u8 = 6;
/// Worse than the baseline, when that was asked.
pub const WORSE: u8 = 7;
/// Passed only with retries, when that was asked.
pub const RETRIES: u8 = 8;
/// A defect of cooltwin itself.
pub const OWN_FAULT: u8 = 70;
