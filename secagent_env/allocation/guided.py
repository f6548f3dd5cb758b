"""Action formats that closed forms complete: what an action means depends on the instance.

Guided actions say scores, levels and the weights of beam directions; ranked ones the same of agents in the order of
their energy, who can meet the accuracy together; bids leave the beam to the base station, and selections leave all but
who computes. Batched over leading dimensions, in float64.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np

from secagent_env.allocation.observations import ranking
from secagent_env.gym_bases.spaces import action_array
from secagent_env.model.batched import Array, namespace
from secagent_env.model.beams import DIRECTIONS, beam_directions
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario
from secagent_env.model.serving import QUIET_ITERATIONS, ZERO_FORCING, Links, downlink, serve

LOWEST_POWER_W = 1e-10
"""−70 dBm: the bottom of the dB scales of powers, below which an agent is silent."""
CANCELLED = 1e-6
"""Of directions that cancel: what is left of a mixture, as a share of its weights, is float32 rounding, and no beam."""
ACCURACY_ROUNDING = 5e-10
"""By how much a mean accuracy may miss the least one: half of what :func:`~secagent_env.evaluate` lets pass."""


class GuidedFormat:
    """One flat ``Box(-1, 1, (2N + 5,), float32)`` of scores, levels and weights, for closed forms to make a decision.

    Always N_min agents are selected, the beam is a mixture of meaningful directions, and a sender's power is given by
    its SNR at the base station. Entries mean the same for any N and L; beyond the bounds they are clipped.

    ================  =====================================================================================
    slice             meaning
    ================  =====================================================================================
    ``[:N]``          scores: the N_min agents with the highest compute, of equal ones the lowest index
    ``[N:2N]``        level: of a selected agent the offset, −10 dB to 10 dB, to the common level;
                      of an unselected one its jamming power, silent up to 0, then on a dB scale from
                      −70 dBm (just above 0) to p_max (1)
    ``[2N]``          common level: the SNR σ² g_n p_n of the senders at the base station, alone and
                      before offsets, −40 dB to 40 dB; as far as p_max allows, but below −70 dBm too, so
                      that an agent next to the base station is no louder than others
    ``[2N+1:]``       weights of the :data:`~secagent_env.model.beams.DIRECTIONS`, which count by their squares,
                      with their signs: a small weight is as good as none; the beam has full power,
                      unless all weights are 0 or directions cancel to :data:`CANCELLED` of them
    ================  =====================================================================================

    ``encode`` finds the nearest: of more than N_min selected agents the first, of a beam its projection onto the
    directions, and no artificial noise.
    """

    OFFSET_DB, COMMON_DB = 10.0, 40.0

    def __init__(self, scenario: Scenario) -> None:
        n = scenario.num_agents
        self._size = 2 * n + 1 + len(DIRECTIONS)
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Box(-1.0, 1.0, (self._size,), np.float32)
        self.slices = {
            "scores": slice(0, n),
            "levels": slice(n, 2 * n),
            "common_level": slice(2 * n, 2 * n + 1),
            "directions": slice(2 * n + 1, None),
        }
        self._required = scenario.required_agents
        self._max_power_w = scenario.max_power_w
        self._octaves = math.log(scenario.max_power_w / LOWEST_POWER_W)

    def decode(self, action: Any, instance: Instance | None = None) -> Decision:
        """Return the decision that an action (…, 2N + 5) stands for in an instance; their batches broadcast."""
        return self.decide(np.clip(action_array("action", action, self._size), -1.0, 1.0), present(instance))

    def decide(self, action: Array, instance: Instance) -> Decision:
        """Return the decision of an action within the bounds, of any array library.

        It is differentiable in the levels and weights, and piecewise constant in the scores.
        """
        xp = namespace(action, instance.channel_bs)
        batch = np.broadcast_shapes(tuple(action.shape[:-1]), instance.batch_shape)
        if tuple(action.shape[:-1]) != batch:
            action = xp.broadcast_to(action, (*batch, self._size))
        order = xp.argsort(-action[..., self.slices["scores"]], axis=-1, stable=True)
        rank = xp.argsort(order, axis=-1, stable=True)
        selection = rank < self._required

        level = action[..., self.slices["levels"]]
        decibel = self.COMMON_DB * action[..., self.slices["common_level"]] + self.OFFSET_DB * level
        gain = xp.where(instance.bs_gain > 0, instance.bs_gain, 1e-300)
        sending = 10 ** (decibel / 10) * (instance.scenario.noise_power_w / gain)
        sending = xp.clip(sending, None, self._max_power_w)
        jamming = LOWEST_POWER_W * xp.exp(level * self._octaves)
        jamming = xp.where(level > 0, xp.clip(jamming, LOWEST_POWER_W, self._max_power_w), 0.0)

        directions = beam_directions(instance, order[..., : self._required])
        weights = action[..., self.slices["directions"]]
        weights = weights * xp.abs(weights)
        beam = xp.matmul(xp.astype(weights, directions.dtype)[..., None, :], directions)[..., 0, :]
        length = xp.sqrt(xp.sum(xp.real(beam) ** 2 + xp.imag(beam) ** 2, axis=-1, keepdims=True))
        kept = length > CANCELLED * xp.sum(xp.abs(weights), axis=-1, keepdims=True)
        beam = beam * xp.where(kept, math.sqrt(instance.scenario.bs_power_w) / xp.where(kept, length, 1.0), 0.0)
        return Decision(selection=selection, beamformer=beam, power_w=xp.where(selection, sending, jamming))

    def encode(self, decision: Decision, instance: Instance | None = None) -> np.ndarray:
        """Return the action (…, 2N + 5), float32."""
        instance = present(instance)
        selection = np.asarray(decision.selection)
        order = np.argsort(~selection, axis=-1, stable=True)
        kept = np.argsort(order, axis=-1, stable=True) < self._required
        power = np.minimum(decision.power_w, self._max_power_w)
        snr = _received_db(power, instance)
        common = np.clip(np.mean(snr, axis=-1, keepdims=True, where=kept), -self.COMMON_DB, self.COMMON_DB)
        jamming = np.log(np.maximum(power, LOWEST_POWER_W) / LOWEST_POWER_W) / self._octaves
        jamming = np.maximum(jamming, np.finfo(np.float32).tiny)
        jamming = np.where(np.asarray(decision.power_w) > 0, jamming, 0.0)
        weights = _weights(beam_directions(instance, order[..., : self._required]), decision.beamformer)
        levels = np.where(kept, np.clip((snr - common) / self.OFFSET_DB, -1, 1), jamming)
        return np.concatenate([np.where(kept, 1.0, -1.0), levels, common / self.COMMON_DB, weights], axis=-1).astype(
            np.float32
        )


class RankedFormat:
    """The guided format with the agents in the order of their energy for computing, for ranked observations.

    One flat ``Box`` (2N + 5,) as :class:`GuidedFormat`, but entry k of the scores and levels is that of the k-th agent
    of :func:`~secagent_env.allocation.observations.ranking`, and scores are within ±8: what explores with noise of the
    size of 1 can then rank surely. The other entries are within ±1. Who computes meets the accuracy (15) wherever
    N_min agents can, see :func:`select_accurate`; of equal scores the cheapest agents count.
    """

    SCORE = 8.0

    def __init__(self, scenario: Scenario) -> None:
        self._guided, self._agents = GuidedFormat(scenario), scenario.num_agents
        self._required, self._min_accuracy = scenario.required_agents, scenario.min_accuracy
        self.slices = self._guided.slices
        high = np.ones(self._guided.space.shape or (), np.float32)
        high[self.slices["scores"]] = self.SCORE
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Box(-high, high)
        self._high = high.astype(float)

    def decode(self, action: Any, instance: Instance | None = None) -> Decision:
        """Return the decision that an action (…, 2N + 5) stands for in an instance; their batches broadcast."""
        instance, high = present(instance), self._high
        ranked = np.clip(action_array("action", action, len(high)), -high, high)
        batch = np.broadcast_shapes(ranked.shape[:-1], instance.batch_shape)
        by_agent = np.broadcast_to(ranked, (*batch, len(high))).copy()
        order = np.broadcast_to(ranking(instance), (*batch, self._agents))
        accuracy = np.take_along_axis(np.broadcast_to(instance.accuracy, order.shape), order, axis=-1)
        scores, levels = (by_agent[..., self.slices[name]] for name in ("scores", "levels"))
        places = select_accurate(scores, accuracy, self._required, self._min_accuracy)
        scores[...] = -1.0
        np.put_along_axis(scores, np.take_along_axis(order, places, axis=-1), 1.0, axis=-1)
        np.put_along_axis(levels, order, levels.copy(), axis=-1)
        return self._guided.decide(by_agent, instance)

    def encode(self, decision: Decision, instance: Instance | None = None) -> np.ndarray:
        """Return the action (…, 2N + 5), float32."""
        instance = present(instance)
        action = self._guided.encode(decision, instance) * self._high
        order = np.broadcast_to(ranking(instance), (*action.shape[:-1], self._agents))
        for name in ("scores", "levels"):
            entries = action[..., self.slices[name]]
            entries[...] = np.take_along_axis(entries, order, axis=-1)
        return np.asarray(action, np.float32)


def select_accurate(scores: np.ndarray, accuracy: np.ndarray, count: int, min_accuracy: float) -> np.ndarray:
    """Return who is taken, indices (…, count), by scores and accuracies (…, N): the highest scores within (15).

    One agent after another is taken: the one with the highest score, of equal ones the first, with whom the most
    accurate of the others can still lift the mean accuracy of all ``count`` to ``min_accuracy``. Where no ``count``
    agents reach it, the highest scores are taken.
    """
    taken = np.argsort(-scores, axis=-1, stable=True)[..., :count]
    least = count * (min_accuracy - ACCURACY_ROUNDING)
    short = np.take_along_axis(accuracy, taken, axis=-1).sum(axis=-1) < least
    scores, free = scores[short], accuracy[short].astype(float)  # the accuracies of who is not yet taken
    rows, missing, places = np.arange(len(free)), np.full(len(free), least), np.empty((len(free), count), np.intp)
    for place in range(count):
        best = -np.partition(-free, range(count - place), axis=-1)[:, : count - place]
        with_each = best.sum(axis=-1, keepdims=True) - np.maximum(free, best[:, -1:]) + free
        enough = with_each >= missing[:, None]
        enough |= (free > -np.inf) & ~enough.any(axis=-1, keepdims=True)
        places[:, place] = agent = np.argmax(np.where(enough, scores, -np.inf), axis=-1)
        missing -= free[rows, agent]
        free[rows, agent] = -np.inf
    taken[short] = places
    return taken


class BidsFormat:
    """One flat ``Box(-1, 1, (2N,), float32)`` of what every agent can say by itself; the base station forms the beam.

    The format of agents that decide by themselves (:mod:`secagent_env.multiagent`). The N_min highest bids compute. The
    beam is the one of :func:`~secagent_env.model.serving.downlink` for them, beside whoever jams.

    ================  =====================================================================================
    slice             meaning
    ================  =====================================================================================
    ``[:N]``          bids: the N_min agents with the highest compute, of equal ones the lowest index
    ``[N:]``          level: of a selected agent the SNR at the base station, −30 dB ± 10 dB; of an
                      unselected one its jamming power, as in the guided format
    ================  =====================================================================================
    """

    COMMON_LEVEL = -0.75  # in the guided format: −30 dB

    def __init__(self, scenario: Scenario) -> None:
        n = scenario.num_agents
        self._guided = GuidedFormat(scenario)
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Box(-1.0, 1.0, (2 * n,), np.float32)
        self._size = 2 * n
        self.slices = {"bids": slice(0, n), "levels": slice(n, None)}

    def decode(self, action: Any, instance: Instance | None = None) -> Decision:
        """Return the decision that an action (…, 2N) stands for in an instance; their batches broadcast."""
        instance, action = present(instance), np.clip(action_array("action", action, self._size), -1.0, 1.0)
        rest = [self.COMMON_LEVEL, *np.zeros(len(DIRECTIONS))]
        padded = np.concatenate([action, np.broadcast_to(rest, (*action.shape[:-1], len(rest)))], axis=-1)
        decision = self._guided.decide(padded, instance)
        batch = decision.batch_shape
        chosen = np.nonzero(decision.selection)[-1].reshape(*batch, -1)  # N_min of each
        links = Links.of(instance, chosen)
        jamming = np.where(decision.selection, 0.0, decision.power_w).reshape(-1, decision.power_w.shape[-1])
        start = beam_directions(instance, chosen)[..., ZERO_FORCING, :]
        start = np.broadcast_to(start, (*batch, start.shape[-1])).reshape(-1, start.shape[-1])
        beam, _ = downlink(links, start, QUIET_ITERATIONS, jam=False, beside=jamming)
        beamformer = (beam * math.sqrt(instance.scenario.bs_power_w)).reshape(*batch, -1)
        return Decision._trusted(selection=decision.selection, beamformer=beamformer, power_w=decision.power_w)

    def encode(self, decision: Decision, instance: Instance | None = None) -> np.ndarray:
        """Return the action (…, 2N), float32, nearest to a decision but for its beam."""
        guided, slices = self._guided.encode(decision, instance), self._guided.slices
        bids, levels = guided[..., slices["scores"]], guided[..., slices["levels"]]
        common = self.COMMON_LEVEL * GuidedFormat.COMMON_DB
        offset = (_received_db(decision.power_w, present(instance)) - common) / GuidedFormat.OFFSET_DB
        levels = np.where(bids > 0, np.clip(offset, -1, 1), levels)
        return np.concatenate([bids, levels], axis=-1).astype(np.float32)


class SelectionFormat:
    """One flat ``Box(-1, 1, (N,), float32)`` of scores: the N_min agents with the highest compute.

    Of equal ones it is the lowest index. Beam and powers are those with which
    :func:`~secagent_env.model.serving.serve` serves them. ``encode`` keeps the first N_min selected agents alone.
    """

    RANGE = 8.0
    """For policies that draw selections: an agent with the action 1 is drawn e⁸ times as likely as one with 0."""

    def __init__(self, scenario: Scenario) -> None:
        self._size, self._required = scenario.num_agents, scenario.required_agents
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Box(-1.0, 1.0, (self._size,), np.float32)

    def decode(self, action: Any, instance: Instance | None = None) -> Decision:
        """Return the decision that an action (…, N) stands for in an instance; their batches broadcast."""
        scores = np.clip(action_array("action", action, self._size), -1.0, 1.0)
        return self.serve(present(instance), np.argsort(-scores, axis=-1, stable=True)[..., : self._required])

    def serve(self, instance: Instance, chosen: np.ndarray) -> Decision:
        """Return the decisions (…) that serve selections, the indices (…, N_min) of the selected agents."""
        return serve(instance, chosen)

    def encode(self, decision: Decision, instance: Instance | None = None) -> np.ndarray:
        """Return the action (…, N), float32."""
        rank = np.argsort(np.argsort(~np.asarray(decision.selection), axis=-1, stable=True), axis=-1, stable=True)
        return np.where(rank < self._required, 1.0, -1.0).astype(np.float32)


def present(instance: Instance | None) -> Instance:
    """Return the instance; raises ValueError if there is none."""
    if instance is None:
        raise ValueError("what the action means depends on the instance: give one, or call reset() first")
    return instance


def _received_db(power_w: np.ndarray, instance: Instance) -> np.ndarray:
    """Return the SNRs (…, N) at the base station of agents that send alone, dB."""
    return np.asarray(10 * np.log10(np.maximum(power_w * instance.bs_gain / instance.scenario.noise_power_w, 1e-30)))


def _weights(directions: np.ndarray, beamformer: np.ndarray) -> np.ndarray:
    """Return weights (…, M), within ±1, of directions (…, M, L) whose sum is nearest a beam (…, L) up to its phase.

    With real and imaginary parts as 2L real numbers, the beam turned by φ is cos φ u + sin φ v. The part of it that the
    directions span is longest for the principal eigenvector (cos φ, sin φ) of a 2 × 2 matrix.
    """
    span = np.concatenate([directions.real, directions.imag], axis=-1).swapaxes(-1, -2)  # (…, 2L, M)
    turned = np.stack([real_parts(beamformer), real_parts(-1j * np.asarray(beamformer))], axis=-1)  # (…, 2L, 2): u, v
    inverse = np.linalg.pinv(span)
    coefficients = inverse @ turned  # (…, M, 2)
    within = span @ coefficients
    _, vectors = np.linalg.eigh(within.swapaxes(-1, -2) @ within)
    weights = (coefficients @ vectors[..., -1:])[..., 0]
    largest = np.max(np.abs(weights), axis=-1, keepdims=True)
    weights = weights / np.where(largest > 0, largest, 1.0)
    return np.asarray(np.sign(weights) * np.sqrt(np.abs(weights)))


def real_parts(beamformer: np.ndarray) -> np.ndarray:
    """Return real parts, then imaginary ones, (…, 2L) of beams (…, L)."""
    return np.concatenate([np.real(beamformer), np.imag(beamformer)], axis=-1).astype(np.float64)
