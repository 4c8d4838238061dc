"""The same kernels, compiled. Importing takes a moment: only where problems are large."""

from types import FunctionType

from numba import njit
from numba.extending import register_jitable

from balancer.planner.order.kernels import passes, roaming

_HELPERS = (
    passes.duration,
    passes.draw,
    passes.open_book,
    passes.change_row,
    passes.split_channel,
    passes.occupy,
    passes.rows_free,
    passes.channels_free,
    passes.spare_rate,
    passes.choose,
    passes.push,
    passes.pop,
    passes.blocker,
    passes.push_end,
    passes.pop_end,
    passes.turns,
    passes.mirrored,
    roaming.has_rows,
    roaming.shift_rows,
    roaming.has_rate,
    roaming.top_between,
    roaming.shift_rate,
    roaming.reach,
)
for _helper in _HELPERS:
    register_jitable(_helper)

step = njit(cache=True)(passes.step)
generate = njit(cache=True)(passes.generate)
roam = njit(cache=True)(roaming.roam)

# The same function, but calling the two that are compiled already: they need not be read twice.
_scope = {**vars(passes), "step": step, "generate": generate}
improve = njit(cache=True)(FunctionType(passes.improve.__code__, _scope, "improve"))
