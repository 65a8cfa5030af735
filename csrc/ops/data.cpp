#include <algorithm>

#include "flyball/ops.h"
#include "ops/columns.h"
#include "runtime/cpu.h"

namespace flyball {

// Rows lie anywhere in x, so each costs a few cache misses beside its elements.
double gather_cost(Index n, Index c) { return static_cast<double>(n) * (10.0 + 0.1 * static_cast<double>(c)); }

template <class T>
void gather(Team& team, T* out, const Source& x, const Index* rows, Index n, Index c) {
  const Range mine = team.range(n);
  kernels<T>().data.gather(out + mine.begin * c, x, rows + mine.begin, mine.size(), c);
}

template void gather(Team&, float*, const Source&, const Index*, Index, Index);
template void gather(Team&, double*, const Source&, const Index*, Index, Index);

void gather_labels(Team& team, Index* out, const Index* labels, const Index* rows, Index n, Index c) {
  const Range mine = team.range(n);
  for (Index i = mine.begin; i < mine.end; ++i) std::copy_n(labels + rows[i] * c, c, out + i * c);
}

double swap_axes_cost(Index count) { return 0.3 * static_cast<double>(count); }

// A share is of (n, blocks of rows of the result): what is written is consecutive, what is read whole cache lines.
template <class T>
void swap_axes(Team& team, T* y, const T* x, Index n, Index first, Index second, Index rest) {
  const Index block = 4 * line<T>;
  const Index blocks = (second + block - 1) / block;
  const Range mine = team.range(n * blocks);
  for (Index share = mine.begin; share < mine.end; ++share) {
    const Index j = share % blocks * block;
    const Index count = std::min(block, second - j);
    const T* from = x + (share / blocks * first * second + j) * rest;
    T* to = y + (share / blocks * second + j) * first * rest;
    if (rest == 1) {
      kernels<T>().slim.transpose(to, first, from, second, count, first);
      continue;
    }
    for (Index k = 0; k < count; ++k) {
      for (Index i = 0; i < first; ++i) {
        to = std::copy_n(from + (i * second + k) * rest, rest, to);
      }
    }
  }
}

template void swap_axes(Team&, float*, const float*, Index, Index, Index, Index);
template void swap_axes(Team&, double*, const double*, Index, Index, Index, Index);

// Arrays of fewer bytes stay with one thread, whatever they cost: what the others have read is in their caches then,
// and presumably gathered from there. Fits of 8-32-32-2 on 2 MB took 1.45 times as long in one of four.
constexpr Index shared_bytes = 4 * 1024 * 1024;

double find_not_finite_cost(Index bytes) {
  constexpr double nanoseconds_per_byte = 0.1;
  constexpr double of_one_thread = 4000.0;
  const double cost = nanoseconds_per_byte * static_cast<double>(bytes);
  return bytes < shared_bytes ? std::min(cost, of_one_thread) : cost;
}

// Pieces of the rows that threads share.
constexpr Index pieces = 64;

std::size_t find_not_finite_workspace() { return pieces * sizeof(Index); }

// Many rows at a time where they follow one another.
template <class T>
void find_not_finite(Team& team, Index* position, const T* x, Index row_stride, Index n, Index c) {
  constexpr Index block_elements = 4096;
  const Index block = row_stride == c ? std::max<Index>(1, block_elements / std::max<Index>(1, c)) : 1;
  const auto finite = [=](Index i, Index rows) { return kernels<T>().data.all_finite(x + i * row_stride, rows * c); };
  Index* const found = team.workspace<Index>();
  const Range mine = team.range(pieces);
  for (Index piece = mine.begin; piece < mine.end; ++piece) {
    const Index end = n * (piece + 1) / pieces;
    Index i = n * piece / pieces;
    while (i < end && finite(i, std::min(block, end - i))) i += block;
    while (i < end && finite(i, 1)) ++i;
    found[piece] = i < end ? i : n;
  }
  team.barrier();
  if (team.rank() == 0) *position = *std::min_element(found, found + pieces);
}

template void find_not_finite(Team&, Index*, const float*, Index, Index, Index);
template void find_not_finite(Team&, Index*, const double*, Index, Index, Index);

void add_total(Team& team, double* total, const double* values, Index n, double scale) {
  if (team.rank() != 0) return;
  double sum = 0.0;
  for (Index i = 0; i < n; ++i) sum += values[i];
  *total += scale * sum;
}

}  // namespace flyball
