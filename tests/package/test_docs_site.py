"""The pages build as a site, without a warning."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.pages
def test_the_site_builds_without_warnings(tmp_path):
    options = ["-q", "-W", "--keep-going", "-b", "html", "-d", tmp_path / "trees"]
    command = [sys.executable, "-m", "sphinx", *options, ROOT / "docs", tmp_path / "site"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    start = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "eavesdropper" in start
    api = (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    for name in ("secagent_env.evaluate", "solvers.make", "training.load_agent"):
        assert f'id="{name}"' in api
    assert 'class="math' in (tmp_path / "site" / "model.html").read_text(encoding="utf-8")
