#include "program/operations/arguments.h"

namespace flyball {
namespace {

// w, velocity, penalty, g; learning_rate, momentum, nesterov, l1, l2, weight_decay
template <class T>
void sgd_update(Team& team, const Step& s, I i) {
  const SgdParams params = {number(s, i, 0), number(s, i, 1), number(s, i, 2) != 0, penalty(s, i, 3)};
  flyball::sgd_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<double>(s, i, 2), at<const T>(s, i, 3), count(i, 0),
                      params);
}

// w, m, v, penalty, g; learning_rate, beta_1, beta_2, epsilon, step, l1, l2, weight_decay
template <class T>
void adam_update(Team& team, const Step& s, I i) {
  const AdamParams params = {
      number(s, i, 0), number(s, i, 1), number(s, i, 2), number(s, i, 3), static_cast<std::int64_t>(integer(s, i, 4)),
      penalty(s, i, 5)};
  flyball::adam_update(team, at<T>(s, i, 0), at<T>(s, i, 1), at<T>(s, i, 2), at<double>(s, i, 3), at<const T>(s, i, 4),
                       count(i, 0), params);
}

double first_update_cost(I i) { return update_cost(count(i, 0)); }
std::size_t first_update_workspace(I i) { return update_workspace(count(i, 0)); }

constexpr Operation rows_of_table[] = {
    {"sgd_update", 4, 6, 0, 3, 0, FLYBALL_BOTH(sgd_update), first_update_cost, first_update_workspace},
    {"adam_update", 5, 8, 0, 4, 0, FLYBALL_BOTH(adam_update), first_update_cost, first_update_workspace},
};

}  // namespace

std::span<const Operation> update_operations() { return rows_of_table; }

}  // namespace flyball
