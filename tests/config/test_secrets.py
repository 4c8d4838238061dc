"""Secrets: read from files that are nobody else's, and shown nowhere."""

import os
from pathlib import Path

import click
import pytest

from balancer.cli import VERBS, LazyVerbs, balancer
from balancer.config.secrets import check_key, read_secret, secret_path
from balancer.ports import UsageError

KEY = "prometheus.token_file"


def held(folder: Path, mode: int) -> Path:
    path = folder / "token"
    path.write_text("t0ken\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o440])
def test_a_file_of_our_own_is_read(tmp_path: Path, mode: int) -> None:
    """Its owner may read it, and at most its group."""
    assert read_secret(held(tmp_path, mode), KEY) == "t0ken"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602, 0o601])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    """The sentence names the key, the file, its mode and the remedy, and not the secret."""
    path = held(tmp_path, mode)
    with pytest.raises(
        UsageError, match=rf"{path}, named by {KEY}, .*mode {mode:04o}.*chmod 0600"
    ) as caught:
        read_secret(path, KEY)
    assert "t0ken" not in str(caught.value)
    with pytest.raises(UsageError, match="others may read"):
        check_key(path, KEY)


def test_a_file_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns it could change it at any time; root may."""
    path = held(tmp_path, 0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    if path.stat().st_uid:
        with pytest.raises(UsageError, match="belongs to another user"):
            read_secret(path, KEY)
    else:
        assert read_secret(path, KEY) == "t0ken"


def test_what_cannot_be_read_is_explained(tmp_path: Path) -> None:
    """Missing, or no text."""
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_secret(tmp_path / "none", KEY)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        check_key(tmp_path / "none", KEY)
    path = held(tmp_path, 0o600)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="it is not text"):
        read_secret(path, KEY)


def test_systemd_credentials_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable in which systemd says where they are; other paths stand by the configuration."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/balancer.service")
    found = secret_path("$CREDENTIALS_DIRECTORY/token", tmp_path)
    assert found == Path("/run/credentials/balancer.service/token")
    assert secret_path("token", tmp_path) == tmp_path / "token"
    assert secret_path("", tmp_path) is None


def test_no_verb_takes_a_secret_as_a_word() -> None:
    """What is typed stands in lists of processes and in the history of a shell."""
    assert isinstance(balancer, LazyVerbs)
    for verb in VERBS:
        command = balancer.get_command(click.Context(balancer), verb)
        assert command is not None
        names = {name for parameter in command.params for name in parameter.opts}
        assert not [n for n in names if any(w in n for w in ("pass", "token", "secret", "key"))]
