# gateway_library(<folder> SOURCES a.cc ... [DEPENDS base storage ...] [PACKAGES absl::status ...] [GRPC])
# The static library gateway_<folder> of service/<folder>. DEPENDS names other folders of service/: an include of
# a folder that is not named (or reached through a named one) fails the build, and so does a DEPENDS that points
# upwards. GRPC: the folder includes gRPC headers, and uses the shared precompiled header.
set(GATEWAY_FOLDER_ORDER base config storage aulm http events messaging rpc webhook admin app)
set(GATEWAY_SIBLINGS "storage/aulm;storage/http;aulm/http;events/messaging;rpc/webhook;rpc/admin;webhook/admin")

function(gateway_check_direction folder depends)
  list(FIND GATEWAY_FOLDER_ORDER ${folder} own)
  foreach(other IN LISTS depends)
    list(FIND GATEWAY_FOLDER_ORDER ${other} rank)
    if(rank LESS 0 OR NOT rank LESS own)
      message(FATAL_ERROR "service/${folder} may not depend on service/${other}: the direction is ${GATEWAY_FOLDER_ORDER}")
    endif()
    foreach(pair "${folder}/${other}" "${other}/${folder}")
      if(pair IN_LIST GATEWAY_SIBLINGS)
        message(FATAL_ERROR "service/${folder} and service/${other} stand side by side and may not depend on each other")
      endif()
    endforeach()
  endforeach()
endfunction()

function(gateway_library folder)
  cmake_parse_arguments(L "GRPC" "" "SOURCES;DEPENDS;PACKAGES" ${ARGN})
  gateway_check_direction(${folder} "${L_DEPENDS}")
  set(target gateway_${folder})
  add_library(${target} STATIC ${L_SOURCES})
  set(reachable ${folder})
  foreach(other IN LISTS L_DEPENDS)
    get_property(theirs GLOBAL PROPERTY GATEWAY_REACHABLE_${other})
    list(APPEND reachable ${other} ${theirs})
  endforeach()
  list(REMOVE_DUPLICATES reachable)
  set_property(GLOBAL PROPERTY GATEWAY_REACHABLE_${folder} ${reachable})
  list(TRANSFORM L_DEPENDS PREPEND gateway_ OUTPUT_VARIABLE libraries)
  target_link_libraries(${target} PUBLIC gateway_options ${libraries} ${L_PACKAGES})
  if(L_GRPC)
    target_link_libraries(${target} PUBLIC gRPC::grpc++)
    target_precompile_headers(${target} REUSE_FROM gateway_pch)
  endif()

  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(folder STREQUAL app)
    list(FILTER files INCLUDE REGEX "/service/[a-z_]+\\.(h|cc)$")
  endif()
  set(stamp ${CMAKE_CURRENT_BINARY_DIR}/${folder}.direction)
  list(JOIN reachable "," reachable_text)
  add_custom_command(
    OUTPUT ${stamp}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DREACHABLE=${reachable_text} "-DFILES=${files}" -DSTAMP=${stamp}
      -P ${PROJECT_SOURCE_DIR}/cmake/CheckDirection.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/CheckDirection.cmake
    COMMENT "direction of service/${folder}"
    VERBATIM)
  add_custom_target(${target}_direction DEPENDS ${stamp})
  add_dependencies(${target} ${target}_direction)
endfunction()
