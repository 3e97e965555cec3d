// Values of torch.nn.LSTM (tests/goldens/make_awd_lstm.py), reproduced.
#include "awd_lstm.h"

namespace tsrun {
namespace {

PackedBatch golden_block(const Parity& goldens, const std::string& name) {
  PackedBatch batch = batch_of(goldens.integers(name + ".ids"), goldens.integers(name + ".offsets"));
  batch.targets = goldens.golden(name + ".targets");
  return batch;
}

struct ParityCase {
  const char *folder, *rows;
};
class AwdLstmParity : public ::testing::TestWithParam<ParityCase> {
 protected:
  AwdLstmParity() {
    set_threads(1);  // two would only wait for each other over tensors this small
    for (const std::string& name : stored.names()) weights.set(name, stored.at(name).clone().requires_grad_());
  }
  /// Both blocks, one from the state of the other.
  Output two_blocks(const Weights& of, ForwardOptions options = {}) const {
    options.state = family->forward(of, block(1), options).state;
    return family->forward(of, block(2), options);
  }
  PackedBatch block(int number) const { return golden_block(goldens, std::string(GetParam().rows) + "." + std::to_string(number)); }
  at::Tensor golden(const std::string& name) const { return goldens.golden(std::string(GetParam().rows) + "." + name); }
  void expect_gradients(const ForwardOptions& options) const;

  Parity goldens{GetParam().folder};
  std::unique_ptr<Family> family = make_family(goldens.config, next_word, "config.json");
  Weights stored = load_weights(goldens.folder / "model.safetensors", *family), weights;
};

TEST_P(AwdLstmParity, GivesTheLogitsOfTorchOverTwoBlocks) {
  const c10::NoGradGuard guard;
  EXPECT_LT(largest_difference(family->forward(weights, block(1), {}).logits, golden("1.logits")), 1e-5);
  EXPECT_LT(largest_difference(two_blocks(weights).logits, golden("2.logits")), 1e-5);
}

TEST_P(AwdLstmParity, GivesTheNumbersOfTorchInFloat64) {
  const c10::NoGradGuard guard;
  Weights doubles;
  for (const std::string& name : stored.names()) doubles.set(name, stored.at(name).to(at::kDouble));
  const Output output = two_blocks(doubles);
  EXPECT_LT(largest_difference(output.logits, golden("2.logits")), 1e-12);
  ASSERT_EQ(output.state.size(), family->state_widths().size());
  for (size_t i = 0; i < output.state.size(); ++i) {
    EXPECT_EQ(output.state[i].size(1), family->state_widths()[i]);
    EXPECT_LT(largest_difference(output.state[i], golden("state." + std::to_string(i))), 1e-12) << i;
  }
}

TEST_P(AwdLstmParity, HasTheHiddenStatesOfTorch) {
  const c10::NoGradGuard guard;
  ForwardOptions options;
  options.state = family->forward(weights, block(1), {}).state;
  std::vector<at::Tensor> states;
  options.hidden_states = &states;
  family->forward(weights, block(2), options);
  ASSERT_EQ(states.size(), static_cast<size_t>(family->layers()) + 1);
  for (size_t i = 0; i < states.size(); ++i) EXPECT_LT(largest_difference(states[i], golden("2.hidden." + std::to_string(i))), 1e-5) << i;
}

/// Through the second block alone: its state is a constant.
void AwdLstmParity::expect_gradients(const ForwardOptions& options) const {
  const at::Tensor loss = task_loss(next_word, two_blocks(weights, options), block(2));
  EXPECT_NEAR(loss.item<double>(), golden("loss").item<double>(), 1e-5);
  loss.backward();
  for (const std::string& name : weights.names())
    EXPECT_LT(relative_difference(weights.at(name).grad(), golden("grad." + name)), 1e-4) << name;
}

TEST_P(AwdLstmParity, GivesTheGradientsOfTorch) { expect_gradients({}); }
TEST_P(AwdLstmParity, GivesTheGradientsOfTorchWithGradientCheckpointing) {
  ForwardOptions options;
  options.gradient_checkpointing = true;
  expect_gradients(options);
}

TEST_P(AwdLstmParity, GivesARowTheSameLogitsAloneAndAmongOthers) {
  const c10::NoGradGuard guard;
  PackedBatch all = block(1);
  all.targets = at::Tensor();
  const at::Tensor together = family->forward(weights, all, {}).logits;
  const auto ids = goldens.integers(std::string(GetParam().rows) + ".1.ids");
  for (int64_t row = 0; row < all.rows(); ++row) {
    const int64_t begin = all.host_offsets[row], length = all.host_offsets[row + 1] - begin;
    const std::vector<int64_t> own(ids.begin() + begin, ids.begin() + begin + length);
    const at::Tensor alone = family->forward(weights, batch_of(own, {0, length}), {}).logits;
    EXPECT_LT(largest_difference(alone, together.narrow(0, begin, length)), 1e-5) << row;
  }
}

TEST_P(AwdLstmParity, GoesOnFromTheHiddenStatesOfALayer) {
  const c10::NoGradGuard guard;
  std::vector<at::Tensor> states;
  ForwardOptions watched;
  watched.hidden_states = &states;
  const at::Tensor whole = family->forward(weights, block(1), watched).logits;
  for (int layer = 0; layer <= family->layers(); ++layer) {
    ForwardOptions beginning, rest;
    beginning.to_layer = rest.from_layer = layer;
    rest.from_hidden = states[static_cast<size_t>(layer)];
    EXPECT_LT(largest_difference(family->forward(weights, block(1), rest).logits, whole), 1e-6) << layer;
    const Output stopped = family->forward(weights, block(1), beginning);
    EXPECT_TRUE(at::equal(stopped.hidden, rest.from_hidden)) << layer;
    EXPECT_FALSE(stopped.logits.defined());
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, AwdLstmParity,
                         ::testing::Values(ParityCase{"awd_lstm", "even"}, ParityCase{"awd_lstm", "uneven"},
                                           ParityCase{"awd_lstm_untied", "even"}, ParityCase{"awd_lstm_untied", "uneven"}),
                         [](const auto& info) { return std::string(info.param.folder) + "_" + info.param.rows; });

}  // namespace
}  // namespace tsrun
