"""The balanced beam, its action format and the pairwise observation: by hand, against known optima, in any units."""

import dataclasses

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh
from scipy.optimize import minimize

from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.observations import observation_shapes, observe
from secagent_env.model.balanced import balanced_beam
from secagent_env.model.beams import beam_directions
from secagent_env.model.physics import downlink_sinr

SMALL = Scenario.preset("small")  # N = 6, L = 4, E = 1, N_min = 2
CONTESTED = Scenario.preset("contested", num_agents=8, min_selected=3)


def rate(instance: Instance, selected: list[int], beam: np.ndarray, jamming: np.ndarray) -> float:
    """The secrecy rate (6) of a beam, negative where an eavesdropper hears more."""
    selection = np.zeros(instance.scenario.num_agents, bool)
    selection[selected] = True
    sinr, heard = downlink_sinr(instance, Decision(selection=selection, beamformer=beam, power_w=jamming))
    loudest = heard.sum() if instance.scenario.colluding else heard.max()
    return float(np.log2((1 + sinr[selected].min()) / (1 + loudest)))


def beam_of(instance: Instance, selected: list[int], jamming: np.ndarray | None = None, iterations: int = 30):
    jamming = np.zeros(instance.scenario.num_agents) if jamming is None else jamming
    return balanced_beam(instance, np.array(selected), jamming, iterations)


# --- The beam -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colluding", [False, True])
@pytest.mark.parametrize("eves", [1, 3])
@pytest.mark.parametrize("louder", [1.0, 1e6, 1e8])
def test_for_one_agent_it_is_the_generalised_eigenvector(louder: float, eves: int, colluding: bool):
    scenario = SMALL.replace(num_eavesdroppers=eves, colluding=colluding, eve_area_m=(20.0, 100.0))
    scenario = scenario.replace(noise_power_w=scenario.noise_power_w * louder)
    for seed in range(4):
        instance, jamming = sample_instance(scenario, seed), np.array([0, 0, 1e-7, 0, 0, 3e-8])
        beam = beam_of(instance, [1], jamming, 1000)
        noise, noise_eve = (
            scenario.noise_power_w + jamming @ gain for gain in (instance.gain_agents, instance.gain_eve)
        )
        own = np.outer(instance.channel_bs[1], instance.channel_bs[1].conj()) / noise[1]
        heard = [np.outer(g, g.conj()) / n for g, n in zip(instance.channel_eve, noise_eve, strict=True)]
        identity = np.eye(scenario.num_antennas) / scenario.bs_power_w
        best = np.log2(eigh(own + identity, sum(heard) + identity, eigvals_only=True)[-1])
        if colluding or eves == 1:
            exact = louder == 1.0 or eves == 1  # where several collude whom no beam silences, it is near
            assert rate(instance, [1], beam, jamming) == pytest.approx(best, rel=1e-3 if exact else 0.02)
        else:  # the sum of what several hear is more than what the loudest hears
            assert rate(instance, [1], beam, jamming) > best - 1e-3


def test_where_nobody_listens_it_is_the_matched_filter():
    instance = sample_instance(SMALL, 0)
    instance = dataclasses.replace(instance, channel_eve=np.zeros_like(instance.channel_eve))
    beam, channel = beam_of(instance, [3]), instance.channel_bs[3]
    assert abs(np.vdot(channel, beam)) == pytest.approx(np.linalg.norm(channel) * np.sqrt(SMALL.bs_power_w), rel=1e-9)


@pytest.mark.parametrize("colluding", [False, True])
def test_it_comes_near_the_best_of_a_general_search(colluding: bool):
    ratios = []
    for seed in range(4):
        instance = sample_instance(CONTESTED.replace(colluding=colluding), seed)
        jamming = np.array([0, 0, 0, 1e-6, 0, 0, 1e-7, 0])
        selected = [0, 4, 7]

        def loss(z, instance=instance, jamming=jamming, selected=selected):
            beam = z[:4] + 1j * z[4:]
            return -rate(instance, selected, np.sqrt(CONTESTED.bs_power_w) * beam / np.linalg.norm(beam), jamming)

        starts = beam_directions(instance, np.array(selected))
        searches = [minimize(loss, [*b.real, *b.imag], method="Nelder-Mead", options={"maxfev": 2000}) for b in starts]
        best = max(-search.fun for search in searches)
        if best > 1:
            found = [rate(instance, selected, beam_of(instance, selected, jamming, n), jamming) for n in (0, 30, 300)]
            assert found == sorted(found)
            ratios.append([value / best for value in found])
    zero_forcing, default, many = np.mean(ratios, axis=0)
    assert many > 0.98
    assert default > 0.9
    assert zero_forcing < default - 0.05


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["paper", "contested", "tight-latency"]), st.floats(0, 9))
def test_it_is_never_worse_than_the_zero_forcing_beam_and_has_full_power(seed: int, preset: str, louder: float):
    scenario = Scenario.preset(preset)
    scenario = scenario.replace(noise_power_w=scenario.noise_power_w * 10**louder)
    instance, rng = sample_instance(scenario, seed), np.random.default_rng(seed)
    selected = rng.permutation(scenario.num_agents)[: scenario.required_agents].tolist()
    jamming = np.where(rng.random(scenario.num_agents) < 0.1, 10 ** rng.uniform(-10, -2, scenario.num_agents), 0.0)
    jamming[selected] = 0
    beams = [beam_of(instance, selected, jamming, n) for n in (0, 1, 3, 30)]
    zero_forcing = np.sqrt(scenario.bs_power_w) * beam_directions(instance, np.array(selected))[2]
    np.testing.assert_allclose(beams[0], zero_forcing)
    rates = [rate(instance, selected, beam, jamming) for beam in beams]
    assert (np.diff(rates) >= -1e-9).all()
    for beam in beams:
        assert np.linalg.norm(beam) == pytest.approx(np.sqrt(scenario.bs_power_w), rel=1e-12)


@pytest.mark.parametrize("unit", [1e-17, 1e-6, 1e6])
def test_units_do_not_matter(unit: float):
    instance, jamming = sample_instance(CONTESTED, 1), np.array([0, 0, 0, 1e-6, 0, 0, 1e-7, 0])
    beam = beam_of(instance, [0, 4, 7], jamming)
    noise = instance.scenario.replace(noise_power_w=instance.scenario.noise_power_w * unit)
    scaled = dataclasses.replace(
        instance,
        scenario=noise,
        channel_bs=instance.channel_bs * np.sqrt(unit),
        channel_eve=instance.channel_eve * np.sqrt(unit),
        gain_agents=instance.gain_agents * unit,
        gain_eve=instance.gain_eve * unit,
    )
    np.testing.assert_allclose(beam_of(scaled, [0, 4, 7], jamming), beam, atol=3e-3)  # iterations enlarge roundings


@pytest.mark.parametrize(("gain", "noise"), [(1e-12, 1.0), (1.0, 1e-30), (1e-6, 1e-13)])
def test_extreme_networks_have_finite_beams(gain: float, noise: float):
    scenario = CONTESTED.replace(noise_power_w=noise)
    sampled, rng = sample_instance(scenario, 2), np.random.default_rng(0)

    def drawn(shape):
        return np.sqrt(gain) * (rng.normal(size=shape) + 1j * rng.normal(size=shape))

    channels = {name: drawn(getattr(sampled, name).shape) for name in ("channel_bs", "channel_eve")}
    beam = beam_of(dataclasses.replace(sampled, **channels), [0, 1, 2])
    assert np.isfinite(beam).all()
    assert np.linalg.norm(beam) == pytest.approx(np.sqrt(scenario.bs_power_w), rel=1e-9)


def test_channels_of_zero_leave_a_beam_for_the_others_or_none():
    instance = sample_instance(SMALL, 0)
    channels = instance.channel_bs.copy()
    channels[0] = 0
    one = dataclasses.replace(instance, channel_bs=channels)
    assert np.linalg.norm(beam_of(one, [0, 1])) == pytest.approx(np.sqrt(SMALL.bs_power_w))
    none = dataclasses.replace(instance, channel_bs=np.zeros_like(channels))
    np.testing.assert_array_equal(beam_of(none, [0, 1]), np.zeros(4))


@pytest.mark.parametrize("colluding", [False, True])
def test_batches_and_torch_give_the_same_beams(colluding: bool):
    scenario = CONTESTED.replace(colluding=colluding)
    instances, rng = sample_instance(scenario, 0, (2, 3)), np.random.default_rng(0)
    selected = rng.random((2, 3, 8)).argsort(-1)[..., :3]
    jamming = 10 ** rng.uniform(-9, -5, (2, 3, 8))
    np.put_along_axis(jamming, selected, 0.0, -1)
    beams = balanced_beam(instances, selected, jamming)
    for i in np.ndindex(2, 3):
        np.testing.assert_array_equal(beams[i], balanced_beam(instances[i], selected[i], jamming[i]))
    broadcast = balanced_beam(instances[1, 2], selected, jamming)
    np.testing.assert_array_equal(broadcast[1, 2], beams[1, 2])
    tensors = balanced_beam(instances.to(torch), torch.from_numpy(selected), torch.from_numpy(jamming), 10)
    np.testing.assert_allclose(tensors.numpy(), balanced_beam(instances, selected, jamming, 10), rtol=1e-5, atol=1e-9)


# --- The action format ----------------------------------------------------------------------------------------


def test_an_action_means_what_the_guided_one_does_with_the_balanced_beam():
    balanced, guided = action_format("balanced", CONTESTED), action_format("guided", CONTESTED)
    instances, rng = sample_instance(CONTESTED, 0, (4,)), np.random.default_rng(1)
    action = rng.uniform(-1, 1, (4, 17)).astype(np.float32)
    assert balanced.space.shape == (17,)
    assert "directions" not in balanced.slices
    decision = balanced.decode(action, instances)
    other = guided.decode(np.concatenate([action, np.zeros((4, 4), np.float32)], -1), instances)
    np.testing.assert_array_equal(decision.selection, other.selection)
    np.testing.assert_array_equal(decision.power_w, other.power_w)
    for i in range(4):
        jamming = np.where(decision.selection[i], 0.0, decision.power_w[i])
        order = np.argsort(-action[i, :8], kind="stable")[:3]
        np.testing.assert_array_equal(decision.beamformer[i], balanced_beam(instances[i], order, jamming))
    again = balanced.decode(balanced.encode(decision, instances), instances)
    np.testing.assert_array_equal(again.selection, decision.selection)
    np.testing.assert_allclose(again.power_w, decision.power_w, rtol=1e-4)


def test_gradients_take_the_beam_for_a_constant():
    instances = sample_instance(CONTESTED, 0, (2,)).to(torch)
    action = torch.zeros(2, 17, dtype=torch.float64, requires_grad=True)
    decision = action_format("balanced", CONTESTED).decide(action + torch.linspace(-0.5, 0.5, 17), instances)
    assert not decision.beamformer.requires_grad
    evaluate(instances, decision).latency_s.sum().backward()
    assert torch.isfinite(action.grad).all()


def test_environments_pass_the_checker_and_vectors_are_the_scalar_one():
    formats = {"scenario": "small", "action_format": "balanced", "observation_format": "pairwise"}
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
