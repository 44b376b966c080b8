//! From the rows of a campaign to its report: verdict by the plan, bounds, classes, worst trials.
//!
//! Rows are all that is looked at, so the report of shards put together is that of one machine. Every share is rounded
//! to the unfavourable side.

use reports::campaign::{
    CampaignReport, CampaignSchema, Class, ClassCount, Control, Histogram, MixedFault, Plan, QuantileBound, Ratio,
    Replay, Stratum, Trial, Values,
};
use reports::{Fixed, Relation, Verdict};

use super::file::{Campaign, Claim, Often};
use super::statistics;
use super::trial::{Judged, Runner, judge_scenario};
use crate::run::{Identity, limit_value, relation};
use crate::scenario::quantity;
use crate::scenario::{self, Scenario, words};

/// Trials that were no success which a report lists.
pub const FAILED_LISTED: usize = 20;
/// Steps of a histogram, about.
const STEPS: i64 = 40;
/// Quantiles that get a bound, as the share above them.
const ABOVE: [(i64, f64); 3] = [(50_000_000, 0.5), (99_000_000, 0.01), (99_900_000, 0.001)];

/// Names of the budgets' columns: `pump-update [ms]`.
#[must_use]
pub fn columns(campaign: &Campaign) -> Vec<String> {
    let unit = |limit: &words::Limit| limit_value(limit).1;
    campaign.base.scenario.budgets.iter().map(|budget| format!("{} [{}]", budget.id, unit(&budget.limit))).collect()
}

/// The base without faults, with the master seed.
#[must_use]
pub fn control(campaign: &Campaign, runner: &Runner) -> Control {
    let base: &Scenario = &campaign.base.scenario;
    let Judged { failing, report, .. } = judge_scenario(base, campaign.pump, runner);
    let verdict = report.as_ref().map_or(Verdict::Error, |report| report.verdict);
    let verdict = if verdict == Verdict::Pass && !failing.is_empty() { Verdict::Fail } else { verdict };
    Control { verdict, fingerprint: report.map(|report| report.fingerprint.all).unwrap_or_default() }
}

/// The report of a campaign all of whose trials are in `trials`, in their order.
#[must_use]
pub fn report(
    campaign: &Campaign,
    trials: &[Trial],
    trials_sha256: &str,
    control: Control,
    identity: &Identity,
) -> CampaignReport {
    let failures = failures(trials);
    let strata = strata(campaign, trials);
    let (alpha, parts) = (campaign.alpha(), counted(campaign, trials));
    let faults = faults(campaign, trials);
    // A claim about runs without updates counts none.
    let of_campaigns = || trials.iter().filter(|_| campaign.raw.claim != Claim::Run);
    let mut report = CampaignReport {
        schema: CampaignSchema::Campaign1,
        name: campaign.raw.name.clone(),
        title: campaign.raw.title.clone(),
        purpose: campaign.raw.purpose.clone(),
        remarks: campaign.raw.remarks.clone(),
        sha256: campaign.sha256(),
        resolved: campaign.resolved_text(),
        mix_sha256: campaign.mix_sha256(),
        inputs: campaign.inputs.iter().map(scenario::Input::told).collect(),
        seed: campaign.raw.seed.to_string(),
        swarm: Fixed::scaled(i64::from(campaign.raw.swarm.permille()), 1),
        trial: trial_words(campaign),
        plan: plan(campaign),
        verdict: Verdict::Inconclusive,
        sentence: String::new(),
        notes: Vec::new(),
        control,
        executed: trials.len() as u64,
        failures,
        failure_upper: upwards(statistics::stratified_upper_bound(&parts, alpha)),
        failure_two_sided: [
            downwards(statistics::stratified_lower_bound(&parts, alpha / 2.0)),
            upwards(statistics::stratified_upper_bound(&parts, alpha / 2.0)),
        ],
        strata,
        pumps: Ratio {
            good: trials.iter().map(|trial| trial.updated).sum(),
            of: trials.iter().map(|trial| trial.due).sum(),
            independent: campaign.raw.claim == Claim::PumpUpdate,
        },
        attempts: Ratio {
            good: trials.iter().flat_map(|trial| &trial.tries).filter(|each| *each == "updated").count() as u64,
            of: trials.iter().map(|trial| trial.tries.len() as u64).sum(),
            independent: false,
        },
        campaigns: Ratio {
            good: of_campaigns().filter(|trial| trial.updated == trial.due).count() as u64,
            of: of_campaigns().count() as u64,
            independent: true,
        },
        tries_needed: match campaign.raw.claim {
            Claim::PumpUpdate => tries_needed(trials),
            Claim::Campaign | Claim::Run => Vec::new(),
        },
        classes: classes(trials.iter()),
        faults,
        times: values(campaign, trials),
        failed: trials
            .iter()
            .filter(|trial| !trial.success)
            .take(FAILED_LISTED)
            .map(|trial| replay(campaign, trial, what(trial), "failures"))
            .collect(),
        invalid: trials.iter().filter(|trial| trial.class == Class::Invalid).count() as u64,
        trials_sha256: trials_sha256.to_owned(),
        build: identity.build(),
    };
    judge(campaign, &mut report);
    report
}

fn failures(trials: &[Trial]) -> u64 {
    trials.iter().filter(|trial| !trial.success).count() as u64
}

/// The verdict follows from the plan alone; what keeps the plan from being applied makes it inconclusive.
fn judge(campaign: &Campaign, report: &mut CampaignReport) {
    for fault in report.faults.iter().filter(|fault| fault.acted == 0) {
        let why = if fault.drawn == 0 { "never came" } else { "never acted" };
        report.notes.push(format!("fault {} {why}: the mix was not tried as stated", fault.name));
    }
    if report.control.verdict != Verdict::Pass {
        report.notes.push("the base without faults does not pass: failures cannot be put down to the mix".to_owned());
    }
    if report.executed != report.plan.trials {
        report.notes.push(format!(
            "{} of {} executed",
            report.executed,
            reports::counted(report.plan.trials, "trial was", "trials were")
        ));
    }
    let kept = report.strata.iter().all(|part| part.failures <= part.failures_allowed);
    report.verdict = match (kept, report.notes.is_empty()) {
        (false, _) => Verdict::Fail,
        (true, false) => Verdict::Inconclusive,
        (true, true) => Verdict::Pass,
    };
    report.sentence = sentence(campaign, report);
}

fn sentence(campaign: &Campaign, report: &CampaignReport) -> String {
    let what = match campaign.raw.claim {
        Claim::PumpUpdate => "pump updates succeed within three tries",
        Claim::Campaign => "update campaigns leave every pump updated",
        Claim::Run => "runs keep every budget, check and expectation",
    };
    let plan = &report.plan;
    let mix = &report.mix_sha256[..12];
    let claim =
        format!("under fault mix {mix}, at least {} % of {what}, at {} % confidence", plan.success, plan.confidence);
    let trials = reports::counted(report.executed, "trial", "trials");
    let counts = format!("{} of {trials} failed, {} allowed", report.failures, plan.failures_allowed);
    match report.verdict {
        Verdict::Pass => format!("{claim} ({counts})"),
        Verdict::Inconclusive | Verdict::Error => format!("not shown: {claim} ({counts}; {})", report.notes.join("; ")),
        Verdict::Fail => format!("does not stand: {claim} ({counts})"),
    }
}

fn trial_words(campaign: &Campaign) -> String {
    match campaign.pump {
        Some(pump) => format!(
            "the update of P{pump:02} within its three tries, in a run of its own; {}",
            others_words(campaign.base.scenario.pumps.count - 1)
        ),
        None if campaign.raw.claim == Claim::Run => {
            "a run, with every budget, check and expectation of the base".to_owned()
        }
        None => {
            let pumps = reports::counted(u64::from(campaign.base.scenario.pumps.count), "pump", "pumps");
            format!("a campaign of {pumps} in a run of its own")
        }
    }
}

fn others_words(count: u8) -> String {
    match count {
        0 => "no other pump is there".to_owned(),
        1 => "1 other pump is traffic".to_owned(),
        _ => format!("{count} other pumps are traffic"),
    }
}

fn plan(campaign: &Campaign) -> Plan {
    let raw = &campaign.raw.plan;
    let tenth = campaign.failure_most() / 10.0;
    let power: f64 =
        campaign.parts.iter().map(|part| statistics::chance_to_pass(part.allowed, part.trials, tenth)).product();
    Plan {
        trials: u64::from(raw.trials),
        failures_allowed: u64::from(raw.failures_allowed),
        success: Fixed::scaled(i64::from(raw.success.ppb()), 7),
        confidence: Fixed::scaled(i64::from(raw.confidence.permille()), 1),
        power_at_tenth: Fixed::scaled(libm::floor(power * 1e3) as i64, 1),
    }
}

/// A probability in percent, not less than it is.
pub(super) fn upwards(probability: f64) -> Fixed {
    Fixed::from_millionths((libm::ceil(probability * 1e8) as i64).min(100_000_000))
}

/// A probability in percent, not more than it is.
pub(super) fn downwards(probability: f64) -> Fixed {
    Fixed::from_millionths(libm::floor(probability * 1e8) as i64)
}

fn of_part<'a>(trials: &'a [Trial], name: &'a str) -> impl Iterator<Item = &'a Trial> {
    trials.iter().filter(move |trial| trial.stratum == name)
}

fn counted(campaign: &Campaign, trials: &[Trial]) -> Vec<statistics::Part> {
    let of = |part: &super::file::Part| statistics::Part {
        weight: f64::from(part.weight_ppb) / 1e9,
        trials: of_part(trials, &part.name).count() as u64,
        failures: of_part(trials, &part.name).filter(|trial| !trial.success).count() as u64,
    };
    campaign.parts.iter().map(of).collect()
}

fn strata(campaign: &Campaign, trials: &[Trial]) -> Vec<Stratum> {
    let alpha = campaign.alpha() / campaign.parts.len() as f64;
    let counted = counted(campaign, trials);
    let of = |(part, found): (&super::file::Part, &statistics::Part)| Stratum {
        name: part.name.clone(),
        weight: Fixed::scaled(i64::from(part.weight_ppb), 7),
        trials: found.trials,
        failures: found.failures,
        failures_allowed: part.allowed,
        failure_upper: upwards(statistics::upper_bound(found.failures, found.trials, alpha)),
    };
    campaign.parts.iter().zip(&counted).map(of).collect()
}

/// Trials of one pump by the try that updated it.
fn tries_needed(trials: &[Trial]) -> Vec<u64> {
    let mut needed = vec![0; 3];
    for trial in trials.iter().filter(|trial| trial.due == 1 && trial.updated == 1) {
        if let Some(count) = trial.tries.len().checked_sub(1).and_then(|at| needed.get_mut(at)) {
            *count += 1;
        }
    }
    needed
}

fn classes<'a>(trials: impl Iterator<Item = &'a Trial>) -> Vec<ClassCount> {
    let mut counts: Vec<ClassCount> = Class::ALL.into_iter().map(|class| ClassCount { class, trials: 0 }).collect();
    for trial in trials {
        if let Some(count) = counts.iter_mut().find(|count| count.class == trial.class) {
            count.trials += 1;
        }
    }
    counts
}

fn faults(campaign: &Campaign, trials: &[Trial]) -> Vec<MixedFault> {
    let count = |list: &[String], name: &str| list.iter().filter(|each| *each == name).count() as u64;
    let of = |(index, (mixed, kind)): (usize, (&super::file::MixFault, &String))| {
        let drawn: u64 = trials.iter().map(|trial| count(&trial.faults, &mixed.name)).sum();
        let idle: u64 = trials.iter().map(|trial| count(&trial.idle, &mixed.name)).sum();
        // Without a run nothing acted.
        let unrun = trials.iter().filter(|trial| trial.fingerprint.is_empty());
        let unrun: u64 = unrun.map(|trial| count(&trial.faults, &mixed.name)).sum();
        MixedFault {
            name: mixed.name.clone(),
            kind: kind.clone(),
            often: often(&mixed.often),
            written: mixed.fault.words(),
            expected: expected(campaign, index),
            drawn,
            acted: drawn.saturating_sub(idle + unrun),
            classes: classes(trials.iter().filter(|trial| trial.faults.contains(&mixed.name))),
        }
    };
    campaign.raw.mix.iter().zip(&campaign.kinds).enumerate().map(of).collect()
}

/// Times a fault of the mix comes on average in all trials of the plan, its kind switched off as the swarm says.
fn expected(campaign: &Campaign, index: usize) -> Fixed {
    let parts = campaign.parts.iter().filter(|part| part.faults.contains(&index));
    let trials: u64 = parts.map(|part| part.trials).sum();
    let thousandths = match campaign.raw.mix[index].often {
        Often::Chance(share) => u64::from(share.permille()),
        Often::Mean(mean) => u64::from(mean.thousandths()),
        Often::Times(times) => u64::from(times) * 1_000,
    };
    let millionths = trials * thousandths * u64::from(1_000 - campaign.raw.swarm.permille());
    Fixed::from_millionths(i64::try_from(millionths).unwrap_or(i64::MAX))
}

fn often(often: &Often) -> String {
    match often {
        Often::Chance(share) => format!("chance {}", quantity::text(*share)),
        Often::Mean(factor) => match quantity::text(*factor).trim_end_matches('x') {
            "1" => "once on average".to_owned(),
            many => format!("{many} times on average"),
        },
        Often::Times(1) => "always".to_owned(),
        Often::Times(times) => format!("{times} times"),
    }
}

fn values(campaign: &Campaign, trials: &[Trial]) -> Vec<Values> {
    let budgets = campaign.base.scenario.budgets.iter().enumerate();
    budgets.map(|(index, budget)| values_of(campaign, trials, index, budget)).collect()
}

fn values_of(campaign: &Campaign, trials: &[Trial], index: usize, budget: &scenario::Budget) -> Values {
    let (limit, unit) = limit_value(&budget.limit);
    let relation = relation(&budget.relation);
    let greater_is_better = matches!(relation, Relation::AtLeast | Relation::Above);
    let mut found: Vec<(Fixed, &Trial)> =
        trials.iter().filter_map(|trial| Some((trial.values.get(index).copied().flatten()?, trial))).collect();
    // The best first; among equals the first trial, so that the worst is the last one.
    found.sort_by(|(a, one), (b, other)| {
        let order = if greater_is_better { b.cmp(a) } else { a.cmp(b) };
        order.then(other.number.cmp(&one.number))
    });
    let at = |rank: u64| usize::try_from(rank - 1).ok().and_then(|at| found.get(at)).map(|(value, _)| *value);
    let n = trials.len() as u64;
    let bounds = ABOVE.into_iter().map(|(quantile, above)| {
        let rank = statistics::quantile_rank(n, above, campaign.alpha());
        QuantileBound { quantile: Fixed::from_millionths(quantile), rank, value: rank.and_then(at) }
    });
    Values {
        budget: budget.id.clone(),
        unit: unit.to_owned(),
        relation,
        limit,
        n: found.len() as u64,
        missing: n - found.len() as u64,
        best: found.first().map(|(value, _)| *value),
        median: found.get(found.len() / 2).map(|(value, _)| *value),
        worst: found.last().map(|(value, _)| *value),
        bounds: bounds.collect(),
        histogram: histogram(&found),
        replay: found.last().map(|(value, trial)| Replay {
            command: command("worst", &budget.id),
            ..replay(campaign, trial, format!("{value} {unit}"), "worst")
        }),
    }
}

fn histogram(found: &[(Fixed, &Trial)]) -> Histogram {
    let values = found.iter().map(|(value, _)| value.as_millionths());
    let (Some(low), Some(high)) = (values.clone().min(), values.clone().max()) else { return Histogram::default() };
    let step = round_step((high - low) / STEPS + 1);
    let first = low.div_euclid(step);
    let mut counts = vec![0; usize::try_from(high.div_euclid(step) - first + 1).unwrap_or(1)];
    for value in values {
        if let Some(count) = usize::try_from(value.div_euclid(step) - first).ok().and_then(|at| counts.get_mut(at)) {
            *count += 1;
        }
    }
    Histogram { low: Fixed::from_millionths(first * step), step: Fixed::from_millionths(step), counts }
}

/// The least of 1, 2 or 5 times a power of ten that is not below `least`.
fn round_step(least: i64) -> i64 {
    let mut power = 1_i64;
    loop {
        for factor in [1, 2, 5] {
            if power * factor >= least {
                return power * factor;
            }
        }
        power *= 10;
    }
}

/// What did not hold in a trial.
fn what(trial: &Trial) -> String {
    let rows = trial.failing.join(", ");
    match (trial.note.is_empty(), rows.is_empty()) {
        (true, true) => trial.class.word().to_owned(),
        (true, false) => rows,
        (false, true) => trial.note.clone(),
        (false, false) => format!("{} ({rows})", trial.note),
    }
}

fn replay(campaign: &Campaign, trial: &Trial, what: String, folder: &str) -> Replay {
    let name = format!("{}-{}", campaign.raw.name, trial.number);
    let has_scenario = !trial.scenario.is_empty();
    Replay {
        trial: trial.number,
        seed: trial.seed.to_string(),
        class: trial.class,
        what,
        command: if has_scenario { command(folder, &name) } else { String::new() },
    }
}

fn command(folder: &str, name: &str) -> String {
    format!("cooltwin run {folder}/{name}.ron")
}

/// Scenarios that a report refers to: their files and trials, from 0.
#[must_use]
pub fn scenarios_wanted(campaign: &Campaign, report: &CampaignReport) -> Vec<(String, u64)> {
    let failed = report.failed.iter().filter(|replay| !replay.command.is_empty());
    let failed =
        failed.map(|replay| (format!("failures/{}-{}.ron", campaign.raw.name, replay.trial), replay.trial - 1));
    let worst = report.times.iter().filter_map(|values| {
        values.replay.as_ref().map(|replay| (format!("worst/{}.ron", values.budget), replay.trial - 1))
    });
    failed.chain(worst).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_other_pump_is_one() {
        assert_eq!(
            [0, 1, 2].map(others_words),
            ["no other pump is there", "1 other pump is traffic", "2 other pumps are traffic"]
        );
    }

    #[test]
    fn shares_are_rounded_to_the_unfavourable_side() {
        assert_eq!(upwards(0.000_999_998_368).to_string(), "0.1");
        assert_eq!(downwards(0.000_999_998_368).to_string(), "0.099999");
        assert_eq!((upwards(1.0).to_string(), upwards(0.0).to_string()), ("100".to_owned(), "0".to_owned()));
    }

    #[test]
    fn steps_are_round() {
        assert_eq!([1, 2, 3, 7, 11, 999].map(round_step), [1, 2, 5, 10, 20, 1000]);
    }
}
