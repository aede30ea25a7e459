"""`tellapart compare`, with run folders that hold no more than it reads."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tellapart.runs import RunFolder
from tests.cli.conftest import Run
from tests.cli.test_predict import CLI
from tests.test_classifier import run_python

PICTURES = 40


def make_run(folder: Path, wrong: set[int], **changes: Any) -> Path:
    """A run on PICTURES pictures, half cats and half dogs, of which `wrong` are mistaken."""
    seed = changes.pop("seed", 0)
    data = {
        "location": "my photos",
        "fingerprint": "a" * 64,
        "class_names": ["cat", "dog"],
    } | changes.pop("data", {})
    labels = changes.pop("labels", {})
    start = changes.pop("start", 0)
    run = RunFolder.create("x", out=folder)
    recipe = {"seed": seed, "test_split": changes.pop("test_split", 0.2)}
    asked = changes.pop("asked", {})
    run.write_info({"status": "finished", "data": data, "recipe": recipe, "asked": asked})
    with (folder / "predictions.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "actual", "predicted", "correct", "probability"])
        for number in range(start, start + PICTURES):
            actual = labels.get(number, ("cat", "dog")[number % 2])
            predicted = {"cat": "dog", "dog": "cat"}[actual] if number in wrong else actual
            table.writerow([f"猫, {number}.png", actual, predicted, "", 0.5])
    return folder


def test_a_real_difference(run: Run, tmp_path: Path) -> None:
    """10 against 1 of 11: p = 2 (1 + 11) / 2048 = 1.2%."""
    first = make_run(tmp_path / "runs" / "one", set(range(10)))
    second = make_run(tmp_path / "runs" / "two", {39})
    done = run("compare", first, second)
    assert (done.code, done.err) == (0, "")
    assert f"{first}  accuracy 0.750 (95% interval 0.598 to 0.858)" in done.out
    assert f"{second}  accuracy 0.975 (95% interval 0.871 to 0.996)" in done.out
    assert "Difference +0.225 (95% interval +0.0" in done.out
    assert "on the same 40 test pictures:" in done.out
    assert (
        f"both are right on 29, only {first} on 1, only {second} on 10, neither on 0." in done.out
    )
    assert (
        f"The difference is real: {second} is better; between equals, a difference at least as "
        "large comes about by chance in 1.2% of test parts." in done.out
    )
    rows = [" ".join(line.split()) for line in done.out.splitlines()]
    # Cats: 0 against 5, p = 2/32. Dogs: 1 against 5, p = 14/64. Neither is below 5% after Holm.
    assert "cat 20 15 20 could be chance" in rows
    assert "dog 20 15 19 could be chance" in rows
    assert "With 2 classes some always seem to change" in done.out


def test_json(run: Run, tmp_path: Path) -> None:
    first = make_run(tmp_path / "one", set(range(10)))
    second = make_run(tmp_path / "two", {39})
    done = run("compare", second, first, "--json")
    value = json.loads(done.out)
    assert value["runs"] == [str(second), str(first)]
    assert value["difference"]["value"] == pytest.approx(-0.225)
    assert value["p_value"] == pytest.approx(24 / 2048)
    assert value["real"] is True
    assert value["verdict"].startswith(f"The difference is real: {second} is better;")
    assert value["classes"][0]["name"] == "cat"


def test_a_difference_that_could_be_chance(run: Run, tmp_path: Path) -> None:
    """1 against 3: p = 2 (1 + 4) / 16 = 62.5%. Needed: s = 0.1, d = 0.05:

    (1.959964 · sqrt(0.1) + 0.841621 · sqrt(0.0975))² / 0.0025 = 311.6, 320 to two digits.
    """
    first = make_run(tmp_path / "one", {0, 1, 2})
    second = make_run(tmp_path / "two", {39})
    done = run("compare", first, second)
    assert "The difference could be chance: between equals, a difference at least as" in done.out
    assert "by chance in 62.5% of test parts." in done.out
    assert "If it is as large as it looks, about 320 test pictures would be needed" in done.out


def test_no_difference(run: Run, tmp_path: Path) -> None:
    first = make_run(tmp_path / "one", {0})
    same = run("compare", first, make_run(tmp_path / "two", {0}))
    assert "Both are right on the same pictures: there is no difference." in same.out
    assert "Holm" not in same.out
    even = run("compare", first, make_run(tmp_path / "three", {1}))
    assert "There is no difference to be seen: each alone is right on 1 picture." in even.out


def test_other_test_parts_are_refused(run: Run, tmp_path: Path) -> None:
    first = make_run(tmp_path / "one", {0}, seed=3)
    second = make_run(tmp_path / "two", {0}, start=30, test_split=0.3)
    done = run("compare", first, second)
    assert (done.code, done.out) == (1, "")
    assert "were measured on different test parts, and a comparison would say nothing." in done.err
    assert "the test pictures: 40 and 40, of which 10 are in both" in done.err
    assert "seed: 3 and 0" in done.err
    assert "test_split: 0.2 and 0.3" in done.err
    assert "tellapart train 'my photos' --seed 3 --test-split 0.2" in done.err


def test_other_data_and_labels_are_refused(run: Run, tmp_path: Path) -> None:
    asked = {"labels": "my labels.csv", "keep_validation": True}
    first = make_run(tmp_path / "one", {0}, asked=asked)
    second = make_run(tmp_path / "two", {0}, labels={2: "dog"}, data={"fingerprint": "b" * 64})
    done = run("compare", first, second)
    assert done.code == 1
    assert (
        "the data: my photos (fingerprint aaaaaaaaaaaa) and my photos (fingerprint bbbbbbbbbbbb)"
        in done.err
    )
    assert "the labels of 1 test picture: '猫, 2.png' is 'cat' and 'dog'" in done.err
    assert "labels: my labels.csv and none" in done.err
    assert (
        "tellapart train 'my photos' --seed 0 --labels 'my labels.csv' --keep-validation\n"
        in done.err
    )


def test_arrays_have_no_command(run: Run, tmp_path: Path) -> None:
    first = make_run(tmp_path / "one", {0}, data={"location": "arrays"})
    second = make_run(tmp_path / "two", {0}, seed=1, start=1)
    done = run("compare", first, second)
    assert "Train again on the same data with seed=0." in done.err


def test_runs_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    whole = make_run(tmp_path / "whole", {0})
    done = run("compare", whole, tmp_path / "whale")
    assert done.code == 1
    assert "does not exist. Did you mean 'whole'?" in done.err
    done = run("compare", whole, whole)
    assert done.code == 2
    assert "whole is named twice. Name two runs" in done.err
    part = make_run(tmp_path / "part", {0})
    (part / "predictions.csv").unlink()
    done = run("compare", whole, part)
    assert "part has no predictions.csv (status: finished)" in done.err
    (part / "predictions.csv").write_text("path,actual\n1,cat\n")
    assert "Expected a line for each test picture" in run("compare", whole, part).err
    (part / "predictions.csv").write_text("path,actual,predicted\n")
    assert "names no pictures" in run("compare", whole, part).err
    (part / "predictions.csv").write_bytes(b"path,actual,predicted\n\xff,cat,cat\n")
    assert "cannot be read (UnicodeDecodeError" in run("compare", whole, part).err
    alien = make_run(tmp_path / "alien", {0}, data={"class_names": ["cat"]})
    done = run("compare", alien, whole)
    assert "names the class 'dog', which run.json does not know" in done.err


def test_escape_sequences_in_a_name_do_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    first = make_run(tmp_path / "one\x1b[31m", {0})
    done = run("compare", first, make_run(tmp_path / "two", {1, 3}))
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "one\\x1b[31m" in done.out


def test_tensorflow_and_keras_are_never_imported(tmp_path: Path) -> None:
    make_run(tmp_path / "one", {0})
    make_run(tmp_path / "two", {1})
    code = """
    from tellapart.cli import main
    try:
        main(['compare', sys.argv[1] + '/one', sys.argv[1] + '/two'])
    except SystemExit:
        pass
    print({"tensorflow", "keras", "onnx", "sklearn", "matplotlib"} & set(sys.modules))
    """
    assert run_python(code, tmp_path, allowed=[*CLI, "scipy"]).endswith("\nset()\n")
