#include <array>
#include <fstream>

#include "tsrun/base/error.h"
#include "tsrun/checkpoint/folder.h"

namespace tsrun {
namespace {

bool has_pickle_name(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt" || extension == ".pkl";
}

// torch.save writes a zip archive; older versions, and pickle itself, start with the PROTO opcode (0x80) and a protocol of 2 to 5. A
// safetensors file has the length of its header there and '{' at byte 8, which neither of the two has.
bool has_pickle_magic(const std::filesystem::path& path) {
  std::array<char, 9> start{};
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), start.size());
  if (file.gcount() < 4 || start[8] == '{') return false;
  const bool zip = start[0] == 'P' && start[1] == 'K' && start[2] == 3 && start[3] == 4;
  return zip || (start[0] == '\x80' && start[1] >= 2 && start[1] <= 5);
}

}  // namespace

void refuse_pickle(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored) || !(has_pickle_name(path) || has_pickle_magic(path))) return;
  const std::string target = (path.parent_path() / "model.safetensors").string();
  data_error(
      "{0}: is a Python pickle, which can run any code when it is read; tsrun reads safetensors only. Convert it where you trust it:\n"
      "  python3 -c \"import torch, safetensors.torch as s; d = torch.load('{0}', map_location='cpu', weights_only=True); "
      "s.save_file({{k: v.clone().contiguous() for k, v in d.items()}}, '{1}', metadata={{'format': 'pt'}})\"",
      path.string(), target);
}

}  // namespace tsrun
