cmake_minimum_required(VERSION 3.25)
# Fails when a file of service/FOLDER includes a folder of service/ that the folder does not declare.
string(REPLACE "," ";" reachable "${REACHABLE}")
foreach(file IN LISTS FILES)
  file(STRINGS ${file} includes REGEX "^#include \"service/[a-z_]+/")
  foreach(line IN LISTS includes)
    string(REGEX REPLACE "^#include \"service/([a-z_]+)/.*" "\\1" other "${line}")
    if(NOT other IN_LIST reachable)
      message(FATAL_ERROR "${file}: ${line}\nservice/${FOLDER} may include: ${reachable}. "
        "Name ${other} in its DEPENDS if the direction of service/ARCHITECTURE.md allows it.")
    endif()
  endforeach()
endforeach()
file(TOUCH ${STAMP})
