"""Observations and plans for the codec's tests: drawn ones, and any that hypothesis thinks of."""

from dataclasses import replace

from hypothesis import strategies as st

from balancer.planner.model.observation import METRICS, History, Observation, Sample, Unseen
from balancer.planner.model.plan import (
    HostLoad,
    Migration,
    Outcome,
    Plan,
    Prediction,
    Quality,
    Result,
    Score,
    Stay,
)
from balancer.planner.model.rollups import STEP, Block, Rollups
from balancer.planner.model.violation import Violation
from tests.drawing import draw, observation, texts

SMALL = observation("""
    a 16c/64g rack=r1 networks=vlan1 pages=8 : web-1 4v/8g cpu=3.5 | db-1 8v/16g tie=owner moving=b
    b 16c/64g rack=r2                        :
""")

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
amounts = st.integers(0, 2**40)
moments = st.floats(0, 2**40, allow_nan=False)


@st.composite
def observations(draw_: st.DrawFn) -> Observation:
    """Draw a sound observation: a drawn cluster, any samples, any sentences."""
    cluster = draw(draw_(texts()))
    samples = st.builds(
        Sample, at=moments, window=moments, values=st.dictionaries(st.sampled_from(list(METRICS)), amounts)
    )  # fmt: skip
    series = st.lists(samples, max_size=3).map(lambda s: tuple(sorted(s, key=lambda x: x.at)))
    uuids = [guest.uuid for guest in cluster.guests]
    guests = st.dictionaries(st.sampled_from(uuids), series) if uuids else st.just({})
    hosts = st.dictionaries(st.sampled_from([h.name for h in cluster.hosts]), series)
    columns = draw_(st.integers(0, 3))
    cells = st.binary(min_size=4 * columns, max_size=4 * columns)
    rows = st.dictionaries(words.filter(bool), cells, max_size=2)
    blocks = st.dictionaries(
        st.sampled_from(list(METRICS)),
        rows.map(lambda r: Block(tuple(r), b"".join(r.values()))),
        max_size=2,
    )
    return Observation(
        at=draw_(moments),
        cluster=replace(
            cluster,
            guests=tuple(
                replace(g, metadata=draw_(st.dictionaries(words, words, max_size=2)))
                for g in cluster.guests
            ),
        ),
        history=History(draw_(guests), draw_(hosts)),
        rollups=Rollups(
            STEP * draw_(st.integers(0, 2**20)), columns, draw_(blocks), draw_(blocks)
        ),
        outcomes=tuple(draw_(st.lists(outcomes(), max_size=2))),
        unseen=tuple(draw_(st.lists(st.builds(Unseen, words, words, words), max_size=2))),
        doubts=tuple(draw_(st.lists(words, max_size=2))),
    )


def migrations(name: str = "1", waits_for: tuple[str, ...] = ()) -> st.SearchStrategy[Migration]:
    """Draw a migration from a to b."""
    predictions = st.builds(
        Prediction, seconds=moments, seconds_p90=moments, mib=amounts, downtime_ms=amounts
    )
    return st.builds(
        Migration,
        id=st.just(name),
        guest=words,
        name=words,
        source=st.just("a"),
        target=st.just("b"),
        rate_kib_s=amounts,
        downtime_ms=amounts,
        predicted=predictions,
        waits_for=st.just(waits_for),
        start=moments,
        reason=words,
    )


def outcomes() -> st.SearchStrategy[Outcome]:
    """Draw how an action ended."""
    return st.builds(
        Outcome,
        action=migrations(),
        result=st.sampled_from(Result),
        started=moments,
        ended=moments,
        reason=words,
        mib=amounts,
        downtime_ms=st.none() | amounts,
    )


@st.composite
def plans(draw_: st.DrawFn) -> Plan:
    """Draw a plan in which each action may wait for the one before it."""
    scores = st.builds(Score, repair=amounts, overload=amounts, cost=st.integers(-100, 100))
    actions: list[Migration] = []
    for number in range(draw_(st.integers(0, 4))):
        before = (str(number - 1),) if number and draw_(st.booleans()) else ()
        actions.append(draw_(migrations(str(number), before)))
    resources = st.dictionaries(st.sampled_from(["cpu", "memory", "memory.used"]), amounts)
    return Plan(
        id=draw_(words),
        made_at=draw_(moments),
        fingerprint=draw_(words),
        policy=draw_(words),
        actions=tuple(actions),
        score_before=draw_(scores),
        score_after=draw_(scores),
        quality=Quality(engine="greedy", bound=draw_(st.none() | amounts), proven=False, steps=7),
        loads=tuple(
            draw_(
                st.lists(
                    st.builds(
                        HostLoad, host=words, usable=resources, before=resources, after=resources
                    ),
                    max_size=2,
                )
            )
        ),
        broken_before=(Violation("spread", "r1", 1, draw_(words), ("u",)),),
        left=(Stay(subject=draw_(words), reason=draw_(words)),),
        limits={"at_once_total": draw_(amounts)},
    )


PLAN = Plan(
    id="P-1",
    made_at=1.0,
    fingerprint="f",
    policy="balance@0000",
    actions=tuple(
        Migration(
            id=name,
            guest="u",
            name="web-1",
            source="a",
            target="b",
            rate_kib_s=1000,
            downtime_ms=300,
            predicted=Prediction(seconds=1.0, seconds_p90=2.0, mib=3, downtime_ms=4),
            waits_for=waits,
        )
        for name, waits in (("1", ()), ("2", ("1",)))
    ),
    score_before=Score(repair=0, overload=0, cost=0),
    score_after=Score(repair=0, overload=0, cost=0),
    quality=Quality(engine="greedy", bound=None, proven=False, steps=1),
    loads=(),
)
