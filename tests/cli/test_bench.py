"""`litewf bench` at its quick sizes: every figure is there and follows from the others; what fails is said."""

import json
from pathlib import Path

import apsw
import pytest

from litewf.cli.benchmarks import raw, report
from litewf.cli.benchmarks.catalog import LITEWF, RAW, WORKLOADS, Call, Row, Workload
from litewf.cli.benchmarks.rounds import Measured, measure
from litewf.store.database import open_writer
from tests.cli.cli_process import Cli


def test_quick_json_has_figures_that_agree_with_each_other(cli: Cli) -> None:
    chosen = ("async_steps", "recovery", "import", "message", "stream")
    done = cli("bench", "--quick", "--json", *(part for name in chosen for part in ("--only", name)))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["workloads"]
    assert set(found) == set(chosen)
    for name in ("async_steps", "stream"):
        [row] = found[name]["rows"].values()
        assert row["ratio_to_raw"] == pytest.approx(row["medians"][LITEWF] / row["medians"][RAW])
        assert row["ratio_to_raw"] > 0
    for row in ("recovery", "import", "message: p50"):
        assert found[row.partition(":")[0]]["rows"][row]["medians"][LITEWF] > 0
    [measured] = found["async_steps"]["rounds"][LITEWF]
    assert measured["steps"] == 300 * 5
    assert measured["rate"] == pytest.approx(measured["steps"] / measured["seconds"])
    assert "async_steps: round 1 of 1, raw apsw" in done.stderr  # progress


@pytest.mark.nightly
def test_every_workload_has_figures_at_its_quick_size(cli: Cli) -> None:
    done = cli("bench", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["workloads"]
    assert set(found) == {workload.name for workload in WORKLOADS}
    assert all(row["medians"] for workload in found.values() for row in workload["rows"].values())
    assert found["asleep"]["rows"]["asleep: threads"]["medians"][LITEWF] < 50


def test_a_chosen_workload_is_shown_as_a_table_beside_raw(cli: Cli, tmp_path: Path) -> None:
    done = cli("bench", "--quick", "--only", "sequence_sync", "--db", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "sequence_sync" in done.stdout
    assert "raw apsw" in done.stdout
    assert "async_steps" not in done.stdout
    assert "200 no-op steps" in done.stdout
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--only", "nothing"), "no workload nothing"),
        (("--db", "/nowhere"), "no directory /nowhere"),
        (("--rounds", "0"), "--rounds"),
    ],
)
def test_wrong_options_are_usage_errors(cli: Cli, arguments: tuple[str, ...], says: str) -> None:
    done = cli("bench", *arguments)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_contestant_that_fails_is_named_and_the_other_goes_on(tmp_path: Path) -> None:
    broken = Workload(
        name="broken",
        calls={RAW: Call("nowhere", "nothing"), LITEWF: Call("litewf.cli.benchmarks.importing", "litewf", {"runs": 1})},
        rows=(Row("broken", "milliseconds", "ms"),),
        note="broken",
    )
    said: list[str] = []
    [measured] = measure([broken], 1, tmp_path, said.append)
    assert "No module named 'nowhere'" in measured.failures[RAW]
    assert len(measured.rounds[LITEWF]) == 1
    assert len(said) == 2


def test_ratios_are_taken_within_each_round() -> None:
    row = Row("any", "rate", "steps/s")
    workload = Workload("any", {RAW: Call("", ""), LITEWF: Call("", "")}, (row,), "any")
    rounds = {
        RAW: [{"rate": 100.0}, {"rate": 10.0}, {"rate": 1.0}],
        LITEWF: [{"rate": 50.0}, {"rate": 1.0}, {"rate": 1.0}],
    }
    assert report.ratio(Measured(workload, rounds), row, RAW) == 0.5


def test_the_yardstick_writes_with_the_settings_that_litewf_writes_with(tmp_path: Path) -> None:
    ours = open_writer(tmp_path / "ours.db", "full")
    yardstick = raw._open(tmp_path / "raw.db", 1)
    for connection in (ours, yardstick):
        assert connection.pragma("journal_mode") == "wal"
    for pragma, value in raw.PRAGMAS:
        if pragma != "wal_autocheckpoint":  # litewf checkpoints by itself, from as many frames
            assert ours.pragma(pragma) == value, pragma
    ours.close()
    yardstick.close()


def test_the_yardstick_writes_rows_like_those_of_litewf(tmp_path: Path) -> None:
    from litewf.cli.benchmarks import ours

    ours.async_steps(tmp_path / "ours.db", 2, 2)
    raw.batched_rows(tmp_path / "raw.db", 2, 2)
    shapes = []
    for path in (tmp_path / "ours.db", tmp_path / "raw.db-0"):
        connection = apsw.Connection(str(path))
        shapes.append(
            connection.execute(
                "SELECT workflow, step, name, output, error, attempts, child, due_us, completed_us >= started_us"
                " FROM step WHERE workflow <= 2 ORDER BY workflow, step"  # ours runs several times on its file
            ).fetchall()
        )
        connection.close()
    assert shapes[0] == shapes[1]
