// Label smoothing of every head, against the formula of transformers' LabelSmoother written out.
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/reading.h"
#include "unit/train/kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace tsrun {
namespace {

using namespace toy;
constexpr double kFactor = 0.2;

/// (1 - s) times the mean of -log p(target) plus s times the mean over classes of -log p, over targets that are not ignored, in float64.
double smoothed(const at::Tensor& logits, const at::Tensor& targets) {
  const at::Tensor kept = targets.masked_select(targets != no_target);
  const at::Tensor rows = logits.size(0) == kept.size(0) ? logits : logits.index_select(0, at::nonzero(targets != no_target).squeeze(1));
  const at::Tensor losses = -at::log_softmax(rows.to(at::kDouble), 1);
  const at::Tensor right = losses.gather(1, kept.unsqueeze(1)).mean(), even = losses.mean();
  return ((1 - kFactor) * right + kFactor * even).item<double>();
}

/// Of all training rows in one batch, before any step.
double expected_loss(const TaskModel& small) {
  const Options options = train_options().resolve({{"max_length", 24}, {"max_answer_length", 4}}, "test");
  const EncodedSplit split = encode_training_rows(small.model, small.task, options);
  std::vector<int64_t> rows(static_cast<size_t>(split.size()));
  std::iota(rows.begin(), rows.end(), 0);
  const at::NoGradGuard no_grad;
  const PackedBatch batch = to_device(pack_batch(split, rows), small.model.family->head(), at::kCPU);
  return smoothed(small.model.family->forward(small.model.weights, batch, {}).logits, batch.targets);
}

double first_train_loss(const TaskModel& small, nlohmann::json options) {
  options.update({{"max_steps", 1},
                  {"label_smoothing_factor", kFactor},
                  {"max_answer_length", 4},
                  {"eval_every", -1},
                  {"optim", "sgd"},
                  {"max_grad_norm", 0.0}});
  small.train(options, 0.1);
  const std::string log = read_text(small.last_work() / "metrics.jsonl");
  return nlohmann::json::parse(log.substr(0, log.find('\n'))).at("train_loss").get<double>();
}

struct Smoothed {
  std::string name;
  TaskModel (*with)(const Task&);
  Task (*task)();
};
Task classes() { return sentiment(24, 8); }
Task told() { return as_text_to_text(sentiment_in_words()); }
void PrintTo(const Smoothed& head, std::ostream* out) { *out << head.name; }

class LabelSmoothing : public ::testing::TestWithParam<Smoothed> {};

TEST_P(LabelSmoothing, GivesTheLossOfTheFormula_WholeAndInAccumulatedBatches) {
  const TaskModel small = GetParam().with(GetParam().task());
  const double expected = expected_loss(small);
  EXPECT_NEAR(first_train_loss(small, {{"batch_size", 4096}}), expected, 2e-6 * std::abs(expected));
  EXPECT_NEAR(first_train_loss(small, {{"batch_size", 7}, {"gradient_accumulation_steps", 4096}}), expected, 2e-6 * std::abs(expected))
      << "batches count by the targets that they have";
}

TEST_P(LabelSmoothing, LeavesTheLossOfEvaluationAlone) {
  const TaskModel small = GetParam().with(GetParam().task());
  const auto at_rest = [&](double factor) {
    return small.train({{"max_steps", 1}, {"label_smoothing_factor", factor}, {"max_answer_length", 4}}, 0).last.loss;
  };
  EXPECT_EQ(at_rest(0), at_rest(kFactor));
}

INSTANTIATE_TEST_SUITE_P(Heads, LabelSmoothing,
                         ::testing::Values(Smoothed{"EncoderClassification", with_bert, classes}, Smoothed{"EncoderTags", with_bert, tags},
                                           Smoothed{"CausalClassification", with_gpt2, classes}, Smoothed{"CausalTags", with_gpt2, tags},
                                           Smoothed{"CausalAnswers", with_gpt2, told}, Smoothed{"CausalChoice", with_gpt2, choices},
                                           Smoothed{"CausalLanguage", with_gpt2, documents},
                                           Smoothed{"EncoderDecoderAnswers", with_t5, sentiment_in_words},
                                           Smoothed{"EncoderDecoderChoice", with_t5, choices}),
                         [](const auto& info) { return info.param.name; });

TEST(SmoothedLoss, ChangesTheTraining_OfHiddenWords) {
  const TaskModel small = with_bert(documents());
  EXPECT_GT(first_train_loss(small, {{"batch_size", 24}}), 0);
  const double plain = small.train({{"max_steps", 2}}).last.loss;
  EXPECT_NE(small.train({{"max_steps", 2}, {"label_smoothing_factor", kFactor}}).last.loss, plain);
}

TEST(SmoothedLoss, IsRefused_OfARegression) {
  for (const TaskModel& small : {with_bert(degrees()), with_gpt2(degrees())}) {
    try {
      small.train({{"max_steps", 1}, {"label_smoothing_factor", kFactor}});
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      EXPECT_THAT(error.what(), ::testing::HasSubstr("option 'label_smoothing_factor' is 0.2, but nothing reads it: a regression has no "
                                                     "classes to spread a target over; expected 0.0, its default"));
    }
  }
}

}  // namespace
}  // namespace tsrun
