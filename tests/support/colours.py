"""A small world whose knowledge can be counted: things have colours, each told by one passage."""

import hashlib

from secagent_env.questions import Question
from solvers.knowledge.store.passages import Passage
from solvers.reasoning.answer import Answer

COLOURS = ("red", "green", "blue", "amber")


class Reading:
    """A reasoner that knows the answer where one of its texts has an option in it; else it abstains, or guesses."""

    name = "reading"

    def __init__(self, guess=None):
        self.guess = guess
        self.read = []

    def answer(self, question, texts, rng):
        self.read.append((question, tuple(texts)))
        for text in texts:
            for index, option in enumerate(question.options):
                if question.text.split()[-1].rstrip("?") in text and option in text.split():
                    return Answer(index, 0.9, text)
        return Answer(self.guess, None if self.guess is None else 0.25, "", "" if self.guess is not None else "unknown")


def colour(number):
    return COLOURS[number % len(COLOURS)]


def passage(number, category=""):
    serial = hashlib.sha256(f"{number}".encode()).hexdigest()  # so that no passage helps to deflate another one
    return Passage(
        f"p{number}", f"The colour of thing{number} is {colour(number)} and its serial is {serial}.", category
    )


def question(number, **changes):
    told = {
        "key": f"q{number}",
        "text": f"What is the colour of thing{number}?",
        "options": COLOURS,
        "answer": number % len(COLOURS),
        "explanation": f"The colour of thing{number} is {colour(number)} as everybody knows.",
        "group": f"g{number}",
    }
    return Question(**{**told, **changes})
