{{/*
What is made once and then kept: an upgrade finds it in the cluster. Each of these puts it where every template finds the
same, for it would be another each time it was asked for.
*/}}

{{/* .Values.made.tls: ca.crt, tls.crt and tls.key by service, in base64 */}}
{{- define "drydock.makeTls" -}}
{{- $made := .Values.made | default dict -}}
{{- if not (hasKey $made "tls") -}}
{{- $services := list "auth" "session" "scheduler" "executor" "gateway" -}}
{{- $tls := dict -}}
{{- range $services -}}
{{- $found := lookup "v1" "Secret" $.Release.Namespace (include "drydock.secretOfTls" (list $ .)) -}}
{{- if $found -}}{{- $_ := set $tls . $found.data -}}{{- end -}}
{{- end -}}
{{- if lt (len $tls) (len $services) -}}
{{- $days := int .Values.tls.validDays -}}
{{- $authority := genCA "drydock" $days -}}
{{- range $services -}}
{{- $certificate := genSignedCert . nil (list .) $days $authority -}}
{{- $_ := set $tls . (dict "ca.crt" (b64enc $authority.Cert) "tls.crt" (b64enc $certificate.Cert) "tls.key" (b64enc $certificate.Key)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $made "tls" $tls -}}
{{- $_ := set .Values "made" $made -}}
{{- end -}}
{{- end }}

{{/* The value of a key of a Secret, or what it is to be from now on: (list . "secret" "key" "value") */}}
{{- define "drydock.keep" -}}
{{- $root := index . 0 -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- $data := $found | default dict | dig "data" dict -}}
{{- if hasKey $data (index . 2) -}}{{ index $data (index . 2) | b64dec }}{{- else -}}{{ index . 3 }}{{- end -}}
{{- end }}
