{{/* Generated from deploy/install by `npm run fix`. */}}
{{- define "meshwright.trust-root.trust" -}}
{{ .Values.trustRoot | mustToRawJson }}{{ "\n" }}
{{- end }}
{{- define "meshwright.ca-config.config" -}}
{"admin":{"host":"::","port":15014},"adminTokenFile":"/var/lib/meshwright/ca/admin.token","certificates":{{ .Values.gatewayCertificates | mustToRawJson }},"kubernetes":{"secret":"ca-root"},"listen":{"host":"::","port":15011},"stateDir":"/var/lib/meshwright/ca","trustDomain":{{ .Values.trustDomain | mustToRawJson }}}{{ "\n" }}
{{- end }}
{{- define "meshwright.control-plane-config.config" -}}
{"admin":{"host":"::","port":15014},"adminTokenFile":"/run/meshwright/admin/token","ca":{"address":"ca.meshwright.svc:15011","trustFile":"/run/meshwright/ca/trust.pem"},"environment":{{ .Values.environment | mustToRawJson }},"issuerKeys":{"everySeconds":{{ .Values.issuerKeys.everySeconds | int }},"networks":{{ .Values.issuerKeys.networks | mustToRawJson }},"trustFile":"/etc/meshwright/issuers.pem"},"kubernetes":{"namespace":"meshwright"},"listen":{"host":"::","port":15010},"tokenFile":"/var/run/secrets/meshwright.dev/token/token","trustDomain":{{ .Values.trustDomain | mustToRawJson }},"trustFile":"/etc/meshwright-trust/trust.json"}{{ "\n" }}
{{- end }}
{{- define "meshwright.control-plane-config.issuers.pem" -}}
{{ .Values.issuerKeys.authorities }}{{ "\n" }}
{{- end }}
{{- define "meshwright.webhook-config.config.fixed" -}}
{"admin":{"host":"::","port":15014},"configurationName":"meshwright","deployers":{{ .Values.deployers | mustToRawJson }},"environment":{{ .Values.environment | mustToRawJson }},"injection":{"ca":{"host":"ca.meshwright.svc","port":15011},"controlPlane":{"host":"control-plane.meshwright.svc","port":15010},"image":{{ .Values.image | mustToRawJson }},"imagePullPolicy":{{ .Values.imagePullPolicy | mustToRawJson }},"trustDomain":{{ .Values.trustDomain | mustToRawJson }}},"listen":{"host":"::","port":9443},"managedCertificate":{"secret":"webhook-certificates"},"trustFile":"/etc/meshwright-trust/trust.json"}
{{- end }}
{{- define "meshwright.webhook-config.config" -}}
{{ mustMergeOverwrite (deepCopy .Values.webhook.settings) (include "meshwright.webhook-config.config.fixed" . | mustFromJson) | mustToRawJson }}{{ "\n" }}
{{- end }}
{{- define "meshwright.gitops-config.config.fixed" -}}
{"environment":{{ .Values.environment | mustToRawJson }},"listen":{"host":"::","port":8080},"signerSocket":"/run/meshwright/sockets/signer/signer.sock","stateDir":"/var/lib/meshwright/gitops","target":{"adminUrl":"http://control-plane.meshwright.svc:15014","kind":"kubernetes","stack":{{ .Values.environment | mustToRawJson }},"stateDir":"/var/lib/meshwright/pulumi","tokenFile":"/run/meshwright/admin/token"},"trustFile":"/etc/meshwright-trust/trust.json"}
{{- end }}
{{- define "meshwright.gitops-config.config" -}}
{{ mustMergeOverwrite (deepCopy .Values.gitops.settings) (include "meshwright.gitops-config.config.fixed" . | mustFromJson) | mustToRawJson }}{{ "\n" }}
{{- end }}
{{- define "meshwright.gitops-config.signer" -}}
{"keyFile":"/run/meshwright/keys/keys.json","socketPath":"/run/meshwright/sockets/signer/signer.sock","stateFile":"/var/lib/meshwright/signer/state.json"}{{ "\n" }}
{{- end }}
