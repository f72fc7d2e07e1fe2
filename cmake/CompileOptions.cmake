# gateway_options: what every target of ours is compiled with. Warnings are errors on gcc and clang.
set(AULM_GATEWAY_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, comma separated; empty for none")

add_library(gateway_options INTERFACE)
target_include_directories(gateway_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(gateway_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wextra-semi
  # A struct of options is filled by name, and what is not named has its default.
  -Wno-missing-field-initializers)

# Position-independent throughout, programs too, by one and the same flag: objects of libraries and of programs share a
# precompiled header, and the client library may be linked into somebody's shared object.
add_compile_options(-fPIC -fno-semantic-interposition)
add_link_options(-pie)

if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(gateway_options INTERFACE -Wthread-safety -Wthread-safety-beta
    # gRPC's and Boost's headers are system headers; these two come through macros expanded in our files.
    -Wno-gnu-zero-variadic-macro-arguments -Wno-c++20-extensions)
  add_compile_options(-Xclang -fno-pch-timestamp)  # lets ccache keep objects built with a precompiled header
  add_link_options(-fuse-ld=lld)
else()
  # gcc 12 reports maybe-uninitialized inside std::variant and absl::optional moves at -O2.
  target_compile_options(gateway_options INTERFACE -Wno-maybe-uninitialized)
  add_compile_options(-fpch-preprocess)
  find_program(AULM_GATEWAY_MOLD mold)
  if(AULM_GATEWAY_MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()

if(AULM_GATEWAY_SANITIZE)
  add_compile_options(-fsanitize=${AULM_GATEWAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${AULM_GATEWAY_SANITIZE})
  if(AULM_GATEWAY_SANITIZE MATCHES undefined)
    # It asks the kernel through a pipe whether memory can be read, and calls good objects bad in the tests that run out
    # of descriptors.
    add_compile_options(-fno-sanitize=vptr)
  endif()
  if(AULM_GATEWAY_SANITIZE MATCHES thread)
    add_library(gateway_tsan_abseil OBJECT ${PROJECT_SOURCE_DIR}/cmake/tsan_abseil.cc)
    target_link_libraries(gateway_options INTERFACE
      "$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:gateway_tsan_abseil>>")
  endif()
  if(AULM_GATEWAY_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
else()
  add_compile_options(-fstack-protector-strong -D_GLIBCXX_ASSERTIONS)
  add_link_options(-Wl,-z,relro,-z,now)
  if(CMAKE_BUILD_TYPE STREQUAL Release)
    add_compile_options(-D_FORTIFY_SOURCE=2)
  endif()
endif()

find_program(AULM_GATEWAY_CCACHE ccache)
if(AULM_GATEWAY_CCACHE)
  # CMake writes a precompiled header's include into each command: ccache must be told that this is safe.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${AULM_GATEWAY_CCACHE})
endif()
