#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Numbers and escapes of a report. All texts are UTF-8.
namespace tsrun::report {

std::string score(double value);                                           ///< three decimals; "nan" and "inf" spelt out
std::string mean_and_deviation(double mean, double deviation, int64_t n);  ///< "0.923 ± 0.006"; "0.923 ± –" when n < 2
std::string percent(double share);
std::string count(int64_t number);     ///< "11,171,074"
std::string bytes(int64_t number);     ///< decimal units: "44.7 MB"
std::string duration(double seconds);  ///< "3.2 s", "4 min 05 s", "2 h 03 min"

std::string escape_html(std::string_view text);  ///< element content and quoted attributes
std::string escape_latex(std::string_view text);
std::string escape_markdown(std::string_view text);  ///< table cells
std::string quote_csv(std::string_view text);        ///< RFC 4180, only when needed
std::string one_line(std::string_view text);         ///< control characters become spaces

/// @throws Error(user) when `name` is not a valid file name; the message names `what`.
void check_file_stem(std::string_view what, const std::string& name);

size_t display_width(std::string_view text);  ///< code points
std::string pad_right(std::string text, size_t width);
std::string pad_left(std::string text, size_t width);

}  // namespace tsrun::report
