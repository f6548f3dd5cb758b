"""The score of decisions on a torch device."""

from __future__ import annotations

from typing import Any

import numpy as np

from secagent_env.allocation.rules import AllocationRules
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.support.extras import require


class DeviceScore:
    """:meth:`AllocationRules.score` on a torch device, in float64: the same as NumPy's to rounding.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If torch has no such device here, it cannot compute in float64, or there is shaping.
    """

    def __init__(self, rules: AllocationRules, device: str) -> None:
        self._torch: Any = require("torch", "rl")
        if rules.shaping is not None:
            raise ValueError(f"shaping is computed by NumPy alone: leave shaping or device={device!r} out")
        self._rules = rules
        try:
            self._device = self._torch.device(device)
            self._torch.zeros(1, dtype=self._torch.float64, device=self._device).cpu()
        except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"torch cannot compute in float64 on the device {device!r}: {reason}") from error
        self._there: tuple[Instance, Instance] | None = None

    def __call__(self, instance: Instance, decision: Decision) -> tuple[Outcome, np.ndarray, np.ndarray]:
        """Return the outcome, the reward and the penalty in it; an instance stays there until another one comes."""
        if self._there is None or self._there[0] is not instance:
            self._there = instance, instance.to(self._torch, device=self._device)
        outcome, value, penalty = self._rules.score(self._there[1], decision.to(self._torch, device=self._device))
        return outcome.to(np), value.cpu().numpy(), penalty.cpu().numpy()
