// Products of few columns: fewer than the lanes of a vector, which would be idle. Each element is the sum along a row
// of A and a column of B, laid out as a row; four are taken at a time, of as many rows of A as there are columns of C
// to fill them. Included by *.kernel.h only: see variant.h.
#pragma once

#include "kernels/epilogue.kernel.h"
#include "kernels/four_products.kernel.h"
#include "kernels/slim.h"

namespace flyball {
namespace {

// What finish of epilogue.kernel.h does, for four elements.
template <class T>
struct FourFinished {
  T scale[four], shift[four];
  bool scaled, shifted, rectified;

  // Element e is of column e % n.
  FLYBALL_INLINE FourFinished(const Epilogue<T>& epilogue, int n)
      : scaled(epilogue.scale != nullptr),
        shifted(epilogue.shift != nullptr),
        rectified(epilogue.activation == Activation::relu) {
    for (int e = 0; e < four; ++e) {
      scale[e] = scaled ? epilogue.scale[e % n] : T(1);
      shift[e] = shifted ? epilogue.shift[e % n] : T(0);
    }
  }

  FLYBALL_INLINE void operator()(T (&c)[four], const T (&added)[four], bool adds) const {
    if (scaled) {
      for (int e = 0; e < four; ++e) c[e] = c[e] * scale[e] + shift[e];
    } else if (shifted) {
      for (int e = 0; e < four; ++e) c[e] += shift[e];
    }
    if (adds) {
      for (int e = 0; e < four; ++e) c[e] += added[e];
    }
    if (rectified) {
      for (int e = 0; e < four; ++e) c[e] = c[e] < T(0) ? T(0) : c[e];  // nan stays
    }
  }
};

template <int N, class T>
void few_columns_of(T* c, Index ldc, const T* a, Index lda, const T* b, Index b_stride, const Epilogue<T>& epilogue,
                    Index m, Index k) {
  constexpr int rows = four / N;
  const FourFinished<T> finished(epilogue, N);
  const bool adds = epilogue.added != nullptr;
  const T* column[N];
  for (int j = 0; j < N; ++j) column[j] = b + j * b_stride;
  for (Index i = 0; i < m; i += rows) {
    const int count = m - i < rows ? static_cast<int>(m - i) : rows;
    const T* row[rows];
    for (int r = 0; r < rows; ++r) row[r] = a + (i + (r < count ? r : count - 1)) * lda;  // the last again
    T totals[four], added[four] = {};
    four_products(totals, row, column, k);
    for (int r = 0; adds && r < count; ++r) {
      __builtin_memcpy(added + r * N, epilogue.added + (i + r) * epilogue.added_stride, N * sizeof(T));
    }
    finished(totals, added, adds);
    for (int r = 0; r < count; ++r) __builtin_memcpy(c + (i + r) * ldc, totals + r * N, N * sizeof(T));
  }
}

// b (k, n) as n rows, each `stride` after the one before, with zeros behind.
template <class T>
void lay_out(T* rows, Index stride, Matrix<T> b, Index n, Index k) {
  for (Index j = 0; j < n; ++j, rows += stride) {
    for (Index i = 0; i < k; ++i) rows[i] = b.data[i * b.row_stride + j * b.column_stride];
    for (Index i = k; i < stride; ++i) rows[i] = T(0);
  }
}

// Calls body<N>() for N = n.
template <class Body>
FLYBALL_INLINE void with_few(Index n, Body body) {
  switch (n) {
    case 1:
      return body.template operator()<1>();
    case 2:
      return body.template operator()<2>();
    case 3:
      return body.template operator()<3>();
    default:
      return body.template operator()<4>();
  }
}

template <class T>
void few_columns(T* c, Index ldc, const T* a, Index lda, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k,
                 T* pack) {
  const Index stride = padded<T>(k);
  lay_out(pack, stride, b, n, k);
  with_few(n, [&]<int N>() { few_columns_of<N>(c, ldc, a, lda, pack, stride, epilogue, m, k); });
}

// Vectors of a row of x at a time, whose gradients of w stay in registers while rows pass by; and rows, so that those
// of a matrix from memory are read once.
#if defined(__AVX512F__)
constexpr int gradient_vectors = 4;
#else
constexpr int gradient_vectors = 2;
#endif
constexpr Index gradient_rows = 32;
static_assert(few_columns_at_most == four);
static_assert(2 * four * (few_columns_depth + gradient_vectors * lanes<double>)*sizeof(double) <= most_pack_bytes);

// VECTORS of columns, of the last of which `columns` are there; w and dw are n rows, `stride` apart.
template <int N, int VECTORS, class T>
FLYBALL_INLINE void few_gradients_of(const FewGradients<T>& t, Index row, Index rows, Index j, Index columns,
                                     const T* w, T* dw, Index stride) {
  const RowOfVectors<VECTORS, T> part{columns};
  const IntVec<T> shut = IntVec<T>{} - static_cast<typename Bits<T>::Signed>(t.gated);  // where x is 0
  Vec<T> sum[N][VECTORS];
#pragma GCC unroll 4
  for (int c = 0; c < N; ++c) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) sum[c][v] = load(dw + c * stride + j + v * lanes<T>);
  }
  for (Index i = row; i < row + rows; ++i) {
    const T* const dy = t.dy.data + i * t.dy.row_stride;
    Vec<T> x[VECTORS], dx[VECTORS] = {};
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) x[v] = part(t.x + i * t.x_stride + j, v);
#pragma GCC unroll 4
    for (int c = 0; c < N; ++c) {
      const Vec<T> d = broadcast(dy[c * t.dy.column_stride]);
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) {
        sum[c][v] += d * x[v];
        dx[v] += d * load(w + c * stride + j + v * lanes<T>);
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) dx[v] = select<T>((x[v] == zero<T>()) & shut, zero<T>(), dx[v]);
    part.store_row(t.dx + i * t.dx_stride + j, dx);
  }
#pragma GCC unroll 4
  for (int c = 0; c < N; ++c) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) store(dw + c * stride + j + v * lanes<T>, sum[c][v]);
  }
}

template <class T>
void few_gradients(const FewGradients<T>& t, T* scratch) {
  constexpr Index step = gradient_vectors * lanes<T>;
  const Index stride = (t.k + step - 1) / step * step;
  T* const w = scratch;
  T* const dw = w + t.n * stride;
  lay_out(w, stride, t.w, t.n, t.k);
  for (Index e = 0; e < t.n * stride; ++e) dw[e] = T(0);
  with_few(t.n, [&]<int N>() {
    for (Index row = 0; row < t.m; row += gradient_rows) {
      const Index rows = t.m - row < gradient_rows ? t.m - row : gradient_rows;
      Index j = 0;
      for (; j + step <= t.k; j += step) {
        few_gradients_of<N, gradient_vectors>(t, row, rows, j, lanes<T>, w, dw, stride);
      }
      for (; j < t.k; j += lanes<T>) {
        few_gradients_of<N, 1>(t, row, rows, j, t.k - j < lanes<T> ? t.k - j : lanes<T>, w, dw, stride);
      }
    }
  });
  for (Index j = 0; j < t.k; ++j) {
    for (Index c = 0; c < t.n; ++c) t.dw[j * t.dw_stride + c] = dw[c * stride + j];
  }
}

}  // namespace
}  // namespace flyball
