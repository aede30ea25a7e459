"""The learning rate: so high that training falls apart, or so low that nothing happens."""

from __future__ import annotations

import math

from tellapart.evaluation.diagnosis.commands import Remedies, check_data, is_classic, train_again
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis, loss, percent
from tellapart.evaluation.diagnosis.noise import SIGNIFICANT, difference_error, share_error
from tellapart.training.recipe import CONV_MUON, MUON_LEARNING_RATE
from tellapart.training.transfer_recipe import FINE_TUNING_RATE

KERAS_DEFAULT = 0.001
OTHER_DEFAULTS = {"sgd": 0.01, "lion": 0.0001, CONV_MUON: MUON_LEARNING_RATE}
"""Learning rates of optimizers where none is given; all the others' is KERAS_DEFAULT."""

FAR_OFF = 10.0
"""A learning rate that is so many times the usual one, or a part of it, is a suspect: the usual one
is safe for most networks within a factor of three or so either way."""

WORSE_THAN_GUESSING = 1.1
"""Giving every class the same probability has the loss ln(classes), and training minimises it:
whoever ends a tenth above that, on the very pictures it trains on, has been thrown off course."""

FELL_APART = 0.05
"""The training accuracy must have fallen by so much from its best epoch, and beyond luck."""

HARDLY_LEARNED = 0.5
"""The loss is still above this share of the way from a perfect network's to guessing."""

BLIND = 0.999
"""A loss below this share of the labels' own entropy comes from the pictures, little as it is."""

FLATTENING = 0.5
"""A training that is merely slow keeps its pace: the second half of the epochs gains at least this
share of what the first half did."""

NOTICEABLE = 0.01
"""A loss that changes by less of the way from a perfect network's to guessing stands still."""


def learning_rate_too_high(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Fires on a loss that is no number, or is worse than guessing, and on lost progress.

    Nothing else makes the *training* loss rise for good: it is what the updates make smaller.
    """
    text = _not_a_number(facts) or _exploded(facts) or _fell_apart(facts) or _stuck_high(facts)
    if not text:
        return ()
    rate, usual = _rate(facts), _usual_rate(facts)
    lower = usual if rate > usual else rate / FAR_OFF
    words = f"A smaller learning rate ({_rate(facts):g} was used)"
    remedies: Remedies = ((words, train_again(facts, learning_rate=lower)),)
    if not is_classic(facts) and not facts.recipe["transfer"]:
        words = "If your network scales the pixels itself, hand them over as they are"
        remedies = (*remedies, (words, train_again(facts, rescale=1.0)))
    remedies = (*remedies, *check_data(facts))
    return (Diagnosis("learning rate too high", "warning", facts.of_epochs(text), remedies),)


def learning_rate_too_low(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Fires where little was learned, at an even pace, with an unusually small learning rate."""
    rate, usual = _rate(facts), _usual_rate(facts)
    losses = [row["loss"] for row in facts.history]
    small = rate <= usual / FAR_OFF * (1 + 1e-6)
    if not small or not losses or not all(map(math.isfinite, losses)):
        return ()
    room = facts.chance_loss - facts.lowest_loss
    if (losses[-1] - facts.lowest_loss) / room < HARDLY_LEARNED or _flattened(losses, room):
        return ()
    row = facts.history[-1]
    text = (
        f"After {len(losses)} epochs with a learning rate of {rate:g} the training "
        f"loss is {loss(losses[-1])}, after {loss(losses[0])} in the first epoch (guessing has "
        f"{loss(facts.chance_loss)}), and {percent(row['accuracy'])} of the training pictures are "
        f"right: the updates are too small to get anywhere. Usual is {usual:g}."
    )
    remedies = (("The usual learning rate", train_again(facts, learning_rate=usual)),)
    return (Diagnosis("learning rate too low", "warning", facts.of_epochs(text), remedies),)


def _not_a_number(facts: TrainingFacts) -> str:
    for row in facts.history:
        for key, name in (("loss", "training"), ("val_loss", "validation")):
            if key in row and not math.isfinite(row[key]):
                return (
                    f"The {name} loss became {'infinite' if math.isinf(row[key]) else 'NaN'} in "
                    f"epoch {row['epoch']:.0f}: the updates with a learning rate of "
                    f"{_rate(facts):g} were too large, or the network computes what is not a "
                    "number (a division by 0, pixels that are scaled twice)."
                )
    return ""


def _exploded(facts: TrainingFacts) -> str:
    if not facts.history or (len(facts.history) == 1 and "val_loss" not in facts.history[0]):
        return ""
    row, limit = facts.history[-1], WORSE_THAN_GUESSING * facts.chance_loss
    # An overfitted network's validation loss may well be that high, and so may the mean over a
    # first epoch that began badly. Both at once are neither.
    lower = min(row["loss"], row.get("val_loss", math.inf))
    if lower <= limit:
        return ""
    first = next(r for r in facts.history if r["loss"] > limit)
    return (
        f"The training loss is {loss(row['loss'])} in the last epoch, and was above "
        f"{loss(limit)} first in epoch {first['epoch']:.0f}. Giving all classes the same "
        f"probability has {loss(facts.chance_loss)}: a learning rate of {_rate(facts):g} makes "
        "updates that are too large."
    )


def _fell_apart(facts: TrainingFacts) -> str:
    if len(facts.history) < 2:
        return ""
    last, best = facts.history[-1], max(facts.history, key=lambda row: row["accuracy"])
    count = facts.parts["train"]
    luck = SIGNIFICANT * difference_error(best["accuracy"], count, last["accuracy"], count)
    lost = best["accuracy"] - last["accuracy"]
    if lost <= max(FELL_APART, luck) or last["loss"] <= best["loss"]:
        return ""
    after = next(row for row in facts.history if row["epoch"] > best["epoch"])
    return (
        f"The training accuracy fell from {percent(best['accuracy'])} in epoch "
        f"{best['epoch']:.0f} to {percent(last['accuracy'])} in the last, and the training loss "
        f"rose from {loss(best['loss'])} to {loss(last['loss'])}, from epoch "
        f"{after['epoch']:.0f} on: updates with a learning rate of {_rate(facts):g} destroyed "
        "what was learned."
    )


def _stuck_high(facts: TrainingFacts) -> str:
    """Guessing from the first epoch on, with a learning rate that is far above the usual."""
    if not facts.history or _rate(facts) < FAR_OFF * _usual_rate(facts) * (1 - 1e-6):
        return ""
    row, shares = facts.history[-1], [count / sum(facts.counts) for count in facts.counts]
    always = max(shares)
    if row["accuracy"] > always + SIGNIFICANT * share_error(always, facts.parts["train"]):
        return ""
    # What is left to a network that sees nothing is how frequent each class is.
    if row["loss"] < BLIND * -sum(share * math.log(share) for share in shares if share):
        return ""
    return (
        f"After {len(facts.history)} epochs {percent(row['accuracy'])} of the training pictures "
        f"are right, no more than by always naming one class, and the loss is {loss(row['loss'])}: "
        f"the first updates with a learning rate of {_rate(facts):g} have silenced the network "
        f"for good. Usual is {_usual_rate(facts):g}."
    )


def _flattened(losses: list[float], room: float) -> bool:
    if len(losses) < 3:
        return False
    middle = losses[len(losses) // 2]
    first, second = losses[0] - middle, middle - losses[-1]
    return first > NOTICEABLE * room and second < FLATTENING * first


def _rate(facts: TrainingFacts) -> float:
    given = facts.recipe["learning_rate"]
    return _usual_rate(facts) if given is None else float(given)


def _usual_rate(facts: TrainingFacts) -> float:
    if facts.recipe["transfer"]:
        return FINE_TUNING_RATE
    return OTHER_DEFAULTS.get(str(facts.recipe["optimizer"]).lower(), KERAS_DEFAULT)
