"""``make docs``: write the pages that are made from the code."""

from __future__ import annotations

from pathlib import Path

from stackbook.cli import reference

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"

if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(reference.page())
    print(PAGE)
