#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

using Seed = std::uint64_t;
using Stream = std::uint32_t;
using StepNumber = std::uint64_t;

// Calls draw(team, data, count) on the floats of `out`.
template <class Draw>
void fill(const Array& out_array, Draw draw) {
  visit_float("out", out_array, [&]<class T>() {
    T* data = out<T>("out", out_array, Shape(out_array));
    const Index count = out_array.size();
    run(random_cost(count), 0, [=](Team& team) { draw(team, data, count); });
  });
}

void bind_random_uniform(const Array& out, double low, double high, Seed seed, Stream stream, StepNumber step) {
  fill(out, [=](Team& team, auto* data, Index count) {
    random_uniform(team, data, count, low, high, RandomKey{seed, stream, step});
  });
}

void bind_random_normal(const Array& out, double mean, double std, Seed seed, Stream stream, StepNumber step) {
  fill(out, [=](Team& team, auto* data, Index count) {
    random_normal(team, data, count, mean, std, RandomKey{seed, stream, step});
  });
}

void bind_random_truncated_normal(const Array& out, double mean, double std, double bound, Seed seed, Stream stream,
                                  StepNumber step) {
  fill(out, [=](Team& team, auto* data, Index count) {
    random_truncated_normal(team, data, count, mean, std, bound, RandomKey{seed, stream, step});
  });
}

void bind_random_integers(const Array& out_array, Index low, Index high, Seed seed, Stream stream, StepNumber step) {
  Index* data = out<Index>("out", out_array, Shape(out_array));
  const Index count = out_array.size();
  run(random_cost(count), 0,
      [=](Team& team) { random_integers(team, data, count, low, high, RandomKey{seed, stream, step}); });
}

void bind_random_permutation(const Array& out_array, Seed seed, Stream stream, StepNumber step) {
  const Index count = out_array.size();
  Index* data = out<Index>("out", out_array, Shape{count});
  py::gil_scoped_release nogil;
  run_team(1, 0, [=](Team& team) { random_permutation(team, data, count, RandomKey{seed, stream, step}); });
}

// Calls noise(team, y, x, count) on an array of floats and where its result goes, which may be the same.
template <class Noise>
void pass(const char* y_name, const Array& y, const char* x_name, const Array& x, Noise noise) {
  visit_float(x_name, x, [&]<class T>() {
    const Shape shape(x);
    const T* x_data = in<T>(x_name, x, shape);
    T* y_data = out<T>(y_name, y, shape);
    refuse_overlap({{y_name, y}}, {{x_name, x}}, InPlace::yes);
    const Index count = x.size();
    run(random_cost(count), 0, [=](Team& team) { noise(team, y_data, x_data, count); });
  });
}

void bind_gaussian_noise_forward(const Array& y, const Array& x, double std, Seed seed, Stream stream,
                                 StepNumber step) {
  pass("y", y, "x", x, [=](Team& team, auto* to, const auto* from, Index count) {
    gaussian_noise_forward(team, to, from, count, std, RandomKey{seed, stream, step});
  });
}

void bind_gaussian_dropout_forward(const Array& y, const Array& x, double rate, Seed seed, Stream stream,
                                   StepNumber step) {
  pass("y", y, "x", x, [=](Team& team, auto* to, const auto* from, Index count) {
    gaussian_dropout(team, to, from, count, gaussian_dropout_std(rate), RandomKey{seed, stream, step});
  });
}

void bind_gaussian_dropout_backward(const Array& dx, const Array& dy, double rate, Seed seed, Stream stream,
                                    StepNumber step) {
  pass("dx", dx, "dy", dy, [=](Team& team, auto* to, const auto* from, Index count) {
    gaussian_dropout(team, to, from, count, gaussian_dropout_std(rate), RandomKey{seed, stream, step});
  });
}

}  // namespace

void register_random(py::module_& module) {
  const auto seed = py::arg("seed");
  const auto stream = py::arg("stream");
  const auto step = py::arg("step");
  module.def("random_uniform", bind_random_uniform, py::arg("out"), py::arg("low"), py::arg("high"), seed, stream,
             step);
  module.def("random_normal", bind_random_normal, py::arg("out"), py::arg("mean"), py::arg("std"), seed, stream, step);
  module.def("random_truncated_normal", bind_random_truncated_normal, py::arg("out"), py::arg("mean"), py::arg("std"),
             py::arg("bound"), seed, stream, step);
  module.def("random_integers", bind_random_integers, py::arg("out"), py::arg("low"), py::arg("high"), seed, stream,
             step);
  module.def("random_permutation", bind_random_permutation, py::arg("out"), seed, stream, step);
  module.def("gaussian_noise_forward", bind_gaussian_noise_forward, py::arg("y"), py::arg("x"), py::arg("std"), seed,
             stream, step);
  module.def("gaussian_dropout_forward", bind_gaussian_dropout_forward, py::arg("y"), py::arg("x"), py::arg("rate"),
             seed, stream, step);
  module.def("gaussian_dropout_backward", bind_gaussian_dropout_backward, py::arg("dx"), py::arg("dy"), py::arg("rate"),
             seed, stream, step);
}

}  // namespace flyball::bind
