"""Radio scenes: what a base station receives while its link is disturbed, and sentences that say it."""

from secagent_env.radio_scenes.conditions import CONDITIONS, SEEN_SETS, SETS, UNSEEN_SETS, Conditions, condition_set
from secagent_env.radio_scenes.countermeasures import COUNTERMEASURES, rates
from secagent_env.radio_scenes.descriptions import describe
from secagent_env.radio_scenes.scenes import Scenes, sample_scenes
from secagent_env.radio_scenes.settings import CHANNELS, SEEN_CHANNELS, UNSEEN_CHANNELS

__all__ = [
    "CHANNELS",
    "CONDITIONS",
    "COUNTERMEASURES",
    "SEEN_CHANNELS",
    "SEEN_SETS",
    "SETS",
    "UNSEEN_CHANNELS",
    "UNSEEN_SETS",
    "Conditions",
    "Scenes",
    "condition_set",
    "describe",
    "rates",
    "sample_scenes",
]
