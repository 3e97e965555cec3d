#pragma once

#include <string>
#include <string_view>

namespace tsrun::testing {

/// A file in the safetensors layout, whatever the header says: its length, the header, `data_size` bytes of data.
inline std::string made_file(std::string_view header, size_t data_size) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>((header.size() >> (8 * i)) & 0xff);
  file += header;
  for (size_t i = 0; i < data_size; ++i) file += static_cast<char>('a' + i % 26);
  return file;
}

}  // namespace tsrun::testing
