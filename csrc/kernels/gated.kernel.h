// Products of which few elements are asked for. Compiled once per instruction set: see variant.h.
//
// Each element asked for is the sum along a row of A and a row of B. Four of one row of A are taken at a time, so that
// its vectors are loaded once for four: two chains of multiply-adds each. Rows of B, of a length at which a few dozen
// fit, stay in the first-level cache while the rows of A pass by. The fours of all rows are listed first: a loop over
// them has no branch that a processor could not foresee.
#include "kernels/four_products.kernel.h"
#include "kernels/gated.h"
#include "kernels/pack.kernel.h"
#include "kernels/places.kernel.h"
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

// Rows of A and C that are listed at a time.
constexpr Index block_rows = 128;

// Vectors of the rows whose sums have a loop of their own, unrolled: (128, 256) by (256, 128) took 0.93 (AVX-512) and
// 0.91 (AVX2) of the time. Rows of 8 vectors gained nothing.
constexpr int unrolled = 16;

// The elements asked for within a panel and a block of rows, four of a row at a time; the last four of a row may name
// its last place more than once.
constexpr Index most_fours = block_rows * most_rows / four;
struct Fours {
  Index count = 0;
  std::uint8_t rows[most_fours + most_rows / four];
  Place places[most_fours * four + list_margin];
};
static_assert(most_rows <= most_places && most_rows % four == 0 && block_rows <= 256);

// Scratch: the panel, the lists, and sums over what came before the last part of the rows.
template <class T>
constexpr std::size_t gated_bytes = panel_bytes + sizeof(Fours) + most_fours * four * sizeof(T);
static_assert(gated_bytes<double> <= most_pack_bytes);

// Also writes C: the gate's zeros, without their sign, are C's; what else is written is written over.
template <class T>
void find_fours(Fours& fours, T* c, Index ldc, const T* gate, Index stride, Index rows, Index columns) {
  fours.count = 0;
  for (Index i = 0; i < rows; ++i, c += ldc, gate += stride) {
    const Index begin = fours.count * four;
    Index end = begin;
    for_each_vector<T>(columns, [&](auto part, Index j) {
      const Vec<T> v = part.template load<T>(gate + j);
      end = append(fours.places, end, v, j);
      part.store(c + j, v + broadcast(T(0)));
    });
    if (end == begin) continue;
    for (int u = 0; u + 1 < four; ++u) fours.places[end + u] = fours.places[end - 1];
    // Always as many as there may be: a count that changes from row to row would be foreseen badly.
    __builtin_memset(fours.rows + fours.count, static_cast<int>(i), most_rows / four);
    fours.count = (end + four - 1) / four;
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

// The sums of all fours over a part of the rows: to `sums`, but of the LAST part to C, together with those before.
template <int WHOLE, bool FIRST, bool LAST, class T>
__attribute__((noinline)) void add_products(const GatedTask<T>& task, const Fours& fours) {
  const GatedTask<T> t = task;
  const Index width = padded<T>(t.depth);
  const Index count = fours.count;
  for (Index e = 0; e < count; ++e) {
    const Place* const places = fours.places + e * four;
    const T* b[four];
#pragma GCC unroll 4
    for (int u = 0; u < four; ++u) b[u] = t.panel + places[u] * width;
    T totals[four];
    four_products<1, four, WHOLE>(totals, {t.a + fours.rows[e] * t.lda}, b, t.depth);
    if constexpr (!FIRST) {
#pragma GCC unroll 4
      for (int u = 0; u < four; ++u) totals[u] += t.sums[e * four + u];
    }
    if constexpr (LAST) {
      T* const c = t.c + fours.rows[e] * t.ldc;
#pragma GCC unroll 4
      for (int u = 0; u < four; ++u) c[places[u]] = totals[u];
    } else {
      __builtin_memcpy(t.sums + e * four, totals, sizeof totals);
    }
  }
}

template <int WHOLE, class T>
void add_products(const GatedTask<T>& task, const Fours& fours, bool first, bool last) {
  if (first && last) {
    add_products<WHOLE, true, true>(task, fours);
  } else if (first) {
    add_products<WHOLE, true, false>(task, fours);
  } else if (last) {
    add_products<WHOLE, false, true>(task, fours);
  } else {
    add_products<WHOLE, false, false>(task, fours);
  }
}

template <class T>
void add_products(const GatedTask<T>& task, const Fours& fours, bool first, bool last) {
  if (task.depth == unrolled * lanes<T>) {
    add_products<unrolled>(task, fours, first, last);
  } else {
    add_products<0>(task, fours, first, last);
  }
}

template <class T>
void gated_product(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Matrix<T> gate, Index m, Index n, Index k, T* pack) {
  Fours& fours = *reinterpret_cast<Fours*>(reinterpret_cast<char*>(pack) + panel_bytes);
  T* const sums = reinterpret_cast<T*>(&fours + 1);
  const Index block_depth = padded<T>(even_part(k, most_depth<T>, step<T>));
  const Index fitting = panel_bytes / static_cast<Index>(sizeof(T)) / block_depth;
  const Index panel_rows = fitting < most_rows ? fitting : most_rows;
  for (Index i = 0; i < m; i += block_rows) {
    const Index height = m - i < block_rows ? m - i : block_rows;
    for (Index j = 0; j < n; j += panel_rows) {
      const Index width = n - j < panel_rows ? n - j : panel_rows;
      find_fours(fours, c + i * ldc + j, ldc, gate.data + i * gate.row_stride + j, gate.row_stride, height, width);
      for (Index k0 = 0; k0 < k; k0 += block_depth) {
        const Index depth = k - k0 < block_depth ? k - k0 : block_depth;
        // In place where they follow one another and vectors do not lie across two lines.
        const T* panel = b.data + j * b.row_stride + k0;
        if (!begins_at_line(panel) || b.row_stride != depth || depth != padded<T>(depth)) {
          pack_rows_of(pack, panel, b.row_stride, width, depth, padded<T>(depth));
          panel = pack;
        }
        add_products<T>({c + i * ldc + j, ldc, a.data + i * a.row_stride + k0, a.row_stride, panel, depth, sums}, fours,
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
