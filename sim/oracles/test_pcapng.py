"""tshark reads the pcapng: every frame, the error frames, the notes."""

import struct
import subprocess

import pytest

import truth
from conftest import needs

pytestmark = needs("tshark")

FIELDS = ["frame.time_epoch", "frame.interface_id", "can.id", "can.flags.xtd", "can.flags.err", "can.len", "data.data",
          "can.err.prot", "can.err.buserror", "can.err.ack"]


def tshark(path, *arguments):
    """tshark's lines, while it reads."""
    command = ["tshark", "-n", "-r", path, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield from (line.rstrip("\n") for line in process.stdout)
        complaint = process.stderr.read()
    assert process.returncode == 0, complaint


def fields(path, names, *arguments):
    options = [option for name in names for option in ("-e", name)]
    for line in tshark(path, "-T", "fields", "-E", "separator=;", *options, *arguments):
        yield line.split(";")


def read(path):
    """Every packet as (time in ns, interface, error, id, 29 bits, data); of an error frame its classes."""
    for time, interface, can_id, extended, error, length, data, *classes in fields(path, FIELDS):
        seconds, fraction = time.split(".")
        stamp = int(seconds) * 10**9 + int(fraction.ljust(9, "0")) - truth.EPOCH_NS
        if flag(error):
            yield (stamp, int(interface), True, *map(flag, classes))
        else:
            payload = bytes.fromhex(data.replace(":", ""))
            assert len(payload) == int(length)
            yield (stamp, int(interface), False, int(can_id, 0), flag(extended), payload)


def flag(text):
    """A boolean as different versions of tshark write it."""
    return text == "True" or (text not in ("", "False") and int(text, 0) != 0)


def wanted(run):
    for time, channel, can_id, extended, data, error in truth.frames(run):
        if error:
            # Protocol violation and bus error always; no acknowledgement where that is what was missing.
            yield (time, channel, True, True, True, error == "ack")
        else:
            yield (time, channel, False, can_id, extended, data)


def test_tshark_finds_every_frame(run):
    truth.same(read(run.path("pcapng")), wanted(run))


def test_error_frames_name_the_kind_of_error(run):
    if run.name != "disturbed":
        pytest.skip("only the disturbed run has error frames")
    names = ["can.err.prot.type.bit", "can.err.prot.type.form", "can.err.prot.type.stuff", "can.err.prot.location"]
    kinds = {("bit", "stuff", "form", "crc", "ack")[k]: k for k in range(5)}

    def of(row):
        bit, form, stuff, location = row
        named = {"bit": flag(bit), "form": flag(form), "stuff": flag(stuff)}
        named |= {"crc": location and int(location, 0) == 0x08, "ack": location and int(location, 0) == 0x19}
        return [kind for kind in kinds if named[kind]]

    found = (of(row) for row in fields(run.path("pcapng"), names, "-Y", "can.flags.err == 1"))
    truth.same(found, ([frame[5]] for frame in truth.frames(run) if frame[5]))


def test_every_injection_is_a_comment(run):
    comments = "\n".join(row[0] for row in fields(run.path("pcapng"), ["frame.comment"], "-Y", "frame.comment"))
    for line in truth.lines(run, "injection-begun", "injection-acted", "power-lost", "phase"):
        seconds = truth.ns(line["t_ms"]) / 1e9
        assert f"{seconds:.9f} s {line['node']} {line['kind']}" in comments, line
    if run.name != "nominal":
        assert "injection-acted" in comments


def blocks(content):
    """(type, offset, length) of each block."""
    at = 0
    while at < len(content):
        kind, length = struct.unpack_from("<II", content, at)
        yield kind, at, length
        at += length


def test_control_a_little_endian_id_is_noticed(small_run, tmp_path):
    content = bytearray(small_run.path("pcapng").read_bytes())
    at = next(at for kind, at, _ in blocks(content) if kind == 6) + 28
    content[at:at + 4] = content[at:at + 4][::-1]
    check_broken(small_run, tmp_path, content)


def test_control_a_dropped_packet_is_noticed(small_run, tmp_path):
    content = bytearray(small_run.path("pcapng").read_bytes())
    _, at, length = [block for block in blocks(content) if block[0] == 6][40]
    del content[at:at + length]
    check_broken(small_run, tmp_path, content)


def test_control_a_coarser_clock_is_noticed(small_run, tmp_path):
    content = bytearray(small_run.path("pcapng").read_bytes())
    _, at, length = next(block for block in blocks(content) if block[0] == 1)
    resolution = content.index(struct.pack("<HHB", 9, 1, 9), at, at + length)
    content[resolution + 4] = 6
    check_broken(small_run, tmp_path, content)


def check_broken(run, tmp_path, content):
    broken = tmp_path / "broken.pcapng"
    broken.write_bytes(content)
    with pytest.raises(AssertionError):
        truth.same(read(broken), wanted(run))
