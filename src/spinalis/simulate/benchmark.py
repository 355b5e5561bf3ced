"""A benchmark set by recipe: always the same studies, told by their seed, checked while they are made.

    python -m spinalis.simulate.benchmark v1 --jobs 2

writes the table of checks anew; that is done once per version of the set, and only while nothing is published on it.

Two things are kept of every study. `sha256` is over its pixels, headers' geometry and truth: equal bytes, equal study.
Compiled arithmetic differs in the last bit between processors and versions of NumPy and numba, and a bit may turn a
pixel on the border of two tissues; so a study whose bytes differ is still accepted where its `grades` are the same and
its `fingerprint`, the mean brightness of 4 x 4 fields in two series, is the same within `TOLERANCE`. What differs by
more is another study, and an error.
"""

import argparse
import csv
import hashlib
import json
import logging
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from importlib import metadata
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinalis import __version__
from spinalis.errors import SimulationError
from spinalis.formats.atomic import write_bytes
from spinalis.simulate.study import SimulatedSeries, SimulatedStudy, simulate_study, study_document
from spinalis.simulate.workers import mapped
from spinalis.vocabulary import SEVERITIES

RECIPES: dict[str, tuple[int, tuple[tuple[str, int], ...]]] = {
    "v1": (300_001, (("lumbar", 200), ("cervical", 40), ("thoracic", 30), ("whole", 10), ("other", 20))),
}
"""By version: the seed, used for nothing else, and the number of studies of every profile."""

FIELDS = 4
TOLERANCE = 3
"""Largest accepted difference of a field's brightness, in 1/255 of the series' 99th percentile. An assumption."""


class Match(StrEnum):
    """How well a study agrees with the table."""

    EXACT = "exact"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One study of the set and its checks; `grades` are 25 digits 0..2 in the order of the truth, or empty."""

    profile: str
    number: int
    sha256: str
    fingerprint: str
    grades: str


def benchmark_studies(version: str = "v1") -> Iterator[SimulatedStudy]:
    """The studies of a benchmark set in their order, each checked.

    Raises:
        SimulationError: an unknown version, or a study that differs from the one of the table.
    """
    seed, _ = recipe(version)
    for row in rows_of(version):
        made = simulate_study(seed, row.number, row.profile)
        verify(made, row)
        yield made


def recipe(version: str) -> tuple[int, tuple[tuple[str, int], ...]]:
    """The seed, and the number of studies by profile.

    Raises:
        SimulationError: an unknown version.
    """
    if version not in RECIPES:
        raise SimulationError(f"Benchmark: expected one of {', '.join(RECIPES)}, got {version!r}. Choose one of these.")
    return RECIPES[version]


def table_path(version: str) -> Path:
    """Where the table of checks lies."""
    return Path(__file__).with_name(f"benchmark_{version}.csv")


def rows_of(version: str) -> tuple[Row, ...]:
    """The table of checks.

    Raises:
        SimulationError: an unknown version, or a table that is missing or does not fit the recipe.
    """
    _, shares = recipe(version)
    path = table_path(version)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = tuple(
                Row(
                    profile=line["profile"],
                    number=int(line["number"]),
                    sha256=line["sha256"],
                    fingerprint=line["fingerprint"],
                    grades=line["grades"],
                )
                for line in csv.DictReader(file)
            )
    except OSError as error:
        raise SimulationError(
            f"Benchmark {version}: expected its table {path.name} in the package, got none. Reinstall Spinalis, or "
            f"make the table with: python -m spinalis.simulate.benchmark {version}."
        ) from error
    wanted = [(profile, number) for profile, count in shares for number in range(count)]
    if [(row.profile, row.number) for row in rows] != wanted:
        raise SimulationError(
            f"Benchmark {version}: expected a table of {len(wanted)} studies in the order of the recipe, got "
            f"{len(rows)} or another order. Make the table anew with: python -m spinalis.simulate.benchmark {version}."
        )
    return rows


def describe(made: SimulatedStudy, profile: str, number: int) -> Row:
    """What the table keeps of a study."""
    return Row(
        profile=profile,
        number=number,
        sha256=_digest(made),
        fingerprint=_fingerprint(made).tobytes().hex(),
        grades="".join(str(SEVERITIES.index(grade)) for grade in made.truth.grades.values()),
    )


def verify(made: SimulatedStudy, row: Row) -> Match:
    """Compare a study with its row.

    Raises:
        SimulationError: it is another study.
    """
    found = describe(made, row.profile, row.number)
    if found.sha256 == row.sha256:
        return Match.EXACT
    wanted = np.frombuffer(bytes.fromhex(row.fingerprint), np.uint8).astype(int)
    fields_found = _fingerprint(made).astype(int)
    same_shape = len(wanted) == len(fields_found)
    if found.grades == row.grades and same_shape and np.abs(fields_found - wanted).max() <= TOLERANCE:
        return Match.CLOSE
    raise SimulationError(
        f"Benchmark study {row.profile} {row.number}: expected the study of the table, got another one, with Spinalis "
        f"{__version__}, NumPy {metadata.version('numpy')}, numba {metadata.version('numba')} on {platform.machine()}. "
        "Use the version of Spinalis that your tables name."
    )


def make_table(version: str, path: Path, jobs: int, progress: Callable[[int, int], None] | None = None) -> None:
    """Make every study of a set and write its table of checks; `progress` is told studies done and wanted.

    Raises:
        SimulationError: an unknown version.
        OutputError: the table cannot be written.
    """
    seed, shares = recipe(version)
    tasks = [(seed, number, profile) for profile, count in shares for number in range(count)]
    text = StringIO(newline="")
    table = csv.DictWriter(text, [item.name for item in fields(Row)], lineterminator="\n")
    table.writeheader()
    with mapped(_described, tasks, jobs) as rows:
        for place, row in enumerate(rows, start=1):
            table.writerow(asdict(row))
            if progress:
                progress(place, len(tasks))
    write_bytes(path, text.getvalue().encode())


def _described(task: tuple[int, int, str]) -> Row:
    seed, number, profile = task
    return describe(simulate_study(seed, number, profile), profile, number)


def _digest(made: SimulatedStudy) -> str:
    """Over shapes, places, pixels and truth; numbers of the truth rounded to 0.001, places to 0.001 mm."""
    digest = hashlib.sha256()
    for one in made.series:
        places = np.concatenate([one.stack.origins().ravel(), one.stack.axes.ravel()])
        digest.update(json.dumps([one.contrast, one.pixels.shape, np.round(places, 3).tolist()]).encode())
        digest.update(one.pixels.astype("<u2").tobytes())
    digest.update(json.dumps(_rounded(study_document(made)), sort_keys=True).encode())
    return digest.hexdigest()


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, 3) + 0.0 if isinstance(value, float) else value


def _fingerprint(made: SimulatedStudy) -> NDArray[np.uint8]:
    """Mean brightness of `FIELDS` x `FIELDS` fields of the middle slice of the first and the last series, 0..255."""
    return np.concatenate([_field_means(one) for one in (made.series[0], made.series[-1])])


def _field_means(one: SimulatedSeries) -> NDArray[np.uint8]:
    middle = one.pixels[len(one.pixels) // 2].astype(float)
    rows, columns = (size // FIELDS * FIELDS for size in middle.shape)
    fields_of = middle[:rows, :columns].reshape(FIELDS, rows // FIELDS, FIELDS, columns // FIELDS).mean(axis=(1, 3))
    top = max(float(np.percentile(one.pixels, 99)), 1.0)
    return np.asarray(np.clip(np.rint(255 * fields_of / top), 0, 255), np.uint8).ravel()


def main() -> None:
    """Write the table of a benchmark set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("version", choices=sorted(RECIPES))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="another file than the one in the package")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    path = options.output or table_path(options.version)
    make_table(options.version, path, options.jobs, lambda done, of: logging.info("%d of %d", done, of))


if __name__ == "__main__":
    main()
