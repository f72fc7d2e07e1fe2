{{/* Names and labels. Selectors are name and instance alone: they cannot change once a workload exists. */}}

{{- define "aulm-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 52 characters at most: the longest suffix, -headless, a pod's ordinal and a claim's prefix must still fit. */}}
{{- define "aulm-gateway.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "aulm-gateway.selector" -}}
app.kubernetes.io/name: {{ include "aulm-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aulm-gateway.labels" -}}
{{- $own := fromYaml (include "aulm-gateway.selector" .) }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63) }}
{{- $_ := set $own "app.kubernetes.io/version" (.Chart.AppVersion | replace "+" "_" | trunc 63) }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service }}
{{- toYaml (merge $own .Values.commonLabels) }}
{{- end }}

{{/* The metadata of an object. Arguments: root, name; suffix, namespace, labels and annotations where there are such. */}}
{{- define "aulm-gateway.metadata" -}}
{{- $root := .root -}}
name: {{ .name | default (printf "%s%s" (include "aulm-gateway.fullname" $root) (.suffix | default "")) }}
namespace: {{ .namespace | default $root.Release.Namespace }}
labels:
  {{- toYaml (merge (fromYaml (include "aulm-gateway.labels" $root)) (.labels | default dict)) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "aulm-gateway.image" -}}
{{- $image := .Values.image }}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "aulm-gateway.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "aulm-gateway.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* Where a listener's certificate is: its own Secret, or the one that cert-manager makes. Arguments: root, listener. */}}
{{- define "aulm-gateway.tlsSecret" -}}
{{- $tls := (get .root.Values .listener).tls }}
{{- $tls.existingSecret | default (printf "%s-%s-tls" (include "aulm-gateway.fullname" .root) .listener) }}
{{- end }}

{{/* The one path that deliveries may take: exact for one account, the prefix of all accounts' for several. JSON. */}}
{{- define "aulm-gateway.webhookPath" -}}
{{- $accounts := .Values.accounts }}
{{- $first := (first $accounts).name }}
{{- if gt (len $accounts) 1 }}
{{- dict "type" "Prefix" "value" "/webhooks/aulm" | toJson }}
{{- else }}
{{- dict "type" "Exact" "value" (eq $first "default" | ternary "/webhooks/aulm" (printf "/webhooks/aulm/%s" $first)) | toJson }}
{{- end }}
{{- end }}
