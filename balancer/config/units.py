"""Amounts as operators write them: "300ms", "8GiB", "40%", "10Gbit", turned into our units.

The unit is always in the value; only counts and ratios are bare numbers. Fractions are kept
exact until the last step, which rounds down to a whole number where the unit is whole.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from types import MappingProxyType
from typing import Final

NUMBER: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z%/]*)")
LARGEST: Final = 2**53
"""Amounts stay below this, so that sums of them stay exact wherever they are added up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One kind of amount: which units it is written in, and what it becomes."""

    name: str
    """What it is: `duration`."""
    becomes: str
    """Our unit: `ms`."""
    example: str
    """As an operator writes it, in TOML."""
    factors: Mapping[str, Fraction] = field(default_factory=dict)
    """Unit to what one of it is in ours."""
    bare: int = 0
    """What a number without unit is counted in, in ours; 0 if it must have a unit."""
    whole: bool = True
    """True if it becomes an integer."""

    def read(self, value: object) -> int | float:
        """Return `value` in our unit. Raises ValueError saying what to write instead."""
        return self._finished(self._exact(value))

    def _exact(self, value: object) -> Fraction:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._bare(value)
        match = NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"must be a {self.name}, for example {self.example}")
        number, unit = match.groups()
        if not unit:
            return self._bare(float(number))
        return Fraction(number) * self._factor(unit)

    def _bare(self, number: float) -> Fraction:
        if not self.bare:
            raise ValueError(f"give a unit, for example {self.example}")
        if not 0 <= number < LARGEST:  # also false for nan
            raise ValueError("must be a number from 0 on")
        return Fraction(number) * self.bare

    def _factor(self, unit: str) -> Fraction:
        if unit in self.factors:
            return self.factors[unit]
        if not self.factors:
            raise ValueError(f"is a {self.name}: a bare number, for example {self.example}")
        near = [u for u in self.factors if u.casefold() == unit.casefold()]
        near = near or get_close_matches(unit, self.factors, n=1, cutoff=0.4)
        hint = f', did you mean "{near[0]}"?' if near else ""
        raise ValueError(f'unknown unit "{unit}"{hint} (units: {", ".join(self.factors)})')

    def _finished(self, exact: Fraction) -> int | float:
        if exact >= LARGEST:
            raise ValueError("is too large")
        if not self.whole:
            return float(exact)
        if exact and exact < 1:
            raise ValueError(f"is less than one {self.becomes}, the smallest amount kept")
        return int(exact)


def _units(**factors: int | Fraction) -> Mapping[str, Fraction]:
    return MappingProxyType({name: Fraction(factor) for name, factor in factors.items()})


_SECONDS = _units(ms=Fraction(1, 1000), s=1, min=60, h=3600, d=86_400)
_BYTES = _units(
    KiB=1024, MiB=1024**2, GiB=1024**3, TiB=1024**4, kB=1000, MB=1000**2, GB=1000**3, TB=1000**4
)
_BITS = _units(
    kbit=Fraction(10**3, 8), Mbit=Fraction(10**6, 8), Gbit=Fraction(10**9, 8), Tbit=Fraction(10**12, 8)
)  # fmt: skip
_RATES = (
    {unit: size / 1024 for unit, size in _BITS.items()}
    | {f"{unit}/s": size / 1024 for unit, size in _BITS.items()}
    | {f"{unit}/s": size / 1024 for unit, size in _BYTES.items()}
)

MICROSECONDS: Final = Unit(
    name="duration",
    becomes="us",
    example='"150us"',
    factors={"us": Fraction(1)} | {u: 1_000_000 * seconds for u, seconds in _SECONDS.items()},
)
MILLISECONDS: Final = Unit(
    name="duration",
    becomes="ms",
    example='"300ms"',
    factors={unit: 1000 * seconds for unit, seconds in _SECONDS.items()},
)
SECONDS: Final = Unit(
    name="duration", becomes="s", example='"10min"', factors=_SECONDS, whole=False
)
MIB: Final = Unit(
    name="size",
    becomes="MiB",
    example='"8GiB"',
    factors={unit: size / 1024**2 for unit, size in _BYTES.items()},
)
KIB: Final = Unit(
    name="size",
    becomes="KiB",
    example='"64KiB"',
    factors={unit: size / 1024 for unit, size in _BYTES.items()},
)
KIB_S: Final = Unit(name="rate", becomes="KiB/s", example='"10Gbit"', factors=_RATES)
RATIO: Final = Unit(
    name="ratio", becomes="", example='"40%"', factors=_units(**{"%": Fraction(1, 100)}),
    bare=1, whole=False,
)  # fmt: skip
FACTOR: Final = Unit(name="number", becomes="", example="1.5", bare=1, whole=False)
MILLICORES: Final = Unit(
    name="number of cores",
    becomes="millicores",
    example="2.5",
    factors=_units(cores=1000, core=1000),
    bare=1000,
)
COUNT: Final = Unit(name="whole number", becomes="", example="8", bare=1)
