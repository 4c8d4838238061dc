"""Where files are looked for: as named, then in a checkout, then where the package put them."""

import sys
from pathlib import Path

from balancer.config.paths import is_file, named
from balancer.ports import UsageError


def places() -> tuple[Path, ...]:
    """Return the folders that may hold `policies/` and `simulations/`, best first."""
    checkout = Path(__file__).resolve().parents[2]
    shared = (Path(sys.prefix) / "share/balancer", Path("/usr/share/balancer"))
    return tuple(place for place in (checkout, *shared) if (place / "policies").is_dir())


def find(name: str, beside: Path, folder: str = "policies") -> Path:
    """Return the file that `name` means to a file in the folder `beside`.

    A bare word is looked up in `folder`: `balance` is `policies/balance.toml`.
    Raises UsageError listing where it was looked for.
    """
    if not name:
        raise UsageError("needs the name of a file")
    if (given := named(name, beside)).is_absolute() and name.startswith(("/", "~")):
        return given
    given = Path(name)
    names = [given] if given.suffix else [given, Path(folder) / f"{name}.toml"]
    tried = [base / candidate for base in (beside, *places()) for candidate in names]
    for path in tried:
        if is_file(path):
            return path
    looked = ", ".join(str(path) for path in dict.fromkeys(tried))
    raise UsageError(f"{name}: no such file (looked for {looked})")
