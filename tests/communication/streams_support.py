"""Workflows that write and read streams as told, and a reader in a thread of its own."""

import threading

import litewf


class Collector:
    """Reads a stream in a thread of its own until the end."""

    def __init__(self, values):
        self.read = []
        self.error = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(values,), daemon=True)
        self._thread.start()

    def _run(self, values):
        try:
            for value in values:
                with self._changed:
                    self.read.append(value)
                    self._changed.notify_all()
        except litewf.LitewfError as error:
            self.error = error

    def has(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.read) >= count, 20), self.read
        return self.read[:count]

    def ended(self):
        self._thread.join(20)
        assert not self._thread.is_alive(), "the reader did not end"
        return self.read


def define_relay(registry):
    """Writes each message that it receives; "close" closes, "end" ends, "fail" fails."""

    @registry.workflow(name="relay")
    def relay():
        while (message := litewf.recv()) != "end":
            if message == "close":
                litewf.close_stream("k")
            elif message == "fail":
                raise ValueError("told to")
            else:
                litewf.write_stream("k", message)

    return relay


def define_reader(registry):
    """Reads "k" of "w" with offsets."""

    @registry.workflow(name="reader")
    def reader(offset=0, timeout=None):
        return [(one.offset, one.value) for one in litewf.read_stream_items("w", "k", offset=offset, timeout=timeout)]

    return reader


def define_async_reader(registry):
    """As define_reader, async."""

    @registry.workflow(name="async reader")
    async def reader(offset=0, timeout=None):  # noqa: ASYNC109 - a workflow's own argument
        items = litewf.read_stream_items_async("w", "k", offset=offset, timeout=timeout)
        return [(one.offset, one.value) async for one in items]

    return reader
