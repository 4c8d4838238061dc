"""TOML files that cannot be read, and values of the wrong kind."""

from pathlib import Path

import pytest

from balancer.config.reading import Table, nearest, read_toml
from balancer.config.units import COUNT, MILLISECONDS
from balancer.ports import UsageError


def fault(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert str(caught.value).startswith(f"{path}: ".replace("\0", "?"))
    return str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Missing, a folder, not TOML, not text, nested without end."""
    path = tmp_path / "x.toml"
    assert "cannot be read: No such file" in fault(path)
    assert "cannot be read: Is a directory" in fault(tmp_path)
    assert "cannot be read: " in fault(Path("a\0b"))
    path.write_text("a = = 1")
    assert "is not TOML: " in fault(path)
    assert "at line 1" in fault(path)
    path.write_bytes(b"a = '\xff'")
    assert "is not UTF-8" in fault(path)
    path.write_text("a = " + "[" * 100_000)
    assert "nested too deeply" in fault(path)


def table(**values: object) -> Table:
    return Table(Path("x.toml"), "limits", values)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda: table(k=1).text("k"), "x.toml: limits.k = 1: must be a string in quotes"),
        (lambda: table(k=[1]).texts("k"), "must be a string in quotes or a list of them"),
        (
            lambda: table(k="yes").flag("k", default=True),
            'limits.k = "yes": must be true or false',
        ),
        (lambda: table(k=1).table("k"), "must be a table: [limits.k]"),
        (lambda: table(k={}).tables("k"), "must be written [[limits.k]], once for each"),
        (lambda: table(k=[1]).tables("k"), "must be written [[limits.k]]"),
        (lambda: table(k="x").choice("k", ["aaa"], "aaa"), "must be one of aaa"),
        (lambda: table(k=1.5).amount("k", COUNT, 1), "must be a whole number, for example 8"),
        (lambda: table(k=300).amount("k", MILLISECONDS, 1), 'give a unit, for example "300ms"'),
        (lambda: table(k=True).flag("j", default=False) or table(k=1).only(["kk"]), "k: unknown"),
        (lambda: table(k="\x1b" * 99).fail("k", "no"), f'limits.k = "{"?" * 59}…": no'),
    ],
)
def test_a_value_of_the_wrong_kind_is_shown(read: object, said: str) -> None:
    """File, table, key, value, and what it should be."""
    with pytest.raises(UsageError) as caught:
        read()  # type: ignore[operator]
    assert said in str(caught.value)


def test_what_is_absent_has_its_default() -> None:
    """Absent keys are no faults."""
    empty = table()
    assert empty.text("k", "x") == "x"
    assert empty.texts("k") == ()
    assert empty.flag("k", default=True)
    assert empty.amount("k", MILLISECONDS, 7) == 7
    assert empty.tables("k") == ()
    assert not empty.strings("k")


def test_the_nearest_name_is_offered_else_all() -> None:
    """One letter off finds it; nothing like it lists what there is."""
    assert nearest("pausse_at_most", ["pause_at_most", "hard"]) == "; did you mean pause_at_most?"
    assert nearest("zzz", ["b", "a"]) == "; known are a, b"
    assert nearest("zzz", ["b", "a"], "") == ""
