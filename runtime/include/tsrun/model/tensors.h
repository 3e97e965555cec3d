#pragma once

#include "tsrun/checkpoint/safetensors.h"

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

/// Tensors of safetensors files.
namespace tsrun {

/// A safetensors view as a CPU tensor without a copy, and back. The tensor keeps the file's memory map; other bytes must outlive it. Its
/// alignment is the file's. Do not write to it: every tensor of the same map would change.
at::Tensor as_tensor(const TensorInfo& info);
TensorInfo as_info(const std::string& name, const at::Tensor& contiguous_cpu_tensor);

/// A mapped tensor as float32: the mapping itself for aligned float32 (memory is shared with other processes and used on reading), else a
/// converted copy. For the mapping the limits of MappedFile hold: replace the file, do not write into it.
at::Tensor as_float32(const TensorInfo& info);

/// Named tensors (of any device) as a durable safetensors file, and such a file as mapped tensors (`as_tensor`).
void write_tensors(const std::filesystem::path& file, const std::map<std::string, at::Tensor>& tensors);
std::map<std::string, at::Tensor> map_tensors(const std::filesystem::path& file);

}  // namespace tsrun
