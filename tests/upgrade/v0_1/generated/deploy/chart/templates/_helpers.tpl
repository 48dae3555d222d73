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

{{/* config.yaml: the values' `config`, and the places that the pod's mounts decide. */}}
{{- define "mapper.config" -}}
{{- $sinks := dict }}
{{- range $kind, $_ := .Values.credentials }}
{{- $_ := set $sinks $kind (dict "credentials" (include "mapper.credentialsPath" $kind)) }}
{{- end }}
{{- $places := dict "spool" (dict "dir" .Values.spool.path) }}
{{- if $sinks }}
{{- $_ := set $places "sinks" $sinks }}
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
