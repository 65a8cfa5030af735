#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

constexpr int channel_bits = 12;

FillMode fill_mode_at(int index) {
  if (index >= 0 && index <= static_cast<int>(FillMode::wrap)) return static_cast<FillMode>(index);
  throw py::value_error("fill_mode must be in [0, 4), got " + std::to_string(index));
}

const Index* partners_in(const OptionalArray& partners, Index n) {
  const Index* data = in<Index>("partners", partners, {n});
  if (data != nullptr) require_indices("partners", "row", data, n, n);
  return data;
}

const double* ranges_in(const Array& ranges, Index columns) {
  require_ndim("ranges", ranges, 2);
  if (size(ranges, 0) < 1) throw py::value_error("ranges must have at least 1 row, got 0");
  return in<double>("ranges", ranges, {size(ranges, 0), columns});
}

const Index* labels_in(const OptionalArray& labels, Index n, const Array& ranges) {
  const Index* data = in<Index>("labels", labels, {n});
  if (data != nullptr) require_indices("labels", "row", data, n, size(ranges, 0));
  return data;
}

void require_boxes(const Index* boxes, Index n, Index height, Index width) {
  for (Index i = 0; i < n; ++i, boxes += 4) {
    const bool rows = 0 <= boxes[0] && boxes[0] <= boxes[2] && boxes[2] <= height;
    const bool columns = 0 <= boxes[1] && boxes[1] <= boxes[3] && boxes[3] <= width;
    if (rows && columns) continue;
    std::string text = "boxes must be (top, left, bottom, right) inside (" + std::to_string(height) + ", " +
                       std::to_string(width) + "), got (";
    for (int k = 0; k < 4; ++k) text += (k > 0 ? ", " : "") + std::to_string(boxes[k]);
    throw py::value_error(text + ") at row " + std::to_string(i));
  }
}

void bind_affine_transform(const Array& y, const Array& x, const Array& matrices, Index height, Index width,
                           Index channels, Index out_height, Index out_width, bool nearest, int fill_mode,
                           double fill_value) {
  require_ndim("x", x, 2);
  const AffineParams params{extent("height", height),
                            extent("width", width),
                            extent("channels", channels, channel_bits),
                            extent("out_height", out_height),
                            extent("out_width", out_width),
                            nearest,
                            fill_mode_at(fill_mode),
                            fill_value};
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    T* y_data = out<T>("y", y, {n, params.out_size()});
    const T* x_data = in<T>("x", x, {n, params.in_size()});
    const double* matrices_data = in<double>("matrices", matrices, {n, 6});
    refuse_overlap({{"y", y}}, {{"x", x}, {"matrices", matrices}}, InPlace::yes);
    run(affine_transform_cost(n, params), affine_transform_workspace<T>(params),
        [=](Team& team) { affine_transform(team, y_data, x_data, matrices_data, n, params); });
  });
}

void bind_affine_matrices(const Array& matrices, const OptionalArray& labels, const Array& ranges, Index height,
                          Index width, Index out_height, Index out_width, Index padding, bool keep_aspect,
                          std::uint64_t seed, std::uint32_t stream, std::uint64_t step) {
  require_ndim("matrices", matrices, 2);
  const AffineDraw params{extent("height", height),
                          extent("width", width),
                          extent("out_height", out_height),
                          extent("out_width", out_width),
                          padding,
                          keep_aspect};
  const Index n = size(matrices, 0);
  double* matrices_data = out<double>("matrices", matrices, {n, 6});
  const double* ranges_data = ranges_in(ranges, affine_ranges);
  const Index* labels_data = labels_in(labels, n, ranges);
  refuse_overlap({{"matrices", matrices}}, {{"labels", labels}, {"ranges", ranges}}, InPlace::no);
  const RandomKey key{seed, stream, step};
  run(sample_draw_cost(n), 0,
      [=](Team& team) { affine_matrices(team, matrices_data, labels_data, ranges_data, n, params, key); });
}

void bind_adjust_pixels(const Array& y, const Array& x, const OptionalArray& labels, const Array& ranges,
                        Index channels, double low, double high, std::uint64_t seed, std::uint32_t stream,
                        std::uint64_t step) {
  require_ndim("x", x, 2);
  extent("channels", channels, channel_bits);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index pixels = size(x, 1) / channels;
    T* y_data = out<T>("y", y, Shape(x));
    const T* x_data = in<T>("x", x, {n, pixels * channels});
    const double* ranges_data = ranges_in(ranges, pixel_ranges);
    const Index* labels_data = labels_in(labels, n, ranges);
    refuse_overlap({{"y", y}}, {{"x", x}, {"labels", labels}, {"ranges", ranges}}, InPlace::yes);
    const RandomKey key{seed, stream, step};
    const PixelRange range{low, high};
    run(sample_draw_cost(n) + elementwise_cost(x.size()), 0, [=](Team& team) {
      adjust_pixels(team, y_data, x_data, labels_data, ranges_data, n, pixels, channels, range, key);
    });
  });
}

void bind_adjust_tones(const Array& y, const Array& x, const OptionalArray& labels, const Array& ranges, double low,
                       double high, std::uint64_t seed, std::uint32_t stream, std::uint64_t step) {
  require_ndim("x", x, 2);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index c = size(x, 1);
    T* y_data = out<T>("y", y, {n, c});
    const T* x_data = in<T>("x", x, {n, c});
    const double* ranges_data = ranges_in(ranges, tone_ranges);
    const Index* labels_data = labels_in(labels, n, ranges);
    refuse_overlap({{"y", y}}, {{"x", x}, {"labels", labels}, {"ranges", ranges}}, InPlace::yes);
    const RandomKey key{seed, stream, step};
    const PixelRange range{low, high};
    run(sample_draw_cost(n) + 4.0 * elementwise_cost(x.size()), 0,
        [=](Team& team) { adjust_tones(team, y_data, x_data, labels_data, ranges_data, n, c, range, key); });
  });
}

void bind_add_noise(const Array& y, const Array& x, const Array& noise, const OptionalArray& scale, double deviation,
                    double low, double high) {
  require_ndim("x", x, 2);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index c = size(x, 1);
    T* y_data = out<T>("y", y, {n, c});
    const T* x_data = in<T>("x", x, {n, c});
    const T* noise_data = in<T>("noise", noise, {n, c});
    const T* scale_data = in<T>("scale", scale, {c});
    refuse_overlap({{"y", y}}, {{"x", x}, {"noise", noise}, {"scale", scale}}, InPlace::yes);
    const PixelRange range{low, high};
    run(elementwise_cost(n * c), 0,
        [=](Team& team) { add_noise(team, y_data, x_data, noise_data, scale_data, n, c, deviation, range); });
  });
}

void bind_cut_boxes(const Array& boxes, const Array& weights, Index height, Index width, double probability,
                    double alpha, double low, double high, double aspect, std::uint64_t seed, std::uint32_t stream,
                    std::uint64_t step) {
  require_ndim("boxes", boxes, 2);
  const BoxDraw params{extent("height", height), extent("width", width), probability, alpha, low, high, aspect};
  const Index n = size(boxes, 0);
  Index* boxes_data = out<Index>("boxes", boxes, {n, 4});
  double* weights_data = out<double>("weights", weights, {n});
  refuse_overlap({{"boxes", boxes}, {"weights", weights}}, {}, InPlace::no);
  const RandomKey key{seed, stream, step};
  run(sample_draw_cost(n), 0, [=](Team& team) { cut_boxes(team, boxes_data, weights_data, n, params, key); });
}

void bind_mix_weights(const Array& weights, double alpha, std::uint64_t seed, std::uint32_t stream,
                      std::uint64_t step) {
  require_ndim("weights", weights, 1);
  const Index n = size(weights, 0);
  double* weights_data = out<double>("weights", weights, {n});
  const RandomKey key{seed, stream, step};
  run(sample_draw_cost(n), 0, [=](Team& team) { mix_weights(team, weights_data, n, alpha, key); });
}

void bind_partner_rows(const Array& partners, std::uint64_t seed, std::uint32_t stream, std::uint64_t step) {
  require_ndim("partners", partners, 1);
  const Index n = size(partners, 0);
  Index* partners_data = out<Index>("partners", partners, {n});
  const RandomKey key{seed, stream, step};
  run(sample_draw_cost(n), partner_rows_workspace(n), [=](Team& team) { partner_rows(team, partners_data, n, key); });
}

void bind_paste_boxes(const Array& y, const Array& x, const Array& boxes, const OptionalArray& partners,
                      const OptionalArray& filling, Index height, Index width, Index channels, double fill_value) {
  require_ndim("x", x, 2);
  extent("height", height);
  extent("width", width);
  extent("channels", channels, channel_bits);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index columns = height * width * channels;
    T* y_data = out<T>("y", y, {n, columns});
    const T* x_data = in<T>("x", x, {n, columns});
    const Index* boxes_data = in<Index>("boxes", boxes, {n, 4});
    const Index* partners_data = partners_in(partners, n);
    const T* filling_data = in<T>("filling", filling, {n, columns});
    refuse_overlap({{"y", y}}, {{"x", x}, {"boxes", boxes}, {"partners", partners}, {"filling", filling}}, InPlace::no);
    require_boxes(boxes_data, n, height, width);
    run(elementwise_cost(n * columns), 0, [=](Team& team) {
      paste_boxes(team, y_data, x_data, boxes_data, partners_data, filling_data, n, height, width, channels,
                  fill_value);
    });
  });
}

void bind_mix_rows(const Array& y, const Array& x, const Array& partners, const Array& weights) {
  require_ndim("x", x, 2);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index c = size(x, 1);
    T* y_data = out<T>("y", y, {n, c});
    const T* x_data = in<T>("x", x, {n, c});
    const Index* partners_data = partners_in(partners, n);
    const double* weights_data = in<double>("weights", weights, {n});
    refuse_overlap({{"y", y}}, {{"x", x}, {"partners", partners}, {"weights", weights}}, InPlace::no);
    run(elementwise_cost(n * c), 0,
        [=](Team& team) { mix_rows(team, y_data, x_data, partners_data, weights_data, n, c); });
  });
}

void bind_swap_features(const Array& y, const Array& x, const Array& mask, const OptionalArray& partners,
                        double fill_value) {
  require_ndim("x", x, 2);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index c = size(x, 1);
    T* y_data = out<T>("y", y, {n, c});
    const T* x_data = in<T>("x", x, {n, c});
    const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, {n, c}));
    const Index* partners_data = partners_in(partners, n);
    refuse_overlap({{"y", y}}, {{"x", x}, {"mask", mask}, {"partners", partners}}, InPlace::no);
    run(elementwise_cost(n * c), 0,
        [=](Team& team) { swap_features(team, y_data, x_data, mask_data, partners_data, n, c, fill_value); });
  });
}

}  // namespace

void register_augment(py::module_& module) {
  module.def("affine_transform", bind_affine_transform, py::arg("y"), py::arg("x"), py::arg("matrices"),
             py::arg("height"), py::arg("width"), py::arg("channels"), py::arg("out_height"), py::arg("out_width"),
             py::arg("nearest"), py::arg("fill_mode"), py::arg("fill_value"));
  module.def("affine_matrices", bind_affine_matrices, py::arg("matrices"), py::arg("labels"), py::arg("ranges"),
             py::arg("height"), py::arg("width"), py::arg("out_height"), py::arg("out_width"), py::arg("padding"),
             py::arg("keep_aspect"), py::arg("seed"), py::arg("stream"), py::arg("step"));
  module.def("adjust_pixels", bind_adjust_pixels, py::arg("y"), py::arg("x"), py::arg("labels"), py::arg("ranges"),
             py::arg("channels"), py::arg("low"), py::arg("high"), py::arg("seed"), py::arg("stream"), py::arg("step"));
  module.def("adjust_tones", bind_adjust_tones, py::arg("y"), py::arg("x"), py::arg("labels"), py::arg("ranges"),
             py::arg("low"), py::arg("high"), py::arg("seed"), py::arg("stream"), py::arg("step"));
  module.def("add_noise", bind_add_noise, py::arg("y"), py::arg("x"), py::arg("noise"), py::arg("scale"),
             py::arg("deviation"), py::arg("low"), py::arg("high"));
  module.def("cut_boxes", bind_cut_boxes, py::arg("boxes"), py::arg("weights"), py::arg("height"), py::arg("width"),
             py::arg("probability"), py::arg("alpha"), py::arg("low"), py::arg("high"), py::arg("aspect"),
             py::arg("seed"), py::arg("stream"), py::arg("step"));
  module.def("mix_weights", bind_mix_weights, py::arg("weights"), py::arg("alpha"), py::arg("seed"), py::arg("stream"),
             py::arg("step"));
  module.def("partner_rows", bind_partner_rows, py::arg("partners"), py::arg("seed"), py::arg("stream"),
             py::arg("step"));
  module.def("paste_boxes", bind_paste_boxes, py::arg("y"), py::arg("x"), py::arg("boxes"), py::arg("partners"),
             py::arg("filling"), py::arg("height"), py::arg("width"), py::arg("channels"), py::arg("fill_value"));
  module.def("mix_rows", bind_mix_rows, py::arg("y"), py::arg("x"), py::arg("partners"), py::arg("weights"));
  module.def("swap_features", bind_swap_features, py::arg("y"), py::arg("x"), py::arg("mask"), py::arg("partners"),
             py::arg("fill_value"));
}

}  // namespace flyball::bind
