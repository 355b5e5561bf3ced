"""A simulator of spine MRI studies: anatomy, disease, tissue, pulse sequence, scanner, study, with exact truth."""

from spinalis.simulate.benchmark import benchmark_studies
from spinalis.simulate.layouts import benchmark_to_folder, simulate_to_folder
from spinalis.simulate.study import (
    PROFILES,
    SimulatedSeries,
    SimulatedStudy,
    iterate_studies,
    simulate_study,
)
from spinalis.simulate.truth import Truth

__all__ = [
    "PROFILES",
    "SimulatedSeries",
    "SimulatedStudy",
    "Truth",
    "benchmark_studies",
    "benchmark_to_folder",
    "iterate_studies",
    "simulate_study",
    "simulate_to_folder",
]
