#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Vector instructions of our own kernels: the widest of the processor, or those of the environment variable TSRUN_VECTORS. LibTorch and
/// its libraries choose for themselves.
namespace tsrun {

enum class Vectors {
  baseline,  ///< of every processor of the architecture: SSE2, NEON
  avx2,      ///< with FMA
  avx512,    ///< F, VL, DQ and BW
};

/// Instructions in use. User error, at the first call, when TSRUN_VECTORS is unknown or the processor lacks them.
Vectors vectors();
std::string_view vectors_name(Vectors vectors);
inline std::string_view vectors_name() { return vectors_name(vectors()); }

/// Instructions of a value of TSRUN_VECTORS; user error as above.
Vectors vectors_named(const std::string& name);

/// Instructions of this processor, from the narrowest; never empty.
std::vector<Vectors> vectors_available();

/// Switches the kernels of all threads, for tests and benchmarks; internal error if the processor lacks them.
void set_vectors(Vectors vectors);

}  // namespace tsrun
