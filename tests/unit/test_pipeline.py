from dataclasses import replace

import numpy as np
import pytest

from spinalis import pipeline
from spinalis.errors import PackError
from spinalis.localize import find_levels
from spinalis.pipeline import read_study, triage_study, with_levels
from spinalis.records import Header, Judgement, NotAssessed, Notice, Study
from spinalis.vocabulary import LEVELS, Anatomy, NoticeKind, Region
from tests.fakes import AXIAL, SAGITTAL, FakePack, label, manifest, series
from tests.unit.test_grade import pack_that_says as grader
from tests.unit.test_localize_levels import pack_with as localizer
from tests.unit.test_triage_header import PACK as HEADERS
from tests.unit.test_triage_label import LIE
from tests.unit.test_triage_label import pack_that_says as triager


def study(**options: object) -> Study:
    pixels = np.random.default_rng(4).random((15, 384, 384)).astype(np.float32)
    sagittal = series(pixels, orientation=SAGITTAL, origin=(-28.0, -190.0, 190.0), **options)
    return Study(
        key="k", series=(sagittal,), warnings=(Notice(kind=NoticeKind.FILES_LOST, text="Study: 1 file was left out."),)
    )


def packs(**triage: tuple[float, ...]) -> tuple[FakePack, ...]:
    return triager(**triage), localizer(), grader()


def test_a_study_is_read_through_all_stages() -> None:
    told: list[tuple[str, float]] = []
    reading = read_study(study(), packs(), lambda stage, share: told.append((stage, share)))
    assert [mark.level for mark in reading.levels] == list(LEVELS)
    assert len(reading.findings) == 25
    assert {finding.condition.value for finding in reading.graded} == {"Spinal Canal Stenosis"}
    assert [stage for stage, _ in reading.timings_s] == ["triage", "localize", "measure", "grade"]
    assert list(dict.fromkeys(stage for stage, _ in told)) == ["triage", "localize", "measure", "grade"]
    assert {pack.task for pack in reading.packs} == {"triage", "localize", "grade"}
    assert "1 file was left out" in reading.warnings[0].text
    assert len(reading.measurements) == 4


def test_a_study_without_a_spine_is_refused_with_the_reason() -> None:
    reading = read_study(study(), packs(anatomy=(-5.0, 5.0)))
    assert reading.levels == ()
    assert reading.graded == ()
    assert "no series shows an MR image of the spine" in reading.findings[0].result.reason
    assert "Nothing was graded" in reading.warnings[-1].text


def test_a_cervical_study_is_labelled_but_not_graded() -> None:
    reading = read_study(study(), packs(region=(5.0, 0.0, 0.0)))
    assert reading.series[0].anatomy.label is Anatomy.MR_SPINE
    assert "cervical spine only" in reading.findings[0].result.reason


def test_one_series_that_cannot_be_read_does_not_spoil_the_others() -> None:
    pixels = np.random.default_rng(4).random((5, 64, 64)).astype(np.float32)
    broken = series(pixels, key="s9", orientation=AXIAL, broken=(0, 1, 2, 3, 4))
    whole = Study(key="k", series=(broken, *study().series))
    reading = read_study(whole, packs())
    assert "unreadable_slices" in reading.series[0].flags
    assert reading.graded


def test_a_study_whose_pixels_cannot_be_read_is_not_graded() -> None:
    reading = read_study(study(broken=tuple(range(15))), packs())
    assert all(isinstance(finding.result, NotAssessed) for finding in reading.findings)


def test_every_slice_is_decoded_once() -> None:
    asked: list[int] = []
    plain = study()
    counting = replace(plain.series[0], load=lambda index: asked.append(index) or plain.series[0].load(index))
    read_study(replace(plain, series=(counting,)), packs())
    assert sorted(asked) == list(range(15))


def test_what_is_remembered_is_bounded_and_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "REMEMBERED_BYTES", 3 * 4 * 384 * 384)
    kept = pipeline.remembering(study()).series[0].load
    for index in range(15):
        assert not kept(index).flags.writeable
    assert kept.cache_info().currsize == 3


@pytest.mark.parametrize(("header", "said"), [(LIE, 2), (Header(modality="MR", body_part="LSPINE"), 0)])
def test_what_header_and_pixels_say_differently_is_a_warning(header: Header, said: int) -> None:
    reading = read_study(study(header=header), (*packs(), HEADERS))
    found = [item.text for item in reading.warnings if item.kind is NoticeKind.CONTRADICTION]
    assert len(found) == said
    if said:
        assert found[0] == (
            "Series 1: anatomy is not MR spine by the header and MR spine by the pixels; MR spine was taken. "
            "Look at it."
        )


def test_triage_alone_needs_the_triage_pack_alone() -> None:
    assert len(triage_study(study(), (triager(),))) == 1


def test_a_missing_pack_is_an_error() -> None:
    with pytest.raises(PackError, match="task triage"):
        triage_study(study(), (FakePack(manifest("grade", {}), lambda: {}),))


def test_a_series_that_only_covers_the_loin_is_searched_for_levels_after_the_lumbar_ones() -> None:
    whole = Judgement(label=(Region.CERVICAL, Region.THORACIC, Region.LUMBAR), probability=0.9)
    plain = label(region=Region.THORACIC)
    assert find_levels(study(), (plain,), localizer()).landmarks == ()
    found = find_levels(study(), (replace(plain, coverage=whole),), localizer())
    assert len(found.landmarks) == len(LEVELS)
    dimly = localizer(dict.fromkeys(range(15), 0.3))
    assert find_levels(study(), (label(),), dimly).landmarks, "enough in a lumbar picture"
    dim = find_levels(study(), (replace(plain, coverage=whole),), dimly)
    assert dim.landmarks == ()


def test_levels_in_a_series_are_evidence_that_it_covers_the_loin() -> None:
    thoracic = replace(
        label(region=Region.THORACIC), coverage=Judgement(label=(Region.THORACIC,), probability=0.9, source="pixels")
    )
    found = find_levels(study(), (label(),), localizer())
    sure = replace(found, warnings=())
    (made,) = with_levels((thoracic,), sure)
    assert made.covers == (Region.THORACIC, Region.LUMBAR)
    assert with_levels((thoracic,), replace(sure, landmarks=sure.landmarks[:2])) == (thoracic,)
    doubt = Notice(kind=NoticeKind.NUMBERING_DOUBT, text="Levels: doubt.")
    assert with_levels((thoracic,), replace(sure, warnings=(doubt,))) == (thoracic,)
