#pragma once

#include "tsrun/report/report.h"

#include <array>
#include <string>
#include <string_view>

/// From a figure's data to an SVG in its page's theme: data and gnuplot script, gnuplot, colours by role.
namespace tsrun::report {

/// Colours by role. gnuplot gets the light one; the SVG names the role and has both (after Okabe and Ito, 2008).
struct Colour {
  std::string_view role, light, dark;
};
inline constexpr std::array<Colour, 11> palette = {{{"c0", "#0072b2", "#5db1e6"},
                                                    {"c1", "#d55e00", "#f0894a"},
                                                    {"c2", "#00896a", "#3fc79d"},
                                                    {"c3", "#a8548c", "#dd9cc6"},
                                                    {"c4", "#b58100", "#e3b551"},
                                                    {"c5", "#6b7178", "#a2a9b1"},
                                                    {"ink", "#1c1b1a", "#e9e6e1"},
                                                    {"soft", "#5b5854", "#aaa6a0"},
                                                    {"axis", "#8e8a85", "#77736e"},
                                                    {"grid", "#e3e0da", "#33312e"},
                                                    {"band", "#f2f0ec", "#232220"}}};
inline constexpr size_t series_colours = 6;

std::string_view light(std::string_view role);

struct Script {
  std::string data;      ///< NAME.dat: blocks of numbers, one an index of gnuplot
  std::string commands;  ///< NAME.gp: reads NAME.dat, writes NAME.svg
  double width = 0, height = 0;
};
Script script_of(const Figure& figure);
Script positions_script(const Figure& figure);
Script scatter_script(const Figure& figure);
Script landscape_script(const Figure& figure);
Script heat_map_script(const Figure& figure);

/// Nine stations of viridis (Smith and van der Walt, 2015; CC0): equal steps look equal, also without colour.
inline constexpr std::string_view heat_colours =
    "set palette defined (0 '#440154', 1 '#472d7b', 2 '#3b528b', 3 '#2c728e', 4 '#21918c', 5 '#28ae80', 6 '#5ec962', 7 '#addc30', 8 "
    "'#fde725')\nset palette maxcolors 0\nunset colorbox\n";
/// Fixed in both themes, for they stand on these colours.
inline constexpr std::string_view on_light = "#101010", on_dark = "#ffffff";

/// Positions of names beside their points, without overlaps as far as there is room. Units of the SVG, y downwards.
struct Spot {
  double x = 0, y = 0;
  std::string name;
  double up = 0, across = 0;  ///< half the bars through it
};
struct Label {
  double x = 0, y = 0;      ///< of the anchor, at half the height of the letters
  std::string_view anchor;  ///< gnuplot's left, right or center
  bool far = false;         ///< far enough from its point to need a line
};
std::vector<Label> place_labels(const std::vector<Spot>& spots, double width, double height, double letter);

/// Pieces of gnuplot scripts for all kinds of figure.
std::string gnuplot_text(std::string_view text);  ///< a single-quoted string without special characters
std::string preamble(const Figure& figure, double width, double height);
std::string below_axis(const std::string& text, double x, double width, double height);  ///< the name of a horizontal axis, centred at x
double tidy_step(double span, double steps);  ///< 1, 2 or 5 times a power of ten, so that at most `steps` fit
double text_width(std::string_view text);     ///< estimate, in units of the SVG
double widest(const std::vector<std::string>& texts);

/// gnuplot's SVG with a scaling header, no fixed colours, no ids (several figures share one page) and the caption as its title.
std::string themed_svg(std::string_view raw, const Script& script, const std::string& caption);
std::string figure_style();  ///< the CSS of `themed_svg`

/// Runs a program without a shell in `folder`; its standard error when it fails, nullopt otherwise. `found`: whether the program exists.
struct Outcome {
  bool found = true, succeeded = true;
  std::string words;
};
Outcome run_program(const std::vector<std::string>& command, const std::filesystem::path& folder);

}  // namespace tsrun::report
