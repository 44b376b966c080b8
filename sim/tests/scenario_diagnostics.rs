//! Every mistake in a scenario file, and what is said about it.
//!
//! The files stand in `tests/bad-scenarios`; what is printed for each is a snapshot beside this test.

use std::fs;
use std::path::{Path, PathBuf};

use cooltwin::scenario::{Code, FileSource, Format, LoadError, Report, load};

/// The folder of this test, so that messages hold no path of the machine.
struct TestFolder;

impl FileSource for TestFolder {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        fs::read(folder().join(path)).map_err(|_| "no such file".to_owned())
    }

    fn names(&self, _: &Path) -> Vec<String> {
        fs::read_dir(folder())
            .expect("the folder of bad scenarios")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
            .collect()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-scenarios")
}

fn bad_files() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the folder of bad scenarios");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name")).collect();
    names.sort();
    names
}

fn report(file: &str, overrides: &[&str]) -> Report {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    match load(&TestFolder, Path::new(file), &overrides) {
        Err(LoadError::Invalid(report)) => report,
        Err(LoadError::Unreadable(path, why)) => panic!("{path} cannot be read: {why}"),
        Ok(_) => panic!("{file} is accepted"),
    }
}

#[test]
fn every_bad_file_is_explained() {
    for file in bad_files() {
        let text = report(&file, &[]).render(Format::Human, false);
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(file.trim_end_matches(".ron"), text);
        });
    }
}

/// The last points that come, and the first ones of the phases that only begin.
#[test]
fn points_of_an_update_that_come_are_accepted() {
    for (phase, progress) in [("Transfer", "100%"), ("Erase", "75%"), ("Check", "0%"), ("Status", "0%")] {
        let trigger = format!("When(pump: 1, phase: {phase}, progress: \"{progress}\")");
        let text = format!("(faults: [(kind: Reset, place: Pump(1), trigger: {trigger})])");
        let beyond = text.replace("%", ".1%");
        assert!(memory_load(&[("f.ron", &text)], &[]).is_ok(), "{text}");
        assert!(phase == "Transfer" || memory_load(&[("f.ron", &beyond)], &[]).is_err(), "{beyond}");
    }
}

#[test]
fn overrides_are_diagnosed_like_files() {
    let overrides = [
        "supply.nominal=22",
        "supply.nominal=22 V olt",
        "suply.nominal=22V",
        "supply.nominl=22V",
        "pumps.count=99",
        "faults[3].duration=1s",
        "faults[0].kind=PowerCut",
        "budgets[7].limit=1s",
        "pumps.overrides[0].pump=1",
        "protocol.st_min=1500us",
        "protocol.block_len=66B",
        "pumps.count=300",
        "user.consent.after.more=1s",
        "nothing",
        "seed=",
        "tags=[a",
        "faults=[(kind: PowerCut place: Supply, trigger: At(\"1s\"))]",
        "faults=[(kind: Sag(to: \"8V\", place: Supply, trigger: At(\"1s\"))]",
    ];
    let files = [("minimal.ron", "()")];
    let text: String = overrides.iter().map(|one| memory_report(&files, &[one]).render(Format::Human, false)).collect();
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("overrides", text);
    });
}

/// An override that makes another value wrong is what is pointed at, and of several the one that does.
#[test]
fn what_stems_from_an_override_is_told_of_it() {
    let fault = "(faults: [(kind: PowerCut, place: Pump(7), trigger: When(pump: 7, phase: Erase), duration: \"1s\")],\n\
                 expectations: [Attempts(pumps: Only([3, 7]))])";
    let files = [("fault.ron", fault)];
    let cases: [&[&str]; 5] = [
        &["supply.brown_out=12V"],
        &["supply.power_good=8V"],
        &["title=harmless", "pumps.count=5", "seed=4"],
        &["supply.nominal=23V", "supply.nominal=23", "suply.nominal=23V"],
        &["supply.brown_out=12V", "supply.brown_out=13V"],
    ];
    let text: String = cases.iter().map(|set| memory_report(&files, set).render(Format::Human, false)).collect();
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("overrides-that-break-others", text);
        let short = memory_report(&files, cases[3]).render(Format::Short, false);
        insta::assert_snapshot!("overrides-short", short);
    });
}

/// Loads the first of `files` from memory; it must be wrong.
fn memory_report(files: &[(&str, &str)], overrides: &[&str]) -> Report {
    match memory_load(files, overrides) {
        Err(LoadError::Invalid(report)) => report,
        Err(LoadError::Unreadable(path, why)) => panic!("{path} cannot be read: {why}"),
        Ok(()) => panic!("{overrides:?} is accepted"),
    }
}

/// Loads the first of `files` from memory.
fn memory_load(files: &[(&str, &str)], overrides: &[&str]) -> Result<(), LoadError> {
    struct Memory<'a>(&'a [(&'a str, &'a str)]);
    impl FileSource for Memory<'_> {
        fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
            let found = self.0.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such file".to_owned())
        }
    }
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    load(&Memory(files), Path::new(files[0].0), &overrides).map(|_| ())
}

#[test]
fn short_and_json_forms_have_one_line_each() {
    let report = report("units.ron", &[]);
    for format in [Format::Short, Format::Json] {
        let text = report.render(format, false);
        assert_eq!(text.lines().count(), report.diagnostics.len());
    }
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("short-form", report.render(Format::Short, false));
        insta::assert_snapshot!("json-form", report.render(Format::Json, false));
    });
}

/// A file of one kind given to the commands of each other kind: one diagnostic, which says what it is.
#[test]
fn a_file_of_another_kind_is_told_as_such() {
    use cooltwin::campaign::load_campaign;
    use cooltwin::safety::load as load_configuration;
    use cooltwin::search::load_search;

    let shipped = |file: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(file);
    let files = [
        ("scenario", shipped("nominal-11.ron")),
        ("campaign file", shipped("campaigns/pump-update.ron")),
        ("search file", shipped("searches/pump-update.ron")),
        ("configuration of safety units", shipped("safety/pump-feed.ron")),
    ];
    let disk = cooltwin::cli::Disk;
    for (is, file) in &files {
        let read = [
            ("scenario", load(&disk, file, &[]).err()),
            ("campaign file", load_campaign(&disk, file).err()),
            ("search file", load_search(&disk, file).err()),
            ("configuration of safety units", load_configuration(&disk, file).err()),
        ];
        for (wanted, error) in read {
            match error {
                None => assert_eq!(*is, wanted),
                Some(LoadError::Invalid(report)) => {
                    let messages: Vec<&str> = report.diagnostics.iter().map(|one| one.message.as_str()).collect();
                    assert_eq!(messages, [format!("this is a {is}, not a {wanted}")]);
                    assert_eq!(report.diagnostics[0].code, Code::WrongFile);
                }
                Some(LoadError::Unreadable(path, why)) => panic!("{path}: {why}"),
            }
        }
    }
}

/// A mistake in a file of the right kind stays a mistake in it, and no type of the program is named.
#[test]
fn a_mistake_in_a_campaign_is_told_in_the_words_of_campaigns() {
    let file = "(base: \"base.ron\", pumps: (count: 3), faults: [])";
    struct One(&'static str);
    impl FileSource for One {
        fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
            Ok(self.0.as_bytes().to_vec())
        }
    }
    match cooltwin::campaign::load_campaign(&One(file), Path::new("mine.ron")) {
        Err(LoadError::Invalid(report)) => {
            let text = report.render(Format::Short, false);
            assert!(text.contains("unknown field `pumps` in `Campaign`"), "{text}");
            assert!(text.contains("field `plan` is missing") && !text.contains("Raw"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_near_file_is_one_that_could_be_meant() {
    struct Names;
    impl FileSource for Names {
        fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
            Err("no such file".to_owned())
        }

        fn names(&self, _: &Path) -> Vec<String> {
            ["s.ron", "small.ron", "nominal-12.ron", "nominal-14.ron", "notes.txt", "base.ron"]
                .map(str::to_owned)
                .into()
        }
    }
    let near =
        |name: &str| cooltwin::scenario::near_file(&Names, Path::new(name)).map(|path| path.display().to_string());
    let wanted = [
        ("q.ron", None),
        ("no", None),
        ("a.ron", None),
        ("case.ron", Some("base.ron")),
        ("smal.ron", Some("small.ron")),
        ("Small.ron", Some("small.ron")),
        ("small", Some("small.ron")),
        ("nominal-13.ron", Some("nominal-12.ron")),
        ("nominal14.ron", Some("nominal-14.ron")),
        ("note.ron", None),
        ("maximal-load.ron", None),
    ];
    for (name, wanted) in wanted {
        assert_eq!(near(name).as_deref(), wanted, "{name}");
    }
}

#[test]
fn every_code_is_shown_by_a_bad_file() {
    let mut seen: Vec<Code> =
        bad_files().iter().flat_map(|file| report(file, &[]).diagnostics).map(|d| d.code).collect();
    seen.push(memory_report(&[("minimal.ron", "()")], &["nothing"]).diagnostics[0].code);
    // Scenarios draw nothing; `tests/campaign.rs` shows it.
    seen.push(Code::BadDraw);
    let unseen: Vec<Code> = Code::ALL.into_iter().filter(|code| !seen.contains(code)).collect();
    assert!(unseen.is_empty(), "no bad file shows {unseen:?}");
}

#[test]
fn nine_files_that_extend_each_other_are_too_many() {
    let names: Vec<String> = (0..10).map(|n| format!("{n}.ron")).collect();
    let text = |n: usize| if n < 9 { format!("(extends: \"{}.ron\")", n + 1) } else { "()".to_owned() };
    let texts: Vec<String> = (0..10).map(text).collect();
    let files: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let report = memory_report(&files, &[]);
    assert_eq!(report.diagnostics.len(), 1);
    assert_eq!(report.diagnostics[0].code, Code::Extends);
    assert_eq!(report.sources.len(), 8, "eight files are read");
}
