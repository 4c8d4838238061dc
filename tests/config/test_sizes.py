"""Sizes of guests as operators write them."""

import pytest

from balancer.config.sizes import size_of_guest


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("16c/128g", (16, 128 * 1024)),
        ("4c/512m", (4, 512)),
        (" 2C / 1.5GiB ", (2, 1536)),
        ("96c/1t", (96, 1024 * 1024)),
    ],
)
def test_a_size_is_read(written: str, size: tuple[int, int]) -> None:
    """vCPUs, and memory in whatever unit, as MiB."""
    assert size_of_guest(written) == size


@pytest.mark.parametrize(
    "written", ["", "16", "0c/4g", "16c", "c/4g", "16c/", "16c/x", "16c/4", "1.5c/4g"]
)
def test_what_is_no_size_is_refused(written: str) -> None:
    """With what to write instead."""
    with pytest.raises(
        ValueError, match=r"give vCPUs and memory|memory must be|memory give a unit"
    ):
        size_of_guest(written)
