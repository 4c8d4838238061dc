"""Does a policy speak of guests, hosts and labels that exist? Known once the cluster is seen."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from balancer.config.fields import means_hosts, selectors
from balancer.config.groups import named_groups
from balancer.config.patterns import check_pattern
from balancer.config.reading import nearest
from balancer.planner.constraints.spread import Spread
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.policy import Constraint, Objective, Policy
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.selector import GUEST_KINDS, Selector, split
from balancer.ports import UsageError

WILD = str.maketrans("", "", "*?[]!")


def check_selectors(policy: Policy, cluster: Cluster) -> tuple[str, ...]:
    """Return a sentence for each selector that must match something and does not.

    Likewise for each label to spread across that no host has. Where hosts went unseen their guests are missing too: then these are doubts, not errors.
    """
    empty = frozenset(
        name
        for name, selector in policy.groups.items()
        if not selector.guests(cluster, policy.groups)
    )
    dead = [name for name in sorted(empty) if not policy.groups[name].may_be_empty]
    spoken: tuple[Constraint | Objective | Resizing, ...] = (
        *policy.constraints, *policy.objectives, *policy.resizes,
    )  # fmt: skip
    return (
        *(
            f"group {name}: {_nothing(policy.groups[name], cluster, policy, hosts=False)}"
            for name in dead
        ),
        *_consents(policy, cluster, empty),
        *(text for rule in spoken for text in _rule(rule, policy, cluster, empty)),
    )


def chosen_guests(patterns: Sequence[str], policy: Policy, cluster: Cluster) -> frozenset[str]:
    """Return the uuids of the guests that patterns of a command line mean. Raises UsageError."""
    for pattern in patterns:
        if fault := check_pattern(pattern, hosts=False):
            raise UsageError(f"--guests {pattern}: {fault}")
    selector = Selector(tuple(patterns))
    for name in named_groups(selector):
        if name not in policy.groups:
            hint = nearest(name, policy.groups) if policy.groups else ""
            raise UsageError(f'--guests: there is no group "{name}"{hint}')
    found = selector.guests(cluster, policy.groups)
    if not found:
        wanted = " ".join(patterns)
        hint = _suggestion(selector, cluster, policy, hosts=False)
        raise UsageError(f"--guests {wanted}: matches no guest{hint}")
    return frozenset(found)


def _consents(policy: Policy, cluster: Cluster, empty: frozenset[str]) -> Iterator[str]:
    for key, selector in selectors(policy.allow).items():
        found = selector.may_be_empty or selector.guests(cluster, policy.groups)
        if not found and not _only_groups(selector, empty):
            yield f"allow: {key}: {_nothing(selector, cluster, policy, hosts=False)}"


def _rule(
    rule: Constraint | Objective | Resizing,
    policy: Policy,
    cluster: Cluster,
    empty: frozenset[str],
) -> Iterator[str]:
    for key, selector in selectors(rule).items():
        hosts = means_hosts(key)
        found = selector.hosts(cluster) if hosts else selector.guests(cluster, policy.groups)
        if not found and not selector.may_be_empty and not _only_groups(selector, empty):
            yield f"{rule.label}: {key}: {_nothing(selector, cluster, policy, hosts=hosts)}"
    across = getattr(rule, "across", "host")
    labels = {label for host in cluster.hosts for label in host.labels}
    void = all(selector.may_be_empty for selector in selectors(rule).values())
    if across != "host" and across not in labels and not (void and isinstance(rule, Spread)):
        known = f"known are {', '.join(sorted({'host', *labels}))}"
        yield f'{rule.label}: across = "{across}": no host has this label; {known}'


def _only_groups(selector: Selector, empty: frozenset[str]) -> bool:
    """True if nothing but empty groups is named: they are reported, or may be empty, themselves."""
    wanted = [p for p in selector.patterns if not p.startswith("!")]
    return set(named_groups(Selector(tuple(wanted)))) <= empty and all(
        p.startswith("group:") for p in wanted
    )


def _nothing(selector: Selector, cluster: Cluster, policy: Policy, *, hosts: bool) -> str:
    patterns = ", ".join(f'"{pattern}"' for pattern in selector.patterns)
    what = "host" if hosts else "guest"
    hint = _suggestion(selector, cluster, policy, hosts=hosts)
    return f"{patterns} matches no {what}{hint}; correct it, or say may_be_empty = true"


def _suggestion(selector: Selector, cluster: Cluster, policy: Policy, *, hosts: bool) -> str:
    """Return the nearest name to the first pattern that has one."""
    for pattern in selector.patterns:
        kind, rest = split(pattern.removeprefix("!"), GUEST_KINDS)
        near = get_close_matches(
            rest.translate(WILD), _candidates(kind, cluster, policy, hosts=hosts), n=1, cutoff=0.5
        )
        if near:
            prefix = "" if kind == "name" else f"{kind}:"
            return f' (nearest: "{prefix}{near[0]}")'
    return ""


def _candidates(kind: str, cluster: Cluster, policy: Policy, *, hosts: bool) -> list[str]:
    owners: Iterable[object] = cluster.hosts if hosts else cluster.guests
    found: Iterable[str] = ()
    if kind == "label":
        found = (f"{k}={v}" for o in owners for k, v in getattr(o, "labels", {}).items())
    elif kind == "meta":
        found = (f"{k}={v}" for guest in cluster.guests for k, v in guest.metadata.items())
    elif kind == "group":
        found = policy.groups
    elif kind == "owner":
        found = (guest.owner for guest in cluster.guests)
    elif kind == "host" or hosts:
        found = (host.name for host in cluster.hosts)
    elif kind == "name":
        found = (guest.name for guest in cluster.guests)
    return sorted(set(found))
