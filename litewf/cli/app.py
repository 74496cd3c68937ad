"""The `litewf` program: its options and its commands, one line each."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from litewf.cli.commands.bench import bench
from litewf.cli.commands.demo import demo
from litewf.cli.commands.run_due import run_due
from litewf.cli.commands.serve import serve

app = typer.Typer(
    name="litewf",
    help="Durable execution for Python in one SQLite file.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(bench)
app.command()(serve)
app.command()(run_due)


def run() -> int:
    """Run the command that the arguments name; the exit status."""
    try:
        app(prog_name="litewf")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"litewf {_version()}")
        raise typer.Exit


def _version() -> str:
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
