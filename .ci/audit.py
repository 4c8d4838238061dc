"""Are vulnerabilities known in what is installed? Asks PyPI's advisory service by pip-audit.

Where the service cannot be asked nothing was audited: that is said loudly, and is no failure.
"""
# ruff: noqa: INP001, T201 - a script, that prints

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

COMMAND = ("pip-audit", "--local", "--skip-editable", "--progress-spinner=off", "--format=json")
PATIENCE = 120
"""Seconds for all of it; a service that answers takes ten."""


def audited(timeout: int = 5) -> list[dict[str, Any]] | str:
    """Return what was found of each package, or why the service could not be asked."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [*COMMAND, f"--timeout={timeout}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    except (ValueError, LookupError):
        return (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    return found if any("vulns" in one for one in found) else "it knows none of our packages"


def report(found: Sequence[dict[str, Any]] | str) -> int:
    """Say it; return the exit code."""
    if isinstance(found, str):
        print(f"SKIPPED, NOTHING WAS AUDITED: the advisory service cannot be asked: {found}")
        return 0
    known = [one for one in found if "vulns" in one]
    bad = [(one, vulnerability) for one in known for vulnerability in one["vulns"]]
    for one, vulnerability in bad:
        mended = ", ".join(vulnerability.get("fix_versions", ())) or "no release yet"
        print(f"{one['name']} {one['version']}: {vulnerability['id']}, mended by {mended}")
    print(f"{len(known)} of {len(found)} packages audited, {len(bad)} known vulnerabilities")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(report(audited()))
