# Writes OUT with AULM_GATEWAY_COMMIT, the commit that SOURCE is at, unless it says so already: run at every build, so
# that the commit is never that of the last configuring. COMMIT, when given, is taken instead (a build outside of git).
set(commit "${COMMIT}")
if(commit STREQUAL "")
  set(commit unknown)
  find_package(Git QUIET)
  if(GIT_FOUND)
    # A source tree inside of somebody else's repository has no commit of its own.
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} rev-parse --show-toplevel
      OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    file(REAL_PATH "${SOURCE}" source)
    if(top STREQUAL source)
      execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
        OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    endif()
  endif()
endif()
set(content "#pragma once\n\n#define AULM_GATEWAY_COMMIT \"${commit}\"\n")
set(old "")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT old STREQUAL content)
  file(WRITE ${OUT} "${content}")
endif()
