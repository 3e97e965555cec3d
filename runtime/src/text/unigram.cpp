#include "text/unigram.h"

#include "text/utf8_units.h"
#include "tsrun/base/error.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tsrun::text {

/// Last token of the best segmentation of a prefix of the piece.
struct Unigram::Step {
  double score = 0;
  int32_t id = -1;     ///< of its last token; -1: no segmentation ends here
  uint32_t begin = 0;  ///< of its last token
};

Unigram::Unigram(UnigramParts parts, const std::string& where) : parts_(std::move(parts)) {
  constexpr double kUnknownPenalty = 10;
  const auto count = static_cast<int64_t>(parts_.vocabulary.size());
  if (parts_.unknown < 0 || parts_.unknown >= count)
    data_error("{}: the unknown token's id is {}, expected one from 0 to {}", where, parts_.unknown, count - 1);
  for (size_t id = 0; id < parts_.vocabulary.size(); ++id) {
    const std::string& token = parts_.vocabulary[id];
    if (!std::isfinite(parts_.scores[id]))
      data_error("{}: token '{}' has score {}, expected a finite one", where, token, parts_.scores[id]);
    if (!token.empty()) tokens_.insert(token, static_cast<int32_t>(id));
  }
  unknown_score_ = *std::min_element(parts_.scores.begin(), parts_.scores.end()) - kUnknownPenalty;
  if (parts_.byte_fallback) fallback_ = ByteTokens([this](std::string_view token) { return find(token); });
}

int32_t Unigram::find(std::string_view token) const {
  const auto node = token.empty() ? std::nullopt : tokens_.find(token);
  return node ? tokens_.id_at(*node) : -1;
}

/// Fills the best step to each end of a character.
void Unigram::search(std::string_view piece, std::vector<Step>& steps) const {
  steps.assign(piece.size() + 1, Step{});
  for (size_t begin = 0; begin < piece.size();) {
    size_t next = begin;
    next_character(piece, next);
    const double so_far = steps[begin].score;
    const auto offer = [&](size_t end, int32_t id, double score) {
      Step& step = steps[end];
      if (step.id < 0 || so_far + score > step.score) step = {so_far + score, id, static_cast<uint32_t>(begin)};
    };
    bool covered = false;
    tokens_.each_prefix(piece.substr(begin), [&](int32_t id, size_t length) {
      offer(begin + length, id, parts_.scores[static_cast<size_t>(id)]);
      covered |= begin + length == next;
    });
    if (!covered) offer(next, static_cast<int32_t>(parts_.unknown), unknown_score_);
    begin = next;
  }
}

void Unigram::encode(std::string_view piece, std::vector<int64_t>& ids) const {
  if (piece.size() >= std::numeric_limits<uint32_t>::max()) data_error("a text has {} bytes, expected less than 4 GiB", piece.size());
  thread_local std::vector<Step> steps;
  thread_local std::vector<size_t> ends;
  search(piece, steps);
  ends.clear();
  for (size_t end = piece.size(); end > 0; end = steps[end].begin) ends.push_back(end);
  for (size_t left = ends.size(); left > 0;) {
    const Step& step = steps[ends[--left]];
    size_t end = ends[left];
    if (step.id != parts_.unknown) {
      ids.push_back(step.id);
      continue;
    }
    while (left > 0 && steps[ends[left - 1]].id == parts_.unknown) end = ends[--left];
    append(piece.substr(step.begin, end - step.begin), ids);
  }
}

void Unigram::append(std::string_view unknown, std::vector<int64_t>& ids) const {
  if (const int32_t id = find(unknown); id >= 0) return ids.push_back(id);
  if (parts_.byte_fallback && fallback_.append(unknown, ids)) return;
  ids.push_back(parts_.unknown);
}

nlohmann::json Unigram::json() const {
  nlohmann::json vocabulary = nlohmann::json::array();
  for (size_t id = 0; id < parts_.vocabulary.size(); ++id) vocabulary.push_back({parts_.vocabulary[id], parts_.scores[id]});
  return {{"type", "Unigram"}, {"unk_id", parts_.unknown}, {"vocab", std::move(vocabulary)}, {"byte_fallback", parts_.byte_fallback}};
}

}  // namespace tsrun::text
