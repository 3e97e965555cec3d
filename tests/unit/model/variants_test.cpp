// Values of transformers for fields of config.json that the tiny models leave at their defaults (tests/goldens/make_variants.py).
#include "parity.h"
#include "tsrun/model/generate.h"

namespace tsrun {
namespace {

using Rows = std::vector<std::vector<int64_t>>;

std::filesystem::path variants_file(const std::string& ending) {
  return std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens" / ("variants." + ending);
}

const nlohmann::json& variant_cases() {
  static const nlohmann::json all = read_json(variants_file("json")).at("cases");
  return all;
}

HeadSpec head_named(const std::string& name) {
  if (name == "classification") return {HeadKind::classification, 3};
  return {name == "masked_lm" ? HeadKind::masked_lm : name == "causal_lm" ? HeadKind::causal_lm : HeadKind::seq2seq_lm, 0};
}

/// A tiny model under other fields.
struct Variant {
  explicit Variant(const nlohmann::json& given)
      : name(given.at("name")),
        head(given.at("head")),
        tiny(given.at("model").get<std::string>()),
        goldens(SafetensorsFile::open(variants_file("safetensors"))) {
    nlohmann::json config = tiny.config;
    for (const auto& [field, value] : given.at("fields").items()) config[field] = value;
    family = make_family(config, head_named(head), "config.json");
    const Weights loaded = load_weights(tiny.folder / "model.safetensors", *family);
    for (const ParameterInfo& parameter : family->parameters())
      weights.set(parameter.name, values(parameter.name, loaded).requires_grad_());
  }

  at::Tensor values(const std::string& parameter, const Weights& loaded) const {
    if (has(".weight." + parameter)) return golden(".weight." + parameter);
    return tiny.find(head + "." + parameter) ? tiny.golden(head + "." + parameter) : loaded.at(parameter).clone();
  }
  bool has(const std::string& what) const { return goldens.find(name + what) != nullptr; }
  at::Tensor golden(const std::string& what) const { return as_tensor(*goldens.find(name + what)).clone(); }

  std::string name, head;
  Parity tiny;
  SafetensorsFile goldens;
  std::unique_ptr<Family> family;
  Weights weights;
};

class EveryVariant : public ::testing::TestWithParam<size_t> {
 protected:
  const nlohmann::json& given = variant_cases()[GetParam()];
};
const auto name_of_variant = [](const auto& info) { return variant_cases()[info.param].at("name").template get<std::string>(); };

void expect_values(const Variant& variant, const ForwardOptions& options) {
  const PackedBatch data = variant.tiny.batch(variant.head);
  const Output output = variant.family->forward(variant.weights, data, options);
  const at::Tensor loss = task_loss(variant.family->head(), output, data), expected = variant.golden(".logits");
  EXPECT_LT(largest_difference(output.logits.detach().narrow(1, 0, expected.size(1)), expected), 1e-4);
  EXPECT_NEAR(loss.item<double>(), variant.golden(".loss").item<double>(), 1e-5);
  loss.backward();
  size_t checked = 0;
  for (const std::string& name : variant.weights.names()) {
    if (!variant.has(".grad." + name)) continue;
    ++checked;
    EXPECT_LT(relative_difference(variant.weights.at(name).grad(), variant.golden(".grad." + name)), 1e-3) << name;
  }
  EXPECT_GE(checked, 1U);
}

TEST_P(EveryVariant, GivesTheLogitsAndGradientsOfTransformers) { expect_values(Variant(given), {}); }

TEST_P(EveryVariant, GivesTheSameGradientsWithGradientCheckpointing) {
  ForwardOptions options;
  options.gradient_checkpointing = true;
  expect_values(Variant(given), options);
}

TEST_P(EveryVariant, WritesWhatTransformersWrites) {
  if (!given.contains("generation")) return;
  const Variant variant(given);
  for (const nlohmann::json& golden : given.at("generation")) {
    const nlohmann::json& wanted = golden.at("options");
    GenerateOptions options;
    options.max_new_tokens = wanted.at("max_new_tokens");
    options.num_beams = wanted.at("num_beams");
    if (!wanted.at("eos_token_id").is_null()) options.end_ids = {wanted.at("eos_token_id").get<int64_t>()};
    const auto prompts = golden.at("prompts").get<Rows>(), outputs = golden.at("outputs").get<Rows>();
    const auto texts = generate(*variant.family, variant.weights, prompts, options, at::kCPU);
    for (size_t row = 0; row < prompts.size(); ++row) {
      EXPECT_EQ(texts[row].ids, outputs[row]) << "prompt " << row << ", " << options.num_beams << " beams";
      EXPECT_NEAR(texts[row].score, options.num_beams > 1 ? golden.at("scores")[row].get<double>() : 0.0, 2e-5);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, EveryVariant, ::testing::Range(size_t{0}, variant_cases().size()), name_of_variant);

/// Rows of another length in the batch change nothing, although a row's length decides how it turns.
TEST(DynamicRotation, GivesARowTheSameLogitsAloneAndAmongOthers) {
  for (const nlohmann::json& given : variant_cases()) {
    if (given.at("name") != "dynamic") continue;
    const Variant variant(given);
    const PackedBatch all = variant.tiny.batch("causal_lm");
    PackedBatch one = all;
    const int64_t begin = all.host_offsets[1], length = all.host_offsets[2] - begin;
    for (at::Tensor* x : {&one.ids, &one.segments, &one.positions, &one.targets}) *x = x->narrow(0, begin, length);
    one.host_offsets = {0, length};
    one.offsets = at::tensor(one.host_offsets, at::kLong);
    const c10::NoGradGuard guard;
    one.targets = at::Tensor();
    PackedBatch whole = all;
    whole.targets = at::Tensor();
    const at::Tensor together = variant.family->forward(variant.weights, whole, {}).logits.narrow(0, begin, length);
    EXPECT_LT(largest_difference(variant.family->forward(variant.weights, one, {}).logits, together), 1e-5);
  }
}

}  // namespace
}  // namespace tsrun
