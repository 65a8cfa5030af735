// The register tile of a matrix product: MR rows x 2 vectors of C.
//
// Per step of k it loads two vectors of B, broadcasts MR elements of A and issues 2 * MR multiply-adds. With 32 vector
// registers MR = 12 (24 accumulators, 2 for B, broadcasts from memory); with 16, MR = 6 (12 + 2 + 1).
#pragma once

#include "kernels/epilogue.kernel.h"
#include "kernels/errands.kernel.h"
#include "kernels/gemm.h"
#include "kernels/pack.kernel.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int tile_rows = 12;
#elif defined(__AVX__)
constexpr int tile_rows = 6;
#else
constexpr int tile_rows = 4;
#endif

template <class T>
constexpr Index tile_columns = 2 * lanes<T>;

// Fewer rows than four are fewer independent sums than keep two units of multiply-adds busy for four cycles each, and
// where B comes from the second-level cache its rows are waited for unless more use each: what whole tiles leave is
// then shared with the last of them. With AVX-512, 64 rows (12 x 4 + 8 + 8) took 0.97 of the time of 12 x 5 + 4.
#if defined(__AVX512F__)
constexpr Index least_rows = 8;
#else
constexpr Index least_rows = 4;
#endif

// The rows of whole tiles, and how many the next of the others takes where `left` are left.
constexpr Index whole_tile_rows(Index m) {
  const Index rest = m % tile_rows;
  return m - rest - (0 < rest && rest < least_rows && m > tile_rows ? tile_rows : 0);
}
constexpr Index rows_of_rest(Index left) { return left > tile_rows ? (left + 1) / 2 : left; }

template <class T>
struct TileTask {
  T* c;
  Index ldc;
  const T* a;
  Index a_row_stride;
  Index a_column_stride;
  const T* b;
  Index ldb;
  T* pack;                    // where a tile that packs leaves its panel of B
  const Errands<T>* errands;  // of a tile whose B runs them
  Epilogue<T> epilogue;       // absent unless this is the last block of k
  Index depth;
  Index columns;  // valid columns of the last vector
  bool first;     // first block of k: start from zero
};

// c += x * b, on the registers that c, x and b are in.
//
// Left to unroll a loop, GCC 12 moves sums from one register to another, and with 16 registers, of which a tile needs
// 15, spills some: whole products took 3 % longer on a Zen 3 at rest, up to 10 % where another process shared the core.
template <class T>
FLYBALL_INLINE void multiply_add(Vec<T>& c, Vec<T> x, Vec<T> b) {
#if defined(__FMA__)
  if constexpr (sizeof(T) == sizeof(float)) {
    asm("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(x), "v"(b));
  } else {
    asm("vfmadd231pd %2, %1, %0" : "+v"(c) : "v"(x), "v"(b));
  }
#else
  c += x * b;
#endif
}

// How a tile finds its rows of B: in the first-level cache,
struct NearB {
  static constexpr bool begins = false;  // has begin(steps), to be called before each vector's worth of steps

  template <int VECTORS, class T>
  struct Rows {
    const T* from;
    Index stride;

    FLYBALL_INLINE explicit Rows(const TileTask<T>& task) : from(task.b), stride(task.ldb) {}

    FLYBALL_INLINE void next(Vec<T> (&row)[VECTORS]) {
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) row[v] = load(from + v * lanes<T>);
      from += stride;
    }
  };
};

// or further away: rows are asked for AHEAD of their use, because the processor does not foresee short runs that lie
// far apart; if PACKS, a tile leaves a copy of them, behind its multiply-adds. 36 rows of 256 steps took 16 % less than
// with a pass of its own.
template <Index AHEAD, bool PACKS>
struct FarB {
  static constexpr bool begins = false;

  template <int VECTORS, class T>
  struct Rows {
    const T* from;
    const T* ahead;
    Index stride;
    T* pack;

    FLYBALL_INLINE explicit Rows(const TileTask<T>& task)
        : from(task.b), ahead(from + AHEAD * task.ldb), stride(task.ldb), pack(task.pack) {}

    FLYBALL_INLINE void next(Vec<T> (&row)[VECTORS]) {
      constexpr Index line = line_bytes / static_cast<Index>(sizeof(T));
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) {
        row[v] = load(from + v * lanes<T>);
        if (PACKS) store(pack + v * lanes<T>, row[v]);
      }
#pragma GCC unroll 4
      for (Index j = 0; j < VECTORS * lanes<T>; j += line) __builtin_prefetch(ahead + j);
      __builtin_prefetch(ahead + VECTORS * lanes<T> - 1);  // a row that begins within a line ends in one more
      from += stride;
      ahead += stride;
      if (PACKS) pack += VECTORS * lanes<T>;
      asm("" : "+r"(from), "+r"(ahead));  // else GCC 12 keeps a pointer for each line that is asked for, some in memory
    }
  };
};

// One step of k: C[ROWS, VECTORS] += A[ROWS] @ B[VECTORS], whose row is the next of b; `a` has the element of each row.
template <int ROWS, int VECTORS, class T, class B, class A>
FLYBALL_INLINE void step(Vec<T> (&c)[ROWS][VECTORS], A a, B& b) {
  Vec<T> b_row[VECTORS];
  b.next(b_row);
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
    const Vec<T> x = broadcast(a(i));
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) multiply_add<T>(c[i][v], x, b_row[v]);
  }
}

// How a tile finds its elements of A: in place,
struct Strided {
  template <int ROWS, class T>
  struct Elements {
    const T* from;
    Index row_stride;
    Index column_stride;

    FLYBALL_INLINE explicit Elements(const TileTask<T>& task)
        : from(task.a), row_stride(task.a_row_stride), column_stride(task.a_column_stride) {}

    template <int VECTORS, class B>
    FLYBALL_INLINE void multiply(Vec<T> (&c)[ROWS][VECTORS], B& b, Index steps) {
      for (Index k = 0; k < steps; ++k, from += column_stride) {
        step<ROWS, VECTORS, T>(c, [&](int i) FLYBALL_INLINE_LAMBDA { return from[i * row_stride]; }, b);
      }
    }
  };
};

// in place, where the elements of a step do,
struct Columns {
  template <int ROWS, class T>
  struct Elements {
    const T* from;
    Index stride;

    FLYBALL_INLINE explicit Elements(const TileTask<T>& task) : from(task.a), stride(task.a_column_stride) {}

    template <int VECTORS, class B>
    FLYBALL_INLINE void multiply(Vec<T> (&c)[ROWS][VECTORS], B& b, Index steps) {
#pragma GCC unroll 2
      for (Index k = 0; k < steps; ++k) {
        step<ROWS, VECTORS, T>(c, [&](int i) FLYBALL_INLINE_LAMBDA { return from[i]; }, b);
        from += stride;
        asm("" : "+r"(from));
      }
    }
  };
};

// in place, where they follow one another,
struct Consecutive {
  template <int ROWS, class T>
  struct Elements {
    // A register for every fourth row, one for the stride and one for three of them reach all rows. Left to itself GCC
    // 12 keeps a pointer or an offset for each row in memory, and products of 128 rows took 1 to 3 % longer.
    static constexpr int together = 4;
    static constexpr int groups = (ROWS + together - 1) / together;
    const T* from[groups];
    Index stride;
    Index thrice;

    FLYBALL_INLINE explicit Elements(const TileTask<T>& task) : stride(task.a_row_stride), thrice(3 * stride) {
#pragma GCC unroll 4
      for (int g = 0; g < groups; ++g) from[g] = task.a + g * together * stride;
    }

    template <int VECTORS, class B>
    FLYBALL_INLINE void multiply_one(Vec<T> (&c)[ROWS][VECTORS], B& b) {
      const auto element = [&](int row) FLYBALL_INLINE_LAMBDA {
        const int i = row % together;
        return from[row / together][i == 3 ? thrice : i * stride];
      };
      step<ROWS, VECTORS, T>(c, element, b);
#pragma GCC unroll 4
      for (int g = 0; g < groups; ++g) {
        from[g] += 1;
        asm("" : "+r"(from[g]));
      }
    }

    template <int VECTORS, class B>
    FLYBALL_INLINE void multiply(Vec<T> (&c)[ROWS][VECTORS], B& b, Index steps) {
      constexpr Index at_once = 2;  // with one, 128 rows took 3 % longer on a Xeon; with four, 4 %; with eight, 8 %
      Index k = 0;
#pragma GCC unroll 1
      for (; k + at_once <= steps; k += at_once) {
#pragma GCC unroll 2
        for (Index u = 0; u < at_once; ++u) multiply_one(c, b);
      }
      if (k < steps) multiply_one(c, b);
    }
  };
};

// or packed: CHUNK elements of the first row, of the second, ... of the last, then the next CHUNK of the first.
template <int CHUNK>
struct Packed {
  template <int ROWS, class T>
  struct Elements {
    const T* from;

    FLYBALL_INLINE explicit Elements(const TileTask<T>& task) : from(task.a) {}

    template <int VECTORS, class B>
    FLYBALL_INLINE void multiply(Vec<T> (&c)[ROWS][VECTORS], B& b, Index steps) {
      constexpr Index at_once = CHUNK == 2 ? 2 : 4;
      constexpr Index run = CHUNK > at_once ? CHUNK : at_once;
      Index k = 0;
      for (; k + run <= steps; k += run, from += run * tile_rows) {
#pragma GCC unroll 1
        for (Index part = 0; part < run; part += at_once) {
#pragma GCC unroll 4
          for (Index u = 0; u < at_once; ++u) {
            const T* const column = from + part + u / CHUNK * CHUNK * tile_rows + u % CHUNK;
            step<ROWS, VECTORS, T>(c, [&](int i) FLYBALL_INLINE_LAMBDA { return column[i * CHUNK]; }, b);
          }
        }
      }
#pragma GCC unroll 1
      for (; k < steps; ++k) {
        step<ROWS, VECTORS, T>(c, [&](int i) FLYBALL_INLINE_LAMBDA { return from[i * CHUNK]; }, b);
        from += CHUNK == 1 ? tile_rows : 1;
      }
    }
  };
};

// --- the tile ---

// Steps of k from which on lines of C that are asked for at the beginning of a tile are there at its end.
constexpr Index least_hidden_depth = 64;

// Asks for ROWS of C, VECTORS wide.
template <int ROWS, int VECTORS, class T>
FLYBALL_INLINE void ask_for(T* c, Index ldc) {
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) prefetch_to_write(c + i * ldc + v * lanes<T>);
  }
}

// Whether lines of C are asked for before their tile begins: of those that are read, and of those that are written too
// soon after its beginning.
template <class T>
bool asks_early(const TileTask<T>& task) {
  return !task.first || task.depth < least_hidden_depth;
}

// Asks for C of the whole tile after this one: to the right of it or, behind the `last` of the rows from c on, the
// first of the rows below, if there are `more`.
template <class T>
FLYBALL_INLINE void ask_for_next(const TileTask<T>& task, T* c, bool last, bool more) {
  if (asks_early(task) && (!last || more)) {
    ask_for<tile_rows, 2>(last ? c + tile_rows * task.ldc : task.c + tile_columns<T>, task.ldc);
  }
}

template <class A, class B, int ROWS, int VECTORS, class T>
__attribute__((noinline)) void tile(const TileTask<T>& task) {
  Vec<T> c[ROWS][VECTORS];
  T* const corner = task.c;
  const Index ldc = task.ldc;
  const Index columns = task.columns;
  const bool whole = columns == lanes<T>;
  const auto load_vector = [=](const T* p, int v) FLYBALL_INLINE_LAMBDA {
    return whole || v + 1 < VECTORS ? load(p + v * lanes<T>) : load_partial(p + v * lanes<T>, columns);
  };
  if (task.first) {
    if (!asks_early(task) && !(B::begins && task.errands->all_of_c)) ask_for<ROWS, VECTORS>(corner, ldc);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) c[i][v] = zero<T>();
    }
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) c[i][v] = load_vector(corner + i * ldc, v);
    }
  }
  ask_for_added<ROWS, VECTORS>(task.epilogue, 0);
  typename A::template Elements<ROWS, T> a(task);
  typename B::template Rows<VECTORS, T> b(task);
  if constexpr (B::begins) {
    Index left = task.depth;
    for (; left >= lanes<T>; left -= lanes<T>) {
      b.begin(lanes<T>);
      a.multiply(c, b, lanes<T>);
    }
    if (left > 0) {
      b.begin(left);
      a.multiply(c, b, left);
    }
  } else {
    a.multiply(c, b, task.depth);
  }
  finish(c, task.epilogue, load_vector);
  // One branch for all vectors rather than one for each.
  if (whole) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) store(corner + i * ldc + v * lanes<T>, c[i][v]);
    }
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      if (VECTORS == 2) store(corner + i * ldc, c[i][0]);
      store_partial(corner + i * ldc + (VECTORS - 1) * lanes<T>, c[i][VECTORS - 1], columns);
    }
  }
}

// The tile for a number of rows known at run time.
template <class B, int ROWS, int VECTORS, class T>
void tile_of(Index rows, const TileTask<T>& task) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tile_of<B, ROWS - 1, VECTORS, T>(rows, task);
  }
  tile<Strided, B, ROWS, VECTORS, T>(task);
}

// --- which elements of A are packed ---

// Tiles of A are packed from so many panels of columns of C on; with fewer they are not read often enough to pay for
// that. In place, a tile whose columns are contiguous jumps from line to line, which matters less where those span
// near_ bytes at most (up to 256 columns of C, in place took 0.95 to 0.98 of the time), and one whose rows lie
// colliding_bytes apart falls into so few sets of the first-level cache that its rows evict each other; others lose
// little. With AVX-512 rows stay in place: with errands for those of the next tile that took 0.98 to 1.00 of the time.
#if defined(__AVX512F__)
constexpr Index pack_panels = 5;
constexpr Index pack_near_panels = 10;
constexpr bool packs_rows = false;
#else
constexpr Index pack_panels = 4;
constexpr Index pack_near_panels = pack_panels;
constexpr bool packs_rows = true;
#endif
constexpr Index pack_panels_of_rows = 12;
constexpr Index near_bytes_of_a = 256 * 1024;
constexpr Index colliding_bytes = 2048;

// How many elements of a row lie together in tiles packed for a product with n columns; 0: in place.
template <class T>
Index chunk_of(Matrix<T> a, Index n, Index depth) {
  constexpr Index bytes = static_cast<Index>(sizeof(T));
  Index panels = pack_panels;
  if (a.row_stride == 1) {
    if (a.column_stride * depth * bytes <= near_bytes_of_a) panels = pack_near_panels;
  } else if (a.row_stride * bytes % colliding_bytes != 0) {
    panels = pack_panels_of_rows;
  }
  if (n < panels * tile_columns<T>) return 0;
  if (a.column_stride == 1) return packs_rows ? lanes<T> : 0;
  return a.row_stride == 1 ? 1 : 0;
}

// From one packed tile to the next: each is written up to some lanes beyond its end.
template <class T>
constexpr Index tile_stride(Index depth) {
  return (depth + lanes<T> - 1) / lanes<T> * lanes<T> * tile_rows + lanes<T>;
}

template <class T>
void pack_tiles(T* out, Matrix<T> a, Index m, Index depth, Index chunk) {
  if (chunk == 1) pack_tiles_by_columns<tile_rows>(out, a, m, depth, tile_stride<T>(depth));
  if (packs_rows && chunk > 1) pack_tiles_by_rows<tile_rows>(out, a, m, depth, tile_stride<T>(depth));
}

template <class B, int VECTORS, class T>
void whole_tile(const TileTask<T>& task, Index chunk) {
  if (chunk == 1) {
    tile<Packed<1>, B, tile_rows, VECTORS, T>(task);
  } else if (packs_rows && chunk > 1) {
    if constexpr (packs_rows) tile<Packed<lanes<T>>, B, tile_rows, VECTORS, T>(task);
  } else if (task.a_column_stride == 1) {
    tile<Consecutive, B, tile_rows, VECTORS, T>(task);
  } else if (task.a_row_stride == 1) {
    tile<Columns, B, tile_rows, VECTORS, T>(task);
  } else {
    tile<Strided, B, tile_rows, VECTORS, T>(task);
  }
}

}  // namespace
}  // namespace flyball
