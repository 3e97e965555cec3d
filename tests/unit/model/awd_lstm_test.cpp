// An AWD-LSTM's sites, state, names and files.
#include "awd_lstm.h"
#include "tsrun/base/error.h"
#include "tsrun/model/generate.h"

#include <gmock/gmock.h>

namespace tsrun {
namespace {

using ::testing::HasSubstr;

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
