"""Log lines that say which workflow they are about: `litewf.logger`, and a filter for everybody else's loggers."""

from __future__ import annotations

import logging
from typing import Any

from litewf.engine.execution import FRAME, LOG_FIELDS, Branch, Frame, StepFrame


def is_replaying() -> bool:
    """Whether the workflow is repeating what it has recorded; for messages to people, never for decisions."""
    frame = FRAME.get()
    return isinstance(frame, Branch) and (not frame.beyond_records or frame.execution.is_rehearsal)


def fields_of(frame: Frame) -> dict[str, Any]:
    """What a record says of the place that it was logged in; all None outside workflows."""
    if frame is None:
        return dict.fromkeys(LOG_FIELDS)
    if isinstance(frame, StepFrame):
        return frame.execution.log_fields(frame.number, frame.attempt)
    return frame.execution.log_fields()


class LogContext(logging.Filter):
    """Gives each record `workflow_id`, `workflow_name`, `step_id` and `attempt`; None where there is none.

    Add it to a handler, and a format may name them, whichever logger a line comes from. With `during_replay=False` it
    also drops what a workflow logs while it repeats what it has recorded.

    >>> import logging
    >>> handler = logging.StreamHandler()
    >>> handler.addFilter(litewf.LogContext(during_replay=False))
    >>> handler.setFormatter(logging.Formatter("%(levelname)s [%(workflow_id)s %(step_id)s] %(message)s"))
    """

    def __init__(self, *, during_replay: bool = True) -> None:
        super().__init__()
        self._during_replay = during_replay

    def filter(self, record: logging.LogRecord) -> bool:
        about_another = getattr(record, "workflow_id", None) is not None  # the engine logs of workflows from outside
        fields = dict.fromkeys(LOG_FIELDS) if about_another else fields_of(FRAME.get())
        for name, value in fields.items():
            record.__dict__.setdefault(name, value)
        return self._during_replay or not is_replaying()


class WorkflowLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs with the workflow's and the step's id, and says nothing twice: it is silent while replaying."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the library's name
        return not is_replaying() and super().isEnabledFor(level)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log with the ids in front; the record has them as attributes too."""
        if not self.isEnabledFor(level):
            return
        frame = FRAME.get()
        if frame is not None:
            fields = fields_of(frame)
            label = " ".join(fields[name] for name in ("workflow_id", "step_id") if fields[name] is not None)
            msg = f"[{label.replace('%', '%%') if args else label}] {msg}"
            kwargs["extra"] = {**(kwargs.get("extra") or {}), **fields}
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # the line is the caller's
        self.logger.log(level, msg, *args, **kwargs)


logger = WorkflowLogger(logging.getLogger("litewf.workflow"), {})
