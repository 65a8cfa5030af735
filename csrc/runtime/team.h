// A Team is a group of threads that run one function together (SPMD). Everything above knows threads only from here.
//
//   run_team(team_size(work), workspace_bytes, [&](Team& team) {
//     Range mine = team.range(blocks);   // a share of the blocks: contiguous, the same for the same sizes
//     ...
//     team.barrier();                    // what the others wrote is visible now
//   });
//
// Two implementations stand behind it: OpenMP, and a pool of std::thread for builds without OpenMP, for processes that
// were forked (OpenMP's threads do not survive a fork) and on request (FLYBALL_TEAM=threads).
#pragma once

#include <atomic>
#include <memory>
#include <type_traits>

#include "flyball/types.h"

namespace flyball {

// Private scratch of each thread, in bytes.
inline constexpr std::size_t scratch_bytes = 1024 * 1024;

// What one thread tells another at a barrier: how many it has reached. A cache line of its own.
struct alignas(64) Signal {
  std::atomic<std::uint32_t> phase{0};
};

struct TeamState {
  int size = 1;
  void* workspace = nullptr;
  Signal* signals = nullptr;  // of each round of a barrier, one to each thread
  bool half = false;          // the other half of the threads works beside it
};

class Team {
 public:
  Team(TeamState& state, int rank, void* scratch) : state_(&state), rank_(rank), scratch_(scratch) {}

  int rank() const { return rank_; }
  int size() const { return state_->size; }

  // Whether this is half of a team, and what is written for both halves is read by other cores.
  bool is_half() const { return state_->half; }

  // This thread's contiguous share of `blocks`.
  Range range(Index blocks) const { return {blocks * rank_ / size(), blocks * (rank_ + 1) / size()}; }

  // Waits for all threads of the team.
  void barrier() {
    if (state_->size > 1) wait();
  }

  // Memory that all threads of the team share, of the size run_team was asked for; 64-byte aligned.
  template <class T>
  T* workspace() const {
    return static_cast<T*>(state_->workspace);
  }

  // Memory of this thread alone, scratch_bytes long, 64-byte aligned; its contents last for one operation.
  template <class T>
  T* scratch() const {
    return static_cast<T*>(scratch_);
  }

 private:
  void wait();

  TeamState* state_;
  int rank_;
  void* scratch_;
  std::uint32_t phase_ = 0;
};

// Memory for the barriers of one team.
class Signals {
 public:
  explicit Signals(int threads);
  Signal* data() { return many_ == nullptr ? few_ : many_.get(); }

 private:
  static constexpr int few = 8;
  Signal few_[few];
  std::unique_ptr<Signal[]> many_;  // a small team's need no memory from the heap
};

// Two halves of a team of two threads or more, its first and its last: each a team that waits for itself alone.
class Halves {
 public:
  explicit Halves(int threads) : signals_{Signals(threads), Signals(threads)} {}

  // The half that a thread of `team` is in. Its workspace lies behind the team's: the team has room for three of so
  // many bytes. `state` is this thread's own.
  Team of(const Team& team, TeamState& state, std::size_t workspace_bytes);
  static int number_of(const Team& team) { return team.rank() < team.size() / 2 ? 0 : 1; }

 private:
  Signals signals_[2];
};

using TeamFunction = void (*)(void* context, Team& team);

// Runs `function` on `threads` threads, the caller among them, and returns when all have finished.
void run_team(int threads, std::size_t workspace_bytes, TeamFunction function, void* context);

template <class F>
void run_team(int threads, std::size_t workspace_bytes, F&& body) {
  using Body = std::remove_reference_t<F>;
  run_team(
      threads, workspace_bytes, [](void* context, Team& team) { (*static_cast<Body*>(context))(team); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// The number of threads worth opening a team of for `nanoseconds` of work on one thread: at most num_threads().
int team_size(double nanoseconds);

int num_threads();
void set_num_threads(int threads);

// "openmp" or "threads": what the next team will run on.
const char* team_kind();

}  // namespace flyball
