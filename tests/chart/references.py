"""What objects of one render say about each other: what one of them names must be there, under that name.

These are kube-linter's checks for what dangles or does not match; kube-score looks at each object by itself. (kube-linter
cannot be had by Go's registry.)
"""

WORKLOADS = ("StatefulSet", "Deployment")


def _named(objects, *kinds):
    return {item["metadata"]["name"]: item for item in objects if item["kind"] in kinds}


def _pods(objects):
    """Labels and spec of every pod, a helm test's own included."""
    for item in objects:
        if item["kind"] in WORKLOADS:
            yield item["metadata"]["name"], item["spec"]["template"]["metadata"]["labels"], item["spec"]["template"]["spec"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item["metadata"].get("labels", {}), item["spec"]


def _ports(spec):
    ports = [port for container in spec["containers"] for port in container.get("ports", [])]
    return {port["name"] for port in ports} | {port["containerPort"] for port in ports}


def _every(value, key):
    """Every value under `key`, however deep."""
    if isinstance(value, list):
        for item in value:
            yield from _every(item, key)
    elif isinstance(value, dict):
        for name, nested in value.items():
            if name == key:
                yield nested
            yield from _every(nested, key)


def dangling(objects):
    """A sentence for each reference to nothing. `objects`: all of one render, which make what they refer to themselves, except
    Secrets, claims and what a value calls existing."""
    return [*_selected(objects), *_targets(objects), *_within_pods(objects)]


def _selected(objects):
    """Services, network policies and budgets choose pods by labels, and services send to ports of theirs."""
    pods = list(_pods(objects))
    for item in objects:
        spec = item.get("spec") or {}
        where = f"{item['kind']} {item['metadata']['name']}"
        selector = {"Service": spec.get("selector"), "NetworkPolicy": spec.get("podSelector", {}).get("matchLabels"),
                    "PodDisruptionBudget": spec.get("selector", {}).get("matchLabels")}.get(item["kind"])
        if selector is None:
            continue
        chosen = [each for _, labels, each in pods if selector.items() <= labels.items()]
        if not chosen:
            yield f"{where} selects no pod"
        if item["kind"] == "Service":
            for port in spec["ports"]:
                if not any(port.get("targetPort", port["port"]) in _ports(each) for each in chosen):
                    yield f"{where}: no pod has the port {port['targetPort']}"


def _targets(objects):
    """Routes, autoscaler and monitor name services and workloads."""
    services, workloads = _named(objects, "Service"), _named(objects, *WORKLOADS)
    numbers = {name: {port["port"] for port in item["spec"]["ports"]} for name, item in services.items()}
    for item in objects:
        where = f"{item['kind']} {item['metadata']['name']}"
        backends = [each["service"] for each in _every(item, "backend")] if item["kind"] == "Ingress" else []
        backends += [each for refs in _every(item, "backendRefs") for each in refs]
        for backend in backends:
            port = backend["port"]
            number = port.get("number") if isinstance(port, dict) else port
            named = {each.get("name") for each in services.get(backend["name"], {"spec": {"ports": []}})["spec"]["ports"]}
            if number not in numbers.get(backend["name"], ()) and not (isinstance(port, dict) and port.get("name") in named):
                yield f"{where}: no service {backend['name']} has the port {port}"
        if item["kind"] == "HorizontalPodAutoscaler":
            target = item["spec"]["scaleTargetRef"]
            if workloads.get(target["name"], {}).get("kind") != target["kind"]:
                yield f"{where} scales {target['name']}, which is not there"
        if item["kind"] == "ServiceMonitor":
            wanted = item["spec"]["selector"]["matchLabels"]
            chosen = [each for each in services.values() if wanted.items() <= each["metadata"]["labels"].items()]
            for endpoint in item["spec"]["endpoints"]:
                if endpoint["port"] not in {port["name"] for each in chosen for port in each["spec"]["ports"]}:
                    yield f"{where}: no service has the port {endpoint['port']}"
        if item["kind"] == "StatefulSet" and item["spec"]["serviceName"] not in services:
            yield f"{where} has no service {item['spec']['serviceName']}"


def _within_pods(objects):
    """Pods name their service account, configuration, volumes and ports."""
    accounts, maps = _named(objects, "ServiceAccount"), _named(objects, "ConfigMap")
    for pod, _, spec in _pods(objects):
        if spec.get("serviceAccountName", "default") not in {*accounts, "default"}:
            yield f"{pod} has no service account {spec['serviceAccountName']}"
        for reference in [*_every(spec, "configMap"), *_every(spec, "configMapRef"), *_every(spec, "configMapKeyRef")]:
            if reference["name"] not in maps:
                yield f"{pod} has no ConfigMap {reference['name']}"
        claims = [claim["metadata"]["name"] for item in objects
                  if item["kind"] == "StatefulSet" and item["metadata"]["name"] == pod
                  for claim in item["spec"].get("volumeClaimTemplates", [])]
        volumes = {volume["name"] for volume in spec.get("volumes", [])} | set(claims)
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{pod}: {container['name']} mounts {mount['name']}, which is no volume"
            names = [variable["name"] for variable in container.get("env", [])]
            for name in {name for name in names if names.count(name) > 1}:
                yield f"{pod}: {container['name']} has {name} twice"
            probes = [container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe") if name in container]
            for port in [*_every(probes, "port")]:
                if port not in _ports({"containers": [container]}):
                    yield f"{pod}: {container['name']} is probed at {port}, which is no port of its"
