"""Where things are kept: state, journal, lock, and the file that freezes everything."""

import os
from pathlib import Path


def state_folder() -> Path:
    """Return where state belongs: systemd's folder, else the system's for root, else the user's."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":", 1)[0])
    if os.geteuid() == 0:
        return Path("/var/lib/balancer")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "balancer"


def configuration_file() -> Path | None:
    """Return the config.toml that is meant when none is named, or None: built-in defaults.

    First $BALANCER_CONFIG, then this folder's (unless others may write to it), then /etc, then
    the checkout's.
    """
    if given := os.environ.get("BALANCER_CONFIG"):
        return Path(given)
    here = Path.cwd()
    candidates = [Path("/etc/balancer/config.toml"), checkout() / "config.toml"]
    if not here.stat().st_mode & 0o002:
        candidates.insert(0, here / "config.toml")
    return next((path for path in candidates if path.is_file()), None)


def checkout() -> Path:
    """Return the folder that holds the package: the checkout, where there is one."""
    return Path(__file__).resolve().parents[2]
