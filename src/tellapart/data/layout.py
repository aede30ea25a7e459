"""From the names of files to classes and parts. Folders and archives are understood alike.

    photos/                     photos/
    ├── cat/                    ├── train/      (or training)
    │   ├── 1.jpg               │   ├── cat/
    │   └── 2.jpg               │   └── dog/
    └── dog/                    ├── val/        (or valid, validation; may be missing)
        └── 3.jpg               └── test/       (or testing; may be missing)

Nothing here touches a disk: a list of names goes in, and comes out sorted into classes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tellapart.data.classes import check_names, check_number, normalised
from tellapart.data.dataset import PARTS, UNASSIGNED, Part
from tellapart.data.wording import count, listed, printable
from tellapart.errors import DataError
from tellapart.images import EXTENSIONS

PART_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Folder names, in any case, that stand for a part."""

HIDDEN = frozenset(("__MACOSX", "Thumbs.db", "desktop.ini"))
"""What operating systems leave behind without a leading dot."""

OTHER_PICTURES = frozenset(
    (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw")
)
"""Pictures to a person, but not to the decoder: worth a note when they are passed over."""

EXPECTED = """Expected a folder for each class, with pictures in it:
  photos/
  ├── cat/
  │   ├── 1.jpg
  │   └── 2.jpg
  └── dog/
      └── 3.jpg
or train/, validation/ and test/ with such folders below them."""


@dataclass(frozen=True)
class Layout:
    """What the names of the files say.

    Attributes:
        kept: positions of the pictures in the list that came in, sorted by name.
        class_names: sorted, NFC.
        labels: (pictures,) int64, indices into `class_names`.
        parts: (pictures,) int8, indices into PARTS, or UNASSIGNED.
        ignored: number of files that were passed over.
        notes: what the user should know.
    """

    kept: list[int]
    class_names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    parts: npt.NDArray[np.int8]
    ignored: int
    notes: tuple[str, ...]


@dataclass
class _Tree:
    """The pictures by folder, and what was left out while the folders were understood.

    Attributes:
        pictures: folder, "" or ending in "/", to the positions of the pictures right inside it.
        without: folders that hold files, none of them a picture.
        hidden: number of hidden files.
        others: number of files that are not pictures, by extension.
        passed: number of pictures in places where no class folder is expected.
        notes: what to tell the user.
    """

    pictures: dict[str, list[int]]
    without: set[str]
    hidden: int
    others: Counter[str]
    passed: int = 0
    notes: list[str] = field(default_factory=list)

    def children(self, root: str) -> list[str]:
        """The names of the folders right below `root` that hold pictures at any depth."""
        return sorted({f[len(root) :].split("/", 1)[0] for f in self.below(root) if f != root})

    def below(self, root: str) -> Iterator[str]:
        """The folders with pictures right inside them, `root` itself and all below it."""
        return (folder for folder in self.pictures if folder.startswith(root))

    def has_folders(self, root: str) -> bool:
        """Whether folders with pictures lie below `root`."""
        return any(folder != root for folder in self.below(root))

    def number(self, root: str) -> int:
        """Number of pictures at any depth below `root`."""
        return sum(len(self.pictures[folder]) for folder in self.below(root))

    def pass_over(self, root: str, reason: str) -> None:
        """Leaves out the pictures right inside `root`, and says so."""
        pictures = self.pictures.pop(root, [])
        if pictures:
            self.passed += len(pictures)
            self.notes.append(
                f"{count(len(pictures), 'picture')} right inside "
                f"{printable(root) or 'the top folder'} ignored: {reason}."
            )


def arrange(names: Sequence[str], location: str, *, to_train_on: bool = True) -> Layout:
    """Finds classes and parts in the relative names of files.

    Args:
        names: "/" between folders; a name that ends in "/" is a folder.
        location: what errors call the whole.
        to_train_on: whether there must be two classes and training pictures of each.

    Raises:
        DataError: there are no pictures, class names clash, or nothing can be trained on that is
            to be.
    """
    tree = _grow(names)
    if not tree.pictures:
        raise DataError(f"No pictures were found in {location}{_found(tree)}.\n{EXPECTED}")
    root, parts = _find_root(tree, location, to_train_on)
    folders = _classes_in_parts(tree, root, parts) if parts else _classes_in(tree, root, UNASSIGNED)
    if not folders:
        raise DataError(
            f"{location} holds {count(tree.passed, 'picture')} right inside it, and no folders "
            f"that say what they show.\n{EXPECTED}"
        )
    layout = _assemble(names, tree, folders, location)
    if to_train_on:
        _check_trainable(layout, location)
    return layout


def _grow(names: Sequence[str]) -> _Tree:
    pictures: defaultdict[str, list[int]] = defaultdict(list)
    folders: set[str] = set()
    others: Counter[str] = Counter()
    hidden = 0
    runs = _run_folders(names)
    notes = [f"{count(len(runs), 'run folder')} of tellapart ignored."] if runs else []
    hides: dict[str, bool] = {}  # a folder's verdict serves all files in it
    for position, path in enumerate(names):
        cut = path.rfind("/") + 1
        folder, name = path[:cut], path[cut:]
        if folder not in hides:
            hides[folder] = folder.startswith(runs) or any(map(is_hidden, folder.split("/")))
        if hides[folder] or (name and is_hidden(name)):
            hidden += bool(name)
        elif not name:
            folders.add(folder)
        elif (extension := _extension(name)) in EXTENSIONS:
            pictures[folder].append(position)
        else:
            others[extension] += 1
            folders.add(folder)
    return _Tree(dict(pictures), folders, hidden, others, notes=notes)


def _run_folders(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the run folders: `tellapart train .` puts them, plots and all, beside the classes."""
    listed = {name for name in names if name.endswith(("/run.json", "/split.csv"))}
    runs = (name.removesuffix("run.json") for name in listed if name.endswith("/run.json"))
    return tuple(sorted(folder for folder in runs if f"{folder}split.csv" in listed))


def is_hidden(step: str) -> bool:
    """Whether a file or folder of this name is passed over."""
    return step.startswith(".") or step in HIDDEN


def _extension(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def _find_root(tree: _Tree, location: str, to_train_on: bool) -> tuple[str, dict[str, Part]]:
    """Descends through wrapping folders, as in `cifar10/train/...`.

    Returns:
        The folder that holds the classes or the parts, and the part of each of its folders that
        stands for one.
    """
    root, depth = "", 0
    while True:
        children = tree.children(root)
        parts = _find_parts(tree, root, children, location, to_train_on)
        wrapped = len(children) == 1 and f"{root}{children[0]}/" not in tree.pictures
        if parts or not wrapped:
            break
        tree.pass_over(root, "they lie beside the folder that holds the classes")
        root, depth = f"{root}{children[0]}/", depth + 1
    if depth > 1:
        tree.notes.append(f"The classes are taken from {printable(root)}.")
    return root, parts


def _find_parts(
    tree: _Tree, root: str, children: list[str], location: str, to_train_on: bool
) -> dict[str, Part]:
    """Recognises train/, val/ and test/: there is a train folder, with class folders below it.

    Where nothing is to be trained on, several of the others without it are parts, too.
    """
    parts = {name: PART_NAMES[name.lower()] for name in children if name.lower() in PART_NAMES}
    train = [name for name, part in parts.items() if part == "train"]
    if not any(tree.has_folders(f"{root}{name}/") for name in train):
        held_out = [name for name in parts if name not in train]
        if held_out and len(held_out) == len(children) > 1 and not _any_direct(tree, root, parts):
            if not to_train_on:
                return parts
            raise DataError(
                f"{location} holds {listed([f'{root}{name}/' for name in held_out])} but no "
                f"train/ to learn from. Add train/ with the same class folders."
            )
        return {}
    if all(f"{root}{name}/" in tree.pictures for name in train) and len(parts) == len(train):
        return {}  # a class that happens to be called train
    doubled = [part for part, number in Counter(parts.values()).items() if number > 1]
    if doubled:
        names = [f"{root}{name}/" for name, part in parts.items() if part in doubled]
        raise DataError(
            f"{location}: {listed(names)} stand for the same part. Merge them, or rename one."
        )
    return parts


def _any_direct(tree: _Tree, root: str, names: dict[str, Part]) -> bool:
    return any(f"{root}{name}/" in tree.pictures for name in names)


def _classes_in_parts(tree: _Tree, root: str, parts: dict[str, Part]) -> dict[str, tuple[str, int]]:
    folders: dict[str, tuple[str, int]] = {}
    beside = [name for name in tree.children(root) if name not in parts]
    if beside:
        pictures = sum(tree.number(f"{root}{name}/") for name in beside)
        tree.passed += pictures
        tree.notes.append(
            f"{count(pictures, 'picture')} in {listed(beside)} ignored: they lie beside the "
            f"folders {listed(sorted(parts))}."
        )
    tree.pass_over(root, "they lie beside the folders of the parts")
    for name, part in parts.items():
        folders |= _classes_in(tree, f"{root}{name}/", PARTS.index(part))
    return folders


def _classes_in(tree: _Tree, root: str, part: int) -> dict[str, tuple[str, int]]:
    """Returns the class folder and the part of every folder with pictures below `root`."""
    tree.pass_over(root, "they are not in the folder of a class")
    folders = {}
    nested: Counter[str] = Counter()
    for folder in tree.below(root):
        name = folder[len(root) :].split("/", 1)[0]
        folders[folder] = (name, part)
        if folder != f"{root}{name}/":
            nested[name] += len(tree.pictures[folder])
    if nested:
        tree.notes.append(
            f"{count(nested.total(), 'picture')} in folders below "
            f"{listed([f'{root}{name}/' for name in sorted(nested)])} taken as pictures of "
            f"{'that class' if len(nested) == 1 else 'those classes'}."
        )
    empty = {
        name
        for folder in tree.without
        if folder.startswith(root) and (name := folder[len(root) :].split("/", 1)[0])
    } - {name for name, _ in folders.values()}
    if empty and folders:
        tree.notes.append(
            f"No pictures in {listed([printable(f'{root}{name}/') for name in sorted(empty)])}: "
            f"left out."
        )
    return folders


def _assemble(
    names: Sequence[str], tree: _Tree, folders: dict[str, tuple[str, int]], location: str
) -> Layout:
    spelt = {raw: normalised(printable(raw)) for raw, _ in folders.values()}
    _check_spelling(folders, spelt, location)
    class_names = tuple(sorted(set(spelt.values())))
    index = {name: label for label, name in enumerate(class_names)}
    found = [
        (names[position], position, index[spelt[raw]], part)
        for folder, (raw, part) in folders.items()
        for position in tree.pictures[folder]
    ]
    found.sort()
    labels = np.array([row[2] for row in found], dtype=np.int64)
    parts = np.array([row[3] for row in found], dtype=np.int8)
    return Layout(
        kept=[row[1] for row in found],
        class_names=class_names,
        labels=labels,
        parts=parts,
        ignored=tree.hidden + tree.others.total() + tree.passed,
        notes=(*tree.notes, *_note_other_pictures(tree.others)),
    )


def _check_spelling(
    folders: dict[str, tuple[str, int]], spelt: dict[str, str], location: str
) -> None:
    """Two folders of one part must not spell one class; the same class in two parts may."""
    check_names(spelt.values(), location)
    for part in {part for _, part in folders.values()}:
        raw_names = {raw for raw, own in folders.values() if own == part}
        if len({spelt[raw] for raw in raw_names}) < len(raw_names):
            check_names(map(printable, raw_names), location)


def _check_trainable(layout: Layout, location: str) -> None:
    counts = dict(zip(layout.class_names, np.bincount(layout.labels).tolist(), strict=True))
    check_number(counts, location, f"\n{EXPECTED}")
    held_out = np.isin(layout.parts, (PARTS.index("validation"), PARTS.index("test")))
    trained = set(np.unique(layout.labels[~held_out]).tolist())
    missing = [name for label, name in enumerate(layout.class_names) if label not in trained]
    if missing:
        raise DataError(
            f"{location}: no pictures in train/ of {listed(missing)}, but there are some to "
            f"validate or test on. Add pictures to train/, or remove the class from the others."
        )


def _found(tree: _Tree) -> str:
    """Returns what was there instead of pictures."""
    most = sorted(tree.others.items(), key=lambda kind: (-kind[1], kind[0]))[:5]
    kinds = [f"{number:,} {extension or 'without an extension'}" for extension, number in most]
    if tree.hidden:
        kinds.append(f"{tree.hidden:,} hidden")
    total = tree.others.total() + tree.hidden
    if not total:
        return ": it holds empty folders alone" if tree.without else ": it is empty"
    return f", only {count(total, 'other file')} ({', '.join(kinds)})"


def _note_other_pictures(others: Counter[str]) -> list[str]:
    found = [f"{others[kind]:,} {kind}" for kind in sorted(OTHER_PICTURES & set(others))]
    if not found:
        return []
    return [f"Files that cannot be decoded ignored: {', '.join(found)}. Export them as JPEG."]
