"""What fair division gives a guest where it is, and what it would need for more."""

from dataclasses import replace

import pytest

from balancer.config import default_policy
from balancer.planner.assessment import assess
from balancer.planner.granted import Grants
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.policy import Policy
from balancer.planner.model.resize import Resize, Resized, What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.result import Result
from balancer.planner.model.selector import Selector
from balancer.planner.model.weighed import Bound, Granted
from balancer.planner.pipeline import consider
from tests.drawing import uuid_of
from tests.planner.test_ballooning import FULL, working
from tests.planner.test_ballooning import TABLE as MEMORY
from tests.planner.test_ballooning import policy_of as memory_of
from tests.planner.test_resize import BATCH, SHARED, delayed, policy_of
from tests.planner.test_throttling import GIVING, posed

SHORT = """
    a 8c/64g : db 8v/8g cpu=6 knobs | w1 4v/4g cpu=3 knobs | w2 4v/4g cpu=1 quota=1
    b 8c/64g : x 4v/8g cpu=1 knobs
"""


def granted(name: str, policy: Policy, text: str = SHORT, *, waits: int = 2000) -> Granted:
    """Return what is told of a guest."""
    found = consider(delayed(text, "db", "w1", "w2", by=waits), policy, uuid_of(name)).resized
    assert found is not None
    return found


def test_each_bound_is_named_with_what_is_missing() -> None:
    """Shares, a reservation, a limit of the policy or of its own; and nothing where all is there."""
    policy = policy_of(BATCH)
    assert granted("x", policy).bound is Bound.NONE
    assert granted("x", policy).missing == ()
    db = granted("db", policy)
    assert (db.host, db.wanted, db.bound) == ("a", 8000, Bound.SHARE)
    assert db.missing == ("6.0 cores more on a, which its guests want beyond what it has",)
    kept = granted("w1", policy_of(replace(BATCH, reserve=1500)))
    assert (kept.got, kept.bound) == (1500, Bound.RESERVATION)
    held = granted("w1", policy_of(replace(BATCH, limit=200)))
    assert (held.got, held.bound) == (200, Bound.LIMIT)
    assert held.missing == ("a higher limit in its [[resize]]",)
    own = granted("w2", policy_of(Resizing(guests=Selector(("db",)))), SHARED.replace("w2 4v/4g cpu=2 knobs", "w2 4v/4g cpu=1 quota=1"))  # fmt: skip
    assert (own.got, own.missing) == (1000, ("a higher quota of its own",))


def test_what_keeps_traffic_from_being_limited_is_told() -> None:
    """A host that says nothing of what it carries."""
    policy = policy_of(replace(BATCH, disk_least=1024))
    (_, said) = granted("w1", policy).missing
    assert said.startswith("its disk traffic is not divided: how much a carries is not declared")


def test_memory_and_traffic_are_told_where_a_table_manages_them() -> None:
    """What is wanted, what it is left or given, by what it is bound; nothing of what is not managed."""
    seen = assess(working(FULL, idle=8, hot=15), memory_of(MEMORY))
    grants = Grants(seen, seen.cluster.placement)

    def beside(name: str) -> list[tuple[str, int, int, Bound]]:
        found = grants.of(uuid_of(name))
        assert found is not None
        return [(one.what, one.wanted, one.got, one.bound) for one in found.beside]

    assert beside("idle") == [("memory", 10240, 10240, Bound.NONE)]
    assert beside("hot") == [("memory", 19200, 19200, Bound.NONE)]
    assert beside("db") == beside("x") == []
    seen = assess(working(FULL, idle=30, hot=15), memory_of(MEMORY))
    grants = Grants(seen, seen.cluster.placement)
    assert beside("hot") == [("memory", 19200, 16384, Bound.SHARE)]
    small = FULL.replace("hot 4v/32g", "hot 4v/16g")
    seen = assess(working(small, idle=8, hot=15), memory_of(MEMORY))
    grants = Grants(seen, seen.cluster.placement)
    assert beside("hot") == [("memory", 19200, 16384, Bound.LIMIT)]


@pytest.mark.parametrize(
    ("uses", "now", "most", "told"),
    [
        ({"noisy": 300, "db": 150, "web": 150}, 0, 0, (300, 150, Bound.SHARE)),
        ({"noisy": 100}, 0, 0, (100, 100, Bound.NONE)),
        ({"noisy": 150, "db": 20}, 150, 0, (300, 300, Bound.NONE)),
        ({"noisy": 150}, 0, 100, (150, 100, Bound.LIMIT)),
    ],
)
def test_what_traffic_is_bound_by(
    uses: dict[str, int], now: int, most: int, told: tuple[int, int, Bound]
) -> None:
    """Its part of what a host carries, the policy's limit, or nothing."""
    question = posed(replace(GIVING, disk_limit=most * 1024), now={"noisy": now}, **uses)
    found = Grants(question, question.cluster.placement).of(uuid_of("noisy"))
    assert found is not None
    (one,) = found.beside
    assert (one.what, one.wanted // 1024, one.got // 1024, one.bound) == ("disk", *told)
    rests = replace(
        question, demand=replace(question.demand, unknown=frozenset({uuid_of("noisy")}))
    )
    found = Grants(rests, rests.cluster.placement).of(uuid_of("noisy"))
    assert found is not None
    assert found.beside[0].bound in (Bound.NONE, Bound.LIMIT)


def test_what_is_given_is_what_there_is() -> None:
    """Together guests get all that their host has, where they want more."""
    seen = assess(delayed(SHARED, "db", "w1", "w2"), policy_of(BATCH))
    grants = Grants(seen, seen.cluster.placement)
    got = [grants.of(uuid_of(name)) for name in ("db", "w1", "w2")]
    assert abs(sum(one.got for one in got if one) - 8000) <= 2  # each is rounded


def test_without_tables_or_use_nothing_is_told() -> None:
    """No policy that resizes, or nothing known of the guest."""
    seen = delayed(SHARED, "db")
    assert consider(seen, default_policy(), uuid_of("db")).resized is None
    bare = assess(seen, policy_of(BATCH))
    bare = replace(bare, demand=replace(bare.demand, mean={}))
    assert Grants(bare, bare.cluster.placement).of(uuid_of("db")) is None


def test_why_its_table_is_not_carried_out_is_told() -> None:
    """The change of its XML, for CPU and memory; a host that tells nothing; a failure."""
    policy = policy_of(replace(BATCH, memory=True))
    seen = assess(delayed(SHARED, "db", "w1", "w2"), policy)

    def missing(knobs: Knobs | None, *lately: Resized) -> tuple[str, ...]:
        guests = tuple(
            replace(g, knobs=knobs) if g.name == "w1" else g for g in seen.cluster.guests
        )
        told = replace(seen, cluster=replace(seen.cluster, guests=guests), resized=lately)
        found = Grants(told, told.cluster.placement).of(uuid_of("w1"))
        assert found is not None
        return found.missing[1:]

    assert missing(Knobs(missing={What.SHARES: "do so"})) == ("do so",)
    assert missing(None) == ("its host must tell what of it can be changed while it runs",)
    assert missing(Knobs(missing={What.BALLOON: "add one"})) == (
        "for memory: add one (from its next start on)",
    )
    one = Resize(
        id="r1", guest=uuid_of("w1"), name="w1", host="a", what=What.SHARES, before=1000, after=50
    )
    failed = Resized(resize=one, result=Result.FAILED, started=0.0, ended=0.0)
    assert missing(Knobs(), failed) == (
        "changing it failed within the last day: it is left alone until that is over",
    )
