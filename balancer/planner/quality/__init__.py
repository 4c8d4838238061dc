"""The gate between what was measured and what is believed.

What fails a check is taken out of the observation, so that everything behind the gate sees it as
unknown; and unknown is frozen, never idle. The gate says of each guest and host why.
"""

from balancer.planner.quality.gate import Trusted, gate

__all__ = ["Trusted", "gate"]
