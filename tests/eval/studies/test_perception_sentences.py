"""The sentences written by hand share no template, and next to no wording, with the training's."""

import re

import numpy as np
import pytest

from eval.studies.perception.sentences import EACH, covering, handwritten, right_at, templated
from secagent_env.radio_scenes import SETS, describe
from secagent_env.radio_scenes.descriptions import is_generated

PER_SET = 300
"""Sentences from the templates, whose n-grams are compared."""


def grams(text: str, size: int) -> list[tuple[str, ...]]:
    words = re.findall(r"[\w']+", text.lower())
    return [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]


def test_there_are_more_than_a_hundred_different_ones_for_all_sets():
    gallery = handwritten()
    assert len(set(gallery.texts)) == len(gallery.texts) >= 100
    assert np.bincount(gallery.sets, minlength=len(SETS)).min() >= 4


def test_no_template_generates_any_of_them():
    assert [text for text in handwritten().texts if is_generated(text)] == []
    assert all(map(is_generated, templated().texts))


@pytest.mark.parametrize(("size", "most"), [(3, 0.03), (4, 0.004)])
def test_their_n_grams_are_not_those_of_the_templates(size, most):
    """With n-grams of the templates' own sentences the same measure finds nearly all: the check can fail."""
    rng = np.random.default_rng(0)
    known = {gram for one in SETS for _ in range(PER_SET) for gram in grams(describe(one, rng), size)}

    def overlap(texts) -> float:
        every = [gram for text in texts for gram in grams(text, size)]
        return np.mean([gram in known for gram in every])

    assert overlap(handwritten().texts) < most
    assert overlap(templated().texts) > 0.9


def test_galleries_repeat_by_seed():
    assert templated(3).texts == templated(3).texts != templated(4).texts
    assert len(templated().texts) == EACH * len(SETS)


def test_what_counts_as_right():
    place = {one: i for i, one in enumerate(SETS)}
    jam, both = place[frozenset({"jamming"})], place[frozenset({"jamming", "doppler"})]
    ranked = np.array([[both, jam, 0], [jam, 0, both], [0, 0, 0]])
    truth = np.array([jam, jam, 0])
    assert right_at(ranked, truth, 1).tolist() == [False, True, True]
    assert right_at(ranked, truth, 2).tolist() == [True, True, True]
    assert covering(ranked[:, 0], truth).tolist() == [True, True, True]
    assert covering(np.array([jam, 0]), np.array([both, jam])).tolist() == [False, False]
