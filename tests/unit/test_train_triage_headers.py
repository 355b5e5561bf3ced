from pathlib import Path

import numpy as np
import pytest

from spinalis.models.prepare import InputSpec
from spinalis.train import triage_headers
from spinalis.train.triage_headers import Seen, seen, tables
from spinalis.triage.header import FEATURES, OUTPUTS, PLACES
from tests.fakes import FakePack, manifest

CERVICAL = ("SPINE", "cervical", "sagittal", "T2w")
KNEE = ("KNEE", "unknown", "axial", "T1w")


def header_pack() -> FakePack:
    """Believes body part alone: its first flag is a cervical T2w spine, its second a T1w of elsewhere."""
    part = PLACES["body_part"].start

    def answer(features: np.ndarray) -> dict[str, np.ndarray]:
        elsewhere = 4.0 * (features[:, part + 2] - features[:, part + 1])[:, None]
        found = {name: np.zeros((len(features), len(words)), np.float32) for name, words in OUTPUTS.items()}
        found["anatomy"][:, 1:] = elsewhere
        found["region"][:, :1] = 3.0
        found["sequence"][:, :1] = elsewhere
        return found

    prior = {name: [1 / len(words)] * len(words) for name, words in OUTPUTS.items()}
    return FakePack(manifest("header", {}, features=FEATURES, prior=prior, weights={}), answer)


def told(place: int) -> np.ndarray:
    vector = np.zeros(len(FEATURES), np.float32)
    vector[PLACES["body_part"].start + place] = 1.0
    return vector


def by_pixels(kind: tuple[str, str, str, str], *, sure: bool) -> Seen:
    spine = kind is CERVICAL
    truth = {
        "anatomy": "MR spine" if spine else "not MR spine",
        "region": kind[1],
        "sequence": kind[3],
    }
    gap = 8.0 if sure else 0.1
    votes = {
        "anatomy": np.array([0.0, -gap]) if spine else np.array([-gap, 0.0]),
        "region": np.array([0.0, -gap, -gap]),
        "sequence": np.array([-gap, 0.0, -gap, -gap]) if spine else np.array([0.0, -gap, -gap, -gap]),
    }
    return Seen(truth=truth, kind=kind, votes=votes)


def test_clear_pixels_keep_every_series_right_when_all_headers_lie() -> None:
    shown = [by_pixels(kind, sure=True) for kind in (CERVICAL, KNEE) for _ in range(20)]
    made, honest = tables(shown, {CERVICAL: [told(1)], KNEE: [told(2)]}, header_pack())
    rows = {(row[0], row[1]): row for row in made.rows}
    assert rows["0%", "header"][2].startswith("100.0 % (40/40")
    assert not rows["100%", "header"][2].startswith("100.0 %")
    assert rows["100%", "fused"][-1].startswith("100.0 % (40/40")
    assert rows["", "pixels"][-1].startswith("100.0 % (40/40")
    assert rows["", "no skill"][2].startswith("50.0 % (20/40")
    assert rows["50%", "fused"][3].startswith("100.0 % (20/20")
    gaps = {(row[0], row[1]): float(row[2].split()[0]) for row in honest.rows}
    assert gaps["0%", "fused"] < 0.05 < gaps["100%", "header"]


def test_series_without_a_header_of_their_kind_are_left_out_and_counted() -> None:
    shown = [by_pixels(CERVICAL, sure=True), by_pixels(KNEE, sure=True)]
    made, _ = tables(shown, {CERVICAL: [told(1)]}, header_pack())
    assert made.title.startswith("1 simulated series")
    assert "1 series without a header of their kind" in made.notes[0]


def test_headers_are_gathered_by_what_their_series_are() -> None:
    found = triage_headers.headers(3, {"cervical": 1, "other": 1})
    assert CERVICAL in found
    assert all(kind[0] in {"SPINE"} or kind[1] == "unknown" for kind in found)


def test_the_slices_of_a_harvested_series_vote_together(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "0.npz",
        triage_images=np.random.default_rng(0).integers(0, 255, (3, 40, 40)).astype(np.uint8),
        triage_series=np.array([0, 0, 1]),
        triage_words=np.array(
            [("SPINE", "cervical", "sagittal", "T2w", "T2w", "cord")] * 2
            + [("KNEE", "unknown", "axial", "T1w", "T1w", "no cord")]
        ),
    )

    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        logits = {"anatomy": (2.0, 0.0), "region": (1.0, 0.0, 0.0), "sequence": (0.0, 1.0, 0.0, 0.0)}
        return {name: np.tile(np.array(row, np.float32), (len(images), 1)) for name, row in logits.items()}

    pack = FakePack(manifest("triage", {"images": InputSpec(height=32, width=32)}), answer)
    first, second = seen([tmp_path / "0.npz"], pack)
    assert (first.kind, second.kind) == (CERVICAL, KNEE)
    assert second.truth == {"anatomy": "not MR spine", "region": "unknown", "sequence": "T1w"}
    assert np.exp(first.votes["anatomy"]) == pytest.approx([0.8808, 0.1192], abs=1e-4)
