#pragma once

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/binding.h"

#include <gtest/gtest.h>

#include <stdlib.h>

#include <filesystem>

namespace tsrun::testing_tune {

/// Embeddings, two layers of a matrix, a bias and a norm, a pooler and a head. It never runs forward: losses in these tests are functions
/// of weights.
class FakeFamily final : public Family {
 public:
  FakeFamily() {
    add("embeddings.word.weight", {11, 4}, Part::embeddings, -1, ParameterKind::embedding, "word");
    for (int l = 0; l < 2; ++l) {
      const std::string p = "encoder.layer." + std::to_string(l) + ".";
      add(p + "dense.weight", {13, 17}, Part::encoder, l, ParameterKind::weight, "dense");
      add(p + "dense.bias", {13}, Part::encoder, l, ParameterKind::bias, "dense");
      add(p + "LayerNorm.weight", {17}, Part::encoder, l, ParameterKind::norm_weight, "LayerNorm");
    }
    add("pooler.weight", {4, 4}, Part::pooler, -1, ParameterKind::weight, "pooler");
    add("classifier.weight", {3, 4}, Part::head, -1, ParameterKind::weight, "classifier");
    add("classifier.bias", {3}, Part::head, -1, ParameterKind::bias, "classifier");
  }
  std::string_view model_type() const override { return "fake"; }
  const nlohmann::json& config() const override { return config_; }
  int layers() const override { return 2; }
  int64_t hidden_size() const override { return 4; }
  const HeadSpec& head() const override { return head_; }
  ModelKind model_kind() const override { return ModelKind::encoder; }
  int64_t max_positions() const override { return 16; }
  const std::vector<ParameterInfo>& parameters() const override { return parameters_; }
  const std::vector<Site>& sites() const override { return sites_; }
  Output forward(const Weights&, const PackedBatch&, const ForwardOptions&) const override { return {}; }
  at::Tensor initial(const ParameterInfo& info, Key key) const override {
    at::Tensor tensor = at::empty(info.shape, at::kFloat);
    fill_normal(key.split(info.name), {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())}, 0, 0, 0.3f);
    return info.kind == ParameterKind::norm_weight ? tensor + 1 : tensor;
  }
  Weights weights(uint64_t seed = 3) const {
    Weights result;
    for (const ParameterInfo& info : parameters_) result.set(info.name, initial(info, Key::root(seed)));
    return result;
  }

 private:
  void add(std::string name, std::vector<int64_t> shape, Part part, int layer, ParameterKind kind, std::string module) {
    parameters_.push_back({std::move(name), std::move(shape), part, layer, kind, std::move(module)});
  }
  std::vector<ParameterInfo> parameters_;
  std::vector<Site> sites_;
  HeadSpec head_{HeadKind::classification, 3};
  nlohmann::json config_ = nlohmann::json::object();
};

/// Orthonormal rows per group, held as float32 matrices; nothing clever.
class PlainSubspace final : public Subspace {
 public:
  PlainSubspace(ParameterSet set, int64_t dim) : set_(std::move(set)) {
    for (size_t g = 0; g < set_.groups.size(); ++g) {
      dims_.push_back(dim);
      at::Tensor v = at::empty({set_.groups[g].size(), dim}, at::kFloat);
      fill_normal(Key::root(77).split(g), {v.data_ptr<float>(), static_cast<size_t>(v.numel())});
      v_.push_back(std::get<0>(at::linalg_qr(v.to(at::kDouble))).to(at::kFloat).contiguous());
    }
  }
  const ParameterSet& parameters() const override { return set_; }
  double width = 0;
  double initial_width() const override { return width; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override {
    for (size_t g = 0; g < v_.size(); ++g) {
      const Group& group = set_.groups[g];
      out.narrow(0, group.begin, group.size()).add_(v_[g].mv(z.narrow(0, coordinate_offsets(dims_)[g], dims_[g])));
    }
  }
  at::Tensor project(const at::Tensor&, const at::Tensor& g) const override {
    std::vector<at::Tensor> parts;
    for (size_t i = 0; i < v_.size(); ++i) parts.push_back(v_[i].t().mv(g.narrow(0, set_.groups[i].begin, set_.groups[i].size())));
    return at::cat(parts);
  }
  bool claims_orthonormal() const override { return true; }
  nlohmann::json describe() const override { return {{"plain", true}}; }
  void save(const std::filesystem::path&) const override {}
  int64_t bytes_shipped() const override { return 1000; }
  /// V in float64, [total, dim()].
  at::Tensor dense() const {
    at::Tensor v = at::zeros({set_.layout.total(), dim()}, at::kDouble);
    for (size_t g = 0; g < v_.size(); ++g)
      v.narrow(0, set_.groups[g].begin, set_.groups[g].size()).narrow(1, coordinate_offsets(dims_)[g], dims_[g]).copy_(v_[g]);
    return v;
  }

 private:
  ParameterSet set_;
  std::vector<int64_t> dims_;
  std::vector<at::Tensor> v_;
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tsrun-tune-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// The message of the Error of `kind` that `body` throws.
template <class Body>
std::string error_of(ErrorKind kind, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

/// Default options, changed by `set`.
template <class Set>
TuneOptions options_with(const Set& set) {
  TuneOptions options;
  set(options);
  return options;
}

/// A loss that is curved in every weight of the model: Σ over tensors of mean((tanh(w) − 0.1 cos(i))²).
inline at::Tensor curved_loss(const Weights& weights) {
  at::Tensor loss = at::zeros({}, weights.at(weights.names().front()).options().requires_grad(false));
  for (const std::string& name : weights.names()) {
    const at::Tensor& w = weights.at(name);
    const at::Tensor target = at::arange(w.numel(), w.options().requires_grad(false)).cos().mul(0.1).view(w.sizes());
    loss = loss + (w.tanh() - target).square().sum();
  }
  return loss;
}

}  // namespace tsrun::testing_tune
