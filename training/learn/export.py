"""Export of a torch policy as an ONNX file that takes any batch size and describes itself.

The file holds the network's graph and weights, and metadata: which agent, trained on which scenario, in which
observation and action formats. :class:`training.play.agents.TrainedAgent` runs it with onnxruntime.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from secagent_env import Scenario
from secagent_env.support.digests import DIGEST
from secagent_env.support.extras import require
from secagent_env.support.files import write_bytes
from solvers.onnx_models.sealing import BLANK, sealed_policy
from solvers.onnx_models.session import open_session
from training.play.agents import METADATA, POLICY_FORMAT, POLICY_VERSION

LARGEST_BYTES = 2 * 2**20
TOLERANCE = 1e-4
"""By how much the exported policy's actions may differ from the module's."""
OPSET = 20
LARGER = 3
"""Growth of every dynamic size in the second comparison, which reveals a size that was fixed by mistake."""

Dynamic = Mapping[str, Mapping[int, str]]
DYNAMIC: Dynamic = {
    "task": {},
    "agents": {1: "N", 2: "5+E"},
    "eavesdroppers": {1: "E"},
    "batteries": {1: "N"},
    "gain_agents": {1: "N", 2: "N"},
    "alignment": {1: "N", 2: "N"},
    "alignment_eve": {1: "N", 2: "E"},
    "clear": {1: "N", 2: "N"},
}
"""The dimensions, besides the first, in which a policy that takes any number of agents may vary."""


def policy_metadata(
    agent: str,
    scenario: Scenario,
    *,
    environment: str = "secagent/Allocation-v0",
    observation_format: str = "compact",
    action_format: str = "guided",
    any_agents: bool = True,
    csi_error: float | None = None,
    samples: int = 1,
) -> dict[str, str]:
    """Return the metadata of a policy, as :func:`export_policy` takes it.

    The name of the agent, such as ``"ppo"``, what it was trained on and in which formats, whether it takes another
    number of agents than the scenario has, the error variance of the estimates that it was trained on, if it was, and
    of how many selections that it draws the best is meant.
    """
    drawn = {} if samples == 1 else {"samples": str(samples)}
    estimated = {} if csi_error is None else {"csi_error": repr(float(csi_error))}
    return {
        "agent": agent,
        "environment": environment,
        "scenario": json.dumps(scenario.to_dict()),
        "observation_format": observation_format,
        "action_format": action_format,
        "any_agents": "true" if any_agents else "false",
        **estimated,
        **drawn,
    }


def export_policy(
    path: str | Path,
    module: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    metadata: Mapping[str, str],
    dynamic: Dynamic | None = None,
) -> float:
    """Write a policy as an ONNX file, whole or not at all, and return how far its actions are from the module's.

    Parameters
    ----------
    path
        The file; an existing one is replaced.
    module
        Takes the inputs in their order and returns deterministic actions (B, A) within ±1.
    inputs
        Examples by name, each with the batch as its first dimension: ``observation``, or parts of the observation
        such as ``task``, ``agents`` and ``eavesdroppers``.
    metadata
        As :func:`policy_metadata` makes it.
    dynamic
        By input, the dimensions besides the batch that may vary, with a name each; by default those of ``DYNAMIC``
        where the metadata says ``any_agents``, else none.

    Returns
    -------
    float
        The largest absolute difference between both, over the examples and inputs of other sizes.

    Raises
    ------
    ValueError
        If metadata are missing, the file would be larger than 2 MB, or its actions are not those of the module.
    ImportError
        If torch, onnx or onnxruntime is not installed.
    """
    require("onnx", extra="rl")
    missing = [name for name in METADATA if name not in metadata]
    if missing:
        raise ValueError(f"a policy's metadata must name {', '.join(missing)}")
    if dynamic is None:
        dynamic = {name: DYNAMIC.get(name, {}) for name in inputs} if metadata["any_agents"] == "true" else {}
    content = onnx_model(module, inputs, dynamic, {"format": POLICY_FORMAT, "version": POLICY_VERSION, **metadata})
    if len(content) > LARGEST_BYTES:
        raise ValueError(
            f"the policy has {len(content) / 2**20:.1f} MB, at most {LARGEST_BYTES // 2**20} MB are allowed; "
            "make the network smaller"
        )
    difference = max(
        _difference(content, module, example) for example in (inputs, _larger(inputs, dynamic), _larger(inputs, {}))
    )
    if not difference <= TOLERANCE:
        raise ValueError(f"the exported policy's actions differ from the module's by {difference:.2g}")
    write_bytes(path, content)
    return difference


def onnx_model(
    module: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    dynamic: Dynamic,
    metadata: Mapping[str, str],
    output: str = "action",
) -> bytes:
    """Return the checked ONNX model of a module, whose output is called ``output``."""
    import onnx

    axes: dict[str, dict[int, str]] = {name: {0: "B", **dynamic.get(name, {})} for name in inputs}
    axes[output] = {0: "B", 1: "A"} if any(dynamic.values()) else {0: "B"}
    file = io.BytesIO()
    training = module.training
    module.eval()
    try:
        # The exporter without further dependencies is deprecated, and warns of sizes that it treats as constants; the
        # comparison of the actions shows whether it was right.
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                tuple(inputs.values()),
                file,  # type: ignore[arg-type]  # a file in memory is accepted too
                input_names=list(inputs),
                output_names=[output],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
    finally:
        module.train(training)
    model = onnx.load_model_from_string(file.getvalue())
    onnx.helper.set_model_props(model, {**metadata, DIGEST: BLANK})
    onnx.checker.check_model(model, full_check=True)
    return sealed_policy(model.SerializeToString())


def _larger(inputs: Mapping[str, torch.Tensor], dynamic: Dynamic) -> dict[str, torch.Tensor]:
    """Return random inputs in which the batch and every dynamic dimension are larger."""
    generator = torch.Generator().manual_seed(0)
    grown = {}
    for name, tensor in inputs.items():
        shape = [size + LARGER * (axis == 0 or axis in dynamic.get(name, {})) for axis, size in enumerate(tensor.shape)]
        grown[name] = torch.rand(shape, generator=generator, dtype=tensor.dtype) * 2 - 1
    return grown


def _difference(content: bytes, module: torch.nn.Module, inputs: Mapping[str, torch.Tensor]) -> float:
    """Return the largest difference between the actions of the exported policy and of the module."""
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            wanted = module(*inputs.values()).cpu().numpy()
    finally:
        module.train(training)
    arrays: dict[str, Any] = {name: tensor.cpu().numpy() for name, tensor in inputs.items()}
    session = open_session(content)
    names = {entry.name for entry in session.get_inputs()}
    try:
        actions = session.run(["action"], {name: array for name, array in arrays.items() if name in names})[0]
    except Exception as error:  # onnxruntime's own types
        raise ValueError(f"the exported policy does not run at other sizes than the examples': {error}") from error
    if actions.shape != wanted.shape:
        raise ValueError(f"the exported policy's actions have shape {actions.shape}, the module's {wanted.shape}")
    if np.abs(wanted).max(initial=0.0) > 1 + TOLERANCE:
        raise ValueError("a policy's actions must be within -1 and 1")
    return float(np.abs(actions - wanted).max(initial=0.0))
