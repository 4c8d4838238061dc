"""The reference that operators read is what the code does."""

from pathlib import Path

from balancer.config.reference import BEGIN, reference

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
