"""The generation module's prompts: the task, its parameters, examples with their values, and the last reminder.

A prompt has two messages: the constant part (the role and the network), and the sub-problem at hand. Parameters are one
line of JSON, and examples are lines of JSON in the format of the answer, so that a model and its stand-in read both.
Examples are written anew from validated numbers: no text of a reply gets into a prompt.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np

from secagent_env import Instance
from secagent_env.model.beams import DIRECTIONS
from secagent_env.model.physics import combine_eavesdroppers
from solvers.law import raw_prompts
from solvers.law.designs import Design, Translator, decibels, floor, to_dbm
from solvers.law.evaluation import OBJECTIVES, Score
from solvers.law.neighbours import Facts
from solvers.law.proposals import PROPOSALS, RAW, kind_of
from solvers.llm.chat import Message

PARAMETERS = "Parameters: "
"""The beginning of the line of JSON with the facts."""

SYSTEM = """\
You are the supervisor of a wireless network of AI agents, and you allocate its resources. A base station sends a task \
to the agents that are selected to compute; they reason about it and send their answers back, all at the same time. \
The agents that are not selected may jam an eavesdropper, or stay silent. Every transmission has to be secret: each \
selected agent must receive the task, and be received by the base station, better than the eavesdropper hears it. \
You improve one part of the allocation at a time. You get its parameters and the best allocations found so far with \
their values f, and you propose a better one. Smaller f is better. Proposals are checked by computation: what violates \
a constraint counts as f = +inf. Answer with one JSON object and nothing else."""

TASKS = {
    "selection": """\
Sub-problem: agent selection. Choose which agents compute. Beam and powers adapt to your choice.
Objective: minimise f, the energy of the task in J, nearly all of which is the energy_j of the selected agents.
Constraints: at least select_at_least agents; the mean accuracy of the selected agents at least min_mean_accuracy; \
the slowest selected agent and all transmissions together within the latency limit; every selected agent secret \
(an agent is safe where gain_db is well above heard_db).
Each agent more costs energy. The agents are listed from the least energy to the most.""",
    "beam": """\
Sub-problem: beamforming. Choose how the base station mixes a few beam directions: amplitudes in dB relative to each \
other, phases in degrees, and the power of the whole beam in dBm.
Objective: minimise f, the time in s of the downlink, which is short if the weakest selected agent receives much more \
than the eavesdropper.
Constraint: power_dbm at most max_power_dbm. The latency limit and secrecy hold here too.
The directions are listed with what each would give alone.""",
    "powers": """\
Sub-problem: transmission powers. Choose the receive SNR in dB at the base station of every agent that computes, and \
the powers in dBm of those that jam.
Objective: minimise f, the energy of all transmissions in J.
Constraints: every power at most max_power_dbm, where negative dBm (less than 1 mW) down to -200 are allowed; the \
latency limit; every uplink secret. An agent that computes sends power_for_0_db_dbm + snr_db, in dBm. Whom jammers \
does not list is silent.
All computing agents send at the same time and disturb each other: loud senders waste energy, and answers need not be \
faster than the latency limit asks. Jammers cost energy during the whole transmission; use them only where secrecy \
fails without.""",
}


def facts(instance: Instance, sub_problem: str, design: Design, translator: Translator, jamming: bool) -> Facts:
    """Return the parameters of a sub-problem for its prompt."""
    scenario = instance.scenario
    highest = scenario.bs_power_w if sub_problem == "beam" else scenario.max_power_w
    stated: Facts = {
        "sub_problem": sub_problem,
        **(raw_prompts.facts(sub_problem, design, translator) if translator.raw else {}),
        "agents": scenario.num_agents,
        "latency_limit_s": scenario.latency_limit_s,
    }
    if sub_problem == "selection":
        accuracy = scenario.min_accuracy
        return {**stated, "select_at_least": scenario.required_agents, "min_mean_accuracy": accuracy}
    stated |= {"max_power_dbm": floor(float(to_dbm(highest))), "computing": list(design.selected)}
    if sub_problem == "powers":
        return {**stated, "jamming": jamming}
    return stated if design.antennas else {**stated, "directions": list(translator.directions)}


def messages(
    facts: Facts, design: Design, translator: Translator, best: Score | None, experts: Sequence[Score], reminder: str
) -> tuple[Message, ...]:
    """Return the prompt of one step."""
    system, task, table, form = _constant_parts(facts, design, translator)
    parts = [task, PARAMETERS + json.dumps(facts), table, f"Answer with one JSON object of this form:\n{form}"]
    if best is not None:
        parts.append(f"Best example so far:\n{_shown(best, facts)}")
    if experts:
        parts.append("Expert examples:\n" + "\n".join(_shown(expert, facts) for expert in experts))
    if reminder:
        parts.append(f"Reminder: {reminder}")
    return Message("system", system), Message("user", "\n\n".join(parts))


def _constant_parts(facts: Facts, design: Design, translator: Translator) -> tuple[str, str, str, str]:
    """Return what is the same in all steps of a sub-problem: the system's message, the task, its table, the form."""
    sub_problem = facts["sub_problem"]
    if facts.get("view") != RAW:
        return SYSTEM, TASKS[sub_problem], _table(sub_problem, design, translator), FORMS[sub_problem]
    directions = _table(sub_problem, design, translator) if "directions" in facts else ""
    return raw_prompts.parts(facts, design, translator, directions)


FORMS = {
    "selection": '{"reason": "one sentence", "selected": [agent, ...]}',
    "beam": '{"reason": "one sentence", "power_dbm": number, "weights": [{"direction": "name", "amplitude_db": number, '
    '"phase_deg": number}, ...]}',
    "powers": '{"reason": "one sentence", "senders": [{"agent": agent, "snr_db": number}, ...], '
    '"jammers": [{"agent": agent, "power_dbm": number}, ...]}',
}


def value(score: Score, sub_problem: str) -> str:
    """Return f as text, with its unit."""
    unit = OBJECTIVES[sub_problem][2]
    return f"{score.f:.6g} {unit}" if math.isfinite(score.f) else "+inf"


def _shown(example: Score, facts: Facts) -> str:
    why = f" ({example.complaint})" * bool(example.complaint)
    return f"f = {value(example, facts['sub_problem'])}{why}\n{example.design.proposal(kind_of(facts)).to_json()}"


def reminder(facts: Facts, proposed: Score, best: Score) -> str:
    """Return why a proposal is not the best example of the prompt that follows, and which value is."""
    shown = proposed.design.proposal(kind_of(facts)).to_json()
    if proposed.complaint:
        return f"Your last proposal {shown} violates a constraint and counts as f = +inf. {proposed.complaint}"
    f, best_f = (value(example, facts["sub_problem"]) for example in (proposed, best))
    return f"Your last proposal {shown} has f = {f}, which is not less than the best, {best_f}."


def examples_in(text: str) -> list[str]:
    """Return the examples in a prompt, the best one first."""
    return [
        line for line in text.splitlines() if line.startswith("{") and line.endswith("}") and '"reason"' not in line
    ]


def facts_in(text: str) -> Facts:
    """Return the facts of a prompt; raise ValueError if the text is not a prompt of LAW."""
    for line in text.splitlines():
        if line.startswith(PARAMETERS):
            facts = json.loads(line.removeprefix(PARAMETERS))
            if isinstance(facts, dict) and facts.get("sub_problem") in PROPOSALS:
                return facts
    raise ValueError("this is not a prompt of LAW: it has no line of parameters")


def agents_in(text: str) -> list[int]:
    """Return the agents of the table in a prompt, in its order; empty where it lists none."""
    lines = text.splitlines()
    head = next((i for i, line in enumerate(lines) if ",agent," in f",{line},"), len(lines))
    rows = [line.split(",") for line in lines[head : lines.index("", head)]] if head < len(lines) else [[]]
    return [int(row[rows[0].index("agent")]) for row in rows[1:]]


def _table(sub_problem: str, design: Design, translator: Translator) -> str:
    """Return a table of a sub-problem's choices, one line each."""
    if sub_problem == "selection":
        header, lines = "rank,agent,energy_j,accuracy,time_s,gain_db,heard_db", _candidates(translator.shown)
    elif sub_problem == "beam":
        header = "direction,weakest_agent_snr_db,eavesdropper_snr_db"
        lines = [*_directions(design, translator), _MEANINGS]
    else:
        header, lines = "agent,role,power_for_0_db_dbm,gain_db,heard_db", _transmitters(design, translator)
    return "\n".join([header, *lines])


def _gains(instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    """Return the gains of the agents to the base station and to the eavesdroppers, (N,) each, dB."""
    heard = combine_eavesdroppers(instance.gain_eve, instance.scenario.colluding)
    return decibels(instance.bs_gain), decibels(heard)


def _candidates(instance: Instance) -> list[str]:
    gain, heard = _gains(instance)
    energy, accuracy, seconds = instance.execution_energy_j, instance.accuracy, instance.inference_time_s
    return [
        f"{rank},{i},{energy[i]:.1f},{accuracy[i]:.4f},{seconds[i]:.1f},{gain[i]:.1f},{heard[i]:.1f}"
        for rank, i in enumerate(np.argsort(energy, kind="stable"), 1)
    ]


def _directions(design: Design, translator: Translator) -> list[str]:
    instance = translator.shown
    scenario = instance.scenario
    snr = scenario.bs_power_w / scenario.noise_power_w
    lines = []
    for name, vector in zip(translator.directions, translator.vectors(design.selected), strict=True):
        agents = np.abs(instance.channel_bs[list(design.selected)].conj() @ vector) ** 2 * snr
        eve = combine_eavesdroppers(np.abs(instance.channel_eve.conj() @ vector) ** 2 * snr, scenario.colluding)
        lines.append(f"{name},{decibels(np.min(agents, initial=np.inf)):.1f},{decibels(eve):.1f}")
    return lines


def _transmitters(design: Design, translator: Translator) -> list[str]:
    gain, heard = _gains(translator.shown)
    level = to_dbm(translator.level_w)
    computing = set(design.selected)
    idle = [i for i in range(len(gain)) if i not in computing]
    return [
        f"{i},{'computes' if i in computing else 'may jam'},{level[i]:.1f},{gain[i]:.1f},{heard[i]:.1f}"
        for i in [*design.selected, *idle]
    ]


_MEANINGS = (
    f"{DIRECTIONS[0]}: towards all selected agents, whoever listens; {DIRECTIONS[1]}: the same without what the "
    f"eavesdropper would hear; {DIRECTIONS[2]}: equal amplitudes at all selected agents, without the eavesdropper; "
    f"{DIRECTIONS[3]}: towards the weakest selected agent, without the eavesdropper."
)
