# Installs the client into a folder of its own, builds consumer.cc and the README's quickstart against that as a stranger
# would, and runs the former.
# Given: BUILD (this build's folder), WORK (a folder to use), COMPILER, GENERATOR, FLAGS.
set(quickstart ${CMAKE_CURRENT_LIST_DIR}/../../examples/quickstart.cc)
file(READ ${quickstart} code)
file(READ ${CMAKE_CURRENT_LIST_DIR}/../../README.md readme)
string(FIND "${readme}" "${code}" found)
if(found EQUAL -1)
  message(FATAL_ERROR "README.md does not show examples/quickstart.cc as it is")
endif()
file(REMOVE_RECURSE ${WORK})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --component client_cpp --prefix ${WORK}/prefix
  COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
execute_process(
  COMMAND ${CMAKE_COMMAND} -G ${GENERATOR} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build
    -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS} -DQUICKSTART=${quickstart}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK}/build COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${WORK}/build/consumer COMMAND_ERROR_IS_FATAL ANY OUTPUT_VARIABLE printed)
if(NOT printed STREQUAL "UNAVAILABLE\n")
  message(FATAL_ERROR "the consumer printed: ${printed}")
endif()
