#include "tsrun/train/probe.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/train.h"
#include "unit/train/kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::HasSubstr;

class ProbeTest : public ::testing::Test {
 protected:
  std::unique_ptr<Probe> probe() {
    return make_probe(model, task, train_options().resolve(nlohmann::json::object(), "test"), Key::root(1), at::kCPU);
  }
  Task task = toy::sentiment();
  Model model = toy::tiny_bert();
};

TEST_F(ProbeTest, GivesTheGradientOfTheLoss) {
  const auto found = probe()->loss_and_gradient(model.weights, std::vector<int64_t>{3, 0, 7});
  const auto loss_at = [&](const std::string& name, double shift) {
    Weights moved = model.weights;
    at::Tensor value = moved.at(name).clone();
    value.view({-1})[5] += shift;
    moved.set(name, value);
    return probe()->loss_and_gradient(moved, std::vector<int64_t>{3, 0, 7}).loss;
  };
  for (const std::string name : {"classifier.weight", "bert.encoder.layer.1.output.dense.weight", "bert.pooler.dense.weight"}) {
    const double slope = (loss_at(name, 0.02) - loss_at(name, -0.02)) / 0.04;
    EXPECT_NEAR(found.gradient.at(name).view({-1})[5].item<double>(), slope, 2e-4 + 0.02 * std::abs(slope)) << name;
  }
  EXPECT_EQ(found.gradient.names().size(), model.family->parameters().size());
}

TEST_F(ProbeTest, DrawsDropoutUnderAKeyOnly) {
  const auto loss = [&](std::optional<Key> key) { return probe()->loss_and_gradient(model.weights, std::vector<int64_t>{1, 2}, key).loss; };
  EXPECT_EQ(loss({}), loss({}));
  EXPECT_EQ(loss(Key::root(1)), loss(Key::root(1)));
  EXPECT_NE(loss(Key::root(1)), loss(Key::root(2)));
}

TEST_F(ProbeTest, GivesTheInputOfEveryLayerByRow) {
  const auto all = probe();
  const auto together = all->hidden(model.weights, std::vector<int64_t>{4, 1}, 1);
  const auto alone = all->hidden(model.weights, std::vector<int64_t>{1}, 1);
  ASSERT_EQ(together.offsets.size(), 3U);
  EXPECT_EQ(together.offsets[2], together.states.size(0));
  const int64_t begin = together.offsets[1];
  EXPECT_TRUE(at::allclose(together.states.narrow(0, begin, together.offsets[2] - begin), alone.states, 0, 1e-5));
  EXPECT_FALSE(at::allclose(all->hidden(model.weights, std::vector<int64_t>{1}, 2).states, alone.states));
}

TEST_F(ProbeTest, OfEncodedRows_GivesTheHiddenStatesOfAnySplit) {
  const EncodedSplit dev = encode_split(task, task.split("dev"), *model.tokenizer, EncodeOptions());
  const auto of_dev = make_probe(*model.family, dev, at::kCPU);
  EXPECT_EQ(of_dev->rows(), dev.size());
  const auto found = of_dev->hidden(model.weights, std::vector<int64_t>{0, 5}, 2);
  EXPECT_EQ(found.states.size(0), static_cast<int64_t>(dev.rows[0].ids.size() + dev.rows[5].ids.size()));
  task.splits["train"] = task.splits["dev"];
  EXPECT_TRUE(at::equal(found.states, probe()->hidden(model.weights, std::vector<int64_t>{0, 5}, 2).states));
}

TEST_F(ProbeTest, GivesTheIdsThatTheModelReads) {
  const auto encoding = model.tokenizer->encode(task.split("train").examples[5].first, std::nullopt, 128);
  EXPECT_EQ(probe()->ids(5), std::vector<std::vector<int64_t>>{encoding.ids});
  EXPECT_THROW(probe()->ids(96), Error);
}

std::unique_ptr<Probe> probe_of(const toy::TaskModel& of) {
  return make_probe(of.model, of.task, train_options().resolve(nlohmann::json::object(), "test"), Key::root(1), at::kCPU);
}

/// What the head reads of the last layer, times the label matrix, are the logits: their loss is the task's (new heads have zero biases).
void expect_the_tasks_loss(const char* name, const toy::TaskModel& of) {
  const std::vector<int64_t> rows = {7, 2, 11};
  const auto probe = probe_of(of);
  const auto found = probe->label_states(of.model.weights, rows);
  const Family& family = *of.model.family;
  EXPECT_EQ(found.first_layer + static_cast<int>(found.states.size()), family.layers() + 1) << name;
  const at::Tensor read = family.read_out(of.model.weights, found.states.back(), true);
  const at::Tensor logits = at::linear(read, of.model.weights.at(family.label_matrix()));
  const double loss = at::cross_entropy_loss(logits, found.labels).item<double>();
  EXPECT_NEAR(loss, probe->loss_and_gradient(of.model.weights, rows).loss, 1e-5) << name;
}

TEST(Probe, GivesTheStatesThatTheHeadReads_OfEveryHead) {
  expect_the_tasks_loss("classes, first token", toy::with_bert(toy::sentiment()));
  expect_the_tasks_loss("classes, last token", toy::with_gpt2(toy::sentiment()));
  expect_the_tasks_loss("tags", toy::with_bert(toy::tags()));
  expect_the_tasks_loss("tags of a causal model", toy::with_gpt2(toy::tags()));
  expect_the_tasks_loss("masked words", toy::with_bert(toy::documents()));
  expect_the_tasks_loss("next words", toy::with_gpt2(toy::documents()));
  expect_the_tasks_loss("an answer", toy::with_t5(toy::sentiment_in_words()));
  expect_the_tasks_loss("an answer of a causal model", toy::with_gpt2(toy::sentiment_in_words()));
}

TEST(Probe, GivesTheDecodersIdsBesideTheEncoders) {
  const toy::TaskModel t5 = toy::with_t5(toy::sentiment_in_words());
  const auto texts = probe_of(t5)->ids(0);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts[1].front(), t5.model.family->decoder_start());
}

TEST(Probe, PutsTheFinalNormOnInnerStates) {
  const toy::TaskModel gpt2 = toy::with_gpt2(toy::documents());
  const auto probe = probe_of(gpt2);
  const auto found = probe->label_states(gpt2.model.weights, std::vector<int64_t>{0, 1});
  const at::Tensor inner = gpt2.model.family->read_out(gpt2.model.weights, found.states[1], false);
  EXPECT_NEAR(inner.square().mean().item<double>(), 1, 1e-3);  // a new norm has gains of one
  EXPECT_NEAR(found.states.back().square().mean().item<double>(), 1, 1e-3);
}

TEST(Probe, NamesTheHeadWithoutLabels) {
  const toy::TaskModel numbers = toy::with_bert(toy::degrees());
  const auto probe = probe_of(numbers);
  try {
    probe->label_states(numbers.model.weights, std::vector<int64_t>{0});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the regression head predicts none"));
  }
}

TEST_F(ProbeTest, NamesTheRowOrLayerThatIsNotThere) {
  const auto all = probe();
  const auto message = [](const std::function<void()>& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message([&] { all->hidden(model.weights, std::vector<int64_t>{0}, 3); }), HasSubstr("layer 3, expected 0"));
  EXPECT_THAT(message([&] { all->hidden(model.weights, std::vector<int64_t>{9999}, 0); }), HasSubstr("row 9999, expected 0 to"));
  EXPECT_THAT(message([&] { all->loss_and_gradient(model.weights, {}, {}); }), HasSubstr("no rows"));
}

/// Freezes the matrix with the smallest gradient over the first rows, once.
class Smallest final : public Selector {
 public:
  Smallest(const MethodInputs& inputs, std::string* chosen) : probe_(inputs.probe), chosen_(chosen) {}
  std::optional<Scope> scope(Step& step) override {
    if (step.number > 0) return std::nullopt;
    const auto found = probe_->loss_and_gradient(step.weights, std::vector<int64_t>{0, 1, 2, 3});
    double least = 1e30;
    for (const ParameterInfo& info : step.family.parameters()) {
      const double norm = found.gradient.at(info.name).norm().item<double>();
      if (info.kind == ParameterKind::weight && norm < least) least = norm, *chosen_ = info.name;
    }
    Scope scope;
    scope.parameters[*chosen_].trained = false;
    return scope;
  }

 private:
  Probe* probe_;
  std::string* chosen_;
};

TEST_F(ProbeTest, ServesSelectorsInsideATraining) {
  const toy::Scratch scratch;
  std::string chosen;
  TrainJob job = toy::job(model, task, {{"max_steps", 2}, {"batch_size", 16}}, scratch.path() / "work");
  job.plugins.push_back({"smallest",
                         {},
                         {.whole_vocabulary = false},
                         [&](const MethodInputs& inputs) { return std::make_unique<Smallest>(inputs, &chosen); },
                         {}});
  const TrainResult result = train(std::move(job));
  EXPECT_TRUE(at::equal(result.last_weights.at(chosen), model.weights.at(chosen))) << chosen;
}

}  // namespace
}  // namespace tsrun
