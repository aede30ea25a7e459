"""The data of a run, loaded again and compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tellapart import runs
from tellapart.data import load
from tellapart.data.audit import SIGNATURES
from tellapart.data.columns import open_column
from tellapart.data.store import fingerprint
from tellapart.errors import DataError
from tellapart.images import decode
from tellapart.report.find_pictures import find_pictures
from tellapart.report.pictures import NoPictures, Pictures
from tests.conftest import save_picture
from tests.report.made_runs import Made, make_run
from tests.tiny_classifier import SPEC


@pytest.fixture
def made(tmp_path: Path, colour_folder: Path) -> Made:
    """A run that says that it was trained on the folder of colours."""
    made = make_run(tmp_path / "run")
    dataset = load(colour_folder)
    about = made.read(runs.RUN_JSON)["data"] | {
        "location": str(colour_folder),
        "key": dataset.source.key,
        "fingerprint": fingerprint(dataset, open_column(dataset, SIGNATURES).digests),
    }
    made.change(runs.RUN_JSON, data=about)
    return made


def test_the_data_where_it_was(made: Made, colour_folder: Path) -> None:
    found = find_pictures(made.folder)
    assert isinstance(found, Pictures)
    assert "blue/03.png" in found
    (pixels,) = found.take(["blue/03.png"])
    assert np.array_equal(pixels, decode(colour_folder / "blue" / "03.png", SPEC))


def test_data_that_was_moved_is_known_by_its_content(made: Made, colour_folder: Path) -> None:
    elsewhere = colour_folder.with_name("elsewhere")
    shutil.copytree(colour_folder, elsewhere, copy_function=shutil.copyfile)  # of today
    shutil.rmtree(colour_folder)
    gone = find_pictures(made.folder)
    assert isinstance(gone, NoPictures)
    assert f"There is no file, folder or catalog data set '{colour_folder}'" in gone.reason
    assert gone.reason.endswith(
        "Where the data is elsewhere now, `tellapart report` with --data names it."
    )
    seen: list[tuple[int, int]] = []
    found = find_pictures(
        made.folder, str(elsewhere), on_progress=lambda done, total: seen.append((done, total))
    )
    assert isinstance(found, Pictures)
    assert found.take(["red/00.png"]).shape == (1, *SPEC.shape)


def test_data_that_has_changed(made: Made, colour_folder: Path) -> None:
    save_picture(colour_folder / "red" / "00.png", (0, 0, 0))
    found = find_pictures(made.folder)
    assert isinstance(found, NoPictures)
    assert found.reason.startswith(
        f"{colour_folder} is not what this run was trained on, or has changed since: it has "
        "another fingerprint."
    )


def test_labels_that_were_corrected(made: Made, colour_folder: Path, tmp_path: Path) -> None:
    """The fingerprint is of the corrected ones; moved data is compared with them."""
    from tellapart.data.relabel import relabel

    corrected = tmp_path / "labels.csv"
    corrected.write_text("path,label\nred/00.png,blue\n", encoding="utf-8")
    dataset = relabel(load(colour_folder), corrected)
    about = made.read(runs.RUN_JSON)["data"]
    about |= {
        "key": "another time",
        "fingerprint": fingerprint(dataset, open_column(dataset, SIGNATURES).digests),
    }
    made.change(runs.RUN_JSON, data=about)
    assert isinstance(find_pictures(made.folder), NoPictures)
    made.change(runs.RUN_JSON, asked={"labels": str(corrected)})
    assert isinstance(find_pictures(made.folder), Pictures)


def test_a_run_that_took_some_of_the_pictures(made: Made, colour_folder: Path) -> None:
    some = load(colour_folder).take(np.arange(5))
    about = made.read(runs.RUN_JSON)["data"] | {"key": some.source.key, "fingerprint": ""}
    made.change(runs.RUN_JSON, data=about)
    assert isinstance(find_pictures(made.folder), Pictures)


def test_arrays_are_gone(made: Made) -> None:
    about = made.read(runs.RUN_JSON)["data"] | {"location": "arrays"}
    made.change(runs.RUN_JSON, data=about)
    found = find_pictures(made.folder)
    assert isinstance(found, NoPictures)
    assert found.reason.startswith("They were arrays in memory.")


def test_nothing_is_downloaded_unasked(made: Made) -> None:
    about = made.read(runs.RUN_JSON)["data"] | {"location": "fashion-mnist"}
    made.change(runs.RUN_JSON, data=about)
    found = find_pictures(made.folder)
    assert found == NoPictures(
        "fashion-mnist would have to be downloaded again: "
        f"`tellapart report {made.folder.path} --data fashion-mnist` does that."
    )


def test_what_was_named_must_be_there(made: Made) -> None:
    with pytest.raises(DataError, match="There is no file, folder or catalog data set 'nowhere'"):
        find_pictures(made.folder, "nowhere")


def test_a_run_that_never_knew_its_data(tmp_path: Path) -> None:
    folder = runs.RunFolder.create("run", out=tmp_path / "run")
    folder.write_info({"status": "failed"})
    assert find_pictures(folder) == NoPictures("run.json does not say what the run was trained on.")
