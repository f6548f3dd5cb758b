"""The scores of a GGUF model on this machine, by llama.cpp.

The likelihood of a text needs the probabilities of given tokens, which servers do not tell; the library does. What
the options of a question have in common is read once, and so is what a question has in common with the one before.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise, takewhile
from operator import eq
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env.questions import Question
from secagent_env.support.extras import require
from solvers.answer_scores import prompts
from solvers.answer_scores.scores import Scores
from solvers.llm.chat import Closing
from solvers.local_models import check_gguf
from solvers.reasoning.letters import LETTERS

CONTEXT = 4096
"""Tokens of a question with all its options."""

MAX_OPTIONS = 16


class GGUFScorer(Closing):
    """Scores options by the letter and by the text; a context manager.

    Parameters
    ----------
    path
        A GGUF file with a chat template.
    name
        Of the model; None: the file's name.
    threads
        Of the computation.

    Raises
    ------
    ValueError
        If the file is no model, or one without a chat template.
    OSError
        If it cannot be read.
    ImportError
        If llama-cpp-python is missing.
    """

    def __init__(self, path: Path | str, name: str | None = None, threads: int = 1) -> None:
        self._path = Path(path)
        check_gguf(self._path)
        with self._path.open("rb") as file:
            self._digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._llama: Any = require("llama_cpp", extra="local")
        self._name = name or self._path.stem
        llama = self._llama
        llama.llama_backend_init()
        self._silence = llama.llama_log_callback(lambda level, text, data: None)
        llama.llama_log_set(self._silence, ctypes.c_void_p(0))
        self._model = llama.llama_model_load_from_file(str(self._path).encode(), llama.llama_model_default_params())
        if not self._model:
            raise ValueError(f"{path} is no model that llama.cpp can load")
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = CONTEXT
        parameters.n_seq_max = MAX_OPTIONS + 1
        parameters.kv_unified = True
        parameters.n_threads = parameters.n_threads_batch = threads
        self._context = llama.llama_init_from_model(self._model, parameters)
        self._batch = llama.llama_batch_init(CONTEXT, 0, 1)
        self._memory = llama.llama_get_memory(self._context)
        self._vocabulary = llama.llama_model_get_vocab(self._model)
        self._size = llama.llama_vocab_n_tokens(self._vocabulary)
        self._formatter = self._chat_formatter()
        self._prior: dict[str, float] = {}
        self._held: list[int] = []

    def close(self) -> None:
        """Free the model."""
        self._llama.llama_batch_free(self._batch)
        self._llama.llama_free(self._context)
        self._llama.llama_model_free(self._model)

    @property
    def about(self) -> Mapping[str, Any]:
        """The model's name, digest and width (k_n of (16)), and the digest of the prompts."""
        width = int(self._llama.llama_model_n_embd(self._model))
        return {"model": self._name, "sha256": self._digest, "dim": width, "prompts": prompts.version()}

    def score(self, question: Question, text: bool = True, letter: Sequence[float] = ()) -> Scores:
        """Return the scores of a question's options, by letter, unless these are known, and, with ``text``, by text.

        Raises ValueError if the question is too long for the context.
        """
        if not letter:
            message = self._formatter(messages=[{"role": "user", "content": prompts.chat(question)}]).prompt
            letter = self._continued(self._tokens(message, special=True), list(LETTERS[: len(question.options)]))
        if not text:
            return Scores(letter=tuple(letter))
        texts = [prompts.continuation(option) for option in question.options]
        prefix = self._tokens(prompts.cloze(question), begins=True)
        new = [each for each in texts if each not in self._prior]
        if new:
            start = self._tokens(prompts.UNCONDITIONAL, begins=True)
            self._prior |= dict(zip(new, self._continued(start, new), strict=True))
        return Scores(
            letter=tuple(letter),
            text=tuple(self._continued(prefix, texts)),
            prior=tuple(self._prior[each] for each in texts),
            length=tuple(len(each.encode()) - 1 for each in texts),
        )

    def _continued(self, prefix: Sequence[int], texts: Sequence[str]) -> list[float]:
        """Return ln p of each text after a prefix, which is read once."""
        parts = [self._tokens(text) for text in texts]
        if len(parts) > MAX_OPTIONS or len(prefix) + sum(map(len, parts)) > CONTEXT:
            raise ValueError(f"a question does not fit into {CONTEXT} tokens with {MAX_OPTIONS} options")
        llama, batch = self._llama, self._batch
        self._read_prefix(prefix)
        first = self._row(batch.n_tokens - 1)
        totals = [first[part[0]] for part in parts]
        batch.n_tokens = 0
        rows: list[tuple[int, int]] = []
        for number, part in enumerate(parts):
            llama.llama_memory_seq_cp(self._memory, 0, number + 1, -1, -1)
            for place, (token, following) in enumerate(pairwise(part)):
                self._add(token, len(prefix) + place, number + 1, scored=True)
                rows.append((number, following))
        if rows:
            self._decode()
            for row, (number, token) in enumerate(rows):
                totals[number] += self._row(row)[token]
        return [float(total) for total in totals]

    def _read_prefix(self, prefix: Sequence[int]) -> None:
        """Read a prefix, but for what it begins with as the last one did, such as the system's message."""
        llama, memory, last = self._llama, self._memory, self._held
        same = sum(takewhile(bool, map(eq, last, prefix[:-1])))
        self._held = []
        removed = [llama.llama_memory_seq_rm(memory, n, 0 if n else same, -1) for n in range(MAX_OPTIONS + 1)]
        if not all(removed):  # some architectures forget everything or nothing
            llama.llama_memory_clear(memory, False)
            same = 0
        self._batch.n_tokens = 0
        for place in range(same, len(prefix)):
            self._add(prefix[place], place, 0, scored=place == len(prefix) - 1)
        self._decode()
        self._held = list(prefix)

    def _add(self, token: int, place: int, sequence: int, *, scored: bool) -> None:
        batch, row = self._batch, self._batch.n_tokens
        batch.token[row], batch.pos[row] = token, place
        batch.seq_id[row][0], batch.n_seq_id[row] = sequence, 1
        batch.logits[row] = scored
        batch.n_tokens += 1

    def _decode(self) -> None:
        if status := self._llama.llama_decode(self._context, self._batch):
            raise ValueError(f"llama.cpp could not read a question (status {status})")

    def _row(self, row: int) -> np.ndarray:
        """Return ln p of every token after the token at a place of the batch."""
        pointer = self._llama.llama_get_logits_ith(self._context, row)
        logits = np.ctypeslib.as_array(pointer, shape=(self._size,)).astype(float)
        logits -= logits.max()
        return np.asarray(logits - np.log(np.exp(logits).sum()))

    def _tokens(self, text: str, *, begins: bool = False, special: bool = False) -> list[int]:
        """Return the tokens of a text; ``begins``: with what the model begins every text with."""
        data = text.encode()
        room = (self._llama.llama_token * (len(data) + 8))()
        count = self._llama.llama_tokenize(self._vocabulary, data, len(data), room, len(room), begins, special)
        return list(room[:count])

    def _chat_formatter(self) -> Any:
        llama = self._llama
        template = llama.llama_model_chat_template(self._model, None)
        if not template:
            raise ValueError(f"{self._path} has no chat template")
        formats = require("llama_cpp.llama_chat_format", extra="local")
        vocabulary = self._vocabulary
        begin, end = (
            llama.llama_vocab_get_text(vocabulary, token).decode() if token >= 0 else ""
            for token in (llama.llama_vocab_bos(vocabulary), llama.llama_vocab_eos(vocabulary))
        )
        return formats.Jinja2ChatFormatter(template=template.decode(), bos_token=begin, eos_token=end)
