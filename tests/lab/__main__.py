"""The laboratory by hand: ``python -m tests.lab up`` leaves it running for later commands."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from .binding import libvirt
from .cluster import Laboratory
from .demo import demo
from .guest import GuestSpec, Load
from .host import Host
from .image import image
from .network import LINKS
from .paths import RUN, cache
from .programs import unpack_missing
from .requirements import install_missing, missing, missing_packages

Verb = Callable[[argparse.Namespace], None]


def prepare(_: argparse.Namespace) -> None:
    """Install missing packages and build what guests boot from; nothing to do the second time."""
    if installed := install_missing():
        print("installed:", *installed)
        if libvirt is None and not missing_packages():  # only a new interpreter can import it
            again = [sys.executable, "-m", "tests.lab", "prepare"]
            os.execv(sys.executable, again)  # once: nothing is left to install then
    if lacks := missing():
        raise LookupError("the laboratory cannot run here:\n  " + "\n  ".join(lacks))
    built = image()
    if unpacked := unpack_missing():
        print("unpacked:", *unpacked)
    if not (cache() / "capabilities").exists():
        with Laboratory(1, name="lab-prepare"):
            pass  # has libvirt probe QEMU, and keeps the result
    print(f"ready: {built.kernel.parent.name}, {built.initramfs.parent.name} in {cache()}")


def up(asked: argparse.Namespace) -> None:
    """Bring up hosts, and guests spread over them, and leave them running."""
    if lacks := missing():
        raise LookupError("the laboratory cannot run here:\n  " + "\n  ".join(lacks))
    if (RUN / asked.lab / "state.json").exists() and any(
        host.is_on() for host in Laboratory.attach(asked.lab).hosts.values()
    ):
        raise LookupError(f"laboratory {asked.lab!r} is already up; take it down first")
    specs = [
        GuestSpec(f"g{n + 1}", host=f"h{n % asked.hosts + 1}", load=Load(set=16), disk=asked.disk)
        for n in range(asked.guests)
    ]
    begin = time.monotonic()
    lab = Laboratory(asked.hosts, specs, name=asked.lab)
    try:
        lab.up()
    except BaseException:
        lab.down()
        raise
    (RUN / asked.lab / "hosts.toml").write_text(lab.hosts_toml())
    print(f"{asked.hosts} hosts, {asked.guests} guests in {time.monotonic() - begin:.1f} s")
    print(f"hosts.toml for the product: {RUN / asked.lab / 'hosts.toml'}")
    status(asked)


def status(asked: argparse.Namespace) -> None:
    """Show hosts, cables and guests."""
    lab = Laboratory.attach(asked.lab)
    placement = lab.placement()
    for host in lab.hosts.values():
        guests = [name for name, hosts in placement.items() if host.name in hosts]
        cuts = [link for link in LINKS if host.wire.is_cut(host.index, link)]
        print(
            f"{host.name:4} {'on ' if host.is_on() else 'off'} "
            f"cpu {host.cpu_seconds():8.1f} s  memory {host.memory_bytes() >> 20:5} MiB  "
            f"{'cut: ' + ' '.join(cuts) + '  ' if cuts else ''}"
            f"{' '.join(sorted(guests)) or '-'}"
        )
        print(f"     virsh -c '{host.uri}'")
    for name, hosts in placement.items():
        if len(hosts) != 1:
            print(f"guest {name} runs on {hosts or 'no host'}")


def boot(asked: argparse.Namespace) -> None:
    """Add a guest."""
    lab = Laboratory.attach(asked.lab)
    lab.boot(GuestSpec(asked.guest, asked.host, disk=asked.disk, load=Load(**_knobs(asked.knobs))))
    status(asked)


def load(asked: argparse.Namespace) -> None:
    """Show or change what a guest does: dirty=MiB/s set=MiB cpu=percent io=KiB/s."""
    guest = Laboratory.attach(asked.lab).guest(asked.guest)
    now = guest.set_load(**_knobs(asked.knobs)) if asked.knobs else guest.load()
    print(" ".join(f"{name}={value:g}" for name, value in now.items()))


def console(asked: argparse.Namespace) -> None:
    """Sit at a guest's console (it takes the same orders: "dirty 5"); Ctrl-] leaves."""
    host = Laboratory.attach(asked.lab).guest(asked.guest).host()
    os.execvp("virsh", ["virsh", "-c", host.uri, "console", "--force", asked.guest])


def shell(asked: argparse.Namespace) -> None:
    """Run a shell, or a command, on a host, in its namespaces."""
    pid = Laboratory.attach(asked.lab)[asked.host].pid()
    if pid is None:
        raise LookupError(f"{asked.host} is off")
    os.execvp("nsenter", ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-C",
                          "--", *(asked.command or ["sh"])])  # fmt: skip


def migrate(asked: argparse.Namespace) -> None:
    """Move a guest."""
    guest = Laboratory.attach(asked.lab).guest(asked.guest)
    print(f"{guest.migrate(asked.host):.2f} s")


def shape(asked: argparse.Namespace) -> None:
    """Limit a host's link to so many Mbit/s; 0 takes the limit off."""
    Laboratory.attach(asked.lab)[asked.host].shape(asked.mbit or None, asked.link)


def cut(asked: argparse.Namespace) -> None:
    """Pull one of a host's cables."""
    Laboratory.attach(asked.lab)[asked.host].cut(asked.link)


def mend(asked: argparse.Namespace) -> None:
    """Plug one of a host's cables in again."""
    Laboratory.attach(asked.lab)[asked.host].mend(asked.link)


def on_host(method: str) -> Verb:
    """A verb that is just a method of a host."""

    def verb(asked: argparse.Namespace) -> None:
        getattr(Laboratory.attach(asked.lab)[asked.host], method)()

    verb.__doc__ = getattr(Host, method).__doc__
    return verb


def demonstrate(asked: argparse.Namespace) -> None:
    """Pile guests on one host and run the product (or another command; {folder} has its files)."""
    if lacks := missing():
        raise LookupError("the laboratory cannot run here:\n  " + "\n  ".join(lacks))
    sys.exit(demo(asked.command))


def hosts_toml(asked: argparse.Namespace) -> None:
    """Print the hosts as the product's hosts.toml."""
    print(Laboratory.attach(asked.lab).hosts_toml(), end="")


def down(asked: argparse.Namespace) -> None:
    """Take everything away, also what a killed run left behind."""
    lab = Laboratory(0, name=asked.lab)
    lab.down()
    if left := lab.leftovers():
        raise LookupError("still there:\n  " + "\n  ".join(left))


VERBS: dict[str, tuple[Verb, str]] = {
    "prepare": (prepare, ""),
    "up": (up, "--hosts --guests --disk"),
    "status": (status, ""),
    "boot": (boot, "--disk guest host knobs"),
    "load": (load, "guest knobs"),
    "console": (console, "guest"),
    "shell": (shell, "host command"),
    "migrate": (migrate, "guest host"),
    "shape": (shape, "--link host mbit"),
    "cut": (cut, "--link host"),
    "mend": (mend, "--link host"),
    "power-off": (on_host("power_off"), "host"),
    "power-on": (on_host("power_on"), "host"),
    "kill-libvirtd": (on_host("kill_libvirtd"), "host"),
    "restart-libvirtd": (on_host("restart_libvirtd"), "host"),
    "freeze": (on_host("freeze_libvirtd"), "host"),
    "thaw": (on_host("thaw_libvirtd"), "host"),
    "repair": (on_host("repair"), "host"),
    "demo": (demonstrate, "command"),
    "hosts-toml": (hosts_toml, ""),
    "down": (down, ""),
}
"""Verb to what it does and the arguments it takes."""

ARGUMENTS: dict[str, dict[str, Any]] = {
    "--hosts": {"type": int, "default": 3},
    "--guests": {"type": int, "default": 0},
    "--disk": {"choices": ("none", "shared", "local"), "default": "none"},
    "--link": {"choices": LINKS, "default": "mig"},
    "mbit": {"type": float},
    "knobs": {"nargs": "*", "metavar": "dirty=5"},
    "command": {"nargs": argparse.REMAINDER},
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    top.add_argument("--lab", default="lab", help="name; several can be up at once")
    verbs = top.add_subparsers(dest="verb", required=True)
    for name, (function, arguments) in VERBS.items():
        says = function.__doc__
        verb = verbs.add_parser(name, help=says, description=says)
        verb.set_defaults(function=function)
        for argument in arguments.split():
            verb.add_argument(argument, **ARGUMENTS.get(argument, {}))
    return top


def main() -> int:
    """Do what is asked; people get a sentence instead of a trace."""
    asked = parser().parse_args()
    try:
        asked.function(asked)
    except (LookupError, RuntimeError, OSError) as error:
        print(f"lab: {error.args[0] if error.args else error}", file=sys.stderr)
        return 1
    except Exception as error:
        if libvirt is None or not isinstance(error, libvirt.libvirtError):
            raise
        print(f"lab: libvirt: {error}", file=sys.stderr)
        return 1
    return 0


def _knobs(words: list[str]) -> dict[str, float]:
    known = vars(Load())
    knobs = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in known:
            raise LookupError(f"{word!r} is not one of {' '.join(f'{k}=N' for k in known)}")
        knobs[name] = float(value)
    return knobs


if __name__ == "__main__":
    sys.exit(main())
