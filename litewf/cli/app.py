"""The `litewf` program: its commands, one line each, loaded when they are asked for.

A new command is a line of COMMANDS and a file in commands/ with a function, or a Program if it has commands of its
own. `litewf --help` and shell completion read the lines alone; only the command that runs is imported.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from litewf.cli import exits
from litewf.cli.program import Program

UNWRITABLE = {errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT}
WRONG_VALUE = re.compile(r"Invalid value(?: for (?P<where>\S+))?: (?P<what>.*)", re.DOTALL)
QUOTES = "'\""
LOOK, STEER, SET_UP, RUN, CARE, TRY = (
    "Look at workflows", "Start and steer workflows", "Queues and schedules", "Run workflows", "Care for the file",
    "Try it",
)  # fmt: skip


class Entry(NamedTuple):
    """One command: what it is called, where it is, and what `litewf --help` says of it."""

    name: str
    place: str  # module:attribute below litewf.cli.commands
    help: str
    panel: str


COMMANDS = (
    Entry("list", "list_:list_", "Which workflows there are, with filters.", LOOK),
    Entry("show", "show:show", "One workflow: its steps in time, what it waits for, its children.", LOOK),
    Entry("result", "starting:result", "Wait for the end of a workflow, and print its output.", LOOK),
    Entry("event", "talking:event", "What a workflow shows under a key.", LOOK),
    Entry("stream", "talking:stream", "The values that a workflow writes, as they come.", LOOK),
    Entry("export", "export:export", "One run as a document that replays elsewhere.", LOOK),
    Entry("versions", "versions:versions", "Which engines run, and which versions unfinished work is of.", LOOK),
    Entry("start", "starting:start", "Start a workflow by its name.", STEER),
    Entry("enqueue", "starting:enqueue", "Put a workflow on a queue.", STEER),
    Entry("send", "talking:send", "Send a message to a workflow.", STEER),
    Entry("publish", "talking:publish", "Publish a CloudEvent to the workflows that wait for it.", STEER),
    Entry("cancel", "steering:cancel", "Cancel workflows and their children.", STEER),
    Entry("resume", "steering:resume", "Let cancelled or held workflows go on.", STEER),
    Entry("fork", "steering:fork", "Start a copy of a workflow from one of its steps.", STEER),
    Entry("rewind", "steering:rewind", "Run finished workflows again from a step.", STEER),
    Entry("delete", "steering:delete", "Remove finished workflows.", STEER),
    Entry("queues", "queues:app", "List, create, change, pause and delete queues.", SET_UP),
    Entry("schedules", "schedules:app", "List, create, pause, trigger, backfill and delete schedules.", SET_UP),
    Entry("run", "run:run", "Run the workflows of a module, in one process or several.", RUN),
    Entry("run-due", "run_due:run_due", "Run what is due, then exit and say when there is more.", RUN),
    Entry("serve", "serve:serve", "Run the workflows of a module, and serve them over HTTP.", RUN),
    Entry("doctor", "doctor:doctor", "What is wrong with the file or stuck in it, and what to do.", CARE),
    Entry("check-upgrade", "check_upgrade:check_upgrade", "Whether this program can go on with every workflow.", CARE),
    Entry("backup", "upkeep:backup", "Copy the file while everything goes on.", CARE),
    Entry("prune", "upkeep:prune", "Delete what ended long ago.", CARE),
    Entry("demo", "demo:demo", "Watch a checkout survive SIGKILL, twice.", TRY),
    Entry("bench", "bench:bench", "Measure litewf on this disk.", TRY),
)
PANELS = (LOOK, STEER, SET_UP, RUN, CARE, TRY)


class LazyCommands(MutableMapping[str, Any]):
    """The commands by name; one is imported when it is taken out."""

    def __init__(self) -> None:
        self._entries = {entry.name: entry for entry in COMMANDS}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(self._entries[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _load(entry: Entry) -> Any:
    module, _, attribute = entry.place.partition(":")
    found = getattr(import_module(f"litewf.cli.commands.{module}"), attribute)
    app = found if isinstance(found, Program) else Program()
    if app is not found:
        app.command(entry.name)(found)
    return typer.main.get_command(app)


class Commands(TyperGroup):
    """The group of all commands, with a help in panels."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = LazyCommands()

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is typer's
        """What there is, by what one wants to do."""
        width = max(len(entry.name) for entry in COMMANDS)
        for panel in PANELS:
            rows = [(entry.name.ljust(width), entry.help) for entry in COMMANDS if entry.panel == panel]
            if rows:
                with formatter.section(panel):
                    formatter.write_dl(rows)
        with formatter.section("Exit status"):
            formatter.write_dl([(str(code), meaning) for code, meaning in exits.MEANINGS.items()])

    def make_context(self, *args: Any, **settings: Any) -> Any:
        """Read the command line, where it may be help that is written."""
        with _writing():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is named."""
        with _writing():
            return super().invoke(ctx)


@contextmanager
def _writing() -> Iterator[None]:
    """Tell that an answer cannot be written from what else may go wrong; typer would call it a failure."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename is not None:
            raise
        raise UnwritableError(error) from error


class UnwritableError(Exception):
    """The standard output takes no more."""


app = typer.Typer(
    name="litewf",
    cls=Commands,
    help="Durable execution for Python in one SQLite file.\n\n"
    "The file is --db, else the environment's LITEWF_DB, else litewf.db here. --json gives each answer as JSON.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def run() -> int:
    """Run the command that the arguments name; the exit status."""
    _open_what_is_closed()
    try:
        status = app(prog_name="litewf", standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except typer.Abort:  # Ctrl-C
        return exits.INTERRUPTED
    except UnwritableError as error:
        return _without_reader(error.__cause__)
    except Exception as error:  # noqa: BLE001 - what is not expected is raised again
        return _told(error)
    return status if isinstance(status, int) else exits.DONE


def _open_what_is_closed() -> None:
    """Give a process whose output or error stream is closed one that takes everything, in its place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - it lasts as long as the process


def _without_reader(cause: object) -> int:
    """The status when the answer cannot be written; what is still to be written goes nowhere."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - as above
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    if isinstance(cause, BrokenPipeError):
        return exits.UNREAD
    exits.complain(f"the answer cannot be written: {getattr(cause, 'strerror', cause)}")
    return exits.AGAIN


def _told(error: Exception) -> int:
    """Say what went wrong, in one line; the exit status."""
    status = exits.status_of(error)
    if status is not None:
        exits.complain(error)
        return status
    if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
        raise error
    # typer's own, wherever its version keeps the class
    message, where = error.format_message(), getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message, err=True)
    else:
        path = "litewf" if where is None else where.command_path
        exits.complain(f"{_shortened(message)} (see {path} --help)")
    return int(error.exit_code)


def _shortened(message: str) -> str:
    """What typer says, as the rest of a line: "--limit: 1x is no number" for "Invalid value for '--limit': ..."."""
    text = message.removesuffix(".")
    if (found := WRONG_VALUE.match(text)) is None:
        return f"{text[:1].lower()}{text[1:]}"
    where = found["where"]
    return f"{where.strip(QUOTES)}: {found['what']}" if where else found["what"]


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"litewf {_version()}")
        raise typer.Exit


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 20 ms that no command should pay

    try:
        return version("litewf")
    except PackageNotFoundError:
        return "(not installed)"


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", help="Say the version and exit.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    pass
