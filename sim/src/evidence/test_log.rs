//! What the output of `cargo test` says about the tests that name requirements.
//!
//! The output does not tell which sources were tested; a list of their hashes beside it does, and only a log of this
//! program's firmware is taken. That list and log were made together is the word of whoever made them. Kept are the lines
//! about tests alone: times and paths in it differ from run to run.

use reports::{NamedTest, TestLog, sha256};

use super::coverage::same_sources;

/// Whether tests ran on the firmware of this program: `tested` has SHA-256 and name of every source file that was tested, as
/// `sha256sum` writes them, `sources` the same of the firmware that this program holds.
///
/// # Errors
/// With the first file that differs.
pub fn tested_these(tested: &str, sources: &str) -> Result<(), String> {
    same_sources(tested, sources).map_err(|path| format!("its tests ran on other sources than this program's: {path}"))
}

/// Reads the output of `cargo test`, standard error included.
///
/// # Errors
/// When it names no test program, so that no test in it can be told from another of its name.
pub fn test_log(text: &str, named: &[NamedTest]) -> Result<TestLog, String> {
    let mut log = TestLog::default();
    let mut target: Option<String> = None;
    let mut lines = String::new();
    for line in text.lines() {
        if let Some(started) = started(line) {
            target = Some(started);
        } else if let (Some(target), Some((name, result))) = (&target, result(line)) {
            let name = format!("{target} {name}");
            lines += &format!("{name} {result}\n");
            match result {
                "ok" => {
                    log.passed += 1;
                    if named.iter().any(|test| format!("{} {}", test.target, test.name) == name) {
                        log.named_passed.push(name);
                    }
                }
                "FAILED" => log.failed.push(name),
                _ => log.ignored.push(name),
            }
        }
    }
    if lines.is_empty() {
        return Err(
            "it has no line like `Running ... (target/...)` with tests after it: keep standard error too".to_owned()
        );
    }
    log.sha256 = sha256(lines.as_bytes());
    Ok(log)
}

/// The test program that a line says is started: `Running unittests src/lib.rs (target/debug/deps/pump-0f3a)`.
fn started(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(doc) = line.strip_prefix("Doc-tests ") {
        return Some(format!("doc {doc}"));
    }
    let path = line.strip_prefix("Running ")?.rsplit_once('(')?.1.strip_suffix(')')?;
    let file = path.rsplit(['/', '\\']).next()?;
    file.strip_suffix(".exe").unwrap_or(file).rsplit_once('-').map(|(name, _)| name.to_owned())
}

/// Name and result of a test.
fn result(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let result = result.split([',', ' ']).next()?;
    matches!(result, "ok" | "FAILED" | "ignored").then_some((name, result))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "     Running unittests src/lib.rs (target/debug/deps/safety_cpu1-0f3a)\n
running 2 tests
test tests::link::silence ... ok
test tests::link::drift ... FAILED
     Running tests/construction.rs (target/debug/deps/construction-77)
test tests::link::silence ... ok
test slow ... ignored, takes long
test result: ok. 1 passed; finished in 0.31s
";

    fn named(target: &str, name: &str) -> NamedTest {
        NamedTest { target: target.to_owned(), name: name.to_owned(), ..NamedTest::default() }
    }

    #[test]
    fn a_test_counts_for_its_own_program_only() {
        let named = [named("safety_cpu1", "tests::link::silence"), named("safety_cpu2", "tests::link::silence")];
        let log = test_log(OUTPUT, &named).expect("a log");
        assert_eq!(log.passed, 2);
        assert_eq!(log.named_passed, ["safety_cpu1 tests::link::silence"]);
        assert_eq!(log.failed, ["safety_cpu1 tests::link::drift"]);
        assert_eq!(log.ignored, ["construction slow"]);
    }

    #[test]
    fn times_and_paths_do_not_change_its_identity() {
        let other = OUTPUT.replace("0f3a", "beef").replace("0.31s", "4.2s").replace("target/", "/elsewhere/");
        assert_eq!(test_log(OUTPUT, &[]), test_log(&other, &[]));
        assert_ne!(test_log(OUTPUT, &[]), test_log(&OUTPUT.replace("FAILED", "ok"), &[]));
    }

    #[test]
    fn a_log_without_programs_is_refused() {
        assert!(test_log("test a ... ok\n", &[]).is_err());
    }
}
