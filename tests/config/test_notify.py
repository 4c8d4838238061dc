"""[[notify]] and `metrics`: who is told of what, and where metrics are served."""

from pathlib import Path

import pytest

from balancer.config import load
from balancer.config.listening import DEFAULT_METRICS, Listening
from balancer.config.notify import NOTICES
from balancer.ports import UsageError


def read(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return file


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Three ways, each with its own; files are beside the configuration."""
    text = """
    metrics = "[::1]:9000"
    [[notify]]
    webhook = "https://chat.example.org/hook"
    token_file = "token"
    on = ["finished", "blocked"]
    timeout = "3s"
    [[notify]]
    mail = ["a@example.org", "b@example.org"]
    smtp = "mail.example.org:587"
    user = "bal"
    password_file = "password"
    [[notify]]
    command = ["/usr/bin/logger", "-t", "balancer"]
    """
    config = load(read(tmp_path, text))
    assert config.metrics == Listening("::1", 9000, chosen=True)
    web, mail, command = config.notify
    assert (web.on, web.timeout, web.token_file) == (
        ("finished", "blocked"),
        3.0,
        tmp_path / "token",
    )
    assert (mail.smtp_host, mail.smtp_port, mail.mail[1]) == (
        "mail.example.org",
        587,
        "b@example.org",
    )
    assert mail.on == tuple(NOTICES)
    assert command.command == ("/usr/bin/logger", "-t", "balancer")
    assert command.name == "notify[3]"


def test_metrics_are_on_loopback_unless_said_otherwise(tmp_path: Path) -> None:
    """And nowhere where they are off."""
    assert load(read(tmp_path, "")).metrics == DEFAULT_METRICS == Listening("127.0.0.1", 9478)
    assert load(read(tmp_path, 'metrics = "off"')).metrics is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('metrics = "9478"', "needs an address and a port"),
        ('metrics = "localhost:99999"', "needs an address and a port"),
        ("[[notify]]", r"notify\[1\]: needs exactly one of webhook, mail, command"),
        ('[[notify]]\nwebhook="http://x"\nmail="a@b"', "exactly one of"),
        ('[[notify]]\nwebhook="ftp://x"', "needs an address"),
        ('[[notify]]\nwebhook="http://me:secret@x"', "use token_file"),
        ('[[notify]]\nmail="nobody"', "needs addresses"),
        ('[[notify]]\nmail="a@b\\nBcc: c@d"', "needs addresses"),
        ('[[notify]]\nmail="a@b"\nsmtp="mail"', "needs a server and a port"),
        ('[[notify]]\nmail="a@b"\nuser="me"', "needs both user and password_file"),
        ('[[notify]]\ncommand="x"\non="finish"', "no notice 'finish'; did you mean finished"),
        ('[[notify]]\ncommand="x"\ntimeout="1h"', "at most 300 s"),
        ('[[notify]]\ncomand="x"', "did you mean command"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """One sentence with the key and the remedy."""
    with pytest.raises(UsageError, match=why):
        load(read(tmp_path, text))
