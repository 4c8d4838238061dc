"""Tables as files hold them: CSV, plain or gzipped, and Parquet, column by column."""

import csv
import gzip
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TextIO

from balancer.ports import UsageError

Columns = dict[str, list[Any]]

GZIP: Final = ".gz"


def opened(path: Path) -> TextIO:
    """Return a text file open for reading, unpacked where its name says that it is packed."""
    if path.suffix == GZIP:
        return gzip.open(path, "rt", newline="", encoding="utf-8")
    return path.open(newline="", encoding="utf-8")


def rows(path: Path, delimiter: str = ",") -> Iterator[list[str]]:
    """Yield the rows of a CSV file, spaces around the cells left out."""
    with opened(path) as file:
        for row in csv.reader(file, delimiter=delimiter):
            yield [cell.strip() for cell in row]


def csv_columns(path: Path, delimiter: str = ",") -> Columns:
    """Return a CSV file by the names in its first row, as text."""
    lines = rows(path, delimiter)
    names = next(lines, [])
    found: Columns = {name: [] for name in names}
    for line in lines:
        if line:
            for name, cell in zip(names, line, strict=True):
                found[name].append(cell)
    return found


def parquet_columns(path: Path) -> Columns:
    """Return a Parquet file by its columns. Raises UsageError without pyarrow."""
    try:
        parquet = import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise UsageError(
            f"{path}: reading Parquet needs pyarrow: pip install 'balancer[traces]', or save it as CSV"
        ) from None
    columns: Columns = parquet.read_table(path).to_pydict()
    return columns
