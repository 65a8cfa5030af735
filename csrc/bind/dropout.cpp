#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

bool is_packed(const Array& mask) {
  return mask.dtype().num() == py::detail::npy_format_descriptor<std::uint8_t>::value;
}

// The shape that a mask must have over an array: its own, with 1 where one decision is for all; packed, a bit an
// element.
Shape shape_of_mask(const Array& mask, const Array& x) {
  if (is_packed(mask)) return {(x.size() + 7) / 8};
  if (mask.ndim() != x.ndim()) return Shape(x);
  for (int axis = 0; axis < x.ndim(); ++axis) {
    if (mask.shape(axis) != x.shape(axis) && mask.shape(axis) != 1) return Shape(x);
  }
  return Shape(mask);
}

ConstMask mask_in(const OptionalArray& mask, const Array& x) {
  if (!mask) return {};
  const Shape shape = shape_of_mask(*mask, x);
  if (is_packed(*mask)) return {in<std::uint8_t>("mask", *mask, shape), MaskLayout::bits};
  return {bytes(in<bool>("mask", *mask, shape)), MaskLayout::bytes};
}

Mask mask_out(const OptionalArray& mask, const Array& x) {
  if (!mask) return {};
  const Shape shape = shape_of_mask(*mask, x);
  if (is_packed(*mask)) return {out<std::uint8_t>("mask", *mask, shape), MaskLayout::bits};
  return {bytes(out<bool>("mask", *mask, shape)), MaskLayout::bytes};
}

// Whether a mask that fits an array of `count` elements decides for several at once.
bool is_broadcast(const OptionalArray& mask, Index count) { return mask && !is_packed(*mask) && mask->size() != count; }

// y = map(x) with a mask that is given.
template <class T>
void apply(T* y, const T* x, const Array& shape_like, ConstMask mask, const OptionalArray& mask_array, DropoutMap map) {
  const Index count = shape_like.size();
  if (!is_broadcast(mask_array, count)) {
    run(elementwise_cost(count), 0, [=](Team& team) { dropout_apply(team, y, x, mask, count, map); });
    return;
  }
  const Broadcast broadcast(Shape(shape_like).extents(), Shape(*mask_array).extents());
  run(elementwise_cost(count), 0, [&](Team& team) { dropout_broadcast(team, y, x, mask.data, broadcast, map); });
}

void forward(const Array& y, const OptionalArray& mask, const Array& x, Keep keep, DropoutMap map, RandomKey key,
             bool draw) {
  if (!draw && !mask) throw py::value_error("mask must be given unless draw is true, got None");
  visit_float("x", x, [&]<class T>() {
    const Shape shape(x);
    const T* x_data = in<T>("x", x, shape);
    T* y_data = out<T>("y", y, shape);
    const Index count = x.size();
    if (!draw) {
      const ConstMask given = mask_in(mask, x);
      refuse_overlap({{"y", y}}, {{"x", x}, {"mask", mask}}, InPlace::yes);
      return apply(y_data, x_data, x, given, mask, map);
    }
    const Mask stored = mask_out(mask, x);
    refuse_overlap({{"y", y}, {"mask", mask}}, {{"x", x}}, InPlace::yes);
    if (is_broadcast(mask, count)) {
      const Index decisions = mask->size();
      run(dropout_cost(decisions), 0, [=](Team& team) { dropout_mask(team, stored, decisions, keep, key); });
      return apply(y_data, x_data, x, {stored.data, stored.layout}, mask, map);
    }
    run(dropout_cost(count), 0,
        [=](Team& team) { dropout_forward(team, y_data, stored, x_data, count, keep, map, key); });
  });
}

// The gradient takes the same mask, and the map's slope.
void backward(const Array& dx, const Array& dy, const OptionalArray& mask, Keep keep, DropoutMap map, RandomKey key) {
  visit_float("dy", dy, [&]<class T>() {
    const Shape shape(dy);
    const T* dy_data = in<T>("dy", dy, shape);
    T* dx_data = out<T>("dx", dx, shape);
    const ConstMask given = mask_in(mask, dy);
    refuse_overlap({{"dx", dx}}, {{"dy", dy}, {"mask", mask}}, InPlace::yes);
    if (mask) return apply(dx_data, dy_data, dy, given, mask, flyball::backward(map));
    const Index count = dy.size();
    run(dropout_cost(count), 0,
        [=](Team& team) { dropout_forward<T>(team, dx_data, {}, dy_data, count, keep, flyball::backward(map), key); });
  });
}

void bind_dropout_mask(const Array& mask, double rate, std::uint64_t seed, std::uint32_t stream, std::uint64_t step) {
  const Shape shape(mask);
  const bool packed = is_packed(mask);
  const Mask drawn = {packed ? out<std::uint8_t>("mask", mask, shape) : bytes(out<bool>("mask", mask, shape)),
                      packed ? MaskLayout::bits : MaskLayout::bytes};
  const Index count = packed ? 8 * mask.size() : mask.size();
  const RandomKey key{seed, stream, step};
  run(dropout_cost(count), 0, [=](Team& team) { dropout_mask(team, drawn, count, keep_at(rate), key); });
}

// A place in a mask that begins with a group of decisions, which are drawn together.
void require_multiple(const char* name, Index value, Index least) {
  if (value % 64 == 0 && value >= least) return;
  throw py::value_error(std::string(name) + " must be a multiple of 64 of at least " + std::to_string(least) +
                        ", got " + std::to_string(value));
}

void bind_dropout_mask_columns(const Array& mask, double rate, std::uint64_t seed, std::uint32_t stream,
                               std::uint64_t step, Index width, Index first) {
  require_ndim("mask", mask, 2);
  std::uint8_t* drawn = bytes(out<bool>("mask", mask, Shape(mask)));
  const Index n = size(mask, 0);
  const Index c = size(mask, 1);
  if (c % 64 != 0) throw py::value_error("mask must have a multiple of 64 columns, got " + std::to_string(c));
  require_multiple("width", width, first + c);
  require_multiple("first", first, 0);
  const RandomKey key{seed, stream, step};
  run(dropout_cost(n * c), 0,
      [=](Team& team) { dropout_mask_columns(team, drawn, n, c, width, first, keep_at(rate), key); });
}

void bind_dropout_forward(const Array& y, const OptionalArray& mask, const Array& x, double rate, std::uint64_t seed,
                          std::uint32_t stream, std::uint64_t step, bool draw, double scale) {
  forward(y, mask, x, keep_at(rate), {scale}, {seed, stream, step}, draw);
}

void bind_dropout_backward(const Array& dx, const Array& dy, const OptionalArray& mask, double rate, std::uint64_t seed,
                           std::uint32_t stream, std::uint64_t step, double scale) {
  backward(dx, dy, mask, keep_at(rate), {scale}, {seed, stream, step});
}

void bind_dropout_inference(const Array& y, const Array& x, double rate) {
  visit_float("x", x, [&]<class T>() {
    const Shape shape(x);
    const T* x_data = in<T>("x", x, shape);
    T* y_data = out<T>("y", y, shape);
    refuse_overlap({{"y", y}}, {{"x", x}}, InPlace::yes);
    const Index count = x.size();
    run(elementwise_cost(count), 0, [=](Team& team) { dropout_inference(team, y_data, x_data, count, keep_at(rate)); });
  });
}

void bind_alpha_dropout_forward(const Array& y, const OptionalArray& mask, const Array& x, double rate,
                                std::uint64_t seed, std::uint32_t stream, std::uint64_t step, bool draw) {
  const Keep keep = keep_at(rate);
  forward(y, mask, x, keep, alpha_dropout_map(keep), {seed, stream, step}, draw);
}

void bind_alpha_dropout_backward(const Array& dx, const Array& dy, const OptionalArray& mask, double rate,
                                 std::uint64_t seed, std::uint32_t stream, std::uint64_t step) {
  const Keep keep = keep_at(rate);
  backward(dx, dy, mask, keep, alpha_dropout_map(keep), {seed, stream, step});
}

void bind_add_branch(const Array& y, const Array& x, const Array& branch, const OptionalArray& mask, double scale) {
  require_ndim("x", x, 2);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index c = size(x, 1);
    const T* x_data = in<T>("x", x, {n, c});
    const T* branch_data = in<T>("branch", branch, {n, c});
    const auto* mask_data = reinterpret_cast<const std::uint8_t*>(in<bool>("mask", mask, {n}));
    T* y_data = out<T>("y", y, {n, c});
    refuse_overlap({{"y", y}}, {{"x", x}, {"branch", branch}, {"mask", mask}}, InPlace::yes);
    run(elementwise_cost(n * c), 0,
        [=](Team& team) { add_branch(team, y_data, x_data, branch_data, mask_data, n, c, scale); });
  });
}

}  // namespace

void register_dropout(py::module_& module) {
  module.def("dropout_mask", bind_dropout_mask, py::arg("mask"), py::arg("rate"), py::arg("seed"), py::arg("stream"),
             py::arg("step"));
  module.def("dropout_mask_columns", bind_dropout_mask_columns, py::arg("mask"), py::arg("rate"), py::arg("seed"),
             py::arg("stream"), py::arg("step"), py::arg("width"), py::arg("first"));
  module.def("dropout_forward", bind_dropout_forward, py::arg("y"), py::arg("mask").none(true), py::arg("x"),
             py::arg("rate"), py::arg("seed"), py::arg("stream"), py::arg("step"), py::arg("draw"), py::arg("scale"));
  module.def("dropout_backward", bind_dropout_backward, py::arg("dx"), py::arg("dy"), py::arg("mask").none(true),
             py::arg("rate"), py::arg("seed"), py::arg("stream"), py::arg("step"), py::arg("scale"));
  module.def("dropout_inference", bind_dropout_inference, py::arg("y"), py::arg("x"), py::arg("rate"));
  module.def("add_branch", bind_add_branch, py::arg("y"), py::arg("x"), py::arg("branch"), py::arg("mask").none(true),
             py::arg("scale"));
  module.def("alpha_dropout_forward", bind_alpha_dropout_forward, py::arg("y"), py::arg("mask").none(true),
             py::arg("x"), py::arg("rate"), py::arg("seed"), py::arg("stream"), py::arg("step"), py::arg("draw"));
  module.def("alpha_dropout_backward", bind_alpha_dropout_backward, py::arg("dx"), py::arg("dy"),
             py::arg("mask").none(true), py::arg("rate"), py::arg("seed"), py::arg("stream"), py::arg("step"));
}

}  // namespace flyball::bind
