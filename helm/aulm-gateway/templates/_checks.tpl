{{/* What the schema cannot say: each rule that does not hold fails the render with a sentence that tells the way out. */}}
{{- define "aulm-gateway.checks" -}}
{{- $v := .Values }}
{{- if eq $v.store.type "sqlite" }}
  {{- if gt (int $v.replicas) 1 }}
    {{- fail (printf "replicas is %d, but the store sqlite is one file that one pod owns: a second gateway on it would lose events. Set replicas to 1, or store.type to jetstream." (int $v.replicas)) }}
  {{- end }}
  {{- if $v.autoscaling.enabled }}
    {{- fail "autoscaling.enabled needs store.type jetstream: the store sqlite is one file that one pod owns, and cannot be scaled." }}
  {{- end }}
{{- else }}
  {{- if not (or $v.store.jetstream.servers $v.store.jetstream.existingSecret.name) }}
    {{- fail "store.type is jetstream, but nothing says where NATS is: set store.jetstream.servers, or store.jetstream.existingSecret.name for a URL with credentials." }}
  {{- end }}
  {{- if $v.store.persistence.existingClaim }}
    {{- fail "store.persistence.existingClaim is for the store sqlite alone: leave it out, or set store.type to sqlite." }}
  {{- end }}
{{- end }}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) }}
  {{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas: give a range." }}
{{- end }}
{{- if and $v.autoscaling.enabled (not (or $v.autoscaling.targetCPUUtilizationPercentage $v.autoscaling.targetStreams $v.autoscaling.targetInFlight $v.autoscaling.metrics)) }}
  {{- fail "autoscaling.enabled needs something to look at: set autoscaling.targetCPUUtilizationPercentage, targetStreams, targetInFlight or metrics." }}
{{- end }}
{{- $names := list }}
{{- range $v.accounts }}{{ $names = append $names .name }}{{ end }}
{{- if ne (len $names) (len (uniq $names)) }}
  {{- fail (printf "accounts has a name twice (%s): give each account a name of its own." (join ", " $names)) }}
{{- end }}
{{- $callers := list }}
{{- range $v.callers }}{{ $callers = append $callers .name }}{{ end }}
{{- if ne (len $callers) (len (uniq $callers)) }}
  {{- fail (printf "callers has a name twice (%s): give each caller a name of its own." (join ", " $callers)) }}
{{- end }}
{{- range $v.callers }}
  {{- if and (or .spiffeId .dnsName) (not $v.grpc.tls.clientCa.existingSecret) (not $v.grpc.trustedIdentityHeader.name) }}
    {{- fail (printf "the caller %s is known by a certificate, and nobody is asked for one: set grpc.tls.clientCa.existingSecret, or grpc.trustedIdentityHeader behind a mesh." .name) }}
  {{- end }}
{{- end }}
{{- if and (not $v.callers) (eq (toString $v.grpc.callersOptional) "false") }}
  {{- fail "grpc.callersOptional is false and there are no callers: nobody could call. List callers, or leave callersOptional out." }}
{{- end }}
{{- $ports := list (int $v.grpc.port) (int $v.webhook.port) (int $v.admin.port) }}
{{- if ne (len $ports) (len (uniq $ports)) }}
  {{- fail "grpc.port, webhook.port and admin.port must differ." }}
{{- end }}
{{- range $listener := list "grpc" "webhook" }}
  {{- $tls := (get $v $listener).tls }}
  {{- if and $tls.enabled (not $tls.existingSecret) (not $tls.certManager.enabled) }}
    {{- fail (printf "%s.tls.enabled needs a certificate: set %s.tls.existingSecret, or %s.tls.certManager.enabled with an issuer." $listener $listener $listener) }}
  {{- end }}
  {{- if and $tls.existingSecret $tls.certManager.enabled }}
    {{- fail (printf "%s.tls has both existingSecret and certManager.enabled: choose one." $listener) }}
  {{- end }}
  {{- if and $tls.certManager.enabled (not $tls.enabled) }}
    {{- fail (printf "%s.tls.certManager.enabled makes a certificate that nothing uses: set %s.tls.enabled too." $listener $listener) }}
  {{- end }}
  {{- if and $tls.certManager.enabled (not $tls.certManager.issuerRef.name) }}
    {{- fail (printf "%s.tls.certManager.enabled needs %s.tls.certManager.issuerRef.name: who signs the certificate?" $listener $listener) }}
  {{- end }}
{{- end }}
{{- if and $v.grpc.tls.clientCa.existingSecret (not $v.grpc.tls.enabled) }}
  {{- fail "grpc.tls.clientCa needs grpc.tls.enabled: without TLS no client shows a certificate." }}
{{- end }}
{{- if and $v.grpc.trustedIdentityHeader.name (not $v.grpc.trustedIdentityHeader.fromAddresses) }}
  {{- fail "grpc.trustedIdentityHeader.name needs fromAddresses: believed from anywhere, the header would let anyone be anyone." }}
{{- end }}
{{- if and $v.webhook.ingress.enabled (not $v.webhook.ingress.host) }}
  {{- fail "webhook.ingress.enabled needs webhook.ingress.host: the public name that is registered in aulm's dashboard." }}
{{- end }}
{{- if and $v.webhook.httpRoute.enabled (not (and $v.webhook.httpRoute.parentRefs $v.webhook.httpRoute.hostnames)) }}
  {{- fail "webhook.httpRoute.enabled needs parentRefs, the Gateway to attach to, and hostnames, the public name that is registered in aulm's dashboard." }}
{{- end }}
{{- if and $v.grpc.route.enabled (not $v.grpc.route.parentRefs) }}
  {{- fail "grpc.route.enabled needs grpc.route.parentRefs: the Gateway to attach to." }}
{{- end }}
{{- if and $v.metrics.serviceMonitor.enabled (not $v.admin.existingSecret) }}
  {{- fail "metrics.serviceMonitor.enabled needs admin.existingSecret: without a token the admin listener stays on the pod's loopback address, where Prometheus cannot reach it." }}
{{- end }}
{{- $delay := dig "drain_delay" "0s" $v.config.limits | default "0s" | trimSuffix "s" | float64 | ceil | int }}
{{- $stop := add (int $v.preStopSleepSeconds) $delay 25 }}
{{- if lt (int $v.terminationGracePeriodSeconds) $stop }}
  {{- fail (printf "terminationGracePeriodSeconds is %d, less than preStopSleepSeconds, config.limits.drain_delay and the 25 seconds that the gateway may take to stop: calls under way would be cut off. Set it to at least %d." (int $v.terminationGracePeriodSeconds) $stop) }}
{{- end }}
{{- if and $v.mesh.istio.enabled $v.mesh.linkerd.enabled }}
  {{- fail "mesh.istio and mesh.linkerd are both enabled: choose one." }}
{{- end }}
{{- end }}
