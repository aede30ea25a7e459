"""Too good: the test part measures something else than what new pictures will show.

Only evidence counts: copies of test pictures among those that were trained on, and a test part on
which the network does far better than on the validation part. A high accuracy alone is none
(digits reach 99.7%, honestly), and neither is that a simpler method does as well: it shows that the
task is easy.
"""

from __future__ import annotations

from tellapart.evaluation.diagnosis.commands import check_data, train_again
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis, percent, points
from tellapart.evaluation.diagnosis.noise import SIGNIFICANT, difference_error

COPIED_SHARE = 0.1
"""So many copies in a test part make it another one, whatever they do to the accuracy here. Fewer
count only where they raise it beyond the interval of the accuracy without them."""

BETTER = 0.05
"""How far above the validation accuracy is suspicious: both are of pictures the network has not
seen, so that they should agree but for luck; five points leave room for pictures that are a little
easier."""


def too_good(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Fires on copies across parts, and on a test part that is much easier than validation."""
    text = _copies(facts) or _easier(facts)
    if not text:
        return ()
    words = "Put all pictures of one thing into one part, or let the split be made by us, from a "
    words += "folder for each class without parts above; then train again"
    remedies = (*check_data(facts), (words, train_again(facts)))
    return (Diagnosis("too good", "warning", text, remedies),)


def _copies(facts: TrainingFacts) -> str:
    if facts.overlap is None or facts.accuracy is None or not facts.accuracy.count:
        return ""
    copies, count = int(facts.overlap["copies"]), facts.accuracy.count
    rest_only = facts.overlap["accuracy_without"]
    without = rest_only["value"]
    raised = without is None or facts.accuracy.value > rest_only["high"]
    if copies < COPIED_SHARE * count and not raised:
        return ""
    rest = (
        "all of them, so that nothing was measured"
        if without is None
        else f"the accuracy is {percent(facts.accuracy.value)}, and {percent(without)} without them"
    )
    return (
        f"{copies:,} of the {count:,} test pictures have a copy among those that were trained on: "
        f"{rest}. On a copy memory is measured, not skill."
    )


def _easier(facts: TrainingFacts) -> str:
    row, count = facts.kept, facts.parts.get("validation", 0)
    test = facts.accuracy
    if row is None or test is None or not test.count or not count or "val_accuracy" not in row:
        return ""
    better = test.value - row["val_accuracy"]
    luck = SIGNIFICANT * difference_error(test.value, test.count, row["val_accuracy"], count)
    if not better > max(BETTER, luck):
        return ""
    return (
        f"{percent(test.value)} of the test pictures are right, and {percent(row['val_accuracy'])} "
        f"of the validation pictures: {points(better)} more, of which luck explains at most "
        f"{points(luck)}. Neither were trained on. The test pictures are easier, or resemble the "
        "training pictures more than new ones will."
    )
