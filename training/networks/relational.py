"""The relational network: agents and eavesdroppers attend to each other, and to what each pair of them is like.

It reads the pairwise observation (:mod:`secagent_env.allocation.observations`) and answers with an action of the
balanced format (:mod:`secagent_env.allocation.actions`): one set of weights for any number of agents, antennas and
eavesdroppers; permuting the agents permutes the action.

First agents and eavesdroppers are encoded in layers of attention (Vaswani et al. 2017) whose logits and values also
depend on the features of the pair, and each agent gets a score. Then the N_min agents with the highest scores are
*selected*, and only then levels are decided, which depend on the selection: how loud an agent jams on what it disturbs,
and how loud it sends on whom else it competes with.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

AGENT_FEATURES, PAIR_FEATURES, EAVESDROPPER_PAIR_FEATURES = 13, 5, 3
_SCORE_RANGE = 6.0
_START_JAM, _START_COMMON = -1.5, -0.375
"""Of an untrained network: agents jam with a tenth of the range in dB, which is next to nothing, senders at −15 dB."""
_MASKED = -1e4
_SILENT = 0.1
"""Agents whose output is below about this share of the range do not jam at all."""


class Encoded(NamedTuple):
    """What a network makes of an observation before it selects.

    ``scores`` (B, N); ``agents`` (B, N, width) and ``eavesdroppers`` (B, E, width); ``pairs`` (B, N, N, F) and
    ``overheard`` (B, N, E, F), the features of the pairs.
    """

    scores: Tensor
    agents: Tensor
    eavesdroppers: Tensor
    pairs: Tensor
    overheard: Tensor


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

    def forward(self, rows: Tensor, columns: Tensor, pairs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the rows (B, R, width); with a ``mask`` (B, C) bool they see only the columns in it."""
        query, key = self._split(self.query(self.norm(rows))), self._split(self.key(columns))
        logits = query @ key.transpose(-1, -2) / math.sqrt(self.size) + self.bias(pairs).permute(0, 3, 1, 2)
        if mask is not None:
            logits = torch.where(mask[:, None, None], logits, _MASKED)
        weights = logits.softmax(-1)  # (B, heads, R, C)
        seen = (weights @ self._split(self.value(columns))).transpose(1, 2).flatten(2)
        of_pairs = (weights.transpose(1, 2) @ pairs).flatten(2)  # (B, R, heads · F)
        rows = rows + self.out(seen) + self.pair_value(of_pairs)
        mixed: Tensor = rows + self.mlp(rows)
        return mixed

    def _split(self, rows: Tensor) -> Tensor:
        return rows.unflatten(-1, (self.heads, self.size)).transpose(1, 2)


class RelationalNetwork(nn.Module):
    """From the parts of a pairwise observation to a balanced action; see the module. ``width`` is a multiple of 4."""

    def __init__(self, *, width: int = 48, layers: int = 2) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(AGENT_FEATURES, width), nn.GELU(), nn.Linear(width, width))
        self.embed_eve = nn.Sequential(nn.Linear(1, width), nn.GELU(), nn.Linear(width, width))
        self.eve_to_agents = self._attentions(layers, width, EAVESDROPPER_PAIR_FEATURES)
        self.agent_to_eves = self._attentions(layers, width, EAVESDROPPER_PAIR_FEATURES)
        self.agent_to_agents = self._attentions(layers, width, PAIR_FEATURES)
        self.score = nn.Linear(width, 1)
        self.mark = nn.Linear(1, width)
        self.eve_to_selected = Attention(width, EAVESDROPPER_PAIR_FEATURES)
        self.agent_to_selected = Attention(width, PAIR_FEATURES)
        self.agent_to_eves_again = Attention(width, EAVESDROPPER_PAIR_FEATURES)
        self.jam, self.offset, self.common = nn.Linear(width, 1), nn.Linear(width, 1), nn.Linear(width, 1)
        for layer, start in ((self.jam, _START_JAM), (self.offset, 0.0), (self.common, math.atanh(_START_COMMON))):
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, start)

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
        """Return the action (B, 2N + 1) within ±1, from the parts of the observation, each with its first axis B."""
        encoded = self.encode(task, agents, eavesdroppers, gain_agents, alignment, alignment_eve, clear)
        ordered = encoded.scores.sort(-1, descending=True).values
        count = (task[:, :1] * agents.shape[1]).round().long()
        last = ordered.gather(-1, (count - 1).clamp(min=0))
        return self.action(encoded, encoded.scores >= last)

    def encode(
        self,
        task: Tensor,
        agents: Tensor,
        eavesdroppers: Tensor,
        gain_agents: Tensor,
        alignment: Tensor,
        alignment_eve: Tensor,
        clear: Tensor,
    ) -> Encoded:
        """Return the scores of the agents, within ±6, and what they are made of."""
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
        scores = _SCORE_RANGE * torch.tanh(self.score(hidden).squeeze(-1) / _SCORE_RANGE * 2)
        return Encoded(scores, hidden, eves, pairs, overheard)

    def action(self, encoded: Encoded, selection: Tensor) -> Tensor:
        """Return the action (B, 2N + 1) that selects ``selection`` (B, N) bool, with the levels for it."""
        hidden = encoded.agents + self.mark(selection.to(encoded.agents.dtype)[..., None])
        eves = self.eve_to_selected(encoded.eavesdroppers, hidden, encoded.overheard.transpose(1, 2), selection)
        hidden = self.agent_to_selected(hidden, hidden, encoded.pairs, selection)
        hidden = self.agent_to_eves_again(hidden, eves, encoded.overheard)
        jam, offset = (1 + _SILENT) * torch.sigmoid(self.jam(hidden)) - _SILENT, torch.tanh(self.offset(hidden))
        common = torch.tanh(self.common(hidden.mean(1)))
        level = torch.where(selection, offset.squeeze(-1), jam.squeeze(-1))
        scores = torch.sigmoid(encoded.scores)  # in (0, 1), in the order of the scores
        return torch.cat([torch.where(selection, scores, scores - 1), level, common], -1)

    def actions(self, encoded: Encoded, order: Tensor) -> Tensor:
        """Return the actions (B, S, 2N + 1) for S selections of each, of the agents whose indices are (B, S, K)."""
        batch, samples = order.shape[:2]
        marks = torch.zeros(batch, samples, encoded.scores.shape[1], dtype=torch.bool, device=order.device)
        selection = marks.scatter(-1, order, torch.ones_like(order, dtype=torch.bool))
        repeated = Encoded(*(part.repeat_interleave(samples, 0) for part in encoded))
        return self.action(repeated, selection.flatten(0, 1)).unflatten(0, (batch, samples))


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
