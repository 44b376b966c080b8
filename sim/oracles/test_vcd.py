"""sigrok's CAN decoder reads the bus line of the VCD; vcdvcd reads its states.

sigrok keeps every sample of every signal in memory, so it is given the line alone, over the window, cut out of the VCD
line by line. Its decoder knows no error frames and loses the frames after one; attempts that ended in an error are
therefore left out for it, and their flags are judged here by the rules of the Bosch specification.
"""

import re
import subprocess
from collections import Counter

import pytest
from vcdvcd import VCDVCD

import truth
from conftest import WINDOWS, make_safety_run, needs

BIT_NS = 4_000
LINE = "cooltwin.bus.can0"


def window(run):
    begin, end = (int(float(text.removesuffix("s")) * 10**9) for text in WINDOWS[run.name].split(".."))
    return begin, end


def identifier(path, name):
    scope = []
    with open(path) as file:
        for text in file:
            words = text.split()
            if words[:1] == ["$scope"]:
                scope.append(words[2])
            elif words[:1] == ["$upscope"]:
                scope.pop()
            elif words[:1] == ["$var"] and ".".join([*scope, words[4]]) == name:
                return words[3]
    raise AssertionError(f"{name} is not in the VCD")


def line_changes(path):
    """(time in ns, level) of each change of the line."""
    mark, time = identifier(path, LINE), 0
    with open(path) as file:
        for text in file:
            if text.startswith("#"):
                time = int(text[1:])
            elif text.rstrip("\n") in (f"0{mark}", f"1{mark}"):
                yield time, int(text[0])


def first_idle(changes, begin):
    """The end of the first 11 recessive bits in a row after `begin`: sigrok must not begin amid a frame."""
    for (time, level), (until, _) in zip(changes, changes[1:], strict=False):
        if level == 1 and time > begin and until - time >= 11 * BIT_NS:
            return until - 2 * BIT_NS
    raise AssertionError("the line is never idle in the window")


def disturbed(run):
    """Start and bit of the first error of each attempt in the window that ended in an error frame."""
    begin, end = window(run)
    for line in truth.lines(run, "error-frame"):
        start = truth.ns(line["data"]["start_ms"])
        if begin <= start and truth.ns(line["t_ms"]) <= end:
            yield start, line["data"]["bit"]


def attempt(changes, start):
    """The changes from a start of frame up to the first 11 recessive bits."""
    first = changes.index((start, 0))
    for place in range(first, len(changes) - 1):
        if changes[place][1] == 1 and changes[place + 1][0] - changes[place][0] >= 11 * BIT_NS:
            return changes[first:place + 1]
    return changes[first:]


def without_errors(run, changes):
    """The line without the attempts that ended in an error; those on a line that stays recessive show nothing."""
    gone = set()
    for start, _ in disturbed(run):
        if (start, 0) in changes:
            gone |= set(attempt(changes, start))
    return [change for change in changes if change not in gone]


def last_end(changes, end):
    """The end of the last whole frame: the last 8 recessive bits before `end`, which no frame has inside."""
    for (time, level), (until, _) in zip(changes[-2::-1], changes[:0:-1], strict=False):
        if level == 1 and time < end and min(until, end) - time >= 8 * BIT_NS:
            return time
    raise AssertionError("no frame ends in the window")


def cut(run, path, changes=None):
    """The line alone, from its first idle time in the window to its last, at one sample a microsecond; when it begins."""
    end = window(run)[1]
    changes = without_errors(run, list(line_changes(run.path("vcd")))) if changes is None else changes
    begin = first_idle(changes, window(run)[0])
    last = last_end([*changes, (end, 1)], end)
    inside = [(time, level) for time, level in changes if begin <= time <= last]
    text = ["$timescale 1 us $end", "$scope module bus $end", "$var wire 1 ! can0 $end", "$upscope $end"]
    text += ["$enddefinitions $end", "#0", "1!"]
    for time, level in inside:
        text += [f"#{(time - begin) // 1_000}", f"{level}!"]
    text += [f"#{(end + 100_000 - begin) // 1_000}"]
    path.write_text("\n".join(text) + "\n")
    return begin


def annotations(path):
    """sigrok's reading of the line in order."""
    command = ["sigrok-cli", "-i", path, "-I", "vcd", "-P", "can:can_rx=can0:nominal_bitrate=250000", "-A", "can=fields:stuff-bit"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for text in done.stdout.splitlines():
        yield text.removeprefix("can-1: ")


def decode(path):
    """Every frame that sigrok sees to its end: id, data, CRC, stuff bits."""
    frames, now = [], None
    for text in annotations(path):
        if text == "Start of frame":
            now = {"id": None, "data": [], "crc": None, "stuff": 0, "ack": None}
        if now is None:
            continue
        if found := re.match(r"(?:Full )?[Ii]dentifier: \d+ \((0x[0-9a-f]+)\)", text):
            now["id"] = int(found[1], 16)
        elif found := re.match(r"Data byte \d+: (0x[0-9a-f]+)", text):
            now["data"].append(int(found[1], 16))
        elif found := re.match(r"CRC-15 sequence: (0x[0-9a-f]+)", text):
            now["crc"] = int(found[1], 16)
        elif text in ("0", "1"):
            now["stuff"] += 1
        elif text.startswith("ACK slot"):
            now["ack"] = text
        elif text == "End of frame":
            frames.append(now)
            now = None
    return frames


def crc15(bits):
    crc = 0
    for bit in bits:
        crc = (crc << 1) & 0x7FFF ^ (0x4599 if (crc >> 14) ^ bit else 0)
    return crc


def wire(can_id, data):
    """CRC and number of stuff bits of a frame with an 11-bit id, from the Bosch specification, without the twin's code."""
    head = [0] + [can_id >> place & 1 for place in range(10, -1, -1)] + [0, 0, 0]
    head += [len(data) >> place & 1 for place in range(3, -1, -1)]
    body = head + [byte >> place & 1 for byte in data for place in range(7, -1, -1)]
    crc = crc15(body)
    body += [crc >> place & 1 for place in range(14, -1, -1)]
    stuffed, run, last = 0, 0, 1
    for bit in body:
        run = run + 1 if bit == last else 1
        last = bit
        if run == 5:
            stuffed, run, last = stuffed + 1, 1, 1 - bit
    return crc, stuffed


def wanted(run, begin):
    """The twin's frames that lie in the window as a whole, from `begin` on."""
    end = window(run)[1]
    for line in truth.lines(run, "frame"):
        data = line["data"]
        if truth.ns(data["start_ms"]) >= begin and truth.ns(line["t_ms"]) <= end:
            payload, can_id = bytes.fromhex(data["data"]), int(data["id"], 16)
            crc, stuff = wire(can_id, payload)
            # SOF to CRC with the tail of 10 bits: the length that the twin gives tells its stuff bits.
            assert data["bits"] == 34 + 8 * len(payload) + stuff + 10, line
            yield {"id": can_id, "data": list(payload), "crc": crc, "stuff": stuff}


def plain(frame):
    return {key: frame[key] for key in ("id", "data", "crc", "stuff")}


@needs("sigrok-cli")
def test_sigrok_reads_ids_data_crc_and_stuff_bits(run, tmp_path):
    path = tmp_path / "line.vcd"
    begin = cut(run, path)
    found = decode(path)
    assert all("ACK" in frame["ack"] and "NACK" not in frame["ack"] for frame in found)
    truth.same(map(plain, found), wanted(run, begin))


def test_error_flags_are_those_of_the_specification(run):
    """The flag begins at the bit after the error, or one later for a CRC error: six dominant bits, at most twelve where
    others answer it, then recessive bits."""
    changes = list(line_changes(run.path("vcd")))
    count = 0
    for start, bit in disturbed(run):
        if (start, 0) not in changes:
            continue
        # The frame's own dominant bits may stand before the flag: only what follows the error is counted.
        after = start + (bit + 1) * BIT_NS
        flags = [
            (until - max(time, after)) // BIT_NS for (time, level), (until, _) in zip(changes, changes[1:], strict=False)
            if level == 0 and start <= time <= after + BIT_NS and until > after
        ]
        assert any(6 <= length <= 12 for length in flags), (start, bit, flags)
        count += 1
    assert (count > 0) == (run.name == "disturbed")


@needs("sigrok-cli")
def test_control_a_flipped_bit_is_noticed(small_run, tmp_path):
    """One bit of the data of one frame, inverted on the line."""
    path = tmp_path / "broken.vcd"
    changes = list(line_changes(small_run.path("vcd")))
    begin = cut(small_run, path, changes)
    truth.same(map(plain, decode(path)), wanted(small_run, begin))
    frame = next(line for line in truth.lines(small_run, "frame") if truth.ns(line["data"]["start_ms"]) >= begin)
    at = truth.ns(frame["data"]["start_ms"]) + 30 * BIT_NS
    level = [bit for time, bit in changes if time <= at][-1]
    after = [bit for time, bit in changes if time <= at + BIT_NS][-1]
    kept = [(time, bit) for time, bit in changes if not at <= time <= at + BIT_NS]
    cut(small_run, path, sorted(kept + [(at, 1 - level), (at + BIT_NS, after)]))
    with pytest.raises(AssertionError):
        truth.same(map(plain, decode(path)), wanted(small_run, begin))


@pytest.fixture(scope="module")
def vcd(run):
    return VCDVCD(str(run.path("vcd")))


def signal(vcd, name):
    return vcd[next(full for full in vcd.signals if re.sub(r"\[.*", "", full) == name)].tv


def test_vcdvcd_finds_the_states_of_every_pump(run, vcd):
    states = ["standby", "automatic", "fixed", "fail-safe", "bootloader", "updating"]
    wanted = {}
    for line in truth.lines(run, "state"):
        if line["node"].startswith("P"):
            changes = wanted.setdefault(line["node"], [])
            state = states.index(line["data"]["state"])
            if not changes or changes[-1][1] != state:
                changes.append((truth.ns(line["t_ms"]), state))
    assert wanted
    for pump, changes in wanted.items():
        found = [(time, int(value, 2)) for time, value in signal(vcd, f"cooltwin.{pump}.state")]
        assert last_of_each_instant(found) == last_of_each_instant(changes), pump


@pytest.fixture(scope="module")
def safety_run():
    """A unit whose emergency stop is pressed while it feeds two pumps, then trips: its own run, without an update."""
    return make_safety_run()


def bits(members):
    return sum(1 << member for member in members)


# Each signal of a unit: its kind of line, whether it is one of a CPU, and what the line says.
SAFETY = {
    "mode": ("safety-mode", True, lambda data: MODES.index(data["mode"])),
    "inputs_on": ("safety-logic", True, lambda data: bits(data["inputs"])),
    "outputs_on": ("safety-logic", True, lambda data: bits(data["outputs"])),
    "relays_on": ("safety-logic", True, lambda data: bits(data["relays"])),
    "main_transistor": ("safety-main-transistor", False, lambda data: int(data["on"])),
    "live_pins": ("safety-outputs", False, lambda data: bits(data["live"])),
    "coils": ("safety-coils", False, lambda data: bits(data["fed"])),
    "contacts": ("safety-contacts", False, lambda data: bits(data["closed"])),
}
MODES = ["off", "starting", "ready", "normal", "configuration", "safe"]


def safety_changes(run, name):
    """What the recording says of one signal, by its name below the unit."""
    kind, of_cpu, value = SAFETY[name]
    wanted = {}
    started = {"safety-started": 1, "safety-stopped": 0} if name == "mode" else {}
    for line in truth.lines(run, kind, *started):
        scope = f"{line['node']}.cpu{line['data']['cpu']}" if of_cpu else line["node"]
        new = started[line["kind"]] if line["kind"] in started else value(line["data"])
        wanted.setdefault(scope, []).append((truth.ns(line["t_ms"]), new))
    return wanted


@pytest.mark.parametrize("name", SAFETY)
def test_vcdvcd_finds_the_signals_of_a_safety_unit(safety_run, name):
    vcd, wanted = VCDVCD(str(safety_run.path("vcd"))), safety_changes(safety_run, name)
    assert len(wanted) == (2 if SAFETY[name][1] else 1)
    for scope, changes in wanted.items():
        found = [(time, int(value, 2)) for time, value in signal(vcd, f"cooltwin.{scope}.{name}") if "x" not in value]
        found = last_of_each_instant(found)
        # What is off at the start is there before the first line says so.
        found = found[1:] if found[0] == (0, 0) and changes[0][0] > 0 else found
        changes = last_of_each_instant(changes)
        assert len(changes) > 1
        assert found == changes, scope


def test_vcdvcd_counts_the_faults_of_a_safety_unit(safety_run):
    vcd, detected = VCDVCD(str(safety_run.path("vcd"))), Counter()
    for line in truth.lines(safety_run, "safety-detected"):
        detected[f"{line['node']}.cpu{line['data']['cpu']}"] += 1
    assert detected
    for scope, count in detected.items():
        assert int(signal(vcd, f"cooltwin.{scope}.faults")[-1][1], 2) == count


def last_of_each_instant(changes):
    by_time = dict(changes)
    kept = []
    for time, value in sorted(by_time.items()):
        if not kept or kept[-1][1] != value:
            kept.append((time, value))
    return kept


def test_vcdvcd_finds_the_power_of_every_node(run, vcd):
    for node in truth.head(run)["nodes"]:
        wanted = [(0, 0)] + [
            (truth.ns(line["t_ms"]), int(line["kind"] == "power-good"))
            for line in truth.lines(run, "power-good", "power-lost") if line["node"] == node
        ]
        found = [(time, int(value)) for time, value in signal(vcd, f"cooltwin.{node}.power")]
        assert last_of_each_instant(found) == last_of_each_instant(wanted), node


def test_vcdvcd_finds_motors_error_counters_and_error_frames(run, vcd):
    for node in truth.head(run)["nodes"]:
        for name, kind, field in [("motor_permille", "motor", "permille"), ("tec", "error-counters", "tec"),
                                  ("rec", "error-counters", "rec")]:
            if name.startswith("motor") and node == "CIOC":
                continue
            wanted = [(0, 0)] + [
                (truth.ns(line["t_ms"]), line["data"][field]) for line in truth.lines(run, kind) if line["node"] == node
            ]
            found = [(time, int(value, 2)) for time, value in signal(vcd, f"cooltwin.{node}.{name}")]
            assert last_of_each_instant(found) == last_of_each_instant(wanted), (node, name)
    errors = signal(vcd, "cooltwin.bus.error_frames")
    assert int(errors[-1][1], 2) == sum(1 for frame in truth.frames(run) if frame[5])


def test_the_line_is_shown_in_its_window_only(run, vcd):
    begin, end = window(run)
    assert [(time, int(value)) for time, value in signal(vcd, "cooltwin.bus.can0_shown")] == [(0, 0), (begin, 1), (end, 0)]
    changes = [(time, int(value)) for time, value in signal(vcd, LINE)]
    assert changes == last_of_each_instant(line_changes(run.path("vcd")))
    assert len(changes) > 1_000
    assert all(begin <= time <= end for time, _ in changes[1:])


@pytest.mark.parametrize("name", ["state", "link"])
def test_names_go_with_numbers(run, name):
    """The texts beside the numbers, which vcdvcd does not read, change with them."""
    path = run.path("vcd")
    number, text = (identifier(path, f"cooltwin.P02.{name}{end}") for end in ("", "_name"))
    pairs, now = Counter(), {}
    with open(path) as file:
        for row in file:
            words = row.split()
            if len(words) == 2 and words[1] in (number, text):
                now[words[1]] = words[0]
            elif row.startswith("#") and len(now) == 2:
                pairs[now[number], now[text]] += 1
    assert len({pair[0] for pair in pairs}) == len({pair[1] for pair in pairs}) == len(pairs) > 1
