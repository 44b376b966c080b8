"""The three runs that are judged, made once: nominal, disturbed, and with a power cut in a transfer."""

import os
import pathlib
import random
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = pathlib.Path(os.environ.get("ORACLE_OUT", ROOT / "target/oracles/out"))
COOLTWIN = pathlib.Path(os.environ.get("COOLTWIN", ROOT / "target/release/cooltwin"))

SCENARIOS = {
    "nominal": (ROOT / "scenarios/nominal-14.ron", 394_240),
    "disturbed": (HERE / "disturbed.ron", 49_152),
    "power-cut": (ROOT / "scenarios/power-cut-pump.ron", 49_152),
}
# Of each run, a second of the line bit by bit: a transfer, the disturbance, the cut.
WINDOWS = {"nominal": "13s..13.5s", "disturbed": "28.5s..29.3s", "power-cut": "29.5s..30s"}


@dataclass
class Run:
    """One run: its name, its image and the folder with its traces."""

    name: str
    folder: pathlib.Path
    image: bytes

    def path(self, suffix):
        return self.folder / f"trace.{suffix}"

    @property
    def recording(self):
        return self.folder / "out/recording.jsonl"


def make_image(length):
    """An image by the table in protocol/src/header.rs, written without that code: version 2.0.0 for model 1."""
    body = random.Random(6).randbytes(length - 64)
    head = b"CPFW" + struct.pack("<HH3HHII", 1, 1, 2, 0, 0, 0, length, zlib.crc32(body)) + bytes(36)
    return head + struct.pack("<I", zlib.crc32(head)) + body


def cooltwin(*arguments, **options):
    """Runs cooltwin; its exit code is the caller's to judge."""
    return subprocess.run([COOLTWIN, *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def make_run(name):
    scenario, length = SCENARIOS[name]
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run = Run(name, folder, make_image(length))
    image = folder / "image.bin"
    image.write_bytes(run.image)
    traces = [f"--{suffix}={run.path(suffix)}" for suffix in ("candump", "asc", "pcapng", "vcd", "mcap")]
    done = cooltwin(
        "run", scenario, "--record", "--out", folder / "out", "-q",
        "--set", f'package.image.source=File("{image}")', *traces, "--vcd-bus", WINDOWS[name],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def make_safety_run():
    """A run with a safety unit and no update: two pumps' feed, and a relay contact of CPU1 that welds."""
    folder = OUT / "safety"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run = Run("safety", folder, b"")
    scenario = ROOT / "scenarios/safety-relay-welded-cpu1.ron"
    done = cooltwin("run", scenario, "--record", "--out", folder / "out", "-q", "--vcd", run.path("vcd"))
    assert done.returncode == 0, done.stdout + done.stderr
    return run


@pytest.fixture(scope="session", params=SCENARIOS)
def run(request):
    return make_run(request.param)


@pytest.fixture(scope="session")
def small_run():
    """The smallest run again, for the controls that must fail."""
    folder = OUT / "power-cut"
    if not (folder / "out/recording.jsonl").exists():
        return make_run("power-cut")
    return Run("power-cut", folder, (folder / "image.bin").read_bytes())


def needs(tool):
    """Skips loudly where a tool is missing."""
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"NOT CHECKED: {tool} is not installed")
