"""Written-out trainings, and any other, for what is made of the rows of `results.csv`."""

from __future__ import annotations

import math

from hypothesis import strategies as st

NAN, INF = math.nan, math.inf


def rows(
    losses: list[float],
    val_losses: list[float] | None = None,
    *,
    accuracy: list[float] | None = None,
    rates: list[float] | None = None,
) -> list[dict[str, float]]:
    """A history with an accuracy of 0.5 where none is given."""
    table = []
    for number, loss in enumerate(losses):
        row = {"epoch": float(number + 1), "loss": loss}
        row["accuracy"] = 0.5 if accuracy is None else accuracy[number]
        if val_losses is not None:
            row |= {"val_loss": val_losses[number], "val_accuracy": 0.625}
        if rates is not None:
            row["learning_rate"] = rates[number]
        table.append(row)
    return table


numbers = st.one_of(st.floats(0, 1e300), st.sampled_from([NAN, INF, 0.0]))
histories = st.lists(
    st.fixed_dictionaries(
        {"loss": numbers, "accuracy": st.floats(0, 1)},
        optional={"val_loss": numbers, "val_accuracy": st.floats(0, 1), "learning_rate": numbers},
    ).map(dict[str, float]),
    max_size=12,
).map(lambda table: [{"epoch": float(n), **row} for n, row in enumerate(table, start=1)])
