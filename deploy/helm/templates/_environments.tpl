{{/* What each service is told besides what all are. */}}

{{- define "drydock.gatewayEnv" -}}
{{- $gateway := .Values.gateway -}}
- {name: GATEWAY_HTTP_ADDRESS, value: "0.0.0.0:8080"}
- {name: GATEWAY_CALLS_PER_SECOND, value: {{ int $gateway.callsPerSecond | quote }}}
- {name: GATEWAY_CALLS_BURST, value: {{ int $gateway.callsBurst | quote }}}
- {name: GATEWAY_CORS_ORIGINS, value: {{ join "," $gateway.corsOrigins | quote }}}
- {name: GATEWAY_WEBHOOK_CONCURRENCY, value: {{ int $gateway.webhooks.concurrency | quote }}}
- {name: GATEWAY_WEBHOOK_ALLOWED_RANGES, value: {{ join "," $gateway.webhooks.allowedRanges | quote }}}
- {name: GATEWAY_WEBHOOK_ALLOWED_PORTS, value: {{ join "," $gateway.webhooks.allowedPorts | quote }}}
{{- end }}

{{- define "drydock.authEnv" -}}
- {name: AUTH_JOIN_ADDRESS, value: "0.0.0.0:{{ include "drydock.port" "join" }}"}
- {name: AUTH_AUTHORITY_KEY_FILE, value: /etc/drydock/authority/key.pem}
- {name: AUTH_EXECUTOR_SERVICE_ACCOUNT, value: {{ .Release.Namespace }}/{{ include "drydock.name" (list . "executor") }}}
{{- end }}

{{- define "drydock.schedulerEnv" -}}
{{- end }}

{{- define "drydock.sessionEnv" -}}
{{- $session := .Values.session -}}
- {name: SESSION_MAX_QUEUED_EXECUTIONS, value: {{ int64 $session.maxQueuedExecutions | quote }}}
- {name: SESSION_MAX_QUEUE_AGE_SECONDS, value: {{ int64 $session.maxQueueAgeSeconds | quote }}}
- {name: SESSION_RETENTION_HOURS, value: {{ int64 $session.retentionHours | quote }}}
{{- end }}

{{- define "drydock.executorEnv" -}}
{{- $executor := .Values.executor -}}
- {name: EXECUTOR_BACKEND, value: kubernetes}
- name: EXECUTOR_ID
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- {name: AUTH_JOIN_ADDRESS, value: "{{ include "drydock.name" (list . "auth") }}:{{ include "drydock.port" "join" }}"}
- {name: EXECUTOR_SERVICE_ACCOUNT_TOKEN_FILE, value: /etc/drydock/join/token}
# Its own address, which nobody has to look up: a name would be known for up to half a minute as what it was before.
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- {name: EXECUTOR_ADVERTISED_ADDRESS, value: "$(POD_IP):{{ include "drydock.port" "executor" }}"}
- {name: EXECUTOR_FIRST_USER_ID, value: {{ int64 .Values.sandboxes.userIds.first | quote }}}
- {name: EXECUTOR_USER_IDS, value: {{ int64 .Values.sandboxes.userIds.perExecutor | quote }}}
- name: EXECUTOR_INDEX
  valueFrom: {fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}}
- {name: EXECUTOR_DATA_DIR, value: /var/lib/drydock/executor}
- {name: EXECUTOR_DRAIN_SECONDS, value: {{ int $executor.drain.seconds | quote }}}
- {name: EXECUTOR_MAX_SANDBOXES, value: {{ int $executor.maxSandboxes | quote }}}
- {name: EXECUTOR_EXECUTION_SLOTS, value: {{ int $executor.executionSlots | quote }}}
- {name: EXECUTOR_MEMORY_BYTES, value: {{ int64 $executor.memoryBytes | quote }}}
- {name: EXECUTOR_ARTIFACT_CACHE_BYTES, value: {{ int64 $executor.artifactCacheBytes | quote }}}
- {name: EXECUTOR_BLOB_CACHE_BYTES, value: {{ int64 $executor.blobCacheBytes | quote }}}
- {name: KUBERNETES_NAMESPACE_PREFIX, value: {{ .Values.sandboxes.namespacePrefix }}}
- {name: KUBERNETES_ROLE, value: {{ include "drydock.roleInSandboxes" . }}}
- {name: KUBERNETES_AGENT_IMAGE, value: {{ include "drydock.image" (list . .Values.sandboxes.agentImage) | quote }}}
- {name: KUBERNETES_NETWORK_ISOLATION, value: {{ .Values.sandboxes.networkIsolation }}}
- {name: KUBERNETES_HOST_USERS, value: {{ .Values.sandboxes.hostUsers | quote }}}
- {name: KUBERNETES_CPU_OVERCOMMIT, value: {{ int .Values.sandboxes.cpuOvercommit | quote }}}
{{- end }}
