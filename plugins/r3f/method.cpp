#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun::r3f {
namespace {

/// Mean over rows of KL(p‖q) + KL(q‖p): Σ (p − q)(log p − log q).
at::Tensor symmetric_divergence(const at::Tensor& first, const at::Tensor& second) {
  const at::Tensor p = at::log_softmax(first, -1), q = at::log_softmax(second, -1);
  return ((p.exp() - q.exp()) * (p - q)).sum(-1).mean();
}

class Noised final : public Regularizer {
 public:
  Noised(HeadKind head, const Options& options, Noise noise)
      : has_classes_(head != HeadKind::regression && head != HeadKind::replaced_token),
        strength_(options.number("lambda")),
        detach_(options.flag("detach")),
        noise_(std::move(noise)) {}

  at::Tensor batch_loss(Step& step, ForwardPass& pass) override {
    if (!has_classes_) return {};
    const Key dropout = step.key.split("second pass").split(static_cast<uint64_t>(pass.number));
    const Output noised = pass.again(dropout, [&](Weights&, ForwardOptions& options) { add_noise(step, pass.batch, options); });
    const at::Tensor divergence = symmetric_divergence(noised.logits, pass.output.logits);
    last_ = divergence.detach();
    return divergence * strength_;
  }
  nlohmann::json report() const override {
    nlohmann::json report = {{"lambda", strength_}, {"last_divergence", last_.defined() ? last_.item<double>() : 0}};
    if (!has_classes_) report["left_out"] = "outputs of one value have no distribution: trained without noise";
    return report;
  }

 private:
  /// The table that reads the batch's words; of an encoder-decoder the encoder's.
  void add_noise(const Step& step, const PackedBatch& batch, ForwardOptions& options) {
    const auto noise = std::make_shared<at::Tensor>();
    options.at_linear.push_back([this, &step, &batch, noise](const LinearCall& call, const at::Tensor& output) {
      if (!call.input.is_same(batch.ids)) return output;
      if (!noise->defined()) *noise = noise_of(step, batch, output);
      return (detach_ ? output.detach() : output) + *noise;
    });
  }

  at::Tensor noise_of(const Step& step, const PackedBatch& batch, const at::Tensor& like) const {
    std::vector<at::Tensor> rows;
    for (size_t r = 0; r < batch.row_numbers.size(); ++r) {
      const int64_t tokens = batch.host_offsets[r + 1] - batch.host_offsets[r];
      rows.push_back(noise_(batch.row_numbers[r], tokens * like.size(1), step).view({tokens, like.size(1)}));
    }
    return at::cat(rows).to(like.device());
  }

  bool has_classes_;
  double strength_;
  bool detach_;
  Noise noise_;
  at::Tensor last_;
};

/// Of a row, wherever it stands in the batch.
Noise drawn_noise(const Options& options) {
  const auto epsilon = static_cast<float>(options.number("epsilon"));
  const bool normal = options.text("noise") == "normal";
  return [epsilon, normal](int64_t row, int64_t numbers, const Step& step) {
    at::Tensor noise = at::empty({numbers}, at::kFloat);
    const std::span<float> out(noise.mutable_data_ptr<float>(), static_cast<size_t>(numbers));
    const Key key = step.key.split("noise").split(static_cast<uint64_t>(row));
    if (normal) {
      fill_normal(key, out, 0, 0, epsilon);
    } else {
      fill_uniform(key, out, 0, -epsilon, epsilon);
    }
    return noise;
  };
}

}  // namespace

std::unique_ptr<Regularizer> make_r3f(const MethodInputs& inputs, const Options& options, Noise noise) {
  const HeadKind head = inputs.family.head().kind;
  if (head == HeadKind::none) user_error("r3f: the model has no head, so there are no predictions to compare");
  return std::make_unique<Noised>(head, options, std::move(noise));
}

OptionTable Method::options() const {
  return {
      {.name = "lambda", .type = OptionType::number, .fallback = 1.0, .doc = "weight of the divergence", .minimum = 0},
      {.name = "epsilon",
       .type = OptionType::number,
       .fallback = 1e-5,
       .doc = "bound of uniform noise, standard deviation of normal noise",
       .minimum = 0},
      {.name = "noise",
       .type = OptionType::choice,
       .fallback = "uniform",
       .doc = "distribution of the noise",
       .choices = {"uniform", "normal"}},
      {.name = "detach",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "the noised pass has no gradient to the word embeddings, as for the authors' classifiers; their translation models keep it"},
  };
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  return make_r3f(inputs, options, drawn_noise(options));
}

}  // namespace tsrun::r3f
