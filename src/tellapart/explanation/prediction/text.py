"""The prediction trace in plain text: the rows of its table, and what is worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.explanation.layers import times
from tellapart.explanation.prediction.blocks import Block
from tellapart.explanation.prediction.trace import PredictionTrace
from tellapart.explanation.prediction.worked_convolution import WorkedConvolution
from tellapart.explanation.prediction.worked_pooling import WorkedPooling
from tellapart.explanation.prediction.worked_softmax import Answer, Numbers

COLUMNS = (
    "layer",
    "output",
    "parameters",
    "min",
    "mean",
    "max",
    "zeros after ReLU",
    "dead channels",
    "what it does",
)
NUMERIC = COLUMNS[2:8]

TOP = 5
"""How many classes are shown."""

MAX_KERNEL = 11
"""The widest window that is written out."""


def stage_rows(trace: PredictionTrace) -> list[tuple[str, ...]]:
    """Returns a row of `COLUMNS` for each block.

    Smallest, mean and largest number are of what leaves the block; zeros and dead channels of the
    last ReLU in it.
    """
    rows: list[tuple[str, ...]] = []
    for block in trace.blocks:
        leaving = trace.stages[block.last]
        rows.append(
            (
                block.name,
                times(leaving.stage.after[1:]),
                f"{block.parameters:,}" if block.parameters else "",
                number(leaving.activations.minimum),
                number(leaving.activations.mean),
                number(leaving.activations.maximum),
                *zeros_and_dead(trace, block),
                block.does,
            )
        )
    return rows


def zeros_and_dead(trace: PredictionTrace, block: Block) -> tuple[str, str]:
    """Writes the share of zeros and the dead channels of a block's last ReLU: "61%", "3 of 32"."""
    if block.rectified is None:
        return "", ""
    found = trace.stages[block.rectified].activations
    if found.zeros is None or found.dead_channels is None:
        return "-", "-"
    return f"{found.zeros:.0%}", f"{found.dead_channels} of {found.channels}"


def worked_text(trace: PredictionTrace) -> str:
    """Writes the convolution, the pooling window and the probabilities, with their numbers."""
    parts = []
    if trace.convolution is not None:
        parts.append(convolution_text(trace.convolution))
    if trace.pooling is not None:
        parts.append(pooling_text(trace.pooling))
    parts.append(answer_text(trace.answer))
    return "\n\n".join(parts) + "\n"


def convolution_text(worked: WorkedConvolution) -> str:
    """Writes a convolution's sum so that it can be checked with a pocket calculator."""
    many = len(worked.channel_sums) > 1
    lines = [
        f"One answer of '{worked.layer}': filter {worked.filter} at row {worked.row}, column "
        f"{worked.column} (all counted from 0)",
        f"It looks at {place(worked.rows, worked.columns)} of its input"
        + (
            f", {len(worked.channel_sums)} channels; channel {worked.channel} in full:"
            if many
            else ":"
        ),
        "",
    ]
    tables = (worked.window, worked.weights, worked.products)
    if max(worked.window.shape) <= MAX_KERNEL:
        lines += _side_by_side(("what it sees", "x weights", "= products"), tables)
        lines.append("")
    lines += _calculation(worked.sum_in_words())
    return "\n".join(lines)


def pooling_text(worked: WorkedPooling) -> str:
    """Writes a pooling window and what becomes of it."""
    lines = [
        f"One window of '{worked.layer}': channel {worked.channel} at row {worked.row}, column "
        f"{worked.column}, {place(worked.rows, worked.columns)} of its input",
        "",
    ]
    if max(worked.window.shape) <= MAX_KERNEL:
        lines += [*_side_by_side(("",), (worked.window,))[1:], ""]
    return "\n".join([*lines, *_calculation(pooling_in_words(worked))])


def pooling_in_words(worked: WorkedPooling) -> list[tuple[str, float]]:
    """The calculation of a pooling window, a line a step: words and number."""
    count = worked.window.size
    if worked.takes == "largest":
        return [(f"the largest of the {count} numbers", worked.result)]
    return [
        (f"the {count} numbers add up to", float(worked.window.sum())),
        (f"divided by {count}", worked.result),
    ]


def answer_text(answer: Answer, top: int = TOP) -> str:
    """Writes the way from logits to probabilities for the most probable classes."""
    if answer.probabilities is None:
        return "There are no probabilities."
    shown = answer.order()[:top]
    rest = len(answer.class_names) - len(shown)
    rows = [[answer.class_names[place], *figures(answer, place)] for place in shown]
    heading = ["class", *answer_columns(answer)]
    widths = [max(len(row[k]) for row in [heading, *rows]) for k in range(len(heading))]
    lines = [softmax_in_words(answer), ""]
    lines += [
        "  "
        + "  ".join(
            cell.ljust(wide) if k == 0 else cell.rjust(wide)
            for k, (cell, wide) in enumerate(zip(row, widths, strict=True))
        )
        for row in [heading, *rows]
    ]
    if rest:
        left = sum(float(answer.probabilities[place]) for place in answer.order()[top:])
        others = "the other class" if rest == 1 else f"the other {rest} classes together"
        lines.append(f"  {others}: {percent(left)}")
    return "\n".join(lines)


def answer_columns(answer: Answer) -> list[str]:
    """The headings of `figures`."""
    if answer.logits is None:
        return ["probability"]
    divided = "" if answer.temperature == 1 else f" / {answer.temperature:.4g}"
    return ["logit", f"e^((logit - {decimals(answer.logits.max())}){divided})", "probability"]


def figures(answer: Answer, place: int) -> list[str]:
    """The numbers of one class, from its logit to its probability."""
    if answer.probabilities is None:
        return []
    end = [percent(float(answer.probabilities[place]))]
    if answer.logits is None or answer.exponentials is None:
        return end
    return [decimals(answer.logits[place]), f"{answer.exponentials[place]:.6f}", *end]


def softmax_in_words(answer: Answer) -> str:
    """Says how the probabilities come about."""
    if answer.logits is None or answer.exponentials is None:
        return f"The probabilities, as '{answer.layer}' gives them"
    total, classes = float(answer.exponentials.sum()), len(answer.class_names)
    calibrated = (
        ""
        if answer.temperature == 1
        else f", the difference divided by the temperature {answer.temperature:.4g}"
    )
    return (
        "Softmax: e to the power of each logit less the largest"
        f"{calibrated}; divided by the sum over all {classes} classes, {total:.6f}, they are the "
        "probabilities"
    )


def place(rows: Sequence[int], columns: Sequence[int]) -> str:
    """Writes where a window lies: "rows 3 to 5, columns 7 to 9"."""
    return f"{_span('row', rows)}, {_span('column', columns)}"


def percent(share: float) -> str:
    """Writes a probability: "98.31%", "0.0012%"; never 100% or 0% for what is not."""
    if share >= 0.9999 and share < 1:
        return ">99.99%"
    if 0 < share < 0.0001:
        return "<0.01%"
    return f"{100 * share:.2f}%"


def number(value: float | None) -> str:
    """Writes a figure of activations in four significant digits; "-" where there is none."""
    return "-" if value is None else f"{value:.4g}"


def decimals(value: float) -> str:
    """Writes a number to calculate with: four decimals, or six digits where it is large."""
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.6g}"


def _span(what: str, numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"{what} {numbers[0]}"
    if numbers[1] - numbers[0] > 1:
        return f"{what}s {', '.join(map(str, numbers))}"
    return f"{what}s {numbers[0]} to {numbers[-1]}"


def _side_by_side(headings: Sequence[str], tables: Sequence[Numbers]) -> list[str]:
    blocks = []
    for heading, table in zip(headings, tables, strict=True):
        cells = [[decimals(value) for value in row] for row in table.tolist()]
        wide = max(len(cell) for row in cells for cell in row)
        rows = ["  ".join(cell.rjust(wide) for cell in row) for row in cells]
        across = max(len(heading), len(rows[0]))
        blocks.append([heading.ljust(across), *(row.ljust(across) for row in rows)])
    return ["  " + "     ".join(parts).rstrip() for parts in zip(*blocks, strict=True)]


def _calculation(steps: Sequence[tuple[str, float]]) -> list[str]:
    wide = max(len(words) for words, _ in steps)
    numbers = [decimals(value) for _, value in steps]
    longest = max(map(len, numbers))
    return [
        f"  {words.ljust(wide)}  {written.rjust(longest)}"
        for (words, _), written in zip(steps, numbers, strict=True)
    ]
