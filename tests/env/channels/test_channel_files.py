"""Files of arrays: .npz, .npy, .mat of both versions, HDF5. The same array is the same, and damage is a sentence."""

import pickle

import numpy as np
import pytest
import scipy.io

from secagent_env import Instance, Scenario
from secagent_env.channels import read_array, read_arrays
from secagent_env.channels.importing import Recipe, imported

h5py = pytest.importorskip("h5py")

SCENARIO = Scenario(num_agents=3, num_antennas=4, min_selected=1)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 1e-5 * (rng.normal(size=shape) + 1j * rng.normal(size=shape))


def save_matlab_7_3(path, **arrays: np.ndarray) -> None:
    """Write a file as MATLAB's version 7.3 does: HDF5 behind a block of text, reversed axes, pairs of numbers."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            turned = np.ascontiguousarray(np.atleast_2d(array).T)
            if np.iscomplexobj(turned):
                pairs = np.empty(turned.shape, [("real", "<f8"), ("imag", "<f8")])
                pairs["real"], pairs["imag"] = turned.real, turned.imag
                turned = pairs
            file[name] = turned
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
        file.create_group("#refs#")["a"] = np.arange(3.0)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")


def files(tmp_path, **arrays):
    """Return the same arrays in files of all formats."""
    np.savez(tmp_path / "a.npz", **arrays)
    scipy.io.savemat(tmp_path / "v5.mat", arrays)
    scipy.io.savemat(tmp_path / "v5z.mat", arrays, do_compression=True)
    save_matlab_7_3(tmp_path / "v73.mat", **arrays)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, array in arrays.items():
            file[f"group/{name}"] = array
    return [tmp_path / name for name in ("a.npz", "v5.mat", "v5z.mat", "v73.mat")], tmp_path / "a.h5"


def test_the_same_array_is_the_same_from_every_file(tmp_path):
    arrays = {"H": noise(2, 3, 4), "G": noise(2, 1, 4, seed=1), "gain": np.arange(6.0).reshape(2, 3)}
    same, hdf5 = files(tmp_path, **arrays)
    for path in same:
        found = read_arrays(path)
        assert set(found) == set(arrays), path
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array, err_msg=str(path))
            assert found[name].dtype == array.dtype
    np.testing.assert_array_equal(read_array(hdf5, "group/H"), arrays["H"])
    np.save(tmp_path / "H.npy", arrays["H"])
    np.testing.assert_array_equal(read_array(tmp_path / "H.npy"), arrays["H"])


def test_matlab_of_both_versions_gives_equal_instances(tmp_path):
    arrays = {"H": noise(4, 3, 5), "G": noise(4, 1, 5, seed=1), "position_m": 50 * np.ones((3, 2))}
    paths, _ = files(tmp_path, **arrays)
    recipe = Recipe(
        kind="mat",
        names={"channel_bs": "H", "channel_eve": "G"},
        axes={"channel_bs": "lnb", "channel_eve": "lnb"},
        convention="Hw",
        complete="scenario",
    )
    made = [next(imported(path, SCENARIO, recipe)) for path in paths]
    assert made[0].batch_shape == (5,)
    w = noise(4, seed=2)
    np.testing.assert_allclose(np.abs(made[0].channel_bs.conj() @ w), np.abs(np.einsum("lnb,l->bn", arrays["H"], w)))
    for other in made[1:]:
        for name in Instance._arrays:
            if getattr(made[0], name) is not None:
                np.testing.assert_array_equal(getattr(other, name), getattr(made[0], name))


def test_parts_are_the_whole(tmp_path):
    np.savez(tmp_path / "a.npz", channel_bs=noise(7, 2, 3, 4), channel_eve=noise(7, 2, 1, 4, seed=1))
    recipe = Recipe(kind="npz", convention="hHw", complete="scenario", seed=5)
    whole = next(imported(tmp_path / "a.npz", SCENARIO, recipe, part=None))
    parts = list(imported(tmp_path / "a.npz", SCENARIO, recipe, part=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    for name in ("channel_bs", "gain_agents", "gain_eve", "accuracy", "inference_time_s"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_several_variables_are_listed(tmp_path):
    paths, hdf5 = files(tmp_path, H=noise(2, 3), G=noise(2, 2))
    for path in (*paths, hdf5):
        with pytest.raises(
            ValueError, match=r"several arrays, name one of them: (group/)?G \(2, 2\), (group/)?H \(2, 3\)"
        ):
            read_array(path)
        with pytest.raises(ValueError, match=r"unknown array 'h'.*H"):
            read_array(path, "h")


def test_files_are_data_and_never_code(tmp_path):
    np.savez(tmp_path / "a.npz", H=np.array([{"a": 1}], object))
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], object), allow_pickle=True)
    (tmp_path / "p.mat").write_bytes(pickle.dumps({"H": 1}))
    scipy.io.savemat(tmp_path / "cell.mat", {"H": np.array([{"a": 1}], object)})
    for name in ("a.npz", "a.npy", "p.mat", "cell.mat"):
        with pytest.raises(ValueError, match=r"cannot read arrays from|holds no arrays of numbers"):
            read_array(tmp_path / name)


def test_links_out_of_a_file_are_not_followed(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["H"] = np.arange(3.0)
    (tmp_path / "raw").write_bytes(b"\0" * 24)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink(str(secret), "H")
        file.create_dataset("G", (3,), "f8", external=[(str(tmp_path / "raw"), 0, 24)])
    with pytest.raises(ValueError, match="G lies in another file, which is not read"):
        read_arrays(tmp_path / "a.h5")


@pytest.mark.parametrize("name", ["a.npz", "v5.mat", "v5z.mat", "v73.mat", "a.h5"])
def test_damaged_files_are_refused_in_a_sentence(tmp_path, name):
    files(tmp_path, H=noise(20, 30))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 3])
    with pytest.raises(ValueError, match=r"cannot read arrays from|holds no arrays"):
        read_array(tmp_path / name)


def test_arrays_larger_than_memory_are_refused_before_they_are_read(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("H", (1 << 20, 1 << 11), "f8", chunks=(1 << 10, 1 << 11), compression="gzip")
    with pytest.raises(ValueError, match=r"17.2 GB, and at most 8.59 GB are read"):
        read_array(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"convention": None}, "--convention is needed"),
        ({"names": {"channel_bs": "X"}}, r"holds no X to take as channel_bs; it holds: G \(1, 4\), H \(3, 4\)"),
        ({"names": {}}, "holds no channel_bs: name it with --array channel_bs=VARIABLE"),
        ({"axes": {"channel_bs": "ln"}}, "channel_bs must have the shape .* transposed"),
        ({"names": {"channel_bs": "H"}}, "there is no channel_eve"),
        ({"complete": None}, "gain_agents is missing"),
        ({"kind": "sionna", "names": {}, "convention": None}, "holds no h, or a and tau"),
    ],
)
def test_what_a_file_lacks_is_said(tmp_path, change, sentence):
    np.savez(tmp_path / "a.npz", H=noise(3, 4), G=noise(1, 4))
    recipe = {
        "kind": "npz",
        "names": {"channel_bs": "H", "channel_eve": "G"},
        "convention": "Hw",
        "complete": "scenario",
    }
    with pytest.raises(ValueError, match=sentence):
        list(imported(tmp_path / "a.npz", SCENARIO, Recipe(**{**recipe, **change})))


def test_what_a_recipe_cannot_be_is_said():
    with pytest.raises(ValueError, match="kind must be one of sionna"):
        Recipe(kind="matlab")
    with pytest.raises(ValueError, match=r"unknown array 'channel'.*channel_bs"):
        Recipe(kind="mat", names={"channel": "H"})
    with pytest.raises(ValueError, match=r"unknown array with axes 'gain_eve'.*channel_eve, channel_bs"):
        Recipe(kind="mat", axes={"gain_eve": "nx"})
    with pytest.raises(ValueError, match="draw must be an integer ≥ 1, got 0"):
        Recipe(kind="sionna", draw=0)


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("mat", {"draw": 3}),
        ("npz", {"chosen": {"frequency_hz": 0.0}}),
        ("hdf5", {"chosen": {"tx": 0, "total_subcarriers": 64}}),
        ("sionna", {"convention": "Hw"}),
        ("sionna", {"axes": {"channel_bs": "nl"}}),
        ("sionna", {"chosen": {"total_subcarriers": 64}}),
        ("deepmimo", {"gains": "dB"}),
        ("deepmimo", {"chosen": {"tx": 0}}),
        ("deepmimo", {"chosen": {"frequency_hz": 0.0}}),
    ],
)
def test_what_would_have_no_effect_is_refused(kind, option):
    name = list(option.get("chosen", option))[-1].replace("_", "-")
    with pytest.raises(ValueError, match=rf"^--{name} means nothing for arrays of the kind {kind}: leave it out$"):
        Recipe(kind=kind, **option)


def test_gains_of_a_file_need_their_unit(tmp_path):
    given = {"channel_bs": noise(3, 4), "channel_eve": noise(1, 4), "gain_agents": -80 * np.ones((3, 3))}
    np.savez(tmp_path / "a.npz", **given, gain_eve=-90 * np.ones((3, 1)))
    recipe = {"kind": "npz", "convention": "Hw"}
    with pytest.raises(ValueError, match="gains is needed for gain_agents: power, amplitude or dB"):
        list(imported(tmp_path / "a.npz", SCENARIO, Recipe(**recipe)))
    with pytest.raises(ValueError, match="gain_agents: values must be ≥ 0"):
        list(imported(tmp_path / "a.npz", SCENARIO, Recipe(**recipe, gains="power")))
    (made,) = imported(tmp_path / "a.npz", SCENARIO, Recipe(**recipe, gains="dB"))
    np.testing.assert_allclose(made.gain_agents, 1e-8)
    np.testing.assert_allclose(made.gain_eve, 1e-9)
