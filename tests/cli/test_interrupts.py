"""Ctrl-C, once and twice, while guests are on their way."""

import os
import signal
from dataclasses import dataclass, field

import pytest

from balancer import service
from balancer.cli.interrupts import Interrupts, abortable
from balancer.planner.model.plan import Outcome, Result
from balancer.simulator.clock import VirtualClock
from tests.worlds import EAGER, plan_of, ports_of, world_of

CLUSTER = """
a 16c/64g : web-1 2v/8g cpu=1 used=4 | web-2 2v/8g cpu=1 used=4
b 16c/64g :
"""


@dataclass
class Operator:
    """Presses Ctrl-C at moments of virtual time, counted from the start."""

    presses: list[float]
    since: float = 0.0
    heard: list[str] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        """Let time pass."""
        self.since += seconds
        while self.presses and self.presses[0] <= self.since:
            self.presses.pop(0)
            os.kill(os.getpid(), signal.SIGINT)


def carried_out(operator: Operator) -> tuple[Outcome, ...]:
    """Two moves, the second of which waits for the first."""
    world = world_of(CLUSTER)
    with Interrupts(operator.heard.append) as interrupts:
        assert not interrupts.abort_requested()
        ports = ports_of(
            world,
            clock=VirtualClock(world, operator),
            stop_requested=interrupts.stop_requested,
        )
        plan = plan_of(world, "web-1 a b", "web-2 a b after 1")
        return service.execute(abortable(ports, interrupts), EAGER, plan)


def test_nobody_presses() -> None:
    """Undisturbed, both moves are done and nothing is said."""
    operator = Operator([])
    assert [o.result for o in carried_out(operator)] == [Result.DONE, Result.DONE]
    assert operator.heard == []


def test_the_first_press_finishes_what_is_in_flight() -> None:
    """The first move arrives, the second never starts, and the operator is told how to abort."""
    operator = Operator([5.0])
    assert [o.result for o in carried_out(operator)] == [Result.DONE, Result.REFUSED]
    assert operator.heard == ["what is in flight is finished; Ctrl-C once more aborts it"]


def test_the_second_press_aborts() -> None:
    """The guest in flight stays on its source, by the operator's word."""
    operator = Operator([5.0, 8.0])
    first, second = carried_out(operator)
    assert first.result is Result.ABORTED
    assert "the operator stopped it" in first.reason
    assert second.result is Result.REFUSED
    assert operator.heard[-1] == "aborting what is in flight; its guests stay where they were"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_given_back(number: signal.Signals) -> None:
    """Afterwards the signals do what they did before."""
    before = signal.getsignal(number)
    with Interrupts(print):
        assert signal.getsignal(number) != before
    assert signal.getsignal(number) == before


def test_a_world_without_executor_stays_as_it_is() -> None:
    """There is nothing to abort where nothing can be done."""
    ports = ports_of(world_of(CLUSTER), executor=None)
    assert abortable(ports, Interrupts(print)) is ports
