"""Imitation: whom a search selects, learnt from as from labels ("behavioural cloning", Pomerleau 1988).

Of fresh instances ``best-first`` (:mod:`solvers.best_first`) serves up to ``most`` selections; the best one is what the
network should draw. Its scores get the gradient of the probability of that selection, its agents drawn without
replacement in a random order (Plackett and Luce). Demonstrations are kept: each batch of new ones is followed by
``passes`` updates on what there is. An episode has one step, so that a policy's own decisions lead to no other
instances: to ask the teacher there (DAgger, Ross, Gordon and Bagnell 2011) is the same as this.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from stable_baselines3.common.logger import Logger
from torch import Tensor

from secagent_env import Instance
from secagent_env.allocation.guided import SelectionFormat
from secagent_env.allocation.observations import observe
from secagent_env.gym_bases.mixed_vector import shares
from secagent_env.sampling.estimation import generator_beside
from secagent_env.support.extras import installed
from solvers.best_first.solver import BestFirst
from training.direct.base import InstanceLearner
from training.direct.rloo import log_probability
from training.learn.learner import State, Task
from training.learn.seeds import library_seed, train_seed
from training.networks.relational import RelationalNetwork

DEFAULTS: dict[str, float] = {
    "batch_size": 32,
    "most": 256,
    "passes": 16,
    "best_of": 8,
    "learning_rate": 3e-3,
    "width": 48,
    "layers": 2,
    "max_grad_norm": 1.0,
}
"""The hyperparameters and their defaults; ``docs/training.md`` explains them."""


class ImitationLearner(InstanceLearner):
    """The learner; see the module and :class:`training.learn.learner.Learner`. A step is one demonstration."""

    defaults = DEFAULTS
    formats = ("relational", "selection", "pairwise")

    def __init__(self, task: Task, device: str = "cpu") -> None:
        super().__init__(task, device)
        self.samples = int(self._options["best_of"])
        self._teacher = BestFirst(most=int(self._options["most"]), polished=False, compiled=installed("numba"))
        self._shown: list[list[np.ndarray]] = [[] for _ in task.parts]
        self._chosen: list[list[np.ndarray]] = [[] for _ in task.parts]

    def _network(self) -> RelationalNetwork:
        return RelationalNetwork(width=int(self._options["width"]), layers=int(self._options["layers"]))

    def learn(self, segment: int, steps: int, logger: Logger, progress: Callable[[int], None]) -> None:
        """Ask for demonstrations of ``steps`` fresh instances, in whole batches, and learn from all so far."""
        rng = np.random.default_rng(train_seed(self._task.seed, segment))
        torch.manual_seed(library_seed(self._task.seed, segment))
        errors, size = generator_beside(rng), int(self._options["batch_size"])
        batches = math.ceil(steps / size)
        for _ in range(batches):
            truth = self._instances(rng, size)
            for part, (batch, shown) in enumerate(zip(truth, self._seen(truth, errors), strict=True)):
                self._demonstrate(part, batch, shown)
            progress(size)
        demonstrations = [len(shown) for shown in self._shown]
        if not all(demonstrations):
            raise ValueError(
                f"best-first serves none of the first {batches * size} networks, so that there is nothing to imitate: "
                "raise most, or change the scenario"
            )
        for _ in range(batches):
            for _ in range(int(self._options["passes"])):
                terms = self._descend(self._again(rng, size))
                logger.record_mean("train/loss", terms["loss"])
            self._steps += size
        logger.record("train/demonstrations", sum(demonstrations))
        logger.record("train/learning_rate", self._optimizer.param_groups[0]["lr"])
        logger.dump(self._steps)

    def _demonstrate(self, part: int, instances: Instance, seen: Instance) -> None:
        """Keep what the teacher selects in instances (B) of a scenario, and what the network sees then."""
        for each, observation in zip(instances, observe(seen, self._task.settings.observation_format), strict=True):
            solution = self._teacher.solve(each)
            if solution.decision is not None and solution.outcome is not None and solution.outcome.feasible:
                self._shown[part].append(observation)
                self._chosen[part].append(np.flatnonzero(solution.decision.selection))

    def _again(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Return the loss on demonstrations, drawn from all of each scenario."""
        terms = []
        for shown, chosen, share in zip(self._shown, self._chosen, shares(size, len(self._shown)), strict=True):
            drawn = rng.integers(len(shown), size=share)
            scores = SelectionFormat.RANGE * self.network(**self._parts(np.stack([shown[k] for k in drawn])))
            order = torch.from_numpy(np.stack([rng.permutation(chosen[k]) for k in drawn])).to(scores.device)
            terms.append(-log_probability(scores, order[:, None]).mean() * share / (size * order.shape[-1]))
        return {"imitation": torch.stack(terms).sum()}

    def state(self) -> State:
        """Return parameters, optimiser, counter and demonstrations."""
        state = super().state()
        kept: dict[str, np.ndarray] = {}
        for part, (shown, chosen) in enumerate(zip(self._shown, self._chosen, strict=True)):
            if shown:
                kept |= {f"shown_{part}": np.stack(shown), f"chosen_{part}": np.stack(chosen)}
        return State(state.tensors, state.counters, kept)

    def load_state(self, state: State) -> None:
        """Continue from a state."""
        super().load_state(state)
        for part in range(len(self._shown)):
            self._shown[part] = list(state.arrays.get(f"shown_{part}", ()))
            self._chosen[part] = list(state.arrays.get(f"chosen_{part}", ()))
