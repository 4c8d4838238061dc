"""A plan as people decide on it."""

from dataclasses import replace

from balancer.planner.model.plan import (
    Infeasible,
    Migration,
    Plan,
    Prediction,
    Quality,
    Score,
    Stay,
    Worth,
)
from balancer.planner.model.violation import Violation
from balancer.render.plan import (
    SENTENCES,
    gain,
    infeasible,
    moves,
    plan,
    quality,
    stops,
    verdict,
    violations,
)
from tests.render.screens import shown
from tests.render.test_hosts import LOADS

FOUND = Quality(engine="greedy", bound=None, proven=False, steps=1)
EVEN = Score(repair=0, overload=0, cost=100)


def move(number: int, name: str, **fields: object) -> Migration:
    """A move of 8 GiB in 11 s."""
    made = Migration(
        id=f"m{number}",
        guest=f"uuid-{name}",
        name=name,
        source="kvm01",
        target="kvm02",
        rate_kib_s=1,
        downtime_ms=300,
        predicted=Prediction(seconds=11, seconds_p90=20, mib=8192, downtime_ms=60),
        reason="hot: kvm01 CPU 96 %",
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def fault(subject: str, *, hard: bool = True) -> Violation:
    """A broken rule."""
    return Violation(
        rule="spread zk", subject=subject, amount=1, sentence=f"{subject} holds 2 of zk", hard=hard
    )


MADE = Plan(
    id="P-1",
    made_at=0,
    fingerprint="f",
    policy="balance@3f2c",
    actions=(
        move(2, "build-09", start=11.0, waits_for=("m1",), temporary=True),
        move(1, "web-204"),
    ),
    score_before=EVEN,
    score_after=EVEN,
    quality=FOUND,
    loads=LOADS[:2],
    broken_before=(fault("r1"), fault("r2", hard=False)),
    broken_after=(fault("r2", hard=False),),
    left=(Stay(subject="etl-17", reason="will not converge"),),
    rules_checked=("a", "b"),
    summary="1 host hot, 1 rule broken. 2 moves.",
    hot_hosts=("kvm01",),
)


def test_a_whole_plan() -> None:
    """What is wrong, what is mended, each move in its order with its reason, what comes of it."""
    assert (
        shown(plan(MADE))
        == """\
1 host hot, 1 rule broken. 2 moves. 16 GiB in 22 s.
Broken now, mended by this plan:
  ✗ r1 holds 2 of zk
Broken now and afterwards:
  · r2 holds 2 of zk

  guest    from    to     starts   takes     data   pause
1 web-204  kvm01 → kvm02     0 s    11 s  8.0 GiB   60 ms
  hot: kvm01 CPU 96 %
2 build-09 kvm01 → kvm02    11 s    11 s  8.0 GiB   60 ms
  after 1; a stop on the way; hot: kvm01 CPU 96 %

          CPU                 memory              allocated
kvm01 hot ██████▒▒  96→71 %   ██████▒▒  96→71 %   ████████  96 %
kvm02     █▓▓░░░░░  10→35 %   █▓▓░░░░░  10→35 %   █░░░░░░░  10 %
█ stays  ▒ leaves  ▓ arrives

Left as it is: etl-17 (will not converge)

Stops on the way: 1 of 2 moves.
Judge: 2 hard rules are kept or get no worse at every step. Best found (greedy);
how much better is possible is not known."""
    )


def test_a_plan_of_nothing_shows_hosts_and_no_judge() -> None:
    """Where nothing moves there is nothing to judge."""
    text = shown(plan(replace(MADE, actions=(), summary="Nothing is worth moving.")))
    assert text.startswith("Nothing is worth moving.\n")
    assert "Judge" not in text
    assert "kvm01 hot ███████████  96 %" in text


def test_stops_on_the_way_are_counted_beside_the_fewest_there_can_be() -> None:
    """Proven to be the fewest, above a bound, or without one; nothing where there are none."""
    assert stops(replace(MADE, least_aside=1)).endswith("; no order of them has fewer (proven).")
    aside = replace(MADE.actions[0], id="m3")
    more = replace(MADE, actions=(*MADE.actions, aside), least_aside=1)
    assert stops(more) == "Stops on the way: 2 of 3 moves; any order has at least 1."
    assert stops(replace(MADE, actions=MADE.actions[1:], least_aside=0)) == ""


def test_both_numbers_are_shown_for_each_move_and_for_all() -> None:
    """What a move saves of waiting and what it costs; and how far that is believed."""
    worth = Worth(saved=1323.6, spent=22.9)
    actions = (move(1, "web-204", worth=worth), move(2, "db", worth=Worth(saved=-4.0, spent=1.0)))
    text = shown(plan(replace(MADE, actions=actions, worth=worth, horizon=3600.0), hosts=False))
    assert "hot: kvm01 CPU 96 %; saves 1,324 s of waiting, costs 23 s" in text
    assert "adds 4 s of waiting, costs 1 s" in text
    assert "It saves 1,324 s of waiting, costs 23 s within 1 h (all guests together).\n" in text
    doubted = replace(MADE, actions=actions, worth=worth, horizon=3600.0, trust=0.75)
    assert "Of such promises 75 % is believed." in " ".join(shown(plan(doubted)).split())


def test_bars_shown_before_are_not_repeated() -> None:
    """The demo shows hosts itself."""
    assert "█" not in shown(plan(MADE, hosts=False))


def test_hostile_names_stay_in_their_column() -> None:
    """Long names lose their middle, wide and hidden characters keep the columns aligned."""
    names = (
        "a-very-long-name-of-a-guest-that-nobody-would-type-03",
        "[red]\x1b[2J\u202e",
        "データ-1",
    )
    drawn = shown(moves([move(i, name) for i, name in enumerate(names)])).splitlines()
    assert "\x1b" not in "".join(drawn)
    assert drawn[1].startswith("1 a-very-lon")
    assert "-03 kvm01 → kvm02" in drawn[1]
    assert "2 [red]�[2J� " in drawn[3]
    assert all("kvm01 → kvm02     0 s" in line for line in drawn[1::2])


def test_how_good_it_is() -> None:
    """Proven, bounded, or honestly unknown."""
    bounded = replace(FOUND, bound=96)
    proven = quality(replace(FOUND, proven=True), EVEN)
    assert proven == "Found by greedy: no better placement exists (proven)."
    assert quality(bounded, EVEN).startswith("Best found (greedy); at most 4 % of the remaining")
    assert quality(replace(FOUND, bound=0), EVEN).endswith("is possible is not known.")
    assert quality(bounded, replace(EVEN, repair=1)).startswith("Best found (greedy)")
    assert verdict(replace(MADE, rules_checked=("a",))).startswith("Judge: 1 hard rule is kept")


def test_infeasible_names_rules_and_remedy() -> None:
    """An operator learns what conflicts and what would help."""
    answer = Infeasible(reason="r1 holds 2", conflicting=("spread zk", "stay db"), remedy="move a")
    assert shown(infeasible(answer)) == (
        "Infeasible: r1 holds 2\nRules concerned: spread zk, stay db\nWhat would help: move a"
    )
    assert shown(infeasible(Infeasible(reason="no"))) == "Infeasible: no"


def test_many_faults_are_counted() -> None:
    """A flood of broken rules does not bury the plan."""
    text = shown(violations([fault(f"r{i}") for i in range(SENTENCES + 3)]))
    assert text.endswith("    and 3 more")
    many = tuple(Stay(subject=f"g{i}", reason="no") for i in range(SENTENCES + 2))
    assert "g7 (no); 2 more" in shown(plan(replace(MADE, left=many)), width=300)


def test_the_gain_is_drawn_and_says_where_most_of_it_is_reached() -> None:
    """Short plans need no curve; long ones are drawn within a line."""
    assert gain((500, 1000)) == ""
    assert gain((0, 950, 1000)) == (
        "Gain, move by move: ▁▇█  The first 2 of 3 moves bring 95 % of it."
    )
    assert gain((0, 500, 1000)).endswith("It takes all 3 for 90 % of it.")
    assert "The first brings 91 % of it" in gain((910, 950, 1000))
    long = gain(tuple(range(0, 1001, 5)))
    assert len(long.split()[4]) <= 40
    assert "The first 181 of 201 moves bring 90 % of it." in long
