import numpy as np
import pytest

from spinalis.records import Header, Judgement, Series
from spinalis.triage.header import DETAILS, OUTPUTS, HeaderView, read_header
from spinalis.triage.kinds import OF_SEQUENCE, detail, kinds
from spinalis.vocabulary import Detail, Sequence
from tests.fakes import AXIAL, series
from tests.unit.test_triage_header import PACK


def given(count: int = 15, **tags: object) -> Series:
    return series(np.zeros((count, 64, 64), np.float32), header=Header(modality="MR", **tags))


@pytest.mark.parametrize(
    ("image_type", "expected"),
    [
        (("ORIGINAL", "PRIMARY", "M", "ND"), ()),
        (("ORIGINAL", "PRIMARY", "LOCALIZER"), ("localizer",)),
        (("DERIVED", "PRIMARY", "MPR", "NORM"), ("reformat",)),
        (("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"), ("reformat", "secondary")),
        (("DERIVED", "PRIMARY", "PROJECTION IMAGE"), ("projection",)),
        (("DERIVED", "PRIMARY", "SUBTRACTION"), ("subtraction",)),
        (("ORIGINAL", "PRIMARY", "P", "ND"), ("phase",)),
        (("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), ("map",)),
        ((), ()),
    ],
    ids=str,
)
def test_the_image_type_tells_the_kind(image_type: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert kinds(given(image_type=image_type), None) == expected


def test_words_tell_the_kind_of_a_derived_series_only() -> None:
    derived = given(image_type=("DERIVED", "PRIMARY"), description="SUB T1 SAG")
    assert kinds(derived, None) == ("subtraction",)
    assert kinds(given(image_type=("ORIGINAL", "PRIMARY"), description="SUB T1 SAG"), None) == ()


def test_a_localizer_is_told_by_its_words_and_geometry_where_its_image_type_is_silent() -> None:
    survey = series(
        np.zeros((4, 256, 256), np.float32),
        header=Header(modality="MR", description="3-pl loc", protocol="localizer"),
        orientation=AXIAL,
        spacing_mm=(1.7, 1.7),
        step_mm=40.0,
    )
    assert kinds(survey, read_header(survey, PACK)) == ("localizer",)
    stack = given(description="T2 TSE SAG", echo_time_ms=100.0)
    assert kinds(stack, read_header(stack, PACK)) == ()


def view(**shares: float) -> HeaderView:
    logs = {name: np.full(len(words), -np.log(len(words))) for name, words in OUTPUTS.items()}
    logs["detail"] = np.log([shares.get(word.name, 1e-6) for word in DETAILS])
    return HeaderView(logs=logs, ratios=logs)


def test_the_finer_contrast_is_one_that_the_sequence_can_be() -> None:
    t2 = Judgement(label=Sequence.T2W, probability=0.9)
    found = detail(t2, view(STIR=0.6, T2W_FS=0.3, T2W=0.1))
    assert found is not None
    assert (found.label, found.source) == (Detail.T2W_FS, "header")
    assert found.probability == pytest.approx(0.75, abs=1e-3)


def test_without_a_header_or_a_sequence_there_is_no_finer_contrast() -> None:
    t2 = Judgement(label=Sequence.T2W, probability=0.9)
    assert detail(t2, None) is None
    assert detail(Judgement(label=Sequence.UNKNOWN, probability=0.0), view(T2W=0.9)) is None


def test_every_finer_contrast_is_of_a_sequence() -> None:
    assert set().union(*OF_SEQUENCE.values()) == set(Detail)
