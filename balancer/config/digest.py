"""One short word for what a policy says, so that two plans can be told to come of the same one."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from typing import Any, Final, cast

from balancer.planner.model.policy import Policy

DIGITS: Final = 8


def digest(policy: Policy) -> str:
    """Return the first hex digits of the hash of what the policy means.

    Comments, order of keys, units and the file's name do not matter: only what was read.
    """
    said = _plain(policy)
    assert isinstance(said, dict)  # noqa: S101 - a policy is a dataclass
    for name in ("name", "digest"):
        del said[name]
    return sha256(repr(said).encode()).hexdigest()[:DIGITS]


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        said = {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
        return {"": type(value).__name__, **said}
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        return {key: _plain(table[key]) for key in sorted(table)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, float) else value
