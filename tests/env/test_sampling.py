"""The random instance: its distribution as the model states it, and what a seed determines."""

import hashlib
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from secagent_env import Instance, Scenario, sample_instance
from secagent_env.model.workload import accuracy_at_difficulty, inference_time, mean_execution_energy_j

ARRAYS = (
    "channel_bs",
    "channel_eve",
    "gain_agents",
    "gain_eve",
    "inference_time_s",
    "compute_power_w",
    "accuracy",
    "position_m",
    "eve_position_m",
)
AGENTS, ANTENNAS, EVES, DRAWS = 6, 4, 3, 5000


def mean_amplitude(distance):
    """10^(−PL/20), PL = 32.4 + 20 log10(3.5) + 20 log10(d) dB, distances below 1 m counting as 1 m."""
    return 10 ** (-(32.4 + 20 * math.log10(3.5) + 20 * np.log10(np.maximum(distance, 1))) / 20)


def assert_distributed(sample, name, *args):
    """Kolmogorov-Smirnov: a right sampler fails this for one seed in a thousand."""
    assert stats.kstest(np.ravel(sample), getattr(stats, name)(*args).cdf).pvalue > 1e-3


def assert_same_arrays(a, b):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name, strict=True)


@pytest.fixture(scope="module")
def drawn():
    scenario = Scenario(num_agents=AGENTS, num_antennas=ANTENNAS, num_eavesdroppers=EVES)
    return sample_instance(scenario, seed=17, batch=(DRAWS,))


@pytest.fixture(scope="module")
def fading(drawn):
    """The links with the path loss of their distance taken out: amplitudes of mean 1, gains of mean 4/π."""
    agents, eves = drawn.position_m, drawn.eve_position_m
    to_bs = mean_amplitude(np.linalg.norm(agents, axis=-1))
    eve_to_bs = mean_amplitude(np.linalg.norm(eves, axis=-1))
    between = mean_amplitude(np.linalg.norm(agents[:, :, None] - agents[:, None], axis=-1))
    to_eve = mean_amplitude(np.linalg.norm(agents[:, :, None] - eves[:, None], axis=-1))
    return {
        "channel_bs": drawn.channel_bs / to_bs[..., None],
        "channel_eve": drawn.channel_eve / eve_to_bs[..., None],
        "gain_agents": (drawn.gain_agents / between**2)[:, *np.triu_indices(AGENTS, 1)],
        "gain_eve": drawn.gain_eve / to_eve**2,
    }


# --- shapes, places -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)])
def test_shapes_and_types(batch):
    instance = sample_instance(Scenario(num_agents=5, num_antennas=3, num_eavesdroppers=2), seed=0, batch=batch)
    assert instance.batch_shape == batch
    shapes = ((5, 3), (2, 3), (5, 5), (5, 2), (5,), (5,), (5,), (5, 2), (2, 2))
    for name, shape in zip(ARRAYS, shapes, strict=True):
        array = getattr(instance, name)
        assert array.shape == batch + shape, name
        assert array.dtype == (np.complex128 if name.startswith("channel") else np.float64), name


def test_agents_are_uniform_in_their_area(drawn):
    assert np.all((drawn.position_m >= 0) & (drawn.position_m <= 100))
    for axis in range(2):
        assert_distributed(drawn.position_m[..., axis], "uniform", 0, 100)
    assert abs(np.corrcoef(drawn.position_m.reshape(-1, 2).T)[0, 1]) < 5 / math.sqrt(DRAWS * AGENTS)


def test_eavesdroppers_are_all_at_their_point(drawn):
    assert np.all(drawn.eve_position_m == 150)


def test_areas_can_be_chosen():
    scenario = Scenario(
        num_eavesdroppers=6, area_m=((-50.0, 0.0), (10.0, 20.0)), eve_area_m=((20.0, 100.0), (20.0, 100.0))
    )
    instance = sample_instance(scenario, seed=1, batch=(200,))
    assert_distributed(instance.position_m[..., 0], "uniform", -50, 50)
    assert_distributed(instance.position_m[..., 1], "uniform", 10, 10)
    assert_distributed(instance.eve_position_m, "uniform", 20, 80)
    # each eavesdropper has a place of its own
    assert np.all(np.linalg.norm(instance.eve_position_m[:, 0] - instance.eve_position_m[:, 1], axis=-1) > 0)


def test_a_metre_is_the_least_distance():
    """All within half a metre: no gain depends on where anybody stands."""
    scenario = Scenario(num_agents=6, num_antennas=4, area_m=(0.0, 0.3), eve_area_m=(0.1, 0.1))
    instance = sample_instance(scenario, seed=3, batch=(1000,))
    mean_gain = 4 / math.pi * mean_amplitude(1.0) ** 2
    for gain in (
        np.abs(instance.channel_bs) ** 2,
        np.abs(instance.channel_eve) ** 2,
        instance.gain_eve,
        instance.gain_agents[:, *np.triu_indices(6, 1)],
    ):
        assert_distributed(gain, "expon", 0, mean_gain)


# --- channels -----------------------------------------------------------------------------------------------


def test_amplitudes_have_mean_m_and_square_mean_4_over_pi(fading):
    """E|h| = m, E|h|² = 4m²/π for the m of the link's distance, within 5 standard errors: below 1.5 %."""
    amplitudes = {name: np.abs(h) if name.startswith("channel") else np.sqrt(h) for name, h in fading.items()}
    for name, amplitude in amplitudes.items():
        size = math.sqrt(amplitude.size)
        assert abs(np.mean(amplitude) - 1) < 5 * math.sqrt(4 / math.pi - 1) / size < 0.015, name
        assert abs(np.mean(amplitude**2) - 4 / math.pi) < 5 * (4 / math.pi) / size, name


def test_fading_is_rayleigh(fading):
    """Gains are exponential, so amplitudes are Rayleigh: the whole distribution, not only two moments."""
    for h in fading.values():
        assert_distributed(np.abs(h) ** 2 if np.iscomplexobj(h) else h, "expon", 0, 4 / math.pi)


def test_coefficients_are_circular(fading):
    for h in (fading["channel_bs"], fading["channel_eve"]):
        assert_distributed(np.angle(h), "uniform", -math.pi, 2 * math.pi)
        for part in (h.real, h.imag):
            assert_distributed(part, "norm", 0, math.sqrt(2 / math.pi))


def test_coefficients_are_independent(fading):
    """Between antennas, agents and eavesdroppers: E[h_i h_jᴴ] = 0 for i ≠ j, and E[h_i h_j] = 0 for all."""
    columns = np.concatenate([fading[name].reshape(DRAWS, -1) for name in ("channel_bs", "channel_eve")], -1)
    columns = columns / math.sqrt(4 / math.pi)
    bound = 4.5 / math.sqrt(DRAWS)
    covariance = columns.conj().T @ columns / DRAWS
    assert np.max(np.abs(covariance - np.diag(np.diag(covariance)))) < bound
    assert np.max(np.abs(columns.T @ columns / DRAWS)) < 1.5 * bound


def test_gains_are_independent_of_each_other_and_of_the_places(drawn, fading):
    parts = [np.abs(h) ** 2 if np.iscomplexobj(h) else h for h in fading.values()]
    parts += [drawn.position_m, drawn.compute_power_w, drawn.accuracy]
    columns = np.concatenate([part.reshape(DRAWS, -1) for part in parts], -1)
    correlation = np.corrcoef(columns.T)
    np.fill_diagonal(correlation, 0)
    assert np.max(np.abs(correlation)) < 5.5 / math.sqrt(DRAWS)


def test_instances_of_a_batch_and_of_seeds_are_independent(drawn, fading):
    other = sample_instance(drawn.scenario, seed=18, batch=(DRAWS,))
    for name in ("inference_time_s", "accuracy", "compute_power_w"):
        one = getattr(drawn, name)
        assert abs(np.corrcoef(one[:-1].ravel(), one[1:].ravel())[0, 1]) < 5 / math.sqrt(one.size), name
        assert abs(np.corrcoef(one.ravel(), getattr(other, name).ravel())[0, 1]) < 5 / math.sqrt(one.size), name
    gains = fading["gain_eve"]
    assert abs(np.corrcoef(gains[:-1].ravel(), gains[1:].ravel())[0, 1]) < 5 / math.sqrt(gains.size)


def test_agent_links_are_reciprocal(drawn):
    np.testing.assert_array_equal(drawn.gain_agents, np.swapaxes(drawn.gain_agents, -1, -2))
    np.testing.assert_array_equal(np.diagonal(drawn.gain_agents, axis1=-2, axis2=-1), 0)
    off_diagonal = ~np.eye(AGENTS, dtype=bool)
    assert np.all(drawn.gain_agents[:, off_diagonal] > 0)


def test_path_loss_grows_with_the_carrier():
    """At twice the frequency every amplitude is half."""
    near, far = (sample_instance(Scenario(carrier_hz=f), seed=0) for f in (3.5e9, 7e9))
    np.testing.assert_allclose(far.channel_bs, near.channel_bs / 2, rtol=1e-13)
    np.testing.assert_allclose(far.channel_eve, near.channel_eve / 2, rtol=1e-13)
    np.testing.assert_allclose(far.gain_agents, near.gain_agents / 4, rtol=1e-13)
    np.testing.assert_allclose(far.gain_eve, near.gain_eve / 4, rtol=1e-13)


# --- agents -------------------------------------------------------------------------------------------------

# One value where the model has a range, so that the other quantities can be read off.
FIXED = {"model_dim": (3000.0, 3000.0), "tool_tokens": (128, 128), "compute_rate": (1e8, 1e8)}
OUTPUT = 4096


def many_agents(**overrides):
    scenario = Scenario(num_agents=50, num_antennas=1, **overrides)
    return sample_instance(scenario, seed=5, batch=(200,))


def test_time_and_accuracy_by_hand():
    instance = many_agents(**FIXED, training_budget=(1e3, 1e3))
    # (16): ((η + 1) k + k (q + o) + k (q² + o²)) / f = 3000 · (3 + 128 + 4096 + 16384 + 16777216) / 1e8
    np.testing.assert_allclose(instance.inference_time_s, 503.93481, rtol=1e-14)
    # (14): M = 0.45 / (1 + 3000/3000) = 0.225, 1 − exp(−0.225 ln 1000 + 0.2)
    np.testing.assert_allclose(instance.accuracy, 1 - math.exp(0.2) * 1000**-0.225, rtol=1e-13)
    more = many_agents(**FIXED, activation_ops=10.0)  # 8 more operations for each of 3000
    np.testing.assert_allclose(more.inference_time_s, 503.93481 + 8 * 3000 / 1e8, rtol=1e-14)


def test_output_counts_in_tokens_for_the_inference_time():
    short = many_agents(**FIXED, output_tokens=1000, bits_per_token=1)
    # 3000 · (3 + 128 + 1000 + 16384 + 1000000) / 1e8
    np.testing.assert_allclose(short.inference_time_s, 30.52545, rtol=1e-14)


def test_compute_power_is_uniform():
    power = many_agents().compute_power_w
    assert np.all((power >= 10) & (power <= 20))
    assert_distributed(power, "uniform", 10, 10)


def test_compute_rate_is_uniform():
    instance = many_agents(model_dim=FIXED["model_dim"], tool_tokens=FIXED["tool_tokens"])
    rate = 3000 * 16797827 / instance.inference_time_s
    assert_distributed(rate, "uniform", 0.12e9, 0.68e9)


def test_training_budget_is_log_uniform():
    instance = many_agents(model_dim=FIXED["model_dim"])
    log_budget = (0.2 - np.log1p(-instance.accuracy)) / 0.225
    assert_distributed(log_budget, "uniform", math.log(1e2), math.log(1e4 / 1e2))


def test_model_width_is_continuous_uniform_and_shared_by_time_and_accuracy():
    fixed = {name: FIXED[name] for name in ("tool_tokens", "compute_rate")}
    instance = many_agents(**fixed, training_budget=(1e3, 1e3))
    width = instance.inference_time_s * 1e8 / 16797827
    assert_distributed(width, "uniform", 2560, 1536)
    assert np.mean(np.abs(width - np.rint(width)) > 1e-3) > 0.99  # not integers
    exponent = 0.45 / (1 + 3000 / width) * math.log(1e3)
    np.testing.assert_allclose(instance.accuracy, 1 - np.exp(0.2 - exponent), rtol=1e-12)


def test_tool_tokens_are_uniform_integers_with_both_ends():
    instance = many_agents(model_dim=FIXED["model_dim"], compute_rate=FIXED["compute_rate"])
    per_width = instance.inference_time_s * 1e8 / 3000 - 3 - OUTPUT - OUTPUT**2  # q² + q
    tokens = (np.sqrt(1 + 4 * per_width) - 1) / 2
    np.testing.assert_allclose(tokens, np.rint(tokens), atol=1e-6)
    values, counts = np.unique(np.rint(tokens), return_counts=True)
    np.testing.assert_array_equal(values, np.arange(128, 513))
    assert stats.chisquare(counts).pvalue > 1e-3


def test_accuracy_stays_in_its_range_and_fills_it():
    accuracy = many_agents().accuracy
    low = 1 - math.exp(0.2) * 1e2 ** (-0.45 / (1 + 3000 / 2560))
    high = 1 - math.exp(0.2) * 1e4 ** (-0.45 / (1 + 3000 / 4096))
    assert (round(low, 3), round(high, 3)) == (0.530, 0.888)
    assert low <= accuracy.min() < low + 0.01
    assert high - 0.01 < accuracy.max() <= high


@pytest.mark.parametrize(("budget", "accuracy"), [(1.0, 0.0), (1e300, 1.0)])
def test_accuracy_is_clipped(budget, accuracy):
    """Without training 1 − exp(0.2) < 0; with 10³⁰⁰ it rounds to 1."""
    instance = many_agents(**FIXED, training_budget=(budget, budget))
    np.testing.assert_array_equal(instance.accuracy, accuracy)


def test_a_difficulty_divides_the_exponent():
    harder = many_agents(**FIXED, training_budget=(1e3, 1e3), task_difficulty=2.0)
    np.testing.assert_allclose(harder.accuracy, 1 - math.exp((0.2 - 0.225 * math.log(1e3)) / 2), rtol=1e-13)
    np.testing.assert_array_equal(many_agents(task_difficulty=1.0).accuracy, many_agents().accuracy)


def test_accuracies_move_from_one_difficulty_to_another():
    for ratio in (0.5, 3.0):
        there = many_agents(task_difficulty=2.0 * ratio).accuracy
        moved = accuracy_at_difficulty(many_agents(task_difficulty=2.0).accuracy, ratio)
        np.testing.assert_allclose(moved, there, rtol=1e-12)
    np.testing.assert_array_equal(accuracy_at_difficulty(np.array([0.0, 1.0]), 3.0), [0.0, 1.0])


def test_groups_of_models_change_widths_alone():
    """Whoever stands where, how fast and how well trained it is: all as the seed draws it."""
    drawn = sample_instance(Scenario(), seed=6)
    grouped = sample_instance(Scenario.preset("qwen"), seed=6)
    ranged = Scenario(model_dim=(2048, 2048))
    same = sample_instance(ranged, seed=6)
    for name in ("position_m", "channel_bs", "gain_agents", "compute_power_w"):
        np.testing.assert_array_equal(getattr(grouped, name), getattr(drawn, name), err_msg=name)
    np.testing.assert_array_equal(grouped.inference_time_s[12:24], same.inference_time_s[12:24])
    np.testing.assert_array_equal(grouped.accuracy[12:24], same.accuracy[12:24])
    np.testing.assert_allclose(grouped.inference_time_s[:12], same.inference_time_s[:12] / 2, rtol=1e-14)
    np.testing.assert_allclose(grouped.inference_time_s[24:], same.inference_time_s[24:] * 1.25, rtol=1e-14)


def test_the_mean_energy_knows_groups_of_models():
    scenario = Scenario.preset("qwen")
    energy = sample_instance(scenario, seed=0, batch=(2000,)).execution_energy_j
    assert mean_execution_energy_j(scenario) == pytest.approx(np.mean(energy), rel=0.01)
    mean_width = (12 * 1024 + 12 * 2048 + 6 * 2560) / 30
    same = Scenario(model_dim=(mean_width, mean_width))
    assert mean_execution_energy_j(scenario) == pytest.approx(mean_execution_energy_j(same), rel=1e-14)


def test_a_file_of_before_the_groups_is_read(tmp_path):
    path = tmp_path / "x.npz"
    instance = sample_instance(Scenario(num_agents=3, num_antennas=2), seed=0)
    instance.save(path)
    with np.load(path) as archive:
        content = dict(archive)
    header = json.loads(str(content["header"]))
    for name in ("task_difficulty", "model_sizes"):
        del header["scenario"][name]
    del header["digest"]
    np.savez(path, **{**content, "header": np.array(json.dumps(header))})
    assert Instance.load(path).scenario == instance.scenario
    grouped = sample_instance("qwen", seed=0)
    grouped.save(path)
    assert Instance.load(path).scenario == grouped.scenario


def test_typical_case_meets_the_fit():
    """The assumed parameters were fitted: the ten cheapest of 30 agents cost 11.59 kJ (36 000 draws; the standard
    error of 3000 is 20 J), and miss the accuracy of 0.7 in about 8 % of draws; ten random agents cost twice that.
    """
    instance = sample_instance(Scenario(), seed=0, batch=(3000,))
    energy = instance.compute_power_w * instance.inference_time_s
    cheapest = np.argsort(energy, -1)[:, :10]
    missed = np.mean(np.take_along_axis(instance.accuracy, cheapest, -1), -1) < 0.7
    assert 0.06 < np.mean(missed) < 0.10
    assert 11_510 < np.mean(np.sum(np.take_along_axis(energy, cheapest, -1), -1)) < 11_670
    assert 23_000 < 10 * np.mean(energy) < 24_000
    assert np.max(instance.inference_time_s) < 600


# --- seeds --------------------------------------------------------------------------------------------------

HASHING = """
import hashlib
from secagent_env import Scenario, sample_instance
digest = hashlib.sha256()
for scenario in (Scenario(), Scenario(num_agents=7, num_antennas=2, num_eavesdroppers=3)):
    instance = sample_instance(scenario, seed=123, batch=(3,))
    for name in {arrays!r}:
        digest.update(getattr(instance, name).tobytes())
print(digest.hexdigest())
"""


def test_same_seed_same_bits_in_two_processes():
    program = HASHING.format(arrays=ARRAYS)
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
        ).stdout.strip()
        for _ in range(2)
    }
    here = hashlib.sha256()
    for scenario in (Scenario(), Scenario(num_agents=7, num_antennas=2, num_eavesdroppers=3)):
        instance = sample_instance(scenario, seed=123, batch=(3,))
        for name in ARRAYS:
            here.update(getattr(instance, name).tobytes())
    assert digests == {here.hexdigest()}


def test_instance_depends_on_seed_and_index_alone():
    scenario = Scenario(num_agents=5, num_antennas=3, num_eavesdroppers=2)
    few, many = (sample_instance(scenario, seed=9, batch=(size,)) for size in (4, 9))
    for i in range(4):
        assert_same_arrays(few[i], many[i])
    assert_same_arrays(sample_instance(scenario, seed=9), many[0])
    grid = sample_instance(scenario, seed=9, batch=(3, 3))
    for i, j in np.ndindex(3, 3):
        assert_same_arrays(grid[i, j], many[3 * i + j])
    assert_same_arrays(sample_instance(scenario, seed=9, batch=(9,)), many)


def test_what_is_not_drawn_does_not_change_the_draw():
    """Constraints and budgets of the task are no part of the random network."""
    changed = Scenario(min_accuracy=0.8, knowledge_bits=1e9, noise_power_w=1e-12, colluding=True, min_selected=3)
    assert_same_arrays(sample_instance(Scenario(), seed=4), sample_instance(changed, seed=4))


def test_default_scenario_and_presets():
    assert_same_arrays(sample_instance(), sample_instance(Scenario(), seed=0))
    assert_same_arrays(sample_instance("paper", seed=2), sample_instance(Scenario.preset("paper"), seed=2))


def test_different_seeds_and_indices_differ():
    """Also those that agree in their low 32 bits, or where one's index looks like the other's high bits."""
    seeds = (0, 1, 2, 2**31, 2**32, 2**32 + 1, 2**64, 2**64 + 2**32, 2**127)
    scenario = Scenario(num_agents=3, num_antennas=2)
    drawn = [sample_instance(scenario, seed=seed, batch=(3,)) for seed in seeds]
    for name in ("position_m", "accuracy", "channel_bs", "gain_eve"):
        rows = np.concatenate([getattr(instance, name).reshape(3, -1) for instance in drawn])
        assert len(np.unique(rows, axis=0)) == len(rows), name


def test_integer_types_of_seeds_agree():
    scenario = Scenario(num_agents=3, num_antennas=2)
    assert_same_arrays(sample_instance(scenario, seed=np.int64(7)), sample_instance(scenario, seed=7))
    assert_same_arrays(sample_instance(scenario, seed=np.uint32(7)), sample_instance(scenario, seed=7))


def test_generator_draws_in_turn():
    scenario = Scenario(num_agents=3, num_antennas=2)
    batch = sample_instance(scenario, seed=np.random.default_rng(5), batch=(3,))
    generator = np.random.default_rng(5)
    for i in range(3):
        assert_same_arrays(sample_instance(scenario, seed=generator), batch[i])
    assert not np.any(batch.accuracy[0] == batch.accuracy[1])


def test_seed_zero_is_pinned():
    """The draw behind published results. To change it takes an entry in the changelog."""
    instance = sample_instance(Scenario(), seed=0)
    pinned = {
        "position_m": ((0, 1), 79.3327357718768),
        "channel_bs": ((3, 5), 7.832897913022903e-05 + 0.0002111659586866404j),
        "channel_eve": ((0, 19), 2.4501175333637188e-05 + 7.720397128933356e-08j),
        "gain_agents": ((2, 17), 8.330289877427506e-09),
        "gain_eve": ((29, 0), 8.313064543132462e-09),
        "inference_time_s": (0, 89.51144547402181),
        "compute_power_w": (9, 15.19666344047424),
        "accuracy": (29, 0.6473514964725323),
    }
    for name, (index, value) in pinned.items():
        assert getattr(instance, name)[index] == pytest.approx(value, rel=1e-12, abs=0), name


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None, True, [1, 2], np.array([1]), math.nan])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match="seed must be an integer") as caught:
        sample_instance(Scenario(), seed=seed)
    assert repr(seed) in str(caught.value)


@pytest.mark.parametrize("batch", [-1, (-1,), (2, -3), 2.5, (2.5,), "3", None, (None,)])
def test_bad_batch(batch):
    with pytest.raises(ValueError, match="batch must be") as caught:
        sample_instance(Scenario(), seed=0, batch=batch)
    assert repr(batch) in str(caught.value)


def test_bad_scenario():
    with pytest.raises(ValueError, match=r"unknown preset 'papr'.*'paper'"):
        sample_instance("papr")
    with pytest.raises(ValueError, match=r"scenario must be .*int"):
        sample_instance(3)


def test_the_mean_execution_energy_is_that_of_all_draws():
    scenario = Scenario(
        model_dim=(100, 300), tool_tokens=(1, 4), output_tokens=3, compute_rate=(1e3, 2e3), compute_power_w=(2, 6)
    )
    grid = (np.arange(2000) + 0.5) / 2000
    times = [
        inference_time(scenario, np.float64(200.0), 1e3 + 1e3 * grid, (tokens + 0.5) / 4).mean() for tokens in range(4)
    ]
    assert mean_execution_energy_j(scenario) == pytest.approx(4 * np.mean(times), rel=1e-6)
    assert times[0] == pytest.approx(200 * (2 + 1 + 1 + 3 + 1 + 9) * np.log(2) / 1e3, rel=1e-6)
