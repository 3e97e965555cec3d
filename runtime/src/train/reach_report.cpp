#include "tsrun/train/train.h"

#include <algorithm>

namespace tsrun {
namespace {

/// Rates are chosen to the last bit, sums of them are not.
constexpr double kRounding = 1e-9;

}  // namespace

double ReachReport::share() const {
  std::optional<double> smallest;
  for (size_t g = 0; g < distances.size(); ++g)
    if (distances[g] > 0) smallest = std::min(smallest.value_or(ways[g] / distances[g]), ways[g] / distances[g]);
  return smallest.value_or(1);
}

std::vector<std::string> ReachReport::warnings() const {
  std::vector<std::string> warnings;
  for (size_t g = 0; g < distances.size(); ++g)
    if (ways[g] < (1 - kRounding) * distances[g])
      warnings.push_back(fmt::format(
          "{}: a coordinate can travel {:.3g} at most in these steps, but the update to be reached is {:.3g} away; raise the learning rate "
          "of the coordinates (lr = \"reach\" of ts.within) or train longer",
          names[g], ways[g], distances[g]));
  return warnings;
}

nlohmann::json ReachReport::to_json() const {
  auto groups = nlohmann::json::array();
  for (size_t g = 0; g < distances.size(); ++g) groups.push_back({{"name", names[g]}, {"distance", distances[g]}, {"way", ways[g]}});
  return groups;
}

}  // namespace tsrun
