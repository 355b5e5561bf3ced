"""What a learning curve is measured on: a site's graded studies, unseen ones of it, and ordinary simulated ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import RecipeError
from spinalis.models import Pack
from spinalis.train import adapt, grade
from spinalis.train.adapt import Site
from spinalis.train.data import other_site
from spinalis.train.grade import Bags
from spinalis.train.job import Job
from spinalis.train.runs import RUN_SETTINGS, changed

RECALIBRATED, ADAPTED, NO_REPLAY, SCRATCH = "recalibrated", "adapted", "adapted, nothing mixed in", "from scratch"
METHODS = (RECALIBRATED, ADAPTED, NO_REPLAY, SCRATCH)
"""By the number of graded studies."""

COUNTS, UNSEEN = (5, 20, 100), 60
"""Graded studies of the site, and others to judge on."""

SCRATCH_STEPS = 480
"""Twice those of `adapt`, a quarter of those of `grade`: chosen for the time it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to compare. `data` and `test` are sets in RSNA 2024 layout in place of the simulated site.

    `unseen` studies judge (of the simulated site, and ordinary ones); `changes` are to the recipe `adapt`; `scale`
    shrinks the steps and the simulated studies that are mixed in.
    """

    runs: Path
    pack: Pack
    counts: tuple[int, ...] = COUNTS
    methods: tuple[str, ...] = METHODS
    unseen: int = UNSEEN
    data: Path | None = None
    test: Path | None = None
    changes: Mapping[str, str] = field(default_factory=dict)
    scratch_steps: int = SCRATCH_STEPS
    jobs: int = 2
    scale: float = 1.0
    accelerator: str = "auto"

    @property
    def folder(self) -> Path:
        """Where steps of these very settings are kept."""
        site = (self.data, self.test) if self.data else other_site.identity(self.pack.manifest.input("crops"))
        settings = (sorted(self.changes.items()), self.scratch_steps, self.scale, self.unseen)
        return self.runs / sha256(repr((self.pack.info.sha256, site, settings)).encode()).hexdigest()[:8]

    def job(self, folder: Path) -> Job:
        """The job of one step."""
        return Job(
            data=None,
            runs=self.runs,
            out=folder,
            jobs=self.jobs,
            scale=self.scale,
            accelerator=self.accelerator,
            folder=folder,
        )

    def recipe(self) -> dict[str, Any]:
        """The recipe `adapt`, for this pack."""
        shipped = {**RUN_SETTINGS, **self.job(self.folder).recipe("adapt")}
        return changed(shipped, self.changes) | adapt.settings_of(self.pack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """Graded studies in the order in which they are taken, unseen ones of the site, and ordinary simulated ones.

    `exact` are the unseen bags with the grades as they are, not as the site's reader gave them; None where nobody
    knows.
    """

    own: Site
    order: NDArray[np.int64]
    unseen: Bags
    ordinary: Bags
    exact: Bags | None = None

    def first(self, count: int) -> Site:
        """The site with so many of its studies.

        Raises:
            RecipeError: it has fewer.
        """
        if count > len(self.order):
            raise RecipeError(
                f"Learning curve: expected counts up to {len(self.order)} graded studies, got {count}. Change --counts."
            )
        taken = np.sort(self.order[:count])
        bags = self.own.bags.rows(np.isin(self.own.bags.studies, taken))
        return replace(
            self.own,
            bags=replace(bags, studies=np.searchsorted(taken, bags.studies)),
            names=tuple(self.own.names[study] for study in taken),
        )


def sets_of(plan: Plan) -> Sets:
    """The site and the studies to judge on.

    Raises:
        RecipeError: there is no set, or no study gave a bag.
        TableError: a table of a set breaks a rule.
    """
    if plan.recipe()["replay_share"]:
        adapt.replay_bags(plan.job(plan.folder), plan.recipe(), plan.pack)  # kept, so that no step is timed with it
    if plan.data is None or plan.test is None:
        return _simulated(plan)
    return _given(plan, plan.data, plan.test)


def _simulated(plan: Plan) -> Sets:
    """The simulated site; the ordinary studies are the unseen ones without the site's look and reader."""
    spec, graded = plan.pack.manifest.input("crops"), max(plan.counts)
    files = other_site.keep_studies(plan.runs / "cache", spec, plan.unseen + graded, plan.jobs)
    plain = grade.load_bags(files)
    looks = other_site.other_look(plain.crops, plain.mask, spec)
    shown = replace(plain, crops=looks, grades=other_site.read_grades(files))
    judged = plain.studies < plan.unseen
    learnt = shown.rows(~judged)
    own = Site(
        bags=replace(learnt, studies=learnt.studies - plan.unseen),
        names=tuple(file.stem for file in files[plan.unseen :]),
        simulated=True,
        left_out="",
    )
    ordinary = plain.rows(judged)
    return Sets(own=own, order=np.arange(graded), unseen=shown.rows(judged), ordinary=ordinary, exact=ordinary)


def _given(plan: Plan, data: Path, test: Path) -> Sets:
    """Sets in RSNA 2024 layout; graded studies are taken by a hash of their names."""
    cache, points = plan.runs / "cache", plan.recipe()["points"]
    own, unseen = (adapt.site(root, plan.pack, cache / "rsna", points, plan.jobs) for root in (data, test))
    files = other_site.keep_studies(cache, plan.pack.manifest.input("crops"), plan.unseen, plan.jobs)
    order = np.argsort([sha256(name.encode()).hexdigest() for name in own.names])
    return Sets(own=own, order=order, unseen=unseen.bags, ordinary=grade.load_bags(files))
