//! The sample report of a campaign, and the shipped campaigns: the same bytes as this program makes today.
//!
//! `BLESS=1 cargo test -p cooltwin --test campaign_gallery` renews the sample. It carries a build identity of its own, so
//! that it changes only when a result or its rendering does.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;

use cooltwin::campaign::engine::run_trials;
use cooltwin::campaign::trial::plain;
use cooltwin::campaign::{Campaign, draw, load_campaign, summary};
use cooltwin::run::{self, Identity};
use cooltwin::scenario::{self, FileSource};
use reports::campaign::{
    CampaignReport, campaign_figure_files, campaign_from_json, campaign_html, campaign_json, campaign_text,
    read_trials, write_trials,
};
use reports::{Verdict, sha256};

const SAMPLE: &str = "scenarios/campaigns/sample.ron";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_owned()
}

/// Reads files by their names from the root of the repository, wherever the test runs.
struct Root;

impl FileSource for Root {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        fs::read(root().join(path)).map_err(|error| error.to_string())
    }
}

fn load(path: &str) -> Campaign {
    load_campaign(&Root, Path::new(path)).unwrap_or_else(|error| panic!("{path}: {error:?}"))
}

/// The report of the sample with its rows as a table.
fn report(campaign: &Campaign) -> (CampaignReport, String) {
    let trials: Vec<u64> = (0..campaign.trials()).collect();
    let mut rows = Vec::new();
    let jobs = NonZero::new(2).expect("two");
    run_trials(campaign, &trials, jobs, &plain, |block| {
        rows.extend_from_slice(block);
        Ok::<(), ()>(())
    })
    .expect("nothing stops it");
    let table = write_trials(&summary::columns(campaign), &rows, true);
    let identity = Identity { version: "0.0.0".to_owned(), commit: "unknown".to_owned(), rustc: "unknown".to_owned() };
    let control = summary::control(campaign, &plain);
    (summary::report(campaign, &rows, &sha256(table.as_bytes()), control, &identity), table)
}

#[test]
fn the_sample_of_a_campaign_is_current() {
    let campaign = load(SAMPLE);
    let (report, table) = report(&campaign);
    assert_eq!(report.verdict, Verdict::Pass, "{}", campaign_text(&report, false));
    let page = campaign_html(&report);
    assert!(!page.contains("<script") && !page.contains("http://") && page.matches("<figure").count() >= 3);
    let mut files: BTreeMap<String, String> = campaign_figure_files(&report).into_iter().collect();
    files.insert("report.html".to_owned(), page);
    files.insert("campaign.json".to_owned(), campaign_json(&report) + "\n");
    files.insert("campaign.txt".to_owned(), campaign_text(&report, false));
    files.insert("trials.csv".to_owned(), table);
    // The scenarios that the report's commands name.
    for (name, trial) in summary::scenarios_wanted(&campaign, &report) {
        let scenario = draw::draw(&campaign, trial).scenario.unwrap_or_else(|why| panic!("{name}: {why}"));
        files.insert(name, scenario.resolved_text());
    }
    assert!(files.contains_key("worst/pump-update.ron"));
    let folder = root().join("reports/gallery/campaign");
    for (name, text) in &files {
        let path = folder.join(name);
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, text).expect("a written sample");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == *text, "{name} is not what this program makes: renew with BLESS=1");
    }
}

/// The command that a report names for its longest update, as the twin answers it today.
#[test]
fn the_worst_updates_of_the_committed_campaigns_are_repeated() {
    let gallery = root().join("reports/gallery");
    for (folder, plan) in [
        ("campaign", "sample"),
        ("campaign-pump-update", "pump-update"),
        ("campaign-pump-update-46050", "pump-update-46050"),
    ] {
        let text = fs::read_to_string(gallery.join(folder).join("campaign.json")).expect("a committed campaign");
        let report = campaign_from_json(&text).expect("a report of a campaign");
        let campaign = load(&format!("scenarios/campaigns/{plan}.ron"));
        assert_eq!(report.sha256, campaign.sha256(), "{folder}: the plan has changed: run it again");
        assert_eq!((report.verdict, report.executed), (Verdict::Pass, campaign.trials()), "{folder}");
        assert!(report.failures <= report.plan.failures_allowed, "{folder}");
        let values = report.times.iter().find(|values| values.budget == "pump-update").expect("its budget");
        let replay = values.replay.as_ref().expect("its worst trial");
        assert_eq!(replay.command, "cooltwin run worst/pump-update.ron", "{folder}");
        let path = format!("reports/gallery/{folder}/worst/pump-update.ron");
        let loaded = scenario::load(&Root, Path::new(&path), &[]).unwrap_or_else(|error| panic!("{path}: {error:?}"));
        assert_eq!(loaded.scenario.seed.to_string(), replay.seed, "{path} is not of trial {}", replay.trial);
        let run = run::run(&loaded.scenario, loaded.image.as_deref(), |_| {});
        let again = run::report(&loaded, &run, &Identity::default());
        let row = again.budget("pump-update").expect("its budget");
        assert_eq!(row.measured, values.worst, "{folder}: run the campaign again");
    }
}

/// A committed result names the commit whose program made it; what it read stood in that commit.
#[test]
fn the_committed_campaigns_read_what_their_commit_holds() {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(root()).args(arguments).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    for folder in ["campaign-pump-update", "campaign-pump-update-46050"] {
        let text = fs::read_to_string(root().join("reports/gallery").join(folder).join("campaign.json"));
        let report = campaign_from_json(&text.expect("a committed campaign")).expect("a report of a campaign");
        let commit = &report.build.commit;
        assert!(commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{folder}: {commit}");
        assert!(!report.inputs.is_empty(), "{folder}");
        if git(&["cat-file", "-e", commit]).is_none() {
            eprintln!("{folder}: the history here does not reach back to {commit}, so its inputs are not looked at");
            continue;
        }
        for input in &report.inputs {
            let path = input.path.trim_start_matches("./");
            let held = git(&["show", &format!("{commit}:scenarios/campaigns/{path}")])
                .or_else(|| git(&["show", &format!("{commit}:scenarios/{}", path.trim_start_matches("../"))]))
                .unwrap_or_else(|| panic!("{folder}: {commit} has no {path}"));
            assert_eq!(sha256(&held), input.sha256, "{folder}: {path} is another one in {commit}");
        }
    }
}

/// How often faults come, by hand: trials, odds, and four fifths for a swarm of 20 %.
#[test]
fn a_campaign_says_how_often_its_faults_are_expected() {
    let text = fs::read_to_string(root().join("reports/gallery/campaign-pump-update-46050/campaign.json"));
    let report = campaign_from_json(&text.expect("a committed campaign")).expect("a report of a campaign");
    // 46,050 x 2 % x 0.8, and 46,050 x 2 x 0.8. Widths are five standard deviations: of a rare one the root of its number, of
    // the frequent one the root of 46,050 x (2 x 0.8 + 4 x 0.8 x 0.2).
    for (name, expected, width) in [("sag", "736.8", 136), ("frame-hit", "73680", 1_606)] {
        let fault = report.faults.iter().find(|fault| fault.name == name).expect("a fault of the mix");
        assert_eq!(fault.expected.to_string(), expected, "{name}");
        let middle: u64 = expected.split('.').next().and_then(|whole| whole.parse().ok()).expect("a number");
        assert!(fault.drawn.abs_diff(middle) <= width, "{name} came {} times", fault.drawn);
    }
    assert!(report.remarks.iter().any(|remark| remark.contains("were stopped with failures")));
    let page = campaign_html(&report);
    assert!(page.contains("736.8") && page.contains("switched off in 20 % of the trials"));
    assert!(report.remarks.iter().all(|remark| page.contains(&remark[..40])));
}

/// Pumps of one campaign are counted and are no trials; how many tries each needed is not told of a whole campaign.
#[test]
fn a_claim_about_whole_campaigns_counts_campaigns() {
    let campaign = load("scenarios/campaigns/whole-campaign.ron");
    assert_eq!((campaign.trials(), campaign.pump), (22, None));
    let (report, table) = report(&campaign);
    assert_eq!(report.verdict, Verdict::Pass, "{}", campaign_text(&report, false));
    let trials = read_trials(&table).expect("a table").trials;
    assert!(trials.iter().all(|trial| (trial.due, trial.updated) == (3, 3)));
    assert!(trials.iter().any(|trial| trial.tries.len() > 3), "some pump needed another try");
    assert_eq!((report.pumps.good, report.pumps.of, report.pumps.independent), (66, 66, false));
    assert_eq!((report.campaigns.good, report.campaigns.of, report.campaigns.independent), (22, 22, true));
    assert!(report.tries_needed.is_empty(), "{:?}", report.tries_needed);
    // 1 - 0.1^(1/22), by hand: with 66 trials it would be 3.4 %.
    assert_eq!(report.failure_upper.to_string(), "9.937198");
    assert!(
        report.sentence.contains("at least 90 % of update campaigns leave every pump updated"),
        "{}",
        report.sentence
    );
    let (text, page) = (campaign_text(&report, false), campaign_html(&report));
    assert!(text.contains("pumps 66 of 66 within three tries   tries"), "{text}");
    assert!(!text.contains("by try") && !page.contains("by try"), "{text}");
}

#[test]
fn the_shipped_campaigns_show_what_they_claim_and_draw_scenarios() {
    for (file, trials) in [("pump-update", 4_742), ("pump-update-46050", 46_050), ("smoke", 299), ("sample", 93)] {
        let campaign = load(&format!("scenarios/campaigns/{file}.ron"));
        assert_eq!((campaign.trials(), campaign.pump), (trials, Some(1)), "{file}");
        let mut came = vec![0_u32; campaign.raw.mix.len()];
        for trial in 0..trials.min(2_000) {
            let drawn = draw::draw(&campaign, trial);
            drawn.scenario.unwrap_or_else(|why| panic!("{file}, trial {trial}: {why}"));
            drawn.faults.iter().for_each(|fault| came[*fault] += 1);
        }
        let rare = campaign.raw.mix.iter().zip(&came).filter(|(_, count)| **count == 0);
        let rare: Vec<&str> = rare.map(|(mixed, _)| mixed.name.as_str()).collect();
        assert!(rare.len() <= 1, "{file}: {rare:?} never came");
    }
    // CI's campaign is the large one with another plan. The long one has the same faults and repeats no trial; how often they
    // come and how strong they are is milder in what its head gives reasons for, and in nothing else.
    let [smoke, large, long] =
        ["smoke", "pump-update", "pump-update-46050"].map(|file| load(&format!("scenarios/campaigns/{file}.ron")));
    assert_eq!(smoke.mix_sha256(), large.mix_sha256());
    assert_ne!(long.raw.seed, large.raw.seed);
    let mix = |file: &str| -> Vec<String> {
        let text = fs::read_to_string(root().join(format!("scenarios/campaigns/{file}.ron"))).expect("a campaign");
        let (_, mix) = text.split_once("mix: [").expect("a mix");
        mix.lines().map(str::trim).filter(|line| !line.starts_with("//")).map(str::to_owned).collect()
    };
    let (ours, theirs) = (mix("pump-update-46050"), mix("pump-update"));
    assert_eq!(ours.len(), theirs.len());
    let milder: Vec<&str> =
        ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs).map(|(ours, _)| ours.as_str()).collect();
    assert_eq!(
        milder,
        [
            r#"(name: "sag", often: Chance("2%"), fault: ("#,
            r#"(name: "pump-power-cut", often: Chance("1%"), fault: ("#,
            r#"trigger: At(Range("6s", "65s")), duration: Range("10ms", "1s"),"#,
            r#"(name: "loose-contact", often: Chance("1%"), fault: ("#,
            r#"kind: BitErrors(rate: LogRange("5ppm", "8ppm")), place: Bus,"#,
            r#"trigger: At(Range("20s", "65s")), duration: Range("200ms", "1s"),"#,
            r#"trigger: At(Range("6s", "65s")), duration: Range("150ms", "1s"),"#,
            r#"(name: "pump-reset", often: Chance("0.5%"), fault: ("#,
            r#"(name: "cioc-reset", often: Chance("0.3%"), fault: ("#,
            r#"kind: SlowErase(factor: Range("1.1x", "1.4x")), place: Pump(1), trigger: At("0s"),"#,
            r#"(name: "flash-failure", often: Chance("0.2%"), fault: ("#,
        ]
    );
}
