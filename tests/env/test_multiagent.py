"""Agents that decide by themselves: the PettingZoo environment, the bids format, the rules and the local network."""

import warnings

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.command.cli import main
from secagent_env import Scenario, evaluate, multiagent, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.guided import BidsFormat
from secagent_env.allocation.observations import observation_shapes, observe
from secagent_env.model.physics import downlink_sinr
from secagent_env.multiagent.strategies import auction, greedy
from secagent_env.multiagent.views import own_views
from training.networks.equivariant import split_parts
from training.networks.local import LocalNetwork

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of what PettingZoo's tests import
    from pettingzoo.test import parallel_api_test, parallel_seed_test

SMALL = Scenario.preset("small")
CONTESTED = Scenario.preset("contested", num_agents=9, min_selected=3)


# --- The bids format ------------------------------------------------------------------------------------------


def test_the_highest_bids_compute_and_levels_are_powers():
    instance = sample_instance(SMALL, 3)
    form, n = action_format("bids", SMALL), SMALL.num_agents
    bids = np.array([0.1, 0.9, -0.3, 0.5, -0.9, 0.0])
    levels = np.array([0.5, 1.0, -0.2, -1.0, 1.0, 0.0])
    decision = form.decode(np.concatenate([bids, levels]), instance)
    assert np.flatnonzero(decision.selection).tolist() == [1, 3]  # N_min = 2
    snr = decision.power_w * instance.bs_gain / SMALL.noise_power_w
    assert snr[[1, 3]] == pytest.approx([1e-2, 1e-4])  # −30 dB ± 10 dB
    assert decision.power_w[[2, 5]].tolist() == [0.0, 0.0]  # silent up to 0
    assert decision.power_w[4] == pytest.approx(SMALL.max_power_w)
    assert 1e-10 < decision.power_w[0] < SMALL.max_power_w
    assert np.sum(np.abs(decision.beamformer) ** 2) == pytest.approx(SMALL.bs_power_w)
    with pytest.raises(ValueError, match=rf"action must have shape \(…, {2 * n}\)"):
        form.decode(np.zeros(2 * n + 1), instance)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([SMALL, CONTESTED]))
def test_the_beam_is_no_worse_than_the_zero_forcing_one_beside_those_who_jam(seed, scenario):
    """It is computed for what agents hear of the jammers."""
    instances = sample_instance(scenario, seed, (4,))
    n = scenario.num_agents
    action = np.random.default_rng(seed).uniform(-1, 1, (4, 2 * n))
    computed = action_format("bids", scenario).decode(action, instances)
    guided = np.concatenate([action, np.broadcast_to([-0.75, 0, 0, 1, 0], (4, 5))], axis=-1)
    plain = action_format("guided", scenario).decode(guided, instances)
    assert np.array_equal(computed.selection, plain.selection)
    assert computed.power_w == pytest.approx(plain.power_w)
    secrecy = [evaluate(instances, decision).downlink_secrecy for decision in (computed, plain)]
    assert np.all((secrecy[0] >= secrecy[1] - 1e-9) | (secrecy[0] >= 12.0))


def test_jammers_move_the_beam():
    instance = sample_instance(CONTESTED, 5)
    n = CONTESTED.num_agents
    bids = np.linspace(1, -1, n)
    quiet, loud = (
        action_format("bids", CONTESTED).decode(np.concatenate([bids, np.full(n, level)]), instance)
        for level in (0.0, 0.9)
    )
    assert not np.allclose(quiet.beamformer, loud.beamformer)
    moved = loud.replace(beamformer=quiet.beamformer)
    worst = [np.min(downlink_sinr(instance, each)[0][each.selection]) for each in (loud, moved)]
    assert evaluate(instance, loud).downlink_secrecy >= evaluate(instance, moved).downlink_secrecy - 1e-9
    assert worst[0] != worst[1]


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_encoding_keeps_who_computes_and_all_powers(seed):
    instance = sample_instance(CONTESTED, seed)
    action = np.random.default_rng(seed).uniform(-1, 1, 2 * CONTESTED.num_agents)
    form = BidsFormat(CONTESTED)
    decision = form.decode(action, instance)
    again = form.decode(form.encode(decision, instance), instance)
    assert np.array_equal(again.selection, decision.selection)
    assert again.power_w == pytest.approx(decision.power_w, rel=1e-4, abs=0)


# --- The environment ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base_station", ["solver", "agent"])
@pytest.mark.parametrize("scenario", [SMALL, CONTESTED], ids=["small", "contested"])
def test_pettingzoos_own_tests(base_station, scenario):
    def make():
        return multiagent.parallel_env(scenario, base_station)

    parallel_api_test(make(), num_cycles=20)
    parallel_seed_test(make, num_cycles=5)


@pytest.mark.parametrize("base_station", ["solver", "agent"])
def test_a_step_is_that_of_the_allocation_environment(base_station):
    env = multiagent.parallel_env(SMALL, base_station)
    form = {"solver": "bids", "agent": "guided"}[base_station]
    alone = gymnasium.make(
        "secagent_env:secagent/Allocation-v0",
        scenario=SMALL,
        action_format=form,
        observation_format="compact",
        penalty_fixed=0.15,
    )
    rng = np.random.default_rng(1)
    for seed in range(5):
        seen, infos = env.reset(seed=seed)
        whole, _ = alone.reset(seed=seed)
        assert np.array_equal(env.state(), whole)
        assert infos == {agent: {} for agent in env.agents}
        rows = own_views(whole, SMALL)
        assert all(np.array_equal(seen[f"agent_{n}"], rows[n]) for n in range(6))
        actions = {agent: rng.uniform(-1, 1, env.action_space(agent).shape) for agent in env.agents}
        mobile = np.stack([actions[f"agent_{n}"] for n in range(6)])
        together = np.concatenate([mobile[:, 0], mobile[:, 1], actions.get("base_station", [])])
        truth = env.instance
        _, rewards, ended, truncated, infos = env.step(actions)
        _, reward, _, _, info = alone.step(together)
        assert set(rewards.values()) == {reward}
        assert all(ended.values())
        assert not any(truncated.values())
        assert env.agents == []
        chosen = [infos[f"agent_{n}"]["selected"] for n in range(6)]
        assert sum(chosen) == 2
        if base_station == "agent":
            assert infos["base_station"] == info
            assert np.array_equal(seen["base_station"], whole)
        costs = np.array([infos[f"agent_{n}"]["energy_j"] for n in range(6)])
        assert costs.sum() == pytest.approx(info["counted_energy_j"])
        computing = truth.execution_energy_j * chosen
        assert np.all(costs >= computing)
        assert costs[~np.array(chosen)].sum() <= costs.sum() - computing.sum() + 1e-9


def test_the_view_of_an_agent_by_hand():
    scenario = Scenario.preset("contested", num_agents=5, num_eavesdroppers=2)
    instance = sample_instance(scenario, 8)
    parts = split_parts(torch.from_numpy(observe(instance, "compact"))[None], observation_shapes(scenario, "compact"))
    view = own_views(observe(instance, "compact"), scenario)
    assert view.shape == (5, 11 + 2 * 2)
    expected = torch.cat([parts["task"][0], parts["agents"][0, 3], parts["eavesdroppers"][0, :, 0]])
    assert view[3].tolist() == expected.tolist()


def test_what_is_wrong_is_told():
    env = multiagent.parallel_env(SMALL)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step({})
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.state()
    env.reset(seed=0)
    actions = {agent: np.zeros(2) for agent in env.agents}
    for wrong, sentence in (
        ({**actions, "agent_2": np.zeros(3)}, r"the action of agent_2 must have the shape \(2,\), got \(3,\)"),
        ({**actions, "agent_2": [0.0, np.nan]}, "the action of agent_2 holds NaN"),
        ({**actions, "base_station": np.zeros(5)}, "'base_station' is no agent"),
        ({name: actions[name] for name in list(actions)[1:]}, "one for each agent, but agent_0 has none"),
    ):
        with pytest.raises(ValueError, match=sentence):
            env.step(wrong)
    env.step(actions)  # the episode stayed as it was
    with pytest.raises(ValueError, match="unknown base_station 'learner'"):
        multiagent.parallel_env(SMALL, "learner")
    with pytest.raises(ValueError, match="action_format is given by base_station here: leave it out"):
        multiagent.parallel_env(SMALL, action_format="flat")


def test_pictures_and_an_instance_of_ones_own():
    env = multiagent.parallel_env(SMALL, render_mode="rgb_array")
    instance = sample_instance(SMALL, 77)
    env.reset(seed=1, options={"instance": instance, "unknown": 1})
    assert np.array_equal(env.instance.channel_bs, instance.channel_bs)
    assert env.render().ndim == 3
    env.close()


# --- Rules ----------------------------------------------------------------------------------------------------


def test_rules_bid_by_what_they_say():
    scenario = Scenario.preset("small", num_eavesdroppers=2)
    instances = sample_instance(scenario, 4, (200,))
    seen = own_views(observe(instances, "compact"), scenario)
    by_accuracy, by_energy = greedy(seen), auction(seen)
    assert np.array_equal(np.argsort(by_accuracy[..., 0]), np.argsort(instances.accuracy))
    assert not by_accuracy[..., 1].any()
    slow = instances.inference_time_s >= scenario.latency_limit_s
    heard = instances.gain_eve.max(-1) >= instances.bs_gain
    out = by_energy[..., 0] == -1
    assert out.any()
    assert np.array_equal(out, slow | heard)
    energy = np.where(out, np.inf, instances.execution_energy_j)
    assert np.array_equal(np.argsort(-by_energy[..., 0], stable=True), np.argsort(energy, stable=True))


# --- The local network ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [False, True])
def test_an_agent_decides_by_its_own_row(beam):
    torch.manual_seed(0)
    network = LocalNetwork(beam=beam)
    observations = torch.from_numpy(observe(sample_instance(CONTESTED, 2, (3,)), "compact"))
    parts = split_parts(observations, observation_shapes(CONTESTED, "compact"))
    n = CONTESTED.num_agents
    action = network(**parts)
    assert action.shape == (3, 2 * n + 5 * beam)
    assert action[:, n : 2 * n].abs().max() < 1
    assert (action[:, n : 2 * n] < 0).all()  # nobody jams at first
    others = {**parts, "agents": parts["agents"].clone()}
    others["agents"][:, 4] += 0.1
    changed = (network(**others) != action).any(0)
    assert changed[[4, n + 4]].all()
    assert not changed[[k for k in range(2 * n) if k not in (4, n + 4)]].any()
    order = torch.randperm(n)
    turned = network(**{**parts, "agents": parts["agents"][:, order]})
    assert torch.allclose(turned[:, :n], action[:, order])
    if beam:
        assert torch.allclose(action[0, 2 * n :], torch.tensor([-0.75, 0.0, 0.0, 0.8, 0.0]), atol=0.1)
        assert changed[2 * n :].any()  # the base station sees all


def test_it_is_trained_and_judged(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["study", "decentralised", "--presets", "small", "--steps", "1024", "--seeds", "0", "--instances", "20"]
    assert main([*arguments, "--workers", "1", "--out", "found"]) == 0
    printed = capsys.readouterr().out
    for who in ("learnt, computed beam", "learnt, learnt beam, random bids", "one who sees all", "auction", "greedy"):
        assert f"| {who} " in printed
    assert main([*arguments, "--workers", "1", "--out", "found"]) == 0  # from what was computed
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--policy", "local", "--set-hyper", 'action_format="flat"'], "needs action_format guided or bids and"),
        (["--policy", "local", "--env", "lifetime"], "the local policy sees no batteries"),
        (["--policy", "equivariant", "--set-hyper", 'action_format="bids"'], "needs action_format guided and"),
    ],
)
def test_trainings_that_do_not_fit_are_refused(arguments, sentence, tmp_path, capsys):
    assert main(["train", "ppo", "--scenario", "small", *arguments, "--out", str(tmp_path / "run")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
