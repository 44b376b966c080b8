//! Rules of construction that the compiler does not check (SSR-038, SSR-051, SSR-059, SSR-081, SSM-05 to SSM-09).

use std::fs;
use std::path::Path;

/// Product files: name and text, comments and test modules left out.
fn product() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    for entry in fs::read_dir(folder).expect("the sources") {
        let path = entry.expect("a source").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !path.is_file() || name == "tests.rs" || name == "testing.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).expect("readable");
        let text = text.split("#[cfg(test)]\nmod tests").next().expect("a first part").to_owned();
        let text: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        files.push((name, text.join("\n")));
    }
    assert!(files.len() > 25, "{}", files.len());
    files
}

fn manifest() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("the manifest")
}

/// Lines that contain a word, with their file.
fn lines_with(word: &str) -> Vec<String> {
    let of = |(name, text): (String, String)| {
        let found: Vec<String> =
            text.lines().filter(|line| line.contains(word)).map(|line| format!("{name}: {line}")).collect();
        found
    };
    product().into_iter().flat_map(of).collect()
}

/// No feature and no condition of compilation can switch a measure off; the only ones are for tests and lints.
#[test]
fn nothing_can_be_switched_off() {
    assert!(!manifest().contains("[features]") && !manifest().contains("build ="));
    for line in lines_with("cfg") {
        let known = ["#[cfg(test)]", "#![cfg_attr("].iter().any(|known| line.contains(known));
        assert!(known, "{line}");
    }
    for word in ["feature", "debug_assert", "env!", "option_env", "include"] {
        assert_eq!(lines_with(word), Vec::<String>::new());
    }
}

/// What both CPUs share stands in `SAFETY.md`; this one has no checksum of anybody else.
#[test]
fn dependencies_are_the_listed_ones() {
    let manifest = manifest();
    let part = manifest.split("[dependencies]").nth(1).and_then(|part| part.split('[').next()).expect("dependencies");
    let mut names: Vec<&str> =
        part.lines().filter_map(|line| line.split('.').next()).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    assert_eq!(names, ["heapless", "safety-common", "units"]);
}

/// SSR-051: only the configuration mode makes a token, and only the download asks for an operation of the flash.
#[test]
fn the_configuration_can_be_changed_in_configuration_mode_only() {
    let makers = lines_with("for_configuration_mode");
    assert_eq!(makers.len(), 2, "{makers:?}");
    assert!(makers.iter().all(|line| line.starts_with("configuration_mode.rs") || line.starts_with("download.rs")));
    for word in ["FlashCommand", "outputs.flash", "Download"] {
        for line in lines_with(word) {
            let at_home = line.starts_with("download.rs") || line.starts_with("configuration_mode.rs");
            assert!(at_home || line.contains("Stage::Download") || line.contains("Download = 0x"), "{line}");
        }
    }
}

/// SSR-038: outputs are set in one place, and no module that reads messages names them.
#[test]
fn outputs_are_set_in_one_place() {
    for word in ["outputs.main =", "outputs.relays =", "outputs.main_dip ="] {
        let lines = lines_with(word);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("outputs.rs"));
    }
    for (name, text) in product() {
        if ["tool.rs", "download.rs", "radio.rs", "simplecan.rs", "access.rs"].contains(&name.as_str()) {
            assert!(!text.contains("relays") && !text.contains(".main") && !text.contains("Demand"), "{name}");
        }
    }
}

/// SSR-059: the commands that exist; none sets a unit up from scratch and none sets an output.
#[test]
fn the_command_inventory_is_complete() {
    let commands: Vec<String> = lines_with("Command::");
    let known = ["Who", "Identify", "Enter", "Begin", "Data", "Finish", "Read", "Restart"];
    for line in commands {
        for part in line.split("Command::").skip(1).filter(|_| !line.contains("FlashCommand::")) {
            assert!(known.iter().any(|name| part.starts_with(name)), "{line}");
        }
    }
}

/// SSM-08, SSM-09, SSR-081: no panic, no unsafe, no allocation, no global that changes, no unbounded loop.
#[test]
fn forbidden_words_do_not_occur() {
    let words = [
        ".unwrap()",
        ".expect(",
        "panic!",
        "unreachable!",
        "todo!",
        "assert!",
        "unsafe ",
        "static mut",
        "Cell<",
        "Atomic",
        "alloc::",
        "Box<",
        "loop {",
        "f32",
        "f64",
        "dyn ",
        "HashMap",
    ];
    for word in words {
        // An assertion about constants is for the compiler.
        let lines: Vec<String> =
            lines_with(word).into_iter().filter(|line| !line.contains("const _: () = assert!")).collect();
        assert_eq!(lines, Vec::<String>::new(), "{word}");
    }
    // The loops that are not over a collection: tables made by the compiler, and the start-up RAM test with its budget.
    let whiles = lines_with("while ");
    assert!(whiles.iter().all(|line| line.starts_with("crc.rs") || line.starts_with("ram_test.rs")), "{whiles:?}");
}

/// SSM-05: every module says at its head how it is diverse.
#[test]
fn every_module_says_how_it_is_diverse() {
    for (name, _) in product() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&name);
        let text = fs::read_to_string(path).expect("readable");
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(head.iter().any(|line| line.contains("Diverse") || line.contains("**Diversity.**")), "{name}");
    }
}
