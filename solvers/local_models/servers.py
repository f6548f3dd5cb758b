"""The servers that can answer with a model of this machine, and how they are started."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LLAMA_SERVER, PYTHON_SERVER = "llama-server", "llama_cpp.server"


@dataclass(frozen=True)
class Load:
    """What a server does at a time.

    Attributes
    ----------
    slots
        The requests that are answered at a time.
    context
        The most tokens of a prompt and its reply together, in each slot.
    threads
        The threads that compute; None: as many as the server takes by itself.
    """

    slots: int = 1
    context: int = 4096
    threads: int | None = None


ONE_AT_A_TIME = Load()


@dataclass(frozen=True)
class ServerProgram:
    """A program that serves a GGUF file over OpenAI's chat completions.

    Attributes
    ----------
    name
        ``"llama-server"`` of llama.cpp, or ``"llama_cpp.server"`` of llama-cpp-python.
    command
        What starts it, without its options.
    """

    name: str
    command: tuple[str, ...]

    def line(self, path: Path, model: str, port: int, load: Load, extra: Sequence[str]) -> list[str]:
        """Return the command line that serves a file as ``model`` on the loopback address, with ``extra`` options."""
        if self.name == PYTHON_SERVER:
            if load.slots > 1:
                raise ValueError(
                    f"{PYTHON_SERVER} answers one request at a time: leave --slots out, or name a {LLAMA_SERVER} "
                    "with --server"
                )
            options = {
                **{"--model": path, "--model_alias": model, "--host": "127.0.0.1", "--port": port},
                **{"--n_ctx": load.context, "--logits_all": "false"},
                **({"--n_threads": load.threads, "--n_threads_batch": load.threads} if load.threads else {}),
            }
        else:
            options = {
                **{"--model": path, "--alias": model, "--host": "127.0.0.1", "--port": port},
                **{"--parallel": load.slots, "--ctx-size": load.slots * load.context},
                **({"--threads": load.threads} if load.threads else {}),
            }
        pairs = [str(item) for pair in options.items() for item in pair]
        return [*self.command, *pairs, *(["--no-webui"] if self.name == LLAMA_SERVER else []), *extra]


def find_server(name: str | None = None) -> ServerProgram:
    """Return the server of a name, or of the path of an executable; without one the best that is installed.

    Raises
    ------
    ValueError
        If the named program is not there.
    ImportError
        If none is installed.
    """
    if name is None:
        program = _llama_server() or _python_server()
        if program is None:
            raise ImportError(
                "no server for models of this machine is installed: pip install 'secagent-env[local]' builds one, "
                f"which needs a C++ compiler; or name a {LLAMA_SERVER} with --server"
            )
        return program
    if name == PYTHON_SERVER:
        program = _python_server()
    elif name == LLAMA_SERVER:
        program = _llama_server()
    else:
        found = shutil.which(name)
        program = ServerProgram(LLAMA_SERVER, (found,)) if found else None
    if program is None:
        raise ValueError(
            f"there is no server {name}: name {LLAMA_SERVER}, {PYTHON_SERVER} or the path of a {LLAMA_SERVER}; "
            "pip install 'secagent-env[local]' builds them, which needs a C++ compiler"
        )
    return program


def _llama_server() -> ServerProgram | None:
    """Return llama.cpp's server: that of the installed llama-cpp-python, or else the first on the path."""
    folder = _package_folder()
    candidates = [os.path.join(folder, "lib", LLAMA_SERVER)] if folder else []
    for candidate in [*candidates, LLAMA_SERVER]:
        if found := shutil.which(candidate):
            return ServerProgram(LLAMA_SERVER, (found,))
    return None


def _python_server() -> ServerProgram | None:
    """Return the server of the installed llama-cpp-python, which runs in this interpreter."""
    if _package_folder() is None or importlib.util.find_spec("uvicorn") is None:
        return None
    return ServerProgram(PYTHON_SERVER, (sys.executable, "-m", PYTHON_SERVER))


def _package_folder() -> str | None:
    """Return the folder of llama-cpp-python, which is not imported: that would load its libraries."""
    spec = importlib.util.find_spec("llama_cpp")
    return spec.submodule_search_locations[0] if spec and spec.submodule_search_locations else None
