import dataclasses
import inspect

import numpy as np
import pytest

from spinalis import records
from spinalis.vocabulary import CONDITIONS, Condition, Level, Severity

RECORDS = [kind for _, kind in inspect.getmembers(records, inspect.isclass) if dataclasses.is_dataclass(kind)]


def a_series(**changes):
    fields = {
        "key": "s3",
        "number": 3,
        "header": records.Header(),
        "rows": 2,
        "columns": 2,
        "slices": (records.Slice(file="a.dcm"),),
        "load": lambda index: np.zeros((2, 2), np.float32),
        "instance_uid": "1.2.3.4",
        "frame_of_reference_uid": "1.2.3.5",
    }
    return records.Series(**(fields | changes))


def a_reading(*findings):
    study = records.Study(key="k", series=(a_series(),), instance_uid="1.2.3")
    return records.Reading(
        study=study, series=(), levels=(), measurements=(), findings=findings, warnings=(), packs=(), timings_s=()
    )


def test_the_module_holds_the_chain_of_records():
    names = {kind.__name__ for kind in RECORDS}
    assert {"Study", "Series", "SeriesLabel", "Landmark", "Measurement", "Finding", "Reading"} <= names


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_records_are_frozen_slotted_keyword_only_and_documented(kind):
    assert kind.__dataclass_params__.frozen
    assert "__dict__" not in dir(kind)
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in inspect.signature(kind).parameters.values())
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")


def test_a_record_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        a_series().key = "s4"


def test_a_header_knows_nothing_by_itself():
    header = records.Header()
    assert all(getattr(header, field.name) in (None, ()) for field in dataclasses.fields(header))


def test_identifiers_do_not_show_when_a_record_is_printed():
    shown = repr(a_reading())
    assert "1.2.3" not in shown
    assert "s3" in shown


def test_two_series_with_other_pixel_loaders_are_equal():
    assert a_series() == a_series(load=lambda index: np.ones((2, 2), np.float32))
    assert a_series() != a_series(key="s4")


def test_graded_findings_leave_out_what_was_not_assessed():
    graded = records.Graded(
        severity=Severity.SEVERE,
        probabilities=(0.1, 0.2, 0.7),
        evidence=(),
        proof=records.Proof(on="simulation", figures="AUC .9"),
    )
    known = records.Finding(condition=Condition.SPINAL_CANAL_STENOSIS, level=Level.L4_L5, result=graded)
    unknown = records.Finding(
        condition=CONDITIONS[-1], level=Level.L1_L2, result=records.NotAssessed(reason="no axial series")
    )
    assert a_reading(unknown, known).graded == (known,)
