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
{{- range $given }}
{{- $name := default (base .path | lower | replace "_" "-" | replace "." "-" | replace ":" "-") .name }}
{{- $device := printf "%s-%s" .node $name | replace "." "-" | trunc 63 | trimSuffix "-" }}
{{- $camera := merge (dict "device" $device "path" .path) (omit . "node" "name") $.Values.camera }}
{{- $before := default list (get $nodes .node) }}
{{- range $before }}
{{- if or (eq .path $camera.path) (eq .device $camera.device) }}
{{- fail (printf "%s is named twice on its node, or two cameras there have the name %s: take one out, or give it a name" $camera.path $camera.device) }}
{{- end }}
{{- end }}
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

{{/* How a property is read, and where its values go. Takes (dict "root" $ "key" … "name" …). */}}
{{- define "camera.visitor" -}}
collectCycle: 5000
reportCycle: 5000
reportToCloud: true
{{- with .root.Values.pushMethod }}
pushMethod:
  {{- toYaml . | nindent 2 }}
{{- end }}
visitors:
  protocolName: {{ .root.Values.config.common.protocol | quote }}
  configData:
    {{ .key }}: {{ .name }}
{{- end }}
