"""config.toml, hosts, groups and policies: TOML files to typed values.

Every fault is a UsageError of one sentence that names file, table, key and remedy.
"""

from balancer.config.check import check_selectors, chosen_guests
from balancer.config.groups import load_groups
from balancer.config.guards import Guards
from balancer.config.host import HostConfig
from balancer.config.installation import Config, Mode, load, policy_for
from balancer.config.policy import (
    LoadedPolicy,
    default_policy,
    load_policy,
    open_policy,
    overlaid,
    read_policy,
)
from balancer.config.search import find

__all__ = [
    "Config",
    "Guards",
    "HostConfig",
    "LoadedPolicy",
    "Mode",
    "check_selectors",
    "chosen_guests",
    "default_policy",
    "find",
    "load",
    "load_groups",
    "load_policy",
    "open_policy",
    "overlaid",
    "policy_for",
    "read_policy",
]
