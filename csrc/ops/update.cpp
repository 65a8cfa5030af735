#include <cmath>

#include "flyball/ops.h"
#include "ops/elementwise.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

Index flat_blocks(Index count) { return (count + flat_block - 1) / flat_block; }

// Runs update(begin, count, with_penalty) on this thread's share; penalties are kept per block and added in order.
template <class Update>
void penalised_update(Team& team, double* penalty, Index count, Update update) {
  if (penalty == nullptr) {
    for_blocks(team, count, [&](Index begin, Index size) { update(begin, size, false); });
    return;
  }
  double* partial = team.workspace<double>();
  const Index blocks = flat_blocks(count);
  const Range mine = team.range(blocks);
  for (Index block = mine.begin; block < mine.end; ++block) {
    const Index begin = block * flat_block;
    partial[block] = update(begin, count - begin < flat_block ? count - begin : flat_block, true);
  }
  team.barrier();
  if (team.rank() == 0) {
    double sum = 0.0;
    for (Index block = 0; block < blocks; ++block) sum += partial[block];
    *penalty += sum;
  }
}

}  // namespace

std::size_t update_workspace(Index count) { return static_cast<std::size_t>(flat_blocks(count)) * sizeof(double); }

double update_cost(Index count) { return 0.5 * static_cast<double>(count); }

template <class T>
void sgd_update(Team& team, T* w, T* velocity, double* penalty, const T* g, Index count, const SgdParams& params) {
  penalised_update(team, penalty, count, [&](Index begin, Index size, bool with_penalty) {
    return kernels<T>().update.sgd(w + begin, velocity == nullptr ? nullptr : velocity + begin, g + begin, size, params,
                                   with_penalty);
  });
}

template <class T>
void adam_update(Team& team, T* w, T* m, T* v, double* penalty, const T* g, Index count, const AdamParams& params) {
  const double step = static_cast<double>(params.step);
  const double rate =
      params.learning_rate * std::sqrt(1.0 - std::pow(params.beta_2, step)) / (1.0 - std::pow(params.beta_1, step));
  penalised_update(team, penalty, count, [&](Index begin, Index size, bool with_penalty) {
    return kernels<T>().update.adam(w + begin, m + begin, v + begin, g + begin, size, rate, params, with_penalty);
  });
}

#define FLYBALL_INSTANTIATE(T)                                                         \
  template void sgd_update(Team&, T*, T*, double*, const T*, Index, const SgdParams&); \
  template void adam_update(Team&, T*, T*, T*, double*, const T*, Index, const AdamParams&);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
