"""Links of the channel models as they are drawn: moments, lines of sight, beams, and what a seed determines."""

import json
import math
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from scipy import stats

from secagent_env import Instance, Scenario, sample_instance
from secagent_env.propagation.arrays import response
from secagent_env.sampling.beforehand import mean_eve_gains
from secagent_env.sampling.generator import draw_deployments, draw_tasks

AT = {"num_agents": 8, "area_m": ((30.0, 30.0), (40.0, 40.0)), "eve_area_m": ((60.0, 60.0), (0.0, 0.0))}
"""All agents 50 m from the base station and the eavesdropper 60 m, 50 m from the agents."""
MODELS = {
    "umi": {"path_loss": "umi"},
    "uma-ula": {"path_loss": "uma", "array": "ula", "scatter_correlation": "exponential"},
    "inh-rician": {"path_loss": "inh", "fading": "rician", "eve_area_m": (90.0, 100.0)},
    "rician-upa": {"fading": "rician", "rician_k_db": 6.0, "array": "upa", "num_antennas": 6, "bs_height_m": 10.0},
    "ring": {"array": "ula", "scatter_correlation": "one-ring"},
}
SMALL = {"num_agents": 4, "num_antennas": 4, "num_eavesdroppers": 2}


def gain_at(distance):
    """4m²/π, m = 10^(−PL/20)."""
    return 4 / math.pi * 10 ** (-(32.4 + 20 * math.log10(3.5 * distance)) / 10)


def links(instances):
    """Power gains of all kinds of links over their means, by distance."""
    pairs = instances.gain_agents[:, *np.triu_indices(8, 1)]
    return {
        "channel_bs": (np.abs(instances.channel_bs) ** 2, 50.0),
        "channel_eve": (np.abs(instances.channel_eve) ** 2, 60.0),
        "gain_agents": (pairs, 1.0),
        "gain_eve": (instances.gain_eve, 50.0),
    }


# --- Fading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("array", ["iid", "ula", "upa"])
@pytest.mark.parametrize("k_db", [-200.0, 0.0, 9.0])
def test_rician_moments(array, k_db):
    """E|h|² = G, var |h|² = G² (2K + 1)/(K + 1)²; far below 0 dB it is exponential, Rayleigh's law."""
    scenario = Scenario(**AT, num_antennas=4, fading="rician", rician_k_db=k_db, array=array)
    drawn = sample_instance(scenario, 3, 2500)
    k = 10 ** (k_db / 10)
    spread = math.sqrt(2 * k + 1) / (k + 1)
    for name, (gain, distance) in links(drawn).items():
        ratio = gain / gain_at(distance)
        close = 5 / math.sqrt(len(ratio) * (1 if name == "channel_eve" else ratio.shape[1]))
        assert abs(ratio.mean() - 1) < close * spread, name
        assert ratio.std() == pytest.approx(spread, rel=2 * close), name
        if name == "channel_bs" and array == "iid":  # enough independent numbers to tell K to a tenth
            assert ratio.std() == pytest.approx(spread, rel=0.02)
        if k_db < -100:
            assert stats.kstest(ratio.reshape(len(ratio), -1)[:, 0], "expon").pvalue > 1e-3, name


def test_rician_amplitudes_are_rice_distributed():
    scenario = Scenario(**AT, num_antennas=2, fading="rician", rician_k_db=3.0)
    drawn = sample_instance(scenario, 4, 2000)
    k = 10**0.3
    law = stats.rice(math.sqrt(2 * k), scale=math.sqrt(1 / (2 * (k + 1))))
    for gain, distance in links(drawn).values():
        amplitude = np.sqrt(gain / gain_at(distance)).reshape(2000, -1)[:, 0]
        assert stats.kstest(amplitude, law.cdf).pvalue > 1e-3
    phases = np.angle(drawn.channel_bs[:, 0])
    assert stats.kstest(phases[:, 0], "uniform", (-math.pi, 2 * math.pi)).pvalue > 1e-3
    # antennas without geometry have phases of their own
    assert abs(np.mean(np.exp(1j * (phases[:, 0] - phases[:, 1])))) < 4 / math.sqrt(2000)


@pytest.mark.parametrize(("array", "grid"), [("ula", (1, 6)), ("upa", (2, 3))])
def test_a_pure_line_of_sight_is_the_arrays_response(array, grid):
    scenario = Scenario(
        num_agents=30, num_antennas=6, fading="rician", rician_k_db=200.0, array=array, antenna_spacing=0.7,
        array_bearing_deg=20.0, bs_height_m=12.0, agent_height_m=2.0, eve_area_m=(20.0, 100.0), num_eavesdroppers=3,
    )  # fmt: skip
    drawn = sample_instance(scenario, 5, 3)
    bearing = math.radians(20)
    for channel, place in ((drawn.channel_bs, drawn.position_m), (drawn.channel_eve, drawn.eve_position_m)):
        d2 = np.linalg.norm(place, axis=-1)
        theta = np.arctan2(place[..., 1], place[..., 0]) - bearing
        psi = np.arctan2(2.0 - 12.0, d2)
        rows = np.repeat(np.arange(grid[0]), grid[1])
        columns = np.tile(np.arange(grid[1]), grid[0])
        phase = 0.7 * (columns * (np.sin(theta) * np.cos(psi))[..., None] + rows * np.sin(psi)[..., None])
        expected = np.exp(2j * np.pi * phase)
        relative = channel / channel[..., :1]
        np.testing.assert_allclose(relative, expected, atol=1e-8)
        gain = np.vectorize(gain_at)(d2)[..., None]
        np.testing.assert_allclose(np.abs(channel) ** 2, np.broadcast_to(gain, channel.shape), rtol=1e-6)


def test_k_is_drawn_where_none_is_given_and_only_in_line_of_sight():
    """Of UMi links at 10 m, all in line of sight, K has mean 9 dB and spread 5; without sight fading is Rayleigh."""
    near = {"num_agents": 40, "num_antennas": 1, "area_m": ((6.0, 6.0), (8.0, 8.0)), "eve_area_m": (7.0, 7.0)}
    generators = [np.random.default_rng([6, i]) for i in range(100)]
    deployment, _ = draw_deployments(Scenario(**near, path_loss="umi", fading="rician"), generators)
    for line in (deployment.links.line_base, deployment.links.line_devices):
        k_db = 10 * np.log10(line / (1 - line))
        assert k_db.mean() == pytest.approx(9, abs=5 * 5 / math.sqrt(k_db.size))
        assert k_db.std() == pytest.approx(5, rel=5 / math.sqrt(2 * k_db.size))
    far = {**near, "area_m": ((600.0, 600.0), (800.0, 800.0)), "eve_area_m": ((600.0, 600.0), (800.0, 800.0))}
    deployment, _ = draw_deployments(Scenario(**far, path_loss="umi", fading="rician"), generators)
    blocked = np.mean(deployment.links.line_base == 0)
    assert blocked == pytest.approx(1 - 18 / 1000, abs=0.01)
    given, _ = draw_deployments(Scenario(**far, path_loss="umi", fading="rician", rician_k_db=0.0), generators)
    np.testing.assert_array_equal(given.links.line_base, np.where(given.links.los[:, :41], 0.5, 0.0))


@pytest.mark.parametrize("correlation", ["exponential", "one-ring"])
def test_scatter_has_its_correlation(correlation):
    scenario = Scenario(
        **AT, num_antennas=5, array="ula", scatter_correlation=correlation, correlation_coefficient=0.6,
        angular_spread_deg=8.0,
    )  # fmt: skip
    drawn = sample_instance(scenario, 8, 1000)
    for channel, place, distance in ((drawn.channel_bs, (30, 40), 50.0), (drawn.channel_eve, (60, 0), 60.0)):
        h = channel.reshape(-1, 5) / math.sqrt(gain_at(distance))
        covariance = h.T @ h.conj() / len(h)
        apart = np.subtract.outer(np.arange(5), np.arange(5))
        if correlation == "exponential":
            expected = 0.6 ** np.abs(apart)
        else:
            angle = np.arctan2(place[1], place[0]) - math.pi / 4 + math.radians(8) * np.linspace(-1, 1, 20_001)
            expected = np.mean(np.exp(1j * math.pi * apart[..., None] * np.sin(angle)), axis=-1)
        assert np.abs(covariance - expected).max() < 5 / math.sqrt(len(h))


# --- Path loss in the draws ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["umi", "uma", "inh", "inh-open"])
def test_drawn_gains_have_the_mean_of_the_path_loss(name):
    scenario = Scenario(**{**AT, "area_m": ((9.0, 9.0), (12.0, 12.0))}, num_antennas=4, path_loss=name)
    drawn = sample_instance(scenario, 9, 4000)
    model = scenario.propagation
    to_bs, to_agents = mean_eve_gains(drawn)
    assert np.mean(np.abs(drawn.channel_eve) ** 2) == pytest.approx(float(to_bs[0, 0]), rel=0.3)
    assert np.mean(drawn.gain_eve) == pytest.approx(float(to_agents[0, 0, 0]), rel=0.2)
    near = model.mean_gain(np.array([225.0]), from_bs=True)[0]
    assert np.mean(np.abs(drawn.channel_bs) ** 2) == pytest.approx(near, rel=0.1)
    pair = model.mean_gain(np.array([0.0]), from_bs=False)[0]
    assert np.mean(drawn.gain_agents[:, *np.triu_indices(8, 1)]) == pytest.approx(pair, rel=0.1)


def test_shadowing_is_the_links_and_the_same_for_all_antennas():
    scenario = Scenario(**AT, num_antennas=64, path_loss="umi")
    drawn = sample_instance(scenario, 10, 1000)
    power = 10 * np.log10(np.mean(np.abs(drawn.channel_bs) ** 2, axis=-1))
    model = scenario.propagation
    p = float(model.los_probability(np.array(50.0)))
    losses = [float(x) for x in model.losses_db(np.array(50.0), True)]
    mean = -(p * losses[0] + (1 - p) * losses[1])
    variance = p * 16 + (1 - p) * 7.82**2 + p * (1 - p) * (losses[0] - losses[1]) ** 2
    fading = (10 / math.log(10)) ** 2 / 64  # what an average over 64 antennas leaves, dB²
    assert power.mean() == pytest.approx(mean, abs=0.6)
    assert power.std() == pytest.approx(math.sqrt(variance + fading), rel=0.06)
    assert np.abs(np.corrcoef(power.T) - np.eye(8)).max() < 4.5 / math.sqrt(1000)  # links are shadowed independently


def test_links_last_over_the_tasks_of_a_deployment():
    scenario = Scenario(**SMALL, path_loss="umi", fading="rician", array="ula")
    generators = [np.random.default_rng(i) for i in range(50)]
    deployment, first = draw_deployments(scenario, generators)
    later = np.stack([draw_tasks(deployment, generators).gain_eve for _ in range(400)])
    line = deployment.links.line_devices[:, 6:].reshape(50, 4, 2)
    mean = deployment.links.gain_devices[:, 6:].reshape(50, 4, 2)
    spread = np.sqrt(1 - line**2)  # var = (1 − line)² + 2 line (1 − line)
    assert np.all(np.abs(later.mean(axis=0) / mean - 1) < 5.5 * spread / 20 + 0.01)
    assert not np.any(first.gain_eve == later[0])


# --- Seeds and files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_an_instance_depends_on_seed_and_index_alone(name, tmp_path):
    scenario = Scenario(**{**SMALL, **MODELS[name]})
    many = sample_instance(scenario, 2, 40)
    for single, row in (
        (sample_instance(scenario, 2), many[0]),
        (sample_instance(scenario, 2, (4, 10))[3, 5], many[35]),
    ):
        for field in many._arrays:
            np.testing.assert_array_equal(getattr(single, field), getattr(row, field), err_msg=field)
    generator = np.random.default_rng(1)
    turns = [sample_instance(scenario, generator) for _ in range(3)]
    batch = sample_instance(scenario, np.random.default_rng(1), 3)
    for i in range(3):
        np.testing.assert_array_equal(turns[i].channel_bs, batch.channel_bs[i])
        np.testing.assert_array_equal(turns[i].gain_agents, batch.gain_agents[i])
    np.testing.assert_array_equal(many.gain_agents, np.swapaxes(many.gain_agents, -1, -2))
    assert not np.diagonal(many.gain_agents, axis1=-2, axis2=-1).any()
    many.save(tmp_path / "x.npz")
    assert (
        Instance.load(tmp_path / "x.npz").scenario == scenario == Scenario(**json.loads(json.dumps(scenario.to_dict())))
    )


@pytest.mark.parametrize("name", MODELS)
def test_environments_play_on_every_model(name):
    arguments = {"scenario": {**SMALL, **MODELS[name]}, "action_format": "guided", "observation_format": "flat"}
    scalar = gymnasium.make("secagent/Allocation-v0", **arguments)
    many = gymnasium.make_vec("secagent/Allocation-v0", 3, "vector_entry_point", **arguments)
    one, _ = scalar.reset(seed=7)
    all_, _ = many.reset(seed=[7, 8, 9])
    np.testing.assert_array_equal(one, all_[0])
    many.step(many.action_space.sample())


def test_draws_of_before_are_what_they_were():
    """Present presets, and the tasks of a deployment; to change them takes an entry in the changelog."""
    golden = json.loads((Path(__file__).parent / "golden_draws.json").read_text(encoding="utf-8"))

    def summary(instance):
        flat = {name: a for name in instance._arrays if (a := getattr(instance, name)) is not None}
        flat = {name: np.ascontiguousarray(a) for name, a in flat.items()}
        flat = {name: (a.view(float) if np.iscomplexobj(a) else a).ravel() for name, a in flat.items()}
        return {name: [np.abs(a).sum(), a[-2], a[len(a) // 2]] for name, a in flat.items()}

    for preset, expected in golden["instances"].items():
        for name, values in summary(sample_instance(preset, 2, 3)).items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-12, err_msg=f"{preset} {name}")
    for preset, expected in golden["lifetime"].items():
        env = gymnasium.make("secagent/Lifetime-v0", scenario=preset, max_failures=100)
        env.reset(seed=5)
        for _ in range(3):
            env.step(np.zeros(env.action_space.shape, np.float32))
        found = summary(env.unwrapped.instance) | {"battery_j": [env.unwrapped.battery_j.sum()]}
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-12, err_msg=f"{preset} {name}")


def test_geometry_of_a_beam():
    """A line-of-sight beam towards an agent leaks to the eavesdropper what the array factor says."""
    scenario = Scenario(**AT, num_antennas=8, fading="rician", rician_k_db=200.0, array="ula")
    drawn = sample_instance(scenario, 1)
    beam = drawn.channel_bs[0] / np.linalg.norm(drawn.channel_bs[0])
    leak = np.abs(np.vdot(drawn.channel_eve[0], beam)) ** 2 / gain_at(60.0) / 8
    u = [math.sin(math.atan2(y, x) - math.pi / 4) for x, y in ((30, 40), (60, 0))]
    a, b = response((1, 8), 0.5, np.array(u), np.zeros(2))
    assert leak == pytest.approx(np.abs(np.vdot(a, b)) ** 2 / 64, rel=1e-6)


def test_fields_of_channels_are_read_from_toml(tmp_path):
    path = tmp_path / "s.toml"
    fields = 'path_loss = "inh-open"\nfading = "rician"\nrician_k_db = 6\narray = "upa"\narray_rows = 4\n'
    path.write_text(
        fields + "bs_height_m = 4\neve_area_m = [50, 60]\nscatter_correlation = 'one-ring'\n", encoding="utf-8"
    )
    scenario = Scenario.from_toml(path)
    expected = Scenario(
        path_loss="inh-open", fading="rician", rician_k_db=6.0, array="upa", array_rows=4, bs_height_m=4.0,
        eve_area_m=(50, 60), scatter_correlation="one-ring",
    )  # fmt: skip
    assert (scenario, hash(scenario)) == (expected, hash(expected))
    assert scenario.replace(path_loss="umi").propagation.bs_height_m == 4
