"""Arguments of every operation of the Backend, at sizes that training meets; one module per family."""

from cases import activation, data, dense, dropout, loss, norm, update, weights
from cases.table import Case

CASES: list[Case] = [
    case for family in (activation, data, dense, dropout, loss, norm, update, weights) for case in family.CASES
]

__all__ = ["CASES", "Case"]
