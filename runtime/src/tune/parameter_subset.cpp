#include "tsrun/tune/parameter_subset.h"

namespace tsrun {
namespace {

class OwnParameters : public Delta {
 public:
  OwnParameters(std::vector<DeltaMatch> matches, std::vector<std::string> names) : matches_(std::move(matches)), names_(std::move(names)) {}
  std::vector<DeltaTensor> tensors() const override { return {}; }
  std::vector<DeltaMatch> matches() const override { return matches_; }
  std::vector<std::string> trained_parameters() const override { return names_; }
  std::optional<Weights> merge(const Weights& weights) const override { return weights; }
  std::string why_not_merged() const override { return {}; }

 private:
  std::vector<DeltaMatch> matches_;
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<Delta> parameter_subset(const Family& family, const std::string& what,
                                        const std::function<bool(const ParameterInfo&)>& chosen) {
  std::vector<DeltaMatch> matches;
  std::vector<std::string> names;
  for (const ParameterInfo& info : family.parameters()) {
    if (!chosen(info)) continue;
    int64_t numbers = 1;
    for (const int64_t extent : info.shape) numbers *= extent;
    matches.push_back({what, info.name, numbers});
    names.push_back(info.name);
  }
  return std::make_unique<OwnParameters>(std::move(matches), std::move(names));
}

}  // namespace tsrun
