"""Makes matrix.c: every export with its parameters, and a function that calls it with a list of arguments.

    python3 matrix.py ABI_FOLDER HEADER > matrix.c

A parameter of a type or name that is not known here ends it: no export can be left out unnoticed.
"""
import json
import re
import sys
from pathlib import Path

from header import nullable

HANDLES = "handler lock writer reader checksum backup json versions transaction progress task".split()
TEXTS = {
    "options": "OPTIONS",
    "request": "OPTIONS",
    **dict.fromkeys("operations paths data value patch result".split(), "DOCUMENT"),
    **dict.fromkeys("path base folder from source destination".split(), "PATH"),
    **dict.fromkeys("name pointer expected tag operation".split(), "NAME"),
}
ANSWERS = {
    "int32_t": "STATUS_CODE",
    "const char*": "TEXT",
    "void*": "OWNED_MEMORY",
    "void": "NOTHING",
}


def kind(name, parameter):
    """What a parameter is, and of a handle the kind and whether it is consumed."""
    ctype = parameter["type"]
    handle = re.fullmatch(r"(const )?struct electrus_(\w+)(\*+)", ctype)
    if handle and handle[2] in HANDLES:
        of = handle[2].upper()
        return ("OUT_HANDLE", of, False) if handle[3] == "**" else ("HANDLE", of, not handle[1])
    known = {
        "const void*": "DATA",
        "const struct electrus_bytes*": "CONTENTS",
        "double": "SECONDS",
        "int32_t": "CODE",
        "uint64_t": "NUMBER",
        "char**": "OUT_MEMORY",
        "void**": "OUT_MEMORY",
        "struct electrus_bytes**": "OUT_MEMORY",
        **dict.fromkeys(["size_t*", "uint64_t*", "int64_t*", "int32_t*", "struct electrus_counts*"], "OUT_VALUE"),
        "const char*": TEXTS.get(parameter["name"]),
        "size_t": "SIZE" if parameter["name"] == "size" else "LENGTH",
        "void*": {"buffer": "BUFFER", "memory": "MEMORY"}.get(parameter["name"]),
    }.get(ctype)
    return (known or sys.exit(f"{name}: what is `{ctype} {parameter['name']}`?"), "HANDLER", False)


def may_be_null(parameter, nulls):
    if parameter not in nulls:
        return "NULL_IS_AN_ERROR"
    return "NULL_IF_EMPTY" if nulls[parameter].endswith(" is 0") else "NULL_IS_ALLOWED"


def argument(index, ctype):
    if ctype == "double":
        return f"a[{index}].seconds"
    if ctype.endswith("*"):
        return f"(void *)a[{index}].pointer"
    return f"({ctype})a[{index}].number"


def trampoline(function):
    name, returns = function["name"], function["returns"]
    given = ", ".join(argument(i, p["type"]) for i, p in enumerate(function["parameters"]))
    call = f"{name}({given})"
    body = {"void": f"{call};\n    return 0;"}.get(returns, f"return (intptr_t){call};")
    unused = "" if function["parameters"] else "(void)a;\n    "
    return f"static intptr_t {name}_(const union argument *a)\n{{\n    {unused}{body}\n}}\n"


def parameters(function, nulls):
    lines = []
    for parameter in function["parameters"]:
        what, handle, consumed = kind(function["name"], parameter)
        size = f"sizeof({parameter['type'][:-1].strip()})" if what.startswith("OUT_") else "0"
        null = may_be_null(parameter["name"], nulls)
        consumed = "true" if consumed else "false"
        lines.append(f'    {{"{parameter["name"]}", {what}, {handle}, {consumed}, {null}, {size}}},')
    lines.append("    {NULL, HANDLE, HANDLER, false, NULL_IS_AN_ERROR, 0},")
    body = "\n".join(lines)
    return f"static const struct parameter {function['name']}_parameters[] = {{\n{body}\n}};\n"


def options(function):
    rows = [f'    {{"{o["key"]}", "{o["type"]}"}},' for o in function["options"]] + ["    {NULL, NULL},"]
    return f"static const struct option {function['name']}_options[] = {{\n" + "\n".join(rows) + "\n};\n"


def main():
    functions = json.loads((Path(sys.argv[1]) / "functions.json").read_text())["functions"]
    nulls = nullable(Path(sys.argv[2]).read_text())
    if set(nulls) != {f["name"] for f in functions}:
        sys.exit("the header and abi/functions.json have different functions")
    print('#include "matrix.h"\n')
    for function in functions:
        print(trampoline(function))
        print(parameters(function, nulls[function["name"]]))
        print(options(function))
    print("const struct export exports[] = {")
    for f in functions:
        name = f["name"]
        answer = "PLAIN_NUMBER" if name == "electrus_abi_version" else ANSWERS[f["returns"]]
        print(f'    {{"{name}", {answer}, {name}_, {name}_parameters, {name}_options}},')
    print("    {NULL, NOTHING, NULL, NULL, NULL},\n};")


main()
