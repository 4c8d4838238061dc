"""The audit for known vulnerabilities: it fails on one, and says loudly where it could not look."""

import importlib.util
import stat
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[1] / ".ci" / "audit.py"
SOUND = '{"name": "a", "version": "1", "vulns": []}'
BAD = '{"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}'
UNKNOWN = '{"name": "c", "skip_reason": "Dependency not found on PyPI"}'


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (f'{{"dependencies": [{SOUND}, {UNKNOWN}]}}', 0, "1 of 2 packages audited, 0 known"),
        (f'{{"dependencies": [{SOUND}, {BAD}]}}', 1, "b 2: PYSEC-1, mended by 3"),
        (f'{{"dependencies": [{UNKNOWN}]}}', 0, "SKIPPED, NOTHING WAS AUDITED"),
        ("", 0, "SKIPPED, NOTHING WAS AUDITED: the advisory service cannot be asked: no network"),
    ],
)
def test_what_the_service_says_is_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    code: int,
    said: str,
) -> None:
    """Sound, vulnerable, unknown to it, or not reached at all."""
    fake = tmp_path / "pip-audit"
    fake.write_text(f"#!/bin/sh\necho no network >&2\ncat <<'E'\n{answer}\nE\nexit 1\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    spec = importlib.util.spec_from_file_location("audit", AUDIT)
    assert spec
    assert spec.loader
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    assert audit.report(audit.audited()) == code
    assert said in capsys.readouterr().out
