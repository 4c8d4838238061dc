"""Why something stays broken."""

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.apart import Apart
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.numa import Numa
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.survive import Survive
from balancer.planner.constraints.together import Together
from balancer.planner.formulation import HARD, Near, formulate
from balancer.planner.model.plan import Stay
from balancer.planner.model.policy import Constraint, Limits
from balancer.planner.model.request import Effort
from balancer.planner.objectives import all_goals
from balancer.planner.place.conflict import explain, why_stays
from balancer.planner.place.solve import solve
from tests.drawing import problem, select


def left(text: str, *rules: Constraint) -> dict[str, str]:
    """Return what stays broken and why, by subject."""
    question = problem(text, *rules)
    given = formulate(question, all_rules(question), all_goals(question))
    found = explain(given, solve(given, Effort.QUICK, 1, lambda: True))
    return {stay.subject: stay.reason for stay in found}


def test_nothing_broken_nothing_said() -> None:
    """A cluster that is fine needs no excuse."""
    assert left("a 4c/8g : x 1v/1g\nb 4c/8g :") == {}


def test_a_tied_guest_on_a_draining_host_names_its_tie() -> None:
    """The operator learns what holds it."""
    found = left("a 4c/8g state=draining : gpu 1v/1g tie=passthrough\nb 4c/8g :")
    assert found == {"gpu": "passthrough: passthrough of gpu"}


def test_a_guest_without_room_elsewhere_says_so() -> None:
    """The host that is open to it is full."""
    found = left("a 4c/8g state=draining : x 1v/6g\nb 4c/4g :")
    assert found == {"x": "the only host it could go to cannot take it: room, or a rule"}


def test_a_guest_that_this_hour_cannot_afford_says_so() -> None:
    """There is room elsewhere; the operator is told of the limit, not sent to look for room."""
    question = problem(
        "a 4c/8g state=draining : x 1v/1g | y 1v/1g\nb 4c/8g :", limits=Limits(moves_per_hour=1)
    )
    given = formulate(question, all_rules(question), all_goals(question))
    found = explain(given, solve(given, Effort.QUICK, 1, lambda: True))
    assert [stay.reason for stay in found] == [
        "limit moves_per_hour has no room left for it in this plan"
    ]


def test_a_guest_that_fits_nowhere_names_the_rules_that_bar_it() -> None:
    """Each rule with the number of hosts it closes."""
    found = left(
        "a 4c/8g state=draining : x 1v/1g networks=dmz\nb 4c/8g :\nc 4c/8g networks=dmz :",
        Avoid(guests=select("x"), hosts=select("c")),
    )
    assert found == {"x": "no other host is open to it: compatible (1 host), avoid c: x (1 host)"}


def test_the_only_host_has_no_other() -> None:
    """With one host there is nowhere to go."""
    question = problem("a 4c/8g : x 1v/1g")
    assert why_stays(formulate(question), 0) == "there is no other host"


def test_several_hosts_without_room_are_counted() -> None:
    """The number of hosts that are open is said."""
    question = problem("a 4c/8g : x 1v/1g\nb 4c/8g :\nc 4c/8g :")
    assert "none of the 2 hosts" in why_stays(formulate(question), 0)


def test_a_broken_spread_of_guests_that_stay_names_all() -> None:
    """All that could mend it are held."""
    found = left(
        "a 4c/8g rack=r1 : zk-1 1v/1g | zk-2 1v/1g\nb 4c/8g rack=r2 :",
        Spread(guests=select("zk-*"), across="rack"),
        NeverMove(guests=select("zk-*")),
    )
    assert found == {
        "a": "spread zk-* across rack stays broken: all guests concerned stay: "
        "zk-1 (never_move zk-*), zk-2 (never_move zk-*)"
    }


def test_a_host_given_out_twice_says_who_must_stay() -> None:
    """Of many that are held a few are named and the rest counted."""
    guests = " | ".join(f"x-{n} 1v/4g tie=pinned" for n in range(5))
    found = left(f"a 8c/8g : {guests} | y 1v/4g\nb 8c/2g :")
    assert found["a"].startswith("capacity: memory stays broken: no permitted move of the others")
    assert found["a"].endswith("x-2 (pinned: pinned of x-2), 2 more")


def test_a_group_kept_apart_is_named_by_its_rule() -> None:
    """A group has no host to be named after."""
    found = left(
        "a 4c/8g : x 1v/1g\nb 4c/8g : y 1v/1g",
        Together(guests=select("*")),
        NeverMove(guests=select("x")),
        OnlyOn(guests=select("y"), hosts=select("b")),
    )
    assert found["together * on one host"].startswith("together * on one host stays broken")
    assert "what must stay: x (never_move x)" in found["together * on one host"]


def test_neighbours_apart_are_named_by_their_rule() -> None:
    """An implication that cannot be met is explained like any group."""
    question = problem("a 4c/8g : x 1v/1g\nb 4c/8g : y 1v/1g")
    given = formulate(question)
    given.add(Near("x near y", 0, 1, given.domains("host"), HARD, hard=True))
    given.hold([0, 1], "because")
    found = explain(given, solve(given, Effort.QUICK, 1, lambda: True))
    assert found == (
        Stay(
            subject="x near y",
            reason="x near y stays broken: all guests concerned stay: x (because), y (because)",
        ),
    )


def test_groups_that_cannot_part_are_named_where_they_are() -> None:
    """One host, and who must stay there."""
    found = left(
        "a 4c/8g : x 1v/1g | y 1v/1g",
        Apart(guests=select("x"), others=select("y")),
    )
    assert found == {"a": "apart x from y stays broken: no permitted move of the others mends it"}


def test_a_cell_that_is_too_small_is_named_by_its_host() -> None:
    """Nobody else has a larger one."""
    found = left("a 8c/16g cells=2 : x 1v/12g\nb 8c/16g cells=2 :", Numa(guests=select("x")))
    assert found == {"a": "numa x stays broken: no permitted move of the others mends it"}


def test_a_loss_that_nothing_mends_is_named_by_its_hosts() -> None:
    """All hosts lost together are the subject, and why the stranded guests stay is the reason."""
    text = "a 4c/16g : x 1v/10g\nb 4c/16g : y 1v/10g\nc 4c/16g :\nd 4c/16g : z 1v/10g tie=pinned"
    assert left(text, Survive()) == {}
    found = left(text, Survive(hosts_lost=2))
    broken = "survive 2 hosts lost stays broken"
    assert found["a and b"] == f"{broken}: no permitted move of the others mends it"
    assert found["c and d"] == (f"{broken}: all guests concerned stay: z (pinned: pinned of z)")
