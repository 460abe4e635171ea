"""Proofs: tables that must be empty. A row is a counterexample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from stackbook.errors import ProofFailed
from stackbook.render.values import one_line, shown

Row = Mapping[str, Any]


class Proof(list[dict[str, Any]]):
    """Counterexamples to a claim; shown as a green line when empty, as a red table otherwise."""

    def __init__(self, claim: str, rows: Iterable[Row] = ()) -> None:
        super().__init__(dict(row) for row in rows)
        self.claim = claim

    def hold(self) -> Self:
        """Itself when it is empty; else shows its rows and raises ProofFailed."""
        if self:
            _show(self)
            raise ProofFailed(
                f"expected: {self.claim}; found {len(self)} counterexample(s)", found=[_line(row) for row in self[:5]]
            )
        return self

    def __repr__(self) -> str:
        from stackbook.render.text import proof_text

        return proof_text(self)

    def _repr_html_(self) -> str:
        from stackbook.render.html import proof_html

        return proof_html(self)


class Proofs(tuple[Proof, ...]):
    """Several proofs, shown one below the other."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))

    def _repr_html_(self) -> str:
        return "".join(proof._repr_html_() for proof in self)


def proofs(*found: Proof) -> Proofs:
    """The proofs of one cell, so that it shows all of them and not only the last."""
    return Proofs(found)


def _line(row: Row) -> str:
    return ", ".join(f"{name} {one_line(shown(value))}" for name, value in row.items())


def _show(proof: Proof) -> None:
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import display
    except ImportError:
        print(proof)
        return
    display(proof) if get_ipython() else print(proof)
