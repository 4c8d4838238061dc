"""What an assignment costs, counted from the problem's definition alone."""

import numpy as np

from benchmarks.roadef.reading import Instance, Ints


def cost(instance: Instance, placed: Ints) -> int:
    """Return the total cost, all five terms."""
    usage = np.zeros_like(instance.capacity)
    np.add.at(usage, placed, instance.requirement)
    left = instance.capacity - usage
    total = int((np.maximum(0, usage - instance.safety).sum(axis=0) * instance.load_weight).sum())
    for one, other, target, weight in instance.balance.tolist():
        total += weight * int(np.maximum(0, target * left[:, one] - left[:, other]).sum())
    moved = placed != instance.start
    process, service, machine = instance.weights
    total += process * int(instance.process_move[moved].sum())
    total += service * int(np.bincount(instance.service[moved], minlength=1).max())
    return total + machine * int(instance.machine_move[instance.start, placed].sum())
