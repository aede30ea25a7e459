"""The pipeline and its data: parts, copies, what is left out or corrected, where pixels are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart import runs
from tellapart.errors import TellapartError
from tellapart.training.events import Event, Noted
from tests.small_runs import read_json, rows_of, train_quickly


def test_a_bad_picture_is_left_out_and_listed(colour_folder: Path, tmp_path: Path) -> None:
    (colour_folder / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    noted: list[Event] = []
    run = train_quickly(colour_folder, tmp_path / "run", observers=[noted.append])
    excluded = read_json(run, runs.RUN_JSON)["data"]["excluded"]
    assert [item["path"] for item in excluded] == ["red/broken.jpg"]
    warnings = [event.text for event in noted if isinstance(event, Noted)]
    assert any("1 of 37 pictures cannot be read" in text for text in warnings)
    assert "red/broken.jpg" not in {row["path"] for row in rows_of(run, "split.csv") if row["part"]}


def test_the_val_part_becomes_the_test_part_and_the_output_says_so(
    colour_folder: Path, tmp_path: Path
) -> None:
    root = tmp_path / "parts"
    (root / "val").mkdir(parents=True)
    colour_folder.rename(root / "train")
    for name in ("blue", "green", "red"):
        (root / "val" / name).mkdir()
        for number in range(3):
            (root / "train" / name / f"{number:02}.png").rename(
                root / "val" / name / f"{number}.png"
            )
    noted: list[Event] = []
    run = train_quickly(root, tmp_path / "run", observers=[noted.append])
    assert run.evaluation.accuracy.count == 9
    assert any("--keep-validation" in e.text for e in noted if isinstance(e, Noted))
    kept = train_quickly(root, tmp_path / "kept", keep_validation=True)
    parts = read_json(kept, runs.RUN_JSON)["data"]["parts"]
    assert parts["validation"] == 9
    assert parts["test"] == 5  # a fifth of 27 is 5.4


def test_accuracy_without_the_pictures_that_training_knows(
    colour_folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for number, file in enumerate(sorted(colour_folder.rglob("*.png"))):
        part = "test" if number % 4 == 0 else "train"
        target = data / part / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    # Two test pictures are also there to train on, one of them saved anew.
    (data / "test" / "blue" / "known.png").write_bytes(
        (data / "train" / "blue" / "01.png").read_bytes()
    )
    picture = Image.open(data / "train" / "red" / "01.png")
    picture.save(data / "test" / "red" / "known.bmp")
    events: list[Event] = []
    run = train_quickly(data, tmp_path / "run", observers=[events.append])
    assert run.overlap is not None
    assert run.overlap.copies == 2
    assert run.overlap.accuracy_without.count == run.evaluation.accuracy.count - 2 == 9
    assert read_json(run, "run.json")["overlap"]["copies"] == 2
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert any("2 of 11 test pictures have a copy in the training part" in text for text in notes)
    kinds = {pair["kind"] for pair in read_json(run, "audit.json")["pairs"]}
    assert kinds == {"identical file", "same pixels"}


def test_copies_are_on_one_side_of_the_split(colour_folder: Path, tmp_path: Path) -> None:
    for number in range(6):
        content = (colour_folder / "green" / f"{number:02}.png").read_bytes()
        (colour_folder / "green" / f"again-{number}.png").write_bytes(content)
    run = train_quickly(colour_folder, tmp_path / "run", seed=5)
    parts = {row["path"]: row["part"] for row in rows_of(run, "split.csv")}
    assert len(parts) == 42
    for number in range(6):
        assert parts[f"green/{number:02}.png"] == parts[f"green/again-{number}.png"]
    assert run.overlap is None


def test_corrected_labels_are_trained_on_and_recorded(colour_folder: Path, tmp_path: Path) -> None:
    (colour_folder / "red" / "03.png").rename(colour_folder / "blue" / "red-one.png")
    corrections = tmp_path / "corrections.csv"
    corrections.write_text("path,label\nblue/red-one.png,red\n", encoding="utf-8")
    run = train_quickly(colour_folder, tmp_path / "run", epochs=1, labels=corrections)
    info = json.loads((run.path / runs.RUN_JSON).read_text(encoding="utf-8"))
    assert info["data"]["counts"] == {"blue": 12, "green": 12, "red": 12}
    assert info["asked"]["labels"] == str(corrections)
    rows = (run.path / runs.SPLIT_CSV).read_text(encoding="utf-8").splitlines()
    assert any(row.startswith("blue/red-one.png,red,") for row in rows)
    assert (colour_folder / "blue" / "red-one.png").exists()


def test_streaming_gives_the_same_network(
    colour_folder: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = train_quickly(colour_folder, tmp_path / "kept", epochs=2)
    ta_cache = [path.name.partition("-")[0] for path in own_cache.iterdir()]
    assert "pixels" in ta_cache
    monkeypatch.setenv("TELLAPART_STORE_LIMIT", "1kB")
    events: list[Event] = []
    streamed = train_quickly(
        colour_folder, tmp_path / "streamed", epochs=2, observers=[events.append]
    )
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert any("they are decoded anew in each epoch" in text for text in notes)
    for one, other in zip(kept.model.get_weights(), streamed.model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    assert kept.evaluation.to_json() == streamed.evaluation.to_json()


def test_a_store_limit_that_is_no_size(
    colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLAPART_STORE_LIMIT", "a lot")
    with pytest.raises(TellapartError, match=r"TELLAPART_STORE_LIMIT=a lot: expected a size such"):
        train_quickly(colour_folder, tmp_path / "run")
