#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"
#include "unit/train/toy.h"

#include "method.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::bi_drop {
namespace {

using namespace plugin_testing;

const bool cases = add_regularizer_case("bi_drop", nlohmann::json::object()) &&
                   add_regularizer_case("bi_drop", {{"passes", 3}, {"select", "scaling"}, {"share", 0.3}, {"parts", {"encoder", "head"}}});

/// Means 3, 1, -2, 4 with deviations 2, 0.1, 0 and 4.
TEST(BiDrop, KeepsTheMeanWhereItRanksFirst) {
  const std::vector<at::Tensor> gradients = {at::tensor({5.0F, 1.1F, -2.0F, 8.0F}), at::tensor({1.0F, 0.9F, -2.0F, 0.0F})};
  const at::Tensor value = at::tensor({0.1F, 10.0F, -10.0F, -1.0F});
  const auto kept = [&](bi_drop::Selection selection, double share) { return bi_drop::selected_mean(gradients, value, selection, share); };
  EXPECT_TRUE(at::allclose(kept(bi_drop::Selection::perturbation, 0.5), at::tensor({0.0F, 1.0F, -2.0F, 0.0F})));
  EXPECT_TRUE(at::allclose(kept(bi_drop::Selection::scaling, 0.5), at::tensor({3.0F, 0.0F, 0.0F, 4.0F})));
  EXPECT_TRUE(at::allclose(kept(bi_drop::Selection::scaling, 0.3), at::tensor({3.0F, 0.0F, 0.0F, 4.0F})));
  EXPECT_TRUE(at::allclose(kept(bi_drop::Selection::perturbation, 1), at::tensor({3.0F, 1.0F, -2.0F, 4.0F})));
}

/// Weights after three steps without dropout; with `share`, under Bi-Drop.
Weights trained_without_dropout(const Model& model, const Task& task, std::optional<double> share, int64_t micro_batches) {
  const toy::Scratch scratch;
  TrainJob job = toy::job(
      model, task, {{"max_steps", 3}, {"batch_size", 16 / micro_batches}, {"gradient_accumulation_steps", micro_batches}, {"optim", "sgd"}},
      scratch.path());
  const RegularizerMethod& method = regularizer_method("bi_drop");
  if (share) {
    const Options options = method.options().resolve({{"share", *share}, {"passes", 3}}, "test");
    job.plugins.push_back(
        {"bi_drop", {}, {.whole_vocabulary = false}, {}, [&method, options](const MethodInputs& in) { return method.make(in, options); }});
  }
  return train(std::move(job)).last_weights;
}

TEST(BiDrop, IsPlainTraining_WhenPassesAgreeAndAllIsSelected) {
  const Model model = toy::tiny_bert({HeadKind::classification, 2}, 0);
  const Task task = toy::sentiment();
  const Weights plain = trained_without_dropout(model, task, {}, 1);
  for (const int64_t micro_batches : {1, 4}) {
    const Weights same = trained_without_dropout(model, task, 1, micro_batches);
    for (const std::string& name : plain.names()) EXPECT_TRUE(at::allclose(plain.at(name), same.at(name), 1e-4, 1e-6)) << name;
  }
}

TEST(BiDrop, LeavesTheRestOfATensor) {
  const Model model = toy::tiny_bert({HeadKind::classification, 2}, 0);
  const Weights after = trained_without_dropout(model, toy::sentiment(), 0.25, 1);
  const std::string masked = "bert.encoder.layer.0.output.dense.weight", free = "bert.pooler.dense.weight";
  const auto moved = [&](const std::string& name) {
    return (after.at(name) != model.weights.at(name)).to(at::kDouble).mean().item<double>();
  };
  EXPECT_GE(moved(masked), 0.24);
  EXPECT_LE(moved(masked), 0.75);
  EXPECT_GE(moved(free), 0.95);
}

}  // namespace
}  // namespace tsrun::bi_drop
