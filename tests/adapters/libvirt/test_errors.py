"""Errors as operators understand them."""

import libvirt
import pytest

from balancer.adapters.libvirt.errors import NotAnswering, explain, is_broken_connection, message
from tests.adapters.libvirt.fakes import error

RESET = "Cannot recv data: {}: Connection reset by peer"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            RESET.format("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @"),
            "SSH host key changed",
        ),
        (RESET.format("Host key verification failed."), "SSH host key is unknown or changed"),
        (RESET.format("ssh: Could not resolve hostname kvm9"), "its name cannot be resolved"),
        (
            "unable to resolve address 'kvm9': Name or service not known",
            "its name cannot be resolved",
        ),
        (RESET.format("ada@kvm9: Permission denied (publickey)."), "SSH refuses the login"),
        (
            "Failed to connect socket to '/run/libvirt/libvirt-sock': Permission denied",
            "the libvirt socket refuses this user",
        ),
        ("unable to connect to server at 'kvm9:16509': Connection refused", "connection refused"),
        ("unable to connect to server at 'kvm9:16509': No route to host", "no route to it"),
        ("unable to connect to server: Connection timed out", "no answer"),
        (
            "Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory",
            "no libvirt socket there",
        ),
        ("The certificate has expired", "its TLS certificate is not accepted"),
        ("authentication failed: SASL", "login refused"),
        ("End of file while reading data: Input/output error", "the connection broke"),
    ],
)
def test_reasons_and_remedies(words, reason):
    """Every fault on the way to a host has a plain reason and something to do about it."""
    complaint = explain(error(libvirt.VIR_ERR_SYSTEM_ERROR, words))
    assert complaint.reason == reason
    assert complaint.remedy


def test_codes_where_words_do_not_tell():
    """The code decides where the text is not known; else the text itself is the reason."""
    assert explain(error(libvirt.VIR_ERR_NO_CONNECT, "??")).reason == "no driver for this URI"
    assert explain(error(libvirt.VIR_ERR_OPERATION_FAILED, "odd\n thing.")).reason == "odd thing"
    assert explain(NotAnswering("no answer in 3 s")).reason == "no answer in 3 s"
    assert explain(ValueError()).reason == "ValueError"
    assert message(ValueError("a  b.")) == "a b"


def test_broken_connections():
    """Only faults of the wire are worth a second try over a new connection."""
    assert is_broken_connection(error(libvirt.VIR_ERR_RPC, domain=libvirt.VIR_FROM_RPC))
    assert not is_broken_connection(error(libvirt.VIR_ERR_RPC, domain=libvirt.VIR_FROM_QEMU))
    assert not is_broken_connection(error(libvirt.VIR_ERR_NO_DOMAIN, domain=libvirt.VIR_FROM_RPC))
