"""Pictures of a run: learning curves, the confusion matrix, sheets of sample pictures.

Drawn with matplotlib's objects alone, never with pyplot: nothing is global, so plots can be made
in any thread, beside the user's own. Class names are shown as they are, whatever script they are
in (see `text`), and nothing is told by colour alone.
"""

from tellapart.evaluation.plots.confusion import plot_confusion
from tellapart.evaluation.plots.curves import plot_curves
from tellapart.evaluation.plots.reliability import plot_reliability
from tellapart.evaluation.plots.samples import TILES, choose_samples, plot_mistakes, plot_samples
from tellapart.evaluation.plots.unsure import plot_unsure

__all__ = [
    "TILES",
    "choose_samples",
    "plot_confusion",
    "plot_curves",
    "plot_mistakes",
    "plot_reliability",
    "plot_samples",
    "plot_unsure",
]
