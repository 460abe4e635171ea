"""Answer files in the form in which Packstack writes them."""

from __future__ import annotations

from collections.abc import Mapping

from stackbook.packstack import answers, catalogue

PASSWORD = "pl4nted97d1b3c4"
COMMENT = "# Words about this option,\n# over several lines; with an = sign."


def written(release: str = catalogue.LATEST, changed: Mapping[str, str] | None = None, left_out: tuple[str, ...] = ()) -> str:
    """The file of ``packstack --gen-answer-file``, with some answers changed and some options left out."""
    made_up = {"<random>": PASSWORD, "<address>": "192.0.2.10"}
    known = {name: made_up.get(value, value) for name, value in answers.defaults(release).items()}
    values = {name: value for name, value in {**known, **(changed or {})}.items() if name not in left_out}
    return "[general]\n" + "".join(f"\n{COMMENT}\n{name}={value}\n" for name, value in values.items())
