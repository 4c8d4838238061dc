"""What the service does, as structured log lines: for -v, and always under systemd."""

import logging
import os
import sys
from collections.abc import Sequence

import structlog

from balancer.planner.model.plan import Outcome, Plan
from balancer.ports import Progress, Telemetry

LEVELS = (logging.CRITICAL, logging.INFO, logging.DEBUG)
"""By how often -v was given."""


def configure(verbose: int) -> None:
    """Log JSON: under systemd to stdout, which is the journal; else to stderr if -v was given."""
    journal = under_systemd()
    level = LEVELS[min(max(verbose, int(journal)), len(LEVELS) - 1)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout if journal else sys.stderr),
        cache_logger_on_first_use=False,
    )


def under_systemd() -> bool:
    """True if what is written goes to the journal of the machine."""
    return "JOURNAL_STREAM" in os.environ and not sys.stdout.isatty()


class Logged:
    """Implements the port Telemetry: logs what it hears and hands it on."""

    def __init__(self, to: Telemetry) -> None:
        self._to = to
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

    def planned(self, plan: Plan) -> None:
        """Log the plan in figures."""
        self._log.info("planned", plan=plan.id, moves=len(plan.actions), summary=plan.summary)
        self._to.planned(plan)

    def progress(self, running: Sequence[Progress]) -> None:
        """Log each step, for -vv."""
        for step in running:
            self._log.debug(
                "progress",
                action=step.action,
                fraction=round(step.fraction, 3),
                mib_left=step.mib_left,
                note=step.note,
            )
        self._to.progress(running)

    def ended(self, outcome: Outcome) -> None:
        """Log how it went."""
        action = outcome.action
        self._log.info(
            "ended",
            action=action.id,
            guest=action.name,
            source=action.source,
            target=action.target,
            result=outcome.result.value,
            seconds=round(outcome.ended - outcome.started, 1),
            reason=outcome.reason,
        )
        self._to.ended(outcome)

    def note(self, sentence: str) -> None:
        """Log it."""
        self._log.info("note", text=sentence)
        self._to.note(sentence)
