"""When a failed step is tried again, and how long it waits before."""

from collections.abc import Callable
from typing import NamedTuple

RetryOn = type[BaseException] | tuple[type[BaseException], ...] | Callable[[Exception], bool]


class RetryPolicy(NamedTuple):
    """`max_retries=3` is up to four attempts; times are microseconds."""

    max_retries: int = 0
    base_interval_us: int = 100_000
    backoff_factor: float = 2.0
    max_interval_us: int = 5_000_000
    jitter: float = 0.0
    retry_on: RetryOn = Exception

    def accepts(self, error: Exception) -> bool:
        """Whether this error may be tried again."""
        if isinstance(self.retry_on, type | tuple):
            return isinstance(error, self.retry_on)
        return bool(self.retry_on(error))

    def delay_us(self, attempt: int, random: float) -> int:
        """How long to wait after attempt number `attempt`; `random` in [0, 1) spreads it by ±jitter."""
        growth = min(self.backoff_factor ** min(attempt - 1, 90), 1e12)
        delay = min(self.base_interval_us * growth, self.max_interval_us)
        return round(delay * (1 + self.jitter * (2 * random - 1)))
