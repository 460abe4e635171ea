"""Strip outputs, execution counts and run metadata from the notebooks, so that a diff shows what a person wrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def stripped(book: dict[str, Any]) -> dict[str, Any]:
    """The notebook as it is committed."""
    cells = []
    for number, cell in enumerate(book["cells"]):
        tags = cell.get("metadata", {}).get("tags")
        kept = {
            "cell_type": cell["cell_type"],
            "id": f"cell-{number:02}",
            "metadata": {"tags": tags} if tags else {},
            "source": cell["source"],
        }
        if cell["cell_type"] == "code":
            kept |= {"execution_count": None, "outputs": []}
        cells.append(kept)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def main(paths: list[str]) -> None:
    """Rewrite each notebook in place."""
    for path in [Path(name) for name in paths] or sorted(Path("notebooks").glob("*.ipynb")):
        book = stripped(json.loads(path.read_text()))
        path.write_text(json.dumps(book, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
