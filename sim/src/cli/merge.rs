//! `cooltwin merge`: puts the shards of a campaign together, and refuses to when any is missing, double or foreign.
//!
//! A shard's folder holds its rows and the files of its campaign, so nothing else is needed. The result has the bytes of
//! a campaign that one machine ran whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use reports::campaign::{Trial, read_trials};
use reports::sha256;

use super::campaign::{
    Finished, HEAD_SCHEMA, Head, Held, SHARD, TRIALS, campaign_place, refused, told, write_campaign,
};
use super::run::exit_code;
use super::{Style, Terminal, exit};
use crate::campaign::engine::Shard;
use crate::campaign::{Campaign, load_campaign};
use crate::scenario::FileSource;

/// Arguments of `cooltwin merge`.
#[derive(Args, Clone, Debug)]
pub(super) struct MergeArgs {
    /// Folders of all shards of one campaign.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Folder for results, instead of one named by campaign and seed below ./cooltwin-out/merged.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the result of another campaign that stands there.
    #[arg(long)]
    replace: bool,
    /// Print campaign.json instead of the report.
    #[arg(long)]
    json: bool,
    /// How problems are printed.
    #[command(flatten)]
    style: Style,
}

/// A shard on disk.
struct Share {
    folder: PathBuf,
    said: Finished,
    rows: Vec<Trial>,
}

/// Puts the shards together that `arguments` name.
pub(super) fn merge(arguments: &MergeArgs) -> ExitCode {
    let terminal = Terminal::new(&arguments.style);
    match merged(arguments, terminal) {
        Ok((text, code)) => terminal.finish(&text, code),
        Err(Refusal::Told(code)) => code.into(),
        Err(Refusal::Because(why)) => {
            terminal.diagnostic(&format!("error: {why}\n"));
            exit::USAGE.into()
        }
    }
}

/// Why nothing is put together.
enum Refusal {
    /// It was told; with the exit code.
    Told(u8),
    /// What to tell.
    Because(String),
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

fn merged(arguments: &MergeArgs, terminal: Terminal) -> Result<(String, u8), Refusal> {
    let mut shares = Vec::new();
    for folder in &arguments.folders {
        shares.push(share(folder)?);
    }
    let head = shares.first().map(|share| share.said.head.clone()).ok_or("no shard is named".to_owned())?;
    belong_together(&shares, &head)?;
    let campaign = load_campaign(&Inside { head: &head }, Path::new(&head.path))
        .map_err(|error| Refusal::Told(refused(&error, terminal)))?;
    if campaign.sha256() != head.campaign {
        return Err(format!("{}: its files are not those of its campaign", shares[0].folder.display()).into());
    }
    let rows = all_rows(&campaign, shares)?;
    let own = || {
        let folder = Path::new("cooltwin-out/merged").join(&campaign.raw.name);
        folder.join(campaign.raw.seed.to_string())
    };
    let target = arguments.out.clone().unwrap_or_else(own);
    let own = Held { campaign: head.campaign.clone(), shard: None };
    let place = campaign_place(&target, &own, arguments.replace).map_err(|error| error.to_string())?;
    let folder = place.draft().map_err(|error| error.to_string())?;
    let report = write_campaign(&folder, &campaign, &rows).map_err(|error| error.to_string())?;
    folder.commit().map_err(|error| error.to_string())?;
    Ok((told(&report, &target, arguments.json, terminal), exit_code(report.verdict)))
}

fn share(folder: &Path) -> Result<Share, String> {
    let read = |file: &str| {
        let path = folder.join(file);
        fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    if !folder.join(SHARD).is_file() {
        return Err(format!(
            "{} is no finished shard of a campaign: it has no {SHARD}\n\
             help: `cooltwin campaign FILE --shard I/N --out DIR` makes one",
            folder.display()
        ));
    }
    let wrong = |why: String| format!("{}: {why}", folder.display());
    let said: Finished =
        serde_json::from_str(&read(SHARD)?).map_err(|error| wrong(format!("{SHARD} is no finished shard: {error}")))?;
    if said.head.schema != HEAD_SCHEMA {
        return Err(wrong(format!("{SHARD} is of schema {}, not {HEAD_SCHEMA}", said.head.schema)));
    }
    let table = read(TRIALS)?;
    if sha256(table.as_bytes()) != said.trials_sha256 {
        return Err(wrong(format!("{TRIALS} is not the one that the shard wrote")));
    }
    let rows = read_trials(&table).map_err(|error| wrong(format!("{TRIALS}, {error}")))?.trials;
    Ok(Share { folder: folder.to_owned(), said, rows })
}

/// Every shard once, all of one campaign and one program.
fn belong_together(shares: &[Share], head: &Head) -> Result<(), String> {
    let mut seen: BTreeMap<u32, &Path> = BTreeMap::new();
    let first = shares[0].folder.display();
    for share in shares {
        let (own, folder) = (&share.said.head, share.folder.display());
        if own.campaign != head.campaign {
            return Err(format!("{folder} is of another campaign than {first}"));
        }
        if own.of != head.of {
            return Err(format!("{folder} is one of {} shards, {first} one of {}", own.of, head.of));
        }
        if own.build != head.build {
            return Err(format!("{folder} was run by another program than {first}"));
        }
        if let Some(other) = seen.insert(own.shard, &share.folder) {
            return Err(format!("shard {} of {} stands in {} and in {folder}", own.shard, own.of, other.display()));
        }
    }
    let missing: Vec<String> =
        (1..=head.of).filter(|shard| !seen.contains_key(shard)).map(|shard| format!("{shard}/{}", head.of)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("missing: shard {}", missing.join(", "))) }
}

/// The rows of all trials in order; each shard has exactly its own.
fn all_rows(campaign: &Campaign, shares: Vec<Share>) -> Result<Vec<Trial>, String> {
    let mut rows = Vec::new();
    for share in shares {
        let shard = Shard { number: share.said.head.shard, of: share.said.head.of };
        let numbers = share.rows.iter().map(|row| row.number - 1);
        if !numbers.eq(shard.trials(campaign)) {
            return Err(format!("{} does not hold the trials of shard {}", share.folder.display(), shard.number));
        }
        rows.extend(share.rows);
    }
    rows.sort_by_key(|row| row.number);
    Ok(rows)
}

/// The files of a campaign as a shard kept them.
struct Inside<'a> {
    head: &'a Head,
}

impl FileSource for Inside<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let path = path.display().to_string();
        let kept = self.head.files.iter().find(|kept| kept.path == path);
        kept.map(|kept| kept.text.clone().into_bytes()).ok_or_else(|| "the shard does not hold it".to_owned())
    }
}
