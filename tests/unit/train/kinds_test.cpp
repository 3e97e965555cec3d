// Every kind of task through the models that can do it: learnt, scored, and refused where a model cannot.
#include "tsrun/base/error.h"
#include "tsrun/train/reading.h"
#include "unit/train/toy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

nlohmann::json gpt2_config(int64_t vocabulary) {
  return {{"model_type", "gpt2"},
          {"vocab_size", vocabulary},
          {"n_embd", 16},
          {"n_layer", 2},
          {"n_head", 2},
          {"n_inner", 32},
          {"n_positions", 32},
          {"embd_pdrop", 0.0},
          {"attn_pdrop", 0.0},
          {"resid_pdrop", 0.0},
          {"classifier_dropout", 0.0},
          {"initializer_range", 0.2}};
}

nlohmann::json t5_config(int64_t vocabulary) {
  return {{"model_type", "t5"}, {"vocab_size", vocabulary}, {"d_model", 16},           {"d_kv", 8},          {"num_heads", 2},
          {"d_ff", 32},         {"num_layers", 1},          {"num_decoder_layers", 1}, {"dropout_rate", 0.0}};
}

/// A tiny model for `task` of the kind that `config` says.
struct Setting {
  Setting(const Task& given, const nlohmann::json& config) {
    const auto words = toy::tiny_bert().tokenizer;
    const Reader reader = make_family(config, {}, "toy")->reader();
    task = task_for(given, reader);
    model = initialise_model(config, head_for(task, reader), words, Key::root(3));
  }
  TrainResult train(nlohmann::json options, double lr = 1e-2) const {
    options["max_length"] = 24;
    if (!options.contains("batch_size")) options["batch_size"] = 16;
    TrainJob job = toy::job(model, task, options, scratch.path() / std::to_string(runs++));
    job.tune.lr = job.tune.lr_embeddings = job.tune.lr_head = lr;
    return tsrun::train(std::move(job));
  }
  toy::Scratch scratch;
  mutable int runs = 0;
  Task task;
  Model model;
};

int64_t words_known() { return toy::tiny_bert().tokenizer->vocabulary_size(); }
Setting with_gpt2(const Task& task) { return {task, gpt2_config(words_known())}; }
Setting with_t5(const Task& task) { return {task, t5_config(words_known())}; }
Setting with_bert(const Task& task) { return {task, toy::tiny_bert({}, 0.0).family->config()}; }

/// The sentiment task, answered with a word of its vocabulary.
Task sentiment_in_words() {
  Task task = toy::sentiment();
  task.columns = {"text"};
  task.verbaliser = Verbaliser{"{text}", {"poor", "fine"}};
  return task;
}

/// Every word is praise, blame or neither.
Task tags() {
  Task task;
  task.name = "toy tags";
  task.kind = TaskKind::token_classification;
  task.labels = {"O", "blame", "praise"};
  task.metrics = {"accuracy"};
  for (const auto& [name, split] : toy::sentiment().splits) {
    Split tagged;
    tagged.name = name;
    for (const Example& example : split.examples) {
      Example row;
      row.row = example.row;
      std::istringstream words(example.first);
      for (std::string word; words >> word;) {
        row.words.push_back(word);
        const bool praise = word == "good" || word == "great" || word == "fine" || word == "lovely";
        const bool blame = word == "bad" || word == "awful" || word == "poor" || word == "dull";
        row.tags.push_back(praise ? 2 : blame ? 1 : 0);
      }
      tagged.examples.push_back(std::move(row));
    }
    task.splits[name] = std::move(tagged);
  }
  return task;
}

/// Texts that say the same words in the same order.
Task documents() {
  Task task;
  task.name = "toy documents";
  task.kind = TaskKind::language_modelling;
  task.metrics = {"perplexity", "byte_perplexity"};
  for (const char* name : {"train", "dev"}) {
    Split split;
    split.name = name;
    for (int row = 0; row < 24; ++row) {
      Example document;
      document.first = row % 2 == 0 ? "the film was good and so was the plot" : "a dull day was so bad and the plot was awful";
      split.examples.push_back(document);
    }
    task.splits[name] = split;
  }
  return task;
}

Task choices() {
  Task task;
  task.name = "toy choices";
  task.kind = TaskKind::multiple_choice;
  task.metrics = {"accuracy"};
  for (const auto& [name, split] : toy::sentiment().splits) {
    Split chosen = split;
    for (Example& example : chosen.examples) example.answers = {"was poor", "was fine"};
    task.splits[name] = std::move(chosen);
  }
  return task;
}

TEST(Kinds, LearnsToTagWords_Encoder) {
  const Setting toy = with_bert(tags());
  const TrainResult result = toy.train({{"epochs", 6}});
  EXPECT_GT(result.last.metrics.at("accuracy"), 0.95);
  Predictions predictions;
  const Exam exam = make_exam(toy.model, toy.task, "dev", reading_options().resolve(nlohmann::json::object(), "test"));
  evaluate(*toy.model.family, result.last_weights, exam, at::kCPU, &predictions);
  ASSERT_EQ(predictions.tags.size(), 48U);
  EXPECT_EQ(predictions.tags[3].size(), toy.task.split("dev").examples[3].words.size());
}

TEST(Kinds, LearnsToTagWords_CausalModel) { EXPECT_GT(with_gpt2(tags()).train({{"epochs", 8}}).last.metrics.at("accuracy"), 0.9); }

TEST(Kinds, LearnsToAnswerInWords_EncoderDecoder) {
  const Setting toy = with_t5(sentiment_in_words());
  EXPECT_EQ(toy.task.kind, TaskKind::text_to_text);
  const TrainResult result = toy.train({{"epochs", 14}}, 2e-2);
  EXPECT_GT(result.best.metrics.at("accuracy"), 0.8);
  EXPECT_LT(result.last.commonest_share, 0.8);
}

TEST(Kinds, LearnsToAnswerInWords_CausalModel) {
  const Setting toy = with_gpt2(as_text_to_text(sentiment_in_words()));
  EXPECT_GT(toy.train({{"epochs", 16}}, 2e-2).best.metrics.at("accuracy"), 0.8);
}

/// Loss on dev of each of two answers, after training on rows that accept both.
std::vector<double> losses_of_answers(const std::string& which) {
  Task task = as_text_to_text(sentiment_in_words());
  const auto second = [](const Example& example) { return example.answers[0] == "poor" ? "dull" : "nice"; };
  for (Example& example : task.splits["train"].examples) example.answers.emplace_back(second(example));
  const Setting toy = with_gpt2(task);
  const TrainResult result = toy.train({{"epochs", 8}, {"accepted_answers", which}}, 1e-2);
  const auto loss_on = [&](const Task& judged) {
    const Exam exam =
        make_exam(toy.model, judged, "dev", reading_options().resolve({{"max_length", 24}, {"max_answer_length", 4}}, "test"));
    return evaluate(*toy.model.family, result.last_weights, exam, at::kCPU).loss;
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
  const Setting toy = with_gpt2(as_text_to_text(sentiment_in_words()));
  const TrainResult random = toy.train({{"epochs", 1}}), first = toy.train({{"epochs", 1}, {"accepted_answers", "first"}});
  for (const std::string& name : random.last_weights.names())
    EXPECT_TRUE(at::equal(random.last_weights.at(name), first.last_weights.at(name))) << name;
}

TEST(Kinds, AnswersFromTheTasksOwnWordsWhenItMayChoose) {
  const Setting toy = with_t5(sentiment_in_words());
  const Exam written = make_exam(toy.model, toy.task, "dev", reading_options().resolve({{"max_answer_length", 3}}, "test"));
  const Exam chosen = make_exam(toy.model, toy.task, "dev", reading_options().resolve({{"answer", "choose"}}, "test"));
  Predictions predictions;
  const Evaluation free = evaluate(*toy.model.family, toy.model.weights, written, at::kCPU);
  const Evaluation bound = evaluate(*toy.model.family, toy.model.weights, chosen, at::kCPU, &predictions);
  EXPECT_EQ(free.loss, bound.loss);
  for (const std::string& text : predictions.texts) EXPECT_TRUE(text == "poor" || text == "fine") << text;
  EXPECT_EQ(predictions.logits.front().size(), 2U);
}

TEST(Kinds, EndsAnswersAtAStopText) {
  const Setting toy = with_gpt2(as_text_to_text(sentiment_in_words()));
  const auto texts = [&](const nlohmann::json& reading) {
    Predictions predictions;
    const Exam exam = make_exam(toy.model, toy.task, "dev", reading_options().resolve(reading, "test"));
    evaluate(*toy.model.family, toy.model.weights, exam, at::kCPU, &predictions);
    return predictions.texts;
  };
  const auto whole = texts({{"max_answer_length", 6}});
  const std::string stop = whole[0].substr(whole[0].size() / 2, 2);
  for (const std::string& text : texts({{"max_answer_length", 6}, {"stop", {stop}}})) EXPECT_EQ(text.find(stop), std::string::npos);
}

TEST(Kinds, LowersThePerplexityOfDocuments_AndKeepsTheSmallestAsBest) {
  for (const Setting& toy : {with_gpt2(documents()), with_bert(documents())}) {
    const TrainResult result = toy.train({{"epochs", 10}, {"batch_size", 8}});
    EXPECT_LT(result.last.metrics.at("perplexity"), 0.5 * result.evaluations.front().metrics.at("perplexity"))
        << toy.model.family->model_type();
    EXPECT_LT(result.last.metrics.at("byte_perplexity"), result.last.metrics.at("perplexity"));
    for (const Evaluation& evaluation : result.evaluations)
      EXPECT_LE(result.best.metrics.at("perplexity"), evaluation.metrics.at("perplexity"));
  }
}

TEST(Kinds, ChoosesAmongOptions) {
  for (const Setting& toy : {with_gpt2(choices()), with_t5(choices())}) {
    EXPECT_GT(toy.train({{"epochs", 14}}, 2e-2).best.metrics.at("accuracy"), 0.8) << toy.model.family->model_type();
  }
}

TEST(Kinds, SaysWhichModelsCouldDoATask) {
  const auto message = [](const Task& task, Reader reader) {
    try {
      head_for(task, reader);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_NE(message(choices(), Reader::encoder).find("a causal model or an encoder-decoder"), std::string::npos);
  EXPECT_NE(message(tags(), Reader::encoder_decoder).find("an encoder or a causal model"), std::string::npos);
  Task masked = documents();
  masked.objective = Objective::masked;
  EXPECT_NE(message(masked, Reader::causal).find("objective 'masked'"), std::string::npos);
  EXPECT_NE(message(documents(), Reader::encoder_decoder).find("a causal model or an encoder"), std::string::npos);
}

/// Largest difference between the weights of two runs, and how far the first went from the start.
struct Distance {
  double apart = 0, travelled = 0;
};
Distance distance(const Setting& toy, const TrainResult& a, const TrainResult& b) {
  double apart = 0, travelled = 0;
  for (const std::string& name : a.last_weights.names()) {
    apart += (a.last_weights.at(name) - b.last_weights.at(name)).square().sum().item<double>();
    travelled += (a.last_weights.at(name) - toy.model.weights.at(name)).square().sum().item<double>();
  }
  return {std::sqrt(apart), std::sqrt(travelled)};
}

TEST(Kinds, GradientCheckpointingChangesNoNumber) {
  for (const Setting& toy : {with_gpt2(documents()), with_t5(sentiment_in_words()), with_bert(tags())}) {
    const nlohmann::json plain = {{"max_steps", 8}}, saving = {{"max_steps", 8}, {"gradient_checkpointing", true}};
    const Distance found = distance(toy, toy.train(plain), toy.train(saving));
    EXPECT_LE(found.apart, 1e-6) << toy.model.family->model_type();
    EXPECT_GT(found.travelled, 0.1);
  }
}

/// Products of numbers with 8 significant bits: a step's gradient is off by about a hundredth, and steps of SGD add that up.
TEST(Kinds, Bfloat16StaysCloseToFloat32) {
  for (const Setting& toy : {with_gpt2(documents()), with_t5(sentiment_in_words()), with_bert(tags())}) {
    const nlohmann::json exact = {{"max_steps", 8}, {"optim", "sgd"}};
    nlohmann::json rounded = exact;
    rounded["precision"] = "bf16";
    const Distance found = distance(toy, toy.train(exact, 0.1), toy.train(rounded, 0.1));
    EXPECT_LT(found.apart, 0.05 * found.travelled) << toy.model.family->model_type();
    EXPECT_GT(found.apart, 0) << "bf16 was not used";
  }
}

TEST(Kinds, AccumulatesTokenLossesAsOneBatch) {
  const Setting toy = with_gpt2(tags());  // rows of mixed lengths
  const TrainResult whole = toy.train({{"max_steps", 1}, {"batch_size", 16}, {"optim", "sgd"}, {"max_grad_norm", 0.0}}, 0.1);
  const TrainResult parts =
      toy.train({{"max_steps", 1}, {"batch_size", 4}, {"gradient_accumulation_steps", 4}, {"optim", "sgd"}, {"max_grad_norm", 0.0}}, 0.1);
  const Distance found = distance(toy, whole, parts);
  EXPECT_LT(found.apart, 1e-6 + 1e-5 * found.travelled);
  EXPECT_GT(found.travelled, 1e-3);
}

}  // namespace
}  // namespace tsrun
