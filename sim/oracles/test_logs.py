"""python-can and can-utils read the text logs and find the twin's frames."""

import re
import subprocess

import can
import pytest

import truth
from conftest import needs

# A microsecond as python-can's floats hold it after 1.7e9 s.
MICRO = 1_000


def micros(time_ns):
    return time_ns // MICRO


def wanted(run):
    for time, channel, can_id, extended, data, error in truth.frames(run):
        yield (micros(time), error is not None) + (() if error else (channel, can_id, extended, data))


def found(messages, epoch, channel_of):
    for message in messages:
        time = round((message.timestamp - epoch) * 1e6)
        if message.is_error_frame:
            # python-can tells no channel of these.
            yield time, True
        else:
            channel = channel_of(message.channel)
            yield time, False, channel, message.arbitration_id, message.is_extended_id, bytes(message.data)


def read_candump(path):
    with can.CanutilsLogReader(path) as reader:
        yield from found(reader, 1_700_000_000, lambda name: int(name[-1]))


def read_asc(path):
    with can.ASCReader(path, base="hex", relative_timestamp=True) as reader:
        yield from found(reader, 0, lambda number: number)


READERS = {"candump": read_candump, "asc": read_asc}


@pytest.mark.parametrize("suffix", READERS)
def test_python_can_finds_every_frame(run, suffix):
    truth.same(READERS[suffix](run.path(suffix)), wanted(run))


def test_the_disturbed_run_has_errors_of_several_kinds(run):
    kinds = {frame[-1] for frame in truth.frames(run)}
    if run.name == "disturbed":
        assert len(kinds - {None}) >= 3, kinds


@needs("asc2log")
@pytest.mark.parametrize("suffix", READERS)
def test_can_utils_reads_every_frame(run, suffix, tmp_path):
    """asc2log reads the ASC; log2asc reads the candump text and asc2log reads what it wrote."""
    source = run.path(suffix)
    if suffix == "candump":
        source = tmp_path / "converted.asc"
        subprocess.run(["log2asc", "-I", run.path(suffix), "-O", source, "can0", "can1"], check=True)
    read = subprocess.run(["asc2log", "-I", source], check=True, capture_output=True, text=True).stdout
    ids = re.compile(r"^\(\d+\.\d+\) \S+ ([0-9A-F]+)#([0-9A-F]*)", re.M)
    # can-utils drops error frames on this way.
    good = ((int(i, 16), bytes.fromhex(data)) for i, data in ids.findall(read) if not int(i, 16) & 0x2000_0000)
    truth.same(good, ((frame[2], frame[4]) for frame in truth.frames(run, errors=False)))


def break_candump(lines, how):
    at = next(i for i, line in enumerate(lines) if "#" in line and len(line.split("#")[1]) > 8)
    stamp, channel, rest = lines[at].split(" ")
    broken = {
        "dropped frame": [],
        "swapped data": [f"{stamp} {channel} {rest[:4]}{rest[6:8]}{rest[4:6]}{rest[8:]}"],
        "late": [f"{stamp[:-2]}9) {channel} {rest}" if stamp[-2] != "9" else f"{stamp[:-2]}8) {channel} {rest}"],
        "29 bits": [f"{stamp} {channel} 00000{rest}"],
        "twice": [lines[at]] * 2,
    }
    return lines[:at] + broken[how] + lines[at + 1:]


@pytest.mark.parametrize("how", ["dropped frame", "swapped data", "late", "29 bits", "twice"])
def test_control_a_broken_candump_is_noticed(small_run, tmp_path, how):
    broken = tmp_path / "broken.candump"
    lines = small_run.path("candump").read_text().splitlines()[:500]
    assert len(lines) == 500
    broken.write_text("\n".join(break_candump(lines, how)) + "\n")
    with pytest.raises(AssertionError, match="number|ends after"):
        truth.same(read_candump(broken), wanted(small_run))


def test_control_an_asc_of_the_wrong_base_is_noticed(small_run, tmp_path):
    broken = tmp_path / "broken.asc"
    broken.write_text(small_run.path("asc").read_text().replace("base hex", "base dec", 1))
    with pytest.raises((AssertionError, ValueError)):
        truth.same(read_asc(broken), wanted(small_run))


def test_control_an_error_frame_without_its_class_is_no_error_frame(run, tmp_path):
    if run.name != "disturbed":
        pytest.skip("only the disturbed run has error frames")
    broken = tmp_path / "broken.candump"
    with open(run.path("candump")) as source, open(broken, "w") as target:
        target.writelines(line.replace(" 20000088#", " 20000008#") for line in source)
    with pytest.raises(AssertionError, match="number"):
        truth.same(read_candump(broken), wanted(run))
