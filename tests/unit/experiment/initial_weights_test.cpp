#include "experiment/initial_weights.h"

#include "support/folder_test.h"
#include "tsrun/base/operators.h"
#include "tsrun/experiment/lab.h"
#include "unit/train/toy.h"

#include <gmock/gmock.h>

namespace tsrun::experiment {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReinitialisedLayers, AreTheTopOnesAndThePooler_AndNothingElse) {
  const Model before = toy::tiny_bert();
  Model after = before;
  const auto names = reinitialise_top(after, 1, Key::root(8));
  for (const ParameterInfo& info : before.family->parameters()) {
    const bool drawn = info.layer == 1 || info.part == Part::pooler;
    EXPECT_EQ(std::find(names.begin(), names.end(), info.name) != names.end(), drawn) << info.name;
    const at::Tensor &old = before.weights.at(info.name), &now = after.weights.at(info.name);
    if (!drawn || info.kind != ParameterKind::weight) {
      EXPECT_TRUE(at::equal(old, now)) << info.name;  // new biases are 0 and gains 1, as those of an untrained model
    } else {
      EXPECT_NEAR(now.std().item<double>(), 0.2, 0.04) << info.name;
      EXPECT_FALSE(at::allclose(old, now)) << info.name;
    }
  }
  EXPECT_TRUE(reinitialise_top(after, 0, Key::root(8)).empty());
}

TEST(ReinitialisedLayers, GetGainsOfOneAndBiasesOfZero) {
  Model model = toy::tiny_bert();
  for (const ParameterInfo& info : model.family->parameters()) model.weights.set(info.name, at::full(info.shape, 7.0F));
  for (const std::string& name : reinitialise_top(model, 2, Key::root(8))) {
    const at::Tensor& now = model.weights.at(name);
    if (name.ends_with("LayerNorm.weight")) {
      EXPECT_TRUE(at::equal(now, at::ones_like(now))) << name;
    } else if (name.ends_with("bias")) {
      EXPECT_TRUE(at::equal(now, at::zeros_like(now))) << name;
    }
  }
}

class ReinitialisedTraining : public FolderTest {
 protected:
  json trained(Lab& lab, json options) {
    options["model"] = lab.call("model", {{"spec", (folder_ / "bert").string()}});
    options["task"] = lab.call("task", {{"spec", (folder_ / "task").string()}});
    options.update({{"max_length", 24}, {"max_steps", 1}, {"lr", 0.0}, {"keep", "last"}});
    return lab.call("train", options);
  }
  LabSettings settings(bool plan_only = false) {
    LabSettings settings;
    settings.store = folder_ / "store";
    settings.plan_only = plan_only;
    return settings;
  }
};

/// Same seed, same layers; another seed, others; and the plain training is another stage.
TEST_F(ReinitialisedTraining, IsTold_KeyedAndDrawnFromTheSeed) {
  save_model(toy::tiny_bert(), folder_ / "bert");
  save_task(toy::sentiment(16, 8), folder_ / "task");
  Lab lab(settings());
  const json plain = trained(lab, {}), one = trained(lab, {{"reinit_layers", 1}}),
             other = trained(lab, {{"reinit_layers", 1}, {"seed", 2}});
  EXPECT_FALSE(plain.contains("reinitialised"));
  EXPECT_THAT(one.at("reinitialised").get<std::vector<std::string>>(),
              AllOf(Contains(HasSubstr("layer.1.")), Contains(HasSubstr("pooler")), Not(Contains(HasSubstr("layer.0.")))));
  EXPECT_NE(one.at("key"), plain.at("key"));
  EXPECT_EQ(trained(lab, {{"reinit_layers", 0}}).at("key"), plain.at("key"));
  EXPECT_NE(one.at("last").at("loss"), plain.at("last").at("loss"));
  EXPECT_NE(one.at("last").at("loss"), other.at("last").at("loss"));
  Lab plan(settings(true));
  EXPECT_EQ(trained(plan, {{"reinit_layers", 1}}).at("start").at("reinit_layers"), 1);
}

}  // namespace
}  // namespace tsrun::experiment
