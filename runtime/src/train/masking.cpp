#include "train/masking.h"

#include "tsrun/base/error.h"

#include <algorithm>

namespace tsrun::training {

Masking::Masking(const Tokenizer& tokenizer, double share, Key key, int64_t vocabulary)
    : vocabulary_(std::min(tokenizer.vocabulary_size(), vocabulary)), share_(share), key_(key) {
  const auto mask = tokenizer.mask_id();
  if (!mask) data_error("masked language modelling: the vocabulary has no mask token");
  mask_ = *mask;
  if (mask_ >= vocabulary_)
    data_error("masked language modelling: the mask token's id is {}, but the model's vocab_size is {}", mask_, vocabulary);
  const auto enclosing = tokenizer.encode("", "").ids;
  special_.insert(enclosing.begin(), enclosing.end());
}

void Masking::hide(PackedRows& rows, size_t token, Stream& draw, std::vector<int64_t>& targets) const {
  targets[token] = rows.ids[token];
  const double how = draw.uniform();
  if (how < 0.8) {
    rows.ids[token] = mask_;
  } else if (how < 0.9) {
    rows.ids[token] = static_cast<int64_t>(draw.below(static_cast<uint64_t>(vocabulary_)));
  }
}

std::vector<int64_t> Masking::apply(PackedRows& rows, int64_t epoch) const {
  std::vector<int64_t> targets(rows.ids.size(), no_target);
  const Key epoch_key = key_.split(static_cast<uint64_t>(epoch));
  for (int64_t r = 0; r < rows.rows(); ++r) {
    Stream draw(epoch_key.split(static_cast<uint64_t>(rows.row_numbers[static_cast<size_t>(r)])));
    std::vector<size_t> words;
    const auto begin = static_cast<size_t>(rows.offsets[static_cast<size_t>(r)]),
               end = static_cast<size_t>(rows.offsets[static_cast<size_t>(r) + 1]);
    for (size_t token = begin; token < end; ++token) {
      if (!special_.contains(rows.ids[token])) words.push_back(token);
    }
    bool any = false;
    for (const size_t token : words) {
      if (draw.uniform() >= share_) continue;
      hide(rows, token, draw, targets);
      any = true;
    }
    if (!any && !words.empty()) hide(rows, words[draw.below(words.size())], draw, targets);
  }
  return targets;
}

}  // namespace tsrun::training
