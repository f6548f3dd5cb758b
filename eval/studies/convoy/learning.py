"""The trainings of ``secagent study convoy``: a policy that all vehicles share, for one level."""

from __future__ import annotations

import base64
import time

from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, returns, text
from secagent_env.support.extras import require
from training.convoy.shared_driving import exported, train

FUNCTION = "eval.studies.convoy.learning:learn"


@returns(columns(policy=text, steps=count, cpu_seconds=count))
def learn(cell: Cell) -> Row:
    """Return a trained policy, ONNX in base 64, the steps of a vehicle each, and the processor time, s."""
    import torch

    torch.set_num_threads(1)
    level, steps = str(cell.options["level"]), int(cell.options["steps"])
    began = time.process_time()
    with require("tqdm", extra="rl").tqdm(total=steps, unit="step", unit_scale=True, disable=None) as bar:
        model = train(level, steps, cell.seed, bonus_per_m=float(cell.options["bonus"]), progress=bar.update)
    seconds = time.process_time() - began
    content = exported(model, {"level": level, "steps": model.num_timesteps, "seed": cell.seed})
    return {
        "policy": base64.b64encode(content).decode(),
        "steps": model.num_timesteps,
        "cpu_seconds": round(seconds, 1),
    }
