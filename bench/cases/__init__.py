"""Arguments of every operation of the Backend, at sizes that training meets; one module per family."""

from cases import activation, augment, data, dense, dropout, loss, norm, random, update, weights
from cases.table import Case

FAMILIES = (activation, augment, data, dense, dropout, loss, norm, random, update, weights)
CASES: list[Case] = [case for family in FAMILIES for case in family.CASES]

__all__ = ["CASES", "Case"]
