#include "program/operations/arguments.h"

namespace flyball {
namespace {

// total, g, w; l1, l2
template <class T>
void squared_norm(Team& team, const Step& s, I i) {
  flyball::squared_norm(team, at<double>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), count(i, 1),
                        number(s, i, 0), number(s, i, 1));
}

double squared_norm_cost(I i) { return flyball::squared_norm_cost(count(i, 1)); }
std::size_t squared_norm_workspace(I i) { return flyball::squared_norm_workspace(count(i, 1)); }

// scale, total; max_norm
void clip_scale(Team& team, const Step& s, I i) {
  flyball::clip_scale(team, at<double>(s, i, 0), at<double>(s, i, 1), number(s, i, 0));
}

double clip_scale_cost(I) { return 1.0; }

// w; min_value, max_value, rate
template <class T>
void constrain_norm(Team& team, const Step& s, I i) {
  flyball::constrain_norm(team, at<T>(s, i, 0), i.buffers[0]->rows, columns(i, 0),
                          {number(s, i, 0), number(s, i, 1), number(s, i, 2)});
}

double constrain_norm_cost(I i) { return flyball::constrain_norm_cost(count(i, 0)); }

// y, x; keep, scale
template <class T>
void accumulate(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 0);
  flyball::accumulate(team, at<T>(s, i, 0), stride<T>(i, 0), at<const T>(s, i, 1), stride<T>(i, 1), n, c,
                      number(s, i, 0), number(s, i, 1));
}

// average, w; decay, step
template <class T>
void average_update(Team& team, const Step& s, I i) {
  flyball::average_update(team, at<T>(s, i, 0), at<const T>(s, i, 1), count(i, 0), number(s, i, 0),
                          static_cast<std::int64_t>(integer(s, i, 1)));
}

double accumulate_cost(I i) { return flyball::accumulate_cost(count(i, 0)); }

// penalty, dw, w; factor, columns
template <class T>
void orthogonal_penalty(Team& team, const Step& s, I i) {
  flyball::orthogonal_penalty(team, at<double>(s, i, 0), at<T>(s, i, 1), at<const T>(s, i, 2), i.buffers[2]->rows,
                              columns(i, 2), number(s, i, 0), number(s, i, 1) != 0);
}

double orthogonal_penalty_cost(I i) {
  const bool of_columns = i.scalars[1].number != 0;
  return flyball::orthogonal_penalty_cost(i.buffers[2]->most_rows, columns(i, 2), of_columns, i.buffers[1] != nullptr);
}

std::size_t orthogonal_penalty_workspace(I i) {
  const bool of_columns = i.scalars[1].number != 0;
  return flyball::orthogonal_penalty_workspace<double>(i.buffers[2]->most_rows, columns(i, 2), of_columns);
}

constexpr Operation rows_of_table[] = {
    {"squared_norm", 3, 2, 0, 1, 1, FLYBALL_BOTH(squared_norm), squared_norm_cost, squared_norm_workspace},
    {"clip_scale", 2, 1, 0, 2, 0, FLYBALL_ONE(clip_scale), clip_scale_cost, nullptr},
    {"constrain_norm", 1, 3, 0, 1, 0, FLYBALL_BOTH(constrain_norm), constrain_norm_cost, nullptr},
    {"accumulate", 2, 2, 0, 1, 0, FLYBALL_BOTH(accumulate), accumulate_cost, nullptr},
    {"average_update", 2, 2, 0, 1, 0, FLYBALL_BOTH(average_update), accumulate_cost, nullptr},
    {"orthogonal_penalty", 3, 2, 0, 2, 2, FLYBALL_BOTH(orthogonal_penalty), orthogonal_penalty_cost,
     orthogonal_penalty_workspace},
};

}  // namespace

std::span<const Operation> weights_operations() { return rows_of_table; }

}  // namespace flyball
