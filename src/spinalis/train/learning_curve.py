"""How many graded studies a site needs to adapt a grader: `docs/adaptation.md`.

    python -m spinalis.train.learning_curve --runs runs/curve -o docs/adaptation.md

By the number of graded studies: the pack as it is, recalibrated, adapted, adapted without simulated studies mixed in,
and a grader trained from scratch; judged on unseen studies of the site, and on ordinary simulated ones for what was
forgotten. The site is simulated (`data.other_site`), or a set in RSNA 2024 layout. Goes on where it was cut short.
"""

import argparse
from pathlib import Path
from textwrap import fill

from spinalis.formats.atomic import write_bytes
from spinalis.models import load_pack
from spinalis.models.pack import DEFAULT_FOLDER
from spinalis.train import adapt
from spinalis.train.curve_figures import answers, exactly, level_alone
from spinalis.train.curve_sets import (
    ADAPTED,
    COUNTS,
    METHODS,
    NO_REPLAY,
    RECALIBRATED,
    SCRATCH,
    SCRATCH_STEPS,
    UNSEEN,
    Plan,
    Sets,
    sets_of,
)
from spinalis.train.curve_steps import as_is, outcome
from spinalis.train.curve_tables import Row, curve, tables
from spinalis.train.data import other_site
from spinalis.train.data.bags import JITTER_MM

WIDTH = 120
"""Letters in a line of the page."""

COMMAND = "python -m spinalis.train.learning_curve"
NO_SKILL, AS_IS, EXACT = "level alone (no skill)", "pack as it is", "exact grades (ceiling)"

SIMULATED_SITE = """\
How many graded studies does a site need? No graded real set may be passed on, so the site is simulated, and differs
in a stated way from what the pack has learnt from. Its patients and scanners are drawn as the others' are, from seed
{seed}, at the prevalences of the RSNA 2024 set; then every crop is made over as training never shows it: pixels
{coarser} times as long and as wide, Rician noise of {noise} of the bright signal in such a pixel (twice the most in
training, averaged alike), all above {burnt} of it burnt out, so that fat and fluid look alike, mid-tones lifted by an
exponent of {gamma} (training goes down to 0.78). Its reader's scores err by {reader} (standard deviation; a grade is
1 wide): `exact grades` says how well that reader can be met at all. These numbers are assumptions, set by looking at
pictures, before any figure was seen. Levels are given, off by up to {jitter} mm (standard deviation), as the
localizer errs. A real site differs in more than its look, so take the order of the methods from here, not their
figures; `--data` and `--test` measure your own site."""

GIVEN_SITE = "The site's graded studies, and the unseen ones, are sets in RSNA 2024 layout."

_ASSUMED = {
    "seed": other_site.SITE_SEED,
    "noise": other_site.NOISE,
    "coarser": other_site.COARSER,
    "burnt": other_site.BURNT,
    "gamma": other_site.GAMMA,
    "reader": other_site.READER_NOISE,
    "jitter": max(JITTER_MM),
}


def rows(plan: Plan, sets: Sets) -> tuple[list[Row], list[Row]]:
    """Answers to the unseen studies of the site, and to ordinary ones, floor first."""
    settings, answer = as_is(plan)
    found: tuple[list[Row], list[Row]] = ([], [])
    for listed, bags in zip(found, (sets.unseen, sets.ordinary), strict=True):
        before = answers(bags, answer(bags), settings)
        listed += [Row(name=NO_SKILL, answers=level_alone(before.truth)), Row(name=AS_IS, answers=before)]
    for count in plan.counts:
        for method in plan.methods:
            made = outcome(plan, sets, method, count)
            for listed, bags, logits in zip(
                found, (sets.unseen, sets.ordinary), (made.unseen, made.ordinary), strict=True
            ):
                item = answers(bags, logits, made.settings)
                listed.append(Row(name=method, count=count, answers=item, cpu_s=made.cpu_s))
    if sets.exact is not None:
        found[0].append(
            Row(name=EXACT, answers=exactly(found[0][0].answers, found[1][0].answers.truth), calls_only=True)
        )
    return found


def page(plan: Plan, found: tuple[list[Row], list[Row]], picture: str) -> str:
    """The page as Markdown; `picture` is the file of the curve beside it."""
    recipe = plan.recipe()
    site = GIVEN_SITE if plan.data else SIMULATED_SITE.format(**_ASSUMED)
    about = (
        f"`{ADAPTED}` trains {recipe['steps']} steps of {recipe['batch']} bags (a bag is one level and side), "
        f"{100 * recipe['replay_share']:.0f} % of them simulated in the ordinary look, from "
        f"{round(recipe['replay_studies'] * plan.scale)} studies that the pack knows, its weights held to those of the "
        f"pack; `{NO_REPLAY}` goes without these bags; `{SCRATCH}` trains {round(plan.scratch_steps * plan.scale)} "
        f"steps from random weights on the site's studies alone. Each trains {recipe['folds'] + 1} networks: one that "
        f"sees all studies, and {recipe['folds']} that leave out a part each, on whose answers calibration and "
        f"operating points are set from {adapt.FEWEST_TO_CALIBRATE} graded studies on; with fewer, known prevalence "
        f"sets them. `{RECALIBRATED}` sets these alone. The graded studies are nested: those of a small number are in "
        "every larger one."
    )
    head = [
        "# Adapting a grader to a site",
        "",
        "Made by `python -m spinalis.train.learning_curve`. Research use only.",
        "",
    ]
    shown = [f"![Kappa by the number of graded studies]({picture})", ""] if picture else []
    told = [
        line for words in (site, about) for line in (fill(" ".join(words.split()), WIDTH, break_on_hyphens=False), "")
    ]
    return "\n".join([*head, *told, *shown, *tables(*found)])


def main() -> None:
    """Parse the command line, train what is missing, judge, and write the page and its picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=Path, default=Path("runs/curve"), help="kept bags, runs and answers")
    parser.add_argument("--from", dest="pack", type=Path, default=DEFAULT_FOLDER / "grade", help="the pack to adapt")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="numbers of graded studies")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="some of them")
    parser.add_argument("--studies", type=int, default=UNSEEN, help="unseen studies to judge on")
    parser.add_argument("--data", type=Path, help="graded studies in RSNA 2024 layout, in place of the simulated site")
    parser.add_argument("--test", type=Path, help="others of the same site, to judge on")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of adapt")
    parser.add_argument("--scratch-steps", type=int, default=SCRATCH_STEPS, help="steps of the grader from scratch")
    parser.add_argument("--jobs", type=int, default=2, help="simulating processes")
    parser.add_argument("--scale", type=float, default=1.0, help="share of steps and of mixed-in studies, for a trial")
    parser.add_argument("--accelerator", default="auto", help="cpu, cuda, or auto")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write; the curve goes beside it as SVG")
    given = parser.parse_args()
    if (given.data is None) != (given.test is None) or any("=" not in item for item in given.set):
        parser.error("expected --data and --test together or neither, and every --set as key=value")
    plan = Plan(
        runs=given.runs,
        pack=load_pack(given.pack, threads=1),
        counts=tuple(sorted(given.counts)),
        methods=tuple(given.methods),
        unseen=given.studies,
        data=given.data,
        test=given.test,
        changes=dict(item.split("=", 1) for item in given.set),
        scratch_steps=given.scratch_steps,
        jobs=given.jobs,
        scale=given.scale,
        accelerator=given.accelerator,
    )
    found = rows(plan, sets_of(plan))
    picture = given.output.with_suffix(".svg") if given.output else None
    text = page(plan, found, picture.name if picture else "")
    if picture:
        write_bytes(given.output, text.encode())
        write_bytes(picture, curve(found[0]).encode())
    print(text)  # noqa: T201  the command's answer


if __name__ == "__main__":
    main()
