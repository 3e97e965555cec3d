// ts.geometry: of models and of trainings, of embeddings and of hidden states.
#include "tsrun/experiment/geometry.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/parts.h"
#include "tsrun/train/reading.h"
#include "unit/experiment/laboratory.h"
#include "unit/train/kinds.h"

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const std::string kWords = "bert.embeddings.word_embeddings.weight";

class GeometryTest : public LaboratoryTest {
 protected:
  json trained(const json& more = json::object()) {
    json options = {{"max_steps", 2}, {"batch_size", 16}};
    options.update(more);
    return LaboratoryTest::trained(options);
  }
  json geometry(const json& options) { return lab_->call("geometry", options); }
  std::string refusal(const json& options) {
    return mistake([&] { geometry(options); });
  }
  /// A saved causal model whose scores have a matrix of their own, or lack it.
  void save_untied(const std::string& name, bool whole) {
    const json config = {{"model_type", "llama"},
                         {"vocab_size", 21},
                         {"hidden_size", 16},
                         {"num_hidden_layers", 1},
                         {"num_attention_heads", 2},
                         {"intermediate_size", 32},
                         {"max_position_embeddings", 64},
                         {"tie_word_embeddings", false}};
    const Model made = initialise_model(config, {HeadKind::causal_lm, 0}, toy::tiny_bert().tokenizer, Key::root(5));
    save_model(made, folder_ / name);
    Weights kept;
    for (const std::string& weight : made.weights.names())
      if (whole || weight != "lm_head.weight") kept.set(weight, made.weights.at(weight));
    save_weights(kept, folder_ / name / "model.safetensors");
    untied_ = made.weights;
  }
  Weights untied_;
};

TEST_F(GeometryTest, OfInputEmbeddings_IsThatOfTheirRows) {
  const json found = geometry({{"model", model()}, {"top_k", 3}});
  const at::Tensor rows = toy::tiny_bert().weights.at(kWords);
  const RowGeometry expected = row_geometry(rows, {}, singular_directions(rows, {}), 3);
  EXPECT_EQ(found.at("parameter"), kWords);
  EXPECT_EQ(found.at("tied"), true);
  EXPECT_EQ(found.at("rows"), rows.size(0));
  EXPECT_EQ(found.at("mean_cosine"), expected.cosines.mean);
  EXPECT_EQ(found.at("i1"), expected.isotropy.i1);
  EXPECT_EQ(found.at("top_share"), expected.spectrum.top_share);
  EXPECT_EQ(found.at("spectrum").get<std::vector<double>>(), expected.spectrum.relative);
  EXPECT_EQ(found.at("centred").at("mean_cosine"), cosines_of(rows, mean_row(rows)).mean);
  EXPECT_EQ(found.at("intrinsic_dimension"), intrinsic_dimension(rows, 2000).value);
  EXPECT_EQ(found.at("zero_rows"), 1);  // of the padding, which initialise_model sets to zero
  ASSERT_EQ(found.at("buckets").size(), 1U);
  EXPECT_EQ(found.at("buckets")[0].at("name"), "all");
  EXPECT_EQ(found.at("buckets")[0].at("mean_cosine"), expected.cosines.mean);
}

TEST_F(GeometryTest, BucketsFollowTheTrainingRows) {
  const json found = geometry({{"model", model()}, {"task", task()}, {"ranks", {2, 6}}});
  const Task toy = toy::sentiment(32, 8);
  const EncodedSplit rows = encode_split(toy, toy.split("train"), *toy::tiny_bert().tokenizer, EncodeOptions());
  int64_t tokens = 0, words = 0, counted = 0;
  for (const Encoding& row : rows.rows) tokens += static_cast<int64_t>(row.ids.size());
  const json& buckets = found.at("buckets");
  ASSERT_EQ(buckets.size(), 4U);
  EXPECT_EQ(buckets[0].at("name"), "ranks 1 to 2");
  EXPECT_EQ(buckets[0].at("occurrences"), 64);  // [CLS] and [SEP]
  EXPECT_EQ(buckets[3].at("name"), "never seen");
  EXPECT_EQ(buckets[3].at("words"), 3);  // [PAD], [UNK], [MASK]
  for (const json& bucket : buckets) {
    counted += bucket.at("occurrences").get<int64_t>();
    words += bucket.at("words").get<int64_t>();
    EXPECT_EQ(bucket.at("x").size(), bucket.at("rows"));
  }
  EXPECT_EQ(counted, tokens);
  EXPECT_EQ(words, 21);
}

TEST_F(GeometryTest, OfHiddenStates_HasOneForEveryToken) {
  const Task toy = toy::sentiment(32, 8);
  const EncodedSplit rows = encode_split(toy, toy.split("dev"), *toy::tiny_bert().tokenizer, EncodeOptions());
  int64_t tokens = 0;
  for (const Encoding& row : rows.rows) tokens += static_cast<int64_t>(row.ids.size());
  const json last = geometry({{"model", model()}, {"task", task()}, {"of", "hidden"}, {"rows", 0}});
  EXPECT_EQ(last.at("layer"), 2);
  EXPECT_EQ(last.at("rows"), tokens);
  EXPECT_EQ(last.at("width"), 16);
  int64_t in_buckets = 0;
  for (const json& bucket : last.at("buckets")) in_buckets += bucket.at("rows").get<int64_t>();
  EXPECT_EQ(in_buckets, tokens);
  const json first = geometry({{"model", model()}, {"task", task()}, {"of", "hidden"}, {"rows", 0}, {"layer", 0}});
  EXPECT_NE(first.at("mean_cosine"), last.at("mean_cosine"));
  EXPECT_EQ(geometry({{"model", model()}, {"task", task()}, {"of", "hidden"}, {"rows", 0}, {"layer", 2}}).at("i2"), last.at("i2"));
  EXPECT_LT(geometry({{"model", model()}, {"task", task()}, {"of", "hidden"}, {"rows", 3}}).at("rows"), tokens);
}

TEST(GeometryOf, LayersOfADecoder_AreThoseOfItsTokens) {
  const toy::TaskModel t5 = toy::with_t5(toy::sentiment_in_words());
  const int encoder = encoder_layers(*t5.model.family);
  ASSERT_LT(encoder, t5.model.family->layers());
  const EncodedSplit dev = encode_split(t5.task, t5.task.split("dev"), *t5.model.tokenizer,
                                        encode_options_for(*t5.model.family, text_options().resolve(json::object(), "test")));
  int64_t read = 0, written = 0;
  for (size_t row = 0; row < dev.rows.size(); ++row) {
    read += static_cast<int64_t>(dev.rows[row].ids.size());
    written += static_cast<int64_t>(dev.decoder_rows[row].size());
  }
  for (const auto& [layer, tokens] : {std::pair(encoder, read), std::pair(encoder + 1, written)}) {
    const Options options = GeometryRequest::options().resolve({{"of", "hidden"}, {"layer", layer}, {"rows", 0}}, "test");
    const GeometrySummary found = geometry_of(t5.model, &t5.task, GeometryRequest::from(options, true, "test"), at::kCPU);
    EXPECT_EQ(found.rows, tokens);
    int64_t in_buckets = 0;
    for (const auto& bucket : found.buckets) in_buckets += bucket.rows;
    EXPECT_EQ(in_buckets, tokens);
  }
}

TEST_F(GeometryTest, OfASolution_IsThatOfItsWeights) {
  const json run = trained({{"geometry_every", 1}});
  const json after = geometry({{"solution", run}});
  EXPECT_EQ(after.at("mean_cosine"), run.at("geometry").back().at("mean_cosine"));
  EXPECT_EQ(after.at("centred").at("i2"), run.at("geometry").back().at("centred").at("i2"));
  EXPECT_NE(after.at("mean_cosine"), geometry({{"model", model()}}).at("mean_cosine"));
  EXPECT_EQ(geometry({{"model", model()}}).at("mean_cosine"), run.at("geometry")[0].at("mean_cosine"));
  EXPECT_EQ(run.at("geometry").size(), 3U);
  EXPECT_EQ(run.at("geometry")[1].at("step"), 1);
  EXPECT_GT(after.at("buckets").size(), 1U);  // frequencies of the training's own task
  const json scores = geometry({{"solution", run}, {"of", "output_embeddings"}});
  EXPECT_EQ(scores.at("parameter"), "classifier.weight");
  EXPECT_EQ(scores.at("rows"), 2);
  EXPECT_EQ(scores.at("tied"), false);
  EXPECT_EQ(scores.at("buckets")[0].at("name"), "all");  // classes are no words
}

TEST_F(GeometryTest, OfOutputEmbeddings_IsThatOfTheScores_TiedOrNot) {
  const json tied = geometry({{"model", model()}, {"of", "output_embeddings"}});
  EXPECT_EQ(tied.at("parameter"), kWords);
  EXPECT_EQ(tied.at("tied"), true);
  save_untied("llama", true);
  const json apart = geometry({{"model", model("llama")}, {"of", "output_embeddings"}});
  EXPECT_EQ(apart.at("parameter"), "lm_head.weight");
  EXPECT_EQ(apart.at("tied"), false);
  EXPECT_EQ(apart.at("mean_cosine"), cosines_of(untied_.at("lm_head.weight"), {}).mean);
  EXPECT_EQ(geometry({{"model", model("llama")}}).at("tied"), false);
  save_untied("headless", false);
  EXPECT_THAT(refusal({{"model", model("headless")}, {"of", "output_embeddings"}}), HasSubstr("lacks 'lm_head.weight'"));
}

TEST_F(GeometryTest, RefusesWhatItCannotMeasure) {
  EXPECT_THAT(refusal({{"model", model()}, {"of", "hiden"}}), HasSubstr("did you mean 'hidden'?"));
  EXPECT_THAT(refusal({{"model", model()}, {"of", "hidden"}}), HasSubstr("there is no task"));
  EXPECT_THAT(refusal({{"model", model()}, {"task", task()}, {"of", "hidden"}, {"layer", 3}}),
              HasSubstr("expected 0 (the embeddings) to 2"));
  EXPECT_THAT(refusal({{"model", model()}, {"task", task()}, {"of", "hidden"}, {"split", "dve"}}), HasSubstr("dev"));
  EXPECT_THAT(refusal(json::object()), HasSubstr("none of the options 'model' and 'solution'"));
  EXPECT_THAT(refusal({{"model", model()}, {"task", task()}, {"ranks", {6, 2}}}), HasSubstr("ascend"));
}

TEST_F(GeometryTest, RefusesOptionsThatNothingReads) {
  EXPECT_THAT(refusal({{"model", model()}, {"layer", 1}}), HasSubstr("nothing reads option 'layer'"));
  EXPECT_THAT(refusal({{"model", model()}, {"buckets", 3}}), HasSubstr("nothing reads option 'buckets': there is no task"));
  EXPECT_THAT(refusal({{"model", model()}, {"which", "best"}}), HasSubstr("nothing reads option 'which'"));
  EXPECT_THAT(refusal({{"model", model()}, {"task", task()}, {"ranks", {2}}, {"buckets", 3}}), HasSubstr("nothing reads option 'buckets'"));
  const Error error = error_of([&] { trained({{"geometry_of", "output_embeddings"}}); });
  EXPECT_THAT(error.what(), HasSubstr("nothing reads option 'geometry_of'"));
}

TEST_F(GeometryTest, WhereAnUndefinedNumberIsAbsent_AndAnInfiniteOneSaysSo) {
  GeometrySummary summary;
  summary.given.cosines.mean = std::nan("");
  summary.given.spectrum.condition_number = INFINITY;
  const json told = summary.to_json();
  EXPECT_TRUE(told.at("mean_cosine").is_null());
  EXPECT_EQ(told.at("condition_number"), "inf");
}

TEST_F(GeometryTest, OfAPlan_HasTheFieldsOfTheResult) {
  LabSettings settings = lab_->settings();
  settings.store = folder_ / "other";
  settings.plan_only = true;
  const json done = trained({{"geometry_every", 1}}), measured = geometry({{"solution", done}});
  lab_.emplace(settings);
  const json plan = trained({{"geometry_every", 1}});
  ASSERT_EQ(plan.at("geometry").size(), 2U);
  for (const auto& [name, value] : done.at("geometry")[0].items()) EXPECT_TRUE(plan.at("geometry")[0].contains(name)) << name;
  const json planned = geometry({{"solution", plan}});
  for (const auto& [name, value] : measured.items()) EXPECT_TRUE(planned.contains(name) || name == "parameter") << name;
}

TEST_F(GeometryTest, KeepsTheKeysOfTrainingsWithoutIt) {
  const json plain = trained();
  EXPECT_EQ(trained({{"geometry_every", 0}}).at("key"), plain.at("key"));
  EXPECT_NE(trained({{"geometry_every", 2}}).at("key"), plain.at("key"));
  EXPECT_FALSE(plain.contains("geometry"));
}

}  // namespace
}  // namespace tsrun
