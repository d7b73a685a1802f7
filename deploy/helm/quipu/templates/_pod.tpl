{{/* What the pods of servers and workers have in common. */}}

{{/* The pod without its containers: (dict root selector), the selector by the name of its template. */}}
{{- define "quipu.pod" -}}
{{- with .root -}}
serviceAccountName: {{ include "quipu.name" . }}
automountServiceAccountToken: false
# Else a Service named quipu sets QUIPU_PORT to an address, which is a setting of the server.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include $.selector . | nindent 8 }}
{{- end }}
{{- end -}}

{{- define "quipu.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* The environment: (dict root settings). */}}
{{- define "quipu.environment" -}}
- {name: QUIPU_METRICS_HOST, value: "0.0.0.0"}
- {name: QUIPU_METRICS_PORT, value: {{ .root.Values.metrics.port | quote }}}
- {name: QUIPU_DATABASE_URL, value: "file:/run/secrets/quipu/database/url"}
{{- if .root.Values.configFile }}
- {name: QUIPU_CONFIG, value: /etc/quipu/quipu.toml}
{{- end }}
{{- range $setting, $value := .settings }}
- name: QUIPU_{{ upper $setting }}
  {{- if kindIs "float64" $value }}
  value: {{ ternary (printf "%.0f" $value) (toString $value) (eq (floor $value) $value) | quote }}
  {{- else }}
  value: {{ kindIs "slice" $value | ternary (toJson $value) (toString $value) | quote }}
  {{- end }}
{{- end }}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "quipu.mounts" -}}
- {name: data, mountPath: /var/lib/quipu}
- {name: tmp, mountPath: /tmp}
- {name: database, mountPath: /run/secrets/quipu/database, readOnly: true}
{{- if .Values.configFile }}
- {name: config, mountPath: /etc/quipu, readOnly: true}
{{- end }}
{{- end -}}

{{/* The volumes of quipu.mounts but for data, which each has in its own way. */}}
{{- define "quipu.volumes" -}}
- {name: tmp, emptyDir: {}}
- name: database
  secret:
    secretName: {{ include "quipu.databaseSecret" . }}
    items: [{key: {{ ternary "database-url" .Values.postgresql.external.key .Values.postgresql.bundled }}, path: url}]
{{- if .Values.configFile }}
- name: config
  configMap: {name: {{ include "quipu.name" . }}}
{{- end }}
{{- end -}}
