{{/* The pod of StatefulSet and Deployment. */}}
{{- define "aulm-gateway.pod" -}}
{{- $v := .Values -}}
metadata:
  labels:
    {{- $labels := merge (fromYaml (include "aulm-gateway.labels" .)) $v.podLabels }}
    {{- if $v.mesh.istio.enabled }}
      {{- if $v.mesh.istio.revision }}
        {{- $_ := set $labels "istio.io/rev" $v.mesh.istio.revision }}
      {{- else }}
        {{- $_ := set $labels "sidecar.istio.io/inject" "true" }}
      {{- end }}
    {{- end }}
    {{- toYaml $labels | nindent 4 }}
  annotations:
    {{- $annotations := dict "checksum/config" (include "aulm-gateway.config" . | sha256sum) "kubectl.kubernetes.io/default-container" "gateway" }}
    {{- if $v.mesh.istio.enabled }}
      {{- /* The proxy outlives the gateway: streams are drained through it, and sends under way get their answer. */}}
      {{- $drain := int $v.terminationGracePeriodSeconds }}
      {{- $_ := set $annotations "proxy.istio.io/config" (dict "holdApplicationUntilProxyStarts" true "terminationDrainDuration" (printf "%ds" $drain) "proxyMetadata" (dict "EXIT_ON_ZERO_ACTIVE_CONNECTIONS" "true") | toJson) }}
    {{- end }}
    {{- if $v.mesh.linkerd.enabled }}
      {{- $_ := set $annotations "linkerd.io/inject" $v.mesh.linkerd.inject }}
      {{- $_ := set $annotations "config.linkerd.io/shutdown-grace-period" (printf "%ds" (int $v.terminationGracePeriodSeconds)) }}
      {{- $_ := set $annotations "config.alpha.linkerd.io/proxy-wait-before-exit-seconds" (toString (sub (int $v.terminationGracePeriodSeconds) 5)) }}
    {{- end }}
    {{- toYaml (merge (dict) $v.podAnnotations $annotations $v.commonAnnotations) | nindent 4 }}
spec:
  serviceAccountName: {{ include "aulm-gateway.serviceAccountName" . }}
  automountServiceAccountToken: false
  # Variables such as AULM_GATEWAY_PORT would look like settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml $v.podSecurityContext | nindent 4 }}
  {{- with $v.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if kindIs "slice" $v.topologySpreadConstraints }}
  {{- with $v.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- else }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "aulm-gateway.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with $v.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: gateway
      image: {{ include "aulm-gateway.image" . }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      securityContext:
        {{- toYaml $v.securityContext | nindent 8 }}
      env:
        - name: GATEWAY_CONFIG
          value: /etc/aulm-gateway/gateway.json
        {{- if and (eq $v.store.type "jetstream") $v.store.jetstream.existingSecret.name }}
        - name: GATEWAY_STORE
          valueFrom:
            secretKeyRef:
              name: {{ $v.store.jetstream.existingSecret.name }}
              key: {{ $v.store.jetstream.existingSecret.key }}
        {{- end }}
        {{- with $v.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $v.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: grpc
          containerPort: {{ $v.grpc.port }}
        - name: webhook
          containerPort: {{ $v.webhook.port }}
        {{- if $v.admin.existingSecret }}
        - name: admin
          containerPort: {{ $v.admin.port }}
        {{- end }}
      {{- $asks := ternary (dict "tcpSocket" (dict "port" "grpc")) (dict "grpc" (dict "port" (int $v.grpc.port))) $v.grpc.tls.enabled }}
      {{- $connects := dict "tcpSocket" (dict "port" "grpc") }}
      startupProbe:
        {{- include "aulm-gateway.probe" (dict "probe" $v.probes.startup "handler" $asks) | nindent 8 }}
      livenessProbe:
        {{- include "aulm-gateway.probe" (dict "probe" $v.probes.liveness "handler" $connects) | nindent 8 }}
      readinessProbe:
        {{- include "aulm-gateway.probe" (dict "probe" $v.probes.readiness "handler" $asks) | nindent 8 }}
      {{- if $v.preStopSleepSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ $v.preStopSleepSeconds }}
      {{- end }}
      {{- with $v.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: config
          mountPath: /etc/aulm-gateway
          readOnly: true
        {{- range $v.accounts }}
        - name: account-{{ .name }}
          mountPath: /run/secrets/accounts/{{ .name }}
          readOnly: true
        {{- end }}
        {{- range $v.callers }}
        {{- if .existingSecret }}
        - name: caller-{{ .name }}
          mountPath: /run/secrets/callers/{{ .name }}
          readOnly: true
        {{- end }}
        {{- end }}
        {{- range $listener := list "grpc" "webhook" }}
        {{- if (get $v $listener).tls.enabled }}
        - name: {{ $listener }}-tls
          mountPath: /run/secrets/{{ $listener }}-tls
          readOnly: true
        {{- end }}
        {{- end }}
        {{- if $v.grpc.tls.clientCa.existingSecret }}
        - name: grpc-client-ca
          mountPath: /run/secrets/grpc-client-ca
          readOnly: true
        {{- end }}
        {{- if $v.admin.existingSecret }}
        - name: admin
          mountPath: /run/secrets/admin
          readOnly: true
        {{- end }}
        {{- if eq $v.store.type "sqlite" }}
        - name: store
          mountPath: /var/lib/aulm-gateway
        {{- else }}
        {{- if $v.store.jetstream.credentialsSecret.name }}
        - name: nats-credentials
          mountPath: /run/secrets/nats-credentials
          readOnly: true
        {{- end }}
        {{- if $v.store.jetstream.tls.existingSecret }}
        - name: nats-tls
          mountPath: /run/secrets/nats-tls
          readOnly: true
        {{- end }}
        {{- end }}
        - name: tmp
          mountPath: /tmp
        {{- with $v.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with $v.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "aulm-gateway.fullname" . }}
    {{- range $v.accounts }}
    {{- $keys := concat (list (.apiKeyKey | default "api-key")) (.webhookSecretKeys | default (list "webhook-secret")) | uniq }}
    {{- include "aulm-gateway.secretVolume" (dict "name" (printf "account-%s" .name) "secret" .existingSecret "keys" $keys) | nindent 4 }}
    {{- end }}
    {{- range $v.callers }}
    {{- if .existingSecret }}
    {{- include "aulm-gateway.secretVolume" (dict "name" (printf "caller-%s" .name) "secret" .existingSecret "keys" (list (.tokenSha256Key | default "token-sha256")) "path" "token-sha256") | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- range $listener := list "grpc" "webhook" }}
    {{- if (get $v $listener).tls.enabled }}
    {{- include "aulm-gateway.secretVolume" (dict "name" (printf "%s-tls" $listener) "secret" (include "aulm-gateway.tlsSecret" (dict "root" $ "listener" $listener)) "keys" (list "tls.crt" "tls.key")) | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- with $v.grpc.tls.clientCa }}
    {{- if .existingSecret }}
    {{- include "aulm-gateway.secretVolume" (dict "name" "grpc-client-ca" "secret" .existingSecret "keys" (list .key) "path" "ca.crt") | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- if $v.admin.existingSecret }}
    {{- include "aulm-gateway.secretVolume" (dict "name" "admin" "secret" $v.admin.existingSecret "keys" (list $v.admin.tokenSha256Key) "path" "token-sha256") | nindent 4 }}
    {{- end }}
    {{- if eq $v.store.type "sqlite" }}
    {{- if not $v.store.persistence.enabled }}
    - name: store
      emptyDir: {}
    {{- else if $v.store.persistence.existingClaim }}
    - name: store
      persistentVolumeClaim:
        claimName: {{ $v.store.persistence.existingClaim }}
    {{- end }}
    {{- else }}
    {{- with $v.store.jetstream.credentialsSecret }}
    {{- if .name }}
    {{- include "aulm-gateway.secretVolume" (dict "name" "nats-credentials" "secret" .name "keys" (list .key)) | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- with $v.store.jetstream.tls }}
    {{- if .existingSecret }}
    {{- include "aulm-gateway.secretVolume" (dict "name" "nats-tls" "secret" .existingSecret "keys" (ternary (list "ca.crt" "tls.crt" "tls.key") (list "ca.crt") .clientCertificate)) | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 256Mi
    {{- with $v.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* A probe: its handler and its figures. */}}
{{- define "aulm-gateway.probe" -}}
{{- toYaml (.probe.handler | default .handler) }}
{{ toYaml (omit .probe "handler") }}
{{- end }}

{{/* Some keys of a Secret as files that only the gateway's group reads; never by subPath, which would not follow changes. */}}
{{- define "aulm-gateway.secretVolume" -}}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - key: {{ . }}
        path: {{ $.path | default . }}
      {{- end }}
{{- end }}
