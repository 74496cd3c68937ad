"""A serializer of the user's that raises what it likes: each workflow has an outcome or is held, and others go on."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import litewf

from .support import NAP, Flavor, until

Launch = Callable[..., litewf.Engine]


class WrongKeyError(Exception):
    """The text was encrypted with another key."""


class Vault(litewf.JsonSerializer):
    """Encrypts, in the way of a service that may be out of reach: it does not know "secret"."""

    def __init__(self, key: str = "k") -> None:
        super().__init__()
        self.key = key
        self.refusals = 0
        self.errors_to_refuse = 0

    def encode(self, value: Any) -> tuple[str, object]:
        text, copy = super().encode(value)
        if "secret" in text:
            self.refusals += 1
            raise OSError("the key service is out of reach")
        return self.key + text, copy

    def decode(self, text: str) -> object:
        if not text.startswith(self.key):
            raise WrongKeyError("the key does not fit")
        return super().decode(text.removeprefix(self.key))

    decode_lenient = decode

    def encode_error(self, error: BaseException) -> tuple[str, BaseException]:
        if self.errors_to_refuse:
            self.errors_to_refuse -= 1
            raise OSError("the key service is out of reach")
        plain = litewf.JsonSerializer()
        text, copy = plain.encode_error(error)
        return text, copy

    def decode_error(self, text: str) -> BaseException:
        return litewf.JsonSerializer().decode_error(text)

    decode_error_lenient = decode_error


def test_a_workflow_whose_result_it_cannot_encode_fails_with_what_it_raised(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.sleep(0)
        return "secret"

    handle = launch(serializer=Vault()).start_workflow(flow.with_options(workflow_id="w"))
    with pytest.raises(OSError, match="out of reach") as info:
        handle.get_result(timeout=10)
    assert info.value.__notes__ == ["it is the result of workflow 'w' (flow)"]
    assert handle.get_status().status == "ERROR"


@pytest.mark.parametrize("as_what", ["step", "retried step", "function", "transaction"])
def test_a_body_whose_result_it_cannot_encode_fails_once_and_says_which_it_is(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, as_what: str
) -> None:
    bodies: list[int] = []
    seen: list[BaseException] = []

    def tell(*_: Any) -> str:
        bodies.append(1)
        return "secret"

    step, retried = flavor.step(registry, name="s")(tell), flavor.step(registry, name="s2", max_retries=3)(tell)
    transaction, function = registry.transaction("s3")(tell), registry.step(name="s4")(tell)
    calls: dict[str, Callable[[Any], Any]] = {
        "step": lambda do: do(step),
        "retried step": lambda do: do(retried),
        "function": lambda do: do.run_step(function),
        "transaction": lambda do: do(transaction.run_async if flavor.is_async else transaction),
    }

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield calls[as_what](do)
        except OSError as error:
            seen.append(error)
        yield do.sleep(NAP)

    launch(serializer=Vault()).run_workflow(flow.with_options(workflow_id="w"))
    assert bodies == [1]
    assert len(seen) == 2
    for error in seen:
        (note,) = error.__notes__
        assert note.startswith("it is the result of step 1 (s")
        assert note.endswith("of workflow 'w' (flow)")


def test_the_result_of_a_step_that_json_cannot_hold_says_which_step_it_is(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.step(registry, name="make")
    def make() -> object:
        return [object()]

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do(make)

    with pytest.raises(litewf.SerializationError, match=r"value\[0\]: object") as info:
        launch().run_workflow(flow.with_options(workflow_id="w"))
    assert info.value.__notes__ == ["it is the result of step 1 (make) of workflow 'w' (flow)"]


def test_an_argument_that_cannot_be_recorded_says_which_it_is_and_of_which_workflow(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def flow(do: Any, *_: Any, **__: Any) -> Any:
        yield do.sleep(0)

    engine = launch()
    with pytest.raises(litewf.SerializationError, match=r'value\["args"\]\[1\]') as info:
        engine.start_workflow(flow.with_options(workflow_id="w"), 1, object())
    assert info.value.__notes__ == ["it is an argument of workflow 'w' (flow)"]
    with pytest.raises(litewf.SerializationError, match=r'value\["kwargs"\]\["cart"\]') as info:
        engine.run_workflow(flow, cart=object())
    assert info.value.__notes__ == ["it is an argument of workflow (flow)"]


def test_a_workflow_whose_error_it_cannot_encode_either_runs_again_until_that_works(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.sleep(0)
        raise KeyError("gone")

    serializer = Vault()
    serializer.errors_to_refuse = 2
    with pytest.raises(KeyError, match="gone"):
        launch(serializer=serializer).run_workflow(flow.with_options(workflow_id="w"))
    told = [record.getMessage() for record in caplog.records if "could not be recorded" in record.getMessage()]
    assert told == ["the outcome of workflow 'w' (flow) could not be recorded; it runs again"] * 2


class LeavingError(Exception):
    """One that cannot be asked what happened."""

    def __str__(self) -> str:
        raise SystemExit

    __repr__ = __str__


def test_an_error_whose_text_ends_the_program_is_an_outcome(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.step(registry, max_retries=1, base_interval=0.001)
    def fails() -> None:
        raise LeavingError

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do(fails)
        except litewf.StepRetriesExceededError:
            raise LeavingError from None

    handle = launch().start_workflow(flow)
    with pytest.raises(LeavingError):
        handle.get_result(timeout=10)
    assert handle.get_status().status == "ERROR"


def test_an_input_that_it_cannot_decode_holds_its_workflow_and_names_the_error(
    path: Path, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    @flavor.workflow(registry)
    def flow(do: Any, given: int) -> Any:
        yield do.sleep(0)
        return given

    with litewf.Client(_with_file(path), registry=registry, serializer=Vault("other")) as client:
        client.start_workflow(flow.with_options(workflow_id="w"), 1)
        client.start_workflow(flow.with_options(workflow_id="x"), 2)
    with litewf.Engine(path, registry=registry, serializer=Vault()) as engine:
        for workflow_id in ("w", "x"):
            with pytest.raises(litewf.WorkflowHeldError, match="its input cannot be decoded: .*WrongKeyError: the key"):
                engine.retrieve_workflow(workflow_id).get_result(timeout=10)
        assert engine.run_workflow(flow, 3) == 3
    assert [record for record in caplog.records if record.levelno > logging.WARNING] == []


def test_a_record_that_it_cannot_decode_holds_its_workflow_and_names_the_error(
    path: Path, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.step(registry, name="s")
    def step() -> int:
        return 1

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do(step)
        except Exception:
            return "caught"
        yield do.sleep(NAP)
        return "never"

    with litewf.Engine(path, registry=registry, serializer=Vault()) as engine:
        engine.start_workflow(flow.with_options(workflow_id="w"))
        until(lambda: engine.list_steps("w"))
    held = pytest.raises(litewf.WorkflowHeldError, match=r"step 1 \(s\) cannot be decoded: .*WrongKeyError: no")
    with litewf.Engine(path, registry=registry, serializer=OnlyInputs()) as engine, held:
        engine.retrieve_workflow("w").get_result(timeout=10)


class OnlyInputs(Vault):
    """It can read inputs only."""

    def decode(self, text: str) -> object:
        if "args" not in text:
            raise WrongKeyError("no record")
        return super().decode(text)


def _with_file(path: Path) -> Path:
    with litewf.Engine(path, registry=litewf.Registry()):
        return path


@pytest.mark.parametrize("wrong", [3, 0, litewf.JsonSerializer, object()], ids=["3", "0", "class", "object"])
def test_what_is_no_serializer_or_registry_is_refused_at_once(path: Path, wrong: Any) -> None:
    with pytest.raises(TypeError, match="serializer"):
        litewf.Engine(path, serializer=wrong)
    with pytest.raises(TypeError, match="registry"):
        litewf.Engine(path, registry=wrong)
    with pytest.raises(TypeError, match="serializer"):
        litewf.Client(path, serializer=wrong)
    with pytest.raises(TypeError, match="registry"):
        litewf.Client(path, registry=wrong)
