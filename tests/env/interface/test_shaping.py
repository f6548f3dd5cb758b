"""Shaping: what is far from secrecy earns less, and what is feasible earns what it does without shaping."""

import gymnasium
import numpy as np
import pytest

import solvers
from secagent_env import evaluate, sample_instance
from secagent_env.allocation.rules import SHAPING, AllocationRules
from secagent_env.allocation.shaping import secrecy_shortfall
from secagent_env.allocation.vector import AllocationVectorEnv
from secagent_env.model.physics import downlink_sinr, uplink_sinr

SMALL = sample_instance("small", 0, (40,))


def flat_actions(count: int) -> np.ndarray:
    actions = np.random.default_rng(0).uniform(-1, 1, (count, 20)).astype(np.float32)
    actions[:, :6] = [1, 1, -1, -1, -1, -1]
    return actions


def test_the_penalty_grows_with_the_shortfall():
    plain, shaped = (
        AllocationRules(scenario=SMALL.scenario),
        AllocationRules(scenario=SMALL.scenario, shaping="secrecy"),
    )
    decision = plain.actions.decode(flat_actions(40), SMALL)
    outcome, reward, penalty = plain.score(SMALL, decision)
    _, less, more = shaped.score(SMALL, decision)
    shortfall = secrecy_shortfall(SMALL, decision, outcome)
    assert (shortfall >= 0).all()
    assert np.mean(shortfall > 1) > 0.5
    np.testing.assert_allclose(more - penalty, SHAPING * shortfall / 3)  # N_min + 1
    np.testing.assert_allclose(reward - less, more - penalty)
    assert np.isfinite(less).all()


def test_feasible_decisions_earn_the_same():
    plain, shaped = (gymnasium.make("secagent/Allocation-v0", scenario="small", shaping=s) for s in (None, "secrecy"))
    for env in (plain, shaped):
        env.reset(options={"instance": SMALL[3]})
    action = plain.unwrapped.encode(solvers.make("exact").solve(SMALL[3]).decision)
    (_, one, _, _, info), (_, two, _, _, told) = plain.step(action), shaped.step(action)
    assert info["feasible"]
    assert one == two
    assert told["penalty"] == 0
    assert told["counted_energy_j"] == info["counted_energy_j"]


def test_where_the_reward_is_flat_shaping_is_not():
    """Of many random beams the reward tells few kinds; what shaping adds tells them all apart, and is smooth."""
    instance = SMALL[np.zeros(500, int)]
    actions = np.repeat(flat_actions(1), 500, axis=0)
    actions[:, 6:14] = np.random.default_rng(1).uniform(-1, 1, (500, 8))
    distinct = {}
    for shaping in (None, "secrecy"):
        rules = AllocationRules(scenario=SMALL.scenario, shaping=shaping)
        _, reward, _ = rules.score(instance, rules.actions.decode(actions, instance))
        distinct[shaping] = len(np.unique(np.round(reward, 9)))
    assert distinct[None] < 50
    assert distinct["secrecy"] > 400


def test_the_shortfall_by_hand():
    decision = AllocationRules(scenario=SMALL.scenario).actions.decode(flat_actions(40), SMALL)
    outcome = evaluate(SMALL, decision)
    found = secrecy_shortfall(SMALL, decision, outcome)
    k = 4
    sinr, heard = (np.asarray(each)[k] for each in downlink_sinr(SMALL, decision))
    total = max(np.log(heard.max() / sinr[:2].min()), 0.0)
    sinr, heard = (np.asarray(each)[k] for each in uplink_sinr(SMALL, decision))
    total += sum(max(np.log(heard[n].max() / sinr[n]), 0.0) for n in (0, 1))
    total += np.log(max(min(outcome.latency_s[k] / 3000.0, 1e6), 1.0))
    assert found[k] == pytest.approx(total, rel=1e-6)


def test_in_bulk_and_with_errors():
    pytest.importorskip("numba")
    envs = AllocationVectorEnv(3, "small", rng="bulk", shaping="secrecy")
    other = AllocationVectorEnv(3, "small", rng="bulk")
    for each in (envs, other):
        each.reset(seed=0)
    actions = flat_actions(3)
    _, rewards, _, _, infos = envs.step(actions)
    _, plain, _, _, _ = other.step(actions)
    assert (rewards < plain).all()
    assert np.isfinite(infos["final_info"]["counted_energy_j"]).all()
    with pytest.raises(ValueError, match="shaping must be"):
        AllocationRules(scenario=SMALL.scenario, shaping="secret")


def test_a_device_computes_none():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="leave shaping or device='cpu' out"):
        AllocationVectorEnv(2, "small", device="cpu", shaping="secrecy")
