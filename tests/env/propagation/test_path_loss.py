"""Path loss: every coefficient by hand and against reference values, what is drawn with it, and what is refused."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from secagent_env import Scenario, sample_instance
from secagent_env.propagation import registry
from secagent_env.propagation.path_loss import PathLoss
from secagent_env.propagation.registry import make_path_loss, path_losses, register_path_loss

REFERENCE = json.loads((Path(__file__).parent / "tr38901.json").read_text(encoding="utf-8"))["models"]
URBAN = (10, 12, 15, 18, 18.5, 20, 25, 30, 40, 50, 65, 80, 100, 120, 150, 200, 300, 500, 1000, 4000)
OFFICE = (1, 1.2, 1.5, 2, 3, 4, 5, 5.5, 6.4, 6.5, 8, 10, 15, 20, 30, 49, 50, 70, 100, 149)
C = 299792458.0


def lg(x):
    return math.log10(x)


def umi(d, f, h_bs=10.0, h_ut=1.5):
    d3, far = math.hypot(d, h_bs - h_ut), 4 * (h_bs - 1) * (h_ut - 1) * f * 1e9 / C
    los = 32.4 + 21 * lg(d3) + 20 * lg(f)
    if d > far:
        los = 32.4 + 40 * lg(d3) + 20 * lg(f) - 9.5 * lg(far**2 + (h_bs - h_ut) ** 2)
    nlos = 35.3 * lg(d3) + 22.4 + 21.3 * lg(f) - 0.3 * (h_ut - 1.5)
    return los, max(los, nlos), 1.0 if d <= 18 else 18 / d + math.exp(-d / 36) * (1 - 18 / d)


def uma(d, f, h_bs=25.0, h_ut=1.5):
    d3, far = math.hypot(d, h_bs - h_ut), 4 * (h_bs - 1) * (h_ut - 1) * f * 1e9 / C
    los = 28 + 22 * lg(d3) + 20 * lg(f)
    if d > far:
        los = 28 + 40 * lg(d3) + 20 * lg(f) - 9 * lg(far**2 + (h_bs - h_ut) ** 2)
    nlos = 13.54 + 39.08 * lg(d3) + 20 * lg(f) - 0.6 * (h_ut - 1.5)
    return los, max(los, nlos), 1.0 if d <= 18 else 18 / d + math.exp(-d / 63) * (1 - 18 / d)


def inh(d, f, h_bs=3.0, h_ut=1.0):
    d3 = math.hypot(d, h_bs - h_ut)
    los = 32.4 + 17.3 * lg(d3) + 20 * lg(f)
    likely = 1.0 if d <= 1.2 else math.exp(-(d - 1.2) / 4.7) if d < 6.5 else 0.32 * math.exp(-(d - 6.5) / 32.6)
    return los, max(los, 38.3 * lg(d3) + 17.3 + 24.9 * lg(f)), likely


def inh_open(d, f, h_bs=3.0, h_ut=1.0):
    likely = 1.0 if d <= 5 else math.exp(-(d - 5) / 70.8) if d <= 49 else 0.54 * math.exp(-(d - 49) / 211.7)
    return *inh(d, f, h_bs, h_ut)[:2], likely


def paper(d, f, h_bs=0.0, h_ut=0.0):
    loss = 32.4 + 20 * lg(f) + 20 * lg(d)
    return loss, loss, 1.0


BY_HAND = {"umi": umi, "uma": uma, "inh": inh, "inh-open": inh_open, "paper": paper}
HEIGHTS = {"umi": (10.0, 1.5), "uma": (25.0, 1.5), "inh": (3.0, 1.0), "inh-open": (3.0, 1.0), "paper": (0.0, 0.0)}


def distances(name):
    return np.array(OFFICE if name.startswith("inh") else URBAN, float)


# --- Formulas -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", [3.5, 28.0])
@pytest.mark.parametrize("name", BY_HAND)
def test_losses_and_line_of_sight_at_twenty_distances(name, carrier):
    d = distances(name)
    model = make_path_loss(name, carrier * 1e9)
    expected = np.array([BY_HAND[name](x, carrier) for x in d]).T
    np.testing.assert_allclose([*model.losses_db(d, from_bs=True), model.los_probability(d)], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "distance", "los", "nlos", "likely"),
    [  # in 15-digit arithmetic from the tables, at 3.5 GHz: d3 = 100.3606, 102.7241, 500.0722 and 20.0998 m
        ("umi", 100.0, 85.3141891, 104.643832, 0.23098475),
        ("umi", 500.0, 107.108049, 129.264505, 0.0360008958),  # beyond the breakpoint at 210.1 m
        ("uma", 100.0, 83.1381567, 103.037524, 0.347670837),
        ("inh", 20.0, 65.8265597, 80.7594974, 0.211496948),
        ("inh-open", 20.0, 65.8265597, 80.7594974, 0.809074395),
    ],
)
def test_losses_by_hand(name, distance, los, nlos, likely):
    model = make_path_loss(name, 3.5e9)
    found = [*model.losses_db(np.array([distance]), from_bs=True), model.los_probability(np.array([distance]))]
    np.testing.assert_allclose(np.ravel(found), [los, nlos, likely], rtol=1e-8)


@pytest.mark.parametrize("label", REFERENCE)
def test_every_model_is_that_of_an_independent_implementation(label):
    """Reference values of Sionna at 20 distances: losses, line of sight, shadowing, correlation distances, K."""
    name, carrier = label.split(" at ")[0], float(label.split()[-2])
    values, model = REFERENCE[label], make_path_loss(label.split(" at ")[0], carrier * 1e9)
    d = np.array(values["distance_m"])
    assert len(d) == 20
    assert tuple(values["heights_m"]) == model.default_heights_m, name
    los, nlos = model.losses_db(d, from_bs=True)
    np.testing.assert_allclose(los, values["los_db"], rtol=1e-9)
    np.testing.assert_allclose(nlos, values["nlos_db"], rtol=1e-9)
    np.testing.assert_allclose(model.los_probability(d), values["los_probability"], rtol=1e-9)
    for quantity in ("shadowing_db", "correlation_m"):
        found = getattr(model, quantity)
        assert found == pytest.approx((values[f"{quantity}_los"], values[f"{quantity}_nlos"]), rel=1e-6), quantity
    assert model.rician_k_db == pytest.approx(tuple(values["rician_k_db"]), rel=1e-6)


@pytest.mark.parametrize("name", ["umi", "uma"])
def test_heights_move_the_breakpoint_and_the_loss(name):
    d = distances(name)
    model = make_path_loss(name, 3.5e9, 20.0, 6.0)
    expected = np.array([BY_HAND[name](x, 3.5, 20.0, 6.0) for x in d]).T
    np.testing.assert_allclose(model.losses_db(d, from_bs=True), expected[:2], rtol=1e-12)


@pytest.mark.parametrize("name", BY_HAND)
def test_devices_are_of_one_height_and_know_no_breakpoint(name):
    d, height = distances(name), HEIGHTS[name][1]
    los, nlos = make_path_loss(name, 3.5e9).losses_db(d, from_bs=False)
    slope, constant = {"umi": (21, 32.4), "uma": (22, 28), "paper": (20, 32.4)}.get(name, (17.3, 32.4))
    np.testing.assert_allclose(los, constant + slope * np.log10(d) + 20 * lg(3.5), rtol=1e-12)
    assert np.all(nlos >= los)
    np.testing.assert_allclose(nlos[:3], [BY_HAND[name](x, 3.5, height, height)[1] for x in d[:3]], rtol=1e-12)


def test_near_ones_count_as_at_the_low_end_of_the_range():
    one = np.zeros(1)
    for name, least in (("umi", 10.0), ("uma", 10.0), ("inh", 1.0), ("paper", 1.0)):
        model = make_path_loss(name, 3.5e9)
        for from_bs in (True, False):
            at = model.mean_gain(np.array([least**2]), from_bs)
            np.testing.assert_array_equal(model.mean_gain(np.array([0.01]), from_bs), at)
            assert model.mean_gain(np.array([(1.01 * least) ** 2]), from_bs) < at
            near, far = (model.gain(np.array([x]), from_bs, one, one)[0] for x in (0.01, least**2))
            np.testing.assert_array_equal(near, far)


# --- What is drawn ------------------------------------------------------------------------------------------

DRAWS = 100_000


@pytest.mark.parametrize("name", ["umi", "uma", "inh", "inh-open"])
@pytest.mark.parametrize("from_bs", [True, False])
def test_shares_and_spreads_over_a_hundred_thousand_draws(name, from_bs):
    rng = np.random.default_rng(7)
    model = make_path_loss(name, 3.5e9)
    for d in (30.0, 60.0):
        squared = np.full(DRAWS, d**2)
        gain, los = model.gain(squared, from_bs, rng.standard_normal(DRAWS), rng.random(DRAWS))
        likely = float(model.los_probability(np.array(d)))
        assert abs(los.mean() - likely) < 4 * math.sqrt(likely * (1 - likely) / DRAWS)
        decibels = -10 * np.log10(gain)
        for sight, loss, spread in zip(
            (los, ~los), model.losses_db(np.array(d), from_bs), model.shadowing_db, strict=True
        ):
            count = sight.sum()
            assert decibels[sight].mean() == pytest.approx(float(loss), abs=4 * spread / math.sqrt(count))
            assert decibels[sight].std() == pytest.approx(spread, rel=4 / math.sqrt(2 * count))
        assert model.mean_gain(squared[:1], from_bs)[0] == pytest.approx(gain.mean(), rel=0.15)  # heavy tails


def test_the_mean_gain_is_that_of_both_sights_and_their_shadowing():
    model = make_path_loss("umi", 3.5e9)
    los, nlos, likely = umi(60.0, 3.5)
    nepers = math.log(10) / 10
    expected = sum(
        share * 10 ** (-loss / 10) * math.exp((nepers * spread) ** 2 / 2)
        for share, loss, spread in ((likely, los, 4.0), (1 - likely, nlos, 7.82))
    )
    assert model.mean_gain(np.array([3600.0]), True)[0] == pytest.approx(expected, rel=1e-12)


# --- Scenarios ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"path_loss": "um"}, "unknown path_loss 'um'; did you mean 'umi'"),
        ({"path_loss": None}, "unknown path_loss None"),
        ({"path_loss": "inh"}, "eve_area_m reaches 212 m from the base station, and path_loss='inh' holds up to 150 m"),
        ({"path_loss": "inh", "area_m": (0, 120), "eve_area_m": (0, 0)}, "area_m reaches 170 m from the base station"),
        ({"path_loss": "inh", "area_m": (-80, 80), "eve_area_m": (0, 0)}, "area_m is 226 m across"),
        (
            {"path_loss": "inh", "area_m": (-60, 0), "eve_area_m": (60, 61)},
            "area_m and eve_area_m are up to 171 m apart",
        ),
        ({"path_loss": "umi", "eve_area_m": (3600, 3600)}, "reaches 5091 m .* and path_loss='umi' holds up to 5000 m"),
        ({"path_loss": "uma", "eve_area_m": (3600, 3600)}, "reaches 5091 m .* and path_loss='uma' holds up to 5000 m"),
        ({"path_loss": "umi", "carrier_hz": 1e8}, "carrier_hz must be from 5e[+]08 to 1e[+]11 with path_loss='umi'"),
        ({"path_loss": "uma", "agent_height_m": 14.0}, "agent_height_m must be from 1.5 to 13 with path_loss='uma'"),
        ({"path_loss": "umi", "agent_height_m": 1.0}, "agent_height_m must be from 1.5 to 22.5"),
        ({"bs_height_m": -1.0}, "bs_height_m must be a finite number ≥ 0"),
        ({"agent_height_m": "tall"}, "agent_height_m must be a finite number ≥ 0"),
    ],
)
def test_what_a_model_does_not_hold_for_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        Scenario(**fields)


def test_models_of_others_are_known_by_name(monkeypatch):
    monkeypatch.setattr(registry, "_MODELS", {model.name: model for model in registry._BUILT_IN})

    class Slope(PathLoss):
        name = "slope"
        shadowing_db = (0.0, 0.0)

        def los_probability(self, distance_m):
            return np.zeros_like(distance_m)

        def losses_db(self, distance_m, from_bs):
            loss = 40 + 30 * np.log10(distance_m)
            return loss, loss

    assert register_path_loss(Slope) is Slope
    assert "slope" in path_losses()
    assert registry.registered_path_losses() == {"slope": Slope}
    place = {"area_m": ((30.0, 30.0), (40.0, 40.0)), "num_agents": 2, "num_antennas": 2}
    instances = sample_instance(Scenario(path_loss="slope", **place), 0, 5000)
    expected = 10 ** (-(40 + 30 * math.log10(50)) / 10)
    assert np.mean(np.abs(instances.channel_bs) ** 2) == pytest.approx(expected, rel=0.03)
    with pytest.raises(ValueError, match="needs a subclass of PathLoss"):
        register_path_loss(Slope(3.5e9))
    Slope.name = "umi"
    with pytest.raises(ValueError, match="needs a name of its own, got 'umi', which is one of secagent's"):
        register_path_loss(Slope)
