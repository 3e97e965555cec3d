#include "train/span_corruption.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <cmath>

namespace tsrun::training {
namespace {

/// `total` cut into `parts` lengths of at least 1, every way equally likely.
std::vector<int64_t> random_partition(int64_t total, int64_t parts, Stream& draw) {
  std::vector<int64_t> cuts;  // a random choice of parts - 1 among the total - 1 places between
  for (int64_t place = 1, needed = parts - 1; place < total; ++place) {
    if (static_cast<int64_t>(draw.below(static_cast<uint64_t>(total - place))) >= needed) continue;
    cuts.push_back(place);
    --needed;
  }
  cuts.push_back(total);
  std::vector<int64_t> lengths;
  for (size_t i = 0; i < cuts.size(); ++i) lengths.push_back(cuts[i] - (i == 0 ? 0 : cuts[i - 1]));
  return lengths;
}

}  // namespace

SpanCorruption::SpanCorruption(const Tokenizer& tokenizer, double share, double mean_span, Key key)
    : share_(share), mean_span_(mean_span), key_(key) {
  for (int64_t number = 0;; ++number) {
    const auto id = tokenizer.id(fmt::format("<extra_id_{}>", number));
    if (!id) break;
    sentinels_.push_back(*id);
  }
  const auto end = tokenizer.special_id(SpecialToken::end);
  if (sentinels_.empty() || !end)
    data_error("the tokenizer has {} sentinels <extra_id_…> and {} end token, expected both", sentinels_.size(), end ? "an" : "no");
  end_ = *end;
}

SpanCorruption::Row SpanCorruption::apply(const std::vector<int64_t>& text, int64_t row, int64_t epoch) const {
  Stream draw(key_.split(static_cast<uint64_t>(epoch)).split(static_cast<uint64_t>(row)));
  const auto length = static_cast<int64_t>(text.size());
  const int64_t hidden = std::clamp<int64_t>(std::llround(static_cast<double>(length) * share_), 1, length - 1);
  const int64_t most = std::min({hidden, length - hidden, static_cast<int64_t>(sentinels_.size())});
  const int64_t spans = std::clamp<int64_t>(std::llround(static_cast<double>(hidden) / mean_span_), 1, most);
  const auto shown = random_partition(length - hidden, spans, draw), noise = random_partition(hidden, spans, draw);
  Row out;
  auto next = text.begin();
  for (size_t span = 0; span < noise.size(); ++span) {
    out.input.insert(out.input.end(), next, next + shown[span]);
    next += shown[span];
    out.input.push_back(sentinels_[span]);
    out.target.push_back(sentinels_[span]);
    out.target.insert(out.target.end(), next, next + noise[span]);
    next += noise[span];
  }
  out.input.push_back(end_);
  out.target.push_back(end_);
  return out;
}

}  // namespace tsrun::training
