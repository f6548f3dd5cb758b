"""The solvers' common interface and result, and the driver that keeps the best decision seen."""

from __future__ import annotations

import functools
import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from secagent_env import Decision, Instance, Outcome, evaluate
from secagent_env.support import checks
from secagent_env.support.blas import single_threaded
from secagent_env.support.secrets import public
from solvers.certificate.bounds import LowerBound, lower_bound, transmission_bound
from solvers.certificate.requirements import why_infeasible
from solvers.certificate.selection import eligible_agents
from solvers.interface.outage import OutageCertificate
from solvers.interface.ranking import rank_by_violation, to_ties
from solvers.interface.scaling import scaled

logger = logging.getLogger("secagent.solvers")

OPTIMAL_GAP = 1e-6


@dataclass(frozen=True)
class Solution:
    """The result of a solver; the same type for every solver and every ending.

    Attributes
    ----------
    decision, outcome
        The best decision found and its outcome by :func:`secagent_env.evaluate`. Where none was feasible
        (``outcome.feasible`` is False), the least violating one.
    lower_bound_j
        A proved lower bound on the energy of every feasible decision, J; infinite if there is none.
    status
        ``"optimal"`` (gap ≤ 1e-6), ``"feasible"``, ``"infeasible"`` (proved; the message names the
        constraint), ``"failed"`` (nothing feasible found, nothing proved, or by no merit of the solver's: not one reply
        of its language model could be used) or ``"stopped"`` (out of time).
    message
        One sentence for people.
    history
        One record per iteration, for convergence plots.
    evaluations
        How many decisions were scored.
    wall_time_s
        Time in the solver, s; the lower bound counts only where the solver itself needs it.
    solver, seed
        The solver's name, and the seed.
    usage
        Use of a language model: ``calls``, ``prompt_tokens``, ``completion_tokens``, ``cost``, ``faults``; empty for
        solvers that ask none.
    certificate
        How often the decision fails over what is not known of the eavesdroppers; None where all counts as known.
    """

    decision: Decision
    outcome: Outcome
    lower_bound_j: float
    status: str
    message: str
    history: tuple[dict[str, Any], ...]
    evaluations: int
    wall_time_s: float
    solver: str
    seed: int
    transmission_bound_j: float
    usage: dict[str, Any] = field(default_factory=dict)
    certificate: OutageCertificate | None = None

    @property
    def gap(self) -> float:
        """(energy − lower bound) / lower bound; infinite for an infeasible decision."""
        return _relative_gap(float(self.outcome.energy_j), self.lower_bound_j, bool(self.outcome.feasible))

    @property
    def transmission_gap(self) -> float:
        """(transmission energy − its bound) / bound, for the selection made; infinite if infeasible."""
        energy = float(self.outcome.transmission_energy_j)
        return _relative_gap(energy, self.transmission_bound_j, bool(self.outcome.feasible))


CERTIFIED = "certified, and one of the failures allowed for where the channels are as the instance holds them"
"""The message of a decision with a certificate that is infeasible on the channels in the instance."""


def _relative_gap(energy: float, bound: float, feasible: bool) -> float:
    if not feasible or not math.isfinite(energy):
        return math.inf
    return (energy - bound) / bound if bound > 0 else (0.0 if energy <= 0 else math.inf)


class OutOfTime(Exception):
    """Raised inside a solver when ``max_seconds`` are over; the driver returns the best so far."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a solve that had found something; ``solution()`` returns the best so far, a Solution."""

    def __init__(self, solution: Callable[[], Solution]) -> None:
        super().__init__("the solve was interrupted")
        self.solution = solution


class Infeasible(Exception):
    """Raised inside a solver with the proof, in one sentence, that no decision is feasible."""


@dataclass
class SolverRun:
    """One call of ``solve``: the instance, the seed's generator, the clock, and the best decision so far.

    ``given`` is the instance as it was given, on which decisions are scored; ``instance`` is the same one
    :func:`~solvers.interface.scaling.scaled`, on which solvers search.
    """

    given: Instance
    seed: int
    start: Decision | None = None
    max_seconds: float | None = None
    express: Callable[[Decision], Decision] | None = None
    decision: Decision | None = None
    outcome: Outcome | None = None
    bound: LowerBound | None = None
    message: str = ""
    failure: str = ""
    """Why the best decision, though it may be feasible, is not the solver's work: a sentence."""
    history: list[dict[str, Any]] = field(default_factory=list)
    evaluations: int = 0
    usage: dict[str, Any] = field(default_factory=dict)
    certificate: OutageCertificate | None = None

    def __post_init__(self) -> None:
        self.instance = scaled(self.given)
        self.rng = np.random.default_rng(self.seed)
        self._rank = (math.inf, math.inf)
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time since the start, s."""
        return time.perf_counter() - self._began

    @property
    def seconds_left(self) -> float | None:
        """Time until ``max_seconds`` are over, s; None without a limit."""
        return None if self.max_seconds is None else max(0.0, self.max_seconds - self.seconds)

    @property
    def feasible(self) -> bool:
        """Whether the best decision so far is feasible."""
        return self.outcome is not None and bool(self.outcome.feasible)

    @property
    def energy_j(self) -> float:
        """The energy of the best decision so far, J; infinite while none is feasible."""
        return float(self.outcome.energy_j) if self.outcome is not None and self.feasible else math.inf

    def check_time(self) -> None:
        """Raise OutOfTime when the time allowed is over; called between iterations."""
        if self.max_seconds is not None and self.seconds >= self.max_seconds:
            raise OutOfTime

    def eligible_agents(self) -> np.ndarray:
        """Return the agents that compute in time, (N,) bool; raise Infeasible if no selection meets (13) and (15)."""
        eligible = eligible_agents(self.instance)
        if message := why_infeasible(self.instance, eligible):
            raise Infeasible(message)
        return eligible

    def consider(self, decision: Decision) -> Outcome:
        """Score a decision (or a batch of them), keep the best one seen, and return the outcome.

        The best has the least energy, and among those of equal energy, up to rounding, the least transmission energy.
        One out of a batch is scored once more by itself, since the sums of a batch may be rounded differently.
        """
        if self.express is not None:
            decision = self.express(decision)
        outcome = evaluate(self.given, decision)
        self.evaluations += math.prod(decision.batch_shape)
        candidate = outcome
        if decision.batch_shape:
            ranks = to_ties(rank_by_violation(self.given, outcome))
            best = int(np.lexsort((outcome.transmission_energy_j, ranks))[0])
            decision, candidate = decision[best], outcome[best]
            if self._rank_of(candidate) < self._rank:
                candidate = evaluate(self.given, decision)
        rank = self._rank_of(candidate)
        if self.outcome is None or rank < self._rank:
            self.decision, self.outcome, self._rank = decision, candidate, rank
        return outcome

    def choose(self, decision: Decision, certificate: OutageCertificate | None) -> None:
        """Make a decision the best one, whatever it costs where all is as estimated, with its certificate."""
        self.decision, self.outcome, self.certificate = decision, evaluate(self.given, decision), certificate
        self.evaluations += 1

    def _rank_of(self, outcome: Outcome) -> tuple[float, float]:
        return float(to_ties(rank_by_violation(self.given, outcome))), float(outcome.transmission_energy_j)

    def record(self, **entries: Any) -> None:
        """Append a record to the history: these entries, the best energy so far, and the time."""
        self.history.append({**entries, "best_energy_j": self.energy_j, "seconds": self.seconds})


class Solver(ABC):
    """Solves an Instance. Subclasses implement ``_solve``, which hands decisions to the ``SolverRun``."""

    name: str
    jamming: bool = True
    """Whether unselected agents may jam; with False they are silent, those of the start too."""
    artificial_noise: bool = False
    """Whether the base station may send artificial noise; with False it sends none, nor in the start."""

    @single_threaded()
    def solve(
        self,
        instance: Instance,
        seed: int = 0,
        start: Decision | None = None,
        max_seconds: float | None = None,
        express: Callable[[Decision], Decision] | None = None,
    ) -> Solution:
        """Return the best decision found for an instance.

        Parameters
        ----------
        instance
            A single instance (NumPy, or any library: it is converted).
        seed
            Of everything random in the solver: the same seed gives the same decision.
        start
            A decision to start from, for solvers that can use one.
        max_seconds
            Stop after about this time with the best so far.
        express
            A function applied to every decision before it is scored, such as the rounding of an action format;
            decisions are compared and returned in this form.

        Raises
        ------
        ValueError
            For bad arguments only; ``status`` reports an infeasible instance and a failure inside.
        OSError
            If a file or a server among the solver's options cannot be used.
        Interrupted
            For a KeyboardInterrupt once a decision was found; it holds the best so far.
        """
        instance = _single(instance)
        seed = checks.integer("seed", seed)
        if max_seconds is not None and not max_seconds > 0:
            raise ValueError(f"max_seconds must be > 0 or None, got {max_seconds!r}")
        run = SolverRun(instance, seed, start, max_seconds, express)
        ending = ""
        try:
            if start is not None:
                run.start = start if self.jamming else silenced(start)
                if run.start.noise_covariance is not None and not self.artificial_noise:
                    run.start = run.start.replace(noise_covariance=None)
                run.consider(run.start)
            self._solve(run)
        except OutOfTime:
            ending = "stopped"
        except KeyboardInterrupt:
            if run.outcome is None:
                raise
            raise Interrupted(functools.partial(self._finish, run, "stopped", run.seconds)) from None
        except Infeasible as proof:
            ending, run.message = "infeasible", str(proof)
        except Exception as error:
            if isinstance(error, OSError) or (run.outcome is None and isinstance(error, (ValueError, ImportError))):
                raise  # the user can help: a file, a server, and at the very start an argument or a missing extra
            logger.warning("%s failed inside: %s", self.name, error, exc_info=logger.isEnabledFor(logging.DEBUG))
            ending, run.message = "failed", public(f"{self.name} failed inside ({type(error).__name__}: {error})")
        seconds = run.seconds
        if run.outcome is None:
            run.consider(silent_decision(instance))
        return self._finish(run, ending, seconds)

    @abstractmethod
    def _solve(self, run: SolverRun) -> None:
        """Search; call ``run.consider`` for decisions worth keeping, ``run.record`` per iteration."""

    def _finish(self, run: SolverRun, ending: str, seconds: float) -> Solution:
        decision, outcome = run.decision, run.outcome
        assert decision is not None
        assert outcome is not None
        bound = run.bound or lower_bound(run.instance)
        gap = _relative_gap(float(outcome.energy_j), bound.energy_j, bool(outcome.feasible))
        if (outcome.feasible or run.certificate is not None) and not run.failure:
            status = "optimal" if gap <= OPTIMAL_GAP else "stopped" if ending == "stopped" else "feasible"
            found = f"feasible, {gap:.2g} above the lower bound" if outcome.feasible else CERTIFIED
            message = run.message or found
        elif ending == "infeasible" or not math.isfinite(bound.energy_j):
            status, message = "infeasible", bound.message or run.message
        elif run.failure:
            status, message = "failed", run.failure
        else:
            status = "stopped" if ending == "stopped" else "failed"
            violated = ", ".join(name for name, value in outcome.violated.items() if value)
            message = run.message or f"no feasible decision found; the best one violates {violated}"
        if ending == "stopped":
            message = f"stopped after {seconds:.3g} s: {message}"
        return Solution(
            decision,
            outcome,
            bound.energy_j,
            status,
            message,
            tuple(run.history),
            run.evaluations,
            seconds,
            self.name,
            run.seed,
            transmission_bound_j=transmission_bound(run.instance, decision.selection),
            usage=run.usage,
            certificate=run.certificate,
        )


def silent_decision(instance: Instance, selection: Sequence[bool] | np.ndarray | None = None) -> Decision:
    """Return the decision without any transmission: beam and powers are zero."""
    silent = np.zeros(instance.scenario.num_agents)
    return Decision(
        selection=np.asarray(silent if selection is None else selection, bool),
        beamformer=np.zeros(instance.scenario.num_antennas, complex),
        power_w=silent,
    )


def at_powers(
    selection: np.ndarray, beamformer: np.ndarray, power_w: np.ndarray, noise_covariance: np.ndarray | None = None
) -> Decision:
    """Return decisions (·) that differ in the powers (·, N), W, alone."""
    return Decision(
        selection=np.broadcast_to(selection, power_w.shape),
        beamformer=np.broadcast_to(beamformer, (len(power_w), beamformer.size)),
        power_w=power_w,
        noise_covariance=repeated(noise_covariance, len(power_w)),
    )


def repeated(noise_covariance: np.ndarray | None, *shape: int) -> np.ndarray | None:
    """Return the covariance (L, L) of artificial noise for decisions of a batch shape; None stays."""
    if noise_covariance is None:
        return None
    return np.broadcast_to(noise_covariance, (*shape, *noise_covariance.shape))


def silenced(decision: Decision) -> Decision:
    """Return the decision with every unselected agent silent."""
    return decision.replace(power_w=np.where(decision.selection, decision.power_w, 0.0))


def _single(instance: Instance) -> Instance:
    if not isinstance(instance, Instance):
        raise ValueError(f"instance must be an Instance, got {type(instance).__name__}")
    if instance.batch_shape:
        raise ValueError(f"solve takes a single instance, got a batch {instance.batch_shape}; use instance[i]")
    return instance if isinstance(instance.channel_bs, np.ndarray) else instance.to(np)
