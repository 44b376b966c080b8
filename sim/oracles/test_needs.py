"""needs.json of a bundle, judged by sphinx-needs: it imports without a warning, and links lead both ways."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = pathlib.Path(os.environ.get("ORACLE_OUT", ROOT / "target/oracles/out"))
COOLTWIN = pathlib.Path(os.environ.get("COOLTWIN", ROOT / "target/release/cooltwin"))


@pytest.fixture(scope="module")
def bundle():
    """A bundle of two runs: one that passes, and one that breaks a budget as it says."""
    scenarios = [ROOT / "scenarios" / name for name in ("nominal-11.ron", "slow-flash.ron")]
    folder = OUT / "evidence"
    made = subprocess.run(
        [COOLTWIN, "evidence", "--allow-dirty", "--out", folder, *scenarios], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


@pytest.fixture(scope="module")
def imported(bundle):
    """What sphinx-needs made of it: its own needs.json and the page."""
    project = OUT / "needs"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(HERE / "needs", project)
    shutil.copy(bundle / "needs.json", project / "needs.json")
    for builder in ("needs", "html"):
        # -W: a warning is an error, such as a need without its type or a link that leads nowhere.
        command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", builder, project, project / "_build" / builder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads((project / "_build/needs/needs.json").read_text())
    needs = written["versions"][written["current_version"]]["needs"]
    return needs, (project / "_build/html/index.html").read_text()


def test_every_requirement_of_the_baseline_is_imported(bundle, imported):
    needs, page = imported
    ids = [
        line.split(",")[0]
        for table in ("pfu.csv", "ssr.csv", "ssm.csv")
        for line in (bundle / "requirements" / table).read_text().splitlines()[1:]
    ]
    assert len(ids) == 166
    for one in ids:
        assert needs[one]["type"] == "req"
        assert one in page


def test_links_lead_from_run_to_row_to_requirement_and_back(imported):
    needs, _ = imported
    row = needs["ROW_BUDGET_PUMP_UPDATE"]
    assert row["links"] == ["PFU-041"]
    assert "ROW_BUDGET_PUMP_UPDATE" in needs["PFU-041"]["links_back"]
    assert "ROW_BUDGET_PUMP_UPDATE" in needs["RUN_NOMINAL_11_1"]["links"]
    assert "RUN_NOMINAL_11_1" in row["links_back"]


def test_status_and_margin_are_those_of_the_bundle(bundle, imported):
    needs, _ = imported
    rows = [line for line in (bundle / "requirements.csv").read_text().splitlines() if line.startswith("PFU-041,")]
    need = needs["PFU-041"]
    assert len(rows) == 1
    assert f",{need['status']}," in rows[0]
    assert re.fullmatch(r"\d+(\.\d+)?", need["margin"])
    assert f",{need['margin']},{need['unit']}," in rows[0]
    assert needs["SSR-044"]["status"] in ("uncovered", "not verified here")
