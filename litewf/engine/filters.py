"""Which workflows a caller wants to see: a filter, checked, as the conditions of a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from litewf.durations import moment_us
from litewf.engine.attributes import encode_attributes
from litewf.records import STATUSES, WorkflowFilter
from litewf.serialization.kinds import is_unicode
from litewf.store.reading import Page, Where

TIMES = {
    "start_time": "w.created_us >=",
    "end_time": "w.created_us <",
    "completed_after": "w.completed_us >=",
    "completed_before": "w.completed_us <",
}
TEXTS = {
    "user": "r.authenticated_user =",
    "application_version": "w.application_version =",
    "executor_id": "e.label =",
    "deduplication_id": "t.deduplication_id =",
    "parent_id": "parent.id =",
    "forked_from": "r.forked_from =",
}


def conditions(chosen: WorkflowFilter) -> Where:
    """A filter as SQL conditions, all of which must hold."""
    where = Where()
    if isinstance(chosen.workflow_ids, str):
        raise TypeError("workflow_ids is a list of ids; for one, write [id]")
    where.among("w.id", _several("workflow_ids", chosen.workflow_ids))
    prefix = chosen.workflow_id_prefix
    if prefix is not None and _text("workflow_id_prefix", prefix):
        where.add("w.id >= ? AND w.id < ?", prefix, prefix + "\U0010ffff")
    where.among("w.status", _statuses(chosen.status))
    where.among("w.name", _several("name", chosen.name))
    if chosen.held is not None:
        where.add("w.phase = 'held'" if _flag("held", chosen.held) else "w.phase IS NOT 'held'")
    where.among("t.queue", _several("queue_name", chosen.queue_name))
    if _flag("queues_only", chosen.queues_only):
        where.add("t.queue IS NOT NULL")
    for field, condition in TIMES.items():
        moment = getattr(chosen, field)
        where.compare(condition, None if moment is None else moment_us(moment, field))
    for field, condition in TEXTS.items():
        text = getattr(chosen, field)
        where.compare(condition, None if text is None else _text(field, text))
    for name, value in _attributes(chosen.attributes).items():
        where.add("json_extract(r.attributes, '$.' || json_quote(?)) IS ?", name, value)
    return where


def page_of(chosen: WorkflowFilter) -> Page:
    """The part of the listing that is wanted, checked."""
    for field, value in (("limit", chosen.limit), ("offset", chosen.offset)):
        if value is None and field == "limit":
            continue
        if type(value) is not int or value < 0:
            raise ValueError(f"{field} must be a whole number, 0 or more, not {value!r}")
    flags = [_flag(field, getattr(chosen, field)) for field in ("sort_desc", "load_input", "load_output")]
    return Page(chosen.limit, chosen.offset, *flags)


def _statuses(status: str | Sequence[str] | None) -> Sequence[str] | None:
    several = _several("status", status)
    for one in several or ():
        if one not in STATUSES:
            raise ValueError(f"there is no status {one!r}; it is one of {', '.join(STATUSES)}")
    return several


def _several(field: str, value: str | Sequence[str] | None) -> Sequence[str] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return [_text(field, value)]
    try:
        return [_text(field, one) for one in value]
    except TypeError as error:
        raise TypeError(f"{field} is a text or a list of texts, not {value!r}") from error


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{field} is text, not {type(value).__name__}")
    if not is_unicode(value):
        raise ValueError(f"{field} holds a lone surrogate, which is no text: {value[:80]!r}")
    return value


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{field} is True or False, not {value!r}")
    return value


def _attributes(attributes: Mapping[str, object] | None) -> Mapping[str, object]:
    if attributes is None:
        return {}
    encode_attributes(attributes)  # refuses what no workflow can have
    return attributes
