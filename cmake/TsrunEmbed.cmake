# cmake -DOUTPUT=… -DINPUTS=a.lua,b.lua -P TsrunEmbed.cmake: text files as a list of (name, content).
string(REPLACE "," ";" INPUTS "${INPUTS}")
set(text "// Generated; the sources are text files.\n#include <span>\n#include <string_view>\n#include <utility>\nnamespace tsrun::lua {\n\
namespace {\nconstexpr std::pair<std::string_view, std::string_view> kFiles[] = {\n")
foreach(input ${INPUTS})
  get_filename_component(name ${input} NAME)
  file(READ ${input} content)
  string(APPEND text "{\"${name}\", R\"embedded(${content})embedded\"},\n")
endforeach()
string(APPEND text "};\n}  // namespace\nstd::span<const std::pair<std::string_view, std::string_view>> embedded_files() { return kFiles; }\n}  // namespace tsrun::lua\n")
file(WRITE ${OUTPUT} "${text}")
