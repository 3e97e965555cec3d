tsrun_room(experiment TORCH SOURCES
  report_figure.cpp report_html.cpp report_positions.cpp report_process.cpp report_script.cpp report_style.cpp report_summary.cpp report_svg.cpp
  report_table.cpp report_text.cpp report_write.cpp run_compare.cpp run_folder.cpp)
