#include "internal.h"

#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  tsrun::plugin_testing::register_subspace_tests();
  tsrun::plugin_testing::register_joint_tests();
  tsrun::plugin_testing::register_delta_tests();
  tsrun::plugin_testing::register_step_plugin_tests();
  return RUN_ALL_TESTS();
}
