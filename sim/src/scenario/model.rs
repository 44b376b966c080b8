//! What a scenario says, typed: the one table of its fields.
//!
//! Every section below is declared once, with type, unit, range, default, requirement and text. The declaration makes
//! the struct that the twin is built from, its reader, its canonical text and its page in `scenario explain`, so none
//! of them can drift from the others. Words: a *section* is a struct whose fields all may be left out; a *choice* is
//! one of several named variants. Numbers are integers in the unit their type names (nanoseconds, millivolts, permille).

use super::quantity::{
    Bitrate, Drift, Factor, Flow, Power, Rate, Resistance, Share, Size, Temperature, Voltage, Volume,
};
use super::safety_faults::{SafetyFault, SafetyRelays, SafetyTrip};
use super::schema::{choice, section};
use super::traffic_log::TrafficSource;
use super::units::{SafetyDownload, SafetyUnit};
pub use super::words::Limit;
use super::words::{CanId, Cause, HexBytes, NodeName, Version};
use crate::kernel::Span;

section! {
    /// A scenario: what is run, what goes wrong in it, and what is expected to come out.
    RawScenario {
        /// Name in results and output folders; the file's name without `.ron` where none is written.
        name: String = "",
        /// One line for people; not inherited from an extended file. Results name a scenario without one by its `name`.
        title: String = "",
        /// What the scenario shows and why it is worth running; not inherited from an extended file.
        purpose: String = "",
        /// Words to select scenarios by, for instance `long`.
        tags: Vec<String> = "[]",
        /// Seed of every random stream of the run.
        seed: u64 = "1",
        /// Whether an update campaign is run; without one the bus, its traffic and the cyclic messages run alone.
        campaign: bool = "true" => "PFU-001",
        /// The pumps of the system.
        pumps: Pumps = "()",
        /// Names of nodes that are neither CIOC nor pump, for traffic and faults; numbered from N17 in this order.
        further_nodes: Vec<String> = "[]",
        /// The firmware package that the CIOC holds.
        package: Package = "()",
        /// The CAN bus.
        bus: Bus = "()",
        /// ISO-TP and UDS parameters.
        protocol: Protocol = "()",
        /// Flash memory of the pumps' controllers.
        flash: Flash = "()",
        /// How fast the CPUs attend and boot.
        timing: Timing = "()",
        /// The supply of all nodes.
        supply: Supply = "()",
        /// The coolant loop.
        plant: Plant = "()",
        /// What the person at the CIOC does.
        user: User = "()",
        /// Update of the CIOC itself: its firmware is silent for that time, then boots.
        cioc_update: Option<Outage> = "None" => "PFU-012",
        /// Periodic messages in addition to the system's own; or `Log("file.log")`: the frames of a `candump -L` text,
        /// relative to the scenario file that names it, requested at their recorded times, the first at time 0, in
        /// their order, by a further node named `log`. Error frames in it are passed over. Frames that the twin's own
        /// nodes send, which a log of a whole machine holds, are left out by their identifiers:
        /// `Log(file: "file.log", leave_out: [0x101, "0x201-0x210"])`.
        traffic: TrafficSource = "[]",
        /// Dual-CPU safety units; their rows, checks and budgets are in the results where there are any.
        safety_units: Vec<SafetyUnit> = "[]" => "SSR-046",
        /// Faults to inject. `faults_add` in a file appends to the list of the file it extends.
        faults: Vec<Fault> = "[]",
        /// Limits that the run is judged by; writing the list replaces the default ones.
        budgets: Vec<Budget> = r#"[
            (id: "pump-update", measure: PumpUpdate, relation: Below, limit: "70s", requirements: ["PFU-041"]),
            (id: "back-to-automatic", measure: BackToAutomatic, relation: Below, limit: "60s", requirements: ["PFU-030", "PFU-042"]),
            (id: "campaign", measure: Campaign, relation: AtMost, limit: "21min", information: true, requirements: ["PFU-043"]),
        ]"# => "PFU-041 PFU-042 PFU-043",
        /// What this scenario expects to come out.
        expectations: Vec<Expectation> = "[]",
        /// When the run is over.
        end: End = r#"AfterCampaign("60s")"#,
        /// Simulated time at which a run that has not ended is an error.
        time_limit: Span = "2h" where "1ms".."24h",
    }
}

section! {
    /// The pumps: a number of equal ones, and what differs from that.
    Pumps {
        /// How many pumps there are.
        count: u8 = "14" where "1".."16" => "PFU-047",
        /// Model that the pumps report, at most 16 letters, digits or `-`.
        model: String = "AROS-25" => "PFU-004",
        /// Firmware version installed before the run.
        version: Version = "1.0.0" => "PFU-005",
        /// What single pumps have different.
        overrides: Vec<PumpOverride> = "[]",
    }
}

section! {
    /// One pump that differs from the others; what is left out is as for all.
    PumpOverride {
        /// Number of the pump.
        pump: u8 where "1".."16",
        /// Its model.
        model: Option<String> = "None" => "PFU-016",
        /// Its installed version.
        version: Option<Version> = "None" => "PFU-005",
        /// Whether it answers on the bus at all.
        answers: bool = "true" => "PFU-024",
        /// Its boot time from reset to the first status frame.
        boot: Option<Span> = "None" where "0ms".."10min" => "PFU-024",
        /// How much later than the others its CPU starts counting time.
        clock_offset: Span = "0ms" where "0ms".."1h",
        /// How fast its clock runs against true time.
        clock_drift: Drift = "0ppm" where "-50000ppm".."50000ppm",
    }
}

section! {
    /// The firmware package of the CIOC.
    Package {
        /// Whether the package holds pump firmware; one without is normal and updates nothing.
        pump_firmware: bool = "true" => "PFU-001 PFU-008",
        /// The image in it.
        image: Image = "()",
    }
}

section! {
    /// The pump firmware image as the CIOC holds it.
    Image {
        /// Where its bytes come from.
        source: ImageSource = "Seeded",
        /// Model that the header of a made-up image names.
        model: String = "AROS-25" => "PFU-016",
        /// Version that the header of a made-up image names.
        version: Version = "2.0.0" => "PFU-005 PFU-063",
        /// Length of a made-up image, header included; at most what the pumps' slot of 512 KiB holds beside its marker.
        length: Size = "385KiB" where "1KiB".."524284B" => "PFU-041",
        /// Seed of a made-up image's bytes.
        seed: u64 = "1",
        /// What is wrong with it.
        defect: Option<ImageDefect> = "None" => "PFU-015 PFU-016 PFU-049 PFU-050",
    }
}

choice! {
    /// Where the image's bytes come from.
    ImageSource {
        /// Made up from the image's seed.
        Seeded,
        /// Read from this `.bin` or `.hex` file, relative to the scenario file that names it. The file decides on model,
        /// version and length. It begins with a header of 64 bytes, little endian: `CPFW`, then 16 bits each for the
        /// format 1, the model id, major, minor, patch and 0; 32 bits each for the length of the whole file and the
        /// CRC-32 of all behind the header; 36 zeros; the CRC-32 of the 60 bytes before. Model ids count the models
        /// of the scenario from 1, `pumps.model` first; `scenario show` prints them with what the file holds. A
        /// file without a good header is delivered with a warning, and pumps refuse it.
        File(String),
    }
}

choice! {
    /// What is wrong with the image that the CIOC holds.
    ImageDefect {
        /// The package names it, but it is not there.
        Missing,
        /// This many bits of it are inverted, at places drawn from the run's seed.
        Corrupt(u32),
        /// This many bytes are cut off its end.
        Truncated(Size),
        /// This many bytes of 0xFF follow its end.
        Extended(Size),
        /// Its header and its checksums are right, but for this model; for made-up images.
        ForModel(String),
    }
}

section! {
    /// The CAN bus.
    Bus {
        /// Whether the bus works at all; off, every node is alone.
        enabled: bool = "true" => "PFU-009",
        /// Bit rate; one bit must last a whole number of nanoseconds.
        bitrate: Bitrate = "250kbit/s" where "10kbit/s".."1Mbit/s" => "PFU-041",
        /// Whether controllers leave bus-off by themselves after 128 times 11 recessive bits, or only when told to.
        automatic_recovery: bool = "true",
    }
}

section! {
    /// ISO-TP (ISO 15765-2) and UDS (ISO 14229) parameters.
    Protocol {
        /// Data bytes of one 0x36 transfer block, in whole words of the flash, 4 bytes each. Pumps take no longer ones than
        /// 1024B, and refuse a first one that does not hold all 64 bytes of the image's header.
        block_len: Size = "1024B" where "64B".."1024B",
        /// ISO-TP block size that receivers ask for; 0 is no further flow control.
        block_size: u8 = "8" where "0".."255",
        /// Least time from the end of a consecutive frame to the request of the next, as ISO 15765-2 can encode it:
        /// 0us to 900us in steps of 100us, or 1ms to 127ms in steps of 1ms.
        st_min: Span = "500us" where "0us".."127ms",
        /// Byte that fills up frames.
        padding: u8 = "0xAA" where "0".."255",
        /// Time-out for a frame of one's own to be sent.
        n_as: Span = "1s" where "1ms".."60s",
        /// Time-out of the sender for flow control.
        n_bs: Span = "1s" where "1ms".."60s",
        /// Time-out of the receiver for the next consecutive frame.
        n_cr: Span = "1s" where "1ms".."60s",
        /// Longest time to the first answer of the server.
        p2: Span = "50ms" where "1ms".."60s",
        /// Longest time to the next answer after response pending (0x78).
        p2_star: Span = "5s" where "1ms".."600s",
    }
}

section! {
    /// Flash of the pumps' controllers: 4 sectors of 128 KiB and 32-bit words, as the pump firmware's flash map has
    /// them. Times left out follow the profile.
    Flash {
        /// The part and how slow a copy of it.
        profile: FlashProfile = "Stm32f4Typical" => "PFU-020 PFU-041",
        /// Time of one sector erase.
        sector_erase: Option<Span> = "None" where "1us".."60s",
        /// Time of one program operation.
        word_program: Option<Span> = "None" where "1ns".."10ms",
        /// Factor on both times.
        slow_factor: Factor = "1x" where "0.001x".."1000x",
        /// Whether the core stands still during an erase or a program, as with a single bank.
        stalls_core: bool = "true",
    }
}

choice! {
    /// A flash part with the times of its data sheet.
    FlashProfile {
        /// STM32F4 class, 32-bit access: 128 KiB sectors, erase 1 s, word 16 us.
        Stm32f4Typical,
        /// The same at its data sheet's maximum: erase 2 s, word 100 us.
        Stm32f4Maximum,
    }
}

section! {
    /// How fast the CPUs attend to things.
    Timing {
        /// From the end of a frame to the node's answer to it.
        reaction_latency: Span = "100us" where "0us".."1s",
        /// Step of the nodes' timers.
        timer_resolution: Span = "50us" where "1us".."100ms",
        /// From power-good or reset of a pump to its first step.
        pump_boot: Span = "300ms" where "0ms".."10min",
        /// From power-good or reset of the CIOC to its first step.
        cioc_boot: Span = "2s" where "0ms".."10min",
        /// How fast the CIOC's clock runs against true time.
        cioc_clock_drift: Drift = "0ppm" where "-50000ppm".."50000ppm",
    }
}

section! {
    /// The supply of all nodes.
    Supply {
        /// Voltage of the source without load.
        nominal: Voltage = "24V" where "0V".."60V",
        /// Internal resistance of source and cables.
        resistance: Resistance = "50mohm" where "0mohm".."10ohm",
        /// A node below this loses its state.
        brown_out: Voltage = "9V" where "1V".."60V",
        /// A node above this starts again.
        power_good: Voltage = "9.5V" where "1V".."60V",
        /// How long a node lives on its capacitors when the supply is gone.
        hold_up: Span = "5ms" where "0ms".."10s",
        /// The CIOC starts no update below this.
        minimum_for_update: Voltage = "18V" where "0V".."60V" => "PFU-051",
    }
}

section! {
    /// The coolant loop.
    Plant {
        /// Coolant in the loop.
        volume: Volume = "120L" where "1L".."10000L",
        /// Heat that the loop takes up; the coolant never boils, and its sensor ends at 3,276.7 degC.
        heat_load: Power = "40kW" where "0W".."10MW",
        /// Air at the exchanger.
        ambient: Temperature = "25degC" where "-40degC".."80degC",
        /// Coolant when the run begins.
        coolant_start: Temperature = "35degC" where "-40degC".."120degC",
        /// Flow of one pump at full speed against no head; the pipes take some of it.
        pump_flow: Flow = "31623mL/min" where "1L/min".."10000L/min",
        /// Temperature that the CIOC regulates to.
        set_point: Temperature = "40degC" where "-40degC".."120degC",
    }
}

section! {
    /// What the person at the CIOC does.
    User {
        /// Answer to the question whether pumps may be updated.
        consent: Consent = r#"Agree(after: "5s")"# => "PFU-019",
        /// When a search for updates is started by hand, as after a service exchange.
        manual_searches: Vec<Span> = "[]" => "PFU-014",
    }
}

choice! {
    /// What becomes of the question for consent.
    Consent {
        /// Answered with yes.
        Agree { Answer },
        /// Answered with no.
        Refuse { Answer },
        /// Never answered; it lapses after 10 min.
        Never,
        /// The CIOC reboots this long after asking, and the renewed question is answered.
        RebootWhileAsking { RebootWhileAsking },
    }
}

section! {
    /// When the question is answered.
    Answer {
        /// Time from the question to the answer; above 10 min it comes too late.
        after: Span = "5s" where "0s".."2h" => "PFU-019",
    }
}

section! {
    /// A reboot between question and answer.
    RebootWhileAsking {
        /// Time from the first question to the reboot.
        after: Span = "5s" where "0s".."10min" => "PFU-019",
        /// Answer to the question that is asked again; none is given where this is false.
        then_agree: bool = "true",
    }
}

section! {
    /// A time without the CIOC's firmware.
    Outage {
        /// When it begins.
        at: Span,
        /// How long it lasts.
        duration: Span = "120s" where "1ms".."1h" => "PFU-012",
    }
}

section! {
    /// A periodic message.
    Traffic {
        /// Name in the results.
        name: String,
        /// Node that sends it.
        node: NodeName,
        /// Its CAN identifier: lower ones win the bus. How many digits are written decides its length, not the number:
        /// `0x123` is an 11-bit identifier, `0x00000123` one of 29 bit.
        id: CanId,
        /// Number of data bytes; where none is written, as many as the payload has, or 8.
        dlc: Option<u8> = "None" where "0".."8",
        /// The data bytes: hexadecimal digits, at most 8 bytes. Where none are written, they are drawn from the run's seed.
        payload: Option<HexBytes> = "None",
        /// Time from one request to send to the next.
        period: Span where "100us".."1h",
        /// Time of the first request.
        offset: Span = "0ms" where "0ms".."1h",
        /// Requests are late by up to this much, drawn evenly from the run's seed.
        jitter: Span = "0ms" where "0ms".."1h",
    }
}

section! {
    /// A fault: what, where, when, how long, how often.
    Fault {
        /// Name in the results; made up from kind and number where none is written.
        id: String = "",
        /// What happens.
        kind: FaultKind,
        /// Where it happens.
        place: Place,
        /// When it happens.
        trigger: Trigger,
        /// How long it lasts; for good, or once for kinds without duration, where none is written.
        duration: Option<Span> = "None" where "1ns".."24h",
        /// How often it happens; once where none is written.
        repeat: Option<Repeat> = "None",
    }
}

section! {
    /// Repetition of a fault.
    Repeat {
        /// How many times in all; 0 is without end.
        count: u32 where "0".."1000000",
        /// Time from one beginning to the next, for faults at a time; a condition sets its own rhythm.
        period: Option<Span> = "None" where "1us".."24h",
    }
}

choice! {
    /// Where a fault happens.
    Place {
        /// The pump with this number.
        Pump(u8),
        /// The CIOC.
        Cioc,
        /// Every pump.
        AllPumps,
        /// Every node.
        AllNodes,
        /// The node of this name: `CIOC`, `P05` or one of `further_nodes`.
        Node(NodeName),
        /// The bus as a whole.
        Bus,
        /// The bus between two neighbours in the order CIOC, P01, P02, ..., further nodes.
        Between { Between },
        /// The supply of the whole system.
        Supply,
        /// The switchable feed of the pumps.
        PumpFeed,
    }
}

section! {
    /// Two neighbours on the bus.
    Between {
        /// The one nearer to the CIOC.
        a: NodeName,
        /// The next one.
        b: NodeName,
    }
}

choice! {
    /// When a fault happens.
    Trigger {
        /// At this time after the run began.
        At(Span),
        /// At a point of a pump's update.
        When { When },
        /// Around an operation of a pump's flash.
        FlashOperation { FlashOperation },
        /// At a step of the protocol with a pump: when the first frame of its message has been sent well.
        ProtocolStep { ProtocolStep },
        /// When a frame with this id has been sent well: at the end of its last bit.
        Frame { FrameCount },
        /// When the campaign comes to this stage.
        Campaign(CampaignStage),
    }
}

section! {
    /// A point of a pump's update.
    When {
        /// Number of the pump.
        pump: u8 where "1".."16",
        /// Which of its tries; each one where none is written.
        attempt: Option<u8> = "None" where "1".."3" => "PFU-022",
        /// Phase of the try.
        phase: Phase,
        /// Share of the phase that has passed: bytes of a transfer, sectors of an erase, otherwise 0 %.
        progress: Share = "0%" where "0%".."100%",
    }
}

choice! {
    /// Phase of a try, in this order; results have the same words.
    Phase {
        /// The pump is asked to enter its bootloader.
        EnterBootloader,
        /// The diagnostic session is opened.
        Session,
        /// Security access: the session is unlocked.
        Security,
        /// Flash is erased.
        Erase,
        /// The download is requested.
        Download,
        /// The image is transferred.
        Transfer,
        /// The transfer is closed.
        Exit,
        /// The pump checks the image and makes it valid.
        Check,
        /// The pump reboots.
        Reset,
        /// The CIOC waits for a good status of the new firmware.
        Status,
    }
}

section! {
    /// An operation of a pump's flash.
    FlashOperation {
        /// Number of the pump.
        pump: u8 where "1".."16",
        /// Which operation, counted from 1 over the whole run.
        nth: u32 where "1".."4000000000",
        /// Which operations are counted.
        operation: FlashAction = "Any",
        /// Where in the operation.
        moment: Moment = "Middle",
    }
}

choice! {
    /// Operation of a flash.
    FlashAction {
        /// Erases and programs.
        Any,
        /// Sector erases.
        Erase,
        /// Word programs.
        Program,
    }
}

choice! {
    /// Where in an operation.
    Moment {
        /// Just before it begins.
        Before,
        /// Half way: a torn word, a half-erased sector.
        Middle,
        /// Just after it ended.
        After,
    }
}

section! {
    /// A step of the protocol between CIOC and a pump.
    ProtocolStep {
        /// Number of the pump.
        pump: u8 where "1".."16",
        /// Which of its tries; each one where none is written.
        attempt: Option<u8> = "None" where "1".."3",
        /// The service that is used.
        service: Service,
        /// On the way to the pump or back.
        side: Side = "Request",
        /// Which message of that service in the try, counted from 1.
        nth: u32 = "1" where "1".."4000000000",
    }
}

choice! {
    /// UDS service (ISO 14229-1).
    Service {
        /// 0x10 session control.
        Session,
        /// 0x11 reset.
        Reset,
        /// 0x22 read data by identifier.
        Read,
        /// 0x27 security access.
        SecurityAccess,
        /// 0x31 routine control: erase.
        Erase,
        /// 0x31 routine control: check programming dependencies.
        Check,
        /// 0x34 request download.
        Download,
        /// 0x36 transfer data.
        Transfer,
        /// 0x37 transfer exit.
        Exit,
        /// 0x3E tester present.
        TesterPresent,
    }
}

choice! {
    /// Direction of a message.
    Side {
        /// From the CIOC to the pump.
        Request,
        /// From the pump to the CIOC.
        Response,
    }
}

section! {
    /// One frame on the bus.
    FrameCount {
        /// Its CAN identifier.
        id: CanId,
        /// Which frame with that id, counted from 1 over the whole run.
        nth: u32 = "1" where "1".."4000000000",
    }
}

choice! {
    /// Stage of a campaign.
    CampaignStage {
        /// The search for pumps begins.
        Search,
        /// Consent is asked for.
        Asking,
        /// Consent was given.
        Agreed,
        /// The last pump is done.
        Finished,
    }
}

choice! {
    /// Kind of a fault.
    FaultKind {
        /// The supply of the place is cut.
        PowerCut,
        /// The supply falls to a level at once, and back after the duration.
        Sag { Level },
        /// The supply falls or rises to a level evenly over a time, and back at once after the duration.
        Ramp { Ramp },
        /// The supply rises to a level at once, and back after the duration.
        OverVoltage { Level },
        /// The supply is cut and restored several times in a row, as by a loose contact.
        Bounce { Bounce },
        /// The pumps' feed is switched off, and on again after the duration.
        FeedOff,
        /// Each bit on the wire is inverted with this probability.
        BitErrors { BitErrors },
        /// Some bits in a row are inverted.
        Burst { Burst },
        /// One bit of one frame is inverted.
        FrameHit { FrameHit },
        /// Frames that were received well never reach the software of the place.
        FrameLoss { FrameLoss },
        /// The receive FIFO of the place overruns: the next frames are lost.
        ReceiveOverrun { Overrun },
        /// The place is off the bus.
        Unplugged,
        /// The bus is open between two neighbours.
        OpenBus,
        /// The bus is stuck dominant.
        StuckDominant,
        /// The bus is stuck recessive, as by a short of its wires.
        StuckRecessive,
        /// The place sends frames back to back.
        Babbling { Babbling },
        /// The CAN controller attends to everything later.
        ControllerSlow { Later },
        /// The CAN controller does nothing.
        ControllerStopped,
        /// Flash programs of the place fail.
        FlashProgramFailure { Operations },
        /// Sector erases of the place take longer.
        SlowErase { Slower },
        /// Bits of the stored firmware flip.
        BitFlipAtRest { BitFlips },
        /// The firmware stands still until a reset or the end of the duration.
        Hang,
        /// The CPU is reset.
        Reset,
        /// The next boots take longer.
        SlowBoot { Later },
        /// The pump reports this version, whatever it runs.
        WrongVersion { Reported },
        /// The CPU's clock runs fast or slow.
        ClockDrift { Drifting },
        /// The pump is taken out and another one that holds this version is put in; the duration is how long that takes.
        Exchanged { Reported },
        /// Power fails in the middle of a write to the CIOC's non-volatile memory (FRAM); the duration is how long it
        /// stays away, from then on.
        FramTear { Tear },
        /// Something in the safety unit of the place, `Node("..")`.
        Safety(SafetyFault),
    }
}

section! {
    /// A level of the supply.
    Level {
        /// The level.
        to: Voltage where "0V".."60V",
    }
}

section! {
    /// A slow change of the supply.
    Ramp {
        /// The level at its end.
        to: Voltage where "0V".."60V",
        /// How long it takes.
        over: Span where "1us".."1h",
    }
}

section! {
    /// A loose contact.
    Bounce {
        /// How many interruptions.
        count: u32 = "5" where "1".."10000",
        /// Length of each interruption.
        off: Span = "2ms" where "1us".."10s",
        /// Time between two.
        on: Span = "2ms" where "1us".."10s",
    }
}

section! {
    /// Random bit errors.
    BitErrors {
        /// Share of all bits on the wire that is inverted, at random: 50ppm is one bit in 20,000, 1% is 10000ppm, 1ppm is
        /// 1000ppb.
        rate: Rate where "0ppb".."100%",
    }
}

section! {
    /// A burst of errors.
    Burst {
        /// How many bits in a row.
        bits: u32 = "6" where "1".."10000",
    }
}

section! {
    /// One inverted bit in one frame.
    FrameHit {
        /// Identifier of the frame.
        id: CanId,
        /// Which frame with that id after the trigger, counted from 1.
        nth: u32 = "1" where "1".."4000000000",
        /// Which bit as sent, stuff bits included, start of frame is 0.
        bit: u32 where "0".."160",
        /// Who sees it inverted.
        seen_by: SeenBy = "All",
    }
}

choice! {
    /// Who sees a bit inverted.
    SeenBy {
        /// Every node.
        All,
        /// Every node but the sender.
        Receivers,
        /// These nodes.
        Only(Vec<NodeName>),
    }
}

section! {
    /// Loss above the link layer.
    FrameLoss {
        /// Only frames with this identifier; all where none is written.
        id: Option<CanId> = "None",
        /// Only this one after the trigger, counted from 1; all of them where none is written.
        nth: Option<u32> = "None" where "1".."4000000000",
        /// Share of the frames that is lost.
        rate: Rate = "100%" where "0ppb".."100%",
        /// Frames that the place receives or sends.
        direction: Direction = "Received",
    }
}

choice! {
    /// Direction of frames, seen from a node.
    Direction {
        /// Frames that it receives.
        Received,
        /// Frames that it sends.
        Sent,
        /// Both.
        Both,
    }
}

section! {
    /// Frames lost to a full receive FIFO.
    Overrun {
        /// How many.
        frames: u32 = "1" where "1".."100000",
    }
}

section! {
    /// Frames of a babbling node.
    Babbling {
        /// Their identifier.
        id: CanId = "0x000",
        /// Their number of data bytes.
        dlc: u8 = "8" where "0".."8",
        /// Time between the end of one and the request of the next.
        gap: Span = "0us" where "0us".."1s",
    }
}

section! {
    /// A delay.
    Later {
        /// How much later.
        by: Span where "1us".."10min",
    }
}

section! {
    /// A number of flash operations.
    Operations {
        /// How many operations in a row fail; 0 is all of them.
        operations: u32 = "1" where "0".."1000000",
    }
}

section! {
    /// A slower operation.
    Slower {
        /// Factor on its time.
        factor: Factor where "1x".."1000x",
    }
}

section! {
    /// Bits that flip at rest.
    BitFlips {
        /// How many, at places drawn from the run's seed.
        bits: u32 = "1" where "1".."100000",
    }
}

section! {
    /// A version that is reported.
    Reported {
        /// The version.
        version: Version,
    }
}

section! {
    /// A write that power failure ends.
    Tear {
        /// How many bytes are still written after the trigger; the write that would go on is torn.
        bytes: u32 where "0".."65535",
    }
}

section! {
    /// A clock that is off.
    Drifting {
        /// How fast it runs against true time.
        by: Drift where "-50000ppm".."50000ppm",
    }
}

section! {
    /// A limit on something measured.
    Budget {
        /// Name in results and expectations.
        id: String,
        /// What is measured.
        measure: Measure,
        /// How it must stand to the limit.
        relation: Relation,
        /// The limit, in the unit of what is measured.
        limit: Limit,
        /// Lower end for `Between`.
        limit_low: Option<Limit> = "None",
        /// Reported only, never failed.
        information: bool = "false",
        /// Requirements it stands for.
        requirements: Vec<String> = "[]",
    }
}

choice! {
    /// What a budget measures.
    Measure {
        /// Each pump's successful try, request to enter the bootloader to good status (duration).
        PumpUpdate,
        /// Last pump done to all good pumps in automatic mode (duration).
        BackToAutomatic,
        /// The whole campaign from consent to the last pump done (duration).
        Campaign,
        /// Response times of the message of this name, queued to end of frame (duration): one of `traffic`, or
        /// `status-P05` and `command-P05`. A request that was replaced before it was sent counts as the whole run, one
        /// that still waits at the end as long as it has waited.
        Response(String),
        /// Bus load over 100 ms (share).
        BusLoad,
        /// Supply at the nodes (voltage).
        Supply,
        /// Coolant flow (flow).
        Flow,
        /// Coolant temperature (temperature).
        Coolant,
    }
}

choice! {
    /// How a measured value must stand to its limit.
    Relation {
        /// Less than the limit.
        Below,
        /// The limit or less.
        AtMost,
        /// The limit or more.
        AtLeast,
        /// More than the limit.
        Above,
        /// From `limit_low` to the limit, both included.
        Between,
    }
}

choice! {
    /// Something the scenario expects of its run.
    Expectation {
        /// Pumps end with an outcome.
        Outcome { PumpOutcome },
        /// Number of tries of pumps.
        Attempts { Attempts },
        /// A cause code is logged for each of the pumps, or for none.
        Cause { PumpCause },
        /// Pumps run this version at the end.
        VersionAfter { VersionAfter },
        /// Not one flash operation is begun on these pumps.
        NoFlashWrite(Selection),
        /// Each of these pumps was in fail-safe mode for some time after the CIOC had commanded it.
        FailSafe(Selection),
        /// What became of the question for consent.
        Consent(ConsentResult),
        /// An alarm is raised this many times.
        Alarm { AlarmCount },
        /// The budget of this id is broken; it then does not fail the run.
        BudgetFails(String),
        /// The check of this id fails; it then does not fail the run.
        CheckFails(String),
        /// These nodes went bus-off.
        BusOff(Vec<NodeName>),
        /// These nodes went error-passive.
        ErrorPassive(Vec<NodeName>),
        /// The campaign came this far.
        Campaign(CampaignEnd),
        /// This is the first that a safety unit detects of its kind: of internal faults, or of those outside the unit.
        SafetyTrip { SafetyTrip },
        /// The safety unit of this name becomes normal and stays so until the end, without a restart in between.
        SafetyStaysNormal(String),
        /// The safety unit of this name becomes normal, is restarted or loses its supply, and is normal again at the end; it detects no
        /// internal fault.
        SafetyRestarts(String),
        /// At the end these relays of a safety unit conduct, and no others.
        SafetyRelays { SafetyRelays },
        /// What the configuration tool tells of a download at a safety unit.
        SafetyDownload { SafetyDownload },
        /// The lamp of the safety unit of this name was lit each time that a tool asked for it, and only then.
        SafetyIdentified(String),
        /// Verdict of the run before expectations are judged.
        Verdict(Verdict),
    }
}

choice! {
    /// Some of the pumps.
    Selection {
        /// All of them.
        All,
        /// These.
        Only(Vec<u8>),
        /// All but these.
        Except(Vec<u8>),
    }
}

section! {
    /// Outcome of pumps.
    PumpOutcome {
        /// Which pumps.
        pumps: Selection = "All",
        /// Their outcome.
        is: Outcome,
    }
}

choice! {
    /// What became of a pump in a campaign.
    Outcome {
        /// Its firmware was replaced.
        Updated,
        /// It had the right version.
        UpToDate,
        /// Three tries failed.
        Dead,
        /// The image was refused for it.
        Rejected,
        /// A write began, and the CIOC gave it up without calling it dead: it was silent, or its tries were cut off.
        SetAside,
        /// No write began to the unit in its place; expected of a pump, it fails where flash operations of that unit did.
        NotReached,
    }
}

section! {
    /// Number of tries of pumps.
    Attempts {
        /// Which pumps.
        pumps: Selection = "All",
        /// At least this many.
        at_least: u8 = "0" where "0".."12" => "PFU-022",
        /// At most this many.
        at_most: u8 = "3" where "0".."12" => "PFU-022",
    }
}

section! {
    /// A cause code of pumps.
    PumpCause {
        /// Which pumps.
        pumps: Selection = "All",
        /// The code, `FW001` to `FW005` or ours from `FW101`.
        code: Cause => "PFU-028",
        /// Whether it must be logged or must not.
        logged: bool = "true",
    }
}

section! {
    /// Version of pumps at the end.
    VersionAfter {
        /// Which pumps.
        pumps: Selection = "All",
        /// The version.
        version: Version => "PFU-005",
    }
}

choice! {
    /// What became of the question for consent; `result.json` uses the same words.
    ConsentResult {
        /// It was never asked.
        NotAsked,
        /// Yes in time.
        Given,
        /// No.
        Refused,
        /// No answer within 10 min.
        Lapsed,
        /// A yes after it had lapsed.
        Late,
    }
}

section! {
    /// An alarm and how often it is raised.
    AlarmCount {
        /// The alarm.
        about: Alarm,
        /// How many times.
        count: u32 = "1" where "0".."1000" => "PFU-029",
    }
}

choice! {
    /// An alarm of the CIOC.
    Alarm {
        /// This pump is dead.
        DeadPump(u8),
        /// Any pump is dead.
        AnyDeadPump,
        /// The pumps' feed is off while a campaign waits for it. The CIOC tells this and `LowSupply` by one alarm, so
        /// that either word stands for that alarm.
        FeedOff,
        /// The supply is too low for an update; see `FeedOff`.
        LowSupply,
        /// No pump at all is heard though all have supply.
        NoPumpHeard,
        /// Any alarm at all.
        Any,
    }
}

choice! {
    /// How far a campaign came.
    CampaignEnd {
        /// It ended, every pump has an outcome.
        Finished,
        /// It never wrote to a pump.
        NotStarted,
        /// It was under way when the run ended.
        Unfinished,
    }
}

choice! {
    /// Verdict of a run.
    Verdict {
        /// All budgets and checks held.
        Pass,
        /// A budget or check failed.
        Fail,
        /// Something was never measured.
        Inconclusive,
        /// The run itself went wrong.
        Error,
    }
}

choice! {
    /// When a run is over.
    End {
        /// This long after the campaign ended; a scenario without campaign ends at a time instead.
        AfterCampaign(Span),
        /// At this time.
        At(Span),
    }
}
