"""Sessions of onnxruntime: on one thread, silent, and closed to other files."""

from __future__ import annotations

import os
from typing import Any

from secagent_env.support.extras import require


def open_session(content: bytes) -> Any:
    """Return an onnxruntime session on one thread of the CPU; ValueError if the content is no model it can run."""
    # Else its import writes a device id below ~/.cache/Microsoft and looks up a host to report to.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    runtime = require("onnxruntime", extra="agents")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # an exception says what fails
    # Nowhere: else a model could name files, whose content it would take for its weights.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", f"{os.devnull}/none")
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime has a dozen types of its own
        raise ValueError("it is broken, or no ONNX model that this onnxruntime can run") from None
