"""What each guest is expected to use over the horizon."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from balancer.planner.model.resources import Resources


@dataclass(frozen=True, slots=True)
class Demand:
    """Forecast usage by guest uuid: millicores, MiB, KiB/s.

    `scenarios` are joint futures (each a full map of guest to resources), so that "these
    peak together" can be seen; empty where only mean and peak are known.
    """

    mean: Mapping[str, Resources]
    peak: Mapping[str, Resources]
    """The quantile that capacity is held against."""
    basis: Mapping[str, str] = field(default_factory=dict)
    """How each guest's memory was understood: `rss`, `balloon`, `guest-used`, `allocation`."""
    unknown: frozenset[str] = frozenset()
    """Guests without trustworthy data: they stay, and weigh as their allocation."""
    blind: frozenset[str] = frozenset()
    """Hosts with a guest of which neither the present nor the past is known. What such a host
    bears cannot be said, so its load is no reason to take a guest off it, or to bring one."""
    changing: frozenset[str] = frozenset()
    """Guests whose newest reading is far from what they were wont to use, and has not lasted yet:
    they weigh as they were wont, and are not moved for load."""
    partial: bool = False
    """True if too much is unknown to say what the cluster uses on the whole."""
    scenarios: tuple[Mapping[str, Resources], ...] = ()
    recent: tuple[Mapping[str, Resources], ...] = ()
    """What guests used in the latest steps, oldest first, as far back as heat must have lasted;
    empty where nothing is known of the past."""
    dirty_mib_s: Mapping[str, int] = field(default_factory=dict)
    """Memory dirtied per second, for the guests where it is known."""
    pressed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Hosts on which tasks wait too long, for as long as heat must last: names by resource."""
    delay: Mapping[str, int] = field(default_factory=dict)
    """vCPU time ready but not running lately, millicores, for the guests where it is known."""
    wanted: Mapping[str, int] = field(default_factory=dict)
    """CPU that guests want on average, what waits of it included, millicores: of those of which
    `mean`, `peak` and `delay` tell less, since the rest of it may wait (`model.terms`)."""
    used: Mapping[str, int] = field(default_factory=dict)
    """CPU that these same guests use on average, whether it counts or not, millicores."""
    busiest: Mapping[str, int] = field(default_factory=dict)
    """The most CPU used within a table's `idle`, millicores: of the guests that have vCPUs plugged
    while they ran, and of which it is known (`model.busy`)."""
    working: Mapping[str, int] = field(default_factory=dict)
    """Memory that guests work with, MiB: of those from which some may be taken (`model.spare`)."""
    resident: Mapping[str, int] = field(default_factory=dict)
    """Memory that these same guests use of their hosts, whether they need it or not, MiB."""
