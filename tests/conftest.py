"""Settings that hold for every test; they must be in place before NumPy and matplotlib are imported."""

import os
import sys

if "PYTEST_XDIST_WORKER" in os.environ:  # one worker per core already
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")  # no windows
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for tests that import onnxruntime by themselves

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile(
    "secagent", deadline=None, database=None, derandomize=bool(os.environ.get("CI")), print_blob=True
)
settings.load_profile("secagent")

DATA_FOLDERS = (os.environ.get("SECAGENT_DATA"), Path(__file__).parents[2] / "shared" / "data")
"""Where the downloaded data sets may be."""


SHARED = (
    "eval/experiments/test_genainet_table1.py",
    "eval/experiments/test_knowledge_energy.py",
    "eval/experiments/test_table5.py",
    "eval/report/test_received_folder.py",
    "eval/report/test_report.py",
    "eval/sweep/test_sources.py",
    "solvers/allocation/test_asc.py",
    "solvers/allocation/test_schemes.py",
    "solvers/jamming/test_jamming.py",
)
"""Tests in these files share what takes long to compute: they run in one worker."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Let workers take single tests, but the files of SHARED as a whole."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file.endswith(SHARED) else nodeid

    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def _no_known_endpoints() -> None:
    """Let no test find what another one has learnt of an endpoint: ports are used again."""
    if dialect := sys.modules.get("solvers.llm.dialect"):
        dialect.KNOWN.forget()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of the data sets; a test that needs them is skipped where there is none."""
    for folder in DATA_FOLDERS:
        if folder and Path(folder).is_dir():
            return Path(folder)
    pytest.skip("the data sets are not there: name their folder with SECAGENT_DATA")
