"""Models.

``structure`` has the layers and their weights, ``compilation`` the objective, ``fitting``, ``inference`` and
``inspection`` what is done with them; ``sequential`` joins them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.models.cloning import clone_model, model_from_json
from flyball.models.sequential import Sequential

if TYPE_CHECKING:
    from flyball.saving import load_model

__all__ = ["Sequential", "clone_model", "load_model", "model_from_json"]


def __getattr__(name: str) -> Any:
    if name == "load_model":  # loaded where it is used, with what files need
        from flyball.saving import load_model

        return load_model
    raise _checks.no_attribute(__name__, name, __all__)
