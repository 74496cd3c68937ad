"""What comes from outside of all workflows in the model: schedules and CloudEvents."""

from dataclasses import dataclass

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


@dataclass
class Schedule:
    """Every so many minutes, which divide the hour."""

    minutes: int
    on_missed: str
    next_us: int
    last_us: int | None = None
    paused: bool = False

    def following(self, now_us: int) -> int:
        period_us = self.minutes * MINUTE_US
        return (now_us // period_us + 1) * period_us

    def due(self, now_us: int) -> list[int]:
        """The ticks that run now."""
        found = list(range(self.next_us, now_us + 1, self.minutes * MINUTE_US))
        if self.on_missed == "all":
            return found
        oldest_us = now_us - MINUTE_US if self.on_missed == "skip" else 0
        return [tick for tick in found[-1:] if tick >= oldest_us]


@dataclass
class CloudEvent:
    """One that was accepted."""

    type: str
    id: str
    accepted_us: int
