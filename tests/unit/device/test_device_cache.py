"""The cache: what is fetched once, kept to a limit, and dropped when it is withdrawn."""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from device_builders import DISEASE, a_bundle, an_answer, listed, serving, write_public

from cluster.clock import ManualClock
from cluster.contracts.image_models import Bundle, ListedModel, VariantName
from cluster.device.cache import MIB, Cache
from cluster.device.client import Device
from cluster.device.source import open_source
from cluster.errors import IntegrityError, NoSpace, NotFound, Unreachable
from cluster.models.bundle import version_of


def use(device: Device, name: str = "colours", variant: VariantName = "int8") -> int:
    """Fetch a model as a command does; return the bytes that came."""
    with device.model(name, variant) as fetched:
        device.recogniser(fetched)
        return fetched.bytes_downloaded


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_model_is_downloaded_once(device: Any, public: Path) -> None:
    """C5: the first use downloads, the second says that all is cached, and it works offline."""
    assert use(device()) > 0
    assert use(device()) == 0
    public.rename(public.with_name("away"))
    offline = device()
    assert use(offline) == 0
    listing = offline.listing()
    assert not listing.fresh and listing.listed_at == 1_700_000_002.0
    assert "no list can be read" in listing.problem


def test_only_what_is_needed_is_fetched(
    device: Any, bundle_files: tuple[Bundle, dict[str, bytes]]
) -> None:
    """C5: of two variants the one that is used, with the golden images."""
    bundle, _ = bundle_files
    made = device()
    use(made, variant="fp32")
    fp32, int8 = (bundle.variant(name) for name in ("fp32", "int8"))
    assert fp32 and int8
    golden = bundle.golden[0].sha256
    assert names(made.cache.files.folder) == {version_of(bundle), fp32.sha256, golden}
    assert use(device(), variant="int8") == int8.size


def test_without_any_list_it_says_what_to_do(tmp_path: Path, device: Any) -> None:
    """C5: a first start without a connection is one clear error."""
    with pytest.raises(Unreachable, match=r"Name the folder that holds models\.json"):
        use(device(str(tmp_path / "nowhere")))


def test_damage_is_seen_at_every_load(device: Any, public: Path) -> None:
    """C5: a file that has changed on the disk is not run but fetched again."""
    made = device()
    use(made)
    (large,) = [p for p in made.cache.files.folder.iterdir() if b"Softmax" in p.read_bytes()]
    content = large.read_bytes()
    large.write_bytes(content[:-1] + b"x")
    assert use(device()) == len(content)
    large.write_bytes(content[:-1] + b"x")
    public.rename(public.with_name("away"))
    with pytest.raises(Unreachable):
        use(device())


@pytest.mark.parametrize("change", [b"x", b""])
def test_false_content_is_not_kept(device: Any, public: Path, change: bytes) -> None:
    """C5: what has another digest than its name, or is longer, leaves nothing behind."""
    for path in (public / "files").iterdir():
        if b"Softmax" in path.read_bytes():
            path.write_bytes((path.read_bytes()[:-1] + b"x") if change else path.read_bytes() * 2)
    made = device()
    with pytest.raises(IntegrityError):
        use(made)
    assert not [name for name in names(made.cache.files.folder) if ".part" in name]


def test_the_least_recently_used_goes(tmp_path: Path) -> None:
    """C5: over the limit the model used longest ago goes, but no pinned one and none in use."""
    bundles = [a_bundle(f"m{n}", padding=(6 + n) * MIB // 10) for n in range(4)]
    tree = write_public(
        tmp_path / "public", [listed(one) for one, _ in bundles], *(files for _, files in bundles)
    )

    def made(second: int) -> Device:
        clock = ManualClock(second)
        return Device(Cache(tmp_path / "cache", clock), open_source(str(tree)), clock)

    def here() -> set[str]:
        return {one.bundle.name for one in made(0).cache.models() if one.variants}

    made(0).cache.set_limit(2)
    use(made(1), "m0")
    use(made(2), "m1")
    use(made(3), "m0")
    assert use(made(4), "m2") and here() == {"m0", "m2"}
    made(5).cache.set_pinned(version_of(bundles[0][0]), pinned=True)
    assert use(made(6), "m3") and here() == {"m0", "m3"}
    last = made(7)
    with last.model("m3", "int8"), pytest.raises(NoSpace, match="Raise the limit"):
        use(made(8), "m2")
    assert {"m0", "m3"} <= here()


def test_a_cached_model_is_used_whatever_the_limit(tmp_path: Path) -> None:
    """C5: where nothing is missing no other model goes, and a lower limit refuses nothing."""
    bundles = [a_bundle(f"m{n}", padding=(6 + n) * MIB // 10) for n in range(2)]
    tree = write_public(
        tmp_path / "public", [listed(one) for one, _ in bundles], *(files for _, files in bundles)
    )

    def made(second: int) -> Device:
        clock = ManualClock(second)
        return Device(Cache(tmp_path / "cache", clock), open_source(str(tree)), clock)

    use(made(1), "m0")
    use(made(2), "m1")
    part = made(0).cache.files.folder / f"{'0' * 64}.part"
    part.write_bytes(b"cut")
    made(0).cache.set_limit(0)
    assert use(made(3), "m0") == use(made(4), "m1") == 0
    assert len(made(0).cache.models()) == 2 and part.exists()


def test_a_cut_download_outlives_another_model(tmp_path: Path) -> None:
    """C5: fetching a model does not cost what came of another one, while there is room."""
    cut, other = a_bundle("cut", padding=MIB), a_bundle("other")
    listing = [listed(cut[0]), listed(other[0])]
    tree = write_public(tmp_path / "public", listing, cut[1], other[1])
    clock = ManualClock(1.0)
    with serving(tree) as server:

        def made() -> Device:
            return Device(Cache(tmp_path / "cache", clock), open_source(server.url), clock)

        server.cuts = [MIB, MIB // 2] + [0] * 20  # the bundle comes whole, its file does not
        with pytest.raises(Unreachable):
            use(made(), "cut")
        (part,) = (tmp_path / "cache" / "files").glob("*.part")
        size = part.stat().st_size
        server.cuts, server.asked = [], []
        assert use(made(), "other") and use(made(), "cut")
        resumed = [headers.get("range") for path, headers in server.asked if part.stem in path]
        assert size and resumed == [f"bytes={size}-"]


def test_parts_go_first_and_the_oldest_of_them(tmp_path: Path) -> None:
    """C5: for room the part that was cut first goes, then the next, and models only then."""
    bundles = [a_bundle(f"m{n}", padding=(6 + n) * MIB // 10) for n in range(2)]
    tree = write_public(
        tmp_path / "public", [listed(one) for one, _ in bundles], *(files for _, files in bundles)
    )
    clock = ManualClock(1.0)
    device = Device(Cache(tmp_path / "cache", clock), open_source(str(tree)), clock)
    use(device, "m0")
    folder = device.cache.files.folder
    for age, letter in enumerate("bca"):  # b was cut first
        part = folder / f"{letter * 64}.part"
        part.write_bytes(b"x" * (3 * MIB // 10))
        os.utime(part, (age, age))
    device.cache.set_limit(2)
    use(device, "m1")
    assert {path.stem[0] for path in folder.glob("*.part")} == {"c", "a"}
    device.cache.set_limit(1)
    assert device.cache.drop(version_of(bundles[1][0]))
    use(device, "m1")
    assert not list(folder.glob("*.part"))
    assert [one.bundle.name for one in device.cache.models()] == ["m1"]


def test_a_dropped_model_leaves_no_part(tmp_path: Path) -> None:
    """C5 C9: with a version goes what came of its files in part."""
    bundle, files = a_bundle(padding=MIB)
    tree = write_public(tmp_path / "public", [listed(bundle)], files)
    clock = ManualClock(1.0)
    with serving(tree) as server:
        server.cuts = [MIB, MIB // 2] + [0] * 20
        device = Device(Cache(tmp_path / "cache", clock), open_source(server.url), clock)
        with pytest.raises(Unreachable):
            use(device)
    assert list(device.cache.files.folder.glob("*.part"))
    assert device.cache.drop(version_of(bundle)) and names(device.cache.files.folder) == set()


def test_what_is_withdrawn_is_dropped(
    device: Any, public: Path, bundle_files: tuple[Bundle, dict[str, bytes]]
) -> None:
    """C5 C9: a retired version goes at the next list, pinned or not, and is not used."""
    bundle, _ = bundle_files
    made = device()
    use(made)
    made.cache.set_pinned(version_of(bundle), pinned=True)
    retired = listed(bundle, state="retired", serving=False, reason="wrong labels")
    write_public(public, [retired], made_at=1.0)
    later = device()
    assert [one.bundle.name for one in later.listing().dropped] == ["colours"]
    assert names(later.cache.files.folder) == set()
    with pytest.raises(NotFound, match="colours is retired: wrong labels"):
        use(later)


def test_what_is_in_use_is_not_dropped(
    device: Any, public: Path, bundle_files: tuple[Bundle, dict[str, bytes]]
) -> None:
    """C5: a version that a command is running stays until its end."""
    bundle, _ = bundle_files
    made = device()
    with made.model("colours", "int8"):
        write_public(public, [listed(bundle, state="retired", serving=False)], made_at=1.0)
        assert device().listing().dropped == ()
        assert not made.cache.drop(version_of(bundle))
    assert made.cache.drop(version_of(bundle)) and made.cache.models() == []


def test_files_that_versions_share_stay(tmp_path: Path) -> None:
    """C5: a golden image of two versions goes with the second of them."""
    first, second = a_bundle(), a_bundle(padding=64)
    listing = [listed(first[0], serving=False), listed(second[0], number=2)]
    tree = write_public(tmp_path / "public", listing, first[1], second[1])
    clock = ManualClock(1.0)
    device = Device(Cache(tmp_path / "cache", clock), open_source(str(tree)), clock)
    use(device, "colours@1")
    use(device, "colours")
    golden = first[0].golden[0].sha256
    assert device.cache.drop(version_of(first[0])) and device.cache.files.has(golden)
    assert device.cache.drop(version_of(second[0])) and not device.cache.files.has(golden)


def test_another_version_stands_in_offline(tmp_path: Path) -> None:
    """C5: where the new version cannot be fetched, the cached one of its name is used, and said."""
    first, second = a_bundle(), a_bundle(padding=64)
    tree = write_public(tmp_path / "public", [listed(first[0])], first[1])
    clock = ManualClock(1.0)

    def made() -> Device:
        return Device(Cache(tmp_path / "cache", clock), open_source(str(tree)), clock)

    use(made())
    write_public(tree, [listed(first[0], serving=False), listed(second[0], number=2)])
    assert made().listing().fresh
    tree.rename(tmp_path / "away")
    with made().model("colours", "int8") as fetched:
        assert fetched.listed.number == 1
        assert fetched.instead is not None and fetched.instead.number == 2


def test_a_version_that_was_rolled_back_from_does_not_stand_in(tmp_path: Path) -> None:
    """C5 C11: no newer version stands in for the one that serves, but the newest earlier one."""
    bundles = [a_bundle(padding=64 * n) for n in range(1, 5)]

    def listing(serving_number: int) -> list[ListedModel]:
        return [
            listed(one, number=n, serving=n == serving_number)
            for n, (one, _) in enumerate(bundles, 1)
        ]

    tree = write_public(tmp_path / "public", listing(4), *(files for _, files in bundles))
    clock = ManualClock(1.0)

    def made() -> Device:
        return Device(Cache(tmp_path / "cache", clock), open_source(str(tree)), clock)

    use(made(), "colours@4")
    write_public(tree, listing(3))
    assert made().listing().fresh
    tree.rename(tmp_path / "away")
    with pytest.raises(Unreachable):
        use(made())
    (tmp_path / "away").rename(tree)
    use(made(), "colours@2")
    use(made(), "colours@1")
    write_public(tree, list(reversed(listing(3))))
    assert made().listing().fresh
    tree.rename(tmp_path / "away")
    with made().model("colours", "int8") as fetched:
        assert fetched.listed.number == 2
        assert fetched.instead is not None and fetched.instead.number == 3


def test_an_answer_about_another_disease_is_refused(device: Any, public: Path) -> None:
    """C8: what is about another disease than was asked for is neither shown nor kept."""
    path = public / "answers" / f"{DISEASE.replace(':', '_')}.json"
    right = path.read_text()
    path.write_text(an_answer(disease_id="MONDO:0000002").model_dump_json())
    made = device()
    with pytest.raises(IntegrityError, match=f"{DISEASE} is about 'MONDO:0000002'"):
        made.answer(DISEASE)
    assert made.cache.answer(DISEASE) is None
    path.write_text(right)
    assert made.answer(DISEASE).answer.disease_id == DISEASE


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let the system refuse to make any file longer, as a full disk does."""
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)


def test_a_full_disk_leaves_the_part(tmp_path: Path) -> None:
    """C5: a full disk is one clear error; what came is kept, and only the rest is fetched then."""
    bundle, files = a_bundle(padding=1 * MIB)
    tree = write_public(tmp_path / "public", [listed(bundle)], files)
    clock = ManualClock(1.0)
    with serving(tree) as server:

        def made() -> Device:
            return Device(Cache(tmp_path / "cache", clock), open_source(server.url), clock)

        with file_size_limit(MIB // 4), pytest.raises(NoSpace, match="the disk is full"):
            use(made())
        (part,) = (tmp_path / "cache" / "files").glob("*.part")
        assert part.stat().st_size == MIB // 4
        assert not (tmp_path / "cache" / "files" / part.stem).exists()
        use(made())
        resumed = [headers.get("range") for path, headers in server.asked if part.stem in path]
        assert resumed == [None, f"bytes={MIB // 4}-"]
    assert not list((tmp_path / "cache").rglob("*.part*"))


def test_a_full_disk_leaves_the_list_that_was(device: Any, public: Path) -> None:
    """C5: a list that cannot be written leaves the last one whole."""
    device().listing()
    bundle, _ = a_bundle()
    write_public(public, [listed(bundle, summary="x" * 5000)], made_at=1.0)
    with file_size_limit(2000), pytest.raises(NoSpace, match="the list could not be kept"):
        device().listing()
    kept = device().cache.last_list()
    assert kept is not None and kept.made_at == 0.0
    assert device().listing().models.made_at == 1.0
