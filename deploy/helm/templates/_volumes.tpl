{{/* A claim of a StatefulSet: (list . "data" persistence) */}}
{{- define "drydock.claim" -}}
{{- $persistence := index . 2 -}}
metadata:
  name: {{ index . 1 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with $persistence.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests: {storage: {{ $persistence.size }}}
{{- end }}
