"""Many hosts at once, none waiting for another."""

import threading
from time import monotonic

import pytest

from balancer.adapters.libvirt.errors import NotAnswering
from balancer.adapters.libvirt.workers import Crew, within


def test_a_hung_host_delays_nobody_and_is_not_asked_twice():
    """It is given up after its limit, reported again at once, and asked again when it is back."""
    release = threading.Event()
    calls = []

    def hang(_beat):
        calls.append(1)
        release.wait(10)
        return "late"

    crew = Crew()
    tasks = {"good": lambda _beat: "fine", "hung": hang}
    begin = monotonic()
    answers = crew.ask(tasks, {"good": 5, "hung": 0.1})
    assert monotonic() - begin < 2
    assert answers["good"] == "fine"
    assert isinstance(answers["hung"], NotAnswering)
    again = crew.ask(tasks, {"good": 5, "hung": 0.1})
    assert "nor since then" in str(again["hung"])
    assert len(calls) == 1
    release.set()
    while "nor since" in str(crew.ask(tasks, {"good": 5, "hung": 1})["hung"]):
        pass
    assert crew.ask(tasks, {"good": 5, "hung": 1})["hung"] == "late"


def test_signs_of_life_extend_the_limit():
    """A slow host that keeps answering is not a hung one; announced slowness is allowed for."""

    def slow(beat):
        for _ in range(4):
            threading.Event().wait(0.06)
            beat()
        beat(1.0)
        threading.Event().wait(0.2)
        return "done"

    assert Crew().ask({"a": slow}, {"a": 0.15}) == {"a": "done"}


def test_faults_are_answers():
    """What a task raises is its host's answer; all are asked though few at a time."""

    def fail(_beat):
        raise OSError("no")

    tasks = {str(n): (fail if n % 2 else (lambda _beat: "ok")) for n in range(9)}
    answers = Crew(at_once=2).ask(tasks, dict.fromkeys(tasks, 5.0))
    assert list(answers) == list(tasks)
    assert [isinstance(answer, OSError) for answer in answers.values()] == [
        bool(n % 2) for n in range(9)
    ]


def test_within():
    """One question: its answer, its fault, or NotAnswering."""
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    release = threading.Event()
    with pytest.raises(NotAnswering, match=r"no answer in 0.05 s"):
        within(0.05, release.wait)
    release.set()
