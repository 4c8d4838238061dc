"""Capacity questions, typed."""

import json
from pathlib import Path

import pytest

from balancer.codec import dump_observation
from tests.cli.conftest import Terminal, saved
from tests.past import with_past


@pytest.fixture
def racks(tmp_path: Path) -> Path:
    """Two racks, the second nearly full; one guest with a device."""
    return saved(
        tmp_path / "racks.json",
        """
        a 16c/64g rack=r1 networks=lan : x 4v/20g cpu=1
        b 16c/64g rack=r2 : y 4v/50g cpu=1 | gpu 2v/4g cpu=1 tie=passthrough
        c 16c/64g rack=r2 : z 4v/50g cpu=1
        """,
    )


def test_fit_says_how_many(balancer: Terminal, racks: Path) -> None:
    """With a count that does not fit it ends with 4 and tells ways that were tried."""
    answer = balancer("capacity", "fit", "--guest", "4c/40g", "--from", racks)
    assert answer.code == 0, answer
    assert "1 more guest of 4c/40g fits." in answer.out
    assert "memory" in answer.out
    answer = balancer("capacity", "fit", "--guest", "4c/40g", "--count", "3", "--from", racks)
    assert answer.code == 4
    assert "one more host like" in answer.out


def test_room_is_made_and_the_moves_are_shown(balancer: Terminal, tmp_path: Path) -> None:
    """After moves more fit, and the moves are listed."""
    file = saved(tmp_path / "o.json", "a 16c/64g : x 4v/20g cpu=1\nb 16c/64g : y 4v/20g cpu=1")
    answer = balancer("capacity", "fit", "--guest", "4c/60g", "--from", file)
    assert "1 more guest of 4c/60g fits: 0 now, the rest after moves." in answer.out
    assert "Room is made by 1 move" in answer.out


def test_where_prints_a_name_alone(balancer: Terminal, racks: Path) -> None:
    """For scripts: one name on stdout, or none and 4."""
    answer = balancer(
        "capacity", "where", "--guest", "2c/10g", "--network", "lan", "--from", racks
    )
    assert (answer.code, answer.out) == (0, "a\n")
    answer = balancer("capacity", "where", "--guest", "2c/63g", "--from", racks)
    assert (answer.code, answer.out) == (4, "")
    assert "no host takes it: " in answer.err


def test_where_says_if_moves_would_help(balancer: Terminal, tmp_path: Path) -> None:
    """Where room could be made it says so, and how to see it."""
    file = saved(tmp_path / "o.json", "a 16c/64g : x 4v/20g cpu=1\nb 16c/64g : y 4v/20g cpu=1")
    answer = balancer("capacity", "where", "--guest", "4c/60g", "--from", file)
    assert answer.code == 4
    assert "1 move would make it" in answer.err


def test_failures_name_the_homeless(balancer: Terminal, racks: Path) -> None:
    """The guest with the device finds no place when its host is lost; the empty case is good."""
    answer = balancer("capacity", "failures", "--from", racks)
    assert answer.code == 4
    assert "gpu: " in answer.out
    answer = balancer(
        "capacity", "failures", "--across", "rack", "--from", racks, "--format", "json"
    )
    found = {f["lost"]: f for f in json.loads(answer.out)["failures"]}
    assert found["r2"]["hosts"] == ["b", "c"]
    answer = balancer("capacity", "failures", "--across", "room", "--from", racks)
    assert answer.code == 3
    assert "room" in answer.err


def test_nobody_is_homeless_where_there_is_room(balancer: Terminal, hot: Path) -> None:
    """Every loss survived: 0, and one sentence says so."""
    answer = balancer("capacity", "failures", "--from", hot)
    assert answer.code == 0
    assert "Whichever is lost, everybody finds a place" in answer.out


def test_drains_say_what_blocks(balancer: Terminal, racks: Path, hot: Path) -> None:
    """A line a host, with the remedy for what blocks it."""
    answer = balancer("capacity", "drains", "--from", racks)
    assert answer.code == 4
    assert "detach the device" in " ".join(answer.out.split())
    assert balancer("capacity", "drains", "--from", hot).code == 0


def test_compat_draws_the_matrix(balancer: Terminal, racks: Path) -> None:
    """A mark for each host, and every obstacle with its guests."""
    answer = balancer("compat", "--from", racks)
    assert answer.code == 0
    assert "3 of 4 guests could move" in answer.out
    assert "passthrough" in answer.out
    rows = json.loads(balancer("compat", "--from", racks, "--format", "json").out)["guests"]
    assert [row["guest"] for row in rows] == ["gpu", "x", "y", "z"]


def test_shrink_says_how_few(balancer: Terminal, hot: Path) -> None:
    """What is emptied, the moves, and the least there could be; with a loss to be survived, too."""
    answer = balancer("capacity", "shrink", "--from", hot)
    assert answer.code == 0
    assert "carry what runs" in answer.out
    found = json.loads(
        balancer("capacity", "shrink", "--hosts-lost", "1", "--from", hot, "--format", "json").out
    )["found"]
    assert found["at_least"] <= found["needed"] <= found["used"]


def test_trend_needs_days(balancer: Terminal, hot: Path, tmp_path: Path) -> None:
    """Without a past it says how to get one; with one, when it runs out and of what."""
    answer = balancer("capacity", "trend", "--from", hot)
    assert answer.code == 3
    assert "balancer backfill" in answer.err
    file = tmp_path / "past.json"
    file.write_text(dump_observation(with_past("a 16c/64g : x 4v/8g cpu=2", steps=6 * 288)))
    answer = balancer("capacity", "trend", "--from", file)
    assert answer.code == 0, answer
    assert "cpu: " in answer.out
    assert "6 days" in answer.out


def test_a_size_that_is_none_is_said_before_any_host_is_asked(balancer: Terminal) -> None:
    """Hosts that nobody can reach do not hide what was typed wrongly."""
    for verb in ("fit", "where"):
        answer = balancer("capacity", verb, "--guest", "16", "--from", "nothing.json")
        assert answer.code == 3
        assert 'as "16c/64g", not "16"' in answer.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--guest", "big"), 'give vCPUs and memory as "16c/64g", not "big"'),
        (("--guest", "4c/lots"), '--guest: "4c/lots": memory must be'),
        (("--guest", "4c/4g", "--network", "wan"), "no host offers it; there are lan"),
        (("--guest", "4c/4g", "--storage", "ceph"), "no host offers it; there are none"),
        (("--guest", "4c/4g", "--spread", "room"), "no host has this label; there are rack"),
    ],
)
def test_what_was_asked_wrongly_is_said(
    balancer: Terminal, racks: Path, words: tuple[str, ...], told: str
) -> None:
    """One sentence naming the option, and 3."""
    answer = balancer("capacity", "fit", *words, "--from", racks)
    assert answer.code == 3
    assert told in answer.err


@pytest.fixture
def sized(tmp_path: Path) -> Path:
    """One guest with ten days of idling in four vCPUs and 20 GiB, one that is known for an hour."""
    seen = with_past("a 16c/64g : idle 4v/20g cpu=0.5 used=2 | busy 4v/8g cpu=3.5", steps=2880)
    (tmp_path / "sized.json").write_text(dump_observation(seen))
    return tmp_path / "sized.json"


def test_rightsize_says_what_to_set_and_what_it_risks(balancer: Terminal, sized: Path) -> None:
    """A table of those that are far off, what it frees, and by which memory."""
    answer = balancer("rightsize", "--from", sized)
    assert answer.code == 0, answer
    assert "2 of 2 guests far from what they want" in answer.out
    assert "4 → 1" in answer.out
    assert "resident on the host" in answer.out
    told = json.loads(balancer("rightsize", "--from", sized, "--json", "--guests", "idle").out)
    assert told["format"] == "balancer-rightsize/1"
    (idle,) = told["guests"]
    assert idle["vcpus"]["set"] == 1
    assert told["frees"]["vcpus"] == 3
    assert told["frees"]["memory"] == idle["memory"]["now"] - idle["memory"]["set"]


def test_rightsize_is_honest_about_too_little(balancer: Terminal, racks: Path) -> None:
    """No past, no size; a pattern that matches nobody is a slip."""
    answer = balancer("rightsize", "--from", racks)
    assert answer.code == 0, answer
    assert "Too little is known" in answer.out
    assert balancer("rightsize", "--from", racks, "--guests", "zzz").code == 3


def test_the_common_processor_is_told(balancer: Terminal, tmp_path: Path) -> None:
    """From a saved observation: named models, and whom one of them would free."""
    text = "a 8c/8g models=X,Y : x 1v/1g model=Y\nb 8c/8g models=X :"
    answer = balancer("compat", "--baseline", "--from", saved(tmp_path / "o.json", text))
    assert answer.code == 0, answer
    assert "x would become movable" in answer.out
    assert "Named models that all offer: X." in answer.out
    told = balancer("compat", "--baseline", "--from", tmp_path / "o.json", "--format", "json")
    assert json.loads(told.out)["processors"][0]["kept"] == ["x"]
