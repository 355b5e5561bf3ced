from pathlib import Path

import pytest

from spinalis.errors import TableError
from spinalis.formats import csv_rows


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "some.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_rows_come_with_their_line_without_space_and_empty_lines(tmp_path: Path) -> None:
    file = write(tmp_path, '\ufeffa , b\r\n 1,"2\n3"\r\n\r\n4, 5 \r\n')
    assert list(csv_rows.read(file, ("b", "a"))) == [(3, {"a": "1", "b": "2\n3"}), (5, {"a": "4", "b": "5"})]


def test_another_delimiter_leaves_commas_in_the_cells(tmp_path: Path) -> None:
    assert list(csv_rows.read(write(tmp_path, "a;b\n1,5;2\n"), ("a",), ";")) == [(2, {"a": "1,5", "b": "2"})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"some\.csv, line 1: expected a column a, got an empty file"),
        ("b,c\n", r"some\.csv, line 1: expected a column a, got b, c"),
        ("a,a\n", r"some\.csv, line 1: expected one column a, got 2 of them"),
        ("a,b\n1,2\n3\n", r"some\.csv, line 3: expected 2 cells, got 1"),
        ('a,b\n1,"2\n', r"some\.csv, line 2: expected well-formed csv"),
        (b"a,b\n\xff\xfe,1\n", r"some\.csv: expected UTF-8 text, got other bytes"),
    ],
)
def test_broken_tables_are_refused_by_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(TableError, match=message):
        list(csv_rows.read(write(tmp_path, text), ("a",)))


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv: expected a readable file, got No such file"):
        list(csv_rows.read(tmp_path / "none.csv", ("a",)))
