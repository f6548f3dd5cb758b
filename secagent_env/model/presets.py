"""The presets of a scenario: the fields in which each differs from the defaults."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "small": {"num_agents": 6, "num_antennas": 4, "min_selected": 2},
    "tight-latency": {
        "min_selected": 8,
        "bits_per_token": 8192,
        "knowledge_bits": 6e9,
        "latency_limit_s": 220.0,
        "compute_power_w": (3.0, 30.0),
    },
    "contested": {
        "num_antennas": 4,
        "num_eavesdroppers": 4,
        "eve_area_m": (20.0, 100.0),
        "min_selected": 5,
        "noise_power_w": 1e-3 * 10 ** (-97 / 10),
        "knowledge_bits": 80e9,
        "output_tokens": 32,
        "tool_tokens": (16, 64),
    },
    "dense": {"num_agents": 200, "num_antennas": 64},
    "qwen": {"model_sizes": ((1024, 12), (2048, 12), (2560, 6)), "min_accuracy": 0.6},
    "uncertain": {"eve_area_m": (20.0, 100.0)},
    "urban-micro": {"path_loss": "umi", "fading": "rician", "array": "ula", "eve_area_m": (20.0, 100.0)},
    "indoor": {
        "path_loss": "inh",
        "fading": "rician",
        "array": "upa",
        "area_m": ((0.0, 80.0), (0.0, 40.0)),
        "eve_area_m": ((0.0, 80.0), (0.0, 40.0)),
    },
    "line-of-sight": {
        "fading": "rician",
        "rician_k_db": 15.0,
        "array": "ula",
        "eve_area_m": (60.0, 60.0),
        "knowledge_bits": 60e9,
    },
}
"""Named scenarios; ``docs/scenarios.md`` shows what is hard about them.

``paper``: the paper's typical case. ``small``: six agents, for first trials and tests. ``tight-latency``: computing,
downlink and uplink compete for the time allowed. ``contested``: eavesdroppers among the agents, whom the beam alone
cannot keep out. ``dense``: 200 agents, 64 antennas. ``qwen``: the three models of section V-C.
``uncertain``: an eavesdropper among the agents; designs for an estimate of its channels mostly fail on the true ones.
``urban-micro``, ``indoor``: the street canyon and the office of 3GPP, with an eavesdropper among the agents.
``line-of-sight``: agents and eavesdropper in plain view, some of them in one direction.
"""
