"""Spans: one trace from the start through queue, run, steps, children and messages; nothing for what is replayed."""

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import SpanKind, StatusCode

import litewf
from litewf.telemetry import instrument, uninstrument


def is_child(span, parent):
    same = span.context.trace_id == parent.context.trace_id
    return same and span.parent is not None and span.parent.span_id == parent.context.span_id


def test_a_start_a_run_and_its_steps_are_one_trace_under_the_span_of_the_caller(launch, registry, scope):
    @registry.step(name="charge")
    def charge(cents):
        with scope.tracer.start_as_current_span("inside the body"):
            return cents

    @registry.workflow(name="checkout")
    def checkout(cents):
        return charge(cents)

    engine = launch()
    with scope.tracer.start_as_current_span("request"):
        handle = engine.start_workflow(checkout.with_options(workflow_id="w"), 5)
    assert handle.get_result() == 5
    engine.shutdown()
    start, run, step = scope.span("start checkout"), scope.span("workflow checkout"), scope.span("step charge")
    assert is_child(start, scope.span("request"))
    assert is_child(run, start)
    assert is_child(step, run)
    assert is_child(scope.span("inside the body"), step)
    assert (start.kind, run.kind, step.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.INTERNAL)
    assert run.attributes["litewf.workflow.id"] == start.attributes["litewf.workflow.id"] == "w"
    assert run.attributes["litewf.workflow.run.end"] == "returned"
    assert (step.attributes["litewf.step.id"], step.attributes["litewf.step.attempt"]) == ("1", 1)


def test_async_steps_in_branches_have_the_run_as_their_parent_and_their_own_as_current(launch, registry, scope):
    @registry.step(name="fetch")
    async def fetch(n):
        with scope.tracer.start_as_current_span(f"inside {n}"):
            await asyncio.sleep(0)
        return n

    @registry.step(name="sync")
    def sync():
        with scope.tracer.start_as_current_span("in a thread"):
            return 1

    @registry.workflow(name="flow")
    async def flow():
        await litewf.run_step_async(sync)
        return sum(await asyncio.gather(*(fetch(n) for n in range(3))))

    engine = launch()
    assert engine.run_workflow(flow) == 3
    engine.shutdown()
    run, steps = scope.span("workflow flow"), scope.spans("step fetch")
    assert len(steps) == 3
    assert all(is_child(step, run) for step in steps)
    parents = {scope.span(f"inside {n}").parent.span_id for n in range(3)}
    assert parents == {step.context.span_id for step in steps}
    assert is_child(scope.span("in a thread"), scope.span("step sync"))


def test_each_attempt_has_a_span_and_only_failures_are_errors(launch, registry, scope):
    @registry.step(name="flaky", max_retries=2, base_interval=0)
    def flaky():
        if litewf.attempt() < 3:
            raise OSError("no answer")
        return "done"

    @registry.workflow(name="flow")
    def flow():
        flaky()
        raise ValueError("refused")

    engine = launch()
    with pytest.raises(ValueError, match="refused"):
        engine.run_workflow(flow)
    engine.shutdown()
    attempts = scope.spans("step flaky")
    assert [span.attributes["litewf.step.attempt"] for span in attempts] == [1, 2, 3]
    assert [span.status.status_code for span in attempts] == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]
    assert attempts[0].events[0].attributes["exception.message"] == "no answer"
    run = scope.spans("workflow flow")[-1]
    assert (run.status.status_code, run.status.description) == (StatusCode.ERROR, "ValueError: refused")


def test_what_is_replayed_has_no_span_and_a_wake_up_is_a_run_of_the_same_trace(launch, stage, registry, scope):
    @registry.step(name="once")
    def once():
        return 1

    @registry.transaction(name="save")
    def save(conn):
        conn.execute("CREATE TABLE mine (n)")

    @registry.workflow(name="child")
    def child():
        return once()

    @registry.workflow(name="flow")
    def flow():
        once()
        save()
        handle = litewf.start_workflow(child)
        litewf.send(litewf.workflow_id(), "note")
        litewf.sleep(60)
        return handle.get_result() + once()

    engine = launch()
    handle = engine.start_workflow(flow)
    stage.asleep(handle)
    stage.clock.move(60)
    assert handle.get_result() == 2
    engine.shutdown()
    runs = scope.spans("workflow flow")
    assert len(runs) >= 2
    start = scope.span("start flow")
    assert all(is_child(run, start) for run in runs)
    assert [run.attributes["litewf.workflow.run.end"] for run in runs] == ["parked"] * (len(runs) - 1) + ["returned"]
    assert {run.status.status_code for run in runs} == {StatusCode.UNSET}
    assert len(scope.spans("step once")) == 3
    assert is_child(scope.span("step save"), runs[0])
    assert is_child(scope.span("workflow child"), runs[0]), "started in a workflow: under the run that started it"
    assert len(scope.spans("start")) == 1


def test_what_code_raises_while_it_leaves_memory_is_no_failure_of_the_run(launch, stage, registry, scope):
    @registry.workflow(name="flow")
    def flow():
        try:
            litewf.sleep(60)
        finally:
            if not litewf.is_replaying() and len(scope.spans("workflow")) == 0:
                raise ValueError("a clean-up that fails")

    engine = launch()
    handle = engine.start_workflow(flow)
    stage.asleep(handle)
    stage.clock.move(60)
    handle.get_result()
    engine.shutdown()
    first = scope.spans("workflow flow")[0]
    assert (first.attributes["litewf.workflow.run.end"], first.status.status_code) == ("parked", StatusCode.UNSET)


def test_a_wait_in_a_queue_is_a_span_beside_the_run(launch, stage, registry, scope):
    litewf.Queue("slow", registry=registry)

    @registry.workflow(name="flow")
    def flow():
        pass

    engine = launch()
    handle = engine.enqueue("slow", flow.with_options(delay=60))
    stage.clock.move(60)
    handle.get_result()
    engine.shutdown()
    start, wait, run = scope.span("start flow"), scope.span("queue slow"), scope.span("workflow flow")
    assert is_child(wait, start)
    assert is_child(run, start)
    assert start.attributes["litewf.queue.name"] == wait.attributes["litewf.queue.name"] == "slow"
    assert wait.start_time == wait.end_time, "a delay is no wait"


def test_a_message_links_to_the_span_in_which_it_was_sent(launch, registry, scope):
    @registry.workflow(name="flow")
    def flow():
        return litewf.recv("payment", timeout=20), litewf.recv(timeout=20)

    engine = launch()
    handle = engine.start_workflow(flow)
    with scope.tracer.start_as_current_span("webhook") as webhook:
        engine.send(handle.workflow_id, "ok", topic="payment")
    engine.send(handle.workflow_id, "from nowhere")
    assert handle.get_result() == ("ok", "from nowhere")
    engine.shutdown()
    payment, plain = scope.span("receive payment"), scope.span("receive")
    assert [link.context.span_id for link in payment.links] == [webhook.get_span_context().span_id]
    assert plain.links == ()
    run_ids = {run.context.span_id for run in scope.spans("workflow flow")}
    assert {payment.parent.span_id, plain.parent.span_id} <= run_ids


def test_a_cloud_event_links_to_the_trace_that_its_sender_gave_it(launch, registry, scope):
    @registry.workflow(name="flow")
    def flow():
        return litewf.wait_event("paid", timeout=20).data

    engine = launch()
    handle = engine.start_workflow(flow)
    given = {"traceparent": f"00-{7:032x}-{9:016x}-01", "tracestate": "shop=1"}
    engine.publish_events([litewf.CloudEvent("paid", "shop", 5, extensions=given)])
    assert handle.get_result() == 5
    engine.shutdown()
    ((link,),) = [span.links for span in scope.spans("receive paid")]
    assert (link.context.trace_id, link.context.span_id) == (7, 9)
    assert link.context.trace_state.get("shop") == "1"


def test_a_sampler_that_fails_costs_the_span_and_not_the_workflow(path, registry, caplog):
    class Broken(Sampler):
        def should_sample(self, *args, **kwargs):
            raise RuntimeError("no quota")

        def get_description(self):
            return "broken"

    @registry.step
    def step():
        return 1

    @registry.workflow
    def flow():
        return step()

    tracers = TracerProvider(sampler=Broken(), shutdown_on_exit=False)
    with instrument(litewf.Engine(path, registry=registry), tracer_provider=tracers) as engine:
        assert engine.run_workflow(flow) == 1
    assert "could not begin the span 'step " in caplog.text


def test_a_fork_is_under_whoever_forked_and_later_generations_stay_in_their_trace(launch, registry, scope):
    @registry.workflow(name="flow")
    def flow(n):
        if n < 2:
            litewf.continue_as_new(n + 1)
        return n

    engine = launch()
    assert engine.start_workflow(flow.with_options(workflow_id="w"), 1).get_result() == 2
    with scope.tracer.start_as_current_span("operator"):
        assert engine.fork_workflow("w", workflow_id="copy").get_result() == 2
    engine.rewind_workflow("w")
    engine.retrieve_workflow("w").get_result()
    engine.shutdown()
    start, forked = scope.span("start flow"), scope.span("start fork of w")
    assert is_child(forked, scope.span("operator"))
    runs = scope.spans("workflow flow")
    of_w = [run for run in runs if run.attributes["litewf.workflow.id"] == "w"]
    assert [run.attributes["litewf.workflow.generation"] for run in of_w] == [1, 2, 3]
    assert of_w[0].attributes["litewf.workflow.run.end"] == "continued"
    assert all(is_child(run, start) for run in of_w)
    (copy,) = [run for run in runs if run.attributes["litewf.workflow.id"] == "copy"]
    assert is_child(copy, forked)


def test_a_client_carries_its_trace_and_what_nobody_traced_runs_in_a_trace_of_its_own(launch, path, registry, scope):
    @registry.workflow(name="flow")
    def flow():
        pass

    engine = launch()
    with scope.instrument(litewf.Client(path, registry=registry)) as client:
        client.start_workflow(flow).get_result()
    with litewf.Client(path, registry=registry) as plain:
        plain.start_workflow(flow).get_result()
    engine.shutdown()
    first, second = scope.spans("workflow flow")
    assert is_child(first, scope.span("start flow"))
    assert second.parent is None


def test_a_schedule_starts_a_trace(launch, registry, scope):
    @registry.workflow(name="tick")
    def tick(scheduled_at, actual_at):
        pass

    engine = launch()
    engine.create_schedule("daily", tick, "0 9 * * *")
    engine.trigger_schedule("daily").get_result()
    engine.shutdown()
    assert scope.span("start tick").parent is None
    assert is_child(scope.span("workflow tick"), scope.span("start tick"))


def test_an_engine_that_is_not_instrumented_any_more_says_nothing(launch, registry, scope):
    @registry.step
    def step():
        return 1

    @registry.workflow(name="flow")
    def flow():
        return step()

    engine = launch()
    uninstrument(engine)
    assert engine.run_workflow(flow) == 1
    assert scope.spans() == []
    scope.instrument(engine)
    assert engine.run_workflow(flow) == 1
    engine.shutdown()
    assert len(scope.spans()) == 3


def test_without_providers_everything_runs_and_no_context_is_kept(path, registry):
    @registry.step
    def step():
        return 1

    @registry.workflow
    def flow():
        return step()

    with instrument(litewf.Engine(path, registry=registry)) as engine:
        assert engine.run_workflow(flow) == 1
        assert engine.query("SELECT trace FROM request") == [(None,)]
