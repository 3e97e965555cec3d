#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Which vector instructions our own kernels compute with: the widest that the processor has, or those that the environment variable
/// TSRUN_VECTORS names. LibTorch and the libraries below it choose for themselves.
namespace tsrun {

enum class Vectors {
  baseline,  ///< what every processor of the architecture has: SSE2, NEON
  avx2,      ///< with FMA
  avx512,    ///< F, VL, DQ and BW
};

/// What kernels run with. User error, at the first call, when TSRUN_VECTORS names none or one that the processor lacks.
Vectors vectors();
std::string_view vectors_name(Vectors vectors);
inline std::string_view vectors_name() { return vectors_name(vectors()); }

/// Those of a value of TSRUN_VECTORS; user error as above.
Vectors vectors_named(const std::string& name);

/// What this processor has, from the narrowest; never empty.
std::vector<Vectors> vectors_available();

/// Makes all threads' kernels run with these from now on, for tests and benchmarks that compare them; internal error if the processor
/// lacks them.
void set_vectors(Vectors vectors);

}  // namespace tsrun
