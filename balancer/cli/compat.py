"""`balancer compat`: which guest could run where, and why not."""

from pathlib import Path

import click

from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.planner.capacity.compat import matrix, obstacles
from balancer.planner.pipeline import assess
from balancer.render.capacity import compat


@click.command("compat")
@click.option("--from", "source", type=FILE, help="A saved observation, not the hosts.")
@click.option("--policy", metavar="FILE", help="Instead of the configured policy.")
@common
@click.pass_obj
def command(session: Session, source: Path | None, policy: str | None) -> int:
    """Draw which guest could run on which host, and say what stands against it.

    Room is not looked at, only what must fit: processor, machine type, QEMU, networks, storage,
    devices, and what ties a guest to its host.
    """
    screen = Screen(session)
    sight = look(session, screen, source, policy)
    rows = matrix(assess(sight.observation, sight.policy))
    screen.document("compat", guests=rows)
    hosts = [host.name for host in sight.observation.cluster.hosts]
    screen.show(compat(rows, hosts, obstacles(rows)))
    return 0
