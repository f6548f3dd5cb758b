"""The raw view of the problem: the equations, their constants and the agents in random order, as the paper has them.

Nothing is worked out for the model: no energies, no ranks, no SNRs, and for few antennas no beam directions either.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers.law.designs import Design, Translator, watts

SYSTEM = """\
You solve an optimisation problem of a secure wireless network of AI agents, one part of its variables at a time. A \
base station with several antennas sends a task with the beam w to the agents n that compute. They send their answers \
back, all at the same time, with the powers p_n. The agents m that do not compute may jam with the power p_m, or be \
silent. Eavesdroppers e listen.

Downlink: S_n = |h_n^H w|^2 / I_n, S_e = |h_e^H w|^2 / I_e, where I is noise_power_w plus what the jammers add;
c_dl = max(0, min over computing n of log2(1 + S_n) - {downlink});
t_dl = (prompt_bits + knowledge_bits) / (bandwidth_hz c_dl).
Uplink: S_n = g_n p_n / (sum over all others m of g_m p_m + noise_power_w), \
S_ne = b_ne p_n / (sum over all others m of b_me p_m + noise_power_w);
c_n = max(0, log2(1 + S_n) - {uplink}); t_n = output_bits / (bandwidth_hz c_n).
Energy: E = sum over computing n of (P_n T_n + p_n t_n) + sum over jammers m of p_m (t_dl + max t_n).
Constraints: ||w||^2 <= bs_power_w; 0 <= p <= max_power_w; at least select_at_least agents compute; their mean \
accuracy is at least min_mean_accuracy; t_dl + max T_n + max t_n <= latency_limit_s, maxima over those that compute. \
Where c_dl or a c_n is 0, the time is infinite.

You get the parameters, and the best solutions found so far with their values f; propose a better one. Smaller f is \
better. Proposals are checked by computation: what violates a constraint counts as f = +inf. Answer with one JSON \
object and nothing else."""

STRONGEST = {
    False: ("max over e of log2(1 + S_e)", "max over e of log2(1 + S_ne)"),
    True: ("log2(1 + sum over e of S_e)", "log2(1 + sum over e of S_ne)"),
}
"""What the eavesdroppers receive in the downlink and in the uplink, by whether they collude."""

TASKS = {
    "selection": """\
Sub-problem: agent selection. Choose which agents compute. Minimise f = E, in J.
{adapts} Columns: P_n in W and T_n in s, of computing; accuracy; g_n, b_ne; |h_n^H w|^2 in W, with the beam as it is \
now, as eavesdroppers_receive_w of all e; the powers in dBm with which the agent sends if it computes, and jams if it \
does not (-: silent).""",
    "beam": """\
Sub-problem: beamforming. Choose w. Minimise f = t_dl, in s.
Columns: I_n or I_e in W; the entries of h_n or h_e, an antenna each, as complex numbers.""",
    "directions": """\
Sub-problem: beamforming. Choose w as a mixture of a few unit vectors: w is their sum with amplitudes in dB and phases \
in degrees, scaled to power_dbm, at most max_power_dbm. Minimise f = t_dl, in s.
Columns: the least S_n and the eavesdroppers' S_e in dB, with all the power in one vector and no jammers.""",
    "powers": """\
Sub-problem: transmission powers. Choose the power p_n of every agent that computes, and the powers of those that jam, \
in dBm (p = 0.001 W * 10^(power_dbm / 10)), from -200 to max_power_dbm. Whom jammers does not list is silent. Minimise \
f, the part of E that is spent on transmission, in J: E without P_n T_n.
Columns: g_n, b_ne; |h_n^H w|^2 in W, as eavesdroppers_receive_w of all e.""",
}

ADAPTS = {
    True: "The beam and the powers stay as they are.",
    False: "The powers stay as they are; the beam is mixed anew, towards the agents that you choose.",
}
"""What a selection changes beside itself, by whether the beam is given by its own weights."""

FORMS = {
    "selection": '{"reason": "one sentence", "selected": [agent, ...]}',
    "beam": '{"reason": "one sentence", "w": [{"re": number, "im": number}, ...]}',
    "directions": '{"reason": "one sentence", "power_dbm": number, "weights": [{"direction": "name", '
    '"amplitude_db": number, "phase_deg": number}, ...]}',
    "powers": '{"reason": "one sentence", "senders": [{"agent": agent, "power_dbm": number}, ...], '
    '"jammers": [{"agent": agent, "power_dbm": number}, ...]}',
}


def facts(sub_problem: str, design: Design, translator: Translator) -> dict[str, Any]:
    """Return the constants of the equations, SI units; where w is fixed, also what eavesdroppers receive of it."""
    scenario = translator.shown.scenario
    received = np.abs(translator.shown.channel_eve.conj() @ translator.beam(design)) ** 2
    heard = {} if sub_problem == "beam" else {"eavesdroppers_receive_w": [float(f"{power:.3e}") for power in received]}
    return {
        "view": "raw",
        "antennas": scenario.num_antennas,
        "eavesdroppers": scenario.num_eavesdroppers,
        "bandwidth_hz": scenario.bandwidth_hz,
        "noise_power_w": float(f"{scenario.noise_power_w:.6g}"),
        "prompt_bits": scenario.downlink_bits - scenario.knowledge_bits,
        "knowledge_bits": scenario.knowledge_bits,
        "output_bits": scenario.uplink_bits,
        "bs_power_w": scenario.bs_power_w,
        "max_power_w": scenario.max_power_w,
        **heard,
    }


def parts(facts: dict[str, Any], design: Design, translator: Translator, directions: str) -> tuple[str, str, str, str]:
    """Return what is the same in all steps of a sub-problem: the system's message, the task, its table, the form.

    ``directions`` is the table of beam directions, for many antennas; else empty.
    """
    downlink, uplink = STRONGEST[translator.shown.scenario.colluding]
    part = "directions" if directions else facts["sub_problem"]
    rows = _channels(design, translator) if part == "beam" else _agents(part, design, translator)
    task = TASKS[part].replace("{adapts}", ADAPTS[bool(design.antennas)])
    return SYSTEM.format(downlink=downlink, uplink=uplink), task, directions or "\n".join(rows), FORMS[part]


def _agents(sub_problem: str, design: Design, translator: Translator) -> list[str]:
    """Return a table of all agents in the order in which they are shown."""
    shown = translator.shown
    received = np.abs(shown.channel_bs.conj() @ translator.beam(design)) ** 2
    columns = np.column_stack([shown.bs_gain, shown.gain_eve, received])
    gains = [",".join(f"{gain:.3e}" for gain in row) for row in columns]
    header = ",".join(["g_n", *(f"b_n{e}" for e in range(1, shown.gain_eve.shape[-1] + 1)), "received_w"])
    if sub_problem == "powers":
        roles = ["computes" if agent in design.selected else "may jam" for agent in range(len(gains))]
        return [f"agent,role,{header}", *(f"{agent},{roles[agent]},{gains[agent]}" for agent in range(len(gains)))]
    jamming = dict(design.jammer_dbm)
    return [f"agent,P_n,T_n,accuracy,{header},send_dbm,jam_dbm"] + [
        f"{agent},{shown.compute_power_w[agent]:.3f},{shown.inference_time_s[agent]:.2f},{shown.accuracy[agent]:.4f},"
        f"{gains[agent]},{design.level_db[agent]:.2f},{jamming.get(agent, '-')}"
        for agent in range(len(gains))
    ]


def _channels(design: Design, translator: Translator) -> list[str]:
    """Return a table of the channels of the agents that compute, then of those of the eavesdroppers."""
    shown = translator.shown
    header = ",".join(["receiver", "I", *(f"h{antenna}" for antenna in range(1, shown.scenario.num_antennas + 1))])
    power = np.zeros(len(shown.bs_gain))
    for agent, dbm in design.jammer_dbm:
        power[agent] = 0.0 if agent in design.selected else watts(dbm)
    noise = shown.scenario.noise_power_w
    channels = {f"agent {agent}": (shown.gain_agents[:, agent], shown.channel_bs[agent]) for agent in design.selected}
    for e, channel in enumerate(shown.channel_eve):
        channels[f"eavesdropper {e + 1}"] = (shown.gain_eve[:, e], channel)
    return [header] + [
        ",".join([name, f"{power @ gains + noise:.3e}", *(_complex(entry) for entry in channel)])
        for name, (gains, channel) in channels.items()
    ]


def _complex(number: complex) -> str:
    return f"{number.real:.3e}{number.imag:+.3e}j"
