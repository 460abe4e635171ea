"""Moving machines out of bundles onto a site: what fits where, what stands in the way, and the proof that they landed."""

from __future__ import annotations

from stackbook.moves.images import export, image
from stackbook.moves.landing import consoles, landed
from stackbook.moves.move import Move, fit
from stackbook.moves.waves import Wave, wave

__all__ = ["Move", "Wave", "consoles", "export", "fit", "image", "landed", "wave"]
