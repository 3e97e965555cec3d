#include "model/beams.h"

#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>

namespace tsrun::model {

bool Beams::ends(const std::vector<int64_t>& ids, int64_t next) const {
  if (std::find(options_->end_ids.begin(), options_->end_ids.end(), next) != options_->end_ids.end()) return true;
  if (!options_->stop) return false;
  std::vector<int64_t> written = ids;
  written.push_back(next);
  return options_->stop(written);
}

/// In float32, as the reference divides.
float Beams::penalised(float sum, size_t length) const {
  return sum / static_cast<float>(std::pow(static_cast<double>(length), options_->length_penalty));
}

/// Keeps the best `num_beams`; of equal scores, those that ended first.
void Beams::finish(Text text) {
  text.score = penalised(text.score, text.ids.size());
  const auto place = std::upper_bound(done_.begin(), done_.end(), text, [](const Text& a, const Text& b) { return a.score > b.score; });
  done_.insert(place, std::move(text));
  if (static_cast<int64_t>(done_.size()) > options_->num_beams) done_.pop_back();
}

/// Whether a running text can still be among the best.
void Beams::decide() {
  const bool full = static_cast<int64_t>(done_.size()) == options_->num_beams;
  if (running_.empty() || (full && options_->early_stopping)) open_ = false;
  if (open_ && full) open_ = penalised(running_.front().score, running_.front().ids.size()) > done_.back().score;
}

Beams::Step Beams::advance(const at::Tensor& log_probabilities, bool last) {
  std::vector<float> sums;
  for (const Text& text : running_) sums.push_back(text.score);
  const int64_t vocabulary = log_probabilities.size(1), beams = options_->num_beams;
  // Enough candidates for `num_beams` to go on even if as many end.
  const int64_t wanted = std::max<int64_t>(2, 1 + static_cast<int64_t>(options_->end_ids.size())) * beams;
  const at::Tensor all = (log_probabilities + at::tensor(sums, at::kFloat).unsqueeze(1)).flatten();
  const auto [scores, places] = at::topk(all, std::min(wanted, all.numel()));
  Step step;
  std::vector<Text> next;
  for (int64_t rank = 0; rank < scores.numel(); ++rank) {
    const int64_t place = places.const_data_ptr<int64_t>()[rank], parent = place / vocabulary, id = place % vocabulary;
    Text text = running_[static_cast<size_t>(parent)];
    const bool ended = ends(text.ids, id);
    text.ids.push_back(id);
    text.score = scores.const_data_ptr<float>()[rank];
    text.ended = ended;
    if (ended || last) {
      if (rank < beams) finish(std::move(text));
    } else if (static_cast<int64_t>(next.size()) < beams) {
      step.parents.push_back(parent);
      step.ids.push_back(id);
      next.push_back(std::move(text));
    }
  }
  running_ = std::move(next);
  decide();
  return step;
}

Generated Beams::best() const {
  const Text& text = done_.empty() ? running_.front() : done_.front();
  return {text.ids, text.ended, static_cast<double>(text.score)};
}

}  // namespace tsrun::model
