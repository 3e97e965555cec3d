#pragma once

#include "app/command_line.h"

/// What each verb does. Results go to standard output. @throws Error
namespace tsrun {

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
void doctor(const Command& command);

std::string short_help();
std::string long_help();
std::string version_text();

/// Writes to standard output. @throws Error(run) when it cannot be written.
void print(const std::string& text);

}  // namespace tsrun
