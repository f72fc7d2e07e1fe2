# Third-party packages, as Debian 12 names and ships them (packages.txt). Nothing is downloaded.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(CURL 7.88 REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
if(absl_VERSION VERSION_GREATER 20220623)
  # What newer libraries deprecate has often no successor yet in those of Debian 12.
  target_compile_options(gateway_options INTERFACE -Wno-error=deprecated-declarations)
endif()
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(spdlog 1.10 CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
# Spans (service/base/span.h). Debian 13 has it, Debian 12 has not: --version says which it was. Without a version, since its
# package takes none but the very same for compatible.
find_package(opentelemetry-cpp CONFIG QUIET)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

# The allocator of the service. A send's memory is taken on one thread and given back on another, which glibc's arenas
# are slow at: with mimalloc it costs a sixth less CPU. Sanitizers bring their own.
add_library(gateway_allocator INTERFACE)
if(NOT AULM_GATEWAY_SANITIZE)
  find_package(mimalloc CONFIG REQUIRED)  # 2.0 or later; its package file takes no other major version than the one named
  target_link_libraries(gateway_allocator INTERFACE -Wl,--push-state,--no-as-needed mimalloc -Wl,--pop-state)
endif()
pkg_check_modules(NATS REQUIRED IMPORTED_TARGET libnats>=3.4)
if(AULM_GATEWAY_TESTS)
  find_package(GTest 1.12 REQUIRED)
  find_package(benchmark 1.7 CONFIG REQUIRED)
endif()

# Asio and Beast are headers; their bodies are compiled once, in this library.
add_library(gateway_boost_asio STATIC cmake/boost_asio.cc)
target_compile_definitions(gateway_boost_asio PUBLIC
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)
target_link_libraries(gateway_boost_asio PUBLIC Boost::headers OpenSSL::SSL Threads::Threads)
