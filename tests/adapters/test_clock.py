"""The wall clock is the machine's."""

import time

from balancer.adapters.clock import WallClock


def test_now_is_the_machines_time() -> None:
    """Seconds since the epoch, as the system counts them."""
    before = time.time()
    assert before <= WallClock().now() <= time.time()


def test_sleep_lets_time_pass_and_never_fails() -> None:
    """A short sleep passes; a negative one passes at once."""
    clock = WallClock()
    before = time.monotonic()
    clock.sleep(0.01)
    clock.sleep(-5.0)
    assert 0.01 <= time.monotonic() - before < 5.0
