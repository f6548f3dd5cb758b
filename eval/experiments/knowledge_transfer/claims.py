"""Which of the claims that GenAINet draws from its Table 1 hold here: sentences made of the numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from eval.experiments.knowledge_transfer.cells import (
    ADAPTIVE,
    ALL,
    ANSWERS_CHOSEN,
    ASKED_CHOSEN,
    CHOSEN,
    PRINTED_RATIO,
    RANDOM,
    WITH_ANSWERS,
    WITHOUT,
    Condition,
)
from eval.experiments.knowledge_transfer.printed import OVERALL, TABLE_1
from eval.experiments.knowledge_transfer.results import Transfer
from eval.stats.formatting import percent, points
from eval.stats.statistics import Interval

LEXICON = "Lexicon"
OUTCOMES = {1: "holds", 0: "cannot be told", -1: "does not hold"}
"""By the verdict on a difference."""
NEARLY_FREE = 0.056
"""The printed loss by compression; losing no more counts as nearly free."""


def claims(transfer: Transfer) -> list[str]:
    """Return a sentence or two on each claim: whether it holds, and the numbers that say so."""
    makers: list[Callable[[Transfer], str]] = [_helps, _free, _still_helps, _chosen, _lexicon, _ranking, _adaptive]
    return [*(maker(transfer) for maker in makers), _leak(transfer)]


def verdict(difference: Interval) -> int:
    """Return 1 if a difference is above zero, −1 if it is below, and 0 if its interval does not tell."""
    if np.isnan(difference.low):
        return 0
    return int(difference.low > 0) - int(difference.high < 0)


def _helps(transfer: Transfer) -> str:
    gain = transfer.difference(ALL, WITHOUT)
    outcome = OUTCOMES[verdict(gain)]
    weakly = ", but weakly" if outcome == "holds" and gain.mean < 0.1 else ""
    paper = TABLE_1[OVERALL].full - TABLE_1[OVERALL].none
    return f"**Knowledge helps: {outcome}{weakly}.** {points(gain)} (printed {100 * paper:+.1f})."


def _free(transfer: Transfer) -> str:
    loss = transfer.difference(CHOSEN, ALL)
    if loss.low >= -NEARLY_FREE:
        outcome = "holds: at most as much is lost as is printed"
    else:
        outcome = "cannot be told" if loss.mean >= -NEARLY_FREE else "does not hold"
    gain = transfer.difference(ALL, WITHOUT)
    kept, printed = transfer.difference(CHOSEN, WITHOUT).mean / gain.mean if gain.mean else np.nan, TABLE_1[OVERALL]
    paper = (printed.compressed - printed.none) / (printed.full - printed.none)
    share = (
        f" Of what all knowledge adds, {kept:.0%} is left (printed {paper:.0%})."
        if verdict(gain) == 1
        else " That says little where all knowledge does not visibly help either."
    )
    return (
        f"**Compression to {PRINTED_RATIO:.2%} of the bits is nearly free: {outcome}.** {points(loss)} "
        f"(printed {-100 * NEARLY_FREE:+.1f}).{share}"
    )


def _still_helps(transfer: Transfer) -> str:
    gain = transfer.difference(CHOSEN, WITHOUT)
    outcome, printed = OUTCOMES[verdict(gain)], TABLE_1[OVERALL]
    paper = 100 * (printed.compressed - printed.none)
    return f"**Compressed knowledge is better than none: {outcome}.** {points(gain)} (printed {paper:+.1f})."


def _chosen(transfer: Transfer) -> str:
    gain = transfer.difference(CHOSEN, Condition(RANDOM, PRINTED_RATIO))
    outcome = {1: "is better", 0: "cannot be told from", -1: "is worse"}[verdict(gain)]
    than = f"{outcome}{'' if outcome.endswith('from') else ' than'} the same bits at random"
    return f"**What is chosen by meaning {than}.** {points(gain)} (the paper has no such row)."


def _lexicon(transfer: Transfer) -> str:
    if LEXICON not in transfer.names:
        return "**Lexicon is least sensitive to compression:** there is no such category here."
    own = transfer.own(LEXICON)
    loss, others = (transfer.right[CHOSEN][some].astype(float) - transfer.right[ALL][some] for some in (own, ~own))
    gap = _welch(loss, others)
    return (
        f"**Lexicon is less sensitive to compression than the rest: {OUTCOMES[verdict(gap)]}.** It changes by "
        f"{points(transfer.difference(CHOSEN, ALL, LEXICON))} on {own.sum()} questions, which is {points(gap)} beside "
        "the rest. The printed +4.0 is one question of 25; and the text speaks of a drop of 8 % there."
    )


def _welch(first: np.ndarray, second: np.ndarray) -> Interval:
    """Return the difference of the means of two samples of different questions, with Welch's interval."""
    gap = float(first.mean() - second.mean())
    if min(first.size, second.size) < 2 or np.ptp(first) == np.ptp(second) == 0:
        return Interval(gap, np.nan, np.nan, first.size + second.size)
    bounds = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    return Interval(gap, float(bounds.low), float(bounds.high), first.size + second.size)


def _ranking(transfer: Transfer) -> str:
    names = [name for name in transfer.names if name in TABLE_1]
    if len(names) < 3:
        return "**Which categories are easy:** there are too few of the paper's categories here."
    ours = [transfer.accuracy(ALL, name).mean for name in names]
    paper = [TABLE_1[name].full for name in names]
    order = ", ".join(names[i] for i in np.argsort(-np.array(ours), kind="stable"))
    hardest = names[int(np.argmin(ours))]
    same = "the same" if hardest == names[int(np.argmin(paper))] else "another one"
    correlation = float(stats.spearmanr(ours, paper).statistic) if np.ptp(ours) else float("nan")
    return (
        f"**Which categories are easy:** with all knowledge, from the easiest, {order}; Spearman's correlation with "
        f"the printed order is {correlation:.2f}, and the hardest is {same}."
    )


def _adaptive(transfer: Transfer) -> str:
    gain = transfer.difference(Condition(ADAPTIVE, PRINTED_RATIO), CHOSEN)
    outcome = OUTCOMES[verdict(gain)]
    sent = transfer.sent[Condition(ADAPTIVE, PRINTED_RATIO)]
    return (
        f"**A ratio for each category is better than one for all (an outlook of the paper): {outcome}.** {points(gain)}"
        f", at {sent.bits / sent.whole_bits:.1%} of the bits."
    )


def _leak(transfer: Transfer) -> str:
    leak, chosen = transfer.accuracy(WITH_ANSWERS), transfer.accuracy(ANSWERS_CHOSEN)
    loss, asked = (transfer.difference(other, WITH_ANSWERS) for other in (ANSWERS_CHOSEN, ASKED_CHOSEN))
    gain, more = (transfer.difference(WITH_ANSWERS, other) for other in (WITHOUT, ALL))
    limit = (
        " So what other questions' explanations do not say limits the rows above, more than the reader does."
        if more.low > max(transfer.difference(ALL, WITHOUT).mean, 0)
        else ""
    )
    free = (
        " Where knowledge matters, leaving some out by what other questions ask is not free."
        if loss.high < -NEARLY_FREE
        else ""
    )
    return (
        "**Where the answers are among the knowledge** (a leak here; in the paper, the sources of the questions are in "
        f"the cloud), the same reader is right on {percent(leak)}, {points(gain)} beside no knowledge, and on "
        f"{percent(chosen)} when that is compressed by other questions: {points(loss)}. Compressed by the very "
        f"questions it is right on {percent(transfer.accuracy(ASKED_CHOSEN))}: {points(asked)}.{limit}{free}"
    )
