"""Arrays as Sionna, DeepMIMO and MATLAB have them: the axes, the sign, what is chosen and what is averaged."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from secagent_env import Instance, Scenario
from secagent_env.channels import (
    drawn_groups,
    example_campus,
    from_array,
    from_deepmimo,
    from_sionna,
    path_sum,
    power_gain,
    sionna_gain,
)

RX, RX_ANT, TX, TX_ANT, PATHS, TIMES, CARRIERS = 6, 2, 3, 4, 5, 7, 8


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def received(h: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return |hᴴ w|² as secagent counts it."""
    return np.abs(h.conj() @ w) ** 2


def test_an_axis_that_is_not_there_has_one_index():
    h = noise(RX, TX_ANT)
    np.testing.assert_array_equal(from_array(h, "nl", convention="hHw", rx_antenna=0), h)
    for name in ("tx", "rx_antenna", "time", "subcarrier"):
        with pytest.raises(ValueError, match=f"{name} is 1, but there is only one"):
            from_array(h, "nl", convention="hHw", **{name: 1})


# --- Sionna --------------------------------------------------------------------------------------------------


def test_nested_lists_are_arrays_unless_they_are_pairs():
    h = noise(3, 1, 1, TX_ANT, 1, 1)
    np.testing.assert_array_equal(from_sionna(h.tolist(), subcarrier=0), from_sionna(h, subcarrier=0))
    np.testing.assert_array_equal(from_sionna((h.real, h.imag), subcarrier=0), from_sionna(h, subcarrier=0))


def test_gains_of_sionna_need_the_axes_of_a_response():
    with pytest.raises(ValueError, match="a frequency response must have the axes num_rx, num_rx_ant"):
        sionna_gain(noise(RX, TX, TX_ANT))


@pytest.mark.parametrize("batch", [(), (2,)])
def test_a_frequency_response_of_sionna(batch):
    h = noise(*batch, RX, RX_ANT, TX, TX_ANT, TIMES, CARRIERS)
    channel = from_sionna(h, tx=1, rx_antenna=0, time=2, subcarrier=3)
    assert channel.shape == (*batch, RX, TX_ANT)
    w = noise(TX_ANT, seed=1)
    y = h[..., :, 0, 1, :, 2, 3] @ w  # Sionna's y = H w
    np.testing.assert_allclose(received(channel, w), np.abs(y) ** 2)


@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("per_antenna", [False, True])
def test_path_coefficients_of_sionna_are_summed_with_their_delays(batch, per_antenna):
    a = noise(*batch, RX, RX_ANT, TX, TX_ANT, PATHS, TIMES)
    rng = np.random.default_rng(2)
    tau = rng.uniform(0, 1e-6, (*batch, RX, RX_ANT, TX, TX_ANT, PATHS) if per_antenna else (*batch, RX, TX, PATHS))
    channel = from_sionna(a, tau, frequency_hz=3e6, tx=2, rx_antenna=1, time=4)
    w = noise(TX_ANT, seed=1)
    expected = np.zeros((*batch, RX))
    for index in np.ndindex(*batch, RX):
        *b, rx = index
        y = 0
        for ant in range(TX_ANT):
            for path in range(PATHS):
                delay = tau[(*b, rx, 1, 2, ant, path)] if per_antenna else tau[(*b, rx, 2, path)]
                y += a[(*b, rx, 1, 2, ant, path, 4)] * np.exp(-2j * np.pi * 3e6 * delay) * w[ant]
        expected[index] = abs(y) ** 2
    np.testing.assert_allclose(received(channel, w), expected)


def test_a_pair_of_real_and_imaginary_part_is_taken_too():
    h = noise(RX, 1, 1, TX_ANT, 1, 1)
    np.testing.assert_array_equal(from_sionna((h.real, h.imag)), from_sionna(h))


def test_gains_between_devices_are_averages_of_powers():
    h = noise(RX, RX_ANT, TX, 1, TIMES, CARRIERS)
    gain = sionna_gain(h)
    assert gain.shape == (TX, RX)  # rows send
    assert gain[2, 4] == pytest.approx(np.mean(np.abs(h[4, :, 2]) ** 2))
    a, tau = noise(RX, 1, TX, 1, PATHS, 1), np.random.default_rng(0).uniform(0, 1e-6, (RX, TX, PATHS))
    wide = sionna_gain(a, tau, frequency_hz=[0.0, 1e6])
    both = [np.abs(path_sum(a[4, 0, 2, 0, :, 0], tau[4, 2], f)) ** 2 for f in (0.0, 1e6)]
    assert wide[2, 4] == pytest.approx(np.mean(both))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"h": noise(RX, RX_ANT, TX, TX_ANT, TIMES)}, "must have the axes num_rx, num_rx_ant.*got the shape"),
        ({"h": noise(RX, RX_ANT, 1, TX_ANT, 1, 1)}, "rx_antenna must be given: there are 2 receive antennas"),
        ({"h": noise(RX, 1, TX, TX_ANT, 1, 1)}, "tx must be given: there are 3 transmitters"),
        ({"h": noise(RX, 1, 1, TX_ANT, TIMES, 1)}, "time must be given: there are 7"),
        ({"h": noise(RX, 1, 1, TX_ANT, 1, CARRIERS)}, "subcarrier must be given: there are 8"),
        ({"h": noise(RX, 1, 1, TX_ANT, 1, CARRIERS), "subcarrier": "mean"}, "mean over complex gains cancels"),
        ({"h": noise(RX, 1, 1, TX_ANT, 1, CARRIERS), "subcarrier": 8}, "subcarrier must be an integer from -8 to 7"),
        ({"h": noise(RX, 1, 1, TX_ANT, 1, 1).real}, "must be complex"),
        ({"h": noise(RX, 1, 1, TX_ANT, 1, 1), "frequency_hz": 0.0}, "frequency_hz needs the delays"),
        ({"h": noise(RX, 1, 1, TX_ANT, PATHS, 1), "tau": np.ones((RX, 1, PATHS))}, "need frequency_hz"),
        (
            {"h": noise(RX, 1, 1, TX_ANT, PATHS, 1), "tau": np.ones((RX, PATHS)), "frequency_hz": 0.0},
            "tau must be real",
        ),
        (
            {"h": noise(RX, 1, 1, TX_ANT, PATHS, 1), "tau": np.ones((RX, 1, 4)), "frequency_hz": 0.0},
            "tau has the shape",
        ),
    ],
)
def test_what_does_not_fit_sionna_is_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_sionna(**arguments)


def test_tensors_of_sionna_as_its_channel_models_return_them():
    """Shapes and types of UMi(…)(num_time_samples=2, …) and cir_to_ofdm_channel of Sionna 2.2, for 3 drops of 13."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    a = torch.as_tensor(1e-5 * noise(3, 13, 1, 1, 8, 23, 2)).to(torch.complex64).requires_grad_(True)
    tau = torch.as_tensor(rng.uniform(0, 1e-6, (3, 13, 1, 23))).to(torch.float32)
    frequencies = torch.arange(-32, 32) * 15e3
    phases = torch.exp(-2j * np.pi * frequencies * tau[:, :, None, :, None, :, None, None])
    h = (a[..., None] * phases).sum(dim=-3)
    assert h.shape == (3, 13, 1, 1, 8, 2, 64)
    channel = from_sionna(a, tau, frequency_hz=float(frequencies[10]), time=1)
    np.testing.assert_allclose(channel, from_sionna(h, subcarrier=10, time=1), rtol=1e-4, atol=1e-9)
    w = noise(8, seed=1)
    y = h.detach().numpy()[:, :, 0, 0, :, 1, 10] @ w
    np.testing.assert_allclose(received(channel, w), np.abs(y) ** 2, rtol=1e-4)
    place = torch.as_tensor(rng.uniform(20, 100, (3, 13, 2)), dtype=torch.float32)
    scenario = Scenario(num_agents=12, num_antennas=8)
    tensor = torch.as_tensor(channel).requires_grad_(True)
    instance = Instance.from_channels(
        tensor[:, :12], tensor[:, 12:], scenario, position_m=place[:, :12], eve_position_m=place[:, 12:]
    )
    assert (instance.batch_shape, type(instance.channel_bs)) == ((3,), np.ndarray)
    np.testing.assert_array_equal(sionna_gain(h), np.mean(np.abs(h.detach().numpy()) ** 2, (2, 4, 5, 6)).swapaxes(1, 2))


def test_coefficients_and_delays_are_no_pair_of_real_and_imaginary_part():
    a, tau = noise(RX, 1, 1, TX_ANT, PATHS, 1), np.ones((RX, 1, PATHS))
    for pair in ((a, tau), (a.real, tau), (a, a)):
        with pytest.raises(ValueError, match=r"give coefficients and delays as two arguments, a and tau"):
            from_sionna(pair, subcarrier=0)


# --- DeepMIMO ------------------------------------------------------------------------------------------------


class DataSet:
    """The attributes of a data set of DeepMIMO's version 4."""

    def __init__(self, users: int = 10, subcarriers: int = 4, times: int = 0) -> None:
        shape = (users, 1, TX_ANT, subcarriers, times)
        self.channel = (1e-5 * noise(*shape[: 5 if times else 4]) / np.sqrt(64)).astype(np.complex64)
        rng = np.random.default_rng(0)
        self.rx_pos, self.tx_pos = rng.uniform(0, 100, (users, 3)), np.array([10.0, 20.0, 6.0])


def test_users_of_deepmimo():
    data = DataSet()
    agents, eves = np.array([[1, 3, 5], [0, 1, 2]]), np.array([[7], [8]])
    given = from_deepmimo(data, agents, eves, subcarrier=2, total_subcarriers=64)
    w = noise(TX_ANT, seed=1)
    y = np.sqrt(64) * data.channel[agents, 0, :, 2] @ w
    np.testing.assert_allclose(received(given["channel_bs"], w), np.abs(y) ** 2, rtol=1e-5)
    np.testing.assert_allclose(given["position_m"][1, 2], data.rx_pos[2, :2] - [10, 20])
    np.testing.assert_allclose(given["eve_position_m"][0, 0], data.rx_pos[7, :2] - [10, 20])
    scenario = Scenario(num_agents=3, num_antennas=TX_ANT, min_selected=1)
    instance = Instance.from_channels(**given, scenario=scenario)
    assert instance.batch_shape == (2,)
    assert instance.origin["gain_eve"] == "derived"


def test_deepmimo_of_earlier_versions_and_over_time():
    data = DataSet()
    old = {
        "user": {"channel": data.channel, "location": data.rx_pos},
        "location": data.tx_pos,
    }
    chosen = {"subcarrier": 0, "total_subcarriers": 64}
    new = from_deepmimo(data, [0, 1], [2], **chosen)
    for name, array in from_deepmimo(old, [0, 1], [2], **chosen).items():
        np.testing.assert_array_equal(array, new[name])
    moving = DataSet(times=3)
    chosen |= {"time": 1}
    assert from_deepmimo(moving, [0, 1], [2], **chosen)["channel_bs"].shape == (2, TX_ANT)


class Wrapped(np.ndarray):
    """As the arrays of version 4."""


class Lazy(Mapping):
    """A data set of version 4: a mapping with attributes, both of which raise KeyError for what is not computed."""

    def __init__(self, **items: Any) -> None:
        self.__dict__["_items"] = items

    def __getitem__(self, key: str) -> Any:
        value = self.__dict__["_items"][key]
        return value.view(Wrapped) if key == "channel" else value

    __getattr__ = __getitem__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__["_items"])

    def __len__(self) -> int:
        return len(self.__dict__["_items"])


class Macro:
    """Version 4's data set of several base stations: of one, its attributes; of several, lists of them."""

    def __init__(self, *datasets: Lazy) -> None:
        self.datasets = list(datasets)

    def __getattr__(self, name: str) -> Any:
        found = [dataset[name] for dataset in self.datasets]
        return found[0] if len(found) == 1 else found


def lazy(**changes: Any) -> Lazy:
    data = DataSet()
    settings = Lazy(freq_domain=1, ofdm=Lazy(subcarriers=64, selected_subcarriers=np.arange(4), bandwidth=20e6))
    return Lazy(
        **{
            "channel": data.channel,
            "rx_pos": data.rx_pos,
            "tx_pos": data.tx_pos[None],
            "ch_params": settings,
            **changes,
        }
    )


def test_data_sets_of_deepmimo_as_it_returns_them():
    """As DeepMIMO 4.0.5 has them, and 3.2.9: a list with a dict per base station."""
    chosen = {"agents": [0, 1], "eavesdroppers": [2], "subcarrier": 2, "total_subcarriers": 64}
    plain = from_deepmimo(DataSet(), **chosen)
    data = lazy()
    third = {
        "user": {"paths": [], "LoS": np.ones(10), "location": data["rx_pos"], "channel": np.asarray(data.channel)},
        "basestation": {},
        "location": data["tx_pos"][0],
    }
    for dataset in (data, Macro(data), [data], third, [third]):
        given = from_deepmimo(dataset, **chosen)
        for name, array in plain.items():
            np.testing.assert_array_equal(given[name], array)
            assert type(given[name]) is np.ndarray
    for several in (Macro(data, data), [third, third]):
        with pytest.raises(ValueError, match=r"is of 2 base stations or moments: give one, as dataset\[0\]"):
            from_deepmimo(several, **chosen)
    with pytest.raises(ValueError, match="channel is in the time domain"):
        from_deepmimo(lazy(ch_params=Lazy(freq_domain=0)), **chosen)
    with pytest.raises(ValueError, match="total_subcarriers must be 64, as the data set was computed with, got 512"):
        from_deepmimo(data, **{**chosen, "total_subcarriers": 512})
    with pytest.raises(ValueError, match="has no channel: compute it first"):
        from_deepmimo(Lazy(rx_pos=data["rx_pos"], tx_pos=data["tx_pos"]), **chosen)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"agents": [0, 10]}, "agents must be indices of the 10 users"),
        ({"agents": [0.5]}, "agents must be indices of users"),
        ({"subcarrier": None}, "subcarrier must be given"),
        ({"total_subcarriers": 0}, "total_subcarriers must be an integer ≥ 1"),
        ({"dataset": {}}, "has no channel"),
        ({"dataset": {"channel": noise(3, 4)}}, "channel must have the axes users"),
    ],
)
def test_what_does_not_fit_deepmimo_is_refused(arguments, sentence):
    given = {"dataset": DataSet(), "agents": [0, 1], "eavesdroppers": [2], "total_subcarriers": 64, "subcarrier": 0}
    with pytest.raises(ValueError, match=sentence):
        from_deepmimo(**{**given, **arguments})


def test_agents_without_a_path_are_refused():
    data = DataSet()
    data.channel[3] = 0
    with pytest.raises(ValueError, match="1 agents have no path to the base station, such as user 3"):
        from_deepmimo(data, [2, 3], [4], total_subcarriers=64, subcarrier=0)
    assert not from_deepmimo(data, [2], [3], total_subcarriers=64, subcarrier=0)["channel_eve"].any()


# --- Any axes ------------------------------------------------------------------------------------------------


def test_axes_of_any_order_give_the_same_channels():
    h = noise(2, 5, RX, TX_ANT)
    expected = from_array(h, "bbnl", convention="hHw")
    np.testing.assert_array_equal(expected, h)
    np.testing.assert_array_equal(from_array(h.transpose(3, 0, 2, 1), "lbnb", convention="hHw"), h)
    np.testing.assert_array_equal(from_array(h, "bbnl", convention="Hw"), h.conj())
    np.testing.assert_array_equal(from_array(h[..., 0], "bbn", convention="hHw"), h[..., :1])


def test_the_scale_raises_the_power():
    h = noise(RX, TX_ANT)
    scaled = from_array(h, "nl", convention="hHw", scale_db=-30)
    np.testing.assert_allclose(np.abs(scaled) ** 2, 1e-3 * np.abs(h) ** 2)
    np.testing.assert_allclose(power_gain(h, "xn", scale_db=-30), 1e-3 * np.abs(h) ** 2)


def test_amplitudes_powers_and_decibels_are_the_same_gains():
    h = noise(RX, RX)
    power = np.abs(h) ** 2
    np.testing.assert_allclose(power_gain(h, "xn"), power)
    np.testing.assert_allclose(power_gain(power, "xn", quantity="power"), power)
    for quantity in ("power", "amplitude"):
        np.testing.assert_allclose(power_gain(10 * np.log10(power), "xn", quantity=quantity, unit="dB"), power)
    np.testing.assert_allclose(power_gain(np.stack([h, 3 * h], -1), "xnf"), 5 * power)
    with pytest.raises(ValueError, match="values must be real where they are power gains"):
        power_gain(noise(3), "n", quantity="power")
    with pytest.raises(ValueError, match="negative numbers look like dB"):
        power_gain(-80 * np.ones(3), "n", quantity="amplitude")
    with pytest.raises(ValueError, match="seed must be an integer ≥ 0, got -1"):
        drawn_groups(5, 1, 1, 2, seed=-1)
    with pytest.raises(ValueError, match="negative numbers look like dB"):
        power_gain(10 * np.log10(power), "xn", quantity="power")
    with pytest.raises(ValueError, match="must be real where they are in dB"):
        power_gain(h, "xn", unit="dB")


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ("nz", "axes must be letters"),
        ("nn", "axes must be letters .* each once"),
        ("lb", r"axes must name the receivers \(n\)"),
        ("nlb", "h must have the 3 axes 'nlb'"),
    ],
)
def test_wrong_axes_are_refused(axes, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_array(noise(2, 3), axes, convention="Hw")
    with pytest.raises(ValueError, match="convention must be one of Hw, hHw"):
        from_array(noise(2, 3), "nl", convention="hw")


def test_paths_add_up_with_the_phase_of_their_delays():
    assert path_sum([1.0, 1.0], [0.0, 0.25e-6], 1e6) == pytest.approx(1 - 1j)
    assert path_sum([1.0, 1.0], [0.0, 0.5e-6], 1e6) == pytest.approx(0)
    assert path_sum([1.0, 1.0], [0.0, 0.5e-6], 0.0) == pytest.approx(2)


def test_groups_are_drawn_without_repetition():
    agents, eves = drawn_groups([3, 5, 7, 9, 11], 3, 2, instances=50, seed=1)
    assert (agents.shape, eves.shape) == ((50, 3), (50, 2))
    assert all(len({*a, *e}) == 5 for a, e in zip(agents.tolist(), eves.tolist(), strict=True))
    again, _ = drawn_groups([3, 5, 7, 9, 11], 3, 2, instances=10, seed=1)
    np.testing.assert_array_equal(again, agents[:10])
    with pytest.raises(ValueError, match="need 6 receivers, got 5"):
        drawn_groups(5, 4, 2, 1)


def test_the_example_has_the_shapes_of_sionna_and_the_path_loss_of_its_places():
    data = example_campus(users=30, antennas=4, times=3)
    assert data["a"].shape == (30, 1, 1, 4, 5, 3)
    assert data["tau"].shape == (30, 1, 5)
    channel = from_sionna(data["a"], data["tau"], frequency_hz=0.0, time=0)
    assert channel.shape == (30, 4)
    distance = np.hypot(*data["position_m"].T)
    free_space = (299_792_458 / 3.5e9 / (4 * np.pi * distance)) ** 2
    line = np.abs(data["a"][:, 0, 0, 0, 0, 0]) ** 2 / free_space
    assert set(np.round(10 * np.log10(line))) == {0.0, -15.0}
    np.testing.assert_array_equal(example_campus(30, 4, 3)["a"], data["a"])
    users = data["a"][:, 0, 0, :, 0].astype(complex)  # (users, antennas, times), the line of sight
    wave = 299_792_458 / 3.5e9
    turned = users[:, 0, 0] / np.exp(-2j * np.pi * distance / wave)
    np.testing.assert_allclose(np.angle(turned), 0, atol=0.01)
    beside = users[:, 1, 0] / users[:, 0, 0] / np.exp(1j * np.pi * data["position_m"][:, 0] / distance)
    np.testing.assert_allclose(np.angle(beside), 0, atol=0.01)


def test_users_of_the_example_walk_at_a_metre_per_second():
    data = example_campus(users=400, antennas=1, times=3)
    line = np.abs(data["a"][:, 0, 0, 0, 0]).astype(float)
    distance = np.hypot(*data["position_m"].T)[:, None] * line[:, :1] / line  # amplitudes fall as 1/d
    step = np.diff(distance, axis=1)
    np.testing.assert_allclose(np.std(step, axis=0), 0.01, rtol=0.15)  # 1 m/s towards or away, in 10 ms
    assert np.abs(np.diff(step, axis=1)).max() < 2e-3
