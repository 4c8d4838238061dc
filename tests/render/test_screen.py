"""The console on terminals that know no blocks or arrows."""

import io

import pytest

from balancer.render.hosts import hosts_now
from balancer.render.screen import console
from tests.render.test_hosts import LOADS


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_cannot_be_encoded_is_stood_in_for(encoding: str) -> None:
    """Bars become plain characters, cell for cell; unknown letters become question marks."""
    raw = io.BytesIO()
    screen = console(io.TextIOWrapper(raw, encoding=encoding))
    screen.print(hosts_now(LOADS[:1], []))
    screen.print("データ → b")
    screen.file.flush()
    lines = raw.getvalue().decode(encoding).splitlines()
    assert "###########  96 %" in lines[1]
    assert lines[2] == "??? > b"


def test_a_given_width_is_kept() -> None:
    """Elsewhere lines are 80 cells."""
    assert console(io.StringIO(), width=100).width == 100
    assert console(io.StringIO()).width == 80
