"""Gymnasium's wrappers around the environments: which work, and what those that do not say; the page lists them."""

import re
import sys
from pathlib import Path
from types import ModuleType

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector

import secagent_env  # noqa: F401 - registers the ids

pytestmark = [pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("UserWarning", "RuntimeWarning")]
"""Of the wrappers themselves, about what they cast."""
PAGE = (Path(__file__).parents[3] / "docs" / "environment.md").read_text(encoding="utf-8")
ONE = {
    "Autoreset": {},
    "ClipAction": {},
    "ClipReward": {"min_reward": -1.0},
    "DelayObservation": {"delay": 1},
    "DiscretizeAction": {"bins": 2, "multidiscrete": True},
    "DtypeObservation": {"dtype": np.float64},
    "FilterObservation": {"filter_keys": ["task"]},
    "FlattenObservation": {},
    "FrameStackObservation": {"stack_size": 2},
    "MaxAndSkipObservation": {"skip": 2},
    "NormalizeObservation": {},
    "NormalizeReward": {},
    "OrderEnforcing": {},
    "PassiveEnvChecker": {},
    "RecordEpisodeStatistics": {},
    "RepeatAction": {"num_repeats": 2},
    "RescaleAction": {"min_action": 0.0, "max_action": 1.0},
    "RescaleObservation": {"min_obs": -1.0, "max_obs": 1.0},
    "ReshapeObservation": {"shape": (1, -1)},
    "StickyAction": {"repeat_action_probability": 0.3},
    "TimeAwareObservation": {},
    "TimeLimit": {"max_episode_steps": 3},
    "TransformAction": {"func": lambda action: action, "action_space": None},
    "TransformObservation": {"func": lambda observation: observation, "observation_space": None},
    "TransformReward": {"func": lambda reward: reward},
}
WITH_PICTURES = {"AddRenderObservation": {}, "RenderCollection": {}, "RecordVideo": {}}
WITHOUT_MEANING = {
    "AtariPreprocessing",
    "ArrayConversion",
    "AddWhiteNoise",
    "GrayscaleObservation",
    "HumanRendering",
    "ObstructView",
    "ResizeObservation",
    "DiscretizeObservation",
}
MANY = {
    "ClipAction": {},
    "ClipReward": {"min_reward": -1.0},
    "DictInfoToList": {},
    "DtypeObservation": {"dtype": np.float64},
    "FilterObservation": {"filter_keys": ["task"]},
    "FlattenObservation": {},
    "NormalizeObservation": {},
    "NormalizeReward": {},
    "RecordEpisodeStatistics": {},
    "RecordVideo": {},
    "RescaleAction": {"min_action": 0.0, "max_action": 1.0},
    "RescaleObservation": {"min_obs": -1.0, "max_obs": 1.0},
    "ReshapeObservation": {},
    "TransformAction": {"func": lambda actions: actions},
    "TransformObservation": {"func": lambda observations: observations},
    "TransformReward": {"func": lambda rewards: rewards},
    "VectorizeTransformAction": {"wrapper": wrappers.ClipAction},
    "VectorizeTransformObservation": {"wrapper": wrappers.FlattenObservation},
    "VectorizeTransformReward": {"wrapper": wrappers.ClipReward, "min_reward": -1.0},
}
REFUSED = {
    AutoresetMode.SAME_STEP: {
        "DtypeObservation",
        "FilterObservation",
        "FlattenObservation",
        "NormalizeObservation",
        "RescaleObservation",
        "ReshapeObservation",
        "TransformObservation",
        "VectorizeTransformObservation",
    },
    AutoresetMode.NEXT_STEP: set(),
    AutoresetMode.DISABLED: {"NormalizeObservation"},
}


@pytest.fixture(autouse=True)
def films(monkeypatch: pytest.MonkeyPatch) -> list[list[np.ndarray]]:
    """The frames of each film; stands for moviepy, which wants an older Pillow than others here."""
    made: list[list[np.ndarray]] = []

    class ImageSequenceClip:
        def __init__(self, frames, fps):
            made.append(list(frames))

        def write_videofile(self, path, **_):
            Path(path).write_bytes(b"")

    parts = ["moviepy", "moviepy.video", "moviepy.video.io", "moviepy.video.io.ImageSequenceClip"]
    for name in parts:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[parts[-1]].ImageSequenceClip = ImageSequenceClip
    return made


def options_of(name: str, given: dict, folder: Path) -> dict:
    return {**given, "video_folder": str(folder)} if name == "RecordVideo" else given


@pytest.mark.parametrize("name", [*ONE, *WITH_PICTURES])
@pytest.mark.parametrize("task", ["Allocation", "Lifetime"])
def test_a_wrapper_around_one_environment(task: str, name: str, tmp_path: Path, films):
    options = options_of(name, {**ONE, **WITH_PICTURES}[name], tmp_path)
    env = gymnasium.make(
        f"secagent/{task}-v0",
        scenario="small",
        action_format="guided",
        observation_format="dict" if name == "FilterObservation" else "compact",
        render_mode="rgb_array" if name in WITH_PICTURES else None,
    )
    if name == "ReshapeObservation":
        options = {"shape": (1, *env.observation_space.shape)}
    if name == "TimeAwareObservation" and task == "Allocation":
        with pytest.raises(ValueError, match="max_episode_steps"):
            wrappers.TimeAwareObservation(env)
        env = wrappers.TimeLimit(env, 1)
    wrapped = getattr(wrappers, name)(env, **options)
    wrapped.reset(seed=0)
    wrapped.action_space.seed(0)
    for _ in range(3):
        observation, reward, terminated, truncated, _ = wrapped.step(wrapped.action_space.sample())
        assert wrapped.observation_space.contains(observation)
        assert np.isfinite(reward)
        if (terminated or truncated) and name != "Autoreset":
            wrapped.reset()
    wrapped.close()
    if name == "RecordVideo":
        first, second = films[0][:2]  # before the decision, and with it
        assert first.shape == second.shape
        assert (first != second).any()


@pytest.mark.parametrize(
    ("task", "name"),
    [*(("Allocation", name) for name in MANY), *(("Lifetime", name) for name in MANY if name != "RecordVideo")],
)  # many lifetimes have no pictures
@pytest.mark.parametrize("mode", AutoresetMode)
def test_a_wrapper_around_many_environments(task: str, mode: AutoresetMode, name: str, tmp_path: Path, films):
    options = options_of(name, MANY[name], tmp_path)
    envs = gymnasium.make_vec(
        f"secagent/{task}-v0",
        3,
        vectorization_mode="vector_entry_point",
        scenario="small",
        action_format="guided",
        observation_format="dict" if name == "FilterObservation" else "compact",
        autoreset_mode=mode,
        **({"render_mode": "rgb_array"} if name == "RecordVideo" else {}),
    )
    wrapper = getattr(vector, name)
    if name == "ReshapeObservation":
        options = {"shape": (1, *envs.single_observation_space.shape)}
    if name in REFUSED[mode]:
        with pytest.raises(ValueError, match=r"to be (NEXT_STEP or DISABLED|AutoresetMode.NEXT_STEP)"):
            wrapper(envs, **options)
        return
    wrapped = wrapper(envs, **options)
    wrapped.reset(seed=0)
    over = np.zeros(3, bool)
    for _ in range(3):
        if mode is AutoresetMode.DISABLED and over.any():
            wrapped.reset(options={"reset_mask": over})
        observations, rewards, terminated, truncated, _ = wrapped.step(wrapped.action_space.sample())
        over = terminated | truncated
        assert wrapped.observation_space.contains(observations)
        assert np.isfinite(rewards).all()
    wrapped.close()
    if name == "RecordVideo":
        # In the mode SAME_STEP a film begins with how the episode before it ended.
        first, second = [film[0] for film in films[:2]] if mode is AutoresetMode.SAME_STEP else films[0][:2]
        assert (first != second).any()
        assert all(np.ptp(part) > 0 for part in np.array_split(second, 3, axis=1))


def test_every_wrapper_is_tried_and_the_page_names_those_that_do_not_work():
    known = {name for name in wrappers.__all__ if name[0].isupper() and "To" not in name}
    assert known == {*ONE, *WITH_PICTURES, *WITHOUT_MEANING}
    arrays = {"JaxToNumpy", "JaxToTorch", "NumpyToTorch"}
    assert {*vector.__all__} - arrays - WITHOUT_MEANING == {*MANY}
    section = re.search(r"^## Wrappers\n(.*?)(?=^## )", PAGE, flags=re.MULTILINE | re.DOTALL)
    for name in {*WITHOUT_MEANING, *set().union(*REFUSED.values())}:
        assert f"`{name}`" in section[1], name
