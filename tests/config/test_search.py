"""Where files are looked for."""

from pathlib import Path

import pytest

from balancer.config import find
from balancer.config import search as search_module
from balancer.ports import UsageError

SHIPPED = Path(__file__).parents[2] / "policies"


def test_beside_the_file_that_names_it_comes_first(tmp_path: Path) -> None:
    """Then the checkout; a bare word is a shipped file's name; absolute paths are taken as given."""
    (tmp_path / "policies").mkdir()
    assert find("policies/balance.toml", tmp_path) == SHIPPED / "balance.toml"
    assert find("balance", tmp_path) == SHIPPED / "balance.toml"
    mine = tmp_path / "policies/balance.toml"
    mine.touch()
    assert find("policies/balance.toml", tmp_path) == mine
    assert find("balance", tmp_path) == mine
    assert find("/x.toml", tmp_path) == Path("/x.toml")


def test_an_installed_package_finds_its_shared_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a checkout, under share/balancer of the environment."""
    shared = tmp_path / "share/balancer/policies"
    shared.mkdir(parents=True)
    (shared / "balance.toml").touch()
    monkeypatch.setattr(
        search_module, "__file__", str(tmp_path / "site/balancer/config/search.py")
    )
    monkeypatch.setattr(search_module.sys, "prefix", str(tmp_path))
    assert find("balance", tmp_path / "none") == shared / "balance.toml"


def test_what_is_nowhere_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """Each place once; an empty name is no file."""
    with pytest.raises(UsageError, match=r"nix: no such file \(looked for .*policies/nix\.toml"):
        find("nix", tmp_path)
    with pytest.raises(UsageError, match="needs the name of a file"):
        find("", tmp_path)
