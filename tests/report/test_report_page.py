"""The whole page: its numbers are those of the files, and what is missing is said."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart import runs
from tellapart.files import write_json
from tellapart.report.page import SECTIONS, draw_report, is_report, write_report
from tellapart.report.pictures import NoPictures
from tellapart.report.words import figure, percent, span
from tests.report.made_runs import FLOW, HISTORY, Made, make_run
from tests.report.page_reader import Element, problems_of, read_page


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_run(tmp_path_factory.mktemp("report") / "run", counts=(20, 16, 12))


@pytest.fixture(scope="module")
def page(made: Made) -> Element:
    return read_page(draw_report(made.folder, made.pictures))


def draw(made: Made) -> Element:
    """Draws a page that must be whole, whatever the run is like."""
    page = read_page(draw_report(made.folder, made.pictures))
    assert problems_of(page) == []
    return page


def section(page: Element, key: str) -> Element:
    return page.one("section", id=key)


def absent(page: Element, key: str) -> str:
    """The sentence in a section's place."""
    (found,) = section(page, key).having("absent")
    return found.text


def rows(table: Element) -> list[list[str]]:
    """The cells of a table's body."""
    return [
        [cell.text for cell in row.children if isinstance(cell, Element)]
        for row in table.one("tbody").all("tr")
    ]


def test_the_page_is_whole(page: Element) -> None:
    assert problems_of(page) == []
    assert [found.attributes["id"] for found in page.all("section")] == [s.key for s in SECTIONS]
    assert page.one("html").attributes["lang"] == "en"
    assert [link.text for link in page.one("nav").all("a")] == [s.short for s in SECTIONS]
    assert "another form than expected" not in page.text
    assert page.having("absent") == []


def test_nothing_is_loaded_from_outside(page: Element, made: Made) -> None:
    policy = page.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"https?://", draw_report(made.folder, made.pictures))


def test_headline(page: Element, made: Made) -> None:
    evaluation = made.read(runs.EVALUATION_JSON)
    right = int(np.trace(evaluation["confusion_matrix"]))
    text = section(page, "result").text
    assert page.having("big")[0].text == percent(right / 48)
    assert f"of 48 pictures are recognised: {right} right, {48 - right} wrong." in text
    assert f"95% interval {span(evaluation['accuracy'])}." in text
    assert (
        "that were set apart before training: 20% of each class, chosen at random (seed 0)" in text
    )
    # Always "blue" would be right in 20 of 48.
    assert "Guessing 41.7%" in text
    assert f"Balanced accuracy {percent(evaluation['balanced_accuracy'])}" in text
    assert f"Log loss {figure(evaluation['loss'])}" in text
    assert percent(right / 48) in page.one("head").one("title").text


def test_data(page: Element) -> None:
    parts, classes = section(page, "data").all("table")
    assert [row[:2] for row in rows(parts)] == [["train", "18"], ["test", "48"]]
    assert rows(classes) == [
        ["blue", "6", "20", "26"],
        ["green", "6", "16", "22"],
        ["red", "6", "12", "18"],
    ]
    assert "Nothing was found" in section(page, "data").text


def test_training(page: Element) -> None:
    (table,) = section(page, "training").all("table")
    for row, (loss, accuracy, val_loss, val_accuracy) in zip(rows(table), HISTORY, strict=True):
        expected = [figure(loss, 4), percent(accuracy), figure(val_loss, 4), percent(val_accuracy)]
        assert row[1:5] == expected
        assert row[5].endswith(".")  # an observation
    assert "3 epochs of 3 in 12.5 s (all epochs were done)" in section(page, "training").text


def test_confusion(page: Element, made: Made) -> None:
    evaluation = made.read(runs.EVALUATION_JSON)
    matrix = np.array(evaluation["confusion_matrix"])
    (table,) = page.having("matrix")
    for row, counts in zip(rows(table), matrix, strict=True):
        assert [int(cell) for cell in row[1:4]] == counts.tolist()
        assert int(row[4]) == counts.sum()
    assert [row[5] for row in rows(table)] == [
        percent(matrix[k, k] / matrix[k].sum()) for k in range(3)
    ]
    for button in table.all("button"):
        dialog = page.one("dialog", id=button.attributes["popovertarget"])
        heading = dialog.all("h3")[0].text
        assert button.attributes["aria-label"] == f"{heading}. Show them"
        assert heading.startswith(f"{button.text} picture")
        assert len(dialog.all("img")) == min(
            int(button.text), 6 if heading.endswith("recognised") else 12
        )


def test_pictures_of_a_cell_are_those_of_predictions_csv(page: Element, made: Made) -> None:
    with (made.folder.path / runs.PREDICTIONS_CSV).open(encoding="utf-8", newline="") as stream:
        said = {row["path"]: row for row in csv.DictReader(stream)}
    seen = 0
    for dialog in page.all("dialog"):
        heading = dialog.all("h3")[0].text
        for figure_ in dialog.all("figure"):
            row = said[figure_.having("file")[0].text]
            taken = "recognised" if row["correct"] == "true" else f"taken for {row['predicted']}"
            assert f"of {row['actual']} {taken}" in heading
            assert percent(float(row["probability"])) in figure_.text
            seen += 1
    assert seen > 10


def test_classes(page: Element, made: Made) -> None:
    (table,) = section(page, "classes").all("table")
    for row, found in zip(rows(table), made.read(runs.EVALUATION_JSON)["classes"], strict=True):
        assert row[:3] == [found["name"], str(found["count"]), str(found["predicted"])]
        for cell, name in zip(row[3:], ("precision", "recall", "f1"), strict=True):
            assert cell == f"{percent(found[name])} ({span(found[f'{name}_interval'])})"


def test_mistakes(page: Element, made: Made) -> None:
    worst = made.read(runs.EVALUATION_JSON)["top_mistakes"][:12]
    found = section(page, "mistakes").one("ol").all("li")
    assert len(found) == len(worst)
    for number, (item, mistake) in enumerate(zip(found, worst, strict=True), start=1):
        assert item.one("h3").text == (
            f"{number} {mistake['actual']} , taken for {mistake['predicted']}"
        )
        assert f"{mistake['predicted']} {percent(mistake['probability'])}" in item.text
        names = [image.attributes["alt"] for image in item.all("img")]
        assert names[0] == f"Test picture {mistake['source']}, as the network saw it"
        assert names[1].startswith(f"Heat map of what speaks for {mistake['predicted']}: ")
        assert names[2].startswith(f"Heat map of what speaks for {mistake['actual']}: ")


def test_calibration(page: Element, made: Made) -> None:
    found = made.read(runs.EVALUATION_JSON)["calibration"]
    before, after, summary = section(page, "calibration").all("table")
    assert sum(int(row[2]) for row in rows(before)) == 48
    assert sum(int(row[2]) for row in rows(after)) == 48
    for row, key in zip(rows(summary), ("before", "after"), strict=True):
        error = found[key]["error"]
        assert row[1:] == [
            percent(error["value"]),
            f"{percent(error['low'])} to {percent(error['high'])}",
            figure(found[key]["log_loss"]),
            figure(found[key]["brier"]),
        ]
    for note in found["notes"]:
        assert note in section(page, "calibration").text


def test_bins_before_calibration_are_those_of_the_network(page: Element, made: Made) -> None:
    """They are worked back from what predictions.csv has after calibration."""
    before = rows(section(page, "calibration").all("table")[0])
    top = np.sort(made.probabilities.max(axis=1))
    assert before[0][0].startswith(percent(float(top[0])))
    assert before[-1][0].endswith(percent(float(top[-1])))


def test_unsure(page: Element, made: Made) -> None:
    found = made.read(runs.EVALUATION_JSON)
    unsure = found["unsure"]
    text = section(page, "unsure").text
    assert unsure["rule"]["note"] in text
    assert f"{percent(unsure['answered']['value'])} ({span(unsure['answered'])})" in text
    sets = rows(section(page, "unsure").all("table")[-1])
    assert [row[0] for row in sets] == ["80%", "90%", "95%", "99%"]
    for row, rule in zip(sets, found["sets"], strict=True):
        assert row[2] == str(rule["fitted_on"])
        assert 1 <= float(row[4]) <= 3


def test_unknown_pictures(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    share = {"value": 0.125, "low": 0.0625, "high": 0.25, "count": 48, "confidence": 0.95}
    novelty = {"rule": None, "unknown": share, "note": "Pictures stranger than 98% are unknown."}
    made.change(runs.EVALUATION_JSON, novelty=novelty)
    text = section(draw(made), "unsure").text
    assert (
        "Pictures stranger than 98% are unknown. Of the 48 test pictures, all of known kinds, "
        in (text)
    )
    assert "12.5% (6.2% to 25.0%) are called unknown" in text


@pytest.mark.parametrize(
    ("threshold", "tells", "words"),
    [
        (0.0, False, "every answer is given."),
        (0.0, True, "every answer is given, unless the picture is called unknown."),
        (0.75, False, "an answer is given from a probability of 0.75 on."),
        (0.75, True, "a probability of 0.75 on, unless the picture is called unknown."),
        (2.0, True, "no answer is given: all are unsure."),
    ],
)
def test_the_rule_in_words(tmp_path: Path, threshold: float, tells: bool, words: str) -> None:
    made = make_run(tmp_path / "run")
    unsure = made.read(runs.EVALUATION_JSON)["unsure"]
    unsure["rule"]["threshold"] = threshold
    novelty = {"rule": {"threshold": 3.0} if tells else None, "unknown": None, "note": "Noted."}
    made.change(runs.EVALUATION_JSON, unsure=unsure, novelty=novelty)
    assert words in section(draw(made), "unsure").text


def test_flow(page: Element) -> None:
    (table,) = section(page, "flow").all("table")
    first, last = rows(table)
    assert first[1:4] == ["66x6x8x3", "66x6x8x3", "0"]
    assert last == ["output Dense", "66x3", "66x3", "12 3x3 + 3", "One score a class"]
    assert "all 66 pictures" in section(page, "flow").text
    assert FLOW["images"] == 66


def test_trace(page: Element) -> None:
    found = section(page, "trace")
    softmax, *grids = found.all("table")
    assert rows(softmax) == [
        ["blue", "2.0000", "0.500000", "75.00%"],
        ["green", "1.0000", "0.500000", "12.50%"],
        ["red", "0.0000", "0.500000", "12.50%"],
    ]
    assert [grid.one("caption").text for grid in grids] == [
        "what it sees", "× weights", "= products", "The calculation", "the window",
        "The calculation",
    ]  # fmt: skip
    assert rows(grids[2]) == [["0.2500", "0.2500"], ["0.2500", "0.0000"]]  # not -0.0000
    assert rows(grids[3]) == [
        ["the 4 products add up to", "0.7500"],
        ["plus the bias of the filter", "-0.1250"],
        ["makes", "0.6250"],
        ["ReLU sets negative sums to 0", "0.6250"],
    ]
    assert rows(grids[5]) == [["the 4 numbers add up to", "2.5000"], ["divided by 4", "0.6250"]]
    assert "50.00% zeros after ReLU, 1 of 4 channels dead" in found.text
    assert [image.attributes["alt"] for image in found.all("img")][1] == (
        "conv, channel 2: from 0 to 0.75"
    )


def test_reproduce(page: Element, made: Made) -> None:
    found = section(page, "reproduce")
    assert found.all("code")[0].text == "tellapart train photos/ --epochs 3"
    for words in ("ab" * 32, "Seed 0", "Abacus", "Took 20.2 s", "keras 3.15.1", "4e-07"):
        assert words in found.text
    made.change(runs.RUN_JSON, stages={"training": 12.5, "report": 0.5})
    again = read_page(draw_report(made.folder, made.pictures))
    assert "Of that training 12.5 s" in section(again, "reproduce").text
    listed = {code.text for code in found.all("code")}
    assert {runs.CLASSIFIER_ONNX, runs.PREDICTIONS_CSV} <= listed
    assert runs.MODEL_KERAS not in listed  # this run has none
    (made.folder.path / runs.PLOTS).mkdir(exist_ok=True)
    again = read_page(draw_report(made.folder, made.pictures))
    assert "plots/" in {code.text for code in section(again, "reproduce").all("code")}


# --- What is missing or odd ---------------------------------------------------------------------


def test_two_classes(tmp_path: Path) -> None:
    page = draw(make_run(tmp_path / "run", class_names=("bad", "good")))
    assert len(rows(page.having("matrix")[0])) == 2
    assert len(page.having("turned")) == 2  # names of more than two characters


def test_short_names_stand_upright(tmp_path: Path) -> None:
    page = draw(make_run(tmp_path / "run", class_names=("0", "10")))
    assert [cell.text for cell in page.having("upright")] == ["0", "10"]
    assert page.having("turned") == []


def test_two_hundred_classes(tmp_path: Path) -> None:
    names = [f"class {n:03}" for n in range(200)]
    made = make_run(tmp_path / "run", class_names=names, counts=[2] * 200, unseen=400)
    text = draw_report(made.folder, made.pictures)
    assert len(text) < 3_000_000
    page = read_page(text)
    assert problems_of(page) == []
    assert page.having("matrix") == []
    assert len(page.having("matrix-picture")) == 1
    assert len(page.all("dialog")) <= 50
    assert len(rows(section(page, "classes").one("table"))) == 200
    assert "with so many classes predictions.csv has the top probabilities alone" in absent(
        page, "calibration"
    )
    sets = rows(section(page, "unsure").all("table")[-1])
    assert {row[3] for row in sets} == {"not measured"}


def test_a_class_without_test_pictures(tmp_path: Path) -> None:
    page = draw(make_run(tmp_path / "run", counts=(10, 0, 10)))
    assert "Class 'green' has no test pictures: how well it is recognised is not known." in (
        section(page, "classes").text
    )
    assert "with an empty row: green" in section(page, "confusion").text
    green = rows(section(page, "classes").one("table"))[1]
    assert green[:2] == ["green", "0"]
    assert green[4] == "–"  # recall


def test_no_test_pictures(tmp_path: Path) -> None:
    page = draw(
        make_run(tmp_path / "run", paths=[], counts=(0, 0, 0), probabilities=np.zeros((0, 3)))
    )
    assert absent(page, "result") == "There is no accuracy: the test part has no pictures."
    for key in ("confusion", "classes", "mistakes", "calibration"):
        assert "the test part has no pictures" in absent(page, key)
    assert "There is no curve" in absent(page, "unsure")


def test_no_mistakes(tmp_path: Path) -> None:
    sure = np.repeat(np.eye(3), 16, axis=0) * 0.97 + 0.01
    page = draw(make_run(tmp_path / "run", probabilities=sure))
    assert absent(page, "mistakes") == "There are no mistakes: every test picture was recognised."
    assert "None: every test picture was recognised." in section(page, "confusion").text
    assert page.having("big")[0].text == "100.0%"


def test_all_predictions_equal(tmp_path: Path) -> None:
    page = draw(make_run(tmp_path / "run", probabilities=np.full((48, 3), 1 / 3)))
    assert page.having("big")[0].text == "33.3%"
    (curve,) = (
        drawing
        for drawing in section(page, "unsure").all("svg", role="img")
        if "same top probability" in drawing.attributes["aria-label"]
    )
    assert "One point" in curve.attributes["aria-label"]
    assert "Classes 'green', 'red' are never the answer" in section(page, "classes").text


@pytest.mark.parametrize("unseen", [0, 1])
def test_hardly_anything_to_calibrate_on(tmp_path: Path, unseen: int) -> None:
    page = draw(make_run(tmp_path / "run", unseen=unseen))
    sets = section(page, "unsure")
    assert "too few for sets that hold the right class" in sets.text
    assert "another form than expected" not in page.text


def test_few_test_pictures_have_no_calibration_error(tmp_path: Path) -> None:
    page = draw(make_run(tmp_path / "run", counts=(3, 3, 3)))
    summary = section(page, "calibration").all("table")[-1]
    assert [row[1:3] for row in rows(summary)] == [["–", "too few pictures"]] * 2


def test_no_epochs(tmp_path: Path) -> None:
    page = draw(make_run(tmp_path / "run", history=()))
    text = section(page, "training").text
    assert "There are no curves: a linear head was fitted in one go" in text
    assert "It learned from 18 pictures in 1.5 s" in text
    assert "Cross-validated accuracy on the training part: 87.5%." in text


def test_losses_that_are_no_numbers(tmp_path: Path) -> None:
    nan = float("nan")
    page = draw(make_run(tmp_path / "run", history=((nan, 0.5, nan, nan), (nan, 0.5, nan, nan))))
    assert "in no epoch was the loss a number (NaN or infinite)" in absent(page, "training")


def test_a_loss_that_is_null(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    made.change(runs.EVALUATION_JSON, loss=None)
    assert "Log loss –" in section(draw(made), "result").text


def test_probabilities_that_are_no_numbers(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    path = made.folder.path / runs.PREDICTIONS_CSV
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:4], *["nan"] * (len(cells) - 4)])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    page = draw(made)
    assert "1 of 48 probabilities are not numbers." in absent(page, "calibration")


def test_a_run_that_failed(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    for name in (runs.EVALUATION_JSON, runs.PREDICTIONS_CSV, runs.TRACE_JSON,
                 runs.PREDICTION_TRACE_JSON, runs.CLASSIFIER_ONNX):  # fmt: skip
        (made.folder.path / name).unlink()
    info = made.read(runs.RUN_JSON)
    for name in ("accuracy", "parity", "training"):
        del info[name]
    diagnosis = [
        {
            "topic": "learning rate too high",
            "level": "warning",
            "text": "The loss became NaN in epoch 2.",
            "remedies": [{"words": "Train slower", "command": "tellapart train x --epochs 2"}],
        }
    ]
    made.folder.write_info(
        info | {"status": "failed", "error": "The output is NaN.", "diagnosis": diagnosis}
    )
    page = draw(made)
    text = section(page, "result").text
    assert (
        "There is no accuracy. There is no evaluation.json in the run folder: the run ended" in text
    )
    assert "The run failed: The output is NaN." in text
    assert "The loss became NaN in epoch 2." in text
    found = section(page, "diagnosis")
    assert found.all("h3")[0].text.endswith("Learning rate too high")
    assert found.all("code")[0].text == "tellapart train x --epochs 2"
    assert "failed" in page.one("head").one("title").text
    assert len(section(page, "training").all("figure")) == 2  # the curves are there


def test_a_run_that_was_interrupted(tmp_path: Path) -> None:
    page = draw(make_run(tmp_path / "run", status="interrupted"))
    assert "Training was interrupted; the best weights up to then were kept." in (
        section(page, "result").text
    )


def test_a_run_of_an_older_version(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    (made.folder.path / runs.PREDICTION_TRACE_JSON).unlink()
    evaluation = made.read(runs.EVALUATION_JSON)
    for name in ("calibration", "unsure", "sets", "novelty", "balanced_accuracy_interval"):
        evaluation.pop(name, None)
    write_json(made.folder.path / runs.EVALUATION_JSON, evaluation)
    info = made.read(runs.RUN_JSON)
    for name in ("asked", "diagnosis", "overlap", "parity", "seconds"):
        del info[name]
    made.folder.write_info(info)
    page = draw(made)
    assert "was not calibrated" in absent(page, "calibration")
    assert "has no rule" in absent(page, "unsure")
    assert "There is no prediction_trace.json" in absent(page, "trace")
    assert "There is no diagnosis" in section(page, "diagnosis").text
    assert "another form than expected" not in page.text


def test_an_empty_run(tmp_path: Path) -> None:
    folder = runs.RunFolder.create("run", out=tmp_path / "run")
    folder.write_info({"status": "running"})
    page = read_page(draw_report(folder, NoPictures("There is no data.")))
    assert problems_of(page) == []
    assert page.one("h1").text == "run"
    assert "The run has not ended, or was stopped from outside." in page.text


@pytest.mark.parametrize(
    ("name", "fields", "key"),
    [
        (runs.EVALUATION_JSON, {"classes": 7}, "classes"),
        (runs.EVALUATION_JSON, {"confusion_matrix": [[1]]}, "confusion"),
        (runs.EVALUATION_JSON, {"calibration": {"after": 3}}, "calibration"),
        (runs.EVALUATION_JSON, {"unsure": {"rule": []}}, "unsure"),
        (runs.EVALUATION_JSON, {"top_mistakes": [{}]}, "mistakes"),
        (runs.TRACE_JSON, {"data_flow": [{}]}, "flow"),
        (runs.PREDICTION_TRACE_JSON, {"picture": {"png": "!"}}, "trace"),
        (runs.PREDICTION_TRACE_JSON, {"format_version": 2}, "trace"),
    ],
)
def test_files_of_another_form_spoil_one_section(
    tmp_path: Path, name: str, fields: dict[str, Any], key: str
) -> None:
    made = make_run(tmp_path / "run")
    made.change(name, **fields)
    page = draw(made)
    assert absent(page, key)
    others = {section.key for section in SECTIONS} - {key, "result", "confusion", "mistakes"}
    for other in others:
        assert section(page, other).having("absent") == []


def test_findings_of_the_audit(tmp_path: Path) -> None:
    made = make_run(
        tmp_path / "run",
        overlap={
            "copies": 2,
            "accuracy_without": {"value": 0.75, "low": 0.5, "high": 0.875, "count": 8,
                                 "confidence": 0.95},
        },
    )  # fmt: skip
    items = [f"{n}.png" for n in range(60)]
    made.change(
        runs.AUDIT_JSON,
        findings=[
            {"topic": "copies", "level": "warning", "text": "60 pictures are copies.",
             "remedy": "Use `tellapart check x`.", "items": items},
        ],
    )  # fmt: skip
    data = made.read(runs.RUN_JSON)["data"]
    made.change(
        runs.RUN_JSON, data=data | {"excluded": [{"path": "broken.jpg", "reason": "is empty"}]}
    )
    page = draw(made)
    found = section(page, "data")
    assert (
        "2 test pictures have copies in the training data. Without them the accuracy is 75.0%"
        in (found.text)
    )
    assert [code.text for code in found.all("code")] == ["photos/", "tellapart check x"]
    assert "The first 50 of 60" in found.text
    assert "49.png" in found.text
    assert "50.png" not in found.text
    assert "1 picture could not be read and was left out" in found.text
    assert "broken.jpg : is empty" in found.text
    alerts = [item.text for item in section(page, "result").having("alerts")[0].all("li")]
    assert any("60 pictures are copies." in alert for alert in alerts)
    assert any("2 test pictures have copies" in alert for alert in alerts)
    # The audit knows of the same copies: the headline says it once, with what it means.
    text = "2 of 10 test pictures have a copy in the training part."
    across = {"topic": "copies across parts", "level": "warning", "text": text,
              "remedy": "Take them out.", "items": ["1.png", "2.png"]}  # fmt: skip
    made.change(runs.AUDIT_JSON, findings=[across])
    page = draw(made)
    assert len(section(page, "result").having("alerts")[0].all("li")) == 1
    assert text in section(page, "data").text
    made.change(runs.RUN_JSON, overlap=None)
    assert text in section(draw(made), "result").text


def test_without_pictures(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    page = read_page(draw_report(made.folder, NoPictures("The folder photos/ is gone.")))
    assert problems_of(page) == []
    for key in ("result", "confusion", "mistakes"):
        assert "The folder photos/ is gone." in absent(page, key)
    assert section(page, "confusion").all("img") == section(page, "mistakes").all("img") == []
    assert section(page, "confusion").all("dialog")  # names and probabilities are there


def test_without_a_classifier_there_are_no_maps(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    (made.folder.path / runs.CLASSIFIER_ONNX).unlink()
    page = draw(made)
    assert "No heat maps are drawn: " in absent(page, "mistakes")
    assert section(page, "mistakes").all("img")


def test_it_is_written_and_known_again(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    path = write_report(made.folder, made.pictures)
    assert path == made.folder.path / "report.html"
    assert is_report(path)
    assert write_report(made.folder, made.pictures) == path  # replaces the earlier one
    other = write_report(made.folder, made.pictures, out=tmp_path / "other.html")
    assert other.read_text(encoding="utf-8") == path.read_text(encoding="utf-8")
    (tmp_path / "mine.html").write_text("<title>mine</title>")
    assert not is_report(tmp_path / "mine.html")
    assert not is_report(tmp_path / "none.html")
