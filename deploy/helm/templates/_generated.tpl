{{/*
What is made once and then kept: an upgrade finds it in the cluster. Each of these puts it where every template finds the
same, for it would be another each time it was asked for.
*/}}

{{/* Names of executors, which are those of their pods: of more than there are, so that those that come change no other pod. */}}
{{- define "drydock.executorIds" -}}
{{- $executor := .Values.executor -}}
{{- $ids := list -}}
{{- range until (max (int $executor.replicas) (int $executor.autoscaling.maxReplicas) | int) -}}{{- $ids = append $ids (printf "%s-%d" (include "drydock.name" (list $ "executor")) .) -}}{{- end -}}
{{ toJson $ids }}
{{- end }}

{{/* The names in each certificate by the part it is of. Those of executors auth signs. */}}
{{- define "drydock.certificates" -}}
{{- $names := dict -}}
{{- range list "auth" "session" "scheduler" "gateway" -}}{{- $_ := set $names . (list .) -}}{{- end -}}
{{- if .Values.nats.bundled -}}{{- $_ := set $names "nats" (list (include "drydock.name" (list . "nats"))) -}}{{- end -}}
{{ toJson $names }}
{{- end }}

{{/*
.Values.made.tls: ca.crt, tls.crt and tls.key by part, in base64. The authority is kept: auth signs with it, and with another one
old and new pods would not know each other.
*/}}
{{- define "drydock.makeTls" -}}
{{- $made := .Values.made | default dict -}}
{{- if not (hasKey $made "tls") -}}
{{- $days := int .Values.tls.validDays -}}
{{- $kept := lookup "v1" "Secret" .Release.Namespace (include "drydock.name" (list . "authority")) -}}
{{- $authority := dict -}}
{{- if $kept -}}
{{- $authority = buildCustomCert (index $kept.data "tls.crt") (index $kept.data "tls.key") -}}
{{- else -}}
{{- $authority = genCA "drydock" $days -}}
{{- end -}}
{{- $tls := dict -}}
{{- range $part, $names := include "drydock.certificates" . | fromJson -}}
{{- $found := lookup "v1" "Secret" $.Release.Namespace (include "drydock.secretOfTls" (list $ $part)) -}}
{{- if and $kept $found -}}
{{- $_ := set $tls $part $found.data -}}
{{- else -}}
{{- $certificate := genSignedCert $part nil $names $days $authority -}}
{{- $_ := set $tls $part (dict "ca.crt" (b64enc $authority.Cert) "tls.crt" (b64enc $certificate.Cert) "tls.key" (b64enc $certificate.Key)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $made "tls" $tls -}}
{{- $_ := set $made "authority" (dict "tls.crt" (b64enc $authority.Cert) "tls.key" (b64enc $authority.Key)) -}}
{{- $_ := set .Values "made" $made -}}
{{- end -}}
{{- end }}

{{/* What the bundled NATS is configured with, in JSON, which it reads: who may do what is in nats-users.json. */}}
{{- define "drydock.natsConfig" -}}
{{- $users := list -}}
{{- range $service, $may := .Files.Get "nats-users.json" | fromJson -}}
{{- $ids := list "" -}}
{{- if eq $service "executor" -}}{{- $ids = include "drydock.executorIds" $ | fromJsonArray -}}{{- end -}}
{{- range $id := $ids -}}
{{- $publish := list -}}
{{- range $may.publish -}}{{- $publish = append $publish (replace "<id>" $id .) -}}{{- end -}}
{{- $name := empty $id | ternary $service (printf "executor-%s" $id) -}}
{{- $subscribe := concat (list (printf "_INBOX.%s.>" $name)) $may.subscribe -}}
{{- $permissions := dict "publish" (dict "allow" $publish) "subscribe" (dict "allow" $subscribe) -}}
{{- $users = append $users (dict "user" (empty $id | ternary $service (printf "%s.executor" $id)) "permissions" $permissions) -}}
{{- end -}}
{{- end -}}
{{- $tls := dict "ca_file" "/etc/drydock/tls/ca.pem" "cert_file" "/etc/drydock/tls/nats.pem" "key_file" "/etc/drydock/tls/nats-key.pem" "verify_and_map" true -}}
{{- $jetstream := dict "store_dir" "/var/lib/nats" -}}
{{ dict "listen" "0.0.0.0:4222" "http" "0.0.0.0:8222" "jetstream" $jetstream "tls" $tls "authorization" (dict "users" $users) | toRawJson }}
{{- end }}

{{/* The value of a key of a Secret, or what it is to be from now on: (list . "secret" "key" "value") */}}
{{- define "drydock.keep" -}}
{{- $root := index . 0 -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- $data := $found | default dict | dig "data" dict -}}
{{- if hasKey $data (index . 2) -}}{{ index $data (index . 2) | b64dec }}{{- else -}}{{ index . 3 }}{{- end -}}
{{- end }}
