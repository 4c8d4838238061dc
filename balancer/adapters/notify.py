"""Tells people outside: webhook, mail, command. Each way has a thread and a time limit of its own.

The service only puts notices into a queue: it never waits for anybody, and what cannot be told in
time is dropped, counted and logged.
"""

import json
import smtplib
import ssl
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from queue import Full, Queue
from socket import getfqdn
from threading import Thread
from typing import Final

import requests
from requests import RequestException

from balancer.config.notify import NotifyConfig
from balancer.ports import Event

WAITING: Final = 50
"""Notices that may wait for one way; what comes on top is dropped."""
TLS_PORT: Final = 465
STARTTLS_PORT: Final = 587
SHOWN: Final = 200
PAST: Final = 5.0
"""Seconds that closing waits for what is still to be told."""

Told = Callable[[str, bool, str], None]
"""Hears of each notification: about what, whether it went well, and why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What somebody is told."""

    notice: str
    text: str
    at: float
    plan: str = ""


def notices(event: Event) -> tuple[Notice, ...]:
    """Return what an event of the journal is to those outside. Cycles are told by `Changes`."""
    outcome = event.data.get("outcome")
    stalled = isinstance(outcome, dict) and outcome.get("result") == "stalled"
    named = {"halted": "stopped_itself", "finished": "finished"}
    if event.kind == "ended" and stalled:
        named["ended"] = "stalled"
    if event.kind == "refused" and outcome is None:  # a whole plan, not one of its moves
        named["refused"] = "stood_back"
    if event.kind not in named:
        return ()
    return (Notice(notice=named[event.kind], text=event.text, at=event.at, plan=event.plan),)


class Changes:
    """Tells of a state when it begins, not again in each cycle that it lasts."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, event: Event) -> tuple[Notice, ...]:
        """Return what is new in a cycle."""
        found = []
        for notice in ("blocked", "stood_back"):
            now = str(event.data.get(notice) or "")
            if now and now != self._known.get(notice):
                found.append(Notice(notice=notice, text=now, at=event.at, plan=event.plan))
            self._known[notice] = now
        return tuple(found)


class Notifier:
    """Hears the journal (`service.hearing`) and tells whoever wants to know."""

    def __init__(self, ways: Sequence[NotifyConfig], told: Told) -> None:
        self._ways = [_Way(way, told) for way in ways]
        self._changes = Changes()

    def hear(self, event: Event) -> None:
        """Queue what follows from the event; neither blocks nor raises."""
        found = self._changes.of(event) if event.kind == "cycle" else notices(event)
        for notice in found:
            for way in self._ways:
                way.put(notice)

    def kept(self, seconds: float, *, well: bool) -> None:
        """Ignore it."""

    def close(self) -> None:
        """Tell what is queued, for as long as that takes little time."""
        for way in self._ways:
            way.close()


class _Way:
    """One way, and its thread."""

    def __init__(self, config: NotifyConfig, told: Told) -> None:
        self._config = config
        self._told = told
        self._queue: Queue[Notice | None] = Queue(WAITING)
        self._thread = Thread(target=self._run, name=config.name, daemon=True)
        self._thread.start()

    def put(self, notice: Notice) -> None:
        if notice.notice not in self._config.on:
            return
        try:
            self._queue.put_nowait(notice)
        except Full:
            self._say(notice, f"{WAITING} notices wait already")

    def close(self) -> None:
        try:
            self._queue.put_nowait(None)
        except Full:
            return
        self._thread.join(PAST)

    def _run(self) -> None:
        while (notice := self._queue.get()) is not None:
            try:
                tell(self._config, notice)
            except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
                self._say(notice, _why(error))
            else:
                self._told(notice.notice, True, "")

    def _say(self, notice: Notice, why: str) -> None:
        text = f"{self._config.name}: nobody was told of {notice.notice!r}: {why}"
        self._told(notice.notice, False, text)


def tell(config: NotifyConfig, notice: Notice) -> None:
    """Tell once, within the time limit. Raises whatever goes wrong."""
    if config.webhook:
        _post(config, notice)
    elif config.mail:
        _mail(config, notice)
    else:
        _run(config, notice)


def document(notice: Notice) -> dict[str, str | float]:
    """Return what webhooks and commands are given."""
    return {
        "notice": notice.notice,
        "text": notice.text,
        "at": notice.at,
        "plan": notice.plan,
        "node": getfqdn(),
    }


def _post(config: NotifyConfig, notice: Notice) -> None:
    headers = {}
    if config.token_file:
        headers["Authorization"] = f"Bearer {config.token_file.read_text().strip()}"
    session = requests.Session()
    session.trust_env = False  # a .netrc must not take the place of what is configured
    with session, session.post(
        config.webhook,
        json=document(notice),
        headers=headers,
        timeout=config.timeout,
        allow_redirects=False,
        stream=True,
    ) as answer:  # fmt: skip
        if not answer.ok or answer.is_redirect:
            raise OSError(f"it answers HTTP {answer.status_code}")


def _mail(config: NotifyConfig, notice: Notice) -> None:
    message = EmailMessage()
    message["From"] = config.sender or f"balancer@{getfqdn()}"
    message["To"] = ", ".join(config.mail)
    words = "".join(c if c.isprintable() else " " for c in notice.text)
    message["Subject"] = f"balancer {notice.notice.replace('_', ' ')}: {words[:100]}"
    message.set_content(f"{notice.text}\n\nplan: {notice.plan or '-'}\nfrom: {getfqdn()}\n")
    where, limit = (config.smtp_host, config.smtp_port), config.timeout
    secure = ssl.create_default_context()
    tls = config.smtp_port == TLS_PORT
    server = (
        smtplib.SMTP_SSL(*where, timeout=limit, context=secure)
        if tls
        else smtplib.SMTP(*where, timeout=limit)
    )
    with server:
        if not tls and (config.smtp_port == STARTTLS_PORT or config.user):
            server.starttls(context=secure)
        if config.user and config.password_file:
            server.login(config.user, config.password_file.read_text().strip())
        server.send_message(message)


def _run(config: NotifyConfig, notice: Notice) -> None:
    done = subprocess.run(  # noqa: S603 - the operator's own command, and no shell
        config.command,
        input=json.dumps(document(notice)) + "\n",
        text=True,
        capture_output=True,
        timeout=config.timeout,
        check=False,
    )
    if done.returncode:
        raise OSError(f"it ended with {done.returncode}: {done.stderr.strip()[-SHOWN:]}")


def _why(error: Exception) -> str:
    if isinstance(error, requests.Timeout | TimeoutError | subprocess.TimeoutExpired):
        return "it took too long"
    if isinstance(error, RequestException):
        error = OSError(str(error).rsplit(": ", 1)[-1].strip("'\")>"))  # its last words say it
    if isinstance(error, smtplib.SMTPException | OSError):
        text = getattr(error, "strerror", None) or str(error)
        return "".join(c if c.isprintable() else "?" for c in str(text))[:SHOWN]
    return type(error).__name__
