"""Agents for the power control game (:mod:`secagent_env.power_control`) that do not learn, and its certified optimum.

`dpc` is the distributed algorithm of Foschini and Miljanic, `optimum` what no algorithm exceeds, with the proof;
`players` lets agents play a game, each seeing only its own.
"""

from solvers.power_control.dpc import DPC, dpc
from solvers.power_control.optimum import Optimum, optimum
from solvers.power_control.players import Fixed, Player, play

__all__ = ["DPC", "Fixed", "Optimum", "Player", "dpc", "optimum", "play"]
