"""Which file is for what, and who is seen in it."""

import pytest
from image_builders import LIMITS

from cluster.contracts.images import ClassCounts
from cluster.errors import InputError
from cluster.images.names import lay_out, name_findings, shown
from cluster.images.persons import check_table, read_persons
from cluster.images.rules import judge


@pytest.mark.parametrize("wrapper", ["", "set/", "upload/set/"])
def test_a_folder_per_class_is_found_below_any_wrapper(wrapper: str) -> None:
    """C1: classes are the folders of the images, whatever folders lie around the whole set."""
    names = ["a/1.jpg", "a/2.PNG", "b/1.webp", "README.md", "persons.csv", ".DS_Store"]
    found = lay_out([f"{wrapper}{name}" for name in names] + ["__MACOSX/a/._1.jpg"])
    assert found.images == {f"{wrapper}a/1.jpg": "a", f"{wrapper}a/2.PNG": "a"} | {
        f"{wrapper}b/1.webp": "b"
    }
    assert found.tables == [f"{wrapper}persons.csv"]
    assert found.texts == [f"{wrapper}README.md"]
    assert (found.labels, found.findings) == (["a", "b"], [])


@pytest.mark.parametrize(
    "names",
    [
        ["a/1.jpg", "b/1.jpg", "1.jpg"],
        ["a/1.jpg", "b/1.jpg", "b/more/1.jpg"],
        ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg"],
        ["1.jpg", "2.jpg"],
    ],
)
def test_mixed_levels_are_refused(names: list[str]) -> None:
    """C1: an image outside the folder of a class, or in a folder within, refuses the set."""
    levels = {(one.level, one.code) for one in lay_out(names).findings}
    assert ("refused", "levels_mixed") in levels


def test_one_class_alone_stays_a_class() -> None:
    """C1: a set with one folder has one class, not a folder around none."""
    assert lay_out(["a/1.jpg", "a/2.jpg"]).labels == ["a"]
    assert lay_out(["set/a/1.jpg", "set/a/2.jpg"]).labels == ["a"]


def test_files_that_are_no_images_are_left_out_by_name() -> None:
    """C1: other formats and other files are named; the set goes on without them."""
    found = lay_out(["a/1.jpg", "b/1.jpg", "a/scan.dcm", "a/notes.docx", "b/moving.gif"])
    codes = {one.place: one.code for one in found.findings}
    assert codes == {
        "a/notes.docx": "file_not_image",
        "a/scan.dcm": "format_not_allowed",
        "b/moving.gif": "format_not_allowed",
    }


@pytest.mark.parametrize("name", ["unknown", "Unknown", "UNKNOWN"])
def test_no_class_is_called_unknown(name: str) -> None:
    """C1 C5: that stands for an image outside of the model, so the set is refused at once."""
    findings = lay_out([f"{name}/1.jpg", "b/1.jpg"]).findings
    assert [(one.level, one.code, one.place) for one in findings] == [
        ("refused", "class_name", name)
    ]
    assert "outside of the model" in findings[0].message
    assert [one.code for one in lay_out(["a/1.jpg", "b/1.jpg"], [name]).findings] == ["class_name"]


def test_names_of_classes_are_composed_short_and_distinct() -> None:
    """C1: decomposed letters are composed; names that differ only in case, or are long, refuse."""
    assert lay_out(["e\u0301/1.jpg", "b/1.jpg"]).labels == ["b", "\u00e9"]
    codes = [one.code for one in lay_out(["Flu/1.jpg", "flu/2.jpg"]).findings]
    assert codes == ["class_names_collide"]
    assert lay_out([f"{'x' * 64}/1.jpg", "b/1.jpg"]).findings == []
    codes = [one.code for one in lay_out([f"{'x' * 65}/1.jpg", "b/1.jpg"]).findings]
    assert codes == ["class_name"]


def test_empty_folders_are_classes_without_images() -> None:
    """C1: a class whose folder is empty is counted, not forgotten."""
    assert lay_out(["a/1.jpg", "b/1.jpg"], ["a", "b", "c", "__MACOSX"]).labels == ["a", "b", "c"]


def test_findings_are_safe_to_print() -> None:
    """C1: a name in a finding steers no terminal and has a bounded length."""
    (finding,) = name_findings(["a/\x1b[2J\u202e.jpg"], LIMITS)
    assert finding.place == "a/\\x1b[2J\\u202e.jpg"
    assert finding.remedy and "cannot be shown" in finding.message
    assert len(shown("\x00" * 500)) == 120


IMAGES = {"set/a/1.jpg": "a", "set/a/2.jpg": "a", "set/b/1.jpg": "b"}


@pytest.mark.parametrize(
    "table",
    [
        "path,patient\na/1.jpg,P1\na/2.jpg,P1\nb/1.jpg,P2\n",
        "\ufeffFile;Patient ID;Class\r\n1.jpg;P1;a\r\n2.jpg;P1;a\r\n1.jpg;P2;b\r\n",
        "set,class,file,patient\nother,c,7.jpg,P9\nset,a,1.jpg,P1\nset,a,2.jpg,P1\nset,b,1.jpg,P2",
        "filename\tsubject\nset/a/1.jpg\tP1\nset\\a\\2.jpg\tP1\n./b/1.jpg\tP2\n",
    ],
)
def test_tables_of_persons_are_read_tolerantly(table: str) -> None:
    """C1: whatever separator, heads, order and way of naming files, the persons are found."""
    found = read_persons({"t.csv": table.encode()}, IMAGES, "set/")
    expected = {"set/a/1.jpg": ("P1",), "set/a/2.jpg": ("P1",), "set/b/1.jpg": ("P2",)}
    assert found.by_file == expected
    assert {one.code for one in found.findings} <= {"table_rows_unmatched"}


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (b"path,patient\na/1.jpg,P1\n", "person_missing"),
        (b"path,patient\na/1.jpg,P1\na/1.jpg,P2\n", "person_conflict"),
        (b"a,b\n1,2\n", "table_without_persons"),
        (b'path,patient\n"a/1.jpg,P1\n', "table_unreadable"),
        (b"path,patient\nx/9.jpg,P1\n", "table_rows_unmatched"),
        (b"file,patient\n1.jpg,P1\n", "table_rows_ambiguous"),
        (b"", "table_without_persons"),
        (b"path,patient\na/1.jpg,P1\na/2.jpg,\n", "table_rows_without_person"),
    ],
)
def test_what_a_table_does_not_tell_is_named(table: bytes, code: str) -> None:
    """C1: images without a person, with several, and unreadable rows are findings, without ids."""
    findings = read_persons({"t.csv": table}, IMAGES, "set/").findings
    assert code in {one.code for one in findings}
    assert not [one for one in findings if "P1" in one.model_dump_json()]


def test_rows_without_a_person_are_counted_and_the_first_is_named() -> None:
    """C1: so that it can be found; the head is row 1, empty lines count for nothing."""
    table = b"path,patient\na/1.jpg,P1\na/2.jpg,\n\nb/1.jpg,unknown\n"
    (found,) = [
        one
        for one in read_persons({"t.csv": table}, IMAGES, "set/").findings
        if one.code == "table_rows_without_person"
    ]
    assert (found.level, found.place) == ("warning", "t.csv")
    assert "2 rows" in found.message and "row 3" in found.message


def counts(*kept: int) -> list[ClassCounts]:
    return [
        ClassCounts(name=f"c{n}", files=k, training=k - 2 * (k > 2), validation=k > 2, test=k > 2)
        for n, k in enumerate(kept)
    ]


@pytest.mark.parametrize(
    ("kept", "refused", "warned"),
    [
        ((50, 50), set(), set()),
        ((49, 50), set(), {"class_small"}),
        ((5, 50), set(), {"class_small"}),
        ((4, 50), {"class_too_small"}, set()),
        ((50,), {"classes_too_few"}, set()),
        ((), {"classes_too_few"}, set()),
        ((500, 50), set(), set()),
        ((501, 50), set(), {"classes_unbalanced"}),
    ],
)
def test_rules_of_classes(kept: tuple[int, ...], refused: set[str], warned: set[str]) -> None:
    """C1: two classes and five images each are the least; under 50 and over 10 to 1 are told."""
    found = judge(counts(*kept))
    assert {one.code for one in found if one.level == "refused"} == refused
    assert {one.code for one in found if one.level == "warning"} == warned


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"name,who\nx,1\n", "name, who"), (b"", "but "), (b"patient;age\n1;2\n", "patient, age")],
)
def test_a_table_that_was_named_on_purpose_must_name_persons(content: bytes, said: str) -> None:
    """C1: a split by person that was asked for is not silently another one."""
    check_table(b"File;Patient ID\na.png;1\n")
    with pytest.raises(InputError, match="no columns for file and person") as refused:
        check_table(content)
    assert said in refused.value.what and "patient_id" in refused.value.remedy
