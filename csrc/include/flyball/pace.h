// How many threads the next slice of a Program gets, by what the slices before it took.
//
// The threads of a team wait for each other at every barrier: while other processes keep the cores busy, each waits
// until the system has let all the others have a turn, and two threads can be ten times slower than one. As results do
// not depend on threads, a Program may go down to one and come back.
#pragma once

#include "flyball/types.h"

namespace flyball {

class Pace {
 public:
  // Threads of the next slice: 1 or `wanted`.
  int threads(int wanted) const { return one_ != probing_ ? 1 : wanted; }

  // Whether the next slice is there to be compared with: it may be short.
  bool probing() const { return probing_; }

  // Tells what a slice that wanted more than one thread took, on one thread or on all; `predicted` is what it should
  // have taken on all.
  void note(bool one, Index rows, double seconds, double predicted);

 private:
  void decide();

  bool one_ = false;
  bool probing_ = false;      // the next slice does what one_ does not say
  double one_rate_ = 0;       // rows a second: the newest on one thread,
  double all_rate_ = 0;       // on all,
  double best_all_rate_ = 0;  // and the best on all in the last seconds
  double slow_ = 0;           // seconds in which all threads have been slow
  double patience_ = 0;       // seconds between a probe and the next; doubles while probes change nothing
  double left_ = 0;           // of them
};

}  // namespace flyball
