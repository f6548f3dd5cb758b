"""FixedBF: the same power on every antenna; selection and powers as in ASC (section V).

Such a beam ignores where the eavesdroppers are. Where they hear it better than a selected agent does, only jammers can
help, so that this scheme needs them far more often than ASC does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from secagent_env import Instance
from solvers.asc.sub_problems import closed_form
from solvers.asc_plus.links import Links
from solvers.asc_plus.solver import GOOD_GAP, ASCPlus
from solvers.asc_plus.starts import JAMMED, cheapest_protected, jammers_of
from solvers.beam.beamforming import Beam
from solvers.certificate.linear_test import linear_test
from solvers.interface.base import SolverRun

MARGINS = (0.01, 0.1, 1.0)
"""By how much the agents of a start pass the linear tests of the two links."""


class FixedBeamLinks(Links):
    """The powers at the equal beam."""

    def first_beam(self, selection: np.ndarray) -> np.ndarray:
        """Return the equal beam (L,)."""
        return equal_beam(self.run.instance)

    def _best_beam(self, selection: np.ndarray, power_w: np.ndarray, start: np.ndarray | None) -> Beam:
        instance = self.run.instance
        return closed_form(instance, selection, power_w, equal_beam(instance), "fixed")


@dataclass(frozen=True, kw_only=True)
class FixedBF(ASCPlus):
    """ASC with the beam w = √(p_BS / L) · 1; its options are ASC's, of which those of the beam have no effect."""

    name = "fixedbf"
    links = FixedBeamLinks

    def _solve(self, run: SolverRun) -> None:
        if run.start is not None:  # a start counts with the beam of this scheme
            run.start = run.start.replace(beamformer=equal_beam(run.instance))
            run.decision = run.outcome = None
            run.consider(run.start)
        super()._solve(run)
        if run.outcome is not None and not run.outcome.feasible:
            run.message = (
                "the beam cannot be adapted, and no jammers and powers were found beside which every agent of an "
                "accurate enough selection has secrecy on both links and is fast enough"
                if self.jamming
                else "the beam cannot be adapted and nobody jams: too few agents hear it better than the eavesdroppers"
            )

    def _may_need_jammers(self, run: SolverRun, secret: np.ndarray, eligible: np.ndarray) -> bool:
        if super()._may_need_jammers(run, secret, eligible):
            return True
        # Agents that this beam reaches in secret only beside jammers were left out as well.
        assert run.outcome is not None
        assert run.bound is not None
        return bool(run.outcome.energy_j > (1 + GOOD_GAP) * run.bound.energy_j)

    def _jammed_selections(self, links: Links, eligible: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        beam = equal_beam(links.run.instance)
        for margin in MARGINS:
            links.run.check_time()
            reached = reached_selection(links.run.instance, beam, eligible, margin)
            if reached is not None:
                yield reached
        yield from super()._jammed_selections(links, eligible)


def equal_beam(instance: Instance) -> np.ndarray:
    """Return √(p_BS / L) · 1, (L,) complex, √W."""
    antennas = instance.scenario.num_antennas
    return np.full(antennas, np.sqrt(instance.scenario.bs_power_w / antennas), complex)


def reached_selection(
    instance: Instance, beamformer: np.ndarray, allowed: np.ndarray, margin: float, *, seconds: float = 1.0
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the cheapest selection (N,) bool with secrecy on both links at a given beam, and its jammers (N,), W.

    At a given beam the downlink is a linear test in the jammers' powers as well, of the signals |h_nᴴw|² at agent n and
    |g_eᴴw|² at eavesdropper e. With the test of the uplink, beside weak senders, it is the integer program of
    :func:`solvers.asc_plus.starts.cheapest_protected`, in which selected agents have no power. (For colluding
    eavesdroppers |g_eᴴw|² and |h_n,e|² are summed over them, which suffices.) Both tests are passed by a ``margin``;
    only agents that are ``allowed``, (N,) bool, are selected. None if there is none, or it is not found in so many
    seconds.
    """
    scenario = instance.scenario
    n = scenario.num_agents
    heard = np.maximum(instance.gain_eve, 1e-300)
    cap = min(scenario.max_power_w, JAMMED * scenario.noise_power_w / float(heard.max()))
    overheard = [np.abs(instance.channel_eve.conj() @ beamformer) ** 2, heard]  # (E,), (N, E)
    if scenario.colluding:
        overheard = [np.broadcast_to(power.sum(axis=-1, keepdims=True), power.shape) for power in overheard]
    received = [np.abs(instance.channel_bs.conj() @ beamformer) ** 2, instance.bs_gain]
    at_receiver = [instance.gain_agents.T[:, None, :], instance.bs_gain]  # of the jammers, in each link
    rows: list[tuple[np.ndarray, ...]] = []
    for own, theirs, disturbance in zip(received, overheard, at_receiver, strict=True):
        ratio = own[:, None] / np.maximum(theirs, 1e-300) / (1 + margin)
        slope, level = linear_test(ratio, 1.0, disturbance, heard)
        slope *= cap / scenario.noise_power_w
        least = level + np.minimum(slope, 0.0).sum(axis=2)
        right = least - ratio + 1
        rows += [(np.arange(n), slope[:, e], least[:, e], right[:, e]) for e in range(level.shape[1])]
    tests = tuple(np.concatenate(column) for column in zip(*rows, strict=True))
    protected = cheapest_protected(instance, tests, cap, allowed, apart=True, seconds=seconds)
    return None if protected is None else (protected[0], jammers_of(instance, *protected))
