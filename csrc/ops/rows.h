// What layer and group normalisation share: rows that are normalised each on its own, (n * g, c), with gamma, beta and
// their gradients (g, c). Layer normalisation is that with g = 1, group normalisation with a group a row.
#pragma once

#include "flyball/ops.h"

namespace flyball {

template <class T>
void normalise_rows(Team& team, T* y, double* mean, double* rstd, const T* x, const T* gamma, const T* beta, Index n,
                    Index g, Index c, double epsilon);
template <class T>
void differentiate_rows(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma,
                        const double* mean, const double* rstd, Index n, Index g, Index c);

// Of the backward pass.
std::size_t rows_workspace(Index n, Index g, Index c);

}  // namespace flyball
