{{/* The pod, on the node that is named if one is. Takes (dict "root" $ "node" …). */}}
{{- define "mapper.pod" -}}
{{- $root := .root -}}
metadata:
  annotations:
    checksum/config: {{ include "mapper.config" $root | sha256sum }}
    {{- with $root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "mapper.selectorLabels" $root | nindent 4 }}
    {{- with .node }}
    mapper/node: {{ . | quote }}
    {{- end }}
    {{- with $root.Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  serviceAccountName: {{ include "mapper.serviceAccountName" $root | quote }}
  automountServiceAccountToken: false
  {{- if $root.Values.hostNetwork }}
  hostNetwork: true
  {{- end }}
  {{- with $root.Values.dnsPolicy | default (ternary "ClusterFirstWithHostNet" "" $root.Values.hostNetwork) }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with $root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $root.Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
  containers:
    - name: mapper
      {{- include "mapper.container" $root | nindent 6 }}
  volumes:
    {{- include "mapper.volumes" $root | nindent 4 }}
  {{- $selector := merge (dict) $root.Values.nodeSelector }}
  {{- with .node }}
  {{- $_ := set $selector "kubernetes.io/hostname" . }}
  {{- end }}
  {{- with $selector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "mapper.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - --config-file=/etc/mapper/config/config.yaml
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  # Wins over the image's own config for whoever asks within the container: `kubectl exec POD -- /PROGRAM status`, and the probes.
  - name: MAPPER_GRPC_SERVER__SOCKET_PATH
    value: {{ .Values.config.grpc_server.socket_path | quote }}
  # A pod's host name changes with each pod, and its client ids at MQTT brokers should not.
  - name: MAPPER_SINKS__MQTT__NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "mapper.securityContext" . | nindent 2 }}
{{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
{{- with index $.Values $probe }}
{{- if and (has "health" (dig "exec" "command" list .)) (eq (toString (dig "http" "enabled" true $.Values.config)) "false") }}
{{- fail (printf "config.http.enabled is false, and %s asks the HTTP server: set it to {}, or the mapper would be restarted for ever" $probe) }}
{{- end }}
{{ $probe }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/mapper/config
    readOnly: true
  - name: socket
    mountPath: {{ include "mapper.socketFolder" . }}
  - name: edgecore
    mountPath: {{ include "mapper.edgecoreFolder" . }}
    readOnly: true
  {{- range $folder := .Values.sockets.hide }}
  - name: hidden
    mountPath: {{ include "mapper.edgecoreFolder" $ }}/{{ $folder }}
    readOnly: true
  {{- end }}
  - name: spool
    mountPath: {{ .Values.spool.path }}
  {{- range $index, $path := .Values.devices }}
  - name: device-{{ $index }}
    mountPath: {{ $path }}
  {{- end }}
  {{- range $kind, $_ := .Values.credentials }}
  - name: credentials-{{ $kind }}
    mountPath: {{ include "mapper.credentialsPath" $kind }}
    readOnly: true
  {{- end }}
  {{- range $index, $name := keys .Values.deviceCredentials | sortAlpha }}
  - name: device-credentials-{{ $index }}
    mountPath: {{ include "mapper.deviceCredentialsPath" $ }}/{{ $name }}
    readOnly: true
  {{- end }}
  {{- if .Values.httpToken }}
  - name: http-token
    mountPath: /etc/mapper/http
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "mapper.volumes" -}}
- name: config
  configMap:
    name: {{ include "mapper.fullname" . | quote }}
- name: socket
  hostPath:
    path: {{ include "mapper.socketFolder" . }}
    type: DirectoryOrCreate
# The folder and not edgecore's socket: edgecore makes a new file at each start, and a mounted file would stay the old one.
- name: edgecore
  hostPath:
    path: {{ include "mapper.edgecoreFolder" . }}
    type: Directory
{{- if .Values.sockets.hide }}
- name: hidden
  emptyDir: {}
{{- end }}
- name: spool
  {{- if eq .Values.spool.type "hostPath" }}
  hostPath:
    path: {{ .Values.spool.path }}
    type: DirectoryOrCreate
  {{- else }}
  emptyDir:
    sizeLimit: {{ .Values.spool.sizeLimit }}
  {{- end }}
{{- range $index, $path := .Values.devices }}
- name: device-{{ $index }}
  hostPath:
    path: {{ $path }}
    type: CharDevice
{{- end }}
{{- range $kind, $given := .Values.credentials }}
- name: credentials-{{ $kind }}
  secret:
    secretName: {{ include "mapper.secretName" (dict "root" $ "kind" $kind "given" $given) | quote }}
{{- end }}
{{- range $index, $name := keys .Values.deviceCredentials | sortAlpha }}
- name: device-credentials-{{ $index }}
  secret:
    secretName: {{ include "mapper.deviceSecretName" (dict "root" $ "name" $name "given" (index $.Values.deviceCredentials $name)) | quote }}
{{- end }}
{{- if .Values.httpToken }}
- name: http-token
  secret:
    secretName: {{ include "mapper.secretName" (dict "root" . "kind" "http-token" "given" .Values.httpToken) | quote }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
