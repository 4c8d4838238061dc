"""Guests in a blackout stay, whoever asks."""

from dataclasses import replace

import pytest

from balancer.planner.constraints.blackout import Blackout
from balancer.planner.constraints.held import Held
from balancer.planner.model.placement import at_rest
from tests.drawing import NOON, problem, select, uuid_of

TWO = """
    a 16c/64g : web-1 2v/4g | db-1 2v/4g
    b 16c/64g :
"""
NIGHT = Blackout(when=("daily 01:00-05:00",), guests=select("db-*"))
NOW = Blackout(when=("daily 01:00-05:00", "daily 14:30-16:30"), guests=select("db-*"))


def test_only_while_its_window_is_open() -> None:
    """By day the night's window holds nobody; one of several windows is enough."""
    question = replace(problem(TWO), at=NOON)
    assert NIGHT.concerns(question) == ()
    assert NOW.concerns(question) == (uuid_of("db-1"),)
    moved = at_rest({**question.cluster.placement, uuid_of("db-1"): "b"})
    assert NIGHT.violations(question, moved) == ()
    (found,) = NOW.violations(question, moved)
    assert "blackout until" in found.sentence
    assert "16:30 UTC" in found.sentence


def test_it_holds_against_an_order_too() -> None:
    """Relieving a host moves nobody whose blackout it is."""
    question = replace(problem(TWO), at=NOON, relieve=frozenset({"a"}))
    assert NOW.concerns(question) == (uuid_of("db-1"),)


def test_it_is_called_by_its_window_unless_named() -> None:
    """In reports."""
    assert NIGHT.label == "blackout daily 01:00-05:00 of db-*"
    assert replace(NIGHT, name="backups").label == "backups"


def test_guests_held_on_request_stay_for_the_reason_given() -> None:
    """Whoever holds them says why."""
    question = replace(problem(TWO), held={uuid_of("web-1"): "moved by hand", "gone": "x"})
    assert Held().concerns(question) == (uuid_of("web-1"),)
    moved = at_rest({**question.cluster.placement, uuid_of("web-1"): "b"})
    (found,) = Held().violations(question, moved)
    assert "must stay on a (moved by hand)" in found.sentence
    assert Held(name="mine").label == "mine"


@pytest.mark.parametrize(
    ("when", "said"),
    [((), "needs at least one window"), (("daily", "nightly"), '"nightly" does not know the day')],
)
def test_what_is_no_window_is_refused(when: tuple[str, ...], said: str) -> None:
    """When the rule is made, not when it is first asked."""
    with pytest.raises(ValueError, match=said):
        Blackout(when=when)


def test_it_is_a_hard_rule() -> None:
    """A plan says that it was judged by it, and `balancer rules` shows it as no mere wish."""
    assert Blackout(when=("daily 01:00-05:00",)).hard
