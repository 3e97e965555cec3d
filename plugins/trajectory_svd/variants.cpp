#include "variants.h"

namespace tsrun::trajectory_svd {

const std::vector<std::string>& variant_names() {
  static const std::vector<std::string> names = {"raw", "raw+origin", "centred", "delta", "increment"};
  return names;
}

bool uses_origin(const std::string& variant) { return variant == "raw" || variant == "raw+origin"; }

SmallMatrix variant_matrix(const std::string& variant, int64_t points) {
  const int64_t extra = variant == "raw+origin" ? 1 : 0;
  SmallMatrix m(points + extra, points + 1);
  if (extra) m(0, 0) = 1;
  for (int64_t i = 0; i < points; ++i) {
    m(i + extra, i + 1) = 1;
    if (uses_origin(variant)) m(i + extra, 0) = 1;
    if (variant == "increment" && i > 0) m(i, i) = -1;
    if (variant != "centred") continue;
    for (int64_t j = 0; j < points; ++j) m(i, j + 1) -= 1.0 / static_cast<double>(points);
  }
  return m;
}

}  // namespace tsrun::trajectory_svd
