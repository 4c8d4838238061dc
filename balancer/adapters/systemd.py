"""The service manager: told when we are ready, what we do, and that we live.

The protocol is one datagram of lines to the socket in $NOTIFY_SOCKET (see sd_notify(3)).
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


def notify(environment: Mapping[str, str] = os.environ, **said: str) -> bool:
    """Send `said`; return whether somebody listens. Never raises.

    An abstract socket's name begins with @, which stands for a NUL byte.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    lines = "\n".join(f"{key}={' '.join(value.split())}" for key, value in said.items())
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(
            lines.encode(errors="replace"), "\0" + address[1:] if address[0] == "@" else address
        )
        return True
    return False
