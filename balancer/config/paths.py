"""Where things are kept: state, journal, lock, and the file that freezes everything."""

import errno
import os
from pathlib import Path

from balancer.config.reading import SHOWN, printable
from balancer.ports import UsageError


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
    return next((path for path in candidates if is_file(path)), None)


def named(text: str, folder: Path) -> Path:
    """Return the path that `text` means to a file in `folder`.

    Raises UsageError where it can mean none: too long, a home that is nobody's, a NUL within.
    """
    try:
        path = folder / Path(text).expanduser()
        _lookable(path)
    except (RuntimeError, ValueError) as error:
        raise UsageError(printable(f"{text[:SHOWN]!r} is no path: {error}")) from None
    return path


def _lookable(path: Path) -> None:
    """Raises ValueError if there can be no such file."""
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ValueError("too long") from None


def is_file(path: Path) -> bool:
    """Return whether there is a file; what cannot be looked at is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def checkout() -> Path:
    """Return the folder that holds the package: the checkout, where there is one."""
    return Path(__file__).resolve().parents[2]
