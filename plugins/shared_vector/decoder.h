#pragma once

#include "tensor_map.h"

#include "tsrun/base/random.h"
#include "tsrun/tune/subspace.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tsrun::shared_vector {

/// How the tensors of one parameter set are made from x.
struct Shape {
  int64_t dim = 0;
  bool fastfood = true;            ///< else dense
  bool bias = false;               ///< dense maps only
  double deviation = 0.02;         ///< of a dense map's numbers
  bool release_gradients = false;  ///< Fastfood only; matters while learning
};

/// θ = θ0 + expand(z): every tensor of the set (a slice of its layout, as far as it lies in a group) has a map of its own from its group's
/// coordinates. Where the origin is dropped, expand gives V z − θ0, so that θ = V z.
/// The maps are a function of the key, the names and sizes of tensors, and of what training made of their numbers.
class Decoder final : public Subspace {
 public:
  /// `dropped`: θ0, float32 [total], or undefined where it is kept. Memory: 6 bytes for each number of a Fastfood map's power-of-two
  /// length, 4 d bytes for each number of a dense one.
  Decoder(ParameterSet parameters, Shape shape, Key key, at::Tensor dropped = {});
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool linear() const override { return !dropped_.defined() && !shape_.bias; }
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override;
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override;  ///< what was trained; θ0 is what the receiver has
  static std::unique_ptr<Decoder> load(const std::filesystem::path& folder, const ParameterSet& parameters);

  /// `g` is the gradient of a loss with respect to θ at z: adds the one with respect to z to `out`, then moves every map's numbers.
  void learn(const AdafactorRule& rule, const at::Tensor& z, const at::Tensor& g, std::span<double> out);
  std::map<std::string, at::Tensor> numbers() const;  ///< what training moves, by "00003.gaussian"; shares memory
  std::map<std::string, at::Tensor> squares();        ///< Adafactor's means; shares memory
  /// The end of learning: numbers are kept from here on.
  void settle();
  const std::string& digest() const { return digest_; }

 private:
  struct Part {
    size_t group;
    int64_t begin, size;
    std::unique_ptr<TensorMap> map;
  };
  void add_parts(size_t group);
  std::span<const float> coordinates(const at::Tensor& z, const Part& part) const;
  int64_t trained_numbers() const;
  void restore(const std::filesystem::path& folder);

  ParameterSet parameters_;
  Shape shape_;
  Key key_;
  at::Tensor dropped_;
  std::vector<int64_t> dims_;
  std::vector<Part> parts_;
  std::string digest_;
  bool trained_ = false;
};

}  // namespace tsrun::shared_vector
