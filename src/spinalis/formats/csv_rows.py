"""The rows of a csv table with their line numbers, so that a message can say which line breaks which rule."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from spinalis.errors import TableError


def read(path: Path, columns: tuple[str, ...], delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below the header with their line number; each holds exactly the columns of the header.

    Args:
        path: UTF-8 text, a byte order mark allowed.
        columns: columns that must be there once; others may be.
        delimiter: what stands between two cells.

    Yields:
        Line number (the header is line 1), and column -> cell without surrounding space.

    Raises:
        TableError: the file cannot be read, is no csv, lacks a column, or has a row of another length.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TableError(
            f"{path.name}: expected a readable file, got {error.strerror or type(error).__name__}. Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path.name}: expected UTF-8 text, got other bytes. Save it as UTF-8 csv.") from error
    lines = csv.reader(StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(lines, [])]
        _check_header(path, header, columns)
        for cells in lines:
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise broken(path, lines.line_num, f"{len(header)} cells", f"{len(cells)}")
            yield lines.line_num, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise broken(path, lines.line_num, "well-formed csv", str(error)) from error


def broken(path: Path, line: int, rule: str, value: str) -> TableError:
    """The error for a line that breaks a rule."""
    return TableError(f"{path.name}, line {line}: expected {rule}, got {value}. Correct this line.")


def _check_header(path: Path, header: list[str], columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise broken(path, 1, f"a column {missing[0]}", ", ".join(header[:4]) or "an empty file")
    twice = [name for name in columns if header.count(name) > 1]
    if twice:
        raise broken(path, 1, f"one column {twice[0]}", f"{header.count(twice[0])} of them")
