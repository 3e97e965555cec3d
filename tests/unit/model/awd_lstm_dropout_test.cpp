// How the dropouts of an AWD-LSTM behave.
#include "awd_lstm.h"

namespace tsrun {
namespace {

/// Whether every token of a row has the zeros of the row's first, and some two rows have not.
void expect_locked(const at::Tensor& zeros, const std::vector<int64_t>& offsets) {
  bool differ = false;
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    for (int64_t token = offsets[row]; token < offsets[row + 1]; ++token)
      EXPECT_TRUE(at::equal(zeros[token], zeros[offsets[row]])) << "token " << token;
    differ = differ || !at::equal(zeros[offsets[row]], zeros[0]);
  }
  EXPECT_TRUE(differ);
}

TEST(AwdLstm, LocksTheMaskOfTheOutputOverTime) {
  Dropping dropping = dropping_by({{"output_dropout", 0.5}});
  at::Tensor read;
  dropping.options.at_linear.push_back([&](const LinearCall& call, const at::Tensor& output) {
    if (call.module == "lm_head") read = call.input;
    return output;
  });
  const Output output = dropping.run();
  expect_locked(read.eq(0), dropping.batch.host_offsets);
  EXPECT_LT(largest_difference(read, at::where(read.eq(0), at::zeros_like(read), 2 * output.hidden)), 1e-6);
}

/// A feature that is dropped gets no gradient.
void expect_locked_entrance(Dropping dropping, SiteKind kind) {
  at::Tensor entering;
  dropping.options.at_site.push_back([&](const Site& site, const at::Tensor& x) {
    if (site.kind == kind && site.layer < 1) entering = x.detach().requires_grad_();
    return site.kind == kind && site.layer < 1 ? entering : x;
  });
  dropping.run().logits.square().sum().backward();
  expect_locked(entering.grad().eq(0), dropping.batch.host_offsets);
}
TEST(AwdLstm, LocksTheMaskOfTheInputOverTime) { expect_locked_entrance(dropping_by({{"input_dropout", 0.5}}), SiteKind::embeddings); }
TEST(AwdLstm, LocksTheMaskBetweenLayersOverTime) {
  expect_locked_entrance(dropping_by({{"hidden_dropout", 0.5}}), SiteKind::recurrent_output);
}

TEST(AwdLstm, DropsWholeWords_TheSameInAllRows) {
  Dropping dropping = dropping_by({{"embedding_dropout", 0.5}});
  at::Tensor words;
  dropping.options.at_site.push_back([&](const Site& site, const at::Tensor& x) { return site.layer < 0 ? words = x : x; });
  dropping.run();
  const at::Tensor& table = dropping.model.weights.at("encoder.weight");
  std::map<int64_t, bool> gone;
  for (int64_t token = 0; token < words.size(0); ++token) {
    const auto id = dropping.batch.ids[token].item<int64_t>();
    const bool dropped = words[token].eq(0).all().item<bool>();
    EXPECT_EQ(gone.emplace(id, dropped).first->second, dropped) << id;
    EXPECT_TRUE(dropped || at::equal(words[token], 2 * table[id])) << id;
  }
  EXPECT_TRUE(std::any_of(gone.begin(), gone.end(), [](const auto& one) { return one.second; }));
  EXPECT_FALSE(std::all_of(gone.begin(), gone.end(), [](const auto& one) { return one.second; }));
}

/// Gradients of W_hh are zero where it is dropped in this pass, whatever the time step; those of W_ih nowhere.
TEST(AwdLstm, DropsConnectionsFromHiddenToHidden_OncePerPass) {
  const Dropping dropping = dropping_by({{"weight_dropout", 0.5}});
  dropping.run().logits.square().sum().backward();
  for (const char* layer : {"rnns.0.", "rnns.1."}) {
    const at::Tensor dropped = dropping.model.weights.at(std::string(layer) + "weight_hh_l0").grad().eq(0);
    EXPECT_NEAR(dropped.to(at::kDouble).mean().item<double>(), 0.5, 0.05) << layer;
    EXPECT_FALSE(dropping.model.weights.at(std::string(layer) + "weight_ih_l0").grad().eq(0).any().item<bool>()) << layer;
  }
  const at::Tensor a = dropping.model.weights.at("rnns.0.weight_hh_l0").grad().eq(0).clone();
  dropping.run().logits.square().sum().backward();  // the gradients add up
  EXPECT_TRUE(at::equal(a, dropping.model.weights.at("rnns.0.weight_hh_l0").grad().eq(0)));
}

TEST(AwdLstm, DrawsTheSameBits_ForTheSameKey) {
  Dropping dropping = dropping_by(
      {{"embedding_dropout", 0.2}, {"input_dropout", 0.4}, {"hidden_dropout", 0.3}, {"output_dropout", 0.4}, {"weight_dropout", 0.5}});
  const at::Tensor first = dropping.run().logits;
  EXPECT_TRUE(at::equal(first, dropping.run().logits));
  dropping.options.dropout = Key::root(8);
  EXPECT_FALSE(at::equal(first, dropping.run().logits));
}

/// Over many keys a dropout leaves the mean of what it acts on. Of the word scores, which are linear in the last layer's output.
TEST(AwdLstm, KeepsTheMean) {
  Dropping dropping = dropping_by({{"output_dropout", 0.4}});
  const c10::NoGradGuard guard;
  dropping.options.training = false;
  const at::Tensor plain = dropping.run().logits;
  dropping.options.training = true;
  at::Tensor sum = at::zeros_like(plain);
  for (uint64_t key = 0; key < 200; ++key) {
    dropping.options.dropout = Key::root(key);
    sum += dropping.run().logits;
  }
  EXPECT_GT(relative_difference(dropping.run().logits, plain), 0.3);
  EXPECT_LT(relative_difference(sum / 200, plain), 0.15);
}

TEST(AwdLstm, GivesTheSameGradientsWithGradientCheckpointing_UnderDropout) {
  Dropping plain = dropping_by({{"input_dropout", 0.4}, {"hidden_dropout", 0.3}, {"weight_dropout", 0.5}}), again = plain;
  for (const std::string& name : again.model.weights.names())
    again.model.weights.set(name, plain.model.weights.at(name).detach().clone().requires_grad_());
  again.options.gradient_checkpointing = true;
  plain.run().logits.square().sum().backward();
  again.run().logits.square().sum().backward();
  for (const std::string& name : again.model.weights.names())
    EXPECT_TRUE(at::equal(plain.model.weights.at(name).grad(), again.model.weights.at(name).grad())) << name;
}

}  // namespace
}  // namespace tsrun
