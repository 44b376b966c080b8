//! The consent dialog: asked once, answered or lapsed (PFU-019).
//!
//! | dialog      | yes              | no            | 10 min       | boot, search by hand |
//! |-------------|------------------|---------------|--------------|----------------------|
//! | shown       | campaign starts  | rest          | rest, logged | new search asks anew |
//! | not shown   | logged, nothing  | logged        | -            | -                    |
//!
//! Given consent is stored with the image's checksums in the same write that starts the campaign; no other place sets
//! a campaign's image. A refusal needs no memory: nothing but a boot or a search by hand asks.

use units::Instant;

use crate::log::{Draft, Event};
use crate::notice::Notice;
use crate::package::Image;
use crate::unit::{Ports, Unit};

/// The dialog that is shown.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Dialog {
    image: Image,
    until: Instant,
}

/// What a dialog has come to.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) enum Answer {
    Open,
    Given(Image),
    /// Refused or lapsed.
    None,
}

impl Dialog {
    pub(crate) fn show(image: Image, unit: &mut Unit, ports: &mut Ports<'_>) -> Self {
        unit.log(ports, Draft::new(Event::ConsentAsked));
        unit.notice(Notice::ConsentAsked(image.hash));
        Self { image, until: ports.now.after(unit.config.consent_timeout) }
    }

    pub(crate) const fn wake_at(&self) -> Instant {
        self.until
    }

    /// An answer or time; an answer after the time limit is late.
    pub(crate) fn advance(&self, answer: Option<bool>, unit: &mut Unit, ports: &mut Ports<'_>) -> Answer {
        if ports.now >= self.until {
            unit.log(ports, Draft::new(Event::ConsentLapsed));
            unit.notice(Notice::ConsentLapsed);
            if let Some(yes) = answer {
                late(yes, unit, ports);
            }
            return Answer::None;
        }
        let Some(yes) = answer else { return Answer::Open };
        unit.notice(Notice::ConsentAnswered(yes));
        if yes {
            return Answer::Given(self.image);
        }
        unit.log(ports, Draft::new(Event::ConsentRefused));
        Answer::None
    }
}

/// An answer that nobody asked for.
pub(crate) fn late(yes: bool, unit: &mut Unit, ports: &mut Ports<'_>) {
    unit.log(ports, Draft::new(Event::ConsentLate));
    unit.notice(Notice::ConsentLate(yes));
}
