#include "runtime/probe.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "runtime/cpu.h"
#include "runtime/team.h"

namespace flyball {
namespace {

// Seconds that the slowest thread of a team takes for body(team), best of the trials: others were disturbed.
template <class Body>
double fastest(int threads, int trials, Body body) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int trial = 0; trial < trials; ++trial) {
    run_team(threads, 0, [&](Team& team) {
      team.barrier();
      const auto began = Clock::now();
      body(team);
      team.barrier();
      const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
      if (team.rank() == 0) best = std::min(best, seconds);
    });
  }
  return best;
}

}  // namespace

template <class T>
double measure_multiply_adds(int threads, int trials) {
  constexpr Index rounds = 40'000;
  double operations = 0;
  const double seconds = fastest(threads, trials, [&](Team& team) {
    const double mine = kernels<T>().probe.multiply_adds(team.scratch<T>(), rounds);
    if (team.rank() == 0) operations = mine * team.size();
  });
  return operations / seconds;
}

double measure_bandwidth(int threads, Index bytes) {
  const Index count = std::max<Index>(bytes / static_cast<Index>(2 * sizeof(float)), 1024);
  const Index rounds = std::max<Index>(1, (Index{1} << 24) / count);
  std::vector<float> x(static_cast<std::size_t>(count), 1.0f);
  std::vector<float> y(static_cast<std::size_t>(count), 0.0f);
  constexpr int trials = 5;
  const double seconds = fastest(threads, trials, [&](Team& team) {
    const Range mine = team.range(count);
    for (Index round = 0; round < rounds; ++round) {
      kernels<float>().probe.stream(y.data() + mine.begin, x.data() + mine.begin, 1e-3f, mine.size());
    }
  });
  return 3.0 * sizeof(float) * static_cast<double>(count) * static_cast<double>(rounds) / seconds;
}

template double measure_multiply_adds<float>(int, int);
template double measure_multiply_adds<double>(int, int);

}  // namespace flyball
