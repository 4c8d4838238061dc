"""Any PromQL store (Prometheus, Thanos, Mimir, VictoriaMetrics) as a source of measurements.

Only the newest interval is asked for, as instant vectors that the server aggregates, several
metrics to a query. What the client library leaves open is closed here: every request has a time
limit, is retried where that helps, its warnings of partial data are read, and whatever fails
becomes one sentence of ours.
"""

import json
import logging
import math
import re
from ast import literal_eval
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from prometheus_api_client.exceptions import PrometheusApiClientException
from prometheus_api_client.prometheus_connect import PrometheusConnect
from requests import RequestException, Response, Session
from requests.auth import AuthBase, HTTPBasicAuth
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import SSLError, Timeout
from typing_extensions import override
from urllib3.util import Retry

from balancer.config.prometheus import AT, PrometheusConfig
from balancer.config.secrets import check_key, read_secret
from balancer.planner.model.cluster import Cluster, Guest
from balancer.planner.model.observation import History, Sample
from balancer.planner.model.rollups import LARGEST, STEP, UNKNOWN, Block, Cells, Rollups
from balancer.ports import Measured, UsageError

NAME: Final = "prometheus"
MOST_TEXT: Final = 4000
"""Characters of one query: what stands in a URL must pass proxies that take 8 KiB."""
MOST_POINTS: Final = 250_000
"""Values that one query of the past may be answered with: about 140 MiB while they are read."""
MOST_AT_ONCE: Final = 5
"""Metrics in one query: one that fails takes few others with it."""
TRY_AGAIN: Final = (408, 429, 500, 502, 503, 504)
REMEDIES: Final[Mapping[int, str]] = {
    400: "see the PromQL template",
    401: "see token_file, or user and password_file",
    403: "see token_file, or user and password_file",
    404: "see that the address is that of its API, without /api/v1",
    422: "see the PromQL template",
}
LATEST: Final = 1e11
"""Seconds since the epoch: times beyond are no times."""
EXACT: Final = 53
"""Bits of an amount that is kept exactly wherever it is added up."""
TAIL: Final = 4096
"""Bytes at the end of an answer in which warnings stand."""
SHOWN: Final = 200
"""Characters of what a server says that are worth showing."""

TEMPLATES: Final = (400, 422)
"""HTTP codes by which a store says that it cannot do with the query itself."""

Labels = Mapping[str, str]
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # its retries are no news


class _BadQueryError(UsageError):
    """The store refuses the query itself: another one may well be answered."""


@dataclass(frozen=True, slots=True)
class _Series:
    """One line of an answer: what it is of, and its values."""

    metric: str
    labels: Labels
    values: Sequence[tuple[float, float]]
    """Moment and value; the moment is finite, the value may not be."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one piece of a backfill took."""

    queries: int = 0
    points: int = 0
    until: float = 0.0
    """Seconds since the epoch: how far back the past is known now."""


@dataclass(slots=True)
class _Matching:
    """Which guest a series is of, and which series are of none."""

    config: PrometheusConfig
    cluster: Cluster
    joined: Mapping[tuple[str, str], str]
    """(guest label, host label) to uuid, where the store tells it apart from the series."""
    unmatched: dict[str, str] = field(default_factory=dict)
    _known: dict[tuple[str, str], str | None] = field(default_factory=dict)
    _names: dict[str, list[Guest]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for guest in self.cluster.guests:
            self._names.setdefault(guest.name, []).append(guest)

    def host(self, label: str) -> str:
        """Return the name of the host that `label` means, or an empty string."""
        match = re.match(self.config.host_pattern, label)
        name = match.group(1) if match else ""
        short = name.split(".", 1)[0]
        return next((n for n in (name, short) if n in self.cluster.host), "")

    def guest(self, labels: Labels) -> str | None:
        """Return the uuid of the guest that a series is of, or None: `unmatched` says why."""
        key = (labels.get(self.config.guest_label, ""), labels.get(self.config.host_label, ""))
        if key not in self._known:
            found = self._find(*key)
            self._known[key] = found if found in self.cluster.guest else None
            if self._known[key] is None:
                self.unmatched["@".join(filter(None, key))] = found
        return self._known[key]

    def _find(self, guest: str, host_label: str) -> str:
        """Return a uuid, or why there is none."""
        if not guest:
            return f"its series carry no label {self.config.guest_label!r}"
        host = self.host(host_label)
        uuid = self.joined.get((guest, host_label), guest).lower()
        if uuid in self.cluster.guest:
            home = self.cluster.placement[uuid]
            return uuid if host in (home, "") else f"it runs on {home}, these are of {host}"
        named = self._names.get(guest, [])
        here = [g for g in named if not host or self.cluster.placement[g.uuid] == host]
        if len(here) == 1:
            return here[0].uuid
        if here:
            return f"{len(here)} guests bear that name: have the store tell hosts or uuids apart"
        if named:
            return f"it runs on {self.cluster.placement[named[0].uuid]}, these are of {host}"
        return "no guest of that uuid or name was seen"


class Prometheus:
    """Implements the port MetricSource."""

    name = NAME

    def __init__(self, config: PrometheusConfig) -> None:
        """Ask nothing yet. Raises UsageError if a file with a secret cannot be read."""
        self._config = config
        self._warnings: list[str] = []
        self._queries = 0
        session = _session(config, self._notice)
        self._client = PrometheusConnect(
            url=config.url,
            session=session,
            retry=Retry(
                total=config.retries,
                backoff_factor=0.2,
                status_forcelist=TRY_AGAIN,
                allowed_methods=None,
                raise_on_status=False,
            ),
            timeout=math.ceil(config.timeout),
        )

    def measure(self, cluster: Cluster, at: float) -> Measured:
        """Return the newest interval of every guest and host. Raises UsageError."""
        self._warnings, self._queries = [], 0
        matching = self._matching(cluster)
        guests = self._ask(self._config.guests)
        hosts = self._ask(self._config.hosts)
        return Measured(
            source=NAME,
            history=History(
                self._samples(guests, lambda s: matching.guest(s.labels), at),
                self._samples(hosts, lambda s: self._host(matching, s.labels), at),
            ),
            unmatched=dict(sorted(matching.unmatched.items())),
            warnings=tuple(dict.fromkeys(self._warnings)),
            queries=self._queries,
        )

    def past(
        self, cluster: Cluster, since: float, until: float, step: int
    ) -> Iterator[tuple[str, str, Rollups, Cost]]:
        """Yield (guests or hosts, metric, means, cost) of a span, each metric by itself.

        Coarse on purpose: means over `step` seconds (a multiple of STEP), each standing for all of
        its five minutes. No query asks for more than about MOST_POINTS values: the span is cut.
        Raises UsageError.
        """
        begin = -(-int(since) // step) * step
        end = int(until) // step * step
        if end <= begin:
            return
        matching = self._matching(cluster)
        wide = max(1, MOST_POINTS // max(1, len(cluster.guests))) * step
        for first in range(begin, end, wide):
            yield from self._part(matching, first, min(end, first + wide), step)

    def _part(
        self, matching: _Matching, first: int, last: int, step: int
    ) -> Iterator[tuple[str, str, Rollups, Cost]]:
        """Yield what `past` does, of a span that is short enough."""
        kinds: tuple[tuple[str, Mapping[str, str], Callable[[_Series], str | None]], ...] = (
            ("guests", self._config.guests, lambda s: matching.guest(s.labels)),
            ("hosts", self._config.hosts, lambda s: self._host(matching, s.labels)),
        )
        for kind, templates, whose in kinds:
            for metric, template in templates.items():
                if metric == AT:
                    continue
                query = self._config.filled(template, step)
                found = self._range(metric, query, first + step, last, step)
                points = sum(len(series.values) for series in found)
                block = _block(found, whose, first, last, step)
                columns = (last - first) // STEP
                table = {metric: block} if block else {}
                means = Rollups(
                    first,
                    columns,
                    table if kind == "guests" else {},
                    table if kind == "hosts" else {},
                )
                yield kind, metric, means, Cost(1, points, float(first))

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _host(self, matching: _Matching, labels: Labels) -> str | None:
        label = labels.get(self._config.host_label, "")
        host = matching.host(label)
        if not host:
            matching.unmatched[label or "(no label)"] = "no host of that name was seen"
        return host or None

    def _matching(self, cluster: Cluster) -> _Matching:
        joined = {}
        if self._config.uuid:
            for series in self._instant(self._config.filled(self._config.uuid)):
                labels = series.labels
                key = (
                    labels.get(self._config.guest_label, ""),
                    labels.get(self._config.host_label, ""),
                )
                joined[key] = labels.get("uuid", "")
        return _Matching(self._config, cluster, joined)

    def _samples(
        self, found: Iterable[_Series], whose: Callable[[_Series], str | None], at: float
    ) -> Mapping[str, tuple[Sample, ...]]:
        values: dict[str, dict[str, int]] = {}
        times: dict[str, float] = {}
        for series in found:
            name = whose(series)
            amount = _amount(series.values[-1][1])
            if name is None or amount is None:
                continue
            if series.metric == AT:
                times[name] = min(max(0.0, series.values[-1][1]), LATEST)
            else:
                values.setdefault(name, {})[series.metric] = amount
        return {
            name: (
                Sample(
                    times.get(name, at), self._config.window, known, dict.fromkeys(known, NAME)
                ),
            )
            for name, known in values.items()
        }

    def _ask(self, templates: Mapping[str, str]) -> list[_Series]:
        """Return what the store says of every metric, in as few queries as may be.

        Where a query of several is refused each is asked alone: one bad template blinds nobody.
        What no other query would mend (nobody answers, nobody lets us in) is not asked again.
        """
        found: list[_Series] = []
        texts = {metric: self._config.filled(text) for metric, text in templates.items()}
        for batch in _batches(texts):
            try:
                found += self._instant(_together(batch))
            except _BadQueryError:
                for metric, text in batch.items():
                    found += self._alone(metric, text)
        return found

    def _alone(self, metric: str, text: str) -> list[_Series]:
        try:
            return self._instant(_together({metric: text}))
        except _BadQueryError as error:
            self._warnings.append(f"{metric}: {error}")
            return []

    def _instant(self, query: str) -> list[_Series]:
        with self._explained():
            self._queries += 1
            answer = self._client.custom_query(query, params=self._limits())
            return [_instant_series(item) for item in answer]

    def _range(self, metric: str, query: str, start: int, end: int, step: int) -> list[_Series]:
        with self._explained():
            self._queries += 1
            answer = self._client.custom_query_range(
                query,
                start_time=datetime.fromtimestamp(start, UTC),
                end_time=datetime.fromtimestamp(end, UTC),
                step=str(step),
                params=self._limits(),
            )
            return [_range_series(metric, item) for item in answer]

    def _limits(self) -> dict[str, str]:
        """Return parameters that have the server, too, give up in time."""
        return {"timeout": f"{self._config.timeout:g}s"}

    def _notice(self, answer: Response, *_: object, **__: object) -> None:
        """Keep the warnings of an answer: the client library drops them."""
        tail = answer.content[-TAIL:].decode(errors="replace")
        for kind in ("warnings", "infos"):
            if match := re.search(rf'"{kind}":(\[(?:"(?:[^"\\]|\\.)*",?)*\])', tail):
                said = json.loads(match.group(1)) if kind == "warnings" else []
                self._warnings += [_shortened(str(text)) for text in said]
        if '"isPartial":true' in tail + answer.content[:TAIL].decode(errors="replace"):
            self._warnings.append("the store says that its answer is partial")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn whatever goes wrong into one sentence of ours."""
        try:
            yield
        except Timeout:
            raise self._too_slow() from None
        except SSLError as error:
            raise self._fault(
                f"the TLS handshake failed: {_root(error)}", "see ca_file, cert_file and key_file"
            ) from None
        except NoConnection as error:
            if "timed out" in str(error):  # what is left of a time-out after retries
                raise self._too_slow() from None
            raise self._fault(f"cannot be reached: {_root(error)}", "see its address") from None
        except (LookupError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise self._fault(
                f"its answer is not what a PromQL store gives ({type(error).__name__})",
                "see that the address is its API",
            ) from None
        except RequestException as error:
            raise self._fault(f"the request failed: {_root(error)}", "see its address") from None
        except PrometheusApiClientException as error:
            code, said = _refusal(str(error))
            fault = self._fault(said, REMEDIES.get(code, "look at its log"))
            raise _BadQueryError(str(fault)) if code in TEMPLATES else fault from None

    def _too_slow(self) -> UsageError:
        limit = f"{self._config.timeout:g}"
        return self._fault(
            f"no answer within {limit} s", "give it more time (timeout) or ask for less"
        )

    def _fault(self, what: str, remedy: str) -> UsageError:
        return UsageError(f"prometheus at {self._config.url}: {_shortened(what)}: {remedy}")


class _Bearer(AuthBase):
    """Adds the token to each request: read anew, since tokens are rotated."""

    def __init__(self, config: PrometheusConfig) -> None:
        self._config = config

    @override
    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {_secret(self._config, 'token_file')}"
        return request


def _session(config: PrometheusConfig, notice: Callable[..., None]) -> Session:
    session = Session()
    session.trust_env = False  # a .netrc must not take the place of what is configured
    session.hooks["response"].append(notice)
    if config.ca_file:
        session.verify = str(config.ca_file)
    if config.cert_file:
        cert, key = str(config.cert_file), config.key_file
        if key:
            check_key(key, "prometheus.key_file")
        session.cert = (cert, str(key)) if key else cert
    if config.token_file:
        _secret(config, "token_file")
        session.auth = _Bearer(config)
    elif config.user:
        session.auth = HTTPBasicAuth(config.user, _secret(config, "password_file"))
    return session


def _secret(config: PrometheusConfig, key: str) -> str:
    return read_secret(getattr(config, key), f"prometheus.{key}")


def _batches(texts: Mapping[str, str]) -> Iterator[dict[str, str]]:
    batch: dict[str, str] = {}
    for metric, text in texts.items():
        size = sum(map(len, batch.values())) + len(text)
        if batch and (size > MOST_TEXT or len(batch) == MOST_AT_ONCE):
            yield batch
            batch = {}
        batch[metric] = text
    if batch:
        yield batch


def _together(batch: Mapping[str, str]) -> str:
    """Return one query of several; each answer says in a label which one it is of."""
    parts = (f'label_replace({text}, "metric", "{name}", "", "")' for name, text in batch.items())
    return " or ".join(parts)


def _instant_series(item: Mapping[str, Any]) -> _Series:
    labels = _labels(item["metric"])
    return _Series(labels.get("metric", ""), labels, (_point(item["value"]),))


def _range_series(metric: str, item: Mapping[str, Any]) -> _Series:
    return _Series(metric, _labels(item["metric"]), tuple(map(_point, item["values"])))


def _labels(given: Mapping[str, object]) -> Labels:
    """Return the labels that are words, as all are. Raises TypeError for anything but a table."""
    if not isinstance(given, dict):
        raise TypeError
    return {name: word for name, word in given.items() if isinstance(word, str)}


def _point(given: Sequence[Any]) -> tuple[float, float]:
    """Return a moment and a value. Raises ValueError, TypeError or OverflowError."""
    moment, value = given
    at = float(moment)
    if not 0 <= at < LATEST:
        raise ValueError
    return at, float(value)


def _amount(value: float) -> int | None:
    """Return a value as a whole number; what is no number, or none to reckon with, is unknown."""
    return round(value) if abs(value) < 2**EXACT else None


def _block(
    found: Sequence[_Series],
    whose: Callable[[_Series], str | None],
    first: int,
    last: int,
    step: int,
) -> Block | None:
    """Return the means by five minutes: a point at the end of a step stands for all of it."""
    rows: dict[str, Cells] = {}
    wide = step // STEP
    for series in found:
        name = whose(series)
        if name is None:
            continue
        row = rows.setdefault(name, np.full((last - first) // STEP, UNKNOWN, dtype=np.int32))
        for moment, value in series.values:
            amount = _amount(value)
            column = (int(moment) - first) // STEP - wide
            if amount is not None and amount >= 0 <= column:
                row[column : column + wide] = min(amount, LARGEST)
    if not rows:
        return None
    names = sorted(rows)
    return Block.of(names, np.stack([rows[name] for name in names]))


def _refusal(text: str) -> tuple[int, str]:
    """Return a refusal's code, and what it says, from the client library's words.

    They end in the answer's body as Python writes bytes, in brackets.
    """
    code = re.search(r"Status Code (\d+)", text)
    number = int(code.group(1)) if code else 0
    said = ""
    with suppress(SyntaxError, LookupError, TypeError, ValueError, RecursionError):
        said = str(json.loads(literal_eval(text[text.index("(") + 1 : -1]))["error"])
    return number, f"it refuses with HTTP {number}{': ' if said else ''}{said}"


def _root(error: BaseException) -> str:
    """Return the last words of a nested network error."""
    inner = getattr(error, "args", [error])[0] if getattr(error, "args", ()) else error
    reason = getattr(inner, "reason", inner)
    words = str(reason).rsplit(": ", 1)[-1].strip("'\")>")
    return words or type(error).__name__


def _shortened(text: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= SHOWN else clean[: SHOWN - 1] + "…"
