"""The cells of ``secagent study learners``: a policy, or a reference, on the test instances of one size.

No training has seen these instances (:mod:`training.learn.seeds`). Energies are relative to the certified bound of each
instance. Every figure is given for the forward pass as it is, and with the repair.
"""

from __future__ import annotations

import functools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import training
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, numbers, optional, returns
from secagent_env import Decision, Instance, Scenario, evaluate
from secagent_env.allocation.actions import action_format
from secagent_env.support.extras import require
from solvers.certificate.bounds import lower_bound
from training.learn import seeds
from training.play.repair import repair_all

SINGLES = 100
"""How many instances are solved one by one, for the time of a single decision."""
REPEATS = 3
LINKS = (-0.75, 0.0, 0.0, 1.0, 0.0)
"""The end of a guided action: senders at −30 dB, the zero-forcing beam."""


PROMISED = columns(gap=numbers, repaired_gap=numbers, batch_ms=optional(count), single_ms=optional(count))
"""Of a row."""


class TestSet:
    """The test instances of one size, with their certified bounds; those proved infeasible are left out.

    There are K instances of the scenario with this number of agents, and their bounds ``bound_j``, (K,), J.

    Raises ValueError if all of them are infeasible.
    """

    __test__ = False  # not one of pytest's

    def __init__(self, scenario: Scenario, agents: int, count: int) -> None:
        if agents != scenario.num_agents:
            scenario = scenario.replace(num_agents=agents, min_selected=None)
        self.scenario = scenario
        instances = seeds.test_instances(scenario, count)
        bound = np.array([lower_bound(instances[i]).energy_j for i in range(count)])
        self.instances: Instance = instances[np.isfinite(bound)]
        self.bound_j = bound[np.isfinite(bound)]
        if not len(self.instances):
            raise ValueError(f"none of the {count} test instances with {agents} agents is feasible")

    def gap(self, decisions: Decision) -> np.ndarray:
        """Return energy over the bound, minus 1, (K,); NaN where infeasible."""
        outcome = evaluate(self.instances, decisions)
        return np.where(outcome.feasible, outcome.energy_j / self.bound_j - 1, np.nan)


@returns(PROMISED)
def policy(cell: Cell) -> Row:
    """Return the figures of a trained policy.

    Raises ValueError if the file of the policy is not the one that the cell is of.
    """
    path = cell.options["path"]
    if training.load_agent(path).digest != cell.options["digest"]:
        raise ValueError(f"the policy in {path} was changed, or is another one on this machine")
    return judge(path, test_set_of(cell))


@returns(PROMISED)
def untrained(cell: Cell) -> Row:
    """Return the figures of an equivariant network that has not been trained; needs torch."""
    test = test_set_of(cell)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "untrained.onnx"
        write_untrained(Scenario(**cell.options["scenario"]), cell.seed, path)
        return judge(path, test)


@returns(PROMISED)
def random_actions(cell: Cell) -> Row:
    """Return the figures of random actions of the guided format: the worth of the format and the repair alone."""
    return judge_random(test_set_of(cell), cell.seed)


@returns(PROMISED)
def cheapest_agents(cell: Cell) -> Row:
    """Return the figures of a rule of one line."""
    return judge_cheapest(test_set_of(cell))


def test_set_of(cell: Cell) -> TestSet:
    """Return the test set of a cell; a process proves the bounds of a size once."""
    return _test_set(Scenario(**cell.options["scenario"]), cell.value, cell.options["instances"])


_test_set = functools.lru_cache(maxsize=2)(TestSet)


def judge(path: str | Path, test: TestSet) -> Row:
    """Return the figures of a policy's file on test instances: gaps (:meth:`TestSet.gap`), and ms per decision.

    ``batch_ms`` is that of all instances in a batch, ``single_ms`` the median one by one; both include the repair.
    """
    agent = training.load_agent(path)
    plain = training.load_agent(path, repair=False)
    singles = range(min(SINGLES, len(test.instances)))
    agent.solve(test.instances[0])  # the first solve also compiles and allocates
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        repaired = agent.solve_batch(test.instances)
        seconds.append(time.perf_counter() - began)
    single = [agent.solve(test.instances[i]).wall_time_s for i in singles]
    return {
        "gap": test.gap(plain.solve_batch(test.instances)),
        "repaired_gap": test.gap(repaired),
        "batch_ms": 1e3 * min(seconds) / len(test.instances),
        "single_ms": 1e3 * float(np.median(single)),
    }


def judge_random(test: TestSet, seed: int) -> Row:
    """Return the gaps of random actions of the guided format."""
    size = 2 * test.scenario.num_agents + len(LINKS)
    return _judge_actions(test, np.random.default_rng(seed).uniform(-1, 1, (len(test.instances), size)))


def judge_cheapest(test: TestSet) -> Row:
    """Return the gaps of the N_min agents with the least execution energy, accurate or not."""
    energy = test.instances.execution_energy_j
    silent = np.full_like(energy, -1.0)
    links = np.broadcast_to(LINKS, (len(energy), len(LINKS)))
    scores = -energy / energy.max(axis=-1, keepdims=True)
    return _judge_actions(test, np.concatenate([scores, silent, links], axis=-1))


def _judge_actions(test: TestSet, actions: np.ndarray) -> Row:
    decisions = action_format("guided", test.scenario).decode(actions, test.instances)
    return {"gap": test.gap(decisions), "repaired_gap": test.gap(repair_all(test.instances, decisions))}


def write_untrained(scenario: Scenario, seed: int, path: Path) -> None:
    """Write the policy of an equivariant network that has not been trained; needs torch."""
    torch: Any = require("torch", extra="rl")
    from training.learn.export import export_policy, policy_metadata
    from training.networks.equivariant import EquivariantNetwork

    n, eavesdroppers = scenario.num_agents, scenario.num_eavesdroppers
    inputs = {"task": (2, 6), "agents": (2, n, 5 + eavesdroppers), "eavesdroppers": (2, eavesdroppers, 1)}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = EquivariantNetwork()
    examples = {name: torch.rand(shape) for name, shape in inputs.items()}
    export_policy(path, network, examples, policy_metadata("untrained", scenario))
