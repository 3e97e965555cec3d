#include "experiment/initial_weights.h"

#include "experiment/stored.h"
#include "support/folder_test.h"
#include "tsrun/base/operators.h"
#include "tsrun/experiment/lab.h"
#include "unit/experiment/laboratory.h"
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

class AdaptedStart : public LaboratoryTest {
 protected:
  json adapted(json options) {
    options.update({{"model", model()}, {"r", 2}});
    return lab_->call("adapt", options);
  }
  json unmoved(json options) {
    options.update({{"max_steps", 1}, {"lr", 0.0}});
    return trained(options);
  }
  /// Of full tuning, far from where it began.
  json moved() { return trained({{"max_steps", 12}, {"lr", 1e-2}, {"keep", "last"}}); }
  static json all_of(const json& solution) { return {{"solution", solution}, {"parts", {"embeddings", "encoder", "pooler", "head"}}}; }
  Weights start_of(const json& training) {
    const TrainingRef ref = TrainingRef::from_json(training);
    return initial_task_model(*lab_, ref.task, InitialWeights::of(ref)).model.weights;
  }
};

const std::string query = "bert.encoder.layer.0.attention.self.query";

TEST_F(AdaptedStart, KeepsTheDeltaUnderFreshWeights) {
  const json lora = adapted({{"method", "lora"}});
  const json kept = unmoved({{"model", lora}, {"train", {"delta"}}}),
             fresh = unmoved({{"model", lora}, {"train", {"delta"}}, {"fresh", true}});
  EXPECT_EQ(fresh.at("trainable"), kept.at("trainable"));
  EXPECT_EQ(fresh.at("last").at("loss"), unmoved({{"fresh", true}}).at("last").at("loss"));
  EXPECT_NE(fresh.at("last").at("loss"), kept.at("last").at("loss"));
  const json learnt = trained({{"model", lora}, {"train", {"delta"}}, {"fresh", true}, {"max_steps", 4}, {"lr", 1e-1}});
  EXPECT_NE(learnt.at("last").at("loss"), fresh.at("last").at("loss"));
}

TEST_F(AdaptedStart, IsTheOriginsModel) {
  const json origin = moved();
  const double loss = origin.at("last").at("loss");
  ASSERT_GT(std::abs(loss - unmoved({}).at("last").at("loss").get<double>()), 1e-3);
  for (const json& method : {json{{"method", "lora"}}, json{{"method", "lora"}, {"init_lora_weights", "pissa"}},
                             json{{"method", "lora_xs"}, {"init_deviation", 0}}}) {
    const json start = unmoved({{"model", adapted(method)}, {"origin", all_of(origin)}});
    EXPECT_NEAR(start.at("last").at("loss").get<double>(), loss, 1e-5) << method;
  }
}

TEST_F(AdaptedStart, MakesConstantsOfTheOriginsWeights_AndOfNewLayers) {
  const auto factor_fits = [&](const json& training) {
    const Weights start = start_of(training);
    const at::Tensor a = start.at(query + ".lora_xs_A"), w = start.at(query + ".weight");
    const at::Tensor leading = std::get<2>(at::linalg_svd(w, /*full_matrices=*/false)).narrow(0, 0, 2);
    const at::Tensor directions = a / a.norm(2, {1}, /*keepdim=*/true);
    return at::allclose(at::matmul(directions, leading.t()).abs(), at::eye(2), 1e-3, 1e-3);
  };
  const json lora_xs = adapted({{"method", "lora_xs"}});
  EXPECT_TRUE(factor_fits(unmoved({{"model", lora_xs}})));
  EXPECT_TRUE(factor_fits(unmoved({{"model", lora_xs}, {"origin", all_of(moved())}})));
  EXPECT_TRUE(factor_fits(unmoved({{"model", lora_xs}, {"reinit_layers", 2}})));
}

/// A delta that is taken computes what it did, with the constants that it had and without a second subtraction.
TEST_F(AdaptedStart, TakesAnOriginsDelta) {
  for (const json& method :
       {json{{"method", "lora"}, {"init_lora_weights", "pissa"}}, json{{"method", "lora_xs"}, {"init_deviation", 0}}}) {
    const json lora = adapted(method);
    const json origin = trained({{"model", lora}, {"max_steps", 4}, {"lr", 1e-1}, {"keep", "last"}, {"origin", all_of(moved())}});
    json all = all_of(origin);
    all["parts"].push_back("delta");
    EXPECT_NEAR(unmoved({{"model", lora}, {"origin", all}}).at("last").at("loss").get<double>(), origin.at("last").at("loss").get<double>(),
                1e-5)
        << method;
    const json alone = unmoved({{"model", lora}, {"origin", {{"solution", origin}, {"parts", {"delta"}}}}});
    const Weights taken = start_of(alone);
    const SafetensorsFile solved = SafetensorsFile::open(solution_file(*lab_, TrainingRef::from_json(origin), "last"));
    int64_t compared = 0;
    for (const std::string& name : taken.names()) {
      if (name.find("lora_") == std::string::npos || !solved.find(name)) continue;
      EXPECT_TRUE(at::equal(taken.at(name), as_float32(*solved.find(name)))) << name;
      ++compared;
    }
    EXPECT_GT(compared, 0);
  }
}

}  // namespace
}  // namespace tsrun::experiment
