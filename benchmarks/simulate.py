"""Time the simulator on one core: `python benchmarks/simulate.py`.

Prints seconds for 15 sagittal and 25 axial slices of 320 x 320 with all artefacts (one and three contrasts), each
also over the seconds of a fixed piece of NumPy (of a second or more) measured in the same run, since machines and
their load differ; then seconds a study and peak memory after one, two and four times the same whole study, which stay
the same where time is linear and memory flat. Compilation is not counted.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spinalis.simulate import simulate_study
from spinalis.simulate.protocols import axial_stacks, sagittal_stack
from spinalis.simulate.scanner import Stack, distances_to, turned_axes
from spinalis.simulate.sequence import Contrast, sample_protocol
from spinalis.simulate.study import expose, render_labels, sample_body
from spinalis.simulate.tissue import sample_tissues
from spinalis.vocabulary import Plane, Region

SEED = 3
REPEATS = 2
FIXED_REPEATS = 25
STUDIES = 4


def seconds(work: Callable[[], object]) -> float:
    """The best of a few runs, processor time."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(SEED)
    body, subject = sample_body(rng)
    sagittal = replace(sagittal_stack(rng, subject, Region.LUMBAR), count=15, rows=320, columns=320, pixel_mm=0.9)
    axial = replace(
        axial_stacks(rng, subject, Region.LUMBAR)[0],
        axes=turned_axes(Plane.AXIAL, 0, 0),
        centre=sagittal.centre,
        count=25,
        rows=320,
        columns=320,
        pixel_mm=0.6,
        spacing_mm=5.0,
    )
    tissues = sample_tissues(rng, 1.5, subject.age)
    contrasts = (Contrast.T2W, Contrast.T1W, Contrast.STIR)

    def work(stack: Stack, count: int) -> None:
        anatomy = render_labels(body, stack)
        distances = distances_to(stack, subject)
        for contrast in contrasts[:count]:
            expose(rng, anatomy, (sample_protocol(rng, contrast, 1.5), tissues), stack, distances)

    unit = seconds(fixed_work)
    print(f"{'fixed NumPy work':24s} {unit:5.2f} s; in brackets: times over it")
    work(replace(sagittal, count=2), 1)
    for name, stack in (("15 sagittal slices", sagittal), ("25 axial slices", axial)):
        print(f"{name:24s}", end="")
        for label, run in (
            ("labels", lambda s=stack: render_labels(body, s)),
            ("one contrast", lambda s=stack: work(s, 1)),
            ("three contrasts", lambda s=stack: work(s, 3)),
        ):
            taken = seconds(run)
            print(f"   {label} {taken:5.2f} s ({taken / unit:4.2f})", end="", flush=True)
        print()
    simulate_study(SEED, 0)
    start = time.process_time()
    for count in range(1, STUDIES + 1):
        simulate_study(SEED, 0)
        if count.bit_count() == 1:
            taken, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{f'lumbar studies: {count}':24s} {taken / count:5.2f} s each, peak {peak:.0f} MiB", flush=True)


def fixed_work() -> None:
    """Sorting and sine of the same two million numbers, often enough to take a second."""
    values = np.random.default_rng(0).random(2_000_000)
    for _ in range(FIXED_REPEATS):
        np.sort(values)
        np.sin(values)


if __name__ == "__main__":
    main()
