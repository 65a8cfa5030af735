// Products of which few elements are asked for. Compiled once per instruction set: see variant.h.
//
// Each element asked for is the sum along a row of A and a row of B. Four of one row of A are taken at a time, so that
// its vectors are loaded once for four, or for all: two chains of multiply-adds each. Rows of B, of a length at which a
// few dozen fit, stay in the first-level cache while the rows of A pass by.
#include "kernels/four_products.kernel.h"
#include "kernels/gated.h"
#include "kernels/nonzeros.kernel.h"
#include "kernels/pack.kernel.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

// A panel of so many rows of B fills a first-level cache of 32 KiB, where they are 512 bytes long; longer ones are
// fewer. With 24, 40, 48 and 96 rows, or 1024 bytes, products took about as long on a Zen 3 or up to a tenth longer;
// with fewer bytes longer. With AVX-512, rows of 1024 bytes, twice the multiply-adds for a sum across lanes: 0.86 to
// 0.93 where a quarter of the elements or more are asked for; where a tenth are, 1.04 to 1.10 ((128, 512, 512)).
constexpr Index most_rows = 64;
constexpr Index panel_bytes = 32 * 1024;
#if defined(__AVX512F__)
constexpr Index row_bytes = 1024;
#else
constexpr Index row_bytes = 512;
#endif
template <class T>
constexpr Index most_depth = row_bytes / static_cast<Index>(sizeof(T));

// Rows of A and C that are looked through at a time.
constexpr Index block_rows = 128;

// The elements asked for within a panel and a block of rows, of each row's as many fours as hold them; the last may
// name its last element more than once.
struct Asked {
  Index rows;
  Word places[block_rows];
};
static_assert(most_rows == word_bits);

// Scratch: the panel, and sums over what came before the last part of the rows.
template <class T>
constexpr std::size_t gated_bytes = panel_bytes + block_rows * most_rows * sizeof(T);
static_assert(gated_bytes<double> <= most_pack_bytes);

// Also writes zeros to all of C.
template <class T>
void find_asked(Asked& asked, T* c, Index ldc, const T* gate, Index stride, Index rows, Index columns) {
  asked.rows = rows;
  for (Index i = 0; i < rows; ++i, c += ldc, gate += stride) {
    asked.places[i] = nonzeros_of(gate, columns);
    for_each_vector<T>(columns, [&](auto part, Index j) { part.store(c + j, zero<T>()); });
  }
}

template <class T>
struct GatedTask {
  T* c;
  Index ldc;
  const T* a;
  Index lda;
  const T* panel;
  Index depth;
  T* sums;
};

// The sums of all that is asked for over a part of the rows: to `sums`, but of the LAST part to C, together with those
// before. Rows of VECTORS whole vectors, unless that is 0, stay in registers for all of their sums.
template <int VECTORS, bool FIRST, bool LAST, class T>
__attribute__((noinline)) void add_products(const GatedTask<T>& task, const Asked& asked) {
  const GatedTask<T> t = task;
  const Index width = padded<T>(t.depth);
  T* sums = t.sums;
  for (Index i = 0; i < asked.rows; ++i) {
    const T* const a = t.a + i * t.lda;
    T* const c = t.c + i * t.ldc;
    Vec<T> row[VECTORS > 0 ? VECTORS : 1];
#pragma GCC unroll 16
    for (int v = 0; v < VECTORS; ++v) row[v] = load(a + v * lanes<T>);
    Word left = asked.places[i];
    for (int fours = (count_of(left) + four - 1) / four; fours > 0; --fours, sums += four) {
      Index places[four];
      const T* b[four];
#pragma GCC unroll 4
      for (int u = 0; u < four; ++u) {
        places[u] = first_of(left);
        b[u] = t.panel + places[u] * width;
        const Word others = without_first(left);
        if (others != 0 || u + 1 == four) left = others;
      }
      T totals[four];
      if constexpr (VECTORS > 0) {
        four_products(totals, row, b);
      } else {
        four_products(totals, {a}, b, t.depth);
      }
      if constexpr (!FIRST) {
#pragma GCC unroll 4
        for (int u = 0; u < four; ++u) totals[u] += sums[u];
      }
      if constexpr (LAST) {
#pragma GCC unroll 4
        for (int u = 0; u < four; ++u) c[places[u]] = totals[u];
      } else {
        __builtin_memcpy(sums, totals, sizeof totals);
      }
    }
  }
}

template <int VECTORS, class T>
void add_products(const GatedTask<T>& task, const Asked& asked, bool first, bool last) {
  if (first && last) {
    add_products<VECTORS, true, true>(task, asked);
  } else if (first) {
    add_products<VECTORS, true, false>(task, asked);
  } else if (last) {
    add_products<VECTORS, false, true>(task, asked);
  } else {
    add_products<VECTORS, false, false>(task, asked);
  }
}

template <class T>
void add_products(const GatedTask<T>& task, const Asked& asked, bool first, bool last) {
  if (task.depth == 16 * lanes<T>) {
    add_products<16>(task, asked, first, last);
  } else if (task.depth == 8 * lanes<T>) {
    add_products<8>(task, asked, first, last);
  } else {
    add_products<0>(task, asked, first, last);
  }
}

template <class T>
void gated_product(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Matrix<T> gate, Index m, Index n, Index k, T* pack) {
  Asked asked;
  T* const sums = pack + panel_bytes / sizeof(T);
  const Index block_depth = padded<T>(even_part(k, most_depth<T>, step<T>));
  const Index fitting = panel_bytes / static_cast<Index>(sizeof(T)) / block_depth;
  const Index panel_rows = fitting < most_rows ? fitting : most_rows;
  for (Index i = 0; i < m; i += block_rows) {
    const Index height = m - i < block_rows ? m - i : block_rows;
    for (Index j = 0; j < n; j += panel_rows) {
      const Index width = n - j < panel_rows ? n - j : panel_rows;
      find_asked(asked, c + i * ldc + j, ldc, gate.data + i * gate.row_stride + j, gate.row_stride, height, width);
      for (Index k0 = 0; k0 < k; k0 += block_depth) {
        const Index depth = k - k0 < block_depth ? k - k0 : block_depth;
        // In place where they follow one another and vectors do not lie across two lines.
        const T* panel = b.data + j * b.row_stride + k0;
        if (!begins_at_line(panel) || b.row_stride != depth || depth != padded<T>(depth)) {
          pack_rows_of(pack, panel, b.row_stride, width, depth, padded<T>(depth));
          panel = pack;
        }
        add_products<T>({c + i * ldc + j, ldc, a.data + i * a.row_stride + k0, a.row_stride, panel, depth, sums}, asked,
                        k0 == 0, k0 + depth == k);
      }
    }
  }
}

template <class T>
void shut(T* c, Index ldc, Matrix<T> gate, Index m, Index n) {
  for (Index i = 0; i < m; ++i) {
    T* const row = c + i * ldc;
    const T* const x = gate.data + i * gate.row_stride;
    if (gate.column_stride != 1) {
      for (Index j = 0; j < n; ++j) {
        if (x[j * gate.column_stride] == 0) row[j] = 0;
      }
      continue;
    }
    for_each_vector<T>(n, [&](auto part, Index j) {
      part.store(row + j, select<T>(part.load(x + j) == zero<T>(), zero<T>(), part.load(row + j)));
    });
  }
}

template <class T>
constexpr GatedKernels<T> gated_kernels = {gated_product<T>, shut<T>};

}  // namespace
}  // namespace flyball
