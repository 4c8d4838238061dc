"""The guests' kernel and initramfs, built once per machine and kept in the cache.

A Debian cloud kernel is downloaded and unpacked, never installed. Its compressed image is taken
apart, because QEMU boots a bare vmlinux directly (PVH), which saves the guest from
decompressing 50 MB under software emulation. The initramfs is not compressed for the same reason.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .command import run
from .paths import SOURCE, cache

KERNEL_PACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_pci", "virtio_balloon", "virtio_blk", "virtio_net", "virtio_mem")
"""What a guest needs of the package; what these need in turn is found in the modules."""


@dataclass(frozen=True)
class Image:
    """What a guest boots from, and the library that makes the shared folder look shared."""

    kernel: Path
    initramfs: Path
    sharedfs: Path


def image() -> Image:
    """The built files; builds what is not there yet, one process at a time."""
    with _locked(cache()):
        kernel_folder = _kernel()
        key = _key(SOURCE / "guest" / "load.c", SOURCE / "guest" / "init",
                   SOURCE / "guest" / "sharedfs.c", kernel_folder / "vmlinux")  # fmt: skip
        built = cache() / f"guest-{key}"
        if not built.exists():
            with _new_folder(built) as folder:
                _build(folder, kernel_folder)
    return Image(kernel_folder / "vmlinux", built / "initramfs", built / "sharedfs.so")


def vmlinux(bzimage: bytes) -> bytes:
    """Take the kernel out of its self-extracting wrapper (LZ4, as Debian's cloud kernel uses)."""
    setup_sectors = bzimage[0x1F1] or 4
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = bzimage[start : start + length]
    with tempfile.TemporaryDirectory() as folder:
        packed, plain = Path(folder, "packed"), Path(folder, "plain")
        packed.write_bytes(payload[:-4])  # the last four bytes are the size it unpacks to
        run(["lz4", "-d", "-q", "-f", packed, plain])
        kernel = plain.read_bytes()
    (size,) = struct.unpack("<I", payload[-4:])
    if len(kernel) != size or kernel[:4] != b"\x7fELF":
        raise RuntimeError(f"the kernel unpacked to {len(kernel)} bytes of something, not {size}")
    return kernel


def load_order(modules: Mapping[str, Path]) -> list[str]:
    """MODULES and all they depend on, each after its own dependencies."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        found = re.search(rb"\0depends=([^\0]*)\0", modules[name].read_bytes())
        for needed in found[1].decode().split(",") if found else ():
            if needed:
                visit(needed)
        order.append(name)

    for name in MODULES:
        visit(name)
    return order


def _kernel() -> Path:
    """Unpacked kernel of any version already in the cache, else a freshly downloaded one."""
    folders = sorted(cache().glob("kernel-*"))
    ready = [f for f in folders if all((f / f"{module}.ko").exists() for module in MODULES)]
    if ready:
        return ready[-1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        package = _download(folder)
        run(["dpkg", "-x", package, folder / "x"])
        (bzimage,) = (folder / "x" / "boot").glob("vmlinuz-*")
        version = bzimage.name.removeprefix("vmlinuz-")
        ready = cache() / f"kernel-{version}-{len(MODULES)}"
        with _new_folder(ready) as kernel_folder:
            (kernel_folder / "vmlinux").write_bytes(vmlinux(bzimage.read_bytes()))
            modules = {path.stem: path for path in (folder / "x" / "lib").rglob("*.ko")}
            order = load_order(modules)
            for module in order:
                shutil.copy(modules[module], kernel_folder)
            (kernel_folder / "order").write_text("".join(f"{module}\n" for module in order))
    return ready


def _download(folder: Path) -> Path:
    depends = run(["apt-cache", "depends", KERNEL_PACKAGE])
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise RuntimeError(f"apt does not know {KERNEL_PACKAGE}; run apt-get update")
    run(["apt-get", "download", "-o", "APT::Sandbox::User=root", found[1]], cwd=folder)
    (package,) = folder.glob("*.deb")
    return package


def _build(folder: Path, kernel_folder: Path) -> None:
    root = folder / "root"
    for name in ("bin", "dev", "proc", "sys", "modules"):
        (root / name).mkdir(parents=True)
    shutil.copy(SOURCE / "guest" / "init", root / "init")
    (root / "init").chmod(0o755)
    run(["gcc", "-O2", "-static", "-s", "-pthread", "-o", root / "load",
         SOURCE / "guest" / "load.c"])  # fmt: skip
    shutil.copy(shutil.which("busybox") or "/bin/busybox", root / "bin")
    for applet in ("sh", "mount", "insmod", "ip"):
        (root / "bin" / applet).symlink_to("busybox")
    for file in (*kernel_folder.glob("*.ko"), kernel_folder / "order"):
        shutil.copy(file, root / "modules")
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    run(["cpio", "--quiet", "-o", "-H", "newc", "-O", folder / "initramfs"], names, cwd=root)
    run(["gcc", "-O2", "-shared", "-fPIC", "-o", folder / "sharedfs.so",
         SOURCE / "guest" / "sharedfs.c"])  # fmt: skip
    shutil.rmtree(root)


def _key(*files: Path) -> str:
    digest = hashlib.sha256(repr(MODULES).encode() + Path(__file__).read_bytes())
    for file in files:
        # The kernel is 50 MB and its folder is named after its version: name and size will do.
        stat = file.stat()
        large = stat.st_size > 1 << 20
        digest.update(f"{file.name} {stat.st_size}".encode() if large else file.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _new_folder(final: Path) -> Iterator[Path]:
    """A folder that appears under its name only when complete, so a killed build leaves none."""
    partial = final.with_name(f".{final.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.rename(final)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
