// Products that pass over zeros. Compiled once per instruction set: see variant.h.
//
// Eight vectors of C, of one row or of two, stay in registers while the non-zero elements of a row of A, 64 of which a
// word tells about, are broadcast in turn, each times its row of a panel of B. The panel stays in the first-level cache
// while the rows of A pass by, so it is shallower than what gemm.kernel.h takes at once, and C is read and written more
// often.
#include <algorithm>

#include "kernels/epilogue.kernel.h"
#include "kernels/finite.kernel.h"
#include "kernels/nonzeros.kernel.h"
#include "kernels/pack.kernel.h"
#include "kernels/simd.h"
#include "kernels/sparse.h"

namespace flyball {
namespace {

// Two rows rather than one: twice as many chains of multiply-adds.
#if defined(__AVX512F__)
constexpr int rows_at_once = 2;
#else
constexpr int rows_at_once = 1;
#endif
constexpr int most_vectors = 8;

constexpr Index panel_depth = word_bits;
constexpr Index panel_bytes = panel_depth * most_vectors * FLYBALL_VECTOR_BYTES;
constexpr Index block_rows = 256;

// Scratch: a panel of B, and a block of A whose columns are contiguous, transposed.
template <class T>
constexpr std::size_t sparse_bytes = panel_bytes + block_rows * panel_depth * sizeof(T);
static_assert(sparse_bytes<double> <= most_pack_bytes);

// Rows of A within the depth of a panel: their elements, and which of those are not zero.
template <class T>
struct Rows {
  const T* data;
  Index stride;
  Word nonzeros[block_rows];
};

// `copy` is where a block goes whose columns are contiguous. (A few rows at a time took up to 8 % longer.)
template <class T>
void find_nonzeros(Rows<T>& rows, T* copy, Matrix<T> a, Index m, Index depth) {
  rows.data = a.data;
  rows.stride = a.row_stride;
  if (a.column_stride != 1) {
    const Index width = (depth + lanes<T> - 1) / lanes<T> * lanes<T>;
    pack_columns_of(copy, a.data, a.column_stride, m, depth, width);
    rows.data = copy;
    rows.stride = width;
  }
  for (Index i = 0; i < m; ++i) rows.nonzeros[i] = nonzeros_of(rows.data + i * rows.stride, depth);
}

// As if no element were zero, for a panel none may be passed over for.
template <class T>
void take_all(Rows<T>& rows, Index m, Index depth) {
  std::fill_n(rows.nonzeros, m, depth < panel_depth ? (Word{1} << depth) - 1 : ~Word{0});
}

// A row is over before what is added to it has come from another core.
constexpr Index rows_ahead = 2;

template <class T>
struct SparseTask {
  T* c;
  Index ldc;
  const T* panel;
  Index panel_stride;
  Epilogue<T> epilogue;  // absent unless this is the last block of k
  Index columns;         // valid columns of the last vector
  bool first;            // first block of k: start from zero
};

// ROWS of C from row i on, VECTORS wide.
template <int ROWS, int VECTORS, class T>
FLYBALL_INLINE void some_rows(const SparseTask<T>& task, const Rows<T>& rows, Index i) {
  const RowOfVectors<VECTORS, T> columns_of_row{task.columns};
  T* const corner = task.c + i * task.ldc;
  Vec<T> c[ROWS][VECTORS];
#pragma GCC unroll 2
  for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) c[r][v] = task.first ? zero<T>() : columns_of_row(corner + r * task.ldc, v);
  }
  const T* const a = rows.data + i * rows.stride;
  Word left[ROWS];
#pragma GCC unroll 2
  for (int r = 0; r < ROWS; ++r) left[r] = rows.nonzeros[i + r];
  const auto add_next = [&](int r) FLYBALL_INLINE_LAMBDA {
    const Index k = first_of(left[r]);
    left[r] = without_first(left[r]);
    const Vec<T> x = broadcast(a[r * rows.stride + k]);
    const T* b = task.panel + k * task.panel_stride;
    asm("" : "+r"(b));  // in a register: with an index, processors make two instructions of a multiply-add that loads
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) c[r][v] += x * load(b + v * lanes<T>);
  };
  int both = ROWS == 2 ? std::min(count_of(left[0]), count_of(left[ROWS - 1])) : 0;
  for (; both > 0; --both) {
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; ++r) add_next(r);
  }
#pragma GCC unroll 2
  for (int r = 0; r < ROWS; ++r) {
    while (left[r] != 0) add_next(r);
  }
  finish(c, task.epilogue.below(i), columns_of_row);
#pragma GCC unroll 2
  for (int r = 0; r < ROWS; ++r) columns_of_row.store_row(corner + r * task.ldc, c[r]);
}

// Rows of C, VECTORS wide.
template <int VECTORS, class T>
__attribute__((noinline)) void rows_product(const SparseTask<T>& task, const Rows<T>& rows, Index m) {
  const SparseTask<T> t = task;
  Index i = 0;
  for (; i + rows_at_once <= m; i += rows_at_once) {
    if (i + rows_ahead + rows_at_once <= m) ask_for_added<rows_at_once, VECTORS>(t.epilogue, i + rows_ahead);
    some_rows<rows_at_once, VECTORS>(t, rows, i);
  }
  for (; i < m; ++i) some_rows<1, VECTORS>(t, rows, i);
}

// Whether a panel of B is as quick to read where it lies: its vectors do not lie across two lines, and its rows no
// denser in the sets of the first-level cache than those of a whole panel are.
template <class T>
bool fits_in_place(const T* b, Matrix<T> layout, Index depth) {
  constexpr Index sets = 64;
  const Index row_bytes = layout.row_stride * static_cast<Index>(sizeof(T));
  if (layout.column_stride != 1 || row_bytes % line_bytes != 0 || !begins_at_line(b)) return false;
  Index apart = sets;  // the largest power of two of lines that all rows are a multiple of apart
  while (row_bytes / line_bytes % apart != 0) apart /= 2;
  return depth * apart * line_bytes <= panel_bytes;
}

// One panel, as many vectors wide as the columns that are left allow. Returns its columns.
template <int VECTORS, class T>
Index panel_of(SparseTask<T> task, Rows<T>& rows, T* pack, const T* b, Matrix<T> layout, Index m, Index n,
               Index depth) {
  if constexpr (VECTORS > 1) {
    if (n <= (VECTORS - 1) * lanes<T>) return panel_of<VECTORS / 2>(task, rows, pack, b, layout, m, n, depth);
  }
  constexpr Index width = VECTORS * lanes<T>;
  const Index columns = n < width ? n : width;
  task.panel = b;
  task.panel_stride = layout.row_stride;
  if (columns < width || !fits_in_place<T>(b, layout, depth)) {
    pack_panel(pack, b, layout, depth, columns, width);
    task.panel = pack;
    task.panel_stride = width;
  }
  if (!is_zero<T>(rows_times_zero<VECTORS>(task.panel, task.panel_stride, depth))) take_all(rows, m, depth);
  task.columns = columns - (width - lanes<T>);
  rows_product<VECTORS>(task, rows, m);
  return columns;
}

template <class T>
void product(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k, T* pack) {
  Rows<T> rows;
  T* const copy = pack + panel_bytes / sizeof(T);
  for (Index i = 0; i < m; i += block_rows) {
    const Index height = m - i < block_rows ? m - i : block_rows;
    // An empty inner dimension still writes epilogue(0): one block of depth 0.
    Index k0 = 0;
    do {
      const Index depth = k - k0 < panel_depth ? k - k0 : panel_depth;
      find_nonzeros(rows, copy, {a.data + i * a.row_stride + k0 * a.column_stride, a.row_stride, a.column_stride},
                    height, depth);
      SparseTask<T> task{};
      task.ldc = ldc;
      task.first = k0 == 0;
      for (Index j = 0; j < n;) {
        task.c = c + i * ldc + j;
        if (k0 + depth == k) task.epilogue = epilogue.from(j).below(i);
        const T* corner = b.data + k0 * b.row_stride + j * b.column_stride;
        j += panel_of<most_vectors>(task, rows, pack, corner, b, height, n - j, depth);
      }
      k0 += depth;
    } while (k0 < k);
  }
}

template <class T>
Index sampled_nonzeros(const T* a, Index row_stride, Index m, Index k) {
  IntVec<T> found = {};
  for (Index run = 0; run < sample_runs; ++run) {
    // Steps of the golden section, so that columns of any pattern have their part.
    constexpr Index part = 1 << 16;
    const T* const from = a + run * m / sample_runs * row_stride + run * 40503 % part * (k - sample_run) / part;
    for (Index i = 0; i < sample_run; i += lanes<T>) found -= load(from + i) != zero<T>();
  }
  Index total = 0;
  for (Index l = 0; l < lanes<T>; ++l) total += found[l];
  return total;
}

template <class T>
constexpr SparseKernels<T> sparse_kernels = {sampled_nonzeros<T>, product<T>};

}  // namespace
}  // namespace flyball
