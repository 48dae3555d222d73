{{/*
The cameras of both forms, by node: {NODE: [{device, key, place, format, width, height, frameRate}]}, as JSON. `key` is `device` or `serial`, and
`place` what stands under that key of the Device's config.
*/}}
{{- define "camera.nodes" -}}
{{- $nodes := dict }}
{{- $given := list }}
{{- range $camera := .Values.cameras }}
{{- range $device := $camera.devices }}
{{- $keys := ternary (dict "path" $device) $device (kindIs "string" $device) }}
{{- $given = append $given (merge (dict "node" $camera.node) $keys) }}
{{- end }}
{{- end }}
{{- range .Values.nodeSelectorAndDevPath.mapper }}
{{- $given = append $given (dict "node" .edgeNode "path" .devPath) }}
{{- end }}
{{- $taken := dict }}
{{- range $given }}
{{- $key := ternary "serial" "device" (hasKey . "serial") }}
{{- $where := default .path .serial }}
{{- $name := default (ternary $where (base $where) (eq $key "serial") | lower) .name }}
{{- $device := regexReplaceAll "[^a-z0-9-]" (printf "%s-%s" .node $name) "-" | trunc 63 }}
{{- $device = regexReplaceAll "-+$" $device "" }}
{{- $camera := merge (dict "device" $device "key" $key "place" $where) (omit . "node" "name" "path" "serial") $.Values.camera }}
{{- $before := default list (get $nodes .node) }}
{{- range $before }}
{{- if and (eq .key $camera.key) (eq .place $camera.place) }}
{{- fail (printf "%s is named twice on its node: take one out" $camera.place) }}
{{- end }}
{{- end }}
{{- /* Names of node and camera are joined by a hyphen, which both may have in them. */}}
{{- $place := printf "%s of the node %s" $where .node }}
{{- with get $taken $device }}
{{- fail (printf "%s and %s would both have the name %s: give one of them another `name`" . $place $device) }}
{{- end }}
{{- $_ := set $taken $device $place }}
{{- $_ := set $nodes .node (append $before $camera) }}
{{- end }}
{{- toJson $nodes }}
{{- end }}

{{/*
The chart as the pod of a node sees it: privileged, with the files of those cameras that are named by a file, or with the device plugin's resource
in their place. Takes (dict "root" $ "cameras" …), and returns the values.
*/}}
{{- define "camera.values" -}}
{{- $values := deepCopy .root.Values }}
{{- $resource := .root.Values.devicePlugin.resource }}
{{- $paths := list }}
{{- range .cameras }}
{{- if eq .key "device" }}
{{- $paths = append $paths .place }}
{{- end }}
{{- end }}
{{- if $resource }}
{{- $limits := merge (dict $resource (len .cameras | toString)) (default dict $values.resources.limits) }}
{{- $_ := set $values "resources" (merge (dict "limits" $limits) $values.resources) }}
{{- $paths = list }}
{{- else }}
{{- /* A container whose cameras have serial numbers only mounts none of their files, and has them all the same. */}}
{{- $kept := omit $values.securityContext "allowPrivilegeEscalation" "capabilities" }}
{{- $_ := set $values "securityContext" (merge (dict "privileged" true) $kept) }}
{{- end }}
{{- toJson (set $values "devices" $paths) }}
{{- end }}

{{/* Fails where frames cannot be pushed, though the chart of KubeEdge v1.16 did. */}}
{{- define "camera.checkPush" -}}
{{- if hasKey .Values.pushMethod "dbMethod" }}
{{- fail "pushMethod.dbMethod: a picture has no place in a database; take it out. Frames are pushed by pushMethod.mqtt, pushMethod.http or both, and the methods `snapshot` and `record` keep them in files" }}
{{- end }}
{{- end }}

{{/* What each property of the stream is in the model. */}}
{{- define "camera.streams" -}}
state: STRING
format: STRING
framesPerSecond: DOUBLE
skipped: INT
sequence: INT
time: STRING
sha256: STRING
uri: STRING
{{- end }}

{{/* How a property is read. Takes (dict "root" $ "key" … "name" …). */}}
{{- define "camera.visitor" -}}
collectCycle: 5000
reportCycle: 5000
reportToCloud: true
visitors:
  protocolName: {{ .root.Values.config.common.protocol | quote }}
  configData:
    {{ .key }}: {{ .name }}
{{- end }}
