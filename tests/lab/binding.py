"""The one place where the laboratory meets libvirt's Python binding.

The binding may be absent: then the tests must still be collected, so that they can say what is
missing (requirements.py) instead of failing with an ImportError. No event loop is registered
here, because the program under test registers its own.
"""

from __future__ import annotations

try:
    import libvirt
except ImportError:
    libvirt = None  # type: ignore[assignment]
else:
    # Otherwise libvirt prints every error to stderr, also those that are expected and handled.
    libvirt.registerErrorHandler(lambda *_: None, None)

__all__ = ["libvirt"]
