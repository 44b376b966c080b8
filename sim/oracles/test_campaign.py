"""DuckDB reproduces the figures of a campaign's report from its rows: CSV always, Parquet where it was built in."""

import json
import shutil

import duckdb
import pytest

from conftest import OUT, ROOT, cooltwin

CAMPAIGN = ROOT / "sim/tests/data/campaigns/tiny.ron"


@pytest.fixture(scope="session")
def campaign():
    """The folder of a small campaign, run once."""
    folder = OUT / "campaign"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = cooltwin("campaign", CAMPAIGN, "--out", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(params=["trials.csv", "trials.parquet"])
def rows(request, campaign):
    """A file of rows, as a query names it."""
    path = campaign / request.param
    if not path.exists():
        assert request.param == "trials.parquet"
        pytest.skip("NOT CHECKED: this program was built without --features parquet")
    return f"'{path}'"


@pytest.fixture
def report(campaign):
    return json.loads((campaign / "campaign.json").read_text())


def classes(rows):
    return dict(duckdb.sql(f"SELECT class, count(*) FROM {rows} GROUP BY class").fetchall())


def told_classes(report):
    return {row["class"]: row["trials"] for row in report["classes"] if row["trials"] > 0}


def test_classes_and_failures(rows, report):
    assert classes(rows) == told_classes(report)
    counts = duckdb.sql(f"SELECT count(*), count(*) FILTER (NOT success), sum(updated), sum(due) FROM {rows}").fetchall()[0]
    assert counts == (report["executed"], report["failures"], report["pumps"]["good"], report["pumps"]["of"])


def test_bounds_of_the_median_by_order_statistics(rows, report):
    for values in report["times"]:
        bound = values["bounds"][0]
        column = f'"{values["budget"]} [{values["unit"]}]"'
        query = f"SELECT {column} FROM {rows} ORDER BY 1 NULLS LAST LIMIT 1 OFFSET {bound['rank'] - 1}"
        assert float(duckdb.sql(query).fetchall()[0][0]) == bound["value"], values["budget"]


def test_histograms(rows, report):
    for values in report["times"]:
        histogram = values["histogram"]
        column = f'"{values["budget"]} [{values["unit"]}]"'
        # Whole millionths: no rounding decides to which step a value on an edge belongs.
        millionths = f"CAST(round(CAST({column} AS DOUBLE) * 1e6) AS BIGINT)"
        low, step = round(histogram["low"] * 1e6), round(histogram["step"] * 1e6)
        query = f"SELECT ({millionths} - {low}) // {step} AS bin, count(*) FROM {rows} WHERE {column} IS NOT NULL GROUP BY bin"
        counted = dict(duckdb.sql(query).fetchall())
        assert [counted.get(at, 0) for at in range(len(histogram["counts"]))] == histogram["counts"], values["budget"]
        assert sum(counted.values()) == values["n"]


def test_seeds_are_whole(rows, campaign):
    """Seeds use all 64 bits: no reader may take them for floats."""
    lines = (campaign / "trials.csv").read_text().splitlines()[1:]
    seeds = [row[0] for row in duckdb.sql(f"SELECT CAST(seed AS VARCHAR) FROM {rows} ORDER BY trial").fetchall()]
    assert seeds == [line.split(",")[1] for line in lines]


def test_a_row_left_out_is_seen(campaign, report, tmp_path):
    """The control that must fail: without one row the classes are others."""
    lines = (campaign / "trials.csv").read_text().splitlines(keepends=True)
    short = tmp_path / "trials.csv"
    short.write_text("".join(lines[:-1]))
    assert classes(f"'{short}'") != told_classes(report)
