// Data augmentation: the conventions are those of flyball/ops.h, shapes and formulas those of
// flyball/backend/augment.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// y (n, out_size), x (n, in_size), matrices (n, 6); y may be x.
template <class T>
void affine_transform(Team& team, T* y, const T* x, const double* matrices, Index n, const AffineParams& params);
double affine_transform_cost(Index n, const AffineParams& params);
// Bytes of the team's workspace; 0 where images fit the threads' scratch.
template <class T>
std::size_t affine_transform_workspace(const AffineParams& params);

// Of the operations that draw a few numbers a sample.
double sample_draw_cost(Index n);

inline constexpr Index affine_ranges = 16;  // columns of the ranges of affine_matrices
inline constexpr Index pixel_ranges = 11;   // of adjust_pixels
inline constexpr Index tone_ranges = 7;     // and of adjust_tones

// matrices (n, 6); labels (n) choose the row of ranges (., affine_ranges), the first where they are null.
void affine_matrices(Team& team, double* matrices, const Index* labels, const double* ranges, Index n,
                     const AffineDraw& params, RandomKey key);

// y, x (n, pixels * channels), ranges (., pixel_ranges); y may be x.
template <class T>
void adjust_pixels(Team& team, T* y, const T* x, const Index* labels, const double* ranges, Index n, Index pixels,
                   Index channels, PixelRange range, RandomKey key);

// y, x (n, c), ranges (., tone_ranges); y may be x.
template <class T>
void adjust_tones(Team& team, T* y, const T* x, const Index* labels, const double* ranges, Index n, Index c,
                  PixelRange range, RandomKey key);

// y, x, noise (n, c), scale (c, optional); y may be x.
template <class T>
void add_noise(Team& team, T* y, const T* x, const T* noise, const T* scale, Index n, Index c, double deviation,
               PixelRange range);

// boxes (n, 4), weights (n).
void cut_boxes(Team& team, Index* boxes, double* weights, Index n, const BoxDraw& params, RandomKey key);

// weights (n).
void mix_weights(Team& team, double* weights, Index n, double alpha, RandomKey key);

// partners (n).
void partner_rows(Team& team, Index* partners, Index n, RandomKey key);
std::size_t partner_rows_workspace(Index n);

// y, x (n, height * width * channels), boxes (n, 4), partners (n, optional), filling (like x, optional).
template <class T>
void paste_boxes(Team& team, T* y, const T* x, const Index* boxes, const Index* partners, const T* filling, Index n,
                 Index height, Index width, Index channels, double fill_value);

// y, x (n, c), partners, weights (n).
template <class T>
void mix_rows(Team& team, T* y, const T* x, const Index* partners, const double* weights, Index n, Index c);

// y, x (n, c), mask (n, c), partners (n, optional).
template <class T>
void swap_features(Team& team, T* y, const T* x, const std::uint8_t* mask, const Index* partners, Index n, Index c,
                   double fill_value);

}  // namespace flyball
