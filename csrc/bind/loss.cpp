#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_softmax_cross_entropy(const Array& losses, const OptionalArray& hits, const OptionalArray& dlogits,
                                const Array& logits, const Array& labels, const OptionalArray& weights,
                                double smoothing, double scale) {
  require_ndim("logits", logits, 2);
  visit_float("logits", logits, [&]<class T>() {
    const Index n = size(logits, 0);
    const Index c = size(logits, 1);
    const T* logits_data = in<T>("logits", logits, {n, c});
    const Index* labels_data = in<Index>("labels", labels, {n});
    const T* weights_data = in<T>("weights", weights, {n});
    double* losses_data = out<double>("losses", losses, {n});
    double* hits_data = out<double>("hits", hits, {n});
    T* dlogits_data = out<T>("dlogits", dlogits, {n, c});
    refuse_overlap({{"dlogits", dlogits}, {"losses", losses}, {"hits", hits}},
                   {{"logits", logits}, {"labels", labels}, {"weights", weights}}, InPlace::yes);
    require_indices("labels", "row", labels_data, n, c);
    run(softmax_cost(n, c), 0, [=](Team& team) {
      softmax_cross_entropy(team, losses_data, hits_data, dlogits_data, logits_data, labels_data, weights_data, n, c,
                            smoothing, scale);
    });
  });
}

void bind_softmax_cross_entropy_soft(const Array& losses, const OptionalArray& hits, const OptionalArray& dlogits,
                                     const Array& logits, const Array& targets, const OptionalArray& weights,
                                     double scale) {
  require_ndim("logits", logits, 2);
  visit_float("logits", logits, [&]<class T>() {
    const Index n = size(logits, 0);
    const Index c = size(logits, 1);
    const T* logits_data = in<T>("logits", logits, {n, c});
    const T* targets_data = in<T>("targets", targets, {n, c});
    const T* weights_data = in<T>("weights", weights, {n});
    double* losses_data = out<double>("losses", losses, {n});
    double* hits_data = out<double>("hits", hits, {n});
    T* dlogits_data = out<T>("dlogits", dlogits, {n, c});
    refuse_overlap({{"dlogits", dlogits}, {"losses", losses}, {"hits", hits}},
                   {{"logits", logits}, {"targets", targets}, {"weights", weights}}, InPlace::yes);
    run(softmax_cost(n, c), 0, [=](Team& team) {
      softmax_cross_entropy_soft(team, losses_data, hits_data, dlogits_data, logits_data, targets_data, weights_data, n,
                                 c, scale);
    });
  });
}

// What the losses of matrices of predictions and targets share: checks, and body(arrays, sizes).
template <class Body>
void visit_loss(const Array& losses, const OptionalArray& dpredictions, const Array& predictions, const Array& targets,
                const OptionalArray& weights, Body body) {
  require_ndim("predictions", predictions, 2);
  visit_float("predictions", predictions, [&]<class T>() {
    const Index n = size(predictions, 0);
    const Index c = size(predictions, 1);
    const T* predictions_data = in<T>("predictions", predictions, {n, c});
    const T* targets_data = in<T>("targets", targets, {n, c});
    const T* weights_data = in<T>("weights", weights, {n});
    double* losses_data = out<double>("losses", losses, {n});
    T* dpredictions_data = out<T>("dpredictions", dpredictions, {n, c});
    refuse_overlap({{"dpredictions", dpredictions}, {"losses", losses}},
                   {{"predictions", predictions}, {"targets", targets}, {"weights", weights}}, InPlace::yes);
    body(losses_data, dpredictions_data, predictions_data, targets_data, weights_data, n, c);
  });
}

void bind_pointwise_loss(const Array& losses, const OptionalArray& dpredictions, const Array& predictions,
                         const Array& targets, const OptionalArray& weights, const std::string& loss_name, double delta,
                         double scale) {
  require_ndim("predictions", predictions, 2);
  const LossParams params{loss(loss_name), delta};
  visit_loss(losses, dpredictions, predictions, targets, weights,
             [=](double* l, auto* dp, const auto* p, const auto* t, const auto* w, Index n, Index c) {
               run(pointwise_loss_cost(params.kind, n, c), 0,
                   [=](Team& team) { pointwise_loss(team, l, dp, p, t, w, n, c, params, scale); });
             });
}

void bind_row_loss(const Array& losses, const OptionalArray& dpredictions, const Array& predictions,
                   const Array& targets, const OptionalArray& weights, const std::string& loss_name, double gamma,
                   double positive, double negative, double scale) {
  require_ndim("predictions", predictions, 2);
  const RowLossParams params{row_loss_kind(loss_name), gamma, positive, negative};
  visit_loss(losses, dpredictions, predictions, targets, weights,
             [=](double* l, auto* dp, const auto* p, const auto* t, const auto* w, Index n, Index c) {
               run(row_loss_cost(n, c), 0, [=](Team& team) { row_loss(team, l, dp, p, t, w, n, c, params, scale); });
             });
}

void bind_overlap_loss(const Array& losses, const OptionalArray& dpredictions, const Array& predictions,
                       const Array& targets, const OptionalArray& weights, double alpha, double beta, double epsilon,
                       bool whole, double scale) {
  const OverlapParams params{alpha, beta, epsilon, whole};
  visit_loss(losses, dpredictions, predictions, targets, weights,
             [=](double* l, auto* dp, const auto* p, const auto* t, const auto* w, Index n, Index c) {
               run(overlap_loss_cost(n, c), overlap_loss_workspace(n),
                   [=](Team& team) { overlap_loss(team, l, dp, p, t, w, n, c, params, scale); });
             });
}

void bind_loss_weights(const Array& output, const OptionalArray& kept, const OptionalArray& weights,
                       const OptionalArray& labels, Index ignored, Index divisor) {
  require_ndim("out", output, 1);
  if (divisor < 0 || divisor > 2) throw py::value_error("divisor must be in [0, 3), got " + std::to_string(divisor));
  visit_float("out", output, [&]<class T>() {
    const Index n = size(output, 0);
    T* out_data = out<T>("out", output, {n});
    Index* kept_data = out<Index>("kept", kept, {n});
    const T* weights_data = in<T>("weights", weights, {n});
    const Index* labels_data = in<Index>("labels", labels, {n});
    if (kept && !labels) throw py::value_error("labels must be given where kept is, got None");
    refuse_overlap({{"out", output}, {"kept", kept}}, {{"weights", weights}, {"labels", labels}}, InPlace::no);
    run(loss_weights_cost(n), 0,
        [=](Team& team) { loss_weights(team, out_data, kept_data, weights_data, labels_data, n, ignored, divisor); });
  });
}

}  // namespace

void register_loss(py::module_& module) {
  module.def("softmax_cross_entropy", bind_softmax_cross_entropy, py::arg("losses"), py::arg("hits").none(true),
             py::arg("dlogits").none(true), py::arg("logits"), py::arg("labels"), py::arg("weights").none(true),
             py::arg("smoothing"), py::arg("scale"));
  module.def("softmax_cross_entropy_soft", bind_softmax_cross_entropy_soft, py::arg("losses"),
             py::arg("hits").none(true), py::arg("dlogits").none(true), py::arg("logits"), py::arg("targets"),
             py::arg("weights").none(true), py::arg("scale"));
  module.def("pointwise_loss", bind_pointwise_loss, py::arg("losses"), py::arg("dpredictions").none(true),
             py::arg("predictions"), py::arg("targets"), py::arg("weights").none(true), py::arg("loss"),
             py::arg("delta"), py::arg("scale"));
  module.def("row_loss", bind_row_loss, py::arg("losses"), py::arg("dpredictions").none(true), py::arg("predictions"),
             py::arg("targets"), py::arg("weights").none(true), py::arg("loss"), py::arg("gamma"), py::arg("positive"),
             py::arg("negative"), py::arg("scale"));
  module.def("overlap_loss", bind_overlap_loss, py::arg("losses"), py::arg("dpredictions").none(true),
             py::arg("predictions"), py::arg("targets"), py::arg("weights").none(true), py::arg("alpha"),
             py::arg("beta"), py::arg("epsilon"), py::arg("whole"), py::arg("scale"));
  module.def("loss_weights", bind_loss_weights, py::arg("out"), py::arg("kept").none(true),
             py::arg("weights").none(true), py::arg("labels").none(true), py::arg("ignored"), py::arg("divisor"));
}

}  // namespace flyball::bind
