"""The local network: every agent decides by what it sees itself, all with the same weights.

It reads the compact observation, of which each agent gets what :func:`secagent_env.multiagent.views.own_views` gives
it, and answers with an action of the bids format, or of the guided format: then the base station, which sees all, adds
the common level and the beam. Between the agents nothing is exchanged: the policy is decentralised, and trained with a
central critic ("MAPPO": Yu et al. 2022).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from training.networks.equivariant import GLOBAL_OUTPUTS, SLOW, START_COMMON, START_LEVEL, TASK_FEATURES

AGENT_FEATURES = 9


class LocalNetwork(nn.Module):
    """From the parts of a compact observation to a bids action, or with ``beam`` to a guided one.

    ``width`` is that of the hidden layers.
    """

    def __init__(self, *, beam: bool, width: int = 32) -> None:
        super().__init__()
        inputs = AGENT_FEATURES + TASK_FEATURES
        self.agent = nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2)
        )
        self.beam = beam
        if beam:
            self.base_station = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, GLOBAL_OUTPUTS))
            self.start: Tensor
            self.register_buffer("start", torch.atanh(torch.tensor(START_COMMON)), persistent=False)

    def forward(self, task: Tensor, agents: Tensor, eavesdroppers: Tensor) -> Tensor:
        """Return the action (B, 2N) or (B, 2N + 5) within ±1, of the parts (B, 6), (B, N, 5 + E) and (B, E, 1)."""
        own, heard = agents[..., :5], agents[..., 5:].amax(-1, keepdim=True)
        energy = own[..., 1:2].clamp(min=1e-6)
        rows = [own, heard, heard - own[..., :1], torch.log(energy), 5 * (own[..., 4:5] - task[:, None, 1:2])]
        world = torch.cat([task, eavesdroppers.amax(1)], -1)
        features = torch.cat([*rows, world[:, None].expand(-1, agents.shape[1], -1)], -1)
        bid, level = self.agent(features).unbind(-1)
        parts = [torch.tanh(bid / 2), torch.tanh(math.atanh(START_LEVEL) + SLOW * level)]
        if self.beam:
            parts.append(torch.tanh(self.start + SLOW * self.base_station(features.mean(1))))
        return torch.cat(parts, -1)
