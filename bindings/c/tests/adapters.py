"""Makes adapters.c: one adapter for every function of the header that runs an operation of the table.

    python3 adapters.py ABI_FOLDER HEADER > adapters.c

An adapter takes the arguments of its function out of a request, and passes the rest as options.
"""
import json
import sys
from pathlib import Path

from header import nullable

HANDLES = {"handler", "versions", "json", "backup"}
TAKERS = {
    "path": "take_path",
    "text": "take_text",
    "checksum": "take_text",
    "json": "take_json",
    "paths": "take_json",
    "operations": "take_json",
    "version": "take_version",
    "count": "take_version",
    "content": "take_content",
}


def adapter(function, options, nulls):
    """The C text of one adapter."""
    types = {option["key"]: option["type"] for option in options}
    optional = {option["key"] for option in options if not option["required"]}
    names = [parameter["name"] for parameter in function["parameters"]]
    lines, passed, after = [], [], []
    for name in names:
        if name in function["arguments"]:
            kind = types[name]
            declared = {"version": "uint64_t ", "count": "uint64_t ", "content": "electrus_bytes "}.get(kind, "const char *")
            lines.append(f'{declared}{name} = {TAKERS[kind]}(call, "{name}");')
            passed.append(f"{name}.data" if kind == "content" else name)
            if declared == "const char *" and name in optional - set(nulls):
                lines.append(f"call->unfit |= !{name}; /* the operation can do without, the function cannot */")
        elif name in HANDLES:
            passed.append(f"call->{name}")
        elif name == "content_len" and "content" in function["arguments"]:
            passed.append("content.len")
        elif name == "content":
            lines.append("void *content = NULL;")
            passed.append("&content")
        elif name == "content_len":
            passed.append("&call->content.len")
            after += ["call->content.data = content;", "call->content_apart = true;"]
        elif name in ("outputs", "outputs_count"):
            passed.append(f"&call->{name}")
        elif name in ("contents", "contents_count"):
            passed.append(f"call->{name}")
        elif name in ("options", "result"):
            passed.append(name)
        else:
            sys.exit(f"{function['name']}: what is `{name}`?")
    contents = "true" if "contents" in names else "false"
    lines.append(f"const char *options = take_options(call, {contents});")
    lines += ["if (call->unfit)", "    return ELECTRUS_OK;"]
    lines.append(f"int32_t status = {function['name']}({', '.join(passed)});")
    lines += after + ["return status;"]
    body = "\n".join("    " + line for line in lines)
    return f"static int32_t {function['name']}_(struct call *call, char **result)\n{{\n{body}\n}}\n"


def main():
    abi = Path(sys.argv[1])
    functions = json.loads((abi / "functions.json").read_text())["functions"]
    operations = json.loads((abi / "operations.json").read_text())["operations"]
    options = {operation["name"]: operation["options"] for operation in operations}
    nulls = nullable(Path(sys.argv[2]).read_text())
    # Transactions are staged in several calls: the runner does that itself.
    chosen = [f for f in functions if f["operation"] and not f["name"].startswith("electrus_transaction_")]
    print('#include "conformance.h"\n')
    for function in chosen:
        print(adapter(function, options[function["operation"]], nulls[function["name"]]))
    print("const struct adapter adapters[] = {")
    for f in chosen:
        print(f'    {{"{f["operation"]}", "{f["name"]}", {f["name"]}_}},')
    print("    {NULL, NULL, NULL},\n};")


main()
