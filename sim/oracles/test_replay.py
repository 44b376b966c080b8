"""A log that python-can wrote is played on the twin's bus, and python-can reads it back from the twin's trace."""

import random

import can
import pytest

import truth
from conftest import HERE, cooltwin

# Ids of the twin's own messages to and from its one pump, which are on the bus, too.
OWN = (0x101, 0x201, 0x701, 0x781)


def made_up(count):
    """Frames of both lengths of id and all lengths of data, some of them close together."""
    draw = random.Random(1)
    time = 1_600_000_000.0
    for number in range(count):
        time += draw.choice([0.0, 0.0002, 0.0007, 0.02])
        extended = draw.random() < 0.3
        can_id = draw.randrange(0x1FFFFFFF) if extended else draw.choice([0x050, 0x123, 0x320, 0x7FF])
        yield can.Message(
            timestamp=time, arbitration_id=can_id, is_extended_id=extended, is_rx=True, channel="vcan0",
            data=bytes([number & 0xFF, number >> 8]) + draw.randbytes(draw.randrange(7)),
        )


def play(folder, messages):
    log, trace = folder / "real.log", folder / "played.log"
    with can.CanutilsLogWriter(log) as writer:
        for message in messages:
            writer.on_message_received(message)
    done = cooltwin("run", HERE / "replay.ron", "-q", "--out", folder / "out", "--set", f'traffic=Log("{log}")',
                    "--candump", trace)
    # A run without budgets has no verdict to pass; the trace is what counts.
    assert done.returncode in (0, 5), done.stderr
    with can.CanutilsLogReader(trace) as reader:
        return [message for message in reader if message.arbitration_id not in OWN]


def key(message):
    return message.arbitration_id, message.is_extended_id, bytes(message.data)


def test_every_frame_of_a_log_is_played_once_at_its_time(tmp_path):
    sent = list(made_up(400))
    played = play(tmp_path, sent)
    assert sorted(map(key, played)) == sorted(map(key, sent))
    times = {key(message): message.timestamp for message in played}
    late = [times[key(m)] - truth.EPOCH_NS / 1e9 - (m.timestamp - sent[0].timestamp) for m in sent]
    # A frame ends at the earliest 47 bits after its time (188 us), and waits for others at most a burst.
    assert min(late) > 0.000187 and max(late) < 0.02, (min(late), max(late))


def test_frames_of_one_id_keep_their_order(tmp_path):
    sent = list(made_up(400))
    played = play(tmp_path, sent)
    for can_id in (0x050, 0x123, 0x320, 0x7FF):
        truth.same((key(m) for m in played if key(m)[0] == can_id), (key(m) for m in sent if key(m)[0] == can_id))


@pytest.mark.parametrize("text", ["(1.0) can0 123#00\n(0.5) can0 123#00\n", "no log\n", ""])
def test_control_what_is_no_log_is_refused(tmp_path, text):
    log = tmp_path / "bad.log"
    log.write_text(text)
    done = cooltwin("run", HERE / "replay.ron", "-q", "--out", tmp_path / "out", "--set", f'traffic=Log("{log}")')
    assert done.returncode == 3 and "cannot use the log" in done.stderr
    assert not (tmp_path / "out").exists()
