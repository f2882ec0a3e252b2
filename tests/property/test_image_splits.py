"""What holds for every set of images: names, duplicates and splits."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from image_builders import LIMITS, a_picture

from cluster.ids import sha256
from cluster.images.duplicates import NEAR_BITS_MAX, near_duplicates, repeated
from cluster.images.examine import Image, Upload, examine
from cluster.images.names import name_findings, shown
from cluster.images.splits import assign, place_of

PARTS = st.sampled_from(
    ["a", "..", ".", "", "con", "x.jpg", "é", "e\u0301", "A", "\x00", "\\", "c:"]
)
NAMES = st.lists(st.one_of(PARTS, st.text(max_size=12)), min_size=1, max_size=10).map("/".join)


@given(NAMES)
def test_a_name_that_passes_stays_inside(name: str) -> None:
    """C1: a name without finding leads nowhere but below the folder, on any system."""
    if not name_findings([name], LIMITS):
        parts = name.removesuffix("/").split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not set("\\:\x00") & set(name) and not name.startswith("/")
        assert len(name.encode()) <= 255 and len(parts) <= 8
    assert shown(name).isprintable()


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_near_duplicates_are_found_exactly(seed: int, n: int) -> None:
    """C1: the pairs are those of a comparison one by one, and the groups are their closure."""
    random = np.random.default_rng(seed)
    bits = np.zeros((n, 256), np.uint8)
    for row in range(n):
        bits[row, random.choice(256, int(random.integers(0, 16)), replace=False)] = 1
    hashes = [np.packbits(row).tobytes() for row in bits]
    found = near_duplicates(hashes, ["a"] * n)
    apart = (bits[:, None] != bits[None]).sum(2)
    expected = {(a, b) for a in range(n) for b in range(a + 1, n) if apart[a, b] <= NEAR_BITS_MAX}
    assert set(map(tuple, found.pairs_P2.tolist())) == expected
    assert [int(apart[a, b]) for a, b in found.pairs_P2.tolist()] == found.bits_P.tolist()
    group = list(range(n))
    for a, b in sorted(expected):
        old, new = group[b], group[a]
        group = [new if one == old else one for one in group]
    same = found.group_N[:, None] == found.group_N[None]
    assert (same == (np.asarray(group)[:, None] == np.asarray(group)[None])).all()


def test_groups_reach_across_blocks() -> None:
    """C1: a chain of near-duplicates through a large set is one group; others stay alone."""
    random = np.random.default_rng(3)
    bits = random.integers(0, 2, (700, 256)).astype(np.uint8)
    chain = [5, 650, 300, 299, 699, 0]
    for before, after in pairwise(chain):
        bits[after] = bits[before]
        bits[after, random.choice(256, NEAR_BITS_MAX, replace=False)] ^= 1
    found = near_duplicates([np.packbits(row).tobytes() for row in bits], ["a", "b"] * 350)
    same = np.flatnonzero(found.group_N == found.group_N[0])
    assert same.tolist() == sorted(chain)
    assert len(set(found.group_N.tolist())) == 695
    assert (found.n_across, found.n_within) == (3, 2)


def test_very_many_pairs_are_counted_and_not_listed() -> None:
    """C1: of a set that is all alike every pair is counted, and a bounded number listed."""
    found = near_duplicates([bytes(32)] * 300, ["a"] * 100 + ["b"] * 200)
    assert (found.n_across, found.n_within) == (20_000, 99 * 50 + 199 * 100)
    assert len(found.pairs_P2) == 1000 and len(set(found.group_N.tolist())) == 1


SETS = st.lists(
    st.tuples(st.lists(st.sampled_from("PQRSTUVW"), max_size=2), st.integers(0, 9)), max_size=40
)


@given(SETS)
def test_what_belongs_together_stays_together(rows: list[tuple[list[str], int]]) -> None:
    """C1: no person and no group of near-duplicates lies in two splits."""
    files = [sha256(str(n)) for n in range(len(rows))]
    near = np.asarray([group for _, group in rows], np.int64)
    parts = assign(files, [persons for persons, _ in rows], near)
    where: dict[object, str] = {}
    for (persons, group), split in zip(rows, parts.splits, strict=True):
        for key in (group, *persons):
            assert where.setdefault(key, split) == split
    again = assign(files, [persons for persons, _ in rows], near)
    assert again.splits == parts.splits


@given(st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_images_that_come_later_move_none(n: int, more: int, with_persons: bool) -> None:
    """C1: an image stays in its split whatever unrelated images are added, in whatever order."""
    files = [sha256(f"image {at}") for at in range(n + more)]
    persons = [[f"person {at // 2}"] if with_persons else [] for at in range(n + more)]
    whole = n - n % 2 if with_persons else n
    near = np.arange(n + more)
    before = assign(files[:whole], persons[:whole], near[:whole]).splits
    after = assign(files, persons, near).splits
    assert after[:whole] == before
    turned = assign(files[::-1], persons[::-1], near).splits
    assert turned[::-1] == after


@given(st.integers(1, 20), st.integers(1, 20))
def test_a_person_stays_where_they_are(n: int, more: int) -> None:
    """C1: further images of a known person go to the split of that person and move nobody."""
    files = [sha256(f"image {at}") for at in range(n * (1 + more))]
    persons = [[f"person {at % n}"] for at in range(n * (1 + more))]
    before = assign(files[:n], persons[:n], np.arange(n)).splits
    after = assign(files, persons, np.arange(len(files))).splits
    assert after == before * (1 + more)


def test_shares_are_those_that_are_promised() -> None:
    """C1: of many groups 70, 15 and 15 per cent go to the three parts; the places never change."""
    splits = [place_of(str(n)) for n in range(20_000)]
    assert abs(splits.count("training") / 20_000 - 0.80) < 0.01
    assert abs(splits.count("validation") / 20_000 - 0.10) < 0.01
    assert [place_of(name) for name in "abcdefgh"] == [
        *["training"] * 6,
        "validation",
        "training",
    ]


def an_upload(seeds: list[int], labels: list[str], turned: bool = False) -> Upload:
    images = [
        Image(
            f"{label}/{n}.jpg",
            label,
            sha256(str(seed)),
            sha256(f"clean {seed}"),
            9,
            a_picture(seed),
        )
        for n, (seed, label) in enumerate(zip(seeds, labels, strict=True))
    ]
    if turned:
        images = [replace(one, name=f"{one.label}/other-{one.name[2:]}") for one in images[::-1]]
    files = {label: labels.count(label) for label in "ab"}
    return Upload(images, ["a", "b"], files, {}, {}, [], 0)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), min_size=1, max_size=40))
def test_one_digest_whatever_the_order_and_the_names(rows: list[tuple[int, str]]) -> None:
    """C1: the digest of a set depends on its images, classes and splits alone; equal pixels count
    once in a class, and not at all in two.
    """
    seeds, labels = [seed for seed, _ in rows], [label for _, label in rows]
    one = examine(an_upload(seeds, labels))
    other = examine(an_upload(seeds, labels, turned=True))
    assert one.manifest == other.manifest and one.card.digest == other.card.digest
    kept = {(image.digest, image.label) for image in one.manifest.images}
    expected = {
        (sha256(f"clean {seed}"), label)
        for seed, label in rows
        if not {(seed, "a"), (seed, "b")} <= set(rows)
    }
    assert kept == expected and len(one.manifest.images) == len(kept)


@given(st.lists(st.sampled_from("xyz"), max_size=12), st.data())
def test_repeated_images_are_kept_once_or_not(pixels: list[str], data: st.DataObject) -> None:
    """C1: the first of a class is kept; where classes differ, none is."""
    labels = [data.draw(st.sampled_from("ab")) for _ in pixels]
    for group in repeated(pixels, labels):
        members = [*([] if group.kept is None else [group.kept]), *group.left_out]
        assert members == [n for n, one in enumerate(pixels) if one == pixels[members[0]]]
        assert (group.kept is None) == (len({labels[n] for n in members}) > 1)
