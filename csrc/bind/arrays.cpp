#include "bind/arrays.h"

#include <cstdint>
#include <iterator>

namespace flyball::bind {
namespace {

std::string dtype_text(const Array& array) { return py::str(array.dtype()).cast<std::string>(); }

std::string strides_text(const Array& array) {
  return text_of(Shape(std::vector<Index>(array.strides(), array.strides() + array.ndim())));
}

bool contiguous(const Array& array) { return (array.flags() & py::array::c_style) != 0; }

bool aligned(const Array& array) { return (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0; }

// In the order of the enumerations.
constexpr const char* activations[] = {"linear",   "relu",      "leaky_relu",  "relu6",        "elu",  "selu",
                                       "gelu",     "gelu_tanh", "sigmoid",     "hard_sigmoid", "tanh", "silu",
                                       "softplus", "softsign",  "exponential", "mish"};
static_assert(std::size(activations) == static_cast<std::size_t>(Activation::mish) + 1);
constexpr const char* losses[] = {"mean_squared_error",
                                  "mean_absolute_error",
                                  "huber",
                                  "log_cosh",
                                  "hinge",
                                  "squared_hinge",
                                  "poisson",
                                  "binary_cross_entropy",
                                  "binary_cross_entropy_logits",
                                  "categorical_cross_entropy",
                                  "kl_divergence",
                                  "mean_absolute_percentage_error",
                                  "mean_squared_logarithmic_error",
                                  "cosine_similarity"};
static_assert(std::size(losses) == static_cast<std::size_t>(Loss::cosine_similarity) + 1);
constexpr const char* row_losses[] = {"binary_focal_cross_entropy", "binary_focal_cross_entropy_logits",
                                      "categorical_focal_cross_entropy_logits",
                                      "categorical_generalized_cross_entropy_logits", "categorical_hinge"};
static_assert(std::size(row_losses) == static_cast<std::size_t>(RowLoss::categorical_hinge) + 1);

template <class E, std::size_t n>
std::optional<E> find(const std::string& name, const char* const (&names)[n]) {
  for (std::size_t i = 0; i < n; ++i) {
    if (name == names[i]) return static_cast<E>(i);
  }
  return std::nullopt;
}

template <class E, std::size_t n>
E require(const char* what, std::optional<E> found, const std::string& name, const char* const (&names)[n]) {
  if (found) return *found;
  std::string known;
  for (const char* each : names) known += (known.empty() ? "" : ", ") + std::string(each);
  throw py::value_error(std::string(what) + " must be one of " + known + ", got '" + name + "'");
}

}  // namespace

std::string text_of(const Shape& shape) {
  std::string text = "(";
  for (const Index extent : shape.extents()) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + (shape.extents().size() == 1 ? ",)" : ")");
}

void refuse(const char* name, const char* dtype, const Shape& shape, const Array& array) {
  std::string text =
      std::string(name) + " must be a C-contiguous " + dtype + " array of shape " + text_of(shape) + ", got ";
  if (!contiguous(array)) text += "non-contiguous ";
  text += dtype_text(array) + " of shape " + text_of(Shape(array));
  throw py::value_error(text);
}

void refuse_matrix(const char* name, const char* dtype, const Shape& shape, const Array& array) {
  throw py::value_error(std::string(name) + " must be an aligned " + dtype + " array of shape " + text_of(shape) +
                        ", got " + (aligned(array) ? "" : "unaligned ") + dtype_text(array) + " of shape " +
                        text_of(Shape(array)));
}

bool matches_matrix(const Array& array, int type_number, const Shape& shape) {
  const auto* descr = py::detail::array_descriptor_proxy(array.dtype().ptr());
  return array.dtype().num() == type_number && descr->byteorder != '>' && aligned(array) &&
         Shape(array).extents() == shape.extents();
}

void refuse_rows(const char* name, const char* dtype, const Shape& shape, const Array& array) {
  throw py::value_error(std::string(name) + " must be a " + dtype + " array of shape " + text_of(shape) +
                        " whose rows are consecutive, aligned and apart, got " + dtype_text(array) + " of shape " +
                        text_of(Shape(array)) + " with strides " + strides_text(array));
}

bool matches_rows(const Array& array, int type_number, const Shape& shape) {
  if (!matches_matrix(array, type_number, shape)) return false;
  const auto size = array.itemsize();
  if (array.size() == 0) return true;
  if (!has_consecutive_rows(array)) return false;
  return array.shape(0) == 1 || (array.strides(0) >= array.shape(1) * size && array.strides(0) % size == 0);
}

void refuse_read_only(const char* name) {
  throw py::value_error(std::string(name) + " must be writeable, got a read-only array");
}

void refuse_dtype(const char* name, const Array& array) {
  throw py::type_error(std::string(name) + " must be float32 or float64, got " + dtype_text(array));
}

void refuse_ndim(const char* name, const std::string& ndim, const Array& array) {
  throw py::value_error(std::string(name) + " must have " + ndim + " dimensions, got shape " + text_of(Shape(array)));
}

bool matches(const Array& array, int type_number, std::size_t item_size, const Shape& shape) {
  const auto* descr = py::detail::array_descriptor_proxy(array.dtype().ptr());
  if (array.dtype().num() != type_number || (descr->byteorder == '>' && item_size > 1)) return false;
  if (!contiguous(array) || Shape(array).extents() != shape.extents()) return false;
  return reinterpret_cast<std::uintptr_t>(array.data()) % item_size == 0;
}

Extent::Extent(const char* array_name, const Array& array)
    : name(array_name), begin(reinterpret_cast<std::uintptr_t>(array.data())), end(begin) {
  if (array.size() == 0) return;
  end += static_cast<std::uintptr_t>(array.itemsize());
  for (int axis = 0; axis < array.ndim(); ++axis) {
    const auto reach = static_cast<std::uintptr_t>(array.strides(axis) * (array.shape(axis) - 1));
    (array.strides(axis) < 0 ? begin : end) += reach;
  }
}

Extent::Extent(const char* array_name, const OptionalArray& array) : name(array_name) {
  if (array) *this = Extent(array_name, *array);
}

void refuse_overlap(std::initializer_list<Extent> outputs, std::initializer_list<Extent> inputs, InPlace in_place) {
  const auto check = [](const Extent& output, const Extent& other) {
    if (output.begin < other.end && other.begin < output.end) {
      throw py::value_error(std::string(output.name) + " must not overlap " + other.name);
    }
  };
  for (const Extent* output = outputs.begin(); output != outputs.end(); ++output) {
    for (const Extent* other = output + 1; other != outputs.end(); ++other) check(*output, *other);
    for (const Extent* input = inputs.begin(); input != inputs.end(); ++input) {
      const bool first = output == outputs.begin() && input == inputs.begin();
      const bool same = output->begin == input->begin && output->end == input->end;
      if (in_place == InPlace::yes && first && same) continue;
      check(*output, *input);
    }
  }
}

std::optional<Loss> find_loss(const std::string& name) { return find<Loss>(name, losses); }

Activation activation(const std::string& name) {
  return require("activation", find<Activation>(name, activations), name, activations);
}

std::optional<RowLoss> find_row_loss(const std::string& name) { return find<RowLoss>(name, row_losses); }

RowLoss row_loss_kind(const std::string& name) { return require("loss", find_row_loss(name), name, row_losses); }

Loss loss(const std::string& name) { return require("loss", find_loss(name), name, losses); }

Activation rectifier(const std::string& name) {
  if (name == "linear") return Activation::linear;
  if (name == "relu") return Activation::relu;
  throw py::value_error("activation must be 'linear' or 'relu', got '" + name + "'");
}

Index extent(const char* name, Index value, int bits) {
  if (value >= 1 && value <= Index(1) << bits) return value;
  throw py::value_error(std::string(name) + " must be in [1, 2**" + std::to_string(bits) + "], got " +
                        std::to_string(value));
}

void require_indices(const char* name, const char* place, const Index* values, Index count, Index limit) {
  for (Index i = 0; i < count; ++i) {
    if (values[i] >= 0 && values[i] < limit) continue;
    throw py::value_error(std::string(name) + " must be in [0, " + std::to_string(limit) + "), got " +
                          std::to_string(values[i]) + " at " + place + " " + std::to_string(i));
  }
}

void refuse_source(const Array& x) {
  throw py::value_error(
      "x must have rows of consecutive, aligned elements of an integer or float dtype (float32, "
      "float64, 8 to 64 bits, bool), got " +
      py::str(x.dtype()).cast<std::string>() + " with strides (" + std::to_string(x.strides(0)) + ", " +
      std::to_string(x.strides(1)) + ")");
}

SourceType source_type(const Array& x) {
  const auto bytes = x.itemsize();
  const auto one_of = [&](SourceType b1, SourceType b2, SourceType b4, SourceType b8) {
    return bytes == 1 ? b1 : bytes == 2 ? b2 : bytes == 4 ? b4 : b8;
  };
  const bool native = py::detail::array_descriptor_proxy(x.dtype().ptr())->byteorder != '>';
  switch (native ? x.dtype().kind() : 'V') {
    case 'i':
      return one_of(SourceType::int8, SourceType::int16, SourceType::int32, SourceType::int64);
    case 'u':
      return one_of(SourceType::uint8, SourceType::uint16, SourceType::uint32, SourceType::uint64);
    case 'b':
      return SourceType::uint8;
    case 'f':
      if (bytes == 4) return SourceType::float32;
      if (bytes == 8) return SourceType::float64;
      [[fallthrough]];
    default:
      refuse_source(x);
  }
}

}  // namespace flyball::bind
