"""What workers log: lines with ids on the error stream, each once, unless the module has set up logging itself."""

import re
import signal
from pathlib import Path

import litewf
from tests.cli.live import first_line, start

PROGRAM = """
import logging
import litewf

log = logging.getLogger("shop")

@litewf.step
def weigh(item):
    log.info("weighing %s\\x1b[2J", item)

@litewf.workflow
def parcel(item):
    log.warning("a parcel")
    litewf.logger.info("it begins")
    weigh(item)
    litewf.recv()
    log.debug("never")
"""
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"


def lines_of(folder: Path, program: str, *options: str) -> list[str]:
    (folder / "shop.py").write_text(program)
    process = start("run", "shop", "--db", "shop.db", *options, folder=folder)
    assert first_line(process).startswith("litewf runs shop")
    with litewf.Client(folder / "shop.db", registry=litewf.Registry()) as client:
        parcel = client.start_workflow(litewf.WorkflowName("parcel").with_options(workflow_id="p-1"), "cup")
        client.send("p-1", "go on")
        parcel.get_result(timeout=30)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err
    return [re.sub(TIME, "TIME", line) for line in err.splitlines()]


def test_lines_of_all_loggers_say_which_workflow_and_step_they_are_about(tmp_path: Path) -> None:
    assert lines_of(tmp_path, PROGRAM, "--log-level", "info") == [
        "TIME WARNING shop: [p-1] a parcel",
        "TIME INFO litewf.workflow: [p-1] it begins",
        "TIME INFO shop: [p-1 1] weighing cup?[2J",
    ]


def test_only_warnings_are_logged_where_nothing_is_said(tmp_path: Path) -> None:
    assert lines_of(tmp_path, PROGRAM) == ["TIME WARNING shop: [p-1] a parcel"]


def test_a_module_that_sets_up_logging_is_left_to_itself(tmp_path: Path) -> None:
    own = f"{PROGRAM}\nlogging.basicConfig(level='INFO', format='mine: %(message)s')\n"
    assert lines_of(tmp_path, own, "--log-level", "error")[:1] == ["mine: a parcel"]
