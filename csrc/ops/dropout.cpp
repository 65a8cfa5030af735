#include <cmath>

#include "flyball/ops.h"
#include "ops/elementwise.h"
#include "runtime/cpu.h"

namespace flyball {

Keep keep_at(double rate) {
  // nearbyint, like Python's round, takes ties to even.
  const double threshold = std::nearbyint((1.0 - rate) * 65536.0);
  return {threshold >= 1.0 ? static_cast<std::uint32_t>(std::fmin(threshold, 65536.0)) : 1u};
}

double dropout_cost(Index count) { return 0.3 * static_cast<double>(count); }

void dropout_mask(Team& team, std::uint8_t* mask, Index count, Keep keep, RandomKey key) {
  for_blocks(team, count, [&](Index i, Index n) { kernels<float>().dropout.mask(mask + i, i, n, keep, key); });
}

template <class T>
void dropout_forward(Team& team, T* y, std::uint8_t* mask, const T* x, Index count, Keep keep, RandomKey key) {
  for_blocks(team, count, [&](Index i, Index n) {
    kernels<T>().dropout.draw(y + i, mask == nullptr ? nullptr : mask + i, x + i, i, n, keep, key);
  });
}

template <class T>
void dropout_apply(Team& team, T* y, const T* x, const std::uint8_t* mask, Index count, Keep keep) {
  for_blocks(team, count, [&](Index i, Index n) { kernels<T>().dropout.apply(y + i, x + i, mask + i, n, keep); });
}

template void dropout_forward(Team&, float*, std::uint8_t*, const float*, Index, Keep, RandomKey);
template void dropout_forward(Team&, double*, std::uint8_t*, const double*, Index, Keep, RandomKey);
template void dropout_apply(Team&, float*, const float*, const std::uint8_t*, Index, Keep);
template void dropout_apply(Team&, double*, const double*, const std::uint8_t*, Index, Keep);

}  // namespace flyball
