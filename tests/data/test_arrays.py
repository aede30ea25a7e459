from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tellapart.data import arrays, load, open_store
from tellapart.data.arrays import digest
from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset
from tellapart.data.listing import Limits
from tellapart.errors import DataError, UsageError
from tellapart.images import ImageSpec, decode

Array = npt.NDArray[Any]


def pixels(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def labels(number: int, classes: int = 2) -> npt.NDArray[np.int64]:
    return np.arange(number) % classes


def read(dataset: Dataset, index: int) -> Array:
    raw = dataset.source.read(index)
    assert isinstance(raw, np.ndarray)
    return raw


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 4, 1), (6, 5, 4, 3), (6, 5, 4, 4)])
def test_shapes(shape: tuple[int, ...]) -> None:
    dataset = load((pixels(*shape), labels(6)))
    channels = 1 if len(shape) == 3 or shape[3] == 1 else 3
    assert dataset.sizes == ((5, 4, channels),) * 6
    assert list(dataset.paths) == [f"{number:06}" for number in range(6)]
    assert dataset.class_names == ("0", "1")
    assert set(dataset.parts.tolist()) == {UNASSIGNED}
    assert (dataset.name, dataset.location) == ("arrays", "arrays")


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 4, 1), (6, 5, 4, 3), (6, 5, 4, 4)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(5, 4), (4, 5)])
def test_store_holds_what_decode_makes(
    shape: tuple[int, ...], channels: int, size: tuple[int, int]
) -> None:
    x = pixels(*shape)
    spec = ImageSpec(*size, channels)
    store = open_store(load((x, labels(6))), spec)
    assert np.array_equal(store.pixels[:], [decode(one, spec) for one in x])


def test_parts() -> None:
    dataset = load((pixels(4, 2, 2), labels(4)), test=(pixels(2, 2, 2), labels(2)))
    assert list(dataset.paths)[3:] == ["train/000003", "test/000000", "test/000001"]
    assert [PARTS[part] for part in dataset.parts] == ["train"] * 4 + ["test"] * 2
    assert np.array_equal(read(dataset, 5), pixels(2, 2, 2)[1])


def test_floats_are_scaled_and_rounded() -> None:
    x = np.array([0, 0.5, 1, 0.0019], dtype=np.float32).reshape(4, 1, 1)
    dataset = load((x, labels(4)))
    # 0.5 · 255 = 127.5, rounded to even; 0.0019 · 255 = 0.48.
    assert [int(read(dataset, index)[0, 0]) for index in range(4)] == [0, 128, 255, 0]
    assert dataset.notes == ("Floating-point pixels 0 to 1 scaled to 0 to 255 and rounded.",)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((4, 3, 8, 8), np.uint8), r"channels seem to come first.*x\.transpose\(0, 2, 3"),
        (np.zeros((4, 8), np.uint8), r"shape \(4, 8\) and type uint8: expected \(n, height, wid"),
        (np.zeros((4, 8, 8, 2), np.uint8), "with 1, 3 or 4 channels"),
        (np.zeros((4, 0, 8), np.uint8), "there is not a single pixel"),
        (np.zeros((0, 8, 8), np.uint8), "there is not a single picture"),
        (np.zeros((4, 8, 8), np.int64), r'convert them with x\.astype\("uint8"\)'),
        (np.zeros((4, 8, 8), bool), "type bool: expected uint8"),
        (np.full((4, 8, 8), np.nan), r"not a number \(NaN\)"),
        (np.full((4, 8, 8), np.inf), "values from inf to inf"),
        (np.linspace(-1, 1, 256).reshape(4, 8, 8), "values from -1 to 1: floating-point pixels"),
        (np.full((4, 8, 8), 255.0), "from 255 to 255: .* expected from 0 to 1"),
    ],
)
def test_pixels_that_are_refused(x: Array, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load((x, labels(len(x))))


@pytest.mark.parametrize(
    ("y", "names", "expected"),
    [
        ([10, 2, 2, 10], ("2", "10"), [1, 0, 0, 1]),
        ([[1], [0], [0], [1]], ("0", "1"), [1, 0, 0, 1]),
        ([1.0, 0.0, 0.0, 1.0], ("0", "1"), [1, 0, 0, 1]),
        (["dog", "cat", "cat", "dog"], ("cat", "dog"), [1, 0, 0, 1]),
        (np.array(["dog", "cat", "cat", "dog"], dtype=object), ("cat", "dog"), [1, 0, 0, 1]),
        ([[0, 1], [1, 0], [1, 0], [0, 1]], ("0", "1"), [1, 0, 0, 1]),
        (np.array([-1, 3, 3, -1], np.int8), ("-1", "3"), [0, 1, 1, 0]),
    ],
)
def test_labels(y: Any, names: tuple[str, ...], expected: list[int]) -> None:
    dataset = load((pixels(4, 2, 2), y))
    assert dataset.class_names == names
    assert dataset.labels.tolist() == expected
    assert dataset.labels.dtype == np.int64


def test_class_names_are_sorted_and_labels_follow() -> None:
    dataset = load((pixels(4, 2, 2), [0, 1, 2, 0]), class_names=["owl", "bat", "T-shirt/top"])
    assert dataset.class_names == ("T-shirt/top", "bat", "owl")
    assert [dataset.class_names[label] for label in dataset.labels] == [
        "owl",
        "bat",
        "T-shirt/top",
        "owl",
    ]


@pytest.mark.parametrize(
    ("y", "class_names", "says"),
    [
        ([0, 1, 0], None, "x has 4 pictures and y has 3 labels"),
        (5, None, "x has 4 pictures and y has 1 label"),
        ([0, 1, 0, 2], ["a", "b"], "labels from 0 to 2, but there are 2 class names"),
        ([[1, 1]] * 4, None, "one-hot rows with exactly one 1"),
        ([[0.5, 0.5]] * 4, None, "one-hot rows with exactly one 1"),
        ([[0, 1], [1, 0]] * 2, ["a", "b", "c"], "2 columns for 3 class names"),
        ([0.5, 1, 0, 1], None, "expected whole numbers, strings, or one-hot rows"),
        ([float("nan"), 1, 0, 1], None, "expected whole numbers, strings, or one-hot rows"),
        (np.zeros((4, 1, 1)), None, r"expected \(n,\), \(n, 1\), or one-hot"),
        ([7, 7, 7, 7], None, "holds one class only, '7'"),
        (["", "a", "a", "a"], None, "expected text without control characters"),
        (["a", "A", "a", "a"], None, "differ in upper and lower case"),
        ([0, 1, 0, 1], ["a", "a"], "class_names holds 'a' more than once"),
    ],
)
def test_labels_that_are_refused(y: Any, class_names: list[str] | None, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load((pixels(4, 2, 2), y), class_names=class_names)


def test_labels_to_evaluate_on(tmp_path: Path) -> None:
    x = pixels(4, 2, 2)
    assert load((x, [7] * 4), to_train_on=False).class_names == ("7",)
    found = load((x, [0, 1, 0, 1]), test=(x, [2] * 4), to_train_on=False)
    assert found.count_by_class() == {"0": 2, "1": 2, "2": 4}
    path = tmp_path / "test.npz"
    np.savez(path, x_test=x, y_test=[3] * 4)
    with pytest.raises(DataError, match=r"'x_test', 'y_test': expected x_train and y_train"):
        load(path)
    found = load(path, to_train_on=False)
    assert (found.class_names, found.has_part("test")) == (("3",), True)
    with pytest.raises(DataError, match="holds one class only, '3'"):
        load(found)


def test_names_and_numbers_do_not_mix() -> None:
    x = pixels(2, 2, 2)
    with pytest.raises(DataError, match="some labels are names and some are numbers"):
        load((x, ["a", "b"]), test=(x, [0, 1]))


def test_test_class_without_training_pictures() -> None:
    x = pixels(3, 2, 2)
    with pytest.raises(DataError, match="no pictures to train on of '2'"):
        load((x, [0, 1, 1]), test=(x, [0, 1, 2]))


def test_key_is_of_the_content() -> None:
    x = pixels(4, 2, 2)
    key = load((x, labels(4))).source.key
    assert load((x.copy(), labels(4))).source.key == key
    assert load((x.reshape(4, 2, 2, 1), labels(4))).source.key != key
    assert digest([x[:2], x[2:]]) != digest([x])


def test_tuple_of_three() -> None:
    with pytest.raises(UsageError, match=r"A tuple of 3: expected two arrays, \(x, y\)"):
        load((1, 2, 3))  # type: ignore[arg-type]


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_npz_as_keras_has_it(tmp_path: Path) -> None:
    x = pixels(6, 4, 4)
    y = labels(6)
    path = save(
        tmp_path / "my data.npz",
        x_train=x,
        y_train=y,
        x_val=x[:2],
        y_val=y[:2],
        x_test=x[:4],
        y_test=y[:4],
        class_names=np.array(["b", "a"]),
    )
    dataset = load(path)
    assert dataset.name == "my-data"
    assert dataset.class_names == ("a", "b")
    assert [PARTS[part] for part in dataset.parts] == (
        ["train"] * 6 + ["validation"] * 2 + ["test"] * 4
    )


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels")])
def test_npz_without_parts(tmp_path: Path, names: tuple[str, str]) -> None:
    path = save(tmp_path / "x.npz", **{names[0]: pixels(4, 2, 2), names[1]: labels(4)})
    dataset = load(path, class_names=["no", "yes"])
    assert dataset.class_names == ("no", "yes")
    assert set(dataset.parts.tolist()) == {UNASSIGNED}


def test_npz_with_other_arrays(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds the arrays 'data', 'target': expected x_train"):
        load(save(tmp_path / "x.npz", data=pixels(4, 2, 2), target=labels(4)))
    with pytest.raises(DataError, match="holds x_train but no y_train"):
        load(save(tmp_path / "x.npz", x_train=pixels(4, 2, 2)))
    with pytest.raises(DataError, match="expected x_train and y_train"):
        load(save(tmp_path / "x.npz", x_test=pixels(4, 2, 2), y_test=labels(4)))


def test_npz_with_objects(tmp_path: Path) -> None:
    path = save(tmp_path / "x.npz", x=np.array([{}, {}]), y=labels(2))
    with pytest.raises(DataError, match=r"x\.npy holds Python objects, which could run code"):
        load(path)


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_damaged_npz(tmp_path: Path, keep: int) -> None:
    path = save(tmp_path / "x.npz", x=pixels(4, 8, 8), y=labels(4))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"is damaged, or not an \.npz file"):
        load(path)


def test_npz_that_claims_too_much(tmp_path: Path) -> None:
    import zipfile

    def write(shape: str) -> Path:
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr(
                "x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
            )
        return tmp_path / "x.npz"

    with pytest.raises(DataError, match="claims 1,000,000,000,000 bytes, more than the"):
        load(write("(1000000, 1000, 1000)"))
    with pytest.raises(DataError, match="claims more than it holds"):
        load(write("(1000, 1000, 1000)"))


def test_an_npz_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    np.savez(tmp_path / "a.npz", x=pixels(2, 4, 4), y=labels(2))
    monkeypatch.setattr("zipfile.ZipFile", refuse)
    with pytest.raises(DataError, match=r"Cannot read .*a\.npz: Permission denied\.$"):
        load(tmp_path / "a.npz")


def test_an_array_that_grows_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 KB of zeros can be gigabytes; the limits are lowered so that 4 MB are too many."""
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, x=np.zeros((1000, 64, 64), np.uint8), y=labels(1000))
    assert len(load(path)) == 1000
    monkeypatch.setattr(arrays, "LIMITS", Limits(ratio=200, ratio_from_bytes=2**20))
    with pytest.raises(DataError) as error:
        load(path)
    assert f"zeros.npz looks like a decompression bomb: {path.stat().st_size:,} bytes grow" in str(
        error.value
    )
    assert "Save it with numpy.savez, which does not compress, if you trust it." in str(error.value)
