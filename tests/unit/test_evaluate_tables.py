import pytest

from spinalis.evaluate.metrics import Share
from spinalis.evaluate.tables import Table, number, percent


def test_table_becomes_markdown():
    table = Table(title="Levels", columns=("set", "right"), rows=(("T1w|T2w", "0.900"),), notes=("50 patients.",))
    assert table.to_markdown() == (
        "### Levels\n\n| set | right |\n| --- | ---: |\n| T1w\\|T2w | 0.900 |\n\n- 50 patients.\n"
    )


def test_table_without_notes_ends_after_its_rows():
    assert Table(title="T", columns=("a",), rows=(("1",),)).to_markdown() == "### T\n\n| a |\n| --- |\n| 1 |\n"


def test_table_rejects_a_row_of_another_length():
    with pytest.raises(ValueError, match="row 2: expected 2 cells, got 1"):
        Table(title="T", columns=("a", "b"), rows=(("1", "2"), ("3",)))


def test_cells_say_what_is_undefined():
    assert number(0.12345) == "0.123"
    assert number(12.34, 1) == "12.3"
    assert number(None) == number(float("nan")) == "–"
    assert percent(Share(count=47, total=50)) == "94.0 % (47/50; 83.8–97.9)"
    assert percent(Share(count=0, total=0)) == "–"
