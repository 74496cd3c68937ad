"""A stage for schedules: time passes by hand, and each time everything that is due then happens before it passes on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import litewf
from tests.stage import PATIENCE_S, Stage

MINUTE, HOUR, DAY = 60, 3600, 86_400


def at(text: str) -> datetime:
    """'2030-01-01 12:05' in UTC; the stage begins at noon of that day."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Scene(Stage):
    """A stage with a diary of the ticks that ran."""

    def __init__(self, path: Any, registry: litewf.Registry) -> None:
        super().__init__(path, registry)
        self.notes: list[tuple[datetime, datetime]] = []

    def note(self, scheduled_at: datetime, actual_at: datetime) -> None:
        self.notes.append((scheduled_at, actual_at))

    @property
    def ticks(self) -> list[str]:
        """The intended times of the ticks that ran: '12:05', with the day if it is another than the first."""
        return [
            f"{tick:%H:%M}" if tick.date() == at("2030-01-01").date() else f"{tick:%d %H:%M}" for tick, _ in self.notes
        ]

    def rest(self, engine: litewf.Engine) -> None:
        """Let everything happen that is due."""
        engine.wait_until_idle(PATIENCE_S)

    def pass_time(self, engine: litewf.Engine, seconds: float, step: float = 60) -> None:
        """Let time pass in steps, as it does."""
        end = self.clock.now + timedelta(seconds=seconds)
        while self.clock.now < end:
            self.clock.move(min(step, (end - self.clock.now).total_seconds()))
            self.rest(engine)

    def jump(self, engine: litewf.Engine, seconds: float) -> None:
        """Let the clock step, or the machine sleep."""
        self.clock.move(seconds)
        self.rest(engine)
