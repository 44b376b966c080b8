//! `cooltwin search`: hill climbing for the worst case of a budget, and the analytic bound beside what was found.

use std::io::IsTerminal;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use reports::search::{search_html, search_text};

use super::output::{OutputError, Place};
use super::run::{exit_code, identity};
use super::{Disk, Style, Terminal, exit, files};
use crate::scenario::elsewhere::{configurations, with_names_below};
use crate::search::report::{BASE, report, table, worst_of};
use crate::search::{Search, file, load_search, run};

/// Arguments of `cooltwin search`.
#[derive(Args, Clone, Debug)]
pub(super) struct SearchArgs {
    /// Search file; --explain prints its fields.
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    file: Option<PathBuf>,
    /// Ascents at a time; as many as there are processors where not given. It changes no result.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Folder for the result, instead of one named by the search and its seed below ./cooltwin-out.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print search.json instead of the report.
    #[arg(long)]
    json: bool,
    /// Print the fields of search files.
    #[arg(long)]
    explain: bool,
    /// How problems are printed.
    #[command(flatten)]
    style: Style,
}

/// Does what `arguments` say.
pub(super) fn search(arguments: &SearchArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    let Some(path) = arguments.file.as_deref().filter(|_| !arguments.explain) else {
        return terminal.finish(&file::explain(), exit::PASS);
    };
    let search = match load_search(&Disk, path) {
        Ok(search) => search,
        Err(error) => return files::print(&error, terminal).into(),
    };
    match searched(arguments, &search, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(error) => {
            terminal.diagnostic(&format!("error: {error}\n"));
            exit::USAGE.into()
        }
    }
}

fn searched(arguments: &SearchArgs, search: &Search, terminal: Terminal) -> Result<(String, u8), OutputError> {
    let own = || Path::new("cooltwin-out").join(&search.raw.name).join(format!("search-{}", search.raw.seed));
    let target = arguments.out.clone().unwrap_or_else(own);
    let place = Place::check(&target)?;
    let jobs = super::jobs(arguments.jobs);
    let bar = bar(search, arguments.json);
    let ascents = run::search(search, jobs, &|| bar.inc(1));
    bar.finish_and_clear();
    let report = report(search, &ascents, &identity());
    let folder = place.draft()?;
    folder.write("search.json", &report.json())?;
    let text = search_text(&report);
    folder.write("search.txt", &text)?;
    folder.write("report.html", &search_html(&report))?;
    folder.write("search.csv", &table(search, &ascents))?;
    folder.write("search.ron", &search.resolved_text())?;
    let worst = worst_of(search, &ascents).and_then(|(.., looked)| search.scenario(&looked.point).ok());
    let written = [(BASE, Some(&search.base.scenario)), ("worst.ron", worst.as_ref().map(|loaded| &loaded.scenario))];
    for (file, scenario) in written {
        let Some(scenario) = scenario.map(with_names_below) else { continue };
        folder.write(file, &scenario.resolved_text())?;
        for (name, bytes) in configurations(&scenario) {
            folder.write(&name, &bytes)?;
        }
    }
    folder.commit()?;
    if !arguments.json && report.worst.is_none() {
        terminal.diagnostic("note: no conclusive run measured anything\n");
    }
    let base = target.join(BASE);
    let typed_here = || {
        let text = text.replace(&format!("cooltwin run {BASE} "), &format!("cooltwin run {} ", base.display()));
        format!("{text}results in {}\n", target.display())
    };
    Ok((if arguments.json { report.json() } else { typed_here() }, exit_code(report.verdict)))
}

fn bar(search: &Search, quiet: bool) -> ProgressBar {
    let all = u64::from(search.raw.restarts) * u64::from(search.raw.steps);
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} runs, {per_sec}, {eta} left");
    let bar = ProgressBar::new(all).with_prefix(search.raw.name.clone());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
