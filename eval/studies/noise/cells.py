"""The cells of ``secagent study noise``: a network solved without artificial noise and with it."""

from __future__ import annotations

import math
import time

import numpy as np

from eval.compare.solving import instance_of, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, number, returns
from secagent_env import Instance
from secagent_env.support.blas import single_threaded
from solvers.asc_plus.solver import ASCPlus
from solvers.beam.beamforming import best_beam
from solvers.beam.noise import with_noise
from solvers.certificate.selection import cheapest_selection

FUNCTION = "eval.studies.noise.cells:compare"


@returns(
    columns(
        **dict.fromkeys(("energy", "energy_noise", "alone", "together", "bound"), number),
        **dict.fromkeys(("jammers", "jammers_noise", "noise", "seconds", "seconds_noise"), count),
    )
)
def compare(cell: Cell) -> Row:
    """Return the figures of asc-plus without noise and with it, and what noise does for the cheapest agents' downlink.

    With noise it searches twice, so that without it it does, too. ``energy`` is in J, infinite where no feasible
    decision is found, ``noise`` the share of p_BS in the noise, and ``seconds`` processor time.
    """
    instance, seed = instance_of(cell), solver_seed(cell.seed, cell.index)
    row: Row = {}
    for end, noise in (("", False), ("_noise", True)):
        began = time.process_time()
        solution = ASCPlus(artificial_noise=noise).solve(instance, seed)
        if not noise and solution.status != "optimal":
            solution = ASCPlus().solve(instance, seed + 1, solution.decision)
        row[f"seconds{end}"] = time.process_time() - began
        decision, outcome = solution.decision, solution.outcome
        row[f"energy{end}"] = float(outcome.energy_j) if outcome.feasible else math.inf
        row[f"jammers{end}"] = int(np.sum(~decision.selection & (decision.power_w > 0)))
    sent = decision.noise_covariance
    row["noise"] = 0.0 if sent is None else float(np.trace(sent).real) / instance.scenario.bs_power_w
    row["alone"], row["together"], row["bound"] = downlink_of_cheapest(instance)
    return row


@single_threaded()
def downlink_of_cheapest(instance: Instance) -> tuple[float, float, float]:
    """Return secrecy rates of the cheapest selection's downlink beside silent jammers, bit/s/Hz.

    The beam's alone, with noise, and a bound on all beams with any noise; nothing where there is no selection.
    """
    selection = cheapest_selection(instance, instance.execution_energy_j).selection
    if selection is None:
        return 0.0, 0.0, 0.0
    silent, rng = np.zeros(len(selection)), np.random.default_rng(0)
    alone = best_beam(instance, selection, silent, rng)
    together = with_noise(instance, selection, silent, alone, rng, proof=True)
    return alone.secrecy, together.secrecy, together.bound
