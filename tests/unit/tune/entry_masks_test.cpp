#include "tsrun/tune/entry_masks.h"

#include "tsrun/base/operators.h"
#include "unit/tune/fakes.h"

namespace tsrun {
namespace {

using testing_tune::error_of;
using testing_tune::FakeFamily;

Options mask_options_with(const nlohmann::json& given) { return mask_options({"encoder", "head"}).resolve(given, "test"); }

std::vector<std::string> masked_names(const nlohmann::json& given) {
  std::vector<std::string> names;
  for (const ParameterInfo& info : masked_parameters(FakeFamily(), mask_options_with(given), "test")) names.push_back(info.name);
  return names;
}

TEST(EntryMasks, AreOnMatricesOfTheParts_UnlessAskedOtherwise) {
  const auto usual = masked_names({});
  EXPECT_EQ(usual, (std::vector<std::string>{"encoder.layer.0.dense.weight", "encoder.layer.1.dense.weight", "classifier.weight"}));
  EXPECT_EQ(masked_names({{"patterns", {"*layer.1.*"}}}), (std::vector<std::string>{"encoder.layer.1.dense.weight"}));
  EXPECT_GT(masked_names({{"matrices_only", false}}).size(), usual.size());
}

TEST(EntryMasks, RefuseOptionsThatLeaveNothing) {
  EXPECT_NE(error_of(ErrorKind::user,
                     [] {
                       masked_names({{"parts", {"decoder"}}});
                     })
                .find("test: the model has no parameters in decoder"),
            std::string::npos);
  EXPECT_NE(error_of(ErrorKind::user, [] { masked_names({{"patterns", {"*.bias"}}}); }).find("biases and norms alone"), std::string::npos);
}

TEST(EntryMasks, KeepExactlyTheCount_TiesByIndex) {
  const at::Tensor scores = at::tensor({0.0F, 2.0F, 0.0F, 2.0F, -1.0F, 0.0F}).view({2, 3});
  EXPECT_TRUE(at::equal(largest_elements(scores, 3), at::tensor({1, 1, 0, 1, 0, 0}).view({2, 3}).to(at::kBool)));
  EXPECT_TRUE(at::equal(largest_elements(at::zeros({5}), 2), at::tensor({1, 1, 0, 0, 0}).to(at::kBool)));
  EXPECT_TRUE(at::equal(largest_elements(scores.t(), 1), at::tensor({0, 1, 0, 0, 0, 0}).view({3, 2}).to(at::kBool)));
}

TEST(EntryMasks, RoundTheShareUp) {
  EXPECT_EQ(share_of_elements(0.7, 10), 7);
  EXPECT_EQ(share_of_elements(0.7, 11), 8);
  EXPECT_EQ(share_of_elements(0, 11), 0);
  EXPECT_EQ(share_of_elements(1, 11), 11);
}

TEST(EntryMasks, TakeTheLargestOfEachTensor_OrOfAll) {
  const std::vector<at::Tensor> scores = {at::tensor({9.0F, 8.0F, 7.0F, 1.0F}), at::tensor({1.0F, 2.0F, 8.0F, 0.0F})};
  const auto each = largest_shares(scores, 0.5, false), all = largest_shares(scores, 0.25, true);
  EXPECT_TRUE(at::equal(each[0], at::tensor({1, 1, 0, 0}).to(at::kBool)));
  EXPECT_TRUE(at::equal(each[1], at::tensor({0, 1, 1, 0}).to(at::kBool)));
  EXPECT_TRUE(at::equal(all[0], at::tensor({1, 1, 0, 0}).to(at::kBool))) << "of equals the earlier tensor's";
  EXPECT_FALSE(all[1].any().item<bool>());
}

TEST(EntryMasks, FreezeTheOthers_ButNeverPoolerOrHead) {
  const FakeFamily family;
  const Options frozen = OptionTable({others_option("trained")}).resolve({{"others", "frozen"}}, "test");
  Scope scope;
  scope.parameters["encoder.layer.1.dense.weight"].mask = at::ones({13, 17}, at::kBool);
  freeze_others(scope, family, frozen);
  for (const ParameterInfo& info : family.parameters()) {
    const bool kept = info.part == Part::pooler || info.part == Part::head || info.name == "encoder.layer.1.dense.weight";
    EXPECT_EQ(scope.entry(info).trained, kept) << info.name;
  }
}

TEST(EntryMasks, TellWhatTheyKeepAndWhatChanged) {
  Scope before, after;
  before.parameters["a"].mask = at::tensor({1, 1, 0, 0}).to(at::kBool);
  after.parameters["a"].mask = at::tensor({1, 0, 1, 0}).to(at::kBool);
  EXPECT_DOUBLE_EQ(kept_share(before), 0.5);
  EXPECT_DOUBLE_EQ(changed_share(before, after), 0.5);
  after.parameters["b"].mask = at::tensor({1, 0, 0, 0}).to(at::kBool);  // all of it was trained before
  EXPECT_DOUBLE_EQ(changed_share(before, after), 5.0 / 8);
  EXPECT_DOUBLE_EQ(kept_share(after), 3.0 / 8);
}

TEST(EntryMasks, TellTheirSizes) {
  const auto parameters = masked_parameters(FakeFamily(), mask_options_with({{"freeze", "state"}}), "test");
  const Scope scope = scope_of_masks(parameters, Freeze::state, [](const ParameterInfo& info) {
    return largest_elements(at::arange(info.shape[0] * info.shape[1]).view(info.shape), 2);
  });
  EXPECT_EQ(scope.freeze, Freeze::state);
  for (const ParameterInfo& info : parameters)
    EXPECT_EQ(mask_table(scope).at(info.name), (nlohmann::json{{"elements", info.shape[0] * info.shape[1]}, {"trained", 2}}));
}

TEST(Scope, OfLayersFreezesBelowTheLowest_AndNeverPoolerOrHead) {
  const FakeFamily family;
  const Scope last = scope_of_layers(family, {1});
  EXPECT_EQ(last.frozen_prefix(family), 1);
  EXPECT_TRUE(last.parameters.at("encoder.layer.0.dense.weight").trained == false);
  EXPECT_FALSE(last.parameters.contains("classifier.weight"));
  EXPECT_EQ(scope_of_layers(family, {}).frozen_prefix(family), family.layers());
  EXPECT_EQ(scope_of_layers(family, {1}, true).frozen_prefix(family), 0);
}

}  // namespace
}  // namespace tsrun
