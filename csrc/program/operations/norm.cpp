#include "program/operations/arguments.h"

namespace flyball {
namespace {

// Rows, channels and the product of the other axes; a vector of statistics has an element a channel.
struct Sizes {
  Index n, c, s;
};

Sizes sizes(Index rows, I i, std::size_t array, std::size_t statistics) {
  const Index channels = count(i, statistics);
  return {rows, channels, channels == 0 ? 1 : columns(i, array) / channels};
}

Sizes sizes(const Step& step, I i, std::size_t array, std::size_t statistics) {
  return sizes(rows(step, i, array), i, array, statistics);
}

// Of the largest batch.
Sizes sizes(I i, std::size_t array, std::size_t statistics) {
  return sizes(i.buffers[array]->most_rows, i, array, statistics);
}

template <std::size_t array, std::size_t statistics>
double batch_norm_cost_of(I i) {
  const auto [n, c, extent] = sizes(i, array, statistics);
  return batch_norm_cost(n, c, extent);
}

template <std::size_t array, std::size_t statistics>
std::size_t batch_norm_workspace_of(I i) {
  const auto [n, c, extent] = sizes(i, array, statistics);
  return batch_norm_workspace(n, c, extent);
}

// y, mean, rstd, running_mean, running_var, x, gamma, beta, mask; momentum, epsilon, unbiased, rate; activation
template <class T>
void batch_norm_forward(Team& team, const Step& s, I i) {
  const auto [n, c, extent] = sizes(s, i, 0, 1);
  const BatchNormParams params = {number(s, i, 0), number(s, i, 1), number(s, i, 2) != 0, i.activations[0]};
  flyball::batch_norm_forward(team, at<T>(s, i, 0), at<double>(s, i, 1), at<double>(s, i, 2), at<T>(s, i, 3),
                              at<T>(s, i, 4), at<const T>(s, i, 5), at<const T>(s, i, 6), at<const T>(s, i, 7),
                              at<const std::uint8_t>(s, i, 8), n, c, extent, params, keep(i, 3));
}

// dx, dgamma, dbeta, dy, x, gamma, beta, mean, rstd, mask; rate; activation
template <class T>
void batch_norm_backward(Team& team, const Step& s, I i) {
  const auto [n, c, extent] = sizes(s, i, 3, 7);
  const Index dx_stride = i.buffers[0] == nullptr ? 0 : stride<T>(i, 0);
  flyball::batch_norm_backward(team, at<T>(s, i, 0), dx_stride, at<T>(s, i, 1), at<T>(s, i, 2), at<const T>(s, i, 3),
                               at<const T>(s, i, 4), at<const T>(s, i, 5), at<const T>(s, i, 6),
                               at<const double>(s, i, 7), at<const double>(s, i, 8), at<const std::uint8_t>(s, i, 9), n,
                               c, extent, i.activations[0], keep(i, 0));
}

// Rows, channels and the product of the other axes; a row of the statistics has an element a channel.
Sizes ghost_sizes(Index rows, I i, std::size_t array, std::size_t statistics) {
  const Index channels = columns(i, statistics);
  return {rows, channels, channels == 0 ? 1 : columns(i, array) / channels};
}

Index group(I i) { return static_cast<Index>(i.scalars[0].integer); }

// Those of batch_norm_forward; group before its scalars
template <class T>
void ghost_batch_norm_forward(Team& team, const Step& s, I i) {
  const auto [n, c, extent] = ghost_sizes(rows(s, i, 0), i, 0, 1);
  const BatchNormParams params = {number(s, i, 1), number(s, i, 2), number(s, i, 3) != 0, i.activations[0]};
  flyball::ghost_batch_norm_forward(team, at<T>(s, i, 0), at<double>(s, i, 1), at<double>(s, i, 2), at<T>(s, i, 3),
                                    at<T>(s, i, 4), at<const T>(s, i, 5), at<const T>(s, i, 6), at<const T>(s, i, 7),
                                    at<const std::uint8_t>(s, i, 8), n, c, extent, group(i), params, keep(i, 4));
}

// Those of batch_norm_backward; group before its scalars
template <class T>
void ghost_batch_norm_backward(Team& team, const Step& s, I i) {
  const auto [n, c, extent] = ghost_sizes(rows(s, i, 3), i, 3, 7);
  flyball::ghost_batch_norm_backward(
      team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<const T>(s, i, 3), at<const T>(s, i, 4),
      at<const T>(s, i, 5), at<const T>(s, i, 6), at<const double>(s, i, 7), at<const double>(s, i, 8),
      at<const std::uint8_t>(s, i, 9), n, c, extent, group(i), i.activations[0], keep(i, 1));
}

template <std::size_t array, std::size_t statistics>
double ghost_batch_norm_cost_of(I i) {
  const auto [n, c, extent] = ghost_sizes(i.buffers[array]->most_rows, i, array, statistics);
  return batch_norm_cost(n, c, extent);
}

template <std::size_t array, std::size_t statistics>
std::size_t ghost_batch_norm_workspace_of(I i) {
  const auto [n, c, extent] = ghost_sizes(i.buffers[array]->most_rows, i, array, statistics);
  return ghost_batch_norm_workspace(n, c, extent, group(i));
}

// y, x, gamma, beta, running_mean, running_var; epsilon; activation
template <class T>
void batch_norm_inference(Team& team, const Step& s, I i) {
  const auto [n, c, extent] = sizes(s, i, 0, 4);
  flyball::batch_norm_inference(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3),
                                at<const T>(s, i, 4), at<const T>(s, i, 5), n, c, extent, number(s, i, 0),
                                i.activations[0]);
}

// y, mean, rstd, x, gamma, beta; epsilon
template <class T>
void layer_norm_forward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::layer_norm_forward(team, at<T>(s, i, 0), at<double>(s, i, 1), at<double>(s, i, 2), at<const T>(s, i, 3),
                              at<const T>(s, i, 4), at<const T>(s, i, 5), n, c, number(s, i, 0));
}

// dx, dgamma, dbeta, dy, x, gamma, mean, rstd
template <class T>
void layer_norm_backward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 3);
  flyball::layer_norm_backward(team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<const T>(s, i, 3),
                               at<const T>(s, i, 4), at<const T>(s, i, 5), at<const double>(s, i, 6),
                               at<const double>(s, i, 7), n, c);
}

// y, rstd, x, gamma; epsilon
template <class T>
void rms_norm_forward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::layer_norm_forward<T>(team, at<T>(s, i, 0), nullptr, at<double>(s, i, 1), at<const T>(s, i, 2),
                                 at<const T>(s, i, 3), nullptr, n, c, number(s, i, 0));
}

// dx, dgamma, dy, x, gamma, rstd
template <class T>
void rms_norm_backward(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 2);
  flyball::layer_norm_backward<T>(team, at<T>(s, i, 0), at<T>(s, i, 1), nullptr, at<const T>(s, i, 2),
                                  at<const T>(s, i, 3), at<const T>(s, i, 4), nullptr, at<const double>(s, i, 5), n, c);
}

template <std::size_t array>
double layer_norm_cost_of(I i) {
  return layer_norm_cost(i.buffers[array]->most_rows, columns(i, array));
}

template <std::size_t array>
std::size_t layer_norm_workspace_of(I i) {
  return layer_norm_workspace(i.buffers[array]->most_rows, columns(i, array));
}

// Rows, channels, the product of the other axes and groups, of x (N, C, S) or (N, S, C) and mean (N, G).
struct GroupSizes {
  Index n, c, s, g;
};

GroupSizes group_sizes(Index rows, I i, std::size_t x, std::size_t mean, bool channels_last) {
  return {rows, extent(i, x, channels_last ? 2 : 1), extent(i, x, channels_last ? 1 : 2), columns(i, mean)};
}

// y, mean, rstd, x, gamma, beta; channels_last, epsilon
template <class T>
void group_norm_forward(Team& team, const Step& step, I i) {
  const bool channels_last = number(step, i, 0) != 0;
  const auto [n, c, s, g] = group_sizes(rows(step, i, 3), i, 3, 1, channels_last);
  flyball::group_norm_forward(team, at<T>(step, i, 0), at<double>(step, i, 1), at<double>(step, i, 2),
                              at<const T>(step, i, 3), at<const T>(step, i, 4), at<const T>(step, i, 5), n, c, s, g,
                              channels_last, number(step, i, 1));
}

// dx, dgamma, dbeta, dy, x, gamma, mean, rstd; channels_last
template <class T>
void group_norm_backward(Team& team, const Step& step, I i) {
  const bool channels_last = number(step, i, 0) != 0;
  const auto [n, c, s, g] = group_sizes(rows(step, i, 4), i, 4, 6, channels_last);
  flyball::group_norm_backward(team, at<T>(step, i, 0), at<T>(step, i, 1), at<T>(step, i, 2), at<const T>(step, i, 3),
                               at<const T>(step, i, 4), at<const T>(step, i, 5), at<const double>(step, i, 6),
                               at<const double>(step, i, 7), n, c, s, g, channels_last);
}

// Of the largest batch.
template <std::size_t x, std::size_t mean>
GroupSizes group_sizes_of(I i) {
  return group_sizes(i.buffers[x]->most_rows, i, x, mean, i.scalars[0].number != 0);
}

template <std::size_t x, std::size_t mean>
double group_norm_cost_of(I i) {
  const auto [n, c, s, g] = group_sizes_of<x, mean>(i);
  return group_norm_cost(n, c, s);
}

template <std::size_t x, std::size_t mean>
std::size_t group_norm_workspace_of(I i) {
  const auto [n, c, s, g] = group_sizes_of<x, mean>(i);
  return group_norm_workspace(n, c, s, g);
}

constexpr Operation rows_of_table[] = {
    {"batch_norm_forward", 9, 4, 1, 5, 0, FLYBALL_BOTH(batch_norm_forward), batch_norm_cost_of<0, 1>,
     batch_norm_workspace_of<0, 1>},
    {"batch_norm_backward", 10, 1, 1, 3, 3, FLYBALL_BOTH(batch_norm_backward), batch_norm_cost_of<3, 7>,
     batch_norm_workspace_of<3, 7>},
    {"ghost_batch_norm_forward", 9, 5, 1, 5, 0, FLYBALL_BOTH(ghost_batch_norm_forward), ghost_batch_norm_cost_of<0, 1>,
     ghost_batch_norm_workspace_of<0, 1>},
    {"ghost_batch_norm_backward", 10, 2, 1, 3, 3, FLYBALL_BOTH(ghost_batch_norm_backward),
     ghost_batch_norm_cost_of<3, 7>, ghost_batch_norm_workspace_of<3, 7>},
    {"batch_norm_inference", 6, 1, 1, 1, 0, FLYBALL_BOTH(batch_norm_inference), batch_norm_cost_of<0, 4>, nullptr},
    {"layer_norm_forward", 6, 1, 0, 3, 0, FLYBALL_BOTH(layer_norm_forward), layer_norm_cost_of<0>, nullptr},
    {"layer_norm_backward", 8, 0, 0, 3, 3, FLYBALL_BOTH(layer_norm_backward), layer_norm_cost_of<3>,
     layer_norm_workspace_of<3>},
    {"rms_norm_forward", 4, 1, 0, 2, 0, FLYBALL_BOTH(rms_norm_forward), layer_norm_cost_of<0>, nullptr},
    {"rms_norm_backward", 6, 0, 0, 2, 2, FLYBALL_BOTH(rms_norm_backward), layer_norm_cost_of<2>,
     layer_norm_workspace_of<2>},
    {"group_norm_forward", 6, 2, 0, 3, 0, FLYBALL_BOTH(group_norm_forward), group_norm_cost_of<3, 1>,
     group_norm_workspace_of<3, 1>},
    {"group_norm_backward", 8, 1, 0, 3, 3, FLYBALL_BOTH(group_norm_backward), group_norm_cost_of<4, 6>,
     group_norm_workspace_of<4, 6>},
};

}  // namespace

std::span<const Operation> norm_operations() { return rows_of_table; }

}  // namespace flyball
