"""Shorter texts by rules, which can still be found and understood.

The rules are of two strengths. ``"light"`` leaves out brackets with their content and empty phrases, such as "refers to
the fact that". ``"telegraphic"`` leaves out function words too, as in a telegram. The words are English: texts in other
languages lose brackets alone. Negations, numbers and names always stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from secagent_env.support.errors import check_name
from solvers.knowledge.store.encoder import Encoder

STRENGTHS = ("light", "telegraphic")

_BRACKETS = re.compile(r"(?<!\s)\s*[(\[][^()\[\]]*[)\]]")
_EMPTY = re.compile(
    r"\b(?:(?:it|this|that) (?:is|means) (?:the case )?that|refers? to the fact that|in order to|in general,?|"
    r"as well as|it should be noted that|note that|basically,?|essentially,?|typically,?|in addition,?|furthermore,?|"
    r"moreover,?|according to the (?:passage|text|document|standard),?|"
    r"the (?:text|passage|document|paper|author)s? (?:states?|mentions?|says?|explains?|notes?) that)\s*",
    re.IGNORECASE,
)
_FUNCTION_WORDS = """
a an the this that these those is are was were be been being am has have had having do does did of to in on at
by for from with as into onto upon about over under and or which who whom whose it its they their them he she
his her we our us you your can could may might will would shall should there here so such then than also very
more most each both when where while if because since although through between among within during
"""
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+(?=\S)")


def shorten(text: str, strength: str = "light") -> str:
    """Return a text in shorter form, empty only if the text is; raise ValueError if the strength is unknown."""
    check_name("strength", strength, STRENGTHS)
    short = _EMPTY.sub("", _BRACKETS.sub("", text))
    if strength == "telegraphic":
        short = " ".join(word for word in short.split() if word.strip(".,;:").lower() not in _FUNCTION)
    return " ".join(short.split()) or text


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [part for part in _SENTENCE.split(text.strip()) if part]


def leading_sentences(texts: Sequence[str], encoder: Encoder, keep: int = 1) -> list[str]:
    """Return the ``keep`` sentences of every text that are nearest in meaning to the whole text, in their order."""
    split = [sentences(text) for text in texts]
    long = [index for index, parts in enumerate(split) if len(parts) > keep]
    whole = encoder.encode([texts[index] for index in long])
    parts = encoder.encode([part for index in long for part in split[index]])
    result = list(texts)
    start = 0
    for index, vector in zip(long, whole, strict=True):
        own = parts[start : start + len(split[index])]
        start += len(own)
        nearest = np.sort(np.argsort(-(own @ vector), kind="stable")[:keep])
        result[index] = " ".join(split[index][i] for i in nearest)
    return result
