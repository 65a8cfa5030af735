// What batch and group normalisation share: an array seen as channels, cut into parts, and two schedules.
//
// Owned: a thread owns channels and does everything for a strip of them, so that the second look at the data finds it
// in a near cache, and threads never wait for each other. Shared: threads own parts, and meet before the parts' sums
// are combined, channel by channel, and before the result is used. Either way sums run over the same parts, which
// depend on the sizes alone, and are combined in their order in double: the bits depend neither on the schedule nor on
// the number of threads.
#pragma once

#include <algorithm>

#include "flyball/ops.h"
#include "ops/at.h"
#include "ops/columns.h"
#include "runtime/cpu.h"

namespace flyball {

template <class T>
ColumnMap<T> at(const ColumnMap<T>& map, Index j) {
  return {map.center + j, map.slope + j, map.offset + j, map.scale + j, map.shift + j};
}

// The most channels of a strip. Narrower ones stay in a cache closer by, but rows that are a power of two apart meet in
// few of its sets: of (1024, 512), strips of 64 columns took 1.5 times as long as the whole.
inline constexpr Index strip_columns = 512;

// Memory for one strip, in a thread's scratch.
template <class T>
struct StripMemory {
  double first[strip_columns];
  double second[strip_columns];
  double mean[strip_columns];
  double rstd[strip_columns];
  T map[5][strip_columns];

  ColumnMap<T> columns() { return {map[0], map[1], map[2], map[3], map[4]}; }
};
static_assert(sizeof(StripMemory<double>) <= scratch_bytes);

// Calls body(j, width) for a range of channels, a strip at a time.
template <class Body>
void for_strips(Range channels, Index strip, Body body) {
  for (Index j = channels.begin; j < channels.end; j += strip) body(j, std::min(strip, channels.end - j));
}

// Results larger than this go past the caches, unless they overwrite an input: the next to read them would not find
// them there anyway.
inline constexpr Index cached_bytes = 16 * 1024 * 1024;

template <class T>
Stores stores_to(const T* result, const T* input, Index count) {
  const bool fits = count * static_cast<Index>(sizeof(T)) <= cached_bytes;
  return fits || result == input ? Stores::cached : Stores::streamed;
}

// Arrays of one shape, those that an operation lacks null, and what is done to each element.
template <class T>
struct Values {
  const T* x = nullptr;
  const T* dy = nullptr;
  const std::uint8_t* mask = nullptr;
  Activation activation = Activation::linear;
  Stores stores = Stores::cached;
};

// (n, c): a channel is a column, a part a block of rows. Sums within a part run in T.
template <class T>
struct Columns {
  static constexpr Index owned_rows = 512;  // of one thread: fewer stay in a near cache

  Index n, c;
  Index ld = c;
  Index dx_ld = ld;
  Index part_rows = row_block(n);
  const NormKernels<T>& kernel = kernels<T>().norm;

  Index parts() const { return row_blocks(n); }
  Index rows(Index p) const { return std::min(part_rows, n - p * part_rows); }
  Index count(Index p) const { return rows(p); }
  Index total() const { return n; }
  Index begin(Index p, Index j) const { return p * part_rows * ld + j; }
  // Columns side by side are in one line, or in the next, which the processor fetches unasked, out of the cache of the
  // thread that has written it: (128, 256) owned by two threads took twice as long as shared, and longer than on one
  // (Xeon, AVX-512).
  bool owned(const Team& team) const { return team.size() == 1 ? n <= owned_rows : parts() < team.size(); }
  Range channels(const Team& team) const { return columns_of<T>(team, c); }
  Index strip() const { return strip_columns; }
  static constexpr bool whole_parts = true;  // a thread's share is of parts, not of (part, channel)

  void moments(double* mean, double* m2, const T* x, Index p, Index j, Index width) const {
    kernel.moments(mean, m2, x + begin(p, j), ld, rows(p), width);
  }
  void normalise(T* y, const Values<T>& v, ColumnMap<T> map, Index p, Index j, Index width) const {
    const Index i = begin(p, j);
    kernel.normalise(y + i, v.x + i, at(v.mask, i), map, v.activation, v.stores, ld, rows(p), width);
  }
  void gradient_sums(double* sum, double* product, const Values<T>& v, ColumnMap<T> map, Index p, Index j,
                     Index width) const {
    const Index i = begin(p, j);
    kernel.gradient_sums(sum, product, v.dy + i, v.x + i, at(v.mask, i), map, v.activation, ld, rows(p), width);
  }
  void input_gradient(T* dx, const Values<T>& v, ColumnMap<T> map, Index p, Index j, Index width) const {
    const Index i = begin(p, j);
    T* const to = dx + p * part_rows * dx_ld + j;
    kernel.input_gradient(to, dx_ld, v.dy + i, v.x + i, at(v.mask, i), map, v.activation, v.stores, ld, rows(p), width);
  }
};

// (n, c, s): a channel is n planes of s elements, a part about 4096 of its elements: some rows' planes, or a piece of
// one plane.
template <class T>
struct Planes {
  static constexpr Index part_values = 4096;

  Index n, c, s;
  const NormKernels<T>& kernel = kernels<T>().norm;

  static Index part_rows(Index s) { return std::max<Index>(1, part_values / std::max<Index>(1, s)); }
  static Index parts(Index n, Index s) {
    return ((n + part_rows(s) - 1) / part_rows(s)) * ((s + part_values - 1) / part_values);
  }
  Index pieces() const { return (s + part_values - 1) / part_values; }
  Index parts() const { return parts(n, s); }
  Index row(Index p) const { return p / pieces() * part_rows(s); }
  Index rows(Index p) const { return std::min(part_rows(s), n - row(p)); }
  Index width(Index p) const { return std::min(part_values, s - p % pieces() * part_values); }
  Index count(Index p) const { return rows(p) * width(p); }
  Index total() const { return n * s; }
  Index begin(Index p, Index j) const { return (row(p) * c + j) * s + p % pieces() * part_values; }
  bool owned(const Team& team) const { return team.size() == 1 || c >= 4 * team.size(); }
  Range channels(const Team& team) const { return team.range(c); }
  // As many as fit the second-level cache with what the backward pass reads.
  Index strip() const {
    constexpr Index values = 256 * 1024 / static_cast<Index>(sizeof(T));
    return std::clamp<Index>(values / std::max<Index>(1, total()), 1, strip_columns);
  }
  static constexpr bool whole_parts = false;
  PlaneSteps steps() const { return {c * s, s}; }

  void moments(double* mean, double* m2, const T* x, Index p, Index j, Index columns) const {
    kernel.plane_moments(mean, m2, x + begin(p, j), steps(), rows(p), columns, width(p));
  }
  void normalise(T* y, const Values<T>& v, ColumnMap<T> map, Index p, Index j, Index columns) const {
    const Index i = begin(p, j);
    kernel.plane_normalise(y + i, v.x + i, at(v.mask, i), map, v.activation, v.stores, steps(), rows(p), columns,
                           width(p));
  }
  void gradient_sums(double* sum, double* product, const Values<T>& v, ColumnMap<T> map, Index p, Index j,
                     Index columns) const {
    const Index i = begin(p, j);
    kernel.plane_gradient_sums(sum, product, v.dy + i, v.x + i, at(v.mask, i), map, v.activation, steps(), rows(p),
                               columns, width(p));
  }
  void input_gradient(T* dx, const Values<T>& v, ColumnMap<T> map, Index p, Index j, Index columns) const {
    const Index i = begin(p, j);
    kernel.plane_input_gradient(dx + i, v.dy + i, v.x + i, at(v.mask, i), map, v.activation, v.stores, steps(), rows(p),
                                columns, width(p));
  }
};

// Memory of the shared schedule, in the team's workspace: two sums a part and channel, and the map.
template <class T>
struct SharedMemory {
  double* sums;
  Index c;
  ColumnMap<T> map;

  SharedMemory(const Team& team, Index parts, Index channels) : sums(team.workspace<double>()), c(channels) {
    T* rest = reinterpret_cast<T*>(sums + 2 * parts * c);
    map = {rest, rest + c, rest + 2 * c, rest + 3 * c, rest + 4 * c};
  }
  double* first(Index p) const { return sums + 2 * p * c; }
  double* second(Index p) const { return sums + (2 * p + 1) * c; }
};

inline std::size_t shared_memory_bytes(Index parts, Index channels) {
  return static_cast<std::size_t>(2 * parts + 5) * static_cast<std::size_t>(channels) * sizeof(double);
}

enum class Order : bool { forwards, backwards };

// Calls body(p, j, width) for this thread's share of parts and channels. Backwards, the parts read last, which are
// still in the cache, come first.
template <class View, class Body>
void for_share(const Team& team, const View& view, Order order, Body body) {
  const Index channels = View::whole_parts ? 1 : view.c;
  if (channels == 0) return;
  const Range mine = team.range(view.parts() * channels);
  const Index first = mine.begin / channels;
  const Index last = (mine.end + channels - 1) / channels;
  for (Index k = first; k < last; ++k) {
    const Index p = order == Order::forwards ? k : first + last - 1 - k;
    const Index j = std::max<Index>(0, mine.begin - p * channels);
    const Index end = std::min(channels, mine.end - p * channels);
    body(p, j, View::whole_parts ? view.c : end - j);
  }
}

// mean and m2 of x; then(j, width) runs where they are known.
template <class View, class T, class Then>
void for_moments(Team& team, const View& view, double* mean, double* m2, const T* x, Then then) {
  const NormKernels<T>& kernel = view.kernel;
  const auto merged = [&](Index j, Index width, auto part) {
    Index count = view.parts() == 0 ? 0 : view.count(0);
    for (Index p = 1; p < view.parts(); ++p) {
      const auto [part_mean, part_m2] = part(p);
      kernel.merge_moments(mean + j, m2 + j, count, part_mean, part_m2, view.count(p), width);
      count += view.count(p);
    }
  };
  struct Pair {
    double* mean;
    double* m2;
  };
  if (view.owned(team) || view.parts() == 0) {
    StripMemory<T>& strip = *team.scratch<StripMemory<T>>();
    for_strips(view.channels(team), view.strip(), [&](Index j, Index width) {
      if (view.parts() == 0) {
        std::fill_n(mean + j, width, 0.0);
        std::fill_n(m2 + j, width, 0.0);
      } else {
        view.moments(mean + j, m2 + j, x, 0, j, width);
      }
      merged(j, width, [&](Index p) {
        view.moments(strip.first, strip.second, x, p, j, width);
        return Pair{strip.first, strip.second};
      });
      then(j, width);
    });
    return;
  }
  const SharedMemory<T> memory(team, view.parts(), view.c);
  for_share(team, view, Order::forwards, [&](Index p, Index j, Index width) {
    view.moments(memory.first(p) + j, memory.second(p) + j, x, p, j, width);
  });
  team.barrier();
  for_strips(view.channels(team), strip_columns, [&](Index j, Index width) {
    std::copy_n(memory.first(0) + j, width, mean + j);
    std::copy_n(memory.second(0) + j, width, m2 + j);
    merged(j, width, [&](Index p) { return Pair{memory.first(p) + j, memory.second(p) + j}; });
    then(j, width);
  });
}

// Calls use(map, p, j, width) for this thread's share of parts and channels, with the map that fill(map, j, width)
// makes of a strip of channels.
template <class T, class View, class Fill, class Use>
void for_mapped_share(const Team& team, const View& view, Fill fill, Use use) {
  const ColumnMap<T> map = team.scratch<StripMemory<T>>()->columns();
  for_strips(Range{0, view.c}, strip_columns, [&](Index j, Index width) {
    fill(map, j, width);
    for_share(team, view, Order::forwards, [&](Index p, Index share, Index share_width) {
      const Index begin = std::max(j, share);
      const Index end = std::min(j + width, share + share_width);
      if (begin < end) use(at(map, begin - j), p, begin, end - begin);
    });
  });
}

// Sums of the gradient; fill(map, j, width) makes the map of the forward pass, and then(j, width, sum, product) runs
// where the sums are known, and may change them. Where channels are owned, the strip's map is still there.
template <class View, class T, class Fill, class Then>
void for_gradient_sums(Team& team, const View& view, const Values<T>& values, Fill fill, Then then) {
  StripMemory<T>& strip = *team.scratch<StripMemory<T>>();
  if (view.owned(team) || view.parts() == 0) {
    for_strips(view.channels(team), view.strip(), [&](Index j, Index width) {
      fill(strip.columns(), j, width);
      std::fill_n(strip.first, width, 0.0);
      std::fill_n(strip.second, width, 0.0);
      for (Index p = 0; p < view.parts(); ++p) {
        view.gradient_sums(strip.first, strip.second, values, strip.columns(), p, j, width);
      }
      then(j, width, strip.first, strip.second);
    });
    return;
  }
  const SharedMemory<T> memory(team, view.parts(), view.c);
  for_mapped_share<T>(team, view, fill, [&](ColumnMap<T> map, Index p, Index j, Index width) {
    std::fill_n(memory.first(p) + j, width, 0.0);
    std::fill_n(memory.second(p) + j, width, 0.0);
    view.gradient_sums(memory.first(p) + j, memory.second(p) + j, values, map, p, j, width);
  });
  team.barrier();
  for_strips(view.channels(team), strip_columns, [&](Index j, Index width) {
    std::fill_n(strip.first, width, 0.0);
    std::fill_n(strip.second, width, 0.0);
    for (Index p = 0; p < view.parts(); ++p) {
      for (Index k = 0; k < width; ++k) strip.first[k] += memory.first(p)[j + k];
      for (Index k = 0; k < width; ++k) strip.second[k] += memory.second(p)[j + k];
    }
    then(j, width, strip.first, strip.second);
  });
}

// fill(map, j, width) makes a strip's map, use(map, p, j, width) runs with it on parts of it. For operations that are
// given their statistics: each thread makes the maps that it needs.
template <class T, class View, class Fill, class Use>
void for_maps(Team& team, const View& view, Fill fill, Use use) {
  if (!view.owned(team)) return for_mapped_share<T>(team, view, fill, use);
  const ColumnMap<T> map = team.scratch<StripMemory<T>>()->columns();
  for_strips(view.channels(team), view.strip(), [&](Index j, Index width) {
    fill(map, j, width);
    for (Index p = 0; p < view.parts(); ++p) use(map, p, j, width);
  });
}

}  // namespace flyball
