"""Scenario: the parameters of the network and of the task, and the named presets."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secagent_env.model.presets import PRESETS
from secagent_env.propagation.arrays import ARRAYS, SCATTER, grid_of
from secagent_env.propagation.path_loss import PathLoss
from secagent_env.propagation.registry import make_path_loss
from secagent_env.support.checks import choice, flag, integer, interval, number
from secagent_env.support.errors import check_name
from secagent_env.support.reading import read_toml, short
from secagent_env.support.shares import apportioned

Range = tuple[float, float]
Area = tuple[Range, Range]

_COUNTS = ("num_agents", "num_antennas", "num_eavesdroppers")
_BOUNDS: dict[str, dict[str, float]] = {
    "min_accuracy": {"low": 0, "high": 1},
    "array_bearing_deg": {"low": -360, "high": 360},
    "correlation_coefficient": {"low": 0, "below": 1},
    "angular_spread_deg": {"above": 0, "high": 180},
    **{name: {"low": 0} for name in ("prompt_tokens", "knowledge_bits", "activation_ops", "eve_position_error_m")},
}
"""The numbers with other bounds than being positive."""
FADINGS = ("rayleigh", "rician")
_POSITIVE_RANGES = ("model_dim", "compute_rate", "compute_power_w", "training_budget")
_AREAS = ("area_m", "eve_area_m")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Parameters of a secure wireless network of AI agents and of its reasoning task.

    SI units throughout. The defaults are the typical case of *Secure and Energy-Efficient Wireless
    Agentic AI Networks*, section V; the paper does not state all of them, and ``docs/model.md`` says
    which ones are assumptions. A scenario is immutable and hashable; :meth:`replace` gives a changed copy.

    Parameters
    ----------
    num_agents, num_antennas, num_eavesdroppers
        N mobile agents, L base-station antennas, E eavesdroppers.
    min_selected
        N_min of (13): how many agents must compute; None means ``floor(num_agents / 3)``, at least 1.
    min_accuracy
        Acc_min of (15), in [0, 1].
    task_difficulty
        δ > 0, by which the exponent of (14) is divided: 1 is (14) itself, and the larger δ, the less accurate everybody
        is, in the same order. The paper's (14) does not depend on the task; δ makes one harder than another.
    bs_power_w, max_power_w
        Power budgets of the base station (1) and of each agent (20c), W.
    bandwidth_hz, noise_power_w, carrier_hz
        B, σ² (W over the whole band) and the carrier frequency of the path loss.
    prompt_tokens, output_tokens, bits_per_token
        s and o in tokens, and what a token costs on the air, bit.
    knowledge_bits
        D, the private knowledge sent downlink with the prompt, bit.
    latency_limit_s
        τ of (17), s.
    activation_ops
        η of (16).
    model_dim, tool_tokens, compute_rate, compute_power_w, training_budget
        Ranges (low, high) from which each agent draws its model width k_n, its tool-call length q_n
        (integers), its computing rate f_n in operations/s, its computing power p_n^exe in W, and its
        post-training budget C_n (log-uniform; the others uniform).
    model_sizes
        Groups ``((width, share), …)`` of agents with the same model, in place of the range ``model_dim``: agents in the
        order of the groups, as many of each as its share of N says (largest remainders). None: the range.
    area_m, eve_area_m
        Where agents and eavesdroppers are, m: ``(low, high)`` on both axes, or
        ``((x_low, x_high), (y_low, y_high))``. The default ``eve_area_m`` is the point (150, 150).
    eve_position_error_m
        Radius of the disc around its reported position in which an eavesdropper is, anywhere alike, m; 0: it is there.
    colluding
        Whether eavesdroppers combine what they hear (their SINRs add); otherwise the best one counts.
    path_loss
        The model of path loss, line of sight and shadowing: ``"paper"``, or of 3GPP TR 38.901 ``"umi"``, ``"uma"``,
        ``"inh"`` (mixed office) or ``"inh-open"``; or one that was registered.
    bs_height_m, agent_height_m
        Heights of the base station, and of agents and eavesdroppers, m; None: those of the path loss.
    fading
        ``"rayleigh"``, or ``"rician"`` on the links that have a line of sight.
    rician_k_db
        K, the power of the line of sight over that of the scatter, dB; None: drawn for each link as the path loss says.
    array, array_rows, antenna_spacing, array_bearing_deg
        ``"iid"``: antennas without geometry. ``"ula"``, a horizontal line, or ``"upa"``, ``array_rows`` lines above
        each other (None: as square as L allows), spacing in wavelengths, facing the bearing, degrees from the x axis.
    scatter_correlation
        Of the antennas of an array: ``"none"``, ``"exponential"`` with the ``correlation_coefficient`` of neighbours,
        or ``"one-ring"``: scatter from within ± ``angular_spread_deg`` of the link's direction.

    Raises
    ------
    ValueError
        If a field is out of range; the sentence names the field, what it got and what it needs.
    """

    num_agents: int = 30
    num_antennas: int = 20
    num_eavesdroppers: int = 1
    min_selected: int | None = None
    min_accuracy: float = 0.7
    task_difficulty: float = 1.0
    bs_power_w: float = 10.0
    max_power_w: float = 2.0
    bandwidth_hz: float = 5e6
    noise_power_w: float = 1e-3 * 10 ** (-107 / 10)
    carrier_hz: float = 3.5e9
    prompt_tokens: int = 2048
    output_tokens: int = 4096
    bits_per_token: float = 16
    knowledge_bits: float = 10e6
    latency_limit_s: float = 3000.0
    activation_ops: float = 2.0
    model_dim: Range = (2560.0, 4096.0)
    tool_tokens: Range = (128, 512)
    compute_rate: Range = (0.12e9, 0.8e9)
    compute_power_w: Range = (10.0, 20.0)
    training_budget: Range = (1e2, 1e4)
    model_sizes: tuple[tuple[float, int], ...] | None = None
    area_m: Range | Area = (0.0, 100.0)
    eve_area_m: Range | Area = (150.0, 150.0)
    eve_position_error_m: float = 0.0
    colluding: bool = False
    path_loss: str = "paper"
    bs_height_m: float | None = None
    agent_height_m: float | None = None
    fading: str = "rayleigh"
    rician_k_db: float | None = None
    array: str = "iid"
    array_rows: int | None = None
    antenna_spacing: float = 0.5
    array_bearing_deg: float = 45.0
    scatter_correlation: str = "none"
    correlation_coefficient: float = 0.5
    angular_spread_deg: float = 10.0

    def __post_init__(self) -> None:
        for name in _COUNTS:
            self._set(name, integer(name, getattr(self, name), low=1))
        if self.min_selected is not None:
            self._set("min_selected", integer("min_selected", self.min_selected, low=1, high=self.num_agents))
        self._set("colluding", flag("colluding", self.colluding))
        for field in dataclasses.fields(self):
            if isinstance(field.default, (int, float)) and field.name not in (*_COUNTS, "colluding"):
                bounds = _BOUNDS.get(field.name, {"above": 0})
                self._set(field.name, _number(field.name, getattr(self, field.name), **bounds))
        if self.downlink_bits <= 0:
            raise ValueError("prompt_tokens and knowledge_bits must not both be 0: there is nothing to send")
        for name in _POSITIVE_RANGES:
            self._set(name, _range(name, getattr(self, name), above=0))
        low, high = _range("tool_tokens", self.tool_tokens, low=0)
        if low != int(low) or high != int(high):
            raise ValueError(f"tool_tokens must be a (low, high) range of integers, got {self.tool_tokens!r}")
        self._set("tool_tokens", (low, high))
        if self.model_sizes is not None:
            self._set("model_sizes", _groups("model_sizes", self.model_sizes))
        for name in _AREAS:
            self._set(name, _area(name, getattr(self, name)))
        self._check_channels()

    def _check_channels(self) -> None:
        """Check how the fields of the channel model, each valid, go together."""
        for name, valid in (("fading", FADINGS), ("array", ARRAYS), ("scatter_correlation", SCATTER)):
            choice(name, getattr(self, name), valid)
        for name in ("bs_height_m", "agent_height_m"):
            if getattr(self, name) is not None:
                self._set(name, _number(name, getattr(self, name), low=0))
        if self.array_rows is not None:
            self._set("array_rows", integer("array_rows", self.array_rows, low=1))
        grid_of(self.array, self.num_antennas, self.array_rows)
        if self.array == "iid" and self.scatter_correlation != "none":
            raise ValueError(
                f"scatter_correlation={self.scatter_correlation!r} needs array='ula' or 'upa', got array='iid', "
                "whose antennas have no places"
            )
        model = self.propagation
        if self.rician_k_db is not None:
            self._set("rician_k_db", _number("rician_k_db", self.rician_k_db, low=-200, high=200))
        elif self.fading == "rician" and model.rician_k_db is None:
            raise ValueError(
                f"rician_k_db must be a number with path_loss={self.path_loss!r}, which draws none, got None"
            )
        self._check_range(model)

    def _check_range(self, model: PathLoss) -> None:
        """Raise ValueError where a link may be longer than the path loss holds for."""
        site, off = ((0.0, 0.0), (0.0, 0.0)), self.eve_position_error_m
        for what, one, other, more in (
            ("area_m reaches {} from the base station", self.area_m, site, 0.0),
            ("eve_area_m reaches {} from the base station", self.eve_area_m, site, off),
            ("area_m is {} across", self.area_m, self.area_m, 0.0),
            ("area_m and eve_area_m are up to {} apart", self.area_m, self.eve_area_m, off),
        ):
            model.check_range(what, _reach(one, other) + more, from_bs=other is site)

    @property
    def propagation(self) -> PathLoss:
        """The model of the path loss, at this carrier and these heights."""
        return make_path_loss(self.path_loss, self.carrier_hz, self.bs_height_m, self.agent_height_m)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def required_agents(self) -> int:
        """N_min of (13): ``min_selected``, or a third of the agents (rounded down, at least 1)."""
        return max(1, self.num_agents // 3) if self.min_selected is None else self.min_selected

    @property
    def model_dims(self) -> tuple[float, ...] | None:
        """The width of each agent's model where ``model_sizes`` says it; None where it is drawn from ``model_dim``."""
        if self.model_sizes is None:
            return None
        counts = apportioned(self.num_agents, [share for _, share in self.model_sizes])
        return tuple(width for (width, _), count in zip(self.model_sizes, counts, strict=True) for _ in range(count))

    @property
    def downlink_bits(self) -> float:
        """Prompt and knowledge, s + D of (7), bit."""
        return self.prompt_tokens * self.bits_per_token + self.knowledge_bits

    @property
    def uplink_bits(self) -> float:
        """Reasoning output o of (12), bit."""
        return self.output_tokens * self.bits_per_token

    @classmethod
    def preset(cls, name: str, /, **overrides: Any) -> Scenario:
        """Return a preset with some fields replaced: ``Scenario.preset("paper", num_agents=50)``."""
        return cls(**_known({**PRESETS[check_name("preset", name, PRESETS)], **overrides}))

    @classmethod
    def coerce(cls, scenario: Scenario | str | Mapping[str, Any] | None) -> Scenario:
        """Return a Scenario from one, a preset's name, a dict of fields (and ``preset``) or None."""
        if scenario is None:
            return cls()
        if isinstance(scenario, Scenario):
            return scenario
        if isinstance(scenario, str):
            return cls.preset(scenario)
        if isinstance(scenario, Mapping):
            fields = dict(scenario)
            return cls.preset(fields.pop("preset", "paper"), **fields)
        raise ValueError(
            f"scenario must be a Scenario, a preset's name or a dict of fields, got {type(scenario).__name__}"
        )

    @classmethod
    def from_toml(cls, path: str | Path) -> Scenario:
        """Read a scenario from a TOML file of fields; ``preset = "…"`` names the preset to start from."""
        fields = read_toml(path)
        try:
            return cls.coerce(fields)
        except ValueError as error:
            raise ValueError(f"{path}: {short(error, 800)}") from error

    def replace(self, **overrides: Any) -> Scenario:
        """Return a copy with some fields replaced."""
        return dataclasses.replace(self, **_known(overrides))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain numbers, for JSON or TOML; ``Scenario(**d)`` is the inverse."""
        return dataclasses.asdict(self)


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    valid = {field.name for field in dataclasses.fields(Scenario)}
    for name in fields:
        check_name("scenario field", name, valid)
    return fields


def _number(name: str, value: object, **bounds: float) -> float:
    """Return a finite number within the bounds; an integer stays one, as it is written to files."""
    real = number(name, value, **bounds)
    return int(value) if isinstance(value, numbers.Integral) else real


def _range(name: str, value: Any, **bounds: float) -> Range:
    interval(name, value, **bounds)
    low, high = (_number(name, bound) for bound in value)
    return low, high


def _groups(name: str, value: object) -> tuple[tuple[float, int], ...]:
    groups = value if isinstance(value, (tuple, list)) else ()
    if not groups or not all(isinstance(group, (tuple, list)) and len(group) == 2 for group in groups):
        raise ValueError(f"{name} must be groups ((width, share), …) or None, got {value!r}")
    return tuple(
        (_number(f"{name}[{i}][0]", width, above=0), integer(f"{name}[{i}][1]", share, low=1))
        for i, (width, share) in enumerate(groups)
    )


def _reach(one: Any, other: Any) -> float:
    """Return the largest distance between points of two areas, m."""
    return math.hypot(*(max(a[1] - b[0], b[1] - a[0]) for a, b in zip(one, other, strict=True)))


def _area(name: str, value: object) -> Area:
    if isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[0], (tuple, list)):
        return (_range(f"{name}[0]", value[0]), _range(f"{name}[1]", value[1]))
    side = _range(name, value)
    return (side, side)
