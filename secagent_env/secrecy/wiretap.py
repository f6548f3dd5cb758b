"""The wire-tap channel of a decision: what receivers hear, which is known, and what eavesdroppers do, which is not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from secagent_env.model.batched import namespace
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.physics import downlink_sinr, uplink_sinr
from secagent_env.sampling.beforehand import EvePrior, eve_prior
from secagent_env.sampling.whereabouts import Whereabouts
from secagent_env.secrecy.sinr import DrawnSINR, EavesdropperSINR, FadingSINR
from secagent_env.support.checks import choice

LINKS = ("downlink", "uplink")


class Wiretap(NamedTuple):
    """One link to protect, or several (…): the receivers' SINRs (…), and the SINR of the eavesdroppers."""

    sinr: np.ndarray
    eavesdropper: EavesdropperSINR


def wiretap(instance: Instance, decision: Decision, link: str = "downlink") -> Wiretap:
    """Return the wire-tap channel of a decision, the eavesdroppers' links being random.

    They are distributed as the instance's prior says, or else as the path loss at the positions and in the discs of
    ``eve_position_error_m`` (:func:`secagent_env.sampling.beforehand.eve_prior`); everything else is as the instance
    says. What is known with an estimate comes from :func:`secagent_env.sampling.estimation.posterior_eavesdroppers`.

    Parameters
    ----------
    instance, decision
        Single ones, NumPy arrays.
    link
        ``"downlink"``: the SINR (3) of the weakest selected agent, (), against (5). ``"uplink"``: the SINRs (9) of all
        agents, (N,), 0 where an agent is not selected, against (10).

    Raises
    ------
    ValueError
        If there is a batch, or nothing is known of the eavesdroppers.
    """
    choice("link", link, LINKS)
    if instance.batch_shape or decision.batch_shape:
        raise ValueError(
            f"wiretap needs a single instance and decision, got batches of {instance.batch_shape} and "
            f"{decision.batch_shape}: take one by its index"
        )
    if namespace(instance.channel_eve) is not np:
        raise ValueError("wiretap needs NumPy arrays; convert instance and decision with .to(numpy) first")
    uplink, selected = link == "uplink", decision.selection
    received = (uplink_sinr if uplink else downlink_sinr)(instance, decision)[0]
    sinr = np.where(selected, received, 0.0)
    if not uplink:
        sinr = np.min(received, where=selected, initial=np.inf) if selected.any() else np.array(0.0)
    links = eve_prior(instance)
    whereabouts = Whereabouts.of(instance, links)
    heard: EavesdropperSINR = DrawnSINR(instance, decision, links, whereabouts, uplink)
    noisy = decision.noise_covariance is not None and not uplink
    if whereabouts is None and not noisy and (fading := _fading(instance, decision, links, uplink)).closed:
        heard = fading
    return Wiretap(sinr, heard)


def _fading(instance: Instance, decision: Decision, links: EvePrior, uplink: bool) -> FadingSINR:
    """Return the SINRs of eavesdroppers with Gaussian links, (E,), or of the uplink (N, E)."""
    power = np.maximum(decision.power_w, 0.0)[:, None]
    agents_w, spread_w = power * np.abs(links.agents_mean) ** 2, power * links.agents_variance
    if uplink:
        signal_w, signal_spread_w = agents_w, spread_w
        another = ~np.eye(len(power), dtype=bool)[..., None]
    else:
        beam = decision.beamformer
        signal_w = np.abs(links.bs_mean.conj() @ beam) ** 2
        signal_spread_w = np.maximum(np.real(np.einsum("l,elm,m->e", beam.conj(), links.bs_covariance, beam)), 0.0)
        another = ~decision.selection[:, None]
    return FadingSINR(
        signal_w=signal_w,
        signal_spread_w=signal_spread_w,
        noise_w=instance.scenario.noise_power_w,
        others_w=np.where(another, agents_w, 0.0),
        others_spread_w=np.where(another, spread_w, 0.0),
        colluding=instance.scenario.colluding,
    )
