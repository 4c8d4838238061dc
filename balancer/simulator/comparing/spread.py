"""A figure over seeds: its mean and how far it spreads."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Least, quartiles, mean and most of some amounts."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float
    mean: float

    @staticmethod
    def of(amounts: Sequence[float]) -> "Spread":
        """Return the spread of one amount or more; quartiles are interpolated, ends included."""
        ordered = sorted(amounts)
        quarter, median, three = (
            quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else ordered * 3
        )
        return Spread(
            least=ordered[0],
            quarter=quarter,
            median=median,
            three_quarters=three,
            most=ordered[-1],
            mean=fmean(ordered),
        )
