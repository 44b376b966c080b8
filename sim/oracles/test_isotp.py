"""can-isotp puts the transferred image together from the log; udsoncan reads the services; tshark counts them.

The image was made by conftest.py, not by the twin, so the bytes come back from the bus to where they came from.
"""

import json
from collections import Counter, deque

import can
import isotp
import pytest
import udsoncan

import truth
from conftest import cooltwin, needs
from test_pcapng import flag, tshark


class Assembler:
    """can-isotp's own receiver, fed with one direction of one pump, many frames at a time: that is what makes it fast."""

    BATCH = 2_000

    def __init__(self):
        self.queue = deque()
        self.errors = []
        address = isotp.Address(isotp.AddressingMode.Normal_11bits, rxid=1, txid=2)
        parameters = {"blocking_send": False, "max_frame_size": 4095, "rx_consecutive_frame_timeout": 10**6}
        self.layer = isotp.TransportLayerLogic(
            rxfn=lambda _timeout: self.queue.popleft() if self.queue else None, txfn=lambda _message: None,
            address=address, params=parameters, error_handler=self.errors.append,
        )

    def hear(self, data):
        """The messages that are whole by now, if it is time to look."""
        self.queue.append(isotp.CanMessage(arbitration_id=1, data=data))
        return self.whole() if len(self.queue) >= self.BATCH else ()

    def whole(self):
        """The messages that are whole."""
        self.layer.process()
        while (message := self.layer.recv()) is not None:
            yield bytes(message)


def messages(path):
    """(pump, request, data) of every whole message in the log; in order for each pump and direction."""
    assemblers = {}
    with can.CanutilsLogReader(path) as reader:
        for message in reader:
            if message.is_error_frame or message.arbitration_id < 0x700:
                continue
            # Flow control belongs to the other direction; a receiver alone has no use for it.
            if message.data[0] >> 4 == 3:
                continue
            key = (message.arbitration_id & 0x1F, message.arbitration_id < 0x780)
            if key not in assemblers:
                assemblers[key] = Assembler()
            assembler = assemblers[key]
            yield from ((*key, data) for data in assembler.hear(bytes(message.data)))
    for key, assembler in assemblers.items():
        yield from ((*key, data) for data in assembler.whole())


@pytest.fixture(scope="module")
def heard(run):
    return list(messages(run.path("candump")))


def transfers(heard):
    """Per pump, the bytes of each try's blocks: a repeated block counter replaces the block."""
    tries = {}
    for pump, is_request, data in heard:
        if is_request and data[0] == 0x34:
            tries.setdefault(pump, []).append([])
        elif is_request and data[0] == 0x36:
            blocks = tries[pump][-1]
            if blocks and blocks[-1][0] == data[1]:
                blocks.pop()
            blocks.append(data[1:])
    return {pump: [b"".join(block[1:] for block in blocks) for blocks in tries[pump]] for pump in tries}


def test_the_image_comes_back_byte_for_byte(run, heard):
    pumps = {int(node[1:]) for node in truth.head(run)["nodes"] if node.startswith("P")}
    sent = transfers(heard)
    assert set(sent) == pumps
    for pump, tries in sent.items():
        assert tries[-1] == run.image, f"P{pump:02} got another image: {len(tries[-1])} bytes"
        for broken_off in tries[:-1]:
            assert run.image.startswith(broken_off) and len(broken_off) < len(run.image)
    if run.name == "power-cut":
        assert [len(sent[pump]) for pump in sorted(sent)] == [1, 2, 1]


def test_control_an_image_with_a_lost_frame_does_not_come_back(small_run, tmp_path):
    lines = small_run.path("candump").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if " 701#25" in line)
    broken = tmp_path / "broken.candump"
    broken.write_text("\n".join(lines[:at] + lines[at + 1:]) + "\n")
    assert transfers(messages(broken))[1][-1] != small_run.image


def test_udsoncan_reads_every_message(heard):
    for pump, is_request, data in heard:
        kind = udsoncan.Request if is_request else udsoncan.Response
        message = kind.from_payload(data)
        assert message.service is not None, (pump, data.hex())
        assert is_request or message.valid, (pump, data.hex())


def count(heard):
    counts = Counter()
    for _, is_request, data in heard:
        service = data[0] if is_request else data[1] if data[0] == 0x7F else data[0] - 0x40
        counts[service, "requests" if is_request else "negative" if data[0] == 0x7F else "positive"] += 1
    return counts


def ours(run):
    done = cooltwin("convert", run.path("candump"), "--json")
    assert done.returncode == 0, done.stderr
    (log,) = json.loads(done.stdout)["logs"]
    counts = Counter()
    for service in log["services"]:
        for kind in ("requests", "positive", "negative"):
            counts[int(service["id"], 0), kind] += service[kind]
    return +counts


def test_the_twin_counts_the_services_that_can_isotp_finds(run, heard):
    assert ours(run) == count(heard)


@needs("tshark")
def test_tshark_names_each_service_as_often_as_the_twin(run):
    rows = tshark(
        run.path("pcapng"), "-o", "iso15765.can.ids:0x701-0x710,0x781-0x790", "-d", "iso15765.subdissector,uds",
        "-Y", "uds", "-T", "fields", "-E", "separator=;", "-e", "uds.sid", "-e", "uds.reply",
        "-e", "uds.err.sid",
    )
    counts = Counter()
    for row in rows:
        sid, reply, refused = row.split(";")
        service, is_reply = int(sid, 0), flag(reply)
        if refused:
            counts[int(refused, 0), "negative"] += 1
        else:
            counts[service, "positive" if is_reply else "requests"] += 1
    assert counts == ours(run)


def test_all_services_of_an_update_are_there(run):
    services = {service for service, _ in ours(run)}
    assert {0x10, 0x11, 0x22, 0x27, 0x31, 0x34, 0x36, 0x37} <= services
