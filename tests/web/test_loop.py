"""Nothing blocks the event loop: not a thousand waiting workflows, not the requests that wake and list them."""

import asyncio
import json
import threading

import litewf
from litewf.store.store import Store
from litewf.web import asgi_app, bodies, incoming
from tests.web.visits import STRUCTURED, Site, Visitor, whole

MANY = 1_000
LONGEST_LAG_S = 1.0  # it is some 50 ms; a busy machine may stall a whole process for longer


class Heart:
    """Beats once in each cycle of the loop, and remembers its longest pause."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.beats = 0

    async def beat(self) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(0)
            now = loop.time()
            self.longest_s = max(self.longest_s, now - last)
            self.beats += 1
            last = now


LARGE = json.dumps(whole(type="other", data={str(at): at for at in range(20_000)})).encode()
SMALL = json.dumps(whole(type="go", id="2", data=1)).encode()


async def publish(site, body):
    return await site.ask("POST", "/events", content=body, headers={"content-type": STRUCTURED})


def test_the_loop_goes_on_while_a_thousand_workflows_wait_and_wake(path, registry, monkeypatch):
    workers, read, json_of = set(), Store.read, bodies.json_of

    def read_noted(store, query):
        workers.add(threading.current_thread())
        return read(store, query)

    def json_noted(body):
        if len(body) > 100_000:
            workers.add(threading.current_thread())
        return json_of(body)

    monkeypatch.setattr(Store, "read", read_noted)
    monkeypatch.setattr(incoming, "json_of", json_noted)

    @registry.workflow(name="waiter")
    async def waiter(at: int) -> int:
        event = await litewf.wait_event_async("go", timeout=3600)
        await litewf.write_stream_async("log", at)
        return event.data + at

    async def main():
        heart = Heart()
        async with litewf.Engine(path, registry=registry, durability="normal", linger=0) as engine:
            site = Site(asgi_app(engine))
            handles = await engine.start_workflows_async([(waiter, at) for at in range(MANY)])
            while not all(one.waiting_on for one in await engine.list_workflows_async()):
                pass  # each look lets the workflows go on
            beating = asyncio.create_task(heart.beat())
            reader = Visitor(site.app, "GET", f"/workflows/{handles[0].workflow_id}/streams/log")
            assert await reader.status() == 200
            listed = await site.ask("GET", f"/workflows?status=PENDING&limit={MANY}")
            assert listed.content.count(b'"workflow_id":') == MANY
            assert (await publish(site, LARGE)).status_code == 202
            beating.cancel()
            assert (await publish(site, SMALL)).status_code == 202
            assert await asyncio.gather(*(handle.get_result_async() for handle in handles)) == [*range(1, MANY + 1)]
            assert "event: end" in await reader.rest()
            await reader.over()
        return heart

    heart = asyncio.run(main())
    assert workers
    assert threading.main_thread() not in workers, "the file, or a large body, was read on the loop"
    assert heart.beats > 20
    assert heart.longest_s < LONGEST_LAG_S
