"""The path-loss models by name: those of this package, and those that users add."""

from __future__ import annotations

from functools import lru_cache

from secagent_env.propagation.inh import IndoorOffice, OpenOffice
from secagent_env.propagation.paper import Paper
from secagent_env.propagation.path_loss import PathLoss
from secagent_env.propagation.uma import UrbanMacro
from secagent_env.propagation.umi import UrbanMicro
from secagent_env.support.errors import check_name

_BUILT_IN = (Paper, UrbanMicro, UrbanMacro, IndoorOffice, OpenOffice)
_MODELS: dict[str, type[PathLoss]] = {model.name: model for model in _BUILT_IN}


def path_losses() -> tuple[str, ...]:
    """Return the names that ``Scenario(path_loss=…)`` takes."""
    return tuple(_MODELS)


def register_path_loss(model: type[PathLoss]) -> type[PathLoss]:
    """Make a model known by its ``name``, for scenarios of this process; a decorator of the class."""
    if not (isinstance(model, type) and issubclass(model, PathLoss)):
        raise ValueError(f"register_path_loss needs a subclass of PathLoss, got {model!r:.200}")
    if model.name in {known.name for known in _BUILT_IN}:
        raise ValueError(f"register_path_loss needs a name of its own, got {model.name!r}, which is one of secagent's")
    _MODELS[model.name] = model
    make_path_loss.cache_clear()
    return model


def registered_path_losses() -> dict[str, type[PathLoss]]:
    """Return the models that were registered, by name."""
    return {name: model for name, model in _MODELS.items() if model not in _BUILT_IN}


@lru_cache(maxsize=64)
def make_path_loss(
    name: str, carrier_hz: float, bs_height_m: float | None = None, device_height_m: float | None = None
) -> PathLoss:
    """Return the model called ``name``; ValueError if there is none, or it does not hold for the other arguments."""
    return _MODELS[check_name("path_loss", name, _MODELS)](carrier_hz, bs_height_m, device_height_m)
