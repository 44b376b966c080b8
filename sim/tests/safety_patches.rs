//! Controls of measures of the safety unit that have no fault of their own to muffle: each is taken out of a copy of the firmware by a
//! patch of `tests/patches`, and what shows the measure must fail. The firmware itself has no way to switch one off.
//!
//! The head of a patch says what it does, each in a line of its own:
//!
//! | Word | What follows |
//! |---|---|
//! | `Measure` | the measure that it takes away |
//! | `Fault` | instead of that: what it makes the firmware do wrong, which a measure must find |
//! | `On` | the patch that comes before it |
//! | `Red` | a test of the crate that must fail then |
//! | `Green` | a test of the crate that it brings, and that must pass |
//! | `Twin` | a number, and a scenario that must fail in a twin built on all patches with that number |
//!
//! Patches of different source files are built together: their tests are those of the module that each of them changes.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::shipped;

const CRATES: [&str; 2] = ["safety-cpu1", "safety-cpu2"];
/// What a build of the workspace needs beside its packages' manifests and sources.
const COPIED: [&str; 7] = ["Cargo.toml", "Cargo.lock", "firmware-under-test", "sim", "reports", "benches", "scenarios"];
/// Folders that no build needs.
const LEFT: [&str; 6] = ["tests", "snapshots", "golden", "gallery", "node_modules", "target"];

/// Sources by their path in the workspace.
type Sources = BTreeMap<String, String>;

/// Lines that are replaced in a file, and by what.
#[derive(Clone, Debug)]
struct Hunk {
    path: String,
    old: String,
    new: String,
}

#[derive(Clone, Debug, Default)]
struct Patch {
    name: String,
    head: Vec<(String, String)>,
    hunks: Vec<Hunk>,
}

impl Patch {
    fn parse(name: &str, text: &str) -> Self {
        let mut patch = Self { name: name.to_owned(), ..Self::default() };
        let mut path = String::new();
        for line in text.lines() {
            let hunk = patch.hunks.last_mut();
            if let Some(new) = line.strip_prefix("+++ b/") {
                path = new.to_owned();
            } else if line.starts_with("--- a/") {
                path.clear();
            } else if line.starts_with("@@") {
                patch.hunks.push(Hunk { path: path.clone(), old: String::new(), new: String::new() });
            } else if let Some(hunk) = hunk {
                let (kind, own) = line.split_at_checked(1).unwrap_or((" ", ""));
                let own = format!("{own}\n");
                if kind != "+" {
                    hunk.old += &own;
                }
                if kind != "-" {
                    hunk.new += &own;
                }
            } else {
                let (word, what) = line.split_once(": ").unwrap_or_else(|| panic!("{name}: {line}"));
                patch.head.push((word.to_owned(), what.to_owned()));
            }
        }
        patch
    }

    fn all<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        self.head.iter().filter(move |(own, _)| own == word).map(|(_, what)| &**what)
    }

    /// Changes sources; each place must be there once.
    fn apply(&self, sources: &mut Sources) {
        for Hunk { path, old, new } in &self.hunks {
            let text = sources.get_mut(path).unwrap_or_else(|| panic!("{}: {path} is not there", self.name));
            let places: Vec<usize> = text.match_indices(&**old).map(|(at, _)| at).collect();
            assert_eq!(places.len(), 1, "{}: places in {path} that read\n{old}", self.name);
            text.replace_range(places[0]..places[0] + old.len(), new);
        }
    }

    fn files(&self) -> BTreeSet<&str> {
        self.hunks.iter().map(|hunk| &*hunk.path).collect()
    }

    /// The crate that it changes.
    fn package(&self) -> &'static str {
        let is_own = |package: &&&str| self.files().iter().all(|path| path.contains(&format!("/{package}/")));
        CRATES.iter().find(is_own).unwrap_or_else(|| panic!("{} changes one crate", self.name))
    }
}

fn patches() -> Vec<Patch> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/patches");
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder).expect("patches").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    let name = |path: &PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    names.iter().map(|path| Patch::parse(&name(path), &fs::read_to_string(path).expect("a patch"))).collect()
}

/// A patch with those that come before it.
fn chain<'a>(all: &'a [Patch], patch: &'a Patch) -> Vec<&'a Patch> {
    let before = patch.all("On").next();
    let before =
        before.map(|name| all.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} is a patch")));
    before.into_iter().chain([patch]).collect()
}

/// Patches that can be built together, since no two of them change a file.
fn together(all: &[Patch]) -> Vec<Vec<&Patch>> {
    let mut groups: Vec<(BTreeSet<&str>, Vec<&Patch>)> = Vec::new();
    for patch in all {
        let files: BTreeSet<&str> = chain(all, patch).into_iter().flat_map(Patch::files).collect();
        match groups.iter_mut().find(|(taken, _)| taken.is_disjoint(&files)) {
            Some((taken, group)) => {
                taken.extend(files);
                group.push(patch);
            }
            None => groups.push((files, vec![patch])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Every text file that a build needs.
fn sources() -> Sources {
    fn read(root: &Path, path: &Path, all: &mut Sources) {
        if path.is_dir() {
            let is_left = path.file_name().is_some_and(|name| LEFT.iter().any(|left| name == *left));
            // The firmware's tests stand in its sources.
            if is_left && !path.components().any(|part| part.as_os_str() == "src") {
                return;
            }
            fs::read_dir(path).expect("a folder").for_each(|entry| read(root, &entry.expect("an entry").path(), all));
        } else if let Ok(text) = fs::read_to_string(path) {
            all.insert(path.strip_prefix(root).expect("below").to_string_lossy().into_owned(), text);
        }
    }
    let root = shipped("..");
    let mut all = Sources::new();
    COPIED.iter().for_each(|name| read(&root, &root.join(name), &mut all));
    all
}

/// A copy of the workspace in the test's build folder. What does not change keeps its time, so that it is not built again.
struct Copied {
    folder: PathBuf,
}

impl Copied {
    fn new(name: &str) -> Self {
        Self { folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name) }
    }

    fn write(&self, sources: &Sources) {
        for (path, text) in sources {
            let path = self.folder.join("copy").join(path);
            if fs::read_to_string(&path).is_ok_and(|own| own == *text) {
                continue;
            }
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file of the copy");
        }
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(self.folder.join("copy")).args(arguments).args(["--offline", "--locked", "--target-dir"]);
        command.arg(self.folder.join("target"));
        // What is built once and run for a moment need not be fast.
        command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0").env("CARGO_PROFILE_DEV_DEBUG", "0");
        command
    }

    fn built(&self, arguments: &[&str]) {
        let output = self.cargo(arguments).output().expect("cargo starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Whether these tests of a crate pass; none of them may be missing.
    fn tested(&self, package: &str, names: &BTreeSet<&str>) -> BTreeMap<String, bool> {
        let mut command = self.cargo(&["test", "--quiet", "-p", package, "--lib", "--no-fail-fast"]);
        command.args(["--", "--exact", "--format", "pretty"]).args(names);
        let output = command.output().expect("cargo starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let line = |line: &str| {
            let (name, end) = line.strip_prefix("test ")?.split_once(" ... ")?;
            Some((name.split(' ').next()?.to_owned(), end == "ok"))
        };
        let told: BTreeMap<String, bool> = text.lines().filter_map(line).collect();
        assert_eq!(
            told.len(),
            names.len(),
            "{package}: {names:?}\n{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        told
    }
}

/// Every patch fits the sources as they are, names what shows it, and changes what it says.
#[test]
fn every_patch_fits_and_names_what_must_fail() {
    let (all, sources) = (patches(), sources());
    assert!(all.len() >= 36, "{} patches", all.len());
    for patch in &all {
        let mut patched = sources.clone();
        chain(&all, patch).iter().for_each(|one| one.apply(&mut patched));
        let changed = patched.iter().filter(|(path, text)| sources[*path] != **text);
        let package = patch.package();
        assert!(changed.count() > 0, "{}", patch.name);
        let is_fault = patch.all("Fault").next().is_some();
        assert_eq!(
            (patch.all("Measure").count(), patch.all("Fault").count()),
            (usize::from(!is_fault), usize::from(is_fault))
        );
        let word = if is_fault { "Green" } else { "Red" };
        let tests: Vec<&str> = patch.all(word).collect();
        assert!(!tests.is_empty(), "{}: {word}", patch.name);
        for test in tests {
            let name = format!("fn {}()", test.rsplit("::").next().expect("a name"));
            let own = |path: &str| path.contains(&format!("/{package}/"));
            assert!(patched.iter().any(|(path, text)| own(path) && text.contains(&name)), "{}: {name}", patch.name);
        }
        for twin in patch.all("Twin") {
            let (number, scenario) = twin.split_once(' ').expect("a number and a scenario");
            assert!(
                number.parse::<u8>().is_ok() && shipped(&format!("{scenario}.ron")).exists(),
                "{}: {twin}",
                patch.name
            );
        }
    }
    // Both CPUs have each measure, and each has its own control.
    let of = |cpu: &str| all.iter().filter_map(|one| one.name.strip_prefix(cpu)).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of("cpu1-"), of("cpu2-"));
}

/// A place that is not there, or is there twice, is no place for a patch.
#[test]
fn a_patch_that_does_not_fit_is_refused() {
    let text = "Measure: none\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n";
    let patch = Patch::parse("own", text);
    let apply = |source: &str| {
        let mut sources = Sources::from([("x".to_owned(), source.to_owned())]);
        std::panic::catch_unwind(move || {
            patch_of(text).apply(&mut sources);
            sources["x"].clone()
        })
        .ok()
    };
    assert_eq!(patch.all("Measure").collect::<Vec<_>>(), ["none"]);
    assert_eq!(apply("zero\none\ntwo\nfour\n").as_deref(), Some("zero\none\nthree\nfour\n"));
    assert_eq!((apply("one\nfour\n"), apply("one\ntwo\none\ntwo\n")), (None, None));
}

fn patch_of(text: &str) -> Patch {
    Patch::parse("own", text)
}

/// SSM-03, SSM-13, SSR-018, SSR-028, SSR-034, SSR-052, SSR-068 to SSR-071, SSR-076, SSR-080: without the measure, the tests of the
/// firmware that show it fail; with it they pass.
#[test]
#[ignore = "builds the firmware some ten times, 2 minutes"]
fn the_tests_of_the_firmware_fail_without_the_measure_that_they_show() {
    let (all, sources) = (patches(), sources());
    let copy = Copied::new("patched-firmware");
    let run = |package: &'static str, patches: &[&Patch], words: &[&str]| {
        let own = patches.iter().filter(|one| one.package() == package);
        let names: BTreeSet<&str> = own.flat_map(|one| words.iter().flat_map(|word| one.all(word))).collect();
        if names.is_empty() { BTreeMap::new() } else { copy.tested(package, &names) }
    };
    let build = |sources: &Sources| {
        copy.write(sources);
        copy.built(&["test", "-p", CRATES[0], "-p", CRATES[1], "--lib", "--no-run"]);
    };
    build(&sources);
    let first: Vec<&Patch> = all.iter().filter(|one| one.all("On").next().is_none()).collect();
    let mut wrong = Vec::new();
    for package in CRATES {
        let told = run(package, &first, &["Red"]);
        wrong.extend(
            told.iter().filter(|(_, passes)| !**passes).map(|(name, _)| format!("{package}: {name} fails unpatched")),
        );
    }
    for group in together(&all) {
        let mut patched = sources.clone();
        group.iter().flat_map(|patch| chain(&all, patch)).for_each(|one| one.apply(&mut patched));
        build(&patched);
        for package in CRATES {
            let told = run(package, &group, &["Red", "Green"]);
            for patch in group.iter().filter(|one| one.package() == package) {
                let passes = |name: &str| told[name];
                println!("{}: {:?}", patch.name, patch.all("Red").map(passes).collect::<Vec<_>>());
                wrong.extend(
                    patch.all("Red").filter(|name| passes(name)).map(|name| format!("{}: {name} passes", patch.name)),
                );
                let green = patch.all("Green").filter(|name| !passes(name));
                wrong.extend(green.map(|name| format!("{}: {name} fails", patch.name)));
            }
        }
    }
    copy.write(&sources);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The twin is built on firmware without the measures, and each scenario that shows one of them must fail.
#[test]
#[ignore = "builds the twin for each number, several minutes"]
fn the_scenarios_fail_in_a_twin_without_the_measures_that_they_show() {
    let (all, sources) = (patches(), sources());
    let copy = Copied::new("patched-twin");
    let ends = |program: &Path, scenario: &str| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("patched-twin-results");
        let mut command = Command::new(program);
        command.arg("run").arg(shipped(&format!("{scenario}.ron"))).arg("--out").arg(out);
        let output = command.output().expect("the program starts");
        println!("{scenario}: {:?}\n{}", output.status.code(), String::from_utf8_lossy(&output.stdout));
        output.status.code()
    };
    let twins = |patch: &Patch| {
        patch
            .all("Twin")
            .map(|one| one.split_once(' ').expect("two words"))
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect::<Vec<_>>()
    };
    let mut numbers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    all.iter().flat_map(&twins).for_each(|(number, scenario)| {
        numbers.entry(number).or_default().insert(scenario);
    });
    let mut wrong = Vec::new();
    for (number, scenarios) in numbers {
        let mut patched = sources.clone();
        let own = all.iter().filter(|patch| twins(patch).iter().any(|(own, _)| *own == number));
        own.for_each(|patch| patch.apply(&mut patched));
        copy.write(&patched);
        copy.built(&["build", "-p", "cooltwin"]);
        for scenario in scenarios {
            let healthy = ends(Path::new(env!("CARGO_BIN_EXE_cooltwin")), &scenario);
            let without = ends(&copy.folder.join("target/debug/cooltwin"), &scenario);
            if (healthy, without) != (Some(0), Some(1)) {
                wrong.push(format!("{number} {scenario}: {healthy:?}, without its measures {without:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
