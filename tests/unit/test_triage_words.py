import pytest

from spinalis.triage.words import FLAGS, flags_of


def raised(text: str | None) -> set[str]:
    return {flag for flag, up in zip(FLAGS, flags_of(text), strict=True) if up}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t2_tse_sag_LWS", "t2 spin_echo sagittal lumbar"),
        ("T1W_TSE SAG", "t1 spin_echo sagittal"),
        ("COR T2W_mDIXON_W LOMBAIRE", "coronal t2 dixon water lumbar"),
        ("sag_cspine", "sagittal cervical spine"),
        ("SAG T2 T11-L5", "sagittal t2"),
        ("AX T2* FE HWS", "axial t2 t2_star gradient_echo cervical"),
        ("EMERGENCY LSPINE STIR", "lumbar spine stir"),
        ("dADC axiale", "adc axial"),
        ("Schädel tra FLAIR", "brain axial flair"),
        ("Wiederholung sag", "sagittal"),
        ("COLUMNA DORSAL T1 SAG", "spine thoracic t1 sagittal"),
        ("3-pl loc", "localizer"),
        ("", ""),
        (None, ""),
    ],
    ids=str,
)
def test_words_of_several_vendors_and_languages_raise_their_flags(text: str | None, expected: str) -> None:
    assert raised(text) == set(expected.split())


def test_case_and_underscores_do_not_count() -> None:
    assert flags_of("T2_TSE_SAG") == flags_of("t2 tse sag")
