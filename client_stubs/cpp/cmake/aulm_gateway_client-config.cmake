# What the installed libraries stand on; then aulm::gateway_client and aulm::gateway_proto.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Protobuf)
find_dependency(absl CONFIG)
find_dependency(gRPC CONFIG)
include(${CMAKE_CURRENT_LIST_DIR}/aulm_gateway_client-targets.cmake)
