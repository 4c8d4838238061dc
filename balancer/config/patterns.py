"""Is a selector's pattern well formed? What it matches is only known when the cluster is seen."""

import re
from difflib import get_close_matches
from typing import Final

from balancer.planner.model.selector import GUEST_KINDS, HOST_KINDS

KIND: Final = re.compile(r"([A-Za-z_]+):(.*)", re.DOTALL)


def check_pattern(pattern: str, *, hosts: bool) -> str:
    """Return what is wrong with the form of `pattern`, or nothing."""
    bare = pattern.removeprefix("!")
    if not bare.strip():
        return 'an empty pattern matches nothing; "*" means all'
    match = KIND.fullmatch(bare)
    if match is None:
        return ""
    kinds = HOST_KINDS if hosts else GUEST_KINDS
    kind, rest = match[1], match[2]
    if kind in kinds:
        return "" if rest else f'"{kind}:" needs something after the colon'
    if hosts and kind in GUEST_KINDS:
        return f'"{kind}:" chooses guests; hosts are chosen by name or by "label:key=value"'
    near = get_close_matches(kind.lower(), kinds, n=1)
    return f'"{kind}:" is no kind of pattern; did you mean "{near[0]}:"?' if near else ""
