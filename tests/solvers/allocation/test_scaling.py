"""Solvers at any scale of the numbers: the unit of gains changes nothing, and no valid network makes them fail."""

import functools
import os
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers
from secagent_env import Instance, Scenario, evaluate, sample_instance
from secagent_env.model.presets import PRESETS
from secagent_env.sampling.estimation import posterior_eavesdroppers
from solvers.interface.scaling import scaled
from solvers.numerics.hermitian import whitened
from training import load_agent

NAMES = [name for name in solvers.names() if name != "law"]  # its model's answers hang on the digits it is shown
BRIEF = {
    "ga": {"population": 12, "generations": 4},
    "de": {"population": 1, "generations": 4},
    "robust": {"designs": 2, "samples": 1000},
}
SEEDED = ("de", "ga", "randas", "robust")
QUICK = ("asc", "exact", "randas")
AGENTS = ("ppo", "l2o", "ppo-mlp")
EVERYBODY = (*NAMES, "law", *AGENTS)
NORMALISED = ("small", "paper", "tight-latency", "contested")
INSTANCES = int(os.environ.get("SECAGENT_INSTANCES", 80))
"""How many networks with normalised channels everybody solves, in all."""
PARTS = 10


def solve(name: str, instance: Instance, seed: int = 1) -> solvers.Solution:
    solver = load_agent(name) if name in AGENTS else solvers.make(name, **BRIEF.get(name, {}))
    return solver.solve(instance, seed)


def in_other_units(instance: Instance, c: float) -> Instance:
    """All amplitude gains times c, power gains and the noise times c²: every rate is as before."""
    prior = {"prior_bs_mean": c, "prior_agents_mean": c, "prior_bs_covariance": c * c, "prior_agents_variance": c * c}
    return instance.replace(
        scenario=instance.scenario.replace(noise_power_w=c * c * instance.scenario.noise_power_w),
        channel_bs=c * instance.channel_bs,
        channel_eve=c * instance.channel_eve,
        gain_agents=c * c * instance.gain_agents,
        gain_eve=c * c * instance.gain_eve,
        **{name: unit * array for name, unit in prior.items() if (array := getattr(instance, name)) is not None},
    )


def normalised(seed: int, **fields) -> Instance:
    """A network whose channels are CN(0, 1), as users of ray tracers bring them."""
    instance = sample_instance(Scenario(**fields), seed=seed)
    rng = np.random.default_rng(seed)
    n, antennas, eves = (fields.get(key, default) for key, default in SIZES.items())

    def channel(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)

    gain = np.triu(np.abs(channel(n, n)) ** 2, 1)
    return instance.replace(
        channel_bs=channel(n, antennas),
        channel_eve=channel(eves, antennas),
        gain_agents=gain + gain.T,
        gain_eve=np.abs(channel(n, eves)) ** 2,
    )


SIZES = {"num_agents": 30, "num_antennas": 20, "num_eavesdroppers": 1}


def check_scale(name: str, instance: Instance, c: float) -> None:
    """The same decision where c is a power of two; otherwise as good a one."""
    if name == "robust":  # the path loss, which it would else take for known, has no other unit
        instance = posterior_eavesdroppers(instance, 0.1, seed=0)
    before, after = solve(name, instance), solve(name, in_other_units(instance, c))
    assert after.outcome.feasible == before.outcome.feasible
    if np.frexp(c)[0] == 0.5:
        for field in ("selection", "beamformer", "power_w"):
            np.testing.assert_array_equal(getattr(after.decision, field), getattr(before.decision, field))
        assert after.lower_bound_j == before.lower_bound_j
    elif before.outcome.feasible:
        tolerance = 1e-3 if name in SEEDED else 1e-9
        assert after.outcome.energy_j == pytest.approx(before.outcome.energy_j, rel=tolerance)


UNITS = st.one_of(st.integers(-39, 39).map(lambda k: 2.0**k), st.floats(-12, 12).map(lambda k: 10.0**k))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3, deadline=None)
@given(c=UNITS, seed=st.integers(0, 5))
def test_the_unit_of_gains_changes_nothing(name, c, seed):
    check_scale(name, sample_instance("small", seed=seed), c)


@pytest.mark.slow
@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset != "small"])
@pytest.mark.parametrize("name", NAMES)
def test_the_unit_of_gains_changes_nothing_in_a_large_network(name, preset):
    instance = sample_instance(preset, seed=3)
    for c in (2.0**-39, 1e12):
        check_scale(name, instance, c)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["asc", "asc-plus", "exact"])
def test_the_unit_of_gains_changes_nothing_where_jammers_are_needed(name, seed):
    instance = sample_instance("contested", seed=seed)
    for c in (2.0**39, 7.3, 1e-12):
        check_scale(name, instance, c)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "asc-printed"])  # (28) mixes units as printed
@pytest.mark.parametrize("factor", [1e-6, 1e5])
def test_the_unit_of_energy_changes_no_selection(name, factor):
    instance = sample_instance("small", seed=0)
    other = instance.replace(compute_power_w=factor * instance.compute_power_w)
    before, after = solve(name, instance), solve(name, other)
    np.testing.assert_array_equal(after.decision.selection, before.decision.selection)
    assert after.outcome.execution_energy_j == pytest.approx(factor * before.outcome.execution_energy_j, rel=1e-12)


def deaf(instance: Instance, **zero) -> Instance:
    """The instance with the gains at these indices set to zero."""
    arrays = {field: getattr(instance, field).copy() for field in zero}
    for field, index in zero.items():
        arrays[field][index] = 0
    return instance.replace(**arrays)


SMALL = {"num_agents": 6, "num_antennas": 4, "min_selected": 2}
CROWD = {"num_agents": 6, "num_antennas": 3, "num_eavesdroppers": 3, "min_selected": 2}
HARD = {
    "normalised": lambda: normalised(0, **SMALL),
    "normalised, more eavesdroppers than antennas": lambda: normalised(0, **CROWD),
    "normalised, colluding": lambda: normalised(0, **CROWD, colluding=True),
    "normalised, almost no noise": lambda: normalised(1, **SMALL, noise_power_w=1e-30),
    "normalised, much noise": lambda: normalised(2, **SMALL, noise_power_w=1.0),
    "almost no noise": lambda: sample_instance(Scenario(**SMALL, noise_power_w=1e-30), seed=0),
    "much noise": lambda: sample_instance(Scenario(**SMALL, noise_power_w=1.0), seed=0),
    "one antenna": lambda: sample_instance(Scenario.preset("small", num_antennas=1), seed=0),
    "one agent": lambda: sample_instance(Scenario.preset("small", num_agents=1, min_selected=1), seed=0),
    "a deaf agent": lambda: deaf(sample_instance("small", seed=0), channel_bs=0),
    "deaf agents": lambda: deaf(sample_instance("small", seed=0), channel_bs=slice(None)),
    "gains that all but vanish": lambda: in_other_units(sample_instance("small", seed=0), 1e-150).replace(
        scenario=Scenario(**SMALL)
    ),
    "a deaf eavesdropper": lambda: deaf(sample_instance("small", seed=0), channel_eve=0, gain_eve=(slice(None), 0)),
    "an agent nobody hears": lambda: deaf(
        sample_instance("small", seed=0), channel_bs=0, gain_eve=0, gain_agents=(0, slice(None))
    ),
}


LARGE = {
    "paper": {
        "almost no noise": {"noise_power_w": 1e-30},
        "much noise": {"noise_power_w": 1.0},
        "one antenna": {"num_antennas": 1},
    },
    "tight-latency": {"almost no noise": {"noise_power_w": 1e-30}, "one antenna": {"num_antennas": 1}},
    "contested": {
        "almost no noise": {"noise_power_w": 1e-30},
        "much noise": {"noise_power_w": 1.0},
        "one antenna": {"num_antennas": 1},
        "colluding": {"colluding": True},
    },
}
HARD_AND_LARGE = {
    **{
        f"{preset}, {case}": functools.partial(sample_instance, Scenario.preset(preset, **fields), seed=0)
        for preset, cases in LARGE.items()
        for case, fields in cases.items()
    },
    **{
        f"contested, normalised, {noise:g} W": functools.partial(
            normalised, 3, **{**PRESETS["contested"], "noise_power_w": noise}
        )
        for noise in (1e-30, 1e-13, 1.0)
    },
    **{
        f"{preset}, a deaf agent": lambda preset=preset: deaf(sample_instance(preset, seed=2), channel_bs=3)
        for preset in LARGE
    },
    "contested, a deaf eavesdropper": lambda: deaf(
        sample_instance("contested", seed=2), channel_eve=0, gain_eve=(slice(None), 0)
    ),
}


def check_solutions(instance: Instance, names: Iterable[str], seed: int = 1) -> None:
    """Nobody fails inside, ``evaluate`` confirms every outcome, and no bound is above any of their energies."""
    solutions = {name: solve(name, instance, seed) for name in names if takes(name, instance)}
    for name, solution in solutions.items():
        assert "failed inside" not in solution.message, name
        outcome = evaluate(instance, solution.decision)
        np.testing.assert_array_equal(outcome.energy_j, solution.outcome.energy_j)
        assert outcome.feasible == solution.outcome.feasible
    feasible = [float(solution.outcome.energy_j) for solution in solutions.values() if solution.outcome.feasible]
    for name, solution in solutions.items():
        assert solution.lower_bound_j <= min(feasible, default=np.inf), name
        assert solution.status != "infeasible" or not feasible, name


def takes(name: str, instance: Instance) -> bool:
    """Whether a solver, or a trained agent, takes instances of this size."""
    if name not in AGENTS:
        return True
    try:
        load_agent(name).check(instance.scenario)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "names", [pytest.param(QUICK, id="quick"), pytest.param(EVERYBODY, marks=pytest.mark.slow, id="all")]
)
@pytest.mark.parametrize("case", HARD)
def test_no_valid_network_makes_a_solver_fail_inside(case, names):
    check_solutions(HARD[case](), names)


@pytest.mark.slow
@pytest.mark.parametrize("case", HARD_AND_LARGE)
def test_no_valid_large_network_makes_a_solver_fail_inside(case):
    check_solutions(HARD_AND_LARGE[case](), EVERYBODY)


def test_what_a_language_model_proposes_for_a_deaf_agent_is_scored():
    check_solutions(HARD["a deaf agent"](), ["law"])  # the power for the receive SNR it names is beyond all measure


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("preset", NORMALISED)
def test_normalised_channels_make_no_solver_fail_inside(preset, part):
    for seed in range(part, INSTANCES // len(NORMALISED), PARTS):
        check_solutions(normalised(seed, **PRESETS[preset]), EVERYBODY, seed)


@pytest.mark.parametrize("case", ["small", "paper"])
def test_a_scaled_network_has_the_same_outcomes(case):
    instance = sample_instance(case, seed=3)
    other = scaled(instance)
    assert other.scenario == instance.scenario.replace(noise_power_w=1.0)
    decision = solve("fixedbf", instance).decision
    before, after = evaluate(instance, decision), evaluate(other, decision)
    for field in ("energy_j", "latency_s", "downlink_secrecy", "uplink_secrecy"):
        np.testing.assert_allclose(getattr(after, field), getattr(before, field), rtol=1e-9)
    again = scaled(in_other_units(instance, 2.0**-30))
    np.testing.assert_array_equal(again.channel_bs, other.channel_bs)
    np.testing.assert_array_equal(again.gain_eve, other.gain_eve)


@pytest.mark.parametrize("field", ["channel_bs", "channel_eve", "gain_agents", "gain_eve"])
def test_gains_beyond_all_measure_are_refused(field):
    instance = sample_instance("small", seed=0)
    noise = instance.scenario.noise_power_w
    largest = 1e60 * noise if field.startswith("gain") else 1e30 * np.sqrt(noise)
    array = getattr(instance, field).copy()
    array.flat[1] = 0.99 * largest
    assert np.isfinite(getattr(scaled(instance.replace(**{field: array})), field)).all()
    for factor in (1.01, 1e200):
        array.flat[1] = factor * largest
        with pytest.raises(
            ValueError, match=f"^{field} is too large beside noise_power_w: solvers take .* up to 1e[+]60"
        ):
            solvers.make("exact").solve(instance.replace(**{field: array}))


@pytest.mark.parametrize(("vectors", "dimensions"), [(1, 4), (3, 4), (4, 4), (6, 4), (2, 1)])
@pytest.mark.parametrize("length", [1.0, 1e3, 1e15])
def test_whitening_vectors_of_any_length(vectors, dimensions, length):
    rng = np.random.default_rng(0)
    g = length * (rng.standard_normal((vectors, dimensions, 2)) @ [1, 1j])
    g[0] *= 1e-3 if vectors > 1 else 1
    whiten, images = whitened(g)
    square = whiten @ whiten.conj().T
    np.testing.assert_allclose(square, np.diag(np.diagonal(square)), atol=1e-15)
    # V (I + Σ g gᴴ) Vᴴ = I
    np.testing.assert_allclose(square + images.T @ images.conj(), np.eye(dimensions), atol=1e-12)
    if length < 1e6:
        np.testing.assert_allclose(images, g @ whiten.T, atol=1e-12)
    if vectors < dimensions:  # vectors at right angles to all of them keep their length
        _, _, rows = np.linalg.svd(g.conj())
        assert np.linalg.norm(whiten @ rows[-1].conj()) == pytest.approx(1, abs=1e-12 * max(1, length * 1e-13))
