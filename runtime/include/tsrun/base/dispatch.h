#pragma once

#include "tsrun/base/vectors.h"

#include <utility>

/// One kernel body, compiled for several vector widths and chosen at run time. A kernel is a struct with a static, always inlined
/// `run<W>(arguments…)` where W is the number of doubles in a vector register. No vector crosses a call that is not inlined.
#if defined(__x86_64__) && defined(__GNUC__)
#define TSRUN_VECTOR_TARGETS 1
#endif
#define TSRUN_INLINE __attribute__((always_inline)) inline

namespace tsrun::kernel {

#ifdef TSRUN_VECTOR_TARGETS
template <class Kernel, class... Arguments>
__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))) void run_avx512(Arguments&&... arguments) {
  Kernel::template run<8>(std::forward<Arguments>(arguments)...);
}
template <class Kernel, class... Arguments>
__attribute__((target("avx2,fma"))) void run_avx2(Arguments&&... arguments) {
  Kernel::template run<4>(std::forward<Arguments>(arguments)...);
}
#endif

template <class Kernel, class... Arguments>
void run(Arguments&&... arguments) {
#ifdef TSRUN_VECTOR_TARGETS
  const Vectors level = vectors();
  if (level == Vectors::avx512) return run_avx512<Kernel>(std::forward<Arguments>(arguments)...);
  if (level == Vectors::avx2) return run_avx2<Kernel>(std::forward<Arguments>(arguments)...);
#endif
  Kernel::template run<2>(std::forward<Arguments>(arguments)...);
}

}  // namespace tsrun::kernel
