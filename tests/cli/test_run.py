"""`litewf run`: worker processes, how they end, and what happens when one dies."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

import litewf
from tests.cli.live import Here, first_line, start, worker


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_cleanly_and_what_is_left_goes_on_later(here: Here, tmp_path: Path, number: int) -> None:
    db = tmp_path / "shop.db"
    with worker(tmp_path, "--name", "anna", "--version", "v1") as process:
        here("start", "checkout", '{"sku": 1}', "--id", "o-1", "--db", db)
        assert here("event", "o-1", "payment_url", "--timeout", "30s", "--db", db).status == 0
        process.send_signal(number)
        assert process.wait(30) == 0
    shown = here("show", "o-1", "--json", "--db", db).json
    assert (shown["status"], shown["executor_id"], shown["application_version"]) == ("PENDING", None, "v1")
    here("send", "o-1", "cash", "--topic", "payment", "--db", db)
    with worker(tmp_path):
        assert here("result", "o-1", "--timeout", "30s", "--db", db).out == '["receipt 1", "cash"]\n'


def test_several_processes_share_the_work_and_a_dead_one_is_replaced(here: Here, tmp_path: Path) -> None:
    db = tmp_path / "shop.db"
    with worker(tmp_path, "--processes", "2") as parent:
        first_line(parent)  # of the second one
        engines = here("versions", "--json", "--db", db).json["engines"]
        assert len(engines) == 2
        here("start", "nap", "3600", "--id", "n-1", "--db", db)
        os.kill(engines[0]["pid"], signal.SIGKILL)
        assert first_line(parent).startswith("litewf runs shop:registry")  # the new one
        pids = {one["pid"] for one in here("versions", "--json", "--db", db).json["engines"] if one["state"] == "alive"}
        assert len(pids) == 2
        assert engines[0]["pid"] not in pids
        parent.send_signal(signal.SIGTERM)
        out, err = parent.communicate(timeout=30)
    assert parent.returncode == 0, out
    assert re.fullmatch(r"litewf: worker \d+ ended \(SIGKILL\); another one is started\n", err)
    assert here("versions", "--json", "--db", db).json["engines"] == []
    assert here("list", "--status", "pending", "--json", "--db", db).json[0]["workflow_id"] == "n-1"


def test_workers_end_when_their_parent_is_killed(here: Here, tmp_path: Path) -> None:
    db = tmp_path / "shop.db"
    with worker(tmp_path, "--processes", "2") as parent:
        first_line(parent)
        parent.kill()
        parent.wait(30)
        while here("versions", "--json", "--db", db).json["engines"]:
            pass  # until both have given back what they had, and have gone


def test_a_program_that_fails_stops_all_processes(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import what_is_not_there")
    process = start("run", "broken", "--processes", "2", folder=tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "what_is_not_there" in err
    assert "a worker ended at once with status 1; all are stopped" in err


@pytest.mark.parametrize(
    "arguments", [("nowhere",), ("shop:registry", "--processes", "0"), ("shop:registry", "--name", "")],
    ids=["module", "processes", "name"],
)  # fmt: skip
def test_a_wrong_command_line_is_a_usage_error(
    here: Here, tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop.py").write_text("import litewf\nregistry = litewf.Registry()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    assert here("run", *arguments).status == 2
    assert not (tmp_path / "litewf.db").exists()


def test_a_place_where_no_file_can_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import litewf\nregistry = litewf.Registry()")
    process = start("run", "shop:registry", "--db", "missing/x.db", folder=tmp_path)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, len(err.splitlines())) == (5, 1), err


def test_the_interpreter_switches_threads_faster(tmp_path: Path) -> None:
    (tmp_path / "speed.py").write_text(
        "import litewf, sys\nregistry = litewf.Registry()\n\n"
        "@registry.workflow(name='interval')\ndef interval():\n    return sys.getswitchinterval()\n"
    )
    process = start("run", "speed:registry", "--db", "shop.db", folder=tmp_path)
    try:
        first_line(process)
        with litewf.Client(tmp_path / "shop.db") as client:
            assert client.enqueue("q", "interval").get_result(timeout=30) == pytest.approx(0.00005)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30)[1] == ""
