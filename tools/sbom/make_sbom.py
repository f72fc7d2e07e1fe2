#!/usr/bin/env python3
"""make_sbom.py VERSION PROGRAM...: writes a software bill of materials of built programs to standard output, as
CycloneDX 1.5 JSON: the Debian packages of every shared library that the programs load, and of every header that was
compiled into them (Boost's are nothing but headers), with their versions. Two runs over the same build give the same
bytes: the time is SOURCE_DATE_EPOCH, else the newest program's.

Reads ELF by readelf, the loader's choice of libraries by ldd, packages by dpkg, and what was compiled from ninja's record
of the build folder above the programs. Needs Debian."""
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def libraries(program):
    """The real paths of the shared libraries that the loader takes for the program, direct or not."""
    paths = set()
    for line in output("ldd", program).splitlines():
        if "not found" in line:
            sys.exit(f"{program}: {line.strip()}")
        if found := re.search(r"(?:=> |^\s*)(/\S+) \(0x", line):
            paths.add(found.group(1))
    return paths


def headers(program):
    """System headers that went into any object of the program's build folder, those of tests and clients aside."""
    build = os.path.dirname(os.path.dirname(os.path.abspath(program)))
    if not os.path.exists(f"{build}/build.ninja"):
        return set()
    found, counts = set(), False
    for line in output("ninja", "-C", build, "-t", "deps").splitlines():
        if not line.startswith(" "):
            counts = not line.startswith(("tests/", "client_stubs/"))
        elif counts and line.startswith("    /usr/include/"):
            found.add(line.strip())
    return found


def packages_of(paths):
    """{package: {paths}} by dpkg; a file that belongs to no package is an error."""
    owners, unknown = {}, set()
    by_name = {}
    for path in paths:
        # /lib is a link to /usr/lib where dpkg may know only one of the two, and files are known by their real names.
        names = {path, os.path.realpath(path)}
        for name in list(names):
            names.add(name.removeprefix("/usr") if name.startswith("/usr/lib") else "/usr" + name)
        for name in names:
            by_name.setdefault(name, set()).add(path)
    names = sorted(by_name)
    known = set()
    for start in range(0, len(names), 2000):
        answer = subprocess.run(["dpkg", "-S", "--", *names[start : start + 2000]], capture_output=True, text=True).stdout
        for line in answer.splitlines():
            if line.startswith("diversion "):
                continue
            owner, _, name = line.partition(": ")
            for one in owner.split(", "):
                owners.setdefault(one.split(":")[0], set()).update(by_name[name])
            known |= by_name[name]
    unknown = set(paths) - known
    if unknown:
        sys.exit("these belong to no Debian package: " + " ".join(sorted(unknown)))
    return owners


def describe(package):
    """(version, source, architecture)"""
    version, source, architecture = output(
        "dpkg-query", "-W", "-f=${Version}\\t${source:Package}\\t${Architecture}\\n", package
    ).splitlines()[0].split("\t")
    return version, source, architecture


def component(package, how):
    version, source, architecture = describe(package)
    purl = f"pkg:deb/debian/{package.replace('+', '%2B')}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={architecture}&distro=debian-12"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package,
        "version": version,
        "purl": purl,
        "properties": [
            {"name": "aulm-gateway:used", "value": how},
            {"name": "debian:source", "value": source},
        ],
    }


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    version, programs = sys.argv[1], sys.argv[2:]
    linked, compiled = set(), set()
    for program in programs:
        linked |= libraries(program)
        compiled |= headers(program)
    used = {package: "linked" for package in packages_of(linked)}
    for package in packages_of(compiled):
        used.setdefault(package, "compiled in")
    components = [component(package, how) for package, how in sorted(used.items())]

    made = int(os.environ.get("SOURCE_DATE_EPOCH") or max(os.stat(program).st_mtime for program in programs))
    gateway = {
        "type": "application",
        "bom-ref": f"pkg:generic/aulm-gateway@{version}",
        "name": "aulm-gateway",
        "version": version,
        "purl": f"pkg:generic/aulm-gateway@{version}",
        "components": [
            {
                "type": "file",
                "name": os.path.basename(program),
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(open(program, "rb").read()).hexdigest()}],
            }
            for program in programs
        ],
    }
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(made, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": gateway,
        },
        "components": components,
        "dependencies": [
            {
                "ref": gateway["bom-ref"],
                "dependsOn": [one["bom-ref"] for one in components],
            }
        ],
    }
    content = json.dumps(bom, sort_keys=True)
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    json.dump(bom, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
