#include "subspace_checks.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::plugin_testing {
namespace {

bool trains(const JointMethod& method, const nlohmann::json& options) {
  return method.needs_tasks(method.options().resolve(options, method.name()));
}

/// Another row of another task in every step.
std::vector<JointTasks::Rows> one_row_and_two(int64_t step) { return {{step % 3, {step}}, {(step + 1) % 3, {step, step + 1}}}; }

/// A decomposition with all that it needs. Made anew, it is a process started again.
class Decomposition {
 public:
  Decomposition(const JointMethod& method, const SmallInputs& small, const nlohmann::json& options, uint64_t seed = 1)
      : method_(method),
        options_(method.options().resolve(options, method.name())),
        inputs_(small.joint_inputs(seed)),
        tasks_(inputs_.members, one_row_and_two) {
    tasks_.shake = 0.01;
    if (method.needs_tasks(options_)) inputs_.tasks = &tasks_;
  }
  JointResult run(const std::filesystem::path& work = {}) {
    inputs_.work = work;
    return method_.decompose(inputs_, options_);
  }
  QuadraticTasks& tasks() { return tasks_; }
  const std::vector<JointMember>& members() const { return inputs_.members; }

 private:
  const JointMethod& method_;
  Options options_;
  JointInputs inputs_;
  QuadraticTasks tasks_;
};

Subject joint_subject(const JointCase& subject) {
  const JointMethod& method = joint_method(subject.method);
  const auto maker = [&](const SmallInputs& inputs, uint64_t seed) {
    return std::move(decompose(method, inputs, subject.options, seed).decoders.at(0));
  };
  const bool solutions = method.needs_solutions(method.options().resolve(subject.options, subject.method));
  return {method, subject.options, maker, true, !solutions && !trains(method, subject.options)};
}

const JointMethod& method_of(const Subject& subject) { return joint_method(subject.method.name()); }

/// The numbers of two decompositions, to the bit.
bool same(const JointResult& a, const JointResult& b) {
  bool equal = a.decoders.size() == b.decoders.size() && a.codes.defined() == b.codes.defined();
  if (equal && a.codes.defined()) equal = at::equal(a.codes, b.codes);
  for (size_t m = 0; equal && m < a.decoders.size(); ++m) equal = at::equal(materialise(*a.decoders[m]), materialise(*b.decoders[m]));
  return equal;
}

void gives_a_decoder_a_member_and_finite_codes(const Subject& subject) {
  const SmallInputs small;
  Decomposition decomposition(method_of(subject), small, subject.options);
  const JointResult result = decomposition.run();
  ASSERT_EQ(result.decoders.size(), decomposition.members().size());
  for (const auto& one : result.decoders) {
    ASSERT_EQ(one->dims().size(), 1U);
    EXPECT_EQ(one->dim(), result.decoders[0]->dim());
  }
  EXPECT_TRUE(result.description.is_object());
  if (!result.codes.defined()) return;
  const auto tasks = static_cast<int64_t>(decomposition.members()[0].deltas.size());
  const auto members = static_cast<int64_t>(decomposition.members().size());
  EXPECT_EQ(result.codes.sizes().vec(), (std::vector<int64_t>{tasks, members, result.decoders[0]->dim()}));
  EXPECT_TRUE(result.codes.isfinite().all().item<bool>());
}

void takes_steps_on_the_tasks(const Subject& subject) {
  const SmallInputs small;
  Decomposition one(method_of(subject), small, subject.options), other(method_of(subject), small, subject.options, 2);
  const JointResult result = one.run();
  EXPECT_GT(one.tasks().losses_taken, 0) << "no loss was asked for";
  EXPECT_FALSE(same(result, other.run())) << "another key gives the same";
}

/// Stops in the first loss, in the last one, and in some between.
void resumes_to_the_bit(const Subject& subject) {
  const SmallInputs small;
  const JointMethod& method = method_of(subject);
  Decomposition undisturbed(method, small, subject.options);
  const JointResult expected = undisturbed.run(small.folder("undisturbed"));
  const int64_t losses = undisturbed.tasks().losses_taken;
  for (const int64_t stop : {int64_t{1}, losses / 3 + 1, losses / 2 + 1, losses}) {
    const std::filesystem::path work = small.folder("work");
    Decomposition stopped(method, small, subject.options), again(method, small, subject.options);
    stopped.tasks().stop_at = stop;
    EXPECT_THROW(stopped.run(work), Error) << "stopped in loss " << stop;
    const JointResult result = again.run(work);
    EXPECT_TRUE(same(result, expected)) << "stopped in loss " << stop << " of " << losses;
    EXPECT_EQ(result.description.dump(), expected.description.dump()) << "stopped in loss " << stop << " of " << losses;
    if (stop == losses) {
      EXPECT_LT(again.tasks().losses_taken, losses) << "nothing was kept of what was done";
    }
  }
}

void ends_where_a_loss_is_not_finite(const Subject& subject) {
  const SmallInputs small;
  Decomposition decomposition(method_of(subject), small, subject.options);
  decomposition.tasks().broken_at = 3;
  try {
    decomposition.run();
    FAIL() << "a loss that is no number was trained on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::run) << error.what();
  }
}

void refuses_to_train_without_tasks(const Subject& subject) {
  const SmallInputs small;
  const JointMethod& method = method_of(subject);
  try {
    method.decompose(small.joint_inputs(), method.options().resolve(subject.options, method.name()));
    FAIL() << "trained on no tasks";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user) << error.what();
  }
}

const std::vector<std::pair<const char*, Check>> training_checks = {{"TakesStepsOnTheTasks", takes_steps_on_the_tasks},
                                                                    {"ResumesToTheBit_AfterAStopAnywhere", resumes_to_the_bit},
                                                                    {"EndsWhereALossIsNotFinite", ends_where_a_loss_is_not_finite},
                                                                    {"RefusesToTrainWithoutTasks", refuses_to_train_without_tasks}};

}  // namespace

JointResult decompose(const JointMethod& method, const SmallInputs& inputs, const nlohmann::json& options, uint64_t seed) {
  return Decomposition(method, inputs, options, seed).run();
}

void register_joint_tests() {
  for (const JointCase& subject : joint_cases()) {
    for (const auto& [name, check] : subspace_checks()) register_check(subject, joint_subject, name, check);
    register_check(subject, joint_subject, "GivesADecoderAMemberAndFiniteCodes", gives_a_decoder_a_member_and_finite_codes);
    if (!trains(joint_method(subject.method), subject.options)) continue;
    for (const auto& [name, check] : training_checks) register_check(subject, joint_subject, name, check);
  }
}

}  // namespace tsrun::plugin_testing
