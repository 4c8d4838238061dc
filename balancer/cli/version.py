"""`balancer version`: what is installed here."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import click

from balancer.cli.options import Session, common
from balancer.cli.screen import Screen

PARTS: Final = ("libvirt-python", "ortools", "numpy", "networkx")


@click.command("version")
@common
@click.pass_obj
def command(session: Session) -> None:
    """Print the versions of balancer and of what it stands on."""
    screen = Screen(session)
    known = {"balancer": version("balancer"), "python": platform.python_version()}
    known |= {part: _installed(part) for part in PARTS}
    screen.document("version", versions=known)
    for name, number in known.items():
        screen.show(f"{name} {number}")


def _installed(part: str) -> str:
    try:
        return version(part)
    except PackageNotFoundError:
        return "not installed"
