//! What holds of the safety firmware by construction: nothing switches a measure off, the two CPUs share what the page lists,
//! static rules of every crate, and which requirements the tests say they verify.
//!
//! The crates look at their own sources in tests of their own; here the workspace is looked at from outside, with cargo's
//! own view of manifests and dependencies. Each rule that reads text has a control: a text that breaks it must be found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const CRATES: [&str; 4] = ["units", "safety-common", "safety-cpu1", "safety-cpu2"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Cargo's view of the workspace with every dependency.
fn metadata() -> Value {
    let arguments = ["metadata", "--format-version", "1", "--offline", "--locked"];
    let told = Command::new(env!("CARGO")).args(arguments).current_dir(workspace()).output().expect("cargo runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).expect("cargo tells JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn package<'a>(metadata: &'a Value, name: &str) -> &'a Value {
    let found = list(metadata, "packages").iter().find(|package| text(package, "name") == name);
    found.unwrap_or_else(|| panic!("no package {name}"))
}

/// Names of everything that a crate is built with on the target: its dependencies and theirs, without those of tests.
fn built_with(metadata: &Value, name: &str) -> BTreeSet<String> {
    let nodes = list(&metadata["resolve"], "nodes");
    let names: BTreeMap<&str, &str> =
        list(metadata, "packages").iter().map(|package| (text(package, "id"), text(package, "name"))).collect();
    let mut open = vec![text(package(metadata, name), "id")];
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        let node = nodes.iter().find(|node| text(node, "id") == id).expect("every package is resolved");
        for dependency in list(node, "deps") {
            let is_for_target = list(dependency, "dep_kinds").iter().any(|kind| kind["kind"].is_null());
            if is_for_target && found.insert(names[text(dependency, "pkg")].to_owned()) {
                open.push(text(dependency, "pkg"));
            }
        }
    }
    found
}

/// The crates that a table of the page names, `crate `x``.
fn listed_as_shared(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| crate `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect()
}

/// Verifies SSR-019, SSR-081. SSM-05: what both CPUs are built with is what section 15 of the page lists, and what CPU1 has
/// beside that is its own.
#[test]
fn the_two_cpus_share_what_the_page_lists_and_nothing_else() {
    let metadata = metadata();
    let (one, two) = (built_with(&metadata, "safety-cpu1"), built_with(&metadata, "safety-cpu2"));
    let page = read(workspace().join("firmware-under-test/SAFETY.md"));
    let mut listed = listed_as_shared(&page);
    assert!(listed.contains("heapless") && page.contains("crate `heapless` (and what it brings)"));
    listed.extend(built_with(&metadata, "heapless"));
    let shared: BTreeSet<String> = one.intersection(&two).cloned().collect();
    assert_eq!(shared, listed);
    let own: Vec<&str> = one.difference(&shared).map(String::as_str).collect();
    assert_eq!(own, ["crc", "crc-catalog"], "CPU1 alone");
    assert!(two.is_subset(&shared), "CPU2 alone: {two:?}");
}

/// Verifies SSR-081. No feature, no build script, no macro of its own, and nobody asks a safety crate for a feature.
#[test]
fn no_manifest_switches_a_measure_off() {
    let metadata = metadata();
    for name in CRATES {
        let package = package(&metadata, name);
        assert_eq!(package["features"].as_object().map(serde_json::Map::len), Some(0), "{name}");
        let kinds: BTreeSet<&str> =
            list(package, "targets").iter().flat_map(|target| list(target, "kind")).filter_map(Value::as_str).collect();
        let known = ["lib", "test", "bench", "example"];
        assert!(kinds.iter().all(|kind| known.contains(kind)), "{name}: {kinds:?}");
        assert!(list(package, "dependencies").iter().all(|one| one["optional"] == Value::Bool(false)), "{name}");
    }
    for dependant in list(&metadata, "packages") {
        for dependency in list(dependant, "dependencies").iter().filter(|one| CRATES.contains(&text(one, "name"))) {
            assert!(list(dependency, "features").is_empty(), "{} asks for features", text(dependant, "name"));
        }
    }
    let manifest = read(workspace().join("Cargo.toml"));
    for profile in ["profile.dev", "profile.release", "profile.bench"] {
        let part = manifest.split(&format!("[{profile}]\n")).nth(1).and_then(|part| part.split("\n[").next());
        assert!(part.is_some_and(|part| part.contains("overflow-checks = true")), "{profile}: an overflow is a fault");
    }
    assert!(!manifest.lines().any(|line| line.starts_with("[profile") && line.contains("safety")));
    for folder in ["", "firmware-under-test", "firmware-under-test/safety-cpu1", "firmware-under-test/safety-cpu2"] {
        let config = workspace().join(folder).join(".cargo/config.toml");
        assert!(!config.exists() || !read(config).contains("cfg"), "{folder}: a cfg from outside");
    }
}

/// Every source of a crate that is built for the target: no test modules, no comments.
fn sources(name: &str) -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths {
            let file = path.file_name().expect("a name").to_string_lossy().into_owned();
            match file.as_str() {
                "tests" | "tests.rs" | "testing.rs" => {}
                _ if path.is_dir() => collect(&path, found),
                _ => found.push(path),
            }
        }
    }
    let mut paths = Vec::new();
    collect(&workspace().join("firmware-under-test").join(name).join("src"), &mut paths);
    let of = |path: &PathBuf| (path.file_name().expect("a name").to_string_lossy().into_owned(), product(&read(path)));
    paths.iter().map(of).collect()
}

/// The part of a source that is the product: what stands before its test module, without comments.
fn product(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Lines with a condition of compilation that is not for tests or for lints.
fn conditions(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| {
        ["cfg(", "cfg!(", "cfg_attr(", "feature =", "option_env!", "env!(", "debug_assert", "cfg_select!"]
            .iter()
            .any(|word| line.contains(word))
    });
    lines.filter(|line| *line != "#[cfg(test)]" && *line != "#![cfg_attr(").map(str::to_owned).collect()
}

/// Verifies SSR-081. The only condition of compilation in a safety crate is that of its tests; what stands behind it is a module
/// or a function that the product does not call.
#[test]
fn no_source_holds_a_condition_but_that_of_its_tests() {
    for name in CRATES {
        for (file, text) in sources(name) {
            assert_eq!(conditions(&text), Vec::<String>::new(), "{name}/{file}");
        }
    }
    let spoilt =
        "#[cfg(test)]\nmod tests;\n#[cfg(not(feature = \"fast\"))]\nfn check() {}\nif cfg!(debug_assertions) {}\n";
    assert_eq!(conditions(spoilt).len(), 2, "the control is found");
}

/// Verifies SSR-081. SSM-08: every crate is `no_std`, forbids unsafe code, allocates nothing and has no variable of its own.
#[test]
fn every_crate_keeps_the_static_rules() {
    for name in CRATES {
        let all = sources(name);
        let root = &all.iter().find(|(file, _)| file == "lib.rs").expect("a root").1;
        assert!(root.contains("#![no_std]") && root.contains("#![forbid(unsafe_code)]"), "{name}");
        for (file, text) in &all {
            for word in [
                "alloc::",
                "static mut",
                "extern crate alloc",
                "RefCell",
                "UnsafeCell",
                "Atomic",
                "OnceCell",
                "thread_local",
            ] {
                assert!(!text.contains(word), "{name}/{file}: {word}");
            }
            let standard = text.lines().filter(|line| line.contains("std::") && !line.contains("core::"));
            assert_eq!(standard.collect::<Vec<_>>(), Vec::<&str>::new(), "{name}/{file}");
        }
    }
}

/// Calls between the functions of a crate as far as names tell: `Type::name`, `Self::name` and `self.name` with their type, free
/// functions with their name alone, and a method of another value if one type only has it.
fn calls(texts: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in texts.iter().enumerate() {
        let (mut owner, mut current) = (String::new(), None);
        for line in text.lines() {
            let start = line.trim_start();
            if !line.starts_with(' ') && (start.starts_with("impl") || start == "}" || start.starts_with("fn ")) {
                owner = if start.starts_with("impl") { implemented(start) } else { String::new() };
            }
            if let Some(name) = start.split("fn ").nth(1).filter(|_| is_function(start)) {
                let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let full = if owner.is_empty() { format!("{file}:{name}") } else { format!("{owner}::{name}") };
                current = Some(full.clone());
                let rest = start.split_once(&format!("fn {name}")).map_or("", |(_, rest)| rest);
                bodies.entry(full).or_default().push_str(rest);
            } else if let Some(body) = current.as_ref().and_then(|name| bodies.get_mut(name)) {
                body.push('\n');
                body.push_str(line);
            }
            if line == "}" || line == "    }" {
                current = None;
            }
        }
    }
    let names: Vec<String> = bodies.keys().cloned().collect();
    bodies.iter().map(|(name, body)| (name.clone(), called(name, body, &names))).collect()
}

fn is_function(line: &str) -> bool {
    let before = line.split("fn ").next().unwrap_or_default();
    before.split_whitespace().all(|word| ["pub", "const", "pub(crate)", "pub(super)", "extern"].contains(&word))
}

/// The type of an `impl` line.
fn implemented(line: &str) -> String {
    let line = line.split('{').next().unwrap_or_default().trim();
    let name = line.rsplit(" for ").next().unwrap_or_default();
    let name = if line.contains(" for ") { name } else { name.rsplit("> ").next().unwrap_or_default() };
    let name = name.trim_start_matches("impl").trim();
    name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Methods that a value of a library has as well.
const OF_LIBRARIES: [&str; 4] = ["push", "get", "update", "take"];

/// The functions among `names` that a body calls.
fn called(own: &str, body: &str, names: &[String]) -> BTreeSet<String> {
    let owner = own.rsplit_once("::").map_or("", |(owner, _)| owner);
    let mut found = BTreeSet::new();
    for (at, _) in body.match_indices('(') {
        let before = &body[..at];
        let word = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
        let ahead = &before[..before.len() - word.len()];
        if word.is_empty() {
            continue;
        }
        let last_name = |text: &str| {
            text.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default().to_owned()
        };
        if let Some(path) = ahead.strip_suffix("::") {
            let of = last_name(path);
            let of = if of == "Self" { owner.to_owned() } else { of };
            if of.starts_with(char::is_uppercase) {
                found.insert(format!("{of}::{word}"));
            } else {
                // Of a module.
                let is_free = |name: &&String| name.ends_with(&format!(":{word}")) && !name.contains("::");
                found.extend(names.iter().filter(is_free).cloned());
            }
        } else if let Some(value) = ahead.strip_suffix('.') {
            if last_name(value) == "self" && !value.ends_with(".self") {
                found.insert(format!("{owner}::{word}"));
            } else {
                if OF_LIBRARIES.contains(&word) {
                    continue;
                }
                let mut having = names.iter().filter(|name| name.ends_with(&format!("::{word}")));
                if let (Some(only), None) = (having.next(), having.next()) {
                    found.insert(only.clone());
                }
            }
        } else {
            // Of any file: which one it imports from is not looked at.
            let is_free = |name: &&String| name.ends_with(&format!(":{word}")) && !name.contains("::");
            found.extend(names.iter().filter(is_free).cloned());
        }
    }
    found.retain(|name| names.contains(name));
    found
}

/// The functions that lead back to themselves.
fn recursive(calls: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reaches_itself = |start: &String| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&String> = calls[start].iter().collect();
        while let Some(name) = open.pop() {
            if name == start {
                return true;
            }
            if seen.insert(name) {
                open.extend(calls[name].iter());
            }
        }
        false
    };
    calls.keys().filter(|name| reaches_itself(name)).cloned().collect()
}

/// Verifies SSR-081. No function calls itself, directly or through others, as far as names tell which is called.
#[test]
fn no_function_leads_back_to_itself() {
    let mut known = 0;
    for name in CRATES {
        let texts: Vec<String> = sources(name).into_iter().map(|(_, text)| text).collect();
        let calls = calls(&texts);
        known += calls.values().map(BTreeSet::len).sum::<usize>();
        assert_eq!(recursive(&calls), Vec::<String>::new(), "{name}");
    }
    assert!(known > 400, "{known} calls are known");
    let spoilt = "impl A {\n    fn one(&self) {\n        self.two(3);\n    }\n    fn two(&self, n: u32) {\n        B::three(n);\n    }\n}\n\
                  impl B {\n    pub(crate) fn three(n: u32) {\n        free(n)\n    }\n}\nfn free(n: u32) {\n    A.one();\n}\nfn alone(n: u32) {\n    free(n);\n}\n";
    let found = recursive(&calls(&[spoilt.to_owned()]));
    assert_eq!(found, ["0:free", "A::one", "A::two", "B::three"], "the control is found");
}

/// The ids of requirements that a comment begins with; duties (`SSM-06`) may stand between them.
fn leading_ids(comment: &str) -> BTreeSet<u32> {
    let words = comment.strip_prefix("Verifies ").unwrap_or(comment).split_whitespace();
    let (mut ids, mut last, mut is_range) = (BTreeSet::new(), 0, false);
    for word in words {
        let number = |prefix: &str| word.strip_prefix(prefix)?.trim_end_matches([',', '.', ':']).parse::<u32>().ok();
        match (number("SSR-"), number("SSM-"), word) {
            (Some(id), _, _) => {
                ids.extend(if is_range { last..=id } else { id..=id });
                (last, is_range) = (id, false);
            }
            (None, Some(_), _) => {}
            (None, None, "to") => is_range = true,
            _ => break,
        }
        if word.ends_with(['.', ':']) {
            break;
        }
    }
    ids
}

/// Ids at the beginning of the doc comment of each test, and comments of tests that name ids further on only.
fn ids_of_tests(text: &str) -> (BTreeSet<u32>, Vec<String>) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let (mut ids, mut misplaced) = (BTreeSet::new(), Vec::new());
    for at in lines.iter().enumerate().filter(|(_, line)| **line == "#[test]").map(|(at, _)| at) {
        let begin = lines[..at].iter().rposition(|line| !line.starts_with("///")).map_or(0, |before| before + 1);
        let comment =
            lines[begin..at].iter().map(|line| line.trim_start_matches('/').trim()).collect::<Vec<_>>().join(" ");
        let told = leading_ids(&comment);
        if told.is_empty() && comment.contains("SSR-") {
            misplaced.push(comment);
        }
        ids.extend(told);
    }
    (ids, misplaced)
}

/// Files with tests of the safety unit.
fn test_files() -> Vec<PathBuf> {
    fn collect(folder: &Path, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                collect(&path, wanted, found);
            } else if wanted(&name) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for name in CRATES {
        let folder = workspace().join("firmware-under-test").join(name);
        collect(&folder, &|name| name.ends_with(".rs"), &mut found);
    }
    collect(&workspace().join("sim/tests"), &|name| name.starts_with("safety_") && name.ends_with(".rs"), &mut found);
    found.sort();
    found
}

/// Rows of the requirement list that no test of these crates verifies, and who does.
const ELSEWHERE: [(u32, &str); 1] = [(60, "not applicable: its status in the source is N/A")];

/// The convention of section 16 of the page is kept, and each requirement has a test here or a reason why not.
#[test]
fn tests_say_at_their_beginning_what_they_verify() {
    let (mut ids, mut misplaced) = (BTreeSet::new(), Vec::new());
    for path in test_files() {
        let (found, wrong) = ids_of_tests(&read(&path));
        ids.extend(found);
        misplaced.extend(wrong.into_iter().map(|comment| format!("{}: {comment}", path.display())));
    }
    assert_eq!(misplaced, Vec::<String>::new());
    let missing: Vec<u32> = (1..=84).filter(|id| !ids.contains(id)).collect();
    let elsewhere: Vec<u32> = ELSEWHERE.iter().map(|(id, _)| *id).collect();
    assert_eq!(missing, elsewhere);
    let control = "/// Verifies SSM-02, SSR-001, SSR-003 to SSR-005. More on SSR-008.\n#[test]\nfn a() {}\n/// Late SSR-009.\n#[test]\nfn b() {}\n";
    let (found, wrong) = ids_of_tests(control);
    assert_eq!((found, wrong.len()), ([1, 3, 4, 5].into(), 1));
}
