"""What a host is configured to be: libvirt's files, names of its peers, storage and network."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

SHARED = "/srv/lab-shared"
LOCAL = "/srv/lab-local"
"""Storage pools as every host sees them; both paths exist everywhere, only one is the same."""

NETWORK = "guest"
NAMESPACE = uuid.UUID("2f7c7be5-77b1-4c52-9d1a-7a1b5c0f7e11")

LIBVIRTD_CONF = """\
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_rw_perms = "0700"
host_uuid = "{uuid}"
keepalive_interval = {interval}
keepalive_count = {count}
admin_keepalive_interval = -1
"""

QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
seccomp_sandbox = 0
security_driver = "none"
stdio_handler = "file"
clear_emulator_capabilities = 0
migration_host = "{name}-mig"
migration_address = "0.0.0.0"
keepalive_interval = {interval}
keepalive_count = {count}
"""


def write(folder: Path, name: str, identity: str, keepalive: tuple[int, int], peers: int) -> None:
    """Write the files that shell/inside.sh puts in place, into the host's folder."""
    interval, count = keepalive
    values = {"uuid": identity, "name": name, "interval": interval, "count": count}
    (folder / "etc/libvirtd.conf").write_text(LIBVIRTD_CONF.format(**values))
    (folder / "etc/qemu.conf").write_text(QEMU_CONF.format(**values))
    names = ["127.0.0.1 localhost"]
    for index in range(1, peers + 1):
        names += [f"10.77.1.{index} h{index}", f"10.77.2.{index} h{index}-mig"]
    (folder / "hosts").write_text("\n".join(names) + "\n")


def define_resources(connection: Any) -> None:
    """Define the pools and the network that guests use; they start by themselves ever after."""
    for path in (SHARED, LOCAL):
        name = Path(path).name
        pool = connection.storagePoolDefineXML(
            f"<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"
        )
        pool.create()
        pool.setAutostart(1)
    network = connection.networkDefineXML(
        f"<network><name>{NETWORK}</name><forward mode='bridge'/>"
        f"<bridge name='br-{NETWORK}'/></network>"
    )
    network.create()
    network.setAutostart(1)
