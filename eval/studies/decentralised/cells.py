"""The cells of ``secagent study decentralised``: who decides, on the test networks of one preset."""

from __future__ import annotations

import numpy as np

import training
from eval.learners.cells import TestSet, test_set_of
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, numbers, returns
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.observations import observe
from secagent_env.multiagent.strategies import STRATEGIES
from secagent_env.multiagent.views import own_views

FUNCTION = "eval.studies.decentralised.cells"
GAPS = columns(gap=numbers)


@returns(GAPS)
def policy(cell: Cell) -> Row:
    """Return the gaps of a trained policy; with the option ``random_bids``, of its levels and beam beside random bids.

    Raises ValueError if the file of the policy is not the one that the cell is of.
    """
    path, test = cell.options["run"], test_set_of(cell)
    agent = training.load_agent(path, repair=False)
    if agent.digest != cell.options["digest"]:
        raise ValueError(f"the policy in {path} was changed, or is another one on this machine")
    action = np.array(agent.act(observe(test.instances, agent.observation_format)), float)
    if cell.options["random_bids"]:
        agents = test.scenario.num_agents
        action[:, :agents] = np.random.default_rng(cell.seed).uniform(-1, 1, (len(action), agents))
    return _judged(test, agent.action_format, action)


@returns(GAPS)
def strategy(cell: Cell) -> Row:
    """Return the gaps of a rule of :mod:`secagent_env.multiagent.strategies`."""
    test = test_set_of(cell)
    seen = own_views(observe(test.instances, "compact"), test.scenario)
    bids, levels = np.moveaxis(STRATEGIES[cell.options["strategy"]](seen), -1, 0)
    return _judged(test, "bids", np.concatenate([bids, levels], axis=-1))


def _judged(test: TestSet, form: str, action: np.ndarray) -> Row:
    return {"gap": test.gap(action_format(form, test.scenario).decode(action, test.instances))}
