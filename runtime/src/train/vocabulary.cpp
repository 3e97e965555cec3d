#include "train/vocabulary.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/parts.h"

#include <algorithm>

namespace tsrun::training {
namespace {

bool exact(const TuneOptions& tune, const std::string& name) {
  const auto touches = [&](const Layout& layout) { return layout.find(name) != nullptr; };
  const auto entry = tune.scope.parameters.find(name);
  const bool frozen = tune.scope.frozen_layers > 0 || (entry != tune.scope.parameters.end() && !entry->second.trained);
  if (frozen || tune.weight_decay != 0) return false;
  if (tune.zeroed && touches(tune.zeroed->layout)) return false;
  if (tune.held && touches(tune.held->layout)) return false;
  return !(tune.subspace && touches(tune.subspace->parameters().layout));
}

/// Ids in ascending order.
std::vector<int64_t> reached_ids(const std::vector<const EncodedSplit*>& splits, int64_t vocabulary) {
  std::vector<bool> seen(static_cast<size_t>(vocabulary));
  for (const auto* split : splits) {
    for (const auto& row : split->rows) {
      for (const int64_t id : row.ids) {
        if (id >= 0 && id < vocabulary) seen[static_cast<size_t>(id)] = true;
      }
    }
  }
  std::vector<int64_t> ids;
  for (int64_t id = 0; id < vocabulary; ++id) {
    if (seen[static_cast<size_t>(id)]) ids.push_back(id);
  }
  return ids;
}

}  // namespace

std::optional<ReachedVocabulary> ReachedVocabulary::find(const Model& model, const TuneOptions& tune,
                                                         const std::vector<const EncodedSplit*>& splits) {
  const ParameterInfo* words = word_embeddings(*model.family);
  const HeadKind head = model.family->head().kind;
  const bool reads_only = head == HeadKind::classification || head == HeadKind::regression || head == HeadKind::token_classification;
  if (!words || !reads_only || !exact(tune, words->name)) return std::nullopt;
  const int64_t vocabulary = words->shape[0];
  const auto ids = reached_ids(splits, vocabulary);
  if (static_cast<int64_t>(ids.size()) * 10 > vocabulary * 9) return std::nullopt;

  ReachedVocabulary result;
  result.family_ = model.family->with_vocabulary(ids);
  if (!result.family_) return std::nullopt;
  result.name_ = words->name;
  result.origin_ = model.weights.at(words->name);
  result.kept_ = at::tensor(ids, at::kLong);
  result.place_.assign(static_cast<size_t>(vocabulary), -1);
  for (size_t i = 0; i < ids.size(); ++i) result.place_[static_cast<size_t>(ids[i])] = static_cast<int64_t>(i);
  return result;
}

Weights ReachedVocabulary::reduced(const Weights& whole) const {
  Weights weights = whole;
  weights.set(name_, origin_.index_select(0, kept_));
  return weights;
}

Weights ReachedVocabulary::whole(const Weights& reduced) const {
  Weights weights = reduced;
  const at::Tensor rows = reduced.at(name_).detach();
  weights.set(name_, origin_.to(rows.device(), rows.scalar_type()).index_copy(0, kept_.to(rows.device()), rows));
  return weights;
}

void ReachedVocabulary::renumber(EncodedSplit& split) const {
  for (auto& row : split.rows) {
    for (auto& id : row.ids) {
      if (id >= 0 && id < static_cast<int64_t>(place_.size())) id = place_[static_cast<size_t>(id)];
    }
  }
}

int64_t ReachedVocabulary::numbers_left_out() const { return (origin_.size(0) - kept_.size(0)) * origin_.size(1); }

}  // namespace tsrun::training
