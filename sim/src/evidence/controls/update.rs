//! Controls of the checks and budgets of an update: falsified records, and scenarios that break a row.
//!
//! A *bench* is a healthy twin at some instant with its checks taken out, so that they can be shown records.

use super::{loaded, report_of, row_verdict, tried_one};
use crate::bus::{Bus, BusRecord};
use crate::checks::{Checks, Row, Truth};
use crate::event::Twin;
use crate::hosts::cpu::Cpu;
use crate::hosts::flash::{Flash, Operation};
use crate::hosts::{OrchestratorRecord, PumpRecord};
use crate::kernel::{Scoped, SimTime, Span};
use crate::measure::Measures;
use crate::node::{NodeId, Nodes};
use crate::record::Record;
use crate::scenario::Scenario;
use crate::twin;
use bevy_ecs::prelude::World;
use embedded_can::StandardId;
use orchestrator::{Alarm, Cause, Event, LogEntry, Notice, UserAction};
use protocol::Frame;
use protocol::cyclic::PumpState;
use protocol::ids::PumpNumber;
use pump::FlashCommand;
use reports::RowVerdict;

pub(super) const SMALL: &str = "(pumps: (count: 2), package: (image: (length: \"8KiB\")))";

/// A twin that has run for some time, with its checks taken out so that they can be shown records.
struct Bench {
    twin: Twin,
    checks: Scoped<Checks>,
    now: SimTime,
}

fn scenario(text: &str) -> Scenario {
    loaded(text).scenario
}

fn number(pump: u8) -> PumpNumber {
    PumpNumber::new(pump).expect("a pump number")
}

impl Bench {
    /// The healthy twin at `seconds`: no consent yet at 5 s, all done long before 100 s.
    fn at(seconds: u64) -> Self {
        Self::of(SMALL, seconds)
    }

    /// The twin of a scenario at `seconds`.
    fn of(text: &'static str, seconds: u64) -> Self {
        let mut twin = twin::build(&scenario(text), None);
        let now = SimTime::ZERO + Span::from_secs(seconds);
        twin.run_until(now);
        let checks = twin.world.remove_resource::<Scoped<Checks>>().expect("the checks");
        assert!(checks.rows().all(|row| row.broken.is_none()), "the healthy twin breaks no check");
        Self { twin, checks, now }
    }

    fn world(&mut self) -> &mut World {
        &mut self.twin.world
    }

    fn later(&mut self, millis: u64) -> &mut Self {
        self.now += Span::from_millis(millis);
        self
    }

    fn see(&mut self, record: impl Into<Record>) -> &mut Self {
        let record = record.into();
        if !self.checks.see_often(self.now, &record) {
            self.checks.see(&mut self.twin.world, self.now, &record);
        }
        self
    }

    fn notice(&mut self, notice: Notice) -> &mut Self {
        self.see(OrchestratorRecord::Notice(notice))
    }

    fn log(&mut self, event: Event, pump: u8, cause: Option<Cause>) -> &mut Self {
        let entry = LogEntry { sequence: 1, at_ms: 0, event, pump: Some(number(pump)), attempt: 1, cause };
        self.notice(Notice::Log(entry))
    }

    fn state(&mut self, pump: u8, state: PumpState) -> &mut Self {
        self.see(Record::Pump(PumpRecord::State { node: NodeId::new(pump), state }))
    }

    /// The CPU of a pump loses its supply.
    fn off(&mut self, pump: u8) -> &mut Self {
        self.see(Record::Pump(PumpRecord::Off { node: NodeId::new(pump) }))
    }

    fn erase(&mut self, pump: u8) -> &mut Self {
        let ends = self.now + Span::from_secs(1);
        let command = FlashCommand::Erase { sector: 0 };
        let operation = Operation { command, number: 1, begun: self.now, ends, fails: false };
        self.see(Record::Pump(PumpRecord::FlashBegun { node: NodeId::new(pump), operation }))
    }

    /// A frame that the CIOC has sent; nobody took it.
    fn sent(&mut self, id: u16, data: &[u8]) -> &mut Self {
        let id = StandardId::new(id).expect("an id of 11 bits");
        let frame = Frame::data_frame(id, data).expect("at most 8 bytes");
        self.see(Record::Bus(BusRecord::Frame {
            start: self.now,
            frame,
            bits: 100,
            sender: NodeId::CIOC,
            queued: self.now,
        }))
    }

    /// Runs the twin on until the frame that was last sent was taken by `node`.
    fn until_taken_by(&mut self, node: NodeId) {
        let from = self.twin.agenda.now();
        for step in 1..1_000 {
            if self.world().resource::<Bus>().receivers() & node.bit() != 0 {
                return;
            }
            self.advance(from + Span::from_micros(200).times(step));
        }
        panic!("some frame reaches {node}, if the twin is not over");
    }

    /// A command of the CIOC that the pump took.
    fn heard(&mut self, pump: u8) -> &mut Self {
        self.until_taken_by(NodeId::new(pump));
        self.sent(0x100 + u16::from(pump), &[0; 8])
    }

    /// A status of the pump that the CIOC's controller took.
    fn arrives(&mut self, pump: u8) -> &mut Self {
        self.until_taken_by(NodeId::CIOC);
        let id = StandardId::new(0x200 + u16::from(pump)).expect("an id of 11 bits");
        let frame = Frame::data_frame(id, &[0; 8]).expect("8 bytes");
        let (start, sender) = (self.now, NodeId::new(pump));
        self.see(Record::Bus(BusRecord::Frame { start, frame, bits: 100, sender, queued: start }))
    }

    /// A frame of the pump's answer that the CIOC's controller took.
    fn answers(&mut self, pump: u8, data: &[u8]) -> &mut Self {
        self.until_taken_by(NodeId::CIOC);
        let frame = Frame::data_frame(protocol::ids::uds_response(number(pump)), data).expect("at most 8 bytes");
        let (start, sender) = (self.now, NodeId::new(pump));
        self.see(Record::Bus(BusRecord::Frame { start, frame, bits: 100, sender, queued: start }))
    }

    /// The twin runs on with checks of its own; those of the bench see nothing of it.
    fn advance(&mut self, until: SimTime) {
        let pumps = self.world().resource::<Truth>().pumps;
        self.world().insert_resource(Scoped::new(Checks::new(pumps)));
        self.twin.run_until(until);
        self.world().remove_resource::<Scoped<Checks>>();
    }

    /// The programming session is asked for, and the pump erases.
    fn true_try(&mut self, pump: u8) -> &mut Self {
        self.sent(0x700 + u16::from(pump), &[0x02, 0x10, 0x02]).erase(pump)
    }

    /// The person has agreed and the pause was told.
    fn agreed(&mut self) -> &mut Self {
        let hash = orchestrator::ImageHash::default();
        self.notice(Notice::ConsentAsked(hash)).see(OrchestratorRecord::User(UserAction::Consent(true)));
        self.notice(Notice::Pause)
    }

    fn look(&mut self) -> &mut Self {
        self.checks.look(&mut self.twin.world, self.now);
        self
    }

    fn finish(&mut self) -> &mut Self {
        self.checks.finish(&mut self.twin.world, self.now);
        self
    }

    /// The motor of a pump stands still at once.
    fn stop(&mut self, pump: u8) -> &mut Self {
        let (node, world) = (NodeId::new(pump), self.world());
        crate::plant::set_speed_command(world, node, units::Permille::new(0));
        let until = self.now + Span::from_secs(3);
        self.advance(until);
        self
    }

    fn flash(&mut self, pump: u8) -> bevy_ecs::prelude::Mut<'_, Flash> {
        let entity = self.world().resource::<Nodes>().entity(NodeId::new(pump));
        self.world().get_mut::<Flash>(entity).expect("a flash")
    }

    fn cpu(&mut self, pump: u8) -> bevy_ecs::prelude::Mut<'_, Cpu> {
        let entity = self.world().resource::<Nodes>().entity(NodeId::new(pump));
        self.world().get_mut::<Cpu>(entity).expect("a CPU")
    }

    /// The CPU of a pump stands still for so many milliseconds from now on.
    fn hang(&mut self, pump: u8, millis: u64) -> &mut Self {
        let until = self.now + Span::from_millis(millis);
        self.cpu(pump).hung_until = until;
        self
    }

    fn row(&self, id: &str) -> &Row {
        self.checks.rows().find(|row| row.id == id).expect("a check of this name")
    }

    fn broken(&self, id: &str) -> bool {
        self.row(id).broken.is_some()
    }
}

/// Shows a check what must break it; `true` if it was broken. A panic is a control that could not be tried.
type Control = fn() -> bool;

/// Consent is asked at about 2 s and given at 7 s; at 5 s pumps run in automatic mode.
const BEFORE: u64 = 5;
/// Pump 1 is being written to.
const IN_TRY: u64 = 10;
/// All pumps are updated and back in automatic mode.
const AFTER: u64 = 60;

/// Each check with what it is shown.
const CONTROLS: &[(&str, &str, Control)] = &[
    ("no_write_without_consent", "an erase before the person has agreed", || {
        Bench::at(BEFORE).erase(1).broken("no_write_without_consent")
    }),
    (
        "no_write_with_a_bad_image",
        "an erase while the held image is unsound, and one while it is for another model",
        || {
            let mut bench = Bench::at(BEFORE);
            bench.world().resource_mut::<Truth>().sound = false;
            let unsound = bench.agreed().erase(1).broken("no_write_with_a_bad_image");
            let mut bench = Bench::at(BEFORE);
            bench.world().resource_mut::<Truth>().image_model = 77;
            unsound && bench.agreed().erase(1).broken("no_write_with_a_bad_image")
        },
    ),
    (
        "equal_version_is_left_alone",
        "an erase of a pump that has the wanted version, before any try, after one that leaves no doubt of it, and after it was exchanged and read",
        equal_version,
    ),
    ("motor_stands_before_flash_is_written", "an erase while the motor turns", || {
        Bench::at(BEFORE).agreed().erase(1).broken("motor_stands_before_flash_is_written")
    }),
    ("one_pump_at_a_time", "a second pump that enters an update", || {
        let mut entered = Bench::at(BEFORE);
        entered.state(2, PumpState::Updating);
        assert!(!entered.broken("one_pump_at_a_time"), "one pump may be in an update");
        entered.later(1).state(1, PumpState::Updating).broken("one_pump_at_a_time")
    }),
    (
        "others_run_at_80_percent",
        "a pump at another speed in a try and between two, one that is driven up and down, and pumps that are down",
        others_run,
    ),
    ("no_write_to_unerased_flash", "a write to flash that was not erased", || {
        let record = Record::Pump(PumpRecord::UnerasedWrite { node: NodeId::new(2) });
        Bench::at(BEFORE).see(record).broken("no_write_to_unerased_flash")
    }),
    ("only_whole_images_are_started", "the start of an application with a flipped bit", || {
        let mut bench = Bench::at(BEFORE);
        assert!(bench.flash(1).flip_bit(8 * 4_000), "the bit is stored");
        bench.state(1, PumpState::Bootloader).state(1, PumpState::Automatic).broken("only_whole_images_are_started")
    }),
    (
        "told_versions_are_true",
        "a success, an equal version and a finished campaign that are not true, a pump that no longer starts, and a CIOC that hangs in an update",
        told_versions,
    ),
    (
        "pump_restarts_before_success",
        "a success without a restart, one from the bootloader, and one that no log tells",
        || {
            let mut bench = Bench::at(AFTER);
            bench.agreed().erase(1).log(Event::UpdateFinished, 1, None);
            let without_restart = bench.broken("pump_restarts_before_success");
            let mut bench = Bench::at(AFTER);
            bench.state(1, PumpState::Bootloader).log(Event::UpdateFinished, 1, None);
            without_restart && bench.broken("pump_restarts_before_success") && unlogged_success()
        },
    ),
    (
        "at_most_three_tries",
        "a fourth try in the log, a fourth one that no log tells, tries that are excused wrongly, and a fourth try on one consent",
        || {
            let mut bench = Bench::at(BEFORE);
            for _ in 0..3 {
                bench.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(Cause::Timeout));
            }
            assert!(!bench.broken("at_most_three_tries"), "three tries are allowed");
            // Tries that fail for lack of supply are not among the three.
            bench.log(Event::UpdateStarted, 2, None).off(2).log(Event::UpdateError, 2, Some(Cause::LowSupply));
            let logged = bench.log(Event::UpdateStarted, 1, None).broken("at_most_three_tries");
            logged && true_tries() && tries_of_each_consent()
        },
    ),
    (
        "tried_pumps_end_updated_or_spent",
        "a campaign that ends without a pump that is heard and has a try left",
        tried_pumps,
    ),
    (
        "dead_pumps_stay_dead_and_are_named",
        "a dead pump too early, some dead for lack of supply alone, told as such or not, an alarm too many, one missing, one called pending afterwards, and dead pumps that run or are tried again",
        dead_pumps,
    ),
    (
        "log_tells_each_try",
        "two starts, an end without a start, an error without a cause, a lack of supply that there was not or that came after the failure, and an entry that is lost",
        log_control,
    ),
    (
        "every_boot_searches",
        "a boot without a search for 10 s, and a missing pump that is heard and never read",
        || {
            let mut bench = Bench::at(AFTER);
            bench.see(OrchestratorRecord::Started).later(9_900).look();
            assert!(!bench.broken("every_boot_searches"), "there is still time");
            bench.later(200).look().broken("every_boot_searches") && unread_pumps()
        },
    ),
    (
        "pause_is_told_first",
        "an erase and a pump that stands by before the notice of the pause, in a later life of the CIOC too",
        || {
            const ID: &str = "pause_is_told_first";
            let mut erased = Bench::at(BEFORE);
            erased.see(OrchestratorRecord::User(UserAction::Consent(true))).erase(1);
            let leaves = |bench: &mut Bench, to| bench.state(1, PumpState::Automatic).state(1, to).broken(ID);
            let taken = [PumpState::Standby, PumpState::Fixed, PumpState::Updating];
            assert!(!taken.iter().any(|to| leaves(Bench::at(BEFORE).agreed(), *to)), "the pause was told");
            assert!(!leaves(&mut Bench::at(BEFORE), PumpState::FailSafe), "that is no work of the CIOC");
            let mut restarted = Bench::at(BEFORE);
            restarted.agreed().true_try(1).see(OrchestratorRecord::Started).erase(1);
            assert!(!restarted.broken(ID), "the pump goes on with what it was asked for in the life before");
            let anew = restarted.true_try(1).broken(ID);
            let anew = anew && obeys_late();
            erased.broken(ID) && anew && taken.iter().all(|to| leaves(&mut Bench::at(BEFORE), *to))
        },
    ),
    (
        "progress_is_true",
        "percent that falls, time left that rises, an end below 100, and 100 with errors, whatever the CIOC says",
        progress,
    ),
    ("remaining_time_is_right", "60 s left that become 71 s", || {
        let mut bench = Bench::at(BEFORE);
        let shown = |percent, seconds| Notice::Progress {
            percent,
            remaining: Some(units::Duration::from_secs(seconds)),
            cause: None,
        };
        bench.notice(Notice::CampaignStarted { pumps: 2, resumed: false }).notice(shown(1, 60));
        bench.later(71_000).notice(shown(100, 0)).notice(Notice::CampaignFinished { errors: false });
        bench.broken("remaining_time_is_right")
    }),
    (
        "bus_confirms_update_times",
        "a time on the bus that is off by 600 ms, one that is missing, and one that no log tells",
        || {
            let mut bench = Bench::at(AFTER);
            let mut measures = bench.world().resource_mut::<Measures>();
            let seen = measures.seen_on_bus[1].updates[0].expect("the update was seen on the bus");
            measures.seen_on_bus[1].updates[0] = Some(seen + Span::from_millis(600));
            let off = bench.finish().broken("bus_confirms_update_times");
            let mut bench = Bench::at(AFTER);
            bench.world().resource_mut::<Measures>().seen_on_bus[0].updates.clear();
            off && bench.finish().broken("bus_confirms_update_times") && unlogged_times()
        },
    ),
    (
        "status_is_live",
        "a wrong activity in a try, a campaign that is not shown and one that is over, pumps that are shown as heard and are not, and a state that a pump is not in",
        status,
    ),
    (
        "silence_means_fail_safe",
        "pumps that hear nothing and stay in automatic mode, run at another speed, or stop",
        silence,
    ),
];

/// A pump stands by in a later life of the CIOC than that which told of the pause: on a command of the earlier one that its
/// CPU could not take before, or on one of the later one.
fn obeys_late() -> bool {
    const ID: &str = "pause_is_told_first";
    let stands_by = |hangs: bool| {
        let mut bench = Bench::at(BEFORE);
        bench.agreed().heard(1).state(1, PumpState::Automatic);
        if hangs {
            bench.hang(1, 2_000);
        }
        bench.see(OrchestratorRecord::Started).later(1_000).heard(1);
        bench.later(1_000).state(1, PumpState::Standby).broken(ID)
    };
    assert!(!stands_by(true), "it goes on with what it was told in the life before");
    stands_by(false)
}

/// A pump is said to be updated though its last try failed, and it did not restart since it was written to.
fn unlogged_success() -> bool {
    const ID: &str = "pump_restarts_before_success";
    let told = |restarts: bool| {
        let mut bench = Bench::at(AFTER);
        bench.agreed().log(Event::UpdateStarted, 1, None).erase(1);
        if restarts {
            bench.see(PumpRecord::Started { node: NodeId::new(1), cause: pump::ResetCause::Software });
        }
        bench.log(Event::UpdateError, 1, Some(Cause::NoGoodStatus));
        let before = bench.row(ID).n;
        bench.notice(Notice::Outcome { pump: number(1), outcome: orchestrator::Outcome::Updated });
        assert_eq!(bench.row(ID).n, before + 1, "the pump is looked at");
        bench.broken(ID)
    };
    assert!(!told(true), "it has restarted and run");
    told(false)
}

/// The CIOC stands still as pump 2 is about to be good, and its log tells a failed try.
const UNLOGGED: &str = "(pumps: (count: 2), package: (image: (length: \"8KiB\")), end: At(\"6min\"),
    faults: [(kind: Hang, place: Cioc, trigger: When(pump: 2, phase: Status), duration: \"100s\")])";

/// The log lost the good end of a try: its time by the pump's own records is held against the bus all the same.
fn unlogged_times() -> bool {
    const ID: &str = "bus_confirms_update_times";
    let ended = |change: fn(SimTime) -> SimTime| {
        let mut bench = Bench::of(UNLOGGED, 200);
        let mut measures = bench.world().resource_mut::<Measures>();
        measures.updates[1].falsify(change);
        bench.finish();
        (bench.row(ID).n, bench.row(ID).verdict())
    };
    assert_eq!(ended(|ran| ran), (2, RowVerdict::Pass));
    let sooner = |ran: SimTime| SimTime::ZERO + (ran.since(SimTime::ZERO) - Span::from_secs(1));
    assert_eq!(ended(sooner), (1, RowVerdict::Inconclusive), "the status of it may have been lost");
    ended(|ran| ran + Span::from_secs(1)).1 == RowVerdict::Fail
}

/// In automatic mode pump 2 runs at another speed than 80 %.
fn others_run() -> bool {
    const ID: &str = "others_run_at_80_percent";
    let begin = || {
        let mut bench = Bench::at(AFTER);
        bench.state(1, PumpState::Updating).state(2, PumpState::Automatic).look();
        bench
    };
    let mut plain = begin();
    plain.later(3_900).look();
    assert!(!plain.broken(ID), "the others settle for 4 s");
    plain.later(200).look();
    // A motor that is driven up and down all the time does not settle anew with each change.
    let mut restless = begin();
    for step in 0..9 {
        let speed = units::Permille::new(if step % 2 == 0 { 300 } else { 310 });
        restless.later(500).see(PumpRecord::Motor { node: NodeId::new(2), speed });
    }
    restless.look();
    // A pump that is down though it has supply and no fault acts on it counts.
    let mut down = begin();
    down.see(PumpRecord::Reset { node: NodeId::new(2), cause: pump::ResetCause::Software }).later(4_500).look();
    // Tries that follow each other after 2 s are one time for the others.
    let mut short = Bench::at(AFTER);
    short.state(2, PumpState::Automatic).notice(Notice::CampaignStarted { pumps: 1, resumed: false });
    for _ in 0..3 {
        short.log(Event::UpdateStarted, 1, None).later(1_000).look().log(Event::UpdateError, 1, Some(Cause::Timeout));
        short.later(2_000);
    }
    // Between two tries nobody is updated, and the campaign waits for nothing: pump 2 stands by, and pump 1 runs slowly.
    let mut between = Bench::at(AFTER);
    between.notice(Notice::CampaignStarted { pumps: 1, resumed: false }).state(2, PumpState::Standby);
    for _ in 0..9 {
        between.later(500).arrives(1).look();
    }
    // A reset by a fault is long over: the next one is the pump's own.
    const RESET: &str = "(pumps: (count: 2), package: (image: (length: \"8KiB\")),
        faults: [(kind: Reset, place: Pump(2), trigger: At(\"3s\"))])";
    let mut own_reset = Bench::of(RESET, AFTER);
    own_reset.state(1, PumpState::Updating).look();
    let cause = pump::ResetCause::Watchdog;
    own_reset.see(PumpRecord::Reset { node: NodeId::new(2), cause }).later(4_500).look();
    [plain, restless, down, short, between, own_reset].iter().all(|bench| bench.broken(ID))
}

fn told_versions() -> bool {
    const ID: &str = "told_versions_are_true";
    let mut said = Bench::at(BEFORE);
    said.log(Event::UpdateFinished, 1, None);
    let mut left_alone = Bench::at(BEFORE);
    left_alone.notice(Notice::Outcome { pump: number(1), outcome: orchestrator::Outcome::UpToDate });
    let mut spoiled = Bench::at(AFTER);
    assert!(spoiled.flash(2).flip_bit(8 * 4_000), "the bit is stored");
    spoiled.state(2, PumpState::Bootloader).state(2, PumpState::Automatic).finish();
    // A bit that flips in a running application lies dormant; its bootloader finds it at the next start.
    let started = |again: bool| {
        let mut bench = Bench::at(AFTER);
        assert!(bench.flash(2).flip_bit(8 * 4_000), "the bit is stored");
        if again {
            bench.see(PumpRecord::Started { node: NodeId::new(2), cause: pump::ResetCause::Software });
        }
        bench.finish();
        bench
    };
    assert!(!started(false).broken(ID), "the pump has not started since");
    let mut running = Bench::at(IN_TRY);
    assert!(running.flash(1).valid_header().is_none(), "pump 1 is being written to");
    assert!(!running.finish().broken(ID), "a CIOC that works on it has not left the pump");
    let mut hung = Bench::at(IN_TRY);
    let cioc = hung.world().resource::<Nodes>().entity(NodeId::CIOC);
    hung.world().get_mut::<Cpu>(cioc).expect("a CPU").hung_until = SimTime::NEVER;
    hung.finish();
    [said, left_alone, spoiled, started(true), hung].iter().all(|bench| bench.broken(ID))
}

fn equal_version() -> bool {
    const ID: &str = "equal_version_is_left_alone";
    let tried = |cause, state| {
        let mut bench = Bench::at(AFTER);
        bench.agreed().log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(cause));
        bench.state(1, state).log(Event::UpdateStarted, 1, None).erase(1).broken(ID)
    };
    for (cause, state) in [(Cause::CheckFailed, PumpState::Automatic), (Cause::NoGoodStatus, PumpState::Bootloader)] {
        assert!(!tried(cause, state), "{cause} leaves a doubt of what is in the flash of a pump in {state:?}");
    }
    let runs_it = [Cause::LowSupply, Cause::Timeout, Cause::NoGoodStatus, Cause::Interrupted];
    let after = runs_it.iter().all(|cause| tried(*cause, PumpState::Standby));
    after && Bench::at(AFTER).agreed().erase(1).broken(ID) && unknown_versions()
}

/// What the CIOC could not read of a pump it cannot know: only that is excused, and only of that pump.
fn unknown_versions() -> bool {
    const ID: &str = "equal_version_is_left_alone";
    const EXCHANGED: &str = "(pumps: (count: 2), package: (image: (length: \"8KiB\")), end: At(\"3min\"), faults: [
        (kind: Exchanged(version: \"2.0.0\"), place: Pump(1), trigger: At(\"65s\"), duration: \"1s\")])";
    const DISGUISED: &str = "(pumps: (count: 2), package: (image: (length: \"8KiB\")), end: At(\"3min\"), faults: [
        (kind: WrongVersion(version: \"1.0.0\"), place: Pump(1), trigger: At(\"65s\"))])";
    let erased = |text: &'static str, pump: u8| Bench::of(text, 70).agreed().erase(pump).broken(ID);
    assert!(!erased(EXCHANGED, 1), "it was read before it was exchanged");
    assert!(!erased(DISGUISED, 1), "it tells an old version");
    let mut read = Bench::of(EXCHANGED, 70);
    read.answers(1, &[0x05, 0x62, 0xF1, 0x90, 0, 2]).later(1).agreed().erase(1);
    read.broken(ID) && erased(EXCHANGED, 2) && erased(DISGUISED, 2)
}

/// Statuses of a pump arrive for so many thirds of a second.
fn heard_for(bench: &mut Bench, pump: u8, thirds: u32) {
    for _ in 0..thirds * 3 {
        bench.arrives(pump).look().later(111);
    }
}

fn tried_pumps() -> bool {
    const ID: &str = "tried_pumps_end_updated_or_spent";
    let ends = |failures: &[Cause], heard| {
        let mut bench = Bench::at(BEFORE);
        bench.agreed().notice(Notice::CampaignStarted { pumps: 1, resumed: false });
        for cause in failures {
            bench.log(Event::UpdateStarted, 1, None);
            if *cause == Cause::LowSupply {
                bench.off(1);
            }
            bench.log(Event::UpdateError, 1, Some(*cause));
        }
        // It was heard before the bench begins.
        bench.later(1_000).look();
        heard_for(&mut bench, 1, heard);
        bench.notice(Notice::CampaignFinished { errors: true });
        bench
    };
    let lack = [Cause::LowSupply; 10];
    for (failures, heard) in
        [(&[Cause::Timeout; 3][..], 5), (&[Cause::Interrupted; 3], 5), (&[Cause::Timeout], 2), (&lack, 5)]
    {
        let bench = ends(failures, heard);
        assert!(!bench.broken(ID), "{failures:?}, heard for {heard} thirds: {:?}", bench.row(ID).broken);
    }
    let early = [&[Cause::Timeout][..], &[Cause::Timeout, Cause::Interrupted], &lack[1..]];
    early.iter().all(|failures| ends(failures, 5).broken(ID)) && untrue_excuses()
}

/// What the CIOC says of a pump that it gives up is no excuse: only what the twin knows of model, image and motor is.
fn untrue_excuses() -> bool {
    const ID: &str = "tried_pumps_end_updated_or_spent";
    let rejected = |model: Option<u16>| {
        let mut bench = Bench::at(BEFORE);
        if let Some(model) = model {
            bench.world().resource_mut::<Truth>().models[0] = model;
        }
        bench.agreed().notice(Notice::CampaignStarted { pumps: 1, resumed: false });
        bench.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(Cause::Timeout));
        bench.notice(Notice::Outcome { pump: number(1), outcome: orchestrator::Outcome::Rejected });
        bench.later(1_000).look();
        heard_for(&mut bench, 1, 5);
        bench.notice(Notice::CampaignFinished { errors: true }).broken(ID)
    };
    assert!(!rejected(Some(77)), "the image is not for it");
    let refuses = |stands: bool, answer: &[u8]| {
        let mut bench = Bench::at(BEFORE);
        bench.agreed().notice(Notice::CampaignStarted { pumps: 1, resumed: false });
        bench.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(Cause::Timeout));
        if stands {
            bench.stop(1).state(1, PumpState::Standby);
        }
        if !answer.is_empty() {
            bench.answers(1, answer);
        }
        bench.later(1_000).look();
        heard_for(&mut bench, 1, 5);
        bench.log(Event::PumpMissing, 1, Some(Cause::Refused)).notice(Notice::CampaignFinished { errors: true });
        bench.broken(ID)
    };
    assert!(!refuses(false, &[]), "its motor turns");
    assert!(!refuses(true, &[0x03, 0x7F, 0x22, 0x31]), "it refuses what it is asked");
    rejected(None) && refuses(true, &[]) && refuses(true, &[0x03, 0x7F, 0x22, 0x78])
}

fn unread_pumps() -> bool {
    const ID: &str = "every_boot_searches";
    let missing = |asked: bool| {
        let mut bench = Bench::at(AFTER);
        bench.notice(Notice::Outcome { pump: number(2), outcome: orchestrator::Outcome::Missing });
        // It falls silent first, so that what was asked before is forgotten.
        bench.later(1_000).look();
        heard_for(&mut bench, 2, 1);
        if asked {
            bench.sent(0x702, &[0x03, 0x22, 0xF1, 0x95]);
        }
        heard_for(&mut bench, 2, 48);
        bench.finish();
        bench.broken(ID)
    };
    assert!(!missing(true), "one that was asked is missing for another reason");
    missing(false)
}

/// A pump that was set aside has three tries on a new consent, and none in a new campaign on the old one.
fn tries_of_each_consent() -> bool {
    const ID: &str = "at_most_three_tries";
    let tries = |bench: &mut Bench, count: u32| {
        for _ in 0..count {
            bench.log(Event::UpdateStarted, 1, None).true_try(1).log(Event::UpdateError, 1, Some(Cause::Interrupted));
        }
    };
    let started = Notice::CampaignStarted { pumps: 1, resumed: false };
    let spent = || {
        let mut bench = Bench::at(BEFORE);
        tries(bench.agreed().notice(started), 3);
        bench
    };
    let mut again = spent();
    tries(again.notice(Notice::CampaignFinished { errors: true }).agreed().notice(started), 3);
    assert!(!again.broken(ID), "a new consent: {:?}", again.row(ID).broken);
    tries(&mut again, 1);
    let mut same = spent();
    tries(same.notice(started), 1);
    again.broken(ID) && same.broken(ID)
}

/// A log that tells nothing does not hide tries.
fn true_tries() -> bool {
    const ID: &str = "at_most_three_tries";
    let mut unlogged = Bench::at(BEFORE);
    unlogged.true_try(1).true_try(1).true_try(1).erase(1);
    assert!(!unlogged.broken(ID), "three tries are allowed, and an erase may be asked for twice in one");
    unlogged.true_try(1);
    // Tries that the log excuses for lack of supply count if supply was there.
    let mut excused = Bench::at(BEFORE);
    for _ in 0..4 {
        excused.log(Event::UpdateStarted, 1, None).true_try(1).look();
        excused.log(Event::UpdateError, 1, Some(Cause::LowSupply));
    }
    unlogged.broken(ID) && excused.broken(ID)
}

fn silence() -> bool {
    const ID: &str = "silence_means_fail_safe";
    let mut automatic = Bench::at(AFTER);
    automatic.later(1_100).look();
    assert!(!automatic.broken(ID), "there is still time");
    automatic.later(400).look();
    // A command that left the CIOC well and did not reach the pump is silence, too.
    let mut cut = Bench::at(AFTER);
    assert_eq!(cut.world().resource::<Bus>().receivers() & NodeId::new(2).bit(), 0);
    cut.later(1_000).sent(0x102, &[0; 8]).sent(0x101, &[0; 8]).later(500).look();
    // In fail-safe mode, but at the speed of automatic mode.
    let mut slow = Bench::at(AFTER);
    slow.look().later(1_100).state(1, PumpState::FailSafe).state(2, PumpState::FailSafe).later(1_000).look();
    assert!(!slow.broken(ID), "the motors run up for 2 s");
    slow.later(2_500).look();
    let mut stopped = Bench::at(AFTER);
    stopped.look().later(1_100).state(1, PumpState::FailSafe).state(2, PumpState::FailSafe);
    stopped.stop(1).later(400).look();
    [automatic, cut, slow, stopped].iter().all(|bench| bench.broken(ID))
}

fn dead_pumps() -> bool {
    const ID: &str = "dead_pumps_stay_dead_and_are_named";
    let dead = |bench: &mut Bench| {
        for _ in 0..3 {
            bench.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(Cause::Timeout));
        }
        assert!(!bench.broken(ID));
    };
    let mut early = Bench::at(BEFORE);
    early.log(Event::PumpDead, 1, None);
    let mut unasked = Bench::at(BEFORE);
    unasked.notice(Notice::AlarmRaised(Alarm::PumpDead(number(2))));
    let mut unnamed = Bench::at(BEFORE);
    dead(&mut unnamed);
    unnamed.finish();
    let mut twice = Bench::at(BEFORE);
    dead(&mut twice);
    let alarm = Notice::AlarmRaised(Alarm::PumpDead(number(1)));
    twice.notice(alarm);
    assert!(!twice.broken(ID), "one alarm after three tries is right");
    twice.notice(alarm);
    let mut again = Bench::at(BEFORE);
    again.notice(Notice::Outcome { pump: number(1), outcome: orchestrator::Outcome::Dead });
    again.log(Event::UpdateStarted, 1, None);
    let outcome = |outcome| Notice::Outcome { pump: number(1), outcome };
    let mut pending = Bench::at(BEFORE);
    dead(&mut pending);
    pending.notice(alarm).notice(outcome(orchestrator::Outcome::Dead));
    assert!(!pending.broken(ID), "dead after three tries, and named");
    pending.notice(outcome(orchestrator::Outcome::Pending));
    let mut revived = Bench::at(BEFORE);
    dead(&mut revived);
    revived.notice(alarm).notice(outcome(orchestrator::Outcome::Dead));
    revived.see(OrchestratorRecord::User(orchestrator::UserAction::Search));
    revived.notice(Notice::Searching { manual: true }).notice(outcome(orchestrator::Outcome::Unknown));
    assert!(!revived.broken(ID), "a search by hand revives it: {:?}", revived.row(ID).broken);
    // An alarm that comes too late is none.
    let mut late = Bench::at(BEFORE);
    dead(&mut late);
    late.later(1_000).look();
    assert!(!late.broken(ID), "there is still time");
    late.later(100).look();
    let mut unsupplied = Bench::at(BEFORE);
    for _ in 0..3 {
        unsupplied.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(Cause::Interrupted));
    }
    unsupplied.notice(Notice::CampaignStarted { pumps: 1, resumed: true }).later(1_100).look().finish();
    assert!(!unsupplied.broken(ID), "three tries that restarts cut off do not make a pump dead");
    unsupplied.log(Event::PumpDead, 1, Some(Cause::Interrupted));
    let called_dead = |lost: [bool; 3]| {
        let mut bench = Bench::at(BEFORE);
        for lost in lost {
            bench.log(Event::UpdateStarted, 1, None).later(100);
            if lost {
                bench.off(1);
            }
            bench.later(100).log(Event::UpdateError, 1, Some(Cause::Timeout));
        }
        bench.log(Event::PumpDead, 1, Some(Cause::Timeout)).notice(alarm);
        bench
    };
    assert!(!called_dead([true, false, true]).broken(ID), "one try failed by itself");
    let untold = called_dead([true; 3]);
    // What they lost after they had failed by themselves is no excuse of it: the pump is dead.
    let dead_late = |named: bool| {
        let mut bench = Bench::at(BEFORE);
        for _ in 0..3 {
            loses_late(&mut bench, 200, 300);
            bench.arrives(1).look().answers(1, &[0x10, 0x08, 0x62, 0xF1, 0xF1]);
            bench.log(Event::UpdateError, 1, Some(Cause::Timeout));
        }
        if named {
            bench.log(Event::PumpDead, 1, Some(Cause::Timeout)).notice(alarm);
        }
        bench.later(1_100).look();
        bench
    };
    assert!(!dead_late(true).broken(ID), "it failed by itself: {:?}", dead_late(true).row(ID).broken);
    let unnamed_late = dead_late(false);
    let wrong = [early, unasked, unnamed, twice, again, pending, late, unsupplied, untold, unnamed_late];
    let broken = wrong.iter().all(|bench| bench.broken(ID));
    broken && dead_pumps_over_restarts() && dead_pumps_run()
}

/// A restarted CIOC tells of each dead pump once more, and only once.
fn dead_pumps_over_restarts() -> bool {
    const ID: &str = "dead_pumps_stay_dead_and_are_named";
    let alarm = Notice::AlarmRaised(Alarm::PumpDead(number(1)));
    let restarted = || {
        let mut bench = Bench::at(BEFORE);
        for _ in 0..3 {
            bench.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(Cause::Timeout));
        }
        // Whole and alone, so that it may run.
        bench.state(1, PumpState::FailSafe).later(1_000);
        bench.notice(alarm).see(OrchestratorRecord::Off).see(OrchestratorRecord::Started).later(5_000).look();
        assert!(!bench.broken(ID), "its search has not begun");
        bench.notice(Notice::Searching { manual: false });
        bench
    };
    let mut right = restarted();
    right.notice(alarm).later(5_000).look().finish();
    assert!(!right.broken(ID), "one alarm in each life: {:?}", right.row(ID).broken);
    let mut silent = restarted();
    silent.later(1_100).look();
    let mut unfinished = restarted();
    unfinished.finish();
    let mut twice = restarted();
    twice.notice(alarm).notice(alarm);
    let mut tried = restarted();
    tried.notice(alarm).log(Event::UpdateStarted, 1, None);
    // The search does not find that the try which the restart cut off had done its work.
    let mut cut_off = Bench::at(BEFORE);
    for cause in [Cause::Timeout, Cause::Timeout, Cause::Interrupted] {
        cut_off.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(cause));
    }
    cut_off.later(5_000).look();
    assert!(!cut_off.broken(ID), "the search is not over");
    cut_off.notice(Notice::CampaignStarted { pumps: 1, resumed: true }).later(1_100).look();
    let wrong = [silent, unfinished, twice, tried, cut_off, forgotten(true, true), forgotten(false, false)];
    assert!(!forgotten(true, false).broken(ID), "the restart forgot to ask what ended the first try");
    wrong.iter().all(|bench| bench.broken(ID))
}

/// A pump fails by itself in its first try and is not called dead after two that restarts cut off. The first of them came
/// before the second try, or in it; and the pump has told of its last start before, or not.
fn forgotten(before_the_next: bool, explained: bool) -> Bench {
    let mut bench = Bench::at(BEFORE);
    bench.log(Event::UpdateStarted, 1, None);
    if explained {
        bench.answers(1, &[0x06, 0x62, 0xF1, 0xF1, 0x01, 0x00, 0xFF]);
    }
    bench.log(Event::UpdateError, 1, Some(Cause::Timeout));
    let restart = |bench: &mut Bench| {
        bench.see(OrchestratorRecord::Off).see(OrchestratorRecord::Started);
    };
    if before_the_next {
        restart(&mut bench);
    }
    for _ in 0..2 {
        bench.log(Event::UpdateStarted, 1, None);
        restart(&mut bench);
        bench.log(Event::UpdateError, 1, Some(Cause::Interrupted));
    }
    bench.notice(Notice::CampaignStarted { pumps: 1, resumed: true }).later(1_100).look();
    bench
}

/// A dead pump that hears the CIOC stands still, whatever its state says; one that does not is excused by name.
fn dead_pumps_run() -> bool {
    const ID: &str = "dead_pumps_stay_dead_and_are_named";
    let alarm = Notice::AlarmRaised(Alarm::PumpDead(number(1)));
    let dead = |state| {
        let mut bench = Bench::at(BEFORE);
        for _ in 0..3 {
            bench.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(Cause::Timeout));
        }
        bench.notice(alarm).state(1, state);
        bench
    };
    // The bench's CIOC sends commands that pump 1 takes.
    let hears = |bench: &mut Bench, state: PumpState| {
        for step in 0..50_u16 {
            // A motor that is driven up and down all the time does not settle anew with each change.
            let speed = units::Permille::new(300 + step % 2);
            bench.heard(1).later(100).see(PumpRecord::Motor { node: NodeId::new(1), speed }).look();
        }
        assert_ne!(bench.row(ID).n, 0, "{state:?} was looked at");
    };
    let running = [PumpState::Automatic, PumpState::FailSafe, PumpState::Standby].map(|state| {
        let mut bench = dead(state);
        hears(&mut bench, state);
        bench
    });
    let mut bootloader = dead(PumpState::Bootloader);
    bootloader.later(4_100).look();
    let mut alone = dead(PumpState::FailSafe);
    alone.later(10_000).look();
    assert!(!alone.broken(ID) && alone.checks.excused_a_dead_pump());
    assert!(alone.row(ID).note.starts_with("P01 left out: dead, its application is whole"), "{}", alone.row(ID).note);
    // One that hears nothing and is in another state is not excused.
    let mut deaf = dead(PumpState::Automatic);
    deaf.later(10_000).look();
    running.iter().chain([&bootloader, &deaf]).all(|bench| bench.broken(ID))
}

fn log_control() -> bool {
    const ID: &str = "log_tells_each_try";
    let mut two_starts = Bench::at(BEFORE);
    two_starts.log(Event::UpdateStarted, 1, None).log(Event::UpdateStarted, 1, None);
    let mut no_start = Bench::at(BEFORE);
    no_start.log(Event::UpdateError, 1, Some(Cause::Timeout));
    let mut no_cause = Bench::at(BEFORE);
    no_cause.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, None);
    // What the pump lost its supply for, it must have lost in this try.
    let low = |lost_before: bool, lost_in_it: bool| {
        let mut bench = Bench::at(BEFORE);
        if lost_before {
            bench.off(1);
        }
        bench.later(1_100).log(Event::UpdateStarted, 1, None).later(100);
        if lost_in_it {
            bench.off(1);
        }
        bench.log(Event::UpdateError, 1, Some(Cause::LowSupply));
        bench
    };
    assert!(!low(false, true).broken(ID), "it lost its supply");
    let (supplied, stale) = (low(false, false), low(true, false));
    // Told on the way, but not in the memory that survives a reboot.
    let mut lost = Bench::at(AFTER);
    lost.log(Event::UpdateStarted, 1, None).finish();
    [two_starts, no_start, no_cause, supplied, stale, lost].iter().all(|bench| bench.broken(ID)) && late_losses()
}

/// A try whose seed was asked for in vain; the pump was heard `heard` milliseconds after that, and loses its supply `lost`
/// milliseconds later.
fn loses_late(bench: &mut Bench, heard: u64, lost: u64) {
    bench.log(Event::UpdateStarted, 1, None).sent(0x701, &[0x02, 0x27, 0x01]);
    bench.later(heard).arrives(1).later(lost).off(1).later(5_000);
}

/// Lack of supply is no reason of a try that had failed before: its answer is waited for 150 ms.
fn late_losses() -> bool {
    const ID: &str = "log_tells_each_try";
    let told = |show: &dyn Fn(&mut Bench)| {
        let mut bench = Bench::at(BEFORE);
        show(&mut bench);
        bench.log(Event::UpdateError, 1, Some(Cause::LowSupply)).broken(ID)
    };
    assert!(!told(&|bench| loses_late(bench, 140, 1_000)), "it was heard while its answer was waited for");
    assert!(!told(&|bench| loses_late(bench, 160, 200)), "the CIOC may take the next status for the first");
    let asked = |bench: &mut Bench| {
        bench.log(Event::UpdateStarted, 1, None).sent(0x701, &[0x02, 0x27, 0x01]);
        bench.sent(0x701, &[0x03, 0x22, 0xF1, 0xF1]).later(300).off(1).later(5_000);
    };
    let goes_on = |bench: &mut Bench| {
        loses_late(bench, 160, 300);
        bench.sent(0x701, &[0x21, 0x22, 0xF1, 0xF1]);
    };
    assert!(!told(&goes_on), "the try went on");
    told(&|bench| loses_late(bench, 160, 201)) && told(&asked)
}

fn progress() -> bool {
    const ID: &str = "progress_is_true";
    let shown = |percent, seconds| Notice::Progress {
        percent,
        remaining: Some(units::Duration::from_secs(seconds)),
        cause: None,
    };
    let begin = || {
        let mut bench = Bench::at(BEFORE);
        bench.notice(Notice::CampaignStarted { pumps: 2, resumed: false }).notice(shown(40, 50));
        bench
    };
    let mut falls = begin();
    falls.notice(shown(39, 49));
    let mut rises = begin();
    rises.notice(shown(41, 51));
    let mut short = begin();
    short.notice(Notice::CampaignFinished { errors: false });
    let mut errors = begin();
    errors.notice(shown(100, 0)).notice(Notice::CampaignFinished { errors: true });
    // 100 % while the campaign runs, though it ends well later.
    let mut early = begin();
    early.notice(shown(100, 0));
    // A restart of the CIOC forgets what was done.
    let mut forgotten = begin();
    forgotten.see(OrchestratorRecord::Off).see(OrchestratorRecord::Started).notice(shown(39, 49));
    // The page shows less than was told.
    let mut page = begin();
    page.notice(shown(99, 1)).later(2_000).look();
    let ended = LogEntry { sequence: 1, at_ms: 0, event: Event::CampaignFinished, pump: None, attempt: 0, cause: None };
    let mut good = begin();
    good.notice(Notice::Log(ended)).notice(shown(100, 0)).notice(Notice::CampaignFinished { errors: false });
    assert!(!good.broken(ID), "{:?}", good.row(ID).broken);
    // A cause for a rise, though nothing has cost time.
    let mut excuse = begin();
    excuse.notice(Notice::Progress {
        percent: 41,
        remaining: Some(units::Duration::from_secs(51)),
        cause: Some(Cause::LowSupply),
    });
    let mut failed = begin();
    failed.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(Cause::Timeout));
    failed.notice(Notice::Progress {
        percent: 41,
        remaining: Some(units::Duration::from_secs(51)),
        cause: Some(Cause::Timeout),
    });
    assert!(!failed.broken(ID), "a try has failed: {:?}", failed.row(ID).broken);
    // Errors at the end, though every pump is updated and heard.
    let mut all_good = Bench::at(AFTER);
    all_good.notice(Notice::CampaignStarted { pumps: 2, resumed: false }).notice(shown(40, 50));
    all_good.notice(Notice::CampaignFinished { errors: true });
    // No errors at the end, though a pump was tried and does not hold the image.
    let mut tried = begin();
    tried.log(Event::UpdateStarted, 1, None).log(Event::UpdateError, 1, Some(Cause::Timeout));
    tried.notice(Notice::Log(ended)).notice(shown(100, 0)).notice(Notice::CampaignFinished { errors: false });
    let told = [excuse, all_good, tried];
    [falls, rises, short, errors, early, forgotten, page].iter().chain(&told).all(|bench| bench.broken(ID))
}

/// What the web page shows is held against what arrives at the CIOC and what the pumps do.
fn status() -> bool {
    const ID: &str = "status_is_live";
    let mut activity = Bench::at(AFTER);
    activity.state(2, PumpState::Updating).log(Event::UpdateStarted, 2, None).look();
    activity.later(1_100).look();
    // The try counts from its begin on, also while the pump still stands by.
    let mut begun = Bench::at(AFTER);
    begun.notice(Notice::CampaignStarted { pumps: 1, resumed: false }).log(Event::UpdateStarted, 2, None).look();
    assert!(!begun.broken(ID), "there is still time");
    begun.later(1_100).look();
    let mut unseen = Bench::at(AFTER);
    unseen.notice(Notice::CampaignStarted { pumps: 1, resumed: false }).look().later(1_100).look();
    // The campaign is over, and the page goes on to show a try.
    let mut goes_on = Bench::at(IN_TRY);
    goes_on.log(Event::UpdateError, 1, Some(Cause::Timeout)).notice(Notice::CampaignFinished { errors: true });
    goes_on.look().later(1_100).look();
    // No status of it comes: the bench shows the checks none. It is shown as heard all the same.
    let mut silent = Bench::at(AFTER);
    silent.later(900).look();
    assert!(!silent.broken(ID), "there is still time");
    silent.later(600).look();
    let mut heard = Bench::at(AFTER);
    heard.state(1, PumpState::Bootloader).state(2, PumpState::Bootloader).later(1_500).look();
    // Its status arrives, and another state is shown than it is in.
    let mut untrue = Bench::at(BEFORE);
    untrue.state(2, PumpState::Standby);
    for _ in 0..11 {
        untrue.later(100).arrives(1).arrives(2).look();
    }
    let named = |bench: &Bench, words: &str| bench.row(ID).broken.as_ref().is_some_and(|(_, why)| why.contains(words));
    assert!(named(&silent, "no status of it arrives"), "{:?}", silent.row(ID).broken);
    assert!(named(&heard, "P01 is shown as heard"), "{:?}", heard.row(ID).broken);
    assert!(named(&untrue, "P02 is in state standby, the status shows automatic"), "{:?}", untrue.row(ID).broken);
    assert!(named(&begun, "P02 is being updated, the status shows no update"), "{:?}", begun.row(ID).broken);
    assert!(named(&unseen, "a campaign runs, the status shows none"), "{:?}", unseen.row(ID).broken);
    assert!(named(&goes_on, "no campaign runs, the status shows an update"), "{:?}", goes_on.row(ID).broken);
    activity.broken(ID)
}

/// A row that is judged from a report: its id, what it is shown, scenarios that must break it, and the verdict they get.
type RunControl = (&'static str, &'static str, &'static [&'static str], RowVerdict);

/// The checks that are judged from a report.
const END_CONTROLS: &[RunControl] = &[
    (
        "every_pump_ends_as_stated",
        "a run in which a pump dies and no scenario says so",
        &["(pumps: (count: 2), package: (image: (length: \"8KiB\")), faults: [(kind: FlashProgramFailure(operations: 0),
            place: Pump(2), trigger: At(\"1s\"))])"],
        RowVerdict::Fail,
    ),
    (
        "required_budgets_are_judged",
        "runs without the budgets of the requirements, with a wider limit, and with one that is information only",
        &[
            "(pumps: (count: 2), package: (image: (length: \"8KiB\")), budgets: [])",
            "(pumps: (count: 2), package: (image: (length: \"8KiB\")), budgets: [
                (id: \"u\", measure: PumpUpdate, relation: Below, limit: \"71s\"),
                (id: \"b\", measure: BackToAutomatic, relation: Below, limit: \"60s\")])",
            "(pumps: (count: 2), package: (image: (length: \"8KiB\")), budgets: [
                (id: \"u\", measure: PumpUpdate, relation: Below, limit: \"70s\"),
                (id: \"b\", measure: BackToAutomatic, relation: Below, limit: \"60s\", information: true)])",
        ],
        RowVerdict::Fail,
    ),
    (
        "run_ends_regularly",
        "a run that comes to its time limit",
        &["(pumps: (count: 2), package: (image: (length: \"8KiB\")), time_limit: \"20s\")"],
        RowVerdict::Error,
    ),
];

/// The budgets that every scenario with a campaign has.
const BUDGET_CONTROLS: &[RunControl] = &[
    (
        reports::BUDGET_PUMP_UPDATE,
        "a run with flash at its slowest, in which an update takes more than 70 s",
        &["(pumps: (count: 1), flash: (profile: Stm32f4Maximum))"],
        RowVerdict::Fail,
    ),
    (
        reports::BUDGET_BACK_TO_AUTOMATIC,
        "a run in which an updated pump hangs for 90 s before it is back",
        &["(pumps: (count: 2), package: (image: (length: \"8KiB\")), end: AfterCampaign(\"3min\"),
            faults: [(kind: Hang, place: Pump(1), trigger: At(\"20s\"), duration: \"90s\")])"],
        RowVerdict::Fail,
    ),
];

/// Tries the controls of an update.
pub(super) fn tried() -> impl Iterator<Item = reports::Control> {
    let shown = CONTROLS.iter().map(|(row, shown, control)| tried_one(row, shown, *control));
    let run = END_CONTROLS.iter().chain(BUDGET_CONTROLS);
    let run = run.map(|(row, shown, texts, wanted)| {
        let goes_red = || texts.iter().all(|text| row_verdict(&report_of(text), row) == Some(*wanted));
        tried_one(row, shown, goes_red)
    });
    shown.chain(run)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::checks::{END_IDS, IDS};
    use crate::run;
    use reports::Verdict;

    use super::*;

    /// Ids and verdicts of all checks in the report of a run, and the verdict of the run.
    fn judged(text: &'static str) -> (BTreeMap<String, RowVerdict>, Verdict) {
        let report = report_of(text);
        (report.checks.into_iter().map(|row| (row.id, row.verdict)).collect(), report.verdict)
    }

    /// What can be seen without any update: everything else must not read as held.
    const SEEN_ALWAYS: [&str; 3] = ["every_boot_searches", "only_whole_images_are_started", "run_ends_regularly"];

    /// Pump 2 was given up in its update and its CPU stands still; at `after` milliseconds pump 1 enters an update.
    fn left_standing_still(after: u64, change: fn(&mut Bench)) -> Bench {
        let mut bench = Bench::at(BEFORE);
        bench.agreed().log(Event::UpdateStarted, 2, None).state(2, PumpState::Updating).hang(2, 600_000);
        bench.log(Event::UpdateError, 2, Some(Cause::Timeout));
        change(&mut bench);
        bench.later(after).look().state(1, PumpState::Updating);
        bench
    }

    /// The one excuse of `one_pump_at_a_time`, and each part of it that may not be missing.
    #[test]
    fn a_second_pump_in_an_update_is_excused_only_while_nothing_can_end_its_session() {
        const ID: &str = "one_pump_at_a_time";
        // SETTLE of the orchestrator is 27 s, a session of the pump ends after 10 s.
        let mut excused = left_standing_still(27_000, |_| {});
        assert!(!excused.broken(ID), "given up for 27 s, and its CPU stands still");
        excused.hang(2, 0).later(10_000).look();
        assert!(!excused.broken(ID), "its session lasts 10 s more");
        assert!(excused.later(200).look().broken(ID), "a CPU that runs must have ended its session");
        assert!(left_standing_still(26_999, |_| {}).broken(ID), "the CIOC waits for 27 s");
        assert!(left_standing_still(27_000, |bench| _ = bench.hang(2, 0)).broken(ID), "its CPU runs");
        let retried = left_standing_still(27_000, |bench| _ = bench.later(1).log(Event::UpdateStarted, 2, None));
        assert!(retried.broken(ID), "it is in a try");
        let stalled = left_standing_still(27_000, |bench| {
            bench.hang(2, 0).cpu(2).stalled = true;
        });
        assert!(!stalled.broken(ID), "a flash operation stalls its CPU");
    }

    #[test]
    fn every_check_goes_red_when_what_it_forbids_happens() {
        let named: Vec<&str> = CONTROLS.iter().map(|(id, ..)| *id).collect();
        let known: Vec<&str> = IDS.iter().map(|(id, _)| *id).collect();
        for id in &known {
            assert!(named.contains(id), "no control shows that {id} can fail");
        }
        assert_eq!(named.len(), known.len());
        for (id, _, control) in CONTROLS {
            assert!(control(), "{id} does not see what it forbids");
        }
    }

    #[test]
    fn every_check_of_the_report_goes_red_when_what_it_forbids_happens() {
        let named: Vec<&str> = END_CONTROLS.iter().map(|(id, ..)| *id).collect();
        let known: Vec<&str> = END_IDS.iter().map(|(id, _)| *id).collect();
        assert_eq!(named, known);
        let (healthy, _) = judged(SMALL);
        assert_eq!(healthy.len(), IDS.len() + END_IDS.len(), "the report has a row without a control");
        for (id, _, texts, wanted) in END_CONTROLS {
            assert_eq!(healthy[*id], RowVerdict::Pass, "{id}");
            for text in *texts {
                assert_eq!(judged(text).0[*id], *wanted, "{id}: {text}");
            }
        }
    }

    #[test]
    fn consent_counts_ten_minutes_and_for_one_campaign() {
        let hash = orchestrator::ImageHash::default();
        let yes = || OrchestratorRecord::User(UserAction::Consent(true));
        let mut late = Bench::at(BEFORE);
        late.notice(Notice::ConsentAsked(hash)).later(600_000).see(yes()).erase(1);
        assert!(late.broken("no_write_without_consent"), "a yes at 10 min is none");
        let mut last = Bench::at(BEFORE);
        last.notice(Notice::ConsentAsked(hash)).later(599_999).see(yes()).erase(1);
        assert!(!last.broken("no_write_without_consent"), "one before is");
        let mut second = Bench::at(BEFORE);
        second.agreed().notice(Notice::CampaignFinished { errors: false }).erase(1);
        assert!(second.broken("no_write_without_consent"), "a second campaign needs a second yes");
    }

    #[test]
    fn a_whole_healthy_run_judges_every_check_that_has_an_occasion() {
        let run = run::run(&scenario(SMALL), None, |_| {});
        for row in run.twin.world.resource::<Scoped<Checks>>().rows() {
            let wanted = match row.id {
                "dead_pumps_stay_dead_and_are_named" | "silence_means_fail_safe" => RowVerdict::NotApplicable,
                _ => RowVerdict::Pass,
            };
            assert_eq!(row.verdict(), wanted, "{}: {:?}", row.id, row.broken);
        }
    }

    #[test]
    fn nothing_that_no_run_came_to_reads_as_held() {
        let too_short = "(pumps: (count: 2), package: (image: (length: \"8KiB\")), end: At(\"5s\"))";
        let dead_bus =
            "(pumps: (count: 2), package: (image: (length: \"8KiB\")), bus: (enabled: false), end: At(\"60s\"))";
        for (text, silence) in [(too_short, RowVerdict::NotApplicable), (dead_bus, RowVerdict::Pass)] {
            let (rows, verdict) = judged(text);
            assert_eq!(verdict, Verdict::Inconclusive, "{text}");
            for (id, verdict) in rows {
                let wanted = match id.as_str() {
                    "silence_means_fail_safe" => silence,
                    seen if SEEN_ALWAYS.contains(&seen) => RowVerdict::Pass,
                    "dead_pumps_stay_dead_and_are_named" => RowVerdict::NotApplicable,
                    _ => RowVerdict::Inconclusive,
                };
                assert_eq!(verdict, wanted, "{id} in {text}");
            }
        }
    }

    #[test]
    fn a_campaign_that_was_not_wanted_leaves_its_checks_out() {
        let refused =
            "(pumps: (count: 2), package: (image: (length: \"8KiB\")), user: (consent: Refuse(after: \"1s\")))";
        let (rows, _) = judged(refused);
        assert_eq!(rows["no_write_without_consent"], RowVerdict::Pass, "a question was asked, and nothing written");
        for id in ["motor_stands_before_flash_is_written", "at_most_three_tries", "told_versions_are_true"] {
            assert_eq!(rows[id], RowVerdict::NotApplicable, "{id}");
        }
        let corrupt = "(pumps: (count: 2), package: (image: (length: \"8KiB\", defect: Corrupt(1))))";
        let (rows, _) = judged(corrupt);
        assert_eq!(rows["no_write_with_a_bad_image"], RowVerdict::Pass, "a search came upon the image");
        let equal = "(pumps: (count: 2, version: \"2.0.0\"), package: (image: (length: \"8KiB\")))";
        let (rows, _) = judged(equal);
        assert_eq!(rows["equal_version_is_left_alone"], RowVerdict::Pass, "a search came upon the pumps");
        assert_eq!(rows["told_versions_are_true"], RowVerdict::Pass);
        assert_eq!(rows["no_write_without_consent"], RowVerdict::NotApplicable);
    }

    #[test]
    fn a_pump_that_is_down_for_a_reason_of_its_own_is_left_out_by_name() {
        let text = "(pumps: (count: 3), package: (image: (length: \"8KiB\")), faults: [(kind: PowerCut, place: Pump(2),
            trigger: When(pump: 1, phase: Transfer), duration: \"3s\")])";
        let run = run::run(&scenario(text), None, |_| {});
        let checks = run.twin.world.resource::<Scoped<Checks>>();
        let row = checks.rows().find(|row| row.id == "others_run_at_80_percent").expect("the check");
        assert_eq!((row.verdict(), row.note.as_str()), (RowVerdict::Pass, "P02 left out: without supply"));
    }

    #[test]
    fn a_page_that_cannot_be_right_is_excused_by_name() {
        const ID: &str = "status_is_live";
        let mut hung = Bench::at(AFTER);
        hung.hang(1, 600_000).hang(2, 600_000).later(5_000).look();
        let mut disturbed = Bench::at(AFTER);
        let overrun = |node: NodeId, id: u16| {
            Record::Bus(BusRecord::Overrun { node, id: StandardId::new(id).expect("11 bits").into() })
        };
        disturbed.later(5_000).see(overrun(NodeId::CIOC, 0x201)).see(overrun(NodeId::CIOC, 0x202)).look();
        let mut one = Bench::at(AFTER);
        one.later(5_000).see(overrun(NodeId::new(1), 0x101)).see(overrun(NodeId::CIOC, 0x7FF)).look();
        assert!(one.row(ID).broken.as_ref().is_some_and(|(_, why)| why.starts_with("P02 ")), "P01 alone is disturbed");
        for (bench, why) in [(hung, "its CPU stands still"), (disturbed, "the bus is disturbed")] {
            assert!(!bench.broken(ID));
            assert_eq!(bench.row(ID).note, format!("P01 left out: {why}; P02 left out: {why}"));
        }
    }
}
