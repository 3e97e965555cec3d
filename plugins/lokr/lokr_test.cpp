#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include "support/errors.h"

#include <c10/core/GradMode.h>

namespace tsrun::lokr {
namespace {

using namespace plugin_testing;

const bool cases =
    add_delta_case("lokr", nlohmann::json::object()) &&
    add_delta_case("lokr", {{"r", 1}, {"decompose_both", true}, {"target_modules", "all-linear"}, {"init_weights", "lycoris"}}) &&
    add_delta_case("lokr", {{"r", 2}, {"decompose_factor", 5}, {"rank_dropout", 0.3}, {"init_weights", "random"}});

/// Shapes of the tensors of one layer of 24 outputs and 40 inputs.
std::vector<std::vector<int64_t>> lokr_shapes(nlohmann::json options) {
  options["target_modules"] = nlohmann::json::array({"bert.encoder.layer.0.output.dense"});
  std::vector<std::vector<int64_t>> shapes;
  for (const DeltaTensor& tensor : attach(delta_method("lokr"), small_bert(), options).delta->tensors()) shapes.push_back(tensor.shape);
  return shapes;
}

TEST(LoKr, CutsShapesAsByHand) {
  using Shapes = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(lokr_shapes({{"r", 8}}), (Shapes{{4, 5}, {6, 8}}));  // 24 = 4 · 6, 40 = 5 · 8
  EXPECT_EQ(lokr_shapes({{"r", 2}}), (Shapes{{4, 5}, {6, 2}, {2, 8}}));
  EXPECT_EQ(lokr_shapes({{"r", 2}, {"decompose_both", true}}), (Shapes{{4, 2}, {2, 5}, {6, 2}, {2, 8}}));
  EXPECT_EQ(lokr_shapes({{"r", 2}, {"decompose_factor", 8}}), (Shapes{{8, 8}, {3, 2}, {2, 5}}));
  EXPECT_EQ(lokr_shapes({{"r", 2}, {"decompose_factor", 5}}), (Shapes{{4, 5}, {6, 2}, {2, 8}}));  // 5 divides 40 alone
}

TEST(LoKr, AddsAScaledKroneckerProduct) {
  const c10::NoGradGuard guard;
  const std::string map = "transformer.h.0.mlp.c_fc";  // stores [inputs, outputs]
  const Attached attached = attach(delta_method("lokr"), small_gpt2(), {{"r", 64}, {"alpha", 32}, {"target_modules", {map}}});
  const at::Tensor update = attached.delta->merge(attached.random)->at(map + ".weight") - attached.random.at(map + ".weight");
  const at::Tensor product = at::kron(attached.random.at(map + ".lokr_w1"), attached.random.at(map + ".lokr_w2"));
  EXPECT_TRUE(at::allclose(update, product.t() * 0.5, 1e-4, 1e-6));
}

TEST(LoKr, RefusesOptionsThatNothingReads_AndReadsFoldersThatNameThem) {
  const std::vector<std::pair<nlohmann::json, std::string>> refused = {{{{"rank_dropout_scale", true}}, "'rank_dropout_scale'"}};
  for (const auto& [options, said] : refused)
    EXPECT_THAT(testing::message_of(ErrorKind::user, [&, &options = options] { attach(delta_method("lokr"), small_bert(), options); }),
                ::testing::HasSubstr("lokr: nothing reads option " + said));
  const DeltaMethod& method = delta_method("lokr");
  for (const nlohmann::ordered_json& config : std::vector<nlohmann::ordered_json>{{{"rank_dropout", 0.0}, {"rank_dropout_scale", true}},
                                                                                  {{"rank_dropout_scale", true}},
                                                                                  {{"rank_dropout", 0.5}, {"rank_dropout_scale", true}}})
    EXPECT_NO_THROW(attach(method, small_bert(), method.options_from_peft(config))) << config;
}

}  // namespace
}  // namespace tsrun::lokr
