"""Small random changes of a proposal, for the expert search and for the stand-in."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers.law.proposals import BeamProposal, Jammer, PowersProposal, Proposal, SelectionProposal, Weight

Facts = dict[str, Any]
"""The parameters of a sub-problem in its prompt, from :func:`solvers.law.prompts.facts`."""


def neighbour(proposal: Proposal, facts: Facts, rng: np.random.Generator) -> Proposal:
    """Return a proposal near another one; rarely the same one, where two exchanges undo each other."""
    if isinstance(proposal, SelectionProposal):
        return _selection(proposal, facts, rng)
    if isinstance(proposal, BeamProposal):
        return _beam(proposal, facts, rng)
    assert isinstance(proposal, PowersProposal)
    return _powers(proposal, facts, rng)


def anywhere(sub_problem: str, facts: Facts, rng: np.random.Generator) -> Proposal:
    """Return a random proposal, for prompts without an example."""
    if sub_problem == "selection":
        chosen = rng.permutation(facts["agents"])[: facts["select_at_least"]].tolist()
        return SelectionProposal(selected=sorted(chosen))
    if sub_problem == "beam":
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
    level = _number(rng.uniform(-40, 10))
    return PowersProposal.model_validate(
        {"senders": [{"agent": agent, "snr_db": level} for agent in facts["computing"]], "jammers": []}
    )


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


def _powers(proposal: PowersProposal, facts: Facts, rng: np.random.Generator) -> Proposal:
    """Change the level of all senders or of one; or change, add or remove a jammer."""
    senders = [sender.model_copy() for sender in proposal.senders]
    jammers = {jammer.agent: jammer.power_dbm for jammer in proposal.jammers}
    idle = [agent for agent in range(facts["agents"]) if agent not in facts["computing"]]
    draw = rng.random()
    if draw < 0.7 or not (idle and facts["jamming"]):
        everybody = rng.random() < 0.7
        shift = rng.normal(0, 5 if everybody else 3)
        some = senders if everybody or not senders else [senders[int(rng.integers(len(senders)))]]
        for sender in some:
            sender.snr_db = _number(np.clip(sender.snr_db + shift, -100, 100))
    elif jammers and draw < 0.85:
        agent = list(jammers)[int(rng.integers(len(jammers)))]
        if rng.random() < 0.5:
            del jammers[agent]
        else:
            jammers[agent] = jammers[agent] + rng.normal(0, 5)
    else:
        jammers[idle[int(rng.integers(len(idle)))]] = rng.uniform(-60, facts["max_power_dbm"])
    highest = facts["max_power_dbm"]
    loud = [Jammer(agent=agent, power_dbm=_number(np.clip(dbm, -100, highest))) for agent, dbm in jammers.items()]
    return PowersProposal(senders=senders, jammers=loud)
