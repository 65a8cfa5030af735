// Group normalisation: a channel of a sample is a column (channels last) or a plane (channels first), and goes through
// the kernels of batch normalisation with the statistics of its group. Threads own units, some whole groups of a
// sample. Where a channel is one value, a group is a row, and layer normalisation's kernels take it.
#include "ops/channels.h"
#include "ops/rows.h"

namespace flyball {
namespace {

// The most values of a unit of planes, unless one group has more.
constexpr Index unit_values = 16 * 1024;

// Sizes, and how samples are cut into units.
struct Groups {
  Index n, c, s, g;
  bool last;  // channels last, in memory: whether a channel is a column

  Index size() const { return c / g; }         // channels of a group
  Index values() const { return size() * s; }  // of a group
  Index strip() const { return size() < strip_columns ? strip_columns / size() * size() : strip_columns; }
  // Groups of a unit: columns that are narrow waste cache lines, and small planes are worth no call of their own.
  Index per_unit() const {
    const Index enough =
        last ? 128 / size() : std::min(unit_values / std::max<Index>(1, values()), strip_columns / size());
    return std::clamp<Index>(enough, 1, g);
  }
  Index units() const { return (g + per_unit() - 1) / per_unit(); }  // of a sample
};

template <class T, class Body>
void with_sample_view(const Groups& groups, Body body) {
  if (groups.last) {
    body(Columns<T>{groups.s, groups.c});
  } else {
    body(Planes<T>{1, groups.c, groups.s});
  }
}

// Calls body(sample, groups) for this thread's units.
template <class Body>
void for_units(const Team& team, const Groups& groups, Body body) {
  const Range mine = team.range(groups.n * groups.units());
  for (Index u = mine.begin; u < mine.end; ++u) {
    const Index first = u % groups.units() * groups.per_unit();
    body(u / groups.units(), Range{first, std::min(groups.g, first + groups.per_unit())});
  }
}

// Each channel's share of what its group has: values[j - begin] = of_groups[group of j].
void spread(double* values, const double* of_groups, const Groups& groups, Index j, Index width) {
  Index group = j / groups.size();
  Index next = (group + 1) * groups.size() - j;  // where the next group begins
  for (Index k = 0; k < width; ++group, next += groups.size()) {
    for (const Index end = std::min(next, width); k < end; ++k) values[k] = of_groups[group];
  }
}

// Statistics of a unit's groups from those of their columns, which all have the same number of values.
template <class T>
void moments_of_columns(double* mean, double* m2, const T* x, const Columns<T>& view, const Groups& groups, Range unit,
                        StripMemory<T>& strip) {
  const Index size = groups.size();
  for_strips({unit.begin * size, unit.end * size}, groups.strip(), [&](Index j, Index width) {
    view.moments(strip.first, strip.second, x, 0, j, width);
    for (Index p = 1; p < view.parts(); ++p) {
      view.moments(strip.mean, strip.rstd, x, p, j, width);
      view.kernel.merge_moments(strip.first, strip.second, p * view.part_rows, strip.mean, strip.rstd, view.count(p),
                                width);
    }
    // The strip has whole groups, or a part of one.
    for (Index begin = 0; begin < width; begin += size) {
      const Index group = (j + begin) / size;
      const Index columns = std::min(size, width - begin);
      double part_mean = 0.0;
      for (Index k = 0; k < columns; ++k) part_mean += strip.first[begin + k];
      part_mean /= static_cast<double>(columns);
      double part_m2 = 0.0;
      for (Index k = 0; k < columns; ++k) {
        const double delta = strip.first[begin + k] - part_mean;
        part_m2 += strip.second[begin + k] + static_cast<double>(view.n) * delta * delta;
      }
      const Index before = (j + begin) % size;
      if (before == 0) {
        mean[group] = part_mean;
        m2[group] = part_m2;
      } else {
        view.kernel.merge_moments(mean + group, m2 + group, before * view.n, &part_mean, &part_m2, columns * view.n, 1);
      }
    }
  });
}

}  // namespace

double group_norm_cost(Index n, Index c, Index s) { return batch_norm_cost(n, c, s); }

std::size_t group_norm_workspace(Index n, Index c, Index s, Index g) {
  if (s == 1) return rows_workspace(n, g, c / g);
  const auto values = static_cast<std::size_t>(n) * static_cast<std::size_t>(c);
  return std::max(2 * values * sizeof(double), shared_memory_bytes(Planes<double>::parts(1, c / g * s), n * g));
}

template <class T>
void group_norm_forward(Team& team, T* y, double* mean, double* rstd, const T* x, const T* gamma, const T* beta,
                        Index n, Index c, Index s, Index g, bool channels_last, double epsilon) {
  if (s == 1) return normalise_rows(team, y, mean, rstd, x, gamma, beta, n, g, c / g, epsilon);
  const Groups groups = {n, c, s, g, channels_last};
  const BatchNormParams params = {0.0, epsilon, false, Activation::linear};
  const NormKernels<T>& kernel = kernels<T>().norm;
  StripMemory<T>& strip = *team.scratch<StripMemory<T>>();
  const Stores stores = stores_to(y, x, n * c * s);
  const auto finish = [&](Index group, Index count) {
    T* const none = nullptr;
    kernel.finish_moments(rstd + group, none, none, mean + group, groups.values(), params, count);
  };
  // Channels [begin, end) of a sample.
  const auto normalise = [&](Index sample, Range channels) {
    with_sample_view<T>(groups, [&](const auto& view) {
      const Values<T> values = {x + sample * c * s, nullptr, nullptr, Activation::linear, stores};
      for_strips(channels, strip_columns, [&](Index j, Index width) {
        spread(strip.mean, mean + sample * g, groups, j, width);
        spread(strip.rstd, rstd + sample * g, groups, j, width);
        kernel.normalise_map(strip.columns(), strip.mean, strip.rstd, at(gamma, j), at(beta, j), 1.0, width);
        for (Index p = view.parts() - 1; p >= 0; --p) {
          view.normalise(y + sample * c * s, values, strip.columns(), p, j, width);
        }
      });
    });
  };
  if (channels_last) {
    const Columns<T> view = {s, c};
    for_units(team, groups, [&](Index sample, Range unit) {
      const Index first = sample * g;
      moments_of_columns(mean + first, rstd + first, x + sample * c * s, view, groups, unit, strip);
      finish(first + unit.begin, unit.size());
      normalise(sample, {unit.begin * groups.size(), unit.end * groups.size()});
    });
    return;
  }
  // A group's values are consecutive: a plane of an array of one row.
  const Planes<T> view = {1, n * g, groups.values()};
  const bool owned = view.owned(team);
  for_moments(team, view, mean, rstd, x, [&](Index group, Index count) {
    finish(group, count);
    if (!owned) return;
    for (Index u = group; u < group + count;) {
      const Index sample = u / g;
      const Index end = std::min(group + count, (sample + 1) * g);
      normalise(sample, {u % g * groups.size(), (end - sample * g) * groups.size()});
      u = end;
    }
  });
  if (owned) return;
  team.barrier();
  const Range mine = team.range(n * c);
  for (Index sample = 0; sample < n; ++sample) {
    const Range channels = {std::max<Index>(0, mine.begin - sample * c), std::min(c, mine.end - sample * c)};
    if (channels.size() > 0) normalise(sample, channels);
  }
}

template <class T>
void group_norm_backward(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma,
                         const double* mean, const double* rstd, Index n, Index c, Index s, Index g,
                         bool channels_last) {
  if (s == 1) return differentiate_rows(team, dx, dgamma, dbeta, dy, x, gamma, mean, rstd, n, g, c / g);
  const Groups groups = {n, c, s, g, channels_last};
  const NormKernels<T>& kernel = kernels<T>().norm;
  StripMemory<T>& strip = *team.scratch<StripMemory<T>>();
  const Stores stores = stores_to(dx, dy, n * c * s);
  double* const sums = team.workspace<double>();  // of each sample's channels: dz, then dz * xhat
  double* const products = sums + n * c;
  with_sample_view<T>(groups, [&](const auto& view) {
    for_units(team, groups, [&](Index sample, Range unit) {
      const Range channels = {unit.begin * groups.size(), unit.end * groups.size()};
      const Values<T> values = {x + sample * c * s, dy + sample * c * s, nullptr, Activation::linear, stores};
      double* const sum = sums + sample * c;
      double* const product = products + sample * c;
      T* const none = nullptr;
      const auto take_statistics = [&](Index j, Index width) {
        spread(strip.mean, mean + sample * g, groups, j, width);
        spread(strip.rstd, rstd + sample * g, groups, j, width);
        kernel.normalise_map(strip.columns(), strip.mean, strip.rstd, at(gamma, j), none, 1.0, width);
      };
      for_strips(channels, strip_columns, [&](Index j, Index width) {
        take_statistics(j, width);
        std::fill_n(sum + j, width, 0.0);
        std::fill_n(product + j, width, 0.0);
        for (Index p = 0; p < view.parts(); ++p) {
          view.gradient_sums(sum + j, product + j, values, strip.columns(), p, j, width);
        }
        kernel.finish_sums(sum + j, product + j, strip.mean, strip.rstd, 1.0, width);
      });
      if (dx == nullptr) return;
      const auto weighted = [&](const double* of_channels, Index group) {
        double total = 0.0;
        for (Index j = group * groups.size(); j < (group + 1) * groups.size(); ++j) {
          total += of_channels[j] * (gamma == nullptr ? 1.0 : static_cast<double>(gamma[j]));
        }
        return total;
      };
      // A strip begins with the group that it continues: whole groups' sums are found once for each.
      Index known = -1;
      double group_sum = 0.0;
      double group_product = 0.0;
      for_strips(channels, strip_columns, [&](Index j, Index width) {
        take_statistics(j, width);
        for (Index k = 0; k < width;) {
          const Index group = (j + k) / groups.size();
          if (group != known) {
            known = group;
            group_sum = weighted(sum, group);
            group_product = weighted(product, group);
          }
          const Index end = std::min(width, (group + 1) * groups.size() - j);
          std::fill(strip.first + k, strip.first + end, group_sum);
          std::fill(strip.second + k, strip.second + end, group_product);
          k = end;
        }
        kernel.gradient_map(strip.columns(), none, none, strip.first, strip.second, at(gamma, j), strip.mean,
                            strip.rstd, groups.values(), Weighted::yes, width);
        for (Index p = view.parts() - 1; p >= 0; --p) {
          view.input_gradient(dx + sample * c * s, values, strip.columns(), p, j, width);
        }
      });
    });
  });
  if (dgamma == nullptr && dbeta == nullptr) return;
  team.barrier();
  const auto combine = [&](T* result, const double* parts) {
    if (result == nullptr) return;
    for_strips(columns_of<T>(team, c), strip_columns, [&](Index j, Index width) {
      std::fill_n(strip.first, width, 0.0);
      for (Index sample = 0; sample < n; ++sample) {
        for (Index k = 0; k < width; ++k) strip.first[k] += parts[sample * c + j + k];
      }
      for (Index k = 0; k < width; ++k) result[j + k] = static_cast<T>(strip.first[k]);
    });
  };
  combine(dgamma, products);
  combine(dbeta, sums);
}

#define FLYBALL_INSTANTIATE(T)                                                                                     \
  template void group_norm_forward(Team&, T*, double*, double*, const T*, const T*, const T*, Index, Index, Index, \
                                   Index, bool, double);                                                           \
  template void group_norm_backward(Team&, T*, T*, T*, const T*, const T*, const T*, const double*, const double*, \
                                    Index, Index, Index, Index, bool);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
