// Delta methods against PEFT (tests/goldens/make_deltas.py): the same weights give the same logits and gradients.
#include "support/golden_models.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/experiment/peft_config.h"
#include "tsrun/model/model.h"
#include "tsrun/plugin/host.h"
#include "tsrun/tune/merge.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace tsrun {
namespace {

/// The cases of the goldens: "bert_lora".
std::vector<std::string> parity_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(goldens() / "deltas"))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

const DeltaMethod& method_of_peft(const std::string& type) {
  for (const PluginInfo& plugin : built_plugins().plugins()) {
    if (plugin.kind != "delta") continue;
    const DeltaMethod& method = built_plugins().delta(plugin.name);
    if (const auto peft = method.peft_type(); peft && peft->name == type) return method;
  }
  throw std::runtime_error("no plugin has PEFT's " + type);
}

class PeftCase : public ::testing::TestWithParam<std::string> {
 protected:
  PeftCase() : name(GetParam()), file(SafetensorsFile::open(goldens() / "deltas" / (name + ".safetensors"))) {
    const Model tiny = golden_model(name.substr(0, name.find('_')));
    model = tiny.family;
    const auto peft = read_peft_config(goldens() / "deltas" / (name + ".json"));
    const bool as_lora = name.ends_with("_lora_xs");  // PEFT computes it as LoRA
    const DeltaMethod& method = as_lora ? built_plugins().delta("lora_xs") : method_of_peft(peft.at("peft_type"));
    nlohmann::json options =
        as_lora ? nlohmann::json{{"r", peft.at("r")}, {"alpha", peft.at("lora_alpha")}, {"target_modules", peft.at("target_modules")}}
                : method.options_from_peft(peft);
    if (name == "t5_prefix") options["stacks"] = "decoder";  // all that PEFT reaches
    if (name.ends_with("_projection")) options["prefix_projection"] = true, options["encoder_hidden_size"] = 8;
    delta = method.attach(*model, method.options().resolve(options, name));
    adapted = adapt(model, {delta});
    set_weights(tiny.weights);
  }

  at::Tensor golden(const std::string& key) const {
    const TensorInfo* info = file.find(key);
    if (!info) throw std::runtime_error(name + ": no golden " + key);
    return as_tensor(*info).clone();
  }

  /// PEFT's name for a parameter.
  std::string in_peft(const std::string& parameter) const {
    std::string peft = parameter;
    if (name.ends_with("ln_tuning")) peft.insert(peft.rfind('.'), ".ln_tuning_layers");
    if (peft.starts_with("decoder.prompt_embeddings")) peft = "prompt_embeddings";
    return peft;
  }

  /// PEFT gives decoder layer i of an encoder-decoder the slot 2i modulo the number of layers; here layer i has slot i.
  at::Tensor in_order(const at::Tensor& value) const {
    if (name != "t5_prefix") return value;
    const at::Tensor slots = value.view({value.size(0), 3, -1});
    return at::stack({slots.select(1, 0), slots.select(1, 2), slots.select(1, 1)}, 1).reshape(value.sizes());
  }

  void set_weights(const Weights& base) {
    for (const ParameterInfo& info : adapted->parameters()) {
      at::Tensor value;
      if (const TensorInfo* own = file.find("value." + in_peft(info.name))) {
        value = in_order(as_tensor(*own).clone());
        if (value.dim() == 2 && value.size(0) > info.shape[0])
          value = value.narrow(0, 0, info.shape[0]).clone();  // t5's prompt: twice as many
      } else {
        value = base.at(info.name).clone();
      }
      ASSERT_EQ(value.sizes().vec(), info.shape) << info.name;
      weights.set(info.name, value.requires_grad_());
    }
    const Weights made = delta->constant_values(base);
    for (const DeltaTensor& constant : delta->constants()) {
      const std::string key = "value." + constant.name;
      weights.set(constant.name, file.find(key) ? golden(key) : made.at(constant.name));
    }
  }

  PackedBatch batch() const {
    const auto integers = [&](const std::string& key) {
      const at::Tensor t = golden(key);
      return std::vector<int64_t>(t.const_data_ptr<int64_t>(), t.const_data_ptr<int64_t>() + t.numel());
    };
    PackedRows rows;
    rows.ids = integers("ids");
    rows.segments = integers("segments");
    rows.positions = integers("positions");
    rows.offsets = integers("offsets");
    if (file.find("decoder_ids")) {
      rows.decoder_ids = integers("decoder_ids");
      rows.decoder_offsets = integers("decoder_offsets");
    }
    PackedBatch packed = to_device(rows, {}, at::kCPU);
    packed.targets = golden("targets");
    return packed;
  }

  static double difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

  std::string name;
  SafetensorsFile file;
  std::shared_ptr<const Family> model;
  std::shared_ptr<const Delta> delta;
  std::unique_ptr<Family> adapted;
  Weights weights;
};

TEST_P(PeftCase, GivesTheLogitsAndGradientsOfPeft) {
  for (const bool checkpointing : {false, true}) {
    ForwardOptions options;
    options.gradient_checkpointing = checkpointing;
    const PackedBatch data = batch();
    const Output output = adapted->forward(weights, data, options);
    const at::Tensor loss = task_loss(adapted->head(), output, data);
    loss.backward();
    EXPECT_LT(difference(output.logits.detach(), golden("logits")), 1e-4);
    EXPECT_NEAR(loss.item<double>(), golden("loss").item<double>(), 1e-5);
    size_t checked = 0;
    double worst = 0;
    for (const ParameterInfo& info : adapted->parameters()) {
      if (!file.find("grad." + in_peft(info.name))) continue;
      const at::Tensor expected = in_order(golden("grad." + in_peft(info.name)).slice(0, 0, info.shape[0])),
                       found = weights.at(info.name).grad();
      ASSERT_TRUE(found.defined()) << info.name;
      worst = std::max(worst, (found - expected).norm().item<double>() / expected.norm().item<double>());
      ++checked;
    }
    EXPECT_LT(worst, 1e-3);
    EXPECT_GT(checked, 0U);
    std::printf("%s: gradients of %zu tensors, relative difference %.2e\n", name.c_str(), checked, worst);
    for (const std::string& parameter : weights.names()) weights.at(parameter).mutable_grad() = at::Tensor();
  }
}

TEST_P(PeftCase, MergesIntoTheSameLogitsOrSaysWhyNot) {
  const c10::NoGradGuard guard;
  const auto merged = delta->merge(weights);
  if (!merged) {
    EXPECT_FALSE(delta->why_not_merged().empty());
    return;
  }
  EXPECT_LT(difference(model->forward(*merged, batch(), {}).logits, golden("logits")), 1e-4);
}

/// Copies of everything, to compare bits with.
Weights cloned(const Weights& weights) {
  Weights copies;
  for (const std::string& name : weights.names()) copies.set(name, weights.at(name).detach().clone());
  return copies;
}

void expect_equal_bits(const Weights& found, const Weights& expected) {
  ASSERT_EQ(found.names(), expected.names());
  for (const std::string& name : expected.names()) EXPECT_TRUE(at::equal(found.at(name), expected.at(name))) << name;
}

TEST_P(PeftCase, UnmergesBitForBit_AndMergesWithinTheRoundingOfEachType) {
  const c10::NoGradGuard guard;
  if (!delta->merge(weights)) GTEST_SKIP() << delta->why_not_merged();
  const Weights before = cloned(weights);
  const Merged merged({delta}, weights);
  expect_equal_bits(merged.unmerge(), before);
  EXPECT_EQ(merged.changed().empty(), name.ends_with("ln_tuning"));
  const double largest = std::max(1.0, golden("logits").abs().max().item<double>());
  const double float32 = difference(model->forward(merged.weights(), batch(), {}).logits, golden("logits"));
  const double bfloat16 = difference(model->forward(rounded_to_bfloat16(merged.weights()), batch(), {}).logits, golden("logits"));
  EXPECT_LT(float32, 1e-4 * largest);
  EXPECT_LT(bfloat16, 0.1 * largest);
  EXPECT_GT(bfloat16, float32);  // it was rounded indeed
  std::printf("%s: merged, float32 %.1e, bfloat16 %.1e of %.1f\n", name.c_str(), float32, bfloat16, largest);
}

TEST(Merge, UnmergesPissaBitForBit) {
  const c10::NoGradGuard guard;
  const auto folder = goldens() / "bert_tiny";
  const std::shared_ptr<const Family> base = make_family(read_json(folder / "config.json"), {}, "config.json");
  Weights weights = load_weights(folder / "model.safetensors", *base);
  const Weights plain = cloned(weights);
  const DeltaMethod& method = built_plugins().delta("lora");
  const std::shared_ptr<const Delta> delta = method.attach(*base, method.options().resolve({{"init_lora_weights", "pissa"}}, "lora"));
  add_initial_values({delta}, weights, Key::root(1));
  const Weights before = cloned(weights);
  const Merged merged({delta}, weights);
  expect_equal_bits(merged.unmerge(), before);
  const std::string map = "bert.encoder.layer.0.attention.self.query.weight";
  EXPECT_FALSE(at::equal(before.at(map), plain.at(map)));
  EXPECT_TRUE(at::allclose(merged.weights().at(map), plain.at(map), 1e-5, 1e-6));  // what was taken out is back
}

TEST(Merge, SaysWhyNot) {
  const auto folder = goldens() / "bert_tiny";
  const std::shared_ptr<const Family> base = make_family(read_json(folder / "config.json"), {}, "config.json");
  const DeltaMethod& method = built_plugins().delta("prefix");
  const std::shared_ptr<const Delta> delta = method.attach(*base, method.options().resolve(nlohmann::json::object(), "prefix"));
  try {
    const Merged merged({delta}, load_weights(folder / "model.safetensors", *base));
    FAIL() << "a prefix was merged";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("belong to no token"), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, PeftCase, ::testing::ValuesIn(parity_names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tsrun
