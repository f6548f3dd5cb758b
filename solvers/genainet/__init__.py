"""GenAINet: agents that are language models and control their powers, alone, talking, or led by a commander.

The second paper's case study B. An agent (:mod:`~solvers.genainet.agent`) has the paper's four parts: perception,
memory, planning (:mod:`~solvers.genainet.prompts`) and action; in :mod:`~solvers.genainet.team` agents play a game of
:mod:`secagent_env.power_control`.
"""

from secagent_env.support.extras import require

require("pydantic", extra="llm")

from solvers.genainet.team import GenAINet, Play  # noqa: E402 (its imports need pydantic)

__all__ = ["GenAINet", "Play"]
