"""Artificial noise of the base station: its physics, its checks, and the environment's action."""

import math

import gymnasium
import numpy as np
import pytest
from reference_model import random_decision, random_instance, reference, relative_rounding

from secagent_env import Decision, Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import DictFormat, FlatFormat
from secagent_env.allocation.guided import GuidedFormat
from secagent_env.model.physics import downlink_sinr, heard_noise

SMALL = Scenario(num_agents=5, num_antennas=4, num_eavesdroppers=2, min_accuracy=0.5, min_selected=1)
FIELDS = ("energy_j", "latency_s", "downlink_time_s", "downlink_secrecy", "transmission_energy_j")


def covariance(rng, antennas=4, rank=2, watts=1.0):
    factor = rng.normal(size=(antennas, rank)) + 1j * rng.normal(size=(antennas, rank))
    value = factor @ factor.conj().T
    return value * (watts / np.trace(value).real)


@pytest.fixture(scope="module")
def network():
    return sample_instance("small", seed=8)


@pytest.fixture
def decision():
    return Decision(
        selection=[True, True, False, False, False, False],
        beamformer=np.full(4, 1.5 + 0.2j),
        power_w=[1e-9, 1e-9, 0.0, 1e-6, 0.0, 0.0],
        noise_covariance=covariance(np.random.default_rng(0), watts=1e-6),
    )


# --- physics ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", [SMALL, SMALL.replace(colluding=True)], ids=["", "colluding"])
def test_matches_the_50_digit_reference(scenario):
    rng = np.random.default_rng(4)
    delivered = 0
    for _ in range(8):
        instance = random_instance(rng, scenario)
        decision = random_decision(rng, instance, "quiet", nulling=True, able=True)
        noise = covariance(rng, watts=10.0 ** rng.integers(-8, 1))
        decision = decision.replace(noise_covariance=noise)
        ref = reference(instance, decision)
        assert relative_rounding(ref) <= 1e-9
        outcome = evaluate(instance, decision)
        for name in FIELDS:
            assert float(getattr(outcome, name)) == pytest.approx(float(getattr(ref, name)), rel=1e-9), name
        assert outcome.violations["beam_power_w"] == pytest.approx(float(ref.violations["beam_power_w"]), rel=1e-12)
        assert bool(outcome.feasible) is ref.feasible
        delivered += math.isfinite(outcome.energy_j)
    assert delivered >= 3


def test_every_receiver_hears_it(network, decision):
    """hᴴVh of every agent and every eavesdropper is added to what disturbs it, conjugate on the left."""
    silent = decision.replace(noise_covariance=None)
    for with_noise, without, channels in zip(
        downlink_sinr(network, decision),
        downlink_sinr(network, silent),
        (network.channel_bs, network.channel_eve),
        strict=True,
    ):
        signal = np.abs(channels.conj() @ decision.beamformer) ** 2
        heard = np.array([(h.conj() @ decision.noise_covariance @ h).real for h in channels])
        np.testing.assert_allclose(signal / with_noise - signal / without, heard, rtol=1e-6)
        np.testing.assert_allclose(heard_noise(channels, decision.noise_covariance), heard, rtol=1e-12)


def test_the_uplink_does_not_hear_it(network, decision):
    outcome, silent = (evaluate(network, d) for d in (decision, decision.replace(noise_covariance=None)))
    np.testing.assert_array_equal(outcome.uplink_secrecy, silent.uplink_secrecy)
    assert outcome.downlink_secrecy != silent.downlink_secrecy


def test_it_shares_the_budget_with_the_beam(network, decision):
    beam_w = float(np.sum(np.abs(decision.beamformer) ** 2))
    rest = 10.0 - beam_w
    for watts, feasible in ((rest, True), (rest * 1.001, False)):
        noisy = decision.replace(noise_covariance=covariance(np.random.default_rng(1), watts=watts))
        outcome = evaluate(network, noisy)
        assert outcome.violations["beam_power_w"] == pytest.approx(watts - rest, abs=1e-12)
        assert bool(outcome.violated["beam_power_w"]) is not feasible


def test_zero_noise_is_none_bit_for_bit(network, decision):
    silent = decision.replace(noise_covariance=None)
    zero = decision.replace(noise_covariance=np.zeros((4, 4)))
    for name in FIELDS:
        assert getattr(evaluate(network, zero), name) == getattr(evaluate(network, silent), name)


def test_a_singular_covariance_is_never_heard_with_negative_power(network):
    """Noise in the null space of a channel, where rounding has either sign."""
    h = network.channel_bs[0]
    null = np.eye(4) - np.outer(h, h.conj()) / np.linalg.norm(h) ** 2
    heard = heard_noise(network.channel_bs, 10 * null)
    assert heard[0] >= 0
    assert heard[0] < 1e-12 * heard[1]


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_batches_are_evaluated_as_their_decisions(network, decision, shape):
    rng = np.random.default_rng(2)
    count = math.prod(shape)
    single = [decision.replace(noise_covariance=covariance(rng, watts=10.0**-k)) for k in range(count)]
    batch = Decision.stack(single)
    batch = batch._map(lambda array: array.reshape(*shape, *array.shape[1:]))
    outcome = evaluate(network, batch)
    for flat, one in zip(outcome.energy_j.ravel(), single, strict=True):
        assert flat == evaluate(network, one).energy_j


@pytest.mark.parametrize("name", ["torch", "array_api_strict"])
def test_other_libraries_agree(network, decision, name):
    library = pytest.importorskip(name)
    there = evaluate(network.to(library), decision.to(library))
    for field in FIELDS:
        assert float(getattr(there, field)) == pytest.approx(float(getattr(evaluate(network, decision), field)))
    again = decision.to(library).replace(power_w=library.zeros(6, dtype=library.float64))  # checked there, too
    assert again.noise_covariance is not None
    with pytest.raises(ValueError, match="must be Hermitian"):
        again.replace(noise_covariance=library.asarray(1j * np.ones((4, 4))))


def test_the_energy_is_differentiable_in_it(network, decision):
    torch = pytest.importorskip("torch")
    there, moved = network.to(torch), decision.to(torch)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)

    def time_at(factor):
        noisy = Decision._trusted(**moved._fields() | {"noise_covariance": factor * moved.noise_covariance})
        return evaluate(there, noisy).downlink_time_s

    time_at(scale).backward()
    step = 1e-5
    with torch.no_grad():
        slope = (time_at(1 + step) - time_at(1 - step)) / (2 * step)
    assert float(scale.grad) == pytest.approx(float(slope), rel=1e-4)


# --- decisions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.eye(3), r"must have shape \(…, L, L\) = \(4, 4\), got \(3, 3\)"),
        (np.ones((2, 4, 4)), r"must have shape \(…, L, L\) = \(4, 4\), got \(2, 4, 4\)"),
        (np.triu(np.ones((4, 4))), "must be Hermitian"),
        (np.diag([1.0, 1.0, 1.0, -1e-3]), "must be positive semidefinite, got the eigenvalue -0.001 W"),
        (np.full((4, 4), np.nan), "must be finite, got 16 NaN or infinite"),
        ("loud", "must be an array of numbers"),
        (1.0, r"must have shape \(…, L, L\) = \(4, 4\), got \(\)"),
    ],
)
def test_a_bad_covariance_is_one_sentence(decision, value, said):
    with pytest.raises(ValueError, match=f"^noise_covariance {said}") as caught:
        decision.replace(noise_covariance=value)
    assert "\n" not in str(caught.value)


def test_rounding_is_granted(decision):
    """A product FFᴴ of rank one has eigenvalues below zero by rounding; single precision has larger ones."""
    torch = pytest.importorskip("torch")
    one = covariance(np.random.default_rng(3), rank=1)
    assert decision.replace(noise_covariance=one).noise_covariance is not None
    single = decision.to(torch, dtype=torch.float32)
    assert single.replace(noise_covariance=single.noise_covariance).noise_covariance.dtype == torch.complex64


def test_a_real_covariance_becomes_complex(decision):
    assert decision.replace(noise_covariance=np.eye(4)).noise_covariance.dtype == complex


def test_stacking_keeps_the_noise_of_those_who_have_it(network, decision):
    silent = decision.replace(noise_covariance=None)
    both = Decision.stack([decision, silent])
    np.testing.assert_array_equal(both.noise_covariance, [decision.noise_covariance, np.zeros((4, 4))])
    assert evaluate(network, both).energy_j[1] == evaluate(network, silent).energy_j
    assert Decision.stack([silent, silent]).noise_covariance is None
    np.testing.assert_array_equal(both[0].noise_covariance, decision.noise_covariance)


# --- the environment's action -------------------------------------------------------------------------------


def test_the_dict_format_has_it_where_asked_for(decision):
    form = DictFormat(Scenario.preset("small"), artificial_noise=True)
    action = form.encode(decision)
    assert form.space.contains(action)
    assert action["noise"].shape == (32,)
    back = form.decode(action)
    np.testing.assert_allclose(back.noise_covariance, decision.noise_covariance, rtol=0, atol=1e-21)
    assert not form.encode(decision.replace(noise_covariance=None))["noise"].any()
    assert "noise" not in DictFormat(Scenario.preset("small")).space.spaces


def test_a_factor_is_read_row_by_row(decision):
    form = DictFormat(Scenario.preset("small"), artificial_noise=True)
    factor = np.zeros((4, 4), complex)
    factor[0, 1], factor[2, 1] = 0.5, 0.25j  # one noise source, heard from two antennas
    flat = factor.ravel()
    action = form.encode(decision) | {"noise": np.concatenate([flat.real, flat.imag])}
    expected = np.zeros((4, 4), complex)
    expected[0, 0], expected[2, 2], expected[0, 2], expected[2, 0] = 0.25, 0.0625, -0.125j, 0.125j
    np.testing.assert_array_equal(form.decode(action).noise_covariance, expected)


def test_batches_of_actions_are_decoded_as_single_ones(decision):
    form = DictFormat(Scenario.preset("small"), artificial_noise=True)
    form.space.seed(1)
    actions = [form.space.sample() for _ in range(3)]
    batch = form.decode({name: np.stack([action[name] for action in actions]) for name in actions[0]})
    for i, action in enumerate(actions):
        np.testing.assert_allclose(batch.noise_covariance[i], form.decode(action).noise_covariance, rtol=1e-12)
    with pytest.raises(ValueError, match=r"action\['noise'\] must have the batch dimensions \(\)"):
        form.decode(actions[0] | {"noise": np.zeros((2, 32))})


def test_other_formats_leave_it_out(network, decision):
    for form in (FlatFormat(network.scenario), GuidedFormat(network.scenario), DictFormat(network.scenario)):
        assert form.decode(form.encode(decision, network), network).noise_covariance is None


@pytest.mark.parametrize("name", ["secagent/Allocation-v0", "secagent/Lifetime-v0"])
def test_the_environments_take_it(name):
    arguments = {"scenario": "small", "action_format": "dict", "artificial_noise": True}
    env = gymnasium.make(name, **arguments)
    env.reset(seed=3)
    env.action_space.seed(3)
    action = env.action_space.sample()
    many = gymnasium.make_vec(name, num_envs=2, **arguments)
    many.reset(seed=3)
    _, rewards, *_ = many.step({key: np.stack([value, value]) for key, value in action.items()})
    _, reward, *_ = env.step(action)
    assert rewards[0] == pytest.approx(reward, rel=1e-12)
    assert env.unwrapped.decode(action).noise_covariance.any()
    if name == "secagent/Allocation-v0":  # where a task that is not served earns more than nothing
        env.reset(seed=3)
        assert env.step(action | {"noise": np.zeros(32)})[1] != reward


@pytest.mark.parametrize("name", ["flat", "guided"])
def test_it_needs_the_dict_format(name):
    with pytest.raises(ValueError, match=f"^artificial_noise needs action_format='dict', got '{name}'"):
        gymnasium.make("secagent/Allocation-v0", action_format=name, artificial_noise=True)
    with pytest.raises(ValueError, match=r"^artificial_noise must be True or False, got 'yes'"):
        gymnasium.make("secagent/Allocation-v0", action_format=name, artificial_noise="yes")
