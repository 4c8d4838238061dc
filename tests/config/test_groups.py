"""Groups files, and groups that name groups."""

from pathlib import Path

import pytest

from balancer.config.groups import load_groups
from balancer.planner.model.selector import Selector
from balancer.ports import UsageError


def write(folder: Path, text: str) -> Path:
    path = folder / "groups.toml"
    path.write_text(text)
    return path


def test_a_group_is_patterns_or_a_table(tmp_path: Path) -> None:
    """At the top of the file or under [groups]."""
    text = 'kafka = "kafka-*"\nboth = ["group:kafka", "!x"]\nnone = { guests = "y", may_be_empty = true }'
    groups = load_groups(write(tmp_path, text))
    assert groups == {
        "kafka": Selector(("kafka-*",)),
        "both": Selector(("group:kafka", "!x")),
        "none": Selector(("y",), may_be_empty=True),
    }
    assert load_groups(write(tmp_path, "[groups]\n" + text)) == groups


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('a = "group:b"\nb = ["group:c"]\nc = "!group:a"', 'a = "group:b": contains itself (a → b → c → a)'),
        ('kafka = "x"\na = "group:kafak"', 'there is no group "kafak"; did you mean kafka?'),
        ("a = 1", "a = 1: must be a string in quotes or a list of them"),
        ("a = []", "needs at least one pattern"),
        ("a = { guest = 'x' }", "a.guest: unknown key; did you mean guests?"),
        ("a = 'lable:x=y'", '"lable:" is no kind of pattern; did you mean "label:"?'),
        ("a = 'label:'", '"label:" needs something after the colon'),
        ("a = ['', 'b']", "an empty pattern matches nothing"),
        ("b = 'x'\n[groups]\na = 'x'", "b: unknown key; known are groups"),
    ],
)  # fmt: skip
def test_a_slip_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """Circles, unknown groups, wrong patterns."""
    with pytest.raises(UsageError) as caught:
        load_groups(write(tmp_path, text))
    assert said in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_colon_alone_makes_no_kind(tmp_path: Path) -> None:
    """libvirt allows colons in names."""
    assert load_groups(write(tmp_path, "a = 'tenant7:web-*'"))["a"].patterns == ("tenant7:web-*",)
