"""People outside are told in time or not at all; the service never waits for them."""

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from balancer.adapters import notify
from balancer.adapters.notify import Changes, Notice, Notifier, notices
from balancer.config.notify import NotifyConfig
from balancer.ports import Event

HALTED = Event(at=5.0, kind="halted", plan="P-1", text="2 migrations failed\nwithin an hour")


class Heard:
    """What became of notifications; a test may wait for them."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool, str]] = []
        self._more = threading.Semaphore(0)

    def __call__(self, notice: str, well: bool, text: str) -> None:  # noqa: FBT001
        self.told.append((notice, well, text))
        self._more.release()

    def one(self) -> tuple[str, bool, str]:
        assert self._more.acquire(timeout=20)
        return self.told[-1]


class Web(ThreadingHTTPServer):
    """A web server that keeps what is posted, and answers as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts: list[tuple[dict[str, Any], str]] = []
        self.answer = 200
        self.hold = threading.Event()
        self.hold.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((json.loads(body), self.headers.get("Authorization", "")))
        self.server.hold.wait(20)
        self.send_response(self.server.answer)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.hold.set()
    server.shutdown()
    server.server_close()


def way(**fields: Any) -> NotifyConfig:
    return NotifyConfig(name="notify[1]", **{"timeout": 5.0, **fields})


def test_a_webhook_is_told_with_its_token(web: Web, tmp_path: Path) -> None:
    """A document with all that is known, and the secret from its file."""
    (tmp_path / "token").write_text("s3cret\n")
    heard = Heard()
    notifier = Notifier([way(webhook=web.url, token_file=tmp_path / "token")], heard)
    notifier.hear(HALTED)
    assert heard.one() == ("stopped_itself", True, "")
    ((document, token),) = web.posts
    assert token == "Bearer s3cret"
    assert document["text"] == HALTED.text
    assert (document["notice"], document["plan"], document["at"]) == ("stopped_itself", "P-1", 5.0)
    notifier.close()


@pytest.mark.parametrize("answer", [500, 302])
def test_a_webhook_that_refuses_is_said(web: Web, answer: int) -> None:
    """Nobody was told: that is one sentence, and no redirect is followed."""
    web.answer = answer
    heard = Heard()
    Notifier([way(webhook=web.url)], heard).hear(HALTED)
    assert heard.one() == (
        "stopped_itself",
        False,
        f"notify[1]: nobody was told of 'stopped_itself': it answers HTTP {answer}",
    )
    assert len(web.posts) == 1


def test_who_hangs_holds_up_nobody(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hearing returns at once; what waits too long is given up, what is too much is dropped."""
    monkeypatch.setattr(notify, "WAITING", 2)
    web.hold.clear()
    heard = Heard()
    notifier = Notifier([way(webhook=web.url, timeout=0.3)], heard)
    for _ in range(9):
        notifier.hear(HALTED)
    found = [heard.one() for _ in range(9)]
    texts = [text for _, _, text in heard.told]
    assert len(found) == 9
    assert any("it took too long" in text for text in texts)
    assert any("2 notices wait already" in text for text in texts)
    monkeypatch.setattr(notify, "PAST", 0.1)
    notifier.close()


def test_a_server_that_is_not_there_is_said() -> None:
    """The cause in a few words."""
    heard = Heard()
    Notifier([way(webhook=f"http://127.0.0.1:{free_port()}/")], heard).hear(HALTED)
    assert "refused" in heard.one()[2]


def free_port() -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    port = server.server_port
    server.server_close()
    return int(port)


class Mailbox:
    """Keeps what a mail server takes in."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(envelope)
        return "250 kept"


def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:  # noqa: ARG001
    return AuthResult(success=(data.login, data.password) == (b"bal", b"pa55"))


def served(box: Mailbox, **options: Any) -> Controller:
    controller = Controller(box, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    return controller


def test_mail_is_sent() -> None:
    """To everybody named, with a subject on one line."""
    box, heard = Mailbox(), Heard()
    controller = served(box)
    try:
        mail = way(mail=("ops@example.org", "boss@example.org"), smtp_host="127.0.0.1",
                   smtp_port=controller.port, sender="bal@example.org")  # fmt: skip
        Notifier([mail], heard).hear(HALTED)
        assert heard.one() == ("stopped_itself", True, "")
    finally:
        controller.stop()
    (envelope,) = box.mails
    assert envelope.rcpt_tos == ["ops@example.org", "boss@example.org"]
    text = envelope.content.decode()
    assert "Subject: balancer stopped itself: 2 migrations failed within an hour" in text
    assert "plan: P-1" in text


def test_mail_is_sent_over_tls_with_a_password_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STARTTLS before the password; a wrong one is said, and never shown."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
         "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(cert, key)
    trusting = ssl.create_default_context(cafile=str(cert))
    monkeypatch.setattr(notify.ssl, "create_default_context", lambda: trusting)
    secret = tmp_path / "password"
    secret.write_text("pa55\n")
    box, heard = Mailbox(), Heard()
    controller = served(
        box,
        tls_context=server_side,
        require_starttls=True,
        authenticator=login,
        auth_required=True,
    )
    try:
        mail = way(mail=("ops@example.org",), smtp_host="127.0.0.1", smtp_port=controller.port,
                   user="bal", password_file=secret)  # fmt: skip
        notifier = Notifier([mail], heard)
        notifier.hear(HALTED)
        assert heard.one() == ("stopped_itself", True, "")
        secret.write_text("wrong")
        notifier.hear(HALTED)
        assert not heard.one()[1]
        assert "wrong" not in heard.told[-1][2]
    finally:
        controller.stop()
    assert len(box.mails) == 1


def test_a_command_is_run_without_a_shell(tmp_path: Path) -> None:
    """The document stands on its standard input; words are taken as they are."""
    out, odd = tmp_path / "out.json", tmp_path / "; $(true)"
    heard = Heard()
    Notifier([way(command=("/usr/bin/tee", str(out), str(odd)))], heard).hear(HALTED)
    heard.one()
    assert json.loads(out.read_text())["notice"] == "stopped_itself"
    assert odd.read_text() == out.read_text()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("/bin/sh", "-c", "echo no >&2; exit 3"), "it ended with 3: no"),
        (("/does/not/exist",), "No such file"),
        (("/bin/sleep", "60"), "it took too long"),
    ],
)
def test_a_command_that_fails_is_said(command: tuple[str, ...], why: str) -> None:
    """Its last words, or that there is none, or that it took too long."""
    heard = Heard()
    Notifier([way(command=command, timeout=0.5)], heard).hear(HALTED)
    assert why in heard.one()[2]


def test_only_what_was_asked_for_is_told() -> None:
    """`on` chooses."""
    heard = Heard()
    notifier = Notifier([way(command=("/bin/true",), on=("finished",))], heard)
    notifier.hear(HALTED)
    notifier.hear(Event(at=1.0, kind="finished", text="done"))
    assert heard.one() == ("finished", True, "")
    assert len(heard.told) == 1
    notifier.kept(0.1, well=False)


def test_what_events_mean_to_those_outside() -> None:
    """Stalls, stops, refused plans and finished ones; single refused moves are no news."""

    def told(kind: str, **data: object) -> list[str]:
        return [n.notice for n in notices(Event(at=0.0, kind=kind, text="so", data=data))]

    assert told("ended", outcome={"result": "stalled"}) == ["stalled"]
    assert told("ended", outcome={"result": "done"}) == []
    assert told("refused", outcome={"result": "refused"}) == []
    assert told("refused") == ["stood_back"]
    assert told("halted") == ["stopped_itself"]
    assert told("finished") == ["finished"]
    assert told("decided") == []


def test_a_state_is_told_when_it_begins() -> None:
    """Not again in each cycle that it lasts, but again when it returns or changes."""
    changes = Changes()

    def cycle(**data: object) -> list[Notice]:
        return list(changes.of(Event(at=0.0, kind="cycle", data=data)))

    assert [n.notice for n in cycle(blocked="no room")] == ["blocked"]
    assert cycle(blocked="no room") == []
    assert [n.text for n in cycle(blocked="other", stood_back="3 unseen")] == ["other", "3 unseen"]
    assert cycle() == []
    assert len(cycle(blocked="other")) == 1
