{{/* The cameras of both forms, by node: {NODE: [{path, name, format, width, height, frameRate}]}, as JSON. */}}
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
{{- $name := default (base .path | lower) .name }}
{{- $device := regexReplaceAll "[^a-z0-9-]" (printf "%s-%s" .node $name) "-" | trunc 63 }}
{{- $device = regexReplaceAll "-+$" $device "" }}
{{- $camera := merge (dict "device" $device "path" .path) (omit . "node" "name") $.Values.camera }}
{{- $before := default list (get $nodes .node) }}
{{- range $before }}
{{- if eq .path $camera.path }}
{{- fail (printf "%s is named twice on its node: take one out" $camera.path) }}
{{- end }}
{{- end }}
{{- /* Names of node and camera are joined by a hyphen, which both may have in them. */}}
{{- $place := printf "%s of the node %s" .path .node }}
{{- with get $taken $device }}
{{- fail (printf "%s and %s would both have the name %s: give one of them another `name`" . $place $device) }}
{{- end }}
{{- $_ := set $taken $device $place }}
{{- $_ := set $nodes .node (append $before $camera) }}
{{- end }}
{{- toJson $nodes }}
{{- end }}

{{/*
The chart as the pod of a node sees it: with the files of its cameras, or with the device plugin's resource in their place. Takes
(dict "root" $ "cameras" …), and returns the values.
*/}}
{{- define "camera.values" -}}
{{- $values := deepCopy .root.Values }}
{{- $resource := .root.Values.devicePlugin.resource }}
{{- $paths := list }}
{{- range .cameras }}
{{- $paths = append $paths .path }}
{{- end }}
{{- if $resource }}
{{- $limits := merge (dict $resource (len $paths | toString)) (default dict $values.resources.limits) }}
{{- $_ := set $values "resources" (merge (dict "limits" $limits) $values.resources) }}
{{- $paths = list }}
{{- end }}
{{- toJson (set $values "devices" $paths) }}
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
