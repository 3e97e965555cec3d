#include "report/figure.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <optional>

namespace tsrun::report {

namespace {

int hex_at(std::string_view colour, size_t at) {
  int value = 0;
  std::from_chars(colour.data() + at, colour.data() + at + 2, value, 16);
  return value;
}

/// The role of "rgb(  0, 114, 178)"; empty for a colour that is not in the palette.
std::string role_of(std::string_view colour) {
  std::array<int, 3> parts{};
  size_t at = colour.find('(');
  if (at == std::string_view::npos) return {};
  for (int& part : parts) {
    at = colour.find_first_of("0123456789", at);
    if (at == std::string_view::npos) return {};
    at = static_cast<size_t>(std::from_chars(colour.data() + at, colour.data() + colour.size(), part).ptr - colour.data());
  }
  for (const auto& entry : palette) {
    if (parts == std::array{hex_at(entry.light, 1), hex_at(entry.light, 3), hex_at(entry.light, 5)}) return std::string(entry.role);
  }
  return {};
}

/// `name='value'` or `name = "value"` in one element.
struct Attribute {
  size_t begin, end;
  std::string_view value;
};

std::optional<Attribute> attribute(std::string_view element, std::string_view name) {
  for (size_t at = element.find(name); at != std::string_view::npos; at = element.find(name, at + 1)) {
    if (at == 0 || element[at - 1] != ' ') continue;
    size_t open = at + name.size();
    while (open < element.size() && (element[open] == ' ' || element[open] == '=')) ++open;
    if (open == at + name.size() || open >= element.size() || (element[open] != '\'' && element[open] != '"')) continue;
    const size_t close = element.find(element[open], open + 1);
    if (close == std::string_view::npos) return std::nullopt;
    return Attribute{at, close + 1, element.substr(open + 1, close - open - 1)};
  }
  return std::nullopt;
}

/// Adds the class that carries both themes; the plain colour stays for viewers without CSS.
void add_class(std::string& element, std::string_view name, char kind) {
  const auto found = attribute(element, name);
  if (!found) return;
  const std::string role = role_of(found->value);
  if (!role.empty()) element.insert(found->end, fmt::format(" class=\"{}-{}\"", kind, role));
}

/// Names of fonts by which the scripts say more than gnuplot can.
void replace_font(std::string& element) {
  const auto found = attribute(element, "font-family");
  if (!found) return;
  const bool heading = found->value == "Heading";
  const std::string extra = found->value == "Halo" ? "halo" : found->value == "Page" ? "halo page" : "";
  element.replace(found->begin, found->end - found->begin, heading ? "font-weight=\"600\"" : "");
  if (extra.empty()) return;
  if (const auto own = attribute(element, "class")) {
    element.insert(own->end - 1, " " + extra);
  } else {
    element.insert(element.find('>'), fmt::format(" class=\"{}\"", extra));
  }
}

/// gnuplot's point symbols are references by id; ours are circles, so that figures on one page cannot mix up their symbols.
std::string circle(std::string_view element) {
  const auto transform = attribute(element, "transform"), colour = attribute(element, "color");
  double x = 0, y = 0, scale = 0;
  if (!transform || !colour || std::sscanf(std::string(transform->value).c_str(), "translate(%lf,%lf) scale(%lf)", &x, &y, &scale) != 3)
    return {};
  return fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{:.2f}\" stroke=\"none\" fill=\"{}\" class=\"f-{}\"/>", x, y, scale,
                     colour->value, role_of(colour->value));
}

/// gnuplot draws an area with no extent for every stretch where two curves coincide.
bool is_flat_polygon(std::string_view line) {
  const auto points = attribute(line, "points");
  if (!points) return false;
  std::string_view level;
  for (size_t at = points->value.find(','); at != std::string_view::npos; at = points->value.find(',', at + 1)) {
    const std::string_view y = points->value.substr(at + 1, points->value.find(' ', at) - at - 1);
    if (!level.empty() && y != level) return false;
    level = y;
  }
  return true;
}

bool is_prefix(std::string_view line, std::string_view prefix) {
  const size_t at = line.find_first_not_of(" \t");
  return at != std::string_view::npos && line.substr(at).substr(0, prefix.size()) == prefix;
}

void replace_plain_black(std::string& element) {
  for (std::string_view plain : {" color=\"black\"", " color=\"#000000\""}) {
    if (const size_t at = element.find(plain); at != std::string::npos) element.erase(at, plain.size());
  }
  if (const size_t at = element.find("fill=\"black\""); at != std::string::npos) element.replace(at, 12, "fill=\"currentColor\"");
}

/// One tag and the text that follows it.
std::string themed_element(std::string element) {
  if (is_prefix(element, "<text") || is_prefix(element, "</")) return element;
  if (is_prefix(element, "<use ")) return circle(element) + '\n';
  if (is_prefix(element, "<polygon ") && is_flat_polygon(element)) return {};
  if (is_prefix(element, "<g id=\"")) return "<g>\n";
  if (const auto own = attribute(element, "class")) element.erase(own->begin, own->end - own->begin);
  add_class(element, "stroke", 's');
  add_class(element, "fill", 'f');
  replace_font(element);
  replace_plain_black(element);
  return element;
}

/// Contents from the first <g> of the canvas to </svg>, without symbol definitions, background and gnuplot's own titles.
std::string themed_body(std::string_view raw) {
  std::string out;
  bool definitions = false;
  for (size_t at = raw.find("<g "); at < raw.size();) {
    const size_t end = std::min(raw.find('<', at + 1), raw.size());
    const std::string_view element = raw.substr(at, end - at);
    at = end;
    const bool closes = is_prefix(element, "</defs>");
    definitions = (definitions || is_prefix(element, "<defs>")) && !closes;
    const bool dropped = closes || is_prefix(element, "<rect ") || is_prefix(element, "<title>") || is_prefix(element, "</title>") ||
                         is_prefix(element, "</svg>");
    if (!definitions && !dropped) out += themed_element(std::string(element));
  }
  return out;
}

std::string rules(std::string_view indent, std::string_view Colour::*theme) {
  std::string out;
  for (const auto& colour : palette) {
    out += fmt::format("{0}.tsrun-figure .s-{1}{{stroke:{2}}} .tsrun-figure .f-{1}{{fill:{2}}}\n", indent, colour.role, colour.*theme);
  }
  const bool dark = theme == &Colour::dark;  // behind names that lines may cross: the colour of the page
  return out + fmt::format("{0}.tsrun-figure{{color:{1}}}\n{0}.tsrun-figure .page text{{stroke:{2};stroke-width:5px}}\n", indent,
                           palette[6].*theme, dark ? "#161514" : "#fdfcfa");
}

}  // namespace

std::string figure_style() {
  return ".tsrun-figure{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;background:none}\n"
         ".tsrun-figure .halo text{paint-order:stroke;stroke:#ffffff;stroke-width:2.6px;stroke-linejoin:round}\n" +
         rules("", &Colour::light) + "@media (prefers-color-scheme: dark){\n" + rules("  ", &Colour::dark) + "}\n";
}

std::string themed_svg(std::string_view raw, const Script& script, const std::string& caption) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tsrun-figure\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"100%\" "
      "role=\"img\">\n<title>{}</title>\n"
      "<style>\n{}</style>\n{}</svg>\n",
      script.width, script.height, escape_html(one_line(caption)), figure_style(), themed_body(raw));
}

}  // namespace tsrun::report
