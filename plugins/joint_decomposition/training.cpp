#include "training.h"

#include "decoder.h"
#include "facts.h"
#include "loss_sums.h"
#include "scoring.h"

#include "tsrun/model/model.h"
#include "tsrun/train/loop.h"

#include <ATen/ops/empty.h>

#include <cmath>

namespace tsrun::joint_decomposition {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

/// {"adapter": …} from what is listed by member.
template <class Values>
nlohmann::json by_member(const std::vector<JointMember>& members, const Values& values) {
  nlohmann::json result = nlohmann::json::object();
  for (size_t m = 0; m < members.size(); ++m) result[members[m].name] = values[m];
  return result;
}

class Training final : public LoopBody {
 public:
  Training(const JointInputs& inputs, const Settings& settings)
      : inputs_(inputs),
        settings_(settings),
        network_(inputs.members, settings, inputs.key.split("initial values")),
        stepper_(inputs, settings, network_) {}

  JointResult run(std::chrono::milliseconds save_after) {
    LoopSettings loop;
    loop.title = inputs_.title.empty() ? "joint decomposition" : inputs_.title;
    loop.steps = settings_.steps;
    loop.work = inputs_.work;
    loop.identity = identity();
    loop.pause = save_after;
    loop.keep = 1;
    loop.steps_are_atomic = true;
    run_loop(loop, *this);
    return result();
  }

  void step(int64_t step, Progress& progress) override {
    const StepLosses losses = stepper_.forward(step);
    stepper_.update();
    sums_.add(losses);
    step_ = step + 1;
    progress.note(fmt::format("loss {:.4g}", losses.total(settings_)));
  }

  void evaluate_if_due(int64_t steps_done, Progress& progress) override {
    const bool due = steps_done > 0 && (steps_done % settings_.eval_every == 0 || steps_done == settings_.steps);
    if (due && evaluated_ != steps_done) evaluate(progress);
  }

  /// The best decoders lie in a file of their own, which is written when there are new ones.
  void save(Checkpoint& checkpoint) const override {
    const bool scored = best_.step >= 0;
    checkpoint.state = {{"evaluated", evaluated_},
                        {"history", history_},
                        {"sums", sums_.to_json()},
                        {"kept_step", best_.step},
                        {"best", scored ? nlohmann::json(best_.score) : nullptr}};
    checkpoint.tensors = network_.state();
  }

  void restore(const Checkpoint& checkpoint) override {
    const nlohmann::json& state = checkpoint.state;
    network_.restore(checkpoint.tensors);
    step_ = checkpoint.step;
    evaluated_ = state.at("evaluated").get<int64_t>();
    history_ = state.at("history");
    sums_ = LossSums::from_json(state.at("sums"));
    if (state.at("best").is_null()) return;
    best_.take(state.at("kept_step").get<int64_t>(), state.at("best").get<double>());
    kept_ = map_tensors(kept_file(best_.step));
  }

  void saved() override {
    for (const auto& entry : std::filesystem::directory_iterator(inputs_.work)) {
      std::error_code ignored;  // what cannot be removed costs space, not correctness
      const bool kept = entry.path().filename().string().starts_with("kept-");
      if (kept && entry.path() != kept_file(best_.step)) std::filesystem::remove(entry.path(), ignored);
    }
  }

 private:
  void evaluate(Progress& progress) {
    const std::vector<SmallMatrix> codes = codes_of(inputs_, network_);
    const Scores scores = score_codes(inputs_, settings_, network_, codes, step_);
    const bool better = std::isfinite(scores.selected) && best_.take(step_, scores.selected);
    if (better) keep(codes);
    note(scores, better);
    evaluated_ = step_;
    progress.milestone(fmt::format("step {}/{}  loss {:.4g}  score {:.4g}", step_, settings_.steps,
                                   history_.back()["total_loss"].get<double>(), scores.selected));
  }

  void note(const Scores& scores, bool kept) {
    const auto& members = inputs_.members;
    const std::vector<double> task = sums_.mean(sums_.task), reconstruction = sums_.mean(sums_.reconstruction);
    const double distance = sums_.distance / static_cast<double>(sums_.steps);
    nlohmann::json entry = {{"step", step_},
                            {"loss", by_member(members, task)},
                            {"reconstruction", by_member(members, reconstruction)},
                            {"distance", distance},
                            {"total_loss", StepLosses{task, reconstruction, distance}.total(settings_)},
                            {"score_own", by_member(members, scores.own)},
                            {"score_centroid", by_member(members, scores.centroid)},
                            {"selected", scores.selected},
                            {"kept", kept}};
    if (settings_.select_at == "random") entry["score_random"] = by_member(members, scores.random);
    history_.push_back(std::move(entry));
    sums_ = {};
  }

  /// Decoders and codes as they are now; shares memory with the network.
  Tensors present(const std::vector<SmallMatrix>& codes) const {
    const auto members = static_cast<int64_t>(codes.size());
    at::Tensor packed = at::empty({codes[0].rows, members, network_.dim()}, at::kFloat);
    auto* out = packed.mutable_data_ptr<float>();
    for (int64_t t = 0; t < codes[0].rows; ++t)
      for (const SmallMatrix& code : codes)
        for (int64_t j = 0; j < network_.dim(); ++j) *out++ = static_cast<float>(code(t, j));
    Tensors tensors = {{"codes", packed}};
    for (size_t m = 0; m < codes.size(); ++m) {
      tensors[inputs_.members[m].name + ".columns"] = network_.decoder(m).values();
      if (settings_.tanh_decoder) tensors[inputs_.members[m].name + ".hidden"] = network_.decoder_hidden(m);
    }
    return tensors;
  }

  /// In the work folder, or in memory without one. What is kept after the last step stays where it is.
  void keep(const std::vector<SmallMatrix>& codes) {
    Tensors tensors = present(codes);
    if (!inputs_.work.empty()) {
      std::filesystem::create_directories(inputs_.work);
      write_tensors(kept_file(step_), tensors);
      tensors = map_tensors(kept_file(step_));
    } else if (step_ < settings_.steps) {
      for (auto& [name, tensor] : tensors) tensor = tensor.clone();
    }
    kept_ = std::move(tensors);
  }

  nlohmann::json identity() const {
    nlohmann::json members = nlohmann::json::array();
    for (const JointMember& member : inputs_.members) {
      std::vector<size_t> solutions;
      for (const auto& task : member.deltas) solutions.push_back(task.size());
      members.push_back({{"name", member.name}, {"layout", member.parameters.layout.digest()}, {"solutions", solutions}});
    }
    return {{"options", settings_.shown}, {"members", members}, {"tasks", inputs_.tasks->names()}, {"key", inputs_.key.words()}};
  }

  std::filesystem::path kept_file(int64_t step) const { return inputs_.work / fmt::format("kept-{:06}.safetensors", step); }

  JointResult result() {
    const bool scored = best_.step >= 0;
    if (!scored) kept_ = present(codes_of(inputs_, network_));  // no score was a number
    JointResult result;
    result.codes = kept_.at("codes");
    const int64_t kept = scored ? best_.step : step_;
    for (const JointMember& member : inputs_.members) {
      const nlohmann::json facts = {{"fit", "train"}, {"member", member.name}, {"kept_step", kept}, {"steps", step_}};
      const at::Tensor hidden = settings_.tanh_decoder ? kept_.at(member.name + ".hidden") : at::Tensor();
      result.decoders.push_back(
          std::make_unique<Decoder>(member.parameters, kept_.at(member.name + ".columns"), hidden, facts, /*regenerated=*/false));
    }
    nlohmann::json memory = network_.bytes();
    memory["vectors"] = stepper_.vector_bytes();
    result.description = member_facts(inputs_);
    result.description.update({{"options", settings_.shown},
                               {"tasks", inputs_.tasks->names()},
                               {"history", history_},
                               {"kept_step", kept},
                               {"kept_score", scored ? nlohmann::json(best_.score) : nullptr},
                               {"reconstruction_error", reconstruction_errors(inputs_, result.decoders, result.codes)},
                               {"memory_bytes", std::move(memory)}});
    return result;
  }

  const JointInputs& inputs_;
  const Settings& settings_;
  Network network_;
  Stepper stepper_;
  int64_t step_ = 0, evaluated_ = 0;
  nlohmann::json history_ = nlohmann::json::array();
  LossSums sums_;
  BestScore best_;
  Tensors kept_;
};

}  // namespace

JointResult train(const JointInputs& inputs, const Settings& settings, std::chrono::milliseconds save_after) {
  return Training(inputs, settings).run(save_after);
}

}  // namespace tsrun::joint_decomposition
