"""A solver ends when nobody waits for it any longer, and what it found by then is kept."""

from threading import Event

import pytest

from balancer.planner.formulation import formulate
from balancer.planner.model.request import Effort
from balancer.planner.objectives.even import Even
from balancer.planner.place import stoppable
from balancer.planner.place.exact import STEPS_PER_UNIT, WORK, exact
from balancer.planner.place.stoppable import run
from tests.drawing import problem


class Patient:
    """Works until it is stopped."""

    def __init__(self) -> None:
        self.stopped = Event()

    def solve(self, model: str) -> str:
        """Wait; say what of."""
        self.stopped.wait()
        return f"the best so far of {model}"

    def stop_search(self) -> None:
        """End it."""
        self.stopped.set()


def test_it_is_asked_again_and_again_and_stopped_at_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work goes on at yes; at no it ends with what was found by then."""
    monkeypatch.setattr(stoppable, "POLL", 0.001)
    answers = iter([True, True, False])
    assert run(Patient(), "a model", lambda: next(answers, False)) == "the best so far of a model"
    assert not list(answers)


def test_what_goes_wrong_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the solver reaches whoever waits for it."""

    def fails(model: str) -> str:
        raise ValueError(model)

    solver = Patient()
    monkeypatch.setattr(solver, "solve", fails)
    with pytest.raises(ValueError, match="a model"):
        run(solver, "a model", lambda: True)


def test_the_complete_model_is_left_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes of proving end at once with what is known, which is lawful and not called proven."""
    monkeypatch.setattr(stoppable, "POLL", 0.001)
    hosts = "\n".join(
        f"h{n} 16c/64g : "
        + " | ".join(f"g{n}{i} 1v/{(7 * n + 5 * i) % 13 + 1}g" for i in range(5))
        for n in range(8)
    )
    formulation = formulate(problem(hosts), (), (Even(memory=1, cpu=1),))
    asked = iter([True] * 40)
    answer = exact(formulation, formulation.start, Effort.THOROUGH, 1, lambda: next(asked, False))
    assert not answer.proven
    assert answer.steps < WORK[Effort.THOROUGH] * STEPS_PER_UNIT / 10
