#include "train/pretrain_batches.h"

#include "tsrun/base/error.h"

#include <numeric>

namespace tsrun::training {
namespace {

constexpr double mean_span = 3;

/// A line with its special tokens; without them where spans are hidden, because those make the rows.
Encoding encode_line(const std::string& line, const Tokenizer& tokenizer, int64_t max_length, bool bare) {
  const auto tab = line.find('\t');
  if (bare) {
    std::string text = line;
    if (tab != line.npos) text[tab] = ' ';
    std::vector<int64_t> ids = tokenizer.tokenize(text);
    ids.resize(std::min(ids.size(), static_cast<size_t>(max_length - 1)));
    return {ids, std::vector<int64_t>(ids.size(), 0)};
  }
  if (tab == line.npos) return tokenizer.encode(line, {}, max_length);
  return tokenizer.encode(line.substr(0, tab), line.substr(tab + 1), max_length);
}

std::vector<int64_t> next_ids(const std::vector<int64_t>& ids) {
  std::vector<int64_t> targets(ids.begin() + 1, ids.end());
  targets.push_back(no_target);
  return targets;
}

}  // namespace

PretrainBatches::PretrainBatches(const Model& model, std::span<const std::string> lines, int64_t max_length, double share, Key key,
                                 at::Device device)
    : family_(*model.family), device_(device) {
  const HeadKind head = family_.head().kind;
  if (head == HeadKind::masked_lm) masking_.emplace(*model.tokenizer, share, key);
  if (head == HeadKind::seq2seq_lm) spans_.emplace(*model.tokenizer, share, mean_span, key);
  if (!masking_ && !spans_ && head != HeadKind::causal_lm)
    internal_error("pretrain: a {} head is not one of a language model", name_of(head));
  for (const std::string& line : lines) {
    Encoding row = encode_line(line, *model.tokenizer, max_length, /*bare=*/spans_.has_value());
    if (row.ids.size() >= 2) ids_.push_back(std::move(row));
  }
}

EncodedSplit PretrainBatches::split_of(std::span<const int64_t> rows, int64_t epoch) const {
  EncodedSplit split;
  for (const int64_t row : rows) {
    const Encoding& line = ids_[static_cast<size_t>(row)];
    split.targets.push_back(0);
    if (spans_) {
      auto [input, target] = spans_->apply(line.ids, row, epoch);
      std::vector<int64_t> written = {family_.decoder_start()};
      written.insert(written.end(), target.begin(), target.end() - 1);
      split.rows.push_back({input, std::vector<int64_t>(input.size(), 0)});
      split.decoder_rows.push_back(std::move(written));
      split.token_targets.push_back(std::move(target));
    } else {
      split.rows.push_back(line);
      if (!masking_) split.token_targets.push_back(next_ids(line.ids));
    }
  }
  return split;
}

PackedBatch PretrainBatches::make(std::span<const int64_t> rows, int64_t epoch) const {
  std::vector<int64_t> all(rows.size());
  std::iota(all.begin(), all.end(), 0);
  PackedRows packed = pack_batch(split_of(rows, epoch), all);
  packed.row_numbers.assign(rows.begin(), rows.end());
  if (masking_) packed.token_targets = masking_->apply(packed, epoch);
  return to_device(packed, family_.head(), device_);
}

}  // namespace tsrun::training
