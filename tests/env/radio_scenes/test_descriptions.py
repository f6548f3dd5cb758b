"""Sentences from templates: they say every condition, repeat by seed, and are told from others."""

import numpy as np
import pytest

from secagent_env.radio_scenes import CONDITIONS, SETS, describe
from secagent_env.radio_scenes.descriptions import CLAUSES, SYNONYMS, descriptions, is_generated


def test_sentences_are_of_the_templates_and_have_no_slots_left():
    rng = np.random.default_rng(0)
    for conditions in SETS:
        for text in descriptions(conditions, 20, rng):
            assert is_generated(text), text
            assert "{" not in text
            assert text[0].isupper()
            assert text.endswith(".")


def test_a_sentence_has_a_clause_for_each_condition():
    words = {"interference": "CO", "blockage": "BL", "moving neighbour": "MO", "jamming": "JA", "doppler": "DO"}
    with pytest.MonkeyPatch.context() as patch:
        for name in CONDITIONS:
            patch.setitem(CLAUSES, name, (words[name],))
        text = describe(("jamming", "blockage"), np.random.default_rng(1)).upper()
    assert all((words[name] in text) == (name in ("jamming", "blockage")) for name in ("blockage", "jamming"))


def test_sentences_differ_and_a_seed_repeats_them():
    first, again = (descriptions(("doppler",), 30, np.random.default_rng(5)) for _ in range(2))
    assert first == again
    assert len(set(first)) == 30
    assert len(descriptions((), 5, np.random.default_rng(1))) == 5


@pytest.mark.parametrize("text", ["The bus is late.", "", "A jammer covers the band with love.", "Report: ."])
def test_other_sentences_are_not_generated(text):
    assert not is_generated(text)


def test_every_slot_has_synonyms():
    assert all(len(set(words)) == len(words) >= 3 for words in SYNONYMS.values())


def test_unknown_conditions_are_told():
    with pytest.raises(ValueError, match="unknown condition 'rain'"):
        describe(("rain",), np.random.default_rng(0))
