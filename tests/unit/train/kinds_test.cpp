// Every kind of task through the models that can do it: learnt, scored, and refused where a model cannot.
#include "unit/train/kinds.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/reading.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

using namespace toy;

TEST(Kinds, LearnsToTagWords_Encoder) {
  const TaskModel small = with_bert(tags());
  const TrainResult result = small.train({{"epochs", 6}});
  EXPECT_GT(result.last.metrics.at("accuracy"), 0.95);
  Predictions predictions;
  const EvaluationSet evaluation_set =
      make_evaluation_set(small.model, small.task, "dev", text_options().resolve(nlohmann::json::object(), "test"));
  evaluate(*small.model.family, result.last_weights, evaluation_set, at::kCPU, &predictions);
  ASSERT_EQ(predictions.tags.size(), 48U);
  EXPECT_EQ(predictions.tags[3].size(), small.task.split("dev").examples[3].words.size());
}

TEST(Kinds, LearnsToTagWords_CausalModel) { EXPECT_GT(with_gpt2(tags()).train({{"epochs", 8}}).last.metrics.at("accuracy"), 0.9); }

TEST(Kinds, LearnsToAnswerInWords_EncoderDecoder) {
  const TaskModel small = with_t5(sentiment_in_words());
  EXPECT_EQ(small.task.kind, TaskKind::text_to_text);
  const TrainResult result = small.train({{"epochs", 14}}, 2e-2);
  EXPECT_GT(result.best.metrics.at("accuracy"), 0.8);
  EXPECT_LT(result.last.top_answer_share, 0.8);
}

TEST(Kinds, LearnsToAnswerInWords_CausalModel) {
  const TaskModel small = with_gpt2(as_text_to_text(sentiment_in_words()));
  EXPECT_GT(small.train({{"epochs", 16}}, 2e-2).best.metrics.at("accuracy"), 0.8);
}

/// Loss on dev of each of two answers, after training on rows that accept both.
std::vector<double> losses_of_answers(const std::string& which) {
  Task task = as_text_to_text(sentiment_in_words());
  const auto second = [](const Example& example) { return example.answers[0] == "poor" ? "dull" : "nice"; };
  for (Example& example : task.splits["train"].examples) example.answers.emplace_back(second(example));
  const TaskModel small = with_gpt2(task);
  const TrainResult result = small.train({{"epochs", 8}, {"accepted_answers", which}}, 1e-2);
  const auto loss_on = [&](const Task& judged) {
    const EvaluationSet evaluation_set =
        make_evaluation_set(small.model, judged, "dev", text_options().resolve({{"max_length", 24}, {"max_answer_length", 4}}, "test"));
    return evaluate(*small.model.family, result.last_weights, evaluation_set, at::kCPU).loss;
  };
  Task other = task;
  for (Example& example : other.splits["dev"].examples) example.answers[0] = second(example);
  return {loss_on(task), loss_on(other)};
}

TEST(Kinds, TrainsOnEveryAcceptedAnswer_OrOnTheFirstAlone) {
  const auto random = losses_of_answers("random"), first = losses_of_answers("first");
  EXPECT_LT(std::abs(random[0] - random[1]), 0.5);
  EXPECT_LT(first[0], random[0]);
  EXPECT_GT(first[1], first[0] + 1);
}

TEST(Kinds, GivesTheSameBytes_WhereEveryExampleHasOneAnswer) {
  const TaskModel small = with_gpt2(as_text_to_text(sentiment_in_words()));
  const TrainResult random = small.train({{"epochs", 1}}), first = small.train({{"epochs", 1}, {"accepted_answers", "first"}});
  for (const std::string& name : random.last_weights.names())
    EXPECT_TRUE(at::equal(random.last_weights.at(name), first.last_weights.at(name))) << name;
}

TEST(Kinds, AnswersFromTheTasksOwnWordsWhenItMayChoose) {
  const TaskModel small = with_t5(sentiment_in_words());
  const EvaluationSet written =
      make_evaluation_set(small.model, small.task, "dev", text_options().resolve({{"max_answer_length", 3}}, "test"));
  const EvaluationSet chosen = make_evaluation_set(small.model, small.task, "dev", text_options().resolve({{"answer", "choose"}}, "test"));
  Predictions predictions;
  const Evaluation free = evaluate(*small.model.family, small.model.weights, written, at::kCPU);
  const Evaluation bound = evaluate(*small.model.family, small.model.weights, chosen, at::kCPU, &predictions);
  EXPECT_EQ(free.loss, bound.loss);
  for (const std::string& text : predictions.texts) EXPECT_TRUE(text == "poor" || text == "fine") << text;
  EXPECT_EQ(predictions.logits.front().size(), 2U);
}

TEST(Kinds, EndsAnswersAtAStopText) {
  const TaskModel small = with_gpt2(as_text_to_text(sentiment_in_words()));
  const auto texts = [&](const nlohmann::json& reading) {
    Predictions predictions;
    const EvaluationSet evaluation_set = make_evaluation_set(small.model, small.task, "dev", text_options().resolve(reading, "test"));
    evaluate(*small.model.family, small.model.weights, evaluation_set, at::kCPU, &predictions);
    return predictions.texts;
  };
  const auto whole = texts({{"max_answer_length", 6}});
  const std::string stop = whole[0].substr(whole[0].size() / 2, 2);
  for (const std::string& text : texts({{"max_answer_length", 6}, {"stop", {stop}}})) EXPECT_EQ(text.find(stop), std::string::npos);
}

TEST(Kinds, LowersThePerplexityOfDocuments_AndKeepsTheSmallestAsBest) {
  for (const TaskModel& small : {with_gpt2(documents()), with_bert(documents())}) {
    const TrainResult result = small.train({{"epochs", 10}, {"batch_size", 8}});
    EXPECT_LT(result.last.metrics.at("perplexity"), 0.5 * result.evaluations.front().metrics.at("perplexity"))
        << small.model.family->model_type();
    EXPECT_LT(result.last.metrics.at("byte_perplexity"), result.last.metrics.at("perplexity"));
    for (const Evaluation& evaluation : result.evaluations)
      EXPECT_LE(result.best.metrics.at("perplexity"), evaluation.metrics.at("perplexity"));
  }
}

TEST(Kinds, ChoosesAmongOptions) {
  for (const TaskModel& small : {with_gpt2(choices()), with_t5(choices())}) {
    EXPECT_GT(small.train({{"epochs", 14}}, 2e-2).best.metrics.at("accuracy"), 0.8) << small.model.family->model_type();
  }
}

TEST(Kinds, SaysWhichModelsCouldDoATask) {
  const auto message = [](const Task& task, ModelKind model_kind) {
    try {
      head_for(task, model_kind);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_NE(message(choices(), ModelKind::encoder).find("a causal model or an encoder-decoder"), std::string::npos);
  EXPECT_NE(message(tags(), ModelKind::encoder_decoder).find("an encoder or a causal model"), std::string::npos);
  Task masked = documents();
  masked.objective = Objective::masked;
  EXPECT_NE(message(masked, ModelKind::causal).find("objective 'masked'"), std::string::npos);
  EXPECT_NE(message(documents(), ModelKind::encoder_decoder).find("a causal model or an encoder"), std::string::npos);
}

/// Largest difference between the weights of two runs, and how far the first went from the start.
struct Distance {
  double apart = 0, travelled = 0;
};
Distance distance(const TaskModel& small, const TrainResult& a, const TrainResult& b) {
  double apart = 0, travelled = 0;
  for (const std::string& name : a.last_weights.names()) {
    apart += (a.last_weights.at(name) - b.last_weights.at(name)).square().sum().item<double>();
    travelled += (a.last_weights.at(name) - small.model.weights.at(name)).square().sum().item<double>();
  }
  return {std::sqrt(apart), std::sqrt(travelled)};
}

TEST(Kinds, GradientCheckpointingChangesNoNumber) {
  for (const TaskModel& small : {with_gpt2(documents()), with_t5(sentiment_in_words()), with_bert(tags())}) {
    const nlohmann::json plain = {{"max_steps", 8}}, saving = {{"max_steps", 8}, {"gradient_checkpointing", true}};
    const Distance found = distance(small, small.train(plain), small.train(saving));
    EXPECT_LE(found.apart, 1e-6) << small.model.family->model_type();
    EXPECT_GT(found.travelled, 0.1);
  }
}

/// Products of numbers with 8 significant bits: a step's gradient is off by about a hundredth, and steps of SGD add that up.
TEST(Kinds, Bfloat16StaysCloseToFloat32) {
  for (const TaskModel& small : {with_gpt2(documents()), with_t5(sentiment_in_words()), with_bert(tags())}) {
    const nlohmann::json exact = {{"max_steps", 8}, {"optim", "sgd"}};
    nlohmann::json rounded = exact;
    rounded["precision"] = "bf16";
    const Distance found = distance(small, small.train(exact, 0.1), small.train(rounded, 0.1));
    EXPECT_LT(found.apart, 0.05 * found.travelled) << small.model.family->model_type();
    EXPECT_GT(found.apart, 0) << "bf16 was not used";
  }
}

TEST(Kinds, AccumulatesTokenLossesAsOneBatch) {
  const TaskModel small = with_gpt2(tags());  // rows of mixed lengths
  const TrainResult whole = small.train({{"max_steps", 1}, {"batch_size", 16}, {"optim", "sgd"}, {"max_grad_norm", 0.0}}, 0.1);
  const TrainResult parts =
      small.train({{"max_steps", 1}, {"batch_size", 4}, {"gradient_accumulation_steps", 4}, {"optim", "sgd"}, {"max_grad_norm", 0.0}}, 0.1);
  const Distance found = distance(small, whole, parts);
  EXPECT_LT(found.apart, 1e-6 + 1e-5 * found.travelled);
  EXPECT_GT(found.travelled, 1e-3);
}

}  // namespace
}  // namespace tsrun
