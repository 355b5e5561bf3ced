from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spinalis.models.prepare import InputSpec
from spinalis.records import Header
from spinalis.triage import label_series
from spinalis.triage.facts import measure
from spinalis.triage.unknown import DISTANCE, UNLIKE, novelty
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence
from tests.fakes import AXIAL, FakePack, manifest, series
from tests.unit.test_triage_header import PACK as HEADERS
from tests.unit.test_triage_label import LUMBAR_T2, pack_that_says, pixels

LIMIT = 2.0
SPINE_HEADER = Header(
    modality="MR", body_part="LSPINE", description="T2 sag L-SPINE", echo_time_ms=100.0, repetition_time_ms=3500.0
)


def pack(limit: float | None = LIMIT, **logits: tuple[float, ...]) -> FakePack:
    """A pack that measures: a slice bright in its left half alone lies at 10 and says T1w, all others at 1."""
    said = {**LUMBAR_T2, **logits, "cord": (3.0,)}

    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        odd = images[:, 0, :, :16].mean(axis=(1, 2)) > images[:, 0, :, 16:].mean(axis=(1, 2)) + 0.5
        answers = {name: np.tile(np.array(values, np.float32), (len(images), 1)) for name, values in said.items()}
        answers["sequence"][odd] = (9.0, 0.0, 0.0, 0.0)
        return {**answers, DISTANCE: np.where(odd, 10.0, 1.0).astype(np.float32)}

    settings: dict[str, Any] = {} if limit is None else {"novelty_limit": limit}
    return FakePack(manifest("triage", {"images": InputSpec(height=32, width=32)}, **settings), answer)


def stack(odd: int, of: int = 5) -> np.ndarray:
    """Slices, the first `odd` of them bright in the left half alone."""
    made = pixels(of)
    made[:odd] = np.arange(50) < 25
    return made


def test_a_series_like_the_training_is_answered_and_measured() -> None:
    label = label_series(series(stack(0)), pack())
    assert (label.anatomy.label, label.novelty) == (Anatomy.MR_SPINE, 0.5)
    assert [item.novelty for item in label.slices] == [0.5] * 5
    assert UNLIKE not in label.flags


def test_a_series_unlike_the_training_is_unknown_whatever_its_header_says() -> None:
    label = label_series(series(stack(5), header=SPINE_HEADER, orientation=AXIAL), pack(), HEADERS)
    assert (label.anatomy.label, label.region.label) == (Anatomy.UNKNOWN, Region.UNKNOWN)
    assert label.anatomy.probability == 0.0
    assert (label.novelty, label.cord_slices) == (5.0, ())
    assert UNLIKE in label.flags
    assert (label.plane.label, label.plane.source) == (Plane.AXIAL, "geometry")
    assert (label.sequence.label, label.sequence.source) == (Sequence.T2W, "header")
    assert {item.anatomy.label for item in label.slices} == {Anatomy.UNKNOWN}


def test_without_a_header_a_series_unlike_the_training_is_unknown_in_everything() -> None:
    label = label_series(series(stack(5), orientation=None), pack())
    assert (label.plane.label, label.sequence.label) == (Plane.UNKNOWN, Sequence.UNKNOWN)


def test_slices_unlike_the_training_do_not_vote() -> None:
    label = label_series(series(stack(2)), pack())
    assert (label.anatomy.label, label.sequence.label) == (Anatomy.MR_SPINE, Sequence.T2W)
    assert [item.anatomy.label for item in label.slices] == [Anatomy.UNKNOWN] * 2 + [Anatomy.MR_SPINE] * 3
    assert UNLIKE not in label.flags


def test_another_modality_stays_refused_when_it_is_unlike() -> None:
    label = label_series(series(stack(5), header=Header(modality="CT")), pack())
    assert label.anatomy.label is Anatomy.OTHER
    assert {UNLIKE, "modality_ct"} <= set(label.flags)


@pytest.mark.parametrize("given", [pack(limit=None), pack_that_says()], ids=["no limit", "no distance"])
def test_a_pack_that_does_not_measure_answers_as_before(given: FakePack) -> None:
    label = label_series(series(stack(5)), given)
    assert (label.anatomy.label, label.novelty) == (Anatomy.MR_SPINE, None)
    assert {item.novelty for item in label.slices} == {None}
    assert UNLIKE not in label.flags


def test_an_answer_that_is_likelier_wrong_is_withheld_and_flagged() -> None:
    label = label_series(series(pixels()), pack(region=(0.3, 0.2, 0.1), sequence=(0.0, 0.1, 0.0, 0.0)))
    assert (label.region.label, label.sequence.label) == (Region.UNKNOWN, Sequence.UNKNOWN)
    assert 0.25 < label.sequence.probability < 0.5
    assert {"unsure_region", "unsure_sequence"} <= set(label.flags)
    assert not {"unsure_anatomy", "unsure_plane"} & set(label.flags)


def test_a_series_without_a_readable_slice_has_no_novelty() -> None:
    assert label_series(series(stack(5), broken=(0, 1, 2, 3, 4)), pack()).novelty is None


def test_the_limit_is_the_unit_of_novelty() -> None:
    rows = np.eye(3)
    near, far = (novelty(np.array([1.0, middle, 9.0]), LIMIT) for middle in (1.5, 3.0))
    assert [near.of(row) for row in range(3)] == [0.5, 0.75, 4.5]
    assert (near.series, near.unlike, len(near.believed(rows))) == (0.75, False, 2)
    assert (far.series, far.unlike, len(far.believed(rows))) == (1.5, True, 0)
    assert len(novelty(None, LIMIT).believed(rows)) == 3


def test_novelty_can_be_asked_for_in_a_rule() -> None:
    made = series(stack(5))
    label = label_series(made, pack())
    assert measure(made, label)["novelty"] == 5.0
    assert measure(made, replace(label, novelty=None))["novelty"] is None
