"""The networks of ``rng="bulk"``: their laws, of which one that is 1 % off is noticed, and what a seed determines."""

import math

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("numba")

from secagent_env import Instance, Scenario, sample_instance
from secagent_env.bulk.networks import Networks, key_of
from secagent_env.sampling.generator import empty_instances

PLACES = {"area_m": ((-50.0, 50.0), (10.0, 120.0)), "eve_area_m": ((20.0, 100.0), (-80.0, -30.0))}
FIXED = {"model_dim": (3000.0, 3000.0), "tool_tokens": (128, 128), "compute_rate": (1e8, 1e8)}
"""One value where the model has a range, so that the other quantities can be read off."""
GAIN_AT_1M = 4 / math.pi * 10 ** (-(32.4 + 20 * math.log10(3.5)) / 10)


def networks(size: int, seed: int = 0, episode: int = 0, **fields) -> Instance:
    """Return an instance of each of so many environments, of the seeds from ``seed`` on."""
    scenario = Scenario(**fields)
    instances, gain = empty_instances(scenario, size), np.empty((size, scenario.num_agents))
    keys = np.array([key_of(seed + i) for i in range(size)])
    Networks(scenario).draw(instances, gain, np.arange(size), keys, np.full(size, episode))
    np.testing.assert_allclose(gain, instances.bs_gain, rtol=1e-13)
    return Instance(**instances._fields())  # validated


def distance(a, b=0.0):
    return np.maximum(np.linalg.norm(a - b, axis=-1), 1.0)


def uniform(low, high):
    return stats.uniform(low, high - low)


@pytest.fixture(scope="module")
def draws() -> dict[str, tuple[np.ndarray, object]]:
    """A sample of everything that is drawn, and the law that it has."""
    drawn = networks(1000, num_eavesdroppers=30, num_antennas=30, **PLACES)
    at, eves = drawn.position_m, drawn.eve_position_m
    pairs = np.triu_indices(30, 1)
    between = distance(at[:, :, None], at[:, None])[:, *pairs]
    coefficients = {
        "channel_bs": drawn.channel_bs * distance(at)[..., None],
        "channel_eve": drawn.channel_eve * distance(eves)[..., None],
    }
    alone = {**FIXED, "num_antennas": 1}
    budget = networks(1000, 3, **alone).accuracy
    rate = networks(1000, 4, **{**alone, "compute_rate": (0.12e9, 0.8e9)}).inference_time_s
    width = networks(1000, 5, **{**alone, "model_dim": (2560.0, 4096.0)}).inference_time_s
    power = math.sqrt(GAIN_AT_1M / 2)
    return {
        "x": (at[..., 0], uniform(-50, 50)),
        "y": (at[..., 1], uniform(10, 120)),
        "eavesdropper's x": (eves[..., 0], uniform(20, 100)),
        "eavesdropper's y": (eves[..., 1], uniform(-80, -30)),
        "model width": (width * 1e8 / 16797827, uniform(2560, 4096)),
        "compute rate": (3000 * 16797827 / rate, uniform(0.12e9, 0.8e9)),
        "compute power": (drawn.compute_power_w, uniform(10, 20)),
        "log budget": ((0.2 - np.log1p(-budget)) / 0.225, uniform(math.log(1e2), math.log(1e4))),
        "pairs": (drawn.gain_agents[:, *pairs] * between**2, stats.expon(0, GAIN_AT_1M)),
        "to eavesdroppers": (
            drawn.gain_eve * distance(at[:, :, None], eves[:, None]) ** 2,
            stats.expon(0, GAIN_AT_1M),
        ),
        **{f"{name}, real": (h.real, stats.norm(0, power)) for name, h in coefficients.items()},
        **{f"{name}, imaginary": (h.imag, stats.norm(0, power)) for name, h in coefficients.items()},
        **{f"{name}, angle": (np.angle(h) + math.pi, uniform(0, 2 * math.pi)) for name, h in coefficients.items()},
    }


LAWS = [
    *("x", "y", "eavesdropper's x", "eavesdropper's y"),
    *("model width", "compute rate", "compute power", "log budget", "pairs", "to eavesdroppers"),
    *(f"{name}, {part}" for name in ("channel_bs", "channel_eve") for part in ("real", "imaginary", "angle")),
]


def fits(sample, law) -> bool:
    """Kolmogorov-Smirnov: a right sampler fails it for one seed in a thousand. A range must be filled, no more."""
    sample = np.ravel(sample)
    low, high = law.support()
    within = 0.0 if math.isinf(high) else high - low
    filled = not within or (abs(sample.min() - low) < 2e-3 * within and abs(sample.max() - high) < 2e-3 * within)
    return filled and stats.ks_1samp(sample, law.cdf, method="asymp").pvalue > 1e-3


@pytest.mark.parametrize("name", LAWS)
def test_everything_drawn_has_its_law(draws, name):
    sample, law = draws[name]
    assert fits(sample, law)
    for factor in (1.01, 1 / 1.01):
        assert not fits(law.mean() + factor * (sample - law.mean()), law), "this test would not notice 1 %"
        assert not fits(factor * sample, law), "this test would not notice 1 %"


def test_all_laws_are_looked_at(draws):
    assert set(LAWS) == set(draws)


def test_tool_tokens_are_uniform_integers_with_both_ends():
    drawn = networks(2000, num_agents=50, num_antennas=1, **{**FIXED, "tool_tokens": (128, 512)})
    per_width = drawn.inference_time_s * 1e8 / 3000 - 3 - 4096 - 4096**2  # q² + q
    tokens = (np.sqrt(1 + 4 * per_width) - 1) / 2
    np.testing.assert_allclose(tokens, np.rint(tokens), atol=1e-6)
    values, counts = np.unique(np.rint(tokens), return_counts=True)
    np.testing.assert_array_equal(values, np.arange(128, 513))
    assert stats.chisquare(counts).pvalue > 1e-3


def test_time_and_accuracy_by_hand():
    drawn = networks(20, training_budget=(1e3, 1e3), **FIXED)
    # (16): ((η + 1) k + k (q + o) + k (q² + o²)) / f = 3000 · (3 + 128 + 4096 + 16384 + 16777216) / 1e8
    np.testing.assert_allclose(drawn.inference_time_s, 503.93481, rtol=1e-14)
    # (14): M = 0.45 / (1 + 3000/3000) = 0.225, 1 − exp(−0.225 ln 1000 + 0.2)
    np.testing.assert_allclose(drawn.accuracy, 1 - math.exp(0.2) * 1000**-0.225, rtol=1e-13)
    harder = networks(20, training_budget=(1e3, 1e3), task_difficulty=2.0, activation_ops=10.0, **FIXED)
    np.testing.assert_allclose(harder.accuracy, 1 - math.exp((0.2 - 0.225 * math.log(1e3)) / 2), rtol=1e-13)
    np.testing.assert_allclose(harder.inference_time_s, 503.93481 + 8 * 3000 / 1e8, rtol=1e-14)


@pytest.mark.parametrize(("budget", "accuracy"), [(1.0, 0.0), (1e300, 1.0)])
def test_accuracy_is_clipped(budget, accuracy):
    np.testing.assert_array_equal(networks(3, training_budget=(budget, budget), **FIXED).accuracy, accuracy)


def test_width_counts_for_time_and_accuracy():
    drawn = networks(20, training_budget=(1e3, 1e3), tool_tokens=(128, 128), compute_rate=(1e8, 1e8))
    width = drawn.inference_time_s * 1e8 / 16797827
    np.testing.assert_allclose(drawn.accuracy, 1 - np.exp(0.2 - 0.45 / (1 + 3000 / width) * math.log(1e3)), rtol=1e-12)


def test_groups_of_models_change_widths_alone():
    drawn, grouped = networks(5), networks(5, model_sizes=((1024, 12), (2048, 12), (2560, 6)))
    same = networks(5, model_dim=(2048, 2048))
    for name in ("position_m", "channel_bs", "gain_agents", "compute_power_w"):
        np.testing.assert_array_equal(getattr(grouped, name), getattr(drawn, name), err_msg=name)
    np.testing.assert_array_equal(grouped.accuracy[:, 12:24], same.accuracy[:, 12:24])
    np.testing.assert_allclose(grouped.inference_time_s[:, :12], same.inference_time_s[:, :12] / 2, rtol=1e-14)
    np.testing.assert_allclose(grouped.inference_time_s[:, 24:], same.inference_time_s[:, 24:] * 1.25, rtol=1e-14)


def test_a_metre_is_the_least_distance():
    drawn = networks(4000, num_agents=6, num_antennas=4, area_m=(0.0, 0.3), eve_area_m=(0.1, 0.1))
    for gain in (
        np.abs(drawn.channel_bs) ** 2,
        np.abs(drawn.channel_eve) ** 2,
        drawn.gain_eve,
        drawn.gain_agents[:, *np.triu_indices(6, 1)],
    ):
        assert fits(gain, stats.expon(0, GAIN_AT_1M))


def test_gains_fall_with_the_square_of_the_carrier():
    near, far = networks(2), networks(2, carrier_hz=7e9)
    np.testing.assert_allclose(far.channel_bs, near.channel_bs / 2, rtol=1e-13)
    np.testing.assert_allclose(far.gain_eve, near.gain_eve / 4, rtol=1e-13)


def test_links_between_agents_are_reciprocal():
    gain = networks(5).gain_agents
    np.testing.assert_array_equal(gain, gain.swapaxes(-1, -2))
    np.testing.assert_array_equal(np.diagonal(gain, axis1=-2, axis2=-1), 0)
    assert np.all(gain[:, ~np.eye(30, dtype=bool)] > 0)


def test_eavesdroppers_are_somewhere_in_their_disc():
    """Their links are those of the true places: gains over those without the error tell the distances."""
    fields = {"num_agents": 3, "num_antennas": 2, "area_m": (0.0, 0.0), "eve_area_m": (400.0, 400.0)}
    there, astray = networks(20_000, **fields), networks(20_000, **fields, eve_position_error_m=60.0)
    np.testing.assert_array_equal(astray.eve_position_m, 400.0)
    np.testing.assert_array_equal(astray.gain_agents, there.gain_agents)
    squared = 2 * 400.0**2 * there.gain_eve[:, 0, 0] / astray.gain_eve[:, 0, 0]
    by_channel = 2 * 400.0**2 * np.abs(there.channel_eve[:, 0, 1] / astray.channel_eve[:, 0, 1]) ** 2
    np.testing.assert_allclose(by_channel, squared, rtol=1e-6)
    # |c + r (cos φ, sin φ)|² = |c|² + r² + 2 |c| r cos φ, of which E = |c|² + R²/2, Var ≈ |c|² R²
    assert np.mean(squared) - 320_000 == pytest.approx(1800, abs=5 * math.sqrt(320_000) * 60 / math.sqrt(20_000))
    along = (squared - 320_000) / (2 * math.sqrt(320_000))  # the offset along the line of sight, to 3 %
    assert np.max(np.abs(along)) < 60 * 1.06
    assert np.std(along) == pytest.approx(30, rel=0.03)


# --- Independence, and what a seed determines ---------------------------------------------------------------


def test_everything_is_independent():
    """Of all else in an instance, in those of neighbouring environments, and in the next episode."""
    size, fields = 4000, {"num_agents": 4, "num_antennas": 2, "num_eavesdroppers": 2, "eve_area_m": (20.0, 100.0)}

    def columns(drawn: Instance) -> np.ndarray:
        at, eves = drawn.position_m, drawn.eve_position_m
        parts = [
            drawn.channel_bs.real * distance(at)[..., None],
            drawn.channel_bs.imag * distance(at)[..., None],
            drawn.channel_eve.real,
            drawn.channel_eve.imag,
            drawn.gain_agents[:, *np.triu_indices(4, 1)]
            * distance(at[:, :, None], at[:, None])[:, *np.triu_indices(4, 1)] ** 2,
            drawn.gain_eve * distance(at[:, :, None], eves[:, None]) ** 2,
            *(at, eves, drawn.compute_power_w, drawn.accuracy),
        ]
        return np.concatenate([part.reshape(len(drawn), -1) for part in parts], -1)

    one, following = (columns(networks(size, 11, episode, **fields)) for episode in (0, 1))
    every = np.concatenate([one[:-1], one[1:], following[:-1]], -1).T
    correlation = np.corrcoef(every) - np.eye(len(every))
    assert np.max(np.abs(correlation)) < 5.5 / math.sqrt(size)


def test_an_instance_depends_on_seed_and_episode_alone():
    """Not on the row that it is written to, on others, or on the order."""
    scenario = Scenario.preset("small")
    instances, gain = empty_instances(scenario, 9), np.full((9, 6), np.nan)
    instances.accuracy[...] = np.nan
    keys, rows = np.array([key_of(seed) for seed in (7, 3, 7)]), np.array([8, 1, 4])
    Networks(scenario).draw(instances, gain, rows, keys, np.array([0, 2, 5]))
    for row, seed, episode in zip(rows, (7, 3, 7), (0, 2, 5), strict=True):
        alone = networks(1, seed, episode, num_agents=6, num_antennas=4)
        for name in ("channel_bs", "channel_eve", "gain_agents", "gain_eve", "accuracy", "position_m"):
            np.testing.assert_array_equal(getattr(instances, name)[row], getattr(alone, name)[0], err_msg=name)
    untouched = np.setdiff1d(np.arange(9), rows)
    assert np.isnan(gain[untouched]).all()
    assert np.isnan(instances.accuracy[untouched]).all()


def test_seed_zero_is_pinned():
    """A change of the draw takes an entry in the changelog."""
    drawn = networks(1)
    pinned = {
        "position_m": ((0, 1), 72.00757843675092),
        "channel_bs": ((3, 5), (0.00014391360027360149 - 5.407383194771613e-05j)),
        "channel_eve": ((0, 19), (6.272480860099097e-06 + 4.2081309685135004e-05j)),
        "gain_agents": ((2, 17), 2.077879359940296e-08),
        "gain_eve": ((29, 0), 8.638390861219457e-10),
        "inference_time_s": (0, 133.6613629135824),
        "compute_power_w": (9, 10.566450644982979),
        "accuracy": (29, 0.7570247841176851),
    }
    for name, (index, value) in pinned.items():
        assert getattr(drawn, name)[0][index] == pytest.approx(value, rel=1e-12, abs=0), name


@pytest.mark.parametrize(
    "fields",
    [
        {"path_loss": "umi"},
        {"fading": "rician", "rician_k_db": 3.0},
        {"array": "ula", "scatter_correlation": "exponential"},
    ],
)
def test_other_channel_models_are_refused(fields):
    with pytest.raises(ValueError, match=r"rng='bulk' draws channels with \w+='\w+' alone, got '\w+': leave rng out"):
        Networks(Scenario(**fields))


def test_an_array_without_correlation_changes_nothing_here_either():
    """As in the other draws: coefficients of Rayleigh fading without correlation have no geometry."""
    np.testing.assert_array_equal(networks(1, array="ula").channel_bs, networks(1).channel_bs)
    np.testing.assert_array_equal(sample_instance(Scenario(array="ula")).channel_bs, sample_instance().channel_bs)
