"""The service's own metrics, for Prometheus: made from what the journal keeps, served over HTTP."""

from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    start_http_server,
)

from balancer.ports import Event, UsageError

STAGES: Final = ("look", "plan", "act")
RESULTS: Final = ("done", "failed", "aborted", "stalled", "refused", "lost")
MIB: Final = 2**20
CYCLE: Final = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300)
"""Seconds."""
PAUSE: Final = (0.01, 0.03, 0.1, 0.3, 1, 3)
RATIO: Final = (0.5, 0.8, 0.9, 1.0, 1.1, 1.25, 1.6, 2, 4)
KEPT: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 1)


class Meters:
    """Hears the journal (`service.hearing`). Counts begin with the service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        known: dict[str, Any] = {"registry": self.registry, "namespace": "balancer"}
        Info("build", "Which version runs.", **known).info({"version": version("balancer")})
        self._stage = Histogram(
            "cycle_seconds",
            "How long each stage of a cycle took.",
            ["stage"],
            buckets=CYCLE,
            **known,
        )
        self._cycles = Counter("cycles", "Cycles that were finished.", **known)
        self._last = Gauge(
            "last_cycle_timestamp_seconds", "When the last cycle was finished.", **known
        )
        self._moves = Counter("moves", "Moves by how they ended.", ["outcome"], **known)
        self._sent = Counter("moved_bytes", "Memory sent by moves.", **known)
        self._took = Counter("move_seconds", "What moves that arrived took.", **known)
        self._foretold = Counter(
            "move_predicted_seconds", "What the same moves were predicted to take.", **known
        )
        self._ratio = Histogram(
            "move_duration_ratio", "Real over predicted length of moves that arrived.",
            buckets=RATIO, **known,
        )  # fmt: skip
        self._pause = Histogram(
            "move_pause_seconds", "How long guests stood still at the end.", buckets=PAUSE, **known
        )
        for stage in STAGES:
            self._stage.labels(stage)
        for result in RESULTS:
            self._moves.labels(result)
        self._of_quality(known)
        self._of_promises(known)
        self._of_the_service(known)

    def _of_quality(self, known: Mapping[str, Any]) -> None:
        self._error = Gauge(
            "forecast_error_ratio", "How far hosts were from what the last cycle expected of them.",
            ["statistic"], **known,
        )  # fmt: skip
        self._guests = Gauge(
            "guests", "Guests by whether their data is believed.", ["data"], **known
        )
        self._unseen = Gauge("hosts_unseen", "Configured hosts that did not answer.", **known)
        self._hot = Gauge("hosts_hot", "Hosts that ask to be relieved.", **known)
        self._doubts = Gauge("data_doubts", "Sentences of doubt about the data.", **known)

    def _of_promises(self, known: Mapping[str, Any]) -> None:
        self._promised = Counter(
            "waiting_promised_seconds", "Guests' waiting that measured plans promised to save.",
            **known,
        )  # fmt: skip
        self._realised = Gauge(
            "waiting_realised_seconds", "What the same plans saved; falls where one made it worse.",
            **known,
        )  # fmt: skip
        self._promises = Counter("promises", "Plans whose promise was measured.", **known)
        self._trust = Gauge(
            "model_trust_ratio", "Share of a promised saving that is believed.", **known
        )
        self._trust.set(1)

    def _of_the_service(self, known: Mapping[str, Any]) -> None:
        self._journal = Gauge(
            "journal_up", "1 if the last write to the journal succeeded.", **known
        )
        self._failures = Counter("journal_write_failures", "Writes that failed.", **known)
        self._kept = Histogram(
            "journal_write_seconds", "How long a write took.", buckets=KEPT, **known
        )
        self._frozen = Gauge("frozen", "1 while a brake stops all action.", **known)
        self._blocked = Gauge(
            "blocked", "1 while something is wrong and nothing can be done.", **known
        )
        self._stood = Gauge(
            "stood_back", "1 while the service does not act for its guards.", **known
        )
        self._halts = Counter("halts", "How often the service stopped itself.", **known)
        self._told = Counter(
            "notifications", "Notifications by what they were about and what became of them.",
            ["notice", "outcome"], **known,
        )  # fmt: skip
        self._journal.set(1)

    def hear(self, event: Event) -> None:
        """Count what the event tells; never raises."""
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            match event.kind:
                case "cycle":
                    self._cycle(event.at, event.data)
                case "ended" | "refused":
                    self._ended(event.data)
                case "realised":
                    self._kept_promise(event.data)
                case "halted":
                    self._halts.inc()
                case _:
                    pass

    def kept(self, seconds: float, *, well: bool) -> None:
        """Note a write to the journal."""
        self._journal.set(int(well))
        if well:
            self._kept.observe(seconds)
        else:
            self._failures.inc()

    def told(self, notice: str, *, well: bool) -> None:
        """Note a notification."""
        self._told.labels(notice, "sent" if well else "failed").inc()

    def serve(self, address: str, port: int) -> int:
        """Serve /metrics there from now on; return the port. Raises UsageError if it is taken."""
        try:
            server, _ = start_http_server(port, address, self.registry)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"metrics cannot be served on {address}:{port}: {why}; "
                "choose another with `metrics` in config.toml"
            ) from None
        return int(server.server_port)

    def _cycle(self, at: float, data: Mapping[str, Any]) -> None:
        self._cycles.inc()
        self._last.set(at)
        for stage, seconds in data.get("seconds", {}).items():
            self._stage.labels(stage).observe(seconds)
        for statistic, share in data.get("score", {}).items():
            if statistic in {"median", "worst"}:
                self._error.labels(statistic).set(share)
        self._hot.set(len(data.get("hot", ())))
        self._unseen.set(len(data.get("unseen", ())))
        self._doubts.set(len(data.get("doubts", ())))
        self._frozen.set(bool(data.get("frozen")))
        self._blocked.set(bool(data.get("blocked")))
        self._stood.set(bool(data.get("stood_back")))
        self._trust.set(data.get("trust", 1.0))
        unknown = data.get("unknown", 0)
        self._guests.labels("unknown").set(unknown)
        self._guests.labels("known").set(data.get("guests", unknown) - unknown)

    def _ended(self, data: Mapping[str, Any]) -> None:
        outcome = data["outcome"]
        self._moves.labels(outcome["result"]).inc()
        self._sent.inc(outcome["mib"] * MIB)
        if outcome["result"] != "done":
            return
        predicted = outcome["action"]["predicted"]["seconds"]
        took = outcome["ended"] - outcome["started"]
        self._took.inc(max(0.0, took))
        self._foretold.inc(predicted)
        self._ratio.observe(took / max(predicted, 0.001))
        if outcome["downtime_ms"] is not None:
            self._pause.observe(outcome["downtime_ms"] / 1000)

    def _kept_promise(self, data: Mapping[str, Any]) -> None:
        promise = data["promise"]
        self._promises.inc()
        self._promised.inc(max(0.0, promise["promised"]))
        self._realised.inc(promise["realised"])
