"""The same kernels, compiled. Importing takes a moment: only where problems are large."""

from collections.abc import Callable
from types import FunctionType
from typing import TypeVar

from numba import njit
from numba.extending import register_jitable

from balancer.planner.order.kernels import passes, roaming, settling

Kernel = TypeVar("Kernel")

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
    passes.melt,
    passes.wake,
    roaming.has_rows,
    roaming.shift_rows,
    roaming.has_rate,
    roaming.top_between,
    roaming.shift_rate,
    roaming.reach,
    settling.go,
    settling.third_of,
)
"""Helpers that make no array: they count no references, which took nine tenths of a pass."""
for _helper in _HELPERS:
    register_jitable(_nrt=False)(_helper)

_MAKERS = (passes.turns, passes.mirrored)
"""Helpers that make arrays."""
for _maker in _MAKERS:
    register_jitable(_maker)

step = njit(cache=True)(passes.step)
generate = njit(cache=True)(passes.generate)
roam = njit(cache=True)(roaming.roam)

settle = njit(cache=True)(settling.settle)


def _calling(kernel: Callable[..., Kernel], **others: object) -> Callable[..., Kernel]:
    """Return `kernel` compiled, calling `others`, which then need not be read twice."""
    known = {**kernel.__globals__, **others}
    compiled: Callable[..., Kernel] = njit(cache=True)(
        FunctionType(kernel.__code__, known, kernel.__name__)
    )
    return compiled


improve = _calling(passes.improve, step=step, generate=generate)
outlook = _calling(settling.outlook, settle=settle)
