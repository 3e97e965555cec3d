#include "tsrun/tune/fastfood_projection.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tsrun {
namespace {

/// A tensor's share of a group, before its map is drawn.
struct Piece {
  int64_t begin = 0, size = 0;
  std::string name;
};

std::vector<Piece> pieces_of(const ParameterSet& parameters, const Group& group, bool flattened) {
  if (flattened) return {{group.begin, group.size(), group.name}};
  std::vector<Piece> pieces;
  for (const Slice& slice : parameters.layout.slices()) {
    const int64_t begin = std::max(group.begin, slice.offset), end = std::min(group.end, slice.offset + slice.size);
    if (begin < end) pieces.push_back({begin, end - begin, slice.name});
  }
  return pieces;
}

int64_t padded(int64_t size) { return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(size))); }

/// Threads take whole maps where there are several for each; else a map is shared between them.
void over_parts(size_t count, const std::function<void(size_t)>& body) {
  if (count < 2 * static_cast<size_t>(threads())) {
    for (size_t p = 0; p < count; ++p) body(p);
    return;
  }
  parallel_for(static_cast<int64_t>(count), 1, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) body(static_cast<size_t>(p));
  });
}

}  // namespace

OptionTable fastfood_options() {
  return {{.name = "transform",
           .type = OptionType::choice,
           .fallback = "tensor",
           .doc = "Padded and transformed: each tensor by itself (the release), or each group as one vector.",
           .choices = {"tensor", "group"}},
          {.name = "scaling",
           .type = OptionType::choice,
           .fallback = "unit",
           .doc = "Length of a column: 1 over its group, so that a rate means what it means for an orthonormal basis (unit), or 1 within "
                  "every tensor, small or large (released).",
           .choices = {"unit", "released"}},
          {.name = "gradient",
           .type = OptionType::choice,
           .fallback = "exact",
           .doc = "Gradient of the coordinates: the transpose (exact), or each tensor's share of it divided by its padded length, as the "
                  "released backward pass does (released; for comparison with its numbers only).",
           .choices = {"exact", "released"}}};
}

FastfoodChoices FastfoodChoices::of(const Options& options) {
  return {options.text("transform") == "group", options.text("scaling") == "released", options.text("gradient") == "released"};
}

FastfoodChoices FastfoodChoices::from_json(const nlohmann::json& json) {
  return {json.at("transform") == "group", json.at("scaling") == "released", json.at("gradient") == "released"};
}

nlohmann::json FastfoodChoices::to_json() const {
  return {{"transform", flattened ? "group" : "tensor"},
          {"scaling", released_scaling ? "released" : "unit"},
          {"gradient", released_gradients ? "released" : "exact"}};
}

FastfoodProjection::FastfoodProjection(const ParameterSet& parameters, const std::vector<int64_t>& dims, FastfoodChoices choices, Key key,
                                       const std::string& who) {
  for (size_t g = 0; g < dims.size(); ++g) {
    const Group& group = parameters.groups[g];
    int64_t reach = 0;
    for (const Piece& piece : pieces_of(parameters, group, choices.flattened)) reach = std::max(reach, padded(piece.size));
    reach = std::min(reach, FastfoodMap::most_coordinates);
    if (dims[g] > reach)
      user_error("{}: {} coordinates for group '{}' of {} parameters, expected at most {}", who, dims[g], group.name, group.size(), reach);
    add_group(parameters, g, dims[g], choices, key);
  }
  Sha256 digest;
  for (const Part& part : parts_)
    for (const auto bytes : part.map.first_numbers()) digest.update(bytes);
  digest_ = digest.hex();
}

void FastfoodProjection::add_group(const ParameterSet& parameters, size_t g, int64_t dim, FastfoodChoices choices, Key key) {
  check_interrupt();
  const Group& group = parameters.groups[g];
  const auto pieces = pieces_of(parameters, group, choices.flattened);
  std::vector<std::unique_ptr<FastfoodMap>> maps(pieces.size());
  over_parts(pieces.size(), [&](size_t p) {
    const Piece& piece = pieces[p];
    const Key own = key.split(piece.name).split(static_cast<uint64_t>(piece.begin - group.begin));
    maps[p] = std::make_unique<FastfoodMap>(piece.size, std::min(dim, padded(piece.size)), own);
  });
  for (size_t p = 0; p < pieces.size(); ++p) {
    const double share = static_cast<double>(pieces[p].size) / static_cast<double>(group.size());
    const auto scale = static_cast<float>(choices.released_scaling ? 1 : std::sqrt(share));
    const double factor = choices.released_gradients ? 1 / static_cast<double>(maps[p]->length()) : 1;
    parts_.push_back({g, pieces[p].begin, pieces[p].size, pieces[p].name, std::move(*maps[p]), scale, factor});
  }
}

void FastfoodProjection::expand(std::span<const float> z, std::span<const int64_t> offsets, std::span<const float> factors,
                                std::span<float> out) const {
  over_parts(parts_.size(), [&](size_t p) {
    const Part& part = parts_[p];
    const auto own = z.subspan(static_cast<size_t>(offsets[part.group]), static_cast<size_t>(part.map.dim()));
    part.map.expand(own, out.subspan(static_cast<size_t>(part.begin), static_cast<size_t>(part.size)), factors[p] * part.scale);
  });
}

std::vector<double> FastfoodProjection::project(std::span<const float> z, std::span<const int64_t> offsets, std::span<const float> factors,
                                                std::span<const float> g, std::vector<double>* inner) const {
  std::vector<std::vector<double>> sums(parts_.size());
  if (inner != nullptr) inner->assign(parts_.size(), 0.0);
  over_parts(parts_.size(), [&](size_t p) {
    const Part& part = parts_[p];
    sums[p].assign(static_cast<size_t>(part.map.dim()), 0.0);
    const double scale = part.scale * part.gradient_factor;
    part.map.project(g.subspan(static_cast<size_t>(part.begin), static_cast<size_t>(part.size)), sums[p], scale);
    const auto own = z.subspan(static_cast<size_t>(offsets[part.group]), sums[p].size());
    if (inner != nullptr)
      for (size_t k = 0; k < own.size(); ++k)
        (*inner)[p] += static_cast<double>(own[k]) * sums[p][k] / part.gradient_factor;  // ⟨P z, g⟩ = ⟨z, Pᵀ g⟩
  });
  std::vector<double> result(z.size(), 0.0);
  for (size_t p = 0; p < parts_.size(); ++p)
    for (size_t k = 0; k < sums[p].size(); ++k)
      result[static_cast<size_t>(offsets[parts_[p].group]) + k] += static_cast<double>(factors[p]) * sums[p][k];
  return result;
}

std::vector<std::string> fastfood_part_names(const ParameterSet& parameters, const Group& group, bool flattened) {
  std::vector<std::string> names;
  for (const Piece& piece : pieces_of(parameters, group, flattened)) names.push_back(piece.name);
  return names;
}

std::string layer_of_name(const std::string& name) {
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const bool number =
        end > begin && std::all_of(name.begin() + static_cast<std::ptrdiff_t>(begin), name.begin() + static_cast<std::ptrdiff_t>(end),
                                   [](char c) { return c >= '0' && c <= '9'; });
    if (number) return name.substr(0, end);
    begin = end + 1;
  }
  return name.substr(0, name.find('.'));
}

}  // namespace tsrun
