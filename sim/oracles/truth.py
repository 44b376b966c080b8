"""What the twin recorded: recording.jsonl, read without any code of the twin."""

import json
from decimal import Decimal

EPOCH_NS = 1_700_000_000 * 10**9


def ns(text):
    """Milliseconds as the recording writes them, exactly, in nanoseconds."""
    return int(Decimal(str(text)) * 1_000_000)


def lines(run, *kinds):
    """The recording's lines of these kinds, or all, in order."""
    wanted = [f'"kind":"{kind}"' for kind in kinds]
    with open(run.recording) as file:
        next(file)
        for text in file:
            if text.startswith('{"end"'):
                return
            if not kinds or any(kind in text for kind in wanted):
                yield json.loads(text)


def head(run):
    with open(run.recording) as file:
        return json.loads(next(file))


class Wiring:
    """Which channel a node is on: 0 with the CIOC, 1 cut off from it."""

    def __init__(self):
        self.near = None

    def channel(self, line):
        if line["kind"] == "wiring":
            self.near = next(nodes for nodes in line["data"]["stretches"] if "CIOC" in nodes)
        node = line["node"]
        if node == "bus":
            node = next(iter(line["data"].get("seen_by") or ["CIOC"]))
        return 0 if self.near is None or node in self.near else 1


def frames(run, errors=True):
    """(time in ns, channel, id, 29 bits, data, None or the kind of error) of every frame on the bus in order."""
    wiring = Wiring()
    for line in lines(run, "frame", "error-frame", "wiring"):
        channel, data = wiring.channel(line), line["data"]
        if line["kind"] == "frame":
            digits = data["id"][2:]
            yield (ns(line["t_ms"]), channel, int(digits, 16), len(digits) > 3, bytes.fromhex(data["data"]), None)
        elif line["kind"] == "error-frame" and errors:
            yield (ns(line["t_ms"]), channel, None, None, None, data["error"])


def same(found, wanted):
    """Both sequences are equal, and not empty; tells where they part."""
    count = 0
    found, wanted = iter(found), iter(wanted)
    end = object()
    while True:
        one, other = next(found, end), next(wanted, end)
        if one is end and other is end:
            assert count > 0, "nothing was compared"
            return count
        assert one is not end, f"the trace ends after {count}, the twin has {other}"
        assert other is not end, f"the twin ends after {count}, the trace has {one}"
        assert one == other, f"number {count}: the trace has {one}, the twin {other}"
        count += 1
