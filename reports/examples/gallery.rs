//! Shows the sample reports in this terminal: `cargo run -p reports --example gallery -- fail 100 v color`.
//!
//! For whoever changes the layout; tests compare the same samples with snapshots.

#[path = "../tests/samples/mod.rs"]
mod samples;

use reports::{Options, Verbosity, terminal};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    let width = words.iter().find_map(|word| word.parse().ok()).unwrap_or(100);
    let verbosity = match () {
        () if has("q") => Verbosity::Quiet,
        () if has("v") => Verbosity::Verbose,
        () if has("vv") => Verbosity::VeryVerbose,
        () => Verbosity::Normal,
    };
    let options = Options { width, color: has("color"), verbosity, file: None };
    for (name, report) in samples::all() {
        if has(name) || has("all") {
            println!("{}", terminal(&report, &options));
        }
    }
}
