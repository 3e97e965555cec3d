// What transformers generates (tests/goldens/make_generation.py), and how a cache behaves.
#include "tsrun/model/generate.h"
#include "model/sampling.h"
#include "parity.h"
#include "tsrun/base/error.h"

#include <ATen/ops/tensor.h>

namespace tsrun::model {
namespace {

struct Loaded {
  explicit Loaded(const std::string& name) {
    const auto folder = std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens" / name;
    const HeadKind head = name.starts_with("t5") ? HeadKind::seq2seq_lm : HeadKind::causal_lm;
    family = make_family(read_json(folder / "config.json"), {head, 0}, "config.json");
    weights = load_weights(folder / "model.safetensors", *family);
  }
  std::vector<Generated> write(const std::vector<std::vector<int64_t>>& prompts, const GenerateOptions& options) const {
    return generate(*family, weights, prompts, options, at::kCPU);
  }
  std::unique_ptr<Family> family;
  Weights weights;
};

using Prompts = std::vector<std::vector<int64_t>>;

class EveryWriter : public ::testing::TestWithParam<const char*> {
 protected:
  static const nlohmann::json& cases() {
    static const nlohmann::json all = read_json(std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/generation.json").at("cases");
    return all;
  }
  Loaded model{GetParam()};
};

GenerateOptions options_of(const nlohmann::json& given) {
  GenerateOptions options;
  options.max_new_tokens = given.at("max_new_tokens").get<int64_t>();
  options.num_beams = given.at("num_beams").get<int64_t>();
  options.length_penalty = given.value("length_penalty", 1.0);
  options.early_stopping = given.value("early_stopping", false);
  if (!given.at("eos_token_id").is_null()) options.end_ids = {given.at("eos_token_id").get<int64_t>()};
  return options;
}

void expect_case(const Loaded& model, const nlohmann::json& golden, bool one_by_one) {
  const GenerateOptions options = options_of(golden.at("options"));
  const auto prompts = golden.at("prompts").get<Prompts>(), outputs = golden.at("outputs").get<Prompts>();
  std::vector<Generated> texts;
  if (!one_by_one) texts = model.write(prompts, options);
  for (size_t row = 0; one_by_one && row < prompts.size(); ++row) texts.push_back(model.write({prompts[row]}, options)[0]);
  for (size_t row = 0; row < prompts.size(); ++row) {
    EXPECT_EQ(texts[row].ids, outputs[row]) << golden.at("options").dump() << " prompt " << row;
    const bool ended = !options.end_ids.empty() && outputs[row].back() == options.end_ids[0];
    EXPECT_EQ(texts[row].ended, ended) << golden.at("options").dump() << " prompt " << row;
    const double score = options.num_beams > 1 ? golden.at("scores")[row].get<double>() : 0;
    EXPECT_NEAR(texts[row].score, score, 2e-5);
  }
}

TEST_P(EveryWriter, WritesWhatTransformersWrites) {
  size_t checked = 0;
  for (const auto& golden : cases()) {
    if (golden.at("model") != GetParam()) continue;
    expect_case(model, golden, /*one_by_one=*/false);
    expect_case(model, golden, /*one_by_one=*/true);
    ++checked;
  }
  EXPECT_GE(checked, 10U);
}

TEST_P(EveryWriter, StopsWhenToldTo) {
  GenerateOptions options;
  options.max_new_tokens = 8;
  const auto whole = model.write({{5, 9, 11}}, options)[0];
  ASSERT_EQ(whole.ids.size(), 8U);
  EXPECT_FALSE(whole.ended);
  options.stop = [](std::span<const int64_t> written) { return written.size() == 3; };
  const auto part = model.write({{5, 9, 11}}, options)[0];
  EXPECT_EQ(part.ids, std::vector<int64_t>(whole.ids.begin(), whole.ids.begin() + 3));
  EXPECT_TRUE(part.ended);
}

TEST_P(EveryWriter, RefusesAnEmptyPrompt) { EXPECT_THROW(model.write({{5}, {}}, {}), Error); }

TEST_P(EveryWriter, WritesNothingForNoPrompts) { EXPECT_TRUE(model.write({}, {}).empty()); }

TEST_P(EveryWriter, ReadsAPrefixOnceAndKeepsIt) {
  at::manual_seed(5);
  const int64_t width = model.family->model_type() == "t5" ? 24 : model.family->model_type() == "gpt2" ? 24 : 12;
  std::vector<std::pair<at::Tensor, at::Tensor>> prefixes;
  for (int layer = 0; layer < model.family->layers(); ++layer) prefixes.emplace_back(at::randn({3, width}), at::randn({3, width}));
  GenerateOptions options;
  options.max_new_tokens = 6;
  options.forward.attention_prefix.push_back([&](int layer) { return KeyValuePrefix(prefixes[static_cast<size_t>(layer)]); });
  const Prompts prompts = {{5, 9, 11}, {7}};
  const auto texts = model.write(prompts, options);
  // The same words without a cache: every one from the whole text before it.
  const c10::NoGradGuard guard;
  for (size_t row = 0; row < prompts.size(); ++row) {
    std::vector<int64_t> ids = prompts[row], decoder = {model.family->decoder_start()};
    const bool two_stacks = model.family->model_kind() == ModelKind::encoder_decoder;
    for (const int64_t word : texts[row].ids) {
      PackedRows rows;
      rows.ids = ids;
      rows.segments.assign(ids.size(), 0);
      for (size_t i = 0; i < ids.size(); ++i) rows.positions.push_back(static_cast<int64_t>(i));
      rows.offsets = {0, static_cast<int64_t>(ids.size())};
      if (two_stacks) {
        rows.decoder_ids = decoder;
        rows.decoder_offsets = {0, static_cast<int64_t>(decoder.size())};
      }
      const auto logits = model.family->forward(model.weights, to_device(rows, {}, at::kCPU), options.forward).logits;
      EXPECT_EQ(logits[-1].argmax().item<int64_t>(), word);
      (two_stacks ? decoder : ids).push_back(word);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EveryWriter, ::testing::Values("gpt2_tiny", "llama_tiny", "t5_tiny", "t5_gated_tiny"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Generate, StopsAtTheLastPosition_CausalModel) {
  const Loaded model("gpt2_tiny");
  GenerateOptions options;
  options.max_new_tokens = 100;
  EXPECT_EQ(model.write({{5, 9, 11}}, options)[0].ids.size(), 24U - 3U);
  options.num_beams = 2;
  EXPECT_EQ(model.write({{5, 9, 11}}, options)[0].ids.size(), 24U - 3U);
  EXPECT_THROW(model.write({std::vector<int64_t>(24, 5)}, options), Error);
}

/// Shares of each token among `count` samples.
std::vector<double> shares_of(std::span<const float> scores, const Sampling& sampling, uint64_t count = 20000) {
  std::vector<double> shares(scores.size());
  for (uint64_t i = 0; i < count; ++i)
    shares[static_cast<size_t>(sampled_token(scores, sampling, Key::root(3).split(i)))] += 1 / static_cast<double>(count);
  return shares;
}

void expect_shares(const std::vector<double>& found, const std::vector<double>& expected) {
  for (size_t id = 0; id < expected.size(); ++id) EXPECT_NEAR(found[id], expected[id], 0.02) << id;
}

// Probabilities 0.1, 0.5, 0.4; squared and scaled under a temperature of a half: 1, 25, 16 of 42.
TEST(SampledToken, FollowsTheProbabilities_CutToTheLikeliestTokens) {
  const std::vector<float> scores = {std::log(0.1F), std::log(0.5F), std::log(0.4F)};
  expect_shares(shares_of(scores, {}), {0.1, 0.5, 0.4});
  expect_shares(shares_of(scores, {.temperature = 0.5}), {1.0 / 42, 25.0 / 42, 16.0 / 42});
  expect_shares(shares_of(scores, {.top_k = 2}), {0, 5.0 / 9, 4.0 / 9});
  expect_shares(shares_of(scores, {.top_k = 1}), {0, 1, 0});
  expect_shares(shares_of(scores, {.top_p = 0.45}), {0, 1, 0});
  expect_shares(shares_of(scores, {.top_p = 0.85}), {0, 5.0 / 9, 4.0 / 9});
}

TEST(SampledToken, IsTheSame_UnderTheSameKey) {
  const std::vector<float> scores(1000, 0.5F);
  EXPECT_EQ(sampled_token(scores, {}, Key::root(4)), sampled_token(scores, {}, Key::root(4)));
  EXPECT_NE(sampled_token(scores, {}, Key::root(4)), sampled_token(scores, {}, Key::root(5)));
}

TEST(SampledText, DependsOnItsSeedAndItsNumber_AndNotOnItsNeighbours) {
  const Loaded model("gpt2_tiny");
  const auto written = [&](const Prompts& prompts, uint64_t seed) {
    GenerateOptions options;
    options.max_new_tokens = 8;
    options.sampling = {.key = Key::root(seed), .temperature = 2};
    Prompts texts;
    for (const Generated& text : model.write(prompts, options)) texts.push_back(text.ids);
    return texts;
  };
  const Prompts both = written({{3, 4}, {3, 4}}, 1);
  EXPECT_NE(both[0], both[1]);
  EXPECT_EQ(written({{3, 4}, {3, 4}}, 1), both);
  EXPECT_EQ(written({{3, 4}}, 1)[0], both[0]);
  EXPECT_EQ(written({{3, 4}, {5}}, 1)[0], both[0]);
  EXPECT_NE(written({{3, 4}}, 2)[0], both[0]);
}

TEST(SampledText, IsTheLikeliest_AmongOneToken) {
  const Loaded model("gpt2_tiny");
  GenerateOptions options;
  options.max_new_tokens = 6;
  const auto greedy = model.write({{3, 4}}, options)[0].ids;
  options.sampling = {.top_k = 1};
  EXPECT_EQ(model.write({{3, 4}}, options)[0].ids, greedy);
}

TEST(SampledText, RefusesSettingsOutOfRange_AndBeams) {
  const Loaded model("gpt2_tiny");
  const auto refused = [&](const Sampling& sampling, int64_t beams = 1) {
    GenerateOptions options;
    options.num_beams = beams;
    options.sampling = sampling;
    EXPECT_THROW(model.write({{3}}, options), Error);
  };
  refused({.temperature = 0});
  refused({.top_k = -1});
  refused({.top_p = 0});
  refused({}, 2);
}

}  // namespace
}  // namespace tsrun::model
