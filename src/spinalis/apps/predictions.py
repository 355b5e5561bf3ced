"""Readings as a prediction file of the RSNA 2024 set."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from spinalis.errors import InputError
from spinalis.evaluate import rsna
from spinalis.formats import rsna_csv
from spinalis.records import Finding, Study


def row_names(given: Sequence[tuple[Path, Study]]) -> tuple[str, ...]:
    """The names under which studies stand in a prediction file: those of their folders.

    In `<study>/<series>/<instance>.dcm` it is the folder above the series; where all series lie in one folder, it is
    that folder.

    Args:
        given: each study with the input that it was found in.

    Raises:
        InputError: the files of a study lie in several such folders, or two studies in one.
    """
    names = tuple(_row_name(path, study) for path, study in given)
    twice = sum(count > 1 for count in Counter(names).values())
    if twice:
        raise InputError(
            f"Predictions: expected one study in each folder, got {twice} folders with more. "
            "Lay them out as <study>/<series>/<instance>.dcm, or leave out --rsna-csv."
        )
    return names


def write(findings: Mapping[str, Sequence[Finding]], path: Path) -> int:
    """Write the prediction file: 25 rows per study, weighted for the score.

    Args:
        findings: row name of a study -> its findings, none where it could not be read.
        path: the file.

    Returns:
        How many rows are the prior of their level, for want of a finding.

    Raises:
        OutputError: `path` cannot be written.
    """
    answers = {name: rsna.answers(found) for name, found in findings.items()}
    rsna_csv.write_predictions({name: item.probabilities for name, item in answers.items()}, path)
    return sum(item.filled for item in answers.values())


def _row_name(path: Path, study: Study) -> str:
    base = path.resolve()
    base = base if base.is_dir() else base.with_suffix("")  # an archive stands for the folder it was made of
    folders = {(base / PurePath(series.slices[0].file)).parent for series in study.series}
    homes = folders if len(folders) == 1 < len(study.series) else {folder.parent for folder in folders}
    if len(homes) != 1 or not next(iter(homes)).name:
        raise InputError(
            f"Predictions: expected the files of study {study.key} as <study>/<series>/<instance>.dcm, got them in "
            f"{len(homes)} study folders. Lay them out so, or leave out --rsna-csv."
        )
    return homes.pop().name
