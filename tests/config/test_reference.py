"""The reference that operators read is what the code does."""

from pathlib import Path

from balancer.config.reference import BEGIN, configuration, reference
from balancer.planner.objectives.stability import FIXED_MIB, POINTS_PER_GIB

README = Path(__file__).parents[2] / "policies/README.md"


def test_the_readme_holds_the_reference_of_this_code() -> None:
    """Stale? Put what `python -m balancer.config.reference` prints below the mark."""
    _, _, below = README.read_text().partition(BEGIN)
    assert BEGIN + below == reference()


def test_amounts_are_shown_with_units() -> None:
    """As an operator would write them."""
    text = reference()
    assert '| `pause_at_most` | duration, as `"300ms"` | `"300ms"` |' in text
    assert '`"300GiB"`' in text
    assert "| `keep_for_hypervisor` |" in text


def test_every_shipped_policy_is_listed() -> None:
    """The readme names each file beside it."""
    for path in README.parent.glob("*.toml"):
        assert f"({path.name})" in README.read_text()


def test_the_configuration_reference_is_what_the_code_says() -> None:
    """Stale? Run `python -m balancer.config.reference configuration > docs/configuration.md`."""
    assert (README.parents[1] / "docs/configuration.md").read_text() == configuration()


def test_every_key_of_the_configuration_has_a_unit_a_default_and_a_sentence() -> None:
    """No cell of any table is empty."""
    for line in configuration().splitlines():
        if line.startswith("| `"):
            assert all(cell.strip() for cell in line.strip("|").split("|")), line


def test_the_prices_of_aggressiveness_are_those_of_the_code() -> None:
    """Points for each GiB, and for a move of 8 GiB."""
    text = README.read_text()
    for level, points in POINTS_PER_GIB.items():
        move = points * (8 * 1024 + FIXED_MIB) // 1024
        assert f"| {level} | {points} | {move} |" in text
