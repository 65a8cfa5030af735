#include <algorithm>

#include "flyball/ops.h"
#include "ops/at.h"
#include "ops/columns.h"
#include "ops/elementwise.h"
#include "runtime/cpu.h"

namespace flyball {

double elementwise_cost(Index count) { return 0.1 * static_cast<double>(count); }

double activation_cost(Activation activation, Index count) {
  return elementwise_cost(count) * (activation <= Activation::relu6 ? 1 : 5);
}

template <class T>
void activation_forward(Team& team, T* y, const T* x, Index count, ActivationParams params) {
  for_blocks(team, count,
             [&](Index i, Index n) { kernels<T>().activation.activation_forward(y + i, x + i, n, params); });
}

template <class T>
void activation_backward(Team& team, T* dx, const T* dy, const T* x, const T* y, Index count, ActivationParams params) {
  const DerivativeOf needed = derivative_of(params.kind);
  const T* v = needed == DerivativeOf::nothing ? dy : needed == DerivativeOf::output ? y : x;
  for_blocks(team, count,
             [&](Index i, Index n) { kernels<T>().activation.activation_backward(dx + i, dy + i, v + i, n, params); });
}

template <class T>
void relu_forward(Team& team, T* y, const T* x, Index count, ReluParams params) {
  for_blocks(team, count, [&](Index i, Index n) { kernels<T>().activation.relu_forward(y + i, x + i, n, params); });
}

template <class T>
void relu_backward(Team& team, T* dx, const T* dy, const T* x, Index count, ReluParams params) {
  for_blocks(team, count,
             [&](Index i, Index n) { kernels<T>().activation.relu_backward(dx + i, dy + i, x + i, n, params); });
}

template <class T>
void prelu_forward(Team& team, T* y, const T* x, const T* alpha, Index n, Index c) {
  const Range mine = team.range(n);
  kernels<T>().activation.prelu_forward(y + mine.begin * c, x + mine.begin * c, alpha, c, mine.size(), c);
}

// The backward pass goes over tiles of rows and columns. Sums within a tile run in T: few enough rows for float. Those
// of a column's tiles are added in double, in their order.
constexpr Index tile_rows = 256;
constexpr Index tile_columns = 128;

std::size_t prelu_workspace(Index n, Index c) {
  return static_cast<std::size_t>((n + tile_rows - 1) / tile_rows * c) * sizeof(double);
}

template <class T>
void prelu_backward(Team& team, T* dx, T* dalpha, const T* dy, const T* x, const T* alpha, Index n, Index c) {
  double* const sums = team.workspace<double>();  // a row for each row of tiles
  const Index down = (n + tile_rows - 1) / tile_rows;
  const Index across = (c + tile_columns - 1) / tile_columns;
  const Range mine = team.range(down * across);
  for (Index tile = mine.begin; tile < mine.end; ++tile) {
    const Index p = tile / across;
    const Index j = tile % across * tile_columns;
    const Index first = p * tile_rows * c + j;
    kernels<T>().activation.prelu_backward(at(dx, first), sums + p * c + j, dy + first, x + first, alpha + j, c,
                                           std::min(tile_rows, n - p * tile_rows), std::min(tile_columns, c - j));
  }
  if (dalpha == nullptr) return;
  team.barrier();
  const Range columns = columns_of<T>(team, c);
  for (Index j = columns.begin; j < columns.end; ++j) {
    double sum = 0.0;
    for (Index p = 0; p < down; ++p) sum += sums[p * c + j];
    dalpha[j] = static_cast<T>(sum);
  }
}

std::size_t activity_penalty_workspace(Index count) { return add_blocks_workspace(count); }

template <class T>
void activity_penalty(Team& team, double* total, const T* x, Index count, double l1, double l2) {
  add_blocks(team, total, count,
             [&](Index i, Index n) { return kernels<T>().activation.activity_penalty(x + i, n, l1, l2); });
}

template <class T>
void activity_penalty_backward(Team& team, T* dx, const T* dy, const T* x, Index count, double l1, double l2) {
  for_blocks(team, count, [&](Index i, Index n) {
    kernels<T>().activation.activity_penalty_backward(dx + i, dy + i, x + i, n, l1, l2);
  });
}

// 25 ns a row for its largest, its sum and its division, and the exponentials; measured with AVX2 and AVX-512.
double softmax_cost(Index n, Index c) { return static_cast<double>(n) * (25.0 + 0.8 * static_cast<double>(c)); }

template <class T>
void softmax_forward(Team& team, T* y, const T* x, Index n, Index c) {
  const Range rows = team.range(n);
  kernels<T>().activation.softmax_forward(y + rows.begin * c, x + rows.begin * c, rows.size(), c);
}

template <class T>
void softmax_backward(Team& team, T* dx, const T* dy, const T* y, Index n, Index c) {
  const Range rows = team.range(n);
  const Index begin = rows.begin * c;
  kernels<T>().activation.softmax_backward(dx + begin, dy + begin, y + begin, rows.size(), c);
}

template <class T>
void log_softmax_forward(Team& team, T* y, const T* x, Index n, Index c) {
  const Range rows = team.range(n);
  kernels<T>().activation.log_softmax_forward(y + rows.begin * c, x + rows.begin * c, rows.size(), c);
}

template <class T>
void log_softmax_backward(Team& team, T* dx, const T* dy, const T* y, Index n, Index c) {
  const Range rows = team.range(n);
  const Index begin = rows.begin * c;
  kernels<T>().activation.log_softmax_backward(dx + begin, dy + begin, y + begin, rows.size(), c);
}

#define FLYBALL_INSTANTIATE(T)                                                                         \
  template void activation_forward(Team&, T*, const T*, Index, ActivationParams);                      \
  template void activation_backward(Team&, T*, const T*, const T*, const T*, Index, ActivationParams); \
  template void relu_forward(Team&, T*, const T*, Index, ReluParams);                                  \
  template void relu_backward(Team&, T*, const T*, const T*, Index, ReluParams);                       \
  template void prelu_forward(Team&, T*, const T*, const T*, Index, Index);                            \
  template void prelu_backward(Team&, T*, T*, const T*, const T*, const T*, Index, Index);             \
  template void activity_penalty(Team&, double*, const T*, Index, double, double);                     \
  template void activity_penalty_backward(Team&, T*, const T*, const T*, Index, double, double);       \
  template void softmax_forward(Team&, T*, const T*, Index, Index);                                    \
  template void softmax_backward(Team&, T*, const T*, const T*, Index, Index);                         \
  template void log_softmax_forward(Team&, T*, const T*, Index, Index);                                \
  template void log_softmax_backward(Team&, T*, const T*, const T*, Index, Index);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
