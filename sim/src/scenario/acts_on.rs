//! What each kind of fault acts on, and which places are that.

use super::model::{FaultKind, Place};
use super::words::NodeName;

/// What a kind of fault acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ActsOn {
    Nodes,
    Supply,
    Feed,
    Pumps,
    Cioc,
    Bus,
    Gap,
    Unit,
}

impl ActsOn {
    /// The places, in the words of scenario files where there are such.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Nodes => "a node, a pump, all pumps or all nodes",
            Self::Supply => "nodes or `Supply`",
            Self::Feed => "`PumpFeed`",
            Self::Pumps => "a pump or all pumps",
            Self::Cioc => "the CIOC",
            Self::Bus => "`Bus`",
            Self::Gap => "`Between(a: .., b: ..)`",
            Self::Unit => "`Node(..)` with the name of a safety unit",
        }
    }
}

impl FaultKind {
    /// What it acts on.
    pub(super) const fn acts_on(&self) -> ActsOn {
        match self {
            Self::PowerCut | Self::Sag(_) | Self::Ramp(_) | Self::OverVoltage(_) | Self::Bounce(_) => ActsOn::Supply,
            Self::FeedOff => ActsOn::Feed,
            Self::BitErrors(_) | Self::Burst(_) | Self::FrameHit(_) | Self::StuckDominant | Self::StuckRecessive => {
                ActsOn::Bus
            }
            Self::OpenBus => ActsOn::Gap,
            Self::FramTear(_) => ActsOn::Cioc,
            Self::Safety(_) => ActsOn::Unit,
            Self::FlashProgramFailure(_)
            | Self::SlowErase(_)
            | Self::BitFlipAtRest(_)
            | Self::WrongVersion(_)
            | Self::Exchanged(_) => ActsOn::Pumps,
            Self::FrameLoss(_)
            | Self::ReceiveOverrun(_)
            | Self::Unplugged
            | Self::Babbling(_)
            | Self::ControllerSlow(_)
            | Self::ControllerStopped
            | Self::Hang
            | Self::Reset
            | Self::SlowBoot(_)
            | Self::ClockDrift(_) => ActsOn::Nodes,
        }
    }

    /// Whether it has no duration.
    #[must_use]
    pub const fn is_momentary(&self) -> bool {
        matches!(
            self,
            Self::Bounce(_)
                | Self::Burst(_)
                | Self::FrameHit(_)
                | Self::ReceiveOverrun(_)
                | Self::BitFlipAtRest(_)
                | Self::Reset
        ) || matches!(self, Self::Safety(kind) if kind.is_momentary())
    }
}

impl Place {
    pub(super) const fn is_pumps(&self) -> bool {
        matches!(self, Self::Pump(_) | Self::AllPumps | Self::Node(NodeName::Pump(_)))
    }

    pub(super) const fn is_cioc(&self) -> bool {
        matches!(self, Self::Cioc | Self::Node(NodeName::Cioc))
    }

    pub(super) const fn is_nodes(&self) -> bool {
        self.is_pumps() || matches!(self, Self::Cioc | Self::AllNodes | Self::Node(_))
    }
}
