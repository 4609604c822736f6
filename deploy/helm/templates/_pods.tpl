{{- define "drydock.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "drydock.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Metadata of a pod: (list . "gateway") */}}
{{- define "drydock.podMetadata" -}}
{{- $root := index . 0 -}}
labels:
  {{- /* Not the chart's version: a database is not to be restarted for it. */}}
  {{- include "drydock.selector" . | nindent 2 }}
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if eq (index . 1) "nats" }}
annotations:
  # It reads neither its users nor its certificate again.
  drydock.dev/config: {{ include "drydock.natsConfig" $root | sha256sum | trunc 16 | quote }}
  {{- include "drydock.certificateAnnotation" . | nindent 2 }}
{{- else if has (index . 1) (list "auth" "session" "scheduler" "executor" "gateway") }}
annotations:
  # Who has other certificates, or another catalogue, starts anew with them.
  {{- include "drydock.certificateAnnotation" . | nindent 2 }}
  {{- if include "drydock.hasCatalog" . }}
  drydock.dev/catalog: {{ sha256sum $root.Values.sandboxes.catalog | trunc 16 | quote }}
  {{- end }}
  {{- with $root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* (list . "gateway"); executors know the authority alone. */}}
{{- define "drydock.certificateAnnotation" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.tls.existingSecrets -}}
drydock.dev/certificate: {{ get $root.Values.tls.existingSecrets (eq (index . 1) "executor" | ternary "authority" (index . 1)) }}
{{- else -}}
{{- include "drydock.makeTls" $root -}}
{{- $of := get $root.Values.made.tls (index . 1) | default $root.Values.made.authority -}}
drydock.dev/certificate: {{ get $of "tls.crt" | sha256sum | trunc 16 | quote }}
{{- end -}}
{{- end }}

{{/* Not empty where a service reads a catalogue that is not the image's: (list . "gateway") */}}
{{- define "drydock.hasCatalog" -}}
{{- if and (index . 0).Values.sandboxes.catalog (has (index . 1) (list "session" "executor")) }}yes{{ end -}}
{{- end }}

{{/* Where a pod goes: (list . "gateway") */}}
{{- define "drydock.placement" -}}
{{- $values := index (index . 0).Values (index . 1) -}}
{{- with (index . 0).Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.affinity }}
affinity: {{- toYaml $values.affinity | nindent 2 }}
{{- else }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "drydock.selector" . | nindent 14 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "drydock.selector" . | nindent 8 }}
{{- end }}
{{- end }}

{{/* A variable out of a Secret: (list "NAME" "secret" "key") */}}
{{- define "drydock.fromSecret" -}}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}}
{{- end }}

{{/* (list . "gateway") */}}
{{- define "drydock.natsUrl" -}}
{{- $nats := (index . 0).Values.nats -}}
{{- if $nats.bundled -}}
- {name: NATS_URL, value: "tls://{{ include "drydock.name" (list (index . 0) "nats") }}:4222"}
{{- else }}
{{- $key := get $nats.external.keys (index . 1) | default $nats.external.key -}}
{{- include "drydock.fromSecret" (list "NATS_URL" $nats.external.existingSecret $key) }}
{{- end }}
{{- end }}

{{/* (list . "auth"), or session or migrations */}}
{{- define "drydock.databaseUrl" -}}
{{- $postgresql := (index . 0).Values.postgresql -}}
{{- if $postgresql.bundled }}
{{- include "drydock.fromSecret" (list "DATABASE_URL" (include "drydock.name" (list (index . 0) "postgresql")) "url") }}
{{- else }}
{{- include "drydock.fromSecret" (list "DATABASE_URL" $postgresql.external.existingSecret (index $postgresql.external.keys (index . 1))) }}
{{- end }}
{{- end }}

{{/* The container of a service: (list . "gateway") */}}
{{- define "drydock.container" -}}
{{- $root := index . 0 -}}
{{- $service := index . 1 -}}
{{- $values := index $root.Values $service -}}
{{- $port := include "drydock.port" $service -}}
name: {{ $service }}
image: {{ include "drydock.image" (list $root $root.Values.image) }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
# MiB for new objects. Node's own default would be a sixth of a service's memory, for nothing.
command: [/usr/local/bin/node, --max-semi-space-size=8, /app/services/{{ $service }}/main.ts]
env:
  - {name: LOG_LEVEL, value: {{ $root.Values.logLevel }}}
  - {name: TLS_DIR, value: /etc/drydock/tls}
  # Large buffers go back to the system when they are freed.
  - {name: MALLOC_MMAP_THRESHOLD_, value: "262144"}
  - {name: MALLOC_TRIM_THRESHOLD_, value: "1048576"}
  - {name: MALLOC_ARENA_MAX, value: "2"}
  {{- include "drydock.natsUrl" . | nindent 2 }}
  - {name: {{ upper $service }}_ADDRESS, value: "0.0.0.0:{{ $port }}"}
  - {name: {{ upper $service }}_METRICS_ADDRESS, value: "0.0.0.0:9100"}
  {{- if has $service (list "auth" "session") }}
  {{- include "drydock.databaseUrl" . | nindent 2 }}
  - {name: DATABASE_MIGRATIONS, value: await}
  {{- end }}
  {{- /* Executors say themselves where they are. */}}
  {{- range without (get (include "drydock.calls" . | fromJson) $service | default list) "executor" }}
  - {name: {{ upper . }}_ADDRESS, value: "{{ include "drydock.name" (list $root .) }}:{{ include "drydock.port" . }}"}
  {{- end }}
  {{- if include "drydock.hasCatalog" . }}
  - {name: CATALOG_FILE, value: /etc/drydock/catalog/catalog.json}
  {{- end }}
  {{- include (printf "drydock.%sEnv" $service) $root | nindent 2 }}
  {{- with concat $root.Values.extraEnv $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - {name: grpc, containerPort: {{ $port }}}
  {{- if eq $service "gateway" }}
  - {name: http, containerPort: 8080}
  {{- else if eq $service "auth" }}
  - {name: join, containerPort: {{ include "drydock.port" "join" }}}
  {{- end }}
  - {name: metrics, containerPort: 9100}
# Until it can do all of its work once, which needs others that may start after it; README.md says what is asked from then on.
startupProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 2
  failureThreshold: 900
  timeoutSeconds: 3
readinessProbe:
  httpGet: {path: {{ eq $service "executor" | ternary "/readyz" "/healthz" }}, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  failureThreshold: 6
  timeoutSeconds: 5
resources: {{- toYaml $values.resources | nindent 2 }}
securityContext: {{- include "drydock.containerSecurity" . | nindent 2 }}
volumeMounts:
  - {name: tls, mountPath: /etc/drydock/tls, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- if include "drydock.hasCatalog" . }}
  - {name: catalog, mountPath: /etc/drydock/catalog, readOnly: true}
  {{- end }}
  {{- if eq $service "auth" }}
  - {name: authority, mountPath: /etc/drydock/authority, readOnly: true}
  {{- else if eq $service "executor" }}
  - {name: join, mountPath: /etc/drydock/join, readOnly: true}
  - {name: data, mountPath: /var/lib/drydock}
  {{- end }}
{{- end }}

{{/* (list . "gateway") */}}
{{- define "drydock.volumes" -}}
{{- $root := index . 0 -}}
{{- $service := index . 1 -}}
{{ include "drydock.tlsVolume" . }}
{{- if eq $service "auth" }}
- name: authority
  secret:
    secretName: {{ include "drydock.secretOfTls" (list $root "authority") }}
    defaultMode: 0440
    items:
      - {key: tls.key, path: key.pem}
{{- else if eq $service "executor" }}
# By which auth knows the pod: of no use to anybody else.
- name: join
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {audience: drydock-auth, expirationSeconds: 600, path: token}
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if include "drydock.hasCatalog" . }}
- name: catalog
  configMap: {name: {{ include "drydock.name" (list $root "catalog") }}}
{{- end }}
{{- end }}

{{/* The certificate of a part: (list . "gateway"). An executor is given the authority's alone, and has auth sign its own. */}}
{{- define "drydock.tlsVolume" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
- name: tls
  secret:
    defaultMode: 0440
    {{- if eq $part "executor" }}
    secretName: {{ include "drydock.secretOfTls" (list $root "authority") }}
    items:
      - {key: tls.crt, path: ca.pem}
    {{- else }}
    secretName: {{ include "drydock.secretOfTls" . }}
    items:
      - {key: ca.crt, path: ca.pem}
      - {key: tls.crt, path: {{ $part }}.pem}
      - {key: tls.key, path: {{ $part }}-key.pem}
    {{- end }}
{{- end }}

{{- define "drydock.port" -}}
{{ get (dict "gateway" 7000 "auth" 7001 "session" 7002 "scheduler" 7003 "executor" 7004 "join" 7005) . }}
{{- end }}
