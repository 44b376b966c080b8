//! Lines and branches of the firmware that its tests reach, and why the others are not reached.
//!
//! LLVM's document `llvm.coverage.json.export` holds *segments*, places where the count of executions changes, and branches
//! with a count for either *outcome*. A line counts once, by LLVM's own rule: the greatest count of what begins on it or goes
//! on over it. Code for tests alone is not the item and is left out. Reasons are a committed list beside the firmware; one
//! names its lines by their text, so that it survives edits above them. One whose line is gone or is reached is *stale*.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use reports::{Coverage, FileCoverage, MissedLine, sha256};
use serde::Deserialize;

/// Where the crates of the item under test are.
const ITEM: &str = "firmware-under-test/";
/// The committed reasons.
pub const REASONS: &str = include_str!("../../../firmware-under-test/coverage.ron");

#[derive(Deserialize)]
struct Document {
    r#type: String,
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    #[serde(default)]
    segments: Vec<Segment>,
    /// Line and column of begin and end, counts of both outcomes, and what is not needed here.
    #[serde(default)]
    branches: Vec<Vec<u64>>,
}

/// Line, column, count, has a count, is the start of a region, is a gap.
#[derive(Clone, Copy, Deserialize)]
struct Segment(u64, #[expect(dead_code)] u64, u64, bool, bool, #[serde(default)] bool);

/// A reason of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// Below `firmware-under-test`.
    file: String,
    what: What,
    why: String,
}

/// What a reason is for.
#[derive(Deserialize)]
enum What {
    /// Lines that stand one after another; those among them that are reached only say where.
    Lines(Vec<String>),
    /// What opens with this line, to the line that closes it.
    Block(String),
    /// So many outcomes of branches in the file, no fewer and no more.
    Branches(u64),
}

/// What was measured and on which sources.
#[derive(Clone, Copy, Debug)]
pub struct Measurement<'a> {
    /// LLVM's document.
    pub document: &'a str,
    /// SHA-256 and name of every source file that was measured, as `sha256sum` writes them.
    pub measured: &'a str,
    /// The same for the firmware that this program holds.
    pub sources: &'a str,
}

/// Reads a measurement and puts `reasons` to what it missed; `read` gives the text of a source file by the name that the
/// document has for it.
///
/// # Errors
/// When the document is none or has no file of the firmware, when it was measured on other sources than those of this
/// program, when a file cannot be read as it was measured, or when the list of reasons is none.
pub fn coverage(
    measurement: Measurement<'_>,
    reasons: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Result<Coverage, String> {
    let Measurement { document, measured, sources } = measurement;
    let document: Document = serde_json::from_str(document).map_err(|error| error.to_string())?;
    if document.r#type != "llvm.coverage.json.export" {
        return Err(format!("{} is not llvm.coverage.json.export", document.r#type));
    }
    let reasons: Vec<Reason> = ron::from_str(reasons).map_err(|error| format!("coverage.ron: {error}"))?;
    same_sources(measured, sources)
        .map_err(|path| format!("it was measured on other sources than this program's: {path}"))?;
    let mut files = BTreeMap::new();
    for file in document.data.into_iter().flat_map(|data| data.files) {
        let Some(name) = item_file(&file.filename).map(str::to_owned) else { continue };
        let text = read(&file.filename).ok_or_else(|| format!("{} cannot be read", file.filename))?;
        if hash_of(sources, &name) != Some(&sha256(text.as_bytes())) {
            return Err(format!("{name} is not as it was measured"));
        }
        files.insert(name.clone(), (counted(name, &file, &text), text));
    }
    if files.is_empty() {
        return Err("it has no file of firmware-under-test".to_owned());
    }
    let stale = reasons.iter().filter_map(|reason| explain(reason, &mut files).err()).collect();
    Ok(Coverage { files: files.into_values().map(|(file, _)| file).collect(), stale })
}

/// The name of a file of the item below the root of the sources; tests and what belongs to them are not the item.
fn item_file(path: &str) -> Option<&str> {
    let name = &path[path.rfind(ITEM)?..];
    (!name.contains("/tests") && !name.ends_with("/testing.rs")).then_some(name)
}

/// Whether both lists of hashes have the same code of the firmware; if not, the first file that differs.
pub(super) fn same_sources(measured: &str, sources: &str) -> Result<(), String> {
    let code = |list: &str| -> BTreeMap<String, String> {
        let lines = list.lines().filter_map(|line| line.split_once("  "));
        let code = lines.filter(|(_, path)| path.starts_with(ITEM) && path.ends_with(".rs"));
        code.map(|(hash, path)| (path.to_owned(), hash.to_owned())).collect()
    };
    let (measured, own) = (code(measured), code(sources));
    let differs = measured.iter().find(|(path, hash)| own.get(*path) != Some(hash));
    match differs.or_else(|| own.iter().find(|(path, _)| !measured.contains_key(*path))) {
        Some((path, _)) => Err(path.clone()),
        None => Ok(()),
    }
}

fn hash_of<'a>(sources: &'a str, name: &str) -> Option<&'a str> {
    sources.lines().filter_map(|line| line.split_once("  ")).find(|(_, path)| *path == name).map(|(hash, _)| hash)
}

fn counted(name: String, file: &File, text: &str) -> FileCoverage {
    let tests = test_items(text);
    let is_product = |line: u64| !tests.iter().any(|item| item.contains(&line));
    let lines: Vec<(u64, u64)> =
        line_counts(&file.segments).into_iter().filter(|(line, _)| is_product(*line)).collect();
    let outcomes: Vec<(u64, u64)> =
        outcomes(&file.branches).into_iter().filter(|(line, _)| is_product(*line)).collect();
    let missed = |(line, count): &(u64, u64)| (*count == 0).then_some(*line);
    let source: Vec<&str> = text.lines().map(str::trim).collect();
    let missed_line = |line: u64| MissedLine {
        line,
        text: source.get(line as usize - 1).map_or_else(String::new, |text| (*text).to_owned()),
        reason: String::new(),
    };
    let missed_lines: Vec<MissedLine> = lines.iter().filter_map(missed).map(missed_line).collect();
    let missed_branches: Vec<u64> = outcomes.iter().filter_map(missed).collect();
    FileCoverage {
        file: name,
        lines: lines.len() as u64,
        lines_reached: (lines.len() - missed_lines.len()) as u64,
        branches: outcomes.len() as u64,
        branches_reached: (outcomes.len() - missed_branches.len()) as u64,
        missed: missed_lines,
        missed_branches,
        branch_reason: String::new(),
    }
}

/// Lines of items at the outermost level that are compiled for tests alone; formatted sources close them with a brace at
/// the margin.
fn test_items(text: &str) -> Vec<RangeInclusive<u64>> {
    let mut items = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((from, line)) = lines.next() {
        if line != "#[cfg(test)]" {
            continue;
        }
        let head = lines.find(|(_, line)| !line.starts_with("#["));
        if head.is_some_and(|(_, line)| line.ends_with('{'))
            && let Some((to, _)) = lines.find(|(_, line)| *line == "}")
        {
            items.push(from..=to);
        }
    }
    items
}

/// The count of each line that has one.
fn line_counts(segments: &[Segment]) -> BTreeMap<u64, u64> {
    let mut by_line: BTreeMap<u64, Vec<Segment>> = BTreeMap::new();
    for segment in segments {
        by_line.entry(segment.0).or_default().push(*segment);
    }
    let mut counts = BTreeMap::new();
    let mut over: Option<Segment> = None;
    let last = by_line.keys().next_back().copied().unwrap_or(0);
    for line in 1..=last {
        let own = by_line.get(&line).map_or(&[][..], Vec::as_slice);
        if let Some(count) = line_count(own, over) {
            counts.insert(line, count);
        }
        over = own.last().copied().or(over);
    }
    counts
}

/// The count of a line with its own segments and the one that goes on over its begin; `None` if it has no code.
fn line_count(own: &[Segment], over: Option<Segment>) -> Option<u64> {
    let is_region = |Segment(_, _, _, has_count, is_start, is_gap): &&Segment| *has_count && *is_start && !*is_gap;
    let is_skipped = own.first().is_some_and(|Segment(_, _, _, has_count, is_start, _)| !*has_count && *is_start);
    let starts = own.iter().filter(is_region).map(|segment| segment.2).max();
    let covered = over.filter(|segment| segment.3);
    if is_skipped || (covered.is_none() && starts.is_none()) {
        return None;
    }
    Some(starts.unwrap_or(0).max(over.map_or(0, |segment| segment.2)))
}

/// Line and count of either outcome of each branch, once however often its function was made from a generic one.
fn outcomes(branches: &[Vec<u64>]) -> Vec<(u64, u64)> {
    let mut places: BTreeMap<[u64; 4], [u64; 2]> = BTreeMap::new();
    for branch in branches {
        let [line, column, line_end, column_end, taken, not_taken, ..] = branch[..] else { continue };
        let [yes, no] = places.entry([line, column, line_end, column_end]).or_default();
        *yes = yes.saturating_add(taken);
        *no = no.saturating_add(not_taken);
    }
    places.into_iter().flat_map(|([line, ..], counts)| counts.map(|count| (line, count))).collect()
}

type Files = BTreeMap<String, (FileCoverage, String)>;

/// Puts a reason to what it is for.
///
/// # Errors
/// Why it is stale.
fn explain(reason: &Reason, files: &mut Files) -> Result<(), String> {
    let Reason { file: name, what, why } = reason;
    let stale = |what: &str, how: &str| Err(format!("{name}: {what}: {how}"));
    let Some((file, text)) = files.get_mut(&format!("{ITEM}{name}")) else {
        return stale("the file", "was not measured");
    };
    if why.is_empty() {
        return stale("a reason", "is empty");
    }
    let (first, places) = match what {
        What::Branches(count) if *count == file.missed_branches.len() as u64 && *count > 0 => {
            file.branch_reason.clone_from(why);
            return Ok(());
        }
        What::Branches(count) => {
            let missed = file.missed_branches.len();
            return stale("branches", &format!("the reason is for {count} outcomes, {missed} are not reached"));
        }
        What::Lines(run) => (run.first().map_or("", String::as_str), runs(text, run)),
        What::Block(first) => (first.as_str(), blocks(text, first)),
    };
    let [place] = &places[..] else {
        let how = if places.is_empty() { "is gone".to_owned() } else { format!("stands {} times", places.len()) };
        return stale(first, &how);
    };
    let missed: Vec<&mut MissedLine> = file.missed.iter_mut().filter(|missed| place.contains(&missed.line)).collect();
    if missed.is_empty() {
        return stale(first, "is reached");
    }
    missed.into_iter().for_each(|missed| missed.reason.clone_from(why));
    Ok(())
}

/// Where these lines stand one after another, whatever their indentation.
fn runs(text: &str, run: &[String]) -> Vec<RangeInclusive<u64>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let found = (1..).zip(lines.windows(run.len().max(1))).filter(|(_, window)| window.iter().eq(run));
    found.map(|(line, window)| line..=line + window.len() as u64 - 1).collect()
}

/// Where this line opens something, to the line that closes it: the next one as far from the margin.
fn blocks(text: &str, first: &str) -> Vec<RangeInclusive<u64>> {
    let margin = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = text.lines().collect();
    let opens = lines.iter().enumerate().filter(|(_, line)| line.trim() == first);
    let block = |(at, open): (usize, &&str)| {
        let rest = lines[at + 1..].iter().position(|line| !line.is_empty() && margin(line) == margin(open))?;
        Some(at as u64 + 1..=(at + 1 + rest) as u64 + 1)
    };
    opens.filter_map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
fn first(a: bool) {
    if a {
        never();
    }
}

const fn table() -> u8 {
    let x = 1;
    x
}

#[cfg(test)]
mod tests {
    fn helper() {}
}
";

    /// Lines 1 to 5 are executed but for 3 and the brace that ends its block; 7 to 10 never, nor line 14 of the tests.
    const SEGMENTS: &str = "[[1,1,7,true,true,false],[2,8,7,true,true,false],[2,10,0,true,true,false],[4,6,7,true,false,false],
        [5,2,0,false,false,false],[7,1,0,true,true,false],[10,2,0,false,false,false],[14,5,0,true,true,false],[14,19,0,false,false,false]]";
    /// Twice the same branch, as of two instances, then one of the tests.
    const BRANCHES: &str = "[[2,8,2,9,0,3,0,0,4],[2,8,2,9,0,4,0,0,4],[14,8,14,9,0,0,0,0,4]]";
    const NAME: &str = "firmware-under-test/pump/src/lib.rs";

    fn document() -> String {
        format!(
            r#"{{"type":"llvm.coverage.json.export","version":"3.0.1","data":[{{"totals":{{}},"files":[
            {{"filename":"/w/{NAME}","segments":{SEGMENTS},"branches":{BRANCHES}}},
            {{"filename":"/w/firmware-under-test/pump/src/testing.rs","segments":[]}},
            {{"filename":"/w/firmware-under-test/pump/src/tests.rs","segments":[]}},
            {{"filename":"/w/sim/src/lib.rs","segments":[]}}]}}]}}"#
        )
    }

    fn read(path: &str) -> Option<String> {
        (path == format!("/w/{NAME}")).then(|| SOURCE.to_owned())
    }

    fn sources() -> String {
        format!("{}  {NAME}\n00  sim/src/lib.rs\n", sha256(SOURCE.as_bytes()))
    }

    fn measured(reasons: &str) -> Coverage {
        let (document, sources) = (document(), sources());
        let measurement = Measurement { document: &document, measured: &sources, sources: &sources };
        coverage(measurement, reasons, read).expect("a measurement")
    }

    fn reasons(file: &FileCoverage) -> Vec<(u64, &str)> {
        file.missed.iter().map(|missed| (missed.line, missed.reason.as_str())).collect()
    }

    #[test]
    fn lines_and_branches_of_the_product_alone_are_counted() {
        let found = measured("[]");
        assert_eq!(found.files.len(), 1);
        let file = &found.files[0];
        assert_eq!(file.file, NAME);
        assert_eq!((file.lines, file.lines_reached), (9, 3), "lines 1 to 5 and 7 to 10");
        assert_eq!(reasons(file), [3, 4, 7, 8, 9, 10].map(|line| (line, "")));
        assert_eq!(file.missed[0].text, "never();");
        assert_eq!((file.branches, file.branches_reached), (2, 1), "both instances are one branch");
        assert_eq!(file.missed_branches, [2]);
        assert_eq!((found.lines_without_reason(), found.branches_without_reason()), (6, 1));
    }

    #[test]
    fn a_reason_finds_its_lines_by_their_text() {
        let found = measured(
            r#"[(file: "pump/src/lib.rs", what: Lines(["if a {", "never();", "}"]), why: "guard"),
                (file: "pump/src/lib.rs", what: Block("const fn table() -> u8 {"), why: "compiler"),
                (file: "pump/src/lib.rs", what: Branches(1), why: "branch")]"#,
        );
        let file = &found.files[0];
        let table = [7, 8, 9, 10].map(|line| (line, "compiler"));
        assert_eq!(reasons(file), [&[(3, "guard"), (4, "guard")], &table[..]].concat());
        assert_eq!(file.branch_reason, "branch");
        assert_eq!(found.stale, Vec::<String>::new());
        assert_eq!((found.lines_without_reason(), found.branches_without_reason()), (0, 0));
    }

    #[test]
    fn a_reason_that_fits_nothing_is_stale_and_explains_nothing() {
        for (what, told) in [
            (r#"Lines(["gone();"])"#, "pump/src/lib.rs: gone();: is gone"),
            (r#"Lines(["never();", "if a {"])"#, "pump/src/lib.rs: never();: is gone"),
            (r#"Lines(["fn first(a: bool) {"])"#, "pump/src/lib.rs: fn first(a: bool) {: is reached"),
            (r#"Lines(["}"])"#, "pump/src/lib.rs: }: stands 4 times"),
            (r#"Block("mod tests {")"#, "pump/src/lib.rs: mod tests {: is reached"),
            ("Branches(2)", "pump/src/lib.rs: branches: the reason is for 2 outcomes, 1 are not reached"),
            ("Branches(0)", "pump/src/lib.rs: branches: the reason is for 0 outcomes, 1 are not reached"),
        ] {
            let found = measured(&format!(r#"[(file: "pump/src/lib.rs", what: {what}, why: "x")]"#));
            assert_eq!(found.stale, [told]);
            assert_eq!((found.lines_without_reason(), found.branches_without_reason()), (6, 1), "{what}");
        }
        let elsewhere = measured(r#"[(file: "pump/src/old.rs", what: Branches(1), why: "x")]"#);
        assert_eq!(elsewhere.stale, ["pump/src/old.rs: the file: was not measured"]);
        let empty = measured(r#"[(file: "pump/src/lib.rs", what: Lines(["never();"]), why: "")]"#);
        assert_eq!(empty.stale, ["pump/src/lib.rs: a reason: is empty"]);
    }

    #[test]
    fn what_is_no_measurement_of_these_sources_is_refused() {
        let (document, sources) = (document(), sources());
        let good = Measurement { document: &document, measured: &sources, sources: &sources };
        let refused = |measurement, reasons: &str| coverage(measurement, reasons, read).err();
        assert_eq!(refused(good, "[]"), None);
        assert!(refused(Measurement { document: "{}", ..good }, "[]").is_some());
        assert!(refused(good, "no list").is_some());
        let other = document.replace("llvm.coverage", "other");
        assert!(refused(Measurement { document: &other, ..good }, "[]").is_some());
        let elsewhere = document.replace("firmware-under-test", "elsewhere");
        assert!(refused(Measurement { document: &elsewhere, ..good }, "[]").is_some());
        let changed = sources.replacen(|digit: char| digit.is_ascii_hexdigit(), "x", 1);
        let more = format!("{sources}00  firmware-under-test/pump/src/new.rs\n");
        for (measured, own) in [(&changed, &sources), (&sources, &changed), (&more, &sources), (&sources, &more)] {
            let measurement = Measurement { measured, sources: own, ..good };
            let why = refused(measurement, "[]").expect("other sources");
            assert!(why.starts_with("it was measured on other sources"), "{why}");
        }
        let edited = |path: &str| read(path).map(|text| text + "\n");
        let why = coverage(good, "[]", edited).expect_err("edited since");
        assert_eq!(why, format!("{NAME} is not as it was measured"));
        assert!(coverage(good, "[]", |_| None).is_err());
    }

    #[test]
    fn the_committed_reasons_can_be_read() {
        let reasons: Vec<Reason> = ron::from_str(REASONS).expect("a list");
        assert!(reasons.iter().all(|reason| reason.why.len() > 10), "each says why");
    }
}
