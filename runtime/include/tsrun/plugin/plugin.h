#pragma once

#include "tsrun/tune/delta.h"
#include "tsrun/tune/joint_method.h"
#include "tsrun/tune/regularizer.h"
#include "tsrun/tune/selector.h"
#include "tsrun/tune/subspace.h"

/// Header for plugins. One macro at the end of one source file makes the library loadable:
///
///     TSRUN_PLUGIN(registry) { registry.add(std::make_unique<MySubspace>()); }
namespace tsrun {

class Registry {
 public:
  virtual ~Registry() = default;
  virtual void add(std::unique_ptr<SubspaceMethod> method) = 0;
  virtual void add(std::unique_ptr<JointMethod> method) = 0;
  virtual void add(std::unique_ptr<DeltaMethod> method) = 0;
  virtual void add(std::unique_ptr<SelectorMethod> method) = 0;
  virtual void add(std::unique_ptr<RegularizerMethod> method) = 0;
};

}  // namespace tsrun

/// The name of this symbol holds plugin API version, LibTorch version and C++ ABI, so that a mismatch is found before loading.
/// The build system defines TSRUN_ABI_TAG (for example tsrun_abi_8_torch_2_13_0_cxx11_1).
#define TSRUN_PLUGIN(registry)                                                    \
  extern "C" __attribute__((visibility("default"))) const char TSRUN_ABI_TAG = 1; \
  extern "C" __attribute__((visibility("default"))) void tsrun_plugin_register(tsrun::Registry& registry)
