"""Things to do at a time: one heap, fired by the dispatcher."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable

Alarm = list[object]  # [due_us, order, action]; action None: silenced


class Alarms:
    """Actions by the time at which they are due, in microseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heap: list[Alarm] = []
        self._order = 0
        self._silenced = 0

    def at(self, due_us: int, action: Callable[[], object]) -> Alarm:
        """Run `action` at `due_us`, in the dispatcher's thread; it must be quick."""
        with self._lock:
            self._order += 1
            alarm: Alarm = [due_us, self._order, action]
            heapq.heappush(self._heap, alarm)
            return alarm

    def silence(self, alarm: Alarm | None) -> None:
        """Forget an alarm; harmless when it has rung."""
        if alarm is None or alarm[2] is None:
            return
        with self._lock:
            alarm[2] = None
            self._silenced += 1
            if self._silenced > 64 and self._silenced * 2 > len(self._heap):
                self._heap = [kept for kept in self._heap if kept[2] is not None]
                heapq.heapify(self._heap)
                self._silenced = 0

    def fire(self, now_us: int) -> None:
        """Run what is due."""
        due = []
        with self._lock:
            while self._heap and self._heap[0][0] <= now_us:  # type: ignore[operator]  # an int
                alarm = heapq.heappop(self._heap)
                if alarm[2] is None:
                    self._silenced -= 1
                else:
                    due.append(alarm[2])
                    alarm[2] = None
        for action in due:
            action()  # type: ignore[operator]  # a callable

    def next_us(self) -> int | None:
        with self._lock:
            while self._heap and self._heap[0][2] is None:
                heapq.heappop(self._heap)
                self._silenced -= 1
            return self._heap[0][0] if self._heap else None  # type: ignore[return-value]  # an int
