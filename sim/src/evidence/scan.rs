//! Finds the tests of the firmware that name requirements in their description.
//!
//! A *description* is the block of `///` lines before a `#[test]`. The ids in it are what the test stands for: `SSR-009`,
//! `SSR-009, SSR-011`, or a range such as `SSR-023 to SSR-026`. The build script reads the sources with this and builds the
//! list into the program, so that nobody keeps it by hand.

/// A test that names requirements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    /// Name of the test program: the crate, or for a test of its own the file.
    pub(crate) target: String,
    /// Path of the test in it, as the test program prints it.
    pub(crate) name: String,
    /// Ids, each once, in the order of their names.
    pub(crate) ids: Vec<String>,
}

/// The tests in one file. `path` is relative to the folder of the crate, such as `src/tests/air.rs`.
pub(crate) fn scan(crate_name: &str, path: &str, text: &str) -> Vec<Named> {
    let (target, mut module) = module(crate_name, path);
    let mut found = Vec::new();
    let mut description = String::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            description.push_str(words);
        } else if line.starts_with("#[") || line.starts_with("#![") {
            is_test |= line == "#[test]";
        } else {
            if is_test && let Some(name) = function(line) {
                let ids = ids(&description);
                if !ids.is_empty() {
                    let name = module.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("::");
                    found.push(Named { target: target.clone(), name, ids });
                }
            }
            // Test modules stand at the end of their file, so nothing follows them.
            if let Some(inner) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
                module.push(inner.to_owned());
            }
            description.clear();
            is_test = false;
        }
    }
    found
}

/// The test program of a file, and the module that the file is.
fn module(crate_name: &str, path: &str) -> (String, Vec<String>) {
    let plain = path.strip_suffix(".rs").unwrap_or(path);
    let parts: Vec<String> = plain.split('/').map(str::to_owned).collect();
    match parts.split_first() {
        Some((first, rest)) if first == "tests" => (rest.join("/"), Vec::new()),
        Some((_, rest)) => {
            let file_is_folder = |name: &String| name == "mod" || name == "lib";
            let module = rest.iter().enumerate().filter(|(at, name)| at + 1 < rest.len() || !file_is_folder(name));
            (crate_name.replace('-', "_"), module.map(|(_, name)| name.clone()).collect())
        }
        None => (crate_name.to_owned(), Vec::new()),
    }
}

fn function(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("fn ")?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    rest.get(..end)
}

/// The ids in a text, ranges spelled out.
pub(crate) fn ids(text: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let words: Vec<&str> =
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| !word.is_empty()).collect();
    for (at, word) in words.iter().enumerate() {
        let Some((prefix, number)) = id(word) else { continue };
        let before = (at.checked_sub(1).and_then(|at| words.get(at)), at.checked_sub(2).and_then(|at| words.get(at)));
        let first = match before {
            (Some(&"to"), Some(from)) => {
                id(from).filter(|(known, _)| *known == prefix).map_or(number, |(_, first)| first)
            }
            _ => number,
        };
        let digits = word.len() - prefix.len() - 1;
        ids.extend((first..=number).map(|number| format!("{prefix}-{number:0digits$}")));
    }
    ids.sort();
    ids.dedup();
    ids
}

fn id(word: &str) -> Option<(&str, u32)> {
    let (prefix, number) = word.split_once('-')?;
    let known = matches!((prefix, number.len()), ("PFU" | "SSR", 3) | ("SSM", 2));
    if known { Some((prefix, number.parse().ok()?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_alone_in_lists_and_in_ranges() {
        assert_eq!(ids("SSR-009, SSR-011 (SSM-10)."), ["SSM-10", "SSR-009", "SSR-011"]);
        assert_eq!(
            ids("SSR-023 to SSR-026, and PFU-041 to SSR-042"),
            ["PFU-041", "SSR-023", "SSR-024", "SSR-025", "SSR-026", "SSR-042"]
        );
        assert_eq!(ids("SSR-9, XSR-009, SSR-0099, CRC-32, SSR-009a"), Vec::<String>::new());
    }

    #[test]
    fn a_test_is_named_as_its_program_prints_it() {
        let text =
            "/// SSR-001: moves on,\n/// as SSM-11 says.\n#[test]\nfn it_moves() {}\n/// SSR-002\nfn helper() {}\n";
        let named = |path: &str| scan("safety-cpu1", path, text);
        let first = Named {
            target: "safety_cpu1".to_owned(),
            name: "tests::modes::it_moves".to_owned(),
            ids: vec!["SSM-11".to_owned(), "SSR-001".to_owned()],
        };
        assert_eq!(named("src/tests/modes.rs"), [first]);
        assert_eq!(named("src/tests/mod.rs")[0].name, "tests::it_moves");
        assert_eq!(named("src/lib.rs")[0].name, "it_moves");
        let own = &named("tests/construction.rs")[0];
        assert_eq!((own.target.as_str(), own.name.as_str()), ("construction", "it_moves"));
    }

    #[test]
    fn tests_in_modules_of_a_file_and_in_macros_are_found() {
        let text = "mod tests {\n    proptest! {\n        #![proptest_config(x)]\n        /// SSR-015: any program.\n        #[test]\n        fn any(\n            a in 0..1) {}\n    }\n}\n";
        let found = scan("pump", "src/program.rs", text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "program::tests::any");
    }
}
