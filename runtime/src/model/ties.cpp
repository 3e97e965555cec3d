#include "model/ties.h"

#include "model/config_reader.h"
#include "tsrun/base/log.h"
#include "tsrun/model/model.h"

#include <ATen/ops/equal.h>

#include <cstring>

namespace tsrun::model {
namespace {

const TensorInfo* stored_under(const StoredTensors& stored, const std::string& name) {
  const auto place = stored.find(name);
  return place == stored.end() ? nullptr : place->second;
}

}  // namespace

bool same_values(const TensorInfo& a, const TensorInfo& b) {
  if (a.shape != b.shape) return false;
  if (a.type == b.type && a.bytes.size() == b.bytes.size() && std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0) return true;
  return at::equal(as_float32(a), as_float32(b));
}

bool scores_words(HeadKind head) { return head == HeadKind::masked_lm || head == HeadKind::causal_lm || head == HeadKind::seq2seq_lm; }

bool ties_scores(const nlohmann::json& config, const WordTie& tie) {
  return ConfigReader(config, "config.json").flag("tie_word_embeddings", tie.by_default);
}

const TensorInfo* stored_words(const StoredTensors& stored, const WordTie& tie, bool scores_too) {
  if (const TensorInfo* own = stored_under(stored, tie.words)) return own;
  for (const std::string& copy : tie.copies) {
    if (const TensorInfo* tensor = stored_under(stored, copy)) return tensor;
  }
  return scores_too ? stored_under(stored, tie.scores) : nullptr;
}

nlohmann::json settled_config(const nlohmann::json& config, const StoredTensors& stored, const FamilyEntry& entry,
                              const std::string& where) {
  const WordTie& tie = entry.names.tie;
  if (!entry.settle_tie && !ties_scores(config, tie)) return config;
  const TensorInfo *words = stored_words(stored, tie, false), *scores = stored_under(stored, tie.scores);
  const bool apart = words && scores && !same_values(*words, *scores);
  nlohmann::json settled = config;
  if (entry.settle_tie) entry.settle_tie(settled, !apart);
  if (!entry.settle_tie && apart) settled["tie_word_embeddings"] = false;
  if (apart && ties_scores(config, tie))
    log_warning("{}: '{}' and '{}' hold different values although config.json ties them: they are kept apart", where, words->name,
                scores->name);
  return settled;
}

}  // namespace tsrun::model
