#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_dropout_mask(const Array& mask, double rate, std::uint64_t seed, std::uint32_t stream, std::uint64_t step) {
  std::uint8_t* mask_data = bytes(out<bool>("mask", mask, Shape(mask)));
  const Index count = mask.size();
  const RandomKey key{seed, stream, step};
  run(dropout_cost(count), 0, [=](Team& team) { dropout_mask(team, mask_data, count, keep_at(rate), key); });
}

void bind_dropout_forward(const Array& y, const OptionalArray& mask, const Array& x, double rate, std::uint64_t seed,
                          std::uint32_t stream, std::uint64_t step, bool draw) {
  if (!draw && !mask) throw py::value_error("mask must be given unless draw is true, got None");
  visit_float("x", x, [&]<class T>() {
    const Shape shape(x);
    const T* x_data = in<T>("x", x, shape);
    T* y_data = out<T>("y", y, shape);
    const Index count = x.size();
    if (draw) {
      std::uint8_t* mask_data = bytes(out<bool>("mask", mask, shape));
      refuse_overlap({{"y", y}, {"mask", mask}}, {{"x", x}}, InPlace::yes);
      const RandomKey key{seed, stream, step};
      run(dropout_cost(count), 0,
          [=](Team& team) { dropout_forward(team, y_data, mask_data, x_data, count, keep_at(rate), key); });
    } else {
      const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, shape));
      refuse_overlap({{"y", y}}, {{"x", x}, {"mask", mask}}, InPlace::yes);
      run(elementwise_cost(count), 0,
          [=](Team& team) { dropout_apply(team, y_data, x_data, mask_data, count, keep_at(rate)); });
    }
  });
}

// The adjoint of a product with a mask is the same product.
void bind_dropout_backward(const Array& dx, const Array& dy, const OptionalArray& mask, double rate, std::uint64_t seed,
                           std::uint32_t stream, std::uint64_t step) {
  visit_float("dy", dy, [&]<class T>() {
    const Shape shape(dy);
    const T* dy_data = in<T>("dy", dy, shape);
    T* dx_data = out<T>("dx", dx, shape);
    const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, shape));
    refuse_overlap({{"dx", dx}}, {{"dy", dy}, {"mask", mask}}, InPlace::yes);
    const Index count = dy.size();
    const RandomKey key{seed, stream, step};
    run(mask ? elementwise_cost(count) : dropout_cost(count), 0, [=](Team& team) {
      if (mask_data != nullptr) {
        dropout_apply(team, dx_data, dy_data, mask_data, count, keep_at(rate));
      } else {
        dropout_forward<T>(team, dx_data, nullptr, dy_data, count, keep_at(rate), key);
      }
    });
  });
}

}  // namespace

void register_dropout(py::module_& module) {
  module.def("dropout_mask", bind_dropout_mask, py::arg("mask"), py::arg("rate"), py::arg("seed"), py::arg("stream"),
             py::arg("step"));
  module.def("dropout_forward", bind_dropout_forward, py::arg("y"), py::arg("mask").none(true), py::arg("x"),
             py::arg("rate"), py::arg("seed"), py::arg("stream"), py::arg("step"), py::arg("draw"));
  module.def("dropout_backward", bind_dropout_backward, py::arg("dx"), py::arg("dy"), py::arg("mask").none(true),
             py::arg("rate"), py::arg("seed"), py::arg("stream"), py::arg("step"));
}

}  // namespace flyball::bind
