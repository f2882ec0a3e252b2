"""python -m jobs                    (this list)"""

import ast
from pathlib import Path

from jobs.shell import console


def main() -> None:
    """Print the first line of every job's docstring: its command and what it does."""
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        first = text.splitlines()[0] if text else ""
        if first.startswith("python -m jobs."):
            console().print(first, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
