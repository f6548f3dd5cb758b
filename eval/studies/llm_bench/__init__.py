"""The certified benchmark of language models as optimisers: LAW on frozen networks, judged by the exact solver."""
