"""A broken rule over time."""

from balancer.planner.model.violation import Violation, baseline, worsened


def fault(subject: str, amount: int, *, hard: bool = True) -> Violation:
    return Violation(rule="r", subject=subject, amount=amount, sentence="", hard=hard)


def test_what_is_new_or_grew_is_worse() -> None:
    """What stays or shrinks is not, and soft rules are not asked."""
    before = baseline([fault("a", 2), fault("b", 2), fault("c", 1, hard=False)])
    now = [fault("a", 3), fault("b", 1), fault("c", 9, hard=False), fault("d", 1)]
    assert [v.subject for v in worsened(before, now)] == ["a", "d"]
