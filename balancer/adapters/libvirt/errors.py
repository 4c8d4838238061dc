"""What libvirt's errors mean to an operator: a reason and a remedy, one phrase each."""

import re
from dataclasses import dataclass
from typing import Final

import libvirt


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why something could not be done, and what to do about it."""

    reason: str
    remedy: str


class NotAnswering(Exception):  # noqa: N818 - a state of the host, not of the program
    """A host did not answer within its time limit."""


_BY_TEXT: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "SSH host key changed",
        "verify the new key, then update known_hosts",
    ),
    (
        r"Host key verification failed",
        "SSH host key is unknown or changed",
        "verify it by `ssh` once, then update known_hosts",
    ),
    (
        r"resolve (host|address)|Name or service not known|name resolution|nodename nor servname",
        "its name cannot be resolved",
        "correct `uri` in the hosts file, or DNS",
    ),
    (
        r"Permission denied \((publickey|password|keyboard|gssapi)",
        "SSH refuses the login",
        "give the user of `uri` a key that is authorised there",
    ),
    (
        r"libvirt-sock.*Permission denied|Permission denied.*libvirt",
        "the libvirt socket refuses this user",
        "put the user into the group `libvirt` there",
    ),
    (
        r"Connection refused",
        "connection refused",
        "start libvirtd (or virtqemud) and its socket there, check the firewall",
    ),
    (
        r"No route to host|Network is unreachable|Host is unreachable",
        "no route to it",
        "check that it has power and the network between",
    ),
    (
        r"timed out|keepalive|no response",
        "no answer",
        "check that it has power, that libvirtd is not hung, and the firewall",
    ),
    (
        r"No such file or directory|failed to connect to the hypervisor",
        "no libvirt socket there",
        "start libvirtd (or virtqemud) there, or correct `uri`",
    ),
    (
        r"certificate|TLS|x509",
        "its TLS certificate is not accepted",
        "check the certificates' names, dates and authority on both sides",
    ),
    (
        r"authentication (failed|unavailable|cancel)|SASL|GSSAPI|polkit",
        "login refused",
        "check the user of `uri` and the authentication set in libvirtd.conf there",
    ),
    (
        (
            r"End of file while reading|Connection reset|Broken pipe|socket is closed"
            r"|client socket|Cannot recv data|Cannot write data"
        ),
        "the connection broke",
        "look at libvirtd's log there",
    ),
)

_BY_CODE: Final[dict[int, tuple[str, str]]] = {
    libvirt.VIR_ERR_AUTH_FAILED: (
        "login refused",
        "check the user of `uri` and the authentication set in libvirtd.conf there",
    ),
    libvirt.VIR_ERR_NO_CONNECT: (
        "no driver for this URI",
        "correct `uri` in the hosts file",
    ),
    libvirt.VIR_ERR_INVALID_ARG: (
        "the URI is not understood",
        "correct `uri` in the hosts file",
    ),
    libvirt.VIR_ERR_ACCESS_DENIED: (
        "access denied",
        "allow this user in the polkit rules there",
    ),
}


def message(error: Exception) -> str:
    """Return the error's text on one line, without trailing stops."""
    return re.sub(r"\s+", " ", str(error)).strip().rstrip(".") or type(error).__name__


def explain(error: Exception) -> Complaint:
    """Return what `error`, met on the way to a host, means and what to do about it."""
    if isinstance(error, NotAnswering):
        return Complaint(
            str(error), "check that it has power, that libvirtd is not hung, and the firewall"
        )
    text = message(error)
    for pattern, reason, remedy in _BY_TEXT:
        if re.search(pattern, text, re.IGNORECASE):
            return Complaint(reason, remedy)
    code = error.get_error_code() if isinstance(error, libvirt.libvirtError) else None
    if code in _BY_CODE:
        return Complaint(*_BY_CODE[code])
    return Complaint(text, "try `virsh -c URI list` with its `uri`")


def is_broken_connection(error: libvirt.libvirtError) -> bool:
    """True if the error says that the connection is gone, not that the request was bad."""
    domain, code = error.get_error_domain(), error.get_error_code()
    broken = (libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR)
    return domain in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE) and code in broken
