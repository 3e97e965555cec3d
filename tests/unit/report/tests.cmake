tsrun_test(report SOURCES unit/report/figure_description_test.cpp unit/report/module_table_test.cpp unit/report/report_test.cpp unit/report/claims_test.cpp unit/report/table_description_test.cpp)
