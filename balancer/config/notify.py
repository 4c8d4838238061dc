"""[[notify]] of config.toml: whom to tell what, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from balancer.config.keys import Entry
from balancer.config.paths import named
from balancer.config.reading import Table, nearest
from balancer.config.units import SECONDS

NOTICES: Final[Mapping[str, str]] = {
    "blocked": "something is wrong and nothing can be done about it",
    "stalled": "a migration stood still",
    "stood_back": "guards or another planner keep the service from acting",
    "stopped_itself": "the service stopped all action",
    "finished": "a plan was carried out",
}
"""What one can be told of."""
KEYS: Final[Mapping[str, Entry]] = {
    "on": Entry("list of words", "all of them", "what to tell: " + ", ".join(f"`{n}`" for n in NOTICES)),
    "webhook": Entry("URL", "none", "where a JSON document is posted: `notice`, `text`, `at`, `node`, `plan`"),
    "token_file": Entry("path", "none", "file with a bearer token for the webhook"),
    "mail": Entry("address or list", "none", "who gets a mail"),
    "sender": Entry("address", "balancer@ this machine", "whom mail is from"),
    "smtp": Entry('text, as `"mail.example.org:587"`', '"localhost:25"', "mail server; 587 is asked for STARTTLS, 465 is spoken to over TLS"),
    "user": Entry("text", "none", "name to log in to the mail server with; needs TLS"),
    "password_file": Entry("path", "none", "file with its password"),
    "command": Entry("list of words", "none", "program that is run, without a shell; the same document stands on its standard input"),
    "timeout": Entry('duration, as `"10s"`', '"10s"', "how long telling may take, each time"),
}  # fmt: skip
WAYS: Final = ("webhook", "mail", "command")
TIMEOUT: Final = 10.0
LONGEST: Final = 300.0
"""Seconds."""
SMTP_PORT: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyConfig:
    """One way to tell somebody, all checked and typed: exactly one of webhook, mail, command."""

    name: str
    """What messages about it call it."""
    on: tuple[str, ...] = tuple(NOTICES)
    webhook: str = ""
    token_file: Path | None = None
    mail: tuple[str, ...] = ()
    sender: str = ""
    smtp_host: str = "localhost"
    smtp_port: int = SMTP_PORT
    user: str = ""
    password_file: Path | None = None
    command: tuple[str, ...] = ()
    timeout: float = TIMEOUT


def read_notify(tables: tuple[Table, ...]) -> tuple[NotifyConfig, ...]:
    """Return what [[notify]] says, once for each. Raises UsageError."""
    return tuple(_read(table) for table in tables)


def _read(table: Table) -> NotifyConfig:
    table.only(KEYS)
    ways = [way for way in WAYS if table.values.get(way)]
    if len(ways) != 1:
        table.fail(ways[1] if ways else "", f"needs exactly one of {', '.join(WAYS)}")
    host, port = _server(table)
    if bool(table.text("user")) != bool(table.text("password_file")):
        table.fail("user", "logging in needs both user and password_file")
    timeout = float(table.amount("timeout", SECONDS, TIMEOUT))
    if not 0 < timeout <= LONGEST:
        table.fail("timeout", f"must be longer than nothing and at most {LONGEST:g} s")
    return NotifyConfig(
        name=table.path,
        on=_notices(table),
        webhook=_url(table),
        token_file=_file(table, "token_file"),
        mail=_addresses(table, "mail"),
        sender=next(iter(_addresses(table, "sender")), ""),
        smtp_host=host,
        smtp_port=port,
        user=table.text("user"),
        password_file=_file(table, "password_file"),
        command=table.texts("command"),
        timeout=timeout,
    )


def _notices(table: Table) -> tuple[str, ...]:
    chosen = table.texts("on") or tuple(NOTICES)
    for notice in chosen:
        if notice not in NOTICES:
            table.fail("on", f"no notice {notice!r}{nearest(notice, NOTICES)}")
    return chosen


def _url(table: Table) -> str:
    url = table.text("webhook")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        table.fail("webhook", f"is no address: {error}")
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        table.fail("webhook", 'needs an address, for example "https://chat.example.org/hook"')
    if parts.username or parts.password:
        table.fail("webhook", "must not hold a password: use token_file")
    return url


def _addresses(table: Table, key: str) -> tuple[str, ...]:
    found = table.texts(key)
    for address in found:
        if "@" not in address or any(c.isspace() or not c.isprintable() for c in address):
            table.fail(key, 'needs addresses, for example "ops@example.org"')
    return found


def _server(table: Table) -> tuple[str, int]:
    host, _, port = table.text("smtp", "localhost:25").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        table.fail("smtp", 'needs a server and a port, for example "mail.example.org:587"')
    return host.strip("[]"), int(port)


def _file(table: Table, key: str) -> Path | None:
    name = table.text(key)
    return named(name, table.file.parent) if name else None
