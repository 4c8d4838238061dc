"""A plan's own sums."""

from balancer.planner.model.plan import Migration, Plan, Prediction, Quality, Score

NONE = Score(repair=0, overload=0, cost=0)


def move(name: str, start: float, seconds: float) -> Migration:
    took = Prediction(seconds=seconds, seconds_p90=2 * seconds, mib=100, downtime_ms=50)
    return Migration(
        id=name,
        guest=name,
        name=name,
        source="a",
        target="b",
        rate_kib_s=1,
        downtime_ms=300,
        predicted=took,
        start=start,
    )


def plan(*actions: Migration) -> Plan:
    quality = Quality(engine="greedy", bound=None, proven=False, steps=0)
    return Plan(
        id="P-1",
        made_at=0.0,
        fingerprint="",
        policy="p@0",
        actions=actions,
        score_before=NONE,
        score_after=NONE,
        quality=quality,
        loads=(),
    )


def test_a_plan_lasts_until_its_last_action_ends() -> None:
    """Not the sum: actions overlap."""
    assert plan(move("x", 0.0, 10.0), move("y", 5.0, 3.0)).seconds == 10.0
    assert plan().seconds == 0.0


def test_a_plan_sends_what_all_its_actions_send() -> None:
    """In MiB."""
    assert plan(move("x", 0.0, 1.0), move("y", 0.0, 1.0)).mib == 200
