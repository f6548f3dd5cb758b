"""The relational network: agents and eavesdroppers attend to each other, and to what each pair of them is like.

It reads the pairwise observation (:mod:`secagent_env.allocation.observations`) and answers with an action of the
selection format (:mod:`secagent_env.allocation.actions`), a score for each agent: one set of weights for any number of
agents, antennas and eavesdroppers; permuting the agents permutes the scores. Agents and eavesdroppers are encoded in
layers of attention (Vaswani et al. 2017) whose logits and values also depend on the features of the pair. What the
layers say is added to a score for being cheap: an untrained network selects the cheapest agents, and draws from them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from secagent_env.allocation.guided import SelectionFormat

AGENT_FEATURES, PAIR_FEATURES, EAVESDROPPER_PAIR_FEATURES = 13, 5, 3
THRIFT = 3.0
"""Of an untrained network: who spends half as much on computing is drawn about 2³ times as likely."""


class Attention(nn.Module):
    """Rows attend to columns, (B, R, width) and (B, C, width), each pair of which has features (B, R, C, F)."""

    def __init__(self, width: int, features: int, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.norm, self.query = nn.LayerNorm(width), nn.Linear(width, width)
        self.key, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.bias, self.pair_value = nn.Linear(features, heads), nn.Linear(heads * features, width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, rows: Tensor, columns: Tensor, pairs: Tensor) -> Tensor:
        """Return the rows (B, R, width)."""
        query, key = self._split(self.query(self.norm(rows))), self._split(self.key(columns))
        logits = query @ key.transpose(-1, -2) / math.sqrt(self.size) + self.bias(pairs).permute(0, 3, 1, 2)
        weights = logits.softmax(-1)  # (B, heads, R, C)
        seen = (weights @ self._split(self.value(columns))).transpose(1, 2).flatten(2)
        of_pairs = (weights.transpose(1, 2) @ pairs).flatten(2)  # (B, R, heads · F)
        rows = rows + self.out(seen) + self.pair_value(of_pairs)
        mixed: Tensor = rows + self.mlp(rows)
        return mixed

    def _split(self, rows: Tensor) -> Tensor:
        return rows.unflatten(-1, (self.heads, self.size)).transpose(1, 2)


class RelationalNetwork(nn.Module):
    """From the parts of a pairwise observation to scores; see the module. ``width`` is a multiple of 4."""

    def __init__(self, *, width: int = 48, layers: int = 2) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(AGENT_FEATURES, width), nn.GELU(), nn.Linear(width, width))
        self.embed_eve = nn.Sequential(nn.Linear(1, width), nn.GELU(), nn.Linear(width, width))
        self.eve_to_agents = self._attentions(layers, width, EAVESDROPPER_PAIR_FEATURES)
        self.agent_to_eves = self._attentions(layers, width, EAVESDROPPER_PAIR_FEATURES)
        self.agent_to_agents = self._attentions(layers, width, PAIR_FEATURES)
        self.score, self.thrift = nn.Linear(width, 1), nn.Parameter(torch.tensor(THRIFT))
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    @staticmethod
    def _attentions(layers: int, width: int, features: int) -> nn.ModuleList:
        return nn.ModuleList(Attention(width, features) for _ in range(layers))

    def forward(
        self,
        task: Tensor,
        agents: Tensor,
        eavesdroppers: Tensor,
        gain_agents: Tensor,
        alignment: Tensor,
        alignment_eve: Tensor,
        clear: Tensor,
    ) -> Tensor:
        """Return the action (B, N) within ±1, from the parts of the observation, each with its first axis B."""
        own, heard = agents[..., :5], agents[..., 5:]
        same = torch.eye(agents.shape[1], dtype=agents.dtype, device=agents.device).expand_as(gain_agents)
        pairs = torch.stack([gain_agents, alignment, clear, same, gain_agents - own[:, :, None, 0]], -1)
        overheard = torch.stack([heard, alignment_eve, 2 * (heard - own[..., :1])], -1)
        hidden = self.embed(agent_features(task, own, heard, clear))
        eves = self.embed_eve(eavesdroppers)
        for to_agents, to_eves, among in zip(self.eve_to_agents, self.agent_to_eves, self.agent_to_agents, strict=True):
            eves = to_agents(eves, hidden, overheard.transpose(1, 2))
            hidden = to_eves(hidden, eves, overheard)
            hidden = among(hidden, hidden, pairs)
        energy = own[..., 1]
        relative = torch.log((energy / energy.mean(1, keepdim=True).clamp(min=1e-6)).clamp(min=1e-6))
        scores = 2 * self.score(hidden).squeeze(-1) - self.thrift * relative
        return torch.tanh(scores / SelectionFormat.RANGE)


def agent_features(task: Tensor, own: Tensor, heard: Tensor, clear: Tensor) -> Tensor:
    """Return the features of each agent, (B, N, 13), of the order of 1.

    ``own`` (B, N, 5) and ``heard`` (B, N, E) are the columns of the observation's part ``agents``; energies and
    accuracies are also given relative to those of the others and to Acc_min.
    """
    snr, energy, accuracy = own[..., :1], own[..., 1:2], own[..., 4:5]
    loudest = heard.amax(-1, keepdim=True)
    relative = energy / energy.mean(1, keepdim=True).clamp(min=1e-6)
    share = torch.diagonal(clear, dim1=1, dim2=2)[..., None].clamp(1e-6, 1.0)
    parts = [
        own,
        loudest,
        2 * (loudest - snr),
        relative,
        torch.log(relative.clamp(min=1e-6)),
        share,
        snr + share.log10() / 4,
    ]
    parts += [5 * (accuracy - accuracy.mean(1, keepdim=True)), 5 * (accuracy - task[:, None, 1:2])]
    return torch.cat(parts, -1)
