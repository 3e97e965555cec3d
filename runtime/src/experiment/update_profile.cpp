#include "experiment/update_profile.h"

#include <algorithm>
#include <cmath>

namespace tsrun::experiment {

namespace {

struct MeanAndDeviation {
  double mean = 0, sigma = 0;
};

MeanAndDeviation moments(std::span<const float> u) {
  double sum = 0, squares = 0;
  for (const float value : u) sum += value;
  const double mean = u.empty() ? 0 : sum / static_cast<double>(u.size());
  for (const float value : u) squares += (value - mean) * (value - mean);
  return {mean, u.empty() ? 0 : std::sqrt(squares / static_cast<double>(u.size()))};
}

}  // namespace

nlohmann::json update_profile(const at::Tensor& update, const ParameterSet& set, int64_t blocks) {
  const at::Tensor flat = update.contiguous();
  const float* data = flat.const_data_ptr<float>();
  nlohmann::json result = nlohmann::json::array();
  for (const auto& group : set.groups) {
    const std::span<const float> u(data + group.begin, static_cast<size_t>(group.size()));
    const MeanAndDeviation m = moments(u);
    const int64_t block = std::max<int64_t>(1, (group.size() + blocks - 1) / blocks);
    std::vector<int64_t> positions;
    std::vector<double> values;
    for (int64_t begin = 0; begin < group.size(); begin += block) {
      int64_t largest = begin;
      for (int64_t i = begin; i < std::min(begin + block, group.size()); ++i) {
        if (std::abs(u[i] - m.mean) > std::abs(u[largest] - m.mean)) largest = i;
      }
      positions.push_back(largest);
      values.push_back(std::abs(u[largest] - m.mean));
    }
    result.push_back({{"group", group.name},
                      {"size", group.size()},
                      {"mean", m.mean},
                      {"sigma", m.sigma},
                      {"positions", positions},
                      {"values", values}});
  }
  return result;
}

}  // namespace tsrun::experiment
