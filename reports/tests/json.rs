//! result.json: every sample fits the schema and comes back equal, and the schema refuses what is not a result.

mod samples;

use jsonschema::Validator;
use reports::{Event, EventWriter, Millis, Report, SCHEMA, SCHEMA_JSON, from_json, to_json_line};
use serde_json::{Value, json};

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA_JSON).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["properties"]["schema"]["const"], SCHEMA);
    jsonschema::draft202012::new(&schema).unwrap()
}

fn value(report: &Report) -> Value {
    serde_json::from_str(&to_json_line(report)).unwrap()
}

#[test]
fn every_sample_fits_the_schema() {
    let validator = validator();
    for (name, report) in samples::all() {
        let errors: Vec<String> =
            validator.iter_errors(&value(&report)).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn a_result_is_one_line_and_comes_back_equal() {
    for (name, report) in samples::all() {
        let line = to_json_line(&report);
        assert!(!line.contains('\n'), "{name}");
        assert_eq!(from_json(&line).unwrap(), report, "{name}");
        assert_eq!(to_json_line(&from_json(&line).unwrap()), line, "{name}");
    }
}

#[test]
fn decimals_are_printed_from_their_integers() {
    let line = to_json_line(&samples::pass());
    assert!(line.contains(r#""back_to_automatic_ms":812.000125}"#));
    assert!(line.contains(r#""seed":"42""#));
    assert!(line.contains(r#""coolant_c_max":41.28}"#));
    assert!(line.contains(r#""simulated_ms":1063245.5,"#));
}

/// The fields of the issue, in its order; a rename in code and schema together does not get past this list.
const FIELDS: &[(&str, &str)] = &[
    (
        "",
        "schema scenario inputs seed simulated_ms verdict budgets checks expectations pumps campaign bus power plant \
          injections series assumptions fingerprint build",
    ),
    ("/scenario", "name sha256 resolved overrides"),
    ("/inputs/0", "path sha256"),
    ("/budgets/0", "id requirements n measured relation limit limit_low unit margin verdict where decomposition"),
    ("/budgets/0/decomposition/0", "step at_ms"),
    ("/checks/0", "id requirements n verdict detail"),
    ("/expectations/0", "text verdict"),
    ("/pumps/4", "id outcome attempts update_ms total_ms version_before version_after causes tries"),
    ("/pumps/4/tries/0", "n start_ms outcome cause phases"),
    ("/pumps/4/tries/0/phases/0", "name start_ms duration_ms"),
    ("/campaign", "consent duration_ms back_to_automatic_ms"),
    ("/bus", "bitrate load_mean load_peak frames error_frames nodes messages"),
    ("/bus/nodes/0", "id tec_max rec_max error_passive bus_off"),
    ("/bus/messages/0", "id frames response_ms_min response_ms_mean response_ms_max"),
    ("/power", "supply_mv_min supply_mv_max brownouts"),
    ("/plant", "flow_lpm_min coolant_c_max"),
    ("/injections/0", "id kind target at_ms activations effect class"),
    ("/series/0", "name unit t_ms min max"),
    ("/assumptions/0", "text value source"),
    ("/fingerprint", "all bus orchestrator pumps power plant faults"),
    ("/build", "version commit rustc"),
];

#[test]
fn the_fields_are_those_of_the_specification_in_its_order() {
    let line = to_json_line(&samples::fail());
    let result: Value = serde_json::from_str(&line).unwrap();
    for (pointer, fields) in FIELDS {
        let object = result.pointer(pointer).and_then(Value::as_object).unwrap();
        let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
        let mut wanted: Vec<&str> = fields.split_whitespace().collect();
        let top = pointer.is_empty();
        if top {
            let places: Vec<usize> = wanted.iter().map(|name| line.find(&format!("\"{name}\":")).unwrap()).collect();
            assert!(places.is_sorted(), "{places:?}");
        }
        names.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(names, wanted, "at {pointer:?}");
    }
}

/// What stands in place of a field to make it the wrong type; no field of a result takes an object with such a key.
fn wrong() -> Value {
    json!({ "wrong": true })
}

#[test]
fn each_field_removed_renamed_or_of_a_wrong_type_is_refused() {
    let validator = validator();
    let good = value(&samples::fail());
    assert!(validator.is_valid(&good));
    let mut controls = 0;
    for (pointer, fields) in FIELDS {
        for field in fields.split_whitespace() {
            let mut spoil = |what: &str, change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut bad = good.clone();
                change(bad.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap());
                assert!(!validator.is_valid(&bad), "the schema takes {pointer}/{field} {what}");
                assert!(from_json(&bad.to_string()).is_err(), "the reader takes {pointer}/{field} {what}");
                controls += 1;
            };
            spoil("removed", &|object| {
                object.remove(field).unwrap();
            });
            spoil("renamed", &|object| {
                let taken = object.remove(field).unwrap();
                object.insert(format!("{field}_"), taken);
            });
            spoil("of a wrong type", &|object| {
                object.insert(field.to_owned(), wrong());
            });
            spoil("with a stranger beside it", &|object| {
                object.insert(format!("{field}_too"), json!(1));
            });
        }
    }
    assert_eq!(controls, 4 * FIELDS.iter().map(|(_, fields)| fields.split_whitespace().count()).sum::<usize>());
}

#[test]
fn the_schema_refuses_values_that_contradict_each_other_or_their_pattern() {
    let validator = validator();
    let good = value(&samples::fail());
    let idle = value(&samples::inconclusive());
    let cases = [
        (&good, "/schema", json!("cooltwin.result/2")),
        (&good, "/seed", json!(42)),
        (&good, "/seed", json!("042")),
        (&good, "/verdict", json!("expected-fail")),
        (&good, "/scenario/sha256", json!("4f7c")),
        (&good, "/scenario/sha256", json!("A".repeat(64))),
        (&good, "/fingerprint/bus", json!("0".repeat(31))),
        (&good, "/budgets/0/measured", Value::Null),
        (&good, "/budgets/0/limit_low", json!(1)),
        (&good, "/budgets/0/relation", json!("within")),
        (&good, "/simulated_ms", json!(-1)),
        (&good, "/simulated_ms", json!("1063245.5")),
        (&good, "/pumps/0/id", json!("P17")),
        (&good, "/pumps/0/outcome", json!("expired")),
        (&good, "/pumps/4/causes/0", json!("timeout")),
        (&good, "/bus/messages/0/id", json!("0x800")),
        (&good, "/bus/frames", json!(1.5)),
        (&good, "/injections/0/activations", json!(0)),
        (&good, "/injections/0/effect", json!("")),
        (&good, "/series/0/t_ms", json!(vec![0; 2001])),
        (&good, "/build/commit", json!("main")),
        (&idle, "/budgets/0/verdict", json!("pass")),
        (&idle, "/budgets/0/measured", json!(1)),
        (&idle, "/checks/1/verdict", json!("pass")),
        (&idle, "/injections/0/activations", json!(1)),
    ];
    assert!(validator.is_valid(&good) && validator.is_valid(&idle));
    for (base, pointer, wrong) in cases {
        let mut bad = base.clone();
        *bad.pointer_mut(pointer).unwrap() = wrong.clone();
        assert!(!validator.is_valid(&bad), "{pointer} = {wrong}");
    }
}

#[test]
fn a_seed_keeps_all_its_digits() {
    let mut report = samples::pass();
    report.seed = u64::MAX;
    let line = to_json_line(&report);
    assert!(line.contains(r#""seed":"18446744073709551615""#));
    assert_eq!(from_json(&line).unwrap().seed, u64::MAX);
    assert!(validator().is_valid(&value(&report)));
    let beyond = line.replace("18446744073709551615", "18446744073709551616");
    assert!(from_json(&beyond).is_err());
}

#[test]
fn events_are_one_object_per_line() {
    let mut writer = EventWriter::new(Vec::new());
    let t_ms = Millis::from_nanos(66_512_345_678);
    writer.write(&Event { t_ms, node: "P05", kind: "bootloader", data: json!({"state": "erasing\n"}) }).unwrap();
    writer.write(&Event { t_ms: Millis::ZERO, node: "bus", kind: "error-counters", data: [1, 2] }).unwrap();
    assert_eq!(writer.lines(), 2);
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    let expected = r#"{"t_ms":66512.345678,"node":"P05","kind":"bootloader","data":{"state":"erasing\n"}}
{"t_ms":0,"node":"bus","kind":"error-counters","data":[1,2]}
"#;
    assert_eq!(text, expected);
}

/// Fields that were added after the first version: absent they mean nothing, present they must be whole.
const ADDED: &[(&str, &str, &str)] = &[
    ("/scenario", "title", ""),
    ("", "events", "file sha256 lines"),
    ("/budgets/0", "samples limit_from", ""),
    ("/budgets/0/samples/0", "place", ""),
    ("/series/1", "levels", ""),
    ("/series/1/levels/0", "name side value", ""),
    ("", "safety_frames", "times"),
    ("/safety_frames", "not_compared", ""),
    ("", "safety_units", ""),
    ("/safety_units/0", "first_detected", "fault cpu at_ms"),
    ("/safety_units/0", "lamp_lit_ms", ""),
    ("/safety_units/1", "downloads", ""),
    ("/bus/messages/0", "name", ""),
];

#[test]
fn a_result_from_before_a_field_was_added_reads_and_keeps_its_bytes() {
    let (validator, new) = (validator(), value(&samples::reaction()));
    for (pointer, field, inside) in ADDED {
        let object = new.pointer(pointer).and_then(Value::as_object).unwrap();
        for field in field.split_whitespace() {
            assert!(object.contains_key(field), "{pointer}/{field}");
        }
        for part in inside.split_whitespace() {
            let mut bad = new.clone();
            bad.pointer_mut(pointer).unwrap()[field].as_object_mut().unwrap().remove(part);
            assert!(!validator.is_valid(&bad) && from_json(&bad.to_string()).is_err(), "{field} without {part}");
        }
    }
    let old = to_json_line(&samples::fail());
    for (_, field, _) in ADDED.iter().filter(|(pointer, ..)| !pointer.ends_with("/0")) {
        assert!(!old.contains(&format!("\"{field}\":")), "{field}");
    }
    assert_eq!(to_json_line(&from_json(&old).unwrap()), old);
}

#[test]
fn a_result_of_another_schema_is_named_as_such() {
    let other = to_json_line(&samples::pass()).replace("cooltwin.result/1", "cooltwin.result/2");
    let told = from_json(&other).unwrap_err().to_string();
    assert_eq!(told, "its schema is `cooltwin.result/2`; this version reads `cooltwin.result/1`");
}

#[test]
fn a_cut_result_is_refused_with_its_place() {
    let line = to_json_line(&samples::pass());
    let error = from_json(&line[..line.len() / 2]).unwrap_err();
    assert!(error.place().is_some_and(|(line, column)| line == 1 && column > 1000), "{error}");
}

/// Where a sample is made better than its numbers, and what is said of it.
const TAMPERED: &[(&str, &str, &str)] = &[
    ("/verdict", "\"pass\"", "verdict: it is pass but the rows make it fail"),
    ("/budgets/0/verdict", "\"pass\"", "budgets[0] (pump-update): the verdict is pass against its numbers"),
    ("/budgets/0/measured", "65000", "budgets[0] (pump-update): the margin is not that of measured value and limit"),
    ("/budgets/0/margin", "1304.25", "budgets[0] (pump-update): the margin is not that of measured value and limit"),
    ("/budgets/0/limit", "80000", "budgets[0] (pump-update): the margin is not that of measured value and limit"),
    ("/budgets/1/n", "0", "budgets[1] (back-to-automatic): a value is there but n is 0"),
    (
        "/budgets/1/verdict",
        "\"expected-fail\"",
        "budgets[1] (back-to-automatic): the verdict is expected-fail against its numbers",
    ),
    ("/checks/0/n", "0", "checks[0] (no_write_without_consent): the verdict is pass but it never looked"),
    ("/checks/2/verdict", "\"error\"", "verdict: it is fail but the rows make it error"),
    ("/series/0/t_ms", "[0]", "series[0] (supply): its columns are not of one length"),
    ("/series/0/t_ms", "[5,5]", "series[0] (supply): its times do not rise"),
    ("/series/0/min", "[24001,23412]", "series[0] (supply): a least value is above the greatest"),
];

#[test]
fn a_result_that_contradicts_itself_is_refused() {
    let good = to_json_line(&samples::fail());
    for (pointer, wrong, why) in TAMPERED {
        let mut bad: Value = serde_json::from_str(&good).unwrap();
        *bad.pointer_mut(pointer).unwrap() = serde_json::from_str(wrong).unwrap();
        let told = from_json(&bad.to_string()).map(|_| ()).unwrap_err().to_string();
        assert_eq!(told, format!("a damaged result: {why}"), "{pointer}");
    }
    let mut idle = value(&samples::inconclusive());
    idle["verdict"] = json!("pass");
    assert!(from_json(&idle.to_string()).is_err(), "an idle injection is no pass");
    let mut elsewhere = value(&samples::reaction());
    elsewhere["events"]["file"] = json!("../events.jsonl");
    assert!(from_json(&elsewhere.to_string()).unwrap_err().to_string().contains("is not the name of a file"));
}

#[test]
fn times_without_safety_frames_that_contradict_themselves_are_refused() {
    let refused = |pointer: &str, wrong: Value| {
        let mut bad = value(&samples::expected_fail());
        *bad.pointer_mut(pointer).unwrap() = wrong;
        from_json(&bad.to_string()).map(|_| ()).unwrap_err().to_string()
    };
    let difference = "a damaged result: safety_frames: pump-update: the difference is not that of its times";
    assert_eq!(refused("/safety_frames/times/0/without_ms", json!(62533)), difference);
    assert_eq!(refused("/safety_frames/times/0/difference_ms", json!(0)), difference);
    let neither = "a damaged result: safety_frames: it has either times or a reason why there are none";
    assert_eq!(refused("/safety_frames/times", json!([])), neither);
    assert_eq!(refused("/safety_frames", json!({"times": [], "not_compared": ""})), neither);
    let mut both = value(&samples::expected_fail());
    both["safety_frames"]["not_compared"] = json!("a dip");
    assert_eq!(from_json(&both.to_string()).map(|_| ()).unwrap_err().to_string(), neither);
}
