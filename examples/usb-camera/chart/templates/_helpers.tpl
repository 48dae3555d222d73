{{/* The chart's name, at most 63 characters long as labels demand. */}}
{{- define "mapper.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What the objects are named after: the release, with the chart's name if that is not in it already. */}}
{{- define "mapper.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mapper.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mapper.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "mapper.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "mapper.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "mapper.serviceAccountName" -}}
{{- default (ternary (include "mapper.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{/* The Secret of a kind of sink: one that exists, or that of this release. Takes (dict "root" $ "kind" … "given" …). */}}
{{- define "mapper.secretName" -}}
{{- default (printf "%s-%s" (include "mapper.fullname" .root) .kind) .given.existingSecret }}
{{- end }}

{{/* The folder in which the Secret of a kind of sink is mounted. */}}
{{- define "mapper.credentialsPath" -}}
/etc/mapper/credentials/{{ . }}
{{- end }}

{{/* The Secret of a name in deviceCredentials. Takes (dict "root" $ "name" … "given" …). */}}
{{- define "mapper.deviceSecretName" -}}
{{- default (printf "%s-device-%s" (include "mapper.fullname" .root) .name) .given.existingSecret }}
{{- end }}

{{/* The folder in which the Secrets of devices are mounted, each in a folder of its name. */}}
{{- define "mapper.deviceCredentialsPath" -}}
/etc/mapper/devices
{{- end }}

{{/* The whole seconds of a duration such as `1m 30s`. */}}
{{- define "mapper.seconds" -}}
{{- $units := dict "s" 1 "sec" 1 "secs" 1 "second" 1 "seconds" 1 "m" 60 "min" 60 "mins" 60 "minute" 60 "minutes" 60 -}}
{{- $units = merge $units (dict "h" 3600 "hr" 3600 "hrs" 3600 "hour" 3600 "hours" 3600 "d" 86400 "day" 86400 "days" 86400) -}}
{{- $seconds := 0 -}}
{{- range regexFindAll "[0-9]+ *[a-zA-Z]+" (toString .) -1 -}}
{{- $number := regexFind "[0-9]+" . | int -}}
{{- $seconds = add $seconds (mul $number (default 0 (get $units (regexFind "[a-zA-Z]+" .)))) -}}
{{- end -}}
{{- $seconds -}}
{{- end }}

{{/* Fails where the kubelet would cut the mapper short. */}}
{{- define "mapper.checkGrace" -}}
{{- $grace := dig "shutdown" "grace" "10s" .Values.config | default "10s" }}
{{- if le (int .Values.terminationGracePeriodSeconds) (include "mapper.seconds" $grace | int) }}
{{- fail (printf "terminationGracePeriodSeconds is %d and config.shutdown.grace %s: the kubelet would end the mapper before it has stopped; raise terminationGracePeriodSeconds, or lower config.shutdown.grace" (int .Values.terminationGracePeriodSeconds) $grace) }}
{{- end }}
{{- end }}

{{/* The folder of the mapper's own socket, which is writable, and so none that anybody else keeps files in. */}}
{{- define "mapper.socketFolder" -}}
{{- $folder := dir .Values.config.grpc_server.socket_path }}
{{- if hasPrefix (printf "%s/" $folder) .Values.config.common.edgecore_sock }}
{{- fail (printf "config.grpc_server.socket_path is in %s, where edgecore's files are: give it a folder of its own, such as /run/kubeedge-mappers/%s/mapper.sock" $folder (include "mapper.fullname" .)) }}
{{- end }}
{{- $folder }}
{{- end }}

{{/* The folder of edgecore's socket. */}}
{{- define "mapper.edgecoreFolder" -}}
{{- dir .Values.config.common.edgecore_sock }}
{{- end }}

{{/* config.yaml: the values' `config`, and the places that the pod's mounts decide. */}}
{{- define "mapper.config" -}}
{{- $sinks := dict }}
{{- range $kind, $_ := omit .Values.credentials "eventbus" }}
{{- $_ := set $sinks $kind (dict "credentials" (include "mapper.credentialsPath" $kind)) }}
{{- end }}
{{- $places := dict "spool" (dict "dir" .Values.spool.path) }}
{{- if $sinks }}
{{- $_ := set $places "sinks" $sinks }}
{{- end }}
{{- if hasKey .Values.credentials "eventbus" }}
{{- $_ := set $places "report" (dict "eventbus" (dict "credentials" (include "mapper.credentialsPath" "eventbus"))) }}
{{- end }}
{{- if .Values.httpToken }}
{{- $_ := set $places "http" (dict "token" "/etc/mapper/http/token") }}
{{- end }}
{{- if .Values.deviceCredentials }}
{{- $_ := set $places "driver" (dict "credentials" (include "mapper.deviceCredentialsPath" .)) }}
{{- end }}
{{- toYaml (mustMergeOverwrite (deepCopy .Values.config) $places) }}
{{- end }}

{{/* A container with devices is privileged, and Kubernetes refuses one that may not escalate besides. */}}
{{- define "mapper.securityContext" -}}
{{- if .Values.devices }}
{{- toYaml (merge (dict "privileged" true) (omit .Values.securityContext "allowPrivilegeEscalation" "capabilities")) }}
{{- else }}
{{- toYaml .Values.securityContext }}
{{- end }}
{{- end }}
