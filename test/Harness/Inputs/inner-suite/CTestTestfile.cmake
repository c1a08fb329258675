add_test(c-passes true)
add_test(c-fails false)
add_test(c-skips sh -c "exit 77")
set_tests_properties(c-skips PROPERTIES SKIP_RETURN_CODE 77)
