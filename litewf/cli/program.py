"""What all our typer programs share: plain help that reads well, groups that list when nothing else is asked for.

`taking` lets a command have options by the group, each group being a function that makes one value of them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

F = TypeVar("F", bound=Callable[..., Any])
REQUIRED = re.compile(r"^\{(.*)\}(?:\.\.\.)?$")


class Command(TyperCommand):
    """A command whose usage names its arguments as the help does."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`ID` for what must be given, where typer writes `{ID}`."""
        return [REQUIRED.sub(r"\1", piece) for piece in super().collect_usage_pieces(ctx)]


class Group(TyperGroup):
    """A group of commands, of which `list` runs when none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` before options that are for it."""
        own = set(ctx.help_option_names)
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each command with its first sentence, whole."""
        rows = [(name, _first_sentence(self.commands[name].help or "")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Program(typer.Typer):
    """A typer program: plain text in the help, no traceback of typer's own making."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False, **settings)

    def command(self, name: str | None = None) -> Callable[[F], F]:  # type: ignore[override]  # ours need no more
        """Register a function as a command."""
        return super().command(name, cls=Command)


def group(help: str) -> Program:
    """A program of several commands, of which `list` runs when none is named."""
    return Program(help=help, cls=Group)


def taking(**groups: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace each of these parameters of a command by the options of a function, which makes its value of them."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        taken = {name: list(_parameters(of)) for name, of in groups.items()}

        @wraps(command)
        def call(*args: Any, **given: Any) -> Any:
            for name, make in groups.items():
                given[name] = make(**{one.name: given.pop(one.name) for one in taken[name]})
            return command(*args, **given)

        own = _parameters(command)
        parameters = [one for mine in own for one in taken.get(mine.name, [mine])]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer asks first
        call.__annotations__ = {one.name: one.annotation for one in parameters}
        return call

    return decorate


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())


def _first_sentence(text: str) -> str:
    line = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=\.) ", line)[0]
