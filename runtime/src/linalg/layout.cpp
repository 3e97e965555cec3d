#include "tsrun/linalg/layout.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"

#include <algorithm>
#include <limits>

namespace tsrun {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string slice_text(const Layout& layout, size_t index) {
  if (index >= layout.slices().size()) return "missing";
  const Slice& slice = layout.slices()[index];
  return fmt::format("'{}' {}", slice.name, shape_text(slice.shape));
}

int64_t product(const std::string& name, const std::vector<int64_t>& shape) {
  int64_t size = 1;
  for (int64_t extent : shape) {
    if (extent < 0) internal_error("layout: '{}' has the negative extent {}", name, extent);
    if (extent != 0 && size > std::numeric_limits<int64_t>::max() / extent) internal_error("layout: '{}' is too large", name);
    size *= extent;
  }
  return size;
}

Slice slice_from_json(const nlohmann::json& json) {
  Slice slice;
  slice.name = json.at("name").get<std::string>();
  slice.shape = json.at("shape").get<std::vector<int64_t>>();
  slice.offset = json.at("offset").get<int64_t>();
  return slice;
}

}  // namespace

Layout& Layout::add(std::string name, std::vector<int64_t> shape) {
  if (find(name)) internal_error("layout: '{}' was added twice", name);
  const int64_t size = product(name, shape);
  slices_.push_back({std::move(name), std::move(shape), total_, size});
  total_ += size;
  return *this;
}

const Slice* Layout::find(std::string_view name) const {
  const auto found = std::find_if(slices_.begin(), slices_.end(), [&](const Slice& slice) { return slice.name == name; });
  return found == slices_.end() ? nullptr : &*found;
}

const Slice& Layout::at_position(int64_t position) const {
  if (position < 0 || position >= total_) internal_error("layout: position {} is outside the {} elements", position, total_);
  const auto after =
      std::upper_bound(slices_.begin(), slices_.end(), position, [](int64_t p, const Slice& slice) { return p < slice.offset; });
  auto at = std::prev(after);
  while (at->size == 0) --at;  // an empty slice shares its offset with its successor
  return *at;
}

nlohmann::json Layout::to_json() const {
  auto slices = nlohmann::json::array();
  for (const Slice& slice : slices_) slices.push_back({{"name", slice.name}, {"shape", slice.shape}, {"offset", slice.offset}});
  return {{"slices", slices}, {"total", total_}};
}

Layout Layout::from_json(const nlohmann::json& json) {
  Layout layout;
  try {
    for (const auto& entry : json.at("slices")) {
      const Slice slice = slice_from_json(entry);
      if (slice.offset != layout.total_) data_error("layout: '{}' starts at {}, expected {}", slice.name, slice.offset, layout.total_);
      if (layout.find(slice.name)) data_error("layout: '{}' is listed twice", slice.name);
      if (std::any_of(slice.shape.begin(), slice.shape.end(), [](int64_t n) { return n < 0 || n > (int64_t{1} << 40); }))
        data_error("layout: '{}' has the impossible shape {}", slice.name, shape_text(slice.shape));
      layout.add(slice.name, slice.shape);
    }
    if (json.at("total") != layout.total_) data_error("layout: total is {}, the slices have {}", json.at("total").dump(), layout.total_);
  } catch (const nlohmann::json::exception& e) {
    data_error("layout: expected {{slices: [{{name, shape, offset}}], total}}: {}", e.what());
  } catch (const Error& e) {
    throw Error(ErrorKind::data, e.what());
  }
  return layout;
}

std::string Layout::digest() const { return sha256(to_json().dump()); }

std::optional<std::string> first_difference(const Layout& here, const Layout& there) {
  const size_t count = std::max(here.slices().size(), there.slices().size());
  for (size_t i = 0; i < count; ++i) {
    const bool both = i < here.slices().size() && i < there.slices().size();
    if (both && here.slices()[i] == there.slices()[i]) continue;
    return fmt::format("slice {} is {} here and {} there", i, slice_text(here, i), slice_text(there, i));
  }
  return std::nullopt;
}

}  // namespace tsrun
