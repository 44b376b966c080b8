//! The complete sweep of power cuts of a small update.

mod common;

use std::num::NonZero;

use cooltwin::sweep::engine::{Options, Space, sweep};
use cooltwin::sweep::judge::Class;
use cooltwin::sweep::power_cut::{Outage, PowerCuts};
use cooltwin::sweep::survey::Survey;
use cooltwin::sweep::{Slot, Trunk};

#[test]
fn try_it() {
    let scenario = std::env::var("SCEN").unwrap_or("small".to_owned());
    let base = common::loaded(&common::shipped(&format!("sweeps/{scenario}.ron")), &[]);
    let trunk = Trunk::new(&base, &[Slot::flash_operations(1)]).expect("a trunk");
    let (survey, run) = Survey::of(&trunk, 1);
    assert!(survey.is_whole(&run));
    println!("ops {} steps {} frames {}", survey.operations.len(), survey.steps.len(), survey.frames.len());
    let space = PowerCuts::new(&base, 1, survey, Outage::default()).expect("a space");
    println!("space {}", space.len());
    let sample = std::env::var("SAMPLE").ok().and_then(|s| s.parse().ok());
    let options = Options { sample, seed: 1, jobs: NonZero::new(2).unwrap(), control_permille: 10, merge: true };
    let start = std::time::SystemTime::now();
    let swept = sweep(&space, &options, &|stage, done, of| {
        if done % 2048 == 0 {
            println!("{:?} {stage} {done} {of}", start.elapsed())
        }
    });
    println!(
        "{:?} merged {} of {} classes {} controls {} mismatches {}",
        start.elapsed(),
        swept.merged(),
        swept.standings.len(),
        swept.weights().len(),
        swept.controls,
        swept.mismatches.len()
    );
    for m in swept.mismatches.iter().take(3) {
        println!("{m:?}");
    }
    for (i, name) in space.strata().iter().enumerate() {
        let counts: Vec<String> = Class::ALL
            .iter()
            .map(|c| (c, swept.count(i, *c)))
            .filter(|x| x.1 > 0)
            .map(|(c, n)| format!("{}: {n}", c.name()))
            .collect();
        let solo = swept.standings.iter().filter(|s| s.stratum == i && s.leader == s.strike).count();
        println!("{name}: {} run {solo}", counts.join(", "));
    }
    for (n, o) in swept.outcomes.iter().filter(|o| !o.1.class.is_good()).take(12) {
        println!("{n} {} {:?}", space.strike(*n).name, o);
    }
}
