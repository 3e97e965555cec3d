// Which delta method works on which family: the table of docs/models.md, cell by cell.
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/model/model.h"
#include "tsrun/plugin/host.h"
#include "tsrun/tune/merge.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace tsrun {
namespace {

using nlohmann::json;

const std::vector<std::string> families = {"bert",  "roberta", "electra", "distilbert", "gpt2",
                                           "llama", "mistral", "qwen2",   "t5",         "awd_lstm"};

/// A line of the table: a method, or one of its options that PEFT counts as a method.
struct MatrixLine {
  std::string name, method;
  json options;
  std::set<std::string> in_peft;  ///< ends of the parity test's cases
};

std::vector<MatrixLine> matrix_lines(const PluginHost& host) {
  const std::map<std::string, json> fitting = {// defaults that are too large for models as small as these
                                               {"boft", {{"boft_block_size", 2}}},
                                               {"fourierft", {{"n_frequency", 50}}},
                                               {"lora_xs", {{"r", 4}}},
                                               {"miss", {{"r", 4}}},
                                               {"vblora", {{"vector_length", 4}}}};
  std::vector<MatrixLine> lines = {{"lora with use_dora", "lora", {{"use_dora", true}}, {"dora"}}};
  for (const PluginInfo& plugin : host.plugins()) {
    if (plugin.kind != "delta") continue;
    const auto options = fitting.find(plugin.name);
    lines.push_back({plugin.name,
                     plugin.name,
                     options == fitting.end() ? json::object() : options->second,
                     {plugin.name == "layernorm" ? "ln_tuning" : plugin.name}});
  }
  return lines;
}

PackedBatch words(const Family& family) {
  PackedRows rows;
  rows.ids = {5, 9, 7, 3, 11, 6, 8, 4, 10};
  rows.segments.assign(rows.ids.size(), 0);
  rows.positions = {0, 1, 2, 3, 4, 0, 1, 2, 3};
  rows.offsets = {0, 5, 9};
  rows.row_numbers = {0, 1};
  if (family.head().kind == HeadKind::seq2seq_lm) rows.decoder_ids = {4, 6, 9, 8, 3}, rows.decoder_offsets = {0, 2, 5};
  PackedBatch batch = to_device(rows, {}, at::kCPU);
  batch.targets = family.head().kind == HeadKind::classification ? at::tensor({2, 0}, at::kLong)
                  : rows.decoder_ids.empty()                     ? batch.ids.clone()
                                                                 : at::tensor(rows.decoder_ids, at::kLong);
  return batch;
}

HeadSpec head_for(const std::string& family) {
  static const std::set<std::string> causal = {"gpt2", "llama", "mistral", "qwen2", "awd_lstm"};
  return family == "t5"            ? HeadSpec{HeadKind::seq2seq_lm, 0}
         : causal.contains(family) ? HeadSpec{HeadKind::causal_lm, 0}
                                   : HeadSpec{HeadKind::classification, 3};
}

/// Starts as the model where it says so, and the gradient reaches everything that it trains.
void expect_it_works(const std::shared_ptr<const Family>& base, const Weights& origin, const std::shared_ptr<const Delta>& delta) {
  const auto family = adapt(base, {delta});
  Weights weights = origin;
  add_initial_values({delta}, weights, Key::root(3));
  const PackedBatch batch = words(*base);
  if (delta->starts_as_identity()) {
    const c10::NoGradGuard guard;
    const at::Tensor before = base->forward(origin, batch, {}).logits, after = family->forward(weights, batch, {}).logits;
    EXPECT_LT((after - before).abs().max().item<double>(), 1e-5 * std::max(1.0, before.abs().max().item<double>()));
  }
  std::vector<std::string> trained = delta->trained_parameters();
  for (const DeltaTensor& tensor : delta->tensors()) trained.push_back(tensor.name);
  for (const std::string& name : trained) {
    at::Tensor value = weights.at(name).clone();
    at::Tensor noise = at::empty(value.sizes());
    fill_normal(Key::root(4).split(name), {noise.mutable_data_ptr<float>(), static_cast<size_t>(noise.numel())}, 0, 0, 0.2F);
    weights.set(name, (value + noise).requires_grad_());
  }
  task_loss(family->head(), family->forward(weights, batch, {}), batch).backward();
  for (const std::string& name : trained) {
    ASSERT_TRUE(weights.at(name).grad().defined()) << name;
    EXPECT_TRUE(weights.at(name).grad().isfinite().all().item<bool>()) << name;
  }
}

/// With room for a prompt of the usual length.
const Model& small_model(const std::string& family) {
  static std::map<std::string, Model> all;
  if (const auto known = all.find(family); known != all.end()) return known->second;
  json config = read_json(std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens" / (family + "_tiny") / "config.json");
  for (const char* places : {"max_position_embeddings", "n_positions"})
    if (config.contains(places)) config[places] = std::max(config[places].get<int>(), 64);
  return all.emplace(family, initialise_model(config, head_for(family), nullptr, Key::root(2))).first->second;
}

/// "–" where the method refuses the family, "PEFT" where its values are held to PEFT's too.
std::string cell(const PluginHost& host, const MatrixLine& line, const std::string& family, const std::set<std::string>& parity) {
  SCOPED_TRACE(line.name + " on " + family);
  const Model& model = small_model(family);
  const DeltaMethod& method = host.delta(line.method);
  std::shared_ptr<const Delta> delta;
  try {
    delta = method.attach(*model.family, method.options().resolve(line.options, line.name));
  } catch (const Error& refusal) {
    EXPECT_EQ(refusal.kind(), ErrorKind::user) << refusal.what();
    return "–";
  }
  expect_it_works(model.family, model.weights, delta);
  for (const std::string& end : line.in_peft)
    if (parity.contains(family + "_" + end)) return "PEFT";
  return "✓";
}

/// The cases of delta_parity_test.cpp, which is part of this program.
std::set<std::string> parity_cases() {
  std::set<std::string> cases;
  const auto& all = *::testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const auto& suite = *all.GetTestSuite(s);
    for (int t = 0; std::string(suite.name()) == "Cases/PeftCase" && t < suite.total_test_count(); ++t) {
      const std::string name = suite.GetTestInfo(t)->name();
      cases.insert(name.substr(name.find('/') + 1));
    }
  }
  return cases;
}

/// Libraries with LibTorch in them are never unloaded.
const PluginHost& built_in() {
  static const auto* host = [] {
    auto* fresh = new PluginHost();
    fresh->load({std::filesystem::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"});
    return fresh;
  }();
  return *host;
}

using Deltas = std::vector<std::shared_ptr<const Delta>>;

/// Noise on all tensors of the deltas, so that none is the identity.
Weights noisy(const Weights& origin, const Deltas& deltas) {
  Weights weights = origin;
  add_initial_values(deltas, weights, Key::root(3));
  for (const auto& delta : deltas)
    for (const DeltaTensor& tensor : delta->tensors()) {
      at::Tensor noise = at::empty(tensor.shape);
      fill_normal(Key::root(4).split(tensor.name), {noise.mutable_data_ptr<float>(), static_cast<size_t>(noise.numel())}, 0, 0, 0.2F);
      weights.set(tensor.name, weights.at(tensor.name) + noise);
    }
  return weights;
}

void expect_both_get_gradients(const Family& family, Weights weights, const Deltas& deltas) {
  for (const ParameterInfo& info : family.parameters()) weights.set(info.name, weights.at(info.name).detach().clone().requires_grad_());
  const PackedBatch batch = words(family);
  task_loss(family.head(), family.forward(weights, batch, {}), batch).backward();
  for (const auto& delta : deltas)
    for (const DeltaTensor& tensor : delta->tensors()) {
      const at::Tensor& gradient = weights.at(tensor.name).grad();
      EXPECT_TRUE(gradient.defined() && gradient.norm().item<double>() > 0) << tensor.name;
    }
}

/// Whether `adapt` takes the two in this order; then they are what they are when merged one behind the other.
bool fit_together(const Model& model, const Deltas& deltas) {
  std::shared_ptr<const Family> family;
  try {
    family = adapt(model.family, deltas);
  } catch (const Error& refusal) {
    EXPECT_NE(std::string(refusal.what()).find("attach the second one first"), std::string::npos) << refusal.what();
    return false;
  }
  const Weights weights = noisy(model.weights, deltas);
  expect_both_get_gradients(*family, weights, deltas);
  const c10::NoGradGuard guard;
  const PackedBatch batch = words(*model.family);
  const at::Tensor adapted = family->forward(weights, batch, {}).logits,
                   merged = model.family->forward(Merged(deltas, weights).weights(), batch, {}).logits;
  EXPECT_LT((adapted - merged).abs().max().item<double>(), 1e-4 * std::max(1.0, merged.abs().max().item<double>()));
  return true;
}

TEST(TwoDeltas, OnOneModuleAreTheirMerge_OrAreRefused) {
  set_threads(1);
  const std::vector<std::pair<std::string, json>> methods = {{"loha", json::object()},
                                                             {"lokr", json::object()},
                                                             {"loha", {{"rank_dropout", 0.5}}},
                                                             {"oft", json::object()},
                                                             {"boft", {{"boft_block_size", 2}}},
                                                             {"hra", json::object()},
                                                             {"miss", {{"r", 4}}},
                                                             {"miss", {{"r", 4}, {"init_weights", "bat"}}},
                                                             {"ia3", {{"feedforward_modules", json::array()}}},
                                                             {"ia3", {{"feedforward_modules", {"query"}}}},
                                                             {"lora", json::object()},
                                                             {"lora", {{"init_lora_weights", "pissa"}}},
                                                             {"lora", {{"use_dora", true}}},
                                                             {"lora", {{"use_dora", true}, {"lora_dropout", 0.5}}}};
  const Model& model = small_model("bert");
  const auto made = [&](size_t i) {
    json options = methods[i].second;
    options["target_modules"] = {"query"};
    const DeltaMethod& method = built_in().delta(methods[i].first);
    return std::shared_ptr<const Delta>(method.attach(*model.family, method.options().resolve(options, methods[i].first)));
  };
  for (size_t i = 0; i < methods.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      if (methods[i].first == methods[j].first) continue;
      SCOPED_TRACE(methods[i].first + methods[i].second.dump() + " and " + methods[j].first + methods[j].second.dump());
      const bool one = fit_together(model, {made(i), made(j)}), other = fit_together(model, {made(j), made(i)});
      const auto reads_in_a_hook = [&](size_t k) { return methods[k].first == "hra" || methods[k].second.contains("lora_dropout"); };
      EXPECT_EQ(one || other, !(reads_in_a_hook(i) && reads_in_a_hook(j)));
    }
}

TEST(DeltaMatrix, OfTheDocsSaysWhatTheTestsShow) {
  set_threads(1);  // the models are too small to share out
  const PluginHost& host = built_in();
  const auto parity = parity_cases();
  ASSERT_FALSE(parity.empty());
  const std::string docs = read_text(std::filesystem::path(TSRUN_SOURCE_DIR) / "docs/models.md");
  for (const MatrixLine& line : matrix_lines(host)) {
    std::string expected = "| `" + line.name + "` |";
    for (const std::string& family : families) expected += " " + cell(host, line, family, parity) + " |";
    EXPECT_NE(docs.find("\n" + expected + "\n"), std::string::npos) << "docs/models.md should say\n" << expected;
  }
}

}  // namespace
}  // namespace tsrun
