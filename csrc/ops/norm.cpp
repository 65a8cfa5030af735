// Batch normalisation, whole and in steps: a step's result and the whole's are the same bits, because both run the same
// kernels over the same parts (ops/channels.h).
#include "ops/channels.h"

namespace flyball {
namespace {

// Planes of one element are columns, of which a gradient may have rows dx_stride apart.
template <class T, class Body>
void with_view(Index n, Index c, Index s, Index dx_stride, Body body) {
  if (s == 1) {
    body(Columns<T>{.n = n, .c = c, .dx_ld = dx_stride});
  } else {
    body(Planes<T>{n, c, s});
  }
}

template <class T, class Body>
void with_view(Index n, Index c, Index s, Body body) {
  with_view<T>(n, c, s, c, body);
}

template <class T>
Values<T> forward_values(const T* y, const T* x, const std::uint8_t* mask, Activation activation, Index count) {
  return {x, nullptr, mask, activation, stores_to(y, x, count)};
}

template <class T>
Values<T> backward_values(const T* dx, const T* dy, const T* x, const std::uint8_t* mask, Activation activation,
                          Index count) {
  return {x, dy, mask, activation, stores_to(dx, dy, count)};
}

double factor_of(const std::uint8_t* mask, Keep keep) { return mask == nullptr ? 1.0 : keep.scale(); }

// What fills the map of a strip of channels, (map, j, width), as the forward pass has it.
template <class T>
auto forward_maps(const double* mean, const double* rstd, const T* gamma, const T* beta, double factor) {
  return [=](ColumnMap<T> map, Index j, Index width) {
    kernels<T>().norm.normalise_map(map, mean + j, rstd + j, at(gamma, j), at(beta, j), factor, width);
  };
}

}  // namespace

double batch_norm_cost(Index n, Index c, Index s) {
  return 0.2 * static_cast<double>(n) * static_cast<double>(c) * static_cast<double>(s);
}

std::size_t batch_norm_workspace(Index n, Index c, Index s) {
  if (s != 1) return shared_memory_bytes(Planes<double>::parts(n, s), c);
  return shared_memory_bytes(row_blocks(n), c);
}

template <class T>
void batch_norm_forward(Team& team, T* y, double* mean, double* rstd, T* running_mean, T* running_var, const T* x,
                        const T* gamma, const T* beta, const std::uint8_t* mask, Index n, Index c, Index s,
                        const BatchNormParams& params, Keep keep) {
  with_view<T>(n, c, s, [&](const auto& view) {
    const NormKernels<T>& kernel = view.kernel;
    const Values<T> values = forward_values(y, x, mask, params.activation, n * c * s);
    const bool owned = view.owned(team);
    const ColumnMap<T> strip = team.scratch<StripMemory<T>>()->columns();
    const ColumnMap<T> shared = owned ? strip : SharedMemory<T>(team, view.parts(), c).map;
    const auto make_map = forward_maps(mean, rstd, gamma, beta, factor_of(mask, keep));
    for_moments(team, view, mean, rstd, x, [&](Index j, Index width) {
      const ColumnMap<T> map = owned ? strip : at(shared, j);
      kernel.finish_moments(rstd + j, at(running_mean, j), at(running_var, j), mean + j, view.total(), params, width);
      make_map(map, j, width);
      if (!owned) return;
      for (Index p = view.parts() - 1; p >= 0; --p) view.normalise(y, values, map, p, j, width);
    });
    if (owned) return;
    team.barrier();
    for_share(team, view, Order::backwards,
              [&](Index p, Index j, Index width) { view.normalise(y, values, at(shared, j), p, j, width); });
  });
}

template <class T>
void batch_norm_moments(Team& team, double* mean, double* m2, const T* x, Index n, Index c, Index s) {
  with_view<T>(n, c, s, [&](const auto& view) { for_moments(team, view, mean, m2, x, [](Index, Index) {}); });
}

template <class T>
void batch_norm_statistics(Team& team, double* rstd, T* running_mean, T* running_var, const double* mean,
                           const double* m2, Index count, Index c, const BatchNormParams& params) {
  const Range mine = columns_of<T>(team, c);
  if (mine.size() <= 0) return;
  const Index j = mine.begin;
  std::copy_n(m2 + j, mine.size(), rstd + j);
  kernels<T>().norm.finish_moments(rstd + j, at(running_mean, j), at(running_var, j), mean + j, count, params,
                                   mine.size());
}

template <class T>
void batch_norm_apply(Team& team, T* y, const T* x, const T* gamma, const T* beta, const double* mean,
                      const double* rstd, const std::uint8_t* mask, Index n, Index c, Index s, Activation activation,
                      Keep keep) {
  with_view<T>(n, c, s, [&](const auto& view) {
    const Values<T> values = forward_values(y, x, mask, activation, n * c * s);
    for_maps<T>(team, view, forward_maps(mean, rstd, gamma, beta, factor_of(mask, keep)),
                [&](ColumnMap<T> map, Index p, Index j, Index width) { view.normalise(y, values, map, p, j, width); });
  });
}

template <class T>
void batch_norm_inference(Team& team, T* y, const T* x, const T* gamma, const T* beta, const T* running_mean,
                          const T* running_var, Index n, Index c, Index s, double epsilon, Activation activation) {
  StripMemory<T>& strip = *team.scratch<StripMemory<T>>();
  with_view<T>(n, c, s, [&](const auto& view) {
    const Values<T> values = forward_values<T>(y, x, nullptr, activation, n * c * s);
    for_maps<T>(
        team, view,
        [&](ColumnMap<T> map, Index j, Index width) {
          view.kernel.running_moments(strip.mean, strip.rstd, running_mean + j, running_var + j, epsilon, width);
          view.kernel.normalise_map(map, strip.mean, strip.rstd, at(gamma, j), at(beta, j), 1.0, width);
        },
        [&](ColumnMap<T> map, Index p, Index j, Index width) { view.normalise(y, values, map, p, j, width); });
  });
}

// A gradient of both lanes goes past the caches up to this size: half of its lines would come from the other core's,
// each by itself, and that takes longer than from memory (docs/design.md, "Lanes").
constexpr Index exchanged_bytes = 128 * 1024;

template <class T>
void batch_norm_backward(Team& team, T* dx, Index dx_stride, T* dgamma, T* dbeta, const T* dy, const T* x,
                         const T* gamma, const T* beta, const double* mean, const double* rstd,
                         const std::uint8_t* mask, Index n, Index c, Index s, Activation activation, Keep keep) {
  with_view<T>(n, c, s, dx_stride, [&](const auto& view) {
    const NormKernels<T>& kernel = view.kernel;
    Values<T> values = backward_values<T>(dx, dy, x, mask, activation, n * c * s);
    if (dx_stride != c * s && team.is_half() && n * dx_stride <= exchanged_bytes / static_cast<Index>(sizeof(T))) {
      values.stores = Stores::streamed;
    }
    const double factor = factor_of(mask, keep);
    const bool owned = view.owned(team);
    const ColumnMap<T> strip = team.scratch<StripMemory<T>>()->columns();
    const ColumnMap<T> shared = owned ? strip : SharedMemory<T>(team, view.parts(), c).map;
    const auto make_map = forward_maps(mean, rstd, gamma, beta, factor);
    for_gradient_sums(team, view, values, make_map, [&](Index j, Index width, double* sum, double* product) {
      const ColumnMap<T> map = owned ? strip : at(shared, j);
      kernel.finish_sums(sum, product, mean + j, rstd + j, factor, width);
      if (!owned) make_map(map, j, width);
      kernel.gradient_map(map, at(dgamma, j), at(dbeta, j), sum, product, at(gamma, j), mean + j, rstd + j,
                          view.total(), Weighted::no, width);
      if (!owned || dx == nullptr) return;
      for (Index p = view.parts() - 1; p >= 0; --p) view.input_gradient(dx, values, map, p, j, width);
    });
    if (owned || dx == nullptr) return;
    team.barrier();
    for_share(team, view, Order::backwards,
              [&](Index p, Index j, Index width) { view.input_gradient(dx, values, at(shared, j), p, j, width); });
  });
}

template <class T>
void batch_norm_backward_sums(Team& team, double* sum_dz, double* sum_dz_xhat, const T* dy, const T* x, const T* gamma,
                              const T* beta, const double* mean, const double* rstd, const std::uint8_t* mask, Index n,
                              Index c, Index s, Activation activation, Keep keep) {
  with_view<T>(n, c, s, [&](const auto& view) {
    const NormKernels<T>& kernel = view.kernel;
    const Values<T> values = backward_values<T>(nullptr, dy, x, mask, activation, n * c * s);
    const double factor = factor_of(mask, keep);
    for_gradient_sums(team, view, values, forward_maps(mean, rstd, gamma, beta, factor),
                      [&](Index j, Index width, double* sum, double* product) {
                        kernel.finish_sums(sum, product, mean + j, rstd + j, factor, width);
                        std::copy_n(sum, width, sum_dz + j);
                        std::copy_n(product, width, sum_dz_xhat + j);
                      });
  });
}

template <class T>
void batch_norm_backward_apply(Team& team, T* dx, const T* dy, const T* x, const T* gamma, const T* beta,
                               const double* mean, const double* rstd, const double* sum_dz, const double* sum_dz_xhat,
                               const std::uint8_t* mask, Index count, Index n, Index c, Index s, Activation activation,
                               Keep keep) {
  with_view<T>(n, c, s, [&](const auto& view) {
    const NormKernels<T>& kernel = view.kernel;
    const Values<T> values = backward_values<T>(dx, dy, x, mask, activation, n * c * s);
    const auto make_map = forward_maps(mean, rstd, gamma, beta, factor_of(mask, keep));
    T* const none = nullptr;
    for_maps<T>(
        team, view,
        [&](ColumnMap<T> map, Index j, Index width) {
          make_map(map, j, width);
          kernel.gradient_map(map, none, none, sum_dz + j, sum_dz_xhat + j, at(gamma, j), mean + j, rstd + j, count,
                              Weighted::no, width);
        },
        [&](ColumnMap<T> map, Index p, Index j, Index width) { view.input_gradient(dx, values, map, p, j, width); });
  });
}

void combine_moments(Team& team, double* mean, double* m2, const double* means, const double* m2s, const Index* counts,
                     Index parts, Index c) {
  const Range mine = columns_of<double>(team, c);
  if (mine.size() <= 0) return;
  const Index j = mine.begin;
  std::fill_n(mean + j, mine.size(), 0.0);
  std::fill_n(m2 + j, mine.size(), 0.0);
  Index count = 0;
  for (Index p = 0; p < parts; ++p) {
    const double* part_mean = means + p * c + j;
    const double* part_m2 = m2s + p * c + j;
    if (counts[p] == 0) continue;
    if (count == 0) {
      std::copy_n(part_mean, mine.size(), mean + j);
      std::copy_n(part_m2, mine.size(), m2 + j);
    } else {
      kernels<double>().norm.merge_moments(mean + j, m2 + j, count, part_mean, part_m2, counts[p], mine.size());
    }
    count += counts[p];
  }
}

#define FLYBALL_INSTANTIATE(T)                                                                                         \
  template void batch_norm_forward(Team&, T*, double*, double*, T*, T*, const T*, const T*, const T*,                  \
                                   const std::uint8_t*, Index, Index, Index, const BatchNormParams&, Keep);            \
  template void batch_norm_moments(Team&, double*, double*, const T*, Index, Index, Index);                            \
  template void batch_norm_statistics(Team&, double*, T*, T*, const double*, const double*, Index, Index,              \
                                      const BatchNormParams&);                                                         \
  template void batch_norm_apply(Team&, T*, const T*, const T*, const T*, const double*, const double*,                \
                                 const std::uint8_t*, Index, Index, Index, Activation, Keep);                          \
  template void batch_norm_inference(Team&, T*, const T*, const T*, const T*, const T*, const T*, Index, Index, Index, \
                                     double, Activation);                                                              \
  template void batch_norm_backward(Team&, T*, Index, T*, T*, const T*, const T*, const T*, const T*, const double*,   \
                                    const double*, const std::uint8_t*, Index, Index, Index, Activation, Keep);        \
  template void batch_norm_backward_sums(Team&, double*, double*, const T*, const T*, const T*, const T*,              \
                                         const double*, const double*, const std::uint8_t*, Index, Index, Index,       \
                                         Activation, Keep);                                                            \
  template void batch_norm_backward_apply(Team&, T*, const T*, const T*, const T*, const T*, const double*,            \
                                          const double*, const double*, const double*, const std::uint8_t*, Index,     \
                                          Index, Index, Index, Activation, Keep);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
