//! Reports made by hand: one for each way a run can end.
//!
//! The figures are invented, but they agree with each other as those of a run would.

use reports::*;

/// A hexadecimal digest of the wanted length that tells itself apart from others.
fn digest(letter: char, length: usize) -> String {
    std::iter::repeat_n(letter, length).collect()
}

fn ms(text: &str) -> Millis {
    text.parse().unwrap()
}

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

/// Every sample with its name.
pub(crate) fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("pass", pass()),
        ("fail", fail()),
        ("expected_fail", expected_fail()),
        ("inconclusive", inconclusive()),
        ("error", error()),
        ("bus_alone", bus_alone()),
        ("reaction", reaction()),
    ]
}

/// A report without pumps, rows and faults.
fn empty(name: &str) -> Report {
    Report {
        schema: Schema::Result1,
        scenario: Scenario {
            name: name.to_owned(),
            title: String::new(),
            sha256: digest('4', 64),
            resolved: format!("Scenario(\n    name: \"{name}\",\n)\n"),
            overrides: Vec::new(),
        },
        inputs: vec![Input { path: format!("scenarios/{name}.ron"), sha256: digest('a', 64) }],
        seed: 42,
        seed_unused: false,
        simulated_ms: ms("1063245.5"),
        verdict: Verdict::Inconclusive,
        budgets: Vec::new(),
        checks: Vec::new(),
        expectations: Vec::new(),
        pumps: Vec::new(),
        campaign: None,
        safety_frames: None,
        safety_units: Vec::new(),
        bus: Bus {
            bitrate: 250_000,
            load_mean: fixed("38.25"),
            load_peak: fixed("61.904"),
            frames: 1_284_113,
            error_frames: 0,
            nodes: vec![
                BusNode { id: "CIOC".to_owned(), ..BusNode::default() },
                BusNode { id: "P05".to_owned(), ..BusNode::default() },
            ],
            messages: vec![
                message("0x100", 10_632, ["0.368", "0.401235", "0.912"]),
                message("0x7E0", 5_600, ["0.444", "0.6", "1.24"]),
            ],
        },
        power: Power { supply_mv_min: 23_412, supply_mv_max: 24_000, brownouts: 0 },
        plant: Plant { flow_lpm_min: fixed("182.437"), coolant_c_max: fixed("41.28") },
        injections: Vec::new(),
        series: vec![Series {
            name: "supply".to_owned(),
            unit: "mV".to_owned(),
            t_ms: vec![ms("0"), ms("531.6")],
            min: vec![fixed("23990"), fixed("23412")],
            max: vec![fixed("24000"), fixed("23998.5")],
            levels: Vec::new(),
            extremes: None,
        }],
        assumptions: vec![
            Assumption {
                text: "bit rate of the bus".to_owned(),
                value: "250 kbit/s".to_owned(),
                source: "the sources give none; J1939 uses it".to_owned(),
            },
            Assumption {
                text: "time to erase a 128 KB sector".to_owned(),
                value: "1 s".to_owned(),
                source: "STM32F405 data sheet, typical".to_owned(),
            },
        ],
        events: None,
        fingerprint: Fingerprint {
            all: digest('0', 32),
            bus: digest('1', 32),
            orchestrator: digest('2', 32),
            pumps: digest('3', 32),
            power: digest('4', 32),
            plant: digest('5', 32),
            faults: digest('6', 32),
            safety: String::new(),
        },
        build: Build {
            version: "0.1.0".to_owned(),
            commit: "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678-dirty".to_owned(),
            rustc: "1.95.0 (59807616e 2026-04-14)".to_owned(),
        },
    }
}

fn message(id: &str, frames: u64, [min, mean, max]: [&str; 3]) -> Message {
    let id = id.to_owned();
    let [min, mean, max] = [min, mean, max].map(|text| Some(ms(text)));
    Message {
        id,
        name: String::new(),
        frames,
        unsent: 0,
        response_ms_min: min,
        response_ms_mean: mean,
        response_ms_max: max,
    }
}

/// A pump whose only try took `update`, beginning at `start`.
fn updated(number: u8, start: &str, update: &str) -> Pump {
    Pump {
        id: format!("P{number:02}"),
        outcome: Outcome::Updated,
        attempts: 1,
        update_ms: Some(ms(update)),
        total_ms: ms(update),
        version_before: Some("1.3.0".to_owned()),
        version_after: Some("1.4.0".to_owned()),
        causes: Vec::new(),
        tries: vec![good_try(1, start, update)],
    }
}

fn good_try(n: u32, start: &str, update: &str) -> Try {
    let (start, update) = (ms(start), ms(update));
    let parts = [("bootloader", 412), ("session", 36), ("erase", 4_000), ("transfer", 58_213), ("check", 640)];
    let mut at = start.as_nanos();
    let mut phases = Vec::new();
    for (name, duration) in parts {
        let duration = Millis::from_signed_nanos(duration * 1_000_000);
        phases.push(Phase { name: name.to_owned(), start_ms: Millis::from_signed_nanos(at), duration_ms: duration });
        at += duration.as_nanos();
    }
    let rest = Millis::from_signed_nanos(start.as_nanos() + update.as_nanos() - at);
    phases.push(Phase { name: "reboot".to_owned(), start_ms: Millis::from_signed_nanos(at), duration_ms: rest });
    Try { n, start_ms: start, outcome: TryOutcome::Updated, cause: None, phases }
}

fn bad_try(n: u32, start: &str, duration: &str, cause: &str) -> Try {
    let phase = Phase { name: "transfer".to_owned(), start_ms: ms(start), duration_ms: ms(duration) };
    let cause = Some(cause.to_owned());
    Try { n, start_ms: ms(start), outcome: TryOutcome::Failed, cause, phases: vec![phase] }
}

fn fourteen() -> Vec<Pump> {
    let pump = |number: u8| {
        let start = Millis::from_nanos(5_000_000_000 + u64::from(number - 1) * 68_000_000_000);
        let update = Millis::from_nanos(65_900_345_678 + u64::from(number % 5) * 212_000_001);
        updated(number, &start.to_string(), &update.to_string())
    };
    (1..=14).map(pump).collect()
}

fn requirement(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn budget(id: &str, limit: &str, measured: &[&str], standing: Standing, ids: &[&str]) -> Budget {
    let mut budget = Budget::new(id, Relation::Below, fixed(limit), None, "ms");
    for value in measured {
        budget.measure(fixed(value));
    }
    budget.requirements = requirement(ids);
    budget.judge(standing);
    budget
}

/// The budget of the pumps, measured from the pumps themselves.
fn pump_budget(pumps: &[Pump], standing: Standing) -> Budget {
    let mut budget = Budget::new(BUDGET_PUMP_UPDATE, Relation::Below, fixed("70000"), None, "ms");
    budget.requirements = requirement(&["PFU-041"]);
    for pump in pumps {
        let Some(time) = pump.update_ms else { continue };
        if budget.measure(time.into()) {
            let good = pump.tries.last().unwrap();
            budget.r#where = Some(format!("{}, try {}", pump.id, good.n));
            let step = |phase: &Phase| Step { step: format!("{} begins", phase.name), at_ms: phase.start_ms };
            budget.decomposition = good.phases.iter().map(step).collect();
        }
    }
    budget.judge(standing);
    budget
}

fn check(id: &str, n: u64, verdict: RowVerdict, detail: &str, ids: &[&str]) -> Check {
    Check { id: id.to_owned(), requirements: requirement(ids), n, verdict, detail: detail.to_owned() }
}

fn good_checks() -> Vec<Check> {
    vec![
        check("no_write_without_consent", 5_390, RowVerdict::Pass, "", &["PFU-012"]),
        check("one_pump_at_a_time", 14, RowVerdict::Pass, "", &["PFU-020"]),
        check("others_at_80_percent", 9_021, RowVerdict::Pass, "80.0 % throughout", &["PFU-021"]),
        check("invalid_image_never_started", 28, RowVerdict::Pass, "", &["PFU-033"]),
    ]
}

fn expectation(text: &str, verdict: RowVerdict) -> Expectation {
    Expectation { text: text.to_owned(), verdict, detail: String::new() }
}

/// Fourteen pumps, each at its first try.
pub(crate) fn pass() -> Report {
    let mut report = empty("nominal-14");
    report.pumps = fourteen();
    report.campaign = Some(Campaign {
        consent: Consent::Given,
        duration_ms: Some(ms("952134.25")),
        back_to_automatic_ms: Some(ms("812.000125")),
    });
    report.budgets = vec![
        pump_budget(&report.pumps, Standing::Required),
        budget(BUDGET_BACK_TO_AUTOMATIC, "60000", &["812.000125"], Standing::Required, &["PFU-042"]),
        budget(BUDGET_CAMPAIGN, "1260000", &["952134.25"], Standing::Information, &["PFU-043"]),
    ];
    report.checks = good_checks();
    report.expectations = vec![expectation("14 pumps are updated", RowVerdict::Pass)];
    report.judge();
    report
}

/// One pump over its budget, one with a second try, one dead and one refused; a check failed.
pub(crate) fn fail() -> Report {
    let mut report = empty("sag-3-retries");
    report.scenario.overrides = vec!["supply.nominal=22V".to_owned(), "pumps[4].name=left bank".to_owned()];
    report.pumps = fourteen();
    report.pumps[7] = updated(8, "481000", "71304.25");
    let second = &mut report.pumps[4];
    second.attempts = 2;
    second.causes = vec!["FW004".to_owned()];
    second.total_ms = ms("98321.5");
    second.tries = vec![
        bad_try(1, "277000", "31240.75", "FW004 communication time-out: no answer to block 203 of 385 within 5 s"),
        good_try(2, "309000.25", "65900.345678"),
    ];
    second.update_ms = Some(ms("65900.345678"));
    let dead = &mut report.pumps[9];
    dead.outcome = Outcome::Dead;
    dead.attempts = 3;
    dead.update_ms = None;
    dead.total_ms = ms("36000");
    dead.version_after = None;
    dead.causes = vec!["FW003".to_owned(), "FW102".to_owned()];
    dead.tries = vec![
        bad_try(1, "617000", "12000", "FW003 supply 8.2 V below 9.5 V"),
        bad_try(2, "629000", "12000", "FW003 supply 8.2 V below 9.5 V"),
        bad_try(3, "641000", "12000", "FW102 flash program failed at 0x0804_2000"),
    ];
    let refused = &mut report.pumps[12];
    *refused = Pump {
        id: "P13".to_owned(),
        outcome: Outcome::Rejected,
        attempts: 0,
        update_ms: None,
        total_ms: Millis::ZERO,
        version_before: Some("1.3.0".to_owned()),
        version_after: Some("1.3.0".to_owned()),
        causes: vec!["FW002".to_owned()],
        tries: Vec::new(),
    };
    report.pumps[13] = Pump {
        id: "P14".to_owned(),
        outcome: Outcome::UpToDate,
        version_before: Some("1.4.0".to_owned()),
        version_after: Some("1.4.0".to_owned()),
        causes: Vec::new(),
        ..report.pumps[12].clone()
    };
    report.campaign = Some(Campaign {
        consent: Consent::Given,
        duration_ms: Some(ms("1289020.5")),
        back_to_automatic_ms: Some(ms("812.000125")),
    });
    report.bus.error_frames = 3;
    report.bus.nodes[1] = BusNode { id: "P05".to_owned(), tec_max: 136, rec_max: 9, error_passive: 1, bus_off: 0 };
    report.power = Power { supply_mv_min: 8_212, supply_mv_max: 24_000, brownouts: 2 };
    report.budgets = vec![
        pump_budget(&report.pumps, Standing::Required),
        budget(BUDGET_BACK_TO_AUTOMATIC, "60000", &["812.000125"], Standing::Required, &["PFU-042"]),
        budget(BUDGET_CAMPAIGN, "1260000", &["1289020.5"], Standing::Information, &["PFU-043"]),
    ];
    report.checks = good_checks();
    report.checks[2].verdict = RowVerdict::Fail;
    report.checks[2].detail =
        "P03 at 61.5 % at 12 min 03.250 s, 80 % wanted within 1 s of the start of an update".to_owned();
    report.expectations = vec![expectation("P10 is dead", RowVerdict::Pass)];
    report.injections = vec![
        injection("sag-1", "sag", "supply", "617200.5", 3, "supply read back 8212 mV, P10 browned out twice", "power"),
        injection("noise", "bit errors", "bus", "277031.125", 3, "3 error frames, P05 error passive", "bus"),
    ];
    report.judge();
    report
}

fn injection(id: &str, kind: &str, target: &str, at: &str, activations: u64, effect: &str, class: &str) -> Injection {
    Injection {
        id: id.to_owned(),
        kind: kind.to_owned(),
        target: target.to_owned(),
        occurred_ms: None,
        at_ms: Some(ms(at)),
        duration_ms: None,
        again_ms: Vec::new(),
        activations,
        effect: effect.to_owned(),
        missing: 0,
        hint: String::new(),
        class: class.to_owned(),
        detected_ms: None,
        detected_as: String::new(),
        local_off_ms: None,
        all_off_ms: None,
    }
}

/// Slow flash breaks the budget of every pump, as the scenario says.
pub(crate) fn expected_fail() -> Report {
    let mut report = pass();
    report.scenario.name = "slow-flash".to_owned();
    report.inputs[0].path = "scenarios/slow flash.ron".to_owned();
    report.pumps.truncate(11);
    for (number, pump) in (1..).zip(&mut report.pumps) {
        let start = Millis::from_nanos(5_000_000_000 + (number - 1) * 97_000_000_000).to_string();
        *pump = updated(u8::try_from(number).unwrap(), &start, "94120.75");
    }
    report.pumps[10].update_ms = Some(ms("160000"));
    report.budgets[0] = pump_budget(&report.pumps, Standing::ExpectedToFail);
    report.expectations = vec![expectation("the budget pump_update fails", RowVerdict::Pass)];
    report.safety_frames = Some(SafetyFrames {
        times: vec![
            FramesTime::new(BUDGET_PUMP_UPDATE, ms("160000"), ms("62532.89496")),
            FramesTime::new(BUDGET_CAMPAIGN, ms("1063245.5"), ms("1063245.25")),
        ],
        not_compared: String::new(),
    });
    report.injections = vec![injection(
        "flash",
        "slow erase",
        "P01 to P11",
        "5448",
        44,
        "44 erases took 7.5 times their typical time",
        "flash",
    )];
    report.judge();
    report
}

/// Consent never came, so nothing was measured and a fault never acted.
pub(crate) fn inconclusive() -> Report {
    let mut report = empty("cut-while-asking");
    report.pumps = (1..=12).map(|number| not_reached(number, &format!("{number}"))).collect();
    report.campaign = Some(Campaign { consent: Consent::Unanswered, duration_ms: None, back_to_automatic_ms: None });
    report.budgets = vec![
        pump_budget(&report.pumps, Standing::Required),
        budget(BUDGET_BACK_TO_AUTOMATIC, "60000", &[], Standing::NotApplicable, &["PFU-042"]),
    ];
    report.checks = good_checks();
    report.checks[1] = check("one_pump_at_a_time", 0, RowVerdict::Inconclusive, "no update began", &["PFU-020"]);
    report.injections = vec![Injection {
        at_ms: None,
        ..injection("cut", "power cut", "P05, try 2, transfer at 50 %", "0", 0, "", "power")
    }];
    report.judge();
    report
}

pub(crate) fn not_reached(number: u8, patch: &str) -> Pump {
    Pump {
        id: format!("P{number:02}"),
        outcome: Outcome::NotReached,
        attempts: 0,
        update_ms: None,
        total_ms: Millis::ZERO,
        version_before: Some(format!("1.3.{patch}")),
        version_after: Some(format!("1.3.{patch}")),
        causes: Vec::new(),
        tries: Vec::new(),
    }
}

/// A pump's firmware panicked in the middle of the campaign.
pub(crate) fn error() -> Report {
    let mut report = pass();
    report.scenario.name = "hang-and-panic".to_owned();
    report.inputs[0].path = "scenarios/hang-and-panic.ron".to_owned();
    report.simulated_ms = ms("160112.000001");
    report.pumps.truncate(3);
    report.pumps[2] = Pump {
        attempts: 1,
        tries: vec![Try {
            outcome: TryOutcome::Interrupted,
            cause: None,
            ..bad_try(1, "141000", "19112.000001", "FW004")
        }],
        ..not_reached(3, "0")
    };
    report.campaign = Some(Campaign { consent: Consent::Given, duration_ms: None, back_to_automatic_ms: None });
    report.budgets[0] = pump_budget(&report.pumps, Standing::Required);
    report.budgets[1] = budget(BUDGET_BACK_TO_AUTOMATIC, "60000", &[], Standing::NotRun, &["PFU-042"]);
    report.budgets.truncate(2);
    let detail = "P03 at 2 min 40.112 s: attempt to subtract with overflow, bootloader.rs:212";
    report.checks.push(check("firmware_never_panics", 3, RowVerdict::Error, detail, &["PFU-050"]));
    report.expectations[0].verdict = RowVerdict::NotRun;
    report.judge();
    report
}

/// Only messages on a bus: no pumps, no campaign.
pub(crate) fn bus_alone() -> Report {
    let mut report = empty("bus-alone");
    report.bus.messages.push(message("0x18FF0001", 9, ["0.52", "12.3456", "117.25"]));
    let silent = Message { id: message_id(0x7FF, false), unsent: 4_210, ..Message::default() };
    report.bus.messages.push(silent);
    report.checks = vec![check("frames_never_lost", 1_284_113, RowVerdict::Pass, "", &[])];
    let mut worst = Budget::new("response", Relation::Within, fixed("120"), Some(fixed("0.1")), "ms");
    worst.measure(fixed("117.25"));
    worst.measure(fixed("0.368"));
    worst.judge(Standing::Required);
    let mut load = Budget::new("bus_load", Relation::AtMost, fixed("70"), None, "%");
    load.measure(fixed("61.904"));
    load.judge(Standing::Required);
    report.budgets = vec![worst, load];
    report.judge();
    report
}

/// Safety functions: reactions to faults one by one, the steps of the worst, voltages with thresholds, and a log.
pub(crate) fn reaction() -> Report {
    let mut report = empty("supply-faults");
    report.scenario.title = "Supply faults & <limits> of \"both\" CPUs".to_owned();
    let why = "the scenario disturbs the run with sag-1 and 10 more".to_owned();
    report.safety_frames = Some(SafetyFrames::not_compared(why));
    report.simulated_ms = ms("60000");
    report.safety_units = vec![
        SafetyUnit {
            id: "hall".to_owned(),
            modes: ["safe-state", "no-firmware"].map(str::to_owned),
            first_detected: Some(FirstDetected { fault: "supply-low".to_owned(), cpu: 2, at_ms: ms("14512.5") }),
            relays: Vec::new(),
            supply_mv_min: 8_212,
            supply_mv_max: 24_000,
            downloads: Vec::new(),
            lamp_lit_ms: vec![ms("3000.5"), ms("5000")],
        },
        SafetyUnit {
            id: "engine-room".to_owned(),
            modes: ["normal", "normal"].map(str::to_owned),
            relays: vec![0, 1],
            supply_mv_min: 23_950,
            supply_mv_max: 24_000,
            downloads: vec![
                Download { at_ms: ms("2500"), told: "stored".to_owned(), took_ms: Some(ms("1480")), stored: true },
                Download { at_ms: ms("59000"), told: "not-over".to_owned(), took_ms: None, stored: false },
            ],
            ..SafetyUnit::default()
        },
    ];
    report.bus.messages[0].name = "sync of engine-room".to_owned();
    let mut budget = Budget::new("fault-reaction", Relation::AtMost, fixed("500"), None, "ms");
    budget.requirements = requirement(&["SSR-044"]);
    let values = ["38.2", "17.25", "38.2", "41", "36.5", "203.75", "412.000125", "12", "88", "39.1", "40.01"];
    for (number, value) in (1..).zip(values) {
        budget.measure_at(&format!("sag-{number}"), fixed(value));
    }
    let step = |step: &str, at: &str| Step { step: step.to_owned(), at_ms: ms(at) };
    budget.decomposition = vec![
        step("occurred", "14312.31"),
        step("detected", "14512.5"),
        step("commanded", "14513.5"),
        step("outputs off", "14724.310125"),
    ];
    budget.limit_from = "response time of the configuration, 0 ms + 500 ms".to_owned();
    budget.judge(Standing::Required);
    let mut off = Budget::new("supply-outputs-off", Relation::Within, fixed("503"), Some(fixed("499")), "ms");
    off.requirements = requirement(&["SSR-009", "SSR-011"]);
    for (number, value) in (1..).zip(["501.2", "500.9", "501.5", "502.4", "500.1"]) {
        off.measure_at(&format!("sag-{number}"), fixed(value));
    }
    off.judge(Standing::Required);
    let mut logic = Budget::new("logic-time", Relation::AtMost, fixed("0.8125"), None, "ms");
    logic.requirements = requirement(&["SSR-014"]);
    logic.measure(fixed("0.2031"));
    logic.n = 59_998;
    logic.judge(Standing::Required);
    report.budgets = vec![budget, off, logic];
    report.checks = vec![check("no_spurious_trip", 59_998, RowVerdict::Pass, "", &["SSR-001"])];
    report.injections =
        vec![injection("sag-1", "sag", "supply", "14312.31", 11, "supply read back 8212 mV", "detected-safe")];
    report.injections[0].occurred_ms = Some(ms("14312.31"));
    report.injections[0].detected_ms = Some(ms("14512.5"));
    report.injections[0].detected_as = "supply-low".to_owned();
    report.injections[0].local_off_ms = Some(ms("14724.310125"));
    report.injections[0].all_off_ms = Some(ms("14730.5"));
    report.expectations = vec![expectation("safety unit hall detects supply-low first", RowVerdict::Pass)];
    report.series = vec![
        supply_with_sags(),
        Series {
            name: "3v3a".to_owned(),
            unit: "mV".to_owned(),
            t_ms: vec![ms("0"), ms("30000")],
            min: vec![fixed("3295"), fixed("3280")],
            max: vec![fixed("3305"), fixed("3310")],
            levels: vec![level("too low", Side::Floor, "3135"), level("too high", Side::Ceiling, "3465")],
            extremes: None,
        },
    ];
    report.events = Some(EventLog::of("events.jsonl", EVENTS));
    report.judge();
    report
}

fn level(name: &str, side: Side, value: &str) -> Level {
    Level { name: name.to_owned(), side, value: fixed(value) }
}

/// Two sags of different depth in a minute.
fn supply_with_sags() -> Series {
    let millivolts = |second: u64| match second {
        14 => 8_212,
        15 => 16_500,
        40 => 17_100,
        _ => 23_950,
    };
    Series {
        name: "supply".to_owned(),
        unit: "mV".to_owned(),
        t_ms: (0..60).map(|second| Millis::from_nanos(second * 1_000_000_000)).collect(),
        min: (0..60).map(|second| Fixed::scaled(millivolts(second), 0)).collect(),
        max: (0..60).map(|_| fixed("24000")).collect(),
        levels: vec![
            level("nodes switch off below", Side::Floor, "9000"),
            level("no update below", Side::Floor, "18000"),
        ],
        extremes: None,
    }
}

/// The log of [`reaction`].
pub(crate) const EVENTS: &str = concat!(
    r#"{"t_ms":0,"node":"CIOC","kind":"power-good","data":{"mv":24000}}"#,
    "\n",
    r#"{"t_ms":14312.31,"node":"supply","kind":"level","data":{"from_mv":8212,"injection":0,"to_mv":8212}}"#,
    "\n",
    r#"{"t_ms":14512.5,"node":"CPU1","kind":"alarm-raised","data":{"alarm":"supply <low> & \"late\""}}"#,
    "\n",
);
