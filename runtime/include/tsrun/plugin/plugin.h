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

/// The name of the first symbol holds plugin API version, LibTorch version and C++ ABI, so that a mismatch is found before loading; the
/// second is the entry. Both are weak, and the section lists the registrations, so that one test program may hold several plugins. The
/// build system defines TSRUN_ABI_TAG (for example tsrun_abi_10_torch_2_13_0_cxx11_1).
#define TSRUN_PLUGIN(registry)                                                                                                    \
  extern "C" __attribute__((visibility("default"), weak)) const char TSRUN_ABI_TAG = 1;                                           \
  static void tsrun_register(tsrun::Registry& registry);                                                                          \
  __attribute__((used, section("tsrun_plugins"))) static void (*const tsrun_registration)(tsrun::Registry&) = &tsrun_register;    \
  extern "C" __attribute__((visibility("default"), weak)) void tsrun_plugin_register(tsrun::Registry& to) { tsrun_register(to); } \
  static void tsrun_register(tsrun::Registry& registry)
