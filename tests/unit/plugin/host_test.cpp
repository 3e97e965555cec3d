#include "tsrun/plugin/host.h"

#include "support/folder_test.h"
#include "support/golden_models.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/delta.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

fs::path library(const std::string& name) { return fs::path(TSRUN_BINARY_DIR) / "tests" / "plugins" / name / (name + ".so"); }

Error load_error(const fs::path& file) {
  return error_of([&] { PluginHost().load_file(file); });
}

Error discover_error(const std::string& how) {
  PluginHost host;
  host.load_file(library("line_subspace"));
  const auto& method = host.subspace("line");
  return error_of([&] { method.discover({}, method.options().resolve({{"fail", how}}, "line")); });
}

TEST(PluginHost, LoadsAMethod_WithNameVersionAndFile) {
  PluginHost host;
  host.load_file(library("line_subspace"));
  ASSERT_EQ(host.plugins().size(), 1u);
  EXPECT_EQ(host.plugins()[0].kind, "subspace");
  EXPECT_EQ(host.plugins()[0].name, "line");
  EXPECT_EQ(host.plugins()[0].version, 7);
  EXPECT_EQ(host.plugins()[0].file, library("line_subspace"));
  EXPECT_NE(host.options_of("line").find("fail"), nullptr);
}

TEST(PluginHost, ReadsALibraryNamedTwiceOnce) {
  PluginHost host;
  host.load({library("line_subspace").parent_path(), library("line_subspace").parent_path() / "."});
  EXPECT_EQ(host.plugins().size(), 1u);
}

TEST(PluginHost, RefusesAnotherAbi_BeforeAnyOfItsCodeRuns) {
  const auto error = load_error(library("other_abi"));
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("other_abi.so"), HasSubstr("LibTorch 1.13.1, C++11 ABI 0"), HasSubstr(std::string(abi_tag())),
                                  HasSubstr("cmake --build")));
}

TEST(PluginHost, RefusesAFileThatIsNoLibrary) {
  const auto file = fs::path(::testing::TempDir()) / "notes.so";
  for (const char* text : {"", "just text\n",
                           "\x7f"
                           "ELF",
                           "\x7f"
                           "ELF\x02\x01\x01 and then nothing that an ELF file would hold, for longer than a header"}) {
    std::ofstream(file) << text;
    const auto error = load_error(file);
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("notes.so"), HasSubstr("not a shared library")));
  }
}

TEST(PluginHost, RefusesALibraryThatIsNoPlugin) {
  const auto error = load_error(library("no_plugin"));
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), HasSubstr("no tsrun plugin"));
}

TEST(PluginHost, NamesALibraryWhoseEntryThrows_WithItsWords) {
  const auto error = load_error(library("throwing_entry"));
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("throwing_entry.so"), HasSubstr("no licence found")));
}

TEST(PluginHost, RefusesATakenName_NamingBothFiles_AndKeepsTheFirst) {
  PluginHost host;
  host.load_file(library("line_subspace"));
  const auto error = error_of([&] { host.load_file(library("taken_name")); });
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("line_subspace.so"), HasSubstr("taken_name.so"), HasSubstr("'line'")));
  EXPECT_EQ(host.plugins().size(), 1u);
  EXPECT_EQ(host.subspace("line").version(), 7);
}

TEST(PluginHost, LeavesOutWhatIsNoPlugin_AndNamesItWhereAMethodIsMissing) {
  PluginHost host;
  host.load({library("other_abi").parent_path(), library("throwing_entry").parent_path(), library("line_subspace").parent_path()});
  ASSERT_EQ(host.plugins().size(), 1u);
  ASSERT_EQ(host.refused().size(), 2u);
  EXPECT_EQ(host.refused()[0].file, library("other_abi"));
  EXPECT_THAT(host.refused()[0].reason, HasSubstr("LibTorch 1.13.1"));
  EXPECT_THAT(host.refused()[1].reason, HasSubstr("no licence found"));
  EXPECT_EQ(host.subspace("line").version(), 7);
  EXPECT_THAT(error_of([&] { host.subspace("plane"); }).what(),
              AllOf(HasSubstr("unknown subspace 'plane'"), HasSubstr("other_abi.so"), HasSubstr("tsrun plugins tells why")));
  EXPECT_EQ(error_of([&] { host.load({library("taken_name").parent_path()}); }).kind(), ErrorKind::user) << "which of two methods ran?";
}

TEST(PluginHost, NamesTheNearMiss_OfAMisspeltMethod) {
  PluginHost host;
  host.load_file(library("line_subspace"));
  const auto error = error_of([&] { host.subspace("lime"); });
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("unknown subspace 'lime'"), HasSubstr("did you mean 'line'?")));
  EXPECT_THAT(error_of([&] { host.delta("line"); }).what(), HasSubstr("'line' is a subspace, expected a delta"));
}

TEST(PluginHost, KeepsJointMethodsAsAKindOfTheirOwn) {
  const PluginHost& host = built_plugins();
  EXPECT_EQ(host.joint("shared_vector").name(), "shared_vector");
  EXPECT_EQ(&host.subspace_maker("shared_vector"), &host.joint("shared_vector"));
  EXPECT_EQ(&host.subspace_maker("fastfood"), &host.subspace("fastfood"));
  EXPECT_NE(host.options_of("shared_vector").find("maps"), nullptr);
  EXPECT_THAT(error_of([&] { host.subspace("shared_vector"); }).what(),
              AllOf(HasSubstr("'shared_vector' is a joint, expected a subspace; known: "), HasSubstr("fastfood")));
}

TEST(PluginHost, NamesPluginAndCall_WhenAMethodThrows) {
  const auto error = discover_error("standard");
  EXPECT_EQ(error.kind(), ErrorKind::internal);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("plugin line ("), HasSubstr("line_subspace.so): discover: the line is bent")));
  EXPECT_THAT(discover_error("odd").what(), HasSubstr("discover: an exception that is no std::exception"));
}

TEST(PluginHost, LetsErrorsOfAMethodPass_WithTheirKind) {
  const auto error = discover_error("user");
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_STREQ(error.what(), "dim 40 is larger than the trajectory (12 points)");
}

TEST(PluginHost, GuardsWhatAMethodReturns) {
  PluginHost host;
  host.load_file(library("line_subspace"));
  const auto& method = host.subspace("line");
  const auto line = method.discover({}, method.options().resolve(nlohmann::json::object(), "line"));
  EXPECT_EQ(line->describe(), nlohmann::json({{"line", true}}));
  EXPECT_THAT(error_of([&] { line->expand({}, {}); }).what(), HasSubstr("expand: expand went too far"));
  EXPECT_THAT(error_of([&] { method.load({}, {}); }).what(), HasSubstr("load: returned nothing"));
}

/// What a pass of a small model says when the delta `shift` throws in `call`; empty when nothing is thrown.
std::string pass_error(const std::string& call) {
  PluginHost host;
  host.load_file(library("shifting_delta"));
  const DeltaMethod& method = host.delta("shift");
  Model model = golden_model("bert");
  try {
    const std::vector<std::shared_ptr<const Delta>> deltas = {
        method.attach(*model.family, method.options().resolve({{"fail", call}}, "shift"))};
    model.family = adapt(model.family, deltas);
    add_initial_values(deltas, model.weights, Key::root(1));
    PackedRows rows;
    rows.ids = {1, 2}, rows.segments = {0, 0}, rows.positions = {0, 1}, rows.offsets = {0, 2};
    const PackedBatch batch = to_device(rows, {}, at::kCPU);
    model.family->forward(model.weights, batch, {});
    deltas[0]->merge(model.weights);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    return error.what();
  }
  return {};
}

TEST(PluginHost, NamesPluginAndCall_WhenADeltaOrItsHookThrows) {
  EXPECT_EQ(pass_error(""), "");
  for (const char* call : {"tensors", "install", "at_linear", "merge"})
    EXPECT_THAT(pass_error(call),
                AllOf(HasSubstr("plugin shift ("), HasSubstr(std::string("shifting_delta.so): ") + call + ": the shift slipped")));
}

/// A library whose table of all symbols is gone, as packaging leaves it.
TEST(PluginHost, LoadsAStrippedLibrary) {
  const auto stripped = fs::path(::testing::TempDir()) / "stripped.so";
  const std::string command = "strip -o '" + stripped.string() + "' '" + library("line_subspace").string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  PluginHost host;
  host.load_file(stripped);
  EXPECT_EQ(host.subspace("line").version(), 7);
}

TEST(PluginHost, RefusesAFolderOnTheSearchPathThatDoesNotExist) {
  const auto error = error_of([] { PluginHost::search_path({"no/such/folder"}); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("no/such/folder"), HasSubstr("--plugins")));
}

TEST(PluginHost, SearchesNamedFoldersBeforeTheVariableBeforeItsOwn) {
  const auto first = fs::path(::testing::TempDir()) / "first", second = fs::path(::testing::TempDir()) / "second";
  fs::create_directories(first);
  fs::create_directories(second);
  setenv("TSRUN_PLUGIN_PATH", second.c_str(), 1);
  const auto path = PluginHost::search_path({first});
  unsetenv("TSRUN_PLUGIN_PATH");
  ASSERT_GE(path.size(), 2u);
  EXPECT_EQ(path[0], first);
  EXPECT_EQ(path[1], second);
}

}  // namespace
}  // namespace tsrun
