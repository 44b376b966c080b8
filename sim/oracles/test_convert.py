"""The timing that `cooltwin convert` takes from a log is the twin's own.

A phase begins at the end of a request's first frame; the twin's own begins when the request is queued. The recording
has both ends of every frame, so the two must agree to the microsecond: no allowance is made.
"""

import json

import pytest

import truth
from conftest import cooltwin

# Phases of the twin's report that make up one of the log's.
OPENED_BY = {"session": "enter-bootloader", "erase": "erase", "transfer": "download", "check": "check", "reboot": "reset"}


def convert(path):
    done = cooltwin("convert", path, "--json")
    assert done.returncode == 0, done.stderr
    (log,) = json.loads(done.stdout)["logs"]
    return log


@pytest.fixture(scope="module")
def log(run):
    return convert(run.path("candump"))


@pytest.fixture(scope="module")
def requests(run):
    """When the frame that ended at this µs was queued, for frames to pumps."""
    queued = {}
    for line in truth.lines(run, "frame"):
        if line["data"]["id"].startswith("0x7"):
            queued[truth.ns(line["t_ms"]) // 1_000] = truth.ns(line["data"]["queued_ms"])
    return queued


def first_frame_us(run):
    return next(iter(truth.frames(run)))[0] // 1_000


def test_every_phase_begins_when_the_twin_says(run, log, requests):
    result = json.loads((run.folder / "out/result.json").read_text())
    tries = {(pump["id"], t["n"]): t for pump in result["pumps"] for t in pump["tries"]}
    start, count = first_frame_us(run), 0
    assert {(u["pump"], u["try"]) for u in log["updates"]} == set(tries)
    for update in log["updates"]:
        own = tries[update["pump"], update["try"]]
        begins = {phase["name"]: truth.ns(phase["start_ms"]) for phase in own["phases"]}
        assert update["complete"] == (own["outcome"] == "updated")
        for phase in update["phases"]:
            # A second try finds the pump in its bootloader already.
            name = OPENED_BY[phase["name"]] if OPENED_BY[phase["name"]] in begins else phase["name"]
            at = truth.ns(phase["start_ms"]) // 1_000 + start
            assert requests[at] == begins[name], (update["pump"], phase, own)
            count += 1
    assert count >= 5


def test_the_new_version_is_read_back_when_the_twin_says(run, log):
    """The try ends in the twin a reaction latency (100 us) after the frame that ends it in the log."""
    result = json.loads((run.folder / "out/result.json").read_text())
    ends = {}
    for pump in result["pumps"]:
        for t in pump["tries"]:
            last = t["phases"][-1]
            ends[pump["id"], t["n"]] = truth.ns(last["start_ms"]) + truth.ns(last["duration_ms"])
    start = first_frame_us(run)
    for update in log["updates"]:
        if update["complete"]:
            last = update["phases"][-1]
            end = start + (truth.ns(last["start_ms"]) + truth.ns(last["duration_ms"])) // 1_000
            assert end + 100 == pytest.approx(ends[update["pump"], update["try"]] / 1_000, abs=2), update


def test_log_and_recording_have_the_same_timing(run, log):
    """To the microsecond that candump rounds to."""
    recorded = convert(run.recording)
    assert recorded["services"] == log["services"]
    for one, other in zip(log["updates"], recorded["updates"], strict=True):
        assert (one["pump"], one["try"], one["complete"], one["blocks"]) == (
            other["pump"], other["try"], other["complete"], other["blocks"])
        for left, right in zip(one["phases"], other["phases"], strict=True):
            assert left["name"] == right["name"]
            assert abs(left["duration_ms"] - right["duration_ms"]) <= 0.001 + 1e-9


def test_phases_add_up(log):
    for update in log["updates"]:
        assert sum(truth.ns(phase["duration_ms"]) for phase in update["phases"]) == truth.ns(update["total_ms"])


def test_two_logs_stand_side_by_side(small_run):
    done = cooltwin("convert", small_run.path("candump"), small_run.recording)
    assert done.returncode == 0
    head, *rows = done.stdout.splitlines()
    assert head.endswith("difference")
    assert any(row.startswith("P02 try 1  total, stopped") for row in rows)
    assert len(rows) == 3 * 6 + 4
