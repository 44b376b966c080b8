//! The tool: class and argument, how it can fail and what is done against it, rules, limits, and what built it.

use maud::{Markup, html};

use super::Evidence;
use crate::html::Column::{Number, Text, Wide};
use crate::html::frame::section;
use crate::html::{evidence::limits, head, shape, table};

/// A way in which the tool can mislead.
struct Mechanism {
    fails: &'static str,
    measure: &'static str,
    /// Where this bundle shows it.
    page: &'static str,
    shown: &'static str,
}

const MECHANISMS: &[Mechanism] = &[
    Mechanism {
        fails: "A fault is asked for and not injected",
        measure: "Each injection logs what it found and left; one that never acted makes the run inconclusive.",
        page: "faults.html#injections",
        shown: "injections",
    },
    Mechanism {
        fails: "A check holds whatever happens",
        measure: "Each check is shown what it must not accept, every time a bundle is made.",
        page: "controls.html",
        shown: "controls",
    },
    Mechanism {
        fails: "A check has nothing to look at and reads as good",
        measure: "Rows count how often they looked; a row that never looked is inconclusive or not applicable.",
        page: "traceability.html#backward",
        shown: "verdicts by row",
    },
    Mechanism {
        fails: "Another item is tested than the one under review",
        measure: "Hashes of all sources, of the lock file and of the executable are in the record; a second build is named by verify.",
        page: "tool.html#build",
        shown: "build identity",
    },
    Mechanism {
        fails: "The result depends on something that nobody sees: thread, clock, order in memory",
        measure: "No clock and no unordered map in the program; each run is made twice and compared record by record.",
        page: "index.html#counts",
        shown: "twice the same",
    },
    Mechanism {
        fails: "A result is lost",
        measure: "What is planned is written down before the first run; planned = executed + stored + invalid + skipped.",
        page: "index.html#counts",
        shown: "counts",
    },
    Mechanism {
        fails: "A page shows an older result",
        measure: "All pages are rendered from the stored results alone; verify renders them again and compares every byte.",
        page: "index.html#files",
        shown: "files",
    },
    Mechanism {
        fails: "A record is altered later",
        measure: "SHA-256 of every file; verify also runs every stored scenario again, so a new manifest does not help.",
        page: "manifest.sha256",
        shown: "manifest",
    },
    Mechanism {
        fails: "A requirement is changed or dropped so that it fits",
        measure: "The baseline is part of the program, each row has a revision and a hash; verify names the row.",
        page: "requirements.html",
        shown: "baseline",
    },
    Mechanism {
        fails: "The check makes the same mistake as the firmware",
        measure: "Checks read the twin's truth with readers of their own; bus times are measured a second time from frames alone.",
        page: "checklist.html#point-34",
        shown: "independence",
    },
    Mechanism {
        fails: "The model of bus, supply, flash or plant is wrong",
        measure: "Rules of the bus are tested against hand calculations and foreign decoders; constants are listed as assumptions. Comparison with hardware is open.",
        page: "assumptions.html",
        shown: "assumptions",
    },
];

impl Evidence<'_> {
    pub(super) fn tool(&self) -> Markup {
        html! {
            (section("class", "Tool class", &class()))
            (section("mechanisms", "How it can fail, and what is done against it", &mechanisms()))
            (section("rules", "Rules of verdicts", &rules()))
            (section("limits", "Limits of the model and known deviations", &limits()))
            (section("coverage", "Structural coverage", &self.structural_coverage()))
            (section("build", "Build and environment", &self.build()))
        }
    }

    fn build(&self) -> Markup {
        let program = &self.bundle.program;
        let inputs = &self.bundle.inputs;
        let crates = html! {
            caption { "SHA-256 of each crate's lines in sources/sources.sha256; " code { "sha256sum -c" } " at the root of the sources checks the files" }
            (head(&[Text("Crate"), Text("Part of"), Number("Files"), Wide("SHA-256")]))
            tbody {
                @for each in &program.crates {
                    tr {
                        th scope="row" { (each.name) }
                        td { @if each.item { "item under test" } @else { "tool" } }
                        td.number { (each.files) }
                        td { code { (each.sha256) } }
                    }
                }
            }
        };
        html! {
            dl.facts {
                dt { "Program" } dd { "cooltwin " (program.version) }
                dt { "Commit" } dd { code { (program.commit) } }
                dt { "Compiler" } dd { (program.rustc) }
                dt { "Platform" } dd { (program.target) }
                dt { "Profile and flags" } dd { (program.profile) }
                dt { "Features" } dd { @if program.features.is_empty() { "none" } @else { (program.features.join(", ")) } }
                dt { "Cargo.lock" } dd { @if program.lock_sha256.is_empty() { "not known" } @else { code { (program.lock_sha256) } "; versions of all crates stand in sources/Cargo.lock" } }
                dt { "Executable" } dd { code { (program.binary_sha256) } }
                dt { "Files read" } dd {
                    @if inputs.known { (inputs.committed) " as committed, " (inputs.changed.len()) " changed since, " (inputs.unversioned.len()) " in no commit" }
                    @else { "version control could not be asked" }
                }
            }
            @for file in &inputs.changed { p { (shape::word(true, "changed")) " " code { (file) } } }
            @for file in &inputs.unversioned { p { (shape::word(true, "in no commit")) " " code { (file) } } }
            (table("Sources by crate", &crates))
            p { "Operating system, host, user, locale, time and number of threads are not recorded: none of them may enter a result. Runs read the files above and nothing else; they use no network." }
        }
    }
}

fn class() -> Markup {
    html! {
        p {
            "cooltwin compiles the firmware crates for the host and drives them in a simulation. It reads firmware and scenarios and writes reports; "
            "nothing that it makes becomes part of the product. An error in it can hide an error of the firmware, and cannot put one in. "
            "In the terms of IEC 61508 this makes it an off-line support tool of class " strong { "T2" } ", for the assessor to confirm. "
            "In the terms of ISO 26262: it can fail to detect an error, and the measures below make it likely that such a failure shows."
        }
        p {
            "What such a tool is asked for is here: a description of what it does and leaves out (this page, the README and the reference that "
            code { "cooltwin scenario explain" } " prints), and an assessment of how it can fail, with measures. Records of its own validation are asked of a higher class and "
            "kept in small nevertheless: its tests, the controls of every bundle, and decoders by others that judge its traces."
        }
    }
}

fn mechanisms() -> Markup {
    let content = html! {
        caption { "Each way to fail with its measure and where this bundle shows it" }
        (head(&[Wide("Way to fail"), Wide("Measure"), Text("Shown in")]))
        tbody { @for each in MECHANISMS { tr { th scope="row" { (each.fails) } td { (each.measure) } td { a href=(each.page) { (each.shown) } } } } }
    };
    table("Failure mechanisms", &content)
}

fn rules() -> Markup {
    html! {
        ul.plain {
            li { "A run is an error before it is a fail, a fail before it is inconclusive, and a pass only if nothing else." }
            li { "A row with nothing measured, an injection that never acted and a precondition never reached are inconclusive, never a pass." }
            li { "A row that fails as its scenario expects reads expected-fail; if the failure does not come, the row fails." }
            li { "A requirement is a pass when a row that names it held in at least one executed run and failed in none; where budgets name it, one of them must have held. Rows of runs that could not be judged, of two runs that differ and of another program's stored results do not count." }
            li { "A run without a pass counts as good for the bundle only if its scenario states that verdict and all else that it expects holds; it reads as stated, never as a pass." }
        }
        p { "Values are held against limits as exact decimals; none is rounded before it is judged." }
    }
}
