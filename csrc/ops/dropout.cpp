#include <algorithm>
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

// Dropped elements become what SELU saturates at, -scale * alpha; the line that follows brings mean 0 and variance 1,
// which the mixture has lost, back.
DropoutMap alpha_dropout_map(Keep keep) {
  constexpr double saturation = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717;
  const double kept = 1.0 / keep.scale();
  const double a = 1.0 / std::sqrt(kept + saturation * saturation * kept * (1.0 - kept));
  const double b = -a * saturation * (1.0 - kept);
  return {a, b, a * saturation + b};
}

double dropout_cost(Index count) { return 0.3 * static_cast<double>(count); }

void dropout_mask(Team& team, Mask mask, Index count, Keep keep, RandomKey key) {
  for_blocks(team, count, [&](Index i, Index n) { kernels<float>().dropout.mask(mask.at(i), i, n, keep, key); });
}

void dropout_mask_columns(Team& team, std::uint8_t* mask, Index n, Index c, Index width, Index first, Keep keep,
                          RandomKey key) {
  const Range mine = team.range(n);
  kernels<float>().dropout.mask_columns(mask + mine.begin * c, mine.begin * width + first, mine.size(), c, width, keep,
                                        key);
}

template <class T>
void dropout_forward(Team& team, T* y, Mask mask, const T* x, Index count, Keep keep, DropoutMap map, RandomKey key) {
  for_blocks(team, count,
             [&](Index i, Index n) { kernels<T>().dropout.draw(y + i, mask.at(i), x + i, i, n, keep, map, key); });
}

template <class T>
void dropout_apply(Team& team, T* y, const T* x, ConstMask mask, Index count, DropoutMap map) {
  for_blocks(team, count, [&](Index i, Index n) { kernels<T>().dropout.apply(y + i, x + i, mask.at(i), n, map); });
}

Broadcast::Broadcast(const std::vector<Index>& shape, const std::vector<Index>& mask_shape) {
  Index stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) continue;
    const bool own = mask_shape[i] == shape[i];
    if (!axes.empty() && own == (axes.front().stride != 0)) {
      axes.front().extent *= shape[i];
    } else {
      axes.insert(axes.begin(), {shape[i], own ? stride : 0});
    }
    if (own) stride *= shape[i];
  }
  if (axes.empty()) axes.push_back({1, 1});
}

template <class T>
void dropout_broadcast(Team& team, T* y, const T* x, const std::uint8_t* mask, const Broadcast& broadcast,
                       DropoutMap map) {
  const auto [length, own] = broadcast.axes.back();
  const std::vector<Broadcast::Axis> outer(broadcast.axes.begin(), broadcast.axes.end() - 1);
  Index rows = 1;
  for (const auto axis : outer) rows *= axis.extent;
  const Range mine = team.range(rows);
  for (Index row = mine.begin; row < mine.end; ++row) {
    Index rest = row;
    const std::uint8_t* at = mask;
    for (std::size_t i = outer.size(); i-- > 0; rest /= outer[i].extent) at += rest % outer[i].extent * outer[i].stride;
    T* to = y + row * length;
    const T* from = x + row * length;
    if (own != 0) {
      kernels<T>().dropout.apply(to, from, {at, MaskLayout::bytes}, length, map);
    } else {
      kernels<T>().dropout.apply_to_all(to, from, *at != 0, length, map);
    }
  }
}

template <class T>
void dropout_inference(Team& team, T* y, const T* x, Index count, Keep keep) {
  const DropoutMap map = {1.0 / keep.scale()};
  for_blocks(team, count, [&](Index i, Index n) { kernels<T>().dropout.apply_to_all(y + i, x + i, true, n, map); });
}

template <class T>
void add_branch(Team& team, T* y, const T* x, const T* branch, const std::uint8_t* mask, Index n, Index c,
                double scale) {
  const DropoutKernels<T>& kernel = kernels<T>().dropout;
  if (mask == nullptr) {
    return for_blocks(team, n * c,
                      [&](Index i, Index count) { kernel.add_scaled(y + i, x + i, branch + i, count, scale); });
  }
  const Range mine = team.range(n);
  for (Index row = mine.begin; row < mine.end; ++row) {
    const Index i = row * c;
    if (mask[row] != 0) {
      kernel.add_scaled(y + i, x + i, branch + i, c, scale);
    } else if (y != x) {
      std::copy_n(x + i, c, y + i);
    }
  }
}

#define FLYBALL_INSTANTIATE(T)                                                                             \
  template void dropout_forward(Team&, T*, Mask, const T*, Index, Keep, DropoutMap, RandomKey);            \
  template void dropout_apply(Team&, T*, const T*, ConstMask, Index, DropoutMap);                          \
  template void dropout_broadcast(Team&, T*, const T*, const std::uint8_t*, const Broadcast&, DropoutMap); \
  template void dropout_inference(Team&, T*, const T*, Index, Keep);                                       \
  template void add_branch(Team&, T*, const T*, const T*, const std::uint8_t*, Index, Index, double);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
