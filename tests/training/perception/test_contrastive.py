"""CLIP's loss by hand, and a short training that learns what separates conditions."""

import dataclasses

import numpy as np
import pytest
from hashing_encoder import HashingEncoder

from secagent_env.radio_scenes import SEEN_SETS, SETS

torch = pytest.importorskip("torch")
from training.perception.contrastive import KINDS, Recipe, clip_loss, export, train  # noqa: E402

WORDS = HashingEncoder(48)
SMALL = Recipe(scenes=6, sentences=4, steps=60, batch=64, seed=3)


@pytest.fixture(scope="module")
def material():
    return SMALL.material()


def test_the_loss_by_hand():
    """Two pairs, orthogonal, scale 2: logits (2, 0; 0, 2), so that the loss is ln(1 + e^−2)."""
    eye = torch.eye(2)
    loss = clip_loss(5 * eye, eye, torch.tensor([0, 1]), torch.tensor(2.0))
    assert float(loss) == pytest.approx(np.log1p(np.exp(-2)), rel=1e-5)
    crossed = clip_loss(eye, eye[[1, 0]], torch.tensor([0, 1]), torch.tensor(2.0))
    assert float(crossed) == pytest.approx(2 + np.log1p(np.exp(-2)), rel=1e-5)


def test_pairs_of_the_same_set_are_right_together():
    eye = torch.eye(2)
    same = clip_loss(eye, eye, torch.tensor([4, 4]), torch.tensor(2.0))
    assert float(same) == pytest.approx((2 + 2 * np.log1p(np.exp(-2))) / 2, rel=1e-5)


def test_the_loss_is_symmetric_between_scenes_and_sentences():
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.nn.functional.normalize(torch.randn(5, 3, generator=generator)) for _ in range(2))
    sets, scale = torch.tensor([0, 1, 1, 2, 3]), torch.tensor(7.0)
    assert float(clip_loss(one, other, sets, scale)) == pytest.approx(
        float(clip_loss(other, one, sets, scale)), rel=1e-5
    )


def test_a_few_steps_lower_the_loss_and_repeat(material):
    first, again = (train(SMALL, material, WORDS) for _ in range(2))
    assert np.mean(first.losses[-10:]) < 0.8 * np.mean(first.losses[:5])
    assert first.losses == again.losses
    other = train(dataclasses.replace(SMALL, seed=4), material, WORDS)
    assert other.losses != first.losses


def test_a_classifier_learns_conditions(material):
    trained = train(dataclasses.replace(SMALL, kind="conditions", steps=150), material, WORDS)
    with torch.no_grad():
        logits = trained.network(torch.as_tensor(material.features[0])).numpy()
    from secagent_env.radio_scenes.conditions import indicators

    assert np.mean((logits > 0) == indicators(SETS)[material.sets]) > 0.85


def test_the_material_holds_no_set_that_is_kept_out(material):
    assert {SETS[place] for place in material.sets} == set(SEEN_SETS)
    assert material.features.shape[:2] == (3, len(material.sets))
    assert len(material.rates) == len(material.sets) == 3 * 6 * len(SEEN_SETS)


def test_an_export_is_read_again(material, tmp_path):
    from solvers.perception.encoder import RadioEncoder

    trained = train(dataclasses.replace(SMALL, steps=2), material, WORDS)
    export(trained.network, tmp_path / "mine.onnx", "mine", WORDS)
    encoder = RadioEncoder(tmp_path / "mine.onnx")
    assert (encoder.name, encoder.text_encoder, encoder.dimension) == ("mine", WORDS.name, 48)


def test_bad_recipes_are_told():
    with pytest.raises(ValueError, match="unknown kind of training 'sentence'; did you mean 'sentences'"):
        Recipe(kind="sentence")
    with pytest.raises(ValueError, match="steps must be an integer ≥ 1"):
        Recipe(steps=0)
    assert len(KINDS) == 5
