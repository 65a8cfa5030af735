// The steps of batch normalisation.
#include <pybind11/stl.h>

#include "bind/norm.h"
#include "bind/register.h"

namespace flyball::bind {
namespace {

void bind_batch_norm_moments(const Array& mean, const Array& m2, const Array& x) {
  require_ndim("x", x, 2, 3);
  const Sizes sizes(x);
  const Shape channels = {sizes.c};
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, Shape(x));
    double* mean_data = out<double>("mean", mean, channels);
    double* m2_data = out<double>("m2", m2, channels);
    refuse_overlap({{"mean", mean}, {"m2", m2}}, {{"x", x}}, InPlace::no);
    run(sizes.cost(), sizes.workspace(),
        [=](Team& team) { batch_norm_moments(team, mean_data, m2_data, x_data, sizes.n, sizes.c, sizes.s); });
  });
}

void bind_combine_moments(const Array& mean, const Array& m2, const Array& means, const Array& m2s,
                          const Array& counts) {
  require_ndim("means", means, 2);
  const Index parts = size(means, 0);
  const Index c = size(means, 1);
  const double* means_data = in<double>("means", means, {parts, c});
  const double* m2s_data = in<double>("m2s", m2s, {parts, c});
  const Index* counts_data = in<Index>("counts", counts, {parts});
  double* mean_data = out<double>("mean", mean, {c});
  double* m2_data = out<double>("m2", m2, {c});
  refuse_overlap({{"mean", mean}, {"m2", m2}}, {{"means", means}, {"m2s", m2s}, {"counts", counts}}, InPlace::no);
  run(batch_norm_cost(parts, c, 2), 0,
      [=](Team& team) { combine_moments(team, mean_data, m2_data, means_data, m2s_data, counts_data, parts, c); });
}

void bind_batch_norm_statistics(const Array& rstd, const OptionalArray& running_mean, const OptionalArray& running_var,
                                const Array& mean, const Array& m2, Index count, double momentum, double epsilon,
                                bool unbiased) {
  require_ndim("mean", mean, 1);
  const BatchNormParams params{momentum, epsilon, unbiased, Activation::linear};
  const Index c = size(mean, 0);
  // Without running statistics there is nothing of another dtype than float64.
  const char* name = running_mean ? "running_mean" : running_var ? "running_var" : "mean";
  visit_float(name,
              running_mean  ? *running_mean
              : running_var ? *running_var
                            : mean,
              [&]<class T>() {
                const double* mean_data = in<double>("mean", mean, {c});
                const double* m2_data = in<double>("m2", m2, {c});
                double* rstd_data = out<double>("rstd", rstd, {c});
                T* running_mean_data = out<T>("running_mean", running_mean, {c});
                T* running_var_data = out<T>("running_var", running_var, {c});
                refuse_overlap({{"rstd", rstd}, {"running_mean", running_mean}, {"running_var", running_var}},
                               {{"mean", mean}, {"m2", m2}}, InPlace::no);
                run(batch_norm_cost(1, c, 8), 0, [=](Team& team) {
                  batch_norm_statistics(team, rstd_data, running_mean_data, running_var_data, mean_data, m2_data, count,
                                        c, params);
                });
              });
}

void bind_batch_norm_apply(const Array& y, const Array& x, const OptionalArray& gamma, const OptionalArray& beta,
                           const Array& mean, const Array& rstd, const OptionalArray& mask,
                           const std::string& activation_name, double rate) {
  require_ndim("x", x, 2, 3);
  const Activation activation_code = rectifier(activation_name);
  const Sizes sizes(x);
  const Shape shape(x);
  const Shape channels = {sizes.c};
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* gamma_data = in<T>("gamma", gamma, channels);
    const T* beta_data = in<T>("beta", beta, channels);
    const double* mean_data = in<double>("mean", mean, channels);
    const double* rstd_data = in<double>("rstd", rstd, channels);
    const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, shape));
    T* y_data = out<T>("y", y, shape);
    refuse_overlap({{"y", y}},
                   {{"x", x}, {"gamma", gamma}, {"beta", beta}, {"mean", mean}, {"rstd", rstd}, {"mask", mask}},
                   InPlace::yes);
    run(sizes.cost(), 0, [=](Team& team) {
      batch_norm_apply(team, y_data, x_data, gamma_data, beta_data, mean_data, rstd_data, mask_data, sizes.n, sizes.c,
                       sizes.s, activation_code, keep_at(rate));
    });
  });
}

void bind_batch_norm_backward_sums(const Array& sum_dz, const Array& sum_dz_xhat, const Array& dy, const Array& x,
                                   const OptionalArray& gamma, const OptionalArray& beta, const Array& mean,
                                   const Array& rstd, const OptionalArray& mask, const std::string& activation_name,
                                   double rate) {
  require_ndim("x", x, 2, 3);
  const Activation activation_code = rectifier(activation_name);
  const Sizes sizes(x);
  const Shape shape(x);
  const Shape channels = {sizes.c};
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* dy_data = in<T>("dy", dy, shape);
    const T* gamma_data = in<T>("gamma", gamma, channels);
    const T* beta_data = in<T>("beta", beta, channels);
    const double* mean_data = in<double>("mean", mean, channels);
    const double* rstd_data = in<double>("rstd", rstd, channels);
    const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, shape));
    double* sum_data = out<double>("sum_dz", sum_dz, channels);
    double* product_data = out<double>("sum_dz_xhat", sum_dz_xhat, channels);
    refuse_overlap(
        {{"sum_dz", sum_dz}, {"sum_dz_xhat", sum_dz_xhat}},
        {{"dy", dy}, {"x", x}, {"gamma", gamma}, {"beta", beta}, {"mean", mean}, {"rstd", rstd}, {"mask", mask}},
        InPlace::no);
    run(sizes.cost(), sizes.workspace(), [=](Team& team) {
      batch_norm_backward_sums(team, sum_data, product_data, dy_data, x_data, gamma_data, beta_data, mean_data,
                               rstd_data, mask_data, sizes.n, sizes.c, sizes.s, activation_code, keep_at(rate));
    });
  });
}

void bind_batch_norm_backward_apply(const Array& dx, const Array& dy, const Array& x, const OptionalArray& gamma,
                                    const OptionalArray& beta, const Array& mean, const Array& rstd,
                                    const Array& sum_dz, const Array& sum_dz_xhat, const OptionalArray& mask,
                                    Index count, const std::string& activation_name, double rate) {
  require_ndim("x", x, 2, 3);
  const Activation activation_code = rectifier(activation_name);
  const Sizes sizes(x);
  const Shape shape(x);
  const Shape channels = {sizes.c};
  visit_float("x", x, [&]<class T>() {
    const T* x_data = in<T>("x", x, shape);
    const T* dy_data = in<T>("dy", dy, shape);
    const T* gamma_data = in<T>("gamma", gamma, channels);
    const T* beta_data = in<T>("beta", beta, channels);
    const double* mean_data = in<double>("mean", mean, channels);
    const double* rstd_data = in<double>("rstd", rstd, channels);
    const double* sum_data = in<double>("sum_dz", sum_dz, channels);
    const double* product_data = in<double>("sum_dz_xhat", sum_dz_xhat, channels);
    const std::uint8_t* mask_data = bytes(in<bool>("mask", mask, shape));
    T* dx_data = out<T>("dx", dx, shape);
    refuse_overlap({{"dx", dx}},
                   {{"dy", dy},
                    {"x", x},
                    {"gamma", gamma},
                    {"beta", beta},
                    {"mean", mean},
                    {"rstd", rstd},
                    {"sum_dz", sum_dz},
                    {"sum_dz_xhat", sum_dz_xhat},
                    {"mask", mask}},
                   InPlace::yes);
    run(sizes.cost(), 0, [=](Team& team) {
      batch_norm_backward_apply(team, dx_data, dy_data, x_data, gamma_data, beta_data, mean_data, rstd_data, sum_data,
                                product_data, mask_data, count, sizes.n, sizes.c, sizes.s, activation_code,
                                keep_at(rate));
    });
  });
}

}  // namespace

void register_norm_steps(py::module_& module) {
  module.def("batch_norm_moments", bind_batch_norm_moments, py::arg("mean"), py::arg("m2"), py::arg("x"));
  module.def("combine_moments", bind_combine_moments, py::arg("mean"), py::arg("m2"), py::arg("means"), py::arg("m2s"),
             py::arg("counts"));
  module.def("batch_norm_statistics", bind_batch_norm_statistics, py::arg("rstd"), py::arg("running_mean").none(true),
             py::arg("running_var").none(true), py::arg("mean"), py::arg("m2"), py::arg("count"), py::arg("momentum"),
             py::arg("epsilon"), py::arg("unbiased"));
  module.def("batch_norm_apply", bind_batch_norm_apply, py::arg("y"), py::arg("x"), py::arg("gamma").none(true),
             py::arg("beta").none(true), py::arg("mean"), py::arg("rstd"), py::arg("mask").none(true),
             py::arg("activation"), py::arg("rate"));
  module.def("batch_norm_backward_sums", bind_batch_norm_backward_sums, py::arg("sum_dz"), py::arg("sum_dz_xhat"),
             py::arg("dy"), py::arg("x"), py::arg("gamma").none(true), py::arg("beta").none(true), py::arg("mean"),
             py::arg("rstd"), py::arg("mask").none(true), py::arg("activation"), py::arg("rate"));
  module.def("batch_norm_backward_apply", bind_batch_norm_backward_apply, py::arg("dx"), py::arg("dy"), py::arg("x"),
             py::arg("gamma").none(true), py::arg("beta").none(true), py::arg("mean"), py::arg("rstd"),
             py::arg("sum_dz"), py::arg("sum_dz_xhat"), py::arg("mask").none(true), py::arg("count"),
             py::arg("activation"), py::arg("rate"));
}

}  // namespace flyball::bind
