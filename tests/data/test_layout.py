from __future__ import annotations

import unicodedata
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.dataset import PARTS, UNASSIGNED
from tellapart.data.layout import Layout, arrange
from tellapart.errors import DataError

TRAIN, VALIDATION, TEST = (PARTS.index(part) for part in ("train", "validation", "test"))


def classes_of(names: list[str], layout: Layout) -> dict[str, tuple[str, int]]:
    """Name of each picture that was kept to its class and part."""
    return {
        names[position]: (layout.class_names[label], part)
        for position, label, part in zip(
            layout.kept, layout.labels.tolist(), layout.parts.tolist(), strict=True
        )
    }


def test_folder_per_class_comes_out_sorted() -> None:
    names = ["dog/2.png", "cat/b.JPG", "dog/1.png", "cat/a.jpg"]
    layout = arrange(names, "photos")
    assert layout.class_names == ("cat", "dog")
    assert [names[position] for position in layout.kept] == sorted(names)
    assert layout.labels.tolist() == [0, 0, 1, 1]
    assert layout.labels.dtype == np.int64
    assert layout.parts.tolist() == [UNASSIGNED] * 4
    assert layout.parts.dtype == np.int8
    assert layout.ignored == 0
    assert layout.notes == ()


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "VAL"])
@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "testing")])
def test_parts(train: str, validation: str, test: str) -> None:
    names = [f"{part}/{name}/1.png" for part in (train, validation, test) for name in ("a", "b")]
    found = classes_of(names, arrange(names, "x"))
    assert found[f"{train}/a/1.png"] == ("a", TRAIN)
    assert found[f"{validation}/b/1.png"] == ("b", VALIDATION)
    assert found[f"{test}/b/1.png"] == ("b", TEST)


def test_train_alone_is_a_part() -> None:
    assert arrange(["train/a/1.png", "train/b/1.png"], "x").parts.tolist() == [TRAIN, TRAIN]


def test_wrapping_folder_is_descended() -> None:
    names = ["cifar/train/a/1.png", "cifar/train/b/1.png", "cifar/test/a/2.png"]
    assert classes_of(names, arrange(names, "x"))["cifar/test/a/2.png"] == ("a", TEST)
    deep = ["x/y/a/1.png", "x/y/b/1.png"]
    layout = arrange(deep, "x")
    assert layout.class_names == ("a", "b")
    assert layout.notes == ("The classes are taken from x/y/.",)


def test_a_class_called_train_is_a_class() -> None:
    layout = arrange(["train/1.png", "car/1.png", "plane/1.png"], "vehicles")
    assert layout.class_names == ("car", "plane", "train")
    assert set(layout.parts.tolist()) == {UNASSIGNED}


def test_a_class_called_train_with_folders_below_is_a_class() -> None:
    layout = arrange(["train/1.png", "train/old/2.png", "car/1.png"], "vehicles")
    assert layout.class_names == ("car", "train")
    assert layout.notes == ("1 picture in folders below 'train/' taken as pictures of that class.",)


def test_pictures_deeper_down_belong_to_the_class_on_top() -> None:
    names = ["cat/1.png", "cat/tabby/2.png", "cat/tabby/young/3.png", "dog/4.png"]
    layout = arrange(names, "x")
    assert layout.labels.tolist() == [0, 0, 0, 1]
    assert layout.notes == ("2 pictures in folders below 'cat/' taken as pictures of that class.",)


def test_hidden_files_and_other_files_are_counted() -> None:
    names = [
        "a/1.png",
        "b/1.png",
        "a/.DS_Store",
        "a/._1.png",
        ".git/x.png",
        "__MACOSX/a/1.png",
        "a/Thumbs.db",
        "desktop.ini",
        "README.md",
        "b/notes",
    ]
    layout = arrange(names, "x")
    assert [names[position] for position in layout.kept] == ["a/1.png", "b/1.png"]
    assert layout.ignored == 8
    assert layout.notes == ()


def test_strays_are_noted() -> None:
    layout = arrange(["a/1.png", "b/1.png", "cover.png", "back.png"], "x")
    assert layout.ignored == 2
    assert layout.notes == (
        "2 pictures right inside the top folder ignored: they are not in the folder of a class.",
    )


def test_folders_beside_the_parts_are_noted() -> None:
    names = ["train/a/1.png", "train/b/1.png", "test/a/1.png", "extra/a/9.png", "test/9.png"]
    layout = arrange(names, "x")
    assert len(layout.kept) == 3
    assert layout.ignored == 2
    assert layout.notes == (
        "1 picture in 'extra' ignored: they lie beside the folders 'test', 'train'.",
        "1 picture right inside test/ ignored: they are not in the folder of a class.",
    )


def test_folder_without_pictures_is_noted() -> None:
    layout = arrange(["a/1.png", "b/1.png", "c/", "d/1.heic"], "x")
    assert layout.class_names == ("a", "b")
    assert layout.notes == (
        "No pictures in 'c/', 'd/': left out.",
        "Files that cannot be decoded ignored: 1 .heic. Export them as JPEG.",
    )


def test_spaces_emoji_and_unicode_are_fine() -> None:
    decomposed = unicodedata.normalize("NFD", "Café")
    layout = arrange([f"{decomposed}/1.png", "two words/1.png", "🐈/1.png"], "x")
    assert layout.class_names == ("Café", "two words", "🐈")


def test_one_class_may_be_spelt_in_two_ways_in_two_parts() -> None:
    decomposed = unicodedata.normalize("NFD", "Café")
    layout = arrange(["train/Café/1.png", "train/b/1.png", f"test/{decomposed}/1.png"], "x")
    assert layout.class_names == ("Café", "b")


@pytest.mark.parametrize("other", ["cat", unicodedata.normalize("NFD", "Café")])
def test_names_that_are_easily_confused(other: str) -> None:
    first = "Cat" if other == "cat" else "Café"
    with pytest.raises(DataError, match="differ in upper and lower case or in their Unicode form"):
        arrange([f"{first}/1.png", f"{other}/1.png", "dog/1.png"], "x")


def test_case_across_parts() -> None:
    with pytest.raises(DataError, match="'Cat', 'cat'"):
        arrange(["train/Cat/1.png", "train/dog/1.png", "test/cat/1.png"], "x")


def test_undecodable_names_become_printable() -> None:
    layout = arrange(["caf\udce9/1.png", "b/1.png"], "x")
    assert layout.class_names == ("b", "caf\\udce9")


def test_control_characters_are_refused() -> None:
    with pytest.raises(DataError, match="without control characters"):
        arrange(["a\x1b[31m/1.png", "b/1.png"], "x")


def test_nothing_there() -> None:
    with pytest.raises(DataError, match=r"No pictures were found in photos: it is empty") as caught:
        arrange([], "photos")
    assert "├── cat/" in str(caught.value)
    with pytest.raises(DataError, match=r"only 3 other files \(2 \.txt, 1 hidden\)"):
        arrange(["a/1.txt", "a/2.txt", ".x"], "photos")


def test_pictures_without_folders() -> None:
    with pytest.raises(DataError, match="photos holds 2 pictures right inside it, and no folders"):
        arrange(["1.png", "2.png"], "photos")


def test_one_class() -> None:
    expected = r"photos holds one class only, 'cat' \(pictures: 2\)\. A classifier needs at least 2"
    with pytest.raises(DataError, match=expected):
        arrange(["cat/1.png", "cat/2.png"], "photos")
    with pytest.raises(DataError, match=expected):
        arrange(["wrapped/cat/1.png", "wrapped/cat/2.png"], "photos")


def test_one_class_to_evaluate_on() -> None:
    layout = arrange(["cat/1.png", "cat/2.png"], "photos", to_train_on=False)
    assert (layout.class_names, layout.labels.tolist()) == (("cat",), [0, 0])


def test_class_without_training_pictures() -> None:
    with pytest.raises(DataError, match=r"no pictures in train/ of 'c', 'd'"):
        arrange(
            ["train/a/1.png", "train/b/1.png", "test/c/1.png", "val/d/1.png", "val/a/1.png"], "x"
        )


def test_parts_without_train() -> None:
    with pytest.raises(DataError, match=r"holds 'test/', 'val/' but no train/"):
        arrange(["val/a/1.png", "val/b/1.png", "test/a/1.png"], "x")


def test_parts_to_evaluate_on() -> None:
    names = ["val/a/1.png", "val/b/1.png", "test/a/1.png", "test/c/1.png"]
    layout = arrange(names, "x", to_train_on=False)
    assert layout.class_names == ("a", "b", "c")
    assert [names[kept] for kept in layout.kept] == sorted(names)
    assert [PARTS[part] for part in layout.parts] == ["test", "test", "validation", "validation"]
    # With train/ beside them, too.
    layout = arrange([*names, "train/a/1.png"], "x", to_train_on=False)
    assert layout.class_names == ("a", "b", "c")


def test_two_folders_for_one_part() -> None:
    with pytest.raises(DataError, match=r"'val/', 'valid/' stand for the same part"):
        arrange(["train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/a/1.png"], "x")


STEPS = st.sampled_from(
    ["a", "b", "C", "train", "test", "val", ".hidden", "x y", "🐈", "1.png", "2.jpg", "n.txt"]
)
NAMES = st.lists(st.lists(STEPS, min_size=1, max_size=4).map("/".join), max_size=25, unique=True)


@given(NAMES)
def test_every_name_is_kept_or_counted(names: list[str]) -> None:
    try:
        layout = arrange(names, "x")
    except DataError:
        return
    assert len(layout.kept) + layout.ignored == len(names)
    assert len(set(layout.kept)) == len(layout.kept) == len(layout.labels) == len(layout.parts)
    assert set(layout.labels.tolist()) == set(range(len(layout.class_names)))
    assert list(layout.class_names) == sorted(layout.class_names)
    assert len(layout.class_names) >= 2


def test_run_folders_are_no_classes() -> None:
    """`tellapart train .`, run for the second time."""
    names = ["cat/1.png", "dog/1.png"]
    run = ["runs/x-1/run.json", "runs/x-1/split.csv", "runs/x-1/plots/curves.png"]
    layout = arrange([*names, *run], "photos")
    assert layout.class_names == ("cat", "dog")
    assert layout.ignored == 3
    assert layout.notes == ("1 run folder of tellapart ignored.",)
    assert arrange([*names, "cow/run.json", "cow/1.png"], "photos").class_names[1] == "cow"


def outcome(names: list[str]) -> object:
    """Everything that the names say, or the error."""
    try:
        layout = arrange(names, "x")
    except DataError as error:
        return str(error)
    return list(classes_of(names, layout).items()), layout.class_names, layout.notes


@given(NAMES, st.randoms(use_true_random=False))
def test_the_order_of_names_does_not_matter(names: list[str], random: Random) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)
    assert outcome(names) == outcome(shuffled)


def test_empty_class_folders_are_not_called_nothing() -> None:
    with pytest.raises(
        DataError, match=r"No pictures were found in x: it holds empty folders alone"
    ):
        arrange(["cat/", "dog/"], "x")
