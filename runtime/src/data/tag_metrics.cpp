#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/metrics.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

namespace tsrun {
namespace {

using TagRows = std::span<const std::vector<int64_t>>;

/// The parts of "B-PER": 'B' and "PER". A bare type goes on as I- does; "O" is outside of every entity.
struct Mark {
  char place = 'O';
  std::string_view type;
};

Mark mark_of(std::string_view tag) {
  constexpr std::string_view kPlaces = "BIES";
  if (tag.empty() || tag == "O" || tag.starts_with("O-")) return {};
  if (kPlaces.find(tag.front()) == kPlaces.npos) return {'I', tag};
  if (tag.size() == 1) return {tag.front(), {}};
  return tag[1] == '-' ? Mark{tag.front(), tag.substr(2)} : Mark{'I', tag};
}

/// Whether `mark` goes on with the entity that `before` is in.
bool goes_on(const Mark& before, const Mark& mark) {
  const bool open = before.place == 'B' || before.place == 'I';
  return open && (mark.place == 'I' || mark.place == 'E') && mark.type == before.type;
}

struct Entity {
  size_t begin, end;  ///< words
  std::string_view type;
  auto operator<=>(const Entity&) const = default;
};

/// As conlleval: an I- after another type, or after O, begins an entity; so does whatever follows an E- or S-.
std::set<Entity> entities_of(const std::vector<int64_t>& tags, std::span<const std::string> labels) {
  std::set<Entity> entities;
  Mark before;
  size_t begin = 0;
  for (size_t word = 0; word <= tags.size(); ++word) {
    const bool known = word < tags.size() && tags[word] >= 0 && static_cast<size_t>(tags[word]) < labels.size();
    const Mark mark = known ? mark_of(labels[static_cast<size_t>(tags[word])]) : Mark{};
    if (!goes_on(before, mark)) {
      if (before.place != 'O') entities.insert({begin, word, before.type});
      begin = word;
    }
    before = mark;
  }
  return entities;
}

double entity_f1(TagRows predictions, TagRows targets, std::span<const std::string> labels) {
  double right = 0, all = 0;
  for (size_t row = 0; row < targets.size(); ++row) {
    const std::set<Entity> predicted = entities_of(predictions[row], labels), actual = entities_of(targets[row], labels);
    all += static_cast<double>(predicted.size() + actual.size());
    for (const Entity& entity : predicted) right += actual.contains(entity);
  }
  return all == 0 ? 0 : 2 * right / all;
}

std::vector<double> end_to_end(TagRows rows) {
  std::vector<double> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

void require_same_words(std::string_view name, TagRows predictions, TagRows targets) {
  if (predictions.size() != targets.size())
    internal_error("metric '{}' got {} predictions for {} rows, expected as many", name, predictions.size(), targets.size());
  for (size_t row = 0; row < targets.size(); ++row) {
    if (predictions[row].size() != targets[row].size())
      internal_error("metric '{}' got {} tags for {} words in row {}, expected as many", name, predictions[row].size(), targets[row].size(),
                     row);
  }
}

void require_known(std::string_view name, TaskKind kind) {
  const auto& known = metric_names(kind);
  if (std::find(known.begin(), known.end(), name) == known.end())
    user_error("unknown metric '{}' of {}{}, expected one of {}", name, name_of(kind), did_you_mean(name, known), join_words(known));
}

}  // namespace

double tag_metric(std::string_view name, TagRows predictions, TagRows targets, std::span<const std::string> labels) {
  require_known(name, TaskKind::token_classification);
  require_same_words(name, predictions, targets);
  const std::vector<double> actual = end_to_end(targets);
  if (actual.empty()) return std::nan("");
  return name == "entity_f1" ? entity_f1(predictions, targets, labels)
                             : metric_value(name, end_to_end(predictions), actual, static_cast<int64_t>(labels.size()));
}

double likelihood_metric(std::string_view name, double negative_log_likelihood, int64_t tokens, int64_t bytes) {
  require_known(name, TaskKind::language_modelling);
  const int64_t units = name == "perplexity" ? tokens : bytes;
  if (units <= 0) return std::nan("");
  const double each = negative_log_likelihood / static_cast<double>(units);
  return name == "bits_per_byte" ? each / std::numbers::ln2 : std::exp(each);
}

}  // namespace tsrun
