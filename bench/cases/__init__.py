"""Arguments of every operation of the Backend, at sizes that training meets; one module per family."""

from cases import activation, augment, data, dense, dropout, loss, norm, update
from cases.table import Case

CASES: list[Case] = [
    case for family in (activation, augment, data, dense, dropout, loss, norm, update) for case in family.CASES
]

__all__ = ["CASES", "Case"]
