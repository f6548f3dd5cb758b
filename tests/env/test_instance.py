"""Instance and Decision: validation, batches, and files that are whole, versioned data."""

import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest

from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance

ARRAYS = (
    "channel_bs",
    "channel_eve",
    "gain_agents",
    "gain_eve",
    "inference_time_s",
    "compute_power_w",
    "accuracy",
    "position_m",
    "eve_position_m",
)


@pytest.fixture
def instance():
    return sample_instance("small", seed=3)


def same(a, b):
    return a.scenario == b.scenario and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_wrong_shape_is_named(instance, name):
    with pytest.raises(ValueError, match=rf"{name} must have shape \(…, .*got"):
        instance.replace(**{name: getattr(instance, name)[..., :-1]})


@pytest.mark.parametrize("name", ARRAYS)
def test_nan_is_named(instance, name):
    broken = getattr(instance, name).copy()
    broken.flat[0] = np.nan
    with pytest.raises(ValueError, match=f"{name} must be finite, got 1 NaN or infinite of {broken.size}"):
        instance.replace(**{name: broken})


@pytest.mark.parametrize("name", ARRAYS[2:7])
def test_a_negative_value_is_named(instance, name):
    broken = getattr(instance, name).copy()
    broken.flat[-1] = -1.5
    with pytest.raises(ValueError, match=f"{name} must be ≥ 0, got -1.5"):
        instance.replace(**{name: broken})


def test_other_bad_fields_are_named(instance):
    with pytest.raises(ValueError, match=r"accuracy must be ≤ 1, got 1\.5"):
        instance.replace(accuracy=np.full(6, 1.5))
    with pytest.raises(ValueError, match="channel_bs must be complex floating point, got float64"):
        instance.replace(channel_bs=instance.channel_bs.real)
    with pytest.raises(ValueError, match="gain_eve must be real floating point, got bool"):
        instance.replace(gain_eve=np.ones((6, 1), bool))
    with pytest.raises(ValueError, match="gain_eve must be an array, got None"):
        instance.replace(gain_eve=None)
    with pytest.raises(ValueError, match="scenario must be a Scenario, got str"):
        instance.replace(scenario="paper")
    batch = sample_instance("small", 0, batch=(2,))
    with pytest.raises(ValueError, match=r"gain_eve must have the batch dimensions \(2,\) of channel_bs, got \(\)"):
        batch.replace(gain_eve=instance.gain_eve)


def test_positions_may_be_missing(instance):
    bare = instance.replace(position_m=None, eve_position_m=None)
    assert bare.position_m is None
    assert Instance.stack([bare, bare])[0].position_m is None


def test_lists_are_taken_as_arrays():
    scenario = Scenario(num_agents=1, num_antennas=1)
    instance = Instance(
        scenario=scenario,
        channel_bs=[[1e-3]],
        channel_eve=[[0]],
        gain_agents=[[0]],
        gain_eve=[[0]],
        inference_time_s=[1],
        compute_power_w=[10],
        accuracy=[0.9],
    )
    outcome = evaluate(instance, Decision(selection=[1], beamformer=[1], power_w=[1]))
    assert outcome.feasible
    assert outcome.execution_energy_j == 10


def test_indexing_and_stacking_are_inverse():
    batch = sample_instance("small", 5, batch=(2, 3))
    assert batch.batch_shape == (2, 3)
    assert len(batch) == 2
    assert batch[1, 2].batch_shape == ()
    assert batch[:, 1].batch_shape == (2,)
    assert same(Instance.stack([Instance.stack(list(row)) for row in batch]), batch)
    with pytest.raises(IndexError, match="2 batch dimensions"):
        batch[0, 0, 0]
    with pytest.raises(TypeError, match="not a batch"):
        len(batch[0, 0])


def test_stack_refuses_what_does_not_belong_together(instance):
    with pytest.raises(ValueError, match="at least one"):
        Instance.stack([])
    with pytest.raises(ValueError, match="number 1 has another"):
        Instance.stack([instance, sample_instance(Scenario.preset("small", knowledge_bits=1.0))])
    with pytest.raises(ValueError, match="one batch shape"):
        Instance.stack([instance, sample_instance("small", batch=(2,))])
    with pytest.raises(ValueError, match="at least one"):
        Decision.stack([])


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_save_and_load_keep_every_bit(tmp_path, batch):
    instance = sample_instance(Scenario.preset("small", num_eavesdroppers=2, eve_area_m=(20, 100)), 7, batch=batch)
    instance.save(tmp_path / "i.npz")
    assert same(Instance.load(tmp_path / "i.npz"), instance)
    assert [p.name for p in tmp_path.iterdir()] == ["i.npz"]


def test_missing_positions_survive_the_file(tmp_path, instance):
    instance.replace(position_m=None, eve_position_m=None).save(str(tmp_path / "i.npz"))
    assert Instance.load(str(tmp_path / "i.npz")).position_m is None


def rewrite(path, **changes):
    """Rewrite some arrays of an instance file (None drops one)."""
    with np.load(path) as archive:
        arrays = {**archive, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def header(path, **changes):
    with np.load(path) as archive:
        unsealed = {name: value for name, value in json.loads(str(archive["header"])).items() if name != "digest"}
        return np.array(json.dumps({**unsealed, **changes}))


@pytest.mark.parametrize(
    ("accuracy", "message"),
    [
        (np.ma.masked_less(np.full(6, 0.9), 0.5), "accuracy must hold plain numbers, got a masked array: fill it"),
        (np.array([0.9, None, {}, 1, 1, 1], dtype=object), "accuracy must be an array of numbers, got array"),
        ([0.9, {}, 0.9, 0.9, 0.9, 0.9], "accuracy must be an array of numbers"),
        ([10**400] * 6, "accuracy must be an array of numbers"),
        (["much"] * 6, "accuracy must be an array of numbers, got"),
    ],
)
def test_arrays_that_hold_something_else_are_refused(instance, accuracy, message):
    with pytest.raises(ValueError, match=message):
        instance.replace(accuracy=accuracy)


@pytest.mark.parametrize("dtype", [int, np.uint8, np.longdouble, ">f8"])
def test_numbers_of_other_types_are_converted(instance, dtype):
    given = instance.replace(inference_time_s=np.arange(6).astype(dtype)).inference_time_s
    assert type(given) is np.ndarray
    assert given.dtype.isnative
    assert given.dtype == float
    assert given.tolist() == [0, 1, 2, 3, 4, 5]
    power = np.arange(6).astype(dtype)
    decision = Decision(selection=np.ones(6, int), beamformer=np.zeros(4, np.clongdouble), power_w=power)
    assert (decision.selection.dtype, decision.beamformer.dtype, decision.power_w.dtype) == (bool, complex, float)


def test_subclasses_of_arrays_become_arrays(instance):
    class Units(np.ndarray):
        """As libraries for units have them."""

    units = instance.gain_eve.view(Units)
    assert type(instance.replace(gain_eve=units).gain_eve) is np.ndarray
    assert type(Decision(selection=[True], beamformer=[1j], power_w=np.ones(1).view(Units)).power_w) is np.ndarray
    with pytest.raises(ValueError, match="power_w must hold plain numbers, got a masked array"):
        Decision(selection=[True], beamformer=[1j], power_w=np.ma.masked_array([1.0], [True]))


def test_large_arrays_are_refused_before_they_take_memory(tmp_path, instance, monkeypatch):
    path = tmp_path / "i.npz"
    instance.save(path)
    rewrite(path, header=header(path), gain_agents=np.zeros((3000, 3000)))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"gain_agents must have shape \(…, 6, 6\), got \(3000, 3000\)"):
        Instance.load(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    monkeypatch.setattr("secagent_env.support.reading.MAX_ARRAY_BYTES", 100)
    with pytest.raises(ValueError, match=r"at most .* MB are read"):
        instance.save(path)


def test_a_damaged_file_is_one_sentence(tmp_path, instance):
    path = tmp_path / "i.npz"

    def damaged(write, message):
        instance.save(path)
        write()
        with pytest.raises(ValueError, match=message) as error:
            Instance.load(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)

    def whole():
        return path.read_bytes()

    np.save(tmp_path / "a.npy", np.ones(3))
    npy = (tmp_path / "a.npy").read_bytes()
    for kept in (0, 10, 200, 0.5, 0.9, 0.999):
        damaged(
            lambda kept=kept: path.write_bytes(whole()[: kept if kept > 1 else int(kept * len(whole()))]),
            "cannot load an instance",
        )
    damaged(lambda: path.write_bytes(whole()[:100] + b"\0" * 40 + whole()[140:]), "cannot load an instance")
    damaged(lambda: path.write_text("not an archive"), "broken or foreign")
    damaged(lambda: np.savez(path, x=np.ones(3)), "it holds no secagent instance")
    damaged(lambda: path.write_bytes(npy), "broken or foreign")
    damaged(lambda: rewrite(path, header=header(path, format="other")), "it holds no secagent instance")
    damaged(lambda: rewrite(path, header=header(path, version=99)), "format version 99.*upgrade secagent")
    damaged(lambda: rewrite(path, header=header(path), gain_eve=None), "gain_eve is missing")
    damaged(lambda: rewrite(path, gain_eve=np.ones((2, 2))), "gain_eve must have shape")
    damaged(lambda: rewrite(path, header=header(path), accuracy=np.full(6, np.nan)), "accuracy must be finite")
    damaged(lambda: rewrite(path, header=header(path, scenario={"num_agents": 0})), "num_agents must be")
    damaged(lambda: rewrite(path, header=header(path, scenario={"bogus": 0})), "unknown scenario field 'bogus'")
    damaged(lambda: rewrite(path, header=np.array("{")), "cannot load")
    damaged(lambda: rewrite(path, accuracy=np.full(6, 0.9)), "it is damaged: its content is not what its digest says")
    damaged(lambda: rewrite(path, header=header(path, digest="0" * 64)), "it is damaged")
    damaged(lambda: zipfile.ZipFile(path, "w").close(), "it holds no secagent instance")


def test_a_file_with_code_in_it_is_refused(tmp_path, instance):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the file was executed",))

    path = tmp_path / "i.npz"
    instance.save(path)
    rewrite(path, accuracy=np.array([Trap()] * 6, dtype=object))
    with pytest.raises(ValueError, match="broken or foreign"):
        Instance.load(path)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, instance, monkeypatch):
    path = tmp_path / "i.npz"
    instance.save(path)
    before = path.read_bytes()

    def full_disk(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space left"):
        instance.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_missing_files_and_folders_are_oserrors(tmp_path, instance):
    with pytest.raises(FileNotFoundError):
        Instance.load(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError):
        instance.save(tmp_path / "none" / "i.npz")


def test_everything_can_be_pickled(instance):
    decision = Decision(selection=[1, 0, 0, 0, 0, 0], beamformer=np.ones(4), power_w=np.ones(6))
    outcome = evaluate(instance, decision)
    assert same(pickle.loads(pickle.dumps(instance)), instance)
    assert pickle.loads(pickle.dumps(outcome)).energy_j == outcome.energy_j
    assert np.array_equal(pickle.loads(pickle.dumps(decision)).power_w, decision.power_w)


GOOD = {"selection": [True, False], "beamformer": [1j, 2.0], "power_w": [0.1, 0.2]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"power_w": [0.1]}, "one entry per agent, got 2 and 1 entries"),
        ({"power_w": 0.1}, "power_w must have at least one dimension"),
        ({"beamformer": [[1, 2]]}, "same batch dimensions"),
        ({"beamformer": [1, np.nan]}, "beamformer must be finite, got 1 NaN or infinite of 2"),
        ({"power_w": [np.inf, 0.0]}, "power_w must be finite"),
        ({"power_w": [1j, 0.0]}, "power_w must be real"),
        ({"selection": [0, 2]}, "selection must be boolean"),
        ({"selection": [0.0, np.nan]}, "selection must be finite"),
        ({"selection": ["a", "b"]}, "selection must be an array of numbers"),
        ({"power_w": [[0.1], [0.2, 0.3]]}, "rows of different lengths"),
    ],
)
def test_a_bad_decision_is_one_sentence(changes, message):
    with pytest.raises(ValueError, match=message):
        Decision(**{**GOOD, **changes})


def test_a_decision_must_fit_its_instance(instance):
    with pytest.raises(ValueError, match=r"selection must have shape \(…, N=6\), got \(2,\)"):
        evaluate(instance, Decision(**GOOD))
    with pytest.raises(ValueError, match=r"beamformer must have shape \(…, L=4\), got \(5,\)"):
        evaluate(instance, Decision(selection=np.ones(6), beamformer=np.ones(5), power_w=np.ones(6)))
