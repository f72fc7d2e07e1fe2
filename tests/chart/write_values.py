"""Writes the chart's values.yaml and README.md from values.schema.json, where each value has its default and its meaning.

Usage: write_values.py [--check] CHART_FOLDER. With --check it writes nothing, and fails when a file is not as it would be.
"""

import json
import pathlib
import sys
import textwrap

import yaml

WIDTH = 118

README = """# aulm-gateway

The chart of aulm-gateway, a gRPC gateway in front of aulm, the WhatsApp automation API. How to deploy step by step, and
what to look out for, is in docs/deploying.md; what to do when an alert fires, in docs/operating.md.

```sh
kubectl create secret generic aulm --from-file=api-key=KEY_FILE --from-file=webhook-secret=SECRET_FILE
helm install gateway helm/aulm-gateway --set image.repository=REGISTRY/aulm-gateway
helm test gateway
```

It depends on no other chart. By default it makes a StatefulSet of one pod with a volume for the embedded store; with
`store.type=jetstream`, a Deployment of as many pods as you like. Selectors are release and chart name alone, and stay.

## Values

This page and values.yaml are written from values.schema.json: edit that, then run `tests/chart/write_values.py`. A value
that does not stand here is refused.

| value | default | meaning |
| --- | --- | --- |
"""

VALUES = """# Defaults of the chart aulm-gateway. Written from values.schema.json by tests/chart/write_values.py: edit that.
"""


def is_section(schema):
    return schema.get("type") == "object" and "properties" in schema


def as_json(value):
    return json.dumps(value, ensure_ascii=False)


def value_lines(properties, depth):
    """The lines of values.yaml for these values; sections nest."""
    pad = "  " * depth
    for name, schema in properties.items():
        nested = list(value_lines(schema["properties"], depth + 1)) if is_section(schema) else []
        if not nested and "default" not in schema and not (is_section(schema) and depth < 2):
            continue  # the gateway's default holds, and it does not stand here
        words = schema["description"]
        if "enum" in schema:
            words += " One of: " + ", ".join(as_json(word) for word in schema["enum"]) + "."
        if depth == 0:
            yield ""
        yield from textwrap.wrap(words, WIDTH, initial_indent=pad + "# ", subsequent_indent=pad + "# ")
        if not is_section(schema):
            default = schema["default"]
            if default and isinstance(default, (dict, list)):
                yield f"{pad}{name}:"
                yield textwrap.indent(yaml.safe_dump(default, sort_keys=False, width=1000), pad + "  ").rstrip()
            else:
                yield f"{pad}{name}: {as_json(default)}"
            continue
        yield f"{pad}{name}:" if nested else f"{pad}{name}: {{}}"
        yield from nested


def readme_rows(properties, prefix):
    """The rows of the README's table, with items of lists as `list[].field`."""
    for name, schema in properties.items():
        path = f"{prefix}{name}"
        items = schema.get("items", {})
        default = "" if "default" not in schema else f"`{as_json(schema['default'])}`"
        words = schema["description"].replace("|", "\\|")
        if "enum" in schema:
            words += " One of " + ", ".join(f"`{as_json(word)}`" for word in schema["enum"]) + "."
        yield f"| `{path}` | {default} | {words} |"
        if is_section(schema):
            yield from readme_rows(schema["properties"], path + ".")
        elif is_section(items):
            yield from readme_rows(items["properties"], path + "[].")


def main():
    check = sys.argv[1] == "--check"
    chart = pathlib.Path(sys.argv[-1])
    schema = json.loads((chart / "values.schema.json").read_text())
    texts = {
        "values.yaml": VALUES + "\n".join(value_lines(schema["properties"], 0)) + "\n",
        "README.md": README + "\n".join(readme_rows(schema["properties"], "")) + "\n",
    }
    stale = [name for name, text in texts.items() if not check or (chart / name).read_text() != text]
    if check and stale:
        sys.exit(f"{', '.join(stale)}: not as values.schema.json has it; run tests/chart/write_values.py {chart}")
    for name in stale:
        (chart / name).write_text(texts[name])


if __name__ == "__main__":
    main()
