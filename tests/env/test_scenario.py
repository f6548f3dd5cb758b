"""Scenario: defaults of the paper, presets, files, and one clear sentence for everything out of range."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagent_env import Scenario

BAD = [
    ("num_agents", 0, "integer ≥ 1"),
    ("num_agents", 2.5, "integer ≥ 1"),
    ("num_agents", True, "integer ≥ 1"),
    ("num_antennas", 0, "integer ≥ 1"),
    ("num_eavesdroppers", -1, "integer ≥ 1"),
    ("min_selected", 31, "integer from 1 to 30"),
    ("min_selected", 0, "integer from 1 to 30"),
    ("min_accuracy", 1.01, "number from 0 to 1"),
    ("min_accuracy", math.nan, "number from 0 to 1"),
    ("task_difficulty", 0, "> 0"),
    ("task_difficulty", math.inf, "> 0"),
    ("model_sizes", 1024, "((width, share), …)"),
    ("model_sizes", (), "((width, share), …)"),
    ("model_sizes", (1024, 12), "((width, share), …)"),
    ("model_sizes", ((0, 12),), "> 0"),
    ("model_sizes", ((1024, 0),), "integer ≥ 1"),
    ("model_sizes", ((1024, 1.5),), "integer ≥ 1"),
    ("bs_power_w", -1.0, "> 0"),
    ("max_power_w", 0, "> 0"),
    ("noise_power_w", math.inf, "> 0"),
    ("bandwidth_hz", "5 MHz", "> 0"),
    ("latency_limit_s", math.nan, "> 0"),
    ("knowledge_bits", -1, "≥ 0"),
    ("model_dim", 3000, "(low, high)"),
    ("model_dim", (4096, 2560), "low ≤ high"),
    ("compute_rate", (0, 1e9), "> 0"),
    ("compute_rate", (1e9, math.inf), "> 0"),
    ("tool_tokens", (1.5, 3), "integers"),
    ("compute_power_w", (0, 0), "> 0"),
    ("area_m", (0, 100, 200), "(low, high)"),
    ("area_m", ((0, 100), (50, 0)), "low ≤ high"),
    ("colluding", 1, "True or False"),
]


@pytest.mark.parametrize(("field", "value", "needs"), BAD)
def test_a_bad_field_is_named_with_what_it_got_and_what_it_needs(field, value, needs):
    with pytest.raises(ValueError, match=field) as error:
        Scenario(**{field: value})
    sentence = str(error.value)
    assert needs in sentence
    assert "\n" not in sentence
    if not isinstance(value, tuple):
        assert repr(value) in sentence


def test_the_default_is_the_typical_case_of_the_paper():
    scenario = Scenario()
    assert (scenario.num_agents, scenario.num_antennas, scenario.required_agents) == (30, 20, 10)
    assert scenario.noise_power_w == pytest.approx(10 ** (-107 / 10) / 1000)
    assert scenario.uplink_bits == 4096 * 16
    assert scenario.downlink_bits == 2048 * 16 + 10e6
    assert scenario == Scenario.preset("paper")


@pytest.mark.parametrize(("agents", "required"), [(1, 1), (2, 1), (3, 1), (30, 10), (50, 16)])
def test_a_third_of_the_agents_is_required_unless_said_otherwise(agents, required):
    assert Scenario(num_agents=agents).required_agents == required
    assert Scenario(num_agents=agents).replace(min_selected=1).required_agents == 1


@pytest.mark.parametrize(
    ("agents", "counts"),
    [
        (30, (12, 12, 6)),
        (10, (4, 4, 2)),
        (7, (3, 3, 1)),  # 2.8, 2.8, 1.4
        (6, (3, 2, 1)),  # 2.4, 2.4, 1.2: of equal remainders the first
        (1, (1, 0, 0)),
    ],
)
def test_groups_of_models_share_the_agents_by_largest_remainders(agents, counts):
    dims = Scenario.preset("qwen", num_agents=agents).model_dims
    assert dims == (1024,) * counts[0] + (2048,) * counts[1] + (2560,) * counts[2]


@given(st.integers(1, 300), st.lists(st.tuples(st.floats(1, 1e4), st.integers(1, 50)), min_size=1, max_size=6))
def test_everybody_has_a_model_and_no_group_is_off_by_an_agent(agents, groups):
    scenario = Scenario(num_agents=agents, model_sizes=tuple(groups))
    dims, total = scenario.model_dims, sum(share for _, share in groups)
    assert len(dims) == agents
    for width in {width for width, _ in groups}:
        fair = [agents * share / total for other, share in groups if other == width]
        assert abs(dims.count(width) - sum(fair)) < len(fair)


def test_groups_of_models_survive_json_and_toml(tmp_path):
    scenario = Scenario.preset("qwen", task_difficulty=2)
    assert Scenario(**json.loads(json.dumps(scenario.to_dict()))) == scenario
    assert hash(scenario) == hash(Scenario.preset("qwen", task_difficulty=2.0))
    path = tmp_path / "s.toml"
    path.write_text("model_sizes = [[1024, 12], [2048, 12], [2560, 6]]\nmin_accuracy = 0.6\n", encoding="utf-8")
    assert Scenario.from_toml(path) == Scenario.preset("qwen")
    assert Scenario.preset("qwen").replace(model_sizes=None, min_accuracy=0.7) == Scenario()
    assert Scenario().model_dims is None


def test_a_preset_takes_overrides_and_follows_the_number_of_agents():
    assert Scenario.preset("paper", num_agents=50).required_agents == 16
    assert Scenario.preset("paper").replace(num_agents=50) == Scenario(num_agents=50)


def test_unknown_names_list_the_valid_ones_nearest_first():
    with pytest.raises(ValueError, match="unknown preset 'papr'; did you mean 'paper'"):
        Scenario.preset("papr")
    with pytest.raises(ValueError, match="unknown scenario field 'num_agent'; did you mean 'num_agents'"):
        Scenario.preset("paper", num_agent=3)
    with pytest.raises(ValueError, match="unknown scenario field 'name'; valid are: activation_ops"):
        Scenario.preset("paper", name="mine")
    with pytest.raises(ValueError, match="unknown scenario field 'zzz'; valid are: activation_ops"):
        Scenario().replace(zzz=3)


def test_a_scenario_is_a_value():
    assert hash(Scenario(num_agents=4)) == hash(Scenario(num_agents=4))
    assert Scenario(**Scenario(area_m=(0, 50), eve_area_m=((1, 2), (3, 4))).to_dict()) == Scenario(
        area_m=((0, 50), (0, 50)), eve_area_m=((1, 2), (3, 4))
    )
    with pytest.raises(AttributeError):
        Scenario().num_agents = 3


def test_coerce_takes_a_name_a_dict_a_scenario_or_nothing():
    assert Scenario.coerce(None) == Scenario.coerce("paper") == Scenario()
    assert Scenario.coerce({"preset": "small", "num_antennas": 2}) == Scenario.preset("small", num_antennas=2)
    assert Scenario.coerce({"num_agents": 7}) == Scenario(num_agents=7)
    with pytest.raises(ValueError, match=r"scenario must be a Scenario, .* got int"):
        Scenario.coerce(3)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_scenario_is_read_from_toml(tmp_path, encoding):
    path = tmp_path / "s.toml"
    text = 'preset = "small"\nknowledge_bits = 1e9\nmodel_dim = [1024, 2560]\n'
    path.write_text(text, encoding=encoding)
    assert Scenario.from_toml(path) == Scenario.preset("small", knowledge_bits=1e9, model_dim=(1024, 2560))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"num_agents = \n", "not a valid TOML file"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"num_agents = nan\n", "num_agents must be an integer"),
        (b"agents = 3\n", "did you mean 'num_agents'"),
        (b"preset = 3\n", "unknown preset 3"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, message):
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        Scenario.from_toml(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        Scenario.from_toml(tmp_path / "none.toml")
