"""Serving selections in machine code: ``downlink`` and ``uplink`` of :mod:`secagent_env.model.serving`, to rounding.

One network after the other. Letters: N agents, K selected, L antennas, E eavesdroppers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from secagent_env.bulk.compiling import compiled, inlined
from secagent_env.model import serving
from secagent_env.model.serving import Links

_RATE, _FLOOR, _LEAST_WEIGHT, _FAINT = serving.RATE, serving.FLOOR, serving.LEAST_WEIGHT, serving.FAINT
_JAM_RATE, _STEP, _LEAKY, _SECRET = serving.JAM_RATE, serving.STEP, serving.LEAKY, serving.SECRET
_START_PSI, _PSI_RATE, _LEAST_PSI, _MOST_PSI = serving.START_PSI, serving.PSI_RATE, *serving.PSI_RANGE
_PRICE_RATE, _PRICE_STEP, _LEAST_PRICE = serving.PRICE_RATE, serving.PRICE_STEP, serving.LEAST_PRICE
_SPARE, _MARGIN, _LATE, _LEAST = serving.SPARE, serving.MARGIN, serving.LATE, serving.LEAST
_CLIMB, _DESCENT, _LEAST_RATE = serving.CLIMB, serving.DESCENT, serving.LEAST_RATE
_LEVELS = 10 ** (np.array(serving.LOUDNESS_DB) / 10)


def downlink(links: Links, beam: np.ndarray, iterations: int, *, jam: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return beams (B, L) and jamming powers (B, N), as :func:`secagent_env.model.serving.downlink` does."""
    beam, jamming = np.array(beam), links.start_of_jamming() if jam else np.zeros(links.received.shape)
    _downlink(
        *map(np.ascontiguousarray, links[1:8]),
        *map(np.ascontiguousarray, (links.fastest_upload_s(), links.needed(), links.worth_of_a_second())),
        links.downlink_s,
        links.scenario.colluding,
        float(links.scenario.max_power_w),
        iterations,
        jam,
        beam,
        jamming,
    )
    return beam, jamming


def uplink(links: Links, beam: np.ndarray, jamming: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return powers (B, K) and who is late (B), as :func:`secagent_env.model.serving.uplink` does."""
    power, late = np.empty(links.chosen.shape), np.empty(len(links.chosen), bool)
    left, needed, wanted = links.uplink_rates(beam, jamming)
    _uplink(
        *map(np.ascontiguousarray, (links.chosen, links.overheard, links.received)),
        jamming,
        left,
        needed,
        wanted,
        links.scenario.colluding,
        float(links.scenario.max_power_w),
        power,
        late,
    )
    return power, late


@compiled
def _downlink(
    chosen: Any,
    jammers: Any,
    own: Any,
    eve: Any,
    between: Any,
    overheard: Any,
    received: Any,
    uploads: Any,
    needs: Any,
    seconds: Any,
    downlink_s: Any,
    colluding: Any,
    highest: Any,
    iterations: Any,
    jam: Any,
    beams: Any,
    jammings: Any,
) -> None:
    """Replace beams (B, L) of length 1 and jamming powers (B, N), W, by the best ones on the way from them."""
    count, antennas, eves, agents = own.shape[1], own.shape[2], eve.shape[1], received.shape[1]
    near, amplitude, sinr, lam = np.empty(count), np.empty(count, np.complex128), np.empty(count), np.empty(count)
    at_eve, heard, mu = np.empty(eves), np.empty(eves), np.empty(eves)
    leak, psi, weighed = np.empty((count, eves)), np.empty((count, eves)), np.empty(eves)
    inner, right = np.empty((eves, eves), np.complex128), np.empty(eves, np.complex128)
    leaking = np.empty((eves, eves), np.complex128)
    beam, jamming = np.empty(antennas, np.complex128), np.empty(agents)
    for b in range(own.shape[0]):
        upload, needed, second = uploads[b], needs[b], seconds[b]
        beam[:], jamming[:] = beams[b], jammings[b]
        lam[:] = 1 / count
        mu[:] = 1.0 if colluding else 1 / eves
        psi[:] = _START_PSI
        thrift, best = 1.0, -math.inf
        for e in range(eves):
            for f in range(eves):
                leaking[e, f] = _dot(eve[b, e], eve[b, f])
        for iteration in range(iterations + 1):
            # What is heard.
            near[:], at_eve[:] = 1.0, 1.0
            at_bs, power = 1.0, 0.0
            if jam:
                for n in range(agents):
                    q = jamming[n]
                    if q > 0:
                        power += q
                        at_bs += q * received[b, n]
                        for k in range(count):
                            near[k] += q * between[b, n, k]
                        for e in range(eves):
                            at_eve[e] += q * overheard[b, n, e]
            weakest, loudest = math.inf, 0.0
            for k in range(count):
                amplitude[k] = _dot(own[b, k], beam)
                sinr[k] = (amplitude[k].real ** 2 + amplitude[k].imag ** 2) / near[k]
                weakest = min(weakest, sinr[k])
            for e in range(eves):
                told = _dot(eve[b, e], beam)
                heard[e] = (told.real**2 + told.imag**2) / at_eve[e]
                loudest = loudest + heard[e] if colluding else max(loudest, heard[e])
            rate = math.log1p(weakest) - math.log1p(loudest)
            time = downlink_s / max(rate, _FLOOR)

            # First what makes it feasible, then what it costs.
            most = 0.0
            if jam:
                for k in range(count):
                    together, gain = 0.0, max(received[b, chosen[b, k]], _LEAST)
                    for e in range(eves):
                        leak[k, e] = overheard[b, chosen[b, k], e] / gain * (at_bs / at_eve[e])
                        together = together + leak[k, e] if colluding else max(together, leak[k, e])
                    most = max(most, together)
            short = max(1 - rate / needed, 0.0) + max(most - _SECRET, 0.0)
            spent = (power + second) * time + second * upload * math.log(at_bs)
            value = -short - _LATE if short > 0 else -math.log(max(spent, _LEAST))
            if value > best:
                best = value
                beams[b], jammings[b] = beam, jamming
            if iteration == iterations:
                break

            total = 0.0
            for k in range(count):
                lam[k] *= (weakest / max(sinr[k], _LEAST) + _FLOOR) ** _RATE
                total += lam[k]
            gained = 0.0
            for k in range(count):
                lam[k] /= total
                gained += lam[k] * sinr[k] / (1 + weakest)
            lost = 0.0
            if not colluding:
                total = 0.0
                for e in range(eves):
                    mu[e] = max(mu[e] * ((heard[e] + _FAINT) / (loudest + _FAINT)) ** _RATE, _LEAST_WEIGHT)
                    total += mu[e]
                for e in range(eves):
                    mu[e] /= total
            for e in range(eves):
                lost += mu[e] * heard[e] / (1 + loudest)
            nu = max(gained - lost, _FLOOR)
            beam[:] = 0.0
            for k in range(count):
                factor = lam[k] * amplitude[k] / near[k]
                for i in range(antennas):
                    beam[i] += factor * own[b, k, i]
            for e in range(eves):
                right[e] = _dot(eve[b, e], beam)
                for f in range(eves):
                    inner[e, f] = leaking[e, f]
                inner[e, e] += nu * at_eve[e] / mu[e]
            _solve(inner, right)
            length = 0.0
            for i in range(antennas):
                for e in range(eves):
                    beam[i] -= right[e] * eve[b, e, i]
                length += beam[i].real ** 2 + beam[i].imag ** 2
            length = max(math.sqrt(length), _LEAST)
            for i in range(antennas):
                beam[i] /= length
            if not jam:
                continue

            step = min(max(rate / needed - 1 - _SPARE, -_PRICE_STEP), _PRICE_STEP)
            thrift = min(max(thrift * math.exp(_PRICE_RATE * step), _LEAST_PRICE), 1.0)
            price = thrift * max(rate, _FLOOR) / (power + second)
            at_base = price * second * upload / time
            weighed[:] = 0.0
            for k in range(count):
                together = 0.0
                for e in range(eves):
                    together += leak[k, e]
                for e in range(eves):
                    leaked = together if colluding else leak[k, e]
                    psi[k, e] = min(max(psi[k, e] * min(leaked / _LEAKY, _STEP) ** _PSI_RATE, _LEAST_PSI), _MOST_PSI)
                    weight = psi[k, e] * leak[k, e] / max(leaked, _LEAST) if colluding else psi[k, e]
                    weighed[e] += weight
                    at_base += weight
            at_base /= at_bs
            for e in range(eves):
                weighed[e] = (mu[e] * heard[e] / (1 + (loudest if colluding else heard[e])) + weighed[e]) / at_eve[e]
            for k in range(count):
                near[k] = lam[k] * sinr[k] / (1 + sinr[k]) / near[k]
            for n in range(agents):
                if jammers[b, n]:
                    worth, costs = 0.0, price + at_base * received[b, n]
                    for e in range(eves):
                        worth += overheard[b, n, e] * weighed[e]
                    for k in range(count):
                        costs += between[b, n, k] * near[k]
                    ratio = min(max(worth / costs, 1 / _STEP), _STEP) ** _JAM_RATE
                    jamming[n] = min(jamming[n] * ratio, highest)


@compiled
def _uplink(
    chosen: Any,
    overheard: Any,
    received: Any,
    jammings: Any,
    left: Any,
    needs: Any,
    wants: Any,
    colluding: Any,
    highest: Any,
    powers: Any,
    late: Any,
) -> None:
    """Write the senders' powers (B, K), W, and whether it all takes too long, (B) bool."""
    count, eves, levels = chosen.shape[1], overheard.shape[2], len(_LEVELS)
    gain, heard, at_eve = np.empty(count), np.empty((count, eves)), np.empty(eves)
    power, found, reached = np.empty(count), np.empty((levels, count)), np.empty(levels)
    rates, own_snr, eve_snr, sums = np.empty(count), np.empty(count), np.empty(count), np.empty(eves)
    for b in range(chosen.shape[0]):
        at_bs = 1.0
        at_eve[:] = 1.0
        for n in range(received.shape[1]):
            q = jammings[b, n]
            if q > 0:
                at_bs += q * received[b, n]
                for e in range(eves):
                    at_eve[e] += q * overheard[b, n, e]
        for k in range(count):
            gain[k] = received[b, chosen[b, k]]
            for e in range(eves):
                heard[k, e] = overheard[b, chosen[b, k], e]
        for level in range(levels):
            total = _LEVELS[level] * at_bs * count
            for k in range(count):
                power[k] = min(_LEVELS[level] * at_bs / max(gain[k], _LEAST), highest)
            found[level], reached[level] = power, -math.inf
            for _ in range(_CLIMB):
                _per_watt(power, gain, heard, at_bs, at_eve, colluding, sums, own_snr, eve_snr)
                lowest, mean = math.inf, 0.0
                for k in range(count):
                    rates[k] = math.log1p(own_snr[k] * power[k]) - math.log1p(eve_snr[k] * power[k])
                    lowest, mean = min(lowest, rates[k]), mean + rates[k] / count
                if lowest > reached[level]:
                    found[level], reached[level] = power, lowest
                growth, loud = math.expm1(min(max(mean, _LEAST_RATE), 50.0)), 0.0
                for k in range(count):
                    slope = own_snr[k] - (1 + growth) * eve_snr[k]
                    equal = growth / slope if slope > 0 else 2 * power[k]
                    power[k] *= min(max(equal / max(power[k], _LEAST), 0.3), 3.0)
                    loud += power[k] * gain[k]
                for k in range(count):
                    power[k] = min(power[k] * (total / max(loud, _LEAST)), highest)
        aimed = needs[b]
        for level in range(levels):
            if reached[level] > wants[b]:
                aimed = wants[b]
        place, enough = 0, False
        for level in range(levels):
            if reached[level] > aimed:
                place, enough = level, True
                break
            if reached[level] > reached[place]:
                place = level
        late[b] = not enough or left[b] <= 0
        powers[b] = found[place]
        if late[b]:
            continue
        growth = math.expm1(min(aimed * (1 + _MARGIN), 50.0))
        for _ in range(_DESCENT):
            _per_watt(powers[b], gain, heard, at_bs, at_eve, colluding, sums, own_snr, eve_snr)
            for k in range(count):
                slope = own_snr[k] - (1 + growth) * eve_snr[k]
                powers[b, k] = min(growth / slope, highest) if slope > 0 else powers[b, k]


@inlined
def _per_watt(
    power: Any, gain: Any, heard: Any, at_bs: Any, at_eve: Any, colluding: Any, sums: Any, own: Any, eve: Any
) -> None:
    """Write the SINRs of each sender per watt, at the base station and the eavesdroppers, both (K,)."""
    total = 0.0
    sums[:] = 0.0
    for k in range(power.shape[0]):
        total += power[k] * gain[k]
        for e in range(sums.shape[0]):
            sums[e] += power[k] * heard[k, e]
    for k in range(power.shape[0]):
        own[k] = gain[k] / (at_bs + total - power[k] * gain[k])
        eve[k] = 0.0
        for e in range(sums.shape[0]):
            snr = heard[k, e] / (at_eve[e] + sums[e] - power[k] * heard[k, e])
            eve[k] = eve[k] + snr if colluding else max(eve[k], snr)


@inlined
def _dot(x: Any, y: Any) -> Any:
    """Return Σ x̄ y of complex vectors."""
    real = imaginary = 0.0
    for i in range(x.shape[0]):
        real += x[i].real * y[i].real + x[i].imag * y[i].imag
        imaginary += x[i].real * y[i].imag - x[i].imag * y[i].real
    return complex(real, imaginary)


@inlined
def _solve(matrix: Any, right: Any) -> None:
    """Replace a vector by the solution of a system with a Hermitian positive definite matrix, which is overwritten."""
    size = right.shape[0]
    for pivot in range(size):
        for row in range(pivot + 1, size):
            factor = matrix[row, pivot] / matrix[pivot, pivot]
            for column in range(pivot + 1, size):
                matrix[row, column] -= factor * matrix[pivot, column]
            right[row] -= factor * right[pivot]
    for row in range(size - 1, -1, -1):
        entry = right[row]
        for column in range(row + 1, size):
            entry -= matrix[row, column] * right[column]
        right[row] = entry / matrix[row, row]
