#include "model/initial.h"
#include "support.h"
#include "tsrun/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun::model {
namespace {

struct Small {
  explicit Small(const HeadSpec& head = two_classes) : family(make_family(small_config(), head, "config.json")) {
    weights = initial_weights(*family, Key::root(2));
  }
  Output forward(const PackedBatch& batch, const ForwardOptions& options = {}) const { return family->forward(weights, batch, options); }
  std::unique_ptr<Family> family;
  Weights weights;
};

PackedBatch batch_of(const std::vector<int64_t>& lengths, const HeadSpec& head = two_classes) {
  return to_device(made_up_rows(lengths, 50), head, at::kCPU);
}

ForwardOptions training() {
  ForwardOptions options;
  options.training = true;
  options.dropout = Key::root(9);
  return options;
}

TEST(Bert, RefusesRowsLongerThanItsPositions) {
  try {
    Small().forward(batch_of({5, 33}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                ::testing::AllOf(::testing::HasSubstr("row 1"), ::testing::HasSubstr("33 tokens"), ::testing::HasSubstr("32 positions")));
  }
}

TEST(Bert, RefusesTokensOutsideItsVocabulary) {
  PackedRows rows = made_up_rows({4, 6}, 50);
  rows.ids[7] = 50;
  EXPECT_THROW(Small().forward(to_device(rows, two_classes, at::kCPU)), Error);
  rows.ids[7] = -1;
  EXPECT_THROW(Small().forward(to_device(rows, two_classes, at::kCPU)), Error);
}

TEST(Bert, GivesTheSameLogitsInTrainingWhetherOrNotItIsWatched) {
  const Small small;
  const PackedBatch batch = batch_of({7, 32, 2, 19});
  std::vector<at::Tensor> states;
  ForwardOptions watched = training();
  watched.hidden_states = &states;
  EXPECT_LT(largest_difference(small.forward(batch, training()).logits, small.forward(batch, watched).logits), 1e-5);
  EXPECT_EQ(states.size(), 3u);
  EXPECT_EQ(states.back().sizes(), at::IntArrayRef({60, 24}));
}

TEST(Bert, DrawsDropoutFromTheKeyAlone) {
  const Small small;
  const PackedBatch batch = batch_of({7, 20});
  ForwardOptions other = training();
  other.dropout = Key::root(10);
  const at::Tensor logits = small.forward(batch, training()).logits;
  EXPECT_TRUE(at::equal(logits, small.forward(batch, training()).logits));
  EXPECT_FALSE(at::equal(logits, small.forward(batch, other).logits));
  EXPECT_FALSE(at::equal(logits, small.forward(batch).logits));
}

TEST(Bert, CallsEverySiteInOrderAndUsesWhatItReturns) {
  const Small small;
  const PackedBatch batch = batch_of({7, 20});
  size_t calls = 0;
  ForwardOptions options;
  options.at_site.push_back([&](const Site& site, const at::Tensor& x) {
    EXPECT_EQ(site.module, small.family->sites()[calls].module);
    EXPECT_EQ(x.size(1), site.width);
    ++calls;
    return x;
  });
  const at::Tensor logits = small.forward(batch, options).logits;
  EXPECT_EQ(calls, small.family->sites().size());
  EXPECT_LT(largest_difference(logits, small.forward(batch).logits), 1e-6);
  for (size_t changed = 0; changed < calls; ++changed) {
    size_t call = 0;
    options.at_site.front() = [&](const Site&, const at::Tensor& x) { return call++ == changed ? x.mul(1.7).add(x.flip({1})) : x; };
    EXPECT_GT(largest_difference(logits, small.forward(batch, options).logits), 1e-7) << small.family->sites()[changed].module;
  }
}

TEST(Bert, AttendsToAPrefixInEveryLayer) {
  const Small small;
  const PackedBatch batch = batch_of({7, 20});
  const at::Tensor plain = small.forward(batch).logits;
  for (int layer = 0; layer < 2; ++layer) {
    const at::Tensor keys = at::randn({3, 24}).requires_grad_(), values = at::randn({3, 24}).requires_grad_();
    ForwardOptions options;
    options.attention_prefix.push_back([&](int at) { return at == layer ? KeyValuePrefix({keys, values}) : std::nullopt; });
    const at::Tensor logits = small.forward(batch, options).logits;
    EXPECT_GT(largest_difference(plain, logits), 1e-6);
    logits.sum().backward();
    EXPECT_GT(keys.grad().abs().max().item<double>(), 0);
    EXPECT_GT(values.grad().abs().max().item<double>(), 0);
  }
}

TEST(Bert, AddsGradientsInPlaceToViewsOfAFlatBuffer) {
  const Small small;
  const PackedBatch batch = batch_of({7, 20});
  int64_t total = 0;
  for (const std::string& name : small.weights.names()) total += small.weights.at(name).numel();
  const at::Tensor flat = at::zeros({total});
  Weights leaves;
  int64_t offset = 0;
  for (const std::string& name : small.weights.names()) {
    const at::Tensor leaf = small.weights.at(name).detach().clone().requires_grad_();
    leaf.mutable_grad() = flat.narrow(0, offset, leaf.numel()).view(leaf.sizes());
    offset += leaf.numel();
    leaves.set(name, leaf);
  }
  for (int pass = 0; pass < 2; ++pass) task_loss(two_classes, small.family->forward(leaves, batch, {}), batch).backward();
  Weights fresh;
  for (const std::string& name : leaves.names()) fresh.set(name, leaves.at(name).detach().clone().requires_grad_());
  task_loss(two_classes, small.family->forward(fresh, batch, {}), batch).backward();
  offset = 0;
  for (const std::string& name : leaves.names()) {
    const at::Tensor &found = leaves.at(name).grad(), expected = 2 * fresh.at(name).grad();
    EXPECT_EQ(found.const_data_ptr(), flat.narrow(0, offset, 1).const_data_ptr()) << name;
    EXPECT_LT((found - expected).norm().item<double>(), 1e-5 * expected.norm().item<double>() + 1e-8) << name;
    offset += found.numel();
  }
}

TEST(Bert, GivesAZeroLossWhenNoTokenIsMasked) {
  const HeadSpec words{HeadKind::masked_lm, 0};
  const Small small(words);
  PackedBatch batch = batch_of({7, 20}, words);
  batch.targets = at::full({27}, -100, at::kLong);
  EXPECT_EQ(task_loss(words, small.forward(batch), batch).item<double>(), 0);
}

TEST(Bert, InitialisesLikeTheReference) {
  const Small small;
  const at::Tensor& words = small.weights.at("bert.embeddings.word_embeddings.weight");
  EXPECT_NEAR(words.std().item<double>(), 0.02, 0.002);
  EXPECT_EQ(small.weights.at("bert.pooler.dense.bias").abs().max().item<double>(), 0);
  EXPECT_EQ(small.weights.at("bert.embeddings.LayerNorm.weight").min().item<double>(), 1);
}

}  // namespace
}  // namespace tsrun::model
