#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::random_mask {
namespace {

using namespace plugin_testing;

const bool cases = add_selector_case("random_mask", nlohmann::json::object()) &&
                   add_selector_case("random_mask", {{"every", 3}, {"share", 0.4}, {"freeze", "state"}}) &&
                   add_selector_case("random_mask", {{"freeze", "update"}, {"parts", {"embeddings", "encoder"}}, {"matrices_only", false}});

Scope chosen(const nlohmann::json& options, uint64_t seed) {
  const SelectorMethod& method = selector_method("random_mask");
  const SmallModel model = small_bert();
  return method.choose({*model.family, model.weights, Key::root(seed)}, method.options().resolve(options, "test"))->scope;
}

TEST(RandomMask, TrainsExactlyTheShareOfEachTensor) {
  for (const double share : {0.0, 0.3, 1.0})
    for (const auto& [name, entry] : chosen({{"share", share}}, 1).parameters)
      EXPECT_EQ(entry.mask.sum().item<int64_t>(), static_cast<int64_t>(std::ceil(share * static_cast<double>(entry.mask.numel())))) << name;
}

TEST(RandomMask, DrawsAnotherMask_UnderAnotherKey) {
  const Scope one = chosen({}, 1), same = chosen({}, 1), other = chosen({}, 2);
  for (const auto& [name, entry] : one.parameters) {
    EXPECT_TRUE(at::equal(entry.mask, same.parameters.at(name).mask)) << name;
    EXPECT_FALSE(at::equal(entry.mask, other.parameters.at(name).mask)) << name;
  }
}

TEST(RandomMask, LeavesBiasesAndNormsWhole_UnlessAsked) {
  EXPECT_FALSE(chosen({}, 1).parameters.contains("bert.encoder.layer.0.output.LayerNorm.weight"));
  EXPECT_TRUE(chosen({{"matrices_only", false}}, 1).parameters.contains("bert.encoder.layer.0.output.LayerNorm.weight"));
}

TEST(RandomMask, IsDrawnAgainOnASchedule_NotInOneChoice) { EXPECT_THROW(chosen({{"every", 2}}, 1), Error); }

}  // namespace
}  // namespace tsrun::random_mask
