"""The mcap library reads the MCAP whole, checksums included, and finds what the twin recorded."""

import io
import json

import mcap.exceptions
import mcap.reader
import pytest
from mcap.stream_reader import CRCValidationError, StreamReader

import truth


def read(stream):
    """(topic, time in ns, message) in the order of the file, every checksum checked."""
    reader = mcap.reader.NonSeekingReader(stream, validate_crcs=True)
    for _, channel, message in reader.iter_messages(log_time_order=False):
        yield channel.topic, message.log_time - truth.EPOCH_NS, json.loads(message.data)


@pytest.fixture(scope="module")
def messages(run):
    with open(run.path("mcap"), "rb") as file:
        return list(read(file))


def test_the_index_tells_of_every_message(run, messages):
    with open(run.path("mcap"), "rb") as file:
        summary = mcap.reader.SeekingReader(file, validate_crcs=True).get_summary()
    assert summary.statistics.message_count == len(messages) > 0
    assert summary.chunk_indexes, "nothing can be sought without an index"
    assert {schema.encoding for schema in summary.schemas.values()} == {"jsonschema"}
    for schema in summary.schemas.values():
        assert json.loads(schema.data)["type"] == "object"


def test_states_are_those_of_the_recording(run, messages):
    found = [
        (time, topic.split("/")[2], message["state"])
        for topic, time, message in messages if topic.startswith("/pump/") and topic.endswith("/truth")
    ]
    state, wanted = {}, []
    for line in truth.lines(run, "state", "motor"):
        node = line["node"]
        if node.startswith("P"):
            state[node] = line["data"].get("state", state.get(node))
            wanted.append((truth.ns(line["t_ms"]), node, state[node]))
    truth.same(found, wanted)


def test_error_frames_are_those_of_the_recording(run, messages):
    found = [(time, message["error"]) for topic, time, message in messages if topic == "/bus/errors"]
    assert found == [(frame[0], frame[5]) for frame in truth.frames(run) if frame[5]]
    assert bool(found) == (run.name == "disturbed")


def test_every_injection_is_in_the_log(run, messages):
    notes = [message["message"] for topic, _, message in messages if topic == "/log"]
    for line in truth.lines(run, "injection-acted"):
        assert any("injection-acted" in note and line["data"]["effect"] in note for note in notes)


@pytest.mark.parametrize("suffix", ["foxglove.json", "plotjuggler.xml"])
def test_layouts_show_topics_that_are_there(run, messages, suffix):
    layout = run.path(suffix).read_text()
    topics = {topic for topic, *_ in messages}
    for topic in ("/pump/P01/status", "/update", "/coolant"):
        assert topic in topics and topic in layout


def test_control_a_changed_byte_is_noticed(small_run):
    content = bytearray(small_run.path("mcap").read_bytes())
    content[len(content) // 3] ^= 1
    with pytest.raises((mcap.exceptions.McapError, CRCValidationError)):
        list(StreamReader(io.BytesIO(content), validate_crcs=True).records)
