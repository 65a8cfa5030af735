// Rows of data sets, their axes, and totals: the conventions are those of flyball/ops.h, shapes and formulas those of
// flyball/backend/data.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// out (n, c); rows (n) in [0, number of x's rows).
template <class T>
void gather(Team& team, T* out, const Source& x, const Index* rows, Index n, Index c);
double gather_cost(Index n, Index c);

// out (n, c); rows (n) in [0, number of the rows of labels).
void gather_labels(Team& team, Index* out, const Index* labels, const Index* rows, Index n, Index c);

// y (n, second, first, rest) = x (n, first, second, rest) with the two axes exchanged. y is not x.
template <class T>
void swap_axes(Team& team, T* y, const T* x, Index n, Index first, Index second, Index rest);
double swap_axes_cost(Index count);

// position (1), workspace of find_not_finite_workspace() bytes; rows of x (n, c) row_stride elements apart.
template <class T>
void find_not_finite(Team& team, Index* position, const T* x, Index row_stride, Index n, Index c);
std::size_t find_not_finite_workspace();
double find_not_finite_cost(Index bytes);

// total (1), values (n).
void add_total(Team& team, double* total, const double* values, Index n, double scale);

}  // namespace flyball
