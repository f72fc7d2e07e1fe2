// Carries the precompiled header that targets with gRPC headers reuse; see CMakeLists.txt.
