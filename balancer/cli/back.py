"""Brings guests to where an operator wants them: shared by the verbs that lead back."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from balancer import config
from balancer.cli.apply import NOT_ALL, carry_out, confirm, finish_what_was_begun, may_change
from balancer.cli.decision import readable
from balancer.cli.options import Session
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.planner.model.plan import Action, Infeasible, Outcome, Result
from balancer.planner.model.resize import Resize
from balancer.planner.pipeline import back, towards
from balancer.ports import Refused
from balancer.render.outcomes import outcomes as outcomes_text

INFEASIBLE: Final = 2


def bring(  # noqa: PLR0913 - two of them are words
    session: Session,
    screen: Screen,
    homes: Mapping[str, str],
    why: str,
    verb: str,
    *,
    yes: bool,
    done: Sequence[Action] | None = None,
    resizes: tuple[Resize, ...] = (),
) -> int:
    """Plan the way to `homes` (host by uuid), have it judged, ask, and carry it out.

    Where it undoes a plan, `done` is what that did, in its order, and `resizes` give back what it
    changed of guests where they are.

    Returns the exit code. Raises Refused where nothing may be changed.
    """
    configuration = config.load(session.config)
    may_change(configuration)
    finish_what_was_begun(configuration, screen)
    sight = look(session, screen)
    if done is None:
        made = towards(sight.observation, sight.policy, homes, why)
    else:
        made = back(sight.observation, sight.policy, homes, done, why)
    if isinstance(made, Infeasible):
        raise Refused(f"there is no safe way back: {made.reason}")
    if resizes:
        made = replace(made, id=f"{made.id}-r", resizes=resizes, gives_back=True)
    screen.people.print(readable(made, screen, hosts=False))
    ended: tuple[Outcome, ...] = ()
    if made.actions or made.resizes:
        confirm(made, screen, yes=yes)
        by = f"{getpass.getuser()}, balancer {verb}"
        ended = carry_out(made, configuration, sight.policy, screen, by=by)
    screen.document("outcomes", plan=made, outcomes=ended)
    screen.show(outcomes_text(ended))
    whole = not made.left and all(outcome.result is Result.DONE for outcome in ended)
    return 0 if whole else NOT_ALL
