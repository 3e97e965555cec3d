#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "checkpoint/data_type.h"
#include "tsrun/base/error.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/checkpoint/safetensors.h"

// The rules are those of the reference implementation's README and validation. Everything in the header is untrusted: sizes are compared by
// subtraction from what is known to be there, and products are checked before they are made.
namespace tsrun {
namespace {

using nlohmann::json;

constexpr uint64_t length_bytes = 8, longest_header = 100'000'000;

std::string shown(const json& value) {
  constexpr size_t most = 100;
  const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return text.size() <= most ? text : text.substr(0, most) + "…";
}

template <class... Args>
[[noreturn]] void invalid(const std::string& file, fmt::format_string<Args...> format, Args&&... args) {
  data_error("{}: not a valid safetensors file: {}", file, fmt::format(format, std::forward<Args>(args)...));
}

uint64_t little_endian(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = (value << 8) | std::to_integer<uint64_t>(bytes[i - 1]);
  return value;
}

std::string_view header_of(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < length_bytes)
    invalid(file, "it has {} bytes, expected at least {} for the length of the header", bytes.size(), length_bytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("version https://git-lfs")) data_error("{}: is a Git LFS pointer, not the file itself; run 'git lfs pull'", file);
  const uint64_t length = little_endian(bytes.first(length_bytes));
  if (length > longest_header) invalid(file, "its header is said to have {} bytes, expected at most {}", length, longest_header);
  if (length > bytes.size() - length_bytes) {
    invalid(file, "its header is said to have {} bytes, but only {} follow (is the file truncated?)", length, bytes.size() - length_bytes);
  }
  const std::string_view header = text.substr(length_bytes, length);
  if (header.empty() || header.front() != '{') invalid(file, "its header does not start with '{{'");
  if (const size_t zero = header.find('\0'); zero != std::string_view::npos)
    invalid(file, "byte {} of its header is 0, expected JSON text", zero);
  return header;
}

// Parses the header; the same key twice in one object, at whatever depth, is an error, and so is more nesting than the format has.
json parse_header(std::string_view header, const std::string& file) {
  constexpr int deepest = 3;
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > deepest) invalid(file, "its header nests deeper than {} levels", deepest);
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      invalid(file, "its header has the key {} twice", shown(parsed));
    return true;
  };
  try {
    return json::parse(header, watch);
  } catch (const json::parse_error& error) {
    const std::string_view message = error.what();
    const size_t reason = message.find("syntax error");
    invalid(file, "its header is not UTF-8 JSON: {}", reason == std::string_view::npos ? message : message.substr(reason));
  } catch (const json::exception& error) {
    invalid(file, "its header is not JSON: {}", error.what());
  }
}

std::map<std::string, std::string> parse_metadata(const json& value, const std::string& file) {
  if (!value.is_object()) invalid(file, "{} is {}, expected an object of texts", checkpoint::metadata_key, shown(value));
  std::map<std::string, std::string> result;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) invalid(file, "{} has {} at {}, expected text", checkpoint::metadata_key, shown(text), shown(key));
    result[key] = text.get<std::string>();
  }
  return result;
}

const json& field(const json& entry, const char* name, const std::string& tensor, const std::string& file) {
  const auto found = entry.find(name);
  if (found == entry.end()) invalid(file, "tensor {} has no '{}'", tensor, name);
  return *found;
}

std::vector<int64_t> parse_sizes(const json& value, const char* what, const std::string& tensor, const std::string& file) {
  std::vector<int64_t> sizes;
  const auto fits = [](const json& item) {
    return item.is_number_unsigned() && item.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  };
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), fits)) {
    invalid(file, "tensor {}: {} is {}, expected a list of integers from 0 to 2^63-1", tensor, what, shown(value));
  }
  for (const json& item : value) sizes.push_back(item.get<int64_t>());
  return sizes;
}

struct Entry {
  TensorInfo info;
  int64_t begin, end;
};

Entry parse_entry(const std::string& name, const json& value, const std::string& file) {
  const std::string tensor = shown(name);
  if (!value.is_object()) invalid(file, "tensor {} is {}, expected an object", tensor, shown(value));
  const json& type_name = field(value, "dtype", tensor, file);
  const auto type = type_name.is_string() ? checkpoint::data_type_named(type_name.get_ref<const std::string&>()) : std::nullopt;
  if (!type) invalid(file, "tensor {}: dtype is {}, expected one of {}", tensor, shown(type_name), checkpoint::known_data_types());
  Entry entry{{name, *type, parse_sizes(field(value, "shape", tensor, file), "shape", tensor, file), {}}, 0, 0};
  const auto offsets = parse_sizes(field(value, "data_offsets", tensor, file), "data_offsets", tensor, file);
  if (offsets.size() != 2) invalid(file, "tensor {}: data_offsets has {} numbers, expected begin and end", tensor, offsets.size());
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (entry.begin > entry.end) invalid(file, "tensor {}: data_offsets begin at {} and end before, at {}", tensor, entry.begin, entry.end);
  const auto bytes = checkpoint::bytes_of(entry.info.shape, *type);
  if (!bytes) invalid(file, "tensor {}: shape [{}] has more elements than 63 bits count", tensor, fmt::join(entry.info.shape, ", "));
  if (*bytes != entry.end - entry.begin) {
    invalid(file, "tensor {}: {} of shape [{}] needs {} bytes, its data_offsets span {}", tensor, name_of(*type),
            fmt::join(entry.info.shape, ", "), *bytes, entry.end - entry.begin);
  }
  return entry;
}

// Tensors cover the data from its first to its last byte, each byte once: no room for a second file inside this one.
void place(std::vector<Entry>& entries, std::span<const std::byte> data, const std::string& file) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end, a.info.name) < std::tie(b.begin, b.end, b.info.name); });
  int64_t covered = 0;
  for (Entry& entry : entries) {
    const std::string tensor = shown(entry.info.name);
    if (entry.begin < covered)
      invalid(file, "tensor {} begins at {}, inside the one before it, which ends at {}", tensor, entry.begin, covered);
    if (entry.begin > covered)
      invalid(file, "tensor {} begins at {}, but the one before it ends at {}: bytes between belong to nobody", tensor, entry.begin,
              covered);
    if (static_cast<uint64_t>(entry.end) > data.size()) {
      invalid(file, "tensor {} ends at byte {} of the data, but there are {} (is the file truncated?)", tensor, entry.end, data.size());
    }
    entry.info.bytes = data.subspan(static_cast<size_t>(entry.begin), static_cast<size_t>(entry.end - entry.begin));
    covered = entry.end;
  }
  if (static_cast<uint64_t>(covered) != data.size())
    invalid(file, "its tensors end at byte {} of the data, but there are {}", covered, data.size());
}

}  // namespace

SafetensorsFile SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  const std::string_view header = header_of(bytes, name);
  const json parsed = parse_header(header, name);
  if (!parsed.is_object()) invalid(name, "its header is {}, expected an object", shown(parsed));
  SafetensorsFile file;
  file.name_ = name;
  std::vector<Entry> entries;
  for (const auto& [key, value] : parsed.items()) {
    if (key == checkpoint::metadata_key) {
      file.metadata_ = parse_metadata(value, name);
    } else {
      entries.push_back(parse_entry(key, value, name));
    }
  }
  place(entries, bytes.subspan(length_bytes + header.size()), name);
  for (Entry& entry : entries) file.tensors_.push_back(std::move(entry.info));
  return file;
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  refuse_pickle(path);
  const auto map = std::make_shared<const MappedFile>(MappedFile::open(path));
  SafetensorsFile file = parse(map->bytes(), path.string());
  for (TensorInfo& tensor : file.tensors_) tensor.map = map;
  return file;
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(), [&](const TensorInfo& tensor) { return tensor.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

}  // namespace tsrun
