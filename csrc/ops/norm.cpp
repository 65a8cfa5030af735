// Batch normalisation: two schedules.
//
// Strips, for few rows: a thread owns columns and does everything for a strip of them; threads never wait for each
// other. Tall, for many: threads own blocks of rows, and meet twice: before the blocks' sums are combined column by
// column, and before the result is used. Which one depends on the number of rows only. Either way sums run over blocks
// of block_rows rows, which are combined in order in double: the bits do not depend on the number of threads.
#include <algorithm>

#include "flyball/ops.h"
#include "ops/columns.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

// Sums within a block run in T: few enough rows for float, enough to make combining cheap.
constexpr Index block_rows = 256;

// Up to here strips: fewer blocks than this would not occupy many threads.
constexpr Index strip_rows = 2 * block_rows;

// The most columns of a strip. Narrower ones stay in a cache closer by, but rows that are a power of two apart meet in
// few of its sets: of (1024, 512), strips of 64 columns took 1.5 times as long as the whole.
constexpr Index strip_columns = 512;

Index blocks_of(Index n) { return (n + block_rows - 1) / block_rows; }

Range block(Index b, Index n) { return {b * block_rows, std::min(n, (b + 1) * block_rows)}; }

// Memory for one strip, in a thread's scratch.
template <class T>
struct StripMemory {
  double first[strip_columns];
  double second[strip_columns];
  T map[4][strip_columns];

  ColumnMap<T> columns() { return {map[0], map[1], map[2], map[3]}; }
};
static_assert(sizeof(StripMemory<double>) <= scratch_bytes);

// Memory of the tall schedule, in the team's workspace: two sums a block, and the map.
template <class T>
struct TallMemory {
  double* sums;
  Index c;
  ColumnMap<T> map;

  TallMemory(const Team& team, Index n, Index columns) : sums(team.workspace<double>()), c(columns) {
    T* rest = reinterpret_cast<T*>(sums + 2 * blocks_of(n) * c);
    map = {rest, rest + c, rest + 2 * c, rest + 3 * c};
  }
  double* first(Index b) const { return sums + 2 * b * c; }
  double* second(Index b) const { return sums + (2 * b + 1) * c; }
};

template <class T>
ColumnMap<T> at(const ColumnMap<T>& map, Index j) {
  return {map.center + j, map.scale + j, map.shift + j, map.slope + j};
}

template <class P>
P* at(P* pointer, Index j) {
  return pointer == nullptr ? nullptr : pointer + j;
}

// Calls body(j, width) for a range of columns, a strip at a time.
template <class Body>
void for_strips(Range columns, Body body) {
  for (Index j = columns.begin; j < columns.end; j += strip_columns) body(j, std::min(strip_columns, columns.end - j));
}

}  // namespace

double batch_norm_cost(Index n, Index c) { return 0.2 * static_cast<double>(n) * static_cast<double>(c); }

std::size_t batch_norm_workspace(Index n, Index c) {
  if (n <= strip_rows) return 0;
  return static_cast<std::size_t>(2 * blocks_of(n) + 4) * static_cast<std::size_t>(c) * sizeof(double);
}

template <class T>
void batch_norm_forward(Team& team, T* y, double* mean, double* rstd, T* running_mean, T* running_var, const T* x,
                        const T* gamma, const T* beta, const std::uint8_t* mask, Index n, Index c,
                        const BatchNormParams& params, Keep keep) {
  const NormKernels<T>& kernel = kernels<T>().norm;
  const double factor = mask == nullptr ? 1.0 : keep.scale();
  const auto finish = [&](ColumnMap<T> map, Index j, Index width) {
    kernel.finish_moments(map, rstd + j, at(running_mean, j), at(running_var, j), mean + j, at(gamma, j), at(beta, j),
                          n, params, factor, width);
  };
  if (n <= strip_rows) {
    StripMemory<T>& strip = *team.scratch<StripMemory<T>>();
    for_strips(columns_of<T>(team, c), [&](Index j, Index width) {
      std::fill_n(mean + j, n == 0 ? width : 0, 0.0);
      std::fill_n(rstd + j, n == 0 ? width : 0, 0.0);
      for (Index b = 0; b < blocks_of(n); ++b) {
        const Range rows = block(b, n);
        const T* block_x = x + rows.begin * c + j;
        if (b == 0) {
          kernel.moments(mean + j, rstd + j, block_x, c, rows.size(), width);
        } else {
          kernel.moments(strip.first, strip.second, block_x, c, rows.size(), width);
          kernel.merge_moments(mean + j, rstd + j, rows.begin, strip.first, strip.second, rows.size(), width);
        }
      }
      finish(strip.columns(), j, width);
      kernel.normalise(y + j, x + j, at(mask, j), strip.columns(), params.activation, c, n, width);
    });
    return;
  }
  const TallMemory<T> memory(team, n, c);
  const Range mine = team.range(blocks_of(n));
  for (Index b = mine.begin; b < mine.end; ++b) {
    const Range rows = block(b, n);
    kernel.moments(memory.first(b), memory.second(b), x + rows.begin * c, c, rows.size(), c);
  }
  team.barrier();
  const Range columns = columns_of<T>(team, c);
  if (const Index j = columns.begin; columns.size() > 0) {
    std::copy_n(memory.first(0) + j, columns.size(), mean + j);
    std::copy_n(memory.second(0) + j, columns.size(), rstd + j);
    for (Index b = 1; b < blocks_of(n); ++b) {
      const Range rows = block(b, n);
      kernel.merge_moments(mean + j, rstd + j, rows.begin, memory.first(b) + j, memory.second(b) + j, rows.size(),
                           columns.size());
    }
    finish(at(memory.map, j), j, columns.size());
  }
  team.barrier();
  // Backwards: the blocks read last are still in the cache.
  for (Index b = mine.end - 1; b >= mine.begin; --b) {
    const Range rows = block(b, n);
    const Index i = rows.begin * c;
    kernel.normalise(y + i, x + i, at(mask, i), memory.map, params.activation, c, rows.size(), c);
  }
}

template <class T>
void batch_norm_backward(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* y, const T* x, const T* gamma,
                         const double* mean, const double* rstd, const std::uint8_t* mask, Index n, Index c,
                         Activation activation, Keep keep) {
  const NormKernels<T>& kernel = kernels<T>().norm;
  const double factor = mask == nullptr ? 1.0 : keep.scale();
  const T* gate = activation == Activation::relu ? y : nullptr;
  const auto add_block = [&](double* sum, double* product, Index b, Index j, Index width) {
    const Range rows = block(b, n);
    const Index i = rows.begin * c + j;
    kernel.gradient_sums(sum, product, dy + i, at(gate, i), x + i, at(mask, i), mean + j, c, rows.size(), width);
  };
  const auto finish = [&](ColumnMap<T> map, const double* sum, const double* product, Index j, Index width) {
    kernel.finish_gradient(map, at(dgamma, j), at(dbeta, j), sum, product, at(gamma, j), mean + j, rstd + j, n, factor,
                           width);
  };
  StripMemory<T>& strip = *team.scratch<StripMemory<T>>();
  if (n <= strip_rows) {
    for_strips(columns_of<T>(team, c), [&](Index j, Index width) {
      std::fill_n(strip.first, width, 0.0);
      std::fill_n(strip.second, width, 0.0);
      for (Index b = 0; b < blocks_of(n); ++b) add_block(strip.first, strip.second, b, j, width);
      finish(strip.columns(), strip.first, strip.second, j, width);
      if (dx != nullptr) {
        kernel.input_gradient(dx + j, dy + j, at(gate, j), x + j, at(mask, j), strip.columns(), c, n, width);
      }
    });
    return;
  }
  const TallMemory<T> memory(team, n, c);
  const Range mine = team.range(blocks_of(n));
  for (Index b = mine.begin; b < mine.end; ++b) {
    std::fill_n(memory.first(b), 2 * c, 0.0);
    add_block(memory.first(b), memory.second(b), b, 0, c);
  }
  team.barrier();
  for_strips(columns_of<T>(team, c), [&](Index j, Index width) {
    std::fill_n(strip.first, width, 0.0);
    std::fill_n(strip.second, width, 0.0);
    for (Index b = 0; b < blocks_of(n); ++b) {
      for (Index k = 0; k < width; ++k) strip.first[k] += memory.first(b)[j + k];
      for (Index k = 0; k < width; ++k) strip.second[k] += memory.second(b)[j + k];
    }
    finish(at(memory.map, j), strip.first, strip.second, j, width);
  });
  team.barrier();
  if (dx == nullptr) return;
  for (Index b = mine.end - 1; b >= mine.begin; --b) {
    const Range rows = block(b, n);
    const Index i = rows.begin * c;
    kernel.input_gradient(dx + i, dy + i, at(gate, i), x + i, at(mask, i), memory.map, c, rows.size(), c);
  }
}

template <class T>
void batch_norm_inference(Team& team, T* y, const T* x, const T* gamma, const T* beta, const T* running_mean,
                          const T* running_var, Index n, Index c, double epsilon, Activation activation) {
  const NormKernels<T>& kernel = kernels<T>().norm;
  StripMemory<T>& strip = *team.scratch<StripMemory<T>>();
  // Few rows: threads share the columns. Many: they share the rows, and each makes the whole map, which is then little.
  const bool tall = n > strip_rows;
  const Range rows = tall ? team.range(n) : Range{0, n};
  for_strips(tall ? Range{0, c} : columns_of<T>(team, c), [&](Index j, Index width) {
    kernel.inference_map(strip.columns(), at(gamma, j), at(beta, j), running_mean + j, running_var + j, epsilon, width);
    const Index i = rows.begin * c + j;
    kernel.normalise(y + i, x + i, nullptr, strip.columns(), activation, c, rows.size(), width);
  });
}

#define FLYBALL_INSTANTIATE(T)                                                                                  \
  template void batch_norm_forward(Team&, T*, double*, double*, T*, T*, const T*, const T*, const T*,           \
                                   const std::uint8_t*, Index, Index, const BatchNormParams&, Keep);            \
  template void batch_norm_backward(Team&, T*, T*, T*, const T*, const T*, const T*, const T*, const double*,   \
                                    const double*, const std::uint8_t*, Index, Index, Activation, Keep);        \
  template void batch_norm_inference(Team&, T*, const T*, const T*, const T*, const T*, const T*, Index, Index, \
                                     double, Activation);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
