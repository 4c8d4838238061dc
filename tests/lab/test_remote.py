"""The documented ways to reach hypervisors over a network, tried as they stand in docs/operations.md."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cluster import Laboratory
from .command import run
from .guest import GuestSpec, Load
from .operator import Operator
from .requirements import missing

pytestmark = pytest.mark.soak

OPERATIONS = Path(__file__).resolve().parents[2] / "docs/operations.md"
NODE = "10.77.1.254"
ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work overlay /etc
cp -r "$0"/etc/. /etc/
sed -i "s|^root:x:0:0:root:[^:]*|root:x:0:0:root:$0|" /etc/passwd
exec "$@"
"""
"""A management node: the machine's programs, an /etc and a home of its own."""


@pytest.fixture(scope="module")
def two() -> Iterator[Laboratory]:
    """Two hosts, and an address for a management node on their network."""
    if lacks := missing():
        pytest.skip("; ".join(lacks))
    name = os.environ.get("BALANCER_LAB_NAME", "lab-test") + "-r"
    with Laboratory(2, name=name) as up:
        run(["ip", "-n", f"{name}-wire", "addr", "add", f"{NODE}/24", "dev", "mgmt"])
        yield up


@pytest.fixture
def node(two: Laboratory, tmp_path: Path) -> Operator:
    """An operator on the management node."""
    two.clear()
    home = tmp_path / "node"
    (home / "etc").mkdir(parents=True)
    shutil.copy(two["h1"].folder / "hosts", home / "etc/hosts")
    enter = ["nsenter", f"--net=/run/netns/{two.name}-wire", "unshare", "-m", "sh", "-c", ENTER]
    return Operator(two, tmp_path, [*enter, str(home)])


def documented(section: str, number: int, **names: str) -> str:
    """Return a block of shell commands of the manual, with other names for what it names."""
    text = OPERATIONS.read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    block = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[number]
    for old, new in names.items():
        block = block.replace(old, new)
    assert isinstance(block, str)
    return block


def moves_a_guest(node: Operator) -> None:
    """`doctor` finds no fault, and a guest that has to leave h1 is moved to h2."""
    found = node.run("doctor")
    assert found.code == 0, found
    moved = node.run("apply", "--now", "--yes")
    assert moved.code == 0, moved
    assert node.lab.placement() == {"web": ["h2"]}


AVOID = '[[avoid]]\nguests = "web"\nhosts = "h1"\n'


@pytest.mark.skipif(not shutil.which("certtool"), reason="needs certtool (gnutls-bin)")
def test_tls_with_the_documented_certificates(two: Laboratory, node: Operator) -> None:
    """Planner to hypervisors and hypervisor to hypervisor; a name that is not listed is kept out."""
    pki = node.folder / "pki"
    pki.mkdir()
    block = documented("TLS", 0, kvm001="h1", kvm002="h2", balancer="balancer stranger")
    block = block.replace(".mig", "-mig")
    subprocess.run(["sh", "-ec", block], cwd=pki, check=True, capture_output=True)
    for host in two.hosts.values():
        place = f"set -e; cd {pki}; mkdir -p /etc/pki/CA /etc/pki/libvirt/private; cp cacert.pem /etc/pki/CA/;" + "".join(
            f"cp {host.name}.pem /etc/pki/libvirt/{end}cert.pem;"
            f"cp {host.name}.key /etc/pki/libvirt/private/{end}key.pem;"
            for end in ("server", "client")
        )  # fmt: skip
        host.run("sh", "-c", place)
        conf = host.folder / "etc/libvirtd.conf"
        allowed = 'tls_allowed_dn_list = ["CN=balancer", "CN=h1", "CN=h2"]\n'
        conf.write_text(conf.read_text().replace("listen_tls = 0", "listen_tls = 1") + allowed)
        host.restart_libvirtd()
    tls = {"peer_uri": "qemu+tls://{name}/system"}
    hosts = {n: tls | {"uri": f"qemu+tls://{n}/system"} for n in two.hosts}
    node.configure(AVOID, **hosts)
    two.boot(GuestSpec("web", load=Load(set=8)))
    mine = node.folder / "node/etc/pki"
    (mine / "CA").mkdir(parents=True)
    (mine / "libvirt/private").mkdir(parents=True)
    shutil.copy(pki / "cacert.pem", mine / "CA/cacert.pem")
    for who in ("stranger", "balancer"):
        shutil.copy(pki / f"{who}.pem", mine / "libvirt/clientcert.pem")
        shutil.copy(pki / f"{who}.key", mine / "libvirt/private/clientkey.pem")
        if who == "stranger":
            refused = node.run("observe")
            assert refused.code == 3
            assert two.placement() == {"web": ["h1"]}
    moves_a_guest(node)


@pytest.mark.skipif(not shutil.which("sshd", path="/usr/sbin"), reason="needs openssh-server")
def test_ssh_with_the_documented_key_line(two: Laboratory, node: Operator) -> None:
    """A key that is good for libvirt alone: it moves guests, and runs no other command."""
    home = node.folder / "node"
    block = documented("SSH to the hypervisors", 0)
    block = re.sub(r"runuser -u balancer -- ", "", block).replace(" -o balancer -g balancer", "")
    block = block.replace("/var/lib/balancer", str(home)).replace("~/", f"{home}/")
    generate, scan = block.rsplit("\n", 2)[:2]
    subprocess.run(["sh", "-ec", generate], check=True, capture_output=True)
    there = documented("SSH to the hypervisors", 1)
    there = there.replace("/var/lib/balancer", "/run/balancer")
    for host in two.hosts.values():
        at = f"set -e; cd {home}/.ssh; ssh-keygen -q -A; mkdir -p /run/sshd; "
        host.run("sh", "-c", f"{at}\n{there}\nchown balancer: /run/balancer/.ssh/authorized_keys")
        conf = host.folder / "etc/libvirtd.conf"
        opened = conf.read_text().replace('rw_perms = "0700"', 'rw_perms = "0770"')
        conf.write_text(f'{opened}unix_sock_group = "balancer"\n')
        host.restart_libvirtd()
        host.run("/usr/sbin/sshd")
    scan = scan.replace("kvm001", "h1").replace("kvm002", "h2")
    subprocess.run([*node.through, "sh", "-ec", scan], check=True, capture_output=True)
    hosts = {n: {"uri": f"qemu+ssh://balancer@{n}/system"} for n in two.hosts}
    node.configure(AVOID, **hosts)
    two.boot(GuestSpec("web", load=Load(set=8)))
    moves_a_guest(node)
    tried = subprocess.run(
        [*node.through, "ssh", "-o", "BatchMode=yes", "balancer@h1", "id"],
        capture_output=True, input="", text=True, timeout=30, check=False,
    )  # fmt: skip
    assert "uid=" not in tried.stdout, "the key opens a shell"
    for host in two.hosts.values():
        keys = "/run/balancer/.ssh/authorized_keys"
        host.run("sed", "-i", "s/virt-ssh-helper qemu/virt-ssh-helper -r qemu/", keys)
    node.configure('[[avoid]]\nguests = "web"\nhosts = "h2"\n', **hosts)
    assert node.run("observe").code == 0
    assert node.run("apply", "--now", "--yes").code != 0
    assert two.placement() == {"web": ["h2"]}
