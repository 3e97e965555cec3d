#include "experiment/initial_weights.h"
#include "experiment/stored.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/data/diversity.h"
#include "tsrun/data/words.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/model/finite.h"
#include "tsrun/train/effects.h"

/// The operation `generate`: texts of a causal model, and how diverse they are.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;
using Prompts = std::vector<std::vector<int64_t>>;

OptionTable generate_options_of_recipes() {
  using enum OptionType;
  OptionTable declared = {
      {.name = "solution", .type = artifact, .doc = "training of a causal model whose weights write", .choices = {"train"}},
      {.name = "model", .type = artifact, .doc = "instead: a causal model as it is", .choices = {"model"}},
      {.name = "which", .type = choice, .fallback = "last", .doc = "weights of the training", .choices = {"last", "best", "mean"}},
      {.name = "texts", .type = integer, .fallback = 64, .doc = "number of texts", .minimum = 1, .maximum = 1'000'000},
      {.name = "prompt_words",
       .type = integer,
       .fallback = 0,
       .doc =
           "words of a row that each text begins with, row by row, from the first again behind the last; 0: the begin token alone (or the "
           "end token, where there is no other)",
       .minimum = 0},
      {.name = "task", .type = artifact, .doc = "whose rows texts begin with; absent: the training's task", .choices = {"task"}},
      {.name = "split", .type = text, .fallback = "dev", .doc = "of these rows"},
      {.name = "max_new_tokens", .type = integer, .fallback = 64, .doc = "most tokens of a text behind its prompt", .minimum = 1},
      {.name = "min_new_tokens", .type = integer, .fallback = 0, .doc = "no end token before so many", .minimum = 0},
      {.name = "num_beams", .type = integer, .fallback = 1, .doc = "of texts that are not sampled", .minimum = 1, .maximum = 256},
      {.name = "seed", .type = integer, .fallback = 1, .doc = "of the samples", .minimum = 0},
  };
  declared.include(sampling_options(true));
  declared.include({
      {.name = "repetition_n", .type = integer, .fallback = 4, .doc = "words of an n-gram whose return counts as repetition", .minimum = 1},
      {.name = "units", .type = choice, .fallback = "words", .doc = "of n-grams", .choices = {"words", "tokens"}},
      {.name = "distinct_over",
       .type = choice,
       .fallback = "tokens",
       .doc = "what different n-grams are divided by: all words (tokens), as Li et al. write it, or all n-grams",
       .choices = {"tokens", "ngrams"}},
  });
  return declared;
}

struct GenerateRequest {
  std::optional<TrainingRef> solution;
  std::optional<ModelRef> model;
  std::optional<TaskRef> task;  ///< of the prompts
  Options options;

  static GenerateRequest from(const Options& o);
  StageKey key() const;
};

GenerateRequest GenerateRequest::from(const Options& o) {
  GenerateRequest request{.solution = given_ref<TrainingRef>(o, "solution"),
                          .model = given_ref<ModelRef>(o, "model"),
                          .task = given_ref<TaskRef>(o, "task"),
                          .options = o};
  if (request.solution.has_value() == request.model.has_value())
    user_error("generate: found {} of 'solution' and 'model', expected one", request.solution ? "both" : "neither");
  if (o.flag("do_sample") && o.integer("num_beams") > 1)
    user_error("generate: num_beams is {} of texts that are sampled, expected 1, or do_sample = false", o.integer("num_beams"));
  if (!o.flag("do_sample") && o.integer("prompt_words") == 0 && o.integer("texts") > 1)
    user_error("generate: {} texts behind the same prompt, without samples, are one text; expected texts = 1, prompt_words or do_sample",
               o.integer("texts"));
  if (!request.task && request.solution) request.task = request.solution->task;
  if (!request.task && o.integer("prompt_words") > 0)
    user_error("generate: prompt_words is {}, but there are no rows; expected a 'task' beside the model", o.integer("prompt_words"));
  if (o.integer("prompt_words") > 0) request.task->require(o.text("split"));
  return request;
}

StageKey GenerateRequest::key() const {
  json inputs = options.json();
  inputs.update({{"solution", identity(solution)}, {"model", identity(model)}, {"task", json()}});
  if (options.integer("prompt_words") > 0) inputs["task"] = identity(task);
  if (options.integer("prompt_words") == 0) inputs.erase("split");
  return {"generation", {{"options", inputs}}};
}

/// The model with the weights that write, on the device.
Model writer_of(Lab& lab, const GenerateRequest& request) {
  Model model;
  if (request.solution) {
    model = initial_task_model(lab, request.solution->task, InitialWeights::of(*request.solution)).model;
    model.weights = weights_with_solution(lab, *request.solution, request.options.text("which"), model);
  } else {
    model = model_of(*request.model, {HeadKind::causal_lm, 0}, Key::root(0));
    if (!model.initialised.empty())
      user_error("generate: the model lacks {}, without which its texts would be chance", model.initialised.front());
    attach_deltas(lab.plugins(), request.model->deltas, model, Key::root(0));
  }
  if (model.family->head().kind != HeadKind::causal_lm)
    user_error("generate: found a model with a {} head, expected a causal language model", name_of(model.family->head().kind));
  for (const std::string& name : model.weights.names()) model.weights.set(name, model.weights.at(name).to(lab.settings().device));
  return model;
}

/// The first `count` words of a text.
std::string first_words(const std::string& text, int64_t count) {
  const auto words = split_words(text);
  if (static_cast<int64_t>(words.size()) <= count) return text;
  const std::string_view last = words[static_cast<size_t>(count) - 1];
  return std::string(words.front().data(), last.data() + last.size());
}

Prompts prompts_for(const GenerateRequest& request, const Model& model) {
  const Tokenizer& tokenizer = *model.tokenizer;
  const int64_t words = request.options.integer("prompt_words");
  auto begin = tokenizer.special_id(SpecialToken::begin);
  if (!begin) begin = tokenizer.special_id(SpecialToken::end);
  std::vector<std::string> beginnings = {""};
  if (words > 0) {
    beginnings.clear();
    const Task task = task_of(*request.task);
    for (const Example& example : task.split(request.options.text("split")).examples)
      beginnings.push_back(first_words(example.first, words));
  }
  Prompts prompts;
  for (int64_t text = 0; text < request.options.integer("texts"); ++text) {
    prompts.push_back(prompt_ids(tokenizer, beginnings[static_cast<size_t>(text) % beginnings.size()], ModelKind::causal, begin));
    require_known_ids(tokenizer, prompts.back(), model.family->config().at("vocab_size").get<int64_t>(), "generate: a prompt");
  }
  return prompts;
}

GenerateOptions writing_of(const GenerateRequest& request, const Model& model) {
  json given = {{"do_sample", false}};
  for (const char* name : {"max_new_tokens", "min_new_tokens", "num_beams"}) given[name] = request.options.value(name);
  GenerateOptions options = generate_options(model.generation, *model.tokenizer, given, request.options.integer("max_new_tokens"));
  options.sampling = sampling_of(request.options, Key::root(static_cast<uint64_t>(request.options.integer("seed"))).split("generate"));
  return options;
}

std::vector<Generated> written(Lab& lab, const Model& model, const Prompts& prompts, GenerateOptions options) {
  constexpr size_t kBatch = 64;
  std::vector<Generated> texts;
  const std::optional<Sampling> sampling = options.sampling;
  for (size_t first = 0; first < prompts.size(); first += kBatch) {
    check_interrupt();
    const Prompts batch(prompts.begin() + static_cast<std::ptrdiff_t>(first),
                        prompts.begin() + static_cast<std::ptrdiff_t>(std::min(prompts.size(), first + kBatch)));
    if (sampling) options.sampling->key = sampling->key.split(first);
    for (Generated& text : generate(*model.family, model.weights, batch, options, lab.settings().device)) texts.push_back(std::move(text));
  }
  return texts;
}

/// Summary of texts; a plan has the same fields.
struct GenerationSummary {
  std::vector<Sequence> sequences;  ///< of words or tokens
  std::vector<std::string> samples;
  int64_t ended = 0;  ///< texts with an end token

  json to_json(const Options& o) const {
    const auto over = o.text("distinct_over") == "tokens" ? DistinctOver::tokens : DistinctOver::ngrams;
    int64_t units = 0;
    for (const Sequence& sequence : sequences) units += static_cast<int64_t>(sequence.size());
    const double texts = std::max<double>(1, static_cast<double>(sequences.size()));
    return {{"distinct_1", distinct(sequences, 1, over)},
            {"distinct_2", distinct(sequences, 2, over)},
            {"distinct_3", distinct(sequences, 3, over)},
            {"repetition", repetition(sequences, o.integer("repetition_n"))},
            {"mean_length", static_cast<double>(units) / texts},
            {"ended", static_cast<double>(ended) / texts},
            {"samples", samples}};
  }
};

/// A text without its end token. Other special tokens in it (<unk>) are words.
struct Text {
  std::vector<int64_t> ids;
  std::string text;

  Text(const Tokenizer& tokenizer, Generated generated) : ids(std::move(generated.ids)) {
    if (generated.ended) ids.pop_back();
    text = tokenizer.decode(ids, /*skip_special_tokens=*/false);
  }
  Sequence units(const std::string& kind) const {
    Sequence units;
    if (kind == "tokens")
      for (const int64_t id : ids) units.push_back(std::to_string(id));
    else
      for (const std::string_view word : split_words(text)) units.emplace_back(word);
    return units;
  }
};

json generate_into(Lab& lab, const GenerateRequest& request, const std::filesystem::path& out) {
  constexpr size_t kSamples = 4;
  const Model model = writer_of(lab, request);
  const Tokenizer& tokenizer = *model.tokenizer;
  const Prompts prompts = prompts_for(request, model);
  GenerationSummary summary;
  std::string lines;
  for (Generated& generated : written(lab, model, prompts, writing_of(request, model))) {
    const bool ended = generated.ended;
    const Text text(tokenizer, std::move(generated));
    lines +=
        json{{"prompt", tokenizer.decode(prompts[summary.sequences.size()], true)}, {"text", text.text}, {"ended", ended}}.dump() + "\n";
    summary.sequences.push_back(text.units(request.options.text("units")));
    summary.ended += ended;
    if (summary.samples.size() < kSamples) summary.samples.push_back(text.text);
  }
  write_durable(out / "texts.jsonl", lines);
  return summary.to_json(request.options);
}

json run_generate(Lab& lab, const Options& o) {
  const GenerateRequest request = GenerateRequest::from(o);
  return lab.stage(request.key(), lab.title_of(fmt::format("generate {} texts", o.integer("texts")), o.integer("seed")),
                   GenerationSummary().to_json(o), [&](const auto& out, const auto&) { return generate_into(lab, request, out); });
}

}  // namespace

}  // namespace experiment

std::vector<Operation> generation_operations() {
  return {{.name = "generate",
           .doc =
               "Texts of a causal language model, sampled under a seed, and their diversity: distinct_1, distinct_2, distinct_3 (Li et al. "
               "2016) and repetition (the share of a text's n-grams that it had before, Welleck et al. 2020). Texts are without their "
               "prompts; texts.jsonl has them all, `samples` the first.",
           .options = experiment::generate_options_of_recipes(),
           .result = "generation",
           .run = experiment::run_generate,
           .named = true}};
}

}  // namespace tsrun
