tsrun_room(report SOURCES
  claims.cpp claims_json.cpp figure.cpp figure_description.cpp free_table.cpp geometry_figures.cpp grid.cpp heat_map_script.cpp html.cpp html_style.cpp labels.cpp landscape_script.cpp module_table.cpp positions_script.cpp process.cpp
  resource_table.cpp scatter_script.cpp score_table.cpp script.cpp summary.cpp svg.cpp table_description.cpp text.cpp write.cpp)
