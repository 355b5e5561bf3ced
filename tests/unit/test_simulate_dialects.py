"""Headers in the words of five vendors, and files that a validator accepts."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinalis.formats import read_studies
from spinalis.formats.dicom.write import write_study
from spinalis.records import Image, Series, Study
from spinalis.simulate.dialects import (
    ENHANCED_SHARE,
    MISSING,
    PHILIPS,
    SIEMENS,
    VENDORS,
    WRONG,
    Acquired,
    Site,
    file_form,
    sample_site,
    write_header,
)
from spinalis.simulate.scanner import Stack, turned_axes
from spinalis.simulate.sequence import Contrast, sample_protocol
from spinalis.simulate.study import make_series
from spinalis.vocabulary import Plane, Region

STACK = Stack(
    plane=Plane.SAGITTAL,
    centre=np.array((3.0, -5.0, 10.0)),
    axes=turned_axes(Plane.SAGITTAL, 2.0, 3.0),
    count=3,
    rows=48,
    columns=40,
    pixel_mm=5.0,
    thickness_mm=4.0,
    spacing_mm=4.4,
)
PIXELS = np.random.default_rng(0).integers(0, 4000, (3, 48, 40)).astype(np.uint16)


def acquired(rng: np.random.Generator, contrast: Contrast = Contrast.T2W, **what: object) -> Acquired:
    protocol = sample_protocol(rng, contrast, 1.5)
    return Acquired(stack=STACK, protocol=protocol, region=Region.LUMBAR, **what)  # type: ignore[arg-type]


def site_of(vendor: int, rng: np.random.Generator) -> Site:
    return next(site for site in iter(lambda: sample_site(rng), None) if site.vendor == vendor)


def test_headers_agree_with_the_sequence() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        wanted = acquired(rng, Contrast.STIR)
        made = write_header(rng, sample_site(rng), wanted)
        assert "IR" in made.scanning_sequence
        assert made.echo_time_ms is None or made.echo_time_ms == pytest.approx(wanted.protocol.echo_ms, abs=0.01)
        assert made.inversion_time_ms is None or 140 < made.inversion_time_ms < 180
        assert len(made.description or "") <= 64


def test_tags_are_missing_and_wrong_as_often_as_stated() -> None:
    rng = np.random.default_rng(1)
    headers = [write_header(rng, sample_site(rng), acquired(rng, Contrast.T1W)) for _ in range(1500)]
    described = [made.description for made in headers if made.description]
    assert len(described) / 1500 == pytest.approx(1 - MISSING["description"], abs=0.04)
    wrong = sum("t2" in text.lower() for text in described) / len(described)
    assert wrong == pytest.approx(WRONG["description"], abs=0.015)
    parts = [made.body_part for made in headers if made.body_part]
    assert len(parts) / 1500 == pytest.approx(1 - MISSING["body_part"], abs=0.045)
    assert sum(part in {"CSPINE", "TSPINE"} for part in parts) / len(parts) == pytest.approx(0.03, abs=0.02)


def test_every_vendor_speaks_its_own_words() -> None:
    rng = np.random.default_rng(2)
    types = {vendor: write_header(rng, site_of(vendor, rng), acquired(rng)).image_type for vendor in range(5)}
    assert types[SIEMENS][2:] == ("M", "ND")
    assert types[PHILIPS][2:] == ("M_SE", "M", "SE")
    adc = write_header(rng, site_of(PHILIPS, rng), acquired(rng, Contrast.ADC))
    assert adc.image_type == ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")


def study_in(vendor: int, *, enhanced: bool, contrast: Contrast) -> tuple[Study, dict[str, object]]:
    rng = np.random.default_rng(vendor)
    site = replace(site_of(vendor, rng), enhanced=enhanced)
    wanted = acquired(rng, contrast)
    series = make_series(STACK, PIXELS, write_header(rng, site, wanted), (2, "002"), (3, 2, 1))
    return Study(key="k", series=(series,)), {"002": file_form(rng, site, wanted, "002")}


CASES = [(vendor, False) for vendor in range(len(VENDORS))] + [
    (v, True) for v, share in ENHANCED_SHARE.items() if share
]


@pytest.mark.parametrize("contrast", [Contrast.T2W, Contrast.STIR, Contrast.GRE, Contrast.DWI, Contrast.T2_SPACE])
@pytest.mark.parametrize(("vendor", "enhanced"), CASES, ids=[f"{VENDORS[v][:7]}{'-MF' * e}" for v, e in CASES])
def test_what_a_vendor_writes_reads_back_and_is_valid(
    vendor: int, enhanced: bool, contrast: Contrast, tmp_path: Path
) -> None:
    study, forms = study_in(vendor, enhanced=enhanced, contrast=contrast)
    write_study(study, tmp_path, forms=forms)  # type: ignore[arg-type]
    files = sorted(tmp_path.rglob("*.dcm"))
    assert len(files) == (1 if enhanced else 3)
    (found,) = read_studies(tmp_path)
    assert found.warnings == ()
    (series,) = found.series
    check_same(series, study.series[0])
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy of dicom3tools is not installed")
    done = subprocess.run(["dciodvfy", str(files[0])], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    assert "EnhancedMRImage" in lines if enhanced else "MRImage" in lines
    assert [line for line in lines if line.startswith("Error")] == []


def check_same(found: Series, made: Series) -> None:
    assert found.header.manufacturer == made.header.manufacturer
    assert found.header.echo_time_ms == pytest.approx(made.header.echo_time_ms)
    for index, item in enumerate(made.slices):
        image: Image = found.load(index)
        np.testing.assert_array_equal(image, PIXELS[index])
        place, wanted = found.slices[index].plane, item.plane
        assert place is not None
        assert wanted is not None
        np.testing.assert_allclose(place.origin_lps_mm, wanted.origin_lps_mm, atol=1e-6)
