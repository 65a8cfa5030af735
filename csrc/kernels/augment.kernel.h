// Data augmentation. Compiled once per instruction set: see variant.h.
#include "kernels/affine.kernel.h"
#include "kernels/augment.h"
#include "kernels/pixels.kernel.h"

namespace flyball {
namespace {

template <class T>
constexpr AugmentKernels<T> augment_kernels = {affine_bytes<T>, affine_transform<T>, sample_uniforms, channel_sums<T>,
                                               map_pixels<T>,   turn_hues<T>,        map_tones<T>,    add_noise<T>,
                                               mix<T>,          swap_features<T>};

}  // namespace
}  // namespace flyball
