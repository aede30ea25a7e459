"""What a network is trained on and measured with: pictures, and who trains and who tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tellapart.data.columns import Column
from tellapart.data.dataset import PARTS, Dataset, Excluded
from tellapart.data.split import Split
from tellapart.data.thinning import thin
from tellapart.data.wording import bullets, count, listed
from tellapart.errors import DataError


@dataclass(frozen=True)
class Material:
    """What a network is trained on and measured with.

    Attributes:
        dataset: the pictures.
        parts: who trains, who tests.
        signatures: of the pictures; tells what cannot be decoded.
        groups: (n,) int64, equal numbers for copies of one picture.
    """

    dataset: Dataset
    parts: Split
    signatures: Column
    groups: npt.NDArray[np.int64]

    @property
    def used(self) -> npt.NDArray[np.int64]:
        """The pictures that are in some part: (k,) sorted positions."""
        return np.sort(np.concatenate([self.parts.part(part) for part in PARTS]))

    def thin(self, keep: int) -> Material:
        """Returns about so many of the pictures."""
        return replace(self, parts=thin(self.parts, self.dataset.labels, keep)).only_used()

    def only_used(self) -> Material:
        """Returns the pictures that are in some part, and no others."""
        used = self.used
        train, validation, calibration, test = (
            np.searchsorted(used, self.parts.part(part)).astype(np.int64) for part in PARTS
        )
        return Material(
            self.dataset.take(used),
            Split(train, validation, calibration, test, self.parts.seed, self.parts.notes),
            self.signatures.take(used),
            self.groups[used],
        )

    def without(self, failures: Mapping[int, str]) -> tuple[Material, list[Excluded]]:
        """Leaves out pictures that the audit could read, and that cannot be read any more.

        Raises:
            DataError: nothing is left of a class to train on, or nothing to test on.
        """
        used = set(self.used.tolist())
        gone = sorted(i for i in failures if i in used)
        if not gone:
            return self, []
        left = self.parts.without(gone)
        before = np.unique(self.dataset.labels[self.parts.train])
        after = np.unique(self.dataset.labels[left.train])
        missing = [self.dataset.class_names[k] for k in np.setdiff1d(before, after)]
        excluded = [Excluded(self.dataset.paths[i], failures[i]) for i in gone]
        if missing or not len(left.test):
            named = [f"{item.path}: {item.reason}" for item in excluded]
            what = listed(missing) if missing else "the test part"
            raise DataError(
                f"{count(len(gone), 'picture')} of {self.dataset.location} could be read a moment "
                f"ago and cannot be read any more; nothing is left of {what}. Was a folder moved, "
                f"or a drive taken out? For example:{bullets(named)}"
            )
        return replace(self, parts=left), excluded
