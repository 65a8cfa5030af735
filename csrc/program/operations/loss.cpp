#include "program/operations/arguments.h"

namespace flyball {
namespace {

// losses, hits, dlogits, logits, labels or targets; scale
template <class T>
void softmax_cross_entropy(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 3);
  flyball::softmax_cross_entropy(team, at<double>(s, i, 0), at<double>(s, i, 1), at<T>(s, i, 2), at<const T>(s, i, 3),
                                 at<const Index>(s, i, 4), n, c, number(s, i, 0));
}

template <class T>
void softmax_cross_entropy_soft(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 3);
  flyball::softmax_cross_entropy_soft(team, at<double>(s, i, 0), at<double>(s, i, 1), at<T>(s, i, 2),
                                      at<const T>(s, i, 3), at<const T>(s, i, 4), n, c, number(s, i, 0));
}

double cross_entropy_cost(I i) { return softmax_cost(i.buffers[3]->rows, columns(i, 3)); }

// losses, dpredictions, predictions, targets; scale
template <class T>
void mean_squared_error(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 2);
  flyball::mean_squared_error(team, at<double>(s, i, 0), at<T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3), n,
                              c, number(s, i, 0));
}

double squared_error_cost(I i) { return mean_squared_error_cost(i.buffers[2]->rows, columns(i, 2)); }

constexpr Operation rows_of_table[] = {
    {"softmax_cross_entropy", 5, 1, 0, 3, 3, FLYBALL_BOTH(softmax_cross_entropy), cross_entropy_cost, nullptr},
    {"softmax_cross_entropy_soft", 5, 1, 0, 3, 3, FLYBALL_BOTH(softmax_cross_entropy_soft), cross_entropy_cost,
     nullptr},
    {"mean_squared_error", 4, 1, 0, 2, 2, FLYBALL_BOTH(mean_squared_error), squared_error_cost, nullptr},
};

}  // namespace

std::span<const Operation> loss_operations() { return rows_of_table; }

}  // namespace flyball
