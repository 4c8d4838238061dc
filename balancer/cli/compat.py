"""`balancer compat`: which guest could run where, and why not."""

from pathlib import Path

import click

from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.planner.capacity.baseline import answered, baselines
from balancer.planner.capacity.compat import matrix, obstacles
from balancer.planner.pipeline import assess
from balancer.render.capacity import compat, processors


@click.command("compat")
@click.option("--from", "source", type=FILE, help="A saved observation, not the hosts.")
@click.option("--policy", metavar="FILE", help="Instead of the configured policy.")
@click.option("--baseline", is_flag=True, help="The widest processor that all hosts can give.")
@common
@click.pass_obj
def command(
    session: Session,
    source: Path | None,
    policy: str | None,
    baseline: bool,  # noqa: FBT001 - click hands it over by name
) -> int:
    """Draw which guest could run on which host, and say what stands against it.

    Room is not looked at, only what must fit: processor, machine type, QEMU, networks, storage,
    devices, and what ties a guest to its host. With --baseline: which processor would free all
    guests that theirs keeps from some host; reckoned by libvirt where hosts can be asked.
    """
    screen = Screen(session)
    sight = look(session, screen, source, policy)
    if baseline:
        found = baselines(assess(sight.observation, sight.policy))
        if source is None:
            from balancer.wiring import common_processor

            said = {
                b.architecture: common_processor(sight.config, b.hosts, b.architecture)
                for b in found
            }
            found = answered(found, said)
        screen.document("baseline", processors=found)
        screen.show(processors(found))
        return 0
    rows = matrix(assess(sight.observation, sight.policy))
    screen.document("compat", guests=rows)
    hosts = [host.name for host in sight.observation.cluster.hosts]
    screen.show(compat(rows, hosts, obstacles(rows)))
    return 0
