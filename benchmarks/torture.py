"""Read the torture set and print which expectations hold, kind by kind.

    python benchmarks/torture.py [--studies 510] [--seed 2024] [--packs DIR] [--kinds zipped,metal]

Every study is written to the temporary folder, read as `spinalis read` reads it, checked against its expected answer
and against that to the plain study of the same patient, and removed. Exit code 1 where an expectation is broken.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from spinalis.apps import batch, exit_codes
from spinalis.errors import InputError
from spinalis.evaluate.tables import Table
from spinalis.formats import read_studies
from spinalis.simulate.torture import KINDS, Answer, TorturedStudy, kind_of, torture_study, write_files

SEED = 2024


def main() -> int:
    """Make, read and check every study; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=510)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--packs", type=Path, help="folder of packs; the shipped ones if not given")
    parser.add_argument("--kinds", default="", help="only these kinds, separated by commas")
    options = parser.parse_args()
    wanted = set(options.kinds.split(",")) if options.kinds else {kind.__name__ for kind in KINDS}
    broken: dict[str, list[str]] = defaultdict(list)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    plain = Answer(code=exit_codes.FAILURE)
    make_s = read_s = 0.0
    for number in range(options.studies):
        kind, variant = kind_of(number)
        if kind not in wanted | {KINDS[0].__name__}:
            continue
        start = time.process_time()
        tortured = torture_study(options.seed, number)
        with tempfile.TemporaryDirectory() as folder:
            write_files(tortured, Path(folder) / "study")
            made = time.process_time()
            answer = answer_to(tortured, Path(folder), options.packs)
        make_s, read_s = make_s + made - start, read_s + time.process_time() - made
        plain = answer if kind == KINDS[0].__name__ else plain
        problems = tortured.expected.check(answer, plain)
        counts[kind][bool(problems)] += 1
        broken[kind] += [f"variant {variant}: {problem}" for problem in problems]
        if problems:
            print(f"{kind} {variant}: {'; '.join(problems)}", file=sys.stderr, flush=True)
    rows = [(kind, str(sum(found)), str(found[0]), str(found[1])) for kind, found in counts.items()]
    studies, failed = (sum(sum(f) for f in counts.values()), sum(f[1] for f in counts.values()))
    notes = (
        f"{studies} studies, {studies - failed} as expected; seed {options.seed}.",
        f"CPU seconds: {make_s:.0f} to make and write, {read_s:.0f} to read.",
        *(f"{kind}: {problems[0]}" for kind, problems in broken.items() if problems),
    )
    columns = ("kind", "studies", "as expected", "not")
    print(Table(title="The torture set", columns=columns, rows=tuple(rows), notes=notes).to_markdown())
    return 1 if failed else 0


def answer_to(tortured: TorturedStudy, folder: Path, packs: Path | None) -> Answer:
    """Read one study as the command line does."""
    try:
        studies = read_studies(folder / "study" / tortured.entry)
    except InputError as error:
        return Answer(code=exit_codes.of_error(error), error=str(error))
    folders = batch.folders_of(studies, folder / "out")
    for place in folders:
        batch.prepare_folder(place)
    work = tuple(batch.Job(study=s, folder=f, packs=packs) for s, f in zip(studies, folders, strict=True))
    outcomes = tuple(batch.read_all(work, 1))
    return Answer(
        code=exit_codes.of_all(outcome.code for outcome in outcomes),
        readings=tuple(json.loads(outcome.reading_json) for outcome in outcomes if outcome.reading_json),
        error="; ".join(outcome.error for outcome in outcomes if outcome.error),
    )


if __name__ == "__main__":
    sys.exit(main())
