"""cantools decodes every cyclic message by cooling.dbc to the values the twin recorded.

Three things are held together: the frames in the candump log decoded by cantools, what the firmware's own codec makes
of them (the MCAP channels), and what the twin knows of each pump beside the bus (its state records).
"""

import bisect
import json

import can
import cantools
import mcap.reader
import pytest

import truth
from conftest import ROOT

DBC = ROOT / "firmware-under-test/protocol/cooling.dbc"
STATES = ["standby", "automatic", "fixed", "failsafe", "bootloader", "updating"]


@pytest.fixture(scope="module")
def database():
    return cantools.database.load_file(DBC)


def decoded(run, database, path=None):
    """(µs, pump, command or status, physical values) of every cyclic message in the log."""
    with can.CanutilsLogReader(path or run.path("candump")) as reader:
        for message in reader:
            if message.is_error_frame or message.arbitration_id >= 0x700:
                continue
            kind = {1: "command", 2: "status"}[message.arbitration_id >> 8]
            values = database.decode_message(message.arbitration_id, message.data, decode_choices=False)
            yield (round((message.timestamp - 1_700_000_000) * 1e6), message.arbitration_id & 0x1F, kind, values)


def by_twin(run):
    """The same from the twin's own codec."""
    with open(run.path("mcap"), "rb") as file:
        for _, channel, message in mcap.reader.make_reader(file).iter_messages(log_time_order=False):
            parts = channel.topic.split("/")
            if parts[1] == "pump" and parts[3] in ("status", "command"):
                yield ((message.log_time - truth.EPOCH_NS) // 1_000, int(parts[2][1:]), parts[3], json.loads(message.data))


def expected(kind, value):
    """The twin's values under the names of the DBC."""
    if kind == "command":
        return {"Mode": value["mode_number"], "Counter": value["counter"], "SetPoint": value["set_point_percent"]}
    return {
        "State": value["state_number"], "Counter": value["counter"], "Speed": value["speed_percent"],
        "Supply": value["supply_v"], "Current": value["current_a"], "Temperature": value["temperature_c"],
        "LowSupply": int(value["low_supply"]), "NoApplication": int(value["no_application"]),
        "FlashFault": int(value["flash_fault"]), "OverTemperature": int(value["over_temperature"]),
    }


def rounded(values):
    """Floats to the microunit: cantools multiplies with scales that no float holds exactly."""
    return {name: round(float(value), 6) for name, value in values.items()}


def compare(run, database, path=None):
    found = ((t, pump, kind, rounded(values)) for t, pump, kind, values in decoded(run, database, path))
    wanted = ((t, pump, kind, rounded(expected(kind, value))) for t, pump, kind, value in by_twin(run))
    return truth.same(found, wanted)


def test_every_cyclic_message_has_the_twins_values(run, database):
    count = compare(run, database)
    cyclic = sum(1 for frame in truth.frames(run, errors=False) if frame[2] < 0x700)
    assert count == cyclic


def test_the_state_is_the_one_the_twin_knows(run, database):
    """A status was queued in the state that the pump's state record names; at one instant either may come first."""
    history = {}
    for line in truth.lines(run, "state"):
        if line["node"].startswith("P"):
            changes = history.setdefault(int(line["node"][1:]), [])
            changes.append((truth.ns(line["t_ms"]), STATES.index(line["data"]["state"].replace("-", ""))))
    queued = (
        truth.ns(line["data"]["queued_ms"]) for line in truth.lines(run, "frame")
        if line["data"]["id"].startswith("0x2") and len(line["data"]["id"]) == 5
    )
    count = 0
    statuses = ((pump, values) for _, pump, kind, values in decoded(run, database) if kind == "status")
    for (pump, values), at in zip(statuses, queued, strict=True):
        changes = history[pump]
        place = bisect.bisect_right(changes, (at, 99))
        known = {changes[place - 1][1]} | {state for time, state in changes if time == at}
        before = bisect.bisect_left(changes, (at, -1))
        known |= {changes[before - 1][1]} if before else set()
        assert int(values["State"]) in known, (pump, at, values, known)
        count += 1
    assert count > 0


def test_control_a_changed_byte_is_noticed(small_run, database, tmp_path):
    lines = small_run.path("candump").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if " 201#" in line)
    lines[at] = lines[at][:-4] + f"{int(lines[at][-4:-2], 16) ^ 1:02X}" + lines[at][-2:]
    broken = tmp_path / "broken.candump"
    broken.write_text("\n".join(lines) + "\n")
    with pytest.raises(AssertionError, match="number"):
        compare(small_run, database, broken)
