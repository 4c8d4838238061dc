"""The README's table of faults names tests that exist, and every row of the laboratory's own table."""

from __future__ import annotations

import re
from pathlib import Path

from .test_faults import FAULTS

HERE = Path(__file__).parent
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)(?:\[([^`]*)\])?`")


def test_every_fault_has_a_test_and_every_test_named_exists() -> None:
    """Renamed a test, added a fault? The table says so, too."""
    named = NAMED.findall((HERE / "README.md").read_text())
    assert len(named) > len(FAULTS)
    paths = [*HERE.parent.rglob("test_*.py"), *HERE.glob("test_*.py")]  # ours last: they count
    everywhere = {path.name: path.read_text() for path in paths}
    missing = [test for file, test, _ in named if f"def {test}(" not in everywhere.get(file, "")]
    assert not missing
    rows = {parameter for _, test, parameter in named if test == "test_a_fault_in_mid_transfer"}
    assert rows == FAULTS.keys()
