"""What doctor found."""

from balancer.ports import Finding, Grade
from balancer.render.doctor import findings
from tests.render.screens import shown


def finding(subject: str, grade: Grade, sentence: str, remedy: str = "") -> Finding:
    """A finding of one kind."""
    return Finding(check="trust", subject=subject, grade=grade, sentence=sentence, remedy=remedy)


def test_alike_findings_are_one_line() -> None:
    """Faults come first; hosts with the same trouble share its line and its remedy."""
    found = [
        finding("", Grade.OK, "397 hosts answer"),
        finding("kvm1", Grade.NOTE, "no balloon statistics"),
        finding("kvm7", Grade.FAULT, "no answer in 10 s", "start libvirtd"),
        finding("kvm8", Grade.FAULT, "no answer in 10 s", "start libvirtd"),
    ]
    assert (
        shown(findings(found))
        == """\
✗ kvm7, kvm8: no answer in 10 s
  remedy: start libvirtd
· kvm1: no balloon statistics
✓ 397 hosts answer
2 faults, 1 note; 1 check in order."""
    )


def test_nothing_to_complain_of() -> None:
    """All is well, in one line."""
    assert shown(findings([finding("", Grade.OK, "fine")])) == "✓ fine\n1 check in order."
