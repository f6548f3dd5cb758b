"""What a model reads before its options are scored."""

from __future__ import annotations

import hashlib

from secagent_env.questions import Question
from solvers.reasoning.letters import LETTERS
from solvers.reasoning.prompts import MAX_QUESTION_CHARACTERS, MAX_TEXT_CHARACTERS

INSTRUCTION = "Answer with the letter of the right option and nothing else."
UNCONDITIONAL = "Answer:"


def chat(question: Question) -> str:
    """Return the user's message that lists the options and asks for a letter."""
    listed = "\n".join(
        f"{letter}. {option[:MAX_TEXT_CHARACTERS]}" for letter, option in zip(LETTERS, question.options, strict=False)
    )
    return f"{_asked(question)}\n{listed}\n{INSTRUCTION}"


def cloze(question: Question) -> str:
    """Return the text that each option's text is to continue."""
    return f"{_asked(question)}\nAnswer:"


def continuation(option: str) -> str:
    """Return an option as the continuation of a text."""
    return f" {option[:MAX_TEXT_CHARACTERS].strip()}"


def version() -> str:
    """Return a digest of what is asked: scores measured with other prompts are others."""
    question = Question("", "Question?", ("First", "second"), 0, passage="Passage.")
    shown = (chat(question), cloze(question), *map(continuation, question.options), UNCONDITIONAL)
    return hashlib.sha256("\0".join(shown).encode()).hexdigest()[:12]


def _asked(question: Question) -> str:
    passage = f"{question.passage[:MAX_QUESTION_CHARACTERS]}\n" if question.passage else ""
    return f"{passage}Question: {question.text[:MAX_QUESTION_CHARACTERS]}"
