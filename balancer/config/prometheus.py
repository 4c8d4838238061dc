"""[prometheus] of config.toml: where a PromQL store is, and what to ask it for.

What to ask is data: named PromQL templates with `$guest`, `$host`, `$match` and `$window`, from the
presets named and from the operator's own `[prometheus.guests]` and `[prometheus.hosts]`.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlsplit

from balancer.config.keys import Entry
from balancer.config.reading import Table, nearest
from balancer.config.secrets import secret_path
from balancer.config.units import SECONDS
from balancer.planner.model.observation import METRICS

PRESETS: Final = ("debian", "kumina", "tinkoff", "inovex", "node")
KEYS: Final[Mapping[str, Entry]] = {
    "url": Entry("URL", "must be given", "where the store answers: its address, without `/api/v1`"),
    "presets": Entry("list of words", '["debian", "node"]', "exporters whose metrics are asked for: any of " + ", ".join(f"`{name}`" for name in PRESETS)),
    "match": Entry("text", "none", "label matchers that every series must fulfil, as in PromQL"),
    "host_label": Entry("text", '"instance"', "label that says which host a series is of"),
    "host_pattern": Entry("regular expression", '"([^:/]+).*"', "its first group is the host's name in that label"),
    "guest_label": Entry("text", "the preset's", "label that says which guest a series is of: its uuid or its name"),
    "uuid": Entry("PromQL template", "the preset's", "series that carry both that label and `uuid`"),
    "window": Entry('duration, as `"5min"`', '"5min"', "time that rates and means are taken over"),
    "timeout": Entry('duration, as `"10s"`', '"10s"', "how long one query may take"),
    "retries": Entry("whole number, 0 to 10", "2", "how often a query is tried again"),
    "token_file": Entry("path", "none", "file with a bearer token, read anew for each request; others must not be able to read it; `$CREDENTIALS_DIRECTORY/NAME` is a systemd credential"),
    "user": Entry("text", "none", "name for basic authentication"),
    "password_file": Entry("path", "none", "file with its password, likewise"),
    "ca_file": Entry("path", "the system's", "certificates that the store's is checked against"),
    "cert_file": Entry("path", "none", "our certificate"),
    "key_file": Entry("path", "none", "its key, likewise"),
    "prefer": Entry("list of metrics", "none", "metrics that are taken from here although the hypervisor tells them, too"),
    "guests": Entry("table", "the preset's", "metric to PromQL template with `$guest`, `$host`, `$match`, `$window`; `balancer check-metrics` names the metrics"),
    "hosts": Entry("table", "the preset's", "the same of hosts"),
}  # fmt: skip
AT: Final = "at"
"""Pseudo metric: when a series was last scraped, seconds since the epoch."""
PLACEHOLDERS: Final = {"guest", "host", "match", "window"}


@dataclass(frozen=True, kw_only=True)
class PrometheusConfig:
    """One PromQL store, all checked and typed."""

    url: str
    guest_label: str = "uuid"
    host_label: str = "instance"
    host_pattern: str = r"([^:/]+).*"
    match: str = ""
    uuid: str = ""
    """Template of series that join `guest_label` to `uuid`; empty where no join is needed."""
    window: float = 300.0
    timeout: float = 10.0
    retries: int = 2
    token_file: Path | None = None
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    prefer: tuple[str, ...] = ()
    guests: Mapping[str, str] = field(default_factory=dict)
    """Metric to PromQL template."""
    hosts: Mapping[str, str] = field(default_factory=dict)

    def filled(self, template: str, window: float | None = None) -> str:
        """Return the PromQL that `template` means here, over `window` seconds."""
        return Template(template).substitute(
            guest=self.guest_label,
            host=self.host_label,
            match=self.match,
            window=f"{round(window or self.window)}s",
        )


def read_prometheus(table: Table) -> PrometheusConfig | None:
    """Return what [prometheus] says, or None where it is absent. Raises UsageError."""
    if not table.values:
        return None
    table.only(KEYS)
    preset = _presets(table)
    folder = table.file.parent
    paths = {
        key: secret_path(table.text(key), folder)
        for key in ("token_file", "password_file", "ca_file", "cert_file", "key_file")
    }
    if bool(table.text("user")) != bool(paths["password_file"]):
        table.fail("user", "basic authentication needs both user and password_file")
    if paths["key_file"] and not paths["cert_file"]:
        table.fail("key_file", "belongs to a cert_file: name that, too")
    return PrometheusConfig(
        url=_url(table),
        guest_label=table.text("guest_label", preset.guest),
        host_label=table.text("host_label", PrometheusConfig.host_label),
        host_pattern=_pattern(table),
        match=table.text("match"),
        uuid=_template(table, "uuid", table.text("uuid", preset.uuid)),
        window=float(table.amount("window", SECONDS, PrometheusConfig.window)),
        timeout=float(table.amount("timeout", SECONDS, PrometheusConfig.timeout)),
        retries=_retries(table),
        user=table.text("user"),
        prefer=_known(table, "prefer", table.texts("prefer")),
        guests={**preset.guests, **_templates(table.table("guests"))},
        hosts={**preset.hosts, **_templates(table.table("hosts"))},
        **paths,
    )


@dataclass(frozen=True, slots=True)
class _Preset:
    """What an exporter's metrics are called."""

    guest: str
    uuid: str
    guests: Mapping[str, str]
    hosts: Mapping[str, str]


def preset(name: str) -> _Preset:
    """Return what is shipped for one exporter."""
    data = tomllib.loads((files("balancer.config") / "presets" / f"{name}.toml").read_text())
    return _Preset(
        data.get("guest", ""), data.get("uuid", ""), data.get("guests", {}), data.get("hosts", {})
    )


def _presets(table: Table) -> _Preset:
    names = table.texts("presets") or ("debian", "node")
    for name in names:
        if name not in PRESETS:
            table.fail("presets", f"no preset {name!r}{nearest(name, PRESETS)}")
    found = [preset(name) for name in names]
    speaking = [one for one in found if one.guest]
    if len(speaking) > 1:
        table.fail("presets", "only one of them may tell of guests; node goes with any")
    return _Preset(
        speaking[0].guest if speaking else PrometheusConfig.guest_label,
        speaking[0].uuid if speaking else "",
        {metric: text for one in found for metric, text in one.guests.items()},
        {metric: text for one in found for metric, text in one.hosts.items()},
    )


def _url(table: Table) -> str:
    url = table.text("url").rstrip("/")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        table.fail("url", f"is no address: {error}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        table.fail("url", 'needs an address, for example "http://prometheus:9090"')
    if parts.username or parts.password:
        table.fail("url", "must not hold a password: use user and password_file")
    return url


def _pattern(table: Table) -> str:
    pattern = table.text("host_pattern", PrometheusConfig.host_pattern)
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        table.fail("host_pattern", f"is no regular expression: {error}")
    if groups < 1:
        table.fail("host_pattern", "needs a group: the part in brackets is the host's name")
    return pattern


def _retries(table: Table) -> int:
    value = table.values.get("retries", PrometheusConfig.retries)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10:  # noqa: PLR2004
        table.fail("retries", "must be a whole number from 0 to 10")
    return value


def _templates(table: Table) -> Mapping[str, str]:
    _known(table, "", tuple(table.values), also=(AT,))
    return {metric: _template(table, metric, table.text(metric)) for metric in table.values}


def _known(
    table: Table, key: str, metrics: tuple[str, ...], also: tuple[str, ...] = ()
) -> tuple[str, ...]:
    for metric in metrics:
        if metric not in METRICS and metric not in also:
            table.fail(key or metric, f"no metric {metric!r}{nearest(metric, METRICS)}")
    return metrics


def _template(table: Table, key: str, text: str) -> str:
    template = Template(text)
    unknown = set(template.get_identifiers()) - PLACEHOLDERS
    if not template.is_valid() or unknown:
        known = ", ".join(f"${name}" for name in sorted(PLACEHOLDERS))
        table.fail(
            key, f"holds a $ that is none of {known}; write $$ for one in a regular expression"
        )
    return text
