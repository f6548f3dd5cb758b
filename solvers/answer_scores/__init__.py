"""How likely a language model finds each option of a question: measured, kept by question number, made a distribution.

:mod:`~solvers.answer_scores.gguf` measures a model on this machine, :mod:`~solvers.answer_scores.endpoint` one behind
an OpenAI-compatible endpoint, :mod:`~solvers.answer_scores.files` keeps what was measured, without any text, and
:mod:`~solvers.answer_scores.readout` makes distributions of it.
"""
