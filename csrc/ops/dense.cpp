#include <algorithm>

#include "flyball/ops.h"
#include "ops/columns.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

// What begins at element (i, j) of a.
template <class T>
Matrix<T> from(Matrix<T> a, Index i, Index j) {
  return {a.data + i * a.row_stride + j * a.column_stride, a.row_stride, a.column_stride};
}

// Measured: about 100 multiply-adds a nanosecond with AVX2 upwards.
constexpr double nanoseconds_per_multiply_add = 0.02;

// Rows, in tiles, whose product is activated before the next are computed, while they are in the cache.
constexpr Index activated_tiles = 20;

// C is cut into a grid of shares. Any partition gives the same bits (see GemmKernels::gemm), so it may depend on the
// team.
struct Share {
  Range rows;
  Range columns;
};

// Nanoseconds of an element that a thread packs, half of them written by other threads, and of one that another has
// written or will read; measured on two cores of a Xeon (2.6 ns a line of 16 floats to read, 5 to write over).
constexpr double nanoseconds_to_pack = 0.25;
constexpr double nanoseconds_to_exchange = 0.3;
// With AVX-512.
constexpr double nanoseconds_per_tile_product = 0.0125;

Share share_of(const Team& team, Index m, Index n, Index tile_columns, Index columns, Index rank) {
  return {units_of(team.size() / columns, rank / columns, m, row_block(m)),
          units_of(columns, rank % columns, n, tile_columns)};
}

// What the largest share of a grid with so many columns of threads costs.
double grid_cost(const Team& team, Index m, Index n, Index k, Index tile_columns, Index columns) {
  Index most_rows = 0;
  Index most_columns = 0;
  for (Index rank = 0; rank < team.size(); ++rank) {
    const Share share = share_of(team, m, n, tile_columns, columns, rank);
    most_rows = std::max(most_rows, share.rows.size());
    most_columns = std::max(most_columns, share.columns.size());
  }
  const double depth = static_cast<double>(k);
  const double height = static_cast<double>(most_rows);
  const double width = static_cast<double>(most_columns);
  const double own = (nanoseconds_per_tile_product * height + nanoseconds_to_pack) * width * depth;
  if (columns == 1) return own;
  const double others = 1.0 - 1.0 / static_cast<double>(columns);
  return own + nanoseconds_to_exchange * height * (others * depth + width);
}

// The share of one thread, of the cheapest grid. Whole rows stay in the cache of the thread that has written them, as
// other operations are shared by rows too; columns spare each thread the packing of all of B, which pays where B is
// large beside C.
Share share_of(const Team& team, Index m, Index n, Index k, Index tile_columns) {
  if (team.size() == 1) return {{0, m}, {0, n}};
  Index best = 1;
  double least = grid_cost(team, m, n, k, tile_columns, best);
  for (Index columns = 2; columns <= team.size(); ++columns) {
    if (team.size() % columns != 0) continue;
    const double cost = grid_cost(team, m, n, k, tile_columns, columns);
    if (cost < least) {
      least = cost;
      best = columns;
    }
  }
  return share_of(team, m, n, tile_columns, best, team.rank());
}

// The transpose of a product with few columns is computed so many of its columns at a time.
constexpr Index transposed_columns = 256;
constexpr std::size_t transposed_bytes = transposed_columns * 128;  // rows are two vectors or fewer
static_assert(most_pack_bytes + transposed_bytes <= scratch_bytes);

// Whether zeros of a (m, k) are passed over: where so many of its elements are zero that this is quicker, from a size
// on at which looking costs little.
//
// On one core of a Xeon products took as long as gemm's with 0.65 of the elements other than zero (AVX-512) and with
// 0.6 (AVX2).
constexpr double least_sparse_work = 1 << 19;
constexpr Index least_sparse_size = 32;
constexpr double most_multiplied = 0.6;

// The same of a (m, k) whose zeros tell which elements of a product are not asked for, each a sum over `depth`: that is
// taken across lanes in the end, which costs as much as some vectors more. On one core of a Xeon with AVX-512 sums of
// 64 took as long as gemm's with 0.24 of them asked for, of 128 with 0.43, of 256 and 512 with 0.55; with AVX2 of 64
// with 0.45, of 128 with 0.6.
template <class T>
double most_asked_for(Index depth) {
  constexpr double more_vectors = 6;
  const double own = static_cast<double>(depth);
  return 0.65 * own / (own + more_vectors * static_cast<double>(kernels<T>().slim.lanes));
}

// By a sample: the same for every thread, and few lines of another core's cache. Counted here, element by element and
// of twice as many, it took 4 % of the instructions' time of a step of 32-128-128-2 and of 64-256-256-10.
template <class T>
bool mostly_zeros(Matrix<T> a, Index m, Index n, Index k, double most_nonzeros) {
  if (std::min({m, n, k}) < least_sparse_size) return false;
  if (static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) < least_sparse_work) return false;
  if (a.column_stride != 1) {
    if (a.row_stride != 1) return false;
    return mostly_zeros(a.transposed(), k, n, m, most_nonzeros);
  }
  const Index nonzeros = kernels<T>().sparse.sampled_nonzeros(a.data, a.row_stride, m, k);
  return static_cast<double>(nonzeros) <= most_nonzeros * sample_runs * sample_run;
}

// Whether a product is one of few columns, whose elements are sums across lanes: by shapes and strides alone, as its
// bits are others than gemm's. One core of a Xeon, (128, 128) @ (128, n): 4.0 x as fast for n = 1, 2.5 for 2, 1.8 for 4
// with AVX-512, 3.4, 2.0 and 1.5 with AVX2; short sums are not worth it, nor are eight columns.
template <class T>
bool has_few_columns(Matrix<T> a, Index n, Index k) {
  constexpr Index least_depth_of_column = 8;
  return n >= 1 && n <= few_columns_at_most && a.column_stride == 1 && k >= least_depth_of_column * n &&
         k <= few_columns_depth;
}

// c (m, n; rows ldc apart) = epilogue(a @ b) on one thread, by the kernel that suits it; the same bits by all others.
template <class T>
void product(const Team& team, T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n,
             Index k, bool sparse) {
  const GemmKernels<T>& gemm = kernels<T>().gemm;
  const SlimKernels<T>& slim = kernels<T>().slim;
  T* const pack = team.scratch<T>();
  if (sparse) {
    kernels<T>().sparse.product(c, ldc, a, b, epilogue, m, n, k, pack);
    return;
  }
  if (has_few_columns(a, n, k)) {
    slim.few_columns(c, ldc, a.data, a.row_stride, b, epilogue, m, n, k, pack);
    return;
  }
  if (m == 1 && b.column_stride == 1) {  // 1.8 x with AVX2, from 1.1 x with AVX-512
    slim.row_product(c, a.data, a.column_stride, b.data, b.row_stride, epilogue, n, k);
    return;
  }
  // Columns fewer than a vector would leave lanes idle. Where a's columns are contiguous, as in a weight gradient, the
  // transpose is computed instead: 1.5 x for 10 classes.
  const bool narrow = n < gemm.tile_columns && n % slim.lanes != 0 && m >= gemm.tile_columns && a.row_stride == 1;
  if (!narrow || !epilogue.absent()) {
    gemm.gemm(c, ldc, a, b, epilogue, m, n, k, pack, second_level_bytes());
    return;
  }
  T* const transposed = pack + most_pack_bytes / sizeof(T);
  for (Index i = 0; i < m; i += transposed_columns) {
    const Index rows = std::min(transposed_columns, m - i);
    gemm.gemm(transposed, transposed_columns, b.transposed(), {a.data + i, a.column_stride, 1}, epilogue, n, rows, k,
              pack, second_level_bytes());
    slim.transpose(c + i * ldc, ldc, transposed, transposed_columns, rows, n);
  }
}

// The block (rows, columns) of dy at (i, j): itself where its rows are consecutive, else a copy.
template <class T>
const T* consecutive(T* copy, Matrix<T> dy, Index i, Index j, Index rows, Index columns) {
  const T* from = dy.data + i * dy.row_stride + j * dy.column_stride;
  if (dy.column_stride == 1) return from;
  for (Index c = 0; c < columns; ++c) {
    for (Index r = 0; r < rows; ++r) copy[r * columns + c] = from[r * dy.row_stride + c * dy.column_stride];
  }
  return copy;
}

// db = sum(dy): threads share the columns. Within a block of rows sums run in T, the blocks are added in double.
template <class T>
void bias_gradient(const Team& team, T* db, Matrix<T> dy, Index n, Index c) {
  constexpr Index block_rows = 256;
  constexpr Index most_columns = 512;
  const bool copied = dy.column_stride != 1;
  const Index strip_columns = copied ? 64 : most_columns;
  double* sum = team.scratch<double>();
  T* copy = reinterpret_cast<T*>(sum + most_columns);
  const Range mine = columns_of<T>(team, c);
  for (Index j = mine.begin; j < mine.end; j += strip_columns) {
    const Index width = std::min(strip_columns, mine.end - j);
    std::fill_n(sum, width, 0.0);
    for (Index i = 0; i < n; i += block_rows) {
      const Index rows = std::min(block_rows, n - i);
      const T* block = consecutive(copy, dy, i, j, rows, width);
      kernels<T>().norm.column_sums(sum, block, copied ? width : dy.row_stride, rows, width);
    }
    std::transform(sum, sum + width, db + j, [](double s) { return static_cast<T>(s); });
  }
}

}  // namespace

double matmul_cost(Index m, Index n, Index k) {
  return nanoseconds_per_multiply_add * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

double dense_backward_cost(Index n, Index k, Index c) { return 2 * matmul_cost(n, k, c); }

namespace {

// c (m, n; rows ldc apart) = activation(epilogue(a @ b)); the epilogue's own activation is linear.
template <class T>
void shared_product(const Team& team, T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n,
                    Index k, ActivationParams activation) {
  const GemmKernels<T>& kernel = kernels<T>().gemm;
  const auto [rows, columns] = share_of(team, m, n, k, kernel.tile_columns);
  if (rows.size() == 0 || columns.size() == 0) return;
  const bool sparse = mostly_zeros(a, m, n, k, most_multiplied);
  a = from(a, rows.begin, 0);
  b = from(b, 0, columns.begin);
  T* corner = c + rows.begin * ldc + columns.begin;
  epilogue = epilogue.from(columns.begin).below(rows.begin);
  if (activation.kind == Activation::linear || activation.kind == Activation::relu) {
    epilogue.activation = activation.kind;
    product(team, corner, ldc, a, b, epilogue, rows.size(), columns.size(), k, sparse);
    return;
  }
  // The kernel includes no other: they follow row by row while a block of rows is in the cache.
  const Index block = activated_tiles * kernel.tile_rows;
  for (Index i = 0; i < rows.size(); i += block) {
    const Index height = std::min(block, rows.size() - i);
    product(team, corner + i * ldc, ldc, from(a, i, 0), b, epilogue.below(i), height, columns.size(), k, sparse);
    for (Index row = i; row < i + height; ++row) {
      T* y = corner + row * ldc;
      kernels<T>().activation.activation_forward(y, y, columns.size(), activation);
    }
  }
}

// dx (n, k) = dy (n, c) @ w.T (c, k), but 0 where x (n, k) is.
template <class T>
void gated_gradient(const Team& team, T* dx, Matrix<T> dy, Matrix<T> x, Matrix<T> w, Index n, Index k, Index c) {
  const auto [rows, columns] = share_of(team, n, k, c, kernels<T>().gemm.tile_columns);
  if (rows.size() == 0 || columns.size() == 0) return;
  const bool consecutive = dy.column_stride == 1 && x.column_stride == 1 && w.column_stride == 1;
  const bool few = consecutive && mostly_zeros(x, n, c, k, most_asked_for<T>(c));
  T* const corner = dx + rows.begin * k + columns.begin;
  dy = from(dy, rows.begin, 0);
  w = from(w, columns.begin, 0);
  x = from(x, rows.begin, columns.begin);
  const GatedKernels<T>& gated = kernels<T>().gated;
  if (few) {
    gated.product(corner, k, dy, w, x, rows.size(), columns.size(), c, team.scratch<T>());
    return;
  }
  product<T>(team, corner, k, dy, w.transposed(), {}, rows.size(), columns.size(), c, false);
  gated.shut(corner, k, x, rows.size(), columns.size());
}

// dx (n, k) = dy (n, c) @ w.T, 0 where x is if gated, and dw = x.T @ dy, in one pass over x, whose columns threads
// share. With c = 2 and three quarters of x zero, (128, 64) took 0.4 x of the two products on one core of a Xeon.
template <class T>
void few_gradients(const Team& team, T* dx, T* dw, Index dw_stride, Matrix<T> dy, Matrix<T> x, Matrix<T> w, Index n,
                   Index k, Index c, bool gated) {
  const auto [begin, end] = columns_of<T>(team, k);
  const FewGradients<T> task = {.dx = dx + begin,
                                .dx_stride = k,
                                .dw = dw + begin * dw_stride,
                                .dw_stride = dw_stride,
                                .dy = dy,
                                .x = x.data + begin,
                                .x_stride = x.row_stride,
                                .w = from(w, begin, 0),
                                .m = n,
                                .k = end - begin,
                                .n = c,
                                .gated = gated};
  kernels<T>().slim.few_gradients(task, team.scratch<T>());
}

// Columns whose batch normalisation is turned into factors at a time, in scratch that products leave alone.
constexpr Index normalised_columns = 512;

template <class T>
struct NormalisedColumns {
  T scale[normalised_columns];
  T shift[normalised_columns];
  double rstd[normalised_columns];
};

constexpr std::size_t product_bytes = most_pack_bytes + transposed_bytes;
static_assert(product_bytes + sizeof(NormalisedColumns<double>) <= scratch_bytes);

}  // namespace

template <class T>
void matmul(Team& team, T* c, Matrix<T> a, Matrix<T> b, const T* bias, Index m, Index n, Index k,
            ActivationParams activation) {
  shared_product<T>(team, c, n, a, b, {nullptr, bias}, m, n, k, activation);
}

template <class T>
void dense_batch_norm_inference(Team& team, T* y, Matrix<T> x, Matrix<T> w, const T* b, const RunningNorm<T>& norm,
                                Index n, Index k, Index c, ActivationParams activation) {
  auto& columns = *reinterpret_cast<NormalisedColumns<T>*>(team.scratch<char>() + product_bytes);
  for (Index j = 0; j < c; j += normalised_columns) {
    const Index width = std::min(normalised_columns, c - j);
    kernels<T>().norm.inference_factors(columns.scale, columns.shift, columns.rstd, norm.from(j),
                                        b == nullptr ? b : b + j, width);
    shared_product<T>(team, y + j, c, x, from(w, 0, j), {columns.scale, columns.shift}, n, width, k, activation);
  }
}

template <class T>
void dense_forward(Team& team, T* y, Matrix<T> x, Matrix<T> w, const T* b, const T* added, Index n, Index k, Index c,
                   ActivationParams activation) {
  shared_product<T>(team, y, c, x, w, {nullptr, b, Activation::linear, added, c}, n, c, k, activation);
}

template <class T>
void dense_backward(Team& team, T* dx, T* dw, Index dw_stride, T* db, Matrix<T> dy, Matrix<T> x, Matrix<T> w, Index n,
                    Index k, Index c, bool gated) {
  constexpr ActivationParams linear{Activation::linear, 0.0};
  if (dx != nullptr && dw != nullptr && c >= 1 && c <= few_columns_at_most && k <= few_columns_depth &&
      x.column_stride == 1) {
    few_gradients(team, dx, dw, dw_stride, dy, x, w, n, k, c, gated);
  } else {
    if (dw != nullptr) shared_product<T>(team, dw, dw_stride, x.transposed(), dy, {}, k, c, n, linear);
    if (dx != nullptr && gated) gated_gradient(team, dx, dy, x, w, n, k, c);
    if (dx != nullptr && !gated) matmul<T>(team, dx, dy, w.transposed(), nullptr, n, k, c, linear);
  }
  if (db != nullptr) bias_gradient(team, db, dy, n, c);
}

#define FLYBALL_INSTANTIATE(T)                                                                                      \
  template void matmul(Team&, T*, Matrix<T>, Matrix<T>, const T*, Index, Index, Index, ActivationParams);           \
  template void dense_forward(Team&, T*, Matrix<T>, Matrix<T>, const T*, const T*, Index, Index, Index,             \
                              ActivationParams);                                                                    \
  template void dense_batch_norm_inference(Team&, T*, Matrix<T>, Matrix<T>, const T*, const RunningNorm<T>&, Index, \
                                           Index, Index, ActivationParams);                                         \
  template void dense_backward(Team&, T*, T*, Index, T*, Matrix<T>, Matrix<T>, Matrix<T>, Index, Index, Index, bool);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
