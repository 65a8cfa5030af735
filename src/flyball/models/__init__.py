"""Models.

``structure`` has the layers and their weights, ``compilation`` the objective, ``fitting``, ``inference`` and
``inspection`` what is done with them; ``sequential`` joins them.
"""

from __future__ import annotations

from flyball.models.sequential import Sequential
from flyball.saving import load_model

__all__ = ["Sequential", "load_model"]
