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


LONG = (
    "env/bulk/test_bulk_env.py",
    "env/interface/test_wrappers.py",
    "eval/command/test_serve_local.py",
    "eval/command/test_streams.py",
    "eval/experiments/test_endpoint_votes.py",
    "eval/experiments/test_knowledge_endpoints.py",
    "eval/experiments/test_model_tables.py",
    "eval/experiments/test_reasoning_cli.py",
    "eval/experiments/test_recorded.py",
    "eval/experiments/test_robust_designs.py",
    "eval/report/test_received_folder.py",
    "eval/report/test_report.py",
    "eval/studies/test_llm_bench.py",
    "eval/studies/test_models_that_plan.py",
    "eval/studies/test_plain_ppo.py",
    "eval/studies/test_transfer.py",
    "eval/sweep/test_sources.py",
    "eval/sweep/test_sweep.py",
    "eval/test_bench.py",
    "eval/test_cli.py",
    "eval/test_compare.py",
    "eval/test_law_cli.py",
    "eval/test_reproduce.py",
    "solvers/llm/test_llm_time.py",
    "training/test_libraries.py",
    "training/test_mixed_training.py",
    "training/test_tracking.py",
    "training/test_train_cli.py",
    "training/test_training.py",
    "training/test_tune.py",
)
"""Files of whole commands and trainings, which together take longer than all others: `make test-long` runs these."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in the files of LONG, before ``-m`` chooses among them."""
    for item in items:
        if item.nodeid.partition("::")[0].endswith(LONG):
            item.add_marker("long")


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
