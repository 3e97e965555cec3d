// Training and evaluation of a recurrent model over blocks that continue each other.
#include "train/carried_state.h"
#include "train/streams.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/probe.h"
#include "unit/train/kinds.h"
#include "unit/train/plugged_training.h"

#include <gmock/gmock.h>

namespace tsrun::training {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Streams, GoOnWhereTheyEnded) {
  const Streams even(6, 2), uneven(8, 3), few(2, 5);
  EXPECT_EQ(even.batches(), 3);
  EXPECT_THAT(even.batch(0), ElementsAre(0, 3));
  EXPECT_THAT(even.batch(2), ElementsAre(2, 5));
  EXPECT_EQ(uneven.batches(), 3);
  EXPECT_THAT(uneven.batch(0), ElementsAre(0, 3, 6));
  EXPECT_THAT(uneven.batch(1), ElementsAre(1, 4, 7));
  EXPECT_THAT(uneven.batch(2), ElementsAre(2, 5));  // the longer streams alone
  EXPECT_THAT(few.batch(0), ElementsAre(0, 1));
  EXPECT_EQ(few.batches(), 1);
}

EncodedSplit rows_that_continue(const std::vector<bool>& continues) {
  EncodedSplit split;
  split.rows.resize(continues.size());
  split.continues = continues;
  return split;
}

TEST(CarriedState, BeginsAnew_WhereARowContinuesNoRow) {
  const EncodedSplit split = rows_that_continue({false, true, true, false, true, true});
  CarriedState carried;
  const std::vector<int64_t> first = {0, 2}, second = {1, 3}, other = {2, 5}, fewer = {2};
  EXPECT_TRUE(carried.before(split, first).empty());
  carried.take(first, {at::ones({2, 3}), at::full({2, 1}, 5)});
  const auto state = carried.before(split, second);  // row 3 begins a document
  ASSERT_EQ(state.size(), 2U);
  EXPECT_TRUE(at::equal(state[0], at::tensor({1.F, 1.F, 1.F, 0.F, 0.F, 0.F}).view({2, 3})));
  EXPECT_TRUE(at::equal(state[1], at::tensor({5.F, 0.F}).view({2, 1})));
  carried.take(second, state);
  EXPECT_EQ(carried.before(split, fewer)[1].item<double>(), 5);
  EXPECT_EQ(carried.before(split, other)[0].sizes(), (at::IntArrayRef{2, 3}));
  EXPECT_TRUE(carried.before(split, first).empty());  // an epoch begins
}

/// One long text of 50 blocks of four tokens, its first and last ones included: a block ends with a word of praise or blame, by turns.
Task by_turns() {
  Task task = toy::documents();
  for (auto& [name, split] : task.splits) {
    split.examples.resize(1);
    std::string& text = split.examples[0].first;
    text = "film was good";
    for (int block = 1; block < 49; ++block) text += block % 2 == 0 ? " the film was good" : " the film was bad";
    text += " the film was";
  }
  return task;
}

class CarriedTraining : public ::testing::Test {
 protected:
  TrainJob job(const std::string& folder, const json& more = json::object()) const {
    json options = {{"epochs", 2}, {"batch_size", 5}, {"max_length", 4}};
    options.update(more);
    return toy::job(subject.model, subject.task, options, scratch.path() / folder);
  }
  Evaluation score(const json& reading) const {
    const EvaluationSet set = make_evaluation_set(subject.model, subject.task, "dev", text_options().resolve(reading, "test"));
    return evaluate(*subject.model.family, subject.model.weights, set, at::kCPU);
  }
  toy::Scratch scratch;
  toy::TaskModel subject = toy::with_awd_lstm(by_turns());
};

void expect_equal_ends(const TrainResult& a, const TrainResult& b) {
  for (const auto& name : a.last_weights.names()) EXPECT_TRUE(at::equal(a.last_weights.at(name), b.last_weights.at(name))) << name;
}

/// 50 blocks of 4 tokens in 10 streams of 5 are 10 blocks of 20 tokens.
TEST_F(CarriedTraining, ScoresShortBlocksAsOneLongBlock) {
  const double carried = score({{"max_length", 4}}).loss, anew = score({{"max_length", 4}, {"carry_state", false}}).loss;
  const double whole = score({{"max_length", 20}, {"carry_state", false}}).loss;
  EXPECT_NEAR(carried, whole, 1e-5);
  EXPECT_GT(std::abs(anew - whole), 1e-4);
}

/// Notes the state in front of every pass and behind it.
class Watching final : public Regularizer {
 public:
  struct Seen {
    std::vector<at::Tensor> before, after;
    std::vector<int64_t> rows;
    double again = 0;  ///< largest difference of an extra pass
  };
  explicit Watching(std::vector<Seen>* seen) : seen_(seen) {}
  at::Tensor batch_loss(Step&, ForwardPass& pass) override {
    const Output again = pass.again(pass.options.dropout, {});
    seen_->push_back(
        {pass.options.state, pass.output.state, pass.batch.row_numbers, (again.logits - pass.output.logits).abs().max().item<double>()});
    return {};
  }

 private:
  std::vector<Seen>* seen_;
};

TEST_F(CarriedTraining, HandsTheStateFromBatchToBatchOfAnEpoch) {
  std::vector<Watching::Seen> seen;
  TrainJob run = job("a", {{"gradient_accumulation_steps", 3}});
  run.plugins.push_back(regularizer("watching", [&](const MethodInputs&) { return std::make_unique<Watching>(&seen); }));
  train(std::move(run));
  ASSERT_EQ(seen.size(), 20U);
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].again, 0) << i;  // from the same state
    EXPECT_EQ(seen[i].rows[1], seen[i].rows[0] + 10) << i;
    EXPECT_EQ(seen[i].before.empty(), i % 10 == 0) << i;
    if (i % 10 == 0) continue;
    EXPECT_EQ(seen[i].rows[0], seen[i - 1].rows[0] + 1) << i;
    for (size_t t = 0; t < seen[i].before.size(); ++t) EXPECT_TRUE(at::equal(seen[i].before[t], seen[i - 1].after[t])) << i;
  }
}

TEST_F(CarriedTraining, BeginsEveryBlockAnew_WhenToldTo) {
  std::vector<Watching::Seen> seen;
  TrainJob run = job("a", {{"carry_state", false}});
  run.plugins.push_back(regularizer("watching", [&](const MethodInputs&) { return std::make_unique<Watching>(&seen); }));
  train(std::move(run));
  bool shuffled = false;
  for (const auto& one : seen) {
    EXPECT_TRUE(one.before.empty());
    shuffled = shuffled || one.rows[1] != one.rows[0] + 10;
  }
  EXPECT_TRUE(shuffled);
}

TEST_F(CarriedTraining, ResumesInTheMiddleOfAnEpochToTheSameBits) {
  watch_interrupts();
  const auto make = [&](const std::string& folder, int64_t stop) {
    TrainJob run = job(folder);
    run.plugins.push_back(regularizer("interrupting", [stop](const MethodInputs&) { return std::make_unique<Interrupting>(stop); }));
    return run;
  };
  const TrainResult whole = train(make("whole", -1));
  EXPECT_THROW(train(make("stopped", 13)), Error);
  clear_interrupt();
  expect_equal_ends(whole, train(make("stopped", -1)));
}

TEST_F(CarriedTraining, LowersThePerplexity) {
  const Evaluation last = train(job("work", {{"epochs", 20}, {"eval_every", -1}})).last;
  EXPECT_LT(last.metrics.at("perplexity"), score({{"max_length", 4}}).metrics.at("perplexity") / 4);
}

TEST_F(CarriedTraining, ShufflesDocumentsThatFitIntoABlock) {
  const auto documents = toy::with_awd_lstm(toy::documents());
  std::vector<Watching::Seen> seen;
  TrainJob run = toy::job(documents.model, documents.task, {{"epochs", 1}, {"batch_size", 4}, {"max_length", 24}}, scratch.path() / "a");
  run.plugins.push_back(regularizer("watching", [&](const MethodInputs&) { return std::make_unique<Watching>(&seen); }));
  train(std::move(run));
  EXPECT_THAT(seen.front().rows, ::testing::Not(ElementsAre(0, 6, 12, 18)));
}

TEST_F(CarriedTraining, RefusesWhatKeepsNoState) {
  const auto other = toy::with_gpt2(by_turns());
  EXPECT_THAT(message_of(toy::job(other.model, other.task, {{"carry_state", true}}, scratch.path() / "gpt2")),
              HasSubstr("2: option 'carry_state' is true, but nothing reads it: a model of type 'gpt2' keeps no state"));
  TrainJob cached = job("cached"), rounded = job("rounded", {{"precision", "bf16"}});
  cached.tune.scope = scope_of_parts(*subject.model.family, {Part::head});
  cached.tune.scope.cache_prefix = true;
  EXPECT_THAT(message_of(std::move(cached)), HasSubstr("2: cache_prefix: the model carries its state from block to block"));
  EXPECT_THAT(message_of(std::move(rounded)), HasSubstr("2: a model of type 'awd_lstm' has no precision 'bf16'"));
}

TEST_F(CarriedTraining, CachesFrozenLayers_WithoutAState) {
  const auto make = [&](const std::string& folder, bool cache) {
    TrainJob run = job(folder, {{"carry_state", false}, {"dropout", false}});
    run.tune.scope.frozen_layers = 1;
    run.tune.scope.cache_prefix = cache;
    run.cache_memory = 0;  // all on disk
    return run;
  };
  const TrainResult plain = train(make("plain", false)), cached = train(make("cached", true));
  for (const auto& name : plain.last_weights.names())
    EXPECT_LT((plain.last_weights.at(name) - cached.last_weights.at(name)).abs().max().item<double>(), 1e-5) << name;
}

TEST_F(CarriedTraining, ProbesRowsThatBeginAText) {
  const auto probe = make_probe(subject.model, subject.task, train_options().resolve({{"max_length", 4}}, "test"), Key::root(1), at::kCPU);
  const std::vector<int64_t> rows = {1, 2};
  EXPECT_EQ(probe->hidden(subject.model.weights, rows, 1).states.sizes(), (at::IntArrayRef{8, 20}));
  EXPECT_EQ(probe->label_states(subject.model.weights, rows).states.size(), 3U);
  EXPECT_GT(probe->loss_and_gradient(subject.model.weights, rows).loss, 0);
}

}  // namespace
}  // namespace tsrun::training
