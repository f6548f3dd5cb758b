"""The scores of a GGUF file, with a language of our own in the place of llama.cpp: a token follows from the last."""

import ctypes
import sys
from dataclasses import replace
from itertools import pairwise
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from tiny import weights

from secagent_env.questions import Question
from solvers.answer_scores import gguf, prompts
from solvers.answer_scores.gguf import GGUFScorer
from solvers.answer_scores.scores import Scores

QUESTION = Question("s-0", "What is red?", ("A rose", "Sea"), 0)
SIZE = 128
LOGITS = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)
"""Of the token after each token; tokens are characters of ASCII."""
LN_P = LOGITS - np.log(np.exp(LOGITS.astype(float)).sum(axis=1, keepdims=True))


class Library(ModuleType):
    """Stands for llama_cpp: keeps the tokens of each sequence, and tells what follows the last."""

    llama_token = ctypes.c_int32
    forgets_parts = True

    def __init__(self, template=b"template"):
        super().__init__("llama_cpp")
        self.template, self.sequences, self.logits, self.read = template, {}, {}, 0

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        values = {
            "llama_log_callback": lambda function: function,
            "llama_vocab_get_text": lambda *_: b"",
            "llama_model_n_embd": lambda _: 8,
        }
        return values.get(name, lambda *_: SimpleNamespace())

    def llama_vocab_n_tokens(self, _):
        return SIZE

    def llama_vocab_bos(self, _):
        return -1

    llama_vocab_eos = llama_vocab_bos

    def llama_model_chat_template(self, *_):
        return self.template

    def llama_batch_init(self, size, *_):
        lists = {name: [None] * size for name in ("token", "pos", "n_seq_id", "logits")}
        return SimpleNamespace(n_tokens=0, seq_id=[[None] for _ in range(size)], **lists)

    def llama_memory_clear(self, *_):
        self.sequences = {}

    def llama_memory_seq_rm(self, _, sequence, first, end):
        assert end == -1
        if first and not self.forgets_parts:
            return False
        self.sequences[sequence] = self.sequences.get(sequence, [])[:first]
        return True

    def llama_memory_seq_cp(self, _, source, target, *__):
        self.sequences[target] = list(self.sequences[source])

    def llama_decode(self, _, batch):
        self.logits = {}
        for row in range(batch.n_tokens):
            own = self.sequences.setdefault(batch.seq_id[row][0], [])
            assert batch.pos[row] == len(own)
            own.append(batch.token[row])
            if batch.logits[row]:
                self.logits[row] = LOGITS[own[-1]]
        self.read += batch.n_tokens
        return 0

    def llama_get_logits_ith(self, _, row):
        self.kept = (ctypes.c_float * SIZE)(*self.logits[row])
        return ctypes.cast(self.kept, ctypes.POINTER(ctypes.c_float))

    def llama_tokenize(self, _, data, length, room, *__):
        room[:length] = list(data)
        return length


@pytest.fixture
def scorer(monkeypatch, tmp_path):
    library, formats = Library(), ModuleType("llama_cpp.llama_chat_format")
    formats.Jinja2ChatFormatter = lambda **_: lambda messages: SimpleNamespace(prompt=f"<{messages[0]['content']}>")
    monkeypatch.setitem(sys.modules, "llama_cpp", library)
    monkeypatch.setitem(sys.modules, "llama_cpp.llama_chat_format", formats)
    path = tmp_path / "model.gguf"
    path.write_bytes(weights.gguf())
    with GGUFScorer(path) as made:
        made.library = library
        yield made


def likelihood(prefix, text):
    tokens = (prefix[-1:] + text).encode()
    return sum(LN_P[first, second] for first, second in pairwise(tokens))


def test_likelihoods_are_sums_over_the_tokens(scorer):
    scores = scorer.score(QUESTION)
    assert scores.letter == pytest.approx([LN_P[ord(">"), ord(letter)] for letter in "AB"], abs=1e-4)
    for values, prefix in ((scores.text, prompts.cloze(QUESTION)), (scores.prior, prompts.UNCONDITIONAL)):
        assert values == pytest.approx([likelihood(prefix, f" {option}") for option in QUESTION.options], abs=1e-4)
    assert scores.length == (6, 3)
    assert scorer.about["model"] == "model"
    assert scorer.about["dim"] == 8


def test_what_options_share_is_read_once(scorer):
    scorer.score(QUESTION, text=False)
    assert scorer.library.read == len(prompts.chat(QUESTION)) + 2
    whole = scorer.score(QUESTION)
    before = scorer.library.read
    assert scorer.score(QUESTION) == whole
    # The unconditional likelihoods are remembered.
    options = sum(len(option) for option in QUESTION.options)
    assert scorer.library.read - before == len(prompts.chat(QUESTION)) + 2 + len(prompts.cloze(QUESTION)) + options


def test_known_letters_are_not_scored_again(scorer):
    whole = scorer.score(QUESTION)
    before = scorer.library.read
    assert scorer.score(QUESTION, letter=whole.letter) == whole
    options = sum(len(option) for option in QUESTION.options)
    assert scorer.library.read - before == 1 + options  # the last token of the question, and the texts
    assert scorer.score(QUESTION, text=False, letter=(-1.0, -2.0)) == Scores(letter=(-1.0, -2.0))


def test_what_a_question_has_in_common_with_the_last_is_read_once(scorer):
    scorer.score(QUESTION, text=False)
    before = scorer.library.read
    again = scorer.score(QUESTION, text=False)
    assert scorer.library.read - before == 1  # the last token, whose followers count
    other = replace(QUESTION, text="What is blue?", options=("A rose", "Sea", "Sky"))
    before = scorer.library.read
    scores = scorer.score(other, text=False)
    same = prompts.chat(other).index("blue") + len("b")  # "<", and up to the word
    assert prompts.chat(QUESTION)[same - 1] != prompts.chat(other)[same - 1]
    assert scorer.library.read - before == len(prompts.chat(other)) + 2 - same
    assert scores.letter == pytest.approx([LN_P[ord(">"), ord(letter)] for letter in "ABC"], abs=1e-4)
    assert scorer.score(QUESTION, text=False) == again


def test_a_model_that_cannot_forget_a_part_reads_everything_again(scorer):
    before = scorer.score(QUESTION)
    scorer.library.forgets_parts = False
    count = scorer.library.read
    assert scorer.score(QUESTION, text=False).letter == before.letter
    assert scorer.library.read - count == len(prompts.chat(QUESTION)) + 2
    assert scorer.score(QUESTION) == before


def test_after_an_error_everything_is_read_again(scorer, monkeypatch):
    before = scorer.score(QUESTION)
    with monkeypatch.context() as patch:
        patch.setattr(scorer.library, "llama_decode", lambda *_: 1)
        with pytest.raises(ValueError, match="could not read a question"):
            scorer.score(QUESTION)
    assert scorer.score(QUESTION) == before


def test_what_cannot_be_scored_is_told(scorer, tmp_path, monkeypatch):
    monkeypatch.setattr(gguf, "CONTEXT", 20)
    with pytest.raises(ValueError, match="does not fit into 20 tokens"):
        scorer.score(QUESTION)
    path = tmp_path / "other"
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match="is no GGUF file"):
        GGUFScorer(path)
    path.write_bytes(weights.gguf()[:-1])
    with pytest.raises(ValueError, match="is cut short"):
        GGUFScorer(path)
    path.write_bytes(weights.gguf())
    scorer.library.template = None
    with pytest.raises(ValueError, match="has no chat template"):
        GGUFScorer(path)
