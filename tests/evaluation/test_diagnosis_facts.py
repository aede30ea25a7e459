"""What a run's files say, and the commands that repeat a training."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart import runs
from tellapart.cli.app import app
from tellapart.cli.network import parse_image_size
from tellapart.errors import RunError
from tellapart.evaluation.diagnosis import Diagnosis, facts_from_run
from tellapart.evaluation.diagnosis.commands import (
    _found_by_trying,
    _stand_in,
    check_data,
    train_again,
    transfer_instead,
)
from tellapart.files import write_json
from tellapart.runs import RunFolder
from tellapart.training.recipe import Recipe, choose_recipe
from tests.evaluation.diagnosed import facts, recipe

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]

INFO = {
    "recipe": recipe(),
    "data": {
        "location": "photos/",
        "class_names": ["cat", "dog"],
        "counts": {"dog": 30, "cat": 20},
        "parts": {"train": 30, "validation": 10, "calibration": 0, "test": 10},
    },
}
RESULTS = "epoch,loss,accuracy,val_loss,val_accuracy\n1,0.7,0.5,,\n2,nan,0.5,,\n"


def parsed(line: str) -> dict[str, Any]:
    """What the command line makes of a line, without what was not given."""
    words = shlex.split(line)
    assert words[0] == "tellapart"
    values = COMMANDS[words[1]].make_context(words[1], words[2:]).params
    return {name: value for name, value in values.items() if value not in (None, False)}


def test_a_runs_files(tmp_path: Path) -> None:
    folder = RunFolder.create("a", out=tmp_path)
    training = {"reason": "interrupted", "best_epoch": 1}
    asked = {"epochs": 3}
    folder.write_info({**INFO, "training": training, "asked": asked, "overlap": {"copies": 1}})
    (tmp_path / runs.RESULTS_CSV).write_text(RESULTS)
    write_json(tmp_path / runs.EVALUATION_JSON, {"confusion_matrix": [[3, 1], [0, 6]]})
    found = facts_from_run(folder)
    assert found.class_names == ("cat", "dog")
    assert found.counts == (20, 30)  # in the order of the names
    assert found.outside_test.tolist() == [16, 24]
    assert (found.reason, found.best_epoch, found.asked) == ("interrupted", 1, asked)
    assert found.overlap == {"copies": 1}
    assert found.kept == {"epoch": 1, "loss": 0.7, "accuracy": 0.5}
    assert not found.keeps_last
    assert found.accuracy is not None
    assert (found.accuracy.value, found.accuracy.count) == (0.9, 10)


def test_a_run_that_failed_while_training(tmp_path: Path) -> None:
    folder = RunFolder.create("a", out=tmp_path)
    folder.write_info({**INFO, "status": "failed"})
    found = facts_from_run(folder)
    assert (found.history, found.confusion, found.accuracy) == ((), None, None)
    assert (found.reason, found.kept, found.asked) == (None, None, None)


def test_a_run_that_cannot_be_read(tmp_path: Path) -> None:
    folder = RunFolder.create("a", out=tmp_path)
    folder.write_info({"status": "failed"})
    with pytest.raises(RunError, match="has no 'data': the run ended before it knew its data"):
        facts_from_run(folder)
    folder.write_info(INFO)
    (tmp_path / runs.EVALUATION_JSON).write_text("{")
    with pytest.raises(RunError, match=r"evaluation\.json cannot be read"):
        facts_from_run(folder)


def test_a_diagnosis_as_json() -> None:
    found = Diagnosis("overfitting", "note", "Text.", (("Words", "tellapart train a"),))
    assert json.loads(json.dumps(found.to_json())) == {
        "topic": "overfitting",
        "level": "note",
        "text": "Text.",
        "remedies": [{"words": "Words", "command": "tellapart train a"}],
    }


def test_the_line_repeats_what_was_asked() -> None:
    asked = {
        "recipe": "auto",
        "model": None,
        "budget": "60s",
        "keep_validation": True,
        "image_size": (32, 48),
        "label_smoothing": 0.0,
        "restore_best_weights": None,
    }
    line = train_again(facts(asked=asked), learning_rate=0.0003, budget=None)
    assert line == (
        "tellapart train photos/ --keep-validation --image-size 32x48 --label-smoothing 0 "
        "--learning-rate 0.0003"
    )
    assert parsed(line)["learning_rate"] == 0.0003


@pytest.mark.parametrize(
    "model", ["classic-32", "fast", "fast-narrow", "fast-wide", "efficientnet-lite0"]
)
def test_a_network_with_a_name_is_named(model: str) -> None:
    line = train_again(facts(asked={"model": model}), epochs=9)
    assert line == f"tellapart train photos/ --model {model} --epochs 9"


@pytest.mark.parametrize("name", ["my photos", "-x", "a'b;rm -rf", "täglich", "$HOME"])
def test_any_name_survives_a_shell(name: str) -> None:
    line = train_again(facts(data=name, asked={}), epochs=3)
    assert parsed(line)["data"] == ("./-x" if name == "-x" else name)


def test_what_only_python_has() -> None:
    assert train_again(facts(data="arrays", asked={}), image_size=[8, 8], epochs=3) == (
        "ta.train((x, y), image_size=(8, 8), epochs=3)"
    )
    own = facts(asked={"model": "sequential", "seed": 3})
    assert train_again(own) == "ta.train('photos/', model=model, seed=3)"
    assert check_data(facts(data="arrays")) == ()


def test_transfer_leaves_behind_what_was_set_for_another_network() -> None:
    asked = {"model": "classic-64", "image_size": (64, 64), "epochs": 9, "seed": 3}
    line = transfer_instead(facts(asked=asked))
    assert line == "tellapart train photos/ --seed 3 --recipe transfer"


def test_a_transfer_is_repeated() -> None:
    made = recipe(
        name="auto", model="efficientnet-lite0", transfer=True, image_size=(224, 224), epochs=0,
        batch_size=32, learning_rate=1e-4, validation_split=0.0, resize="crop",
        loss="sparse_categorical_crossentropy", seed=4,
    )  # fmt: skip
    assert train_again(facts(recipe=made)) == (
        "tellapart train photos/ --model efficientnet-lite0 --seed 4"
    )


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["auto", "classic"]),
    options=st.fixed_dictionaries(
        {
            "image_size": st.tuples(st.integers(12, 64), st.integers(12, 64)),
            "model": st.sampled_from(["classic-28", "classic-32", "mynet.py:build"]),
        },
        optional={
            "epochs": st.integers(1, 99),
            "batch_size": st.integers(1, 512),
            "learning_rate": st.sampled_from([1e-7, 0.0003, 0.1]),
            "label_smoothing": st.sampled_from([0.0, 0.2]),
            "loss": st.just("categorical_crossentropy"),
            "validation_split": st.sampled_from([0.1, 0.25]),
            "augment": st.sampled_from(["none", "light", "strong,flip=none"]),
            "class_weight": st.sampled_from(["balanced", "none"]),
            "early_stopping": st.just(2),
            "restore_best_weights": st.just(True),
            "optimizer": st.just("sgd"),
            "budget_seconds": st.just(60.0),
            "seed": st.integers(0, 9),
        },
    ),
)
def test_without_what_was_asked_the_line_leads_to_the_same_recipe(
    name: str, options: dict[str, Any]
) -> None:
    known = facts(counts=(900, 100), recipe=recipe(channels=1))
    made, _ = choose_recipe(_stand_in(known), name, options=options)
    again = facts(counts=(900, 100), recipe=made.to_json())
    given_again = parsed(train_again(again))
    chosen = {k: v for k, v in given_again.items() if k not in ("data", "recipe", "budget")}
    chosen["image_size"] = parse_image_size(chosen["image_size"])
    chosen["budget_seconds"] = 60.0 if "budget" in given_again else None
    # 0 is a value, and `parsed` left it out with what was not given.
    chosen |= {k: v for k, v in _found_by_trying(again).items() if v == 0.0}
    repeated, _ = choose_recipe(_stand_in(again), given_again["recipe"], options=chosen)
    assert repeated == made


def test_the_stand_in_has_the_numbers_of_the_data() -> None:
    data = _stand_in(facts(counts=(3, 2)))
    assert len(data) == 5
    assert np.bincount(data.labels).tolist() == [3, 2]
    assert isinstance(recipe(), dict)
    assert Recipe(**(recipe() | {"image_size": (32, 32)})).name == "classic"
