"""Secrecy where the eavesdroppers' links are random: how likely a rate is missed, and the rate in the mean.

    wiretap(instance, decision, "downlink") → Wiretap → secrecy_outage, ergodic_secrecy_rate → Estimate

``power`` has the distribution of a received power, ``sinr`` that of an eavesdropper's SINR.
"""

from secagent_env.secrecy.rates import Estimate, ergodic_secrecy_rate, secrecy_outage
from secagent_env.secrecy.sinr import FadingSINR
from secagent_env.secrecy.wiretap import Wiretap, wiretap

__all__ = ["Estimate", "FadingSINR", "Wiretap", "ergodic_secrecy_rate", "secrecy_outage", "wiretap"]
