"""Seeds: which random instances agents are trained, tuned and judged on. No two of the three ever share one.

====================  ========================  ==============================================================
seeds                 name                      for
====================  ========================  ==============================================================
below 1 000 000 000   yours                     examples, comparisons, anything
from 1 000 000 000    :data:`VALIDATION`        evaluations during a training; its best parameters are picked
                                                by them
from 2 000 000 000    :data:`TEST`              results that are reported; never looked at while training
from 2³²              :data:`TRAIN`             training
====================  ========================  ==============================================================

The ranges do not overlap, so neither do the sets, by construction. ``secagent compare --seed 2000000000`` therefore
compares on the test instances. A training takes a block of 2¹⁶ seeds per run and segment, one for each environment.
"""

from __future__ import annotations

import numpy as np

from secagent_env import Instance, Scenario, sample_instance
from secagent_env.support import checks

VALIDATION = range(1_000_000_000, 2_000_000_000)
TEST = range(2_000_000_000, 3_000_000_000)
TRAIN = range(2**32, 2**63)

_ENVS = 2**16
_SEGMENTS = 2**20
_RUNS = 2**26


def train_seed(run_seed: int, segment: int) -> int:
    """Return the seed from which segment ``segment`` of the training ``run_seed`` resets its environments.

    Environment i takes this seed plus i, for i below 65536. No two (run, segment, environment) share a seed; ValueError
    if the run's seed is not in 0 … 2²⁶ − 1, or the segment not in 0 … 2²⁰ − 1.
    """
    for name, value, limit in (("seed of a training", run_seed, _RUNS), ("segment", segment, _SEGMENTS)):
        checks.integer(f"the {name}", value, 0, limit - 1)
    return TRAIN.start + (run_seed * _SEGMENTS + segment) * _ENVS


def library_seed(run_seed: int, segment: int) -> int:
    """Return the seed of a segment for Python, NumPy and torch, below 2³²: exploration, mini-batches, first weights."""
    return int(np.random.SeedSequence((run_seed, segment)).generate_state(1)[0])


def validation_instances(scenario: Scenario, count: int) -> Instance:
    """Return the first ``count`` validation instances of a scenario as a batch, the same ones in every run."""
    return sample_instance(scenario, VALIDATION.start, batch=(count,))


def test_instances(scenario: Scenario, count: int) -> Instance:
    """Return the first ``count`` test instances of a scenario as a batch."""
    return sample_instance(scenario, TEST.start, batch=(count,))
