"""Time `spinalis read` on a study of at least 140 slices: two cores, a fresh process, packs not yet loaded.

The study is put together from simulated ones and kept in the temporary folder. Seconds depend on the machine, so
each figure also stands as a multiple of a reference timed in the same run on the same cores: a fresh process in which
plain pydicom decodes the same pixels.

    python benchmarks/read_study.py [--slices 140] [--runs 3] [--packs DIR]
"""

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pydicom

import spinalis
from spinalis.evaluate.tables import Table, number

CORES = 2
SEED = 140
SPINALIS = str(Path(sys.executable).with_name("spinalis"))
HEAVY = ("torch", "timm", "lightning", "numba")

DECODE = """
import sys
from pathlib import Path
import pydicom
for path in sorted(Path(sys.argv[1]).rglob("*.dcm")):
    pydicom.dcmread(path).pixel_array
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process cost, start to end."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    """Make the study, time the reads and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=140, help="the least number of slices")
    parser.add_argument("--runs", type=int, default=3, help="processes to time; the median is printed")
    parser.add_argument("--packs", type=Path, help="folder of packs; the shipped ones if not given")
    options = parser.parse_args()
    study = study_folder(options.slices)
    slices = len(list(study.rglob("*.dcm")))
    cores = pin()
    python = [sys.executable, "-c"]
    with tempfile.TemporaryDirectory() as out:
        read = [SPINALIS, "read", str(study), "-o", out]
        read += ["--packs", str(options.packs)] if options.packs else []
        reads = [run(read) for _ in range(options.runs)]
        modules = imported(read)
    references = [run([*python, DECODE, str(study)]) for _ in range(options.runs)]
    bare = [run([*python, "pass"]) for _ in range(5)]
    imports = [run([*python, "import spinalis"]) for _ in range(5)]
    reference = median(references)
    rows = [row("spinalis read", median(reads), reference), row("pydicom, the same pixels", reference, reference)]
    notes = (
        f"{slices} slices, {cores} cores, median of {options.runs} fresh processes, spinalis {spinalis.__version__}.",
        f"Wall seconds of the single reads: {', '.join(number(cost.wall_s, 2) for cost in reads)}; load average of "
        f"the machine {os.getloadavg()[0]:.1f}.",
        f"`import spinalis`: {number(median(imports).wall_s - median(bare).wall_s)} s above an empty Python "
        f"({number(median(bare).wall_s)} s).",
        f"Heavy modules loaded while reading: {', '.join(name for name in HEAVY if name in modules) or 'none'}.",
    )
    columns = ("process", "wall s", "of reference", "CPU s", "of reference", "peak MB")
    print(Table(title="Reading one study", columns=columns, rows=tuple(rows), notes=notes).to_markdown())


def study_folder(slices: int) -> Path:
    """A DICOM study of at least `slices` slices, made of simulated series; kept until the simulator changes."""
    sources = sorted((Path(spinalis.__file__).parent / "simulate").glob("*.py"))
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:10]
    folder = Path(tempfile.gettempdir()) / f"spinalis-bench-{version}-{slices}"
    if folder.is_dir():
        return folder
    parts = folder.with_suffix(".parts")
    studies = 0
    while len(list(parts.rglob("*.dcm"))) < slices:
        studies += 1
        simulate = [SPINALIS, "simulate", "-o", str(parts), "--studies", str(studies), "--seed", str(SEED)]
        subprocess.run(simulate, check=True, stdout=subprocess.DEVNULL)
    merge(parts, slices)
    shutil.rmtree(parts / "truth")
    parts.rename(folder)
    return folder


def merge(folder: Path, slices: int) -> None:
    """Turn the studies below `folder` into one, with numbers of their own for the series, and drop what is too much."""
    kept: list[str] = []
    count, study_uid = 0, None
    for path in sorted(folder.rglob("*.dcm")):
        item = pydicom.dcmread(path)
        study_uid = study_uid or item.StudyInstanceUID
        if item.SeriesInstanceUID not in kept:
            if count >= slices:
                path.unlink()
                continue
            kept.append(item.SeriesInstanceUID)
        item.StudyInstanceUID = study_uid
        item.SeriesNumber = kept.index(item.SeriesInstanceUID) + 1
        item.save_as(path)
        count += 1


def pin() -> int:
    """Keep this process and its children on `CORES` cores, where the system can; the number of cores."""
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    return len(cores)


def run(command: list[str]) -> Cost:
    """Run a command to its end and say what it cost; raises CalledProcessError where it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, kilobytes elsewhere
    return Cost(wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, peak_mb=usage.ru_maxrss * unit / 1e6)


def imported(command: list[str]) -> set[str]:
    """The top-level modules that a Python command imports."""
    told = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    lines = subprocess.run(command, env=told, capture_output=True, text=True, check=True).stderr.splitlines()
    names = (line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:"))
    return {name.partition(".")[0] for name in names}


def median(costs: list[Cost]) -> Cost:
    """The median of each figure on its own."""
    return Cost(
        wall_s=statistics.median(cost.wall_s for cost in costs),
        cpu_s=statistics.median(cost.cpu_s for cost in costs),
        peak_mb=statistics.median(cost.peak_mb for cost in costs),
    )


def row(name: str, cost: Cost, reference: Cost) -> tuple[str, ...]:
    """A line of the table."""
    return (
        name,
        number(cost.wall_s, 2),
        number(cost.wall_s / reference.wall_s, 1),
        number(cost.cpu_s, 2),
        number(cost.cpu_s / reference.cpu_s, 1),
        number(cost.peak_mb, 0),
    )


if __name__ == "__main__":
    if not shutil.which(SPINALIS):
        sys.exit(f"Benchmark: expected the spinalis command beside {Path(sys.executable).name}, got none. Install it.")
    main()
