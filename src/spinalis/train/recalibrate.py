"""Set a pack's calibration and operating points on a site's own studies; its model stays as it is."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spinalis.errors import OutputError, RecipeError
from spinalis.grade.grade import VIEWS_OF
from spinalis.models import Pack, load_pack
from spinalis.records import FloatArray
from spinalis.train.adapt import Site, calibrate, site
from spinalis.train.data.bags import CROP_QUANTUM
from spinalis.train.export import PackText, text_of, write_pack
from spinalis.train.grade import Bags
from spinalis.train.grade_scores import judge_logits
from spinalis.train.job import LIMITS

ROWS = 100
"""Bags that are asked about at once."""


def recalibrate(folder: Path, data: Path, output: Path, points: str = "labels", jobs: int = 2) -> Path:
    """Write a copy of a pack that is set on a site's studies.

    Args:
        folder: the `grade` pack.
        data: the site's studies in RSNA 2024 layout; without enough grades the known prevalence serves.
        output: folder of the new pack; made, or replaced where it is that of a pack. Crops are kept beside it.
        points: where levels are, one of `rsna.POINT_SOURCES`.
        jobs: processes that cut crops.

    Returns:
        The folder of the new pack.

    Raises:
        RecipeError: the pack is not a grader's, or the folder holds no set.
        OutputError: `output` holds something else.
        TableError: a table of the set breaks a rule.
    """
    pack = load_pack(folder)
    if pack.info.task != "grade":
        raise RecipeError(f"Calibration: expected a pack for task grade, got {pack.info.task}. Give another one.")
    if output.exists() and not (output / "pack.toml").is_file() and (output.is_file() or any(output.iterdir())):
        raise OutputError("Pack: expected a new folder or that of a pack, got another. Choose another one with -o.")
    own = site(data, pack, output.parent / "cache" / "rsna", points, jobs)
    logits = answers_of(pack, own.bags)
    settings = calibrate(logits, own, pack, level_prior=bool(pack.manifest.settings.get("level_prior", False)))
    output.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != output.resolve():
        shutil.copyfile(folder / "model.onnx", output / "model.onnx")
    write_pack(output, _text(pack, settings, own, logits))
    return output


def answers_of(pack: Pack, bags: Bags) -> dict[str, FloatArray]:
    """Logits (n, 3) of every output, from the pack itself."""
    found: dict[str, list[FloatArray]] = {name: [] for name in VIEWS_OF}
    for start in range(0, len(bags.crops), ROWS):
        crops = bags.crops[start : start + ROWS].astype(np.float32) / np.float32(CROP_QUANTUM)
        answers = pack.run(crops=crops, mask=bags.mask[start : start + ROWS])
        for name, parts in found.items():
            parts.append(np.asarray(answers[name], float))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _text(pack: Pack, settings: Mapping[str, Any], own: Site, logits: Mapping[str, FloatArray]) -> PackText:
    manifest, measured = pack.manifest, "exclusion" in settings
    words = f"studies ({own.what}), on which the operating points were set,"
    return replace(
        text_of(manifest),
        settings=settings,
        scores=judge_logits(logits, settings, own.bags, own.on, words) if measured else manifest.scores,
        notes=[
            f"The model of pack {manifest.name} {manifest.version}, calibrated on {own.what}{own.left_out}. Operating "
            f"points were set by the {settings['operating_points']['by']}."
        ],
        limits=LIMITS,
    )
