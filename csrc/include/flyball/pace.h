// How many threads the next slice of a Program gets, by what the slices before it took.
//
// The threads of a team wait for each other at every barrier. While other processes keep the cores busy, each waits
// until the system has let all the others have a turn, and two threads can be ten times slower than one; two virtual
// cores may be one core with two names, on which two threads are no faster than one. As results do not depend on
// threads, a Program may go down to one and come back: now and then it does a little the other way, and compares.
#pragma once

#include <atomic>

#include "flyball/types.h"

namespace flyball {

// Seconds in which a new Program need not compare: what all Programs of a process have found out together.
using Calm = std::atomic<double>;
inline constexpr double least_calm = 0.01;
Calm& process_calm();

class Pace {
 public:
  explicit Pace(Calm& calm) : calm_(&calm), left_(calm.load()) {}

  // Threads of the next slice: 1 or `wanted`.
  int threads(int wanted) const { return one_ != probing_ ? 1 : wanted; }

  // The seconds it should take, at most.
  double slice(double seconds) const;

  // Tells what a slice that wanted more than one thread took, on one thread or on all; `predicted` is what it should
  // have taken on all.
  void note(bool one, Index rows, double seconds, double predicted);

 private:
  void decide(double seconds);
  bool slow(double rate, double predicted_rate) const;

  Calm* calm_;
  bool warm_ = false;  // the first steps of a Program find nothing in the caches, and are not counted
  bool one_ = false;
  bool probing_ = false;  // the next slice does what one_ does not say
  // Slices that belong together, as each would be too short to tell anything:
  Index rows_ = 0;
  double seconds_ = 0;
  double predicted_ = 0;
  double one_rate_ = 0;       // rows a second: the newest on one thread,
  double all_rate_ = 0;       // on all,
  double best_all_rate_ = 0;  // and the best on all in the last seconds
  double slow_ = 0;           // seconds in which all threads have been slow
  double patience_ = 0;       // seconds between a probe and the next; doubles while probes change nothing
  double left_;               // of them
};

}  // namespace flyball
