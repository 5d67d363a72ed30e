# The same checks as the webhook's workload rules, over the same data: what a platform team would write for Open Policy Agent's own server.
package system

import rego.v1

main := {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

request := input.request

pod := request.object

uid := request.uid

workload := object.get(pod.metadata.labels, "meshwright.dev/workload", object.get(pod.metadata.labels, "app", ""))

declared := data.workloads[sprintf("%s/%s", [request.namespace, workload])]

rules contains rule if {
	some rule in data.deploys[request.namespace]
	not rule.workloads
}

rules contains rule if {
	some rule in data.deploys[request.namespace]
	workload in rule.workloads
}

containers := array.concat(pod.spec.containers, object.get(pod.spec, "initContainers", []))

denials contains sprintf("%s is not declared", [workload]) if not declared

denials contains "another service account" if {
	declared
	object.get(pod.spec, "serviceAccountName", "default") != declared.serviceAccount
}

denials contains sprintf("version %s is not declared", [version]) if {
	version := pod.metadata.labels.version
	declared.versions
	not version in declared.versions
}

denials contains sprintf("%s: %s may not deploy it", [rule.id, request.userInfo.username]) if {
	some rule in rules
	not deployer(rule)
}

deployer(rule) if {
	some by in rule.by
	by.kind == "group"
	by.name in request.userInfo.groups
}

deployer(rule) if {
	some by in rule.by
	by.kind == "user"
	by.name == request.userInfo.username
}

deployer(rule) if {
	some by in rule.by
	by.kind == "account"
	request.userInfo.username == sprintf("system:serviceaccount:%s:%s", [by.namespace, by.name])
}

denials contains sprintf("%s: image %s is from elsewhere", [rule.id, container.image]) if {
	some rule in rules
	some container in containers
	rule.images
	not from_registry(rule, container.image)
}

from_registry(rule, image) if {
	some prefix in rule.images.from
	startswith(image, prefix)
}

denials contains sprintf("%s: image %s has no digest", [rule.id, container.image]) if {
	some rule in rules
	some container in containers
	rule.images.digest == "required"
	not regex.match(`@sha256:[0-9a-f]{64}$`, container.image)
}

denials contains sprintf("%s: version %s is out of range", [rule.id, version]) if {
	some rule in rules
	version := pod.metadata.labels["app.kubernetes.io/version"]
	rule.version
	not in_range(rule.version, version)
}

in_range(range, version) if {
	semver.is_valid(version)
	semver.compare(version, range.min) >= 0
	semver.compare(version, range.below) < 0
}

response := {"uid": uid, "allowed": true} if count(denials) == 0

response := {"uid": uid, "allowed": false, "status": {"code": 422, "message": concat("; ", sort(denials))}} if count(denials) > 0
