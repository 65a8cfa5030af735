#include "runtime/team.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <thread>

#include "runtime/lease.h"
#include "runtime/pool.h"

#ifdef FLYBALL_OPENMP
#include <omp.h>
#endif
#ifndef _WIN32
#include <pthread.h>
#endif

namespace flyball {
namespace {

// A team is opened where its work pays for waking the others; below this much work a thread, it does not.
constexpr double nanoseconds_per_thread = 4000.0;

std::atomic<int> thread_limit{1};
std::atomic<bool> forked{false};

struct Aligned {
  void operator()(void* p) const { ::operator delete(p, std::align_val_t{64}); }
};

// Grows to the largest request and is kept, so that a steady state allocates nothing.
class Buffer {
 public:
  void* at_least(std::size_t bytes) {
    if (bytes > size_) {
      memory_.reset();
      memory_.reset(::operator new(bytes, std::align_val_t{64}));
      size_ = bytes;
    }
    return memory_.get();
  }

 private:
  std::unique_ptr<void, Aligned> memory_;
  std::size_t size_ = 0;
};

void* thread_scratch() {
  thread_local Buffer buffer;
  return buffer.at_least(scratch_bytes);
}

// Nested calls (a callback that calls an operation) get their own workspace.
void* caller_workspace(std::size_t bytes) {
  thread_local Buffer buffer;
  return buffer.at_least(bytes);
}

inline void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

bool use_openmp() {
#ifdef FLYBALL_OPENMP
  static const bool wanted = [] {
    const char* team = std::getenv("FLYBALL_TEAM");
    return team == nullptr || std::strcmp(team, "threads") != 0;
  }();
  return wanted && !forked.load(std::memory_order_relaxed);
#else
  return false;
#endif
}

#ifndef _WIN32
// In a forked child only the calling thread exists: OpenMP would wait for threads that are gone.
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, [] {
  forked.store(true);
  abandon_pools();
  abandon_leases();
});
#endif

}  // namespace

// In round r a thread tells the one 2^r places on that it has come, and waits for the one 2^r places before: after
// log2(size) rounds all have heard of all. Nobody writes what two others read, so that a round is one cache line from
// core to core; a counter that all increment and a number that all watch are three, and took twice as long on two
// cores.
void Team::wait() {
  // Spinning answers within a memory round trip; yielding keeps a shared machine usable when a thread is descheduled.
  constexpr int spins = 4096;
  ++phase_;
  Signal* signals = state_->signals;
  for (int distance = 1; distance < size(); distance *= 2, signals += size()) {
    signals[(rank_ + distance) % size()].phase.store(phase_, std::memory_order_release);
    // The other may be a barrier ahead already; the difference is right where numbers begin anew.
    const auto missing = [&] {
      return static_cast<std::int32_t>(signals[rank_].phase.load(std::memory_order_acquire) - phase_) < 0;
    };
    for (int i = 0; missing(); ++i) {
      if (i < spins) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
  }
}

// Of all rounds of a barrier.
Signals::Signals(int threads) {
  int count = 0;
  for (int distance = 1; distance < threads; distance *= 2) count += threads;
  if (count > few) many_ = std::make_unique<Signal[]>(static_cast<std::size_t>(count));
}

Team Halves::of(const Team& team, TeamState& state, std::size_t workspace_bytes) {
  const int first = team.size() / 2;
  const int number = number_of(team);
  state.half = true;
  state.size = number == 0 ? first : team.size() - first;
  if (workspace_bytes > 0) {
    state.workspace = team.workspace<char>() + (1 + static_cast<std::size_t>(number)) * workspace_bytes;
  }
  state.signals = signals_[number].data();
  return {state, number == 0 ? team.rank() : team.rank() - first, team.scratch<void>()};
}

void run_team(int threads, std::size_t workspace_bytes, TeamFunction function, void* context) {
  TeamState state;
  state.workspace = workspace_bytes > 0 ? caller_workspace(workspace_bytes) : nullptr;
  if (threads <= 1) {
    Team team(state, 0, thread_scratch());
    function(context, team);
    return;
  }
  Signals signals(threads);
  state.signals = signals.data();
#ifdef FLYBALL_OPENMP
  if (use_openmp()) {
#pragma omp parallel num_threads(threads)
    {
      // OpenMP may grant fewer threads than asked for; the team is as large as what it granted.
#pragma omp single
      state.size = omp_get_num_threads();
      Team team(state, omp_get_thread_num(), thread_scratch());
      function(context, team);
    }
    return;
  }
#endif
  state.size = threads;
  run_on_pool(threads, [&](int rank) {
    Team team(state, rank, thread_scratch());
    function(context, team);
  });
}

int team_size(double nanoseconds) {
  const int limit = thread_limit.load(std::memory_order_relaxed);
  const double worthwhile = nanoseconds / nanoseconds_per_thread;
  return worthwhile >= limit ? limit : std::max(1, static_cast<int>(worthwhile));
}

int num_threads() { return thread_limit.load(std::memory_order_relaxed); }

void set_num_threads(int threads) { thread_limit.store(std::max(1, threads), std::memory_order_relaxed); }

const char* team_kind() { return use_openmp() ? "openmp" : "threads"; }

}  // namespace flyball
