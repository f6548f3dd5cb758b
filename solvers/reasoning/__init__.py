"""Cooperative reasoning: the selected agents answer, the supervisor votes (section III-B)."""

from solvers.reasoning.answer import Answer, Reasoner
from solvers.reasoning.simulated import SimulatedReasoner
from solvers.reasoning.team import Supervisor, Verdict, ask_all
from solvers.reasoning.vote_theory import expected_accuracy
from solvers.reasoning.votes import Tally, log_odds_weights, vote

__all__ = [
    "Answer",
    "Reasoner",
    "SimulatedReasoner",
    "Supervisor",
    "Tally",
    "Verdict",
    "ask_all",
    "expected_accuracy",
    "log_odds_weights",
    "vote",
]
