#include "choice_file.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/model/tensors.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace tsrun::super_tuning {
namespace {

std::vector<std::string> names_of(const Family& family) {
  std::vector<std::string> names;
  for (const ParameterInfo& info : family.parameters()) names.push_back(info.name);
  return names;
}

void require_known_names(const SafetensorsFile& file, const Family& family) {
  const std::vector<std::string> known = names_of(family);
  for (const TensorInfo& tensor : file.tensors())
    if (std::find(known.begin(), known.end(), tensor.name) == known.end())
      data_error("{}: '{}' is no parameter of the {} model{}", file.name(), tensor.name, family.model_type(),
                 did_you_mean(tensor.name, known));
  if (file.tensors().empty()) data_error("{}: no tensors, expected one for each parameter that gets a mask", file.name());
}

void require_shape(const std::string& file, const TensorInfo& tensor, const ParameterInfo& info) {
  if (tensor.shape != info.shape)
    data_error("{}: '{}' has the shape [{}], expected [{}], the parameter's", file, tensor.name, fmt::join(tensor.shape, ", "),
               fmt::join(info.shape, ", "));
}

at::Tensor scores_in(const std::string& file, const TensorInfo& tensor) {
  const at::Tensor scores = as_float32(tensor);
  if (!at::isfinite(scores).all().item<bool>()) data_error("{}: '{}' has scores that are not finite", file, tensor.name);
  return scores;
}

at::Tensor mask_at(const std::string& file, const TensorInfo& tensor, const ParameterInfo& info) {
  const at::Tensor positions = as_tensor(tensor).to(at::kLong).contiguous();
  if (positions.dim() != 1)
    data_error("{}: '{}' has positions in {} dimensions, expected one: row by row from 0", file, tensor.name, positions.dim());
  at::Tensor mask = at::zeros(info.shape, at::kBool);
  bool* chosen = mask.mutable_data_ptr<bool>();
  const int64_t* found = positions.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < positions.numel(); ++i) {
    if (found[i] < 0 || found[i] >= mask.numel())
      data_error("{}: '{}' has the position {}, expected 0 to {}", file, tensor.name, found[i], mask.numel() - 1);
    if (chosen[found[i]]) data_error("{}: '{}' has the position {} twice", file, tensor.name, found[i]);
    chosen[found[i]] = true;
  }
  return mask;
}

void add(FileChoice& choice, const std::string& file, const TensorInfo& tensor, const ParameterInfo& info) {
  switch (tensor.type) {
    case DataType::float16:
    case DataType::bfloat16:
    case DataType::float32:
    case DataType::float64:
      require_shape(file, tensor, info);
      choice.scored.push_back(info);
      choice.scores.push_back(scores_in(file, tensor));
      return;
    case DataType::boolean:
    case DataType::uint8:
      require_shape(file, tensor, info);
      choice.masks[info.name] = as_tensor(tensor).ne(0);
      return;
    case DataType::int32:
    case DataType::int64:
      choice.masks[info.name] = mask_at(file, tensor, info);
      return;
    default:
      data_error("{}: '{}' is {}, expected scores (F16, BF16, F32, F64), a mask (BOOL, U8) or positions (I32, I64)", file, tensor.name,
                 name_of(tensor.type));
  }
}

}  // namespace

FileChoice read_choice(const std::filesystem::path& path, const Family& family) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  require_known_names(file, family);
  FileChoice choice;
  for (const ParameterInfo& info : family.parameters())
    if (const TensorInfo* tensor = file.find(info.name)) add(choice, file.name(), *tensor, info);
  return choice;
}

}  // namespace tsrun::super_tuning
