"""Small random changes of a proposal, for the expert search and for the stand-in."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers.law.proposals import (
    INSIDE,
    AntennasProposal,
    BeamProposal,
    PowersProposal,
    Proposal,
    SelectionProposal,
    Weight,
    kind_of,
)

Facts = dict[str, Any]
"""The parameters of a sub-problem in its prompt, from :func:`solvers.law.prompts.facts`."""


def neighbour(proposal: Proposal, facts: Facts, rng: np.random.Generator) -> Proposal:
    """Return a proposal near another one; rarely the same one, where two exchanges undo each other."""
    if isinstance(proposal, SelectionProposal):
        return _selection(proposal, facts, rng)
    if isinstance(proposal, BeamProposal):
        return _beam(proposal, facts, rng)
    if isinstance(proposal, AntennasProposal):
        return _antennas(proposal, facts, rng)
    assert isinstance(proposal, PowersProposal)
    return _powers(proposal, facts, rng)


def anywhere(facts: Facts, rng: np.random.Generator) -> Proposal:
    """Return a random proposal, for prompts without an example."""
    kind = kind_of(facts)
    if kind is SelectionProposal:
        chosen = rng.permutation(facts["agents"])[: facts["select_at_least"]].tolist()
        return SelectionProposal(selected=sorted(chosen))
    if kind is AntennasProposal:
        return _full_power(_noise(facts["antennas"], rng), facts)
    if kind is BeamProposal:
        names = [name for name in facts["directions"] if rng.random() < 0.5] or [facts["directions"][0]]
        return BeamProposal(
            power_dbm=facts["max_power_dbm"],
            weights=[
                Weight(
                    direction=name, amplitude_db=_number(rng.uniform(-20, 0)), phase_deg=_number(rng.uniform(0, 360))
                )
                for name in names
            ],
        )
    assert issubclass(kind, PowersProposal)
    highest = facts["max_power_dbm"]
    bounds = (-40, 10) if kind is PowersProposal else (min(-100, highest - 40), highest)
    return kind.of(dict.fromkeys(facts["computing"], _number(rng.uniform(*bounds))), {})


def _number(value: float) -> float:
    return round(float(value), 2)


def _selection(proposal: SelectionProposal, facts: Facts, rng: np.random.Generator) -> Proposal:
    """Exchange one or two agents; sometimes add one, or remove one where there are more than needed."""
    inside = list(proposal.selected)
    outside = [agent for agent in range(facts["agents"]) if agent not in inside]
    draw = rng.random()
    if draw < 0.1 and outside:
        inside.append(_take(outside, rng))
    elif draw < 0.3 and len(inside) > facts["select_at_least"]:
        _take(inside, rng)
    else:
        for _ in range(1 if rng.random() < 0.7 else 2):
            if inside and outside:
                _take(inside, rng)
                inside.append(_take(outside, rng))
    return SelectionProposal(selected=sorted(inside))


def _take(agents: list[int], rng: np.random.Generator) -> int:
    return agents.pop(int(rng.integers(len(agents))))


def _beam(proposal: BeamProposal, facts: Facts, rng: np.random.Generator) -> Proposal:
    """Turn, scale, add or remove one direction; the power is the largest allowed one."""
    weights = {weight.direction: weight for weight in proposal.weights}
    name = str(rng.choice(facts["directions"]))
    if name not in weights:
        weights[name] = Weight(
            direction=name, amplitude_db=_number(rng.uniform(-20, 3)), phase_deg=_number(rng.uniform(0, 360))
        )
    elif len(weights) > 1 and rng.random() < 0.2:
        del weights[name]
    else:
        old = weights[name]
        amplitude = np.clip(old.amplitude_db + rng.normal(0, 4), -80, 20)
        phase = (old.phase_deg + rng.normal(0, 30)) % 360
        weights[name] = Weight(direction=name, amplitude_db=_number(amplitude), phase_deg=_number(phase))
    return BeamProposal(power_dbm=facts["max_power_dbm"], weights=list(weights.values()))


def _antennas(proposal: AntennasProposal, facts: Facts, rng: np.random.Generator) -> Proposal:
    """Turn and scale one antenna's weight, or change all a little or much; the power is the largest allowed one."""
    weights = np.array([complex(weight.re, weight.im) for weight in proposal.w])
    if rng.random() < 0.5:
        turn = 10 ** (rng.normal(0, 4) / 20) * np.exp(1j * np.deg2rad(rng.normal(0, 30)))
        weights[int(rng.integers(len(weights)))] *= turn
    else:
        root_mean_square = np.linalg.norm(weights) / np.sqrt(len(weights))
        weights += 10 ** rng.uniform(-3, 0) * root_mean_square * _noise(len(weights), rng)
    return _full_power(weights if weights.any() else _noise(len(weights), rng), facts)


def _noise(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return complex normal numbers of variance 1."""
    return np.asarray(rng.normal(0, np.sqrt(0.5), (size, 2)) @ [1, 1j])


def _full_power(weights: np.ndarray, facts: Facts) -> AntennasProposal:
    return AntennasProposal.of(INSIDE * np.sqrt(facts["bs_power_w"]) * weights / np.linalg.norm(weights))


def _powers(proposal: PowersProposal, facts: Facts, rng: np.random.Generator) -> Proposal:
    """Change the level of all senders or of one; or change, add or remove a jammer."""
    levels = proposal.levels
    jammers = {jammer.agent: jammer.power_dbm for jammer in proposal.jammers}
    idle = [agent for agent in range(facts["agents"]) if agent not in facts["computing"]]
    highest = facts["max_power_dbm"]
    draw = rng.random()
    if draw < 0.7 or not (idle and facts["jamming"]):
        everybody = rng.random() < 0.7
        shift = rng.normal(0, 5 if everybody else 3)
        some = list(levels) if everybody or not levels else [list(levels)[int(rng.integers(len(levels)))]]
        loudest = 100 if type(proposal) is PowersProposal else highest
        levels |= {agent: _number(np.clip(levels[agent] + shift, -100, loudest)) for agent in some}
    elif jammers and draw < 0.85:
        agent = list(jammers)[int(rng.integers(len(jammers)))]
        if rng.random() < 0.5:
            del jammers[agent]
        else:
            jammers[agent] = jammers[agent] + rng.normal(0, 5)
    else:
        jammers[idle[int(rng.integers(len(idle)))]] = rng.uniform(min(-60, highest - 40), highest)
    return proposal.of(levels, {agent: _number(np.clip(dbm, -100, highest)) for agent, dbm in jammers.items()})
