import os
import subprocess
import sys

import pytest

LARGE = 300_000
"""Bytes of a job: more than a pipe holds."""

SCRIPT = """
from tests.unit.test_apps_pool import LARGE, lost, work
from spinalis.apps.pool import run_all

if __name__ == "__main__":
    print(list(run_all(work, [(number, b"x" * LARGE) for number in range(6)], lost, 2, None)))
"""

SLOWLY_SUBMITTED = """
import multiprocessing, time
from tests.unit.test_apps_pool import lost, work
from spinalis.apps.pool import run_all

class Jobs(list):
    def __iter__(self):
        first, *others = super().__iter__()
        yield first
        while multiprocessing.active_children():  # ended and joined once the pool knows that one has died
            time.sleep(0.05)
        yield from others

if __name__ == "__main__":
    print(list(run_all(work, Jobs([(number, b"") for number in range(3)]), lost, 2, None)))
"""


def work(job: tuple[int, bytes]) -> int:
    """Answer with the number of the job; the first ends its process from outside."""
    if job[0] == 0:
        os._exit(9)
    return job[0]


def lost(job: tuple[int, bytes]) -> int:
    """The answer of a job whose process was lost."""
    return -job[0] - 1


@pytest.mark.skipif(sys.version_info < (3, 11, 5), reason="once in some dozen runs it still waits: CPython issue 94777")
def test_a_process_that_dies_costs_its_own_job_only_however_large_the_others_are() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.strip() == "[-1, 1, 2, 3, 4, 5]", done.stderr


def test_a_process_that_dies_while_jobs_are_handed_over_costs_its_own_job_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SLOWLY_SUBMITTED], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout.strip() == "[-1, 1, 2]", done.stderr
