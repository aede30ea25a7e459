from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data import load, open_store
from tellapart.data.archive import load_archive
from tellapart.data.cache import list_cache
from tellapart.data.listing import Limits, archive_kind
from tellapart.errors import ArchiveError, DataError, ImageError, SourceGoneError
from tellapart.images import ImageSpec


def picture(value: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((5, 7, 3), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


PICTURES = {
    f"set/{part}/{name}/{number}.png": picture(index * 20 + number)
    for index, (part, name) in enumerate(
        (part, name) for part in ("train", "test") for name in ("cat", "dog")
    )
    for number in range(4)
}


def write_zip(path: Path, members: dict[str, bytes] = PICTURES) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **changes: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in changes.items():
        setattr(info, attribute, value)
    archive.addfile(info, io.BytesIO(content))


def write_tar(path: Path, mode: str = "w", members: dict[str, bytes] = PICTURES) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            add(archive, name, content)
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "zip": write_zip,
    "tar": write_tar,
    "tar.gz": lambda path: write_tar(path, "w:gz"),
    "tar.bz2": lambda path: write_tar(path, "w:bz2"),
    "tar.xz": lambda path: write_tar(path, "w:xz"),
}


@pytest.mark.parametrize("ending", WRITERS)
def test_archives_are_read_like_the_folder(tmp_path: Path, ending: str) -> None:
    archive = WRITERS[ending](tmp_path / f"pets.{ending}")
    for name, content in PICTURES.items():
        path = tmp_path / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    spec = ImageSpec(5, 7)
    folder = load(tmp_path / "unpacked")
    in_folder = open_store(folder, spec)
    for attempt in ("cold", "warm"):
        dataset = load(archive)
        assert dataset.name == "pets", attempt
        assert list(dataset.paths) == sorted(PICTURES) == list(folder.paths)
        assert dataset.labels.tolist() == folder.labels.tolist()
        assert dataset.parts.tolist() == folder.parts.tolist()
        assert dataset.sizes == ((5, 7, 3),) * 16
        assert [dataset.source.read(i) for i in (15, 0)] == [
            PICTURES[dataset.paths[i]] for i in (15, 0)
        ]
        store = open_store(dataset, spec)
        assert np.array_equal(store.pixels[:], in_folder.pixels[:])
        assert store.fingerprint == in_folder.fingerprint


@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_content_decides_not_the_name(tmp_path: Path, ending: str) -> None:
    assert len(load(WRITERS[ending](tmp_path / "data.bin"))) == 16


def test_warm_listing_does_not_open_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_tar(tmp_path / "pets.tgz", "w:gz")
    cold = load(archive)
    assert [entry.kind for entry in list_cache()] == ["listing"]

    def refuse(*_: object) -> None:
        raise AssertionError("decompressed")

    monkeypatch.setattr("tellapart.data.archive.open_tar", refuse)
    warm = load(archive)
    assert warm.sizes == cold.sizes
    assert warm.source.key == cold.source.key


def test_damaged_listing_is_made_again(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "pets.tgz", "w:gz")
    load(archive)
    (entry,) = list_cache()
    kept = entry.folder / "listing.json"
    text = kept.read_text()
    kept.write_text("[" + " " * (len(text) - 1))
    assert len(load(archive)) == 16
    assert kept.read_text() == text


def test_without_a_cache_archives_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "file" / "cache"))
    assert len(load(write_zip(tmp_path / "pets.zip"))) == 16


@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_reading_from_several_threads(tmp_path: Path, ending: str) -> None:
    dataset = load(WRITERS[ending](tmp_path / f"pets.{ending}"))
    order = [index % 16 for index in range(400)]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(dataset.source.read, order))
    assert read == [PICTURES[dataset.paths[index]] for index in order]


def test_names_with_a_dot_in_front(tmp_path: Path) -> None:
    members = {f"./{name}": content for name, content in PICTURES.items()}
    dataset = load(write_tar(tmp_path / "pets.tar", members=members))
    assert list(dataset.paths) == sorted(PICTURES)


UNSAFE = ["/etc/cat/1.png", "C:/cat/1.png", "cat/../../1.png", "..", "cat\\1.png"]


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("writer", [write_zip, write_tar])
def test_unsafe_paths_are_refused(tmp_path: Path, name: str, writer: Callable[..., Path]) -> None:
    path = writer(tmp_path / "evil", members=PICTURES | {name: picture(1)})
    with pytest.raises(ArchiveError, match="1 of its members has unsafe paths") as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert f"\n  {name}\n" in str(caught.value)


def test_names_that_only_look_unsafe_are_fine(tmp_path: Path) -> None:
    members = {
        "cat..s/..1.png": picture(1),
        "do:g/a..png": picture(2),
        "cat..s/b...png": picture(3),
    }
    assert len(load(write_tar(tmp_path / "x.tar", members=members))) == 2  # `..1.png` is hidden


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (tarfile.SYMTYPE, r"evil.png \(a link to /etc/passwd\)"),
        (tarfile.LNKTYPE, r"evil.png \(a link to /etc/passwd\)"),
        (tarfile.FIFOTYPE, r"evil.png \(a device or pipe\)"),
        (tarfile.CHRTYPE, r"evil.png \(a device or pipe\)"),
        (tarfile.BLKTYPE, r"evil.png \(a device or pipe\)"),
    ],
)
def test_links_and_devices_in_a_tar(tmp_path: Path, kind: bytes, says: str) -> None:
    path = write_tar(tmp_path / "evil.tar")
    with tarfile.open(path, "a") as archive:
        add(archive, "set/train/cat/evil.png", type=kind, linkname="/etc/passwd")
    with pytest.raises(ArchiveError, match=says):
        load(path)


def test_links_in_a_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "evil.zip")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("set/train/cat/evil.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ArchiveError, match=r"links, devices or the like:\n  set/train/cat/evil"):
        load(path)


def test_encrypted_members(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "secret.zip", {"a/1.png": picture(1), "b/1.png": picture(2)})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"1 of its members is encrypted:\n  a/1.png"):
        load(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_two_members_of_one_name(tmp_path: Path, ending: str) -> None:
    path = WRITERS[ending](tmp_path / f"x.{ending}")
    name = "set/train/cat/0.png"
    if ending == "zip":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, picture(9))
    else:
        with tarfile.open(path, "a") as tar:
            add(tar, f"./{name}", picture(9))
    with pytest.raises(ArchiveError, match=f"the name of another.*\n  {name}"):
        load(path)


@pytest.mark.parametrize("ending", WRITERS)
def test_bombs(tmp_path: Path, ending: str) -> None:
    path = WRITERS[ending](tmp_path / "bomb")
    kind = archive_kind(path)
    assert kind is not None
    total = sum(map(len, PICTURES.values()))
    with pytest.raises(ArchiveError, match="decompresses to more than 1,000 bytes"):
        load_archive(path, kind, "x", "x", Limits(total_bytes=1000))
    with pytest.raises(ArchiveError, match="holds more than 3 members"):
        load_archive(path, kind, "x", "x", Limits(members=3))
    with pytest.raises(ArchiveError, match=r"looks like a decompression bomb: [\d,]+ bytes grow"):
        load_archive(path, kind, "x", "x", Limits(ratio=0.01, ratio_from_bytes=total - 1))
    assert len(load_archive(path, kind, "x", "x", Limits(total_bytes=10**6, members=16))) == 16


def test_a_tar_member_that_claims_too_much(tmp_path: Path) -> None:
    path = tmp_path / "liar.tar"
    info = tarfile.TarInfo("a/1.png")
    info.size = 10**12
    path.write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(ArchiveError, match="damaged or cut short"):
        load(path)


def test_a_zip_member_that_claims_too_little(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "liar.zip", {"a/1.png": picture(1) * 50, "b/1.png": picture(2)})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(content)
    dataset = load(path)
    with pytest.raises(ImageError, match=r"a/1\.png: is damaged in the archive"):
        dataset.source.read(0)


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_archives(tmp_path: Path, ending: str, share: float) -> None:
    path = WRITERS[ending](tmp_path / f"cut.{ending}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    if ending == "tar" and share == 0.9:
        path.write_bytes(content[: 512 * 6])  # between two members, where nothing looks amiss
    with pytest.raises(DataError, match=r"damaged or cut short|its start is damaged"):
        load(path)


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_damage_inside_a_tar(tmp_path: Path, ending: str) -> None:
    path = write_tar(tmp_path / "plain.tar")
    content = bytearray(path.read_bytes())
    second = 512 + 512  # the header of the second member, after one block of content
    content[second : second + 100] = b"\xff" * 100
    path.write_bytes(content)
    if ending == "tar.gz":
        import gzip

        path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(ArchiveError, match="damaged or cut short"):
        load(path)


def test_one_damaged_member_of_a_zip_is_one_failure(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "pets.zip")
    content = bytearray(path.read_bytes())
    at = content.index(b"set/train/dog/1.png") + len("set/train/dog/1.png")
    content[at : at + 20] = b"\0" * 20
    path.write_bytes(content)
    dataset = load(path)
    store = open_store(dataset, ImageSpec(5, 7))
    assert [dataset.paths[index] for index in store.failures] == ["set/train/dog/1.png"]
    assert "is damaged in the archive" in next(iter(store.failures.values()))


def test_compressed_but_no_tar(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"hello" * 500))
    with pytest.raises(ArchiveError, match="is compressed, but holds no tar archive"):
        load(path)


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
def test_empty_archives(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"empty.{ending}"
    if ending == "zip":
        write_zip(path, {})
    else:
        write_tar(path, "w:gz" if ending == "tar.gz" else "w", {})
    with pytest.raises(DataError, match=r"No pictures were found in .*: it is empty"):
        load(path)


def test_vanished_archive_is_an_image_error(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "pets.zip")
    load(path)
    warm = load(path)
    path.unlink()
    with pytest.raises(SourceGoneError, match=r"set/test/cat/0\.png: .*pets\.zip is no longer"):
        warm.source.read(0)


def test_no_room_to_decompress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "pets.tgz", "w:gz")

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:  # a real file tries once more to write its buffer
            super().close()
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(ArchiveError, match=r"No space left on device.*TMPDIR"):
        load(path)
