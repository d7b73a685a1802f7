{{- define "quipu.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "quipu.labels" -}}
app.kubernetes.io/name: quipu
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "quipu.selector" -}}
app.kubernetes.io/name: quipu
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "quipu.workerSelector" -}}
app.kubernetes.io/name: quipu
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{- define "quipu.databaseSelector" -}}
app.kubernetes.io/name: quipu
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: database
{{- end -}}

{{- define "quipu.authSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-auth" (include "quipu.name" .)) -}}
{{- end -}}

{{- define "quipu.databaseSecret" -}}
{{- if and (not .Values.postgresql.bundled) .Values.postgresql.external.existingSecret -}}
{{- .Values.postgresql.external.existingSecret -}}
{{- else -}}
{{- printf "%s-database" (include "quipu.name" .) -}}
{{- end -}}
{{- end -}}

{{/* A value of a Secret that is there already, or a new one by chance: (list context secret key length). */}}
{{- define "quipu.kept" -}}
{{- $context := index . 0 -}}
{{- $found := lookup "v1" "Secret" $context.Release.Namespace (index . 1) -}}
{{- $data := get ($found | default dict) "data" | default dict -}}
{{- get $data (index . 2) | default (randAlphaNum (index . 3) | b64enc) -}}
{{- end -}}
