"""Dataclasses filled from tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from balancer.config.fields import build, keys, means_hosts, type_of
from balancer.config.keys import KEYS, resource_unit
from balancer.config.reading import Table
from balancer.planner.constraints import CONSTRAINTS
from balancer.planner.model.policy import Allow, Hot, Limits
from balancer.planner.model.resources import DIMENSIONS, Resources
from balancer.planner.objectives import OBJECTIVES
from balancer.ports import UsageError

SETTINGS: Mapping[str, type] = {"hot": Hot, "limits": Limits, "allow": Allow}
KINDS = {**SETTINGS, **OBJECTIVES, **CONSTRAINTS}
SOURCES = Path(__file__).parents[2] / "balancer"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A rule such as a later version may have."""

    room: Resources = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    note: str | None = None
    share: float | None = None
    strange: complex = 0j

    def __post_init__(self) -> None:
        if len(self.tags) > 1:
            raise ValueError("only one tag is allowed")


def table(**values: object) -> Table:
    return Table(Path("p.toml"), "sample", values)


def test_the_type_of_a_field_says_how_to_read_it() -> None:
    """Amounts by resource, lists of words, and what may be None."""
    room = {"memory": "8GiB", "cpu": 2, "disk": "1MiB/s", "hugepages-2048": 4}
    made = build(Sample, table(room=room, tags=["a"], note="x", share="50%"))
    assert made.room == {"memory": 8192, "cpu": 2000, "disk": 1024, "hugepages-2048": 4}
    assert (made.tags, made.note, made.share) == (("a",), "x", 0.5)


def test_what_a_class_refuses_is_a_usage_error() -> None:
    """A ValueError of the class is told with the table's name."""
    with pytest.raises(UsageError, match=r"p\.toml: sample: only one tag is allowed"):
        build(Sample, table(tags=["a", "b"]))
    with pytest.raises(UsageError, match=r"sample\.room\.ram = 1: unknown resource"):
        build(Sample, table(room={"ram": 1}))


def test_a_type_without_reading_is_a_mistake_of_ours() -> None:
    """Not the operator's: it must not look like theirs."""
    with pytest.raises(NotImplementedError, match=r"Sample\.strange"):
        build(Sample, table(strange=1))


@pytest.mark.parametrize("name", KINDS)
def test_every_key_can_be_read_and_is_explained(name: str) -> None:
    """Each key of each table has a sentence, and a type that can be written in TOML."""
    for key in keys(KINDS[name]):
        assert KEYS[key].sentence
        assert type_of(KINDS[name], key)


def test_every_setting_is_used() -> None:
    """A key is honoured somewhere outside of the configuration."""
    code = "\n".join(
        path.read_text()
        for path in SOURCES.rglob("*.py")
        if "config" not in path.parts and path.name != "policy.py"
    )
    unused = {
        entry.name
        for kind in SETTINGS.values()
        for entry in keys(kind).values()
        if f".{entry.name}" not in code
    }
    assert not unused


def test_every_resource_can_be_written() -> None:
    """Each dimension has the unit its amounts are written in."""
    assert all(resource_unit(name) for name in DIMENSIONS)
    assert resource_unit("hugepages-big") is None


def test_fields_of_hosts_are_told_by_their_name() -> None:
    """`hosts` chooses hosts, everything else guests."""
    assert [means_hosts(name) for name in ("hosts", "spare_hosts", "guests")] == [
        True,
        True,
        False,
    ]
