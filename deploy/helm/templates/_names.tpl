{{- define "drydock.fullname" -}}
{{- $name := .Values.fullnameOverride | default (contains "drydock" .Release.Name | ternary .Release.Name (printf "%s-drydock" .Release.Name)) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Of a part: (list . "gateway") */}}
{{- define "drydock.name" -}}
{{ include "drydock.fullname" (index . 0) }}-{{ index . 1 }}
{{- end }}

{{- define "drydock.selector" -}}
app.kubernetes.io/name: drydock
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "drydock.labels" -}}
{{ include "drydock.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: drydock-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* An image out of repository and tag: (list . .Values.image) */}}
{{- define "drydock.image" -}}
{{ (index . 1).repository }}:{{ (index . 1).tag | default (index . 0).Chart.AppVersion }}
{{- end }}

{{- define "drydock.pool" -}}
{{ .Values.sandboxes.namespacePrefix }}-pool
{{- end }}

{{/* The ClusterRole that says what an executor may do in a namespace with sandboxes. */}}
{{- define "drydock.roleInSandboxes" -}}
{{ .Values.sandboxes.namespacePrefix }}-sandboxes
{{- end }}

{{/* (list . "gateway"), or "authority" */}}
{{- define "drydock.secretOfTls" -}}
{{- $existing := (index . 0).Values.tls.existingSecrets -}}
{{- $part := index . 1 -}}
{{- if $existing -}}
{{ get $existing $part | required (printf "tls.existingSecrets.%s is needed too, for the bundled server" $part) }}
{{- else if eq $part "authority" -}}
{{ include "drydock.name" . }}
{{- else -}}
{{ include "drydock.name" . }}-tls
{{- end -}}
{{- end }}

{{/* Which services each service calls, in JSON: the call graph. */}}
{{- define "drydock.calls" -}}
{{ dict "gateway" (list "auth" "session" "scheduler" "executor") "scheduler" (list "session" "executor") "executor" (list "auth" "session") | toJson }}
{{- end }}

{{- define "drydock.secretOfOperatorKey" -}}
{{ .Values.operatorKey.existingSecret | default (include "drydock.name" (list . "operator-key")) }}
{{- end }}
