#include "program/operations/arguments.h"

namespace flyball {
namespace {

// losses, hits, dlogits, logits, labels, weights; smoothing, scale
template <class T>
void softmax_cross_entropy(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 3);
  flyball::softmax_cross_entropy(team, at<double>(s, i, 0), at<double>(s, i, 1), at<T>(s, i, 2), at<const T>(s, i, 3),
                                 at<const Index>(s, i, 4), at<const T>(s, i, 5), n, c, number(s, i, 0),
                                 number(s, i, 1));
}

// losses, hits, dlogits, logits, targets, weights; scale
template <class T>
void softmax_cross_entropy_soft(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 3);
  flyball::softmax_cross_entropy_soft(team, at<double>(s, i, 0), at<double>(s, i, 1), at<T>(s, i, 2),
                                      at<const T>(s, i, 3), at<const T>(s, i, 4), at<const T>(s, i, 5), n, c,
                                      number(s, i, 0));
}

double cross_entropy_cost(I i) { return softmax_cost(i.buffers[3]->most_rows, columns(i, 3)); }

Loss loss_of(I i) { return static_cast<Loss>(i.scalars[0].integer); }

// losses, dpredictions, predictions, targets, weights; loss, delta, scale
template <class T>
void pointwise_loss(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 2);
  flyball::pointwise_loss(team, at<double>(s, i, 0), at<T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3),
                          at<const T>(s, i, 4), n, c, {loss_of(i), number(s, i, 1)}, number(s, i, 2));
}

double pointwise_cost(I i) { return pointwise_loss_cost(loss_of(i), i.buffers[2]->most_rows, columns(i, 2)); }

// losses, dpredictions, predictions, targets, weights; loss, gamma, positive, negative, scale
template <class T>
void row_loss(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 2);
  const RowLossParams params{static_cast<RowLoss>(i.scalars[0].integer), number(s, i, 1), number(s, i, 2),
                             number(s, i, 3)};
  flyball::row_loss(team, at<double>(s, i, 0), at<T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3),
                    at<const T>(s, i, 4), n, c, params, number(s, i, 4));
}

double row_loss_cost(I i) { return flyball::row_loss_cost(i.buffers[2]->most_rows, columns(i, 2)); }

// losses, dpredictions, predictions, targets, weights; alpha, beta, epsilon, whole, scale
template <class T>
void overlap_loss(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 2);
  const OverlapParams params{number(s, i, 0), number(s, i, 1), number(s, i, 2), number(s, i, 3) != 0};
  flyball::overlap_loss(team, at<double>(s, i, 0), at<T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3),
                        at<const T>(s, i, 4), n, c, params, number(s, i, 4));
}

double overlap_loss_cost(I i) { return flyball::overlap_loss_cost(i.buffers[2]->most_rows, columns(i, 2)); }
std::size_t overlap_loss_workspace(I i) { return flyball::overlap_loss_workspace(i.buffers[2]->most_rows); }

// out, kept, weights, labels; ignored, divisor
template <class T>
void loss_weights(Team& team, const Step& s, I i) {
  flyball::loss_weights(team, at<T>(s, i, 0), at<Index>(s, i, 1), at<const T>(s, i, 2), at<const Index>(s, i, 3),
                        rows(s, i, 0), static_cast<Index>(integer(s, i, 0)), static_cast<Index>(integer(s, i, 1)));
}

double loss_weights_cost(I i) { return flyball::loss_weights_cost(i.buffers[0]->most_rows); }

constexpr Operation rows_of_table[] = {
    {"softmax_cross_entropy", 6, 2, 0, 3, 3, FLYBALL_BOTH(softmax_cross_entropy), cross_entropy_cost, nullptr},
    {"softmax_cross_entropy_soft", 6, 1, 0, 3, 3, FLYBALL_BOTH(softmax_cross_entropy_soft), cross_entropy_cost,
     nullptr},
    {"pointwise_loss", 5, 3, 0, 2, 2, FLYBALL_BOTH(pointwise_loss), pointwise_cost, nullptr},
    {"row_loss", 5, 5, 0, 2, 2, FLYBALL_BOTH(row_loss), row_loss_cost, nullptr},
    {"overlap_loss", 5, 5, 0, 2, 2, FLYBALL_BOTH(overlap_loss), overlap_loss_cost, overlap_loss_workspace},
    {"loss_weights", 4, 2, 0, 2, 0, FLYBALL_BOTH(loss_weights), loss_weights_cost, nullptr},
};

}  // namespace

std::span<const Operation> loss_operations() { return rows_of_table; }

}  // namespace flyball
