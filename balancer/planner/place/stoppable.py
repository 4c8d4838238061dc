"""A solver that is stopped once nobody waits for it any longer, with what it has found by then.

A solver works for minutes without returning to Python, where Ctrl-C and the service's request to
stop are heard. So it works in a thread of its own, and the caller asks meanwhile.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, Protocol, TypeVar

Model_contra = TypeVar("Model_contra", contravariant=True)
Status_co = TypeVar("Status_co", covariant=True)

POLL: Final = 0.1
"""Seconds between two questions. Whoever keeps saying yes gets the same answer at any interval."""


class Stoppable(Protocol[Model_contra, Status_co]):
    """CP-SAT's solver, or one for linear programs."""

    def solve(self, model: Model_contra) -> Status_co:
        """Work until done or stopped."""
        ...

    def stop_search(self) -> None:
        """End `solve`, which another thread is in, with the best so far; nothing if none is."""
        ...


def run(
    solver: Stoppable[Model_contra, Status_co], model: Model_contra, keep_going: Callable[[], bool]
) -> Status_co:
    """Return what `solver.solve(model)` does, stopped once `keep_going` says no."""
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(solver.solve, model)
        while not wait([working], POLL).done:
            if not keep_going():
                solver.stop_search()
        return working.result()
