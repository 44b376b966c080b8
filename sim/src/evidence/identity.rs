//! Which program this is: what the build script found, as the record of a bundle holds it.

use std::collections::BTreeMap;

use reports::{CrateSources, NamedTest, Program, sha256};

/// SHA-256 of every source file, one a line, as `sha256sum -c` reads it at the root of the sources.
pub const SOURCES: &str = include_str!(concat!(env!("OUT_DIR"), "/sources.sha256"));
/// The lock file of the build; empty where the sources had none.
pub const CARGO_LOCK: &str = include_str!(concat!(env!("OUT_DIR"), "/Cargo.lock"));
const NAMED_TESTS: &str = include_str!(concat!(env!("OUT_DIR"), "/named-tests.txt"));
/// Where the crates of the item under test are.
const ITEM: &str = "firmware-under-test/";

/// This program; `binary_sha256` is that of its executable file.
#[must_use]
pub fn program(binary_sha256: &str) -> Program {
    Program {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("COOLTWIN_COMMIT").to_owned(),
        rustc: env!("COOLTWIN_RUSTC").to_owned(),
        target: env!("COOLTWIN_TARGET").to_owned(),
        profile: env!("COOLTWIN_PROFILE").to_owned(),
        features: env!("COOLTWIN_FEATURES").split_whitespace().map(str::to_owned).collect(),
        lock_sha256: if CARGO_LOCK.is_empty() { String::new() } else { sha256(CARGO_LOCK.as_bytes()) },
        binary_sha256: binary_sha256.to_owned(),
        crates: crates(SOURCES),
    }
}

/// Sources by crate, those of the item first, each in the order of the list.
fn crates(list: &str) -> Vec<CrateSources> {
    let mut names: Vec<(bool, &str)> = Vec::new();
    let mut lines: BTreeMap<(bool, &str), (u64, String)> = BTreeMap::new();
    for line in list.lines() {
        let path = line.split_once("  ").map_or("", |(_, path)| path);
        let name = crate_of(path);
        if !names.contains(&name) {
            names.push(name);
        }
        let (files, text) = lines.entry(name).or_default();
        *files += 1;
        *text += &format!("{line}\n");
    }
    let record = |(item, name): (bool, &str)| {
        let (files, text) = lines.get(&(item, name)).cloned().unwrap_or_default();
        CrateSources { name: name.to_owned(), item, files, sha256: sha256(text.as_bytes()) }
    };
    names.into_iter().map(record).collect()
}

/// Whether a file is part of the item, and the crate it is in; what is in none stands under the name of its folder.
fn crate_of(path: &str) -> (bool, &str) {
    match path.strip_prefix(ITEM) {
        Some(inside) => (true, inside.split_once('/').map_or("firmware-under-test", |(name, _)| name)),
        None => (false, path.split_once('/').map_or("workspace", |(name, _)| name)),
    }
}

/// Tests of the firmware crates that name requirements.
#[must_use]
pub fn named_tests() -> Vec<NamedTest> {
    let test = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [target, name, file, ids] = fields[..] else { return None };
        let requirements = ids.split(' ').map(str::to_owned).collect();
        Some(NamedTest { target: target.to_owned(), name: name.to_owned(), file: file.to_owned(), requirements })
    };
    NAMED_TESTS.lines().filter_map(test).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_the_item_is_in_the_identity() {
        let program = program("");
        let item: Vec<&str> = program.crates.iter().filter(|each| each.item).map(|each| each.name.as_str()).collect();
        for name in ["orchestrator", "protocol", "pump", "safety-common", "safety-cpu1", "safety-cpu2", "units"] {
            assert!(item.contains(&name), "{name} is not in {item:?}");
        }
        let tool: Vec<&str> = program.crates.iter().filter(|each| !each.item).map(|each| each.name.as_str()).collect();
        assert_eq!(tool, ["sim", "reports", "workspace"]);
        assert_eq!(program.crates.iter().map(|each| each.files).sum::<u64>(), SOURCES.lines().count() as u64);
    }

    /// Cargo tells the tests of the same features, settings and flags in its own way.
    #[test]
    fn features_settings_and_flags_of_the_build_are_in_the_identity() {
        let program = program("");
        assert_eq!(program.features, if cfg!(feature = "parquet") { vec!["parquet"] } else { vec![] });
        assert!(
            program.profile.contains("optimisation ") && program.profile.contains("overflow-checks = true"),
            "{}",
            program.profile
        );
        assert_eq!(program.profile.starts_with("debug"), cfg!(debug_assertions), "{}", program.profile);
        assert!(program.profile.contains("flags"), "{}", program.profile);
    }

    #[test]
    fn no_two_parts_of_the_identity_share_a_name() {
        let mut names: Vec<String> = program("").crates.into_iter().map(|each| each.name).collect();
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn a_changed_file_changes_its_crate_alone() {
        let before = "aa  firmware-under-test/pump/src/lib.rs\nbb  sim/src/lib.rs\n";
        let (before, after) = (crates(before), crates(&before.replace("aa", "ab")));
        assert_ne!(before[0], after[0]);
        assert_eq!(before[1], after[1]);
    }

    #[test]
    fn hundreds_of_tests_name_what_they_stand_for() {
        let tests = named_tests();
        assert!(tests.len() > 150, "{}", tests.len());
        let of = |id: &str| tests.iter().filter(|test| test.requirements.iter().any(|own| own == id)).count();
        assert!(of("SSR-021") > 1 && of("SSR-018") > 1);
    }
}
