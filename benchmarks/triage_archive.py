"""Time `spinalis triage` over archives of several sizes: files per second on one core, and whether memory stays flat.

The archives are copies of the bundled study, each with UIDs of its own, in the temporary folder; they are removed in
the end. Files per second count CPU seconds of the whole process, start and reading of headers included, so that a busy
machine does not change them much; the wall seconds stand beside them.

    python benchmarks/triage_archive.py [--files 2500 5000 10000] [--packs DIR] [-o docs/performance.md]
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pydicom
from read_study import SPINALIS, Cost, run

import spinalis
from spinalis.evaluate.tables import Table, number

EXAMPLE = Path(__file__).parents[1] / "examples" / "lumbar"
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def main() -> None:
    """Make the archives, triage them one after the other and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, nargs="+", default=[2500, 5000, 10000], help="sizes of the archives")
    parser.add_argument("--packs", type=Path, help="folder of packs; the shipped ones if not given")
    parser.add_argument("-o", "--output", type=Path, help="page of the docs to put the table into")
    options = parser.parse_args()
    pin()
    tell([table(options.files, options.packs)], "archive", options.output)


def table(sizes: Sequence[int], packs: Path | None = None) -> Table:
    """Make archives of these sizes, triage them one after the other, and say what each took."""
    rows, costs = [], []
    for files in sorted(sizes):
        with tempfile.TemporaryDirectory(prefix="spinalis-archive-") as folder:
            studies = make_archive(Path(folder) / "archive", files)
            command = [SPINALIS, "triage", str(Path(folder) / "archive"), "-o", str(Path(folder) / "table.csv")]
            cost = run(command + (["--packs", str(packs)] if packs else []))
        costs.append((files, cost))
        rows.append(row(files, studies, cost))
    columns = ("files", "studies", "wall s", "CPU s", "files / CPU s", "peak MB")
    return Table(title="Triage of an archive", columns=columns, rows=tuple(rows), notes=notes(costs))


def tell(tables: Sequence[Table], part: str, page: Path | None) -> None:
    """Print tables, and put them with their command between the marks of a part of a page."""
    print("\n".join(table.to_markdown() for table in tables))
    if page is not None:
        from spinalis.train.triage_papers import write  # noqa: PLC0415  loads torch, whose size a child would inherit

        words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
        write(page, part, tables, f"`{' '.join(['python', f'benchmarks/{Path(sys.argv[0]).name}', *words])}`")


def make_archive(folder: Path, files: int) -> int:
    """Copy the example until there are `files` files, each copy a study with UIDs of its own; how many studies."""
    sources = sorted(EXAMPLE.rglob("*.dcm"))
    for first, source in enumerate(sources):
        dataset = pydicom.dcmread(source)
        uids = {keyword: dataset[keyword].value[:50] for keyword in UIDS if keyword in dataset}
        for study in range(-(-(files - first) // len(sources))):
            target = folder / f"{study:05d}" / source.relative_to(EXAMPLE)
            target.parent.mkdir(parents=True, exist_ok=True)
            for keyword, uid in uids.items():
                setattr(dataset, keyword, f"{uid}.{study}")
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.save_as(target)
    return -(-files // len(sources))


def pin() -> None:
    """Keep this process and its children on one core, with one thread each."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def row(files: int, studies: int, cost: Cost) -> tuple[str, ...]:
    """A line of the table."""
    return (
        str(files),
        str(studies),
        number(cost.wall_s, 1),
        number(cost.cpu_s, 1),
        number(files / cost.cpu_s, 0),
        number(cost.peak_mb, 0),
    )


def notes(costs: list[tuple[int, Cost]]) -> tuple[str, ...]:
    """What the figures were taken on, and how memory grows."""
    told = [
        f"One core, one fresh process each, spinalis {spinalis.__version__}; load average {os.getloadavg()[0]:.1f}."
    ]
    if len(costs) > 1:
        (few, first), (many, last) = costs[0], costs[-1]
        growth = (last.peak_mb - first.peak_mb) / (many - few) * 1000
        told.append(f"Memory grows by {growth:.1f} KB per file: headers and labels are kept, pixels are not.")
    return tuple(told)


if __name__ == "__main__":
    if not shutil.which(SPINALIS):
        raise SystemExit("Benchmark: expected the spinalis command beside Python, got none. Install it.")
    main()
