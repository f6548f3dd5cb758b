"""Instances of channels of one's own: what is made, where it comes from, and what is refused in one sentence."""

import warnings

import numpy as np
import pytest

from secagent_env import Instance, Scenario, sample_instance
from secagent_env.channels.completion import ChannelWarning
from secagent_env.model.instance_files import stored_digest
from secagent_env.sampling.fading import squared_distance

SCENARIO = Scenario(num_agents=5, num_antennas=3, num_eavesdroppers=2, min_selected=2)
COMPUTE = ("inference_time_s", "compute_power_w", "accuracy")
BATCH = (4, 2)


@pytest.fixture
def own() -> dict[str, np.ndarray]:
    """Return everything that an instance has, as arrays."""
    drawn = sample_instance(SCENARIO, 7, BATCH)
    return {name: getattr(drawn, name) for name in Instance._arrays}


def channels(own: dict, *names: str) -> dict:
    return {name: own[name] for name in ("channel_bs", "channel_eve", *names)}


def test_what_is_given_stays_and_says_so(own):
    instance = Instance.from_channels(**own, scenario=SCENARIO)
    for name, array in own.items():
        np.testing.assert_array_equal(getattr(instance, name), array)
    assert set(instance.origin.values()) == {"given"}
    assert instance.batch_shape == BATCH


def test_compute_fields_are_those_of_the_seed_and_the_index(own):
    given = channels(own, "gain_agents", "gain_eve")
    instance = Instance.from_channels(**given, scenario=SCENARIO, seed=3)
    drawn = sample_instance(SCENARIO, 3, BATCH)
    for name in COMPUTE:
        np.testing.assert_array_equal(getattr(instance, name), getattr(drawn, name))
    assert {name: instance.origin[name] for name in COMPUTE} == dict.fromkeys(COMPUTE, "drawn")
    assert instance.position_m is None
    mixed = Instance.from_channels(**given, accuracy=np.full(5, 0.9), scenario=SCENARIO, seed=3)
    assert (mixed.accuracy == 0.9).all()
    assert mixed.origin["accuracy"] == "given"
    np.testing.assert_array_equal(mixed.inference_time_s, drawn.inference_time_s)


def test_gains_follow_from_the_positions_with_the_path_loss_and_the_fading_of_the_scenario():
    place = np.array([[0.0, 10.0], [0.0, 30.0], [40.0, 0.0], [60.0, 60.0], [90.0, 5.0]])
    eve = np.array([[150.0, 150.0], [0.0, 50.0]])
    rng = np.random.default_rng(0)
    shape = (2000,)
    h = 1e-4 * (rng.normal(size=(*shape, 5, 3)) + 1j * rng.normal(size=(*shape, 5, 3)))
    instance = Instance.from_channels(
        h, h[:, :2], SCENARIO, position_m=place, eve_position_m=np.broadcast_to(eve, (*shape, 2, 2)), seed=1
    )
    assert instance.origin["gain_agents"] == instance.origin["gain_eve"] == "derived"
    between = SCENARIO.propagation.mean_gain(squared_distance(place[:, None] - place), from_bs=False)
    off = ~np.eye(5, dtype=bool)
    ratio = instance.gain_agents.mean(0)[off] / between[off]
    np.testing.assert_allclose(ratio, 1, atol=0.12)  # 4 standard errors of exponential draws are 0.09
    to_eve = SCENARIO.propagation.mean_gain(squared_distance(place[:, None] - eve), from_bs=False)
    np.testing.assert_allclose(instance.gain_eve.mean(0) / to_eve, 1, atol=0.12)
    np.testing.assert_array_equal(instance.gain_agents, instance.gain_agents.swapaxes(-1, -2))
    assert (instance.position_m == place).all()


@pytest.mark.parametrize("path_loss", ["paper", "umi"])
def test_the_draws_at_the_places_of_the_seed_are_the_instance_of_the_seed(path_loss):
    scenario = SCENARIO.replace(path_loss=path_loss)
    drawn = sample_instance(scenario, 3, BATCH)
    at = {"position_m": drawn.position_m, "eve_position_m": drawn.eve_position_m}
    instance = Instance.from_channels(drawn.channel_bs, drawn.channel_eve, scenario, **at, seed=3)
    for name in Instance._arrays:
        np.testing.assert_array_equal(getattr(instance, name), getattr(drawn, name))


@pytest.mark.parametrize("name", ["gain_agents", "gain_eve"])
def test_gains_are_derived_over_distances_that_the_path_loss_holds_for(name):
    scenario = SCENARIO.replace(path_loss="inh", eve_area_m=(100.0, 100.0))
    drawn = sample_instance(scenario, 7, BATCH)
    own = {field: getattr(drawn, field) for field in Instance._arrays}
    other = {"gain_agents": "gain_eve", "gain_eve": "gain_agents"}[name]
    far = own["position_m"].copy()
    far[1, 1, 2] = 400.0, 50.0
    given = {**channels(own, other, "eve_position_m"), "position_m": far}
    with pytest.raises(ValueError, match=rf"{name} would be derived over \d+ m, and path_loss='inh' holds up to 150 m"):
        Instance.from_channels(**given, scenario=scenario)
    Instance.from_channels(**{**given, "position_m": own["position_m"]}, scenario=scenario)
    Instance.from_channels(**{**given, name: own[name]}, scenario=scenario)


def test_without_positions_gains_are_missed_unless_invented_ones_are_asked_for(own):
    with pytest.raises(ValueError, match=r"gain_agents is missing, and so is position_m.*complete=\"scenario\""):
        Instance.from_channels(**channels(own), scenario=SCENARIO)
    with pytest.raises(ValueError, match="gain_eve is missing, and so is eve_position_m"):
        Instance.from_channels(**channels(own, "position_m"), scenario=SCENARIO)
    instance = Instance.from_channels(**channels(own), scenario=SCENARIO, complete="scenario", seed=3)
    drawn = sample_instance(SCENARIO, 3, BATCH)
    np.testing.assert_array_equal(instance.gain_eve, drawn.gain_eve)
    np.testing.assert_array_equal(instance.gain_agents, drawn.gain_agents)
    assert instance.origin["gain_eve"] == "drawn"
    assert instance.position_m is None
    half = Instance.from_channels(**channels(own, "position_m"), scenario=SCENARIO, complete="scenario")
    assert (half.origin["gain_agents"], half.origin["gain_eve"]) == ("derived", "drawn")


def test_a_single_instance_is_the_first_of_a_batch(own):
    batch = Instance.from_channels(**channels(own), scenario=SCENARIO, complete="scenario")
    first = {name: array[0, 0] for name, array in channels(own).items()}
    single = Instance.from_channels(**first, scenario=SCENARIO, complete="scenario")
    for name in COMPUTE:
        np.testing.assert_array_equal(getattr(single, name), getattr(batch, name)[0, 0])


def test_origin_is_kept_where_instances_go(own, tmp_path):
    instance = Instance.from_channels(**channels(own), scenario=SCENARIO, complete="scenario")
    instance.save(tmp_path / "own.npz")
    loaded = Instance.load(tmp_path / "own.npz")
    assert loaded.origin == instance.origin == instance[0].origin == instance.replace(accuracy=own["accuracy"]).origin
    assert sample_instance(SCENARIO).origin is None
    with pytest.raises(ValueError, match="origin must map fields to one of given, derived, drawn"):
        instance.replace(origin={"accuracy": "guessed"})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"channel_bs": lambda h: h.swapaxes(-1, -2)}, r"channel_bs .* its last two axes are transposed"),
        ({"channel_bs": lambda h: np.moveaxis(h, -2, 0)}, r"channel_bs .* put its axes in this order"),
        (
            {"prior_bs_covariance": lambda _: np.zeros((3, 2, 3), complex)},
            "prior_bs_covariance .* its axes in this order",
        ),
        ({"channel_eve": lambda h: h.real}, "channel_eve must be complex.*magnitudes or power gains"),
        ({"channel_bs": lambda h: 20 * np.log10(abs(h))}, "channel_bs must be complex.*decibels"),
        ({"channel_bs": lambda h: np.where(abs(h) > 0, np.nan, h)}, "channel_bs must be finite, got 120 NaN"),
        ({"channel_bs": lambda h: h[..., :2]}, r"channel_bs .* N = 5, L = 3.*scenario to num_antennas=2$"),
        ({"channel_bs": lambda h: h[:0]}, "channel_bs holds nothing"),
        ({"channel_bs": lambda h: h[0, 0, 0]}, r"channel_bs must have the shape \(…, N = 5, L = 3\)"),
        ({"channel_eve": lambda h: h[:3]}, r"channel_eve must have the batch dimensions \(4, 2\)"),
        ({"gain_eve": lambda g: 10 * np.log10(g)}, "gain_eve must hold power gains ≥ 0.*looks like decibels"),
        ({"gain_eve": lambda g: g + 0j}, "gain_eve must be real"),
        ({"position_m": lambda x: np.concatenate([x, x[..., :1]], -1)}, "position_m .* leave the heights out"),
        ({"position_m": lambda x: x[..., :1]}, r"position_m must have the shape .*got \(4, 2, 5, 1\)(?!.*scenario to)"),
        ({"position_m": lambda x: x * np.nan}, "position_m must be finite, got 80 NaN"),
        ({"channel_bs": lambda h: None}, "channel_bs must be an array, got None"),
        ({"channel_bs": lambda h: "H"}, "channel_bs must be an array of numbers"),
    ],
)
def test_bad_input_is_refused_in_a_sentence_that_names_the_field(own, change, sentence):
    given = {name: change[name](array) if name in change else array for name, array in own.items()}
    with pytest.raises(ValueError, match=sentence):
        Instance.from_channels(**given, scenario=SCENARIO)


def test_complete_is_scenario_or_nothing(own):
    with pytest.raises(ValueError, match="complete must be one of scenario"):
        Instance.from_channels(**own, scenario=SCENARIO, complete="yes")


def test_numbers_that_look_like_other_ones_are_told(own):
    normalised = {**own, "channel_bs": own["channel_bs"] / np.abs(own["channel_bs"]).mean()}
    with pytest.warns(ChannelWarning, match="channel_bs has a mean power gain of .* looks normalised"):
        Instance.from_channels(**normalised, scenario=SCENARIO)
    powers = {**own, "channel_bs": np.abs(own["channel_bs"]) ** 2 + 0j}
    with pytest.warns(ChannelWarning, match="looks like power gains where amplitude gains belong"):
        Instance.from_channels(**powers, scenario=SCENARIO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Instance.from_channels(**normalised, scenario=SCENARIO.replace(noise_power_w=0.1, max_power_w=1.0))


# --- Folders that are mapped ---------------------------------------------------------------------------------


def test_a_folder_is_the_same_batch_mapped(own, tmp_path):
    instance = Instance.from_channels(**channels(own), scenario=SCENARIO, complete="scenario")
    Instance.save_folder(tmp_path / "own", (instance[:1], instance[1:]))
    mapped = Instance.load(tmp_path / "own")
    assert mapped.batch_shape == BATCH
    assert mapped.origin == instance.origin
    for name in Instance._arrays:
        if getattr(instance, name) is not None:
            np.testing.assert_array_equal(getattr(mapped, name), getattr(instance, name))
    base = mapped.channel_bs
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    assert not mapped.channel_bs.flags.writeable


def test_the_digest_of_a_folder_depends_on_its_numbers(own, tmp_path):
    instance = Instance.from_channels(**own, scenario=SCENARIO)
    Instance.save_folder(tmp_path / "one", [instance])
    Instance.save_folder(tmp_path / "same", [instance[:2], instance[2:]])
    Instance.save_folder(tmp_path / "other", [instance.replace(accuracy=own["accuracy"] / 2)])
    one, same, other = (stored_digest(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same != other


def test_folders_that_are_not_whole_are_refused(own, tmp_path):
    instance = Instance.from_channels(**own, scenario=SCENARIO)
    folder = tmp_path / "own"

    def interrupted():
        yield instance
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Instance.save_folder(folder, interrupted())
    assert not folder.exists()
    folder.mkdir()
    with pytest.raises(ValueError, match=r"the folder has no header\.json"):
        Instance.load(folder)
    with pytest.raises(KeyboardInterrupt):
        Instance.save_folder(folder, interrupted())
    assert not list(folder.iterdir())
    Instance.save_folder(folder, [instance])
    with pytest.raises(FileExistsError, match="is not empty"):
        Instance.save_folder(folder, [instance])
    with pytest.raises(ValueError, match="the data set is empty"):
        Instance.save_folder(tmp_path / "none", [])
    with pytest.raises(ValueError, match="same scenario"):
        Instance.save_folder(tmp_path / "two", [instance, instance.replace(scenario=SCENARIO.replace(min_selected=1))])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "accuracy.npy").unlink(), "accuracy.npy"),
        (lambda folder: (folder / "accuracy.npy").write_bytes(b"\x93NUMPY"), "accuracy.npy is broken or foreign"),
        (lambda folder: np.save(folder / "accuracy.npy", np.ones((3, 5))), "accuracy must have the batch dimensions"),
        (lambda folder: np.save(folder / "accuracy.npy", np.ones((4, 2, 6))), "accuracy must have shape"),
        (lambda folder: np.save(folder / "accuracy.npy", np.array([None]), allow_pickle=True), "broken or foreign"),
        (lambda folder: (folder / "header.json").write_text("{}"), "names no arrays"),
    ],
)
def test_damaged_folders_are_refused_in_a_sentence(own, tmp_path, damage, sentence):
    folder = tmp_path / "own"
    Instance.save_folder(folder, [Instance.from_channels(**own, scenario=SCENARIO)])
    damage(folder)
    with pytest.raises((ValueError, OSError), match=sentence):
        Instance.load(folder)
