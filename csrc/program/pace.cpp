#include "flyball/pace.h"

#include <algorithm>

namespace flyball {
namespace {

// All threads are in each other's way, perhaps, when they do less than this part of what they did in their best slice,
// or of what was predicted, which is rough, and have done so for some time: the first steps of a Program find nothing
// in the caches.
constexpr double slow_rate = 0.6;
constexpr double slow_prediction = 0.25;
constexpr double slow_seconds = 0.1;

// The best slice is forgotten by so much a second.
constexpr double forgotten = 0.2;

// One thread must be faster by this factor than all to be preferred.
constexpr double margin = 1.1;

constexpr double least_patience = 0.2;
constexpr double most_patience = 3.2;

}  // namespace

void Pace::note(bool one, Index rows, double seconds, double predicted) {
  seconds = std::max(seconds, 1e-9);
  const double rate = static_cast<double>(rows) / seconds;
  (one ? one_rate_ : all_rate_) = rate;
  if (!one) best_all_rate_ = std::max(rate, (1 - std::min(1.0, forgotten * seconds)) * best_all_rate_);
  if (one != (one_ != probing_)) return;  // other Programs left it fewer threads than it asked for
  if (probing_) return decide();
  left_ -= seconds;
  const bool slow = rate < slow_rate * best_all_rate_ || seconds * slow_prediction > predicted;
  slow_ = slow ? slow_ + seconds : 0;
  probing_ = left_ <= 0 && (one_ || slow_ >= slow_seconds);
}

void Pace::decide() {
  const bool before = one_;
  one_ = one_rate_ > margin * all_rate_;
  probing_ = false;
  slow_ = 0;
  patience_ = one_ == before ? std::clamp(2 * patience_, least_patience, most_patience) : least_patience;
  left_ = patience_;
}

}  // namespace flyball
