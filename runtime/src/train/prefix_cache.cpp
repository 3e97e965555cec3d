#include "train/prefix_cache.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"

#include <algorithm>
#include <numeric>

namespace tsrun::training {
namespace {

constexpr int64_t kRowsPerBlock = 32;

std::span<char> bytes_of(const at::Tensor& tensor) { return {static_cast<char*>(tensor.mutable_data_ptr()), tensor.nbytes()}; }

}  // namespace

PrefixCache::PrefixCache(const Family& family, const EncodedSplit& split, int layers, Precision precision, at::Device device,
                         PrefixStorage storage)
    : family_(family), split_(split), layers_(layers), precision_(precision), device_(device), storage_(std::move(storage)) {}

PrefixCache::~PrefixCache() {
  std::error_code ignored;
  if (file_.is_open()) std::filesystem::remove(storage_.file, ignored);
}

at::Tensor PrefixCache::hidden(const Weights& weights, std::span<const int64_t> rows) {
  std::vector<at::Tensor> states;
  for (const int64_t number : rows)
    states.push_back(row(block(weights, number / kRowsPerBlock), static_cast<size_t>(number % kRowsPerBlock)));
  return at::cat(states).to(device_);
}

const PrefixCache::Block& PrefixCache::block(const Weights& weights, int64_t number) {
  if (const auto known = blocks_.find(number); known != blocks_.end()) return known->second;
  Block made = compute(weights, number);
  const auto bytes = static_cast<int64_t>(made.states.nbytes());
  if (held_ + bytes <= storage_.memory) {
    held_ += bytes;
  } else {
    write(made);
  }
  return blocks_.emplace(number, std::move(made)).first->second;
}

/// A prompt lengthens every row alike.
PrefixCache::Block PrefixCache::compute(const Weights& weights, int64_t number) const {
  const at::NoGradGuard no_grad;
  std::vector<int64_t> rows(static_cast<size_t>(std::min(kRowsPerBlock, split_.size() - number * kRowsPerBlock)));
  std::iota(rows.begin(), rows.end(), number * kRowsPerBlock);
  const PackedRows packed = pack_batch(split_, rows);
  ForwardOptions options;
  options.to_layer = layers_;
  options.precision = precision_;
  Block made;
  made.states = family_.forward(weights, to_device(packed, family_.head(), device_), options).hidden.cpu().contiguous();
  made.width = made.states.size(1);
  const int64_t longer = (made.states.size(0) - packed.tokens()) / packed.rows();
  for (size_t i = 0; i < packed.offsets.size(); ++i) made.offsets.push_back(packed.offsets[i] + static_cast<int64_t>(i) * longer);
  return made;
}

void PrefixCache::write(Block& block) {
  if (!file_.is_open()) {
    std::filesystem::create_directories(storage_.file.parent_path());
    file_.open(storage_.file, std::ios::binary | std::ios::in | std::ios::out | std::ios::trunc);
  }
  const auto bytes = bytes_of(block.states);
  block.position = written_;
  file_.seekp(written_);
  file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file_.flush();
  if (!file_) run_error("{}: cannot be written: the outputs of frozen layers need {} bytes more", storage_.file.string(), bytes.size());
  written_ += static_cast<int64_t>(bytes.size());
  block.states = at::Tensor();
}

at::Tensor PrefixCache::row(const Block& block, size_t index) {
  const int64_t begin = block.offsets[index], tokens = block.offsets[index + 1] - begin;
  if (block.states.defined()) return block.states.narrow(0, begin, tokens);
  at::Tensor states = at::empty({tokens, block.width});
  const auto bytes = bytes_of(states);
  file_.seekg(block.position + begin * block.width * static_cast<int64_t>(sizeof(float)));
  file_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file_) run_error("{}: cannot be read back: expected {} bytes of a row", storage_.file.string(), bytes.size());
  return states;
}

}  // namespace tsrun::training
