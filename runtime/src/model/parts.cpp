#include "tsrun/model/parts.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tsrun {

namespace {

constexpr std::array<std::pair<Part, std::string_view>, 6> kParts = {{{Part::embeddings, "embeddings"},
                                                                      {Part::encoder, "encoder"},
                                                                      {Part::decoder, "decoder"},
                                                                      {Part::pooler, "pooler"},
                                                                      {Part::head, "head"},
                                                                      {Part::delta, "delta"}}};

}  // namespace

std::string_view name_of(Part part) {
  const auto found = std::find_if(kParts.begin(), kParts.end(), [&](const auto& known) { return known.first == part; });
  if (found == kParts.end()) internal_error("part {} has no name", static_cast<int>(part));
  return found->second;
}

std::vector<std::string> part_names() {
  std::vector<std::string> names;
  for (const auto& [part, name] : kParts) names.emplace_back(name);
  return names;
}

std::vector<std::string> own_part_names() {
  std::vector<std::string> names = part_names();
  std::erase(names, name_of(Part::delta));
  return names;
}

Part parse_part(std::string_view name, std::string_view where) {
  const auto found = std::find_if(kParts.begin(), kParts.end(), [&](const auto& known) { return known.second == name; });
  if (found != kParts.end()) return found->first;
  const std::vector<std::string> names = part_names();
  user_error("{}: unknown part '{}'{}; the parts are {}", where, name, did_you_mean(name, names), join_words(names));
}

const ParameterInfo* word_embeddings(const Family& family) {
  const int64_t vocabulary = family.config().value("vocab_size", int64_t{0});
  for (const ParameterInfo& info : family.parameters())
    if (info.kind == ParameterKind::embedding && !info.shape.empty() && info.shape[0] == vocabulary) return &info;
  return nullptr;
}

int encoder_layers(const Family& family) {
  int layers = 0;
  for (const ParameterInfo& info : family.parameters())
    if (info.part == Part::encoder) layers = std::max(layers, info.layer + 1);
  return layers;
}

}  // namespace tsrun
