#include "program/operations/arguments.h"

namespace flyball {
namespace {

// A buffer as an operand: elements of a row are consecutive.
template <class T>
Matrix<T> matrix(const Step& s, I i, int k) {
  return {at<const T>(s, i, k), stride<T>(i, k), 1};
}

template <class T>
void dense_forward(Team& team, const Step& s, I i) {
  flyball::dense_forward(team, at<T>(s, i, 0), matrix<T>(s, i, 1), matrix<T>(s, i, 2), at<const T>(s, i, 3),
                         at<const T>(s, i, 4), rows(s, i, 0), columns(i, 1), columns(i, 2),
                         {i.activations[0], number(s, i, 0)});
}

double dense_forward_cost(I i) { return matmul_cost(i.buffers[0]->most_rows, columns(i, 2), columns(i, 1)); }

// y, x, w, b, gamma, beta, running_mean, running_var; epsilon, alpha; activation
template <class T>
void dense_batch_norm_inference(Team& team, const Step& s, I i) {
  const RunningNorm<T> norm = {at<const T>(s, i, 4), at<const T>(s, i, 5), at<const T>(s, i, 6), at<const T>(s, i, 7),
                               number(s, i, 0)};
  flyball::dense_batch_norm_inference(team, at<T>(s, i, 0), matrix<T>(s, i, 1), matrix<T>(s, i, 2),
                                      at<const T>(s, i, 3), norm, rows(s, i, 0), columns(i, 1), columns(i, 2),
                                      {i.activations[0], number(s, i, 1)});
}

template <class T>
void dense_backward(Team& team, const Step& s, I i) {
  const Index dw_stride = i.buffers[1] == nullptr ? 0 : stride<T>(i, 1);
  flyball::dense_backward(team, at<T>(s, i, 0), at<T>(s, i, 1), dw_stride, at<T>(s, i, 2), matrix<T>(s, i, 3),
                          matrix<T>(s, i, 4), matrix<T>(s, i, 5), rows(s, i, 3), columns(i, 4), columns(i, 5),
                          number(s, i, 0) != 0);
}

double backward_cost(I i) { return dense_backward_cost(i.buffers[3]->most_rows, columns(i, 4), columns(i, 5)); }

constexpr Operation rows_of_table[] = {
    {"dense_forward", 5, 1, 1, 1, 0, FLYBALL_BOTH(dense_forward), dense_forward_cost, nullptr},
    {"dense_batch_norm_inference", 8, 2, 1, 1, 0, FLYBALL_BOTH(dense_batch_norm_inference), dense_forward_cost,
     nullptr},
    {"dense_backward", 6, 1, 0, 3, 3, FLYBALL_BOTH(dense_backward), backward_cost, nullptr},
};

}  // namespace

std::span<const Operation> dense_operations() { return rows_of_table; }

}  // namespace flyball
