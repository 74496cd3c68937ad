"""Errors come back as themselves, live and replayed alike; so do values, unless the program has lost their class."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import NAP, Flavor

Launch = Callable[..., litewf.Engine]


class CardError(Exception):
    """An error with a required argument and state of its own."""

    def __init__(self, code: int, *, card: str) -> None:
        super().__init__(f"card {card} refused: {code}")
        self.code = code
        self.card = card


# --- errors -------------------------------------------------------------------------------------------------------


def deep() -> Exception:
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise CardError(51, card="4711") from inner
    except CardError as error:
        error.add_note("a note")
        error.add_note("another")
        return error


def test_an_error_comes_back_as_its_own_type_with_all_that_belongs_to_it(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    seen: list[BaseException] = []

    @flavor.step(registry)
    def pay() -> None:
        raise deep()

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do(pay)
        except CardError as error:
            seen.append(error)
            yield do.sleep(NAP)
            raise

    engine = launch()
    handle = engine.start_workflow(flow)
    with pytest.raises(CardError) as info:
        handle.get_result()
    status = handle.get_status()
    assert status.status == "ERROR"
    assert status.error is not None
    assert len(seen) == 2
    for error in (*seen, info.value, status.error):
        assert type(error) is CardError
        assert str(error) == "card 4711 refused: 51"
        assert (error.code, error.card) == (51, "4711")
        assert error.__notes__ == ["a note", "another"]
        assert isinstance(error.__cause__, KeyError)
        assert error.__cause__.args == ("inner",)


def test_the_error_of_a_transaction_has_its_cause_before_any_replay_too(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    seen: list[BaseException] = []

    @registry.transaction
    def pay(_conn: litewf.Connection) -> None:
        raise deep()

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do(pay.run_async if flavor.is_async else pay)
        except CardError as error:
            seen.append(error)
        yield do.sleep(NAP)

    launch().run_workflow(flow)
    assert [type(error.__cause__) for error in seen] == [KeyError] * 2
    assert [error.__suppress_context__ for error in seen] == [True] * 2


def test_an_exception_group_comes_back_with_its_members(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.step(registry)
    def several() -> None:
        raise ExceptionGroup("several", [ValueError(1), ExceptionGroup("inner", [OSError(2, "no")])])

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do(several)
        finally:
            yield do.sleep(NAP)

    with pytest.raises(ExceptionGroup, match="several") as info:
        launch().run_workflow(flow)
    first, second = info.value.exceptions
    assert (type(first), first.args) == (ValueError, (1,))
    assert isinstance(second, ExceptionGroup)
    assert (type(second.exceptions[0]), second.exceptions[0].args) == (FileNotFoundError, (2, "no"))


def test_an_error_of_a_local_class_still_comes_back_with_its_message(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    class LocalError(Exception):
        pass

    seen = []

    @flavor.step(registry)
    def fails() -> None:
        raise LocalError("only here")

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do(fails)
        except Exception as error:
            seen.append(type(error))
            yield do.sleep(NAP)
            raise

    with pytest.raises(litewf.RemoteError, match="LocalError: only here"):
        launch().run_workflow(flow)
    assert seen == [litewf.RemoteError] * 2


def test_errors_of_children_come_back_in_the_parent_and_replay(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    seen = []

    @flavor.workflow(registry)
    def child(do: Any) -> Any:
        yield do.sleep(1)
        raise CardError(7, card="x")

    @flavor.workflow(registry)
    def parent(do: Any) -> Any:
        try:
            yield do(child)
        except CardError as error:
            seen.append(error.code)
        yield do.sleep(NAP)
        return "compensated"

    assert launch().run_workflow(parent) == "compensated"
    assert seen == [7, 7]


def test_a_child_that_returns_what_a_wait_could_say_is_no_timeout(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    """Its result and the record of a wait that timed out must not look the same."""

    @flavor.workflow(registry)
    def child(do: Any, text: Any) -> Any:
        yield do.sleep(1)
        return text

    @flavor.workflow(registry)
    def parent(do: Any) -> Any:
        found = []
        for text in ("timed out", None, {"$timed_out": True}):
            handle = yield do.start_workflow(child, text)
            found.append((yield do.on(handle, "get_result", timeout=100)))
        yield do.sleep(NAP)
        return found

    assert launch().run_workflow(parent) == ["timed out", None, {"$timed_out": True}]


# --- classes that a program lacks ---------------------------------------------------------------------------------


def test_a_class_that_is_gone_holds_the_workflow_and_is_opaque_in_listings(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = dataclasses.make_dataclass("Gone", [("x", int)])
    gone.__module__ = __name__
    monkeypatch.setattr(f"{__name__}.Gone", gone, raising=False)

    @flavor.step(registry)
    def make() -> Any:
        return gone(5)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        found = yield do(make)
        monkeypatch.delattr(f"{__name__}.Gone")
        yield do.sleep(NAP)
        return found.x

    engine = launch()
    handle = engine.start_workflow(flow)
    with pytest.raises(litewf.WorkflowHeldError, match=r"step 1 .*make.* cannot be decoded: .*Gone"):
        handle.get_result()
    (step, _) = engine.list_steps(handle.workflow_id)
    assert isinstance(step.output, litewf.Opaque)
    assert step.output.type.endswith(":Gone")


def test_outside_a_result_of_an_unknown_class_is_opaque_and_an_error_remote(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = dataclasses.make_dataclass("Gone", [("x", int)])
    gone.__module__ = __name__
    gone_error = type("GoneError", (Exception,), {"__module__": __name__})
    for cls in (gone, gone_error):
        monkeypatch.setattr(f"{__name__}.{cls.__name__}", cls, raising=False)

    @flavor.workflow(registry)
    def flow(do: Any, fails: bool) -> Any:
        yield do.sleep(0)
        if fails:
            raise gone_error("lost")
        return gone(5)

    engine = launch()
    good, bad = (engine.start_workflow(flow, fails) for fails in (False, True))
    assert good.get_result() == gone(5)
    with pytest.raises(gone_error):
        bad.get_result()
    for cls in (gone, gone_error):
        monkeypatch.delattr(f"{__name__}.{cls.__name__}")
    assert isinstance(good.get_result(), litewf.Opaque)
    assert isinstance(good.get_status().output, litewf.Opaque)
    with pytest.raises(litewf.RemoteError, match="GoneError: lost"):
        bad.get_result()
    assert isinstance(bad.get_status().error, litewf.RemoteError)


def test_an_input_of_an_unknown_class_holds_the_workflow(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = dataclasses.make_dataclass("Gone", [("x", int)])
    gone.__module__ = __name__
    monkeypatch.setattr(f"{__name__}.Gone", gone, raising=False)

    @flavor.workflow(registry)
    def flow(do: Any, given: Any) -> Any:
        monkeypatch.delattr(f"{__name__}.Gone", raising=False)
        yield do.sleep(NAP)
        return given.x

    engine = launch()
    handle = engine.start_workflow(flow, gone(5))
    with pytest.raises(litewf.WorkflowHeldError, match="its input cannot be decoded"):
        handle.get_result()
    monkeypatch.setattr(f"{__name__}.Gone", gone, raising=False)
    handle = engine.resume_workflow(handle.workflow_id)
    assert handle.get_result() == 5
