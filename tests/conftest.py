"""Settings that hold for every test; they must be in place before NumPy and matplotlib are imported."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # one worker per core already
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")  # no windows
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

from hypothesis import settings

settings.register_profile(
    "secagent", deadline=None, database=None, derandomize=bool(os.environ.get("CI")), print_blob=True
)
settings.load_profile("secagent")
