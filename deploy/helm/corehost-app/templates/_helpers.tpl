{{- define "app.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "app.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end }}

{{- define "app.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.userId }}
runAsGroup: {{ .Values.userId }}
fsGroup: {{ .Values.userId }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "app.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "app.mounts" -}}
- name: database
  mountPath: /run/secrets/database
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end }}

{{- define "app.volumes" -}}
- name: database
  secret:
    secretName: {{ .Values.database.secret }}
    defaultMode: 0440
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{- end }}

{{/* What every command of corehost is told; the argument "key" says which URL of the Secret. */}}
{{- define "app.settings" -}}
- name: COREHOST_DATABASE_URL_FILE
  value: /run/secrets/database/{{ .key }}
- name: COREHOST_CACHE_DIR
  value: {{ .root.Values.cacheDir }}
- name: COREHOST_WAIT_TIMEOUT
  value: {{ .root.Values.migrations.waitTimeout }}
- name: COREHOST_SHUTDOWN_GRACE
  value: {{ .root.Values.shutdownGraceSeconds }}s
{{- end }}
