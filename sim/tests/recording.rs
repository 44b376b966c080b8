//! `--record`: what is in a recording, and that a cut or changed one is noticed.

mod common;

use std::io::{self, Write};

use common::{code, copy_data, folder, json, output, text};
use cooltwin::run::recording::{FORMAT, ReadError, Reader, read};
use cooltwin::run::run_recorded;
use serde_json::Value;

/// A recording of the scenario with faults, its result and its events.
fn recorded(name: &str) -> (String, Value, String) {
    let place = folder(name);
    copy_data(&place, &["small.ron", "faulty.ron"]);
    assert_eq!(code(&output(&place, &["run", "faulty.ron", "--out", "out", "--record", "-q"])), Some(0));
    let file = |name: &str| text(&place.join("out").join(name));
    (file("recording.jsonl"), json(&file("result.json")), file("events.jsonl"))
}

#[test]
fn a_recording_names_its_format_first_and_counts_its_lines_last() {
    let (recording, result, _) = recorded("recording-format");
    let lines: Vec<&str> = recording.lines().collect();
    let (head, mark) = (json(lines[0]), json(lines[lines.len() - 1]));
    assert_eq!(head["format"], "cooltwin.recording/3");
    assert_eq!((&head["sha256"], &head["seed"]), (&result["scenario"]["sha256"], &result["seed"]));
    assert_eq!(head["resolved"], result["scenario"]["resolved"]);
    assert_eq!((&mark["end"], &mark["end_ms"]), (&Value::from(FORMAT), &result["simulated_ms"]));
    assert_eq!(mark["lines"], lines.len() - 1);
}

#[test]
fn every_frame_is_there_with_its_ends_length_and_stations() {
    let (recording, result, _) = recorded("recording-frames");
    let (head, lines) = read(recording.as_bytes()).expect("a whole recording");
    assert_eq!((head.name.as_str(), head.seed()), ("faulty", Ok(1)));
    let frames: Vec<_> = lines.iter().filter(|line| line.kind == "frame").collect();
    let errors: Vec<_> = lines.iter().filter(|line| line.kind == "error-frame").collect();
    assert_eq!(Value::from(frames.len()), result["bus"]["frames"]);
    assert_eq!(Value::from(errors.len()), result["bus"]["error_frames"]);
    let nanos = |value: &Value| (value.as_f64().expect("a number") * 1e6).round() as i64;
    for frame in frames {
        // 4 us a bit at 250 kbit/s.
        let bits = frame.data["bits"].as_i64().expect("bits");
        assert_eq!(frame.t_ms.as_nanos() - nanos(&frame.data["start_ms"]), 4_000 * bits, "{frame:?}");
        assert!(nanos(&frame.data["queued_ms"]) <= nanos(&frame.data["start_ms"]));
        let receivers: Vec<&str> =
            frame.data["receivers"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        // Each pump is spoken to on ids of its own, and all speak to the CIOC, which is off for a while after a sag.
        match frame.node.as_str() {
            "CIOC" => assert!(receivers.len() <= 1 && !receivers.contains(&"CIOC"), "{frame:?}"),
            _ => assert!(receivers.is_empty() || receivers == ["CIOC"], "{frame:?}"),
        }
    }
    for error in errors {
        assert!(error.data["bit"].is_u64() && !error.data["seen_by"].as_array().expect("a list").is_empty());
    }
}

#[test]
fn a_frame_to_a_pump_is_received_by_that_pump() {
    let (recording, ..) = recorded("recording-receivers");
    let (_, lines) = read(recording.as_bytes()).expect("a whole recording");
    // 0x701 is the UDS request to pump 1, 0x702 to pump 2 and so on.
    let requests = |id: &str| -> Vec<Value> {
        let frames = lines.iter().filter(|line| line.kind == "frame" && line.data["id"] == id);
        frames.map(|line| line.data["receivers"].clone()).collect()
    };
    for (id, pump) in [("0x701", "P01"), ("0x703", "P03")] {
        let receivers = requests(id);
        let right = receivers.iter().filter(|receivers| **receivers == json(&format!("[\"{pump}\"]"))).count();
        assert!(right > 1_000 && right * 100 >= receivers.len() * 99, "{right} of {}", receivers.len());
    }
}

/// Two writers, one truth: the journal was filtered while the twin ran, the recording was not. Of many equal error
/// frames in a row the journal counts the further ones on one line; the recording has them all.
#[test]
fn every_event_is_in_the_recording_in_order() {
    let (recording, result, events) = recorded("recording-events");
    let mut lines = recording.lines();
    let mut errors = 0;
    for event in events.lines() {
        let fields = json(event);
        let count = fields["data"]["count"].as_u64();
        if fields["kind"] == "error-frame" {
            errors += count.unwrap_or(1);
        }
        let found = count.is_some() || lines.any(|line| line == event);
        assert!(found, "not in the recording, or out of order: {event}");
    }
    assert_eq!(result["bus"]["error_frames"], errors);
}

#[test]
fn a_cut_recording_is_noticed_wherever_it_was_cut() {
    let (recording, ..) = recorded("recording-cut");
    let first = recording.find('\n').expect("a line") + 1;
    let last = recording.trim_end().rfind('\n').expect("a line") + 1;
    let middle = recording[..last / 2].rfind('\n').expect("a line") + 1;
    for at in [first, first + 5, middle, middle + 1, middle + 40, last, last + 9, recording.len() - 1] {
        let cut = read(&recording.as_bytes()[..at]);
        let lines = recording[..at].matches('\n').count() as u64;
        assert!(matches!(&cut, Err(ReadError::Cut { lines: found }) if *found == lines), "at {at}: {:?}", cut.err());
    }
    for at in [0, 1, first - 1] {
        assert!(matches!(read(&recording.as_bytes()[..at]), Err(ReadError::Foreign)), "at {at}");
    }
}

#[test]
fn a_changed_recording_is_noticed() {
    let (recording, ..) = recorded("recording-changed");
    let lines: Vec<&str> = recording.split_inclusive('\n').collect();
    let without = |gone: usize| -> String {
        lines.iter().enumerate().filter(|(index, _)| *index != gone).map(|(_, line)| *line).collect()
    };
    let count = lines.len() as u64 - 1;
    let missing = read(without(7).as_bytes());
    assert!(matches!(missing, Err(ReadError::Count { found, told }) if found + 1 == told && told == count));
    assert!(matches!(read(without(0).as_bytes()), Err(ReadError::Foreign)));
    let longer = format!("{recording}{}", lines[7]);
    assert!(matches!(read(longer.as_bytes()), Err(ReadError::GoesOn)));
    let broken = recording.replacen(lines[7], "{\"t_ms\":1,\n", 1);
    assert!(matches!(read(broken.as_bytes()), Err(ReadError::BadLine(8, _))));
    let newer = recording.replacen("cooltwin.recording/3", "cooltwin.recording/9", 1);
    assert!(matches!(Reader::new(newer.as_bytes()), Err(ReadError::Foreign)));
    assert!(read(recording.as_bytes()).is_ok());
}

/// A disk that is full after some bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.0.checked_sub(bytes.len()) else {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "full"));
        };
        self.0 = left;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_recording_that_cannot_be_written_is_an_error_and_the_run_goes_on() {
    let loaded = common::loaded(&common::data("small.ron"), &[]);
    let (run, written) = run_recorded(&loaded.scenario, None, Full(100_000), |_| {});
    assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
    let unrecorded = cooltwin::run::run(&loaded.scenario, None, |_| {});
    assert_eq!(run.twin.trace.fingerprint(), unrecorded.twin.trace.fingerprint());
}
