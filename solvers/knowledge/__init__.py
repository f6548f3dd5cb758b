"""Knowledge bases: built from passages, compressed, sent, and linked to a scenario (GenAINet, III and IV-A)."""

from solvers.knowledge.compress.compression import adaptive_ratios, compress
from solvers.knowledge.link import mean_accuracy, with_knowledge
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder, MiniLM, default_encoder
from solvers.knowledge.store.passages import Passage

__all__ = [
    "Encoder",
    "KnowledgeBase",
    "MiniLM",
    "Passage",
    "adaptive_ratios",
    "compress",
    "default_encoder",
    "mean_accuracy",
    "with_knowledge",
]
