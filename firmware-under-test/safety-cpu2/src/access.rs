//! Who may restart this unit into the configuration mode (SSR-050, SSR-052).
//!
//! The password is known only by its verifier; all four words are compared whatever the first ones say.
//!
//! Diverse: the difference of all words is gathered, not compared word by word.

use safety_common::io::{BootInputs, ResetCause, Retained};
use safety_common::tool::{Command, PASSWORD_KEY, PASSWORD_MOST};

use crate::chaskey;
use crate::tool::Request;

/// Serial number and password verifier that hold now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) serial: u32,
    pub(crate) password: [u32; 4],
}

impl Access {
    /// What to keep over the reset if `request` is a right `Enter` for this unit; anything else has no effect.
    pub(crate) fn enters(&self, request: &Request<'_>) -> Option<Retained> {
        let meant = request.command == Command::Enter && request.serial == self.serial;
        let length = (1..=PASSWORD_MOST).contains(&request.payload.len());
        let tag = chaskey::tag(PASSWORD_KEY, request.payload);
        let differs = tag.iter().zip(&self.password).fold(0, |differs, (a, b)| differs | (a ^ b));
        let keep = Retained { request: Retained::CONFIGURE, request_complement: !Retained::CONFIGURE };
        (meant && length && differs == 0).then_some(keep)
    }
}

/// Whether this start is one that a right `Enter` brought about: a software reset that kept the request.
pub(crate) fn configuration_asked(boot: &BootInputs) -> bool {
    boot.cause == ResetCause::Software
        && boot.retained.request == Retained::CONFIGURE
        && boot.retained.request_complement == !Retained::CONFIGURE
}
