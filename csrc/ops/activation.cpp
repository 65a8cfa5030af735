#include "flyball/ops.h"
#include "ops/elementwise.h"
#include "runtime/cpu.h"

namespace flyball {

double elementwise_cost(Index count) { return 0.1 * static_cast<double>(count); }

template <class T>
void relu_forward(Team& team, T* y, const T* x, Index count) {
  for_blocks(team, count, [&](Index i, Index n) { kernels<T>().activation.relu_forward(y + i, x + i, n); });
}

template <class T>
void relu_backward(Team& team, T* dx, const T* dy, const T* y, Index count) {
  for_blocks(team, count, [&](Index i, Index n) { kernels<T>().activation.relu_backward(dx + i, dy + i, y + i, n); });
}

template void relu_forward(Team&, float*, const float*, Index);
template void relu_forward(Team&, double*, const double*, Index);
template void relu_backward(Team&, float*, const float*, const float*, Index);
template void relu_backward(Team&, double*, const double*, const double*, Index);

}  // namespace flyball
