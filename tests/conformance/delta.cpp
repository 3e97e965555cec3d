#include "delta_checks.h"
#include "internal.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

#include <map>

namespace tsrun::plugin_testing {
namespace {

const std::map<std::string, SmallModel (*)()>& small_models() {
  static const std::map<std::string, SmallModel (*)()> all = {{"bert", small_bert}, {"gpt2", small_gpt2}, {"t5", small_t5}};
  return all;
}

using DeltaCheck = DeltaChecks::value_type::second_type;

class DeltaTest : public ::testing::Test {
 public:
  DeltaTest(DeltaCase subject, std::string model, DeltaCheck check)
      : subject_(std::move(subject)), model_(std::move(model)), check_(std::move(check)) {}
  void TestBody() override {
    const SmallModel model = small_models().at(model_)();
    const DeltaMethod& method = delta_method(subject_.method);
    try {
      method.attach(*model.family, method.options().resolve(subject_.options, method.name()));
    } catch (const Error& refusal) {
      ASSERT_EQ(refusal.kind(), ErrorKind::user) << refusal.what();
      GTEST_SKIP() << refusal.what();
    }
    check_({method, model, subject_.options});
  }

 private:
  DeltaCase subject_;
  std::string model_;
  DeltaCheck check_;
};

/// The options must be good for one of the models at least.
class FitsAModelTest : public ::testing::Test {
 public:
  explicit FitsAModelTest(DeltaCase subject) : subject_(std::move(subject)) {}
  void TestBody() override {
    std::string refusals;
    for (const auto& [name, make] : small_models()) {
      try {
        attach(delta_method(subject_.method), make(), subject_.options);
        return;
      } catch (const Error& refusal) {
        refusals += "\n" + name + ": " + refusal.what();
      }
    }
    ADD_FAILURE() << "every model is refused:" << refusals;
  }

 private:
  DeltaCase subject_;
};

}  // namespace

void register_delta_tests() {
  for (const DeltaCase& subject : delta_cases()) {
    const std::string suite = suite_name(subject.method, subject.options);
    ::testing::RegisterTest(suite.c_str(), "FitsAModel", nullptr, nullptr, __FILE__, __LINE__,
                            [subject]() -> FitsAModelTest* { return new FitsAModelTest(subject); });
    for (const auto& [model, make] : small_models()) {
      for (const auto& checks : {parameter_checks(), pass_checks(), company_checks()})
        for (const auto& [name, check] : checks)
          ::testing::RegisterTest((suite + "_on_" + model).c_str(), name, nullptr, nullptr, __FILE__, __LINE__,
                                  [subject, model = model, check = check]() -> DeltaTest* { return new DeltaTest(subject, model, check); });
    }
  }
}

}  // namespace tsrun::plugin_testing
