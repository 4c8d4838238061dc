"""How much more CPU a translated guest needs for the same work where its architecture is another's.

    python -m benchmarks.emulation [--rounds 5] [--million 300]

Two guests of one loop each, word for word the same work (a multiplication, an addition, a shift, a
load, an exclusive or, a store, a count and a branch), under the QEMU of this machine: one of this
machine's own architecture (x86_64) and one of another (aarch64), both translated by TCG. What is
compared is CPU time of the whole process, less that of a guest that ends at once.
"""

import argparse
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PLACEHOLDER = struct.pack("<I", 0x11223344)
"""Where the number of iterations goes."""
SECONDS = 60.0
PILOT = 1_000_000
"""Iterations after which a machine that has not ended by ten seconds is no use."""

# Multiboot header; mov ecx, N; mov eax, 1; mov esi, 0x200000;
# loop: imul eax, 1664525; add eax, 1013904223; mov edx, eax; shr edx, 20; mov ebx, [esi + 4 edx];
#       xor ebx, eax; mov [esi + 4 edx], ebx; dec ecx; jnz loop;  out 0xf4, al
X86 = bytes.fromhex(
    "02b0ad1b00000100fe4f51e40000100000001000000000000000000020001000"
    "b944332211b801000000be0000200069c00d661900055ff36e3c89c2c1ea148b"
    "1c9631c3891c964975e566baf400eef4ebfd"
)
# The same in A64; at its end PSCI SYSTEM_OFF by hvc. Constants stand behind the code.
ARM = bytes.fromhex(
    "22020018200080520304a8d2e4010018e50100180014041b067c1453677866b8"
    "e700004a677826b84204007141ffff540080b05200018072020000d47f2003d5"
    "ffffff17443322110d6619005ff36e3c"
)


@dataclass(frozen=True)
class Machine:
    """One way to run the loop."""

    name: str
    command: tuple[str, ...]
    code: bytes


PLAIN = ("-nodefaults", "-display", "none", "-no-reboot", "-m", "64")
EXIT = ("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04")
MACHINES = (
    Machine(
        "x86_64 translated (TCG)", ("qemu-system-x86_64", "-accel", "tcg", *PLAIN, *EXIT), X86
    ),
    Machine(
        "aarch64 translated (TCG)",
        ("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57", "-accel", "tcg", *PLAIN),
        ARM,
    ),
)


def cpu_seconds(machine: Machine, iterations: int, patience: float = SECONDS) -> float:
    """Return the CPU seconds of one run. Raises CalledProcessError where the guest never ended well."""
    with tempfile.TemporaryDirectory() as folder:
        kernel = Path(folder) / "kernel"
        kernel.write_bytes(machine.code.replace(PLACEHOLDER, struct.pack("<I", iterations)))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [*machine.command, "-kernel", str(kernel)]
        ended = subprocess.run(command, capture_output=True, timeout=patience, check=False)  # noqa: S603 - our own
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.stderr and b"warning" not in ended.stderr.lower():
        raise subprocess.CalledProcessError(ended.returncode, command, ended.stdout, ended.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def works(machine: Machine) -> bool:
    """True if the machine can be had here."""
    if not shutil.which(machine.command[0]):
        return False
    try:
        cpu_seconds(machine, PILOT, patience=10)
    except (subprocess.SubprocessError, OSError):
        return False
    return True


def main() -> None:
    """Print the median of each, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--million", type=int, default=300, help="iterations")
    told = parser.parse_args()
    took: dict[str, list[float]] = {m.name: [] for m in MACHINES if works(m)}
    for _ in range(told.rounds):  # in turn, so that what else runs here falls on all
        for machine in (m for m in MACHINES if m.name in took):
            idle = cpu_seconds(machine, 1)
            took[machine.name].append(cpu_seconds(machine, told.million * 1_000_000) - idle)
    out = sys.stdout.write
    for name, seconds in took.items():
        each = " ".join(f"{s:.2f}" for s in seconds)
        out(f"{name:<26} {median(seconds):6.2f} s of CPU   ({each})\n")
    native, foreign = (took.get(m.name) for m in MACHINES)
    if native and foreign:
        ratios = sorted(f / n for f, n in zip(foreign, native, strict=True))
        out(f"another architecture against its own, both translated: {median(ratios):.2f} ")
        out(f"({ratios[0]:.2f} to {ratios[-1]:.2f})\n")


if __name__ == "__main__":
    main()
