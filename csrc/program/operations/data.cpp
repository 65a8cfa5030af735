#include "program/operations/arguments.h"

namespace flyball {
namespace {

// out, x, rows
template <class T>
void gather(Team& team, const Step& s, I i) {
  const Buffer& x = *i.buffers[1];
  flyball::gather(team, at<T>(s, i, 0), Source{x.data, x.row_bytes, x.type}, at<const Index>(s, i, 2), rows(s, i, 0),
                  columns(i, 0));
}

double first_gather_cost(I i) { return gather_cost(i.buffers[0]->most_rows, columns(i, 0)); }

// out, labels, rows
void gather_labels(Team& team, const Step& s, I i) {
  flyball::gather_labels(team, at<Index>(s, i, 0), at<const Index>(s, i, 1), at<const Index>(s, i, 2), rows(s, i, 0),
                         columns(i, 0));
}

// y, x; first, second
template <class T>
void swap_axes(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 1);
  const auto first = static_cast<Index>(integer(s, i, 0)), second = static_cast<Index>(integer(s, i, 1));
  flyball::swap_axes(team, at<T>(s, i, 0), at<const T>(s, i, 1), n, first, second, c / (first * second));
}

double swap_cost(I i) { return swap_axes_cost(count(i, 0)); }

// total, values; scale
void add_total(Team& team, const Step& s, I i) {
  flyball::add_total(team, at<double>(s, i, 0), at<const double>(s, i, 1), rows(s, i, 1), number(s, i, 0));
}

double first_array_cost(I i) { return elementwise_cost(count(i, 0)); }
double last_array_cost(I i) { return elementwise_cost(count(i, i.buffers.size() - 1)); }

constexpr Operation rows_of_table[] = {
    {"gather", 3, 0, 0, 1, 0, FLYBALL_BOTH(gather), first_gather_cost, nullptr},
    {"swap_axes", 2, 2, 0, 1, 0, FLYBALL_BOTH(swap_axes), swap_cost, nullptr},
    {"gather_labels", 3, 0, 0, 1, 0, FLYBALL_ONE(gather_labels), first_array_cost, nullptr},
    {"add_total", 2, 1, 0, 1, 0, FLYBALL_ONE(add_total), last_array_cost, nullptr},
};

}  // namespace

std::span<const Operation> data_operations() { return rows_of_table; }

}  // namespace flyball
