"""`cooltwin export` gives the traces of the run itself, from its recording and from its result."""

import json
import shutil

import pytest

from conftest import WINDOWS, cooltwin

SUFFIXES = ("candump", "asc", "pcapng", "vcd", "mcap")


@pytest.mark.parametrize("source", ["recording.jsonl", "result.json"])
def test_the_traces_are_those_of_the_run(small_run, tmp_path, source):
    files = {suffix: tmp_path / f"again.{suffix}" for suffix in SUFFIXES}
    done = cooltwin("export", small_run.folder / "out" / source, "--vcd-bus", WINDOWS[small_run.name],
                    *(f"--{suffix}={file}" for suffix, file in files.items()))
    assert done.returncode == 0, done.stderr
    assert ("running power-cut-pump with seed 1 again" in done.stderr) == (source == "result.json")
    for suffix, file in files.items():
        assert file.read_bytes() == small_run.path(suffix).read_bytes(), suffix


def test_control_another_fingerprint_is_noticed(small_run, tmp_path):
    kept = shutil.copytree(small_run.folder / "out", tmp_path / "out")
    changed = kept / "result.json"
    result = json.loads(changed.read_text())
    result["fingerprint"]["all"] = "0" * 32
    changed.write_text(json.dumps(result))
    trace = tmp_path / "again.log"
    done = cooltwin("export", changed, "--candump", trace)
    assert done.returncode == 6 and not trace.exists(), done.stderr


def test_control_a_cut_recording_gives_no_trace(small_run, tmp_path):
    cut = tmp_path / "recording.jsonl"
    content = small_run.recording.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    trace = tmp_path / "again.log"
    done = cooltwin("export", cut, "--candump", trace)
    assert done.returncode == 2 and "cut" in done.stderr
    assert list(tmp_path.iterdir()) == [cut]
