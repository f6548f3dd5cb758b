"""Robust: the cheapest design found that holds with probability 1 - δ over what is not known of the eavesdroppers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from secagent_env import Decision, evaluate
from secagent_env.sampling.estimation import eve_prior
from solvers.asc_plus.solver import ASCPlus
from solvers.interface.base import Solver, SolverRun
from solvers.robust.belief import Belief, Trial
from solvers.robust.certificate import OutageCertificate, draws_for, outage_bound
from solvers.robust.pessimism import METHODS, Pessimist


@dataclass(frozen=True, kw_only=True)
class Robust(Solver):
    """See the module."""

    name = "robust"
    outage: float = 0.05
    confidence: float = 0.999
    method: str = "scenario"
    designs: int = 10
    rounds: int = 2
    draws: int = 2000
    jamming: bool = True

    def _solve(self, run: SolverRun) -> None:
        run.eligible_agents()
        belief = Belief(run.instance, eve_prior(run.instance))
        drawn = belief.draw(self.draws, run.rng)
        inner = ASCPlus(jamming=self.jamming)
        scenario = run.instance.scenario
        solved = inner.solve(belief.means(), seed=run.seed, start=run.start)
        decision = solved.decision
        found: list[tuple[float, Trial, Decision]] = []
        low, high = 1e-7, 0.5
        tail = self.outage / (2 * scenario.required_agents)
        for step in range(self.designs):
            for _ in range(self.rounds):
                outcome = evaluate(run.instance, decision)
                rest = scenario.latency_limit_s - float(outcome.inference_time_s)
                seen = Pessimist(belief, METHODS[self.method], tail).instance(decision, rest)
                solved = inner.solve(seen, seed=run.seed, start=decision)
                new = solved.decision
                if not solved.outcome.feasible: break
                same = (new.selection == decision.selection).all()
                decision = new
                if same: break
            trial = Trial.of(new, drawn)
            run.record(tail=tail, outage=trial.outage, status=solved.status, energy_j=trial.quantile_j(self.outage))
            print(step, f"tail {tail:.3g} {solved.status} outage {trial.outage:.4f} quantile {trial.quantile_j(self.outage):.6g} designed {float(solved.outcome.energy_j):.6g} {solved.wall_time_s:.2f}s")
            if solved.outcome.feasible:
                found.append((trial.outage, trial, decision))
            if solved.outcome.feasible and trial.outage > 0.8 * self.outage:
                high = tail
            else:
                low = tail
            tail = math.sqrt(low * high)
        object.__setattr__(self, "_found", found)
        if found:
            run.consider(min(found, key=lambda f: f[1].quantile_j(self.outage))[2])

