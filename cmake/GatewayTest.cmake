# gateway_test(<name> SOURCES a_test.cc ... [LIBRARIES ...] [LABELS unit] [TIMEOUT seconds] [GRPC] [ENVIRONMENT ...])
# One GoogleTest program, registered as one ctest entry. LABELS say what it needs: unit (nothing),
# contract (a store), integration (sockets, the simulator), crash (kills processes), fuzz_seeds.
function(gateway_test name)
  cmake_parse_arguments(T "GRPC" "TIMEOUT" "SOURCES;LIBRARIES;LABELS;ENVIRONMENT;DEPENDS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE gateway_options ${T_LIBRARIES} GTest::gmock GTest::gtest_main)
  if(T_GRPC)
    target_link_libraries(${name} PRIVATE gRPC::grpc++)
    target_precompile_headers(${name} REUSE_FROM gateway_pch)
  endif()
  if(T_DEPENDS)
    add_dependencies(${name} ${T_DEPENDS})
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  # ThreadSanitizer looks up by name what is suppressed, in every process that a test starts.
  if(AULM_GATEWAY_SANITIZE STREQUAL "thread")
    math(EXPR T_TIMEOUT "${T_TIMEOUT} * 6")
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set(environment "AULM_GATEWAY_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}" ${T_ENVIRONMENT})
  if(AULM_GATEWAY_SANITIZE)
    list(APPEND environment
      "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp:halt_on_error=1"
      "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp"
      "UBSAN_OPTIONS=print_stacktrace=1")
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}" ENVIRONMENT "${environment}")
endfunction()
