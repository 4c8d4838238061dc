"""Paths that a file names."""

from pathlib import Path

import pytest

from balancer.config.paths import is_file, named
from balancer.ports import UsageError


def test_names_are_relative_to_their_file(tmp_path: Path) -> None:
    """Unless they are not; a file need not be there."""
    assert named("x.toml", tmp_path) == tmp_path / "x.toml"
    assert named("/x.toml", tmp_path) == Path("/x.toml")
    assert named("~/x.toml", tmp_path) == Path.home() / "x.toml"


@pytest.mark.parametrize("text", ["x" * 300, "y/" * 3000, "~nobody-at-all/x", "a\0b"])
def test_what_can_be_no_path_is_one_sentence(tmp_path: Path, text: str) -> None:
    """Too long a name, too long a path, a home that is nobody's, a NUL."""
    with pytest.raises(UsageError, match="is no path") as caught:
        named(text, tmp_path)
    assert str(caught.value).isprintable()


def test_what_cannot_be_looked_at_is_no_file(tmp_path: Path) -> None:
    """Too long a name, for one."""
    assert not is_file(tmp_path / ("x" * 300))
    assert not is_file(tmp_path)
