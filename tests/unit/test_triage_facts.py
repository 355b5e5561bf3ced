from dataclasses import replace

import numpy as np
import pytest

from spinalis.records import Header, Judgement, SeriesLabel, SliceLabel, Study
from spinalis.triage.choose import choose
from spinalis.triage.facts import answers, contradictions, facts, measure
from spinalis.triage.where import WORDS, parse
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence
from tests.fakes import label, series

HEADER = Header(
    modality="MR",
    manufacturer="SIEMENS",
    image_type=("ORIGINAL", "PRIMARY"),
    echo_time_ms=99.0,
    repetition_time_ms=3000.0,
    inversion_time_ms=160.0,
    flip_angle_deg=150.0,
    field_strength_t=1.5,
)
PIXELS = np.zeros((3, 20, 10), np.float32)


def slice_label(index: int, cord: float) -> SliceLabel:
    return SliceLabel(
        index=index,
        anatomy=Judgement(label=Anatomy.MR_SPINE, probability=0.9),
        region=Judgement(label=Region.LUMBAR, probability=0.9),
        plane=Judgement(label=Plane.SAGITTAL, probability=0.9),
        sequence=Judgement(label=Sequence.T2W, probability=0.9),
        cord=cord,
    )


def labelled(*cord: float, **changes: object) -> SeriesLabel:
    found = replace(
        label(region=Region.CERVICAL),
        slices=tuple(slice_label(index, value) for index, value in enumerate(cord)),
        cord_slices=tuple(index for index, value in enumerate(cord) if value > 0.5),
        coverage=Judgement(label=(Region.CERVICAL, Region.THORACIC), probability=0.8),
    )
    return replace(found, **changes)


def known(made=None, found=None, index=None, least=0.0):
    made, found = made or series(PIXELS, header=HEADER), found or labelled(0.1, 0.8, 0.3)
    return facts(measure(made, found), answers(found, index), least)


def test_every_word_has_a_fact_and_none_is_left_over() -> None:
    assert set(known()) == set(WORDS)


def test_header_and_geometry_are_read_off() -> None:
    found = known(replace(series(PIXELS, header=HEADER, spacing_mm=(0.9, 0.7)), thickness_mm=3.5))
    expected = {
        "rows": 20,
        "columns": 10,
        "slices": 3,
        "spacing_mm": 0.9,
        "slice_spacing_mm": 4.0,
        "thickness_mm": 3.5,
        "echo_time_ms": 99.0,
        "repetition_time_ms": 3000.0,
        "inversion_time_ms": 160.0,
        "flip_angle_deg": 150.0,
        "field_strength_t": 1.5,
        "modality": "MR",
        "manufacturer": "SIEMENS",
        "geometry": True,
        "localizer": False,
        "derived": False,
        "contradicted": False,
    }
    assert {name: found[name] for name in expected} == expected


def test_an_empty_header_leaves_its_words_unknown() -> None:
    found = known(series(PIXELS, header=Header(), orientation=None))
    unknown = {name for name, value in found.items() if value is None}
    assert unknown == {
        *("spacing_mm", "slice_spacing_mm", "thickness_mm", "modality", "manufacturer", "localizer", "derived"),
        *("novelty", "echo_time_ms", "repetition_time_ms", "inversion_time_ms", "flip_angle_deg", "field_strength_t"),
    }
    assert found["geometry"] is False


def test_flags_of_the_image_type_are_words() -> None:
    made = replace(series(PIXELS, header=HEADER), flags=("localizer", "derived"))
    assert (known(made)["localizer"], known(made)["derived"]) == (True, True)


@pytest.mark.parametrize(
    ("index", "value", "probability"), [(None, True, 0.8), (0, False, 0.9), (1, True, 0.8), (2, False, 0.7)]
)
def test_the_cord_of_a_slice_is_its_own_and_that_of_a_series_is_its_surest(
    index: int | None, value: bool, probability: float
) -> None:
    found = answers(labelled(0.1, 0.8, 0.3), index)["cord"]
    assert (found.value, found.probability) == (value, pytest.approx(probability))


def test_a_series_without_cord_is_as_sure_as_its_least_sure_slice() -> None:
    found = answers(labelled(0.1, 0.4, 0.3), None)["cord"]
    assert (found.value, found.probability) == (False, pytest.approx(0.6))


def test_another_part_of_the_body_shows_no_cord_and_no_region() -> None:
    brain = labelled(
        0.9,
        anatomy=Judgement(label=Anatomy.OTHER, probability=0.97, source="fusion"),
        region=Judgement(label=Region.UNKNOWN, probability=0.97, source="fusion"),
        cord_slices=(),
    )
    found = known(found=brain)
    assert (found["cord"], found["region"], found["anatomy"]) == (False, None, "not MR spine")


def test_a_slice_that_cannot_be_decoded_has_no_cord_and_no_absence_of_it() -> None:
    assert answers(labelled(0.9), 2)["cord"].value is None


def test_what_is_less_sure_than_asked_for_is_unknown() -> None:
    unsure = labelled(0.1, 0.8, 0.3, region=Judgement(label=Region.CERVICAL, probability=0.7))
    assert known(found=unsure, least=0.7)["region"] == "cervical"
    assert known(found=unsure, least=0.71)["region"] is None
    assert known(found=unsure, least=0.81)["cord"] is None


def test_contradictions_are_named() -> None:
    found = labelled(0.1, flags=("header_contradicts_pixels_anatomy", "split", "header_contradicts_pixels_region"))
    assert contradictions(found) == ("anatomy", "region")
    assert known(found=found)["contradicted"] is True


def chosen(rule: str, *, by_slice: bool, least: float = 0.0, found: SeriesLabel | None = None):
    study = Study(key="k", series=(series(PIXELS, header=HEADER),))
    labels = (found or labelled(0.1, 0.8, 0.3),)
    return [
        (choice.index, choice.truth, choice.readable)
        for choice in choose(study, labels, parse(rule), by_slice=by_slice, min_probability=least)
    ]


def test_a_series_is_chosen_as_a_whole_and_slices_on_their_own() -> None:
    assert chosen("region == cervical and cord", by_slice=False) == [(None, True, (0, 1, 2))]
    assert chosen("region == cervical and cord", by_slice=True) == [
        (0, False, (0,)),
        (1, True, (1,)),
        (2, False, (2,)),
    ]


def test_of_pixels_that_cannot_be_decoded_nothing_is_known() -> None:
    found = labelled(0.9, 0.9)
    assert chosen("region == cervical", by_slice=True, found=found)[2] == (2, None, ())
    assert chosen("region == cervical", by_slice=False, found=labelled()) == [(None, None, ())]


@pytest.mark.parametrize(
    ("rule", "truth"),
    [
        ("covers == thoracic", True),
        ("covers == Cervical and covers == thoracic", True),
        ("covers == lumbar", False),
        ("covers != thoracic", False),
        ("covers != lumbar", True),
        ("covers in (lumbar, thoracic)", True),
        ("covers not in (lumbar, thoracic)", False),
        ("region == thoracic", False),
    ],
)
def test_a_series_is_found_by_each_region_that_it_covers(rule: str, truth: bool) -> None:
    assert parse(rule).holds(known()) is truth


def test_what_is_covered_is_unknown_where_nothing_is_known_or_sure() -> None:
    assert known(found=labelled(0.1, coverage=None))["covers"] is None
    assert known(least=0.9)["covers"] is None
    assert parse("covers != lumbar").holds(known(least=0.9)) is None
