"""Which guests or hosts a rule speaks of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.selector import EVERYTHING, Selector
from tests.drawing import draw, select

CLUSTER = draw(
    """
    a 1c/1g rack=r1 : web-1 1v/1g role=web | web-2 1v/1g
    b 1c/1g         : db-1 1v/1g role=db owner=nova
    """
)
GROUPS = {
    "webs": select("web-*"),
    "first": select("group:webs", "!*-2"),
    "me": select("group:me"),
}


def names(*patterns: str) -> set[str]:
    """Return the names of the guests that the patterns select."""
    return {CLUSTER.guest[u].name for u in select(*patterns).guests(CLUSTER, GROUPS)}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["web-*"], {"web-1", "web-2"}),
        (["label:role=web"], {"web-1"}),
        (["label:role"], {"web-1", "db-1"}),
        (["owner:*"], {"db-1"}),
        (["host:a"], {"web-1", "web-2"}),
        (["name:db-1"], {"db-1"}),
        (["meta:project=x"], set()),
        (["group:webs"], {"web-1", "web-2"}),
        (["group:first"], {"web-1"}),
        (["!web-*"], {"db-1"}),
        (["*", "!web-1"], {"web-2", "db-1"}),
        (["web-1", "db-*"], {"web-1", "db-1"}),
        ([], set()),
    ],
)
def test_patterns_select_guests(patterns: list[str], expected: set[str]) -> None:
    """A union of what is wanted less what is barred; bars alone start from everything."""
    assert names(*patterns) == expected


WORDS = ["web-1", "web-2", "db-1", "nobody", "*", "web-?", "owner:nova", "host:a", "uuid:x"]
WORDS += ["label:role=web", "label:role", "label:role=*", "label:no=web", "group:webs"]


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.booleans()), max_size=4))
def test_what_is_told_in_full_is_found_as_by_asking_everybody(
    drawn: list[tuple[str, bool]],
) -> None:
    """A pattern that no guest fits changes nothing but the way guests are looked for."""
    patterns = [f"!{word}" if barred else word for word, barred in drawn]
    everywhere = "no-such-*" if any(not barred for _, barred in drawn) else "!no-such-*"
    assert names(*patterns) == names(*patterns, everywhere) or not patterns


def test_uuids_select_guests() -> None:
    """Where names are not unique."""
    uuid = CLUSTER.guests[0].uuid
    assert names(f"uuid:{uuid}") == {"web-1"}


def test_groups_must_exist_and_not_contain_themselves() -> None:
    """Both are faults of the policy."""
    with pytest.raises(KeyError):
        names("group:nobody")
    with pytest.raises(ValueError, match="group me contains itself"):
        names("group:me")


def test_hosts_are_selected_by_name_and_label() -> None:
    """In the cluster's order."""
    assert select("b", "label:rack=r1").hosts(CLUSTER) == ("a", "b")
    assert select("!a").hosts(CLUSTER) == ("b",)
    assert EVERYTHING.hosts(CLUSTER) == ("a", "b")


def test_a_selector_is_said_as_it_was_written() -> None:
    """Patterns in order."""
    assert Selector(("a", "!b")).text == "a, !b"
