//! A run that does not end as its scenario says is an error that says why, and never a pass.

mod common;

use cooltwin::event::{Event, Twin};
use cooltwin::hosts::{CpuEvent, FirmwareDefect};
use cooltwin::kernel::{SimTime, Span};
use cooltwin::node::NodeId;
use cooltwin::run::{Ending, finish};
use cooltwin::twin::build;
use serde_json::Value;

/// Runs a small update after `change`; how it ended, and its result.
fn ended(overrides: &[&str], change: impl FnOnce(&mut Twin)) -> (Ending, Value) {
    let loaded = common::loaded(&common::data("small.ron"), overrides);
    let mut twin = build(&loaded.scenario, None);
    change(&mut twin);
    let run = finish(twin, &loaded.scenario, |_| {});
    let result = common::result_of(&loaded, &run);
    common::assert_valid(&result);
    (run.ending, common::json(&result))
}

/// What the row about the run's end says; the verdict is that of an error.
fn said(result: &Value) -> String {
    assert_eq!(result["verdict"], "error");
    let rows = result["checks"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["id"] == "run_ends_regularly").expect("the row");
    assert_eq!(row["verdict"], "error");
    row["detail"].as_str().expect("text").to_owned()
}

#[test]
fn an_untouched_run_ends_regularly() {
    let (ending, result) = ended(&[], |_| {});
    assert_eq!((ending, &result["verdict"]), (Ending::Regular, &Value::from("pass")));
}

#[test]
fn the_time_limit_is_an_error_even_where_nothing_else_is_expected() {
    let (ending, result) = ended(&["time_limit=10s", "expectations=[]"], |_| {});
    assert_eq!(ending, Ending::TimeLimit);
    assert_eq!(said(&result), "the time limit came before the end");
    assert_eq!(result["simulated_ms"], 10_000);
}

#[test]
fn a_million_events_at_one_instant_are_an_error() {
    let (ending, result) = ended(&[], |twin| {
        // The CPU has no supply yet, so these do nothing.
        for _ in 0..=1_000_000 {
            twin.agenda.at(SimTime::ZERO + Span::from_millis(1), Event::Cpu(CpuEvent::CiocReset));
        }
    });
    assert_eq!(ending, Ending::Livelock);
    assert_eq!(said(&result), "a million events at one instant");
}

/// That a panic of the firmware comes to this is tested beside the boards: the firmware itself leaves no way to one.
#[test]
fn a_defect_of_the_firmware_is_an_error_that_names_the_node() {
    for (node, name) in [(NodeId::CIOC, "CIOC"), (NodeId::new(2), "P02")] {
        let (ending, result) = ended(&[], |twin| {
            twin.world.resource_mut::<FirmwareDefect>().0 = Some((node, "panicked: index out of bounds".to_owned()));
        });
        let what = format!("firmware of {name} panicked: index out of bounds");
        assert_eq!(said(&result), what);
        assert_eq!(ending, Ending::Defect(what));
    }
}
