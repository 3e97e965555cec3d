// Values of torch.nn.LSTM (tests/goldens/make_awd_lstm.py), reproduced, and how the dropouts of an AWD-LSTM behave.
#include "parity.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/model/generate.h"

#include <gmock/gmock.h>

namespace tsrun {
namespace {

using ::testing::HasSubstr;

const HeadSpec next_word{HeadKind::causal_lm, 0};

PackedBatch batch_of(const std::vector<int64_t>& ids, const std::vector<int64_t>& offsets) {
  PackedRows rows;
  rows.ids = ids;
  rows.segments = rows.positions = std::vector<int64_t>(ids.size(), 0);
  rows.offsets = offsets;
  return to_device(rows, {}, at::kCPU);
}

PackedBatch golden_block(const Parity& goldens, const std::string& name) {
  PackedBatch batch = batch_of(goldens.integers(name + ".ids"), goldens.integers(name + ".offsets"));
  batch.targets = goldens.golden(name + ".targets");
  return batch;
}

struct ParityCase {
  const char *folder, *rows;
};
class AwdLstmParity : public ::testing::TestWithParam<ParityCase> {
 protected:
  AwdLstmParity() {
    set_threads(1);  // two would only wait for each other over tensors this small
    for (const std::string& name : stored.names()) weights.set(name, stored.at(name).clone().requires_grad_());
  }
  /// Both blocks, one from the state of the other.
  Output two_blocks(const Weights& of, ForwardOptions options = {}) const {
    options.state = family->forward(of, block(1), options).state;
    return family->forward(of, block(2), options);
  }
  PackedBatch block(int number) const { return golden_block(goldens, std::string(GetParam().rows) + "." + std::to_string(number)); }
  at::Tensor golden(const std::string& name) const { return goldens.golden(std::string(GetParam().rows) + "." + name); }
  void expect_gradients(const ForwardOptions& options) const;

  Parity goldens{GetParam().folder};
  std::unique_ptr<Family> family = make_family(goldens.config, next_word, "config.json");
  Weights stored = load_weights(goldens.folder / "model.safetensors", *family), weights;
};

TEST_P(AwdLstmParity, GivesTheLogitsOfTorchOverTwoBlocks) {
  const c10::NoGradGuard guard;
  EXPECT_LT(largest_difference(family->forward(weights, block(1), {}).logits, golden("1.logits")), 1e-5);
  EXPECT_LT(largest_difference(two_blocks(weights).logits, golden("2.logits")), 1e-5);
}

TEST_P(AwdLstmParity, GivesTheNumbersOfTorchInFloat64) {
  const c10::NoGradGuard guard;
  Weights doubles;
  for (const std::string& name : stored.names()) doubles.set(name, stored.at(name).to(at::kDouble));
  const Output output = two_blocks(doubles);
  EXPECT_LT(largest_difference(output.logits, golden("2.logits")), 1e-12);
  ASSERT_EQ(output.state.size(), family->state_widths().size());
  for (size_t i = 0; i < output.state.size(); ++i) {
    EXPECT_EQ(output.state[i].size(1), family->state_widths()[i]);
    EXPECT_LT(largest_difference(output.state[i], golden("state." + std::to_string(i))), 1e-12) << i;
  }
}

TEST_P(AwdLstmParity, HasTheHiddenStatesOfTorch) {
  const c10::NoGradGuard guard;
  ForwardOptions options;
  options.state = family->forward(weights, block(1), {}).state;
  std::vector<at::Tensor> states;
  options.hidden_states = &states;
  family->forward(weights, block(2), options);
  ASSERT_EQ(states.size(), static_cast<size_t>(family->layers()) + 1);
  for (size_t i = 0; i < states.size(); ++i) EXPECT_LT(largest_difference(states[i], golden("2.hidden." + std::to_string(i))), 1e-5) << i;
}

/// Through the second block alone: its state is a constant.
void AwdLstmParity::expect_gradients(const ForwardOptions& options) const {
  const at::Tensor loss = task_loss(next_word, two_blocks(weights, options), block(2));
  EXPECT_NEAR(loss.item<double>(), golden("loss").item<double>(), 1e-5);
  loss.backward();
  for (const std::string& name : weights.names())
    EXPECT_LT(relative_difference(weights.at(name).grad(), golden("grad." + name)), 1e-4) << name;
}

TEST_P(AwdLstmParity, GivesTheGradientsOfTorch) { expect_gradients({}); }
TEST_P(AwdLstmParity, GivesTheGradientsOfTorchWithGradientCheckpointing) {
  ForwardOptions options;
  options.gradient_checkpointing = true;
  expect_gradients(options);
}

TEST_P(AwdLstmParity, GivesARowTheSameLogitsAloneAndAmongOthers) {
  const c10::NoGradGuard guard;
  PackedBatch all = block(1);
  all.targets = at::Tensor();
  const at::Tensor together = family->forward(weights, all, {}).logits;
  const auto ids = goldens.integers(std::string(GetParam().rows) + ".1.ids");
  for (int64_t row = 0; row < all.rows(); ++row) {
    const int64_t begin = all.host_offsets[row], length = all.host_offsets[row + 1] - begin;
    const std::vector<int64_t> own(ids.begin() + begin, ids.begin() + begin + length);
    const at::Tensor alone = family->forward(weights, batch_of(own, {0, length}), {}).logits;
    EXPECT_LT(largest_difference(alone, together.narrow(0, begin, length)), 1e-5) << row;
  }
}

TEST_P(AwdLstmParity, GoesOnFromTheHiddenStatesOfALayer) {
  const c10::NoGradGuard guard;
  std::vector<at::Tensor> states;
  ForwardOptions watched;
  watched.hidden_states = &states;
  const at::Tensor whole = family->forward(weights, block(1), watched).logits;
  for (int layer = 0; layer <= family->layers(); ++layer) {
    ForwardOptions beginning, rest;
    beginning.to_layer = rest.from_layer = layer;
    rest.from_hidden = states[static_cast<size_t>(layer)];
    EXPECT_LT(largest_difference(family->forward(weights, block(1), rest).logits, whole), 1e-6) << layer;
    const Output stopped = family->forward(weights, block(1), beginning);
    EXPECT_TRUE(at::equal(stopped.hidden, rest.from_hidden)) << layer;
    EXPECT_FALSE(stopped.logits.defined());
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, AwdLstmParity,
                         ::testing::Values(ParityCase{"awd_lstm", "even"}, ParityCase{"awd_lstm", "uneven"},
                                           ParityCase{"awd_lstm_untied", "even"}, ParityCase{"awd_lstm_untied", "uneven"}),
                         [](const auto& info) { return std::string(info.param.folder) + "_" + info.param.rows; });

/// A small model whose dropouts are given, in training.
struct Dropping {
  Output run() const { return model.family->forward(model.weights, batch, options); }
  Model model;
  PackedBatch batch = batch_of({3, 5, 3, 7, 9, 3, 5, 11, 2, 29, 3, 8}, {0, 5, 8, 12});
  ForwardOptions options;
};

Dropping dropping_by(const nlohmann::json& dropouts, const HeadSpec& head = next_word) {
  nlohmann::json config = {{"model_type", "awd_lstm"}, {"vocab_size", 30},       {"embedding_size", 40},  {"hidden_size", 32},
                           {"num_hidden_layers", 2},   {"embedding_dropout", 0}, {"input_dropout", 0},    {"hidden_dropout", 0},
                           {"output_dropout", 0},      {"weight_dropout", 0},    {"initializer_range", 1}};
  config.update(dropouts);
  set_threads(1);
  Dropping made;
  made.model = initialise_model(config, head, nullptr, Key::root(1));
  for (const std::string& name : made.model.weights.names())
    made.model.weights.set(name, made.model.weights.at(name).clone().requires_grad_());
  made.options.training = true;
  made.options.dropout = Key::root(7);
  return made;
}

/// Without dropout.
Dropping plain_model(const nlohmann::json& config = nlohmann::json::object()) {
  Dropping plain = dropping_by(config);
  plain.options.training = false;
  return plain;
}

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

TEST(AwdLstm, MeetsEverySiteOnceAndInOrder) {
  Dropping plain = plain_model();
  std::vector<const Site*> met;
  plain.options.at_site.push_back([&](const Site& site, const at::Tensor& x) {
    met.push_back(&site);
    EXPECT_EQ(x.size(1), site.width);
    return x;
  });
  plain.run();
  ASSERT_EQ(met.size(), plain.model.family->sites().size());
  for (size_t i = 0; i < met.size(); ++i) EXPECT_EQ(met[i], &plain.model.family->sites()[i]) << i;
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

TEST(AwdLstm, GivesInTwoBlocksWhatItGivesInOne) {
  Dropping plain = plain_model();
  const c10::NoGradGuard guard;
  plain.batch = batch_of({3, 5, 3, 7, 9, 3, 5, 11}, {0, 4, 8});
  const at::Tensor whole = plain.run().logits.view({2, 4, -1});
  plain.batch = batch_of({3, 5, 9, 3}, {0, 2, 4});
  const Output first = plain.run();
  plain.options.state = first.state;
  plain.batch = batch_of({3, 7, 5, 11}, {0, 2, 4});
  const Output second = plain.run();
  EXPECT_LT(largest_difference(first.logits.view({2, 2, -1}), whole.narrow(1, 0, 2)), 1e-6);
  EXPECT_LT(largest_difference(second.logits.view({2, 2, -1}), whole.narrow(1, 2, 2)), 1e-6);
}

/// The next word by the whole text read anew.
std::vector<int64_t> written_anew(const Dropping& plain, std::vector<int64_t> ids, size_t count) {
  std::vector<int64_t> written;
  while (written.size() < count) {
    const auto batch = batch_of(ids, {0, static_cast<int64_t>(ids.size())});
    const at::Tensor logits = plain.model.family->forward(plain.model.weights, batch, {}).logits;
    ids.push_back(logits[logits.size(0) - 1].argmax().item<int64_t>());
    written.push_back(ids.back());
  }
  return written;
}

TEST(AwdLstm, WritesOnFromItsState) {
  const Dropping plain = plain_model();
  const c10::NoGradGuard guard;
  const std::vector<std::vector<int64_t>> prompts = {{3, 5, 7}, {9}, {1, 2, 3, 4, 5}};
  GenerateOptions options;
  options.max_new_tokens = 6;
  const auto texts = generate(*plain.model.family, plain.model.weights, prompts, options, at::kCPU);
  for (size_t row = 0; row < prompts.size(); ++row) EXPECT_EQ(texts[row].ids, written_anew(plain, prompts[row], 6)) << row;
  options.num_beams = 1;
  options.stop = [](std::span<const int64_t> written) { return written.size() == 2; };  // rows end one by one
  options.end_ids = {texts[0].ids[0]};
  const auto fewer = generate(*plain.model.family, plain.model.weights, prompts, options, at::kCPU);
  EXPECT_EQ(fewer[0].ids.size(), 1U);
}

TEST(AwdLstm, WritesWithBeamsWhatEveryBeamWouldWriteAlone) {
  const Dropping plain = plain_model();
  GenerateOptions options;
  options.max_new_tokens = 5;
  options.num_beams = 3;
  const auto best = generate(*plain.model.family, plain.model.weights, {{3, 5, 7}}, options, at::kCPU)[0];
  const c10::NoGradGuard guard;
  std::vector<int64_t> ids = {3, 5, 7};
  ids.insert(ids.end(), best.ids.begin(), best.ids.end());
  const at::Tensor logits =
      plain.model.family->forward(plain.model.weights, batch_of(ids, {0, static_cast<int64_t>(ids.size())}), {}).logits.log_softmax(1);
  double sum = 0;
  for (size_t i = 0; i < best.ids.size(); ++i) sum += logits[static_cast<int64_t>(2 + i)][best.ids[i]].item<double>();
  EXPECT_NEAR(best.score, sum / static_cast<double>(best.ids.size()), 1e-5);
}

TEST(AwdLstm, StartsAsTheReferenceDoes) {
  const Dropping plain = plain_model({{"initializer_range", 0.1}});
  const Weights& weights = plain.model.weights;
  const auto range = [&](const char* name) { return weights.at(name).abs().max().item<double>(); };
  EXPECT_NEAR(range("encoder.weight"), 0.1, 0.01);
  EXPECT_EQ(range("lm_head.bias"), 0);
  EXPECT_NEAR(range("rnns.0.weight_hh_l0"), 1 / std::sqrt(32.0), 0.01);
  EXPECT_NEAR(range("rnns.1.weight_ih_l0"), 1 / std::sqrt(40.0), 0.01);  // tied: as wide as the words
  EXPECT_GT(range("rnns.0.bias_ih_l0"), 0.05);
}

TEST(AwdLstm, IsSavedAndLoadedWithItsTies) {
  for (const bool tied : {true, false}) {
    const Dropping made = dropping_by({{"tie_word_embeddings", tied}, {"output_bias", tied}});
    const TestFolder folder;
    save_model(made.model, folder.path());
    const auto family = make_family(read_json(folder.path() / "config.json"), next_word, "config.json");
    const Weights loaded = load_weights(folder.path(), *family);
    EXPECT_EQ(loaded.find("lm_head.weight") != nullptr, !tied);
    EXPECT_EQ(loaded.find("lm_head.bias") != nullptr, tied);
    for (const std::string& name : made.model.weights.names()) EXPECT_TRUE(at::equal(loaded.at(name), made.model.weights.at(name))) << name;
  }
}

TEST(AwdLstm, TakesTheNamesOfFastai) {
  const nlohmann::json config = {
      {"model_type", "awd_lstm"}, {"vocab_size", 30}, {"emb_sz", 8},       {"n_hid", 12},          {"n_layers", 2},
      {"input_p", 0.25},          {"weight_p", 0.2},  {"out_bias", false}, {"tie_weights", false}, {"bidir", false}};
  const auto family = make_family(config, next_word, "config.json");
  EXPECT_EQ(family->state_widths(), (std::vector<int64_t>{12, 12, 12, 12}));
  EXPECT_EQ(family->hidden_size(), 12);
  EXPECT_EQ(family->label_matrix(), "lm_head.weight");
}

template <class Run>
std::string refusal(const Run& run, ErrorKind kind) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "accepted";
}

TEST(AwdLstm, RefusesWhatItCannotDo_ByName) {
  Dropping plain = plain_model();
  EXPECT_THAT(refusal([] { dropping_by(nlohmann::json::object(), two_classes); }, ErrorKind::user),
              HasSubstr("'awd_lstm' has no classification head"));
  EXPECT_THAT(refusal([] { dropping_by({{"bidir", true}}); }, ErrorKind::data), HasSubstr("'bidir' is true, expected false"));
  EXPECT_THAT(refusal([] { dropping_by({{"weight_dropout", 1}}); }, ErrorKind::data), HasSubstr("weight_dropout"));
  plain.options.precision = Precision::bfloat16;
  EXPECT_THAT(refusal([&] { plain.run(); }, ErrorKind::user), HasSubstr("no precision 'bf16'"));
  plain.options.precision = Precision::float32;
  plain.options.attention_prefix.push_back([](int) { return KeyValuePrefix(); });
  EXPECT_THAT(refusal([&] { plain.run(); }, ErrorKind::user), HasSubstr("has no attention"));
  plain.options.attention_prefix.clear();
  plain.options.state = {at::zeros({3, 32})};
  EXPECT_THAT(refusal([&] { plain.run(); }, ErrorKind::internal), HasSubstr("a state of 1 tensors of 3 rows, expected 4 of 3"));
}

}  // namespace
}  // namespace tsrun
