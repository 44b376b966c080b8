//! Settling: no pump that was left without a good end may be in its update any more.
//!
//! A pump is *left* when its try fails, when it was asked for nothing it answered, or when the CIOC restarts. It may go on
//! for a while: an erase runs to its end unheard, and its session lasts for S3 after that. Until this is over no other
//! pump is taken in hand (PFU-046) and nobody leaves the fixed speed (PFU-047), whether the campaign goes on, ends, or is
//! *given up* because its image is gone.
//!
//! What the pump says counts first: a status that tells of no update ends the wait at once. One that tells of an update
//! is believed for [`SETTLE`], the longest time for which the data sheet and the session keep a pump busy that nobody
//! asks for anything. One that says so for ever is waited for no longer than [`SETTLE_MOST`].

use protocol::cyclic::PumpState;
use protocol::ids::PumpNumber;
use units::Instant;

use crate::campaign;
use crate::config::{SETTLE, SETTLE_MOST};
use crate::log::Cause;
use crate::nvm::Mark;
use crate::unit::{Ports, Unit};

/// How often a condition is looked at while something waits for it.
const LOOK: units::Duration = units::Duration::from_millis(100);

/// Since when pumps that were left settle.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Settling {
    left_at: Instant,
}

impl Settling {
    /// A pump is left now; also at a boot: a try may have been cut off by the loss of power, or a pump have heard the
    /// search in its session.
    pub(crate) const fn since(now: Instant) -> Self {
        Self { left_at: now }
    }

    /// Whether any pump but `except` may be in an update: it says so, or it was in a try and has said nothing since.
    ///
    /// A pump is believed for [`SETTLE`] after it was left, and for [`SETTLE`] after each time that it says so, but for
    /// no longer than [`SETTLE_MOST`] after a pump was left.
    pub(crate) fn anyone_updates(&self, except: Option<PumpNumber>, now: Instant, unit: &Unit) -> bool {
        let settles = now < self.left_at.after(SETTLE);
        unit.pumps().filter(|pump| Some(*pump) != except).any(|pump| {
            let (view, entry) = (unit.view(pump), unit.pump_record(pump));
            let says_so = view.reported.is_some_and(|status| status.state == PumpState::Updating);
            let lately = now < view.heard_at.after(SETTLE) && now < self.left_at.after(SETTLE_MOST);
            let was_tried = entry.tries > 0 && entry.mark != Mark::Done;
            let unheard = was_tried && view.heard_after(self.left_at).is_none();
            (says_so && (settles || lately)) || (unheard && settles)
        })
    }

    /// Whether every update, that of the pump in hand included, must be over, so that the others may regulate while
    /// the campaign waits (PFU-047).
    pub(crate) fn is_settled(&self, now: Instant, unit: &Unit) -> bool {
        now >= self.left_at.after(SETTLE) && !self.anyone_updates(None, now, unit)
    }
}

/// A campaign that a restart of the CIOC interrupted and whose image is gone or another: it is given up once all have
/// settled.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct GivingUp {
    cause: Cause,
    settling: Settling,
}

impl GivingUp {
    pub(crate) const fn begin(cause: Cause, now: Instant) -> Self {
        Self { cause, settling: Settling::since(now) }
    }

    pub(crate) const fn wake_at(now: Instant) -> Instant {
        now.after(LOOK)
    }

    /// Goes on; `true` when the campaign is given up.
    pub(crate) fn advance(&self, unit: &mut Unit, ports: &mut Ports<'_>) -> bool {
        let over = !self.settling.anyone_updates(None, ports.now, unit);
        if over {
            campaign::abandon(self.cause, unit, ports);
        }
        over
    }
}
