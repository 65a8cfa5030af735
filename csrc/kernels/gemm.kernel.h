// Matrix product. Compiled once per instruction set: see variant.h.
#include "kernels/gemm.h"
#if defined(__AVX512F__)
#include "kernels/gemm_streamed.kernel.h"
#else
#include "kernels/gemm_panels.kernel.h"
#endif

namespace flyball {
namespace {

static_assert(pack_bytes<float> <= most_pack_bytes && pack_bytes<double> <= most_pack_bytes);

template <class T>
constexpr GemmKernels<T> gemm_kernels = {gemm<T>, tile_rows, tile_columns<T>, pack_bytes<T>};

}  // namespace
}  // namespace flyball
