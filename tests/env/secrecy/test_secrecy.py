"""Secrecy outage and ergodic secrecy rates: closed forms against hand values, Monte Carlo, limits and scales."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import exp1

from secagent_env import Decision, Scenario, sample_instance
from secagent_env.model.physics import downlink_sinr, secrecy_rate, uplink_sinr
from secagent_env.sampling.beforehand import eve_prior
from secagent_env.sampling.eavesdroppers import draw_eavesdroppers
from secagent_env.sampling.estimation import posterior_eavesdroppers
from secagent_env.secrecy import FadingSINR, Wiretap, ergodic_secrecy_rate, secrecy_outage, wiretap
from secagent_env.secrecy.power import power_quantile, power_tails

LN2 = math.log(2)
SCENARIO = Scenario(num_agents=5, num_antennas=3, min_selected=2, eve_area_m=(20, 100))


def channel(sinr, signal=0.0, spread=1.0, others=(), others_spread=(), noise=1.0, **more):
    """Return one link, with eavesdroppers of these powers."""
    others, others_spread = (np.reshape(each, (-1, 1)) for each in (others, others_spread))
    eve = FadingSINR(
        signal_w=signal, signal_spread_w=spread, noise_w=noise, others_w=others, others_spread_w=others_spread, **more
    )
    return Wiretap(np.asarray(sinr, float), eve)


def agree(one, simulated):
    """Check an estimate against one of Monte Carlo."""
    assert simulated.method == "monte-carlo"
    assert (one.standard_error == 0).all()
    assert (np.abs(one.value - simulated.value) <= 4.5 * simulated.standard_error).all()


# --- A received power -----------------------------------------------------------------------------------------


def test_the_power_of_no_mean_is_exponential():
    level = np.array([1e-9, 0.3, 2.0, 300.0])
    below, above = power_tails(level, 0.0, 0.5)
    np.testing.assert_allclose(below, -np.expm1(-level / 0.5), rtol=1e-12)
    np.testing.assert_allclose(above, np.exp(-level / 0.5), rtol=1e-10)


@pytest.mark.parametrize("ratio", [0.0, 0.7, 50.0, 9e7, 2e8, 1e14])
def test_tails_are_those_of_the_quantile_in_any_unit(ratio):
    for unit in (1e-30, 1.0, 1e12):
        level = power_quantile(ratio * unit, unit, 0.1)
        below, above = power_tails(level, ratio * unit, unit)
        assert above == pytest.approx(0.1, rel=2e-3 if ratio > 1e4 else 1e-9)
        assert below + above == pytest.approx(1, rel=1e-12)


def test_tails_of_every_size_are_numbers():
    rng = np.random.default_rng(0)
    power, spread, more = 10 ** rng.uniform(-30, 12, (3, 4000))
    for level in (power, more, np.abs(np.sqrt(power) - 8 * np.sqrt(spread)) ** 2):
        below, above = power_tails(level, power, spread)
        assert ((below >= 0) & (above >= 0)).all()
        np.testing.assert_allclose(below + above, 1, rtol=1e-9)


def test_without_spread_a_power_is_certain():
    below, above = power_tails(np.array([-1.0, 0.9, 1.0, 2.0]), 1.0, 0.0)
    np.testing.assert_array_equal(below, [0, 0, 1, 1])
    np.testing.assert_array_equal(above, [1, 1, 0, 0])
    np.testing.assert_array_equal(power_tails(-1.0, 1.0, 0.5), [0, 1])


# --- By hand --------------------------------------------------------------------------------------------------


def test_outage_of_a_rayleigh_eavesdropper():
    # γ_e must exceed (1 + 3) / 2 − 1 = 1, in units of its mean 2 / 4.
    outage = secrecy_outage(channel(3.0, spread=2.0, noise=4.0), 1.0)
    assert outage.method == "closed-form"
    assert outage.value == pytest.approx(math.exp(-2.0), rel=1e-12)
    assert secrecy_outage(channel(3.0), 0.0).value == pytest.approx(math.exp(-3.0))  # nothing in secret at all
    assert secrecy_outage(channel(3.0), 2.0).value == 1.0  # more than the receiver hears itself
    assert secrecy_outage(channel(3.0), 1e4).value == 1.0


def test_outage_with_a_rayleigh_jammer_is_a_ratio_of_exponentials():
    # P(|x|² > 1 · (|y|² + σ²)) = e^(−σ²/v) v / (v + v_j)
    outage = secrecy_outage(channel(3.0, spread=2.0, others=[0.0], others_spread=[6.0]), 1.0)
    assert outage.value == pytest.approx(math.exp(-0.5) * 2 / 8, rel=1e-12)
    two = secrecy_outage(channel(3.0, spread=2.0, others=[0.0, 0.0], others_spread=[6.0, 1.0]), 1.0)
    assert two.value == pytest.approx(math.exp(-0.5) * 2 / 8 * 2 / 3, rel=1e-12)
    certain = secrecy_outage(channel(3.0, spread=2.0, others=[0.5], others_spread=[0.0]), 1.0)
    assert certain.value == pytest.approx(math.exp(-0.75), rel=1e-12)


def test_outage_of_a_link_with_a_mean():
    outage = secrecy_outage(channel(3.0, signal=1.5, spread=0.5, noise=2.0), 1.0)
    assert outage.value == pytest.approx(stats.ncx2.sf(8.0, 2, 6.0), rel=1e-12)


def test_of_several_eavesdroppers_the_best_counts():
    together = secrecy_outage(channel(3.0, spread=[1.0, 2.0, 0.5]), 1.0)
    parts = [secrecy_outage(channel(3.0, spread=v), 1.0).value for v in (1.0, 2.0, 0.5)]
    assert together.value == pytest.approx(1 - np.prod(1 - np.array(parts)), rel=1e-12)
    rare = secrecy_outage(channel(200.0, spread=[1.0, 1.0]), 0.0)
    assert rare.value == pytest.approx(2 * math.exp(-200.0), rel=1e-9)


def test_outage_over_a_fading_receiver_is_that_of_bloch_et_al():
    # 1 − γ̄ e^(−(2^R − 1)/γ̄) / (γ̄ + 2^R γ̄_e), both of them Rayleigh.
    mean, heard, rate = 5.0, 0.8, 0.7
    sinr = -mean * np.log((np.arange(20_000) + 0.5) / 20_000)
    outage = secrecy_outage(channel(sinr, spread=heard), rate).value.mean()
    expected = 1 - mean / (mean + 2**rate * heard) * math.exp(-(2**rate - 1) / mean)
    assert outage == pytest.approx(expected, abs=1e-5)


def test_ergodic_rate_of_a_rayleigh_eavesdropper():
    # [ln 2 − e (E₁(1) − E₁(2))] / ln 2, with E₁(1) = 0.2193839344 and E₁(2) = 0.0489005107
    rate = ergodic_secrecy_rate(channel(1.0, spread=3.0, noise=3.0))
    assert rate.method == "closed-form"
    assert rate.value == pytest.approx((LN2 - math.e * (0.2193839344 - 0.0489005107)) / LN2, rel=1e-9)
    z, sinr = 0.3, 12.0
    expected = (math.log1p(sinr) - math.exp(z) * (exp1(z) - exp1(z * (1 + sinr)))) / LN2
    assert ergodic_secrecy_rate(channel(sinr, spread=1 / z)).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("spread", [1e-9, 0.1, 1.0, 40.0])
def test_quadrature_is_the_closed_form(spread):
    many = channel([0.0, 0.03, 1.0, 80.0, 1e6], spread=spread)
    closed, integrated = (ergodic_secrecy_rate(many, method=name) for name in ("closed-form", "quadrature"))
    np.testing.assert_allclose(integrated.value, closed.value, rtol=1e-8)


def test_quadrature_takes_over_where_differences_lose_digits():
    # γ_e ≫ γ: ∫₀^γ z s ds / ln 2 with z γ ≪ 1
    faint = ergodic_secrecy_rate(channel(1e-4, spread=1e5))
    assert faint.method == "quadrature"
    assert faint.value == pytest.approx(1e-5 * 1e-8 / 2 / LN2, rel=1e-4)


# --- Against draws --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "eavesdropper",
    [
        {"spread": 1.0},
        {"signal": 2.0, "spread": 0.3},
        {"signal": [1.0, 0.0, 0.2], "spread": [0.3, 1.0, 0.0]},
        {"spread": 2.0, "others": [0.3, 0.0], "others_spread": [1.0, 2.0]},
        {"spread": 5.0, "others": [3.0], "others_spread": [0.0]},
    ],
)
def test_closed_forms_agree_with_draws(eavesdropper):
    links = channel([0.4, 2.0, 9.0], **eavesdropper)
    agree(secrecy_outage(links, 0.4), secrecy_outage(links, 0.4, method="monte-carlo"))
    agree(ergodic_secrecy_rate(links), ergodic_secrecy_rate(links, method="monte-carlo"))


def test_the_standard_error_is_that_of_the_mean():
    links = channel(2.0)
    for ask in (
        lambda seed: secrecy_outage(links, 0.5, method="monte-carlo", draws=500, seed=seed),
        lambda seed: ergodic_secrecy_rate(links, method="monte-carlo", draws=500, seed=seed),
    ):
        found = [ask(seed) for seed in range(200)]
        assert np.std([each.value for each in found]) == pytest.approx(found[0].standard_error, rel=0.15)
    never = secrecy_outage(channel(1e9), 1.0, method="monte-carlo", draws=1000)
    assert never.value == 0
    assert 0 < never.standard_error < 2e-3


def test_the_same_seed_gives_the_same_draws():
    one, other, another = (secrecy_outage(channel(2.0), 0.5, method="monte-carlo", seed=s).value for s in (1, 1, 2))
    assert one == other != another


# --- Limits and scales ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [1e-30, 1e-12])
@pytest.mark.parametrize(
    "fields",
    [{"spread": 0.7}, {"signal": 0.4, "spread": 0.7}, {"spread": 0.7, "others_spread": [0.2], "others": [0.1]}],
)
def test_ratios_alone_matter(fields, noise):
    powers = {name: np.multiply(value, noise) for name, value in fields.items()}
    plain, scaled = channel([0.5, 3.0], **fields), channel([0.5, 3.0], **powers, noise=noise)
    for ask in (lambda link: secrecy_outage(link, 0.2), ergodic_secrecy_rate):
        np.testing.assert_allclose(ask(scaled).value, ask(plain).value, rtol=1e-8)


@pytest.mark.parametrize("noise", [1e-30, 1e-13, 1.0])
@pytest.mark.parametrize("gain", [1e-12, 1e-6, 1.0])
def test_eavesdroppers_far_above_the_noise_and_far_below_it(gain, noise):
    for fields in ({"spread": gain}, {"spread": 0.1 * gain, "signal": 0.9 * gain}):
        heard = channel(3.0, **fields, noise=noise)
        outage, rate = secrecy_outage(heard, 1.0).value, ergodic_secrecy_rate(heard).value
        if gain < 1e-3 * noise:
            assert outage == pytest.approx(0, abs=1e-100)
            assert rate == pytest.approx(2 - gain / noise / LN2, rel=1e-5)
        elif gain > 1e3 * noise:
            assert outage == pytest.approx(1, abs=2 * noise / gain)
            assert 0 <= rate < 10 * noise / gain
        elif "signal" not in fields:
            assert outage == pytest.approx(math.exp(-noise / gain), rel=1e-12)


@pytest.mark.parametrize("signal", [0.0, 1e-5])
def test_ratios_beyond_all_measure_are_infinite(signal):
    deaf, all_ears = (
        channel(1e20, spread=1e-300, signal=1e-3 * signal),
        channel(1.0, spread=1e300, signal=signal, noise=1e-30),
    )
    assert ergodic_secrecy_rate(deaf).value == pytest.approx(math.log2(1e20), rel=1e-6)
    assert secrecy_outage(deaf, 1.0).value == 0
    assert 0 <= ergodic_secrecy_rate(all_ears).value < 1e-290
    assert secrecy_outage(all_ears, 0.1).value == 1


def test_an_eavesdropper_of_less_and_less_spread_becomes_certain():
    certain = channel([1.0, 4.0], signal=2.0, spread=0.0)
    rate = ergodic_secrecy_rate(certain)
    assert rate.method == "closed-form"
    np.testing.assert_allclose(rate.value, [0.0, math.log2(5 / 3)])
    np.testing.assert_array_equal(secrecy_outage(certain, 0.5).value, [1.0, 0.0])
    for spread in (1e-8, 1e-13):
        near = channel([1.0, 4.0], signal=2.0, spread=spread)
        np.testing.assert_allclose(ergodic_secrecy_rate(near).value, rate.value, atol=4 * math.sqrt(spread))
        np.testing.assert_array_equal(secrecy_outage(near, 0.5).value, [1.0, 0.0])
    silent = ergodic_secrecy_rate(channel(4.0, signal=0.0, spread=0.0))
    assert silent.value == pytest.approx(math.log2(5))


def test_a_mean_that_fades_leaves_the_exponential():
    plain, near = channel([0.5, 3.0], spread=0.7), channel([0.5, 3.0], signal=1e-12, spread=0.7)
    np.testing.assert_allclose(secrecy_outage(near, 0.2).value, secrecy_outage(plain, 0.2).value, rtol=1e-10)
    np.testing.assert_allclose(ergodic_secrecy_rate(near).value, ergodic_secrecy_rate(plain).value, rtol=1e-9)


def test_outage_rises_with_the_rate_and_with_the_eavesdropper():
    outages = [[secrecy_outage(channel(5.0, spread=v), r).value for r in (0.1, 0.5, 2.0)] for v in (0.2, 1.0, 5.0)]
    assert (np.diff(outages, axis=0) > 0).all()
    assert (np.diff(outages, axis=1) > 0).all()


# --- Of an instance -------------------------------------------------------------------------------------------


def decision_of(instance, seed=0, jammers=2):
    rng = np.random.default_rng(seed)
    beam = rng.normal(size=3) + 1j * rng.normal(size=3)
    selection = np.array([True, False, True, False, True])
    power = instance.scenario.noise_power_w / instance.bs_gain * rng.uniform(0.5, 2, 5)
    power[np.flatnonzero(~selection)[jammers:]] = 0.0
    return Decision(selection=selection, beamformer=1e-3 * beam, power_w=power)


@pytest.mark.parametrize("error_variance", [None, 0.3])
@pytest.mark.parametrize("eavesdroppers", [1, 2])
@pytest.mark.parametrize("link", ["downlink", "uplink"])
def test_what_is_known_of_a_link_is_what_draws_of_it_say(link, eavesdroppers, error_variance):
    instance = sample_instance(SCENARIO.replace(num_eavesdroppers=eavesdroppers), seed=2)
    if error_variance is not None:
        instance = posterior_eavesdroppers(instance, error_variance)
    decision = decision_of(instance)
    tapped, heard = wiretap(instance, decision, link), downlink_sinr if link == "downlink" else uplink_sinr
    parts = draw_eavesdroppers(instance, eve_prior(instance), 20_000, np.random.default_rng(0))
    receivers, eves = zip(*(heard(part, decision) for part in parts), strict=True)
    sinr = np.where(decision.selection, receivers[0][0], np.inf if link == "downlink" else 0.0)
    sinr = sinr.min() if link == "downlink" else sinr
    np.testing.assert_allclose(tapped.sinr, sinr)
    worst = np.concatenate(eves).max(axis=-1)
    rate = float(np.max(np.log2(1 + sinr))) / 4
    expected = np.mean(np.log2(1 + sinr) - np.log2(1 + worst) < rate, axis=0)
    outage = secrecy_outage(tapped, rate, draws=20_000)
    assert outage.method == ("closed-form" if error_variance is None else "monte-carlo")
    np.testing.assert_allclose(outage.value, expected, atol=0.02)
    ergodic = ergodic_secrecy_rate(tapped, draws=20_000)
    np.testing.assert_allclose(
        ergodic.value, secrecy_rate(sinr, worst).mean(axis=0), atol=0.02 * np.log2(1 + sinr).max()
    )
    assert (np.isin(outage.value, [0, 1]) != decision.selection).all() or link == "downlink"


def test_a_null_at_the_estimate_leaves_its_error():
    instance = posterior_eavesdroppers(sample_instance(SCENARIO, seed=4), 0.2)
    decision = decision_of(instance, jammers=0)
    eve = instance.channel_eve[0]
    beam = decision.beamformer - eve * (eve.conj() @ decision.beamformer) / np.sum(np.abs(eve) ** 2)
    decision = decision.replace(beamformer=beam)
    tapped = wiretap(instance, decision)
    variance = instance.prior_bs_covariance[0, 0, 0].real * np.sum(np.abs(beam) ** 2)
    rate = float(np.log2(1 + tapped.sinr)) / 2
    limit = (1 + tapped.sinr) / 2**rate - 1
    expected = math.exp(-limit * instance.scenario.noise_power_w / variance)
    assert 0.01 < expected < 0.99
    assert secrecy_outage(tapped, rate).value == pytest.approx(expected, rel=1e-6)
    jammed = secrecy_outage(wiretap(instance, decision.replace(power_w=decision_of(instance).power_w)), rate)
    assert jammed.method == "closed-form"
    assert ergodic_secrecy_rate(tapped).method == "closed-form"


def test_in_a_disc_draws_tell():
    instance = sample_instance(SCENARIO.replace(eve_position_error_m=30.0), seed=2)
    tapped = wiretap(instance, decision_of(instance))
    rate = float(np.log2(1 + tapped.sinr)) / 2
    wide = secrecy_outage(tapped, rate, draws=20_000)
    assert wide.method == "monte-carlo"
    places = [instance.replace(scenario=SCENARIO)] * 300
    unit = np.random.default_rng(3).random((300, 2))
    offset = 30 * np.sqrt(unit[:, :1]) * np.stack([np.cos(6.2832 * unit[:, 1]), np.sin(6.2832 * unit[:, 1])], axis=-1)
    moved = [i.replace(eve_position_m=i.eve_position_m + o) for i, o in zip(places, offset, strict=True)]
    outages = [secrecy_outage(wiretap(i, decision_of(i)), rate).value for i in moved]
    assert np.mean(outages) == pytest.approx(wide.value, abs=4 * np.std(outages) / math.sqrt(300) + 0.01)


@pytest.mark.parametrize("link", ["downlink", "uplink"])
def test_artificial_noise_is_heard_by_draws_and_by_the_receivers(link):
    instance, rng = sample_instance(SCENARIO, seed=2), np.random.default_rng(5)
    root = 1e-2 * (rng.normal(size=(3, 2)) + 1j * rng.normal(size=(3, 2)))
    quiet, noisy = decision_of(instance), decision_of(instance).replace(noise_covariance=root @ root.conj().T)
    tapped, before = wiretap(instance, noisy, link), wiretap(instance, quiet, link)
    rate = float(np.max(np.log2(1 + tapped.sinr))) / 4
    outage = secrecy_outage(tapped, rate, draws=20_000)
    parts = draw_eavesdroppers(instance, eve_prior(instance), 20_000, np.random.default_rng(0))
    heard = downlink_sinr if link == "downlink" else uplink_sinr
    worst = np.concatenate([heard(part, noisy)[1] for part in parts]).max(axis=-1)
    expected = np.mean(np.log2(1 + tapped.sinr) - np.log2(1 + worst) < rate, axis=0)
    np.testing.assert_allclose(outage.value, expected, atol=0.02)
    if link == "uplink":  # the base station does not send while agents do
        assert outage.method == "closed-form"
        np.testing.assert_array_equal(tapped.sinr, before.sinr)
    else:
        assert outage.method == "monte-carlo"
        assert 0.05 < expected < 0.95
        assert (tapped.sinr < 0.9 * before.sinr).all()
        assert abs(secrecy_outage(before, rate).value - expected) > 0.05  # what the noise changes is seen


def test_those_who_collude_add_up():
    instance = sample_instance(SCENARIO.replace(num_eavesdroppers=2, colluding=True), seed=2)
    tapped = wiretap(instance, decision_of(instance))
    apart = wiretap(instance.replace(scenario=instance.scenario.replace(colluding=False)), decision_of(instance))
    rate = float(np.log2(1 + tapped.sinr)) / 2
    together, best = secrecy_outage(tapped, rate, draws=40_000), secrecy_outage(apart, rate)
    assert (together.method, best.method) == ("monte-carlo", "closed-form")
    assert together.value > best.value
    one = channel(3.0, colluding=True)
    assert secrecy_outage(one, 1.0).method == "closed-form"


def test_nobody_selected_hears_nothing():
    instance = sample_instance(SCENARIO, seed=2)
    nobody = decision_of(instance).replace(selection=np.zeros(5, bool))
    assert secrecy_outage(wiretap(instance, nobody), 0.1).value == 1
    assert ergodic_secrecy_rate(wiretap(instance, nobody)).value == 0


# --- Bad input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: secrecy_outage(channel(1.0), -0.1), "rate must be a finite number ≥ 0, got -0.1"),
        (lambda: secrecy_outage(channel(1.0), 0.1, method="exact"), "method must be one of auto, closed-form"),
        (lambda: secrecy_outage(channel(1.0), 0.1, method="quadrature"), "method='quadrature' is not there for this"),
        (
            lambda: secrecy_outage(channel(1.0, spread=[1, 1], colluding=True), 0.1, method="closed-form"),
            "method='closed-form' is not there for this link and quantity, only monte-carlo",
        ),
        (lambda: secrecy_outage(channel(1.0), 0.1, method="monte-carlo", draws=1), "draws must be an integer ≥ 2"),
        (lambda: secrecy_outage(channel(1.0), 0.1, method="monte-carlo", seed=-1), "seed must be"),
        (lambda: ergodic_secrecy_rate(channel(math.nan)), "sinr must hold finite numbers ≥ 0"),
        (lambda: channel(1.0, spread=-1.0), "signal_spread_w must hold powers ≥ 0"),
        (lambda: channel(1.0, noise=0.0), "noise_w must be a finite number > 0, got 0.0"),
    ],
)
def test_bad_arguments(ask, said):
    with pytest.raises(ValueError, match=said):
        ask()


def test_instances_that_will_not_do():
    instance = sample_instance(SCENARIO, seed=2)
    decision = decision_of(instance)
    with pytest.raises(ValueError, match="link must be one of downlink, uplink, got 'sidelink'"):
        wiretap(instance, decision, "sidelink")
    with pytest.raises(
        ValueError, match=r"wiretap needs a single instance and decision, got batches of \(2,\) and \(\)"
    ):
        wiretap(sample_instance(SCENARIO, seed=2, batch=2), decision)
    with pytest.raises(ValueError, match="nothing is known of the eavesdroppers beforehand"):
        wiretap(instance.replace(eve_position_m=None), decision)
