//! The scenario files that are shipped, and how files build on each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cooltwin::kernel::Span;
use cooltwin::node::NodeId;
use cooltwin::scenario::Format;
use cooltwin::scenario::words::NodeName;
use cooltwin::scenario::{Code, End, FaultKind, FileSource, ImageSource, LoadError, Loaded, SCENARIO, Trigger, load};

use proptest::prelude::*;

struct Disk;

impl FileSource for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| error.to_string())
    }
}

/// Files in memory, by path.
struct Memory<'a>(&'a [(&'a str, &'a str)]);

impl FileSource for Memory<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let found = self.0.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such file".to_owned())
    }
}

fn good(files: &[(&str, &str)], overrides: &[&str]) -> Loaded {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    load(&Memory(files), Path::new(files[0].0), &overrides).unwrap_or_else(|error| match error {
        LoadError::Invalid(report) => panic!("{}", report.render(Format::Human, false)),
        LoadError::Unreadable(path, why) => panic!("{path}: {why}"),
    })
}

/// The configurations of safety units that are shipped, as scenarios name them.
fn configurations() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/safety");
    let entries =
        fs::read_dir(folder).expect("the folder of configurations").map(|entry| entry.expect("an entry").path());
    let named = |file: PathBuf| {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        (format!("safety/{name}"), fs::read_to_string(file).expect("a configuration"))
    };
    entries.map(named).collect()
}

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let entries = fs::read_dir(folder).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ron"));
    files.sort();
    files
}

fn load_shipped(file: &Path) -> Loaded {
    load(&Disk, file, &[]).unwrap_or_else(|error| match error {
        LoadError::Invalid(report) => panic!("{}", report.render(Format::Human, false)),
        LoadError::Unreadable(path, why) => panic!("{path}: {why}"),
    })
}

#[test]
fn every_shipped_scenario_is_valid_and_says_what_it_shows() {
    for file in shipped() {
        let loaded = load_shipped(&file);
        let text = fs::read_to_string(&file).expect("a text");
        assert!(text.starts_with("// "), "{} has no comment on top", file.display());
        assert!(!loaded.scenario.title.is_empty(), "{} has no title", file.display());
        assert_eq!(Some(loaded.scenario.name.as_str()), file.file_stem().and_then(|stem| stem.to_str()));
    }
}

#[test]
fn the_canonical_text_of_every_shipped_scenario_loads_as_the_same_scenario() {
    let configurations = configurations();
    let beside: Vec<(&str, &str)> = configurations.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    for file in shipped() {
        let scenario = load_shipped(&file).scenario;
        let text = scenario.resolved_text();
        let again = good(&[&[("elsewhere.ron", text.as_str())][..], &beside].concat(), &[]).scenario;
        assert_eq!(again, scenario, "{}", file.display());
        assert_eq!(again.sha256(), scenario.sha256());
    }
}

#[test]
fn shipped_scenarios_cover_every_kind_of_fault_trigger_defect_and_consent() {
    let mut shown = BTreeSet::new();
    for file in shipped() {
        let scenario = load_shipped(&file).scenario;
        shown.extend(scenario.faults.iter().map(|fault| format!("faults.kind.{}", fault.kind.name())));
        shown.extend(scenario.faults.iter().map(|fault| format!("faults.trigger.{}", fault.trigger.name())));
        shown.extend(
            scenario.package.image.defect.iter().map(|defect| format!("package.image.defect.{}", defect.name())),
        );
        shown.insert(format!("user.consent.{}", scenario.user.consent.name()));
    }
    let tops = ["faults.kind.", "faults.trigger.", "package.image.defect.", "user.consent."];
    let is_variant =
        |path: &String| tops.iter().any(|top| path.strip_prefix(top).is_some_and(|rest| !rest.contains('.')));
    let missing: Vec<String> =
        SCENARIO.paths().into_iter().filter(is_variant).filter(|path| !shown.contains(path)).collect();
    assert!(missing.is_empty(), "no shipped scenario shows {missing:?}");
}

#[test]
fn an_empty_file_is_the_nominal_run() {
    let scenario = good(&[("empty.ron", "()")], &[]).scenario;
    assert_eq!(scenario.name, "empty");
    assert_eq!(scenario.pumps.count, 14);
    assert_eq!(scenario.bus.bitrate.bits_per_second(), 250_000);
    assert_eq!(scenario.package.image.length.bytes(), 394_240);
    assert_eq!(scenario.protocol.st_min, Span::from_micros(500));
    assert_eq!(scenario.timing.reaction_latency, Span::from_micros(100));
    assert_eq!(scenario.end, End::AfterCampaign(Span::from_secs(60)));
    assert_eq!(scenario.time_limit, Span::from_secs(7_200));
    let limits: Vec<&str> = scenario.budgets.iter().map(|budget| budget.id.as_str()).collect();
    assert_eq!(limits, ["pump-update", "back-to-automatic", "campaign"]);
    let times = scenario.flash_times();
    assert_eq!((times.sector_erase, times.word_program), (Span::from_secs(1), Span::from_micros(16)));
}

#[test]
fn a_file_changes_only_what_it_names_of_the_file_it_extends() {
    let base = "(seed: 7, supply: (nominal: \"26V\", brown_out: \"8V\"), tags: [\"a\", \"b\"])";
    let file = "(extends: \"../base.ron\", supply: (nominal: \"23V\"), tags: [\"c\"])";
    let scenario = good(&[("s/file.ron", file), ("base.ron", base)], &[]).scenario;
    assert_eq!(scenario.seed, 7);
    assert_eq!(scenario.supply.nominal.millivolts(), 23_000, "the file's own value");
    assert_eq!(scenario.supply.brown_out.millivolts(), 8_000, "the base's value, since sections merge");
    assert_eq!(scenario.supply.resistance.milliohms(), 50, "the default");
    assert_eq!(scenario.tags, ["c"], "lists are replaced");
}

#[test]
fn faults_add_appends_and_faults_replaces() {
    let fault = |kind: &str| format!("(kind: {kind}, place: Cioc, trigger: At(\"1s\"))");
    let base = format!("(faults: [{}])", fault("Reset"));
    let add = format!("(extends: \"base.ron\", faults_add: [{}])", fault("Hang"));
    let replace = format!("(extends: \"base.ron\", faults: [{}])", fault("Hang"));
    let kinds = |file: &str| -> Vec<FaultKind> {
        let loaded = good(&[("file.ron", file), ("base.ron", &base)], &[]);
        loaded.scenario.faults.iter().map(|fault| fault.kind.clone()).collect()
    };
    assert_eq!(kinds(&add), [FaultKind::Reset, FaultKind::Hang]);
    assert_eq!(kinds(&replace), [FaultKind::Hang]);
}

#[test]
fn overrides_are_laid_over_the_file_in_their_order() {
    let file = "(faults: [(kind: Reset, place: Cioc, trigger: At(\"1s\"))], user: (consent: Agree(after: \"9s\")))";
    let set = [
        "supply.nominal=22V",
        "supply.nominal = \"23V\"",
        "faults[0].trigger=At(\"3s\")",
        "user.consent.after=11s",
        "seed=42",
        "tags=[\"x\"]",
        "cioc_update=(at: \"5s\")",
        "flash.profile=Stm32f4Maximum",
    ];
    let scenario = good(&[("file.ron", file)], &set).scenario;
    assert_eq!(scenario.supply.nominal.millivolts(), 23_000);
    assert_eq!(scenario.faults[0].trigger, Trigger::At(Span::from_secs(3)));
    assert_eq!(scenario.seed, 42);
    assert_eq!(scenario.tags, ["x"]);
    assert_eq!(scenario.cioc_update.as_ref().map(|outage| outage.duration), Some(Span::from_secs(120)));
    assert!(scenario.resolved_text().contains("Agree(after: \"11s\")"));
    assert!(scenario.resolved_text().contains("Stm32f4Maximum"));
}

#[test]
fn title_and_purpose_are_not_inherited() {
    let base = "(title: \"The base\", purpose: \"Another story.\", seed: 7, pumps: (count: 3))";
    let story = |own: &str| {
        let file = format!("({own} extends: \"base.ron\")");
        let scenario = good(&[("cut.ron", &file), ("base.ron", base)], &[]).scenario;
        assert_eq!((scenario.seed, scenario.pumps.count), (7, 3), "all else is");
        (scenario.name.clone(), scenario.title.clone(), scenario.purpose.clone())
    };
    let told = |title: &str, purpose: &str| ("cut".to_owned(), title.to_owned(), purpose.to_owned());
    assert_eq!(story(""), told("", ""));
    assert_eq!(story("title: \"A cut\","), told("A cut", ""));
    assert_eq!(story("title: \"A cut\", purpose: \"What it shows.\","), told("A cut", "What it shows."));
}

/// A shipped scenario says what it is for; one that is only extended needs no purpose.
#[test]
fn every_shipped_scenario_tells_its_own_story() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    for folder in ["", "campaigns", "searches", "sweeps"] {
        for entry in fs::read_dir(shipped.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).unwrap_or_default();
            let is_scenario = path.extension().is_some_and(|end| end == "ron") && !text.contains("base: \"");
            if is_scenario && !path.ends_with("scenarios/base.ron") {
                let scenario = load(&Disk, &path, &[]).unwrap_or_else(|why| panic!("{why:?}")).scenario;
                assert!(!scenario.title.is_empty() && !scenario.purpose.is_empty(), "{}", path.display());
            }
        }
    }
}

#[test]
fn an_image_file_is_found_beside_the_file_that_names_it() {
    let base = "(package: (image: (source: File(\"fw.bin\"))))";
    let files = [("s/file.ron", "(extends: \"../lib/base.ron\")"), ("lib/base.ron", base), ("lib/fw.bin", "abc")];
    let loaded = good(&files, &[]);
    assert_eq!(loaded.scenario.package.image.source, ImageSource::File("fw.bin".to_owned()));
    assert_eq!(loaded.image.as_deref(), Some(b"abc".as_slice()));
    let read: Vec<&Path> = loaded.inputs.iter().map(|input| input.file.as_path()).collect();
    assert_eq!(read, ["s/file.ron", "lib/base.ron", "lib/fw.bin"].map(Path::new));
    let told: Vec<&str> = loaded.inputs.iter().map(|input| input.path.as_str()).collect();
    assert_eq!(told, ["file.ron", "../lib/base.ron", "../lib/fw.bin"], "seen from the scenario's folder");
    // FIPS 180-2, appendix B.1: SHA-256 of "abc".
    assert_eq!(loaded.inputs[2].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/// What is wrong with `file`, one line each.
fn refused(files: &[(&str, &str)]) -> String {
    match load(&Memory(files), Path::new(files[0].0), &[]) {
        Err(LoadError::Invalid(report)) => report.render(Format::Short, false),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_is_at_most_as_long_as_the_slot_of_the_pumps() {
    // 4 sectors of 128 KiB, less the 4 bytes of the valid marker.
    let most = 4 * 128 * 1_024 - 4;
    let made_up = |length: usize| format!("(package: (image: (length: \"{length}B\")))");
    assert_eq!(good(&[("f.ron", &made_up(most))], &[]).scenario.package.image.length.bytes(), 524_284);
    let text = refused(&[("f.ron", &made_up(most + 1))]);
    assert!(text.contains("error[S008]: `length` is out of range (must be from 1KiB to 524284B)"), "{text}");
    let file = "(package: (image: (source: File(\"fw.bin\"))))";
    let (fits, too_long) = ("x".repeat(most), "x".repeat(most + 1));
    assert_eq!(good(&[("f.ron", file), ("fw.bin", &fits)], &[]).image.map(|image| image.len()), Some(most));
    let text = refused(&[("f.ron", file), ("fw.bin", &too_long)]);
    assert!(text.contains("it holds 524285 bytes; an image has 1 to 524284"), "{text}");
}

#[test]
fn a_bit_rate_without_a_whole_bit_time_is_refused() {
    // 10^9 / 300,000 = 3333.3 ns; the bus counts whole nanoseconds.
    let text = refused(&[("f.ron", "(bus: (bitrate: \"300kbit/s\"))")]);
    assert!(text.contains("error[S014]: at 300kbit/s a bit lasts no whole number of nanoseconds"), "{text}");
    assert_eq!(
        good(&[("f.ron", "(bus: (bitrate: \"125kbit/s\"))")], &[]).scenario.bus.bitrate.bits_per_second(),
        125_000
    );
}

#[test]
fn a_file_image_cannot_be_made_for_another_model() {
    let file = "(package: (image: (source: File(\"fw.bin\"), defect: ForModel(\"AROS-40\"))))";
    let text = refused(&[("f.ron", file), ("fw.bin", "abc")]);
    assert!(text.contains("error[S014]: the header of an image file names its own model"), "{text}");
}

#[test]
fn a_bad_item_hides_no_problem_elsewhere_and_causes_none() {
    let file =
        "(pumps: (count: \"many\"), faults: [(kind: Reset, place: Pump(15), trigger: At(\"1s\"))], time_limit: \"1x\",
        budgets: [(id: \"b\", measure: BusLoad, relation: AtMost, limit: \"1s\")])";
    let Err(LoadError::Invalid(report)) = load(&Memory(&[("f.ron", file)]), Path::new("f.ron"), &[]) else {
        panic!("accepted");
    };
    let codes: Vec<Code> = report.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [Code::WrongType, Code::BadQuantity, Code::Contradiction], "pump 15 may well be one of many");
}

/// The codes and places of everything that is wrong with `file`.
fn codes(file: &str) -> Vec<(String, Code)> {
    let Err(LoadError::Invalid(report)) = load(&Memory(&[("f.ron", file)]), Path::new("f.ron"), &[]) else {
        panic!("accepted");
    };
    let text = |one: &cooltwin::scenario::Diagnostic| file[one.place.span.clone()].to_owned();
    report.diagnostics.iter().map(|one| (text(one), one.code)).collect()
}

/// Every list with one item that cannot be read and others that make no sense: all are told, nothing of the stand-ins.
#[test]
fn an_unreadable_item_hides_nothing_of_the_other_items_of_its_list() {
    let own = |list: &[(&str, Code)]| list.iter().map(|(text, code)| ((*text).to_owned(), *code)).collect::<Vec<_>>();
    let faults = "(pumps: (count: 4), faults: [(kind: PowerCut, place: Pump(7), trigger: At(\"5s\")),
        (kind: PowerCut, place: Pump(2), trigger: At(\"5 sec\")), (kind: Sag(to: \"8V\"), place: Bus, trigger: At(\"5s\")), 7])";
    assert_eq!(
        codes(faults),
        own(&[
            ("7", Code::NoSuchThing),
            ("\"5 sec\"", Code::BadQuantity),
            ("Bus", Code::ImpossibleFault),
            ("7", Code::WrongType)
        ])
    );
    let same_item =
        "(pumps: (count: 4), faults: [(kind: Sag(to: \"8X\"), place: Pump(9), trigger: When(pump: 8, phase: Eras),
        duration: \"1s\")])";
    assert_eq!(
        codes(same_item),
        own(&[
            ("\"8X\"", Code::BadQuantity),
            ("9", Code::NoSuchThing),
            ("8", Code::NoSuchThing),
            ("Eras", Code::UnknownVariant)
        ])
    );
    let pumps = "(pumps: (count: 4, overrides: [(pump: 9), (pump: \"two\"), (pump: 3, boot: \"1x\"), (pump: 3)]))";
    assert_eq!(
        codes(pumps),
        own(&[
            ("9", Code::NoSuchThing),
            ("\"two\"", Code::WrongType),
            ("\"1x\"", Code::BadQuantity),
            ("3", Code::Duplicate)
        ])
    );
    let traffic = "(traffic: [(name: \"a\", node: \"P99\", id: 0x1, period: \"1s\"), (name: \"b\", node: \"CIOC\", id: x, period: \"1s\", jitter: \"2s\"),
        (name: \"c\", node: \"CIOC\", id: 0x2, period: \"1x\", jitter: \"2s\"), (name: \"a\", node: \"CIOC\", id: 0x3, period: \"1s\")])";
    assert_eq!(
        codes(traffic),
        own(&[
            ("\"P99\"", Code::NoSuchThing),
            ("x", Code::BadWord),
            ("\"2s\"", Code::Contradiction),
            ("\"1x\"", Code::BadQuantity),
            ("\"a\"", Code::Duplicate)
        ])
    );
    let budgets = "(budgets: [(id: \"a\", measure: BusLod, relation: AtMost, limit: \"1s\"), (id: \"b\", measure: Flow, relation: AtMost, limit: \"1s\")])";
    assert_eq!(codes(budgets), own(&[("BusLod", Code::UnknownVariant), ("\"1s\"", Code::Contradiction)]));
    let expectations =
        "(pumps: (count: 4), expectations: [Outcome(pumps: Only([6]), is: Updatd), Outcome(is: Dead), Verdikt(Pass),
        Outcome(pumps: Only([2]), is: Updated), Attempts(pumps: Only([5]))])";
    assert_eq!(
        codes(expectations),
        own(&[
            ("6", Code::NoSuchThing),
            ("Updatd", Code::UnknownVariant),
            ("Verdikt", Code::UnknownVariant),
            ("Outcome(pumps: Only([2]), is: Updated)", Code::Contradiction),
            ("5", Code::NoSuchThing)
        ])
    );
}

#[test]
fn keys_of_a_made_up_image_are_refused_beside_a_file_and_warned_of_where_they_are_inherited() {
    let refused = |keys: &str| {
        let file = format!("(package: (image: (source: File(\"fw.bin\"), {keys})))");
        match load(&Memory(&[("f.ron", &file), ("fw.bin", "abc")]), Path::new("f.ron"), &[]) {
            Err(LoadError::Invalid(report)) => report.render(Format::Short, false),
            other => panic!("{other:?}"),
        }
    };
    for key in ["version: \"2.0.0\"", "length: \"1KiB\"", "seed: 7", "model: \"AROS-40\""] {
        let text = refused(key);
        let name = key.split(':').next().expect("a name");
        let message = format!("error[S014]: `package.image.{name}` says nothing of an image file: `fw.bin` decides");
        assert!(text.contains(&message) && text.lines().count() == 1, "{text}");
    }
    let base = "(package: (image: (length: \"48KiB\")))";
    let file = "(extends: \"base.ron\", package: (image: (source: File(\"fw.bin\"))))";
    let loaded = good(&[("f.ron", file), ("base.ron", base), ("fw.bin", "abc")], &[]);
    let text = loaded.warnings().render(Format::Short, false);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("base.ron:1:28: warning[S014]: `package.image.length` says nothing"), "{text}");
    assert!(lines[1].contains("warning[S014]: no pump takes `fw.bin`: it has 3 bytes, fewer than the 64"), "{text}");
    // The canonical text of such a scenario has all keys, and loads.
    let again = loaded.scenario.resolved_text();
    assert_eq!(good(&[("again.ron", &again), ("fw.bin", "abc")], &[]).scenario, loaded.scenario);
    assert!(good(&[("seeded.ron", base)], &[]).warnings.is_empty());
}

/// An image for a model that no pump has would be refused by all of them, as one without a header.
#[test]
fn an_image_file_for_a_model_of_no_pump_is_warned_of() {
    use protocol::header::{ImageHeader, ModelId, Version};
    struct Image(u16);
    impl FileSource for Image {
        fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
            if path.ends_with("fw.bin") {
                let (version, payload) = (Version { major: 2, minor: 0, patch: 0 }, b"123456789");
                // The published check value of CRC-32/ISO-HDLC over these nine bytes.
                let head = ImageHeader { model: ModelId(self.0), version, length: 73, payload_crc: 0xCBF4_3926 };
                return Ok([&head.encode()[..], payload].concat());
            }
            let text = "(pumps: (count: 2, overrides: [(pump: 2, model: \"AROS-40\")]),
                package: (image: (source: File(\"fw.bin\"))))";
            Ok(text.as_bytes().to_vec())
        }
    }
    let warned = |id: u16| {
        let loaded = load(&Image(id), Path::new("f.ron"), &[]).expect("a scenario");
        loaded.warnings().render(Format::Short, false)
    };
    assert_eq!((warned(1), warned(2)), (String::new(), String::new()));
    let said = "no pump takes `fw.bin`: it is for model id 9, and the pumps have 1 (AROS-25), 2 (AROS-40)";
    assert!(warned(9).contains(said), "{}", warned(9));
}

/// One pump and an image of 2 KiB, which must be updated with these keys besides.
fn updated(more: &str) -> Loaded {
    let text = format!(
        "({more} end: AfterCampaign(\"1s\"), pumps: (count: 1), user: (consent: Agree(after: \"1s\")),
        package: (image: (length: \"2KiB\", version: \"300.0.65535\")),
        expectations: [Outcome(is: Updated), VersionAfter(version: \"300.0.65535\")], budgets: [])"
    );
    good(&[("f.ron", &text)], &[])
}

/// The run's fingerprint and what it says of its pump.
fn pump_of(loaded: &Loaded) -> (String, reports::Outcome, Vec<String>) {
    let run = cooltwin::run::run(&loaded.scenario, None, |_| {});
    let report = cooltwin::run::report(loaded, &run, &cooltwin::run::Identity::default());
    let held = report.expectations.iter().all(|row| row.verdict == reports::RowVerdict::Pass);
    let pump = &report.pumps[0];
    assert_eq!(held, pump.outcome == reports::Outcome::Updated, "{:?}", report.expectations);
    (report.fingerprint.all.clone(), pump.outcome, pump.causes.clone())
}

/// Both ends of the range of block lengths work, and beyond them the pump refuses them or they act no more.
#[test]
fn blocks_are_as_short_and_as_long_as_pumps_take_them() {
    use cooltwin::scenario::quantity::Size;
    use cooltwin::scenario::{RawScenario, Scenario};

    let lengths = protocol::header::HEADER_LEN..=protocol::uds::BLOCK_LEN;
    let ends = [*lengths.start(), *lengths.end()].map(|bytes| {
        let run = pump_of(&updated(&format!("protocol: (block_len: \"{bytes}B\"),")));
        assert_eq!(run.1, reports::Outcome::Updated, "{bytes}");
        run
    });
    assert_ne!(ends[0].0, ends[1].0);
    let beyond = |bytes: u32| {
        let mut raw = RawScenario::clone(&updated("").scenario);
        raw.protocol.block_len = Size::new(bytes);
        let scenario: Scenario = raw.check().expect("its range is looked at where it is read");
        pump_of(&Loaded::of(scenario))
    };
    let (_, outcome, causes) = beyond(60);
    assert_ne!(outcome, reports::Outcome::Updated, "the first block lacks a part of the header");
    assert!(causes.iter().any(|cause| cause.contains("FW104")), "{causes:?}");
    assert_eq!(beyond(1_028).0, ends[1].0, "the pump takes no longer ones");
    for refused in ["60B", "63B", "66B", "1022B", "1025B", "1028B"] {
        let text = format!("(protocol: (block_len: \"{refused}\"))");
        assert!(load(&Memory(&[("f.ron", &text)]), Path::new("f.ron"), &[]).is_err(), "{refused}");
    }
}

/// Each separation time that the loader takes acts as it is written.
#[test]
fn separation_times_act_as_they_are_written() {
    let run = |gap: &str| {
        let (fingerprint, outcome, _) = pump_of(&updated(&format!("protocol: (st_min: \"{gap}\"),")));
        assert_eq!(outcome, reports::Outcome::Updated, "{gap}");
        fingerprint
    };
    let runs: BTreeSet<String> = ["0us", "800us", "900us", "1ms", "2ms", "127ms"].map(run).into();
    assert_eq!(runs.len(), 6);
    for refused in ["50us", "550us", "950us", "900.001us", "1500us", "126.9ms", "128ms"] {
        let text = format!("(protocol: (st_min: \"{refused}\"))");
        assert!(load(&Memory(&[("f.ron", &text)]), Path::new("f.ron"), &[]).is_err(), "{refused}");
    }
}

#[test]
fn values_are_located_in_the_file_that_wrote_them() {
    let files = [("file.ron", "(\n  extends: \"base.ron\",\n)"), ("base.ron", "(\n\n  budgets: [],\n  seed: 3,\n)")];
    let loaded = good(&files, &[]);
    assert_eq!(loaded.locate("seed"), Some(("base.ron", 4)));
    assert_eq!(loaded.locate("budgets[0].limit"), Some(("base.ron", 3)));
}

#[test]
fn a_replaced_list_forgets_where_the_old_one_stood() {
    let base = "(faults: [(kind: Hang, place: Cioc, trigger: At(\"1s\"),\n duration: \"1s\")])";
    let file = "(extends: \"base.ron\", faults: [(kind: Hang, place: Cioc, trigger: At(\"1s\"))])";
    let loaded = good(&[("file.ron", file), ("base.ron", base)], &[]);
    assert_eq!(loaded.locate("faults[0].duration"), Some(("file.ron", 1)));
}

#[test]
fn pumps_and_nodes_have_what_their_overrides_say() {
    let file =
        "(pumps: (count: 3, overrides: [(pump: 2, version: \"1.2.3\", boot: \"4s\")]), further_nodes: [\"gateway\"])";
    let scenario = good(&[("f.ron", file)], &[]).scenario;
    let pumps: Vec<_> = scenario.pump_setups().collect();
    assert_eq!(pumps.len(), 3);
    assert_eq!((pumps[1].version.to_string(), pumps[1].boot), ("1.2.3".to_owned(), Span::from_secs(4)));
    assert_eq!((pumps[2].version.to_string(), pumps[2].boot), ("1.0.0".to_owned(), Span::from_millis(300)));
    assert_eq!(scenario.node_id(&NodeName::parse("gateway")), Some(NodeId::FIRST_FURTHER));
    assert_eq!(scenario.node_id(&NodeName::parse("P03")), Some(NodeId::new(3)));
    assert_eq!(scenario.node_id(&NodeName::parse("P04")), None);
}

/// Loads whatever it is given, and prints what is wrong with it.
fn digest(text: &str, overrides: &[String]) {
    if let Err(LoadError::Invalid(report)) = load(&Memory(&[("f.ron", text)]), Path::new("f.ron"), overrides) {
        assert!(!report.diagnostics.is_empty(), "refused without a reason: {text}");
        for format in [Format::Human, Format::Short, Format::Json] {
            assert!(!report.render(format, true).is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_scenario_is_refused_or_read_but_never_a_panic(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        cut in 0_usize..40,
        insert in prop_oneof!["\\PC{0,4}", "[-(){}\\[\\],:\"é0-9]{0,6}", Just("/*".to_owned()), Just("(((((((".to_owned())],
    ) {
        let files = shipped();
        let text = fs::read_to_string(file.get(&files)).expect("a text").replace("extends", "title");
        let chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let rest = chars.iter().skip(at + cut);
        let damaged: String = chars.iter().take(at).copied().chain(insert.chars()).chain(rest.copied()).collect();
        digest(&damaged, &[]);
    }

    #[test]
    fn no_override_is_a_panic(
        path in prop_oneof![prop::sample::select(SCENARIO.paths()), "[a-z0-9.\\[\\]]{0,12}"],
        value in prop_oneof!["\\PC{0,12}", "[0-9.]{1,6}(s|V|%|ppm|)"],
    ) {
        digest("(faults: [(kind: Reset, place: Cioc, trigger: At(\"1s\"))])", &[format!("{path}={value}")]);
    }
}
