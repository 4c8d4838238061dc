"""`balancer abort`: stops what is in flight and lets nothing more start, whoever began it."""

import getpass

import click

from balancer import config, service
from balancer.adapters.freeze import freeze
from balancer.adapters.stand_in import SilentTelemetry
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.planner.model.plan import Result
from balancer.ports import Refused
from balancer.render.outcomes import outcomes as outcomes_text
from balancer.wiring import ports_for

LEFT = 5


@click.command("abort")
@common
@click.pass_obj
def command(session: Session) -> int:
    """Abort every move in flight that we began, and freeze: each guest stays where it was.

    Needs no planner to be alive: hypervisors are asked directly, for what the journal says was
    begun. `balancer unfreeze` lets moves start again. Ends with 5 if a move was done meanwhile.
    """
    screen = Screen(session)
    configuration = config.load(session.config)
    by = getpass.getuser()
    freeze(configuration.freeze_path, None, f"by {by}: balancer abort")
    ports = ports_for(configuration, SilentTelemetry(), read_only=False)
    ended = service.abort(ports, "the operator stopped it")
    try:
        service.resume(ports)
    except Refused as living:  # it tells its own journal how its moves ended
        screen.warn([str(living)])
    screen.document("outcomes", outcomes=ended)
    screen.show(outcomes_text(ended) if ended else "Nothing was in flight.")
    screen.hint("Frozen: nothing more is started. balancer unfreeze ends it.")
    return LEFT if any(o.result is Result.DONE for o in ended) else 0
