"""The guided action format and the beam directions behind it."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.env_checker import check_env as check_sb3_env

import solvers
from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.guided import LOWEST_POWER_W
from secagent_env.allocation.observations import observation_shapes, observe
from secagent_env.model.beams import DIRECTIONS, beam_directions

SMALL = Scenario.preset("small")  # N = 6, L = 4, E = 1, N_min = 2


def neutral(scenario: Scenario, **parts: object) -> np.ndarray:
    """An action in which everything is 0 but the named slices."""
    made = action_format("guided", scenario)
    action = np.zeros(made.space.shape)
    for name, value in parts.items():
        action[made.slices[name]] = value
    return action


def decoded(scenario: Scenario, instance, **parts: object):
    return action_format("guided", scenario).decode(neutral(scenario, **parts), instance)


# --- Selection and powers ------------------------------------------------------------------------------------


def test_the_highest_scores_compute_and_ties_go_to_the_lowest_index():
    instance = sample_instance(SMALL, 0)
    decision = decoded(SMALL, instance, scores=[0.1, 0.9, -1, 0.9, 0.9, 0])
    assert np.flatnonzero(decision.selection).tolist() == [1, 3]
    assert np.flatnonzero(decoded(SMALL, instance).selection).tolist() == [0, 1]


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_the_count_is_exact_whatever_the_scores(scores: list[float]):
    decision = decoded(SMALL, sample_instance(SMALL, 0), scores=scores)
    assert decision.selection.sum() == SMALL.required_agents
    assert min(np.array(scores)[decision.selection]) >= max(np.array(scores)[~decision.selection])


def test_levels_say_how_loud_a_sender_arrives():
    instance = sample_instance(SMALL, 0)
    decision = decoded(SMALL, instance, scores=[1, 1, 0, 0, 0, 0], common_level=0.5, levels=[0.3, -0.2, 0, 0, 0, 0])
    snr = instance.bs_gain * decision.power_w / SMALL.noise_power_w
    np.testing.assert_allclose(10 * np.log10(snr[:2]), [23.0, 18.0])
    assert (decision.power_w[2:] == 0).all()


def test_a_sender_next_to_the_base_station_whispers_and_one_far_away_shouts():
    instance = sample_instance(SMALL, 0)
    instance = instance.replace(channel_bs=instance.channel_bs * np.array([1e4, 1e-6, 1, 1, 1, 1])[:, None])
    decision = decoded(SMALL, instance, scores=[1, 1, 0, 0, 0, 0])
    assert decision.power_w[0] == pytest.approx(SMALL.noise_power_w / instance.bs_gain[0])
    assert decision.power_w[0] < LOWEST_POWER_W
    assert decision.power_w[1] == SMALL.max_power_w


def test_levels_of_jammers_are_a_dB_scale_from_just_above_zero():
    instance = sample_instance(SMALL, 0)
    decision = decoded(SMALL, instance, scores=[1, 1, 0, 0, 0, 0], levels=[0, 0, -0.5, 1e-6, 0.5, 1])
    middle = np.sqrt(LOWEST_POWER_W * SMALL.max_power_w)
    np.testing.assert_allclose(decision.power_w[2:], [0, LOWEST_POWER_W, middle, SMALL.max_power_w], rtol=1e-4)


def test_the_beam_has_full_power_or_none():
    instance = sample_instance(SMALL, 0)
    power = [np.sum(np.abs(decoded(SMALL, instance, directions=w).beamformer) ** 2) for w in ([0.1, 0, 0.2, 0], 0.0)]
    np.testing.assert_allclose(power, [SMALL.bs_power_w, 0.0])


# --- Directions ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def directions() -> tuple:
    instance = sample_instance("paper", 3)
    selected = np.arange(4, 14)
    return instance, selected, dict(zip(DIRECTIONS, beam_directions(instance, selected), strict=True))


def test_directions_have_length_one(directions: tuple):
    for direction in directions[2].values():
        assert np.linalg.norm(direction) == pytest.approx(1.0)


def test_the_matched_direction_is_the_sum_of_the_unit_channels(directions: tuple):
    instance, selected, beams = directions
    channels = instance.channel_bs[selected]
    total = (channels / np.linalg.norm(channels, axis=1, keepdims=True)).sum(0)
    np.testing.assert_allclose(beams["matched"], total / np.linalg.norm(total))


def test_the_filter_is_the_inverse_it_stands_for(directions: tuple):
    instance, selected, beams = directions
    scenario = instance.scenario
    ratio = scenario.bs_power_w / scenario.noise_power_w
    noise = np.eye(scenario.num_antennas) + ratio * instance.channel_eve.T @ instance.channel_eve.conj()
    filtered = np.linalg.solve(noise, beams["matched"])
    np.testing.assert_allclose(beams["filtered"], filtered / np.linalg.norm(filtered), atol=1e-9)
    weakest = selected[np.argmin(instance.bs_gain[selected])]
    alone = np.linalg.solve(noise, instance.channel_bs[weakest])
    np.testing.assert_allclose(beams["weakest"], alone / np.linalg.norm(alone), atol=1e-9)


def test_zero_forcing_reaches_everybody_alike_and_no_eavesdropper(directions: tuple):
    instance, selected, beams = directions
    received = np.abs(instance.channel_bs[selected].conj() @ beams["zero-forcing"])
    assert received.max() / received.min() < 1.3  # the ridge leaves a little
    heard = np.abs(instance.channel_eve.conj() @ beams["zero-forcing"])
    assert heard.max() < 1e-3 * received.min()


def test_permuting_the_agents_permutes_the_decision():
    instance = sample_instance("paper", 5)
    order = np.random.default_rng(0).permutation(30)
    moved = instance.replace(
        channel_bs=instance.channel_bs[order],
        gain_agents=instance.gain_agents[order][:, order],
        **{name: getattr(instance, name)[order] for name in ("gain_eve", "inference_time_s", "compute_power_w")},
        accuracy=instance.accuracy[order],
        position_m=None,
    )
    rng = np.random.default_rng(1)
    scores, levels = rng.uniform(-1, 1, (2, 30))
    scenario = instance.scenario
    rest = {"common_level": 0.2, "directions": [0.1, -0.4, 0.9, 0.3]}
    one = decoded(scenario, instance, scores=scores, levels=levels, **rest)
    two = decoded(scenario, moved, scores=scores[order], levels=levels[order], **rest)
    assert (two.selection == one.selection[order]).all()
    np.testing.assert_allclose(two.power_w, one.power_w[order])
    np.testing.assert_allclose(two.beamformer, one.beamformer, rtol=1e-9)


@pytest.mark.parametrize("channels", ["channel_bs", "channel_eve"])
def test_channels_of_zero_give_finite_beams(channels: str):
    instance = sample_instance(SMALL, 0)
    instance = instance.replace(**{channels: np.zeros_like(getattr(instance, channels))})
    assert np.isfinite(beam_directions(instance, np.array([0, 1]))).all()


# --- Batches, libraries, encoding ----------------------------------------------------------------------------


def test_batches_decode_as_their_members_do():
    instances = sample_instance("contested", 1, (5,))
    made = action_format("guided", instances.scenario)
    actions = np.random.default_rng(0).uniform(-1, 1, (5, *made.space.shape))
    together = made.decode(actions, instances)
    for i in range(5):
        alone = made.decode(actions[i], instances[i])
        assert (together.selection[i] == alone.selection).all()
        np.testing.assert_array_equal(together.power_w[i], alone.power_w)
        np.testing.assert_allclose(together.beamformer[i], alone.beamformer, rtol=1e-9)
    assert made.decode(actions, instances[0]).batch_shape == made.decode(actions[0], instances).batch_shape == (5,)


def test_torch_decides_as_numpy_and_has_gradients():
    instances = sample_instance("paper", 1, (3,))
    made = action_format("guided", instances.scenario)
    actions = np.random.default_rng(0).uniform(-0.5, 0.5, (3, *made.space.shape))
    leaf = torch.tensor(actions, requires_grad=True)
    expected = evaluate(instances, made.decode(actions, instances))
    outcome = evaluate(instances.to(torch), made.decide(leaf, instances.to(torch)))
    np.testing.assert_allclose(outcome.downlink_secrecy.detach(), expected.downlink_secrecy, rtol=1e-9)
    outcome.downlink_secrecy.sum().backward()
    assert torch.isfinite(leaf.grad).all()
    assert (leaf.grad[:, made.slices["directions"]] != 0).any()


@pytest.mark.parametrize("preset", ["small", "paper", "contested"])
def test_encode_is_the_inverse_of_decode(preset: str):
    instance = sample_instance(preset, 2)
    made = action_format("guided", instance.scenario)
    action = np.random.default_rng(3).uniform(-0.9, 0.9, made.space.shape)
    decision = made.decode(action, instance)
    encoded = made.encode(decision, instance)
    assert made.space.contains(encoded)
    again = made.decode(encoded, instance)
    assert (again.selection == decision.selection).all()
    np.testing.assert_allclose(again.power_w, decision.power_w, rtol=1e-4)
    overlap = abs(np.vdot(again.beamformer, decision.beamformer)) / instance.scenario.bs_power_w
    assert overlap == pytest.approx(1.0, abs=1e-4)


def test_an_encoded_solution_of_exact_is_as_good():
    env = gymnasium.make("secagent_env:secagent/Allocation-v0", scenario="paper", action_format="guided")
    policy = solvers.as_policy(solvers.make("exact"), env)
    env.reset(seed=0)
    *_, info = env.step(policy.act())
    assert info["feasible"]
    assert policy.solution.gap < 1e-6


def test_a_beam_has_full_power_unless_directions_cancel():
    scenario = Scenario(num_agents=1, num_antennas=2, num_eavesdroppers=1, min_selected=1)
    instance = sample_instance(scenario, 0)  # of one agent, the filtered and the zero-forcing direction are the same
    for weights, power_w in (([0, -1, 1, 0], 0), ([0, -1, 0.99, 0], 10), ([0, 0, 0, 0], 0), ([0, 1e-9, 0, 0], 10)):
        decision = action_format("guided", scenario).decode(neutral(scenario, directions=weights), instance)
        assert np.linalg.norm(decision.beamformer) ** 2 == pytest.approx(power_w)


def test_without_an_instance_it_says_so():
    env = gymnasium.make("secagent_env:secagent/Allocation-v0", scenario="small", action_format="guided")
    with pytest.raises(ValueError, match="call reset"):
        env.unwrapped.decode(env.action_space.sample())


# --- In the environment --------------------------------------------------------------------------------------


def test_checkers_accept_guided_and_compact():
    options = {"scenario": "small", "action_format": "guided", "observation_format": "compact"}
    env = gymnasium.make("secagent_env:secagent/Allocation-v0", render_mode="rgb_array", **options)
    check_env(env.unwrapped)
    check_sb3_env(env.unwrapped)


def test_the_compact_observation_is_the_flat_one_without_directions():
    instances = sample_instance("contested", 0, (2,))
    flat, compact = observe(instances, "flat"), observe(instances, "compact")
    size = 6 + 30 * 9 + 4
    assert compact.shape == (2, size)
    np.testing.assert_array_equal(compact, flat[:, :size])
    assert list(observation_shapes(instances.scenario, "compact")) == ["task", "agents", "eavesdroppers"]
