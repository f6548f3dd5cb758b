"""The channel models of the scenes: some to train on, others to be tested on.

A scenario has four devices: the served user, a neighbour at rest, one at speed, and a jammer. The base station is at
(0, 0) with a uniform linear array that faces along the x axis; the devices are in front of it.
"""

from __future__ import annotations

from secagent_env.model.scenario import Scenario

ANTENNAS = 8
USER, NEIGHBOUR, MOVING, JAMMER = range(4)
"""The devices, in the order of the scenario's agents."""


def _scenario(path_loss: str, area_m: tuple[tuple[float, float], tuple[float, float]], **more: object) -> Scenario:
    fields = {
        "num_agents": 4,
        "num_antennas": ANTENNAS,
        "path_loss": path_loss,
        "fading": "rician",
        "array": "ula",
        "area_m": area_m,
        "eve_area_m": area_m,  # nobody listens: its links are not used
        **more,
    }
    return Scenario(**fields)  # type: ignore[arg-type]


_STREET = ((20.0, 120.0), (-100.0, 100.0))
_CITY = ((40.0, 200.0), (-150.0, 150.0))
_OFFICE = ((3.0, 40.0), (-30.0, 30.0))

CHANNELS: dict[str, Scenario] = {
    "umi": _scenario("umi", _STREET),
    "umi, correlated": _scenario("umi", _STREET, scatter_correlation="exponential", correlation_coefficient=0.5),
    "uma": _scenario("uma", _CITY),
    "inh": _scenario("inh", _OFFICE),
    "inh, one-ring": _scenario("inh", _OFFICE, scatter_correlation="one-ring", angular_spread_deg=20.0),
    "inh-open, K = 3 dB": _scenario("inh-open", _OFFICE, rician_k_db=3.0),
    "uma, one-ring": _scenario("uma", _CITY, scatter_correlation="one-ring", angular_spread_deg=15.0),
}
"""By name: scenarios of 3GPP TR 38.901's models, with the Rician K of these unless one is named."""
SEEN_CHANNELS = ("umi", "umi, correlated", "uma")
"""Those of the training: street and city, with independent or exponentially correlated scatter."""
UNSEEN_CHANNELS = tuple(name for name in CHANNELS if name not in SEEN_CHANNELS)
"""Offices, scatter from a ring, and a weaker line of sight."""
