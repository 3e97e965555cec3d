#pragma once

#include "tsrun/data/batch.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/binding.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tsrun::training {

/// The rows of the word embeddings that the texts of a task can reach. A row that is never read has no gradient, so without weight decay an
/// optimiser that starts from zero moments leaves it where it is: training the reached rows alone gives the same weights, with less work,
/// provided that the optimiser moves every number by its own gradients alone.
class ReachedVocabulary {
 public:
  /// nullopt when leaving rows out would not be exact, or not worth it: embeddings frozen or decayed, a mask or a subspace on them, or most
  /// rows reached.
  static std::optional<ReachedVocabulary> find(const Model& model, const TuneOptions& tune, const std::vector<const EncodedSplit*>& splits);

  const std::shared_ptr<const Family>& family() const { return family_; }  ///< the same model over the smaller vocabulary
  Weights reduced(const Weights& whole) const;                             ///< shares every other tensor
  Weights whole(const Weights& reduced) const;                             ///< rows out of reach are those the model came with
  void renumber(EncodedSplit& split) const;                                ///< ids of the model become ids of `family`
  int64_t numbers_left_out() const;

 private:
  std::shared_ptr<const Family> family_;
  std::string name_;            ///< of the word embeddings
  at::Tensor origin_;           ///< [vocabulary, width]
  at::Tensor kept_;             ///< int64 [reached], ascending
  std::vector<int64_t> place_;  ///< new id of every id, -1 out of reach
};

}  // namespace tsrun::training
