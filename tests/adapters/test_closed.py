"""Hosts that are closed to placement stay so, whoever dies, and a damaged file closes nothing silently."""

from pathlib import Path

import pytest

from balancer.adapters.closed import ClosedHosts, Closure
from balancer.ports import UsageError


def test_what_is_closed_is_known_until_it_is_opened(tmp_path: Path) -> None:
    """Who was there first is kept; another reader sees the same."""
    path = tmp_path / "state" / "closed.json"
    closed = ClosedHosts(path)
    assert closed.known() == {}
    first = Closure(1.0, "alice", {"u-1": "web-1"})
    closed.close("a", first)
    closed.close("a", Closure(2.0, "bob", {}))
    closed.close("b", Closure(3.0, "bob", {}))
    assert ClosedHosts(path).known()["a"] == first
    assert closed.open("a") == first
    assert closed.open("a") is None
    assert set(closed.known()) == {"b"}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"x"', '{"format": "balancer-closed/2", "hosts": {}}', "\x00\xff",
     '{"format": "balancer-closed/1", "hosts": []}',
     '{"format": "balancer-closed/1", "hosts": {"a": {}}}',
     '{"format": "balancer-closed/1", "hosts": {"a": {"since": "x", "by": 1, "guests": {}}}}',
     '{"format": "balancer-closed/1", "hosts": {"a": {"since": 1, "by": 1, "guests": []}}}'],
)  # fmt: skip
def test_a_damaged_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    """Nothing is taken for open because a file cannot be read, nor written over it."""
    path = tmp_path / "closed.json"
    path.write_text(text)
    for act in (
        ClosedHosts(path).known,
        lambda: ClosedHosts(path).close("a", Closure(1.0, "x", {})),
        lambda: ClosedHosts(path).open("a"),
    ):
        with pytest.raises(UsageError, match=r"closed\.json cannot be read"):
            act()
    assert path.read_text() == text
