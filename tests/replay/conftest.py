"""What the tests of replays share."""

from tests.crash.conftest import silent_logs

__all__ = ["silent_logs"]
