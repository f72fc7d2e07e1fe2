{{/* The gateway's configuration file, JSON with sorted keys. What has the gateway's default is left out. */}}
{{- define "aulm-gateway.config" -}}
{{- $v := .Values }}
{{- $anyone := kindIs "bool" $v.grpc.callersOptional | ternary $v.grpc.callersOptional (empty $v.callers) }}
{{- $grpc := dict "address" (printf "0.0.0.0:%d" (int $v.grpc.port)) }}
{{- if $anyone }}{{ $_ := set $grpc "callers_optional" true }}{{ end }}
{{- if $v.grpc.tls.enabled }}
  {{- $tls := dict "certificate_file" "/run/secrets/grpc-tls/tls.crt" "key_file" "/run/secrets/grpc-tls/tls.key" }}
  {{- if $v.grpc.tls.clientCa.existingSecret }}{{ $_ := set $tls "client_ca_file" "/run/secrets/grpc-client-ca/ca.crt" }}{{ end }}
  {{- $_ := set $grpc "tls" $tls }}
{{- end }}
{{- with $v.grpc.trustedIdentityHeader }}
  {{- if .name }}{{ $_ := set $grpc "trusted_identity_header" (dict "name" .name "from_addresses" .fromAddresses) }}{{ end }}
{{- end }}
{{- if $v.grpc.route.reflection }}{{ $_ := set $grpc "reflection" true }}{{ end }}
{{- $webhook := dict "address" (printf "0.0.0.0:%d" (int $v.webhook.port)) }}
{{- if $v.webhook.tls.enabled }}
  {{- $_ := set $webhook "tls" (dict "certificate_file" "/run/secrets/webhook-tls/tls.crt" "key_file" "/run/secrets/webhook-tls/tls.key") }}
{{- end }}
{{- $admin := dict "address" (printf "127.0.0.1:%d" (int $v.admin.port)) }}
{{- if $v.admin.existingSecret }}
  {{- $admin = dict "address" (printf "0.0.0.0:%d" (int $v.admin.port)) "token_sha256_file" "/run/secrets/admin/token-sha256" }}
{{- end }}
{{- $store := dict "url" "sqlite:///var/lib/aulm-gateway" }}
{{- if eq $v.store.type "jetstream" }}
  {{- $store = dict }}
  {{- if $v.store.jetstream.servers }}{{ $_ := set $store "url" (printf "nats://%s" (join "," $v.store.jetstream.servers)) }}{{ end }}
  {{- $nats := dict }}
  {{- with $v.store.jetstream.prefix }}{{ $_ := set $nats "prefix" . }}{{ end }}
  {{- with $v.store.jetstream.replicas }}{{ $_ := set $nats "replicas" (int .) }}{{ end }}
  {{- if $v.store.jetstream.synced }}{{ $_ := set $nats "synced" true }}{{ end }}
  {{- if $v.store.jetstream.credentialsSecret.name }}{{ $_ := set $nats "credentials_file" (printf "/run/secrets/nats-credentials/%s" $v.store.jetstream.credentialsSecret.key) }}{{ end }}
  {{- if $v.store.jetstream.tls.enabled }}
    {{- $tls := dict }}
    {{- if $v.store.jetstream.tls.existingSecret }}{{ $_ := set $tls "ca_file" "/run/secrets/nats-tls/ca.crt" }}{{ end }}
    {{- if $v.store.jetstream.tls.clientCertificate }}{{ $_ := set $tls "certificate_file" "/run/secrets/nats-tls/tls.crt" }}{{ $_ := set $tls "key_file" "/run/secrets/nats-tls/tls.key" }}{{ end }}
    {{- $_ := set $nats "tls" $tls }}
  {{- end }}
  {{- if $nats }}{{ $_ := set $store "nats" $nats }}{{ end }}
{{- end }}
{{- with $v.store.retention }}{{ $_ := set $store "retention" . }}{{ end }}
{{- with $v.store.dedupeRetention }}{{ $_ := set $store "dedupe_retention" . }}{{ end }}
{{- if $v.store.maxBytes }}{{ $_ := set $store "max_bytes" (printf "%d" (int64 $v.store.maxBytes)) }}{{ end }}
{{- $accounts := list }}
{{- range $v.accounts }}
  {{- $folder := printf "/run/secrets/accounts/%s" .name }}
  {{- $secrets := list }}
  {{- range .webhookSecretKeys | default (list "webhook-secret") }}{{ $secrets = append $secrets (printf "%s/%s" $folder .) }}{{ end }}
  {{- $account := dict "name" .name "api_key_file" (printf "%s/%s" $folder (.apiKeyKey | default "api-key")) "webhook_secret_files" $secrets }}
  {{- with .baseUrl }}{{ $_ := set $account "base_url" . }}{{ end }}
  {{- with .onSignatureMismatch }}{{ $_ := set $account "on_signature_mismatch" . }}{{ end }}
  {{- with .sessionIds }}{{ $_ := set $account "session_ids" . }}{{ end }}
  {{- with .sessionPollInterval }}{{ $_ := set $account "session_poll_interval" . }}{{ end }}
  {{- with .suspectAfter }}{{ $_ := set $account "suspect_after" . }}{{ end }}
  {{- $accounts = append $accounts $account }}
{{- end }}
{{- $callers := list }}
{{- range $v.callers }}
  {{- $caller := dict "name" .name "methods" (.methods | default (list "*")) "accounts" (.accounts | default (list "*")) "session_ids" (.sessionIds | default (list "*")) }}
  {{- if .existingSecret }}{{ $_ := set $caller "token_sha256_file" (printf "/run/secrets/callers/%s/token-sha256" .name) }}{{ end }}
  {{- with .spiffeId }}{{ $_ := set $caller "spiffe_id" . }}{{ end }}
  {{- with .dnsName }}{{ $_ := set $caller "dns_name" . }}{{ end }}
  {{- with .maxStreams }}{{ $_ := set $caller "max_streams" . }}{{ end }}
  {{- with .maxSubscriptions }}{{ $_ := set $caller "max_subscriptions" . }}{{ end }}
  {{- with .sendsPerSecond }}{{ $_ := set $caller "sends_per_second" . }}{{ end }}
  {{- $callers = append $callers $caller }}
{{- end }}
{{- $config := dict "listeners" (dict "grpc" $grpc "webhook" $webhook "admin" $admin) "accounts" $accounts "log" $v.config.log }}
{{- if $store }}{{ $_ := set $config "store" $store }}{{ end }}
{{- if $callers }}{{ $_ := set $config "callers" $callers }}{{ end }}
{{- with $v.config.limits }}{{ $_ := set $config "limits" . }}{{ end }}
{{- with $v.config.pacing }}{{ $_ := set $config "pacing" . }}{{ end }}
{{- with $v.config.sends }}{{ $_ := set $config "sends" . }}{{ end }}
{{- toPrettyJson $config }}
{{- end }}
