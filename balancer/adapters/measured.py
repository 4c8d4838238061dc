"""An inventory whose measurements are completed by further sources, metric by metric."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from balancer.planner.model.observation import Observation
from balancer.planner.quality.merge import merged
from balancer.ports import Inventory, MetricSource, UsageError


class MeasuredInventory:
    """Implements the port Inventory.

    The hypervisor's own values come first; a source fills in what is missing, and takes
    precedence where it is preferred. A source that fails is a doubt, never a fault.
    """

    def __init__(
        self, inventory: Inventory, sources: Sequence[MetricSource], prefer: Collection[str] = ()
    ) -> None:
        self._inventory = inventory
        self._sources = tuple(sources)
        self._prefer = frozenset(prefer)

    def observe(self) -> Observation:
        """Return what is seen, and measured by all. Raises UsageError if nothing is seen."""
        seen = self._inventory.observe()
        for source in self._sources:
            try:
                measured = source.measure(seen.cluster, seen.at)
            except UsageError as error:
                seen = replace(seen, doubts=(*seen.doubts, str(error)))
                continue
            seen = merged(seen, source.name, measured.history, self._prefer)
            said = tuple(f"{source.name}: {text}" for text in measured.warnings)
            seen = replace(seen, doubts=(*seen.doubts, *said))
        return seen
