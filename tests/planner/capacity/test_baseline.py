"""The processor that all hosts have in common, and whom it would free."""

from balancer.planner.capacity.baseline import answered, baselines
from tests.drawing import problem

TEXT = """
    a 8c/8g models=Haswell,Skylake features=avx,sse cpu-model=Sky : new 1v/1g model=Skylake | own 1v/1g mode=host-passthrough
    b 8c/8g models=Haswell features=sse cpu-model=Has : old 1v/1g model=Haswell | both 1v/1g model=Haswell networks=lan
    c 8c/8g models=Haswell state=down :
    d 8c/8g arch=aarch64 models=cortex-a57 : arm 1v/1g arch=aarch64 model=cortex-a57
"""


def test_what_is_common_and_whom_it_would_free() -> None:
    """Of hosts that are up, by architecture; guests that something else keeps are not named."""
    intel, arm = baselines(problem(TEXT))
    assert (intel.architecture, intel.hosts) == ("x86_64", ("a", "b"))
    assert (intel.models, intel.features) == (("Haswell",), ("sse",))
    assert intel.kept == ("new", "own")
    assert (arm.hosts, arm.models, arm.kept) == (("d",), ("cortex-a57",), ())


def test_what_libvirt_says_is_put_beside_it() -> None:
    """A processor, or why there is none; of architectures that were asked."""
    intel, arm = answered(baselines(problem(TEXT)), {"x86_64": ("<cpu/>", "")})
    assert (intel.xml, intel.doubt, arm.xml) == ("<cpu/>", "", "")
