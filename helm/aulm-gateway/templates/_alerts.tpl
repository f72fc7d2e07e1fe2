{{/*
The recording and alerting rules. Every alert has an entry of its name in docs/operating.md. `expr` must stay in line with
the names in the gateway's /metrics: tests/chart compares them.
*/}}

{{/*
Calls to aulm that came to one of some reasons in the last ten minutes. A reason's series begins with its first call, which
increase() does not see; so a series that is new counts too. Arguments: selector, by.
*/}}
{{- define "aulm-gateway.callsCameTo" -}}
sum by ({{ .by }}) (increase(aulm_api_calls_total{ {{- .selector -}} }[10m])) > 0 or sum by ({{ .by }}) (aulm_api_calls_total{ {{- .selector -}} } unless aulm_api_calls_total{ {{- .selector -}} } offset 10m) > 0
{{- end }}

{{- define "aulm-gateway.rules" -}}
{{- $rule := .Values.metrics.prometheusRule -}}
{{- $t := $rule.thresholds -}}
{{- $s := printf "namespace=\"%s\",job=\"%s-admin\"" .Release.Namespace (include "aulm-gateway.fullname" .) -}}
{{- $webhookBudget := printf "%.6f" (subf 1.0 $rule.objectives.webhooks) -}}
{{- $sendBudget := printf "%.6f" (subf 1.0 $rule.objectives.sends) -}}
{{- $account := "{{ $labels.account }}" -}}
{{- $pod := "{{ $labels.pod }}" -}}
{{- $value := "{{ $value | humanize }}" -}}
ratios:
  {{- range $window := list "5m" "30m" "1h" "6h" "3d" }}
  - record: aulm_gateway:webhook_failures:ratio_rate{{ $window }}
    expr: |-
      sum by (namespace, job) (rate(aulm_webhooks_total{ {{- $s -}} ,outcome=~"store_failed|no_secret|overloaded"}[{{ $window }}]))
      /
      sum by (namespace, job) (rate(aulm_webhooks_total{ {{- $s -}} ,outcome=~"stored|duplicate|store_failed|no_secret|overloaded"}[{{ $window }}]))
  - record: aulm_gateway:send_failures:ratio_rate{{ $window }}
    expr: |-
      sum by (namespace, job) (rate(grpc_server_handled_total{ {{- $s -}} ,grpc_method=~"SendText|SendImage",grpc_code=~"UNKNOWN|INTERNAL|UNAVAILABLE|DEADLINE_EXCEEDED|DATA_LOSS"}[{{ $window }}]))
      /
      sum by (namespace, job) (rate(grpc_server_handled_total{ {{- $s -}} ,grpc_method=~"SendText|SendImage"}[{{ $window }}]))
  {{- end }}
alerts:
  - alert: AulmGatewayDown
    expr: absent(up{ {{- $s -}} } == 1)
    for: 2m
    severity: critical
    summary: No gateway can be scraped.
    description: For two minutes no pod of the gateway has answered a scrape; callers and webhooks are most likely not served.
  - alert: AulmGatewayRestarting
    expr: changes(process_start_time_seconds{ {{- $s -}} }[30m]) > 2
    severity: warning
    summary: A gateway restarts again and again.
    description: {{ printf "%s has started %s times in 30 minutes." $pod $value | quote }}
  - alert: AulmGatewayWebhooksFailFast
    expr: |-
      (aulm_gateway:webhook_failures:ratio_rate1h{ {{- $s -}} } > 14.4 * {{ $webhookBudget }} and aulm_gateway:webhook_failures:ratio_rate5m{ {{- $s -}} } > 14.4 * {{ $webhookBudget }})
      or
      (aulm_gateway:webhook_failures:ratio_rate6h{ {{- $s -}} } > 6 * {{ $webhookBudget }} and aulm_gateway:webhook_failures:ratio_rate30m{ {{- $s -}} } > 6 * {{ $webhookBudget }})
    for: 2m
    severity: critical
    summary: Deliveries of aulm are not accepted.
    description: Verified deliveries are answered 429 or 503 so often that the month's allowance is gone within days. aulm repeats them, and switches the endpoint off in the end.
  - alert: AulmGatewayWebhooksFailSlowly
    expr: aulm_gateway:webhook_failures:ratio_rate3d{ {{- $s -}} } > {{ $webhookBudget }} and aulm_gateway:webhook_failures:ratio_rate6h{ {{- $s -}} } > {{ $webhookBudget }}
    for: 15m
    severity: warning
    summary: Deliveries of aulm are accepted less often than promised.
    description: At this rate the month's allowance of refused deliveries does not last.
  - alert: AulmGatewaySendsFailFast
    expr: |-
      (aulm_gateway:send_failures:ratio_rate1h{ {{- $s -}} } > 14.4 * {{ $sendBudget }} and aulm_gateway:send_failures:ratio_rate5m{ {{- $s -}} } > 14.4 * {{ $sendBudget }})
      or
      (aulm_gateway:send_failures:ratio_rate6h{ {{- $s -}} } > 6 * {{ $sendBudget }} and aulm_gateway:send_failures:ratio_rate30m{ {{- $s -}} } > 6 * {{ $sendBudget }})
    for: 2m
    severity: critical
    summary: Sends fail.
    description: Sends end UNKNOWN, INTERNAL, UNAVAILABLE or DEADLINE_EXCEEDED so often that the month's allowance is gone within days.
  - alert: AulmGatewaySendsFailSlowly
    expr: aulm_gateway:send_failures:ratio_rate3d{ {{- $s -}} } > {{ $sendBudget }} and aulm_gateway:send_failures:ratio_rate6h{ {{- $s -}} } > {{ $sendBudget }}
    for: 15m
    severity: warning
    summary: Sends fail more often than promised.
    description: At this rate the month's allowance of failed sends does not last.
  - alert: AulmGatewaySendOutcomeUnknown
    expr: sum by (namespace, job) (increase(grpc_server_handled_total{ {{- $s -}} ,grpc_method=~"SendText|SendImage",grpc_code="UNKNOWN"}[15m])) > 0
    severity: warning
    summary: Nobody knows whether some messages were sent.
    description: {{ printf "%s sends in 15 minutes ended with the outcome unknown. The gateway never repeats them: whether to is the application's decision." $value | quote }}
  - alert: AulmGatewayAulmUnreachable
    expr: |-
      sum by (namespace, job) (rate(aulm_api_calls_total{ {{- $s -}} ,reason=~"CONNECT_FAILED|SEND_OUTCOME_UNKNOWN|SERVICE_UNAVAILABLE|MESSAGING_SERVICE_.*|UNEXPECTED_RESPONSE"}[5m]))
      / sum by (namespace, job) (rate(aulm_api_calls_total{ {{- $s -}} }[5m])) > 0.5
    for: 5m
    severity: critical
    summary: Most calls to aulm fail.
    description: More than half of the calls to aulm do not connect, break, or are answered 5xx.
  - alert: AulmGatewayAulmCutOff
    expr: |-
      max by (namespace, job, base_url) (aulm_api_unreachable{ {{- $s -}} }) > 0
    for: 1m
    severity: critical
    summary: Sends are refused since aulm cannot be reached.
    description: {{ printf "Calls to %s failed to connect one after the other, so sends are refused at once (BREAKER_OPEN, not sent) until aulm can be reached again." "{{ $labels.base_url }}" | quote }}
  - alert: AulmGatewayKeyRefused
    expr: |-
      {{- include "aulm-gateway.callsCameTo" (dict "by" "namespace, job, reason" "selector" (printf "%s,reason=~\"INVALID_API_KEY|API_KEY_REVOKED|API_KEY_EXPIRED|ACCOUNT_DEACTIVATED|ACCOUNT_SUSPENDED\"" $s)) | nindent 6 }}
    severity: critical
    summary: aulm refuses an API key.
    description: {{ printf "aulm answers %s. The account's sends are stopped, so that our address is not locked out, until its key file changes." "{{ $labels.reason }}" | quote }}
  - alert: AulmGatewayAccountSuspended
    expr: |-
      max by (namespace, job, account) (aulm_api_account_suspended{ {{- $s -}} }) > 0
    for: 10m
    severity: critical
    summary: An account has been stopped for a while, since aulm refuses its key.
    description: {{ printf "The key of account %s is refused, and nothing of it can be sent until its key file changes." "{{ $labels.account }}" | quote }}
  - alert: AulmGatewayAddressLockedOut
    expr: |-
      {{- include "aulm-gateway.callsCameTo" (dict "by" "namespace, job" "selector" (printf "%s,reason=\"TOO_MANY_AUTH_FAILURES\"" $s)) | nindent 6 }}
    severity: critical
    summary: aulm has locked our address out.
    description: Too many refused keys came from this address; no account can send until aulm's cooldown is over.
  - alert: AulmGatewayQuotaExhausted
    expr: |-
      {{- include "aulm-gateway.callsCameTo" (dict "by" "namespace, job, reason" "selector" (printf "%s,reason=~\"DAILY_QUOTA_EXCEEDED|TRIAL_QUOTA_EXCEEDED\"" $s)) | nindent 6 }}
    severity: warning
    summary: A quota of aulm is used up.
    description: {{ printf "aulm answers %s: sends are refused until the quota is reset." "{{ $labels.reason }}" | quote }}
  - alert: AulmGatewaySessionNotReady
    expr: |-
      {{- include "aulm-gateway.callsCameTo" (dict "by" "namespace, job, reason" "selector" (printf "%s,endpoint=~\"send_.*\",reason=~\"SESSION_NOT_READY|SESSION_DISABLED|SESSION_NOT_FOUND|SESSION_NOT_ALLOWED\"" $s)) | nindent 6 }}
    for: 5m
    severity: warning
    summary: Sends go to a session that cannot send.
    description: {{ printf "aulm answers %s: the session must be looked at in aulm's dashboard." "{{ $labels.reason }}" | quote }}
  - alert: AulmGatewayQuotaLow
    expr: min by (namespace, job, account) (aulm_quota_remaining{ {{- $s -}} }) / max by (namespace, job, account) (aulm_quota_limit{ {{- $s -}} } > 0) < {{ $t.quotaLeftRatio }}
    severity: warning
    summary: An account's quota is nearly used up.
    description: {{ printf "%s of account %s's quota is left in this window." "{{ $value | humanizePercentage }}" $account | quote }}
  - alert: AulmGatewaySessionDisconnected
    expr: max by (namespace, job, account, session_id) (aulm_session_connected{ {{- $s -}} }) == 0
    for: 10m
    severity: critical
    summary: A session is not connected.
    description: {{ printf "Session %s of account %s has not been connected for ten minutes: nothing can be sent from it." "{{ $labels.session_id }}" $account | quote }}
  - alert: AulmGatewaySessionSilent
    expr: max by (namespace, job, account, session_id) (aulm_session_suspect{ {{- $s -}} }) == 1
    for: 5m
    severity: critical
    summary: A session says connected, but tells nothing of what it sends.
    description: {{ printf "Session %s of account %s gets no status of the messages that it sends: it may be banned, or its phone offline." "{{ $labels.session_id }}" $account | quote }}
  - alert: AulmGatewayWebhookAutoDisableRisk
    expr: |-
      sum by (namespace, job, account) (increase(aulm_webhooks_total{ {{- $s -}} ,account!="",outcome=~"signature_wrong|signature_missing|signature_malformed"}[15m])) > {{ $t.wrongSignatures }}
      unless on (namespace, job, account) sum by (namespace, job, account) (increase(aulm_webhooks_total{ {{- $s -}} ,outcome=~"stored|duplicate"}[15m])) > 0
    severity: critical
    summary: aulm may switch a webhook endpoint off.
    description: {{ printf "Every delivery to account %s is refused 401 for its signature. aulm does not repeat those, and switches the endpoint off after repeated failures." $account | quote }}
  - alert: AulmGatewayWrongSignatures
    expr: sum by (namespace, job, account) (increase(aulm_webhooks_total{ {{- $s -}} ,account!="",outcome=~"signature_wrong|signature_wrong_retry"}[15m])) > {{ $t.wrongSignatures }}
    for: 5m
    severity: warning
    summary: Deliveries come with a wrong signature.
    description: {{ printf "Account %s gets deliveries signed with a secret that the gateway does not have: a secret was changed, or somebody tries to forge events." $account | quote }}
  - alert: AulmGatewayEventsSilent
    expr: |-
      sum by (namespace, job) (increase(aulm_api_calls_total{ {{- $s -}} ,endpoint=~"send_.*",reason="OK"}[1h])) > {{ $t.silentSends }}
      and on (namespace, job) sum by (namespace, job) (increase(aulm_webhooks_total{ {{- $s -}} ,outcome=~"stored|duplicate"}[1h])) == 0
    severity: critical
    summary: Messages go out, but no event comes in.
    description: {{ printf "%s sends in an hour and not one delivery: aulm has most likely switched the webhook endpoint off, or the sessions are silent." $value | quote }}
  - alert: AulmGatewayWebhooksSlow
    expr: histogram_quantile(0.99, sum by (namespace, job, le) (rate(aulm_webhook_seconds_bucket{ {{- $s -}} }[5m]))) > {{ $t.webhookSeconds }}
    for: 5m
    severity: warning
    summary: Deliveries are answered slowly.
    description: {{ printf "1 %% of deliveries take longer than %s s to answer. aulm waits a few seconds, then counts a failure." $value | quote }}
  - alert: AulmGatewayStreamLag
    expr: max by (namespace, job, pod) (aulm_events_max_lag_events{ {{- $s -}} }) > {{ $t.lagEvents }}
    for: 10m
    severity: warning
    summary: A subscriber is far behind.
    description: {{ printf "The stream furthest behind on %s has %s events to read." $pod $value | quote }}
  - alert: AulmGatewayCursorsExpired
    expr: sum by (namespace, job) (increase(aulm_events_expired_total{ {{- $s -}} }[15m])) > 0
    severity: critical
    summary: A subscriber has missed events for good.
    description: A cursor points before the oldest event kept, so its subscriber cannot resume without a gap.
  - alert: AulmGatewaySubscriptionLag
    expr: sum by (namespace, job, subscription) (aulm_subscription_lag_events{ {{- $s -}} }) > {{ $t.lagEvents }}
    for: 10m
    severity: warning
    summary: A subscription is far behind.
    description: {{ printf "Subscription %s has %s events to settle." "{{ $labels.subscription }}" $value | quote }}
  - alert: AulmGatewaySubscriptionGap
    expr: sum by (namespace, job, subscription) (increase(aulm_subscription_gaps_total{ {{- $s -}} }[15m])) > 0 or sum by (namespace, job, subscription) (aulm_subscription_gaps_total{ {{- $s -}} } unless aulm_subscription_gaps_total{ {{- $s -}} } offset 15m) > 0
    severity: critical
    summary: A subscription has missed events for good.
    description: {{ printf "Subscription %s fell behind what the log keeps." "{{ $labels.subscription }}" | quote }}
  - alert: AulmGatewayEventsParked
    expr: sum by (namespace, job, subscription) (aulm_subscription_parked_events{ {{- $s -}} }) > 0
    for: 5m
    severity: warning
    summary: Events are parked.
    description: {{ printf "%s events of subscription %s were given up on, and wait for somebody to replay them." $value "{{ $labels.subscription }}" | quote }}
  - alert: AulmGatewayStreamsStall
    expr: sum by (namespace, job) (increase(aulm_events_stalls_total{ {{- $s -}} }[15m])) > 3
    severity: warning
    summary: Subscribers take nothing.
    description: {{ printf "%s streams in 15 minutes were ended since their client took nothing." $value | quote }}
  - alert: AulmGatewayStreamsRefused
    expr: sum by (namespace, job) (increase(aulm_events_refused_total{ {{- $s -}} }[5m])) > 0
    severity: warning
    summary: Streams are refused.
    description: As many streams are open as limits.streams allows.
  - alert: AulmGatewayOverloaded
    expr: sum by (namespace, job) (increase(aulm_webhooks_total{ {{- $s -}} ,outcome="overloaded"}[5m])) + sum by (namespace, job) (increase(aulm_log_refused_total{ {{- $s -}} }[5m])) > 0
    for: 5m
    severity: warning
    summary: More deliveries come than can be stored.
    description: Deliveries are answered 429, and aulm comes again later; events are late.
  - alert: AulmGatewayLogReadsFail
    expr: sum by (namespace, job) (increase(aulm_events_read_failures_total{ {{- $s -}} }[10m])) > 0
    for: 5m
    severity: critical
    summary: Events cannot be read from the log.
    description: Streams stand still while reads of the log fail.
  - alert: AulmGatewayStoreFull
    expr: sum by (namespace, job, pod) (increase(aulm_store_errors_total{ {{- $s -}} ,kind="full"}[10m])) > 0
    severity: critical
    summary: The store is full.
    description: {{ printf "%s has no room to store events; deliveries are answered 503." $pod | quote }}
  - alert: AulmGatewayStoreFailing
    expr: sum by (namespace, job, pod, kind) (increase(aulm_store_errors_total{ {{- $s -}} ,kind!="full"}[10m])) > 0
    severity: critical
    summary: The store fails.
    description: {{ printf "Operations of the store on %s fail (%s)." $pod "{{ $labels.kind }}" | quote }}
  - alert: AulmGatewayStoreSlow
    expr: histogram_quantile(0.99, sum by (namespace, job, pod, le) (rate(aulm_store_commit_seconds_bucket{ {{- $s -}} }[5m]))) > {{ $t.commitSeconds }}
    for: 10m
    severity: warning
    summary: The disk is slow.
    description: {{ printf "1 %% of commits on %s take longer than %s s; every delivery waits for one." $pod $value | quote }}
  - alert: AulmGatewaySecretFileBroken
    expr: max by (namespace, job, account, caller, secret) (aulm_gateway_secret_files_broken{ {{- $s -}} }) > 0
    for: 5m
    severity: warning
    summary: A secret file cannot be used.
    description: {{ printf "The file of account %s's %s holds nothing usable. The old content stays in force until the pod restarts, which would then fail." $account "{{ $labels.secret }}" | quote }}
  - alert: AulmGatewayTlsFilesBroken
    expr: max by (namespace, job, pod, listener) (aulm_gateway_tls_files_broken{ {{- $s -}} }) > 0
    for: 5m
    severity: warning
    summary: A listener's certificate or key cannot be used.
    description: {{ printf "The TLS files of the %s listener on %s make no pair that can be used. The last ones that could stay in force, until they end or the pod restarts, which would then fail." "{{ $labels.listener }}" $pod | quote }}
  {{- if and (eq .Values.store.type "sqlite") .Values.store.persistence.enabled }}
  {{- $claim := .Values.store.persistence.existingClaim | default (printf "store-%s-0" (include "aulm-gateway.fullname" .)) }}
  - alert: AulmGatewayVolumeFilling
    expr: |-
      kubelet_volume_stats_available_bytes{namespace="{{ .Release.Namespace }}",persistentvolumeclaim="{{ $claim }}"}
      / kubelet_volume_stats_capacity_bytes{namespace="{{ .Release.Namespace }}",persistentvolumeclaim="{{ $claim }}"} < {{ $t.volumeFreeRatio }}
    for: 10m
    severity: warning
    summary: The store's volume is filling.
    description: {{ printf "%s of the volume is free." "{{ $value | humanizePercentage }}" | quote }}
  {{- end }}
  - alert: AulmGatewayShownCertificateExpiring
    expr: |-
      min by (namespace, job, listener) (aulm_gateway_tls_certificate_expiry_timestamp_seconds{ {{- $s -}} }) - time() < 86400 * {{ $t.certificateDays }}
    for: 1h
    severity: warning
    summary: A listener shows a certificate that ends soon.
    description: {{ printf "The certificate of the %s listener ends in %s." "{{ $labels.listener }}" "{{ $value | humanizeDuration }}" | quote }}
  {{- $certificates := list }}
  {{- range $listener := list "grpc" "webhook" }}
  {{- with (get $.Values $listener).tls }}
  {{- if and .enabled .certManager.enabled }}{{ $certificates = append $certificates (printf "%s-%s" (include "aulm-gateway.fullname" $) $listener) }}{{ end }}
  {{- end }}
  {{- end }}
  {{- with $certificates }}
  - alert: AulmGatewayCertificateExpiring
    expr: certmanager_certificate_expiration_timestamp_seconds{namespace="{{ $.Release.Namespace }}",name=~"{{ join "|" . }}"} - time() < 86400 * {{ $t.certificateDays }}
    for: 1h
    severity: warning
    summary: A certificate of the gateway ends soon.
    description: {{ printf "%s ends in %s, and cert-manager has not renewed it." "{{ $labels.name }}" "{{ $value | humanizeDuration }}" | quote }}
  {{- end }}
{{- end }}
