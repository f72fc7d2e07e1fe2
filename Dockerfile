# The image of aulm-gateway: the gateway, aulmctl, and the libraries they load; no shell, no package manager.
#   docker build -t aulm-gateway .
# BASE is a Debian 12; the image's own stage starts from nothing.
ARG BASE=docker.io/library/debian:12
FROM ${BASE} AS build
WORKDIR /src
# A compiler cache knows the language of its messages.
ENV LANG=C.UTF-8
COPY packages.txt ./
RUN apt-get -q update \
 && sed -n 's/^build: //p' packages.txt | DEBIAN_FRONTEND=noninteractive xargs apt-get -q -y --no-install-recommends install
COPY CMakeLists.txt CMakePresets.json README.md LICENSE CHANGELOG.md ./
COPY cmake cmake
COPY proto proto
COPY service service
COPY client_stubs/cpp client_stubs/cpp
COPY tools/image tools/image
ARG COMMIT=
RUN cmake --preset release -DAULM_GATEWAY_TESTS=OFF -DAULM_GATEWAY_COMMIT="${COMMIT}" \
 && cmake --build build/release --target aulm-gateway aulmctl
RUN tools/image/make_root.sh build/release/bin /image

FROM scratch
ARG VERSION=0.1.0
ARG COMMIT=
LABEL org.opencontainers.image.title="aulm-gateway" \
      org.opencontainers.image.description="A gRPC gateway in front of aulm, the WhatsApp automation API" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/aulm/aulm-gateway" \
      org.opencontainers.image.documentation="https://github.com/aulm/aulm-gateway/blob/main/docs/deploying.md"
COPY --from=build /image /
ENV PATH=/usr/bin GATEWAY_STORE=sqlite:///var/lib/aulm-gateway
USER 65532:65532
WORKDIR /var/lib/aulm-gateway
VOLUME /var/lib/aulm-gateway
EXPOSE 50051 8080
# Kubernetes has probes of its own; this is for those who run the image without it. Ignored in images of the OCI format.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/bin/aulm-gateway", "--health"]
ENTRYPOINT ["/usr/bin/aulm-gateway"]
