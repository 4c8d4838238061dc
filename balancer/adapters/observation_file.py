"""A saved observation in the place of a living cluster."""

from pathlib import Path

from balancer.codec import read_observation
from balancer.planner.model.observation import Observation


class ObservationFile:
    """Implements the port Inventory: the cluster as it was when the file was written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def observe(self) -> Observation:
        """Return what the file holds.

        Raises UsageError naming the file and the place in it that is at fault.
        """
        return read_observation(self._path)
