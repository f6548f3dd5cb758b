"""Serving a selection: the beam, the jammers and the senders' powers that are nearly the best ones for who computes.

Given the selected agents, what is left is to protect the downlink, so that it is fast enough, and the uploads, at
little energy. Nobody jams, where that is enough. Else beam and jammers are found together. With the SINRs a_k of the
selected agents and b_e of the eavesdroppers, jamming included, a = min a_k and b = max b_e (or Σ b_e, where they
collude), a fixed point is iterated.

- Weights λ shift to the weakest agents and μ to the loudest eavesdroppers, as in the multiplicative updates of
  Gopalakrishnan and Sidiropoulos (2015) for multicasting without eavesdroppers.
- The beam of the highest ln(1 + a) − ln(1 + b) for these weights, with channels h_k and g_e in units of the
  interference that each receiver hears, follows from the one before:
  w ∝ (ν I + Σ_e μ_e g_e g_eᴴ)⁻¹ Σ_k λ_k h_k h_kᴴ w,  ν = Σ_k λ_k a_k / (1 + a) − Σ_e μ_e b_e / (1 + b).
- A jammer is worth what it takes from the eavesdroppers, and costs what it takes from the agents and the base station,
  and its energy. Its power is multiplied by the root of the ratio of both, as in the updates of Lee and Seung (2001):
  where it stands still, both are equal.
- Uploads are secret beside quiet senders iff r_ke = (|h_ke|² / g_k) · (I_0 / I_e) < 1, where I_0 and I_e are what the
  base station and the eavesdropper hear besides (:mod:`solvers.certificate.linear_test`). Weights ψ_ke grow where r_ke
  is too large.
- Energy is priced by what the optimum would pay, at most: less, while the downlink is too slow.

The first two are iterated alone where nobody jams. Both iterations start from the zero-forcing beam, and keep the best
on the way. The senders then have equal secrecy rates, at the least powers with which all messages arrive in time: a
fixed point too (Yates 1995), from the quietest of several levels of loudness at which that is possible.

What is found is a local optimum: a selection that is not served may yet be feasible.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from secagent_env.model.beams import beam_directions
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario

QUIET_ITERATIONS, ITERATIONS = 30, 60
"""Of the beam alone, and of the beam with the jammers."""

ZERO_FORCING = 2  # of the beam directions
LEAST = 1e-300
RATE = 0.6
"""The exponent with which weights follow the SINRs: faster is rougher."""
FLOOR, LEAST_WEIGHT = 1e-3, 1e-6
"""Of ν, which is negative where an eavesdropper hears more than the weakest agent; of the weights μ."""
FAINT = 1e-2
"""Eavesdroppers' SINRs below this count as equal."""
START_JAM = 1.0
"""Interference over noise at the first eavesdropper that each jammer is heard by, shared by all jammers."""
JAM_RATE, STEP = 0.5, 1e2
"""The exponent of the ratio of worth and cost; the largest ratio that counts."""
LEAKY, SECRET = 0.98, 0.99
"""The r_ke aimed at, and the one that will do."""
START_PSI, PSI_RATE, PSI_RANGE = 0.02, 4.0, (1e-6, 30.0)
"""Of the weights ψ: the first, the exponent with which they follow r_ke, and the range."""
PRICE_RATE, PRICE_STEP, LEAST_PRICE = 2.0, 0.3, 1e-4
"""Of the price of energy, 1 at most: how fast it follows what the downlink can spare, that at most, and the least."""
SPARE, MARGIN = 3e-3, 1e-4
"""Shares of τ that are left by the downlink and the slowest upload, and by everything."""
LATE = 1e3
"""Worse than the logarithm of any cost."""
UPLOAD = 5e-3
"""The share of τ that the uploads may take without need: less takes louder senders, more has jammers wait."""
LOUDNESS_DB = (-45.0, -30.0, -20.0, -10.0, -6.0, -3.0, 0.0, 5.0, 12.0, 20.0, 30.0, 45.0)
"""Of a sender at the base station, over noise and jamming."""
CLIMB, DESCENT, LEAST_RATE = 12, 15, 1e-12
"""Iterations to equal rates at a loudness, and to the least powers; the least rate aimed at, nat/s/Hz."""


def serve(
    instance: Instance,
    chosen: np.ndarray,
    *,
    iterations: int = ITERATIONS,
    quiet_iterations: int = QUIET_ITERATIONS,
    by: Any = None,
) -> Decision:
    """Return decisions (…) that serve selections.

    Parameters
    ----------
    instance
        NumPy, with batch dimensions (…), or fewer that broadcast to them.
    chosen
        (…, K) integer, the indices of the selected agents; K ≥ 1.
    iterations, quiet_iterations
        How many, with jammers and without; 0 keeps the start.
    by
        A module with other functions :func:`downlink` and :func:`uplink`, such as :mod:`secagent_env.bulk.serving`.
    """
    down, up = (downlink, uplink) if by is None else (by.downlink, by.uplink)
    batch = np.broadcast_shapes(chosen.shape[:-1], instance.batch_shape)
    chosen = np.broadcast_to(chosen, (*batch, chosen.shape[-1]))
    start = beam_directions(instance, chosen)[..., ZERO_FORCING, :]
    links = Links.of(instance, chosen)
    beam = start.reshape(-1, start.shape[-1])
    beam, jamming = down(links, beam, quiet_iterations, jam=False)
    sending, late = up(links, beam, jamming)
    if late.any() and links.jammers.any():
        hard = links.take(late)
        beam[late], jamming[late] = down(hard, start.reshape(beam.shape)[late], iterations, jam=True)
        sending[late], _ = up(hard, beam[late], jamming[late])
    np.put_along_axis(jamming, links.chosen, sending, axis=-1)
    return Decision._trusted(
        selection=~links.jammers.reshape(*batch, -1),
        beamformer=(beam * math.sqrt(instance.scenario.bs_power_w)).reshape(*batch, -1),
        power_w=jamming.reshape(*batch, -1),
    )


class Links(NamedTuple):
    """The channels and gains that matter for selections, for B networks, in units of the noise.

    |hᴴw|² is then the SNR of a beam of p_BS in the direction w, ‖w‖ = 1, and a gain times a power in W is an SNR.
    """

    scenario: Scenario
    chosen: np.ndarray
    """(B, K)."""
    jammers: np.ndarray
    """(B, N) bool: who is not selected."""
    own: np.ndarray
    """(B, K, L), from the base station to the selected agents."""
    eve: np.ndarray
    """(B, E, L)."""
    between: np.ndarray
    """(B, N, K), from everybody to the selected agents."""
    overheard: np.ndarray
    """(B, N, E)."""
    received: np.ndarray
    """(B, N), at the base station."""
    execution_j: np.ndarray
    """(B)."""
    inference_s: np.ndarray
    """(B)."""

    @classmethod
    def of(cls, instance: Instance, chosen: np.ndarray) -> Links:
        """Return those of selections (…, K), with B the product of the dimensions (…)."""
        batch, scenario = chosen.shape[:-1], instance.scenario
        noise, amplitude = scenario.noise_power_w, math.sqrt(scenario.bs_power_w / scenario.noise_power_w)

        def flat(array: np.ndarray, dimensions: int) -> np.ndarray:
            tail = array.shape[array.ndim - dimensions :]
            return np.broadcast_to(array, (*batch, *tail)).reshape(-1, *tail)

        picked = flat(chosen, 1)
        jammers = np.ones((len(picked), scenario.num_agents), bool)
        np.put_along_axis(jammers, picked, False, axis=-1)
        by_agent = (flat(instance.execution_energy_j, 1), flat(instance.inference_time_s, 1))
        energies, times = (np.take_along_axis(each, picked, axis=-1) for each in by_agent)
        return cls(
            scenario,
            picked,
            jammers,
            np.take_along_axis(flat(instance.channel_bs, 2), picked[..., None], axis=-2) * amplitude,
            flat(instance.channel_eve, 2) * amplitude,
            np.take_along_axis(flat(instance.gain_agents, 2), picked[:, None, :], axis=-1) / noise,
            flat(instance.gain_eve, 2) / noise,
            flat(instance.bs_gain, 1) / noise,
            energies.sum(-1),
            times.max(-1),
        )

    def take(self, which: np.ndarray) -> Links:
        """Return those marked in ``which`` (B) bool."""
        return Links(self.scenario, *(array[which] for array in self[1:]))

    @property
    def senders(self) -> tuple[np.ndarray, np.ndarray]:
        """The gains of the selected agents to the base station, (B, K), and to the eavesdroppers, (B, K, E)."""
        heard = np.take_along_axis(self.overheard, self.chosen[..., None], axis=-2)
        return np.take_along_axis(self.received, self.chosen, axis=-1), heard

    @property
    def downlink_s(self) -> float:
        """The time of the downlink at a secrecy rate of 1 nat/s/Hz."""
        return math.log(2) * self.scenario.downlink_bits / self.scenario.bandwidth_hz

    @property
    def uplink_s(self) -> float:
        """The time of an upload at a secrecy rate of 1 nat/s/Hz."""
        return math.log(2) * self.scenario.uplink_bits / self.scenario.bandwidth_hz

    def fastest_upload_s(self) -> np.ndarray:
        """Return the time (B) in which equally loud senders can upload where nobody listens, τ at most."""
        loudest = _positive(self.senders[0].min(-1)) * self.scenario.max_power_w
        rate = np.log1p(1 / (self.chosen.shape[-1] - 1 + 1 / loudest))
        return np.minimum(self.uplink_s / rate, self.scenario.latency_limit_s)

    def needed(self) -> np.ndarray:
        """Return the secrecy rate (B) that the downlink needs, nat/s/Hz."""
        limit = self.scenario.latency_limit_s
        left = (1 - SPARE) * limit - self.inference_s - self.fastest_upload_s()
        return self.downlink_s / np.maximum(left, 1e-3 * limit)

    def worth_of_a_second(self) -> np.ndarray:
        """Return what a second is worth (B), J: where uploads are long, as much as it saves."""
        return self.execution_j * self.fastest_upload_s() / self.scenario.latency_limit_s**2

    def start_of_jamming(self) -> np.ndarray:
        """Return the powers (B, N), W, from which those of jammers are found."""
        start = START_JAM / _positive(self.overheard.max(-1)) / self.jammers.sum(-1, keepdims=True)
        return np.where(self.jammers, np.minimum(start, self.scenario.max_power_w), 0.0)

    def uplink_rates(self, beam: np.ndarray, jamming: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what is left to uploads beside a downlink: time (B), s, and the rates needed and wanted, nat/s/Hz."""
        limit, rate = self.scenario.latency_limit_s, _Heard.of(self, beam, jamming).rate
        left = (1 - MARGIN) * limit - self.inference_s - self.downlink_s / np.maximum(rate, LEAST)
        needed = self.uplink_s / np.maximum(left, MARGIN * limit)
        return left, needed, np.maximum(needed, self.uplink_s / np.maximum(UPLOAD * limit, self.fastest_upload_s()))

    def interference(self, jamming: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return noise and jamming over noise at the base station (B) and the eavesdroppers (B, E)."""
        return 1 + (jamming * self.received).sum(-1), 1 + _left(jamming, self.overheard)

    def combined(self, of_eavesdroppers: np.ndarray) -> np.ndarray:
        """Return what counts of the eavesdroppers, (…, 1) of (…, E)."""
        if self.scenario.colluding:
            return of_eavesdroppers.sum(-1, keepdims=True)
        return of_eavesdroppers.max(-1, keepdims=True)


class _Heard(NamedTuple):
    """What is heard of beams beside jammers, for B networks.

    Interference over noise at the agents, ``near`` (B, K), at the eavesdroppers (B, E) and at the base station (B);
    amplitudes (B, K) complex over noise alone, and SINRs ``own`` (B, K) and ``heard`` (B, E); their extremes (B, 1).
    """

    near: np.ndarray
    at_eve: np.ndarray
    at_bs: np.ndarray
    amplitude: np.ndarray
    own: np.ndarray
    heard: np.ndarray
    weakest: np.ndarray
    loudest: np.ndarray

    @classmethod
    def of(cls, links: Links, beam: np.ndarray, jamming: np.ndarray) -> _Heard:
        """Return what is heard of beams (B, L) of length 1 beside jamming powers (B, N), W."""
        near, (at_bs, at_eve) = 1 + _left(jamming, links.between), links.interference(jamming)
        amplitude = _right(links.own.conj(), beam)
        own, heard = _power(amplitude) / near, _power(_right(links.eve.conj(), beam)) / at_eve
        return cls(near, at_eve, at_bs, amplitude, own, heard, own.min(-1, keepdims=True), links.combined(heard))

    @property
    def rate(self) -> np.ndarray:
        """The secrecy rate of the downlink (B), nat/s/Hz, negative where an eavesdropper hears more."""
        return (np.log1p(self.weakest) - np.log1p(self.loudest))[:, 0]


def downlink(
    links: Links, beam: np.ndarray, iterations: int, *, jam: bool, beside: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return beams (B, L) of length 1 and jamming powers (B, N), W: the best ones on the way from a beam.

    If not ``jam``, the powers stay those given ``beside`` it, none by default.
    """
    colluding, upload = links.scenario.colluding, links.fastest_upload_s()
    needed, second = links.needed(), links.worth_of_a_second()
    to_bs, to_eve = links.senders
    ratio = to_eve / _positive(to_bs)[..., None]

    given = np.zeros(links.received.shape) if beside is None else beside
    jamming = links.start_of_jamming() if jam else given
    agents = np.full(to_bs.shape, 1 / to_bs.shape[-1])
    eavesdroppers = np.full((len(beam), to_eve.shape[-1]), 1.0 if colluding else 1 / to_eve.shape[-1])
    leaks, thrift = np.full(to_eve.shape, START_PSI), np.ones(len(beam))
    leaking = links.eve.conj() @ links.eve.swapaxes(-1, -2)
    best, best_beam, best_jamming = np.full(len(beam), -np.inf), beam, jamming
    for iteration in range(iterations + 1):
        now = _Heard.of(links, beam, jamming)
        leak = ratio * (now.at_bs[:, None] / now.at_eve)[:, None]
        leaked = links.combined(leak) if colluding else leak
        power, time = jamming.sum(-1), links.downlink_s / np.maximum(now.rate, FLOOR)

        # First what makes it feasible, then what it costs.
        short = np.maximum(1 - now.rate / needed, 0)
        if jam:
            short = short + np.maximum(leaked.max((1, 2)) - SECRET, 0)
        cost = (power + second) * time + second * upload * np.log(now.at_bs)
        value = np.where(short > 0, -short - LATE, -np.log(_positive(cost)))
        better = value > best
        best = np.where(better, value, best)
        best_beam = np.where(better[:, None], beam, best_beam)
        best_jamming = np.where(better[:, None], jamming, best_jamming)
        if iteration == iterations:
            break

        agents = _normalised(agents * (now.weakest / _positive(now.own) + FLOOR) ** RATE)
        if not colluding:
            louder = (now.heard + FAINT) / (now.loudest + FAINT)
            eavesdroppers = _normalised(np.maximum(eavesdroppers * louder**RATE, LEAST_WEIGHT))
        beam = _better_beam(links, now, agents, eavesdroppers, leaking)
        if not jam:
            continue
        step = np.clip(now.rate / needed - 1 - SPARE, -PRICE_STEP, PRICE_STEP)
        thrift = np.clip(thrift * np.exp(PRICE_RATE * step), LEAST_PRICE, 1.0)
        price = thrift * np.maximum(now.rate, FLOOR) / (power + second)
        leaks = np.clip(leaks * np.minimum(leaked / LEAKY, STEP) ** PSI_RATE, *PSI_RANGE)
        weighed = leaks * leak / _positive(leaked) if colluding else leaks
        delay = price * second * upload / time
        ratios = _worth_over_cost(links, now, agents, eavesdroppers, weighed, delay, price)
        moved = jamming * np.clip(ratios, 1 / STEP, STEP) ** JAM_RATE
        jamming = np.where(links.jammers, np.minimum(moved, links.scenario.max_power_w), 0.0)
    return best_beam, best_jamming


def _better_beam(
    links: Links, now: _Heard, agents: np.ndarray, eavesdroppers: np.ndarray, leaking: np.ndarray
) -> np.ndarray:
    """Return the next beams (B, L), for weights λ (B, K) and μ (B, E), with GᴴG (B, E, E)."""
    gained, lost = agents * now.own / (1 + now.weakest), eavesdroppers * now.heard / (1 + now.loudest)
    nu = np.maximum(gained.sum(-1, keepdims=True) - lost.sum(-1, keepdims=True), FLOOR)
    # (ν I + G D Gᴴ)⁻¹ u is u − G (ν D⁻¹ + GᴴG)⁻¹ Gᴴ u, up to a factor.
    overhearing = links.eve.conj()
    pulled = _left(agents * now.amplitude / now.near, links.own)
    identity = np.eye(now.heard.shape[-1])
    inner = leaking + (nu * now.at_eve / eavesdroppers)[..., None] * identity
    beam = pulled - _left(np.linalg.solve(inner, _right(overhearing, pulled)[..., None])[..., 0], links.eve)
    return np.asarray(beam / _positive(np.sqrt(_power(beam).sum(-1, keepdims=True))))


def _worth_over_cost(
    links: Links,
    now: _Heard,
    agents: np.ndarray,
    eavesdroppers: np.ndarray,
    leaks: np.ndarray,
    delay: np.ndarray,
    price: np.ndarray,
) -> np.ndarray:
    """Return what a watt of each jammer is worth over what it costs, (B, N).

    For weights λ (B, K), μ (B, E) and ψ (B, K, E), the cost (B) of an e-fold of interference at the base station, and
    the price (B) of a watt.
    """
    others = now.loudest if links.scenario.colluding else now.heard
    lost = eavesdroppers * now.heard / (1 + others)
    worth = _right(links.overheard, (lost + leaks.sum(1)) / now.at_eve)
    cost = _right(links.between, agents * now.own / (1 + now.own) / now.near) + price[:, None]
    return np.asarray(worth / (cost + ((leaks.sum((1, 2)) + delay) / now.at_bs)[:, None] * links.received))


def uplink(links: Links, beam: np.ndarray, jamming: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the senders' powers (B, K), W, and whether it all takes too long, (B) bool."""
    highest, at_bs, at_eve = links.scenario.max_power_w, *links.interference(jamming)
    left, needed, wanted = links.uplink_rates(beam, jamming)
    gain, overheard = links.senders
    levels = 10 ** (np.array(LOUDNESS_DB) / 10)[:, None] * at_bs[:, None, None]  # (B, levels, 1)
    several = _Senders(links, gain[:, None], overheard[:, None], at_bs[:, None, None], at_eve[:, None, None])
    total = levels * gain.shape[-1]
    power = np.minimum(levels / _positive(gain[:, None]), highest)
    found, reached = power, np.full(power.shape[:-1], -np.inf)
    for _ in range(CLIMB):
        rates = several.rates(power)
        lowest = rates.min(-1)
        better = lowest > reached
        found, reached = np.where(better[..., None], power, found), np.where(better, lowest, reached)
        equal = several.powers(power, np.maximum(rates.mean(-1, keepdims=True), LEAST_RATE), 2 * power)
        power = power * np.clip(equal / _positive(power), 0.3, 3.0)
        power = np.minimum(power * (total / _positive((power * gain[:, None]).sum(-1, keepdims=True))), highest)

    aimed = np.where((reached > wanted[:, None]).any(-1), wanted, needed)
    enough = reached > aimed[:, None]
    late = ~enough.any(-1) | (left <= 0)
    level = np.where(enough.any(-1), enough.argmax(-1), reached.argmax(-1))
    power = np.take_along_axis(found, level[:, None, None], axis=1)[:, 0]
    alone = _Senders(links, gain, overheard, at_bs[:, None], at_eve[:, None])
    aimed = aimed[:, None] * (1 + MARGIN)
    for _ in range(DESCENT):
        lower = np.minimum(alone.powers(power, aimed, power), highest)
        power = np.where(late[:, None], power, lower)
    return power, late


class _Senders(NamedTuple):
    """Those who upload at once: gains (…, K) and (…, K, E), and what the base station and eavesdroppers hear else."""

    links: Links
    gain: np.ndarray
    overheard: np.ndarray
    at_bs: np.ndarray
    at_eve: np.ndarray

    def _per_watt(self, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the SINRs of each sender per watt, at the base station and the eavesdroppers, both (…, K)."""
        received, heard = power * self.gain, power[..., None] * self.overheard
        own = self.gain / (self.at_bs + received.sum(-1, keepdims=True) - received)
        eve = self.overheard / (self.at_eve + heard.sum(-2, keepdims=True) - heard)
        return own, self.links.combined(eve)[..., 0]

    def rates(self, power: np.ndarray) -> np.ndarray:
        """Return the secrecy rates (…, K), nat/s/Hz, negative where an eavesdropper hears more."""
        own, eve = self._per_watt(power)
        return np.log1p(own * power) - np.log1p(eve * power)

    def powers(self, power: np.ndarray, rate: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
        """Return the powers with which each would have a rate beside the others as they are, or ``otherwise``."""
        own, eve = self._per_watt(power)
        growth = np.expm1(np.minimum(rate, 50.0))
        slope = own - (1 + growth) * eve
        return np.where(slope > 0, growth / np.where(slope > 0, slope, 1.0), otherwise)


def _left(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return Σ_i rows_i matrix_ij, (…, J) of (…, I) and (…, I, J)."""
    return (rows[..., None, :] @ matrix)[..., 0, :]


def _right(matrix: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return Σ_j matrix_ij columns_j, (…, I) of (…, I, J) and (…, J)."""
    return (matrix @ columns[..., None])[..., 0]


def _power(amplitude: np.ndarray) -> np.ndarray:
    return np.asarray(amplitude.real**2 + amplitude.imag**2)


def _normalised(weights: np.ndarray) -> np.ndarray:
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def _positive(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, LEAST)
