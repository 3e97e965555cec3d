#pragma once

#include "projection.h"
#include "settings.h"

#include "tsrun/train/optimizer.h"
#include "tsrun/tune/joint_method.h"

#include <map>
#include <memory>
#include <vector>

namespace tsrun::joint_decomposition {

/// Rows are tasks: what the first layer of an encoder gives behind its tanh, and the codes.
struct Encoded {
  SmallMatrix hidden, codes;
};

/// All that is trained: for every member an encoder I = W2 tanh(W1 δ + b1) + b2 and a decoder U (or U tanh(V ·)), with Adafactor.
///
/// Big matrices (W1, U) are `Projection`s; b1, W2, b2 and V lie in one flat vector a member under the runtime's own Adafactor.
/// Every number is drawn from N(0, 0.02²) under keys split by the member's name.
class Network {
 public:
  Network(const std::vector<JointMember>& members, const Settings& settings, Key key);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  size_t members() const { return decoders_.size(); }
  int64_t dim() const { return dim_; }
  const Projection& decoder(size_t m) const { return decoders_[m]; }
  const Projection& encoder(size_t m) const { return encoders_[m]; }
  at::Tensor decoder_hidden(size_t m) const;  ///< V, or undefined
  std::vector<ParameterGroup>& small() { return small_; }

  Encoded encode(size_t m, const std::vector<const float*>& deltas) const;
  /// What U is multiplied by, for codes in rows.
  SmallMatrix activations(size_t m, const SmallMatrix& codes) const;
  /// From gradients at the activations to those at the codes; adds V's own.
  SmallMatrix back_through_decoder(size_t m, const SmallMatrix& codes, const SmallMatrix& active, const SmallMatrix& gradient);
  /// From gradients at the codes to those at W1 δ + b1; adds those of b1, W2, b2.
  SmallMatrix back_through_encoder(size_t m, const Encoded& encoded, const SmallMatrix& gradient);

  void clear_small_gradients();
  SmallMatrix descend_decoder(size_t m, const std::vector<const float*>& wide, const SmallMatrix& narrow, int64_t step);
  void descend_encoder(size_t m, const std::vector<const float*>& wide, const SmallMatrix& narrow, int64_t step);
  void descend_small() { optimizer_->step(1); }

  /// Everything that changes, by name; shares memory.
  std::map<std::string, at::Tensor> state() const;
  void restore(const std::map<std::string, at::Tensor>& saved);
  nlohmann::json bytes() const;  ///< memory held, by what it is for

 private:
  size_t owner_of_output(size_t m) const { return crossed_ && m == 0 ? 1 : m; }
  float* part(size_t m, const char* name, bool gradient) const;

  int64_t dim_;
  double lr_;
  bool crossed_, tanh_;
  std::vector<Projection> encoders_, decoders_;
  std::vector<ParameterGroup> small_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace tsrun::joint_decomposition
