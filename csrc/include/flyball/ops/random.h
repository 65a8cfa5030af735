// Random numbers: the conventions are those of flyball/ops.h, formulas those of flyball/backend/random.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// out: `count` elements.
template <class T>
void random_uniform(Team& team, T* out, Index count, double low, double high, RandomKey key);
template <class T>
void random_normal(Team& team, T* out, Index count, double mean, double std, RandomKey key);
template <class T>
void random_truncated_normal(Team& team, T* out, Index count, double mean, double std, double bound, RandomKey key);

// out: integers in [low, high), low < high.
void random_integers(Team& team, Index* out, Index count, Index low, Index high, RandomKey key);

// out: 0 to count - 1 in random order.
void random_permutation(Team& team, Index* out, Index count, RandomKey key);

// y = x + std * n; y may be x.
template <class T>
void gaussian_noise_forward(Team& team, T* y, const T* x, Index count, double std, RandomKey key);

// y = x * (1 + std * n), forward and backward; y may be x.
template <class T>
void gaussian_dropout(Team& team, T* y, const T* x, Index count, double std, RandomKey key);

// The std of gaussian dropout at `rate`.
double gaussian_dropout_std(double rate);

double random_cost(Index count);
double permutation_cost(Index count);

}  // namespace flyball
