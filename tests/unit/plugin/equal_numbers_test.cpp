// The adapter, LoRA and prefix of the unified-subspace paper (Yi et al., Findings of EMNLP 2022) have equally many numbers.
#include "tsrun/plugin/host.h"
#include "tsrun/tune/delta.h"
#include "tsrun/tune/parameter_set.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace tsrun {
namespace {

using nlohmann::json;

const PluginHost& plugins_of_the_build() {
  static const PluginHost* loaded = [] {
    auto* fresh = new PluginHost();  // libraries with LibTorch in them are never unloaded
    fresh->load({std::filesystem::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"});
    return fresh;
  }();
  return *loaded;
}

struct Sizes {
  const char* name;
  int64_t hidden, heads, head_size, layers;                  ///< of the T5, layers in each stack
  int64_t bottleneck, rank, tokens, prefix_hidden, numbers;  ///< of the methods, and what comes of it
};
void PrintTo(const Sizes& one, std::ostream* out) { *out << one.name; }

class EqualNumbers : public ::testing::TestWithParam<Sizes> {
 protected:
  std::shared_ptr<const Family> t5() const {
    const Sizes& s = GetParam();
    return make_family({{"model_type", "t5"},
                        {"vocab_size", 32128},
                        {"d_model", s.hidden},
                        {"d_kv", s.head_size},
                        {"d_ff", 4 * s.hidden},
                        {"num_layers", s.layers},
                        {"num_decoder_layers", s.layers},
                        {"num_heads", s.heads},
                        {"feed_forward_proj", "gated-gelu"},
                        {"is_encoder_decoder", true},
                        {"tie_word_embeddings", false}},
                       {HeadKind::seq2seq_lm, 0}, "config");
  }

  /// The delta's tensors as a parameter set, as subspaces see them.
  ParameterSet set_of(const std::string& method, const json& options) const {
    const DeltaMethod& plugin = plugins_of_the_build().delta(method);
    const std::shared_ptr<const Family> base = t5();
    const auto adapted = adapt(base, {plugin.attach(*base, plugin.options().resolve(options, method))});
    return select_parameters(*adapted, parse_selection("delta", method));
  }

  std::map<std::string, ParameterSet> sets() const {
    const Sizes& s = GetParam();
    return {{"adapter", set_of("adapter", {{"bottleneck", s.bottleneck}, {"activation", "silu"}, {"biases", false}, {"init", "normal"}})},
            {"lora", set_of("lora", {{"r", s.rank}, {"lora_alpha", 16}, {"target_modules", {"q", "v"}}, {"init_lora_weights", "release"}})},
            {"prefix", set_of("prefix", {{"num_virtual_tokens", s.tokens},
                                         {"prefix_projection", true},
                                         {"projection_bias", false},
                                         {"encoder_hidden_size", s.prefix_hidden},
                                         {"layout", "release"},
                                         {"init_std", 0.02}})}};
  }
};

TEST_P(EqualNumbers, OfAdapterLoraAndPrefix_WithoutGaps) {
  for (const auto& [method, set] : sets()) {
    EXPECT_EQ(set.layout.total(), GetParam().numbers) << method;
    int64_t end = 0;
    for (const Slice& slice : set.layout.slices()) {
      EXPECT_EQ(slice.offset, end) << method << ": " << slice.name;
      end += slice.size;
    }
    EXPECT_EQ(end, GetParam().numbers) << method;
  }
}

/// Checkpoints of the release: 60 adapters of two maps, two factors of two maps in every attention, three tensors a stack; the encoder
/// first.
TEST_P(EqualNumbers, InTheOrderOfTheRelease) {
  const int64_t layers = GetParam().layers;
  const auto all = sets();
  const auto names = [&](const char* method) {
    std::vector<std::string> found;
    for (const Slice& slice : all.at(method).layout.slices()) found.push_back(slice.name);
    return found;
  };
  const auto adapter = names("adapter"), lora = names("lora"), prefix = names("prefix");
  EXPECT_EQ(static_cast<int64_t>(adapter.size()), 5 * layers * 2);
  EXPECT_EQ(static_cast<int64_t>(lora.size()), 3 * layers * 4);
  EXPECT_EQ(prefix.size(), 6U);
  EXPECT_EQ(adapter[0], "encoder.block.0.layer.0.SelfAttention.o.adapter.down.weight");
  EXPECT_EQ(adapter[1], "encoder.block.0.layer.0.SelfAttention.o.adapter.up.weight");
  EXPECT_EQ(adapter[2], "encoder.block.0.layer.1.DenseReluDense.wo.adapter.down.weight");
  const auto decoder = static_cast<size_t>(4 * layers);
  EXPECT_EQ(adapter[decoder], "decoder.block.0.layer.0.SelfAttention.o.adapter.down.weight");
  EXPECT_EQ(adapter[decoder + 2], "decoder.block.0.layer.1.EncDecAttention.o.adapter.down.weight");
  EXPECT_EQ(adapter[decoder + 4], "decoder.block.0.layer.2.DenseReluDense.wo.adapter.down.weight");
  EXPECT_EQ(lora[0], "encoder.block.0.layer.0.SelfAttention.q.lora_A.weight");
  EXPECT_EQ(lora[1], "encoder.block.0.layer.0.SelfAttention.q.lora_B.weight");
  EXPECT_EQ(lora[2], "encoder.block.0.layer.0.SelfAttention.v.lora_A.weight");
  EXPECT_EQ(lora[decoder + 4], "decoder.block.0.layer.1.EncDecAttention.q.lora_A.weight");
  EXPECT_EQ(prefix[0], "encoder.prompt_encoder.embedding.weight");
  EXPECT_EQ(prefix[2], "encoder.prompt_encoder.transform.2.weight");
  EXPECT_EQ(prefix[3], "decoder.prompt_encoder.embedding.weight");
}

INSTANTIATE_TEST_SUITE_P(T5, EqualNumbers,
                         ::testing::Values(Sizes{"base", 768, 12, 64, 12, 12, 10, 120, 24, 1105920},
                                           Sizes{"small", 512, 6, 64, 8, 21, 20, 112, 56, 860160},
                                           Sizes{"tiny", 64, 4, 16, 2, 6, 5, 20, 8, 7680}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tsrun
