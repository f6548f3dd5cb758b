"""Data sets of episodes for offline reinforcement learning, in Minari's format.

A solver, a trained agent or random actions play the same networks, and Minari writes what they observed, did and
earned. What an action format cannot express is not in the data: rewards are those of the encoded actions.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from tqdm import tqdm

from eval.compare.comparison import name_in, parse_solvers
from eval.compare.lineup import make
from eval.compare.solving import solver_seed
from secagent_env import Instance, Scenario, __version__
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from secagent_env.support.extras import require

RANDOM = "random"
"""The policy of random actions."""
IDS = {"allocation": "secagent/Allocation-v0", "guided": "secagent/AllocationGuided-v0"}
"""Environments by what the command line calls them."""
PLACE = "MINARI_DATASETS_PATH"
"""The variable that names Minari's folder."""

Act = Callable[[Any, int], Any]
"""Returns the action of episode ``index`` in an environment that was reset."""


@dataclass(frozen=True)
class Recorded:
    """A data set that was written: its id, and what its episodes came to."""

    dataset: str
    episodes: int
    feasible: float
    mean_reward: float


def record(
    policies: Sequence[str],
    scenario: Scenario,
    name: str,
    *,
    environment: str = "allocation",
    episodes: int = 1000,
    seed: int = 0,
    max_seconds: float | None = None,
    out: Path | None = None,
    command: str = "",
    progress: bool | None = None,
) -> list[Recorded]:
    """Write a data set of each policy: ``secagent/NAME-POLICY-v0``, or ``secagent/NAME-guided-POLICY-v0``.

    Parameters
    ----------
    policies
        Solvers and trained agents as :func:`eval.compare.comparison.parse_solvers` reads them, and ``"random"``.
    scenario, name
        Of the networks, and what the data sets call it.
    environment
        ``"allocation"`` or ``"guided"``.
    episodes, seed
        Network i is that of ``reset(seed=seed + i)``, whoever plays it.
    max_seconds
        Of a decision.
    out
        Minari's folder; None: the one that it finds itself.
    command
        What made the data sets, for the record.
    progress
        Whether there is a progress bar; None: on a terminal.

    Raises
    ------
    ValueError
        If a name is unknown, a number out of range, or there is such a data set.
    ImportError
        If Minari is not installed.
    """
    minari = require("minari", extra="offline")
    check_name("environment", environment, IDS)
    checks.integer("episodes", episodes, 1)
    checks.integer("seed", seed)
    if max_seconds is not None:
        checks.number("max_seconds", max_seconds, above=0)
    acts = {policy: _act(policy, seed, max_seconds) for policy in policies}
    if not acts:
        raise ValueError("a data set needs a policy that plays, got none")
    guided = "-guided" * (environment == "guided")
    ids = {policy: f"secagent/{name}{guided}-{_plain(policy)}-v0" for policy in acts}
    with _folder(out):
        if there := set(ids.values()) & set(minari.list_local_datasets()):
            [first, *_] = sorted(there)
            raise ValueError(f"there is a data set {first}: delete it (`minari delete {first}`), or name --out")
        total = len(acts) * episodes
        with tqdm(total=total, unit="episode", disable=None if progress is None else not progress) as bar:
            env = gymnasium.make(IDS[environment], scenario=scenario.to_dict())
            played = {policy: list(_play(env, act, episodes, seed, bar)) for policy, act in acts.items()}
        means = {policy: float(np.mean([episode.reward for episode in own])) for policy, own in played.items()}
        written = []
        for policy, own in played.items():
            feasible = float(np.mean([episode.feasible for episode in own]))
            about = (
                f"{episodes} episodes of one decision each in {IDS[environment]}, scenario {name}, by {policy}. "
                f"Network i is that of reset(seed={seed} + i). {feasible:.1%} of the decisions are feasible, the mean "
                f"reward is {means[policy]:.4g}. Made by: {command or 'eval.offline.episodes.record'}"
            )
            with warnings.catch_warnings(), _whole(ids[policy]):
                warnings.simplefilter("ignore")  # Minari misses an e-mail address and a link
                minari.create_dataset_from_buffers(
                    ids[policy],
                    [episode.buffer(number, seed) for number, episode in enumerate(own)],
                    env=env,
                    algorithm_name=policy,
                    author="secagent",
                    requirements=[f"secagent-env=={__version__}"],
                    description=about,
                    **_references(means),
                )
            written.append(Recorded(ids[policy], episodes, feasible, means[policy]))
    return written


@contextlib.contextmanager
def _whole(dataset: str) -> Iterator[None]:
    """Leave nothing half-written where the block ends in an error."""
    try:
        yield
    except BaseException:
        from minari.storage import get_dataset_path

        shutil.rmtree(get_dataset_path(dataset), ignore_errors=True)
        raise


def _references(means: Mapping[str, float]) -> dict[str, float]:
    """Return what scores of 0 and 1 are: random actions, and the best policy beside them."""
    if RANDOM not in means or len(means) < 2:
        return {}
    return {"ref_min_score": means[RANDOM], "ref_max_score": max(means.values())}


def _act(policy: str, seed: int, max_seconds: float | None) -> Act:
    """Return how a policy acts."""
    if policy == RANDOM:

        def sampled(env: Any, index: int) -> Any:
            env.action_space.seed(seed + index)
            return env.action_space.sample()

        return sampled
    [(label, options)] = parse_solvers([policy]).items()
    solver = make(name_in(label), **options)

    def solved(env: Any, index: int) -> Any:
        instance: Instance = env.unwrapped.instance
        solution = solver.solve(instance, seed=solver_seed(seed, index), max_seconds=max_seconds)
        return env.unwrapped.encode(solution.decision)

    return solved


class _Episode(NamedTuple):
    observations: list[Any]
    action: Any
    reward: float
    feasible: bool

    def buffer(self, number: int, seed: int) -> Any:
        """Return the episode as Minari takes it."""
        from minari.data_collector import EpisodeBuffer

        return EpisodeBuffer(
            id=number,
            seed=seed + number,
            observations=self.observations,
            actions=[self.action],
            rewards=[self.reward],
            terminations=[True],
            truncations=[False],
            infos={},
        )


def _play(env: Any, act: Act, episodes: int, seed: int, bar: Any) -> Iterator[_Episode]:
    """Play the networks."""
    for index in range(episodes):
        first, _ = env.reset(seed=seed + index)
        action = act(env, index)
        last, reward, _, _, info = env.step(action)
        yield _Episode([first, last], action, float(reward), bool(info["feasible"]))
        bar.update()


def _plain(policy: str) -> str:
    """Return a policy's name with no other characters than the ids of data sets may have."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in policy).split())


@contextlib.contextmanager
def _folder(out: Path | None) -> Iterator[None]:
    """Let Minari write into a folder."""
    before = os.environ.get(PLACE)
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            os.environ[PLACE] = str(out.resolve())
        yield
    finally:
        if out is not None:
            os.environ.pop(PLACE) if before is None else os.environ.update({PLACE: before})
