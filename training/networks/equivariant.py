"""The permutation-equivariant network: one set of weights for any number of agents, antennas and eavesdroppers.

It reads the compact observation and answers with an action of the guided format
(:mod:`secagent_env.allocation.actions`). All agents share the same layers. They learn of each other through pools over
the agents: the mean, the maximum, and the mean over a *soft selection*, which is what the network would select so far.
In several rounds it sees its own choice and corrects it: whether an agent fits depends on how accurate those selected
with it are.

Scores are standardised over the agents, so that a gradient reaches each of them, and given relative to the threshold
between the N_min highest and the rest; σ(s/T) with T = 0.25 is the soft selection. The scores of the action are
tanh(s/2): positive for those that the guided format selects.

The L antennas do not enter: the guided format mixes beam directions, which are made of the channels in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secagent_env.allocation.observations import observation_shapes
from secagent_env.model.scenario import Scenario

AGENT_FEATURES, BATTERY_FEATURES, TASK_FEATURES = 10, 2, 7
GLOBAL_OUTPUTS = 5
TEMPERATURE = 0.25
_MANY_TASKS = 30.0
_BEHIND = 4.0
"""How many standard deviations below the mean an able agent can score; the others score twice as far below."""
START_LEVEL, START_COMMON = -0.5, (-0.75, 0.0, 0.0, 0.8, 0.0)
"""Actions of an untrained network: nobody jams, senders arrive at −30 dB, a zero-forcing beam."""
SLOW = 0.1
"""Factor on the outputs for powers and beam: Adam's steps do not shrink with the gradient, and would carry them away
where the reward hardly depends on them."""


def centred(scores: Tensor, count: Tensor, able: Tensor | None = None) -> Tensor:
    """Return scores (B, N), standardised over the agents, less their threshold: those of the selected are positive.

    The threshold is halfway between the last of the ``count`` (B, 1) highest and the next. Agents that are not
    ``able``, (B, N) bool, come last. With None all are, and small differences are enlarged too; otherwise they stay
    small, so that an untrained policy explores by ranking nearly at random.
    """
    if able is None:
        mean, spread = scores.mean(-1, keepdim=True), scores.std(-1, keepdim=True, correction=0)
        scores = (scores - mean) / (spread + 1e-3)
    else:
        total = able.sum(-1, keepdim=True).clamp(min=1)
        scores = scores - torch.where(able, scores, 0.0).sum(-1, keepdim=True) / total
        variance = torch.where(able, scores**2, 0.0).sum(-1, keepdim=True) / total
        scores = torch.where(able, (scores / (variance + 1).sqrt()).clamp(min=-_BEHIND), -2 * _BEHIND)
    last = (count.round().long() - 1).clamp(0, scores.shape[-1] - 1)
    ordered = scores.sort(-1, descending=True).values
    beyond = (last + 1).clamp(max=scores.shape[-1] - 1)
    return scores - (ordered.gather(-1, last) + ordered.gather(-1, beyond)) / 2


def _layers(inputs: int, width: int, outputs: int, *, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs, bias=bias))


def compact_shapes(scenario: Scenario, *, batteries: bool = False) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parts of a compact observation, in their order."""
    shapes = observation_shapes(scenario, "compact")
    return {**shapes, "batteries": (scenario.num_agents, BATTERY_FEATURES)} if batteries else shapes


def split_parts(observations: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return the named parts (B, shape) of flat observations (B, D)."""
    pieces = observations.split([math.prod(shape) for shape in shapes.values()], -1)
    return {name: piece.reshape(-1, *shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}


class _Mix(nn.Module):
    """Two layers for each agent, (B, N, width) and (B, N, inputs) → (B, N, width), with the pools (B, pooled).

    The features' share of the first layer is multiplied apart: to concatenate costs more than to add.
    """

    def __init__(self, inputs: int, pooled: int, width: int) -> None:
        super().__init__()
        self._split = [width, inputs]
        self.agent, self.shared = nn.Linear(width + inputs, width, bias=False), nn.Linear(pooled, width)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, hidden: Tensor, features: Tensor, pooled: Tensor) -> Tensor:
        of_hidden, of_features = self.agent.weight.split(self._split, 1)
        alike = F.linear(features, of_features) + self.shared(pooled)[:, None]
        mixed: Tensor = self.out(torch.relu(F.linear(hidden, of_hidden) + alike))
        return mixed


class EquivariantNetwork(nn.Module):
    """From the parts of an observation to a guided action; permuting the agents permutes the action.

    With ``batteries`` there is that part of ``secagent/Lifetime-v0``. The hidden layers have a ``width``; in so many
    ``rounds`` it selects softly and sees its choice. Biases per agent are left out where the next layer has its own, or
    scores are centred.
    """

    def __init__(self, *, batteries: bool = False, width: int = 32, rounds: int = 2) -> None:
        super().__init__()
        inputs = AGENT_FEATURES + BATTERY_FEATURES * batteries
        self.batteries = batteries
        self.pooled = pooled = 3 * width + inputs + TASK_FEATURES
        self.embed = _layers(inputs, width, width, bias=False)
        self.first_score = nn.Linear(width, 1, bias=False)
        self.mix = nn.ModuleList(_Mix(inputs, pooled, width) for _ in range(rounds))
        self.score = nn.ModuleList(nn.Linear(width, 1, bias=False) for _ in range(rounds))
        self.query = nn.ModuleList(_layers(pooled, width, inputs) for _ in range(rounds))
        self.level = nn.Linear(width, 1)
        self.common = _layers(pooled, width, GLOBAL_OUTPUTS)
        self.start: Tensor
        self.register_buffer("start", torch.atanh(torch.tensor(START_COMMON)), persistent=False)

    def forward(self, task: Tensor, agents: Tensor, eavesdroppers: Tensor, batteries: Tensor | None = None) -> Tensor:
        """Return the action (B, 2N + 5) within ±1.

        Parameters
        ----------
        task, agents, eavesdroppers, batteries
            (B, 6), (B, N, 5 + E), (B, E, 1) and (B, N, 2): the parts of the observation, see
            :mod:`secagent_env.allocation.observations`.
        """
        scores, hidden, context = self.encode(task, agents, eavesdroppers, batteries)
        level = math.atanh(START_LEVEL) + SLOW * self.level(hidden).squeeze(-1)
        common = self.start + SLOW * self.common(context)
        return torch.cat([torch.tanh(scores / 2), torch.tanh(level), torch.tanh(common)], -1)

    def encode(
        self, task: Tensor, agents: Tensor, eavesdroppers: Tensor, batteries: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the scores less their threshold (B, N), the agents' features (B, N, width), and the pooled ones."""
        features = agent_features(task, agents, batteries)
        count = task[:, :1] * agents.shape[1]
        world = torch.cat([task, eavesdroppers.amax(1)], -1)
        first = hidden = self.embed(features)
        # With batteries, some agents cannot finish their task in time, which violates (17) whatever the others do.
        able = agents[..., 2] <= 1 if self.batteries else None
        scores = centred(self.first_score(hidden).squeeze(-1), count, able)
        for mix, score, query in zip(self.mix, self.score, self.query, strict=True):
            pooled = torch.cat([self._pool(hidden, features, scores, count), world], -1)
            hidden = first + mix(hidden, features, pooled)
            prices = query(pooled)[:, :, None]  # the price of each feature, as in a Lagrangian
            scores = centred(scores + score(hidden).squeeze(-1) + (features @ prices).squeeze(-1), count, able)
        return scores, hidden, torch.cat([self._pool(hidden, features, scores, count), world], -1)

    @staticmethod
    def _pool(hidden: Tensor, features: Tensor, scores: Tensor, count: Tensor) -> Tensor:
        chosen = torch.sigmoid(scores / TEMPERATURE) / count
        means = (
            torch.stack([torch.full_like(chosen, 1 / chosen.shape[-1]), chosen], 1) @ hidden
        )  # of all, of the chosen
        of_features = 5 * (chosen[:, None] @ features).squeeze(1)
        return torch.cat([means.flatten(1), hidden.amax(1), of_features], -1)


class ValueNetwork(nn.Module):
    """From the parts of an observation to so many ``values`` of its state; permuting the agents changes nothing.

    With batteries it also reads :func:`tasks_left`, which shows at once how many tasks a decision leaves. ``width`` and
    ``rounds`` are as those of :class:`EquivariantNetwork`.
    """

    def __init__(self, *, batteries: bool = False, width: int = 32, rounds: int = 1, values: int = 1) -> None:
        super().__init__()
        self.body = EquivariantNetwork(batteries=batteries, width=width, rounds=rounds)
        self.value = _layers(self.body.pooled + batteries, width, values)

    def forward(self, task: Tensor, agents: Tensor, eavesdroppers: Tensor, batteries: Tensor | None = None) -> Tensor:
        """Return the values (B, values); arguments as those of :class:`EquivariantNetwork`."""
        _, _, context = self.body.encode(task, agents, eavesdroppers, batteries)
        if batteries is not None:
            left = tasks_left(torch.exp2(4 * batteries[..., 0]) - 1, task[:, :1] * agents.shape[1])
            context = torch.cat([context, left / _MANY_TASKS], -1)
        value: Tensor = self.value(context)
        return value


def tasks_left(capacity: Tensor, count: Tensor) -> Tensor:
    """Return how many tasks (B, 1) batteries serve at most, fractions allowed, accuracy and secrecy aside.

    The largest T with Σ_n min(T, c_n) ≥ N_min T, for agents that can compute c_n tasks each. For j < N_min agents that
    compute in all tasks the others give T ≤ Σ_{n > j} c_(n) / (N_min − j), c_(1) ≥ c_(2) ≥ …; the least of these is T.
    ``capacity`` holds c_n, (B, N), ``count`` N_min, (B, 1).
    """
    ordered = capacity.sort(-1, descending=True).values
    others = ordered.flip(-1).cumsum(-1).flip(-1)  # entry j: the sum without the j largest
    needed = count.round() - torch.arange(capacity.shape[-1], device=capacity.device)
    ratio = torch.where(needed > 0, others / needed.clamp(min=1), math.inf)
    return ratio.amin(-1, keepdim=True)


def agent_features(task: Tensor, agents: Tensor, batteries: Tensor | None = None) -> Tensor:
    """Return the features of each agent, (B, N, 10 or 12), of the order of 1 for any N and E.

    Of the eavesdroppers only the loudest counts; SNR and energy are also given relative to the agents' mean, and
    accuracy relative to that and to Acc_min.
    """
    own, heard = agents[..., :5], agents[..., 5:].amax(-1, keepdim=True)
    snr, energy, accuracy = own[..., :1], own[..., 1:2], own[..., 4:5]
    relative = [2 * (snr - snr.mean(1, keepdim=True)), energy - energy.mean(1, keepdim=True)]
    relative += [5 * (accuracy - accuracy.mean(1, keepdim=True)), 5 * (accuracy - task[:, None, 1:2])]
    return torch.cat([own, heard, *relative, *([] if batteries is None else [batteries])], -1)
