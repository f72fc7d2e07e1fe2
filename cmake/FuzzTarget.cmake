# gateway_fuzz_target(<name> SOURCES a_fuzz.cc ... [LIBRARIES ...])
# One LLVMFuzzerTestOneInput, built in two ways. Always: the test fuzz_<name>_seeds, which feeds it every file of
# tests/fuzz/seeds/<name>/ once. With AULM_GATEWAY_FUZZ: also the libFuzzer program fuzz_<name>, which starts from these
# seeds and uses tests/fuzz/seeds/<name>.dict when there is one.
function(gateway_fuzz_target name)
  cmake_parse_arguments(F "" "" "SOURCES;LIBRARIES" ${ARGN})
  set(seeds ${PROJECT_SOURCE_DIR}/tests/fuzz/seeds/${name})

  set(replay fuzz_${name}_seeds)
  add_executable(${replay} ${F_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
  target_link_libraries(${replay} PRIVATE gateway_options ${F_LIBRARIES})
  add_test(NAME ${replay} COMMAND ${replay} ${seeds})
  set_tests_properties(${replay} PROPERTIES LABELS fuzz_seeds TIMEOUT 120)

  if(AULM_GATEWAY_FUZZ)
    add_executable(fuzz_${name} ${F_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE gateway_options ${F_LIBRARIES})
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()
