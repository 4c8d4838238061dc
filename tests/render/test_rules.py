"""Rules as a list."""

from balancer.render.rules import RuleReport, rules
from tests.render.screens import shown
from tests.render.test_plan import fault


def report(label: str, *guests: str, everyone: bool = False, **fields: object) -> RuleReport:
    """A hard rule that holds."""
    given = {"hard": True, "broken": (), **fields}
    return RuleReport(label=label, guests=guests, everyone=everyone, **given)  # type: ignore[arg-type]


def test_rules_as_they_stand() -> None:
    """Each with whom it concerns; what is broken stands under it."""
    known = [
        report("capacity", "a", "b", everyone=True),
        report("stay", "db-1", hard=False),
        report("never_move"),
        report("spread zk", "zk-1", "zk-2", broken=(fault("r1"),)),
    ]
    assert (
        shown(rules("balance@3f2c", known))
        == """\
Policy balance@3f2c
✓ capacity: every guest
✓ stay (soft): 1 guest: db-1
✓ never_move: no guest
✗ spread zk: 2 guests: zk-1, zk-2
  ✗ r1 holds 2 of zk
4 rules, 1 broken now."""
    )
    assert shown(rules("p", known[:1])).endswith("1 rule, none broken now.")
