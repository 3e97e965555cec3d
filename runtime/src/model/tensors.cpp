#include "tsrun/model/tensors.h"
#include "tsrun/base/error.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstdint>

namespace tsrun {
namespace {

struct TypePair {
  DataType file;
  at::ScalarType tensor;
};
constexpr TypePair types[] = {
    {DataType::boolean, at::kBool},   {DataType::uint8, at::kByte},        {DataType::int8, at::kChar}, {DataType::int16, at::kShort},
    {DataType::float16, at::kHalf},   {DataType::bfloat16, at::kBFloat16}, {DataType::int32, at::kInt}, {DataType::float32, at::kFloat},
    {DataType::float64, at::kDouble}, {DataType::int64, at::kLong},
};

at::ScalarType tensor_type(const TensorInfo& info) {
  for (const TypePair& pair : types) {
    if (pair.file == info.type) return pair.tensor;
  }
  data_error("tensor '{}' is of type {}, which is not supported", info.name, name_of(info.type));
}

}  // namespace

at::Tensor as_tensor(const TensorInfo& info) {
  void* data = const_cast<std::byte*>(info.bytes.data());  // ATen has no read-only tensors; callers copy before they write
  const at::TensorOptions options(tensor_type(info));
  if (!info.map) return at::from_blob(data, info.shape, options);
  return at::from_blob(
      data, info.shape, [map = info.map](void*) {}, options);
}

at::Tensor as_float32(const TensorInfo& info) {
  // No stricter alignment is asked for: with MKL, products take the same time and give the same bits over weights at any multiple of 4, and
  // other writers align the data to 8 at best.
  const bool aligned = reinterpret_cast<std::uintptr_t>(info.bytes.data()) % static_cast<std::uintptr_t>(size_of(info.type)) == 0;
  if (aligned && info.map && info.type == DataType::float32) return as_tensor(info);
  if (aligned) return as_tensor(info).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  const at::Tensor copy = at::empty(info.shape, tensor_type(info));
  std::copy(info.bytes.begin(), info.bytes.end(), static_cast<std::byte*>(copy.mutable_data_ptr()));
  return copy.to(at::kFloat);
}

TensorInfo as_info(const std::string& name, const at::Tensor& tensor) {
  if (!tensor.is_contiguous() || !tensor.device().is_cpu()) internal_error("as_info: '{}' is not a contiguous CPU tensor", name);
  for (const TypePair& pair : types) {
    if (pair.tensor != tensor.scalar_type()) continue;
    const auto* data = static_cast<const std::byte*>(tensor.const_data_ptr());
    return {name, pair.file, tensor.sizes().vec(), {data, tensor.nbytes()}};
  }
  internal_error("as_info: '{}' has a type that safetensors lacks", name);
}

void write_tensors(const std::filesystem::path& file, const std::map<std::string, at::Tensor>& tensors) {
  std::vector<at::Tensor> kept;  // the spans point into these
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.detach().cpu().contiguous());
    infos.push_back(as_info(name, kept.back()));
  }
  write_safetensors(file, infos);
}

std::map<std::string, at::Tensor> map_tensors(const std::filesystem::path& file) {
  const auto opened = SafetensorsFile::open(file);
  std::map<std::string, at::Tensor> tensors;
  for (const TensorInfo& info : opened.tensors()) tensors[info.name] = as_tensor(info);
  return tensors;
}

}  // namespace tsrun
