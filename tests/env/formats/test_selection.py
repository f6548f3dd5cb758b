"""The selection format, whose beam and powers are those of serving, and the pairwise observation."""

import dataclasses

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from secagent_env import Scenario, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.observations import observation_shapes, observe
from secagent_env.model.serving import serve

SMALL = Scenario.preset("small")  # N = 6, L = 4, E = 1, N_min = 2
CONTESTED = Scenario.preset("contested", num_agents=8, min_selected=3)


# --- The action format ----------------------------------------------------------------------------------------


def test_the_highest_scores_compute_and_are_served():
    form = action_format("selection", CONTESTED)
    instances, rng = sample_instance(CONTESTED, 0, (4,)), np.random.default_rng(1)
    action = rng.uniform(-1, 1, (4, 8)).astype(np.float32)
    assert form.space.shape == (8,)
    decision = form.decode(action, instances)
    expected = serve(instances, np.argsort(-action, axis=-1)[:, :3])
    for name in ("selection", "beamformer", "power_w"):
        np.testing.assert_array_equal(getattr(decision, name), getattr(expected, name))
    assert (decision.selection.sum(-1) == 3).all()
    # Beyond the bounds all are equal, and of equal ones the first compute.
    np.testing.assert_array_equal(np.flatnonzero(form.decode(np.full(8, 7.0), instances[0]).selection), [0, 1, 2])
    one = form.decode(action[2], instances)
    np.testing.assert_array_equal(one.power_w[2], decision.power_w[2])


def test_encode_keeps_the_first_selected_agents_and_fills_up():
    form, decision = action_format("selection", CONTESTED), serve(sample_instance(CONTESTED, 0), np.array([1, 4, 6]))
    kept = form.encode(decision)
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept, [-1, 1, -1, -1, 1, -1, 1, -1])
    for selected, expected in (([2, 3, 5, 7], [2, 3, 5]), ([6], [0, 1, 6])):
        selection = np.isin(np.arange(8), selected)
        found = form.encode(dataclasses.replace(decision, selection=selection))
        np.testing.assert_array_equal(np.flatnonzero(found > 0), expected)


def test_without_an_instance_it_says_so():
    with pytest.raises(ValueError, match="depends on the instance"):
        action_format("selection", SMALL).decode(np.zeros(6))
    with pytest.raises(ValueError, match="action"):
        action_format("selection", SMALL).decode(np.zeros(5), sample_instance(SMALL, 0))


def test_environments_pass_the_checker_and_vectors_are_the_scalar_one():
    formats = {"scenario": "small", "action_format": "selection", "observation_format": "pairwise"}
    check_env(gymnasium.make("secagent_env:secagent/Allocation-v0", **formats).unwrapped, skip_render_check=True)
    envs = gymnasium.make_vec("secagent/Allocation-v0", 3, vectorization_mode="vector_entry_point", **formats)
    observations, _ = envs.reset(seed=5)
    actions = envs.action_space.sample()
    following, rewards, *_ = envs.step(actions)
    for i in range(3):
        env = gymnasium.make("secagent/Allocation-v0", **formats)
        observation, _ = env.reset(seed=5 + i)
        np.testing.assert_array_equal(observation, observations[i])
        _, reward, *_ = env.step(actions[i])
        assert reward == rewards[i]
        np.testing.assert_array_equal(env.reset()[0], following[i])


# --- The observation ------------------------------------------------------------------------------------------


def test_the_pairwise_parts_by_hand():
    instance = sample_instance(CONTESTED, 3)
    shapes = observation_shapes(CONTESTED, "pairwise")
    assert list(shapes) == ["task", "agents", "eavesdroppers", "gain_agents", "alignment", "alignment_eve", "clear"]
    flat = observe(instance, "pairwise")
    parts = dict(zip(shapes, np.split(flat, np.cumsum([np.prod(s) for s in shapes.values()])[:-1]), strict=True))
    parts = {name: part.reshape(shapes[name]) for name, part in parts.items()}
    compact = observe(instance, "compact")
    np.testing.assert_array_equal(flat[: len(compact)], compact)
    np.testing.assert_array_equal(parts["gain_agents"], observe(instance, "dict")["gain_agents"])
    unit = instance.channel_bs / np.linalg.norm(instance.channel_bs, axis=1, keepdims=True)
    eve = instance.channel_eve / np.linalg.norm(instance.channel_eve, axis=1, keepdims=True)
    snr = CONTESTED.bs_power_w / CONTESTED.noise_power_w
    leak = sum(np.outer(g, g.conj()) for g in instance.channel_eve)
    filtering = np.linalg.inv(np.eye(4) + snr * leak)
    for n, m in ((0, 0), (2, 5), (7, 3)):
        assert parts["alignment"][n, m] == pytest.approx(abs(np.vdot(unit[n], unit[m])), abs=1e-6)
        assert parts["clear"][n, m] == pytest.approx(abs(unit[n].conj() @ filtering @ unit[m]), abs=1e-6)
    assert parts["alignment_eve"][6, 2] == pytest.approx(abs(np.vdot(unit[6], eve[2])), abs=1e-6)


def test_channels_of_zero_are_aligned_with_nothing():
    instance = sample_instance(SMALL, 0)
    instance = dataclasses.replace(
        instance, channel_bs=np.zeros_like(instance.channel_bs), channel_eve=np.zeros_like(instance.channel_eve)
    )
    observation = observe(instance, "pairwise")
    assert np.isfinite(observation).all()
    assert (observation[-36:] == 0).all()
