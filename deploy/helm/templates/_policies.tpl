{{/* A rule for pods of some parts at a port: (list . "from" (list "gateway") 7001), or "to" */}}
{{- define "drydock.rule" -}}
{{- $root := index . 0 -}}
- {{ index . 1 }}:
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: drydock
          app.kubernetes.io/instance: {{ $root.Release.Name }}
        matchExpressions:
          - {key: app.kubernetes.io/component, operator: In, values: {{ toJson (index . 2) }}}
  ports:
    - {protocol: TCP, port: {{ index . 3 }}}
{{- end }}

{{/* To a server of ours, or of others: (list . "nats" 4222) */}}
{{- define "drydock.ruleToServer" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values (index . 1) -}}
{{- if $values.bundled }}
{{- include "drydock.rule" (list $root "to" (list (index . 1)) (index . 2)) }}
{{- else -}}
- ports:
    - {protocol: TCP, port: {{ $values.external.port }}}
  {{- with $values.external.to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* What the rules of a part begin with: (list . "gateway") */}}
{{- define "drydock.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "drydock.name" . }}
  namespace: {{ (index . 0).Release.Namespace }}
  labels: {{- include "drydock.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "drydock.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end }}
