"""The head of a transferred network: a linear classifier on features that stay as they are.

`fit` has `Head` and `fit_head`. `choice` finds the strength of the penalty by cross-validation and
keeps what the folds held out; `folds` says who is held out by which. `problem` is what is solved,
for all folds at once, on the principal axes of `axes`.
"""

from tellapart.models.head.choice import STRENGTHS, HeldOut, Trial
from tellapart.models.head.fit import DEFAULT_STRENGTH, Head, fit_head
from tellapart.models.head.folds import FEWEST, FOLDS

__all__ = [
    "DEFAULT_STRENGTH",
    "FEWEST",
    "FOLDS",
    "STRENGTHS",
    "Head",
    "HeldOut",
    "Trial",
    "fit_head",
]
