"""A part of a cluster that answers for the whole."""

from dataclasses import replace

import numpy as np
import pytest

from balancer.planner.capacity import failures as failures_of
from balancer.planner.capacity.failures import domains, failure, remedies, survey
from balancer.planner.capacity.part import atlas, narrowed
from balancer.planner.capacity.room import arrivals
from balancer.planner.capacity.waiting import calm, fallen
from balancer.planner.constraints.apart import Apart
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.survive import Survive
from balancer.planner.model.policy import Constraint
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.model.violation import baseline, worsened
from balancer.planner.pipeline import broken
from tests.drawing import problem, select, uuid_of


def crowd(seed: int, hosts: int, *rules: Constraint, size: str = "16c/64g") -> Problem:
    """Hosts in three racks with up to 4 guests each, some of three groups."""
    chance = np.random.default_rng(seed)
    lines = []
    for host in range(hosts):
        guests = [
            f"{'abcx'[chance.integers(4)]}{host}-{n} {chance.integers(1, 6)}v/{chance.integers(2, 15)}g"
            for n in range(chance.integers(0, 5))
        ]
        lines.append(f"h{host:02} {size} rack=r{chance.integers(3)} : {' | '.join(guests)}")
    return problem("\n".join(lines), *rules)


RULES = (
    Spread(guests=select("a*"), at_most=1),
    Spread(guests=select("b*"), across="rack", at_most=9),
    Apart(guests=select("a*"), others=select("c*")),
)


@pytest.mark.parametrize("seed", range(6))
def test_a_place_in_the_part_is_one_in_the_whole(seed: int) -> None:
    """By every rule, read in plain terms with everybody seen."""
    drawn = crowd(seed, 24, *RULES)
    known = survey(drawn)
    for name in ("h00", "h07", "h13"):
        gone = [g.uuid for g in drawn.cluster.guests_on[name]]
        names = known.part(gone, 3, (name,))
        if names is None:
            continue
        part = fallen(known.inside(names), (name,))
        there = arrivals(part, part.ordered, Request(effort=Effort.INSTANT), lambda: True)
        whole = fallen(calm(drawn), (name,))
        settled = {**whole.cluster.placement, **there}
        before = baseline(broken(whole, whole.cluster.placement))
        assert not worsened(before, broken(whole, settled))
        assert part.cluster.hosts != whole.cluster.hosts


def test_whom_a_rule_speaks_of_together_is_in_the_part() -> None:
    """Guests of one rule, wherever they are; a rule that counts every host leaves only the whole."""
    drawn = crowd(1, 24, *RULES)
    gone = [g.uuid for g in drawn.cluster.guests if g.name.startswith("a")][:1]
    names = atlas(drawn, drawn).part(gone, 1)
    homes = {drawn.home(g.uuid) for g in drawn.cluster.guests if g.name[0] in "ac"}
    assert names is None or homes <= names
    for rule in (Survive(), Spread(guests=select("*"), evenly=True)):
        assert atlas(crowd(1, 24, rule), crowd(1, 24, rule)).part(gone, 1) is None


def test_flights_have_both_ends_in_the_part() -> None:
    """A guest on its way holds room on both, so both are seen."""
    lines = [f"h{n:02} 16c/64g : g{n} 1v/{n + 1}g" for n in range(12)]
    lines[11] = "h11 16c/64g : g11 1v/40g moving=h00"
    drawn = problem("\n".join(lines))
    names = atlas(drawn, drawn).part([uuid_of("g0")], 1)
    assert names is not None
    assert {"h00", "h11"} <= names
    assert narrowed(drawn, names).cluster.in_flight == {uuid_of("g11"): "h00"}


def test_a_large_cluster_makes_room_in_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the whole is too large some hosts are asked to make room, and that is said."""
    monkeypatch.setattr(failures_of, "WHOLE", 10)
    monkeypatch.setattr(failures_of, "ROOMY", 3)
    lines = [f"h{n:02} 16c/64g : s{n} 1v/30g | t{n} 1v/4g" for n in range(16)]
    lines[0] = "h00 16c/64g : big 4v/50g"
    drawn = problem("\n".join(lines), Spread(guests=select("t1*"), at_most=1))
    found = failure(drawn, "h00", ("h00",))
    assert (found.restarted, found.whole) == (0, False)
    assert found.after_moves == 1
    assert found.moves > 0


def test_what_would_help_is_tried() -> None:
    """One more host, a rule less, and the device that ties; what does not help is not said."""
    drawn = problem(
        "a 16c/64g : x1 4v/40g | gpu 1v/4g tie=passthrough\nb 16c/64g : x2 4v/20g\nc 8c/16g :",
        Spread(guests=select("x*"), name="x apart"),
    )
    known = survey(drawn)
    found = [
        failure(drawn, lost, hosts, known=known) for lost, hosts in domains(drawn, "host").items()
    ]
    words = {r.words: r.losses for r in remedies(drawn, found)}
    assert words["gpu: have the device in another host, or start it without"] == ("a",)
    assert words["one more host like b"] == ("a", "b")
    assert words["without the rule x apart"] == ("a", "b")
    assert remedies(drawn, found, lambda: False)[1:] == ()
    assert remedies(drawn, [f for f in found if f.survived]) == ()


def test_a_guest_that_fits_no_other_host_is_not_looked_for() -> None:
    """It is named with what is against it, and the others find their places all the same."""
    text = "a 16c/64g models=Skylake : x 1v/4g model=Skylake | y 1v/4g\n"
    text += "b 16c/64g models=EPYC :\nc 16c/64g models=EPYC :"
    found = failure(problem(text), "a", ("a",))
    assert (found.restarted, found.whole) == (1, True)
    assert found.homeless == {"x": "no other host is open to it: compatible (2 hosts)"}
    alone = problem("a 16c/64g : x 1v/4g")
    assert failure(alone, "a", ("a",)).homeless == {"x": "no host is left"}


def test_a_restart_is_no_migration() -> None:
    """Neither how fast a guest wrote memory nor who owns it keeps it down, nor room kept for a loss."""
    drawn = problem("a 16c/64g : x 4v/30g\nb 16c/64g : y 4v/30g", Survive())
    busy = replace(drawn, demand=replace(drawn.demand, dirty_mib_s={uuid_of("x"): 10**6}))
    owned = tuple(replace(g, owner="pacemaker") for g in busy.cluster.guests)
    busy = replace(busy, cluster=replace(busy.cluster, guests=owned))
    assert failure(busy, "a", ("a",)).survived


def small_losses() -> Problem:
    """Twelve hosts half full, but for one: its guest needs more than is free on any other."""
    lines = [f"h{n:02} 16c/64g : s{n} 1v/30g" for n in range(12)]
    lines[0] = "h00 16c/64g : s0 1v/30g | t0 1v/4g"
    lines[1] = "h01 16c/64g : big 4v/50g"
    return problem("\n".join(lines))


@pytest.mark.parametrize(("lost", "restarted", "later"), [("h00", 2, 2), ("h01", 0, 1)])
def test_parts_say_of_a_loss_what_the_whole_does(
    lost: str, restarted: int, later: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few hosts that take everybody answer for all; where they do not, the whole is asked."""
    drawn = small_losses()
    monkeypatch.setattr(failures_of, "PARTS", (1, 2))
    parts = failure(drawn, lost, (lost,))
    monkeypatch.setattr(failures_of, "PARTS", ())
    whole = failure(drawn, lost, (lost,))
    assert (parts.restarted, parts.after_moves, parts.homeless) == (restarted, later, {})
    assert (whole.restarted, whole.after_moves) == (restarted, later)


@pytest.mark.parametrize(
    "text",
    [
        "a 16c/64g models=Skylake : x 1v/4g model=Skylake\nb 32c/128g models=EPYC :",
        "a 16c/64g state=draining : x 1v/4g\nb 16c/64g state=draining :",
    ],
    ids=["another like the largest does not fit", "no host is up to be copied"],
)
def test_a_remedy_that_helps_nobody_is_not_told(text: str) -> None:
    """A guest without a place, and nothing that can be tried gives it one."""
    drawn = problem(text)
    found = [failure(drawn, "a", ("a",))]
    assert list(found[0].homeless) == ["x"]
    assert remedies(drawn, found) == ()
