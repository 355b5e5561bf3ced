import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from spinalis.errors import OutputError
from spinalis.formats import reading_json
from spinalis.records import Measurement, Notice, Reading
from spinalis.vocabulary import Level, NoticeKind
from tests.readings import REAL, brain_reading, reading

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "reading.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def measured() -> Reading:
    canal = Measurement(
        name="canal diameter", levels=(Level.L4_L5,), value=11.23456, unit="mm", method="along the disc plane"
    )
    return replace(reading(), measurements=(canal,))


def without_geometry() -> Reading:
    whole = reading(axial=False)
    study = replace(
        whole.study,
        instance_uid=None,
        series=tuple(
            replace(s, number=None, slices=tuple(replace(i, plane=None, instance_number=None) for i in s.slices))
            for s in whole.study.series
        ),
    )
    labels = tuple(replace(label, number=None, slices=label.slices[1:]) for label in whole.series)
    return replace(whole, study=study, series=labels, levels=tuple(replace(x, point_lps_mm=None) for x in whole.levels))


@pytest.mark.parametrize(
    "made",
    [reading(), reading(proof=REAL), reading(axial=False), brain_reading(), measured(), without_geometry()],
    ids=["simulation", "real", "no axial", "brain", "measured", "no geometry"],
)
def test_output_fits_the_published_schema(made: Reading) -> None:
    VALIDATOR.validate(json.loads(reading_json.dumps(reading_json.to_json(made))))


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def fields(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Dotted names of everything the schema describes, `[]` for the items of a list of objects or words."""
    if "$ref" in schema:
        yield from fields(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], path)
    for option in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from fields(option, path)
    if "items" in schema and not path.endswith("_lps_mm"):
        yield f"{path}[]"
        yield from fields(schema["items"], f"{path}[]")
    for name, sub in schema.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        if not sub.get("items"):
            yield inner
        yield from fields(sub, inner)


def test_every_field_is_documented() -> None:
    documented = set(re.findall(r"`([a-z0-9_.\[\]]+)`", (DOCS / "reading.md").read_text()))
    # The four answers of a slice are spelled out once, for the series.
    answer = re.compile(r"series\[\]\.slices\[\]\.labels\.\w+\.(label|probability|source)$")
    found = set(fields(SCHEMA))
    assert len(found) > 80
    assert sorted(name for name in found - documented if not answer.match(name)) == []


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for sub in schema.values():
            yield from objects(sub)
    elif isinstance(schema, list):
        for sub in schema:
            yield from objects(sub)


def test_the_schema_accepts_no_unknown_field() -> None:
    assert all(item["additionalProperties"] is False for item in objects(SCHEMA))
    data = reading_json.to_json(reading())
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        VALIDATOR.validate({**data, "surprise": 1})


def test_a_finding_is_spelled_as_in_the_rsna_tables() -> None:
    findings = reading_json.to_json(reading())["findings"]
    found = next(f for f in findings if f["column"] == "left_neural_foraminal_narrowing_l4_l5")
    assert (found["condition"], found["level"], found["side"]) == ("Left Neural Foraminal Narrowing", "L4/L5", "left")
    assert list(found["probabilities"]) == ["normal_mild", "moderate", "severe"]
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=2e-4)
    assert found["proven_on"]["on"] == "simulation"
    assert len({f["column"] for f in findings}) == 25


def test_a_missing_answer_has_a_reason_and_no_grade() -> None:
    findings = reading_json.to_json(reading(axial=False))["findings"]
    missing = [f for f in findings if "not_assessed" in f]
    assert len(missing) == 10
    assert all("severity" not in f and f["not_assessed"].startswith("no axial") for f in missing)


def test_numbers_are_rounded() -> None:
    data = reading_json.to_json(measured())
    assert data["series"][0]["sequence"]["probability"] == 0.8812
    assert data["series"][0]["slices"][0]["labels"]["cord"] == 0.5123
    assert data["measurements"][0]["value"] == 11.23
    assert data["timings"][0] == {"stage": "triage", "seconds": 1.2}


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(OutputError, match="finite"):
        reading_json.dumps(reading_json.to_json(replace(reading(), timings_s=(("triage", float("nan")),))))


def test_warnings_of_study_and_reading_stand_once() -> None:
    another = Notice(kind=NoticeKind.NUMBERING_DOUBT, text="Study: another.")
    made = reading()
    again = replace(made, study=replace(made.study, warnings=(made.warnings[0], another)))
    assert reading_json.to_json(again)["warnings"] == [
        {"kind": str(item.kind), "text": item.text} for item in (made.warnings[0], another)
    ]


def test_triage_carries_the_same_series() -> None:
    made = reading()
    data = reading_json.triage_to_json(made.study, made.series)
    assert data["schema"] == "spinalis-triage/1"
    assert data["series"] == reading_json.to_json(made)["series"]


def test_write_puts_the_whole_file_in_place(tmp_path: Path) -> None:
    path = tmp_path / "reading.json"
    path.write_text("old")
    reading_json.write(reading(), path)
    assert json.loads(path.read_text()) == reading_json.to_json(reading())
    assert [item.name for item in tmp_path.iterdir()] == ["reading.json"]


def test_an_interrupted_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reading.json"
    path.write_text("old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        reading_json.write(reading(), path)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["reading.json"]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Output file: expected a writable folder"):
        reading_json.write(reading(), tmp_path / "absent" / "reading.json")
