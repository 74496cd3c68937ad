"""The stage of these tests."""

from tests.crash.conftest import silent_logs
from tests.waiting.conftest import stage

__all__ = ["silent_logs", "stage"]
