#include "flyball/pace.h"

#include <algorithm>
#include <utility>

namespace flyball {
namespace {

// What a rate is measured on.
constexpr double least_seconds = 0.004;

// A probe that changes nothing takes no more than this part of the time until the next; one that does is soon checked.
constexpr double most_probing = 0.02;
constexpr double most_checking = 0.1;

// One thread must be faster by this factor than all to be preferred.
constexpr double margin = 1.1;

constexpr double least_patience = 0.05;
constexpr double most_patience = 3.2;

// All threads are in each other's way, perhaps, when they do less than this part of what they did in their best slice,
// or of what was predicted, which is rough, and have done so for some time. Then nobody waits for the next probe.
constexpr double slow_rate = 0.6;
constexpr double slow_prediction = 0.25;
constexpr double slow_seconds = 0.1;

// The best slice is forgotten by so much a second.
constexpr double forgotten = 0.2;

}  // namespace

Calm& process_calm() {
  static Calm calm{least_calm};
  return calm;
}

double Pace::slice(double seconds) const {
  return std::min(seconds, probing_ || !warm_ ? least_seconds : std::max(least_seconds, left_));
}

bool Pace::slow(double rate, double predicted_rate) const {
  return rate < slow_rate * best_all_rate_ || rate < slow_prediction * predicted_rate;
}

void Pace::note(bool one, Index rows, double seconds, double predicted) {
  if (one != (one_ != probing_)) return;  // other Programs left it fewer threads than it asked for
  rows_ += rows;
  seconds_ += seconds;
  predicted_ += predicted;
  if (seconds_ < least_seconds) return;
  const double count = static_cast<double>(rows_);
  const double took = seconds_;
  const double rate = count / took;
  const double predicted_rate = count / std::max(predicted_, 1e-9);
  rows_ = 0;
  seconds_ = predicted_ = 0;
  if (!std::exchange(warm_, true)) return;
  (one ? one_rate_ : all_rate_) = rate;
  if (!one) best_all_rate_ = std::max(rate, (1 - std::min(1.0, forgotten * took)) * best_all_rate_);
  if (probing_) return decide(took);
  left_ -= took;
  const double slow_before = slow_;
  slow_ = !one && slow(rate, predicted_rate) ? slow_ + took : 0;
  probing_ = left_ <= 0 || (slow_before < slow_seconds && slow_ >= slow_seconds);
}

void Pace::decide(double seconds) {
  const bool before = one_;
  one_ = one_rate_ > margin * all_rate_;
  probing_ = false;
  patience_ = one_ == before ? std::clamp(2 * patience_, least_patience, most_patience) : least_patience;
  left_ = std::max(patience_, seconds / (one_ == before ? most_probing : most_checking));
  calm_->store(one_ ? least_calm : left_);
}

}  // namespace flyball
