// PEFT's folders, read and written (tests/goldens/deltas/peft_lora_bert, made by make_deltas.py).
#include "experiment/peft.h"
#include "support/temporary_folder.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/tune/delta.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

std::filesystem::path goldens() { return std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens"; }

const PluginHost& plugins() {
  static const PluginHost* host = [] {
    auto* fresh = new PluginHost();  // libraries with LibTorch in them are never unloaded
    fresh->load({std::filesystem::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"});
    return fresh;
  }();
  return *host;
}

/// The tiny BERT with the folder's delta and values.
Model with_peft(const std::filesystem::path& folder, const nlohmann::json& delta) {
  const auto tiny = goldens() / "bert_tiny";
  Model model;
  const HeadSpec head{HeadKind::classification, 3};
  std::shared_ptr<const Family> base = make_family(read_json(tiny / "config.json"), head, "config.json");
  const Weights loaded = load_weights(tiny / "model.safetensors", *base);
  const SafetensorsFile own = SafetensorsFile::open(tiny / "goldens.safetensors");
  for (const ParameterInfo& info : base->parameters()) {
    const TensorInfo* value = own.find("classification." + info.name);
    model.weights.set(info.name, value ? as_tensor(*value).clone() : loaded.at(info.name));
  }
  const DeltaMethod& method = plugins().delta(delta.at("method"));
  std::vector<std::shared_ptr<const Delta>> deltas = {method.attach(*base, Options(delta.at("options")))};
  model.family = adapt(base, deltas);
  add_first_values(deltas, model.weights, Key::root(1));
  take_peft_values(folder, model);
  return model;
}

at::Tensor logits(const Model& model) {
  const c10::NoGradGuard guard;
  const SafetensorsFile file = SafetensorsFile::open(goldens() / "bert_tiny/goldens.safetensors");
  const auto integers = [&](const char* name) {
    const at::Tensor t = as_tensor(*file.find(name));
    return std::vector<int64_t>(t.const_data_ptr<int64_t>(), t.const_data_ptr<int64_t>() + t.numel());
  };
  PackedRows rows;
  rows.ids = integers("ids");
  rows.segments = integers("segments");
  rows.positions = integers("positions");
  rows.offsets = integers("offsets");
  return model.family->forward(model.weights, to_device(rows, {}, at::kCPU), {}).logits;
}

at::Tensor expected() {
  static const SafetensorsFile file = SafetensorsFile::open(goldens() / "deltas/peft_lora_bert/logits.safetensors");
  return as_tensor(*file.find("logits"));
}

TEST(Peft, GivesTheLogitsOfAFolderThatItSaved) {
  const auto folder = goldens() / "deltas/peft_lora_bert";
  const Model model = with_peft(folder, delta_of_peft(plugins(), folder));
  EXPECT_LT((logits(model) - expected()).abs().max().item<double>(), 1e-4);
}

TEST(Peft, ReadsWhatItWrote) {
  const auto folder = goldens() / "deltas/peft_lora_bert";
  const nlohmann::json delta = delta_of_peft(plugins(), folder);
  const testing::TemporaryFolder out;
  save_peft(plugins(), delta, with_peft(folder, delta), "bert_tiny", out.path() / "again");
  const nlohmann::json again = delta_of_peft(plugins(), out.path() / "again");
  EXPECT_LT((logits(with_peft(out.path() / "again", again)) - expected()).abs().max().item<double>(), 1e-4);
  const auto config = read_json(out.path() / "again/adapter_config.json");
  EXPECT_EQ(config.at("peft_type"), "LORA");
  EXPECT_EQ(config.at("task_type"), "SEQ_CLS");
}

TEST(Peft, NamesWhatAFolderLacks) {
  const testing::TemporaryFolder out;
  EXPECT_THROW(delta_of_peft(plugins(), out.path()), Error);
  write_durable(out.path() / "adapter_config.json", R"({"peft_type": "BONE"})");
  write_durable(out.path() / "adapter_model.safetensors", "");
  try {
    delta_of_peft(plugins(), out.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("peft_type is 'BONE'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun
