// Which selector and which regulariser works on which kind of model: the table of docs/models.md, cell by cell.
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/plugin/host.h"
#include "tsrun/train/probe.h"
#include "unit/train/kinds.h"

#include <gtest/gtest.h>

#include <map>

namespace tsrun {
namespace {

using nlohmann::json;

/// Options that a method cannot do without, or with which so short a training shows it at work.
const std::map<std::string, json>& needed_options() {
  static const std::map<std::string, json> all = {
      {"last_layers", {{"layers", 1}}},
      {"fisher_layers", {{"layers", 1}, {"rows", 16}}},
      {"cka_layers", {{"layers", 1}, {"rows", 16}}},
      {"dps", {{"stage_steps", 1}}},
      {"lisa", {{"layers", 1}, {"every", 1}}},
      {"salf", {{"rows", 16}, {"guard", "last"}}},
      {"layer_by_layer", {{"every", 1}}},
      {"losia", {{"period", 1}}},
      {"recadam", {{"gamma", 10}}},
      {"lift", {{"filter_rank", 2}, {"lora_rank", 1}}},
      {"half_fine_tuning", json::object()},
      {"autofreeze", {{"intervals", 8}, {"percentile", 100}}},
      {"spectrum", {{"share", 0.5}}},
      {"ila", {{"rows", 16}, {"frozen_share", 0.5}}},
      {"child_tuning", {{"variant", "d"}}},
      {"laplacian", {{"neighbours", 3}}},
      {"spectrum_control", {{"of", "matrix"}}},
      {"galore", {{"rank", 2}, {"update_proj_gap", 3}}},
      {"apollo", {{"rank", 2}, {"update_proj_gap", 3}}},
  };
  return all;
}

/// One kind of model on a task of its own.
struct StepColumn {
  std::string name;
  toy::TaskModel subject;
};

std::vector<std::unique_ptr<StepColumn>> step_columns() {
  std::vector<std::unique_ptr<StepColumn>> all;
  const auto add = [&](const char* name, toy::TaskModel subject) {
    all.push_back(std::unique_ptr<StepColumn>(new StepColumn{name, std::move(subject)}));
  };
  add("encoder, classes", toy::with_bert(toy::sentiment()));
  add("encoder, a number", toy::with_bert(toy::degrees()));
  add("decoder, classes", toy::with_gpt2(toy::sentiment()));
  add("decoder, text", toy::with_gpt2(toy::documents()));
  add("encoder-decoder, words", toy::with_t5(toy::sentiment_in_words()));
  return all;
}

Options options_of(const std::string& name, const OptionTable& table) {
  const auto needed = needed_options().find(name);
  return table.resolve(needed == needed_options().end() ? json::object() : needed->second, name);
}

/// What a selector chooses before any training; nothing for one that works on a schedule.
std::optional<Scope> chosen_scope(const SelectorMethod& method, const Options& options, const TrainJob& job) {
  const auto probe = make_probe(*job.model, *job.task, job.options, Key::root(4), at::kCPU);
  Weights tuned = job.model->weights;
  for (const std::string& name : tuned.names()) tuned.set(name, tuned.at(name) + 0.01);
  MethodInputs inputs{*job.model->family, job.model->weights, Key::root(4), 0, 0, probe.get()};
  inputs.solution = &tuned;
  const auto choice = method.choose(inputs, options);
  return choice ? std::optional(choice->scope) : std::nullopt;
}

void add_method(const PluginHost& host, const PluginInfo& plugin, TrainJob& job) {
  if (plugin.kind == "regularizer") {
    const RegularizerMethod& method = host.regularizer(plugin.name);
    const Options options = options_of(plugin.name, method.options());
    job.plugins.push_back({plugin.name, {}, method.wants(options), {}, [&method, options](const MethodInputs& inputs) {
                             return method.make(inputs, options);
                           }});
    return;
  }
  const SelectorMethod& method = host.selector(plugin.name);
  const Options options = options_of(plugin.name, method.options());
  if (const auto scope = chosen_scope(method, options, job)) {
    job.tune.scope = *scope;
    return;
  }
  job.plugins.push_back({plugin.name,
                         {},
                         method.wants(options),
                         [&method, options](const MethodInputs& inputs) { return method.make(inputs, options); },
                         {}});
}

/// "–" where the method refuses the model.
std::string cell(const PluginHost& host, const PluginInfo& plugin, const StepColumn& column) {
  SCOPED_TRACE(plugin.name + " on " + column.name);
  const toy::Scratch scratch;
  try {
    TrainJob job = toy::job(column.subject.model, column.subject.task, {{"max_steps", 8}, {"batch_size", 16}}, scratch.path());
    add_method(host, plugin, job);
    const TrainResult result = train(std::move(job));
    EXPECT_TRUE(std::isfinite(result.last.loss));
  } catch (const Error& refusal) {
    EXPECT_EQ(refusal.kind(), ErrorKind::user) << refusal.what();
    return "–";
  }
  return "✓";
}

TEST(StepMatrix, OfTheDocsSaysWhatTheTestsShow) {
  set_threads(1);                 // the models are too small to share out
  auto* host = new PluginHost();  // libraries with LibTorch in them are never unloaded
  host->load({std::filesystem::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"});
  const auto columns = step_columns();
  const std::string docs = read_text(std::filesystem::path(TSRUN_SOURCE_DIR) / "docs/models.md");
  for (const PluginInfo& plugin : host->plugins()) {
    if (plugin.kind != "selector" && plugin.kind != "regularizer") continue;
    std::string expected = "| `" + plugin.name + "` |";
    for (const auto& column : columns) expected += " " + cell(*host, plugin, *column) + " |";
    EXPECT_NE(docs.find("\n" + expected + "\n"), std::string::npos) << "docs/models.md should say\n" << expected;
  }
}

/// What a plugin of a library owns, it moves; the host stands between.
TEST(StepMatrix, HasMethodsThatUpdateParametersThemselves) {
  set_threads(1);
  auto* host = new PluginHost();
  host->load({std::filesystem::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"});
  const toy::TaskModel subject = toy::with_bert(toy::sentiment());
  const toy::Scratch scratch;
  TrainJob job = toy::job(subject.model, subject.task, {{"max_steps", 1}, {"batch_size", 8}}, scratch.path());
  const RegularizerMethod& galore = host->regularizer("galore");
  const Options options = galore.options().resolve({{"rank", 2}}, "galore");
  const auto owned = galore.wants(options).updated(*subject.model.family);
  job.plugins.push_back(
      {"galore", {}, galore.wants(options), {}, [&](const MethodInputs& inputs) { return galore.make(inputs, options); }});
  const TrainResult result = train(std::move(job));
  EXPECT_EQ(result.report.plugins.at(0).at("matrices"), owned.size());
  for (const std::string& name : owned) EXPECT_FALSE(at::equal(result.last_weights.at(name), subject.model.weights.at(name))) << name;
}

/// A recurrent model runs every method but those that docs/models.md names.
TEST(StepMatrix, OfTheDocsNamesWhatARecurrentModelRefuses) {
  set_threads(1);
  auto* host = new PluginHost();
  host->load({std::filesystem::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"});
  const StepColumn column{"recurrent, text", toy::with_awd_lstm(toy::documents())};
  std::string refused;
  for (const PluginInfo& plugin : host->plugins()) {
    if (plugin.kind != "selector" && plugin.kind != "regularizer") continue;
    if (cell(*host, plugin, column) == "–") refused += (refused.empty() ? "`" : ", `") + plugin.name + "`";
  }
  const std::string expected = "A recurrent model (`awd_lstm`) on text runs all of them but: " + (refused.empty() ? "none" : refused) + ".";
  const std::string docs = read_text(std::filesystem::path(TSRUN_SOURCE_DIR) / "docs/models.md");
  EXPECT_NE(docs.find("\n" + expected + "\n"), std::string::npos) << "docs/models.md should say\n" << expected;
}

}  // namespace
}  // namespace tsrun
