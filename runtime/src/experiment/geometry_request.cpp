#include "tsrun/experiment/geometry.h"

#include "experiment/geometry_rows.h"
#include "experiment/taken_options.h"
#include "tsrun/base/error.h"
#include "tsrun/base/unread.h"
#include "tsrun/model/parts.h"
#include "tsrun/train/reading.h"

#include <map>

namespace tsrun {
namespace {

using nlohmann::json;
using Of = GeometryRequest::Of;

OptionTable geometry_reading_options() {
  const OptionTable all = text_options();
  OptionTable table;
  for (const char* name : {"max_length", "blocks", "max_answer_length"}) table.add(*all.find(name));
  return table;
}

/// The head that scores words.
HeadSpec word_head(ModelKind model_kind) {
  switch (model_kind) {
    case ModelKind::encoder:
      return {HeadKind::masked_lm, 0};
    case ModelKind::causal:
      return {HeadKind::causal_lm, 0};
    case ModelKind::encoder_decoder:
      return {HeadKind::seq2seq_lm, 0};
  }
  internal_error("model kind {} is unknown", static_cast<int>(model_kind));
}

std::vector<int64_t> ranks_of(const json& list, const std::string& where) {
  std::vector<int64_t> ranks;
  for (const json& rank : list) {
    if (!rank.is_number_integer()) user_error("{}: option 'ranks' holds {}, expected integers", where, rank.dump());
    ranks.push_back(rank.get<int64_t>());
  }
  return ranks;
}

}  // namespace

OptionTable GeometryRequest::options() {
  OptionTable table = {
      {.name = "of",
       .type = OptionType::choice,
       .fallback = "input_embeddings",
       .doc = "measured vectors: word embeddings, the matrix behind the scores of words (or classes), or hidden states of tokens",
       .choices = {"input_embeddings", "output_embeddings", "hidden"}},
      {.name = "layer",
       .type = OptionType::integer,
       .doc = "hidden states: 0 is the output of the embeddings, n that of layer n (of a decoder behind an encoder's); absent: the last",
       .minimum = 0},
      {.name = "split", .type = OptionType::text, .fallback = "dev", .doc = "hidden states: split of their rows"},
      {.name = "rows",
       .type = OptionType::integer,
       .fallback = 256,
       .doc = "hidden states: number of these rows, evenly spaced; 0: all",
       .minimum = 0},
      {.name = "top_k",
       .type = OptionType::integer,
       .fallback = 10,
       .doc = "number of largest singular values whose share is told",
       .minimum = 1},
      {.name = "buckets",
       .type = OptionType::integer,
       .fallback = 5,
       .doc = "with a task: number of buckets of equally many words, by frequency in its training rows",
       .minimum = 1,
       .maximum = 100},
      {.name = "ranks", .type = OptionType::list, .doc = "instead of buckets: the last rank of each, as in {100, 1000, 10000}"},
      {.name = "neighbour_rows",
       .type = OptionType::integer,
       .fallback = 2000,
       .doc = "intrinsic dimension: number of rows whose neighbours are looked for, among all rows; 0: all",
       .minimum = 0},
  };
  return table.include(geometry_reading_options());
}

GeometryRequest GeometryRequest::from(const Options& o, bool has_task, const std::string& where) {
  static const std::map<std::string, Of> kinds = {
      {"input_embeddings", Of::input_embeddings}, {"output_embeddings", Of::output_embeddings}, {"hidden", Of::hidden}};
  GeometryRequest request{.of = kinds.at(o.text("of")),
                          .layer = o.has("layer") ? std::optional(static_cast<int>(o.integer("layer"))) : std::nullopt,
                          .split = o.text("split"),
                          .rows = o.integer("rows"),
                          .top_k = o.integer("top_k"),
                          .buckets = o.integer("buckets"),
                          .last_ranks = ranks_of(o.value("ranks"), where),
                          .neighbour_rows = o.integer("neighbour_rows"),
                          .reading = experiment::taken_options(geometry_reading_options(), o)};
  if (request.of == Of::hidden && !has_task) user_error("{}: hidden states are those of a task's rows, but there is no task", where);
  const OptionTable table = options();
  if (request.of != Of::hidden)
    refuse_unread(o, table, {"layer", "split", "rows"}, where, "only hidden states have layers and rows of a split");
  if (!has_task) refuse_unread(o, table, {"buckets", "ranks", "max_length", "blocks", "max_answer_length"}, where, "there is no task");
  if (!request.last_ranks.empty()) refuse_unread(o, table, {"buckets"}, where, "'ranks' says where buckets end");
  return request;
}

namespace experiment {

bool ties_words(const Family& family) {
  const auto scoring = make_family(family.config(), word_head(family.model_kind()), "config.json");
  const ParameterInfo* words = word_embeddings(*scoring);
  return words != nullptr && scoring->label_matrix() == words->name;
}

}  // namespace experiment

std::string GeometryRequest::title() const {
  if (of == Of::input_embeddings) return "input embeddings";
  if (of == Of::output_embeddings) return "output embeddings";
  return layer ? fmt::format("hidden states of layer {}", *layer) : "hidden states of the last layer";
}

HeadSpec GeometryRequest::head(const Family& bare, const Task* task) const {
  if (of == Of::hidden) return head_for(*task, bare.model_kind());
  if (of == Of::input_embeddings) return {};
  return experiment::ties_words(bare) ? HeadSpec{} : word_head(bare.model_kind());
}

}  // namespace tsrun
