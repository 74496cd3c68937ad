"""What litewf's errors advise in Python, as the command that does the same: `resume_workflow()` is `litewf resume`."""

from __future__ import annotations

import ast
import re
import shlex

COMMANDS = {
    "retrieve_workflow() gives its handle": "litewf show tells of it",
    "cancel_workflow": "litewf cancel",
    "resume_workflow": "litewf resume",
    "rewind_workflow": "litewf rewind",
    "fork_workflow": "litewf fork",
    "delete_workflow": "litewf delete",
    "list_workflows": "litewf list",
    "create_queue": "litewf queues create",
    "create_schedule": "litewf schedules create",
    "delete_schedule": "litewf schedules delete",
}
_NAMES = "|".join(re.escape(name) for name in COMMANDS)
_CALL = re.compile(rf"(?<![\w.])({_NAMES})(?:\(('[^'\\]*')?\))?(?!\w|\()")


def in_commands(text: str) -> str:
    """An error's text for people who typed a command."""
    return _CALL.sub(_command, text)


def _command(call: re.Match[str]) -> str:
    command = COMMANDS[call[1]]
    return command if call[2] is None else f"{command} {shlex.quote(ast.literal_eval(call[2]))}"
