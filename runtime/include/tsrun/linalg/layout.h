#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// One tensor's range of a flat vector.
struct Slice {
  std::string name;  ///< Hugging Face parameter name
  std::vector<int64_t> shape;
  int64_t offset = 0;  ///< first element in the flat vector
  int64_t size = 0;    ///< product of `shape`
  friend bool operator==(const Slice&, const Slice&) = default;
};

/// An ordered list of tensors, concatenated in a flat vector of `total()` elements. Stored with every flat vector; artifacts combine only
/// if their layouts are equal.
class Layout {
 public:
  Layout& add(std::string name, std::vector<int64_t> shape);  ///< internal error when the name is taken
  const std::vector<Slice>& slices() const { return slices_; }
  int64_t total() const { return total_; }
  const Slice* find(std::string_view name) const;
  const Slice& at_position(int64_t position) const;  ///< the slice that holds flat element `position`
  std::string digest() const;                        ///< sha256 of the canonical JSON
  nlohmann::json to_json() const;
  static Layout from_json(const nlohmann::json& json);  ///< @throws Error(data)
  friend bool operator==(const Layout& a, const Layout& b) { return a.slices_ == b.slices_; }

 private:
  std::vector<Slice> slices_;
  int64_t total_ = 0;
};

/// "slice 3 is 'encoder.layer.0.attention.self.key.bias' [384] here and … there"; nullopt when equal.
std::optional<std::string> first_difference(const Layout& here, const Layout& there);

}  // namespace tsrun
