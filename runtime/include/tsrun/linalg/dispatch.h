#pragma once

/// One kernel body, compiled for several vector widths and chosen at run time. A kernel is a struct with a static, always inlined
/// `run<W>(arguments…)` where W is the number of doubles in a vector register.
#if defined(__x86_64__) && defined(__GNUC__)
#define TSRUN_VECTOR_TARGETS 1
#endif
#define TSRUN_INLINE __attribute__((always_inline)) inline

namespace tsrun::kernel {

#ifdef TSRUN_VECTOR_TARGETS
template <class Kernel, class... Arguments>
__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))) void run_avx512(const Arguments&... arguments) {
  Kernel::template run<8>(arguments...);
}
template <class Kernel, class... Arguments>
__attribute__((target("avx2,fma"))) void run_avx2(const Arguments&... arguments) {
  Kernel::template run<4>(arguments...);
}
#endif

/// Doubles in the widest vector that this processor computes with.
inline int vector_width() {
#ifdef TSRUN_VECTOR_TARGETS
  static const int width = [] {
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512bw");
    return avx2 && avx512 ? 8 : avx2 ? 4 : 2;
  }();
  return width;
#else
  return 2;
#endif
}

template <class Kernel, class... Arguments>
void run(const Arguments&... arguments) {
#ifdef TSRUN_VECTOR_TARGETS
  if (vector_width() == 8) return run_avx512<Kernel>(arguments...);
  if (vector_width() == 4) return run_avx2<Kernel>(arguments...);
#endif
  Kernel::template run<2>(arguments...);
}

}  // namespace tsrun::kernel
