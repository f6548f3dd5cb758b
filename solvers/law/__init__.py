"""LAW: an LLM as the optimiser, in an agentic workflow (section IV-B)."""

from secagent_env.support.extras import require

require("pydantic", extra="llm")

from solvers.law.solver import LAW  # noqa: E402 (its imports need pydantic)

__all__ = ["LAW"]
