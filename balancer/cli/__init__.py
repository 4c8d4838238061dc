"""The verbs. Each lives in a module of its own that is imported when it is called, not before.

Exit codes: 0 done, or nothing to do; 2 infeasible or refused; 3 usage, input or environment
fault; 4 the dry run found moves (`plan --exit-code`); 5 some moves failed or were stopped; 70
internal fault. A verb that only reads and is interrupted ends with 130, as a shell expects.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Final, NamedTuple, NoReturn

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from balancer.cli.options import Session, common

INTERNAL_FAULT: Final = 70
USAGE: Final = 3
INTERRUPTED: Final = 130
CUT_OFF: Final = 141
"""As of any program whose reader went away: 128 and SIGPIPE. Never 0, which says that all is well."""


class Verb(NamedTuple):
    """Where a verb lives, and what the list of verbs says of it."""

    module: str
    about: str


VERBS: Final[Mapping[str, Verb]] = {
    "doctor": Verb("doctor", "Check hosts, trust, storage and guests; changes nothing."),
    "observe": Verb("observe", "Write the cluster down as one JSON document."),
    "check-metrics": Verb("check_metrics", "Say what is measured, of whom, and what is missing."),
    "backfill": Verb("backfill", "Fetch the past from Prometheus into the history, once."),
    "forecast": Verb("forecast", "Draw what a guest used and what it is expected to use."),
    "plan": Verb("plan", "Say what would move, in which order and why; changes nothing."),
    "apply": Verb("apply", "Judge a plan against the cluster as it is, ask, and migrate."),
    "check": Verb("check", "Judge a saved plan again; no solver takes part."),
    "capacity": Verb("capacity", "Say what the cluster could bear: guests, losses, drains."),
    "compat": Verb("compat", "Draw which guest could run on which host, and say why not."),
    "rightsize": Verb("rightsize", "Say which guests have far more or less than they want."),
    "export": Verb("export", "Write a plan as a script, playbook, table or picture."),
    "rules": Verb("rules", "List every rule, whom it concerns and where it is broken."),
    "serve": Verb("serve", "Look every interval, and do what the mode allows."),
    "status": Verb("status", "Say what the service does, and why nothing happens."),
    "approve": Verb("approve", "Let the service carry out the plan that waits."),
    "freeze": Verb("freeze", "Start no more moves, whatever else is broken."),
    "unfreeze": Verb("unfreeze", "Let moves start again."),
    "drain": Verb("drain", "Empty a host and close it to placement."),
    "undrain": Verb("undrain", "Open a drained host again, and bring its guests back."),
    "undo": Verb("undo", "Bring guests back to where they were before a plan."),
    "abort": Verb("abort", "Abort what is in flight, and freeze."),
    "history": Verb("history", "List what was decided and done."),
    "why": Verb("why", "Say why a guest or host was, or was not, acted upon."),
    "simulate": Verb("simulate", "Run the service over a simulated cluster."),
    "replay": Verb("replay", "Replay the past, or a trace, under this policy or another."),
    "tune": Verb("tune", "Propose thresholds by replaying your own past under others."),
    "demo": Verb("demo", "Relieve a hot host of a simulated cluster."),
    "completion": Verb("completion", "Print the completion script of a shell."),
    "version": Verb("version", "Print the versions of balancer and what it stands on."),
}


class LazyVerbs(click.Group):
    """A group that knows its commands by name, and imports one only when it runs."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:  # asked for options and for completion
            return None
        module = import_module(f"balancer.cli.{VERBS[cmd_name].module}")
        command = module.command
        assert isinstance(command, click.Command)  # noqa: S101 - a test holds every module to it
        return command

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        verbs = [
            CompletionItem(name, help=verb.about)
            for name, verb in VERBS.items()
            if name.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = get_close_matches(args[0], VERBS, 1)
            hint = f": did you mean {near[0]}?" if near else f": one of {', '.join(VERBS)}"
            raise click.UsageError(f"no verb {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.about) for name, verb in VERBS.items()])


@click.group(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="balancer", message="%(prog)s %(version)s")
@common
@click.pass_context
def balancer(ctx: click.Context) -> None:
    """Place and live-migrate the guests of plain libvirt hypervisors.

    Start with `balancer doctor`, then `balancer plan`: neither changes anything.
    """
    ctx.ensure_object(Session)


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code. Says every fault in one sentence on stderr."""
    try:
        answer = balancer.main(
            None if args is None else list(args), prog_name="balancer", standalone_mode=False
        )
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        return _say(_sentence(error), USAGE)
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted; nothing was changed", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has seen enough; the verb has not answered
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CUT_OFF
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _explained(error)
    return answer if isinstance(answer, int) else 0


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(run())


def _explained(error: Exception) -> int:
    from balancer.ports import BalancerError  # brings numpy: not for --help

    if isinstance(error, BalancerError):
        return _say(str(error), error.exit_code)
    with tempfile.NamedTemporaryFile(
        "w", prefix="balancer-fault-", suffix=".log", delete=False
    ) as log:
        log.write("".join(traceback.format_exception(error)))
    name = type(error).__name__
    return _say(f"internal fault ({name}): please report it with {log.name}", INTERNAL_FAULT)


def _sentence(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    return f"{text} (see {path} --help)" if path else text


def _say(sentence: str, code: int) -> int:
    shown = "".join(char if char.isprintable() else "�" for char in sentence)
    click.echo(f"balancer: {shown}", err=True)
    return code
