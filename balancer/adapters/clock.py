"""The wall clock."""

import time


class WallClock:
    """Time as this machine has it."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass; a negative number passes at once."""
        time.sleep(max(0.0, seconds))
