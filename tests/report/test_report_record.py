"""A run's files, whole, damaged and missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart import runs
from tellapart.report.record import AbsentError, RunRecord
from tests.report.made_runs import TRAIN, Made, make_run

FILES = {
    runs.EVALUATION_JSON: "evaluation",
    runs.PREDICTIONS_CSV: "predictions",
    runs.SPLIT_CSV: "counts",
    runs.PREDICTION_TRACE_JSON: "prediction_trace",
}
"""What is read from which file."""


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make_run(tmp_path / "run", counts=(4, 6, 2))


def record(made: Made) -> RunRecord:
    return RunRecord.read(made.folder)


def test_what_is_read(made: Made) -> None:
    found = record(made)
    assert found.predictions.names == made.names
    assert np.array_equal(found.predictions.actual, made.labels)
    assert np.array_equal(found.predictions.predicted, made.probabilities.argmax(axis=1))
    assert found.predictions.rows is not None
    assert found.predictions.rows.shape == (12, 3)
    top = found.predictions.rows.max(axis=1)
    assert np.allclose(found.predictions.probability, top, atol=1e-6)
    assert found.predictions.places[made.names[5]] == 5
    # Columns train, validation, calibration, test.
    assert found.counts.tolist() == [[TRAIN, 0, 0, 4], [TRAIN, 0, 0, 6], [TRAIN, 0, 0, 2]]
    assert [row["epoch"] for row in found.history] == [1, 2, 3]
    assert [event["event"] for event in found.events] == ["Noted"]
    assert found.confusion.sum() == 12


def test_with_many_classes_there_is_the_top_probability_alone(tmp_path: Path) -> None:
    names = [f"class {n:03}" for n in range(101)]
    found = record(make_run(tmp_path / "run", class_names=names, counts=[1] * 101))
    assert found.predictions.rows is None
    assert len(found.predictions.probability) == 101


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("finished", ""),
        ("running", ": the run has not ended yet, or was stopped from outside"),
        ("interrupted", ": the run was interrupted before it was written"),
        ("failed", ": the run ended with an error before it was written"),
    ],
)
def test_missing_files_are_named(made: Made, status: str, why: str) -> None:
    made.change(runs.RUN_JSON, status=status)
    for name, attribute in FILES.items():
        (made.folder.path / name).unlink()
        with pytest.raises(AbsentError) as caught:
            getattr(record(made), attribute)
        assert str(caught.value) == f"There is no {name} in the run folder{why}."


def test_no_epochs_and_no_events_are_no_error(made: Made) -> None:
    (made.folder.path / runs.RESULTS_CSV).unlink()
    (made.folder.path / runs.EVENTS_JSONL).unlink()
    assert record(made).history == []
    assert record(made).events == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (runs.EVALUATION_JSON, "{", "evaluation.json cannot be read: Expecting"),
        (runs.EVALUATION_JSON, "[]", "evaluation.json is damaged: expected a JSON object."),
        (runs.PREDICTIONS_CSV, "", "predictions.csv is damaged"),
        (runs.PREDICTIONS_CSV, "path,actual\na,blue\n", "predictions.csv is damaged (KeyError"),
        (
            runs.PREDICTIONS_CSV,
            "path,actual,predicted,correct,probability\na,blue,teal,false,1\n",
            "predictions.csv is damaged (KeyError('teal'))",
        ),
        (runs.SPLIT_CSV, "path,label,part\na,blue,exam\n", "split.csv is damaged (KeyError('exam'"),
    ],
)
def test_damaged_files_are_named(made: Made, name: str, content: str, words: str) -> None:
    (made.folder.path / name).write_text(content, encoding="utf-8")
    with pytest.raises(AbsentError) as caught:
        getattr(record(made), FILES[name])
    assert str(caught.value).startswith(words)


def test_a_last_line_that_was_cut_short_is_left_out(made: Made) -> None:
    path = made.folder.path / runs.EVENTS_JSONL
    path.write_text(path.read_text(encoding="utf-8") + '{"event": "No', encoding="utf-8")
    assert [event["event"] for event in record(made).events] == ["Noted"]


def test_stray_bytes_in_names_are_found_again(tmp_path: Path) -> None:
    paths = [f"b\udcff/{n}.png" for n in range(6)]
    found = record(
        made := make_run(tmp_path / "run", class_names=("a", "b\udcff"), counts=(3, 3), paths=paths)
    )
    assert found.predictions.names[0] == r"b\udcff/0.png"
    assert found.predictions.names[0] in made.pictures
    assert found.class_names == ("a", "b\udcff")
    assert found.counts.sum() == 6 + 2 * TRAIN
