#include "program/operations/arguments.h"

namespace flyball {
namespace {

Index extent(I i, std::size_t scalar) { return static_cast<Index>(i.scalars[scalar].integer); }

AffineParams affine_params(I i) {
  return {extent(i, 0),
          extent(i, 1),
          extent(i, 2),
          extent(i, 3),
          extent(i, 4),
          i.scalars[5].number != 0,
          static_cast<FillMode>(i.scalars[6].integer),
          i.scalars[7].number};
}

// y, x, matrices; height, width, channels, out_height, out_width, nearest, fill_mode, fill_value
template <class T>
void affine_transform(Team& team, const Step& s, I i) {
  flyball::affine_transform(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const double>(s, i, 2), rows(s, i, 1),
                            affine_params(i));
}

double affine_cost(I i) { return affine_transform_cost(i.buffers[1]->most_rows, affine_params(i)); }

std::size_t affine_workspace(I i) {
  return i.buffers[1]->type == SourceType::float64 ? affine_transform_workspace<double>(affine_params(i))
                                                   : affine_transform_workspace<float>(affine_params(i));
}

// matrices, labels, ranges; height, width, out_height, out_width, padding, keep_aspect, seed, stream, step
void affine_matrices(Team& team, const Step& s, I i) {
  const AffineDraw params{extent(i, 0), extent(i, 1), extent(i, 2),
                          extent(i, 3), extent(i, 4), i.scalars[5].number != 0};
  flyball::affine_matrices(team, at<double>(s, i, 0), at<const Index>(s, i, 1), at<const double>(s, i, 2),
                           rows(s, i, 0), params, random_key(s, i, 6));
}

double draw_cost(I i) { return sample_draw_cost(i.buffers[0]->most_rows); }

// y, x, labels, ranges; channels, low, high, seed, stream, step
template <class T>
void adjust_pixels(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 1);
  const Index channels = extent(i, 0);
  flyball::adjust_pixels(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const Index>(s, i, 2),
                         at<const double>(s, i, 3), n, c / channels, channels,
                         PixelRange{number(s, i, 1), number(s, i, 2)}, random_key(s, i, 3));
}

// y, x, labels, ranges; low, high, seed, stream, step
template <class T>
void adjust_tones(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 1);
  flyball::adjust_tones(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const Index>(s, i, 2), at<const double>(s, i, 3),
                        n, c, PixelRange{number(s, i, 0), number(s, i, 1)}, random_key(s, i, 2));
}

double adjust_cost(I i) { return draw_cost(i) + elementwise_cost(count(i, 0)); }

// y, x, noise, scale; deviation, low, high
template <class T>
void add_noise(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 1);
  flyball::add_noise(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const T>(s, i, 2), at<const T>(s, i, 3), n, c,
                     number(s, i, 0), PixelRange{number(s, i, 1), number(s, i, 2)});
}

double first_array_cost(I i) { return elementwise_cost(count(i, 0)); }

// boxes, weights; height, width, probability, alpha, low, high, aspect, seed, stream, step
void cut_boxes(Team& team, const Step& s, I i) {
  const BoxDraw params{extent(i, 0),    extent(i, 1),    number(s, i, 2), number(s, i, 3),
                       number(s, i, 4), number(s, i, 5), number(s, i, 6)};
  flyball::cut_boxes(team, at<Index>(s, i, 0), at<double>(s, i, 1), rows(s, i, 0), params, random_key(s, i, 7));
}

// weights; alpha, seed, stream, step
void mix_weights(Team& team, const Step& s, I i) {
  flyball::mix_weights(team, at<double>(s, i, 0), rows(s, i, 0), number(s, i, 0), random_key(s, i, 1));
}

// partners; seed, stream, step
void partner_rows(Team& team, const Step& s, I i) {
  flyball::partner_rows(team, at<Index>(s, i, 0), rows(s, i, 0), random_key(s, i, 0));
}

std::size_t partner_workspace(I i) { return partner_rows_workspace(i.buffers[0]->most_rows); }

// y, x, boxes, partners, filling; height, width, channels, fill_value
template <class T>
void paste_boxes(Team& team, const Step& s, I i) {
  flyball::paste_boxes(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const Index>(s, i, 2), at<const Index>(s, i, 3),
                       at<const T>(s, i, 4), rows(s, i, 1), extent(i, 0), extent(i, 1), extent(i, 2), number(s, i, 3));
}

// y, x, partners, weights
template <class T>
void mix_rows(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 1);
  flyball::mix_rows(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const Index>(s, i, 2), at<const double>(s, i, 3), n,
                    c);
}

// y, x, mask, partners; fill_value
template <class T>
void swap_features(Team& team, const Step& s, I i) {
  const auto [n, c] = shape(s, i, 1);
  flyball::swap_features(team, at<T>(s, i, 0), at<const T>(s, i, 1), at<const std::uint8_t>(s, i, 2),
                         at<const Index>(s, i, 3), n, c, number(s, i, 0));
}

constexpr Operation rows_of_table[] = {
    {"affine_transform", 3, 8, 0, 1, 1, FLYBALL_BOTH(affine_transform), affine_cost, affine_workspace},
    {"affine_matrices", 3, 9, 0, 1, 0, FLYBALL_ONE(affine_matrices), draw_cost, nullptr},
    {"adjust_pixels", 4, 6, 0, 1, 1, FLYBALL_BOTH(adjust_pixels), adjust_cost, nullptr},
    {"adjust_tones", 4, 5, 0, 1, 1, FLYBALL_BOTH(adjust_tones), adjust_cost, nullptr},
    {"add_noise", 4, 3, 0, 1, 1, FLYBALL_BOTH(add_noise), first_array_cost, nullptr},
    {"cut_boxes", 2, 10, 0, 2, 0, FLYBALL_ONE(cut_boxes), draw_cost, nullptr},
    {"mix_weights", 1, 4, 0, 1, 0, FLYBALL_ONE(mix_weights), draw_cost, nullptr},
    {"partner_rows", 1, 3, 0, 1, 0, FLYBALL_ONE(partner_rows), draw_cost, partner_workspace},
    {"paste_boxes", 5, 4, 0, 1, 1, FLYBALL_BOTH(paste_boxes), first_array_cost, nullptr},
    {"mix_rows", 4, 0, 0, 1, 1, FLYBALL_BOTH(mix_rows), first_array_cost, nullptr},
    {"swap_features", 4, 1, 0, 1, 1, FLYBALL_BOTH(swap_features), first_array_cost, nullptr},
};

}  // namespace

std::span<const Operation> augment_operations() { return rows_of_table; }

}  // namespace flyball
