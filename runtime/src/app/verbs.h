#pragma once

#include "app/command_line.h"

#include <nlohmann/json.hpp>

#include <optional>

/// The verbs. Results go to standard output. @throws Error
namespace tsrun::app {

void run(const Command& command);
void check(const Command& command);
void list_plugins(const Command& command);
void describe(const Command& command);
void show(const Command& command);
void compare(const Command& command);
void tokenize(const Command& command);
void predict(const Command& command);
void generate(const Command& command);
void score(const Command& command);
void geometry(const Command& command);
void doctor(const Command& command);

/// Options of a verb for --set; nothing where it takes none. (A recipe declares its own arguments.)
std::optional<OptionTable> set_options(const std::string& verb);
OptionTable generate_verb_options();

std::string short_help();
std::string long_help();
std::string version_text();
/// One value on standard output, for --json.
void print_json(const nlohmann::json& value);

}  // namespace tsrun::app
