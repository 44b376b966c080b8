//! What an observer sees: notices of single events, and the status that the web page shows.

use heapless::Vec;
use protocol::cyclic::{self, Mode};
use protocol::header::{ImageHeader, ModelId, Version};
use protocol::ids::PumpNumber;
use units::{Duration, Permille};

use crate::log::{Cause, LogEntry};
use crate::package::ImageHash;

/// The steps of one try, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The motor is being stopped; the try is not counted yet.
    Standby,
    /// The application is asked to enter the bootloader.
    EnterBootloader,
    /// Programming session in the bootloader.
    Session,
    /// Seed and key.
    Security,
    /// Erase.
    Erase,
    /// Download announced.
    Download,
    /// Blocks.
    Transfer,
    /// Transfer exit.
    Exit,
    /// The pump checks the image.
    Check,
    /// Reset asked for.
    Reset,
    /// Waiting for the good status.
    StatusCheck,
}

/// What needs a person's attention; raised once, cleared once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alarm {
    /// The pump will not work (PFU-029).
    PumpDead(PumpNumber),
    /// A configured pump cannot be used: it does not answer, does not stop for its update, never has the supply for it, or
    /// has no application and the package none for it.
    PumpMissing(PumpNumber),
    /// The image is not for this pump's model.
    PumpRejected(PumpNumber),
    /// An update waits for the supply of CIOC or pumps.
    LowSupply,
    /// A campaign waits because no pump at all is heard: bus or feed is gone, not a pump.
    NoPumpHeard,
    /// The image is absent (FW001) or bad (FW002).
    Image(Cause),
}

/// Alarms that can stand at once: three kinds of each pump, three others.
pub const ALARMS_MOST: usize = 3 * PumpNumber::MOST as usize + 3;

/// What has become of a pump in the search or the campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not searched yet.
    #[default]
    Unknown,
    /// Runs the package's version, or runs and there is no good image to hold it against.
    UpToDate,
    /// Differs; to be updated.
    Pending,
    /// Is being updated.
    Updating,
    /// Updated in this campaign.
    Updated,
    /// Out of service after three failed tries.
    Dead,
    /// The image is for another model.
    Rejected,
    /// Cannot be used, see [`Alarm::PumpMissing`].
    Missing,
}

/// Something an observer can see happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// A log entry was written.
    Log(LogEntry),
    /// An alarm came.
    AlarmRaised(Alarm),
    /// An alarm went.
    AlarmCleared(Alarm),
    /// The try of a pump has come to this phase; [`Phase::Standby`] comes with the number of the try to be.
    Phase {
        /// Which pump.
        pump: PumpNumber,
        /// Which try in this campaign, from 1.
        attempt: u8,
        /// The phase that begins.
        phase: Phase,
    },
    /// Blocks acknowledged, at least at every percent.
    Block {
        /// Which pump.
        pump: PumpNumber,
        /// Which try.
        attempt: u8,
        /// Blocks acknowledged.
        done: u32,
        /// Blocks of the image.
        of: u32,
    },
    /// What the web page shows has changed (PFU-031).
    Progress {
        /// 0 to 100, never falls within a campaign.
        percent: u8,
        /// Time left; `None` until the first blocks were measured. During a wait: what is left after it.
        remaining: Option<Duration>,
        /// The failed try or the wait that made the time left rise, while it matters.
        cause: Option<Cause>,
    },
    /// A pump's outcome changed.
    Outcome {
        /// Which pump.
        pump: PumpNumber,
        /// Its outcome now.
        outcome: Outcome,
    },
    /// A search began.
    Searching {
        /// By hand.
        manual: bool,
    },
    /// The dialog is shown.
    ConsentAsked(ImageHash),
    /// The dialog was answered.
    ConsentAnswered(bool),
    /// Nobody answered in time.
    ConsentLapsed,
    /// An answer came when none was asked for; it starts nothing.
    ConsentLate(bool),
    /// The system pauses: pumps leave normal operation now (PFU-018).
    Pause,
    /// The campaign begins or goes on after a reboot.
    CampaignStarted {
        /// Pumps to be updated.
        pumps: u8,
        /// Whether it goes on after a reboot.
        resumed: bool,
    },
    /// All good pumps are back in automatic.
    CampaignFinished {
        /// The campaign was given up or left a pump that does not run: dead, missing, or without any application.
        errors: bool,
    },
}

/// What the CIOC is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// Looks for pumps and for something to update.
    Searching,
    /// Nothing to update, or refused, or lapsed.
    Idle,
    /// Waits for the customer's answer.
    Asking,
    /// Updates.
    Updating {
        /// The pump in hand.
        pump: PumpNumber,
        /// Its try, from 1.
        attempt: u8,
    },
    /// Waits for the supply.
    WaitingForSupply {
        /// The pump that is next.
        pump: PumpNumber,
    },
    /// Waits until any pump is heard, and listens.
    WaitingForPumps {
        /// The pump that is next.
        pump: PumpNumber,
    },
    /// The last campaign ended well.
    Finished,
    /// The last campaign was given up or left a pump that does not run.
    FinishedWithErrors,
}

/// One pump on the web page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PumpStatus {
    /// Which.
    pub pump: PumpNumber,
    /// Its last status message of this boot.
    pub reported: Option<cyclic::Status>,
    /// Whether that was within the last second; otherwise it says nothing of now (PFU-003).
    pub fresh: bool,
    /// Model as read in the search.
    pub model: Option<ModelId>,
    /// Version as last read.
    pub version: Option<Version>,
    /// What has become of it.
    pub outcome: Outcome,
    /// Tries in this campaign, those for lack of supply included.
    pub tries: u8,
    /// Tries that count towards the three.
    pub counted: u8,
    /// Why its last try failed.
    pub cause: Option<Cause>,
    /// The mode it is commanded.
    pub mode: Mode,
    /// The set-point it is commanded.
    pub set_point: Permille,
}

/// What the web page shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// What the CIOC is doing.
    pub activity: Activity,
    /// Progress of the running or last campaign.
    pub percent: u8,
    /// Time left.
    pub remaining: Option<Duration>,
    /// The image in the package, once checked.
    pub image: Option<ImageHeader>,
    /// Alarms that stand.
    pub alarms: Vec<Alarm, ALARMS_MOST>,
    /// The configured pumps.
    pub pumps: Vec<PumpStatus, 16>,
}
