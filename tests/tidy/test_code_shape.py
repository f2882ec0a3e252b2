"""Sizes, words and docstrings of the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("cluster", "actors", "serve_apps", "jobs")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
OPEN_WORK = ("TO" + "DO", "FIX" + "ME", "X" * 3)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def public_without_docstring(tree: ast.Module) -> list[str]:
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_"]
    bare = [one.name for one in classes if not ast.get_docstring(one)]
    owners: list[ast.Module | ast.ClassDef] = [tree, *classes]
    named = (n for owner in owners for n in owner.body if isinstance(n, Function))
    return bare + [n.name for n in named if n.name[0] != "_" and not ast.get_docstring(n)]


@pytest.mark.parametrize("path", FILES + TESTS, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    """B3: a file has at most 400 lines and a function 60, so that each is read at one sitting."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES_MAX
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1})"
        for node in functions(ast.parse(text))
        if node.end_lineno and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_left_open(path: Path) -> None:
    """B3: no print and no mark of unfinished work."""
    text = path.read_text(encoding="utf-8")
    assert not [word for word in OPEN_WORK if word in text]
    calls = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_what_is_public_is_explained(path: Path) -> None:
    """B3: every module, public class and public function has a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    explains_itself = path.is_relative_to(ROOT / "jobs") or path.name == "ports.py"
    bare = [] if explains_itself else public_without_docstring(tree)
    assert not bare


def test_every_folder_of_code_is_a_package() -> None:
    """B3: a folder with modules has an __init__.py that says what it is for."""
    folders = {path.parent for path in FILES}
    assert {ROOT / "cluster", ROOT / "actors"} <= folders
    assert not [name_of(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_test_files_have_names_of_their_own() -> None:
    """B3: pytest finds test modules by name alone."""
    names = [path.name for path in TESTS if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
