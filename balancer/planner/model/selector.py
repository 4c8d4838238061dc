"""Which guests or hosts a rule speaks of, as operators write it.

A pattern is a name glob, or `label:role=broker`, `group:kafka`, `uuid:…`, `owner:pacemaker`,
`meta:nova/project=x`, `host:kvm0*` (guests by where they run); `!` in front excludes.
Values may be globs. A selector is a union of its plain patterns less its excluded ones;
with exclusions alone it starts from everything.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from itertools import chain
from operator import attrgetter
from typing import Final, TypeVar

from balancer.planner.model.cluster import Cluster, Guest, Host

GUEST_KINDS = ("label", "group", "uuid", "owner", "meta", "host", "name")
HOST_KINDS = ("label", "name")
T = TypeVar("T")
_WILD: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Selector:
    """Patterns as written, in order."""

    patterns: tuple[str, ...]
    may_be_empty: bool = False

    @property
    def text(self) -> str:
        """The patterns as one phrase."""
        return ", ".join(self.patterns)

    def guests(self, cluster: Cluster, groups: Mapping[str, "Selector"]) -> tuple[str, ...]:
        """Return the uuids of the guests selected, sorted.

        Raises KeyError naming a `group:` that is not in `groups`, ValueError for groups that
        contain themselves.
        """
        selected = _guest_test(self, cluster, groups, ())
        return tuple(sorted({g.uuid for g in _candidates(self, cluster) if selected(g)}))

    def hosts(self, cluster: Cluster) -> tuple[str, ...]:
        """Return the names of the hosts selected, in the cluster's order."""
        selected = _combined((p, _host_test(p.removeprefix("!"))) for p in self.patterns)
        return tuple(host.name for host in cluster.hosts if selected(host))


EVERYTHING = Selector(("*",), may_be_empty=True)
NOBODY = Selector((), may_be_empty=True)


def split(pattern: str, kinds: tuple[str, ...]) -> tuple[str, str]:
    """Return (kind, rest) of a pattern without its `!`; a plain glob is of kind `name`."""
    kind, colon, rest = pattern.partition(":")
    return (kind, rest) if colon and kind in kinds else ("name", pattern)


# Patterns are taken apart once and then asked of every guest or host: a large policy over a large
# cluster asks millions of times.


def _combined(tests: Iterable[tuple[str, Callable[[T], bool]]]) -> Callable[[T], bool]:
    """Return whether a thing passes any wanted test (all pass where none is wanted), none barred."""
    each = list(tests)
    wanted = [test for pattern, test in each if not pattern.startswith("!")]
    barred = [test for pattern, test in each if pattern.startswith("!")]

    def selected(thing: T) -> bool:
        hit = any(test(thing) for test in wanted) if wanted else bool(barred)
        return hit and not any(test(thing) for test in barred)

    return selected


def _candidates(selector: Selector, cluster: Cluster) -> Iterable[Guest]:
    """Return those of the guests that `selector` may mean: few where it tells them in full.

    Hundreds of rules about a few guests each are read over tens of thousands of guests.
    """
    wanted = [pattern for pattern in selector.patterns if not pattern.startswith("!")]
    few = [_in_full(*split(pattern, GUEST_KINDS), cluster) for pattern in wanted]
    known = [guests for guests in few if guests is not None]
    return chain.from_iterable(known) if known and len(known) == len(few) else cluster.guests


def _in_full(kind: str, word: str, cluster: Cluster) -> Sequence[Guest] | None:
    """Return the guests of this very name, or label and value; None for what may mean others."""
    if _is_glob(word):
        return None
    if kind == "name":
        return cluster.named.get(word, ())
    key, equals, value = word.partition("=")
    return cluster.labelled.get((key, value), ()) if kind == "label" and equals else None


def _guest_test(
    selector: Selector, cluster: Cluster, groups: Mapping[str, Selector], within: tuple[str, ...]
) -> Callable[[Guest], bool]:
    return _combined(
        (p, _pattern_test(p.removeprefix("!"), cluster, groups, within)) for p in selector.patterns
    )


def _pattern_test(
    pattern: str, cluster: Cluster, groups: Mapping[str, Selector], within: tuple[str, ...]
) -> Callable[[Guest], bool]:
    kind, rest = split(pattern, GUEST_KINDS)
    if kind == "group":
        if rest in within:
            raise ValueError(f"group {rest} contains itself")
        return _guest_test(groups[rest], cluster, groups, (*within, rest))
    if kind in ("label", "meta"):
        return _pair_test(rest, attrgetter("labels" if kind == "label" else "metadata"))
    matches = _glob(rest)
    if kind == "host":
        return lambda guest: matches(cluster.placement[guest.uuid])
    word: Callable[[Guest], str] = attrgetter(kind)
    return lambda guest: bool(word(guest)) and matches(word(guest))


def _host_test(pattern: str) -> Callable[[Host], bool]:
    kind, rest = split(pattern, HOST_KINDS)
    if kind == "label":
        return _pair_test(rest, attrgetter("labels"))
    matches = _glob(rest)
    return lambda host: matches(host.name)


def _pair_test(pair: str, values: Callable[[T], Mapping[str, str]]) -> Callable[[T], bool]:
    """`key=glob`, or `key` alone for any value."""
    key, equals, glob = pair.partition("=")
    if not equals:
        return lambda thing: key in values(thing)
    matches = _glob(glob)
    return lambda thing: key in values(thing) and matches(values(thing)[key])


def _is_glob(pattern: str) -> bool:
    return not _WILD.isdisjoint(pattern)


def _glob(pattern: str) -> Callable[[str], bool]:
    """Return whether a text is what the glob means; a plain word is compared as it is."""
    if not _is_glob(pattern):
        return pattern.__eq__
    match = re.compile(translate(pattern)).match
    return lambda text: match(text) is not None
