"""Where the laboratory keeps its things on this machine."""

from __future__ import annotations

import os
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
RUN = Path("/run/balancer-lab")
"""Hosts' private folders, sockets, logs and process ids, one folder per laboratory."""

DISKS = Path("/var/lib/balancer-lab")
"""Disk images: not under RUN, which is memory on many machines."""


def cache() -> Path:
    """Kernel, initramfs and other things that are built once per machine."""
    return Path(os.environ.get("BALANCER_LAB_CACHE", "/var/cache/balancer-lab"))
